//! CBOR (RFC 8949).

use super::binary::{Input, is_name};
use super::{map_or_list, text};
use serde_json::Value;

/// The tag of self-described CBOR (RFC 8949 3.4.6).
const SELF_DESCRIBED: &[u8] = &[0xd9, 0xd9, 0xf7];
/// Ends a value of indefinite length.
const BREAK: u8 = 0xff;

/// Whether a map with a name as its first key begins here, or a list of one.
pub(super) fn begins(head: &[u8]) -> bool {
    let head = head.strip_prefix(SELF_DESCRIBED).unwrap_or(head);
    let inside = match head {
        [0x81..=0x97 | 0x9f, rest @ ..] => rest,
        _ => head,
    };
    let key = match inside {
        [0xa1..=0xb7 | 0xbf, rest @ ..] => rest,
        [0xb8, _, rest @ ..] => rest,
        _ => return false,
    };
    let (len, text) = match key {
        [len @ 0x61..=0x77, text @ ..] => (usize::from(len & 0x1f), text),
        [0x78, len, text @ ..] => (usize::from(*len), text),
        _ => return false,
    };
    text.get(..len).is_some_and(is_name)
}

/// The value that the bytes are.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut input = Input::new(bytes.strip_prefix(SELF_DESCRIBED).unwrap_or(bytes));
    let value = value(&mut input, 0)??;
    input.is_empty().then_some(value)
}

/// The next value; the inner one is missing at the end of an indefinite length.
fn value(input: &mut Input<'_>, depth: usize) -> Option<Option<Value>> {
    input.count(depth)?;
    let first = input.byte()?;
    if first == BREAK {
        return Some(None);
    }
    let (kind, short) = (first >> 5, first & 0x1f);
    let number = match short {
        0..=23 => Some(u64::from(short)),
        24..=27 => Some(input.big(1 << (short - 24))?),
        31 => None,
        _ => return None,
    };
    let length = || number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    Some(Some(match kind {
        0 => Value::from(number?),
        1 => Value::from(-1 - i64::try_from(number?).ok()?),
        2 | 3 => match length() {
            Some(len) => text(input.take(len)?),
            None => pieces(input, depth)?,
        },
        4 => {
            let mut items = Vec::new();
            while length().is_none_or(|len| items.len() < len) {
                match value(input, depth + 1)? {
                    Some(item) => items.push(item),
                    None => break,
                }
            }
            Value::Array(items)
        }
        5 => {
            let mut pairs = Vec::new();
            while length().is_none_or(|len| pairs.len() < len) {
                let Some(key) = value(input, depth + 1)? else { break };
                pairs.push((key, value(input, depth + 1)??));
            }
            map_or_list(pairs)
        }
        // A tag: of a date, mostly.
        6 => value(input, depth + 1)??,
        _ => match (short, number) {
            (20 | 21, _) => Value::Bool(short == 21),
            (26, Some(bits)) => {
                let number = f64::from(f32::from_bits(u32::try_from(bits).ok()?));
                serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            (27, Some(bits)) => serde_json::Number::from_f64(f64::from_bits(bits))
                .map_or(Value::Null, Value::Number),
            _ => Value::Null,
        },
    }))
}

/// A text in pieces.
fn pieces(input: &mut Input<'_>, depth: usize) -> Option<Value> {
    let mut whole = String::new();
    while let Some(piece) = value(input, depth + 1)? {
        whole.push_str(piece.as_str()?);
    }
    Some(Value::String(whole))
}
