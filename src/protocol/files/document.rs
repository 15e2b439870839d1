//! A file that is reassembled from the pieces in which it is read or written.

use crate::protocol::content_writer::ContentWriter;
use crate::protocol::{ContentSink, Direction, Ending, Hint, Media, Reason, ServiceFacts};
use std::collections::BTreeMap;

/// Out-of-order bytes held per connection.
pub const MAX_HELD: usize = 8 << 20;
/// Overhead of a held piece, bytes, approximately.
pub(super) const OVERHEAD: usize = 96;

/// Properties of a file when it is passed on.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    /// Name of the protocol's layer.
    pub(super) layer: &'static str,
    pub(super) direction: Direction,
    /// Name of the file, without its folders; empty if unknown.
    pub(super) name: &'a str,
    /// Path for the facts of the service.
    pub(super) path: &'a str,
}

impl Opening<'_> {
    pub(super) fn open(&self, sink: &mut dyn ContentSink) -> ContentWriter {
        if !self.path.is_empty() {
            ServiceFacts::set(&mut sink.facts().files().path, self.path);
        }
        let written = self.direction == Direction::ClientToServer;
        sink.unit(if written { "request" } else { "response" });
        let hint = Hint {
            direction: self.direction,
            media: Media::Type { content_type: "", name: self.name },
            operation: if written { "WRITE" } else { "READ" },
            codings: &[],
            layer: self.layer,
        };
        ContentWriter::open(&hint, sink)
    }
}

/// One direction of a file; everything before `next` was passed on.
#[derive(Default)]
pub(super) struct Document {
    next: u64,
    writer: Option<ContentWriter>,
    /// Pieces that came out of order, by offset; they may overlap.
    early: BTreeMap<u64, Vec<u8>>,
    /// A part is missing.
    has_gap: bool,
    /// Its end, if known.
    end: Option<u64>,
}

impl Document {
    /// A file whose first piece is expected at `next`.
    pub(super) fn new(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Notes that it ends at `end`.
    pub(super) const fn ends(&mut self, end: u64) {
        self.end = Some(end);
    }

    /// Whether everything up to its known end was passed on.
    pub(super) fn is_whole(&self) -> bool {
        self.writer.is_some() && self.end.is_some_and(|end| self.next >= end)
    }

    /// Bytes at the offset `at`. Returns how many of the following bytes to skip. `held`: bytes that the connection
    /// holds.
    pub(super) fn piece(
        &mut self,
        at: u64,
        bytes: &[u8],
        held: &mut usize,
        opening: Opening<'_>,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        if let Some(writer) = &self.writer
            && writer.is_done()
        {
            self.next = self.next.max(at.saturating_add(bytes.len() as u64));
            return u64::MAX;
        }
        if at > self.next {
            if *held + bytes.len() + OVERHEAD <= MAX_HELD {
                self.hold(at, bytes, held);
                return 0;
            }
            sink.anomaly(Reason::Limit);
            self.flush(held, opening, sink);
            self.lose_until(at, sink);
        }
        let known = usize::try_from(self.next - at.min(self.next)).unwrap_or(usize::MAX);
        self.pass_on(bytes.get(known..).unwrap_or_default(), opening, sink);
        self.join(held, opening, sink);
        let end = at.saturating_add(bytes.len() as u64);
        match &self.writer {
            _ if end < self.next => self.next - end,
            Some(writer) if end == self.next => writer.unwanted(),
            _ => 0,
        }
    }

    /// Bytes from `at` to `end` were skipped, as [`Self::piece`] asked.
    pub(super) fn pass(
        &mut self,
        at: u64,
        end: u64,
        held: &mut usize,
        opening: Opening<'_>,
        sink: &mut dyn ContentSink,
    ) {
        if at <= self.next && end > self.next {
            if let Some(writer) = &mut self.writer {
                writer.passed(end - self.next);
            }
            self.next = end;
            self.join(held, opening, sink);
        }
    }

    /// Bytes from `at` to `end` are missing.
    pub(super) fn lose(
        &mut self,
        at: u64,
        end: u64,
        held: &mut usize,
        opening: Opening<'_>,
        sink: &mut dyn ContentSink,
    ) {
        if at <= self.next {
            self.lose_until(end, sink);
            self.join(held, opening, sink);
        }
    }

    fn lose_until(&mut self, end: u64, sink: &mut dyn ContentSink) {
        if end > self.next {
            if let Some(writer) = &mut self.writer {
                writer.gap(end - self.next, sink);
            }
            self.has_gap = true;
            self.next = end;
        }
    }

    fn hold(&mut self, at: u64, bytes: &[u8], held: &mut usize) {
        if let Some((start, room)) = self.early.range_mut(..=at).next_back()
            && let Some(known) = (start + room.len() as u64).checked_sub(at)
        {
            let known = usize::try_from(known).unwrap_or(usize::MAX);
            let more = bytes.get(known..).unwrap_or_default();
            room.extend_from_slice(more);
            *held += more.len();
        } else {
            *held += bytes.len() + OVERHEAD;
            self.early.insert(at, bytes.to_vec());
        }
    }

    fn pass_on(&mut self, bytes: &[u8], opening: Opening<'_>, sink: &mut dyn ContentSink) {
        if !bytes.is_empty() {
            self.writer.get_or_insert_with(|| opening.open(sink)).data(bytes, sink);
            self.next = self.next.saturating_add(bytes.len() as u64);
        }
    }

    fn join(&mut self, held: &mut usize, opening: Opening<'_>, sink: &mut dyn ContentSink) {
        while let Some(first) = self.early.first_entry()
            && *first.key() <= self.next
        {
            let (start, bytes) = first.remove_entry();
            *held = held.saturating_sub(bytes.len() + OVERHEAD);
            let known = usize::try_from(self.next - start).unwrap_or(usize::MAX);
            self.pass_on(bytes.get(known..).unwrap_or_default(), opening, sink);
        }
    }

    /// Passes on the held pieces, with gaps between them.
    fn flush(&mut self, held: &mut usize, opening: Opening<'_>, sink: &mut dyn ContentSink) {
        while let Some((&start, _)) = self.early.first_key_value() {
            self.lose_until(start, sink);
            self.join(held, opening, sink);
        }
    }

    /// Nothing more of it follows.
    pub(super) fn close(
        mut self,
        ending: Ending,
        held: &mut usize,
        opening: Opening<'_>,
        sink: &mut dyn ContentSink,
    ) {
        self.flush(held, opening, sink);
        if let Some(writer) = self.writer {
            writer.close(ending.and(!self.has_gap), sink);
        }
    }
}
