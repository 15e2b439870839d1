//! HL7 v2 in ER7 (pipes): messages, batches, several of them in one payload.
//!
//! The first four bytes distinguish segments. Those that rules name are buffered, within a cap, and read when
//! complete; of all others, only the next line end is searched.

pub(in crate::content) mod carried;
pub(in crate::content) mod charset;
mod display;
mod embedded;
mod error;
mod field_keys;
pub(in crate::content) mod field_lines;
mod joined;
mod json;
mod json_fields;
mod json_segments;
mod kinds;
mod message;
mod names;
mod patient_context;
mod prose;
mod query;
mod table;
pub mod types;
pub(in crate::content) mod value;
mod xml;
mod xml_fields;
mod z_segment;

#[cfg(test)]
mod tests;

use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::syntax::hl7v2::{header, is_delimiter};
use embedded::Embedded;
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE};
pub(in crate::content) use field_lines::FieldLines;
pub use json::Json;
pub use json_fields::{FieldTree, JsonFields, has_field_keys};
pub use json_segments::JsonSegments;
use memchr::memchr2;
use message::Message;
pub use message::PartNote;
pub(in crate::content) use patient_context::PatientContext;
pub use xml::Xml;
pub use xml_fields::XmlFields;
use zeroize::Zeroizing;

/// Longest segment that is read completely, bytes. The rest is skipped and counted.
pub const MAX_SEGMENT: usize = 64 << 10;
/// Bytes of UTF-16 decoded at once.
const MAX_WIDE: usize = 4 << 10;

/// The format.
pub struct Er7;

impl Format for Er7 {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn first(&self) -> &'static [u8] {
        b"MFB"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let begins = |strict| {
            let filler = |b: &u8| matches!(b, 0x0B | 0xEF | 0xBB | 0xBF) || b.is_ascii_whitespace();
            let at = head.iter().take_while(|b| filler(b)).count();
            header(head.get(at..).unwrap_or(&[]), strict).is_yes()
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

/// `application/hl7-v2`, `x-application/hl7-v2+er7`, and other types in use.
fn is_er7(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").to_ascii_lowercase();
    essence.contains("hl7-v2") || essence.contains("hl7v2") || essence.contains("er7")
}

/// A reader of messages.
#[derive(Default)]
struct Er7Document {
    message: Message,
    /// The current segment, from its name on.
    segment: Zeroizing<Vec<u8>>,
    /// The first bytes of a line, until they decide whether it is a segment.
    head: [u8; 4],
    head_len: usize,
    state: State,
    /// The current segment is buffered.
    keep: bool,
    /// The current segment was cut at the cap.
    cut: bool,
    /// The current segment may contain a document.
    embedded: Option<Embedded>,
    width: Width,
}

/// Width of characters.
#[derive(Default)]
enum Width {
    /// Unknown; the first byte, if it was seen.
    #[default]
    Unknown,
    First(u8),
    /// One byte, or several in a set that contains ASCII.
    Narrow,
    /// UTF-16: the bytes are decoded first.
    Wide(Box<Decoder>),
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
        let Some((&byte, tail)) = bytes.split_first() else { return Want::ALL };
        match (&self.width, tail.first()) {
            (Width::Unknown, None) => {
                self.width = Width::First(byte);
                return Want::ALL;
            }
            (Width::Unknown, Some(&next)) => self.measure([byte, next]),
            (&Width::First(first), _) => {
                self.measure([first, byte]);
                self.text(&[first], scope);
            }
            (Width::Narrow | Width::Wide(_), _) => {}
        }
        self.text(bytes, scope);
        Want::ALL
    }

    /// Segments behind a gap may belong to another message: the record ends with what was read, and the next patient
    /// or header starts a new one.
    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.segment.clear();
        (self.keep, self.head_len) = (false, 0);
        self.close_embedded(Ending::Cut, scope);
        self.message.end(scope);
        self.state = State::Body;
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if self.head_len > 0 {
            self.decide(scope);
        }
        self.trailer();
        self.finish(scope);
        self.close_embedded(ending, scope);
        self.message.end(scope);
    }

    fn memory(&self) -> usize {
        self.segment.capacity()
            + self.message.memory()
            + self.embedded.as_ref().map_or(0, Embedded::memory)
    }
}

impl Er7Document {
    /// Detects UTF-16 by its first bytes: a byte order mark, or the first letter of a segment.
    fn measure(&mut self, first: [u8; 2]) {
        let set = match first {
            [0xFF, 0xFE] | [b'A'..=b'Z', 0] => UTF_16LE,
            [0xFE, 0xFF] | [0, b'A'..=b'Z'] => UTF_16BE,
            _ => {
                self.width = Width::Narrow;
                return;
            }
        };
        self.width = Width::Wide(Box::new(set.new_decoder_with_bom_removal()));
        self.message.is_unicode();
    }

    fn text(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let Width::Wide(mut decoder) = std::mem::replace(&mut self.width, Width::Narrow) else {
            return self.lines(bytes, scope);
        };
        let mut text = Zeroizing::new(String::new());
        for piece in bytes.chunks(MAX_WIDE) {
            text.clear();
            text.reserve(decoder.max_utf8_buffer_length(piece.len()).unwrap_or(0));
            // The buffer has reached its largest size.
            let _ = decoder.decode_to_string(piece, &mut text, false);
            self.lines(text.as_bytes(), scope);
        }
        self.width = Width::Wide(decoder);
    }

    fn lines(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Head => self.head(rest, scope),
                State::Body => self.body(rest, scope),
            };
        }
    }

    /// Collects the first four bytes of a line and decides its kind.
    fn head<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let mut rest = bytes;
        if self.head_len == 0 {
            while let [b'\r' | b'\n', tail @ ..] = rest {
                rest = tail;
            }
            // Nearly all lines begin with a name and a delimiter, in one piece.
            if let Some((head, behind)) = rest.split_first_chunk()
                && head.first().is_some_and(u8::is_ascii_uppercase)
                && !head.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
            {
                (self.head, self.head_len) = (*head, head.len());
                self.decide(scope);
                return behind;
            }
        }
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

    /// Whether the bytes at the beginning of a line start a segment. If not, a line end within the text of the
    /// previous segment was not escaped, and the line still belongs to it.
    fn decide(&mut self, scope: &mut Scope<'_>) {
        let (head, len) = (self.head, std::mem::take(&mut self.head_len));
        self.state = State::Body;
        let [a, b, c, separator] = head;
        let mut name = [a, b, c];
        let mut named = a.is_ascii_uppercase()
            && [b, c].iter().all(|x| x.is_ascii_uppercase() || x.is_ascii_digit());
        if !named && len == 4 && separator == self.message.field_separator() {
            // Some write names in small letters.
            let upper = name.map(|letter| letter.to_ascii_uppercase());
            if joined::is_known(upper) {
                (name, named) = (upper, true);
            }
        }
        let heading = matches!(name, [b'M', b'S', b'H'] | [b'F' | b'B', b'H', b'S']);
        let separated = match len {
            4 if heading => is_delimiter(separator),
            4 => separator == self.message.field_separator(),
            3 => !heading,
            _ => false,
        };
        if !(named && len >= 3 && separated) {
            let head = head.get(..len).unwrap_or(&[]);
            // A line drawn between messages, and not in the text of a result or a note.
            let drawn = matches!(a, b'-' | b'=' | b'*' | b'#' | b'_') && head == [a; 4];
            if drawn && self.embedded.is_none() && !self.segment.starts_with(b"NTE") {
                self.finish(scope);
                self.keep = false;
            }
            self.embed(head, scope);
            if self.keep {
                self.collect(b" ");
                self.collect(head);
            }
            return;
        }
        self.finish(scope);
        let results = matches!(name, [b'O', b'B', b'X']);
        match &mut self.embedded {
            // A document may continue in the next result.
            Some(embedded) if results => embedded.begin(),
            Some(_) => self.close_embedded(Ending::Complete, scope),
            None if results => self.embedded = Some(Embedded::new()),
            None => {}
        }
        self.message.begins(name, scope);
        if heading {
            self.message.set_field_separator(separator);
        }
        self.keep = self.message.wants(name, scope.rules);
        if self.keep {
            self.collect(&name);
            self.collect(head.get(name.len()..len).unwrap_or(&[]));
        }
    }

    /// Skips a line, or buffers it.
    fn body<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let end = memchr2(b'\r', b'\n', bytes);
        let (line, rest) =
            bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
        self.embed(line, scope);
        if self.keep {
            self.collect(line);
        }
        if end.is_some() {
            self.state = State::Head;
        }
        rest
    }

    /// Reads a document in the current segment, whose other fields are then skipped.
    fn embed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        if let Some(embedded) = &mut self.embedded {
            embedded.data(bytes, &self.message.syntax(), scope);
            if embedded.is_document() && std::mem::take(&mut self.keep) {
                self.segment.clear();
                self.cut = false;
            }
        }
    }

    fn close_embedded(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(mut embedded) = self.embedded.take() {
            embedded.end(ending, &self.message.syntax(), scope);
        }
    }

    fn collect(&mut self, bytes: &[u8]) {
        let room = MAX_SEGMENT.saturating_sub(self.segment.len());
        self.cut |= bytes.len() > room;
        self.segment.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Reads the segments of one line.
    fn joined(&mut self, segments: &[&[u8]], scope: &mut Scope<'_>) {
        for (number, segment) in segments.iter().enumerate() {
            let Some(name) = segment.first_chunk::<3>() else { continue };
            let name = name.map(|letter| letter.to_ascii_uppercase());
            if number > 0 {
                self.message.begins(name, scope);
            }
            if self.message.wants(name, scope.rules) {
                let text = [&name[..], segment.get(name.len()..).unwrap_or_default()].concat();
                self.message.segment(&Zeroizing::new(text), scope);
            }
        }
    }

    /// The hybrid lower layer protocol writes length and checksum behind the last segment, eight digits
    /// on a line of their own.
    fn trailer(&mut self) {
        if let Some((text, [b' ', digits @ ..])) =
            self.segment.len().checked_sub(9).and_then(|at| self.segment.split_at_checked(at))
            && digits.iter().all(u8::is_ascii_digit)
        {
            let len = text.len();
            self.segment.truncate(len);
        }
    }

    /// The buffered segment is complete.
    fn finish(&mut self, scope: &mut Scope<'_>) {
        if let Some(embedded) = &mut self.embedded {
            embedded.end_segment(&self.message.syntax(), scope);
        }
        if std::mem::take(&mut self.keep) {
            let segment = std::mem::take(&mut self.segment);
            match joined::segments(&segment) {
                Some(pieces) => self.joined(&pieces, scope),
                None => self.message.segment(&segment, scope),
            }
            self.segment = segment;
            self.segment.clear();
        }
        if std::mem::take(&mut self.cut) {
            scope.give_up(Reason::Limit);
        }
    }
}

/// Bytes that may precede a segment without being part of it: framing, spaces, a byte order mark (whose bytes may
/// also begin a line of text in a segment).
const fn is_filler(byte: u8, in_text: bool) -> bool {
    matches!(byte, 0 | 0x0B | 0x1C | b' ' | b'\t')
        || (matches!(byte, 0xEF | 0xBB | 0xBF) && !in_text)
}
