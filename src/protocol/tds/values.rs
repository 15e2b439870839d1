//! Types and their values (MS-TDS 2.2.5.4 to 2.2.5.6).

use super::super::sql::fields::{little, signed};
use super::super::sql::{Fields, write_day};
use std::io::Write as _;

/// Longest value that is read, bytes; of a longer one the beginning.
const MAX_VALUE: usize = 64 << 10;
/// Days from 0001-01-01 to 1900-01-01, from which `datetime` counts.
const TO_1900: i64 = 693_595;
/// Days from 0001-01-01 to 1970-01-01.
const TO_1970: i64 = 719_162;

impl Fields<'_> {
    /// A text whose length in characters takes `width` bytes.
    pub fn text(&mut self, width: usize) -> Option<Vec<u8>> {
        let len = usize::try_from(self.number(width)?).ok()?;
        Some(utf16(self.bytes(len.checked_mul(2)?)?))
    }
}

/// UTF-16 in little-endian order as UTF-8.
pub fn utf16(bytes: &[u8]) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect::<String>()
        .into_bytes()
}

/// The parts of a type that its values depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    code: u8,
    length: Length,
    /// Scale of decimal numbers and of times.
    scale: u8,
}

/// Encoding of a value's length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Fixed(usize),
    Byte,
    Short,
    /// Behind a text pointer.
    Pointer,
    Long,
    /// In chunks (PLP).
    Chunks,
}

impl Kind {
    /// Reads TYPE_INFO. `None` if the type is not supported.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let code = fields.number(1)? as u8;
        let mut scale = 0;
        let length = match code {
            0x1F => Length::Fixed(0),
            0x30 | 0x32 => Length::Fixed(1),
            0x34 => Length::Fixed(2),
            0x38 | 0x3A | 0x3B | 0x7A => Length::Fixed(4),
            0x3C | 0x3D | 0x3E | 0x7F => Length::Fixed(8),
            0x24 | 0x26 | 0x68 | 0x6D | 0x6E | 0x6F | 0x25 | 0x27 | 0x2D | 0x2F => {
                fields.number(1)?;
                Length::Byte
            }
            0x28 => Length::Byte,
            0x29..=0x2B => {
                scale = fields.number(1)? as u8;
                Length::Byte
            }
            0x37 | 0x3F | 0x6A | 0x6C => {
                fields.number(2)?;
                scale = fields.number(1)? as u8;
                Length::Byte
            }
            0xA7 | 0xAF | 0xE7 | 0xEF => {
                let longest = fields.number(2)?;
                // Collation.
                fields.bytes(5)?;
                if longest == 0xFFFF { Length::Chunks } else { Length::Short }
            }
            0xA5 | 0xAD => {
                let longest = fields.number(2)?;
                if longest == 0xFFFF { Length::Chunks } else { Length::Short }
            }
            0x23 | 0x63 => {
                fields.bytes(4 + 5)?;
                Length::Pointer
            }
            0x22 => {
                fields.bytes(4)?;
                Length::Pointer
            }
            0x62 => {
                fields.bytes(4)?;
                Length::Long
            }
            // XML: whether it names a schema.
            0xF1 => {
                if fields.number(1)? == 1 {
                    fields.text(1)?;
                    fields.text(1)?;
                    fields.text(2)?;
                }
                Length::Chunks
            }
            _ => return None,
        };
        Some(Self { code, length, scale })
    }

    /// Whether the table name follows a column of this type.
    pub const fn names_table(self) -> bool {
        matches!(self.length, Length::Pointer)
    }

    /// The next value of this type as text; an empty one for NULL and for binary values. `None` if it is cut.
    pub fn value(self, fields: &mut Fields<'_>, text: &mut Vec<u8>) -> Option<()> {
        let mut chunks = Vec::new();
        let bytes = match self.length {
            Length::Fixed(len) => fields.bytes(len)?,
            Length::Byte => {
                let len = fields.number(1)? as usize;
                fields.bytes(len)?
            }
            Length::Short => match fields.number(2)? {
                0xFFFF => return Some(()),
                len => fields.bytes(len as usize)?,
            },
            Length::Long => {
                let len = usize::try_from(fields.number(4)?).ok()?;
                fields.bytes(len)?
            }
            Length::Pointer => {
                let pointer = fields.number(1)? as usize;
                if pointer == 0 {
                    return Some(());
                }
                // Time stamp.
                fields.bytes(pointer.checked_add(8)?)?;
                let len = usize::try_from(fields.number(4)?).ok()?;
                fields.bytes(len)?
            }
            Length::Chunks => {
                if fields.number(8)? == u64::MAX {
                    return Some(());
                }
                loop {
                    let len = usize::try_from(fields.number(4)?).ok()?;
                    if len == 0 {
                        break &chunks;
                    }
                    let chunk = fields.bytes(len)?;
                    let room = MAX_VALUE.saturating_sub(chunks.len());
                    chunks.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
                }
            }
        };
        self.write(bytes.get(..MAX_VALUE).unwrap_or(bytes), text);
        Some(())
    }

    fn write(self, bytes: &[u8], text: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let number = little(bytes);
        // One byte is unsigned (tinyint).
        let signed = if bytes.len() == 1 { number as i64 } else { signed(bytes) };
        // Writing to memory does not fail.
        let _ = match self.code {
            0x30 | 0x32 | 0x34 | 0x38 | 0x7F | 0x26 | 0x68 => write!(text, "{signed}"),
            0x3B | 0x3E | 0x6D => match bytes.len() {
                4 => write!(text, "{}", f32::from_bits(number as u32)),
                _ => write!(text, "{}", f64::from_bits(number)),
            },
            0x3A => date(text, i64::from(number as u16) + TO_1900),
            0x3D | 0x6F => {
                let days = match bytes.len() {
                    4 => i64::from(number as u16),
                    _ => i64::from(number as u32 as i32),
                };
                date(text, days + TO_1900)
            }
            0x28 => date(text, number as i64),
            // A time, then days; with an offset, two more bytes.
            0x2A | 0x2B => {
                let time = match self.scale {
                    0..=2 => 3,
                    3 | 4 => 4,
                    _ => 5,
                };
                match bytes.get(time..time + 3) {
                    Some(days) => date(text, little(days) as i64),
                    None => Ok(()),
                }
            }
            0x37 | 0x3F | 0x6A | 0x6C => {
                let digits = bytes.get(1..).map_or(0, little);
                let sign = if bytes.first() == Some(&0) { "-" } else { "" };
                let divisor = 10u64.saturating_pow(u32::from(self.scale));
                match digits % divisor {
                    0 => write!(text, "{sign}{}", digits / divisor),
                    rest => write!(
                        text,
                        "{sign}{}.{rest:0width$}",
                        digits / divisor,
                        width = self.scale as usize
                    ),
                }
            }
            0xE7 | 0xEF | 0x63 | 0xF1 => {
                text.extend_from_slice(&utf16(bytes));
                Ok(())
            }
            // Text with one byte per character; the reader of tables detects its character set.
            0xA7 | 0xAF | 0x27 | 0x2F | 0x23 => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            0x24 => {
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
                Ok(())
            }
            _ => Ok(()),
        };
    }
}

/// A day, counted from 0001-01-01.
fn date(text: &mut Vec<u8>, days: i64) -> std::io::Result<()> {
    write_day(days.saturating_sub(TO_1970), text);
    Ok(())
}
