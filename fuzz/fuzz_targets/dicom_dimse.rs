//! Messages of DICOM (PS3.7) in an association that stands. The input is a list of records: how (bit
//! 0: the server speaks, bit 1: a command, bit 2: the last fragment, bits 3 to 5: the context), length
//! (two bytes), then the fragment.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::{Flow, SYNTAXES, association, fragment};

fuzz_target!(|data: &[u8]| {
    let mut flow = Flow::default();
    association(&mut flow);
    let mut rest = data;
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, after) = tail.split_at(len.min(tail.len()));
        let context = 2 * (how >> 3 & 7) % (2 * SYNTAXES.len() as u8) + 1;
        let control = (how >> 1 & 1) | (how >> 1 & 2);
        flow.say(how & 1 == 1, &fragment(context, control, bytes));
        rest = after;
    }
    flow.run();
});
