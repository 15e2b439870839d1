#!/usr/bin/env python3
"""Measures what one nats-server with JetStream takes on this machine, as phitap uses it: messages in and out, sizes,
consumers, redelivery, memory and disk at many messages, and what it does when it is full.

    scripts/jetstream-limits.py                 a million messages; some ten minutes and 4 GB of disk
    scripts/jetstream-limits.py --messages N    that many
    scripts/jetstream-limits.py --check         few, in seconds, and what must hold at any number

The client is a few lines of Python and slower than the server: rates are what this client reaches ("at least"), and the CPU
time of the server for each message says what a core of it could. Everything runs on loopback.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# Mean size of an exposure event in the stream, bytes (docs/scale.md).
EVENT = 1_900
# Outstanding acknowledgements of a publisher, as in the output of phitap.
WINDOW = 256
# Messages per batch of the hub.
BATCH = 4_096
PATIENCE = 600


class Server:
    """A nats-server with JetStream in a folder of its own."""

    def __init__(self, folder, *configuration):
        self.folder, self.configuration = folder, configuration
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.start()

    def start(self):
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        program = shutil.which("nats-server", path=path)
        assert program, "nats-server is not installed: scripts/prepare.sh --tests"
        lines = [f"host: 127.0.0.1\nport: {self.port}\nlog_file: \"{self.folder}/log\"",
                 f"jetstream {{ store_dir: \"{self.folder}/js\", max_file_store: 64GB }}", *self.configuration]
        with open(f"{self.folder}/conf", "w") as f:
            f.write("\n".join(lines))
        begun = time.time()
        self.process = subprocess.Popen([program, "-c", f"{self.folder}/conf"])
        while True:
            try:
                client = Client(self)
                if "error" not in client.api("INFO"):
                    client.close()
                    return time.time() - begun
            except OSError:
                pass
            assert time.time() - begun < PATIENCE, "the server does not start"
            time.sleep(0.02)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def disk(self):
        found = 0
        for folder, _, names in os.walk(f"{self.folder}/js"):
            found += sum(os.path.getsize(os.path.join(folder, name)) for name in names)
        return found


class Refused(Exception):
    """The error that the server sent before it closed the connection."""


class Client:
    """The part of the NATS protocol that this script needs (https://docs.nats.io/reference/reference-protocols/nats-protocol)."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb", 1 << 20)
        self.info = json.loads(self.file.readline()[5:])
        self.inbox = f"_INBOX.{os.urandom(8).hex()}"
        connect = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'
        self.send(connect + b"SUB %b.* 1\r\n" % self.inbox.encode())

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text)

    def next(self):
        """The next message: subject, reply, status, body."""
        while True:
            line = self.file.readline()
            words = line.split()
            if not words:
                raise Refused("closed")
            if words[0] == b"MSG":
                body = self.file.read(int(words[-1]) + 2)[:-2]
                return words[1], words[3] if len(words) == 5 else b"", b"", body
            if words[0] == b"HMSG":
                headers, size = int(words[-2]), int(words[-1])
                body = self.file.read(size + 2)[:-2]
                status = body[:headers].split(b"\r\n", 1)[0].split(b" ", 1)[-1].strip()
                return words[1], words[3] if len(words) == 6 else b"", status if status[:1].isdigit() else b"", body[headers:]
            if words[0] == b"PING":
                self.send(b"PONG\r\n")
            elif words[0] == b"-ERR":
                raise Refused(line.decode().strip())

    def ask(self, subject, body=b""):
        self.send(b"PUB %b %b.r %d\r\n%b\r\n" % (subject.encode(), self.inbox.encode(), len(body), body))
        return self.next()

    def api(self, what, **request):
        body = json.dumps(request).encode() if request else b""
        return json.loads(self.ask(f"$JS.API.{what}", body)[3])

    def stream(self, name, **more):
        answer = self.api(f"STREAM.CREATE.{name}", name=name, subjects=[f"{name}.events"], storage="file", retention="limits",
                          discard=more.pop("discard", "old"), duplicate_window=120_000_000_000, max_msgs=-1, num_replicas=1,
                          max_bytes=-1, **more)
        assert "error" not in answer, answer

    def consumer(self, stream, name, ack_wait=600.0):
        config = {"durable_name": name, "ack_policy": "all", "deliver_policy": "all", "max_ack_pending": 4 * BATCH,
                  "ack_wait": int(ack_wait * 1e9)}
        answer = self.api(f"CONSUMER.DURABLE.CREATE.{stream}.{name}", stream_name=stream, config=config)
        assert "error" not in answer, answer

    def publish(self, stream, count, size, ids=False):
        """Publishes with at most WINDOW acknowledgements outstanding; returns how many were refused."""
        body, sent, waiting, refused = b"x" * size, 0, 0, 0
        head = f"{stream}.events".encode(), f"{self.inbox}.a".encode()
        while sent < count or waiting:
            piece = bytearray()
            while sent < count and waiting < WINDOW and len(piece) < 1 << 20:
                if ids:
                    header = b"NATS/1.0\r\nNats-Msg-Id: %026d\r\n\r\n" % sent
                    piece += b"HPUB %b %b %d %d\r\n%b%b\r\n" % (*head, len(header), len(header) + size, header, body)
                else:
                    piece += b"PUB %b %b %d\r\n%b\r\n" % (*head, size, body)
                sent, waiting = sent + 1, waiting + 1
            if piece:
                self.send(piece)
            # Half of the window at a time, so that neither side is idle.
            for _ in range(max(1, waiting // 2) if sent < count else waiting):
                refused += b'"error"' in self.next()[3]
                waiting -= 1
        return refused

    def fetch(self, stream, consumer, count):
        """Reads a batch: the stream sequence of each message, the redelivered ones, and the subject that acknowledges all."""
        request = json.dumps({"batch": count, "expires": 5_000_000_000, "max_bytes": 32 << 20}).encode()
        self.send(b"PUB $JS.API.CONSUMER.MSG.NEXT.%b.%b %b.b %d\r\n%b\r\n" %
                  (stream.encode(), consumer.encode(), self.inbox.encode(), len(request), request))
        got, again, reply = [], [], b""
        while len(got) < count:
            _, acknowledges, status, _ = self.next()
            if status:
                break
            reply = acknowledges
            # $JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.CONSUMER-SEQUENCE.TIME.PENDING
            _, _, _, _, delivered, place, *_ = reply.split(b".")
            got.append(place)
            if delivered != b"1":
                again.append(place)
        return got, again, reply

    def flush(self):
        self.send(b"PING\r\n")
        while self.file.readline().strip() != b"PONG":
            pass


class Measure:
    """Measures wall time, and CPU time of the server."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.cpu, self.begun = self.server.cpu(), time.time()
        return self

    def __exit__(self, *_):
        self.took = max(time.time() - self.begun, 1e-6)
        self.cpu = self.server.cpu() - self.cpu

    def rate(self, count):
        return f"{count / self.took:,.0f}/s, {self.cpu / count * 1e6:.1f} µs of the server's CPU each"


def say(what, text):
    print(f"{what:<52} {text}", flush=True)


def size_of(n):
    return f"{n / 1e6:,.0f} MB" if n >= 1e6 else f"{n / 1e3:,.0f} kB"


def read_all(client, stream, consumer, count):
    """Reads and acknowledges all, as a hub does; returns how many came, and how many were redelivered."""
    got, again, begun = 0, 0, time.time()
    while got < count:
        places, repeated, reply = client.fetch(stream, consumer, min(BATCH, count - got))
        assert time.time() - begun < PATIENCE, f"{got} of {count} messages came"
        if reply:
            client.send(b"PUB %b 4\r\n+ACK\r\n" % reply)
        got, again = got + len(places), again + len(repeated)
    client.flush()
    return got, again


def sizes(server, o):
    for size in (200, EVENT, 16_000, 256_000, 1_000_000):
        count = max(20, min(o.messages // 4, int(o.bytes // size)))
        client = Client(server)
        client.stream("SIZE")
        with Measure(server) as m:
            refused = client.publish("SIZE", count, size)
        assert not refused, refused
        say(f"in, {size:,} B, {count:,} messages", f"{m.rate(count)}; {size * count / m.took / 1e6:,.0f} MB/s")
        client.consumer("SIZE", "hub")
        with Measure(server) as m:
            got, again = read_all(client, "SIZE", "hub", count)
        assert (got, again) == (count, 0), (got, again)
        say("out, the same, batches of one consumer", f"{m.rate(count)}; {size * count / m.took / 1e6:,.0f} MB/s")
        client.api("STREAM.DELETE.SIZE")
        client.close()
    client = Client(server)
    most = client.info["max_payload"]
    client.stream("SIZE")
    assert client.publish("SIZE", 1, most - 10) == 0
    try:
        client.publish("SIZE", 1, most + 1)
        raise AssertionError("a message above max_payload was taken")
    except (Refused, ConnectionError) as refused:
        say("largest message (max_payload)", f"{most:,} B; above it: {refused}")
    client = Client(server)
    client.api("STREAM.DELETE.SIZE")
    client.close()


def many_messages(server, o):
    client = Client(server)
    client.stream("PHITAP")
    empty, begun = server.memory(), time.time()
    with Measure(server) as m:
        assert client.publish("PHITAP", o.messages, EVENT, ids=True) == 0
    say(f"{o.messages:,} messages of {EVENT:,} B with ids", m.rate(o.messages))
    state = client.api("STREAM.INFO.PHITAP")["state"]
    assert state["messages"] == o.messages, state
    say("disk", f"{size_of(server.disk())}, {server.disk() / o.messages:,.0f} B each")
    say("memory: before; with ids of two minutes", f"{size_of(empty)}; {size_of(server.memory())}")
    with Measure(server) as m:
        refused = client.publish("PHITAP", min(o.messages, 10_000), EVENT, ids=True)
    again = client.api("STREAM.INFO.PHITAP")["state"]["messages"] - state["messages"]
    # The server remembers message ids for two minutes: those of the first messages may have expired.
    if time.time() - begun < 60:
        assert again == 0 and refused == 0, (again, refused)
    client.close()
    server.kill()
    took = server.start()
    client = Client(server)
    found = client.api("STREAM.INFO.PHITAP")["state"]["messages"]
    assert found >= o.messages, "a killed server lost messages that it had acknowledged"
    say("killed; all there again after", f"{took:.1f} s; memory {size_of(server.memory())}")
    client.consumer("PHITAP", "hub")
    with Measure(server) as m:
        got, again = read_all(client, "PHITAP", "hub", o.messages)
    assert (got, again) == (o.messages, 0)
    say("read by a hub that comes new", m.rate(got))
    client.close()


def consumers(server, o):
    """Several hubs, each of which reads everything."""
    count = o.messages // 10
    client = Client(server)
    client.stream("MANY")
    client.publish("MANY", count, EVENT)
    for hubs in (1, 4, 16):
        with Measure(server) as m:
            for n in range(hubs):
                client.consumer("MANY", f"hub{hubs}-{n}")
                assert read_all(client, "MANY", f"hub{hubs}-{n}", count) == (count, 0)
        say(f"out to {hubs} consumers, {count:,} messages each", m.rate(count * hubs))
    before, more = server.memory(), o.consumers
    with Measure(server) as m:
        for n in range(more):
            client.consumer("MANY", f"idle-{n}")
    say(f"{more:,} further consumers, idle", f"{m.took / more * 1e3:.1f} ms to make each; memory {size_of(before)} -> {size_of(server.memory())}")
    with Measure(server) as m:
        client.publish("MANY", count, EVENT)
    say("in, beside them", m.rate(count))
    client.api("STREAM.DELETE.MANY")
    client.close()


def redelivery(server, o):
    client = Client(server)
    client.stream("AGAIN")
    count = 4 * BATCH
    client.publish("AGAIN", count + 10, EVENT)
    client.consumer("AGAIN", "hub", ack_wait=1.0)
    got, again, begun = set(), set(), time.time()
    with Measure(server) as m:
        while len(again) < count:
            assert time.time() - begun < PATIENCE, (len(got), len(again))
            places, repeated, _ = client.fetch("AGAIN", "hub", BATCH)
            got.update(places)
            again.update(repeated)
    # Beyond max_ack_pending the server sends nothing until something is acknowledged.
    assert got == again, len(got)
    say(f"{count:,} messages not acknowledged within 1 s", f"each came twice within {m.took:.1f} s, {m.cpu / count * 1e6:.1f} µs of CPU each")
    client.api("STREAM.DELETE.AGAIN")
    client.close()
    # As after a hub was killed: create the consumer again behind the last acknowledged message.
    client = Client(server)
    client.stream("ANEW")
    client.publish("ANEW", count, EVENT)
    client.consumer("ANEW", "hub")
    _, _, reply = client.fetch("ANEW", "hub", BATCH)
    client.send(b"PUB %b 4\r\n+ACK\r\n" % reply)
    client.fetch("ANEW", "hub", BATCH)
    client.flush()
    while client.api("CONSUMER.INFO.ANEW.hub")["ack_floor"]["stream_seq"] == 0:
        assert time.time() - begun < PATIENCE
    begun = time.time()
    floor = client.api("CONSUMER.INFO.ANEW.hub")["ack_floor"]["stream_seq"]
    client.api("CONSUMER.DELETE.ANEW.hub")
    config = {"durable_name": "hub", "ack_policy": "all", "deliver_policy": "by_start_sequence", "opt_start_seq": floor + 1}
    client.api("CONSUMER.DURABLE.CREATE.ANEW.hub", stream_name="ANEW", config=config)
    while not client.fetch("ANEW", "hub", 1)[0]:
        assert time.time() - begun < PATIENCE
    say("a hub that was killed has its first message after", f"{(time.time() - begun) * 1e3:.0f} ms")
    client.api("STREAM.DELETE.ANEW")
    client.close()


def full(o):
    """A full disk, simulated by a limit of the server."""
    folder = tempfile.mkdtemp()
    server = Server(folder, 'jetstream { store_dir: "%s/js", max_file_store: 32MB }' % folder)
    try:
        client = Client(server)
        # Old messages are not discarded for new ones, and the limit of the server is reached first.
        client.stream("FULL", discard="new")
        count = 40_000
        refused = client.publish("FULL", count, EVENT)
        held = client.api("STREAM.INFO.FULL")["state"]["messages"]
        assert refused and held == count - refused, (held, refused)
        answer = json.loads(client.ask("FULL.events", b"x" * EVENT)[3])
        say("full at 32 MB", f"{held:,} messages held, {refused:,} refused: {answer['error']['description']}")
        client.api("STREAM.PURGE.FULL")
        assert client.publish("FULL", 100, EVENT) == 0, "it takes messages again where there is room"
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--messages", type=int, default=1_000_000)
    p.add_argument("--consumers", type=int, default=1_000, help="idle consumers")
    p.add_argument("--check", action="store_true", help="few, in seconds")
    o = p.parse_args()
    o.bytes = 500e6
    if o.check:
        o.messages, o.consumers, o.bytes = 20_000, 20, 5e6
    folder = tempfile.mkdtemp()
    server = Server(folder)
    try:
        version = Client(server).info["version"]
        say("nats-server", f"{version}, {os.cpu_count()} cores; nothing stored: {size_of(server.memory())}")
        sizes(server, o)
        consumers(server, o)
        redelivery(server, o)
        many_messages(server, o)
        full(o)
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print("ok")


if __name__ == "__main__":
    main()
