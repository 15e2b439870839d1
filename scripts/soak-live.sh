#!/usr/bin/env bash
# Repeatedly sends a capture over a veth pair to `phitap live`, while packet time runs much faster than the
# clock, and prints the sensor's memory. Fails if memory grows after the first quarter, or if a packet is
# unaccounted for. Requires root, to create two network namespaces for the pair.
#
#   scripts/soak-live.sh [PROGRAM [CAPTURE [HOURS [MINUTES [EVERY_SECONDS]]]]]
#
# HOURS of packet time pass in MINUTES; the capture is sent once in EVERY_SECONDS of packet time.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/phitap}
capture=${2:-fixtures/hospital.pcap}
hours=${3:-24}
minutes=${4:-10}
every=${5:-60}
near=phitap-soak-$$-s far=phitap-soak-$$-c
folder=$(mktemp -d)
finish() {
    ip netns del "$near" 2>/dev/null || true
    ip netns del "$far" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
ip netns add "$near"
ip netns add "$far"
ip link add span0 netns "$near" type veth peer name far0 netns "$far"
for side in "$near span0" "$far far0"; do
    read -r space port <<<"$side"
    # Nothing else must send on the pair.
    ip netns exec "$space" sysctl -qw "net.ipv6.conf.$port.disable_ipv6=1"
    ip -n "$space" link set "$port" mtu 65535
    ip -n "$space" link set "$port" up
done
python3 - "$program" "$capture" "$hours" "$minutes" "$every" "$near" "$far" "$folder" <<'PY'
import json, os, signal, socket, struct, subprocess, sys, time

program, capture, hours, minutes, every, near, far, folder = sys.argv[1:]
hours, minutes, every = float(hours), float(minutes), float(every)
pace = max(1, round(hours * 60 / minutes))
data = open(capture, "rb").read()
assert struct.unpack("<I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D), "a pcap file of a little-endian machine is wanted"
packets, at = [], 24
while at + 16 <= len(data):
    length = struct.unpack("<I", data[at + 8:at + 12])[0]
    packets.append(data[at + 16:at + 16 + length])
    at += 16 + length

events, said = f"{folder}/events.json", open(f"{folder}/said", "w+")
run = subprocess.Popen(
    ["ip", "netns", "exec", near, program, "live", "-i", "span0", "--pace", str(pace), "--format", "json",
     "--detail", "exposures", "--output", events],
    stdin=subprocess.DEVNULL, stderr=said)
deadline = time.monotonic() + 120
while "watching" not in open(f"{folder}/said").read():
    assert run.poll() is None and time.monotonic() < deadline, open(f"{folder}/said").read()
    time.sleep(0.05)

def resident():
    with open(f"/proc/{run.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

def lines():
    with open(events, "rb") as file:
        return sum(1 for _ in file)

# `ip netns exec` becomes the program itself. The sender enters the other namespace.
space = os.open(f"/run/netns/{far}", os.O_RDONLY)
os.setns(space, os.CLONE_NEWNET) if hasattr(os, "setns") else __import__("ctypes").CDLL(None).setns(space, 0x40000000)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("far0", 0))
loops = max(4, int(hours * 3600 / every))
rows, sent, started = [], 0, time.monotonic()
for loop in range(loops):
    due = started + loop * every / pace
    while (early := due - time.monotonic()) > 0:
        time.sleep(early)
    for packet in packets:
        while True:
            try:
                wire.send(packet)
                break
            except OSError:
                time.sleep(0.0005)
    sent += len(packets)
    if (loop + 1) % max(1, loops // 24) == 0:
        rows.append(((time.monotonic() - started) * pace / 3600, resident(), lines()))
took = time.monotonic() - started
run.send_signal(signal.SIGTERM)
status = run.wait(120)
summary = json.loads(open(events, "rb").read().splitlines()[-1])["phi"]["run"]
print("| packet time, hours | resident, MiB | events |")
print("|---|---|---|")
for hour, kib, seen in rows:
    print(f"| {hour:.1f} | {kib / 1024:.1f} | {seen} |")
read, lost = summary["packets"]["read"], sum(summary["packets"].get("lost", {}).values())
print(f"\n{loops} times {capture} in {took:.0f} s, {pace} times as fast as the clock: "
      f"{sent} packets sent, {read} read, {lost} lost; status {status}")
if read + lost != sent:
    sys.exit(f"{sent - read - lost} packets are unaccounted for")
settled = rows[max(0, len(rows) // 4 - 1)][1]
most = max(kib for _, kib, _ in rows[len(rows) // 4:])
if most > settled * 1.1 + 4096:
    sys.exit(f"memory grew from {settled} to {most} KiB")
if status not in (0, 3):
    sys.exit(f"phitap ended with status {status}: " + open(f"{folder}/said").read()[-2000:])
PY
