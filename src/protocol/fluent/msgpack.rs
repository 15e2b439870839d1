//! Writes MessagePack (the specification on msgpack.org) as JSON.

use super::super::json;
use crate::syntax::Match;
use crate::syntax::msgpack::Head;
use std::io::Write as _;

/// Levels of nested values that are followed.
const MAX_DEPTH: usize = 32;

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
