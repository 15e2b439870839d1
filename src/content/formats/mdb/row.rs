//! Rows: values of fixed length, values of variable length, their offsets, and the null mask.

use super::pages::{Column, File, Table, four, two};
use crate::content::extract::serial_date::date;
use zeroize::Zeroizing;

/// Types of columns.
const BOOLEAN: u8 = 1;
const BYTE: u8 = 2;
const SHORT: u8 = 3;
const LONG: u8 = 4;
const DATE: u8 = 8;
const TEXT: u8 = 10;
const MEMO: u8 = 12;

/// Prefix of a text with one byte per character.
const COMPRESSED: &[u8] = b"\xff\xfe";
/// A memo: its length and storage, a pointer, unused.
const MEMO_HEAD: usize = 12;
const MEMO_INLINE: u32 = 1 << 31;
const MEMO_PAGE: u32 = 1 << 30;
/// Longest value kept, bytes.
const MAX_VALUE: usize = 64 << 10;

/// The values of a row as text. `None` if it is no row of this table.
pub fn cells(file: &File<'_>, table: &Table, row: &[u8]) -> Option<Vec<Zeroizing<String>>> {
    let wide = file.layout.wide;
    let (count, front) = match wide {
        true => (usize::from(two(row, 0)?), 2),
        false => (usize::from(*row.first()?), 1),
    };
    let mask_len = count.div_ceil(8);
    let mask_at = row.len().checked_sub(mask_len).filter(|at| *at >= front)?;
    let mask = row.get(mask_at..)?;
    let places = match table.columns.iter().any(|column| !column.is_fixed) {
        true if wide => wide_places(row, mask_at)?,
        true => narrow_places(row, mask_at)?,
        false => Vec::new(),
    };
    let value = |column: &Column| -> Option<&[u8]> {
        if column.is_fixed {
            let start = front + column.place;
            return row.get(start..start.checked_add(column.len)?);
        }
        let (start, end) = (places.get(column.place)?, places.get(column.place + 1)?);
        row.get(*start..*end)
    };
    let cell = |column: &Column| {
        let bit = mask.get(column.number / 8).map_or(0, |byte| byte >> (column.number % 8) & 1);
        let text = match (column.kind, bit) {
            (BOOLEAN, bit) => bit.to_string(),
            (_, 0) => String::new(),
            _ => value(column).map(|bytes| text(file, column.kind, bytes)).unwrap_or_default(),
        };
        Zeroizing::new(text)
    };
    Some(table.columns.iter().map(cell).collect())
}

/// Offsets of the values of variable length, and the end of the last one, from the end of the row to its front.
fn wide_places(row: &[u8], mask_at: usize) -> Option<Vec<usize>> {
    let count_at = mask_at.checked_sub(2)?;
    let count = usize::from(two(row, count_at)?);
    let place = |at: usize| two(row, count_at.checked_sub(2 * (at + 1))?).map(usize::from);
    (0..=count).map(place).collect()
}

/// The same in one byte each. Offsets beyond 256 are marked in a jump table.
fn narrow_places(row: &[u8], mask_at: usize) -> Option<Vec<usize>> {
    let count_at = mask_at.checked_sub(1)?;
    let count = usize::from(*row.get(count_at)?);
    let mut jumps = row.len().saturating_sub(1) / 256;
    let mut at = count_at.checked_sub(jumps + 1)?;
    if at.saturating_sub(count) / 256 < jumps {
        jumps -= 1;
        at += 1;
    }
    let mut used = 0;
    let place = |index: usize| {
        while used < jumps
            && row.get(count_at.checked_sub(used + 1)?).map(|b| usize::from(*b)) == Some(index)
        {
            used += 1;
        }
        Some(usize::from(*row.get(at.checked_sub(index)?)?) + used * 256)
    };
    (0..=count).map(place).collect()
}

/// A value as text.
fn text(file: &File<'_>, kind: u8, bytes: &[u8]) -> String {
    match kind {
        BYTE => bytes.first().map_or(String::new(), |byte| byte.to_string()),
        SHORT => two(bytes, 0).map_or(String::new(), |number| (number as i16).to_string()),
        LONG => four(bytes, 0).map_or(String::new(), |number| (number as i32).to_string()),
        DATE => {
            let days = bytes.first_chunk::<8>().map_or(0.0, |bytes| f64::from_le_bytes(*bytes));
            date(&days.to_string()).unwrap_or_default()
        }
        TEXT => characters(file, bytes),
        MEMO => {
            let (Some(head), Some(pointer)) = (four(bytes, 0), four(bytes, 4)) else {
                return String::new();
            };
            let long = match head {
                _ if head & MEMO_INLINE != 0 => bytes.get(MEMO_HEAD..),
                _ if head & MEMO_PAGE != 0 => file.long_value(pointer),
                // Spread over pages.
                _ => None,
            };
            characters(file, long.unwrap_or_default())
        }
        _ => String::new(),
    }
}

/// Characters of one byte, of two, or alternating runs of both, separated by a null byte.
fn characters(file: &File<'_>, bytes: &[u8]) -> String {
    let bytes = bytes.get(..MAX_VALUE).unwrap_or(bytes);
    let narrow =
        |bytes: &[u8]| encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned();
    if !file.layout.wide {
        return narrow(bytes);
    }
    let Some(mut rest) = bytes.strip_prefix(COMPRESSED) else {
        return encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned();
    };
    let mut text = String::new();
    let mut compressed = true;
    while !rest.is_empty() {
        if compressed {
            let end = memchr::memchr(0, rest).unwrap_or(rest.len());
            text.extend(rest.iter().take(end).map(|byte| char::from(*byte)));
            rest = rest.get(end + 1..).unwrap_or_default();
        } else {
            let mut units = rest.chunks(2);
            let end = units.position(|unit| unit.first() == Some(&0) || unit.len() < 2);
            let end = end.map_or(rest.len(), |at| at * 2);
            let part = rest.get(..end).unwrap_or(rest);
            text.push_str(&encoding_rs::UTF_16LE.decode_without_bom_handling(part).0);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        compressed = !compressed;
    }
    text
}
