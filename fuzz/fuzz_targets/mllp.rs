//! MLLP: what two ends say, in frames and beside them. The input is a list of records: how (bit 0: the
//! server speaks, bit 1: bytes are lost before it, bit 2: the record is a framed message, else raw),
//! length (two bytes), then the bytes.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::Flow;

fuzz_target!(|data: &[u8]| {
    let mut flow = Flow::default();
    let mut rest = data;
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, after) = tail.split_at(len.min(tail.len()));
        let server = how & 1 == 1;
        if how & 2 != 0 {
            flow.lose(server, u32::from(*how) * 7);
        }
        match how & 4 {
            0 => flow.say(server, bytes),
            _ => flow.say(server, &[b"\x0bMSH|^~\\&|", bytes, b"\x1c\r"].concat()),
        }
        rest = after;
    }
    flow.run();
});
