#!/usr/bin/env bash
# Generates clients from the document of a running server, and uses them against servers on SQLite
# and on Postgres; reads calendar feeds; and uses the documentation page in a browser. `./test.sh clients` runs it, with what it needs on the PATH.
#
#   test.sh <booking-api> <folder for what is made> [<postgres://… of an empty database>]
set -euo pipefail
readonly server=$1 made=$2 postgres=${3:-}
cd "$(dirname "$0")"

step() {
    echo "-- $*"
    "$@"
}

# Starts a server with a data directory of its own, and says where it is in BASE.
start() {
    local name=$1
    shift
    rm -rf "${made:?}/$name"
    mkdir -p "$made/$name"
    "$server" dev --port 0 --data-dir "$made/$name" "$@" \
        >"$made/$name/greeting" 2>"$made/$name/log" &
    trap "kill $!" EXIT
    until BASE=$(sed -n 's|^ *docs *\(http.*\)/docs$|\1|p' "$made/$name/greeting") && [ -n "$BASE" ]; do
        kill -0 $! || { cat "$made/$name/log"; exit 1; }
        sleep 0.1
    done
    export BASE
    CLIENT=$("$server" token --sub client_123 --role client --data-dir "$made/$name")
    THERAPIST=$("$server" token --sub therapist_456 --role therapist --data-dir "$made/$name")
    ADMIN=$("$server" token --sub admin_1 --role admin --data-dir "$made/$name")
    export CLIENT THERAPIST ADMIN
}

packages() {
    local folder
    for folder in lint typescript hey-api docs-page calendar; do
        # What is installed stays, unless the lock file changed.
        cmp -s $folder/package-lock.json $folder/node_modules/.lock && continue
        (cd $folder && npm ci --silent && cp package-lock.json node_modules/.lock)
    done
}

lint() {
    export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
    (cd lint && npx redocly lint --config redocly.yaml "$SPEC")
    (cd lint && npx spectral lint --ruleset .spectral.yaml --fail-severity warn "$SPEC")
}

generate() {
    (cd typescript && npm run -s generate && npm run -s check)
    (cd hey-api && npm run -s generate && npm run -s check)
    if grep -nE '(: |<|\| )any\b' hey-api/src/client/*.gen.ts; then
        echo "the generated client does not say what these are"
        exit 1
    fi
    (
        cd python
        openapi-python-client generate --path "$SPEC" --output-path booking_client --meta none \
            --config config.yaml --overwrite --fail-on-warning
        mypy --strict --follow-imports silent flow.py
    )
    BOOKING_OPENAPI=$SPEC CARGO_TARGET_DIR=$made/rust cargo build --locked \
        --manifest-path rust/Cargo.toml
}

flows() {
    (cd typescript && npm run -s start)
    (cd hey-api && npm run -s start)
    (cd python && python flow.py)
    "$made/rust/debug/booking-client-example"
}

on() {
    (start "$@" --now 2024-01-01T12:00:00Z && flows)
}

# Calendar feeds, as two parsers of other people's read them.
feeds() {
    node calendar/check.js "$made/feeds"
    python calendar/check.py "$made/feeds"
}

calendars() {
    (start calendars --database-url memory: --now 2024-01-01T12:00:00Z && feeds)
}

# With the samples of a server that starts for the first time.
docs_page() {
    (start docs-page --database-url memory: && node docs-page/test.js)
}

mkdir -p "$made"
export SPEC=$made/openapi.json
step packages
(start described --database-url memory: --now 2024-01-01T12:00:00Z && curl -fsS "$BASE/openapi.json" -o "$SPEC")
step lint
step generate
step on sqlite
[ -z "$postgres" ] || step on postgres --database-url "$postgres"
step calendars
step docs_page
