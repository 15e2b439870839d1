//! Writes events as JSON (RFC 8259), like `serde_json` at less than half the cost: names of fields are known to need
//! no escapes, and texts are searched for them eight bytes at a time.
//!
//! Beside what JSON asks for, characters are escaped that could steer a terminal or a viewer of logs:
//! control characters above U+007E, and those that turn the reading direction or are not seen.

use super::text::is_unsafe;
use super::{Context, Output, RunSummary};
use crate::exposure::Event;
use serde::Serialize;
use serde::ser::{
    self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use std::fmt::{self, Display, Write as _};
use std::io;
use std::marker::PhantomData;

/// A value of JSON in memory, bytes, and an object or an array: its first node has room for eleven members.
const VALUE: usize = 48;
const NODE: usize = 640;

/// Most bytes that an event may take in memory as a value ([`weight`]). An event of 64 KiB may take 6 MiB; the
/// longest exposure that is written takes some 60 KiB.
pub const MAX_WEIGHT: usize = 256 << 10;

/// Bytes that an event takes in memory as a value of JSON, roughly, at most.
pub fn weight(text: &[u8]) -> usize {
    let values = memchr::memchr2_iter(b',', b':', text).count();
    let nodes = memchr::memchr2_iter(b'{', b'[', text).count();
    text.len() + VALUE * values + NODE * nodes
}

/// Appends `value` to `line`.
///
/// # Errors
/// If it contains something that no event contains: bytes, or keys of a map that are no text.
pub(in crate::output) fn append(line: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Error> {
    value.serialize(Json { line })
}

/// Writes values as JSON, one per line.
pub(in crate::output) struct Lines {
    writer: Box<dyn io::Write + Send>,
    /// Reused, so that a line is written at once and without allocation.
    line: Vec<u8>,
}

impl Lines {
    pub const fn new(writer: Box<dyn io::Write + Send>) -> Self {
        Self { writer, line: Vec::new() }
    }

    /// Writes `value` as one line.
    pub fn write(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.write_with(|line| Ok(append(line, value)?))
    }

    /// Writes what `append` puts into the empty line.
    pub fn write_with(
        &mut self,
        append: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.line.clear();
        append(&mut self.line)?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A format with one JSON object for each event and one for the run.
pub(in crate::output) trait LineFormat: Send {
    /// An object.
    type Line<'a>: Serialize;
    /// The object of an event.
    fn event<'a>(event: &'a Event, context: &'a Context) -> Self::Line<'a>;
    /// The object of the run summary.
    fn run<'a>(summary: &'a RunSummary, context: &'a Context) -> Self::Line<'a>;
}

/// An output in such a format.
pub(in crate::output) struct LineOutput<F> {
    lines: Lines,
    context: Context,
    format: PhantomData<F>,
}

impl<F: LineFormat> LineOutput<F> {
    pub fn new(writer: Box<dyn io::Write + Send>, context: Context) -> Self {
        Self { lines: Lines::new(writer), context, format: PhantomData }
    }
}

impl<F: LineFormat> Output for LineOutput<F> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.lines.write(&F::event(event, &self.context))
    }

    fn finish(&mut self, summary: &RunSummary) -> io::Result<()> {
        self.lines.write(&F::run(summary, &self.context))?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}

/// Something that events never contain.
#[derive(Debug)]
pub(in crate::output) struct Error(String);

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

fn unsupported(what: &str) -> Error {
    Error(format!("no event holds {what}"))
}

/// Appends a text with its quotes.
fn text(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    escaped(line, text);
    line.push(b'"');
}

/// Appends a text, with escapes where it needs them.
fn escaped(line: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    for c in text.chars() {
        let letter = match c {
            '"' | '\\' => c as u8,
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            c if is_unsafe(c) => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let digit = |place: u16| HEX[usize::from(*unit >> place & 15)];
                    line.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
                }
                continue;
            }
            c => {
                line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        line.extend_from_slice(&[b'\\', letter]);
    }
}

/// Whether a text only has characters that never need an escape.
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks bytes below `n`, and perhaps bytes above a marked one.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let special = |word: u64| {
        let quotes = below(word ^ (ONES * 0x22), 1) | below(word ^ (ONES * 0x5c), 1);
        below(word, 0x20) | quotes | below(word ^ (ONES * 0x7f), 1) | word & HIGH
    };
    let (eights, rest) = bytes.as_chunks::<8>();
    eights.iter().all(|eight| special(u64::from_le_bytes(*eight)) == 0)
        && rest.iter().all(|byte| matches!(byte, b' '..0x7f) && *byte != b'"' && *byte != b'\\')
}

/// Escapes formatted text.
struct Escaping<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(self.0, text);
        Ok(())
    }
}

/// Writes one value.
struct Json<'a> {
    line: &'a mut Vec<u8>,
}

/// Writes the parts of a list, an object, or the one value of a variant.
struct Parts<'a> {
    line: &'a mut Vec<u8>,
    begun: bool,
    end: &'static [u8],
}

impl<'a> Json<'a> {
    fn parts(self, begin: &[u8], end: &'static [u8]) -> Parts<'a> {
        self.line.extend_from_slice(begin);
        Parts { line: self.line, begun: false, end }
    }

    fn variant(self, name: &str, begin: &[u8], end: &'static [u8]) -> Parts<'a> {
        self.line.push(b'{');
        text(self.line, name);
        self.line.push(b':');
        self.parts(begin, end)
    }

    fn number(self, number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut left = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.line.extend_from_slice(digits.get(at..).unwrap_or_default());
    }
}

impl<'a> ser::Serializer for Json<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.line.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        if value < 0 {
            self.line.push(b'-');
        }
        self.number(value.unsigned_abs());
        Ok(())
    }
    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.number(value);
        Ok(())
    }
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        // Rare, and the shortest form is an art of its own.
        serde_json::to_writer(self.line, &value).map_err(ser::Error::custom)
    }
    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        serde_json::to_writer(self.line, &value).map_err(ser::Error::custom)
    }
    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(self.line, value);
        Ok(())
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        Err(unsupported("bytes"))
    }
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Error> {
        self.line.extend_from_slice(b"null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let parts = self.variant(variant, b"", b"}");
        value.serialize(Json { line: parts.line })?;
        parts.finish()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.parts(b"[", b"]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.parts(b"[", b"]"))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.parts(b"[", b"]"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        Ok(self.variant(variant, b"[", b"]}"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.parts(b"{", b"}"))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.parts(b"{", b"}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        Ok(self.variant(variant, b"{", b"}}"))
    }
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.line.push(b'"');
        write!(Escaping(self.line), "{value}").map_err(ser::Error::custom)?;
        self.line.push(b'"');
        Ok(())
    }
}

impl Parts<'_> {
    fn separate(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.line.push(b',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(Json { line: self.line })
    }

    /// A field of a struct: its name is an identifier, or written in the code.
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.separate();
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
        value.serialize(Json { line: self.line })
    }

    fn finish(self) -> Result<(), Error> {
        self.line.extend_from_slice(self.end);
        Ok(())
    }
}

/// serde has a trait for each kind of compound; all of them end alike here.
macro_rules! compounds {
    ($($kind:ident { $($method:item)+ })+) => {$(
        impl $kind for Parts<'_> {
            type Ok = ();
            type Error = Error;
            $($method)+
            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )+};
}

compounds! {
    SerializeSeq {
        fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
            self.element(value)
        }
    }
    SerializeTuple {
        fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
            self.element(value)
        }
    }
    SerializeTupleStruct {
        fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
            self.element(value)
        }
    }
    SerializeTupleVariant {
        fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
            self.element(value)
        }
    }
    SerializeMap {
        fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
            self.separate();
            let at = self.line.len();
            key.serialize(Json { line: self.line })?;
            if self.line.get(at) == Some(&b'"') { Ok(()) } else { Err(unsupported("such a key")) }
        }
        fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
            self.line.push(b':');
            value.serialize(Json { line: self.line })
        }
    }
    SerializeStruct {
        fn serialize_field<T: Serialize + ?Sized>(
            &mut self,
            name: &'static str,
            value: &T,
        ) -> Result<(), Error> {
            self.field(name, value)
        }
    }
    SerializeStructVariant {
        fn serialize_field<T: Serialize + ?Sized>(
            &mut self,
            name: &'static str,
            value: &T,
        ) -> Result<(), Error> {
            self.field(name, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// One of each shape.
    #[derive(Serialize, Debug)]
    struct Shapes {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        null: Option<u8>,
        list: Vec<(i64, f32)>,
        map: BTreeMap<String, u64>,
        unit: (),
        pair: Pair,
        variants: [Variant; 4],
    }

    #[derive(Serialize, Debug)]
    struct Pair(bool, char);

    #[derive(Serialize, Debug)]
    enum Variant {
        Plain,
        One(u32),
        Two(u8, i8),
        #[serde(rename = "named")]
        Named {
            field: String,
        },
    }

    proptest! {
        #[test]
        fn every_value_is_written_as_serde_json_writes_it(
            text in "(?s).{0,40}",
            keys in prop::collection::btree_map("(?s).{0,12}", any::<u64>(), 0..4),
            list in prop::collection::vec(any::<(i64, f32)>(), 0..4),
            flag: bool,
            letter: char,
            null: Option<u8>,
        ) {
            let shapes = Shapes {
                text: text.clone(),
                absent: None,
                null,
                list,
                map: keys,
                unit: (),
                pair: Pair(flag, letter),
                variants: [
                    Variant::Plain,
                    Variant::One(7),
                    Variant::Two(1, -2),
                    Variant::Named { field: text },
                ],
            };
            let mut line = Vec::new();
            append(&mut line, &shapes).expect("only supported values");
            let line = String::from_utf8(line).expect("text");
            let mut expected = String::new();
            for c in serde_json::to_string(&shapes).expect("the same").chars() {
                match c {
                    c if is_unsafe(c) => c
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .for_each(|unit| write!(expected, "\\u{unit:04x}").expect("text")),
                    c => expected.push(c),
                }
            }
            prop_assert_eq!(line, expected);
        }
    }

    #[test]
    fn characters_that_steer_are_escaped_and_read_back() {
        let text = "a\u{9b}2J\u{202e}b\u{200b}\u{7f}\u{e0041}é山\n\"";
        let mut line = Vec::new();
        append(&mut line, &text).expect("a text");
        let line = String::from_utf8(line).expect("UTF-8");
        assert_eq!(line, "\"a\\u009b2J\\u202eb\\u200b\\u007f\\udb40\\udc41é山\\n\\\"\"");
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), text);
    }

    #[test]
    fn what_no_event_holds_is_refused() {
        assert!(append(&mut Vec::new(), &BTreeMap::from([(1, 2)])).is_err());
    }
}
