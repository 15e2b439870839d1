//! Writes MessagePack (the specification on msgpack.org) as JSON.

use super::super::json;
use crate::syntax::Match;
use std::io::Write as _;

/// Levels of nested values that are followed.
const MAX_DEPTH: usize = 32;

/// The head of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(u64),
    Single(u32),
    /// Text of this many bytes, which follow.
    Text(usize),
    Binary(usize),
    /// An extension type; this many bytes follow.
    Extension(i8, usize),
    /// This many values follow.
    Array(usize),
    /// This many names with values follow.
    Map(usize),
}

impl Head {
    /// The head at the front of `data`, and its length.
    pub fn read(data: &[u8]) -> Match<(Self, usize)> {
        let Some((&first, rest)) = data.split_first() else { return Match::More };
        let number = |len: usize| {
            let bytes = rest.get(..len)?;
            Some(bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)))
        };
        let head = |len: usize, of: &dyn Fn(u64) -> Self| match number(len) {
            Some(n) => Match::Yes((of(n), 1 + len)),
            None => Match::More,
        };
        let length = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let signed = |n: u64, len: u32| ((n << (64 - 8 * len)) as i64) >> (64 - 8 * len);
        let extension = |len: usize| match rest.first() {
            Some(kind) => Match::Yes((Self::Extension(*kind as i8, len), 2)),
            None => Match::More,
        };
        let counted = |size: usize| match (number(size), rest.get(size)) {
            (Some(len), Some(kind)) => {
                Match::Yes((Self::Extension(*kind as i8, length(len)), 2 + size))
            }
            _ => Match::More,
        };
        let fixed = |head: Self| Match::Yes((head, 1));
        match first {
            0..=0x7f => fixed(Self::Unsigned(first.into())),
            0x80..=0x8f => fixed(Self::Map(usize::from(first & 0x0f))),
            0x90..=0x9f => fixed(Self::Array(usize::from(first & 0x0f))),
            0xa0..=0xbf => fixed(Self::Text(usize::from(first & 0x1f))),
            0xc0 => fixed(Self::Nil),
            0xc1 => Match::No,
            0xc2 | 0xc3 => fixed(Self::Bool(first == 0xc3)),
            0xc4..=0xc6 => head(1 << (first - 0xc4), &|n| Self::Binary(length(n))),
            0xc7..=0xc9 => counted(1 << (first - 0xc7)),
            0xca => head(4, &|n| Self::Single(n as u32)),
            0xcb => head(8, &Self::Float),
            0xcc..=0xcf => head(1 << (first - 0xcc), &Self::Unsigned),
            0xd0..=0xd3 => {
                let len = 1u32 << (first - 0xd0);
                head(len as usize, &|n| Self::Signed(signed(n, len)))
            }
            0xd4..=0xd8 => extension(1 << (first - 0xd4)),
            0xd9..=0xdb => head(1 << (first - 0xd9), &|n| Self::Text(length(n))),
            0xdc | 0xdd => head(2 << (first - 0xdc), &|n| Self::Array(length(n))),
            0xde | 0xdf => head(2 << (first - 0xde), &|n| Self::Map(length(n))),
            0xe0..=0xff => fixed(Self::Signed((first as i8).into())),
        }
    }

    /// Bytes behind the head that belong to the value.
    const fn body(self) -> usize {
        match self {
            Self::Text(len) | Self::Binary(len) | Self::Extension(_, len) => len,
            _ => 0,
        }
    }
}

/// Length of the value at the front of `data`; if it is incomplete, its least length.
pub fn size(data: &[u8]) -> Result<usize, Option<usize>> {
    let (mut at, mut left) = (0usize, 1usize);
    while left > 0 {
        let missing = || at.saturating_add(left).max(data.len() + 1);
        let (head, len) = match Head::read(data.get(at..).unwrap_or_default()) {
            Match::Yes(found) => found,
            Match::More => return Err(Some(missing())),
            Match::No => return Err(None),
        };
        left -= 1;
        at = at.saturating_add(len).saturating_add(head.body());
        left = left.saturating_add(match head {
            Head::Array(count) => count,
            Head::Map(count) => count.saturating_mul(2),
            _ => 0,
        });
        if at > data.len() {
            return Err(Some(at.saturating_add(left)));
        }
    }
    Ok(at)
}

/// Writes the value at the front of `data`, and returns its length. `None` if it is cut or malformed: brackets are
/// then closed, and what was written stays.
pub fn write(data: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    nested(data, 0, out)
}

fn nested(data: &[u8], depth: usize, out: &mut Vec<u8>) -> Option<usize> {
    let Match::Yes((head, mut at)) = Head::read(data) else {
        out.extend_from_slice(b"null");
        return None;
    };
    match head {
        Head::Map(count) => {
            out.push(b'{');
            let whole = depth < MAX_DEPTH && (0..count).all(|_| member(data, &mut at, depth, out));
            out.push(b'}');
            whole.then_some(at)
        }
        Head::Array(count) => {
            out.push(b'[');
            let whole = depth < MAX_DEPTH
                && (0..count).all(|_| {
                    json::comma(out);
                    match nested(data.get(at..).unwrap_or_default(), depth + 1, out) {
                        Some(len) => {
                            at += len;
                            true
                        }
                        None => false,
                    }
                });
            out.push(b']');
            whole.then_some(at)
        }
        _ => {
            let body = data.get(at..at.checked_add(head.body())?);
            scalar(head, body.unwrap_or_default(), out);
            body.map(|body| at + body.len())
        }
    }
}

/// Writes a name and its value. Returns whether both were complete.
fn member(data: &[u8], at: &mut usize, depth: usize, out: &mut Vec<u8>) -> bool {
    let rest = data.get(*at..).unwrap_or_default();
    let Match::Yes((head, len)) = Head::read(rest) else { return false };
    let name = match head {
        Head::Text(_) | Head::Binary(_) => rest.get(len..len.saturating_add(head.body())),
        // Names of other types are rare and do not describe their values.
        Head::Array(_) | Head::Map(_) => None,
        _ => Some(&b"_"[..]),
    };
    let Some(name) = name else { return false };
    json::name(name, out);
    *at = at.saturating_add(len).saturating_add(head.body());
    match nested(data.get(*at..).unwrap_or_default(), depth + 1, out) {
        Some(len) => {
            *at += len;
            true
        }
        None => false,
    }
}

fn scalar(head: Head, body: &[u8], out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = match head {
        Head::Bool(value) => write!(out, "{value}"),
        Head::Unsigned(value) => write!(out, "{value}"),
        Head::Signed(value) => write!(out, "{value}"),
        Head::Single(bits) if f32::from_bits(bits).is_finite() => {
            write!(out, "{}", f32::from_bits(bits))
        }
        Head::Float(bits) if f64::from_bits(bits).is_finite() => {
            write!(out, "{}", f64::from_bits(bits))
        }
        Head::Text(_) | Head::Binary(_) if std::str::from_utf8(body).is_ok() => {
            json::string(body.get(..json::MAX_VALUE).unwrap_or(body), out);
            Ok(())
        }
        Head::Text(_) => {
            json::string(body.get(..json::MAX_VALUE).unwrap_or(body), out);
            Ok(())
        }
        _ => write!(out, "null"),
    };
}
