//! Columns, and values in binary form.

use super::super::sql::{Table, table::MAX_COLUMNS, write_day};
use std::io::Write as _;

/// Bytes behind the name of a column: table, number, type, its size and modifier, format.
const FIXED: usize = 18;
/// Object IDs of types whose binary form differs from text (`pg_type.dat`).
const BOOL: u32 = 16;
const INTEGERS: [u32; 4] = [20, 21, 23, 26];
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const DATE: u32 = 1082;
const TIMESTAMPS: [u32; 2] = [1114, 1184];
const UUID: u32 = 2950;
const JSONB: u32 = 3802;
/// Days from 1970-01-01 to 2000-01-01, from which dates count.
const EPOCH: i64 = 10_957;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// Names the columns of RowDescription in `table`; their types.
pub fn describe(body: &[u8], table: &mut Table) -> Vec<u32> {
    let mut types = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = memchr::memchr(0, rest) {
        let Some(fixed) = rest.get(end + 1..end + 1 + FIXED) else { break };
        if types.len() >= MAX_COLUMNS {
            break;
        }
        table.column(rest.get(..end).unwrap_or_default());
        let kind = fixed.get(6..).and_then(|f| f.first_chunk::<4>());
        types.push(kind.map_or(0, |k| u32::from_be_bytes(*k)));
        rest = rest.get(end + 1 + FIXED..).unwrap_or_default();
    }
    types
}

/// Whether a RowDescription fills `body` exactly: used where nothing else says what a message is.
pub fn is_description(body: &[u8]) -> bool {
    let Some((count, mut rest)) = body.split_first_chunk::<2>() else { return false };
    let count = u16::from_be_bytes(*count);
    for _ in 0..count {
        let Some(end) = memchr::memchr(0, rest) else { return false };
        let name = rest.get(..end).unwrap_or_default();
        let Some(fixed) = rest.get(end + 1..end + 1 + FIXED) else { return false };
        let format = fixed.get(FIXED - 2..);
        let readable = !name.is_empty() && std::str::from_utf8(name).is_ok();
        if !readable || !matches!(format, Some([0, 0 | 1])) {
            return false;
        }
        rest = rest.get(end + 1 + FIXED..).unwrap_or_default();
    }
    count > 0 && rest.is_empty()
}

/// The next value of a row or of bound parameters: none if it is cut, an empty one for NULL (length -1).
pub fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, tail) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(i32::from_be_bytes(*len)).unwrap_or(0);
    let (value, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    Some(value)
}

/// Writes a value of this type in binary form as text; none where it is text already. The row does not say which
/// form it has, but no value of these types is as long in text, or it is made of digits.
pub fn binary(kind: u32, value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let signed = || {
        value
            .iter()
            .skip(1)
            .fold(value.first().map_or(0, |b| i64::from(*b as i8)), |n, b| n << 8 | i64::from(*b))
    };
    let readable =
        value.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'e' | b'+'));
    // Writing to memory does not fail.
    let _ = match kind {
        DATE if value.len() == 4 => {
            write_day(signed() + EPOCH, text);
            Ok(())
        }
        _ if TIMESTAMPS.contains(&kind) && value.len() == 8 => {
            let days = signed().div_euclid(MICROS_A_DAY);
            write_day(days + EPOCH, text);
            Ok(())
        }
        BOOL if matches!(value, [0 | 1]) => write!(text, "{}", value == [1]),
        FLOAT4 if value.len() == 4 && !readable => {
            write!(text, "{}", f32::from_bits(signed() as u32))
        }
        FLOAT8 if value.len() == 8 && !readable => {
            write!(text, "{}", f64::from_bits(signed() as u64))
        }
        UUID if value.len() == 16 => {
            for (at, byte) in value.iter().enumerate() {
                let _ = write!(
                    text,
                    "{}{byte:02x}",
                    if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" }
                );
            }
            Ok(())
        }
        JSONB if value.first() == Some(&1) => {
            text.extend_from_slice(value.get(1..).unwrap_or_default());
            Ok(())
        }
        _ if INTEGERS.contains(&kind) && !readable && matches!(value.len(), 2 | 4 | 8) => {
            write!(text, "{}", signed())
        }
        _ => return None,
    };
    Some(())
}
