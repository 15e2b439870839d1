//! ZIP archives (PKWARE APPNOTE 6.3), and the office documents that use them: Office Open XML (ISO/IEC 29500)
//! and OpenDocument (ISO/IEC 26300). Each member is a payload of its own.

mod archive;
mod header;
mod member;
mod office;
mod prose;
mod workbook;

use crate::content::stack::media;
use crate::content::{Document, Extent, Format, Media};
use archive::Archive;

/// An archive of any kind.
pub struct Zip;

/// An office document: shown by the media type, the name or the first member.
pub struct OfficeFile {
    layer: &'static str,
    /// In the media type (`application/vnd.openxmlformats-officedocument.wordprocessingml.document`).
    word: &'static str,
    suffixes: &'static [&'static str],
}

/// Word processing, Office Open XML.
pub static DOCX: OfficeFile = OfficeFile {
    layer: "docx",
    word: "wordprocessingml",
    suffixes: &["docx", "docm", "dotx", "dotm"],
};

/// Spreadsheets, Office Open XML.
pub static XLSX: OfficeFile =
    OfficeFile { layer: "xlsx", word: "spreadsheetml", suffixes: &["xlsx", "xlsm", "xltx"] };

/// Presentations, Office Open XML.
pub static PPTX: OfficeFile =
    OfficeFile { layer: "pptx", word: "presentationml", suffixes: &["pptx", "pptm", "ppsx"] };

/// Word processing, OpenDocument.
pub static ODT: OfficeFile =
    OfficeFile { layer: "odt", word: "opendocument.text", suffixes: &["odt", "ott"] };

/// Spreadsheets, OpenDocument.
pub static ODS: OfficeFile =
    OfficeFile { layer: "ods", word: "opendocument.spreadsheet", suffixes: &["ods", "ots"] };

/// Whether `head` starts an archive: a member, or the marker of one that was split (8.5.4).
fn is_archive(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"PK00").or(head.strip_prefix(b"PK\x07\x08")).unwrap_or(head);
    head.starts_with(b"PK\x03\x04")
}

impl Format for Zip {
    fn name(&self) -> &'static str {
        "zip"
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        is_archive(head)
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Archive::new("zip", media::path(media)))
    }
}

impl Format for OfficeFile {
    fn name(&self) -> &'static str {
        self.layer
    }
    fn first(&self) -> &'static [u8] {
        b"P"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        if !is_archive(head) {
            return false;
        }
        let suffix = media::suffix(media);
        // OpenDocument has its media type in the first member, stored (ISO/IEC 26300-3 3.3).
        let first = head.get(header::FIXED..header::FIXED + 64).unwrap_or_default();
        let mimetype = first.starts_with(b"mimetype")
            && memchr::memmem::find(first, self.word.as_bytes()).is_some();
        let part = [&b"word/"[..], b"xl/", b"ppt/"].into_iter().find(|p| first.starts_with(p));
        let directory = match self.layer {
            "docx" => part == Some(b"word/"),
            "xlsx" => part == Some(b"xl/"),
            "pptx" => part == Some(b"ppt/"),
            _ => false,
        };
        mimetype
            || directory
            || media::essence(media).contains(self.word)
            || self.suffixes.iter().any(|s| s.eq_ignore_ascii_case(suffix))
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Archive::new(self.layer, media::path(media)))
    }
}

#[cfg(test)]
mod tests;
