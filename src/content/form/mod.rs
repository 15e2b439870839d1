//! URL-encoded forms and request targets.

use super::{Document, Format, Media};

/// The format.
pub struct Form;

impl Format for Form {
    fn name(&self) -> &'static str {
        "form"
    }
    fn probe(&self, _media: &Media<'_>, _head: &[u8], _whole: bool) -> bool {
        false
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        unreachable!("never recognised yet")
    }
}

/// The format.
pub struct Target;

impl Format for Target {
    fn name(&self) -> &'static str {
        "target"
    }
    fn probe(&self, _media: &Media<'_>, _head: &[u8], _whole: bool) -> bool {
        false
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        unreachable!("never recognised yet")
    }
}
