#!/usr/bin/env bash
# Checks a container image built from deploy/Dockerfile: its user and folders, that it captures with CAP_NET_RAW
# and nothing else on a file system that cannot be written, that it says what it lacks without that capability,
# and that a state in a volume outlives a container.
#
#   scripts/try-image.sh [IMAGE [ENGINE...]]
#
# IMAGE is phitap by default, ENGINE is docker, or any command with its arguments: podman --runtime runc
set -euo pipefail
image=${1:-phitap}
shift || true
engine=("${@:-docker}")
say() { printf '== %s\n' "$*"; }
fail() { printf 'try-image: %s\n' "$*" >&2; exit 1; }
work=$(mktemp -d)
name=phitap-try-$$
finish() {
    "${engine[@]}" rm --force "$name" >/dev/null 2>&1 || true
    "${engine[@]}" volume rm --force "$name" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
# Extra arguments of `run`, such as --ulimit where the engine may not raise limits.
read -ra extra <<<"${TRY_IMAGE_RUN-}"
run() { "${engine[@]}" run "${extra[@]}" --cap-drop ALL --read-only --network none "$@"; }

say "Program, user and folders"
run --rm "$image" --version
has=$(run --rm --entrypoint /bin/sh "$image" -c 'id -u; id -G; stat -c %u:%g:%a /var/lib/phitap /var/log/phitap')
expected=$'9187\n9187\n9187:9187:750\n9187:9187:750'
[[ $has == "$expected" ]] || fail "user, groups and folders are: $has"
run --rm --entrypoint /bin/sh "$image" -c 'test -s /etc/ssl/certs/ca-certificates.crt' ||
    fail "there are no certificates of CAs"

say "Without CAP_NET_RAW it says what to do"
status=0
run --rm "$image" live -i lo >"$work/out" 2>"$work/said" || status=$?
[[ $status == 1 ]] || fail "its status is $status"
[[ $(wc -l <"$work/said") == 1 ]] || fail "not one line: $(cat "$work/said")"
grep -q -- '--cap-add NET_RAW' "$work/said" || fail "it says: $(cat "$work/said")"

# Runs a sensor until it has written a status, and stops it.
watch() {
    run --detach --name "$name" --cap-add NET_RAW --volume "$name:/var/lib/phitap" "$image" live -i lo \
        --format json --status-every 1s --key-file /var/lib/phitap/key --state /var/lib/phitap/state.json \
        --output /var/lib/phitap/events.json --output stdout >/dev/null
    for _ in $(seq 600); do
        "${engine[@]}" logs "$name" >"$work/out" 2>"$work/said"
        ! grep -q '"sensor-status"' "$work/out" || break
        sleep 0.1
    done
    grep -q '"sensor-status"' "$work/out" || fail "it wrote no status: $(cat "$work/said")"
    "${engine[@]}" stop "$name" >/dev/null
    "${engine[@]}" logs "$name" >"$work/out" 2>"$work/said"
    status=$("${engine[@]}" wait "$name")
    # 3: there were no packets, or none that could be read.
    [[ $status == 0 || $status == 3 ]] || fail "its status is $status: $(cat "$work/said")"
    grep -q 'uid 9187, capability net_raw, no new privileges' "$work/said" ||
        fail "it has other rights than it should: $(cat "$work/said")"
    "${engine[@]}" rm "$name" >/dev/null
}

say "With CAP_NET_RAW it watches, and continues what is in its volume"
run --rm --volume "$name:/var/lib/phitap" --entrypoint /bin/sh "$image" \
    -c 'umask 077; head -c 32 /dev/urandom >/var/lib/phitap/key'
watch
watch
summaries=$(run --rm --volume "$name:/var/lib/phitap" --entrypoint /bin/sh "$image" \
    -c 'test -s /var/lib/phitap/state.json && grep -c run-summary /var/lib/phitap/events.json')
[[ $summaries == 2 ]] || fail "the events of both runs should be there: $summaries"
say "The image is sound"
