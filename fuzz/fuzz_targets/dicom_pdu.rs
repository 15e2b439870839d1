//! The upper layer of DICOM (PS3.8): PDUs as they come, behind an association that stands or not. The
//! input is a list of records: how (bit 0: the server speaks, bit 1: bytes are lost before it, bit 2:
//! the record is the body of a P-DATA-TF, else raw), length (two bytes), then the bytes.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::{Flow, association, pdu, records};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mut flow = Flow::default();
    if first & 1 == 0 {
        association(&mut flow);
    }
    records(&mut flow, rest, |_, bytes| pdu(4, bytes));
    flow.run();
});
