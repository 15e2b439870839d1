//! MessagePack (the specification on msgpack.org).

use super::binary::{Input, is_name};
use super::{map_or_list, text};
use crate::syntax::Match;
use crate::syntax::msgpack::Head;
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

fn value(input: &mut Input<'_>, depth: usize) -> Option<Value> {
    input.count(depth)?;
    let Match::Yes((head, len)) = Head::read(input.rest()) else { return None };
    input.take(len)?;
    let body = input.take(head.body())?;
    let float = |number| serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number);
    Some(match head {
        Head::Nil | Head::Extension(..) => Value::Null,
        Head::Bool(value) => Value::Bool(value),
        Head::Unsigned(number) => Value::from(number),
        Head::Signed(number) => Value::from(number),
        Head::Float(bits) => float(f64::from_bits(bits)),
        Head::Single(bits) => float(f64::from(f32::from_bits(bits))),
        Head::Text(_) | Head::Binary(_) => text(body),
        Head::Array(len) => {
            let items = (0..len).map(|_| value(input, depth + 1));
            Value::Array(items.collect::<Option<Vec<_>>>()?)
        }
        Head::Map(len) => {
            let pair = |_| Some((value(input, depth + 1)?, value(input, depth + 1)?));
            map_or_list((0..len).map(pair).collect::<Option<Vec<_>>>()?)
        }
    })
}
