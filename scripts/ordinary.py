#!/usr/bin/env python3
"""Writes a capture in which the files of some folders are served over HTTP: documentation and sources,
which contain no patient data.

ordinary.py CAPTURE MEGABYTES PART FOLDER...    PART is 1/2, 2/2, ...: which share of the files
"""

import gzip
import hashlib
import mimetypes
import os
import socket
import struct
import sys
from pathlib import Path

MAX_FILE = 4 << 20
SKIP = {".so", ".pyc", ".a", ".o", ".png", ".jpg", ".gif", ".woff", ".woff2", ".ttf", ".wasm", ".mo", ".ico"}


def files(folders, part, parts):
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix.lower() in SKIP or path.is_symlink() or not path.is_file():
                continue
            name = str(path.relative_to(folder))
            digest = int(hashlib.sha256(name.encode()).hexdigest(), 16)
            if digest % parts == part and 0 < path.stat().st_size <= MAX_FILE:
                yield name, path


def main():
    capture, megabytes, part, *folders = sys.argv[1:]
    part, parts = (int(n) for n in part.split("/"))
    budget, served, count, flow = int(megabytes) << 20, 0, 0, None
    with open(capture, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        ticks = 0

        def packet(client, flags, data=b""):
            nonlocal ticks
            ticks += 1
            ends = [(flow["ip"], flow["port"]), ("10.20.0.80", 80)]
            (a, ap), (b, bp) = ends if client else ends[::-1]
            seq, ack = (flow["c"], flow["s"]) if client else (flow["s"], flow["c"])
            tcp = struct.pack(">HHIIBBHHH", ap, bp, seq, ack, 0x50, flags, 65535, 0, 0)
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, socket.inet_aton(a), socket.inet_aton(b))
            out.write(struct.pack("<IIII", 1772360000 + ticks // 10000, ticks % 10000 * 100, 40 + len(data), 40 + len(data)))
            out.write(ip + tcp + data)
            flow["c" if client else "s"] += len(data) + (flags & 3 != 0)

        def send(client, data):
            for at in range(0, len(data), 1400):
                packet(client, 0x18, data[at : at + 1400])

        for name, path in files(folders, part - 1, parts):
            if flow is None or flow["left"] == 0:
                if flow:
                    packet(True, 0x11)
                    packet(False, 0x11)
                # The client's address gives the number of the file: 10.N.N.N is file N.
                flow = {"ip": f"10.{count >> 16 & 255}.{count >> 8 & 255}.{count & 255}", "port": 40000, "c": 1, "s": 1, "left": 1}
                packet(True, 0x02)
                packet(False, 0x12)
            body = path.read_bytes()
            media = mimetypes.guess_type(name)[0] or "application/octet-stream"
            head = f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: {media}\r\n"
            coded = body
            if count % 3 == 0:
                coded, head = gzip.compress(body, 1), head + "Content-Encoding: gzip\r\n"
            if count % 3 == 1:
                chunks = (coded[at : at + 8000] for at in range(0, len(coded), 8000))
                coded = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
                head += "Transfer-Encoding: chunked\r\n\r\n"
            else:
                head += f"Content-Length: {len(coded)}\r\n\r\n"
            target = "/" + "".join(c if c.isalnum() or c in "/._-@" else "_" for c in name)
            send(True, f"GET {target} HTTP/1.1\r\nHost: files.example\r\n\r\n".encode())
            send(False, head.encode() + coded)
            print(flow["ip"], name)
            flow["left"] -= 1
            served, count = served + len(body), count + 1
            if served >= budget:
                break
    print(f"{count} files, {served >> 20} MiB", file=sys.stderr)


main()
