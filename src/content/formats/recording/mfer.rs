//! MFER (ISO 22077-1): consecutive values with a tag and a length.

use super::{Read, Values};
use encoding_rs::{Encoding, SHIFT_JIS, WINDOWS_1252};

/// Byte order of the values (5.3.1), character set (5.3.3), and the end of the file (5.3.5).
const BYTE_ORDER: u8 = 0x01;
const CHARSET: u8 = 0x03;
const END: u8 = 0x80;
/// An attribute of a channel: its number is between tag and length.
const CHANNEL: u8 = 0x3f;
/// Patient: name, id, age and birth, sex (ISO 22077-1 annex).
const NAME: u8 = 0x81;
const ID: u8 = 0x82;
const AGE: u8 = 0x83;
const SEX: u8 = 0x84;

pub(super) fn read(head: &[u8], values: &mut Values) -> Read {
    let (mut at, mut little, mut charset) = (0, false, WINDOWS_1252);
    loop {
        let Some(tag) = head.get(at).copied() else { return Read::Need(at + 2) };
        if tag == END {
            return Read::Done;
        }
        let length = at + 1 + usize::from(tag == CHANNEL);
        let Some(first) = head.get(length).copied() else { return Read::Need(length + 1) };
        // One byte, or the number of length bytes that follow.
        let (len, value) = if first < 0x80 {
            (usize::from(first), length + 1)
        } else {
            let bytes = usize::from(first & 0x7f);
            // A length that is indefinite, or too large for a header.
            if !(1..=4).contains(&bytes) {
                return Read::Done;
            }
            let Some(written) = head.get(length + 1..length + 1 + bytes) else {
                return Read::Need(length + 1 + bytes);
            };
            (written.iter().fold(0, |n, b| n << 8 | usize::from(*b)), length + 1 + bytes)
        };
        let end = value.saturating_add(len);
        let Some(bytes) = head.get(value..end) else {
            // Signals follow the names.
            return if end > super::MAX_HEAD { Read::Done } else { Read::Need(end) };
        };
        match tag {
            BYTE_ORDER => little = bytes.first() == Some(&1),
            CHARSET => charset = named(bytes),
            NAME => values.text("81", bytes, charset),
            ID => values.text("82", bytes, charset),
            AGE => {
                // Years, days, and then the date of birth.
                if let [_, _, _, a, b, month, day, ..] = *bytes {
                    let year = if little {
                        u16::from_le_bytes([a, b])
                    } else {
                        u16::from_be_bytes([a, b])
                    };
                    values.date("83", year, u16::from(month), u16::from(day));
                }
            }
            SEX => values.sex("84", bytes.first().copied().unwrap_or_default().into()),
            _ => {}
        }
        at = end;
    }
}

/// Character set by its name (`ASCII`, `SJIS`, `UTF-8`, `GB18030`).
fn named(name: &[u8]) -> &'static Encoding {
    let end = memchr::memchr(0, name).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default().trim_ascii();
    match name {
        b"SJIS" | b"JIS" => SHIFT_JIS,
        _ => Encoding::for_label(name).unwrap_or(WINDOWS_1252),
    }
}
