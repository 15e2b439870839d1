#!/usr/bin/env bash
# Fuzzes one target after another for the given time, and prints how many inputs each has run.
#
#   scripts/fuzz.sh [SECONDS [TARGET...]]     60 seconds of each target, or of those named
#
# Needs a C++ compiler, for libFuzzer, and the toolchain that builds phitap; neither nightly Rust nor cargo-fuzz.
# PHITAP_SANITIZER=address builds with AddressSanitizer as well (slower by half). PHITAP_FUZZ_DIR is the folder of
# builds, corpora, failing inputs and counts, fuzz/ if it is not set: the build takes about 1 GB. PHITAP_FUZZ_MAX_LEN
# is the most bytes of an input (64 KiB): shorter ones are faster. PHITAP_FUZZ_NICE is put before each run, such as
# `nice -n 19`.
#
# Corpora grow in corpus/, failing inputs are kept in artifacts/, and executions.tsv sums inputs and seconds per
# target over all runs. Exits with status 1 if an input failed.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
sanitizer=${PHITAP_SANITIZER:-none}
root=$PWD
folder=$(realpath -m "${PHITAP_FUZZ_DIR:-fuzz}")
mkdir -p "$folder"
host=$(rustc -vV | sed -n 's/^host: //p')
bin=$folder/target/$host/release/fuzz

# What libFuzzer needs from the compiler: counters of edges, and the operands of comparisons.
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
for part in inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$part"
done
case $sanitizer in
none) ;;
address)
    export RUSTC_BOOTSTRAP=1
    flags+=" -Zsanitizer=address"
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
    ;;
*) echo "scripts/fuzz.sh: PHITAP_SANITIZER is neither none nor address" >&2 && exit 2 ;;
esac
# With a target named, build scripts and macros are built without these flags.
(cd fuzz && CARGO_TARGET_DIR=$folder/target RUSTFLAGS=$flags cargo build --locked --quiet --release --target "$host")
PHITAP_FUZZ_SEEDS=$folder/corpus "$bin"

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    mapfile -t targets < <(ls "$folder/corpus")
fi
found=0
cd "$folder"
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    log=artifacts/$target/log
    # An input that once broke an invariant is a seed as well.
    seeds=("corpus/$target")
    if [[ -d $root/fuzz/regressions/$target ]]; then
        seeds+=("$root/fuzz/regressions/$target")
    fi
    # -timeout: an input that takes 10 seconds is a defect. -rss_limit_mb: so is one that takes 2 GiB.
    PHITAP_FUZZ_TARGET=$target ${PHITAP_FUZZ_NICE:-} "$bin" "${seeds[@]}" -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len="${PHITAP_FUZZ_MAX_LEN:-65536}" -len_control=20 \
        -print_final_stats=1 >"$log" 2>&1 || found=1
    # A run that ends with a failure prints no total: take the last count.
    runs=$(sed -n -e 's/^stat::number_of_executed_units: *//p' -e 's/^#\([0-9]*\)\t.*/\1/p' "$log" | tail -n 1)
    printf '%s\t%s\t%s\n' "$target" "${runs:-0}" "$seconds" >>executions.tsv
    printf '%-24s %12s inputs  %s\n' "$target" "${runs:-0}" "$(grep -m1 -E 'panicked at|ERROR:' "$log" || echo ok)"
done
awk -F'\t' '{ runs[$1] += $2; all += $2 } END { printf "%d inputs over %d targets so far\n", all, length(runs) }' executions.tsv
exit "$found"
