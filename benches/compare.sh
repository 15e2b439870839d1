#!/usr/bin/env bash
# Compares phitap with tcpdump and tshark on a capture: bytes per CPU second, and memory.
#
#   benches/compare.sh CAPTURE.pcap [ROUNDS]
#
# Each tool reads the whole file once to warm up, then all take turns, ROUNDS times (default 5).
# CPU seconds are user and system time together, of all threads; memory is the peak resident set.
# tcpdump decodes headers and tests a filter that takes nothing; tshark dissects every packet and
# counts protocols. PHITAP names another program than target/release/phitap.
set -euo pipefail

usage() { echo "usage: $0 CAPTURE.pcap [ROUNDS]" >&2; exit 2; }

capture=${1:-}
rounds=${2:-5}
[[ -n $capture && $rounds =~ ^[1-9][0-9]*$ ]] || usage
[[ -r $capture ]] || { echo "$0: cannot read $capture" >&2; exit 1; }
cd "$(dirname "$(realpath "$0")")/.." && capture=$(realpath "$OLDPWD/$capture" 2>/dev/null || realpath "$capture")
phitap=${PHITAP:-target/release/phitap}
[[ -x $phitap ]] || { echo "$0: no $phitap; build it with: cargo build --release" >&2; exit 1; }
[[ -x /usr/bin/time ]] || { echo "$0: no /usr/bin/time; install it with: apt-get install time" >&2; exit 1; }

names=(phitap-1 phitap-all)
declare -A command
command[phitap-1]="$phitap replay --quiet --no-progress --format ecs --output /dev/null --workers 1 $(printf %q "$capture")"
command[phitap-all]="$phitap replay --quiet --no-progress --format ecs --output /dev/null $(printf %q "$capture")"
command[tcpdump]="tcpdump -n -r $(printf %q "$capture") port 1"
command[tshark]="tshark -n -r $(printf %q "$capture") -q -z io,phs"
for tool in tcpdump tshark; do
    if command -v "$tool" >/dev/null; then
        names+=("$tool")
    else
        echo "$tool is missing and left out; install it with: apt-get install $tool" >&2
    fi
done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# One run: its CPU seconds, wall seconds and peak memory (KiB) go to the results of its tool.
measure() {
    local name=$1 to=$2
    local status=0
    eval "/usr/bin/time -q -f '%U %S %e %M' -o '$results/one' ${command[$name]}" \
        >/dev/null 2>"$results/said" || status=$?
    # 3 of phitap: the file ends within a packet.
    if [[ $status != 0 && ! ($name == phitap-* && $status == 3) ]]; then
        echo "$name failed with status $status:" >&2
        cat "$results/said" >&2
        exit 1
    fi
    tail -n 1 "$results/one" >>"$to"
}

for name in "${names[@]}"; do measure "$name" /dev/null; done
for ((round = 1; round <= rounds; round++)); do
    for name in "${names[@]}"; do measure "$name" "$results/$name"; done
    echo "round $round of $rounds" >&2
done

bytes=$(stat -c %s "$capture")
echo "$capture: $bytes bytes, $rounds rounds, $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
printf '%-11s %22s %24s %8s %8s %12s %16s\n' tool 'CPU s (min..max)' 'MB per CPU s (min..max)' 'Gbit/s' 'wall s' 'peak MiB' 'CPU to phitap-1'
for name in "${names[@]}"; do
    awk -v name="$name" -v bytes="$bytes" -v base="$results/phitap-1" '
        function median(list, n,    i, j, t) {
            for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
            }
            return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
        }
        { cpu[NR] = $1 + $2; wall[NR] = $3; if ($4 > memory) memory = $4 }
        END {
            while ((getline line < base) > 0) { split(line, f, " "); own[++n] = f[1] + f[2] }
            reference = median(own, n); m = median(cpu, NR)
            # The clock of CPU time ticks every 10 ms.
            least = 0.01; if (m < least) m = least; if (reference < least) reference = least
            low = cpu[1] < least ? least : cpu[1]; high = cpu[NR] < least ? least : cpu[NR]
            printf "%-11s %9.2f (%.2f..%.2f) %10.0f (%.0f..%.0f) %8.2f %8.2f %12.0f %14.2f x\n", name, m,
                cpu[1], cpu[NR], bytes / m / 1e6, bytes / high / 1e6, bytes / low / 1e6,
                bytes * 8 / m / 1e9, median(wall, NR), memory / 1024, m / reference
        }' "$results/$name"
done
echo "The last column: how many times the CPU seconds of phitap with one worker the tool needs."
