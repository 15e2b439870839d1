//! DICOM data sets and Part 10 files (PS3.5, PS3.10).
//!
//! * `syntax`: transfer syntaxes, declared or inferred from the bytes;
//! * `element`: element headers;
//! * `walker`: the elements of a data set that comes in pieces;
//! * `charset`: (0008,0005);
//! * `record`: the attributes that point to a person;
//! * `items`: private blocks, and the concepts of content items;
//! * `text`: identifiers in comments, reports and private attributes;
//! * `document`: documents inside a data set;
//! * `model`: data sets in JSON and XML;
//! * `described`: elements that objects and XML elements describe in words of their own (`described_json`,
//!   `described_xml`);
//! * `dump`: data sets as toolkits print them;
//! * `named_line`: elements in lines that name them;
//! * `tag_rows`: tables of elements in pages and files;
//! * `seek`: the next element after a loss;
//! * `reader`: preamble, file meta information, deflated data sets.

mod charset;
mod described;
mod described_json;
mod described_xml;
mod document;
mod dump;
mod element;
mod items;
pub(in crate::content) mod model;
mod named_line;
mod reader;
mod record;
mod seek;
mod syntax;
mod tag_rows;
mod tags;
mod text;
mod value;
mod walker;

#[cfg(test)]
mod tests;

use crate::content::{Document, Extent, Format, Media};
pub use described_json::Json;
pub use described_xml::Xml;
pub use dump::Dump;
use syntax::{Certainty, Syntax, Transfer};
pub(in crate::content) use tag_rows::TagRows;

/// A data set without file meta information, as DIMSE carries it.
pub struct DataSet;

impl Format for DataSet {
    fn name(&self) -> &'static str {
        "dicom"
    }
    fn probe(&self, media: &Media<'_>, _head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::DicomDataSet { .. })
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        let (declared, query) = match media {
            Media::DicomDataSet { transfer_syntax, query } => {
                (Transfer::of_uid(transfer_syntax), *query)
            }
            _ => (None, false),
        };
        Box::new(reader::Reader::data_set(declared, query))
    }
}

/// A Part 10 file, however it is transferred; also one without its preamble or its file meta information.
pub struct Part10;

impl Format for Part10 {
    fn name(&self) -> &'static str {
        "dicom"
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        reader::has_preamble(head)
            || reader::without_preamble(head).is_some()
            || [[2u8, 0], [8, 0], [0, 8]].iter().any(|group| head.starts_with(group))
                && [Syntax::ExplicitLe, Syntax::ImplicitLe, Syntax::ExplicitBe].iter().any(
                    |&syntax| head.len() >= 32 && syntax::fits(syntax, head, Certainty::Nothing),
                )
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(reader::Reader::file(false))
    }
}
