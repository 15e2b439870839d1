#!/usr/bin/env python3
"""Measures whether the page of a sensor keeps up: writes patients whom no earlier message named to a capture, so many a
second, lets phitap follow it, and reads the page in a headless Chromium twice a second.

    target/oracles/bin/python scripts/page-speed.py target/quick/phitap [A_SECOND [SECONDS [FILE.png]]]

Chromium and `scripts/prepare.sh --tests` (websockets) are needed. FILE.png gets a picture of the page at the end.
Exit status 1 if the page was ever more than five seconds behind.
"""

import asyncio
import base64
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "tests/oracles"))
import page  # noqa: E402
import websockets  # noqa: E402

# Wards that send, and interface engines that receive.
CLIENTS, SERVERS = 200, 20
BEGIN = 1_772_360_102
MOST_BEHIND = 5.0


def message(n):
    text = (
        f"MSH|^~\\&|ADT|WARD|ENGINE|MAIN|20260301101502||ADT^A01^ADT_A01|{n}|P|2.5\r"
        f"PID|1||MRN{n:06}^^^WARD^MR||Testmann^Anna{n}||19{30 + n % 60}{1 + n % 12:02}{1 + n % 28:02}|F|||"
        f"{n} Elm Street^^Springfield^IL^62701||(217)555-{n % 10_000:04}\r"
    )
    return b"\x0b" + text.encode() + b"\x1c\r"


def record(n, a_second, sent):
    """A packet (Ethernet, IPv4, TCP) with a message, as a record of a capture."""
    client = n % CLIENTS
    data = message(n)
    tcp = struct.pack("!HHIIBBHHH", 40_000, 2575, sent[client], 1, 0x50, 0x18, 65_535, 0, 0)
    sent[client] += len(data)
    ends = bytes([10, 1, 1, client]) + bytes([10, 1, 2, client % SERVERS])
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0) + ends
    frame = bytes(12) + b"\x08\x00" + ip + tcp + data
    seconds, micros = divmod(n * 1_000_000 // a_second, 1_000_000)
    return struct.pack("<4I", BEGIN + seconds, micros, len(frame), len(frame)) + frame


def write(path, a_second, seconds, written, begin):
    """Writes ten times a second, and notes what was written when."""
    sent, n = [1] * CLIENTS, 0
    with open(path, "ab", buffering=0) as f:
        begin.wait()
        started = time.time()
        for tick in range(1, seconds * 10 + 1):
            upto = a_second * tick // 10
            piece = b"".join(record(k, a_second, sent) for k in range(n, upto))
            n = upto
            wait = started + tick / 10 - time.time()
            if wait > 0:
                time.sleep(wait)
            f.write(piece)
            written.append((time.time(), n))


READ = """({
    status: document.getElementById('status').textContent,
    headline: document.getElementById('headline').textContent,
    longest: window.longest,
    elements: document.querySelectorAll('*').length,
})"""
WATCH = """(() => { window.longest = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) =>
    window.longest = Math.max(window.longest, e.duration))).observe({type: 'longtask'}) })()"""


def behind(written, shown, now):
    """For how long more than `shown` has been written."""
    return max((now - at for at, n in written if n > shown), default=0.0)


async def watch(address, port, total, written, begin, picture):
    async with websockets.connect(port, max_size=1 << 28) as socket:
        tab = page.Tab(socket)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        await tab.call("Page.navigate", url=address)
        await tab.until("document.documentElement?.dataset?.ready === 'yes'")
        await tab.value(WATCH)
        begin.set()
        worst, samples, end = [0.0, 0.0], 0, None
        while True:
            await asyncio.sleep(0.5)
            seen = await tab.value(READ)
            now = time.time()
            findings = re.search(r"Findings ([\d,]+)", seen["status"])
            patients = re.match(r"(?:At least )?([\d,]+) patient", seen["headline"])
            counts = [int(found[1].replace(",", "")) if found else 0 for found in (findings, patients)]
            lags = [behind(list(written), count, now) for count in counts]
            worst = [max(pair) for pair in zip(worst, lags)]
            samples += 1
            if min(counts) >= total:
                break
            if written and written[-1][1] >= total:
                end = end or now
                if now - end > 60:
                    sys.exit(f"it never showed all: {seen}")
        print(f"{samples} looks; behind at most {worst[0]:.1f} s (findings) and {worst[1]:.1f} s (patients in the headline); "
              f"longest task {seen['longest']:.0f} ms; {seen['elements']:,} elements")
        if tab.errors:
            sys.exit(f"errors: {tab.errors}")
        if picture:
            shot = await tab.call("Page.captureScreenshot", format="png")
            Path(picture).write_bytes(base64.b64decode(shot["data"]))
        tab.reader.cancel()
        return max(worst)


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    program = os.path.abspath(sys.argv[1])
    a_second = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    picture = sys.argv[4] if len(sys.argv) > 4 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        capture = folder + "/busy.pcap"
        with open(capture, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        sensor = subprocess.Popen(
            [program, "replay", "--follow", "--metrics", "127.0.0.1:0", "--no-progress", "--format", "ecs", "--output",
             folder + "/events", capture], stderr=subprocess.PIPE, text=True)
        browser = None
        try:
            address = next(line for line in sensor.stderr if "http://" in line).split("http://")[1].split()[0].rstrip(".,;/")
            threading.Thread(target=sensor.stderr.read, daemon=True).start()
            browser = subprocess.Popen(
                [page.PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
                 "--disable-background-networking", "--no-first-run", "--disable-extensions", f"--user-data-dir={folder}/profile",
                 "--remote-debugging-port=0", "--window-size=1280,900", "about:blank"],
                stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            file, end = Path(folder) / "profile/DevToolsActivePort", time.monotonic() + 60
            while not (file.exists() and file.read_text().count("\n")) and time.monotonic() < end:
                time.sleep(0.05)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            number = file.read_text().split("\n")[0]
            with opener.open(f"http://127.0.0.1:{number}/json/list") as answer:
                tabs = [tab for tab in page.json.load(answer) if tab["type"] == "page"]
            written, begin = [], threading.Event()
            writer = threading.Thread(target=write, args=(capture, a_second, seconds, written, begin), daemon=True)
            writer.start()
            before, started = cpu(sensor.pid), time.time()
            worst = asyncio.run(watch(f"http://{address}/", tabs[0]["webSocketDebuggerUrl"], a_second * seconds, written, begin,
                                      picture))
            took = time.time() - started
            print(f"{a_second:,} patients a second for {seconds} s: phitap took {(cpu(sensor.pid) - before) / took:.2f} of a core")
        finally:
            for process in (browser, sensor):
                if process:
                    process.kill()
                    process.wait()
    sys.exit(0 if worst <= MOST_BEHIND else 1)


if __name__ == "__main__":
    main()
