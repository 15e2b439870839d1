#!/bin/sh
# Takes the broker away for ten minutes during a run, and checks that no event is lost. Takes eleven minutes.
# NATS by default; Kafka (librdkafka's mock cluster) with PHITAP_FEATURES=kafka.
set -eu
cd "$(dirname "$0")/.."
PHITAP_AWAY="${1:-600}" exec cargo test --locked --features "${PHITAP_FEATURES:-}" --test outputs \
    is_away_while_events_come -- --nocapture
