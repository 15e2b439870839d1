//! An open payload that a parser passes on, and how much of it the reader does not want.

use super::{ContentId, ContentSink, Ending, Hint, Want};

/// An open payload.
pub struct ContentWriter {
    id: ContentId,
    /// Bytes to come that the reader does not want.
    unwanted: u64,
}

impl ContentWriter {
    /// Opens a payload.
    pub fn open(hint: &Hint<'_>, sink: &mut dyn ContentSink) -> Self {
        Self { id: sink.open(hint), unwanted: 0 }
    }

    /// Passes on a payload that is already complete.
    pub fn whole(hint: &Hint<'_>, bytes: &[u8], sink: &mut dyn ContentSink) {
        let mut writer = Self::open(hint, sink);
        writer.data(bytes, sink);
        writer.close(Ending::Complete, sink);
    }

    /// Its next bytes.
    pub fn data(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        let wanted = Want::behind(&mut self.unwanted, bytes);
        if !wanted.is_empty() {
            self.unwanted = sink.data(self.id, wanted).skip;
        }
    }

    /// `len` of its bytes are missing.
    pub fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) {
        let hidden = len.min(self.unwanted);
        self.passed(hidden);
        if len > hidden {
            self.unwanted = sink.gap(self.id, len - hidden).skip;
        }
    }

    /// `len` unwanted bytes were skipped before they came here.
    pub const fn passed(&mut self, len: u64) {
        if self.unwanted != Want::NOTHING.skip {
            self.unwanted = self.unwanted.saturating_sub(len);
        }
    }

    /// How many bytes to come the reader does not want.
    pub const fn unwanted(&self) -> u64 {
        self.unwanted
    }

    /// The same, where the caller passes over them at once.
    pub const fn take_unwanted(&mut self) -> u64 {
        let len = self.unwanted;
        self.passed(len);
        len
    }

    /// Whether nothing of the rest is wanted.
    pub const fn is_done(&self) -> bool {
        self.unwanted == Want::NOTHING.skip
    }

    /// It has ended.
    pub fn close(self, ending: Ending, sink: &mut dyn ContentSink) {
        sink.close(self.id, ending);
    }
}
