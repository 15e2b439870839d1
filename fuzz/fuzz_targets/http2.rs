//! HTTP/2: a list of records as `shared::records` has it; those that are wrapped are frames, with type,
//! flags and stream before what they hold. The connection begins as it should, or was joined later.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::{Flow, records};

fn frame(bytes: &[u8]) -> Vec<u8> {
    let Some((&[kind, flags, stream], body)) = bytes.split_first_chunk::<3>() else {
        return Vec::new();
    };
    let len = (body.len() as u32).to_be_bytes();
    [&len[1..], &[kind % 10, flags, 0, 0, 0, stream], body].concat()
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mut flow = Flow::default();
    if first & 1 == 0 {
        flow.say(false, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        flow.say(false, &frame(&[4, 0, 0]));
        flow.say(true, &frame(&[4, 0, 0]));
    }
    records(&mut flow, rest, |_, bytes| frame(bytes));
    flow.run();
});
