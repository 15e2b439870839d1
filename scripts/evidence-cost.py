#!/usr/bin/env python3
"""Measures what `live --evidence` costs: in a network namespace of its own it sends a capture through a pair of virtual
interfaces again and again, watches one end with and without `--evidence`, and compares the CPU time of the sensor.

    sudo scripts/evidence-cost.py target/quick/phitap [CAPTURE [TIMES [PACKETS_A_SECOND]]]
"""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def packets(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] != b"\xd4\xc3\xb2\xa1":
        sys.exit(f"{path}: a pcap file with microseconds is needed")
    at, all = 24, []
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        all.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return all


def send(all, times, rate):
    """Repeats the capture with other client addresses each time, so that all flows are new."""
    sent, begun = 0, time.monotonic()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("phitap0", 0))
        for turn in range(times):
            for packet in all:
                if len(packet) > 34 and packet[12:14] == b"\x08\x00":
                    packet = bytearray(packet)
                    # Checksums are not checked; the second byte of both addresses counts up.
                    packet[27] = packet[31] = (packet[27] + turn) & 0xff
                try:
                    s.send(packet)
                except OSError:
                    continue
                sent += 1
                if sent % 64 == 0:
                    ahead = sent / rate - (time.monotonic() - begun)
                    if ahead > 0:
                        time.sleep(ahead)
    return sent


def run(program, folder, all, times, rate, evidence):
    events = f"{folder}/events"
    command = [program, "live", "-i", "phitap1", "--quiet", "--format", "ecs", "--output", f"file:{events}", "--workers", "1"]
    if evidence:
        os.mkdir(f"{folder}/evidence")
        command += ["--evidence", f"{folder}/evidence"]
    sensor = subprocess.Popen(command, stderr=subprocess.PIPE)
    time.sleep(2)
    if sensor.poll() is not None:
        sys.exit(f"the sensor does not start: {sensor.stderr.read().decode()}")
    sent = send(all, times, rate)
    time.sleep(2)
    sensor.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(sensor.pid, 0)
    if status:
        sys.exit(f"the sensor ended with {status}: {sensor.stderr.read().decode()}")
    with open(events) as f:
        summary = next(e for e in map(json.loads, f) if e["event"]["action"] == "run-summary")
    read = summary["phi"]["run"]["packets"]["read"]
    kept = sum(entry.stat().st_size for entry in os.scandir(f"{folder}/evidence")) if evidence else 0
    shutil.rmtree(f"{folder}/evidence", ignore_errors=True)
    os.unlink(events)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{'with   ' if evidence else 'without'} --evidence: {cpu:.2f} s of CPU, {sent:,} packets sent, {read:,} read, "
          f"{usage.ru_maxrss / 1024:.0f} MB" + (f", {kept / 1e6:.1f} MB kept" if evidence else ""))
    return cpu / max(read, 1)


def main():
    if os.environ.get("PHITAP_NAMESPACE") != "1":
        os.environ["PHITAP_NAMESPACE"] = "1"
        # /sys shows the interfaces of the namespace in which it was mounted.
        inside = 'mount -t sysfs sysfs /sys && exec "$@"'
        os.execvp("unshare", ["unshare", "--net", "--mount", "sh", "-c", inside, "sh", sys.executable, *sys.argv])
    for command in ("link add phitap0 type veth peer name phitap1", "link set phitap0 up", "link set phitap1 up"):
        subprocess.run(["ip", *command.split()], check=True)
    program = os.path.abspath(sys.argv[1])
    capture = sys.argv[2] if len(sys.argv) > 2 else HERE + "/fixtures/hospital.pcap"
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else 8_000
    all = packets(capture)
    folder = tempfile.mkdtemp()
    try:
        costs = {False: [], True: []}
        for _ in range(3):
            for evidence in (False, True):
                costs[evidence].append(run(program, folder, all, times, rate, evidence))
        without, with_it = min(costs[False]), min(costs[True])
        print(f"{without * 1e6:.2f} us a packet without, {with_it * 1e6:.2f} us with: {(with_it / without - 1) * 100:+.0f} %")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
