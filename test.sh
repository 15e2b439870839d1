#!/usr/bin/env bash
# Runs all tests. Passes its arguments to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")"
say() { printf 'test.sh: %s\n' "$*" >&2; }

# The live tests create network namespaces, which requires root.
if [[ ${PHITAP_NO_NETNS-} != 1 ]] && ! unshare --net true 2>/dev/null; then
    say "LEAVING OUT THE LIVE TESTS: they need root on Linux; run them with sudo ./test.sh --test live"
    export PHITAP_NO_NETNS=1
fi
say "looking for what the tests need; whatever is missing is named here and then installed."
if [[ ${PHITAP_NO_SYSTEMD-} != 1 ]] && ! command -v systemd-analyze >/dev/null; then
    say "LEAVING OUT THE CHECK OF THE SYSTEMD UNIT: there is no systemd-analyze."
    export PHITAP_NO_SYSTEMD=1
fi
scripts/prepare.sh --tests
say "building and running the tests: the first time about ten minutes on two cores."
exec cargo test --locked "$@"
