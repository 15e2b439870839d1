//! JSON, with FHIR resources in it.

use super::{Document, Format, Media};

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }
    fn probe(&self, _media: &Media<'_>, _head: &[u8], _whole: bool) -> bool {
        false
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        unreachable!("never recognised yet")
    }
}
