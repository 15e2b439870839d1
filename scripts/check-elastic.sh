#!/bin/sh
# Checks deploy/elastic/ against what Elastic and OpenSearch publish to npm. No server is needed: neither of them, nor
# Kibana, is in a package registry.
#
#   scripts/check-elastic.sh [EVENTS]
#
# - index template and ingest pipeline: the types of the request bodies in the clients of Elasticsearch and OpenSearch,
#   which are made from the specifications of both servers, with the TypeScript compiler;
# - queries of the dashboard: Kibana's own parser of KQL, whose result is then evaluated on EVENTS (`phitap replay
#   --format json`; the merged hour of the fixtures by default): a panel that no event matches is empty.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
events=${1:-}
if [ -z "$events" ]; then
    events=$work/events.json
    phitap=${PHITAP:-target/quick/phitap}
    "$phitap" replay --quiet --sensor ward --format json --detail patients fixtures/hospital.pcap > "$events"
fi
events=$(realpath "$events")
cd "$work"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
    @elastic/elasticsearch@8.19.2 @opensearch-project/opensearch@3.9.0 typescript@5.9.3 @types/node@20.19.43 \
    @cybernetex/kbn-es-query@1.0.2
cp "$root/scripts/check-elastic.js" check.js
node check.js "$root/deploy/elastic" "$events"
npx tsc --noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext bodies.ts
echo "the bodies of both requests have the types of Elasticsearch 8 and OpenSearch 3"
