#!/usr/bin/env python3
"""Measures how much faster two workers are than one: starts a nats-server on loopback, makes an archive of captures of
different sizes, lets one worker and then two work through it, each with one thread, and compares the results.

    scripts/worker-speed.py target/quick/phitap [SIZE_MB [ROUNDS]]

Of each number of workers the fastest round counts. Exit status 1 if two need more than 0.6 of the time of one, or if the
results differ.
"""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def captures(folder, size):
    """Files of 1 to 8 shares: copies of the merged hour, each at a later time, so that all flows differ."""
    with open(HERE + "/fixtures/hospital.pcap", "rb") as f:
        hour = f.read()
    header, records, at = hour[:24], [], 24
    while at + 16 <= len(hour):
        seconds, micros, length, whole = struct.unpack_from("<4I", hour, at)
        records.append((seconds, micros, length, whole, hour[at + 16:at + 16 + length]))
        at += 16 + length
    shares = [8, 7, 6, 5, 4, 3, 3, 2, 2, 2, 1, 1]
    copies = max(1, round(size * 1e6 / len(hour)))
    shift = 0
    for n, share in enumerate(shares):
        with open(f"{folder}/set-{chr(97 + n)}.pcap", "wb") as f:
            f.write(header)
            for _ in range(max(1, copies * share // sum(shares))):
                for seconds, micros, length, whole, data in records:
                    f.write(struct.pack("<4I", seconds + shift, micros, length, whole) + data)
                shift += 7200


def work(program, url, key, archive, workers):
    def jobs(*arguments):
        return subprocess.run([program, "jobs", *arguments, "--nats", url], check=True, capture_output=True, text=True).stdout

    jobs("submit", "--quiet", "--together", "none", archive)
    begun = time.time()
    all = [subprocess.Popen([program, "worker", "--nats", url, "--key-file", key, "--name", f"w{n}", "--workers", "1",
                             "--until-empty", "--quiet"]) for n in range(workers)]
    used = 0
    for worker in all:
        _, status, usage = os.wait4(worker.pid, 0)
        if status:
            sys.exit(f"a worker ended with {status}")
        used += usage.ru_utime + usage.ru_stime
    took = time.time() - begun
    result = json.loads(jobs("result", "--format", "json"))
    return took, used, json.dumps([result["keys"], result["exposures"]], sort_keys=True)


def main():
    program = os.path.abspath(sys.argv[1])
    size = float(sys.argv[2]) if len(sys.argv) > 2 else 150
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    folder = tempfile.mkdtemp()
    server = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    archive, key = folder + "/archive", folder + "/key"
    os.mkdir(archive)
    captures(archive, size)
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(bytes(range(32)))
    total = sum(os.path.getsize(f"{archive}/{name}") for name in os.listdir(archive))
    print(f"{len(os.listdir(archive))} captures, {total / 1e6:.0f} MB")
    fastest, results = {}, set()
    try:
        for n in range(rounds):
            for workers in (1, 2):
                port = free_port()
                nats = subprocess.Popen([server, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", f"{folder}/js{n}{workers}",
                                         "-l", folder + "/log"])
                try:
                    time.sleep(1)
                    took, used, result = work(program, f"nats://127.0.0.1:{port}", key, archive, workers)
                finally:
                    nats.kill()
                    nats.wait()
                results.add(result)
                fastest[workers] = min(took, fastest.get(workers, took))
                print(f"{workers} worker{'s' if workers > 1 else ''}: {took:.1f} s, {used:.1f} s of CPU")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratio = fastest[2] / fastest[1]
    same = len(results) == 1
    print(f"two workers need {ratio:.2f} of the time of one; the results are {'the same' if same else 'NOT the same'}")
    sys.exit(0 if ratio <= 0.6 and same else 1)


if __name__ == "__main__":
    main()
