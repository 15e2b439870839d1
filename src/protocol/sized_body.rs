//! A body whose length is known in advance: a literal of IMAP, a payload of NATS, MQTT, AMQP or STOMP.

use super::content_writer::ContentWriter;
use super::{ContentSink, Ending};

/// The rest of a body. The default one is closed.
#[derive(Default)]
pub struct SizedBody {
    left: u64,
    /// `None` for a body that is skipped.
    writer: Option<ContentWriter>,
    /// More of the payload may follow behind it.
    continues: bool,
}

impl SizedBody {
    /// The next `len` bytes are the payload of `writer`.
    pub const fn new(len: u64, writer: ContentWriter) -> Self {
        Self { left: len, writer: Some(writer), continues: false }
    }

    /// The next `len` bytes are a part of the payload of `writer`, which [`Self::release`] gives back behind them.
    pub const fn part(len: u64, writer: ContentWriter) -> Self {
        Self { left: len, writer: Some(writer), continues: true }
    }

    /// Skips the next `len` bytes.
    pub const fn unread(len: u64) -> Self {
        Self { left: len, writer: None, continues: false }
    }

    /// Whether the body is incomplete.
    pub const fn is_open(&self) -> bool {
        self.left > 0
    }

    /// Reads the part of the body at the front of `bytes`, and closes it at its end. Returns how many bytes that
    /// were.
    pub fn data(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) -> usize {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(writer) = &mut self.writer {
            writer.data(bytes.get(..len).unwrap_or(bytes), sink);
        }
        self.left -= len as u64;
        if self.left == 0 && !self.continues {
            self.end(Ending::Complete, sink);
        }
        len
    }

    /// The payload of which a part is complete.
    pub fn release(&mut self) -> Option<ContentWriter> {
        if self.left == 0 && self.continues { self.writer.take() } else { None }
    }

    /// `len` bytes are missing. Returns false and cuts the body if its end may be among them.
    pub fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) -> bool {
        if len >= self.left {
            self.cut(sink);
            return false;
        }
        self.left -= len;
        if let Some(writer) = &mut self.writer {
            writer.gap(len, sink);
        }
        true
    }

    /// Closes the body where it is.
    pub fn cut(&mut self, sink: &mut dyn ContentSink) {
        self.left = 0;
        self.end(Ending::Cut, sink);
    }

    fn end(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some(writer) = self.writer.take() {
            writer.close(ending, sink);
        }
    }
}
