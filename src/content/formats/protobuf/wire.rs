//! The wire format (<https://protobuf.dev/programming-guides/encoding>).

use crate::content::Extent;

/// Longest varint, bytes.
const MAX_VARINT: usize = 10;

/// A value of a field.
pub(super) enum Value<'a> {
    /// A varint or a fixed number.
    Number(u64),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

/// Why there is no next field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The field is incomplete: `front` bytes before its value of `len` bytes.
    Short { front: usize, len: u64 },
    /// It is no message.
    Malformed,
}

/// The fields of a message.
pub(super) struct Wire<'a> {
    rest: &'a [u8],
    len: usize,
    failed: bool,
}

impl<'a> Wire<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len(), failed: false }
    }

    /// Bytes read so far.
    pub(super) const fn taken(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Whether the bytes are fields only, at least one; the last one may be cut if more bytes follow.
    pub(super) fn all_fields(self, extent: Extent) -> bool {
        let mut any = false;
        for field in self {
            match field {
                Ok(_) => any = true,
                Err(Fault::Short { front, len }) => {
                    return extent == Extent::Beginning && (any || front > 0 || len > 0);
                }
                Err(Fault::Malformed) => return false,
            }
        }
        any
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Fault> {
        let start = self.rest;
        let front = |rest: &[u8]| start.len() - rest.len();
        let (key, rest) = varint(start)?;
        let number = u32::try_from(key >> 3).map_err(|_| Fault::Malformed)?;
        if number == 0 || number >= 1 << 29 {
            return Err(Fault::Malformed);
        }
        let len = match key & 7 {
            0 => {
                let (value, rest) = varint(rest)?;
                self.rest = rest;
                return Ok((number, Value::Number(value)));
            }
            1 => 8,
            5 => 4,
            2 => {
                let (len, rest) = varint(rest)?;
                let fits = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
                let Some((value, rest_)) = fits else {
                    return Err(Fault::Short { front: front(rest), len });
                };
                self.rest = rest_;
                return Ok((number, Value::Bytes(value)));
            }
            // Groups are deprecated.
            _ => return Err(Fault::Malformed),
        };
        let Some((value, rest_)) = rest.split_at_checked(len) else {
            return Err(Fault::Short { front: front(rest), len: len as u64 });
        };
        self.rest = rest_;
        let value = value.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        Ok((number, Value::Number(value)))
    }
}

impl<'a> Iterator for Wire<'a> {
    type Item = Result<(u32, Value<'a>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        self.failed = field.is_err();
        Some(field)
    }
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().enumerate() {
        if at >= MAX_VARINT {
            return Err(Fault::Malformed);
        }
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32).unwrap_or(0);
        if byte < 0x80 {
            return Ok((value, bytes.get(at + 1..).unwrap_or_default()));
        }
    }
    if bytes.len() >= MAX_VARINT {
        return Err(Fault::Malformed);
    }
    Err(Fault::Short { front: 0, len: 0 })
}
