//! Messages of logs over TCP, framed as RFC 6587 3.4 says: each behind its length, or with a byte behind it.

use super::content_writer::ContentWriter;
use super::sized_body::SizedBody;
use super::{ContentSink, Ending};
use crate::syntax::Match;

/// Digits of a length (RFC 6587 3.4.1 sets no bound; no message is that long).
const MAX_DIGITS: usize = 7;
/// Places at which a counted message may begin that one search looks at.
const MAX_PLACES: usize = 16;

/// A length and the blank behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// Bytes of the message.
    pub length: u64,
    /// Bytes of the length itself, with its blank.
    pub len: usize,
}

impl Count {
    /// Reads the length at the front of `data`.
    pub fn read(data: &[u8]) -> Match<Self> {
        let digits = data.iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
        match data.get(digits) {
            _ if digits > MAX_DIGITS => Match::No,
            None => Match::More,
            Some(b' ') if digits > 0 => {
                let number = data.get(..digits).unwrap_or_default();
                let length = number.iter().fold(0, |v, b| v * 10 + u64::from(b - b'0'));
                Match::Yes(Self { length, len: digits + 1 })
            }
            Some(_) => Match::No,
        }
    }

    /// The places in `data` at which a length, a blank and the byte `first` show: their offsets, lengths, and the
    /// bytes from `first` on.
    pub fn places(data: &[u8], first: u8) -> impl Iterator<Item = (usize, Self, &[u8])> {
        memchr::memchr_iter(first, data)
            .filter_map(move |at| {
                let before = data.get(..at)?.strip_suffix(b" ")?;
                let is_digit = |b: &&u8| b.is_ascii_digit();
                let digits = before.iter().rev().take(MAX_DIGITS + 1).take_while(is_digit).count();
                let start = before.len() - digits;
                match Self::read(data.get(start..)?) {
                    Match::Yes(count) => Some((start, count, data.get(at..)?)),
                    _ => None,
                }
            })
            .take(MAX_PLACES)
    }
}

/// The incomplete message of one direction.
#[derive(Default)]
pub enum FramedMessage {
    /// The next one has not begun.
    #[default]
    None,
    /// Its length precedes it (RFC 6587 3.4.1).
    Counted(SizedBody),
    /// A byte ends it (RFC 6587 3.4.2).
    Delimited(ContentWriter),
}

impl FramedMessage {
    /// A message behind its length, or one that a byte ends.
    pub const fn new(count: Option<Count>, writer: ContentWriter) -> Self {
        match count {
            Some(count) => Self::Counted(SizedBody::new(count.length, writer)),
            None => Self::Delimited(writer),
        }
    }

    /// Whether the next message has not begun.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Reads the part of the message at the front of `bytes`; `end` finds the byte that ends one without a length.
    /// Returns how many bytes that were, without the one that ends it.
    pub fn data(
        &mut self,
        bytes: &[u8],
        end: impl FnOnce(&[u8]) -> Option<usize>,
        sink: &mut dyn ContentSink,
    ) -> usize {
        match self {
            Self::None => 0,
            Self::Counted(body) => {
                let len = body.data(bytes, sink);
                if !body.is_open() {
                    *self = Self::None;
                }
                len
            }
            Self::Delimited(writer) => {
                let end = end(bytes);
                let len = end.unwrap_or(bytes.len());
                writer.data(bytes.get(..len).unwrap_or(bytes), sink);
                if end.is_some() {
                    self.close(Ending::Complete, sink);
                }
                len
            }
        }
    }

    /// `len` bytes are missing. Returns false and cuts the message if its end may be among them.
    pub fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) -> bool {
        if let Self::Counted(body) = self
            && body.gap(len, sink)
        {
            return true;
        }
        self.close(Ending::Cut, sink);
        false
    }

    /// Closes the message where it is; one with a length lacks the rest.
    pub fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        match std::mem::take(self) {
            Self::Counted(mut body) => body.cut(sink),
            Self::Delimited(writer) => writer.close(ending, sink),
            Self::None => {}
        }
    }
}
