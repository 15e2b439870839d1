//! HTTP/1.x: a list of records as `shared::records` has it; those that are wrapped are bodies of
//! requests and answers, whole or parts of one document.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::{Flow, records};

fuzz_target!(|data: &[u8]| {
    let mut flow = Flow::default();
    flow.say(false, b"GET /fhir/Patient?name=x HTTP/1.1\r\nHost: h\r\n\r\n");
    records(&mut flow, data, |server, bytes| {
        let (how, body) = bytes.split_first().unwrap_or((&0, &[]));
        let len = body.len();
        let start = u64::from(*how) * 16;
        let head = match (server, how % 4) {
            (false, _) => format!("POST /a HTTP/1.1\r\nContent-Length: {len}\r\n\r\n"),
            (true, 0) => format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n"),
            (true, 1) => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            (true, 2) => format!(
                "HTTP/1.1 206 X\r\nETag: a\r\nContent-Length: {len}\r\nContent-Range: bytes {start}-{}/*\r\n\r\n",
                start + len as u64
            ),
            (true, _) => format!(
                "HTTP/1.1 206 X\r\nETag: a\r\nContent-Length: {len}\r\n\
                 Content-Type: multipart/byteranges; boundary=b\r\n\r\n"
            ),
        };
        [head.as_bytes(), body].concat()
    });
    flow.run();
});
