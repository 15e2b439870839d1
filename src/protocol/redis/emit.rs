//! The values in commands and responses, and how they are passed on.

use super::super::{ContentSink, Direction, Ending, Hint, Media};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::stored_key;

/// Position of the values in a command or a response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No values.
    Nothing,
    /// Fields and values alternate.
    Pairs { from: usize },
    /// Each `every`th element is a value of its own.
    Values { from: usize, every: usize },
    /// Values of the fields in the command, in their order.
    Asked,
}

/// Role of an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Nothing,
    Field,
    Value,
    Whole,
}

impl Shape {
    /// By the first word of a command.
    pub fn of_command(verb: &[u8]) -> Self {
        match verb {
            b"HSET" | b"HMSET" | b"HSETNX" => Self::Pairs { from: 2 },
            b"XADD" => Self::Pairs { from: 3 },
            b"MSET" | b"MSETNX" => Self::Values { from: 2, every: 2 },
            b"SET" | b"SETNX" | b"GETSET" | b"SETEX" | b"PSETEX" | b"LPUSH" | b"RPUSH"
            | b"LPUSHX" | b"RPUSHX" | b"SADD" | b"PUBLISH" | b"SPUBLISH" | b"ZADD" | b"LSET"
            | b"JSON.SET" | b"APPEND" => Self::Values { from: 2, every: 1 },
            _ => Self::Nothing,
        }
    }

    /// Values in the response.
    pub fn of_answer(verb: &[u8]) -> Self {
        match verb {
            b"HMGET" => Self::Asked,
            b"HGETALL" | b"HSCAN" | b"XRANGE" | b"XREAD" => Self::Pairs { from: 0 },
            b"CONFIG" | b"INFO" | b"COMMAND" | b"CLIENT" | b"KEYS" | b"SCAN" | b"HKEYS" => {
                Self::Nothing
            }
            _ => Self::Values { from: 0, every: 1 },
        }
    }

    /// Role of element `index`.
    pub fn part(self, index: usize) -> Part {
        match self {
            Self::Pairs { from } if index >= from => {
                if (index - from).is_multiple_of(2) {
                    Part::Field
                } else {
                    Part::Value
                }
            }
            Self::Values { from, every } if index >= from => {
                if (index - from).is_multiple_of(every) { Part::Whole } else { Part::Nothing }
            }
            Self::Asked => Part::Value,
            _ => Part::Nothing,
        }
    }
}

/// Passes values on.
pub struct Emitter {
    writer: Option<ContentWriter>,
    /// The fields of a hash are written.
    object: bool,
    /// A string of the object is open.
    string: bool,
    field: bool,
}

impl Emitter {
    pub const fn new() -> Self {
        Self { writer: None, object: false, string: false, field: false }
    }

    /// Bytes of an element; `first`: it begins here.
    pub fn bytes(
        &mut self,
        part: Part,
        bytes: &[u8],
        first: bool,
        key: &[u8],
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) {
        let opens = self.writer.is_none() && part != Part::Nothing;
        let path = if opens { stored_key::path(key) } else { String::new() };
        let hint = |content_type| Hint {
            direction,
            media: Media::Type { content_type, name: &path },
            operation: "",
            codings: &[],
            layer: "redis",
        };
        match part {
            Part::Nothing => {}
            Part::Whole => {
                let open = || ContentWriter::open(&hint(""), sink);
                let writer = self.writer.take().unwrap_or_else(open);
                self.writer.insert(writer).data(bytes, sink);
            }
            Part::Field | Part::Value => {
                let begun = self.writer.is_some();
                let open = || ContentWriter::open(&hint("application/json"), sink);
                let mut writer = self.writer.take().unwrap_or_else(open);
                if !begun {
                    self.object = true;
                    writer.data(b"{", sink);
                    name(key, &mut writer, sink);
                }
                self.field = part == Part::Field;
                if first {
                    self.string = true;
                    writer.data(if self.field { b",\"" } else { b":\"" }, sink);
                }
                escape(bytes, &mut writer, sink);
                self.writer = Some(writer);
            }
        }
    }

    /// The element is complete.
    pub fn element(&mut self, sink: &mut dyn ContentSink) {
        if !self.object {
            self.close(Ending::Complete, sink);
        } else if std::mem::take(&mut self.string)
            && let Some(writer) = self.writer.as_mut()
        {
            writer.data(b"\"", sink);
        }
    }

    pub fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) {
        if let Some(writer) = self.writer.as_mut() {
            writer.gap(len, sink);
        }
    }

    /// All elements are there.
    pub fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some(mut writer) = self.writer.take() {
            if self.object && ending == Ending::Complete {
                writer.data(if self.field { b":null}" } else { b"}" }, sink);
            }
            writer.close(ending, sink);
        }
        *self = Self::new();
    }
}

/// The key names the owner of the hash: `patient:7` is the patient with the id 7.
fn name(key: &[u8], writer: &mut ContentWriter, sink: &mut dyn ContentSink) {
    let mut parts = key.rsplit(|b| *b == b':');
    match (parts.next(), parts.next()) {
        (Some(id), Some(kind)) if !id.is_empty() && !kind.is_empty() => {
            let kind = kind.strip_suffix(b"s").unwrap_or(kind);
            writer.data(b"\"", sink);
            escape(kind, writer, sink);
            writer.data(b"_id\":\"", sink);
            escape(id, writer, sink);
            writer.data(b"\"", sink);
        }
        _ => writer.data(b"\"\":0", sink),
    }
}

/// Bytes of a JSON string (RFC 8259 7).
fn escape(bytes: &[u8], writer: &mut ContentWriter, sink: &mut dyn ContentSink) {
    let special = |b: &u8| matches!(b, b'"' | b'\\') || *b < b' ';
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(special) {
        let (plain, tail) = rest.split_at(at);
        writer.data(plain, sink);
        match tail.first() {
            Some(byte @ (b'"' | b'\\')) => writer.data(&[b'\\', *byte], sink),
            _ => writer.data(b" ", sink),
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    writer.data(rest, sink);
}
