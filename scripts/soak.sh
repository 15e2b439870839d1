#!/usr/bin/env bash
# Repeatedly sends a capture through phitap with packet time advanced, as a sensor would see it for hours, and
# prints its memory. Fails if memory grows after the first quarter.
#
#   scripts/soak.sh [PROGRAM [CAPTURE [HOURS [EVERY_SECONDS]]]]
#
# PROGRAM reads the packets from a pipe, because the packet time of a live capture cannot be advanced.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/phitap}
capture=${2:-fixtures/hospital.pcap}
hours=${3:-24}
every=${4:-60}
exec python3 - "$program" "$capture" "$hours" "$every" <<'PY'
import struct, subprocess, sys, time

program, capture, hours, every = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
data = open(capture, "rb").read()
magic = struct.unpack("<I", data[:4])[0]
assert magic in (0xA1B2C3D4, 0xA1B23C4D), "a pcap file of a little-endian machine is wanted"
unit = 10**9 if magic == 0xA1B23C4D else 10**6
records, at = [], 24
while at + 16 <= len(data):
    second, part, caplen, length = struct.unpack("<IIII", data[at:at + 16])
    records.append((second * unit + part, data[at + 8:at + 16 + caplen]))
    at += 16 + caplen
first = records[0][0]
loops = max(4, int(hours * 3600 / every))
run = subprocess.Popen(
    [program, "replay", "--format", "json", "--detail", "exposures", "--quiet", "-"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def resident():
    with open(f"/proc/{run.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

import threading
events = [0]
def read():
    for _ in run.stdout:
        events[0] += 1
reader = threading.Thread(target=read)
reader.start()
run.stdin.write(data[:24])
rows, started = [], time.time()
for loop in range(loops):
    moved = int(loop * every * unit)
    parts = []
    for stamp, rest in records:
        stamp = stamp + moved
        parts.append(struct.pack("<II", stamp // unit, stamp % unit) + rest)
    run.stdin.write(b"".join(parts))
    if (loop + 1) % max(1, loops // 24) == 0:
        run.stdin.flush()
        rows.append(((loop + 1) * every / 3600, resident(), events[0]))
run.stdin.close()
run.wait()
reader.join()
print("| packet time, hours | resident, MiB | events |")
print("|---|---|---|")
for hour, kib, seen in rows:
    print(f"| {hour:.1f} | {kib / 1024:.1f} | {seen} |")
took = time.time() - started
print(f"\n{loops} times {capture}, {len(records) * loops} packets, {took:.0f} s, status {run.returncode}")
settled = rows[max(0, len(rows) // 4 - 1)][1]
most = max(kib for _, kib, _ in rows[len(rows) // 4:])
if most > settled * 1.1 + 4096:
    sys.exit(f"memory grew from {settled} to {most} KiB")
if run.returncode != 0:
    sys.exit(f"phitap ended with status {run.returncode}")
PY
