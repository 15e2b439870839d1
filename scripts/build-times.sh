#!/usr/bin/env bash
# Measures how long builds take, for the table in CONTRIBUTING.md. Run it on an otherwise idle machine.
#
#   scripts/build-times.sh [WHAT...]     any of: check release dist quick tests; all of them if none is named
#
# check     `cargo check` from nothing
# release   `cargo build --release` from nothing
# dist      `cargo build --profile dist` from nothing
# quick     `cargo build --profile quick` from nothing, then again after a change in one stage
# tests     the tests of the library built, then again after a change in one stage: rebuild and link
#
# Builds use a temporary folder, so that earlier builds do not count. Prints a row per build: wall-clock seconds
# and CPU seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

what=("$@")
if [[ ${#what[@]} -eq 0 ]]; then
    what=(check release dist quick tests)
fi
# A stage in the middle: some stages are below it, others above.
touched=src/content/formats/csv/mod.rs

folder=$(mktemp -d "${TMPDIR:-/tmp}/phitap-build-times.XXXXXX")
saved=$(mktemp)
cp -p "$touched" "$saved"
# Restores the file, also when interrupted.
trap 'cp -p "$saved" "$touched"; rm -rf "$folder" "$saved"' EXIT
export CARGO_TARGET_DIR=$folder CARGO_TERM_PROGRESS_WHEN=never
cargo fetch --locked --quiet

# Runs a command, and prints its name and times.
measure() {
    local name=$1 times
    shift
    times=$( { TIMEFORMAT='%R %U %S'; time "$@" >"$folder.log" 2>&1; } 2>&1 ) || {
        tail -20 "$folder.log"
        echo "$name failed" >&2
        exit 1
    }
    read -r real user system <<< "$times"
    printf '| %s | %.0f | %.0f |\n' "$name" "$real" "$(awk "BEGIN { print $user + $system }")"
    rm -f "$folder.log"
}

change() {
    printf '\n// %s\n' "$(date +%N)" >> "$touched"
}

echo "$(nproc) processors, $(rustc --version)"
echo '| build | seconds | CPU seconds |'
echo '|---|---|---|'
for one in "${what[@]}"; do
    case $one in
        check)
            measure 'check, from nothing' cargo check --locked
            ;;
        release)
            measure 'release, from nothing' cargo build --locked --release
            ;;
        dist)
            measure 'dist, from nothing' cargo build --locked --profile dist
            ;;
        quick)
            measure 'quick, from nothing' cargo build --locked --profile quick
            change
            measure 'quick, after a change in one stage' cargo build --locked --profile quick
            ;;
        tests)
            measure 'tests of the library, from nothing' cargo test --locked --lib --no-run
            change
            measure 'tests of the library, after a change in one stage' cargo test --locked --lib --no-run
            measure 'all tests, linked after that' cargo test --locked --no-run
            ;;
        *)
            echo "no build named $one" >&2
            exit 2
            ;;
    esac
done
