//! The type system (AMQP 1.0 part 1): values, lists of fields, and values as JSON.

use super::super::json;
use std::io::Write as _;

/// Levels of nested values that are followed.
const MAX_DEPTH: usize = 16;

/// A value: its constructor and its bytes. Those of lists and maps begin with the count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    pub code: u8,
    pub bytes: &'a [u8],
}

/// The value at the front of `data`, and the bytes behind it. Its descriptor is passed over.
pub fn value(data: &[u8]) -> Option<(Value<'_>, &[u8])> {
    described(data).map(|(_, value, rest)| (value, rest))
}

/// The same with its numeric descriptor (1.2.1).
pub fn described(mut data: &[u8]) -> Option<(Option<u64>, Value<'_>, &[u8])> {
    let mut descriptor = None;
    for _ in 0..MAX_DEPTH {
        let (&code, rest) = data.split_first()?;
        if code != 0 {
            let (value, rest) = plain(code, rest)?;
            return Some((descriptor, value, rest));
        }
        let (&code, rest) = rest.split_first()?;
        let (number, rest) = plain(code, rest)?;
        descriptor = number.number();
        data = rest;
    }
    None
}

fn plain(code: u8, data: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (len, rest) = match code >> 4 {
        4 => (0, data),
        width @ 5..=9 => (1 << (width - 5), data),
        0xa | 0xc | 0xe => {
            let (len, rest) = data.split_first()?;
            (usize::from(*len), rest)
        }
        0xb | 0xd | 0xf => {
            let (len, rest) = data.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*len) as usize, rest)
        }
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(len)?;
    Some((Value { code, bytes }, rest))
}

impl<'a> Value<'a> {
    /// An unsigned number; a boolean counts as one.
    pub fn number(self) -> Option<u64> {
        match self.code {
            0x41 => Some(1),
            0x42..=0x44 => Some(0),
            0x50 | 0x52 | 0x53 | 0x56 | 0x60 | 0x70 | 0x80 => {
                Some(self.bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
            }
            _ => None,
        }
    }

    /// Text: a string, a symbol or bytes.
    pub const fn text(self) -> Option<&'a [u8]> {
        match self.code {
            0xa0 | 0xa1 | 0xa3 | 0xb0 | 0xb1 | 0xb3 => Some(self.bytes),
            _ => None,
        }
    }

    pub const fn is_binary(self) -> bool {
        matches!(self.code, 0xa0 | 0xb0)
    }

    /// Elements of a list or a map.
    pub fn elements(self) -> Elements<'a> {
        let skip = match self.code {
            0xc0 | 0xc1 => 1,
            0xd0 | 0xd1 => 4,
            _ => return Elements(&[]),
        };
        Elements(self.bytes.get(skip..).unwrap_or_default())
    }
}

/// The values of a list; of a map alternately names and values.
pub struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = value(self.0)?;
        self.0 = rest;
        Some(value)
    }
}

/// Writes a value as JSON. Other types than texts, numbers and booleans become `null`.
pub fn write(value: Value<'_>, depth: usize, out: &mut Vec<u8>) {
    let signed = || {
        let sign = if value.bytes.first().is_some_and(|b| b & 0x80 != 0) { -1 } else { 0 };
        value.bytes.iter().fold(sign, |n: i64, b| n << 8 | i64::from(*b))
    };
    match value.code {
        0x41 | 0x42 | 0x56 => {
            let yes = value.number() == Some(1);
            out.extend_from_slice(if yes { b"true" } else { b"false" });
        }
        0xa1 | 0xa3 | 0xb1 | 0xb3 => {
            json::string(value.bytes.get(..json::MAX_VALUE).unwrap_or(value.bytes), out);
        }
        // Writing to memory does not fail.
        0x51 | 0x54 | 0x55 | 0x61 | 0x71 | 0x81 => drop(write!(out, "{}", signed())),
        0x82 => {
            let number = value.bytes.first_chunk::<8>().map_or(0.0, |b| f64::from_be_bytes(*b));
            match number.is_finite() {
                true => drop(write!(out, "{number}")),
                false => out.extend_from_slice(b"null"),
            }
        }
        0x45 | 0xc0 | 0xd0 => {
            out.push(b'[');
            for element in value.elements().filter(|_| depth < MAX_DEPTH) {
                json::comma(out);
                write(element, depth + 1, out);
            }
            out.push(b']');
        }
        0xc1 | 0xd1 => {
            out.push(b'{');
            let mut elements = value.elements().filter(|_| depth < MAX_DEPTH);
            while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
                json::name(name.text().unwrap_or(b"_"), out);
                write(value, depth + 1, out);
            }
            out.push(b'}');
        }
        _ => match value.number() {
            Some(number) => drop(write!(out, "{number}")),
            None => out.extend_from_slice(b"null"),
        },
    }
}
