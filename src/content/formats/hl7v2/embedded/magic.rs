//! Recognises undeclared documents by their beginning.

use crate::syntax::base64::digit as base64_digit;

/// Characters needed to recognise a beginning.
pub const HEAD: usize = 16;

/// Beginnings of the formats that are read in messages: PDF, RTF, ZIP (office documents), JPEG, PNG, TIFF, XML and
/// CDA, gzip, HL7 v2, and the preamble of DICOM files.
const BEGINNINGS: [&[u8]; 14] = [
    b"%PDF-",
    b"{\\rtf",
    b"PK\x03\x04",
    b"\xFF\xD8\xFF",
    b"\x89PNG",
    b"II*\0",
    b"MM\0*",
    b"<?xml ",
    b"\xEF\xBB\xBF<?xml",
    b"<ClinicalDocument",
    b"\x1F\x8B\x08",
    b"MSH|^~\\&",
    b"GIF8",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
];

/// How the beginning of a document is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextEncoding {
    /// Its beginning in base64.
    Base64,
    /// Its beginning in hexadecimal digits.
    Hex,
    /// No beginning: a further part of the previous document, in the same encoding.
    Further,
}

impl TextEncoding {
    /// By the first characters; `open`: a document may continue.
    pub fn of(head: &[u8], open: bool) -> Option<Self> {
        if decoded(head, base64_digit, 6).is_some_and(|d| begins(&d)) {
            return Some(Self::Base64);
        }
        if decoded(head, hex_digit, 4).is_some_and(|d| begins(&d)) {
            return Some(Self::Hex);
        }
        let encoded = |b: &u8| base64_digit(*b).is_some() || matches!(b, b'=' | b'\r' | b'\n');
        (open && head.len() >= 2 && head.iter().all(encoded)).then_some(Self::Further)
    }
}

/// Whether bytes are the beginning of a document; needs at least as many as a JPEG file.
pub fn begins(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|magic| {
        let len = bytes.len().min(magic.len());
        // Other values begin with zeros too.
        let enough = len == magic.len() || (len >= 8 && magic.first() != Some(&0));
        enough && bytes.get(..len) == magic.get(..len)
    })
}

/// The bytes of `digits`, if all of them are hexadecimal.
fn decoded(digits: &[u8], digit: fn(u8) -> Option<u8>, width: u32) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(HEAD);
    let (mut bits, mut held) = (0u32, 0);
    for &byte in digits {
        bits = (bits << width | u32::from(digit(byte)?)) & 0xFFFF;
        held += width;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    // Two or three letters are a word.
    (digits.len() >= 8).then_some(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_encoded_documents_are_known() {
        for head in [
            "JVBERi0xLjQKJeLj",
            "e1xydGYxXGFuc2kK",
            "UEsDBBQABgAIAAAA",
            "/9j/4AAQSkZJRgAB",
            "AAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(
                TextEncoding::of(head.as_bytes(), false),
                Some(TextEncoding::Base64),
                "{head}"
            );
        }
        for head in ["255044462D312E34", "7B5C727466315C61", "ffd8ffe000104a46"] {
            assert_eq!(TextEncoding::of(head.as_bytes(), true), Some(TextEncoding::Hex), "{head}");
        }
        for prose in [
            "The patient was ",
            "Normal",
            "20250101",
            "Hemoglobin13.4gg",
            "see report",
            "0000000000000000",
        ] {
            assert_eq!(TextEncoding::of(prose.as_bytes(), false), None, "{prose}");
        }
        assert_eq!(TextEncoding::of(b"Hemoglobin13.4gg", true), None);
        assert_eq!(TextEncoding::of(b"QkNERUZHSElKS0xN", true), Some(TextEncoding::Further));
    }
}
