//! Documents in OBX-5: data type ED (chapter 2A.24), `source^type^subtype^encoding^data`, and the variants that
//! senders use under other types: base64 or hexadecimal digits alone, pointers (RP).
//!
//! The data is decoded as it arrives and passed to its format; only text without an encoding is collected. A document
//! may continue in the next repetition and in the next result.

pub(super) mod coding;
mod magic;

use super::value::{Delimiters, Syntax};
use crate::content::{Ending, Media, Nested, Scope, Want};
use coding::Coding;
use magic::{HEAD, TextEncoding};
use memchr::{memchr, memchr3};
use zeroize::Zeroizing;

/// Longest component that describes the data, bytes.
const MAX_COMPONENT: usize = 64;
/// Longest pointer, bytes.
const MAX_POINTER: usize = 2 << 10;
/// Longest text without an encoding, bytes.
const MAX_TEXT: usize = 64 << 10;
/// Decoded bytes passed on at once.
const CHUNK: usize = 4096;
/// Bytes allowed between two escape characters within encoded data (`\.br\`, `\X0D0A\`).
const MAX_ESCAPE: usize = 16;
/// Prefix of the query of a pointer.
const FORM: &str = "application/x-www-form-urlencoded";
/// Most components in front of the data.
const MAX_COMPONENTS: usize = 6;

/// Reads the documents in OBX segments.
pub struct Embedded {
    state: State,
    /// The document of the previous repetition or segment, which may continue.
    open: Option<Box<Data>>,
    /// A document began or continued in this segment.
    document: bool,
}

enum State {
    /// Before OBX-5.
    Fields { number: u8, value: [u8; 3], len: usize },
    /// In OBX-5, before the data.
    Value {
        class: Class,
        /// The components before the data give its encoding and type.
        described: Option<(Coding, String)>,
        parts: Vec<Zeroizing<Vec<u8>>>,
    },
    /// In the data.
    Data { class: Class, data: Box<Data> },
    /// No document, or its end.
    Done,
}

/// The type in OBX-2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// ED.
    Document,
    /// RP.
    Pointer,
    /// Any type that may be long.
    Text,
}

/// The current document.
struct Data {
    nested: Nested,
    coding: Coding,
    /// The name of the decoded layer in `phi.carrier`.
    layer: &'static str,
    /// It has a recognisable beginning, so data without one continues it.
    begun: bool,
    /// Its first bytes were passed on.
    flushed: bool,
    /// Following decoded bytes to skip.
    skip: u64,
    /// Decoded bytes, not yet passed on.
    out: Zeroizing<Vec<u8>>,
    /// Within an escape sequence, this many bytes ago.
    escaped: Option<usize>,
}

impl State {
    fn value(class: Class) -> Self {
        Self::Value { class, described: None, parts: vec![Zeroizing::default()] }
    }
}

impl Embedded {
    /// An OBX segment begins; the next bytes are those of OBX-1.
    pub const fn new() -> Self {
        let state = State::Fields { number: 1, value: [0; 3], len: 0 };
        Self { state, open: None, document: false }
    }

    /// The next OBX segment begins.
    pub fn begin(&mut self) {
        self.document = false;
        self.state = State::Fields { number: 1, value: [0; 3], len: 0 };
    }

    /// Whether the segment contains a document, also one that has ended: segmentation must not matter.
    pub const fn is_document(&self) -> bool {
        self.document
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let data = |d: &Data| d.nested.memory() + d.out.capacity();
        let state = match &self.state {
            State::Data { data: d, .. } => data(d),
            State::Value { parts, .. } => parts.iter().map(|p| p.capacity()).sum(),
            State::Fields { .. } | State::Done => 0,
        };
        state + self.open.as_deref().map_or(0, data)
    }

    /// The next bytes of the segment.
    pub fn data(&mut self, bytes: &[u8], syntax: &Syntax, scope: &mut Scope<'_>) {
        let d = &syntax.delimiters;
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            match &mut self.state {
                State::Fields { number, value, len } => {
                    if char::from(byte) == d.field {
                        if *number == 2 && is_short(value) {
                            self.state = State::Done;
                            return;
                        }
                        *number += 1;
                        if *number == 5 {
                            let class = match &*value {
                                b"ED\0" => Class::Document,
                                b"RP\0" => Class::Pointer,
                                _ => Class::Text,
                            };
                            self.state = State::value(class);
                        }
                    } else if *number == 2
                        && let Some(slot) = value.get_mut(*len)
                    {
                        *slot = byte;
                        *len += 1;
                    }
                }
                State::Value { .. } => {
                    if [d.field, d.repetition].contains(&char::from(byte)) {
                        self.end_value(char::from(byte) == d.repetition, syntax, scope);
                    } else {
                        self.value(byte, d, syntax, scope);
                    }
                }
                State::Data { class, data } => {
                    let (read, ended) = data.read(rest, d, scope);
                    rest = rest.get(read..).unwrap_or(&[]);
                    let Some(by) = ended else { continue };
                    let class = *class;
                    if let State::Data { data, .. } =
                        std::mem::replace(&mut self.state, State::Done)
                    {
                        self.keep(data, syntax, scope);
                    }
                    if by == d.repetition {
                        self.state = State::value(class);
                    }
                    continue;
                }
                State::Done => return,
            }
            rest = tail;
        }
    }

    /// The segment has ended: a document in it may continue in the next.
    pub fn end_segment(&mut self, syntax: &Syntax, scope: &mut Scope<'_>) {
        if matches!(self.state, State::Value { .. }) {
            self.end_value(false, syntax, scope);
        }
        if let State::Data { data, .. } = std::mem::replace(&mut self.state, State::Done) {
            self.keep(data, syntax, scope);
        }
    }

    /// The data of a repetition has ended.
    fn keep(&mut self, mut data: Box<Data>, syntax: &Syntax, scope: &mut Scope<'_>) {
        if data.may_go_on() {
            self.open = Some(data);
        } else {
            data.end(Ending::Complete, syntax, scope);
        }
    }

    /// The document is complete.
    pub fn end(&mut self, ending: Ending, syntax: &Syntax, scope: &mut Scope<'_>) {
        if let State::Data { mut data, .. } = std::mem::replace(&mut self.state, State::Done) {
            data.end(ending, syntax, scope);
        }
        self.close(ending, syntax, scope);
    }

    fn close(&mut self, ending: Ending, syntax: &Syntax, scope: &mut Scope<'_>) {
        if let Some(mut data) = self.open.take() {
            data.end(ending, syntax, scope);
        }
    }

    /// A byte of the value before its kind is known.
    fn value(&mut self, byte: u8, d: &Delimiters, syntax: &Syntax, scope: &mut Scope<'_>) {
        let State::Value { class, described: known, parts } = &mut self.state else { return };
        let class = *class;
        if char::from(byte) == d.component {
            if parts.len() == 4
                && known.is_none()
                && let Some((coding, content_type)) = described(class, parts)
            {
                // The first bytes decide whether it continues the one before.
                if self.open.is_some() && coding.is_encoded() {
                    *known = Some((coding, content_type));
                    parts.push(Zeroizing::default());
                } else {
                    self.close(Ending::Complete, syntax, scope);
                    let data = Box::new(Data::new(coding, &content_type));
                    self.document = true;
                    self.state = State::Data { class, data };
                }
            } else if parts.len() >= MAX_COMPONENTS {
                self.state = State::Done;
            } else {
                parts.push(Zeroizing::default());
            }
            return;
        }
        let cap = if class == Class::Pointer { MAX_POINTER } else { MAX_COMPONENT };
        let Some(last) = parts.last_mut() else { return };
        if last.len() < cap {
            last.push(byte);
        }
        if last.len() != HEAD {
            return;
        }
        // Enough to decide whether this is a document.
        if known.is_some() || TextEncoding::of(last, self.open.is_some()).is_some() {
            if let Some(data) = self.start(syntax, scope) {
                self.document = true;
                self.state = State::Data { class, data };
            }
        } else if class == Class::Text && parts.len() == 1 {
            // Prose: the description of a document begins with a short component.
            self.state = State::Done;
        }
    }

    /// The value, or one repetition of it, has ended before its kind was known.
    fn end_value(&mut self, repeats: bool, syntax: &Syntax, scope: &mut Scope<'_>) {
        let State::Value { class, described, parts } = &self.state else { return };
        let class = *class;
        let last = parts.last().map_or(&[][..], |p| p.as_slice());
        let further =
            self.open.is_some() && TextEncoding::of(last, true) == Some(TextEncoding::Further);
        if described.is_some() || further {
            if let Some(data) = self.start(syntax, scope) {
                self.keep(data, syntax, scope);
            }
        } else if class == Class::Pointer
            && let Some(pointer) = parts.first()
        {
            point(pointer, syntax, scope);
        }
        self.state = if repeats { State::value(class) } else { State::Done };
    }

    /// The data begins or continues; its held bytes are passed on.
    fn start(&mut self, syntax: &Syntax, scope: &mut Scope<'_>) -> Option<Box<Data>> {
        let State::Value { described, parts, .. } = std::mem::replace(&mut self.state, State::Done)
        else {
            return None;
        };
        let head = parts.last().map_or(&[][..], |p| p.as_slice());
        let written = TextEncoding::of(head, self.open.is_some());
        let mut data = match (written, described, self.open.take()) {
            (Some(TextEncoding::Further), _, Some(open)) => open,
            (written, described, before) => {
                if let Some(mut before) = before {
                    before.end(Ending::Complete, syntax, scope);
                }
                let (coding, content_type) = match (described, written) {
                    (Some(described), _) => described,
                    (None, Some(TextEncoding::Hex)) => (Coding::hex(), String::new()),
                    (None, Some(_)) => (Coding::base64(), String::new()),
                    (None, None) => return None,
                };
                Box::new(Data::new(coding, &content_type))
            }
        };
        let _ = data.read(head, &syntax.delimiters, scope);
        Some(data)
    }
}

/// Types of values that are never documents: numbers, dates, codes.
const fn is_short(value: &[u8; 3]) -> bool {
    matches!(
        value,
        b"NM\0"
            | b"SN\0"
            | b"DT\0"
            | b"TM\0"
            | b"TS\0"
            | b"DTM"
            | b"SI\0"
            | b"CX\0"
            | b"XPN"
            | b"XCN"
    )
}

/// The encoding and type in the four components before the data.
fn described(class: Class, components: &[Zeroizing<Vec<u8>>]) -> Option<(Coding, String)> {
    let text = |n: usize| {
        let raw = components.get(n).map_or(&[][..], |p| p.as_slice());
        String::from_utf8_lossy(raw).trim().to_ascii_lowercase()
    };
    let (kind, subtype) = (text(1), text(2));
    let coding = match text(3).as_str() {
        "base64" | "b64" | "base-64" => Coding::base64(),
        "hex" | "hexadecimal" => Coding::hex(),
        "a" | "" if class == Class::Document => Coding::Plain,
        _ => return None,
    };
    // Table 0191, with the abbreviations of earlier versions.
    let kind = match kind.as_str() {
        "" | "ap" => "application",
        "im" => "image",
        "tx" | "ft" | "sd" => "text",
        other => other,
    };
    let content_type = match subtype.as_str() {
        "" | "octet-stream" => String::new(),
        subtype => format!("{kind}/{subtype}"),
    };
    Some((coding, content_type))
}

/// RP: the query of a pointer may name a patient (`http://pacs/view?patientId=77`).
fn point(pointer: &[u8], syntax: &Syntax, scope: &mut Scope<'_>) {
    let text = syntax.charset.decode(pointer, syntax.delimiters.escape_byte());
    let text = syntax.undo(&text);
    let Some((_, behind)) = text.split_once("://") else { return };
    if let Some((_, query)) = behind.split_once('?') {
        let media = Media::Type { content_type: FORM, name: "" };
        scope.whole(&media, query.as_bytes());
    }
}

impl Data {
    fn new(coding: Coding, content_type: &str) -> Self {
        Self {
            nested: Nested::new(&Media::Type { content_type, name: "" }),
            layer: coding.layer(),
            coding,
            begun: false,
            flushed: false,
            skip: 0,
            out: Zeroizing::default(),
            escaped: None,
        }
    }

    /// Whether the following data may belong to it.
    fn may_go_on(&self) -> bool {
        self.coding.is_encoded() && (self.begun || magic::begins(&self.out))
    }

    /// Decodes `bytes`. Returns how many were read, and the delimiter that ended the data.
    fn read(
        &mut self,
        bytes: &[u8],
        d: &Delimiters,
        scope: &mut Scope<'_>,
    ) -> (usize, Option<char>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let run = self.run(bytes.get(at..).unwrap_or_default(), d, scope);
            if run > 0 {
                at += run;
                continue;
            }
            let character = char::from(byte);
            if [d.field, d.repetition, d.component].contains(&character) {
                return (at, Some(character));
            }
            at += 1;
            if self.coding.is_encoded() && self.escapes(byte, d) {
                continue;
            }
            self.coding.decode(byte, MAX_TEXT, &mut self.out);
            if self.out.len() == HEAD && !self.coding.is_encoded() {
                self.look();
            }
            if self.coding.is_encoded() && self.out.len() >= CHUNK {
                self.flush(scope);
            }
        }
        (bytes.len(), None)
    }

    /// Decodes base64 up to the next delimiter, or one chunk of it: the usual case. Returns how many bytes were read.
    fn run(&mut self, bytes: &[u8], d: &Delimiters, scope: &mut Scope<'_>) -> usize {
        if self.escaped.is_some() || !matches!(self.coding, Coding::Base64(_)) {
            return 0;
        }
        // At most one chunk.
        let room = CHUNK.saturating_sub(self.out.len()).min(bytes.len());
        let bytes = bytes.get(..room).unwrap_or_default();
        let (field, repetition, component) = (d.field as u8, d.repetition as u8, d.component as u8);
        let end = memchr3(field, repetition, component, bytes).unwrap_or(bytes.len());
        let run = bytes.get(..end).unwrap_or_default();
        let end = memchr(d.escape_byte(), run).unwrap_or(run.len());
        if !self.coding.decode_base64(run.get(..end).unwrap_or_default(), &mut self.out) {
            return 0;
        }
        if self.out.len() >= CHUNK {
            self.flush(scope);
        }
        end
    }

    /// Text declared without an encoding may have one, as its first characters show.
    fn look(&mut self) {
        self.coding = match TextEncoding::of(&self.out, false) {
            Some(TextEncoding::Base64) => Coding::base64(),
            Some(TextEncoding::Hex) => Coding::hex(),
            _ => return,
        };
        self.layer = self.coding.layer();
        self.nested = Nested::new(&Media::Type { content_type: "", name: "" });
        for byte in std::mem::take(&mut *self.out) {
            self.coding.decode(byte, MAX_TEXT, &mut self.out);
        }
    }

    /// Whether `byte` belongs to an escape sequence, which encoded data does not contain itself.
    fn escapes(&mut self, byte: u8, d: &Delimiters) -> bool {
        let escape = char::from(byte) == d.escape;
        self.escaped = match self.escaped {
            Some(_) if escape => None,
            Some(n) if n < MAX_ESCAPE => Some(n + 1),
            // It was no escape sequence.
            Some(_) => return false,
            None if escape => Some(0),
            None => return false,
        };
        true
    }

    /// Passes on the decoded bytes.
    fn flush(&mut self, scope: &mut Scope<'_>) {
        if !self.flushed {
            self.flushed = true;
            self.begun = magic::begins(&self.out);
        }
        let wanted = Want::behind(&mut self.skip, &self.out);
        scope.skipped((self.out.len() - wanted.len()) as u64);
        if !wanted.is_empty() {
            let nested = &mut self.nested;
            self.skip = scope.within(self.layer, |scope| nested.data(wanted, scope)).skip;
        }
        self.out.clear();
    }

    fn end(&mut self, ending: Ending, syntax: &Syntax, scope: &mut Scope<'_>) {
        if !self.coding.is_encoded() {
            let raw = std::mem::take(&mut self.out);
            let text = syntax.charset.decode(&raw, syntax.delimiters.escape_byte());
            self.out.extend_from_slice(syntax.undo(&text).as_bytes());
        }
        self.flush(scope);
        let nested = &mut self.nested;
        scope.within(self.layer, |scope| nested.end(ending, scope));
    }
}
