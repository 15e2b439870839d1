//! Finds the next boundary of a protocol, after a gap and after an error.

use super::{Driver, PROBE_EAGER, State};
use crate::flow::Side;
use crate::protocol::{ContentSink, ParseError, Position, Reason, Resync};

/// Bytes searched for the next boundary after a gap before most of them are dropped.
const SEARCH_BUFFER: usize = 16 << 10;
/// Bytes kept of a search without result: they may hold the beginning of a boundary.
const SEARCH_TAIL: usize = 2 << 10;
/// Errors of a parser in one direction after which the direction is given up. Each costs a search.
const MAX_ERRORS: u16 = 256;
/// Bytes searched without result after errors of the parser before the direction is given up.
const MAX_SEARCH: usize = 512 << 10;

impl Driver {
    pub(super) fn search(&mut self, side: Side, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        // Of a flow that was joined in its middle, a later packet may begin as none before did.
        if !self.orientation.sure && !bytes.is_empty() && self.speaks(bytes) {
            let stream = &mut self.sides[side.index()];
            stream.unread.clear();
            stream.need = 0;
            stream.state = State::Reading;
            return self.read(side, bytes, sink);
        }
        let stream = &mut self.sides[side.index()];
        stream.unread.extend_from_slice(bytes);
        if stream.unread.len() < stream.need {
            return 0;
        }
        self.try_resync(side, sink)
    }

    pub(super) fn try_resync(&mut self, side: Side, sink: &mut dyn ContentSink) -> u64 {
        let direction = self.direction(side);
        let (stream, Some(parser)) = (&mut self.sides[side.index()], self.parser.as_mut()) else {
            return 0;
        };
        if let Some(offset) = parser.resync(direction, &stream.unread) {
            let mut unread = std::mem::take(&mut stream.unread);
            unread.drain(..offset.min(unread.len()));
            stream.state = State::Reading;
            stream.need = 0;
            sink.reading(side, &unread);
            return self.read(side, &unread, sink);
        }
        let len = stream.unread.len();
        if len > SEARCH_BUFFER {
            stream.unread.drain(..len - SEARCH_TAIL);
            if stream.errors > 0 {
                stream.searched += len - SEARCH_TAIL;
                if stream.searched > MAX_SEARCH {
                    return self.opaque(side, Reason::Malformed);
                }
            }
        }
        let len = stream.unread.len();
        stream.need = if len < PROBE_EAGER { len + 1 } else { len + len / 4 };
        0
    }

    /// Passes over malformed bytes like a gap, so that garbage in a stream does not hide what follows. The error is
    /// counted, and too many end the direction.
    pub(super) fn recover(
        &mut self,
        side: Side,
        error: ParseError,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let direction = self.direction(side);
        let stream = &mut self.sides[side.index()];
        stream.errors += 1;
        let Some(parser) = self.parser.as_mut().filter(|_| {
            error.reason == Reason::Malformed && stream.errors <= MAX_ERRORS && stream.counted
        }) else {
            return self.opaque(side, error.reason);
        };
        sink.anomaly(error.reason);
        let resync = parser.gap(direction, 1, sink);
        // At least one byte is dropped, so that the same place is not read again.
        let rest = bytes.get(error.offset + 1..).unwrap_or_default();
        stream.unread = rest.to_vec();
        stream.need = 0;
        match resync {
            Resync::Search => {
                stream.state = State::Searching;
                stream.at = Position::Midstream;
                0
            }
            Resync::Known { .. } | Resync::Lost => self.opaque(side, error.reason),
        }
    }
}
