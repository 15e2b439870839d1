#!/usr/bin/env bash
# Fuzzes one target after another for the given time, and prints how many inputs each has run.
#
#   scripts/fuzz.sh [SECONDS [TARGET...]]     60 seconds of each target, or of those named
#
# PHITAP_SANITIZER=address builds with AddressSanitizer (slower by half; `none` is the default). Corpora
# grow in fuzz/corpus/, failing inputs are kept in fuzz/artifacts/, and fuzz/executions.tsv sums inputs and
# seconds per target over all runs.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${1:-60}
shift || true
sanitizer=${PHITAP_SANITIZER:-none}
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

cargo +nightly fuzz build -s "$sanitizer" --fuzz-dir .
host=$(rustc -vV | sed -n 's/^host: //p')
bin=target/$host/release
(cd .. && cargo test --quiet --locked --test fuzz -- --ignored seeds_are_written)

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    mapfile -t targets < <(ls corpus)
fi
found=0
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    log=artifacts/$target/log
    # -timeout: an input that takes 10 seconds is a defect. -rss_limit_mb: so is one that takes 2 GiB.
    PHITAP_FUZZ_TARGET=$target "$bin/fuzz" "corpus/$target" -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -len_control=20 \
        -print_final_stats=1 >"$log" 2>&1 || found=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%s\t%s\t%s\n' "$target" "${runs:-0}" "$seconds" >>executions.tsv
    printf '%-24s %12s inputs  %s\n' "$target" "${runs:-0}" "$(grep -m1 -E 'panicked at|ERROR:' "$log" || echo ok)"
done
awk -F'\t' '{ runs[$1] += $2; all += $2 } END { printf "%d inputs over %d targets so far\n", all, length(runs) }' executions.tsv
exit "$found"
