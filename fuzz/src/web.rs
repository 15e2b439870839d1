//! HTTP/1.x, HTTP/2 and WebSocket.

use super::streams::{conversation, records, run};
use phitap::flow::Direction::{self, ClientToServer, ServerToClient};

/// HTTP/1.x: [`records`] of which those that are wrapped are bodies of requests and answers, whole or
/// parts of one document.
pub fn http(data: &[u8]) {
    let mut flow = conversation(80);
    flow.say(ClientToServer, b"GET /fhir/Patient?name=x HTTP/1.1\r\nHost: h\r\n\r\n");
    records(&mut flow, data, |speaker, bytes| {
        let (how, body) = bytes.split_first().unwrap_or((&0, &[]));
        let len = body.len();
        let start = u64::from(*how) * 16;
        let head = match (speaker, how % 4) {
            (ClientToServer, _) => format!("POST /a HTTP/1.1\r\nContent-Length: {len}\r\n\r\n"),
            (_, 0) => format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n"),
            (_, 1) => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            (_, 2) => format!(
                "HTTP/1.1 206 X\r\nETag: a\r\nContent-Length: {len}\r\n\
                 Content-Range: bytes {start}-{}/*\r\n\r\n",
                start + len as u64
            ),
            _ => format!(
                "HTTP/1.1 206 X\r\nETag: a\r\nContent-Length: {len}\r\n\
                 Content-Type: multipart/byteranges; boundary=b\r\n\r\n"
            ),
        };
        [head.as_bytes(), body].concat()
    });
    run(flow);
}

/// An HTTP/2 frame from type, flags and stream (one byte each) and what it holds.
fn frame(bytes: &[u8]) -> Vec<u8> {
    let Some((&[kind, flags, stream], body)) = bytes.split_first_chunk::<3>() else {
        return Vec::new();
    };
    let len = (body.len() as u32).to_be_bytes();
    [&len[1..], &[kind % 10, flags, 0, 0, 0, stream], body].concat()
}

/// HTTP/2: [`records`] of which those that are wrapped are frames. Bit 0 of the first byte: the connection
/// is joined mid-stream.
pub fn http2(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut flow = conversation(80);
    if first & 1 == 0 {
        flow.say(ClientToServer, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        flow.say(ClientToServer, &frame(&[4, 0, 0]));
        flow.say(ServerToClient, &frame(&[4, 0, 0]));
    }
    records(&mut flow, rest, |_, bytes| frame(bytes));
    run(flow);
}

/// A WebSocket frame from its first byte and what it holds, masked where the client sends it.
fn websocket_frame(speaker: Direction, bytes: &[u8]) -> Vec<u8> {
    let (first, body) = bytes.split_first().unwrap_or((&0x81, &[]));
    let (masked, key): (u8, &[u8]) = match speaker {
        ClientToServer => (0x80, &[0; 4]),
        ServerToClient => (0, &[]),
    };
    let len = (body.len() as u16).to_be_bytes();
    [&[*first, masked | 126], &len[..], key, body].concat()
}

/// WebSocket with permessage-deflate: [`records`] of which those that are wrapped are frames.
pub fn websocket(data: &[u8]) {
    let mut flow = conversation(80);
    flow.say(ClientToServer, b"GET /feed HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    let answer = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    flow.say(ServerToClient, answer.as_bytes());
    records(&mut flow, data, websocket_frame);
    run(flow);
}
