//! HL7 v2 in ER7 (pipes): messages, batches, several of them in one content.
//!
//! Segments are told apart by their first four bytes. Those that the rules name are collected,
//! within a cap, and read when they are complete; of all others no byte behind the name is touched
//! but to find the next line end.

pub(in crate::content) mod charset;
mod embedded;
mod message;
pub(in crate::content) mod value;
mod xml;

#[cfg(test)]
mod tests;

use super::{Document, Format, Media, Reason, Scope, Want};
use crate::protocol::mllp::start::{Header, header, is_delimiter};
use crate::rules::{Hl7Field, Kind};
use embedded::Embedded;
use memchr::memchr2;
use message::Message;
pub use xml::Xml;
use zeroize::Zeroizing;

/// Longest segment that is read whole, bytes. What stands beyond is passed over and counted.
pub const MAX_SEGMENT: usize = 64 << 10;

/// The format.
pub struct Er7;

/// Reads one repetition of a field on its own, with the recommended delimiters: what its rule's
/// samples are tested with.
pub fn read_field(field: &Hl7Field, raw: &str, each: &mut dyn FnMut(Kind, &str)) {
    let syntax = value::Syntax {
        delimiters: value::Delimiters::default(),
        charset: charset::Charset::Undeclared,
    };
    syntax.read(field.datatype, field.rule.kind, raw, &mut |v| each(v.kind, v.text));
}

impl Format for Er7 {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _whole: bool) -> bool {
        let begins = |strict| {
            let filler = |b: &u8| matches!(b, 0x0B | 0xEF | 0xBB | 0xBF) || b.is_ascii_whitespace();
            let at = head.iter().take_while(|b| filler(b)).count();
            matches!(header(head.get(at..).unwrap_or(&[]), strict), Header::Yes(_))
        };
        match media {
            Media::Hl7v2 => true,
            Media::Type { content_type, .. } if is_er7(content_type) => begins(false),
            Media::Type { .. } | Media::Unknown => begins(true),
            Media::DicomDataSet { .. } | Media::Target => false,
        }
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Er7Document>::default()
    }
}

/// `application/hl7-v2`, `x-application/hl7-v2+er7`, and what else is in use.
fn is_er7(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").to_ascii_lowercase();
    essence.contains("hl7-v2") || essence.contains("hl7v2") || essence.contains("er7")
}

/// A reader of messages.
#[derive(Default)]
struct Er7Document {
    message: Message,
    /// The segment being collected, from its name on.
    segment: Zeroizing<Vec<u8>>,
    /// The first bytes of a line, until they tell whether it is a segment.
    head: [u8; 4],
    head_len: usize,
    state: State,
    /// The current segment is being collected.
    keep: bool,
    /// The current segment was cut at the cap.
    cut: bool,
    /// The current segment may hold a document.
    embedded: Option<Embedded>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Within the first four bytes of a line.
    #[default]
    Head,
    /// Behind them, up to the line end.
    Body,
}

impl Document for Er7Document {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Head => self.head(rest, scope),
                State::Body => self.body(rest, scope),
            };
        }
        Want::ALL
    }

    /// Segments behind a hole may belong to another message: the record ends with what was read, and
    /// the next patient or header starts afresh.
    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.segment.clear();
        (self.keep, self.head_len) = (false, 0);
        self.close_embedded(false, scope);
        self.message.end(scope);
        self.state = State::Body;
        Want::ALL
    }

    fn end(&mut self, _complete: bool, scope: &mut Scope<'_>) {
        if self.head_len > 0 {
            self.decide(scope);
        }
        self.finish(scope);
        self.message.end(scope);
    }

    fn memory(&self) -> usize {
        self.segment.capacity() + self.embedded.as_ref().map_or(0, Embedded::memory)
    }
}

impl Er7Document {
    /// Collects the first four bytes of a line and decides what it is.
    fn head<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            let ends = matches!(byte, b'\r' | b'\n');
            if self.head_len == 0 && (ends || is_filler(byte, self.keep)) {
                rest = tail;
                continue;
            }
            if ends {
                // A line of fewer than four bytes.
                self.decide(scope);
                self.state = State::Head;
                return rest;
            }
            if let Some(slot) = self.head.get_mut(self.head_len) {
                *slot = byte;
            }
            self.head_len += 1;
            rest = tail;
            if self.head_len == self.head.len() {
                self.decide(scope);
                return rest;
            }
        }
        rest
    }

    /// Whether the bytes at the beginning of a line start a segment. If not, a line end within the
    /// text of the segment before was not escaped, and the line still belongs to it.
    fn decide(&mut self, scope: &mut Scope<'_>) {
        let (head, len) = (self.head, std::mem::take(&mut self.head_len));
        self.state = State::Body;
        let [a, b, c, separator] = head;
        let named = a.is_ascii_uppercase()
            && [b, c].iter().all(|x| x.is_ascii_uppercase() || x.is_ascii_digit());
        let name = [a, b, c];
        let heading = matches!(name, [b'M', b'S', b'H'] | [b'F' | b'B', b'H', b'S']);
        let separated = match len {
            4 if heading => is_delimiter(separator),
            4 => separator == self.message.field_separator(),
            3 => !heading,
            _ => false,
        };
        if !(named && len >= 3 && separated) {
            let head = head.get(..len).unwrap_or(&[]);
            if self.keep {
                self.collect(b" ");
                self.collect(head);
            }
            self.embed(head, scope);
            return;
        }
        self.finish(scope);
        self.message.begins(name, scope);
        if heading {
            self.message.set_field_separator(separator);
        }
        self.keep = self.message.wants(name, scope.rules);
        if matches!(name, [b'O', b'B', b'X']) {
            self.embedded = Some(Embedded::new());
        }
        if self.keep {
            self.collect(head.get(..len).unwrap_or(&[]));
        }
    }

    /// Passes over a line, or collects it.
    fn body<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let end = memchr2(b'\r', b'\n', bytes);
        let (line, rest) =
            bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
        if self.keep {
            self.collect(line);
        }
        self.embed(line, scope);
        if end.is_some() {
            self.state = State::Head;
        }
        rest
    }

    /// Reads a document in the current segment.
    fn embed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        if let Some(embedded) = &mut self.embedded {
            embedded.data(bytes, &self.message.syntax(), scope);
            if embedded.is_done() {
                self.embedded = None;
            }
        }
    }

    fn close_embedded(&mut self, complete: bool, scope: &mut Scope<'_>) {
        if let Some(mut embedded) = self.embedded.take() {
            embedded.end(complete, &self.message.syntax(), scope);
        }
    }

    fn collect(&mut self, bytes: &[u8]) {
        let room = MAX_SEGMENT.saturating_sub(self.segment.len());
        self.cut |= bytes.len() > room;
        self.segment.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The segment that was collected is complete.
    fn finish(&mut self, scope: &mut Scope<'_>) {
        self.close_embedded(true, scope);
        if std::mem::take(&mut self.keep) {
            let segment = std::mem::take(&mut self.segment);
            self.message.segment(&segment, scope);
            self.segment = segment;
            self.segment.clear();
        }
        if std::mem::take(&mut self.cut) {
            scope.give_up(Reason::Limit);
        }
    }
}

/// What may stand before a segment without being part of it: framing, spaces, a byte order mark
/// (whose bytes may also begin a line of text in a segment).
const fn is_filler(byte: u8, in_text: bool) -> bool {
    matches!(byte, 0 | 0x0B | 0x1C | b' ' | b'\t')
        || (matches!(byte, 0xEF | 0xBB | 0xBF) && !in_text)
}
