//! Columns, and values in binary form.

use super::super::sql::{Table, table::MAX_COLUMNS};
use std::io::Write as _;

/// Bytes behind the name of a column: table, number, type, its size and modifier, format.
const FIXED: usize = 18;
/// Object ids of types whose binary form is told from text (`pg_type.dat`).
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

/// A value of this type in binary form as text; none where it is text already. Which form it has is not said with
/// the row, but no value of these types is as long in text, or it is made of digits.
pub fn binary(kind: u32, value: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
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
            text.extend_from_slice(date(signed() + EPOCH).as_bytes());
            Ok(())
        }
        _ if TIMESTAMPS.contains(&kind) && value.len() == 8 => {
            let days = signed().div_euclid(MICROS_A_DAY);
            text.extend_from_slice(date(days + EPOCH).as_bytes());
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
    Some(text)
}

/// A day of the Gregorian calendar, counted from 1970-01-01 (the algorithm of eras of 400 years).
fn date(days: i64) -> String {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
