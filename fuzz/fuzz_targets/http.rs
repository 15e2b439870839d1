//! Both directions of one HTTP/1.x connection through all stages; the input is cut at the marker, and
//! the byte behind it says who speaks (bit 0).
#![no_main]

mod conversation;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    conversation::run(
        b"GET /fhir/Patient?name=x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        data,
    );
});
