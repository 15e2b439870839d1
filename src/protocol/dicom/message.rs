//! The incomplete messages of one direction, by presentation context.

use super::dimse::{Command, CommandReader};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::{ContentSink, Ending, Reason};
use smallvec::SmallVec;

/// Incomplete messages of one direction. Applications rarely interleave contexts, and only a few.
const MAX_MESSAGES: usize = 8;

/// Incomplete messages.
#[derive(Default)]
pub(super) struct Messages {
    list: SmallVec<[Message; 1]>,
}

/// One message.
pub(super) struct Message {
    context: u8,
    pub stage: Stage,
}

/// How much of it was read.
pub(super) enum Stage {
    /// The command set is being read.
    Command(Box<CommandReader>),
    /// The command set was too long or lost bytes: the rest is passed over.
    Broken,
    /// The command set is read; the data set has not begun.
    Announced(Box<Command>),
    /// The data set is being passed on.
    Data(ContentWriter),
}

impl Messages {
    /// The incomplete message in `context`.
    pub fn get(&mut self, context: u8) -> Option<&mut Message> {
        self.list.iter_mut().find(|m| m.context == context)
    }

    /// Starts a message. One that is incomplete in this context will never be completed.
    pub fn start(&mut self, context: u8, stage: Stage, sink: &mut dyn ContentSink) {
        self.remove(context, Ending::Cut, sink);
        if self.list.len() >= MAX_MESSAGES {
            sink.anomaly(Reason::Limit);
            self.list.remove(0).close(Ending::Cut, sink);
        }
        self.list.push(Message { context, stage });
    }

    /// The message in `context` has ended.
    pub fn remove(&mut self, context: u8, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some(at) = self.list.iter().position(|m| m.context == context) {
            self.list.remove(at).close(ending, sink);
        }
    }

    /// No incomplete message will be completed.
    pub fn clear(&mut self, sink: &mut dyn ContentSink) {
        for message in self.list.drain(..) {
            message.close(Ending::Cut, sink);
        }
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        let commands = self.list.iter().map(|m| match &m.stage {
            Stage::Command(reader) => reader.memory(),
            // Its two UIDs and titles.
            Stage::Announced(_) => size_of::<Command>() + 2 * (64 + 16),
            Stage::Broken | Stage::Data(_) => 0,
        });
        commands.sum::<usize>() + self.list.capacity() * size_of::<Message>()
    }
}

impl Message {
    fn close(self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Stage::Data(writer) = self.stage {
            writer.close(ending, sink);
        }
    }

    /// The next bytes of the current fragment. Returns how many of the following bytes of this data set to skip.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        match &mut self.stage {
            Stage::Command(reader) => {
                if reader.feed(bytes) {
                    return 0;
                }
                sink.anomaly(Reason::Limit);
                self.stage = Stage::Broken;
                u64::MAX
            }
            Stage::Broken | Stage::Announced(_) => u64::MAX,
            Stage::Data(writer) => {
                writer.data(bytes, sink);
                writer.unwanted()
            }
        }
    }

    /// `len` bytes of the current fragment are missing.
    pub fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) -> u64 {
        match &mut self.stage {
            Stage::Command(_) | Stage::Broken | Stage::Announced(_) => {
                self.stage = Stage::Broken;
                u64::MAX
            }
            Stage::Data(writer) => {
                writer.gap(len, sink);
                writer.unwanted()
            }
        }
    }

    /// Following bytes that need not be passed on.
    pub const fn skip(&self) -> u64 {
        match self.stage {
            Stage::Command(_) => 0,
            Stage::Broken | Stage::Announced(_) => u64::MAX,
            Stage::Data(ref writer) => writer.unwanted(),
        }
    }

    /// `len` bytes are skipped.
    pub fn skipped(&mut self, len: u64) {
        if let Stage::Data(writer) = &mut self.stage {
            writer.passed(len);
        }
    }
}
