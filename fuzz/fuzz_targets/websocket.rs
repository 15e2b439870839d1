//! Both directions of one WebSocket through all stages, permessage-deflate agreed on.
#![no_main]

mod conversation;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    conversation::run(
        b"GET /feed HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        data,
    );
});
