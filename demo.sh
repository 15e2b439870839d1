#!/usr/bin/env bash
# Builds phitap and shows what it finds in an hour of hospital traffic (invented people). Passes its arguments
# to `phitap replay`.
set -euo pipefail
cd "$(dirname "$0")"
say() { printf '%s\n' "$*" >&2; }

scripts/prepare.sh
say "demo.sh: building phitap with the quick profile: the first time about five minutes on two cores,"
say "         and downloads some 150 libraries; later, seconds."
cargo build --locked --profile quick
say "demo.sh: phitap replay fixtures/hospital.pcap: 58 minutes of traffic, less than a second to read."
say ""
phitap=${CARGO_TARGET_DIR:-target}/quick/phitap
"$phitap" replay fixtures/hospital.pcap "$@"

# A terminal shows the end of the long report, so repeat the headline there.
if [[ $# -eq 0 ]]; then
    report=$("$phitap" replay --no-progress fixtures/hospital.pcap 2>/dev/null)
    say ""
    say "$(grep -m 1 '^PATIENT DATA' <<<"$report"). The worst comes first: see the top of the report."
fi
