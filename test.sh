#!/usr/bin/env bash
# Everything that must hold before a change lands. Installs what it needs; `./test.sh help` lists
# its parts, each of which can be run alone.
set -euo pipefail
cd "$(dirname "$0")"

readonly CARGO_DENY_VERSION=0.20.2
readonly TOOLS="$PWD/target/tools"

parts=(format lint tests docs deny)

help() {
    cat <<'TEXT'
./test.sh          everything, in this order
./test.sh format   the code is formatted
./test.sh lint     clippy has nothing to say
./test.sh tests    all tests and documentation examples
./test.sh docs     the documentation builds without warnings
./test.sh deny     licenses, bans and sources of dependencies
TEXT
}

# SQLite and ring are C: a machine with Rust alone has no compiler for them.
need_compiler() {
    if ! command -v cc >/dev/null; then
        echo "installing a C compiler"
        local sudo=()
        [ "$(id -u)" -eq 0 ] || sudo=(sudo)
        "${sudo[@]}" apt-get update -qq
        "${sudo[@]}" apt-get install -y -qq gcc libc6-dev
    fi
}

format() {
    cargo fmt --all --check
}

lint() {
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
    # The library without the command, as an embedding service links it.
    cargo clippy -p booking-api --no-default-features --lib --locked -- -D warnings
}

tests() {
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
    case " ${parts[*]} " in
        *" $part "*) run "$part" ;;
        *) help; [ "$part" = help ] || exit 2 ;;
    esac
done
echo "== all of it: $SECONDS s"
