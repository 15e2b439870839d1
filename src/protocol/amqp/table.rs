//! Field tables (AMQP 0-9-1 4.2.5.5, with the types of RabbitMQ and Qpid), such as the headers of a message.

use super::super::json;
use std::io::Write as _;

/// Nesting of tables and arrays that is written.
const MAX_DEPTH: usize = 8;

/// Writes the fields of a table as a JSON object. False if it has none, or is malformed.
pub(super) fn write(table: &[u8], out: &mut Vec<u8>) -> bool {
    out.push(b'{');
    let whole = fields(table, 0, out).is_some();
    out.push(b'}');
    whole && !table.is_empty()
}

fn fields(mut table: &[u8], depth: usize, out: &mut Vec<u8>) -> Option<()> {
    while let Some((len, rest)) = table.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*len))?;
        json::name(name, out);
        table = value(rest, depth, out)?;
    }
    Some(())
}

/// Writes the value at the front. Returns what is behind it; `None` if it is malformed.
fn value<'a>(data: &'a [u8], depth: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (kind, rest) = data.split_first()?;
    let fixed = match kind {
        b't' | b'b' | b'B' => 1,
        b's' | b'U' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'T' | b'd' => 8,
        b'V' => 0,
        b'S' | b'x' | b'F' | b'A' => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            let (body, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
            nested(*kind, body, depth, out);
            return Some(rest);
        }
        _ => {
            out.extend_from_slice(b"null");
            return None;
        }
    };
    let Some((bytes, rest)) = rest.split_at_checked(fixed) else {
        out.extend_from_slice(b"null");
        return None;
    };
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let signed = bytes.iter().fold(-i64::from(negative), |n, b| n << 8 | i64::from(*b));
    let unsigned = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    // Writing to memory does not fail.
    match kind {
        b't' => out.extend_from_slice(if unsigned == 0 { b"false" } else { b"true" }),
        b'b' | b's' | b'U' | b'I' | b'l' => drop(write!(out, "{signed}")),
        b'B' | b'u' | b'i' | b'L' | b'T' => drop(write!(out, "{unsigned}")),
        _ => out.extend_from_slice(b"null"),
    }
    Some(rest)
}

/// A string, bytes, a table, or an array.
fn nested(kind: u8, body: &[u8], depth: usize, out: &mut Vec<u8>) {
    match kind {
        b'S' | b'x' => json::string(body.get(..json::MAX_VALUE).unwrap_or(body), out),
        _ if depth >= MAX_DEPTH => out.extend_from_slice(b"null"),
        b'F' => {
            out.push(b'{');
            fields(body, depth + 1, out);
            out.push(b'}');
        }
        _ => {
            out.push(b'[');
            let mut rest = body;
            while !rest.is_empty() {
                json::comma(out);
                let Some(behind) = value(rest, depth + 1, out) else { break };
                rest = behind;
            }
            out.push(b']');
        }
    }
}
