#!/usr/bin/env bash
# Runs all tests. Arguments go to cargo test.
set -euo pipefail
cd "$(dirname "$0")"
scripts/prepare.sh --tests
exec cargo test --locked "$@"
