//! Columns, and values in binary form.

use super::super::sql::{statement::elements, table::MAX_COLUMNS, write_day};
use std::io::Write as _;

/// Bytes behind the name of a column: table, number, type, its size and modifier, format.
const FIXED: usize = 18;
/// Object IDs of types (`pg_type.dat`).
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INTEGERS: [u32; 4] = [20, 21, 23, 26];
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const DATE: u32 = 1082;
const TIMESTAMPS: [u32; 2] = [1114, 1184];
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
/// `char`, `name`, `text`, `json`, `xml`, `bpchar`, `varchar`.
const TEXTS: [u32; 7] = [18, 19, 25, 114, 142, 1042, 1043];
const JSONB: u32 = 3802;
/// Days from 1970-01-01 to 2000-01-01, from which dates count.
const EPOCH: i64 = 10_957;
const MICROS_A_DAY: i64 = 86_400_000_000;
/// Days before 2000 that a date in a column of an unknown type may have: from 1820 on.
const OLDEST: i64 = -65_800;
/// Arrays of these: of numbers, texts and days.
const ARRAYS: [u32; 12] = [1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1115, 1182, 1185, 2951];
/// Fields of a composite value.
const MAX_MEMBERS: u32 = 256;
/// Groups of four digits of a number that are written.
const MAX_GROUPS: usize = 32;
/// Elements of an array that are written.
const MAX_ELEMENTS: usize = 10_000;

/// Encoding of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Text,
    Binary,
    /// Unknown.
    Unknown,
}

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    pub name: Vec<u8>,
    /// Its type.
    pub kind: u32,
    /// As described; the description of a statement says text for every column.
    pub form: Form,
}

/// The columns of RowDescription.
pub fn describe(body: &[u8]) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = memchr::memchr(0, rest) {
        let Some(fixed) = rest.get(end + 1..end + 1 + FIXED) else { break };
        if columns.len() >= MAX_COLUMNS {
            break;
        }
        let kind = fixed.get(6..).and_then(|f| f.first_chunk::<4>());
        columns.push(Column {
            name: rest.get(..end).unwrap_or_default().to_vec(),
            kind: kind.map_or(0, |k| u32::from_be_bytes(*k)),
            form: if fixed.ends_with(&[0, 1]) { Form::Binary } else { Form::Text },
        });
        rest = rest.get(end + 1 + FIXED..).unwrap_or_default();
    }
    columns
}

/// The types of ParameterDescription.
pub fn parameter_types(body: &[u8]) -> Vec<u32> {
    let types = body.get(2..).unwrap_or_default().chunks_exact(4);
    types.take(MAX_COLUMNS).map(|t| super::word(t, 0).unwrap_or(0)).collect()
}

/// Whether a RowDescription fills `body` exactly: used where nothing else identifies a message.
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

/// The next value of a row or of bound parameters: `None` if it is cut, an empty one for NULL (length -1).
pub fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, tail) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(i32::from_be_bytes(*len)).unwrap_or(0);
    let (value, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    Some(value)
}

/// Writes a value of a row as text, as [`read`] does; an array as its elements.
pub fn show(kind: u32, form: Form, value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let written = read(kind, form, value, text);
    if !ARRAYS.contains(&kind) {
        return written;
    }
    let array = if written.is_some() { std::mem::take(text) } else { value.to_vec() };
    let array = zeroize::Zeroizing::new(array);
    for (at, element) in elements(&array).iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"" } else { b"; " });
        text.extend_from_slice(element);
    }
    Some(())
}

/// Writes a value of this type and format as text; `None` if it is text already.
pub fn read(kind: u32, form: Form, value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    match form {
        Form::Text | Form::Unknown if kind == BYTEA => hexadecimal(value, text),
        Form::Text => None,
        Form::Binary if !value.is_empty() => {
            let written = scalar(kind, value, text).is_some()
                || array(value, text).is_some()
                || composite(value, text).is_some();
            // Nothing is written for bytes without meaning.
            if written || !is_text(value, kind) { Some(()) } else { None }
        }
        Form::Binary => None,
        Form::Unknown => {
            // No value of these types is as long in text, or it is made of digits.
            let digits = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'e' | b'+');
            let number = kind == FLOAT4 || kind == FLOAT8 || INTEGERS.contains(&kind);
            if number && value.iter().all(digits) {
                return None;
            }
            scalar(kind, value, text)
        }
    }
}

/// Whether a binary value is the text itself: texts and names in any character set, JSON and XML, and extension types
/// in UTF-8; the bytes of BYTEA are those of a file.
fn is_text(value: &[u8], kind: u32) -> bool {
    let control = |b: &u8| *b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r');
    let known = TEXTS.contains(&kind) || std::str::from_utf8(value).is_ok();
    kind == BYTEA || known && !value.iter().any(control)
}

fn signed(value: &[u8]) -> i64 {
    let first = value.first().map_or(0, |b| i64::from(*b as i8));
    value.iter().skip(1).fold(first, |n, b| n << 8 | i64::from(*b))
}

/// A value of a type whose binary form differs from text.
fn scalar(kind: u32, value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    // Writing to memory does not fail.
    let _ = match kind {
        DATE if value.len() == 4 => {
            write_day(signed(value) + EPOCH, text);
            Ok(())
        }
        _ if TIMESTAMPS.contains(&kind) && value.len() == 8 => {
            let days = signed(value).div_euclid(MICROS_A_DAY);
            write_day(days + EPOCH, text);
            Ok(())
        }
        BOOL if matches!(value, [0 | 1]) => write!(text, "{}", value == [1]),
        FLOAT4 if value.len() == 4 => write!(text, "{}", f32::from_bits(signed(value) as u32)),
        FLOAT8 if value.len() == 8 => write!(text, "{}", f64::from_bits(signed(value) as u64)),
        NUMERIC => return numeric(value, text),
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
        _ if INTEGERS.contains(&kind) && matches!(value.len(), 2 | 4 | 8) => {
            write!(text, "{}", signed(value))
        }
        _ => return None,
    };
    Some(())
}

/// A number in groups of four digits: their count, the weight of the first, sign, digits behind the point
/// (`numeric_send`).
fn numeric(value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let mut words = value.chunks_exact(2).map(|w| signed(w) as i16);
    let (count, weight) = (words.next()?, words.next()?);
    let (sign, scale) = (words.next()? as u16, words.next()?);
    let count = usize::try_from(count).ok()?;
    if count > MAX_GROUPS || value.len() != 8 + 2 * count || !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let groups: Vec<i16> = words.collect();
    let weight = i32::from(weight).clamp(-1, MAX_GROUPS as i32);
    if sign != 0 {
        text.push(b'-');
    }
    for at in 0..=weight {
        let group = groups.get(at as usize).copied().unwrap_or(0);
        let _ = if at == 0 { write!(text, "{group}") } else { write!(text, "{group:04}") };
    }
    if weight < 0 {
        text.push(b'0');
    }
    if scale > 0 {
        let mut digits = String::new();
        for group in groups.iter().skip((weight + 1) as usize) {
            digits.push_str(&format!("{group:04}"));
        }
        let _ = write!(text, ".{}", digits.get(..scale as usize).unwrap_or(&digits));
    }
    Some(())
}

/// An array in binary form: dimensions, whether it has NULLs, the type of its elements, the length and first index
/// of each dimension, the elements. As text: `{"a","b"}`.
fn array(value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let word = |at: usize| super::word(value, 4 * at);
    let (dimensions, nulls, kind) = (word(0)?, word(1)?, word(2)?);
    if !(1..=6).contains(&dimensions) || nulls > 1 || kind == 0 {
        return None;
    }
    let mut rest = value.get(12 + 8 * dimensions as usize..)?;
    let before = text.len();
    text.push(b'{');
    let mut element = zeroize::Zeroizing::new(Vec::new());
    for at in 0..MAX_ELEMENTS {
        if rest.is_empty() {
            break;
        }
        let Some(value) = next(&mut rest) else {
            text.truncate(before);
            return None;
        };
        element.clear();
        let written = scalar(kind, value, &mut element).is_some();
        text.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        for byte in if written { element.as_slice() } else { value } {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.push(b'"');
    }
    text.push(b'}');
    Some(())
}

/// A composite value in binary form: the count of its fields, then the type and the value of each (`record_send`). As
/// text: `(a,b)`.
fn composite(value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let count = super::word(value, 0).filter(|count| (1..=MAX_MEMBERS).contains(count))?;
    let before = text.len();
    let mut rest = value.get(4..)?;
    for at in 0..count {
        text.push(if at == 0 { b'(' } else { b',' });
        let member = super::word(rest, 0).and_then(|kind| {
            rest = rest.get(4..)?;
            Some((kind, next(&mut rest)?))
        });
        let Some((kind, value)) = member else {
            text.truncate(before);
            return None;
        };
        if scalar(kind, value, text).is_none() && is_text(value, kind) {
            text.extend_from_slice(value);
        }
    }
    if !rest.is_empty() {
        text.truncate(before);
        return None;
    }
    text.push(b')');
    Some(())
}

/// BYTEA as text (`\x255044...`): the bytes.
fn hexadecimal(value: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let digits = value.strip_prefix(b"\\x")?;
    let digit = |b: u8| char::from(b).to_digit(16);
    for pair in digits.chunks_exact(2) {
        let [high, low] = *pair else { return None };
        text.push((digit(high)? << 4 | digit(low)?) as u8);
    }
    Some(())
}

/// Writes a binary value of unknown type and format; `None` if it may be text. Four bytes are a number or a day:
/// `dated` says whether the column held a day before 2000, which no row number looks like.
pub fn guess(value: &[u8], dated: &mut bool, text: &mut Vec<u8>) -> Option<()> {
    if array(value, text).is_some() {
        return Some(());
    }
    if is_text(value, 0) {
        return None;
    }
    let number = signed(value);
    let _ = match value.len() {
        4 => {
            *dated |= (OLDEST..0).contains(&number);
            match *dated {
                true => {
                    write_day(number + EPOCH, text);
                    Ok(())
                }
                false => write!(text, "{number}"),
            }
        }
        2 => write!(text, "{number}"),
        8 => {
            let days = number.div_euclid(MICROS_A_DAY);
            match (OLDEST..0).contains(&days) {
                true => {
                    write_day(days + EPOCH, text);
                    Ok(())
                }
                false => write!(text, "{number}"),
            }
        }
        _ if numeric(value, text).is_some() => Ok(()),
        // JSON behind its version.
        _ if matches!(value, [1, b'{' | b'[', ..]) => {
            text.extend_from_slice(value.get(1..).unwrap_or_default());
            Ok(())
        }
        // A file, or bytes without meaning.
        _ if super::super::sql::document::is_document(value) => return None,
        _ => Ok(()),
    };
    Some(())
}
