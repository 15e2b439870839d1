//! Both directions of one HTTP/2 connection through all stages: frames, header compression, gRPC.
#![no_main]

mod conversation;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    conversation::run(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0",
        data,
    );
});
