#!/usr/bin/env bash
# Builds phitap and shows what it finds in one morning hour of a hospital (invented people).
set -euo pipefail
cd "$(dirname "$0")"
scripts/prepare.sh
exec cargo run --locked --release -- replay fixtures/hospital.pcap "$@"
