//! BSON (bsonspec.org 1.1) as JSON.

use super::super::json;
use std::io::Write as _;

/// Levels of nested documents that are followed.
const MAX_DEPTH: usize = 32;

/// The rest of a document whose end is missing, or that is malformed; what was written stays.
pub struct Cut;

/// Writes the document at the front of `data` to `out`. Brackets are closed even if the document is cut.
pub fn document(data: &[u8], out: &mut Vec<u8>) -> Result<(), Cut> {
    nested(data, b"{}", 0, out)
}

/// The declared length of a document, if it is possible.
pub fn length(data: &[u8]) -> Option<usize> {
    let len = i32::from_le_bytes(*data.first_chunk::<4>()?);
    usize::try_from(len).ok().filter(|len| *len >= 5)
}

/// The first element of a document: its name and, where it is a string, its value.
pub fn first(data: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut rest = data.get(4..)?;
    let (kind, name) = head(&mut rest)?;
    let value = (kind == 2).then(|| string(&mut rest)).flatten();
    Some((name, value))
}

/// Type and name of the next element.
fn head<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&kind, tail) = rest.split_first()?;
    if kind == 0 {
        return None;
    }
    let end = memchr::memchr(0, tail)?;
    let name = tail.get(..end)?;
    *rest = tail.get(end + 1..)?;
    Some((kind, name))
}

/// A string: its length with the final zero, then the text.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(i32::from_le_bytes(*rest.first_chunk::<4>()?)).ok()?;
    let text = rest.get(4..4usize.checked_add(len.checked_sub(1)?)?)?;
    *rest = rest.get(4 + len..)?;
    Some(text)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(taken)
}

fn nested(data: &[u8], brackets: &[u8; 2], depth: usize, out: &mut Vec<u8>) -> Result<(), Cut> {
    let [open, close] = *brackets;
    out.push(open);
    let whole = length(data).filter(|_| depth < MAX_DEPTH).ok_or(Cut);
    let result = whole.and_then(|len| {
        let body = data.get(4..len - 1).or(data.get(4..)).unwrap_or_default();
        elements(body, open == b'[', depth, out)?;
        if data.len() < len { Err(Cut) } else { Ok(()) }
    });
    out.push(close);
    result
}

fn elements(mut rest: &[u8], array: bool, depth: usize, out: &mut Vec<u8>) -> Result<(), Cut> {
    while let Some((kind, name)) = head(&mut rest) {
        match array {
            true => json::comma(out),
            false => json::name(name, out),
        }
        match kind {
            3 | 4 => {
                let len = length(rest).unwrap_or(0);
                let inner = rest.get(..len).unwrap_or(rest);
                nested(inner, if kind == 4 { b"[]" } else { b"{}" }, depth + 1, out)?;
                rest = rest.get(len.max(5)..).ok_or(Cut)?;
            }
            _ => {
                if scalar(kind, &mut rest, out).is_none() {
                    out.extend_from_slice(b"null");
                    return Err(Cut);
                }
            }
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(Cut) }
}

/// Any value but documents and arrays. Types other than texts, numbers and dates become `null`.
fn scalar(kind: u8, rest: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
    // Writing to memory does not fail.
    let _ = match kind {
        // Double.
        1 => {
            let value = f64::from_le_bytes(*take(rest, 8)?.first_chunk::<8>()?);
            if !value.is_finite() {
                out.extend_from_slice(b"null");
                return Some(());
            }
            write!(out, "{value}")
        }
        // String, code, symbol.
        2 | 13 | 14 => {
            let text = string(rest)?;
            json::string(text.get(..json::MAX_VALUE).unwrap_or(text), out);
            Ok(())
        }
        // Binary: its length, its kind, bytes.
        5 => {
            let len = usize::try_from(i32::from_le_bytes(*rest.first_chunk::<4>()?)).ok()?;
            take(rest, len.checked_add(5)?)?;
            write!(out, "null")
        }
        // Object id.
        7 => {
            out.push(b'"');
            for byte in take(rest, 12)? {
                let _ = write!(out, "{byte:02x}");
            }
            write!(out, "\"")
        }
        8 => {
            let value = take(rest, 1)? == [1];
            write!(out, "{value}")
        }
        // Milliseconds since 1970.
        9 => {
            let millis = i64::from_le_bytes(*take(rest, 8)?.first_chunk::<8>()?);
            let moment = time::OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).ok();
            match moment {
                Some(m) => {
                    write!(out, "\"{:04}-{:02}-{:02}\"", m.year(), u8::from(m.month()), m.day())
                }
                None => write!(out, "null"),
            }
        }
        6 | 10 | 0x7F | 0xFF => write!(out, "null"),
        // Regular expression: pattern and options.
        11 => {
            for part in 0..2 {
                let end = memchr::memchr(0, rest)?;
                let text = take(rest, end + 1)?;
                if part == 0 {
                    let text = text.strip_suffix(&[0]).unwrap_or(text);
                    json::string(text.strip_prefix(b"^").unwrap_or(text), out);
                }
            }
            Ok(())
        }
        16 => write!(out, "{}", i32::from_le_bytes(*take(rest, 4)?.first_chunk::<4>()?)),
        18 => write!(out, "{}", i64::from_le_bytes(*take(rest, 8)?.first_chunk::<8>()?)),
        17 => {
            take(rest, 8)?;
            write!(out, "null")
        }
        19 => {
            take(rest, 16)?;
            write!(out, "null")
        }
        _ => return None,
    };
    Some(())
}
