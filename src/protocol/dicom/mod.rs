//! DICOM upper layer and DIMSE (PS3.8, PS3.7).

use super::{Parser, Probe, Protocol};

/// DICOM upper layer and DIMSE (PS3.8, PS3.7).
pub struct Dicom;

impl Protocol for Dicom {
    fn name(&self) -> &'static str {
        "dicom"
    }
    fn probe(&self, _data: &[u8], _at_start: bool) -> Probe {
        Probe::No
    }
    fn open(&self) -> Box<dyn Parser> {
        unreachable!("never recognised yet")
    }
}
