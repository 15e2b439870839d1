#!/usr/bin/env bash
# Compares the events of two builds byte by byte, for changes that must not change behaviour.
#
#   scripts/compare-events.sh OLD NEW [CAPTURE...]     two phitap programs; all fixtures if none is named
#
# Both builds read each capture with the same key, at each level of detail, with one worker and with two. Prints
# the first differing line of each capture and level, and exits with status 1 if there is any.
set -euo pipefail

old=${1:?usage: compare-events.sh OLD NEW [CAPTURE...]}
new=${2:?usage: compare-events.sh OLD NEW [CAPTURE...]}
shift 2
old=$(realpath "$old") new=$(realpath "$new")
cd "$(dirname "$0")/.."

captures=("$@")
if [[ ${#captures[@]} -eq 0 ]]; then
    mapfile -t captures < <(find fixtures -type f \( -name '*.pcap' -o -name '*.pcapng' \) | sort)
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The same key in both runs, so that tokens and ids are equal. All patients are invented.
(umask 077; printf 'key of the comparison of two runs' | sha256sum | cut -c1-64 > "$folder/key")

different=0 compared=0
for capture in "${captures[@]}"; do
    for detail in exposures patients flows; do
        for workers in 1 2; do
            options=(replay --quiet --format json --key-file "$folder/key" --detail "$detail" --workers "$workers")
            # Exit statuses are compared, too: 3 is expected for a truncated capture.
            for side in old new; do
                status=0
                "${!side}" "${options[@]}" "$capture" > "$folder/$side" 2> "$folder/messages" || status=$?
                echo "exit status $status" >> "$folder/$side"
            done
            compared=$((compared + 1))
            if ! cmp --silent "$folder/old" "$folder/new"; then
                different=$((different + 1))
                echo "$capture, --detail $detail, --workers $workers:"
                diff "$folder/old" "$folder/new" | cut -c1-300 | sed -n '2,4p' || true
            fi
        done
    done
done
echo "$compared runs over ${#captures[@]} captures: $different differ"
[[ $different -eq 0 ]]
