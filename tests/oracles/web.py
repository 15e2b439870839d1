"""Real servers and clients of HTTP on this machine: nginx, Apache httpd, Node.js and Hypercorn serve
generated documents to curl, to a WebSocket client and to a browser. What they say to each other is
written to a capture; what each client got, to a list.

web.py FOLDER writes FOLDER/http.pcap and prints a JSON object: for each case the client's address and
the patients' numbers that the client got. A relay between client and server writes the packets, so
that it needs no rights. PHITAP_NO_BROWSER=1 leaves the browser out.
"""

import sys

HERE = sys.path.pop(0)  # where this file would stand for the module `http`

import asyncio
import base64
import gzip
import json
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import websockets

random.seed(20260301)
OUT = Path(sys.argv[1]).resolve()
DOCS = OUT / "docs"
os.environ["PATH"] += ":/usr/sbin:/sbin"

FAMILY = "Castillo Hartman Okafor Lindqvist Moran Petrov Nakamura Schmidt Adeyemi Keller".split()
GIVEN = "Ana Jason Ngozi Erik Maeve Ivan Yuki Greta Tunde Paul".split()
numbers = iter(random.sample(range(1000000, 9999999), 20000))
KNOWN = re.compile(r"H0\d{7}")


def person():
    return {
        "mrn": f"H0{next(numbers)}",
        "family": random.choice(FAMILY),
        "given": random.choice(GIVEN),
        "dob": f"{random.randint(1930, 2015)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
    }


def fhir(p):
    return {
        "resourceType": "Patient",
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:oid:1.2.3", "value": p["mrn"]}],
        "name": [{"family": p["family"], "given": [p["given"]]}],
        "birthDate": p["dob"],
    }


def bundle(n):
    entries = [{"resource": fhir(person())} for _ in range(n)]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries})


def ndjson(n):
    return "".join(json.dumps(fhir(person())) + "\n" for _ in range(n))


def csv(n):
    rows = (person() for _ in range(n))
    body = "".join(f"{p['mrn']},{p['family']},{p['given']},{p['dob']}\n" for p in rows)
    return "mrn,last_name,first_name,dob\n" + body


def html(n):
    rows = (person() for _ in range(n))
    body = "".join(f"<tr><td>{p['mrn']}</td><td>{p['family']}, {p['given']}</td><td>{p['dob']}</td></tr>\n" for p in rows)
    return (
        "<!DOCTYPE html><html><head><title>Ward 4</title></head><body><table>"
        "<tr><th>MRN</th><th>Patient name</th><th>Date of birth</th></tr>\n" + body + "</table></body></html>"
    )


def documents():
    DOCS.mkdir(parents=True, exist_ok=True)
    files = {}
    for server in ("nginx", "apache", "node", "hypercorn"):
        files.update(
            {
                f"{server}-bundle.json": bundle(40),
                f"{server}-export.ndjson": ndjson(30),
                f"{server}-ward.html": html(25),
                f"{server}-list.csv": csv(30),
                f"{server}-h2.json": bundle(25),
                f"{server}-h2.html": html(20),
                f"{server}-ranges.csv": csv(1500),
                f"{server}-parts.csv": csv(300),
                f"{server}-browser.json": bundle(12),
            }
        )
    for name, text in files.items():
        (DOCS / name).write_text(text)
    return files


# --- the relay -----------------------------------------------------------------------------------


class Capture:
    """Connections, as packets of a capture."""

    def __init__(self):
        self.packets, self.lock, self.case, self.port = [], threading.Lock(), 0, 20000

    def client(self):
        with self.lock:
            self.port += 1
            return f"10.9.{self.case >> 8}.{self.case & 255}", self.port

    def packet(self, ends, client, seq, ack, flags, data=b""):
        with self.lock:
            self.packets.append((ends, client, seq, ack, flags, data))

    def write(self, path):
        def checksum(data):
            data += b"\0" * (len(data) % 2)
            total = sum(struct.unpack(f">{len(data) // 2}H", data))
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            return ~total & 0xFFFF

        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
            for n, (ends, client, seq, ack, flags, data) in enumerate(self.packets):
                (ci, cp), (si, sp) = ends
                (a, ap), (b, bp) = ((ci, cp), (si, sp)) if client else ((si, sp), (ci, cp))
                a, b = socket.inet_aton(a), socket.inet_aton(b)
                tcp = struct.pack(">HHIIBBHHH", ap, bp, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
                pseudo = a + b + struct.pack(">BBH", 0, 6, len(tcp) + len(data))
                tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp + data)) + tcp[18:]
                ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), n & 0xFFFF, 0, 64, 6, 0, a, b)
                ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
                frame = ip + tcp + data
                out.write(struct.pack("<IIII", 1772360102 + n // 1000, n % 1000 * 1000, len(frame), len(frame)))
                out.write(frame)


def relay(capture, server_address, backend):
    """Listens, and passes connections on to `backend`; the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink, ends, client, state):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            with state["lock"]:
                me, other = ("c", "s") if client else ("s", "c")
                for at in range(0, len(data), 1400):
                    piece = data[at : at + 1400]
                    capture.packet(ends, client, state[me], state[other], 0x18, piece)
                    state[me] += len(piece)
                if not data:
                    capture.packet(ends, client, state[me], state[other], 0x11)
                    state[me] += 1
            try:
                if data:
                    sink.sendall(data)
                else:
                    sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            if not data:
                return

    def accept():
        while True:
            conn, _ = listener.accept()
            ends = (capture.client(), (server_address, 80))
            try:
                up = socket.create_connection(("127.0.0.1", backend))
            except OSError:
                conn.close()
                continue
            state = {"c": 1001, "s": 5001, "lock": threading.Lock()}
            capture.packet(ends, True, 1000, 0, 0x02)
            capture.packet(ends, False, 5000, 1001, 0x12)
            for source, sink, client in ((conn, up, True), (up, conn, False)):
                threading.Thread(target=pump, args=(source, sink, ends, client, state), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


# --- servers -------------------------------------------------------------------------------------


def free_port():
    """A port below those that the kernel gives to other connections in the meantime."""
    while True:
        port = random.randrange(12_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass


def start(name, command, ports, **more):
    log = open(OUT / f"{name}.log", "wb")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
    deadline = time.monotonic() + 120
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{name} does not listen: " + (OUT / f"{name}.log").read_text()[-2000:])
                time.sleep(0.05)
    return process


def nginx():
    plain, h2 = free_port(), free_port()
    temp = "".join(
        f"{kind}_temp_path {OUT}/nginx-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (OUT / "nginx.conf").write_text(
        f"""daemon off; pid {OUT}/nginx.pid; error_log {OUT}/nginx.err; {user}
events {{}}
http {{ access_log off; root {DOCS}; {temp}
  types {{ text/html html; application/fhir+json json; text/csv csv; application/x-ndjson ndjson; }}
  gzip on; gzip_min_length 100; gzip_http_version 1.0; gzip_proxied any;
  gzip_types application/fhir+json application/x-ndjson text/csv;
  server {{ listen 127.0.0.1:{plain}; autoindex on; }}
  server {{ listen 127.0.0.1:{h2} http2; }}
}}"""
    )
    return start("nginx", ["nginx", "-p", str(OUT), "-c", str(OUT / "nginx.conf"), "-e", f"{OUT}/nginx.err"], [plain, h2]), plain, h2


def apache():
    port = free_port()
    modules = next(Path(p) for p in ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules") if Path(p).exists())
    names = "mpm_event authz_core mime dir filter deflate brotli http2 unixd headers setenvif".split()
    load = "\n".join(
        f"LoadModule {n}_module {modules}/mod_{n}.so" for n in names if (modules / f"mod_{n}.so").exists()
    )
    (OUT / "apache.conf").write_text(
        f"""{load}
ServerRoot {OUT}
ServerName localhost
PidFile {OUT}/apache.pid
DefaultRuntimeDir {OUT}
ErrorLog {OUT}/apache.err
Listen 127.0.0.1:{port}
Protocols h2c http/1.1
{"User www-data" if os.getuid() == 0 else ""}
{"Group www-data" if os.getuid() == 0 else ""}
DocumentRoot {DOCS}
<Directory {DOCS}>
  Require all granted
</Directory>
TypesConfig /dev/null
AddType text/html html
AddType application/fhir+json json
AddType text/csv csv
AddType application/x-ndjson ndjson
AddOutputFilterByType BROTLI_COMPRESS;DEFLATE text/html application/fhir+json text/csv application/x-ndjson
"""
    )
    program = shutil.which("apache2") or shutil.which("httpd")
    return start("apache", [program, "-f", str(OUT / "apache.conf"), "-DFOREGROUND"], [port]), port


NODE = r"""
const fs = require('fs'), http = require('http'), http2 = require('http2'), zlib = require('zlib');
const [docs, plain, h2] = process.argv.slice(2);
const types = { json: 'application/fhir+json', html: 'text/html', csv: 'text/csv', ndjson: 'application/x-ndjson' };
function answer(req, res) {
  const path = new URL(req.url, 'http://x').pathname;
  if (req.method !== 'GET') { req.resume(); req.on('end', () => { res.writeHead(201); res.end(); }); return; }
  if (path === '/events') {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const lines = fs.readFileSync(docs + '/node-export.ndjson', 'utf8').trim().split('\n');
    for (const line of lines) res.write('event: admit\ndata: ' + line + '\n\n');
    return res.end();
  }
  let body;
  try { body = fs.readFileSync(docs + path); } catch { res.writeHead(404); return res.end('no'); }
  const type = types[path.split('.').pop()], accept = req.headers['accept-encoding'] || '';
  const head = { 'content-type': type };
  const coding = ['br', 'gzip', 'deflate'].find((c) => (req.headers['x-coding'] || accept).includes(c));
  if (coding) head['content-encoding'] = coding;
  const coded = !coding ? body : coding === 'br' ? zlib.brotliCompressSync(body)
    : coding === 'gzip' ? zlib.gzipSync(body)
    : req.headers['x-raw'] ? zlib.deflateRawSync(body) : zlib.deflateSync(body);
  res.writeHead(200, head);
  // No length: chunks, of odd sizes.
  for (let at = 0, n = 1; at < coded.length; at += n, n = (n * 7) % 4093 + 1) res.write(coded.subarray(at, at + n));
  res.end();
}
http.createServer(answer).listen(+plain, '127.0.0.1');
http2.createServer(answer).listen(+h2, '127.0.0.1');
"""


def node():
    plain, h2 = free_port(), free_port()
    (OUT / "server.js").write_text(NODE)
    return start("node", ["node", str(OUT / "server.js"), str(DOCS), str(plain), str(h2)], [plain, h2]), plain, h2


def hypercorn():
    port = free_port()
    shutil.copy(Path(HERE) / "web_app.py", OUT)
    command = [sys.executable, "-m", "hypercorn", "-b", f"127.0.0.1:{port}", "web_app:app"]
    return start("hypercorn", command, [port], cwd=OUT, env={**os.environ, "PHITAP_DOCS": str(DOCS)}), port


# --- clients -------------------------------------------------------------------------------------


def curl(*arguments):
    run = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "120", "--noproxy", "*", *arguments], capture_output=True
    )
    if run.returncode:
        sys.exit(f"curl {arguments}: {run.stderr.decode()}")
    return run.stdout


def put_together(parts, wanted):
    """What the client has of the document, each part where it belongs."""
    whole = bytearray()
    for part, (first, _) in zip(parts, wanted):
        whole.extend(b"\0" * max(0, first + len(part) - len(whole)))
        whole[first : first + len(part)] = part
    return bytes(whole)


def ranges(url, wanted):
    """What curl gets of these ranges over one connection."""
    files, command = [], []
    for n, (first, last) in enumerate(wanted):
        files.append(OUT / f"part{n}")
        command += ["--next"] if n else []
        command += ["-sS", "--noproxy", "*", "-r", f"{first}-{last}", "-o", str(files[-1]), url]
    curl(*command)
    return put_together([file.read_bytes() for file in files], wanted)


NODE_CLIENT = r"""
const [base, path, ...wanted] = process.argv.slice(2);
const session = require('http2').connect(base);
(async () => {
  for (const range of wanted) {
    await new Promise((done) => {
      const request = session.request({ ':path': path, range: 'bytes=' + range });
      const pieces = [];
      request.on('data', (piece) => pieces.push(piece));
      request.on('end', () => { console.log(Buffer.concat(pieces).toString('base64')); done(); });
    });
  }
  session.close();
})();
"""


def ranges_2(base, path, wanted):
    """What Node.js gets of these ranges over one connection of HTTP/2."""
    (OUT / "client.js").write_text(NODE_CLIENT)
    command = ["node", str(OUT / "client.js"), base, path, *(f"{a}-{b}" for a, b in wanted)]
    run = subprocess.run(command, capture_output=True, timeout=20, check=True)
    return put_together([base64.b64decode(line) for line in run.stdout.split()], wanted)


async def talk(url, messages, **options):
    got = []
    async with websockets.connect(url, proxy=None, **options) as socket_:
        for message in messages:
            await socket_.send(message)
            got.append(await socket_.recv())
    return "\n".join(g if isinstance(g, str) else g.decode() for g in got)


PAGE = """<!DOCTYPE html><html><head><title>Viewer</title></head><body><pre id="out"></pre><script>
const show = (text) => { document.getElementById('out').textContent += text + '\\n'; };
(async () => {
  show(await (await fetch('/%(server)s-browser.json')).text());
  show(await (await fetch('/%(server)s-list.csv')).text());
  show(await (await fetch('/%(server)s-bundle.json')).text());
  document.title = 'done';
})();
</script></body></html>"""


def browser(url):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    profile = OUT / "browser"
    run = subprocess.run(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
            "--disable-background-networking", "--no-first-run", "--disable-extensions", f"--user-data-dir={profile}",
            "--virtual-time-budget=10000", "--timeout=20000", "--dump-dom", url,
        ],
        capture_output=True, timeout=60,
    )
    if b"done" not in run.stdout:
        sys.exit(f"the browser did not finish: {run.stdout[-500:]!r} {run.stderr[-1500:].decode(errors='replace')}")
    return run.stdout


def main():
    documents()
    for server in ("nginx", "apache", "node", "hypercorn"):
        (DOCS / f"{server}-page.html").write_text(PAGE % {"server": server})
    os.chmod(OUT, 0o755)
    capture, cases, servers = Capture(), [], []
    try:
        process, a, b = nginx()
        servers.append(process)
        nginx_1, nginx_2 = relay(capture, "10.8.0.1", a), relay(capture, "10.8.0.2", b)
        process, a = apache()
        servers.append(process)
        apache_1 = relay(capture, "10.8.0.3", a)
        process, a, b = node()
        servers.append(process)
        node_1, node_2 = relay(capture, "10.8.0.4", a), relay(capture, "10.8.0.5", b)
        process, a = hypercorn()
        servers.append(process)
        hyper = relay(capture, "10.8.0.6", a)

        def case(name, get):
            capture.case = len(cases) + 1
            got = get()
            text = got if isinstance(got, str) else got.decode("utf-8", "replace")
            found = sorted(set(KNOWN.findall(text)))
            if not found:
                sys.exit(f"{name}: the client got nothing: {text[:300]!r}")
            cases.append({"name": name, "client": f"10.9.0.{capture.case}", "numbers": found})

        def fetch(name, port, path, *more):
            case(name, lambda: curl("--compressed", *more, f"http://127.0.0.1:{port}/{path}"))

        prior = "--http2-prior-knowledge"
        for server, one, two in (("nginx", nginx_1, nginx_2), ("apache", apache_1, apache_1), ("node", node_1, node_2), ("hypercorn", hyper, hyper)):
            for kind in ("bundle.json", "export.ndjson", "ward.html", "list.csv"):
                fetch(f"{server} {kind}", one, f"{server}-{kind}")
            for kind in ("h2.json", "h2.html"):
                fetch(f"{server} {kind} over HTTP/2", two, f"{server}-{kind}", prior)
            fetch(f"{server} as it is", one, f"{server}-ward.html", "-H", "Accept-Encoding: identity", "--http1.0")
        fetch("apache upgraded to HTTP/2", apache_1, "apache-bundle.json", "--http2")
        fetch("hypercorn upgraded to HTTP/2", hyper, "hypercorn-bundle.json", "--http2")
        for coding in ("gzip", "deflate", "br"):
            fetch(f"node {coding}", node_1, "node-bundle.json", "-H", f"X-Coding: {coding}")
            fetch(f"node {coding} over HTTP/2", node_2, "node-ward.html", "-H", f"X-Coding: {coding}", prior)
        fetch("hypercorn zstd", hyper, "hypercorn-bundle.json", "-H", "Accept-Encoding: zstd")
        fetch("hypercorn zstd over HTTP/2", hyper, "hypercorn-list.csv", "-H", "Accept-Encoding: zstd", prior)
        fetch("node events", node_1, "events")
        fetch("hypercorn events over HTTP/2", hyper, "events", prior)

        for server, one, two in (("nginx", nginx_1, nginx_2), ("apache", apache_1, apache_1)):
            path = f"/{server}-ranges.csv"
            end = (DOCS / path.lstrip("/")).stat().st_size - 1
            third = end // 3
            for name, wanted in (
                ("in order", [(0, third), (third + 1, 2 * third), (2 * third + 1, end)]),
                ("from the end", [(2 * third, end), (third - 7, 2 * third - 1), (0, third)]),
                ("overlapping", [(third, end), (0, 9), (5, third + 100)]),
            ):
                url = f"http://127.0.0.1:{one}{path}"
                case(f"{server} ranges {name}", lambda u=url, w=wanted: ranges(u, w))
                base = f"http://127.0.0.1:{two}"
                get = lambda b=base, p=path, w=wanted: ranges_2(b, p, w)
                case(f"{server} ranges {name} over HTTP/2", get)
        for server, port in (("nginx", nginx_1), ("apache", apache_1)):
            size = (DOCS / f"{server}-parts.csv").stat().st_size
            wanted = f"{size // 2}-{size - 1},0-{size // 2 - 1}"
            fetch(f"{server} several ranges at once", port, f"{server}-parts.csv", "-r", wanted)

        # Uploads.
        for server, port in (("node", node_1), ("hypercorn", hyper)):
            text = bundle(5)
            (OUT / "upload").write_text(text)
            url = f"http://127.0.0.1:{port}/upload"
            json_, file = "Content-Type: application/fhir+json", f"@{OUT}/upload"

            def post(name, *more):
                case(f"{server} {name}", lambda: (curl("-X", "POST", *more, url), text)[1])

            post("upload", "-H", json_, "--data-binary", file)
            post("upload in chunks", "-H", json_, "-H", "Transfer-Encoding: chunked", "--data-binary", file)
            post("form upload", "-F", f"file={file};type=application/fhir+json")
            post("upload after 100", "-H", json_, "-H", "Expect: 100-continue", "--data-binary", file)
            (OUT / "upload").write_bytes(gzip.compress(text.encode(), mtime=0))
            post("upload in gzip", "-H", json_, "-H", "Content-Encoding: gzip", "--data-binary", file)

        # WebSocket: each message comes back.
        messages = [json.dumps(fhir(person())) for _ in range(8)]
        for name, options in (
            ("plain", {"compression": None}),
            ("deflate", {"compression": "deflate"}),
        ):
            case(f"WebSocket {name}", lambda o=options: asyncio.run(talk(f"ws://127.0.0.1:{hyper}/ws", messages, **o)))

        no_browser = os.environ.get("PHITAP_NO_BROWSER") == "1"
        if not no_browser:
            for server, port in (("nginx", nginx_1), ("apache", apache_1), ("node", node_1), ("hypercorn", hyper)):
                case(f"browser {server}", lambda s=server, p=port: browser(f"http://127.0.0.1:{p}/{s}-page.html"))
        time.sleep(0.3)
    finally:
        for process in servers:
            process.terminate()
        for process in servers:
            process.wait()
    with capture.lock:
        capture.write(OUT / "http.pcap")
    print(json.dumps({"cases": cases, "browser": not no_browser}))


main()
