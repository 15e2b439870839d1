//! DICOM data sets and Part 10 files (PS3.5, PS3.10).

use super::{Document, Format, Media};

/// The format.
pub struct DataSet;

impl Format for DataSet {
    fn name(&self) -> &'static str {
        "dicom"
    }
    fn probe(&self, _media: &Media<'_>, _head: &[u8], _whole: bool) -> bool {
        false
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        unreachable!("never recognised yet")
    }
}

/// The format.
pub struct Part10;

impl Format for Part10 {
    fn name(&self) -> &'static str {
        "dicom"
    }
    fn probe(&self, _media: &Media<'_>, _head: &[u8], _whole: bool) -> bool {
        false
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        unreachable!("never recognised yet")
    }
}
