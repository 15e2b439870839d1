#!/usr/bin/env bash
# Runs all tests. Arguments go to cargo test.
set -euo pipefail
cd "$(dirname "$0")"
# The live tests make network namespaces, which takes root. Without it they are left out, and that is
# said.
if [[ ${PHITAP_NO_NETNS-} != 1 ]] && ! unshare --net true 2>/dev/null; then
    echo "test.sh: LEAVING OUT THE LIVE TESTS: they need root on Linux; run them with sudo ./test.sh --test live" >&2
    export PHITAP_NO_NETNS=1
fi
scripts/prepare.sh --tests
exec cargo test --locked "$@"
