//! A document that is reassembled from its parts.

use super::{OVERHEAD, Origin, Part};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::{ContentSink, Ending};
use std::collections::BTreeMap;

/// A document; all bytes before `next` were passed on.
pub(super) struct Document {
    pub(super) serial: u32,
    origin: Origin,
    pub(super) total: Option<u64>,
    pub(super) next: u64,
    writer: Option<ContentWriter>,
    /// Pieces that came out of order, by offset; they may overlap.
    early: BTreeMap<u64, Vec<u8>>,
    /// Memory that `early` takes.
    held: usize,
    /// Too much came out of order: parts that do not follow are read alone.
    pub(super) alone: bool,
    /// Everything came, or nothing more is wanted.
    pub(super) finished: bool,
}

impl Document {
    pub(super) const fn new(serial: u32, origin: Origin, total: Option<u64>) -> Self {
        Self {
            serial,
            origin,
            total,
            next: 0,
            writer: None,
            early: BTreeMap::new(),
            held: 0,
            alone: false,
            finished: false,
        }
    }

    /// Whether a part with these properties belongs to it.
    pub(super) fn is(&self, origin: &Origin, total: Option<u64>) -> bool {
        self.origin.is(origin) && (self.total == total || self.total.is_none() || total.is_none())
    }

    pub(super) const fn held(&self) -> usize {
        self.held
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.origin.memory()
    }

    /// Passes on the next bytes, and the held bytes behind them.
    pub(super) fn deliver(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        self.pass_on(bytes, sink);
        self.join(sink);
    }

    /// The next `len` bytes are missing.
    pub(super) fn lose(&mut self, len: u64, sink: &mut dyn ContentSink) {
        let writer = self.writer.get_or_insert_with(|| self.origin.open(sink));
        writer.gap(len, sink);
        self.next += len;
        self.settle(sink);
        self.join(sink);
    }

    /// The next `len` bytes were skipped.
    pub(super) fn pass(&mut self, len: u64, sink: &mut dyn ContentSink) {
        if let Some(writer) = self.writer.as_mut().filter(|_| !self.finished) {
            writer.passed(len);
            self.next = self.next.saturating_add(len);
            self.settle(sink);
            self.join(sink);
        }
    }

    /// How many of the next bytes to skip.
    pub(super) fn unwanted(&self) -> u64 {
        self.writer.as_ref().map_or(0, ContentWriter::unwanted)
    }

    fn join(&mut self, sink: &mut dyn ContentSink) {
        while let Some(first) = self.early.first_entry()
            && *first.key() <= self.next
        {
            let (start, bytes) = first.remove_entry();
            self.held -= bytes.len() + OVERHEAD;
            let known = usize::try_from(self.next - start).unwrap_or(usize::MAX);
            self.pass_on(bytes.get(known..).unwrap_or_default(), sink);
        }
    }

    fn pass_on(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        if bytes.is_empty() || self.finished {
            return;
        }
        let writer = self.writer.get_or_insert_with(|| self.origin.open(sink));
        writer.data(bytes, sink);
        self.next += bytes.len() as u64;
        self.settle(sink);
    }

    fn settle(&mut self, sink: &mut dyn ContentSink) {
        let done = self.writer.as_ref().is_some_and(ContentWriter::is_done);
        if done || self.total.is_some_and(|total| self.next >= total) {
            self.finish(Ending::Complete, sink);
        }
    }

    /// Stops reading it.
    pub(super) fn finish(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.finished = true;
        self.early.clear();
        self.held = 0;
        if let Some(writer) = self.writer.take() {
            writer.close(ending, sink);
        }
    }

    /// Holds bytes of a part that came out of order. Returns the memory that takes.
    pub(super) fn hold(&mut self, part: &mut Part, at: u64, bytes: &[u8]) -> usize {
        let before = self.held;
        if let Some(key) = part.key
            && let Some(room) = self.early.get_mut(&key)
            && let Some(more) = (key + room.len() as u64).checked_sub(at)
        {
            // The same part may be sent twice.
            let more = bytes.get(usize::try_from(more).unwrap_or(usize::MAX)..).unwrap_or_default();
            room.extend_from_slice(more);
            self.held += more.len();
        } else {
            part.key = Some(at);
            let room = self.early.entry(at).or_insert_with(|| {
                self.held += OVERHEAD;
                Vec::new()
            });
            let more = bytes.get(room.len()..).unwrap_or_default();
            room.extend_from_slice(more);
            self.held += more.len();
        }
        self.held - before
    }

    /// Reads each held piece on its own; the payload that continues with those of `part` goes on.
    pub(super) fn release(&mut self, part: &Part, sink: &mut dyn ContentSink) -> ContentWriter {
        let own = part.key.and_then(|key| self.early.remove(&key));
        for bytes in std::mem::take(&mut self.early).into_values() {
            let mut writer = self.origin.open(sink);
            writer.data(&bytes, sink);
            writer.close(Ending::Cut, sink);
        }
        self.held = 0;
        let mut writer = self.origin.open(sink);
        if let Some(bytes) = own {
            writer.data(&bytes, sink);
        }
        writer
    }

    /// Passes on the held pieces, with gaps between them.
    pub(super) fn flush(mut self, sink: &mut dyn ContentSink) {
        for (start, bytes) in std::mem::take(&mut self.early) {
            let known = usize::try_from(self.next.saturating_sub(start)).unwrap_or(usize::MAX);
            let Some(bytes @ [_, ..]) = bytes.get(known..) else { continue };
            let start = start.max(self.next);
            if let Some(writer) = &mut self.writer
                && start > self.next
            {
                writer.gap(start - self.next, sink);
            }
            // A format that cannot continue behind a gap may still begin with the next piece.
            if let Some(writer) = self.writer.take_if(|writer| writer.is_done()) {
                writer.close(Ending::Cut, sink);
            }
            let writer = self.writer.get_or_insert_with(|| self.origin.open(sink));
            writer.data(bytes, sink);
            self.next = start + bytes.len() as u64;
        }
        self.finish(Ending::Cut, sink);
    }
}
