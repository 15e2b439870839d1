"""What Hypercorn serves for web.py: files under zstd, brotli or gzip, events, and a WebSocket that
says what it was told."""

import gzip
import os
from pathlib import Path

import brotli
import zstandard

DOCS = Path(os.environ["PHITAP_DOCS"])
TYPES = {
    ".json": b"application/fhir+json",
    ".html": b"text/html",
    ".csv": b"text/csv",
    ".ndjson": b"application/x-ndjson",
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        return await echo(receive, send)
    while scope["method"] == "POST" and (await receive()).get("more_body"):
        pass
    if scope["path"] == "/events":
        return await events(send)
    file = DOCS / scope["path"].lstrip("/")
    if scope["method"] == "POST" or not file.is_file():
        await send({"type": "http.response.start", "status": 201 if scope["method"] == "POST" else 404, "headers": []})
        return await send({"type": "http.response.body", "body": b""})
    accept = dict(scope["headers"]).get(b"accept-encoding", b"")
    codings = [(b"zstd", zstandard.compress), (b"br", brotli.compress), (b"gzip", gzip.compress)]
    coding = next(((name, code) for name, code in codings if name in accept), None)
    body, headers = file.read_bytes(), [(b"content-type", TYPES[file.suffix])]
    if coding:
        body = coding[1](body)
        headers.append((b"content-encoding", coding[0]))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for at in range(0, len(body), 3001):
        await send({"type": "http.response.body", "body": body[at : at + 3001], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def events(send):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for line in (DOCS / "hypercorn-export.ndjson").read_text().splitlines():
        event = f"id: 1\ndata: {line}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def echo(receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.disconnect":
            return
        else:
            await send({"type": "websocket.send", "text": message["text"]})
