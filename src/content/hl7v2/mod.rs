//! HL7 v2 in ER7.

use super::{Document, Format, Media};

/// The format.
pub struct Er7;

impl Format for Er7 {
    fn name(&self) -> &'static str {
        "hl7v2"
    }
    fn probe(&self, _media: &Media<'_>, _head: &[u8], _whole: bool) -> bool {
        false
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        unreachable!("never recognised yet")
    }
}
