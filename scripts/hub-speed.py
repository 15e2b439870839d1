#!/usr/bin/env python3
"""Measures how many updates a second `phitap hub` takes: starts a nats-server and a hub on loopback, publishes updates of
exposures, and waits until the hub has all of them in its store.

    scripts/hub-speed.py target/quick/phitap [UPDATES [EXPOSURES]]
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def event(n, exposures):
    """An update as a sensor writes it, with the fields and about the size of a real one."""
    which, records = n % exposures, n // exposures + 1
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1772000000 + n // 1000))
    stamp = f"{at}.{n % 1000 * 1000:06d}Z"
    return json.dumps({
        "@timestamp": stamp, "message": "Data of patients in cleartext between 10.0.0.1 and 10.1.0.1:104 over dicom",
        "ecs": {"version": "8.17"},
        "event": {"kind": "alert", "category": ["network"], "type": ["info"], "action": "phi-exposure",
                  "module": "phitap", "dataset": "phitap.exposure", "id": f"01J{which:023d}", "severity": 53,
                  "reason": "Names, birth dates and numbers of patients cross the network without encryption",
                  "start": stamp, "end": stamp},
        "observer": {"product": "phitap", "type": "network-monitor", "version": "0.1.0", "name": f"sensor-{which % 50}"},
        "client": {"ip": f"10.0.{which // 250}.{which % 250 + 1}"}, "server": {"ip": "10.1.0.1", "port": 104},
        "network": {"transport": "tcp", "protocol": "dicom", "direction": "internal"},
        "phi": {"operation": "C-STORE", "key_id": "k", "marks": [], "service": {
            "encrypted": False, "authentication": "none", "credentials_in_clear": False, "software": "ORTHANC" * 6,
            "sop_classes": ["1.2.840.10008.5.1.4.1.1.2"] * 8, "transfer_syntaxes": ["1.2.840.10008.1.2.1"] * 8},
            "exposure": {"id": f"01J{which:023d}", "fingerprint": "x_" + "a" * 20, "state": "update", "severity": "medium",
                         "patients": records, "patients_estimated": False, "findings": records, "records": records,
                         "flows": records, "operations": ["C-STORE"] * 6, "identifiers": {"name": records, "birth_date": records,
                         "patient_id": records, "sex": records}, "remedies": ["Switch on TLS for DICOM (PS3.15 annex B)"] * 2}},
    }, separators=(",", ":")).encode()


def api(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/hub", timeout=20) as answer:
            return json.load(answer)
    except OSError:
        return None


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    program = sys.argv[1]
    updates = int(sys.argv[2]) if len(sys.argv) > 2 else 400_000
    exposures = int(sys.argv[3]) if len(sys.argv) > 3 else 2_000
    folder = tempfile.mkdtemp()
    nats_port, port = free_port(), free_port()
    server = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    nats = subprocess.Popen([server, "-a", "127.0.0.1", "-p", str(nats_port), "-js", "-sd", folder + "/js", "-l", folder + "/log"])
    hub = None
    try:
        time.sleep(1)
        command = [program, "hub", "--quiet", "--nats", f"nats://127.0.0.1:{nats_port}", "--store", folder + "/hub.db",
                   "--name", "speed", "--metrics", str(port)]
        # The hub creates the stream.
        hub = subprocess.Popen(command)
        while not (api(port) or {}).get("hub", {}).get("connected"):
            time.sleep(0.2)
        hub.terminate()
        hub.wait()
        begun = time.time()
        with socket.create_connection(("127.0.0.1", nats_port)) as s:
            s.sendall(b'CONNECT {"verbose":false,"pedantic":false,"name":"speed"}\r\n')
            size = 0
            for first in range(0, updates, 1000):
                piece = bytearray()
                for n in range(first, min(first + 1000, updates)):
                    line = event(n, exposures)
                    size += len(line)
                    piece += b"PUB phitap.events %d\r\n%b\r\n" % (len(line), line)
                s.sendall(piece)
            s.sendall(b"PING\r\n")
            while b"PONG" not in s.recv(65536):
                pass
        print(f"published {updates:,} updates of {exposures:,} exposures, {size / updates:,.0f} B each, in {time.time() - begun:.1f} s")
        time.sleep(2)
        before_nats, begun = cpu(nats.pid), time.time()
        hub = subprocess.Popen(command)
        while True:
            time.sleep(0.1)
            at = api(port)
            if at and at["messages"]["taken"] >= updates and at["hub"]["pending"] == 0:
                break
            if time.time() - begun > 600:
                sys.exit(f"not all of them came: {at and at['messages']}")
        took = time.time() - begun
        print(f"taken in {took:.1f} s: {updates / took:,.0f} updates a second; CPU s: hub {cpu(hub.pid):.1f}, "
              f"nats-server {cpu(nats.pid) - before_nats:.1f}; store {os.path.getsize(folder + '/hub.db') / 1e6:.0f} MB")
    finally:
        for process in (hub, nats):
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
