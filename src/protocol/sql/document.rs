//! Values that are documents themselves: resources in JSON, messages, letters, files.

use super::super::content_writer::ContentWriter;
use super::super::{ContentSink, Direction, Hint, Media};

/// Shortest value that may be a document, bytes.
const MIN_DOCUMENT: usize = 48;
/// Magic numbers of files.
const FILES: [&[u8]; 9] = [
    b"%PDF-",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"{\\rtf",
    b"\xd0\xcf\x11\xe0",
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"II*\0",
    b"MM\0*",
];

/// Whether a value is a document, judged by its beginning.
pub fn is_document(value: &[u8]) -> bool {
    if value.len() < MIN_DOCUMENT {
        return false;
    }
    let text = value.trim_ascii_start();
    let (first, second) = (text.first(), text.get(1..).unwrap_or_default().trim_ascii_start());
    match first {
        Some(b'{') => second.starts_with(b"\"") || value.starts_with(b"{\\rtf"),
        // Also a list of values that begins with a number.
        Some(b'[') => match second.first() {
            Some(b'{' | b'[' | b'"') => true,
            Some(b'0'..=b'9' | b'-' | b'n' | b't' | b'f') => {
                text.trim_ascii_end().ends_with(b"]") && second.contains(&b'"')
            }
            _ => false,
        },
        Some(b'<') => second.first().is_some_and(|b| b.is_ascii_alphabetic() || b"?!".contains(b)),
        Some(b'M') => text.starts_with(b"MSH|"),
        Some(b'B' | b'F') => text.starts_with(b"BHS|") || text.starts_with(b"FHS|"),
        _ => FILES.iter().any(|f| value.starts_with(f)) || value.get(128..132) == Some(b"DICM"),
    }
}

/// Passes on a document.
pub fn pass_on_document(
    value: &[u8],
    direction: Direction,
    operation: &str,
    layer: &'static str,
    sink: &mut dyn ContentSink,
) {
    let hint = Hint { direction, media: Media::Unknown, operation, codings: &[], layer };
    ContentWriter::whole(&hint, value, sink);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_known_by_their_beginning() {
        let long = |head: &[u8]| [head, &[b' '; MIN_DOCUMENT]].concat();
        for head in [
            &b"{\"resourceType\":"[..],
            b" [\n{",
            b"<?xml",
            b"<Patient ",
            b"MSH|^~\\&|",
            b"%PDF-1.4",
            b"PK\x03\x04",
            b"{\\rtf1",
        ] {
            assert!(is_document(&long(head)), "{head:?}");
        }
        for head in [&b"{a,b}"[..], b"[x]", b"< 5", b"Mueller", b"MSHA", b""] {
            assert!(!is_document(&long(head)), "{head:?}");
        }
        assert!(is_document(b"[7, \"H7700312\", \"Roe\", \"Jane\", \"1970-01-31\", \"555 0187\"]"));
        assert!(!is_document(b"{\"a\":1}"), "too short for a person");
    }
}
