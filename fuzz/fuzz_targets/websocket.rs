//! WebSocket with permessage-deflate: a list of records as `shared::records` has it; those that are
//! wrapped are frames, masked where the client sends them.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::{Flow, records};

fuzz_target!(|data: &[u8]| {
    let mut flow = Flow::default();
    flow.say(false, b"GET /feed HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    flow.say(
        true,
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    records(&mut flow, data, |server, bytes| {
        let (first, body) = bytes.split_first().unwrap_or((&0x81, &[]));
        let len = (body.len() as u16).to_be_bytes();
        let mut frame = vec![*first, if server { 126 } else { 254 }];
        frame.extend(len);
        if !server {
            frame.extend([0; 4]);
        }
        frame.extend(body);
        frame
    });
    flow.run();
});
