//! Data sets built here byte by byte, read in pieces of every size.

mod charsets;
mod files;
mod hostile;
mod left_behind;
mod models;
mod oracle;
mod structure;

use super::element::UNDEFINED;
use super::syntax::Syntax;
use super::{DataSet, Part10};
use crate::content::testing::{Part, read_document};
use crate::content::{Extent, Format, Mark, Media, Reason, ServiceFacts};

pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const BIG: &str = "1.2.840.10008.1.2.2";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// Puts elements together.
pub struct Build {
    pub syntax: Syntax,
    pub bytes: Vec<u8>,
}

impl Build {
    pub fn new(syntax: Syntax) -> Self {
        Self { syntax, bytes: Vec::new() }
    }
    fn u16(&mut self, n: u16) {
        let b = if self.syntax == Syntax::ExplicitBe { n.to_be_bytes() } else { n.to_le_bytes() };
        self.bytes.extend(b);
    }
    fn u32(&mut self, n: u32) {
        let b = if self.syntax == Syntax::ExplicitBe { n.to_be_bytes() } else { n.to_le_bytes() };
        self.bytes.extend(b);
    }
    pub fn head(mut self, tag: u32, vr: &str, len: u32) -> Self {
        self.u16((tag >> 16) as u16);
        self.u16(tag as u16);
        if tag >> 16 == 0xFFFE || self.syntax == Syntax::ImplicitLe {
            self.u32(len);
        } else {
            self.bytes.extend(vr.as_bytes());
            if ["OB", "OW", "OF", "SQ", "UC", "UN", "UR", "UT"].contains(&vr) {
                self.u16(0);
                self.u32(len);
            } else {
                self.u16(len as u16);
            }
        }
        self
    }
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }
    pub fn bytes(self, tag: u32, vr: &str, value: &[u8]) -> Self {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == "UI" || vr == "OB" { 0 } else { b' ' });
        }
        self.head(tag, vr, value.len() as u32).raw(&value)
    }
    pub fn text(self, tag: u32, vr: &str, value: &str) -> Self {
        self.bytes(tag, vr, value.as_bytes())
    }
    /// A sequence with or without lengths.
    pub fn sequence(self, tag: u32, defined: bool, items: &[&dyn Fn(Build) -> Build]) -> Self {
        let mut inner = Build::new(self.syntax);
        for item in items {
            let body = item(Build::new(self.syntax)).bytes;
            let len = if defined { body.len() as u32 } else { UNDEFINED };
            inner = inner.head(0xFFFE_E000, "", len).raw(&body);
            if !defined {
                inner = inner.head(0xFFFE_E00D, "", 0);
            }
        }
        if !defined {
            inner = inner.head(0xFFFE_E0DD, "", 0);
        }
        let len = if defined { inner.bytes.len() as u32 } else { UNDEFINED };
        self.head(tag, "SQ", len).raw(&inner.bytes)
    }
    /// A small image's data set without pixels.
    pub fn patient(self) -> Self {
        self.text(0x0008_0005, "CS", "ISO_IR 100")
            .text(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.2")
            .text(0x0008_0050, "SH", "A24510381")
            .text(0x0008_0060, "CS", "CT")
            .text(0x0008_0080, "LO", "Northfield Clinic")
            .text(0x0008_0090, "PN", "Quincy^Harriet")
            .text(0x0008_1010, "SH", "CT4")
            .bytes(0x0010_0010, "PN", b"M\xFCller^J\xF6rg")
            .text(0x0010_0020, "LO", "00912033")
            .text(0x0010_0021, "LO", "NORTH")
            .text(0x0010_0030, "DA", "19591102")
            .text(0x0010_0040, "CS", "M")
    }
    pub fn pixels(self, n: usize) -> Self {
        self.bytes(0x0028_0010, "US", &[0, 1]).bytes(0x7FE0_0010, "OW", &vec![7; n])
    }
}

/// What came out.
#[derive(Default, Debug, PartialEq, Eq, Clone)]
pub struct Log {
    /// `field kind value @issuer` by record.
    pub records: Vec<Vec<String>>,
    pub marks: Vec<Mark>,
    pub facts: ServiceFacts,
    pub given_up: Vec<Reason>,
    pub skipped: u64,
    pub memory: usize,
}

/// Reads `parts` in pieces of `size` bytes, leaving out what is not wanted.
pub fn read_parts(format: &dyn Format, media: Media<'_>, parts: &[Part<'_>], size: usize) -> Log {
    let reading = read_document(format.open(&media).as_mut(), "C-STORE", parts, size);
    Log {
        records: reading.records.records,
        marks: reading.records.marks,
        facts: reading.facts,
        given_up: reading.counters.given_up.iter().map(|(r, _)| *r).collect(),
        skipped: reading.counters.skipped_bytes,
        memory: reading.memory,
    }
}

pub fn read(syntax: &str, query: bool, bytes: &[u8], size: usize) -> Log {
    let media = Media::DicomDataSet { transfer_syntax: syntax, query };
    read_parts(&DataSet, media, &[Part::Bytes(bytes)], size)
}

pub fn read_file(bytes: &[u8], size: usize) -> Log {
    let media = Media::Type { content_type: "application/octet-stream", name: "" };
    assert!(Part10.probe(&media, &bytes[..bytes.len().min(512)], Extent::Whole), "not recognised");
    read_parts(&Part10, media, &[Part::Bytes(bytes)], size)
}

/// Reads a data set with a document inside, which is long.
pub fn read_documents(bytes: &[u8], size: usize) -> Log {
    read(EXPLICIT, false, bytes, size)
}

/// Reads in pieces of every size; all must give the same.
pub fn read_all(syntax: &str, bytes: &[u8]) -> Log {
    let whole = read(syntax, false, bytes, usize::MAX);
    for size in 1..bytes.len().min(600) {
        let mut log = read(syntax, false, bytes, size);
        log.memory = whole.memory;
        assert_eq!(log, whole, "in pieces of {size}");
    }
    whole
}
