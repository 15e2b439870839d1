#!/bin/sh
# Takes the broker away for ten minutes during a run, and checks that no event is lost. Takes eleven minutes.
set -eu
cd "$(dirname "$0")/.."
PHITAP_AWAY="${1:-600}" exec cargo test --locked --test outputs a_broker_that_is_away -- --nocapture
