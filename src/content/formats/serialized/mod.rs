//! Values that programs serialise for caches, queues, calls and sessions: by PHP (`serialize`, sessions, igbinary), Java, .NET
//! (`BinaryFormatter`), Ruby (`Marshal`) and Python (`pickle`), as MessagePack and as CBOR (RFC 8949). Their names and
//! values become JSON, which has a reader.

mod binary;
mod cbor;
mod dotnet;
mod graph;
mod igbinary;
mod java;
mod msgpack;
mod php;
mod pickle;
mod ruby;
#[cfg(test)]
mod tests;

use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// Longest value that is read, bytes.
const MAX_BYTES: usize = 256 << 10;
/// Levels of nested values.
const MAX_DEPTH: usize = 32;
/// Values in one.
const MAX_VALUES: usize = 16 << 10;

/// How a value is written.
#[derive(Clone, Copy)]
enum Notation {
    Php,
    MessagePack,
    Cbor,
    Pickle,
    Java,
    DotNet,
    Ruby,
    Igbinary,
}

impl Notation {
    /// The notation of a value with this beginning.
    fn of(head: &[u8]) -> Option<Self> {
        match head.first()? {
            b'a' | b'O' | b'A'..=b'Z' | b'b'..=b'z' | b'_' if php::begins(head) => Some(Self::Php),
            0x80..=0x9f | 0xdc..=0xdf if msgpack::begins(head) => Some(Self::MessagePack),
            0x80 if pickle::begins(head) => Some(Self::Pickle),
            0xac if java::begins(head) => Some(Self::Java),
            0x81..=0xbf if cbor::begins(head) => Some(Self::Cbor),
            0xd9 if cbor::begins(head) => Some(Self::Cbor),
            4 if ruby::begins(head) => Some(Self::Ruby),
            0 if dotnet::begins(head) => Some(Self::DotNet),
            0 if igbinary::begins(head) => Some(Self::Igbinary),
            _ => None,
        }
    }

    fn read(self, bytes: &[u8]) -> Option<Value> {
        match self {
            Self::Php => php::read(bytes),
            Self::MessagePack => msgpack::read(bytes).or_else(|| cbor::read(bytes)),
            Self::Cbor => cbor::read(bytes),
            Self::Pickle => pickle::read(bytes),
            Self::Java => java::read(bytes),
            Self::DotNet => dotnet::read(bytes),
            Self::Ruby => ruby::read(bytes),
            Self::Igbinary => igbinary::read(bytes),
        }
    }
}

/// The format.
pub struct Serialized;

impl Format for Serialized {
    fn name(&self) -> &'static str {
        "serialized"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::Type { .. } | Media::Unknown) && Notation::of(head).is_some()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<SerializedDocument>::default()
    }
}

/// A value, as far as it was received.
#[derive(Default)]
struct SerializedDocument {
    bytes: Zeroizing<Vec<u8>>,
    cut: bool,
}

impl Document for SerializedDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.bytes.len() + bytes.len() > MAX_BYTES {
            if !std::mem::replace(&mut self.cut, true) {
                scope.give_up(Reason::Limit);
            }
            return Want::NOTHING;
        }
        self.bytes.extend_from_slice(bytes);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if self.cut {
            return;
        }
        let value = Notation::of(&self.bytes).and_then(|notation| notation.read(&self.bytes));
        let Some(value) = value.filter(|value| value.is_object() || value.is_array()) else {
            return;
        };
        let json = Zeroizing::new(value.to_string());
        let media = Media::Type { content_type: "application/json", name: "" };
        scope.whole(&media, json.as_bytes());
    }

    fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The text of bytes, if it can be read.
fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or(Value::Null, |text| Value::String(text.to_owned()))
}

/// The date of a Julian day, if people may be born then.
fn julian_day(day: i64) -> Value {
    let date = i32::try_from(day).ok().and_then(|day| time::Date::from_julian_day(day).ok());
    let date = date.filter(|date| date.year() > 1800);
    date.map_or(Value::Null, |date| {
        Value::String(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
    })
}

/// The name that a key is. Names of private members of PHP have zero bytes and their class in front.
fn name(key: &Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text.rsplit('\0').next().unwrap_or(text).to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A map or, if its keys are numbers from zero on, a list.
fn map_or_list(pairs: Vec<(Value, Value)>) -> Value {
    let is_list = !pairs.is_empty()
        && (0_u64..).zip(&pairs).all(|(number, (key, _))| key.as_u64() == Some(number));
    if is_list {
        return Value::Array(pairs.into_iter().map(|(_, value)| value).collect());
    }
    let mut map = Map::new();
    for (key, value) in pairs {
        if let Some(name) = name(&key) {
            map.insert(name, value);
        }
    }
    Value::Object(map)
}
