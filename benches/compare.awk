# Counts of instructions against those of benches/instructions.txt, which comes first.

/^#/ { next }

FNR == NR { known[$1] = $2; next }

{
    counted[$1]
    share = ($1 in known) ? $2 / known[$1] : 0
    note = ""
    if (!($1 in known)) { note = "not in benches/instructions.txt"; failed = 1 }
    else if (share > 1.1) { note = "more than a tenth more"; failed = 1 }
    else if (share < 0.9) { note = "much better"; better = 1 }
    printf "%-32s %9d %8.1f %%  %s\n", $1, $2, 100 * share, note
}

END {
    for (name in known) if (!(name in counted)) { print name " was not counted"; failed = 1 }
    if (failed) print "if it has to be so: INSTRUCTIONS=renew ./test.sh instructions"
    else if (better) print "so that it stays so: INSTRUCTIONS=renew ./test.sh instructions"
    exit failed
}
