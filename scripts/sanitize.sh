#!/usr/bin/env bash
# Runs `unsafe` code under Miri, and code that reads hostile input under AddressSanitizer.
#
#   scripts/sanitize.sh [miri|address]...     both if none is named
#
# miri      the tests of rings (src/capture/live/ring/) and of blocks: mapping, leases, and what the kernel
#           writes. Miri supports no sockets: tests that open one are left out and named here. Needs a
#           nightly toolchain with the components miri and rust-src.
# address   the tests of src/capture/, src/decode/ and src/flow/, and the short form of fuzzing over all
#           targets. Any toolchain will do. PHITAP_FUZZ_ROUNDS sets how many inputs of each target.
#
# Builds go to target/sanitize/. Exits with a status other than 0 at the first error.
set -euo pipefail
cd "$(dirname "$0")/.."

what=("$@")
if [[ ${#what[@]} -eq 0 ]]; then
    what=(miri address)
fi
export CARGO_TARGET_DIR=target/sanitize
host=$(rustc -vV | sed -n 's/^host: //p')
# The program's own allocator would hide what the sanitizer looks for.
features=(--no-default-features --features 'store nats')

for one in "${what[@]}"; do
    case $one in
    miri)
        if ! cargo +nightly miri --version >/dev/null 2>&1; then
            echo "scripts/sanitize.sh: no Miri; rustup component add miri rust-src --toolchain nightly" >&2
            exit 2
        fi
        # `-Zmiri-disable-isolation`: tests read files and the clock.
        MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked "${features[@]}" --lib -- \
            capture::live::ring::map capture::block
        ;;
    address)
        export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address
        # Memory that lives until the end is not a leak here; tests/attacks/ measures growth.
        export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1
        cargo test --locked --target "$host" "${features[@]}" --lib -- capture:: decode:: flow::
        PHITAP_FUZZ_ROUNDS=${PHITAP_FUZZ_ROUNDS:-60} \
            cargo test --locked --target "$host" "${features[@]}" --test fuzz
        ;;
    *)
        echo "scripts/sanitize.sh: $one is neither miri nor address" >&2
        exit 2
        ;;
    esac
done
