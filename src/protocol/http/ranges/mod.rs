//! Documents in parts (RFC 9110 14): viewers read a PDF by ranges, downloads are resumed.
//!
//! Parts of one document (the same target, validator and length) are combined. Parts in order are passed on at once;
//! others are held, up to a cap, until what precedes them has come. Beyond the cap each part is read alone. At the
//! end of the connection held parts are passed on with gaps between them.

mod document;
mod multipart;

#[cfg(test)]
mod tests;

pub(in crate::protocol) use multipart::ByteRanges;

use super::exchange::{MAX_CODINGS, codings};
use super::head::{self, Head};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::websocket::Service;
use crate::protocol::{ContentSink, Direction, Ending, Hint, Media, Progress, Reason};
use document::Document;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Out-of-order bytes held per connection.
const MAX_HELD: usize = 8 << 20;

/// Overhead of a held part, bytes, approximately.
const OVERHEAD: usize = 96;

/// Documents of a connection that are reassembled at the same time.
const MAX_DOCUMENTS: usize = 8;

/// Longest validator, name, media type or coding kept, bytes.
const MAX_TEXT: usize = 256;

/// A `Content-Range` (RFC 9110 14.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::protocol) struct ContentRange {
    start: u64,
    /// Offset behind its last byte.
    end: u64,
    /// Length of the whole document, if the server knows it.
    total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 0-499/1234`.
    pub(in crate::protocol) fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let unit = value.get(..5).filter(|unit| unit.eq_ignore_ascii_case("bytes"))?;
        let rest = value.get(unit.len()..)?.trim_start_matches([' ', '\t', '=', ':']);
        let (range, total) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (start, last) = (number(first)?, number(last)?);
        let total = number(total);
        let end = last.checked_add(1)?;
        (start < end && total.is_none_or(|total| end <= total)).then_some(Self {
            start,
            end,
            total,
        })
    }

    /// A complete document of this length.
    pub(in crate::protocol) const fn whole(total: u64) -> Self {
        Self { start: 0, end: total, total: Some(total) }
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Identifies the document of a part, with its properties.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::protocol) struct Origin {
    direction: Direction,
    method: &'static str,
    /// Hash of the target with its query; 0 if the request was not seen.
    target: u64,
    /// `ETag`, or else `Last-Modified` (RFC 9110 8.8).
    validator: Box<str>,
    content_type: Box<str>,
    name: Box<str>,
    codings: Vec<Box<str>>,
}

impl Origin {
    /// From the head of a response.
    pub(in crate::protocol) fn new(
        direction: Direction,
        service: &Service,
        target: u64,
        head: &Head<'_>,
    ) -> Self {
        let mut names = [""; MAX_CODINGS];
        let count = codings(head, &mut names);
        let file = head::file_name(head.content_disposition);
        let validator = if head.etag.is_empty() { head.last_modified } else { head.etag };
        Self {
            direction,
            method: service.method,
            target,
            validator: cut(validator),
            content_type: cut(head.content_type),
            name: cut(if file.is_empty() { &service.path } else { file }),
            codings: names.iter().take(count).map(|name| cut(name)).collect(),
        }
    }

    /// Whether both parts belong to one document.
    fn is(&self, other: &Self) -> bool {
        self.target == other.target
            && self.validator == other.validator
            && self.direction == other.direction
            && self.codings == other.codings
    }

    fn open(&self, sink: &mut dyn ContentSink) -> ContentWriter {
        let mut codings = [""; MAX_CODINGS];
        for (slot, coding) in codings.iter_mut().zip(&self.codings) {
            *slot = coding;
        }
        let hint = Hint {
            direction: self.direction,
            media: Media::Type { content_type: &self.content_type, name: &self.name },
            operation: self.method,
            codings: codings.get(..self.codings.len()).unwrap_or_default(),
            layer: "http",
        };
        ContentWriter::open(&hint, sink)
    }

    fn memory(&self) -> usize {
        self.validator.len() + self.content_type.len() + self.name.len()
    }
}

/// A target, reduced to what distinguishes documents.
pub(in crate::protocol) fn target(target: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    hasher.finish() | 1
}

fn cut(text: &str) -> Box<str> {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|i| text.is_char_boundary(*i));
    text.get(..end.unwrap_or(0)).unwrap_or("").into()
}

/// A part that is being read.
pub(in crate::protocol) struct Part {
    document: u32,
    /// The offset of its next byte in the document.
    at: u64,
    end: u64,
    /// Offset of the bytes that are held for it.
    key: Option<u64>,
    /// It is read alone.
    own: Option<ContentWriter>,
    /// How many bytes from there were last said to be skipped.
    unwanted: u64,
    /// It is the whole document, unless it is cut.
    whole: bool,
}

/// The partial documents of a connection.
#[derive(Default)]
pub(in crate::protocol) struct Ranges {
    /// In order of use, the latest last.
    documents: Vec<Document>,
    serial: u32,
    /// Bytes held for all documents.
    held: usize,
}

impl Ranges {
    /// Begins a part. `None` if its document is unknown.
    pub(in crate::protocol) fn part(
        &mut self,
        origin: &Origin,
        range: ContentRange,
        sink: &mut dyn ContentSink,
    ) -> Option<Part> {
        let named = !origin.validator.is_empty() || (origin.target != 0 && range.total.is_some());
        if !named {
            return None;
        }
        let known = self.documents.iter().position(|d| d.is(origin, range.total));
        let mut document = match known {
            Some(at) => {
                let document = self.documents.remove(at);
                if document.finished && range.start == 0 {
                    // Fetched again.
                    self.fresh(origin, range)
                } else {
                    document
                }
            }
            None => self.fresh(origin, range),
        };
        document.total = document.total.or(range.total);
        let serial = document.serial;
        if self.documents.len() >= MAX_DOCUMENTS {
            let oldest = self.documents.remove(0);
            self.held -= oldest.held();
            oldest.flush(sink);
        }
        self.documents.push(document);
        Some(Part {
            document: serial,
            at: range.start,
            end: range.end,
            key: None,
            own: None,
            unwanted: 0,
            whole: range == ContentRange::whole(range.end),
        })
    }

    fn fresh(&mut self, origin: &Origin, range: ContentRange) -> Document {
        self.serial = self.serial.wrapping_add(1);
        Document::new(self.serial, origin.clone(), range.total)
    }

    /// The next bytes of a part. Returns how many of the following bytes to skip.
    pub(in crate::protocol) fn data(
        &mut self,
        part: &mut Part,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> u64 {
        self.passed(part, 0, sink);
        let left = usize::try_from(part.end.saturating_sub(part.at)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..left).unwrap_or(bytes);
        if bytes.is_empty() {
            return Progress::REST;
        }
        let at = part.at;
        part.at += bytes.len() as u64;
        if let Some(own) = &mut part.own {
            own.data(bytes, sink);
            part.unwanted = own.unwanted();
            return part.unwanted;
        }
        let found = self.documents.iter_mut().find(|d| d.serial == part.document && !d.finished);
        let Some(document) = found else { return Progress::REST };
        if at <= document.next {
            let known = usize::try_from(document.next - at).unwrap_or(usize::MAX);
            let before = document.held();
            document.deliver(bytes.get(known..).unwrap_or_default(), sink);
            self.held = self.held.saturating_sub(before - document.held());
            let over = document.finished || part.end <= document.next;
            part.unwanted = match document.unwanted() {
                _ if over => Progress::REST,
                unwanted if part.at == document.next => unwanted.min(part.end - part.at),
                _ => 0,
            };
            return part.unwanted;
        }
        if !document.alone && self.held + bytes.len() + OVERHEAD <= MAX_HELD {
            self.held += document.hold(part, at, bytes);
            return 0;
        }
        if !document.alone {
            sink.anomaly(Reason::Limit);
            document.alone = true;
        }
        // Held bytes of this part go before the new ones; other parts are on their own.
        self.held -= document.held();
        let mut own = document.release(part, sink);
        own.data(bytes, sink);
        part.unwanted = own.unwanted();
        part.own = Some(own);
        part.unwanted
    }

    /// `len` bytes of a part are missing. Returns how many of the following bytes to skip.
    pub(in crate::protocol) fn gap(
        &mut self,
        part: &mut Part,
        len: u64,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        self.passed(part, 0, sink);
        part.at = part.at.saturating_add(len);
        if let Some(own) = &mut part.own {
            own.gap(len, sink);
            return if own.is_done() { Progress::REST } else { 0 };
        }
        let found = self.documents.iter_mut().find(|d| d.serial == part.document && !d.finished);
        let Some(document) = found else { return Progress::REST };
        let lost = part.at.saturating_sub(document.next).min(len);
        // Missing bytes of a part that came out of order may be sent again before their turn.
        if part.at - len <= document.next && lost > 0 {
            let before = document.held();
            document.lose(lost, sink);
            self.held = self.held.saturating_sub(before - document.held());
        }
        0
    }

    /// Unwanted bytes were skipped, all but `left` of those that [`Self::data`] named.
    fn passed(&mut self, part: &mut Part, left: u64, sink: &mut dyn ContentSink) {
        let passed = std::mem::take(&mut part.unwanted).saturating_sub(left);
        if passed == 0 {
            return;
        }
        let at = part.at;
        part.at = at.saturating_add(passed);
        if let Some(own) = &mut part.own {
            own.passed(passed);
        } else if let Some(document) = self.documents.iter_mut().find(|d| d.serial == part.document)
            && at <= document.next
        {
            let before = document.held();
            document.pass(part.at.saturating_sub(document.next), sink);
            self.held = self.held.saturating_sub(before - document.held());
        }
    }

    /// A part has ended, with `left` of its skipped bytes missing.
    pub(in crate::protocol) fn end(
        &mut self,
        mut part: Part,
        ending: Ending,
        left: u64,
        sink: &mut dyn ContentSink,
    ) {
        if part.unwanted != Progress::REST {
            self.passed(&mut part, left, sink);
        }
        if let Some(own) = part.own {
            own.close(Ending::Cut, sink);
        }
        if part.whole
            && ending == Ending::Complete
            && let Some(document) = self.documents.iter_mut().find(|d| d.serial == part.document)
        {
            // A length that was too large does not leave the document open.
            self.held -= document.held();
            document.finish(Ending::Complete, sink);
        }
    }

    /// No more parts will come.
    pub(in crate::protocol) fn close(&mut self, sink: &mut dyn ContentSink) {
        for document in std::mem::take(&mut self.documents) {
            document.flush(sink);
        }
        self.held = 0;
    }

    pub(in crate::protocol) fn memory(&self) -> usize {
        self.held + self.documents.iter().map(Document::memory).sum::<usize>()
    }
}
