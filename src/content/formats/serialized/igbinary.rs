//! What the extension igbinary of PHP writes instead of `serialize`, mostly for caches and sessions.

use super::binary::{Input, is_name};
use super::graph::typed;
use super::{MAX_DEPTH, map_or_list, text};
use serde_json::Value;

/// Bytes of the version in front of a value.
const VERSION: usize = 4;

/// Whether an array or an object with a name begins here.
pub(super) fn begins(head: &[u8]) -> bool {
    let named = |rest: &[u8]| match rest {
        [len, rest @ ..] => {
            rest.get(..usize::from(*len)).is_some_and(|name| *len > 0 && is_name(name))
        }
        [] => false,
    };
    match head {
        [0, 0, 0, 1 | 2, 0x14, _, 0x11, rest @ ..] => named(rest),
        [0, 0, 0, 1 | 2, 0x14, _, 0x06, 0, 0x14 | 0x17, ..] => true,
        [0, 0, 0, 1 | 2, 0x15, _, _, 0x06, 0, 0x14 | 0x17, ..] => true,
        [0, 0, 0, 1 | 2, 0x17, rest @ ..] => named(rest),
        _ => false,
    }
}

/// The value that the bytes are.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut input = Input::new(bytes);
    input.take(VERSION)?;
    let mut reader = Reader { input, texts: Vec::new(), room: super::MAX_BYTES };
    let value = reader.value(0, true)?;
    reader.input.is_empty().then_some(value)
}

struct Reader<'a> {
    input: Input<'a>,
    /// Texts that may be referred to.
    texts: Vec<&'a [u8]>,
    /// Bytes of texts that may still be repeated.
    room: usize,
}

impl<'a> Reader<'a> {
    fn length(&mut self, bytes: usize) -> Option<usize> {
        usize::try_from(self.input.big(bytes)?).ok()
    }

    /// A text that is written here.
    fn text(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let len = self.length(bytes)?;
        let text = self.input.take(len)?;
        self.texts.push(text);
        Some(text)
    }

    /// A text that was written before.
    fn known(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let at = self.length(bytes)?;
        let text = *self.texts.get(at)?;
        self.room = self.room.checked_sub(text.len())?;
        Some(text)
    }

    /// The next value. `alone`: no name belongs to it.
    fn value(&mut self, depth: usize, alone: bool) -> Option<Value> {
        self.input.count(depth)?;
        let code = self.input.byte()?;
        // Codes come in groups of three: with numbers of one, two and four bytes.
        let wide = |first: u8| 1_usize << (code - first);
        Some(match code {
            0x00 => Value::Null,
            // References to arrays and objects.
            0x01..=0x03 => {
                self.input.take(wide(0x01))?;
                Value::Null
            }
            0x22..=0x24 => {
                self.input.take(wide(0x22))?;
                Value::Null
            }
            0x04 | 0x05 => Value::Bool(code == 0x05),
            0x06..=0x0b => {
                let number = self.input.big(1 << ((code - 0x06) / 2))?.cast_signed();
                Value::from(if code % 2 == 0 { number } else { -number })
            }
            0x20 | 0x21 => {
                let number = self.input.big(8)?.cast_signed();
                Value::from(if code == 0x20 { number } else { number.checked_neg()? })
            }
            0x0c => {
                let number = f64::from_bits(self.input.big(8)?);
                serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            0x0d => Value::String(String::new()),
            0x0e..=0x10 => text(self.known(wide(0x0e))?),
            0x11..=0x13 => text(self.text(wide(0x11))?),
            0x14..=0x16 => self.array(wide(0x14), depth)?,
            0x17..=0x1c => {
                let class = match code {
                    0x17..=0x19 => self.text(wide(0x17))?,
                    _ => self.known(wide(0x1a))?,
                };
                let code = self.input.byte()?;
                match code {
                    0x14..=0x16 => {
                        let members = self.array(1 << (code - 0x14), depth)?;
                        if alone {
                            typed(&String::from_utf8_lossy(class), members)
                        } else {
                            members
                        }
                    }
                    // What the class wrote itself.
                    0x1d..=0x1f => {
                        let len = self.length(1 << (code - 0x1d))?;
                        self.input.take(len)?;
                        Value::Null
                    }
                    _ => return None,
                }
            }
            0x25 => self.value(depth + 1, alone)?,
            _ => return None,
        })
    }

    fn array(&mut self, bytes: usize, depth: usize) -> Option<Value> {
        let count = self.length(bytes)?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            let key = self.value(depth.max(MAX_DEPTH - 1), false)?;
            let value = self.value(depth + 1, key.is_number())?;
            pairs.push((key, value));
        }
        Some(map_or_list(pairs))
    }
}
