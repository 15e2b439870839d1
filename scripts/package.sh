#!/usr/bin/env bash
# Builds the .deb and the .rpm into target/package. Give a profile other than dist for a trial:
#
#   scripts/package.sh [PROFILE]
#
# Installs cargo-deb and cargo-generate-rpm if they are missing. PHITAP_BUILT=1 packages the existing program in
# target/PROFILE.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1-dist}
out=target/package

if [[ ${PHITAP_BUILT-} != 1 ]]; then
    cargo build --locked --profile "$profile"
fi
program=target/$profile/phitap
mkdir -p "$out"
rm -f "$out"/*.deb "$out"/*.rpm
"$program" man >"$out/phitap.1"
"$program" completions bash >"$out/phitap.bash"
"$program" completions zsh >"$out/_phitap"
"$program" completions fish >"$out/phitap.fish"

for tool in cargo-deb cargo-generate-rpm; do
    command -v "$tool" >/dev/null || cargo install --locked "$tool"
done
cargo deb --locked --no-build --profile "$profile" --output "$out/"
cargo generate-rpm --profile "$profile" --output "$out/"
ls -l "$out"/*.deb "$out"/*.rpm
