//! MessagePack (the specification on msgpack.org).

use super::binary::{Input, is_name};
use super::{map_or_list, text};
use serde_json::Value;

/// Whether a map with a name as its first key begins here, or a list of one.
pub(super) fn begins(head: &[u8]) -> bool {
    let inside = match head {
        [0x91..=0x9f, rest @ ..] => rest,
        [0xdc, _, _, rest @ ..] => rest,
        _ => head,
    };
    let key = match inside {
        [0x81..=0x8f, rest @ ..] => rest,
        [0xde, _, _, rest @ ..] => rest,
        _ => return false,
    };
    let (len, text) = match key {
        [len @ 0xa1..=0xbf, text @ ..] => (usize::from(len & 0x1f), text),
        [0xd9, len, text @ ..] => (usize::from(*len), text),
        _ => return false,
    };
    text.get(..len).is_some_and(is_name)
}

/// The value that the bytes are.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut input = Input::new(bytes);
    let value = value(&mut input, 0)?;
    input.is_empty().then_some(value)
}

fn length(input: &mut Input<'_>, size: usize) -> Option<usize> {
    usize::try_from(input.big(size)?).ok()
}

fn value(input: &mut Input<'_>, depth: usize) -> Option<Value> {
    input.count(depth)?;
    Some(match input.byte()? {
        first @ 0..=0x7f => Value::from(first),
        first @ 0x80..=0x8f => map(input, usize::from(first & 0x0f), depth)?,
        first @ 0x90..=0x9f => array(input, usize::from(first & 0x0f), depth)?,
        first @ 0xa0..=0xbf => text(input.take(usize::from(first & 0x1f))?),
        0xc0 => Value::Null,
        0xc1 => return None,
        first @ 0xc2..=0xc3 => Value::Bool(first == 0xc3),
        first @ 0xc4..=0xc6 => {
            let len = length(input, 1 << (first - 0xc4))?;
            text(input.take(len)?)
        }
        first @ 0xc7..=0xc9 => {
            let len = length(input, 1 << (first - 0xc7))?;
            input.take(len.checked_add(1)?)?;
            Value::Null
        }
        0xca => float(f64::from(f32::from_bits(u32::try_from(input.big(4)?).ok()?))),
        0xcb => float(f64::from_bits(input.big(8)?)),
        first @ 0xcc..=0xcf => Value::from(input.big(1 << (first - 0xcc))?),
        first @ 0xd0..=0xd3 => {
            let len = 1_u32 << (first - 0xd0);
            let number = input.big(len as usize)?;
            Value::from(((number << (64 - 8 * len)) as i64) >> (64 - 8 * len))
        }
        first @ 0xd4..=0xd8 => {
            input.take(1 + (1 << (first - 0xd4)))?;
            Value::Null
        }
        first @ 0xd9..=0xdb => {
            let len = length(input, 1 << (first - 0xd9))?;
            text(input.take(len)?)
        }
        first @ 0xdc..=0xdd => {
            let len = length(input, 2 << (first - 0xdc))?;
            array(input, len, depth)?
        }
        first @ 0xde..=0xdf => {
            let len = length(input, 2 << (first - 0xde))?;
            map(input, len, depth)?
        }
        first @ 0xe0..=0xff => Value::from(first as i8),
    })
}

fn float(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn array(input: &mut Input<'_>, len: usize, depth: usize) -> Option<Value> {
    (0..len).map(|_| value(input, depth + 1)).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn map(input: &mut Input<'_>, len: usize, depth: usize) -> Option<Value> {
    let pair = |_| Some((value(input, depth + 1)?, value(input, depth + 1)?));
    (0..len).map(pair).collect::<Option<Vec<_>>>().map(map_or_list)
}
