//! The upper layer of DICOM (PS3.8): PDUs as they come, behind an association that stands or not. The
//! input is a list of records: how (bit 0: the server speaks, bit 1: bytes are lost before it, bit 2:
//! the record is the body of a P-DATA-TF, else raw), length (two bytes), then the bytes.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::{Flow, association, pdu};

fuzz_target!(|data: &[u8]| {
    let Some((first, mut rest)) = data.split_first() else { return };
    let mut flow = Flow::default();
    if first & 1 == 0 {
        association(&mut flow);
    }
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, after) = tail.split_at(len.min(tail.len()));
        let server = how & 1 == 1;
        if how & 2 != 0 {
            flow.lose(server, u32::from(*how) * 7);
        }
        match how & 4 {
            0 => flow.say(server, bytes),
            _ => flow.say(server, &pdu(4, bytes)),
        }
        rest = after;
    }
    flow.run();
});
