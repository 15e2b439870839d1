//! Character sets of xDT, by fields 9106 and 9206 (KBV LDT 9.1; QMS GDT 2.1, 6.1).

use crate::content::stack::charset::cp437;
use encoding_rs::{ISO_8859_15, WINDOWS_1252};
use std::borrow::Cow;

/// Letters with marks in code page 437 that German names have: ü é ä Ä É ö Ö Ü á ß and some more.
const GERMAN: &[u8] =
    &[0x81, 0x82, 0x84, 0x8A, 0x8E, 0x90, 0x94, 0x99, 0x9A, 0xA0, 0xE1, 0x85, 0x87, 0x93];

/// Encoding of the text of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Charset {
    /// Nothing was declared yet.
    #[default]
    Undeclared,
    /// 7 bits: DIN 66003, in which `[` is `Ä`.
    SevenBit,
    /// Code page 437.
    Ibm,
    /// ISO 8859-1.
    Latin1,
    /// ISO 8859-15.
    Latin9,
    /// UTF-8.
    Utf8,
}

impl Charset {
    /// By the code in the field.
    pub fn declared(code: &[u8]) -> Option<Self> {
        Some(match code.trim_ascii() {
            b"1" => Self::SevenBit,
            b"2" => Self::Ibm,
            b"3" => Self::Latin1,
            b"4" => Self::Latin9,
            b"5" | b"UTF-8" | b"utf-8" | b"UTF8" => Self::Utf8,
            _ => return None,
        })
    }

    /// Text in UTF-8. Valid UTF-8 beyond ASCII is taken as such, whatever was declared.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) if self != Self::SevenBit || !text.is_ascii() => return Cow::Borrowed(text),
            Ok(text) => {
                return match text.contains(['[', '\\', ']', '{', '|', '}', '~']) {
                    true => Cow::Owned(text.chars().map(din_66003).collect()),
                    false => Cow::Borrowed(text),
                };
            }
            Err(_) => {}
        }
        match self {
            Self::Ibm => Cow::Owned(bytes.iter().map(|b| cp437(*b)).collect()),
            Self::Latin9 => ISO_8859_15.decode_without_bom_handling(bytes).0,
            Self::Latin1 | Self::Utf8 => WINDOWS_1252.decode_without_bom_handling(bytes).0,
            Self::Undeclared | Self::SevenBit => {
                let mut high = bytes.iter().filter(|b| !b.is_ascii());
                if high.all(|b| GERMAN.contains(b)) {
                    return Self::Ibm.decode(bytes);
                }
                WINDOWS_1252.decode_without_bom_handling(bytes).0
            }
        }
    }
}

const fn din_66003(c: char) -> char {
    match c {
        '[' => 'Ä',
        '\\' => 'Ö',
        ']' => 'Ü',
        '{' => 'ä',
        '|' => 'ö',
        '}' => 'ü',
        '~' => 'ß',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_charset_is_decoded() {
        let of = |code: &[u8], bytes| Charset::declared(code).unwrap_or_default().decode(bytes);
        assert_eq!(of(b"1", b"M}ller [rger Gro~"), "Müller Ärger Groß");
        assert_eq!(of(b"2", b"M\x81ller \x8Erger Gro\xE1"), "Müller Ärger Groß");
        assert_eq!(of(b"3", b"M\xFCller \xC4rger Gro\xDF"), "Müller Ärger Groß");
        assert_eq!(of(b"4", b"M\xFCller \xA4"), "Müller €");
        assert_eq!(of(b"5", "Müller".as_bytes()), "Müller");
        // What is declared and what is sent are two things.
        assert_eq!(of(b"2", "Müller".as_bytes()), "Müller");
        assert_eq!(of(b"", b"M\x81ller"), "Müller");
        assert_eq!(of(b"", b"M\xFCller"), "Müller");
        assert_eq!(of(b"", b"[x]"), "[x]");
        assert_eq!(of(b"1", b"M\xFCller"), "Müller");
    }
}
