#!/bin/sh
# Ten minutes without the broker, in the middle of a run: no event may be lost. Takes eleven minutes.
set -eu
cd "$(dirname "$0")/.."
PHITAP_AWAY="${1:-600}" exec cargo test --locked --test outputs a_broker_that_is_away -- --nocapture
