#!/usr/bin/env bash
# Compares phitap with other programs on captures: bytes per CPU second, wall time, memory, output.
#
#   benches/compare.sh [-r ROUNDS] [-t TIMES] CAPTURE.pcap...      captures of your own
#   benches/compare.sh [-r ROUNDS] [-t TIMES] -m FOLDER [SCALE]    those in FOLDER; made by MAKE if there are none
#
# Each program reads the whole file once to warm the page cache. Then they run in turns for ROUNDS rounds
# (default 5), so that other load affects all alike. CPU seconds are user and system time of all threads, start
# and end included, as the median of the rounds. In each round a program runs TIMES times (default 1), for files
# that are read in less than a clock tick. Memory is the peak resident set. Ratios are to `tcpdump -n -r FILE
# 'port 1'` in the same run, which decodes headers and prints nothing.
#
# phitap writes JSON events to a file, with one worker and with one per core. tshark dissects every packet and
# counts protocols. Suricata (with benches/phi.rules, in one thread, its cheapest mode), Zeek, ndpiReader and
# tcpflow run if they are installed. They do other things than phitap, so the ratios give the cost of a capture
# in each, not their quality: tcpflow writes streams to files, ndpiReader names protocols, and Suricata also
# logs HTTP, TLS and flows. PHITAP names another program than target/release/phitap. MAKE names a program that
# writes captures of servers under load to a folder: MAKE FOLDER SCALE.
set -euo pipefail

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }

rounds=5 times=1 folder=
while getopts r:t:m: option; do
    case $option in
        r) rounds=$OPTARG ;;
        t) times=$OPTARG ;;
        m) folder=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[[ $rounds =~ ^[1-9][0-9]*$ && $times =~ ^[1-9][0-9]*$ ]] || usage
here=$(cd "$(dirname "$(realpath "$0")")/.." && pwd)
phitap=$(realpath "${PHITAP:-$here/target/release/phitap}")
[[ -x $phitap ]] || { echo "$0: no $phitap; build it with: cargo build --release" >&2; exit 1; }
[[ -x /usr/bin/time ]] || { echo "$0: no /usr/bin/time; install it with: apt-get install time" >&2; exit 1; }

if [[ -n $folder ]]; then
    if ! compgen -G "$folder/*.pcap" >/dev/null; then
        "${MAKE:?there are no captures in $folder; MAKE must name a program that makes them}" "$folder" "${1:-1}"
    fi
    captures=("$folder"/*.pcap)
else
    captures=("$@")
fi
[[ ${#captures[@]} -gt 0 ]] || usage

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The command of a program for a capture; its output is in $scratch/out.
command_of() {
    local file out=$scratch/out
    file=$(printf %q "$2")
    case $1 in
        phitap-1) echo "$phitap replay -q --no-progress --format json --output $out/events --workers 1 $file" ;;
        phitap-all) echo "$phitap replay -q --no-progress --format json --output $out/events $file" ;;
        tcpdump) echo "tcpdump -n -r $file 'port 1'" ;;
        tshark) echo "tshark -n -q -z io,phs -r $file" ;;
        suricata) echo "suricata --runmode single -r $file -l $out -S $here/benches/phi.rules -k none" ;;
        zeek) echo "cd $out && zeek -C -r $file" ;;
        ndpiReader) echo "ndpiReader -q -i $file" ;;
        tcpflow) echo "tcpflow -q -o $out -r $file" ;;
    esac
}

programs=(tcpdump phitap-1 phitap-all)
command -v tcpdump >/dev/null || { echo "$0: no tcpdump; install it with: apt-get install tcpdump" >&2; exit 1; }
for program in tshark suricata zeek ndpiReader tcpflow; do
    if command -v "$program" >/dev/null; then programs+=("$program"); else left_out+=" $program"; fi
done
[[ -z ${left_out:-} ]] || echo "not installed and left out:$left_out" >&2

# The programs that are installed.
version_of() {
    case $1 in
        phitap-all) return ;;
        phitap-1) "$phitap" --version ;;
        suricata) suricata -V ;;
        ndpiReader) ndpiReader -h 2>&1 | grep -io 'ndpi[a-z]* *v\?[0-9.-]\+' | head -n 1 ;;
        tcpdump) tcpdump --version 2>&1 | head -n 1 ;;
        *) "$1" --version 2>/dev/null | head -n 1 ;;
    esac
}

# Runs a program once. Its user, system and wall seconds and its peak memory (KiB) are added to its results.
measure() {
    local program=$1 capture=$2 to=$3 status=0
    local again="rm -rf $scratch/out; mkdir $scratch/out; $(command_of "$program" "$capture")"
    /usr/bin/time -q -f '%U %S %e %M' -o "$scratch/one" \
        bash -c "for _ in \$(seq $times); do $again; done" >/dev/null 2>"$scratch/said" || status=$?
    # Status 3 of phitap: the file ends inside a packet.
    if [[ $status != 0 && ! ($program == phitap-* && $status == 3) ]]; then
        echo "$program failed with status $status:" >&2
        tail -n 5 "$scratch/said" >&2
        exit 1
    fi
    tail -n 1 "$scratch/one" >>"$to"
    # The bytes written: event lines of phitap and Suricata.
    local events=-
    case $program in
        phitap-*) events=$(wc -l <"$scratch/out/events") ;;
        suricata) events=$(grep -c '"event_type":"alert"' "$scratch/out/eve.json" || true) ;;
    esac
    echo "$events $(find "$scratch/out" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')" >"$to.wrote"
}

echo "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $rounds rounds of $times"
for program in "${programs[@]}"; do version_of "$program" || true; done
for capture in "${captures[@]}"; do
    capture=$(realpath "$capture")
    name=$(basename "$capture" .pcap)
    for program in "${programs[@]}"; do measure "$program" "$capture" "$scratch/warm"; done
    for ((round = 1; round <= rounds; round++)); do
        for program in "${programs[@]}"; do measure "$program" "$capture" "$scratch/$name.$program"; done
        echo "$name: round $round of $rounds" >&2
    done
    bytes=$(stat -c %s "$capture")
    printf '\n%s: %d bytes\n' "$name" "$bytes"
    printf '%-11s %20s %8s %10s %7s %9s %9s %8s\n' \
        program 'CPU s (min..max)' ratio Gbit/CPU-s 'wall s' 'peak MiB' events 'output %'
    for program in "${programs[@]}"; do
        awk -v program="$program" -v times="$times" -v bytes="$bytes" -v base="$scratch/$name.tcpdump" \
            -v wrote="$(cat "$scratch/$name.$program.wrote")" '
            function median(list, n,    i, j, t) {
                for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                    t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
                }
                return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
            }
            { cpu[NR] = ($1 + $2) / times; wall[NR] = $3 / times; if ($4 > memory) memory = $4 }
            END {
                while ((getline line < base) > 0) { split(line, f, " "); own[++n] = (f[1] + f[2]) / times }
                # CPU time has a resolution of 10 ms.
                least = 0.01 / times
                reference = median(own, n); if (reference < least) reference = least
                m = median(cpu, NR); if (m < least) m = least
                split(wrote, w, " ")
                printf "%-11s %7.3f (%.3f..%.3f) %8.2f %10.2f %7.2f %9.0f %9s %8.2f\n", program, m,
                    cpu[1], cpu[NR], m / reference, bytes * 8 / m / 1e9, median(wall, NR),
                    memory / 1024, w[1], 100 * w[2] / bytes
            }' "$scratch/$name.$program"
    done
done
