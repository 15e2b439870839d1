//! An open payload that a parser writes, and how much of it the reader skips.

use super::{ContentId, ContentSink, Ending, Hint, Want};

/// An open payload.
pub struct ContentWriter {
    id: ContentId,
    /// Following bytes that the reader skips.
    unwanted: u64,
}

impl ContentWriter {
    /// Opens a payload.
    pub fn open(hint: &Hint<'_>, sink: &mut dyn ContentSink) -> Self {
        Self { id: sink.open(hint), unwanted: 0 }
    }

    /// Writes a payload that is already complete.
    pub fn whole(hint: &Hint<'_>, bytes: &[u8], sink: &mut dyn ContentSink) {
        let mut writer = Self::open(hint, sink);
        writer.data(bytes, sink);
        writer.close(Ending::Complete, sink);
    }

    /// Writes the next bytes.
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

    /// `len` bytes that were to be skipped did not pass through here.
    pub const fn passed(&mut self, len: u64) {
        if self.unwanted != Want::NOTHING.skip {
            self.unwanted = self.unwanted.saturating_sub(len);
        }
    }

    /// How many of the following bytes the reader skips.
    pub const fn unwanted(&self) -> u64 {
        self.unwanted
    }

    /// The same, for a caller that skips them at once.
    pub const fn take_unwanted(&mut self) -> u64 {
        let len = self.unwanted;
        self.passed(len);
        len
    }

    /// Whether the reader wants nothing more.
    pub const fn is_done(&self) -> bool {
        self.unwanted == Want::NOTHING.skip
    }

    /// Closes the payload.
    pub fn close(self, ending: Ending, sink: &mut dyn ContentSink) {
        sink.close(self.id, ending);
    }
}
