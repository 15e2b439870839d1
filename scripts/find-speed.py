#!/usr/bin/env python3
"""Measures how long `phitap find` takes over a store of many patients: makes a store of a replay, adds rows of invented
patients until there are so many, and asks for one who is there and one who is not.

    scripts/find-speed.py target/quick/phitap [PATIENTS]
"""

import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def fill(path, patients):
    """Adds exposures and findings like those of the replay, each about another patient."""
    bits = random.Random(7)
    store = sqlite3.connect(path)
    store.execute("PRAGMA synchronous = OFF")
    columns = [name for _, name, *_ in store.execute("PRAGMA table_info(findings)")]
    findings = store.execute("SELECT * FROM findings").fetchall()
    exposures = store.execute("SELECT run, id, fingerprint, severity, first, last, written, event FROM exposures").fetchall()
    place = {name: n for n, name in enumerate(columns)}
    (number,) = store.execute("SELECT max(n) FROM findings").fetchone()
    (exposure,) = store.execute("SELECT max(n) FROM exposures").fetchone()
    made = 0
    while made < patients:
        # Five hundred patients per exposure.
        run, _, fingerprint, *rest = exposures[exposure % len(exposures)]
        exposure += 1
        store.execute("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      (exposure, run, bits.randbytes(16), fingerprint, *rest))
        rows, tokens = [], []
        for _ in range(min(500, patients - made)):
            number += 1
            made += 1
            row = list(findings[number % len(findings)])
            own = [bits.randbytes(12) for _ in range(len(row[place["tokens"]]) // 12)]
            row[place["n"]], row[place["exposure"]] = number, exposure
            row[place["patient"]], row[place["id"]] = bits.randbytes(12), bits.randbytes(16)
            row[place["tokens"]] = b"".join(own)
            rows.append(row)
            tokens += [(token, number) for token in own]
        store.executemany(f"INSERT INTO findings VALUES ({', '.join('?' * len(columns))})", rows)
        store.executemany("INSERT OR IGNORE INTO tokens VALUES (?, ?)", tokens)
    store.commit()
    count = [store.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("findings", "exposures", "tokens")]
    store.close()
    return count


def main():
    program = os.path.abspath(sys.argv[1])
    patients = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    folder = tempfile.mkdtemp()
    try:
        key, path = folder + "/key", folder + "/store.db"
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(bytes(range(32)))
        subprocess.run([program, "replay", "--quiet", "--no-progress", "--key-file", key, "--store", path, "--output",
                        folder + "/events", "--format", "ecs", HERE + "/fixtures/hospital.pcap"], check=True)
        findings, exposures, tokens = fill(path, patients)
        print(f"{findings:,} findings, {exposures:,} exposures, {tokens:,} tokens, {os.path.getsize(path) / 1e6:,.0f} MB")
        people = {
            "who is there": ("name: Groborz^Bartek\nbirth: 2008-09-24\nnumber: MRN0665563\n", (10,)),
            "by number": ("number: MRN0665563\n", (10,)),
            "who is not": ("name: Nobody^At^All\nbirth: 1941-02-03\nnumber: 77777777\n", (0, 3)),
        }
        for who, (text, statuses) in people.items():
            with open(folder + "/person", "w") as f:
                f.write(text)
            times = []
            for _ in range(15):
                begun = time.perf_counter()
                run = subprocess.run([program, "find", path, "--key-file", key, "--from", folder + "/person"],
                                     capture_output=True, text=True)
                times.append((time.perf_counter() - begun) * 1000)
                if run.returncode not in statuses:
                    sys.exit(f"{who}: status {run.returncode}: {run.stderr}")
            print(f"{who}: {min(times):.0f} ms at best, {statistics.median(times):.0f} ms in the middle")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
