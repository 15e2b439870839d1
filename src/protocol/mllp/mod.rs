//! HL7 minimal lower layer protocol.

use super::{Parser, Probe, Protocol};

/// HL7 minimal lower layer protocol.
pub struct Mllp;

impl Protocol for Mllp {
    fn name(&self) -> &'static str {
        "hl7"
    }
    fn probe(&self, _data: &[u8], _at_start: bool) -> Probe {
        Probe::No
    }
    fn open(&self) -> Box<dyn Parser> {
        unreachable!("never recognised yet")
    }
}
