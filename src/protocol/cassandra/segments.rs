//! The segments of version 5, which carry frames (v5.spec, section 2.3).

use super::frame::Segment;
use super::{CassandraParser, index};
use crate::protocol::{ContentSink, Direction, Ending, ParseError, Progress, Reason};
use zeroize::Zeroizing;

impl CassandraParser {
    /// The next segment of version 5.
    pub(super) fn segment(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let compressed = self.compression.is_some();
        let header = Segment::header_length(compressed);
        if data.len() < header {
            return Ok(Progress::need(0, header));
        }
        let Some(segment) = Segment::parse(data, compressed) else {
            return Err(ParseError::new(Reason::Malformed, 0));
        };
        let size = segment.size();
        let Some(bytes) = data.get(..size) else { return Ok(Progress::need(0, size)) };
        let payload = match segment.payload(bytes, sink) {
            Ok(payload) => Zeroizing::new(payload),
            Err(reason) => {
                sink.anomaly(reason);
                self.drop_frame(direction, sink);
                return Ok(Progress::consumed(size));
            }
        };
        if segment.whole {
            // It begins with a frame, whatever was left of the one before.
            self.drop_frame(direction, sink);
        }
        let side = &mut self.sides[index(direction)];
        let hidden = usize::try_from(side.skip).unwrap_or(usize::MAX).min(payload.len());
        side.skip -= hidden as u64;
        side.unread.extend_from_slice(payload.get(hidden..).unwrap_or_default());
        self.unsegmented(direction, sink);
        Ok(Progress::consumed(size))
    }

    /// Reads the frames in the segments.
    fn unsegmented(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        let mut unread = std::mem::take(&mut self.sides[index(direction)].unread);
        let mut at = 0;
        while let Some(rest) = unread.get(at..).filter(|rest| !rest.is_empty()) {
            let Ok(progress) = self.step(direction, rest, sink) else {
                sink.anomaly(Reason::Malformed);
                self.drop_frame(direction, sink);
                return;
            };
            let passed = usize::try_from(progress.skip).unwrap_or(usize::MAX);
            let here = progress.consumed.saturating_add(passed).min(rest.len());
            let behind = progress.consumed as u64 + progress.skip - here as u64;
            self.sides[index(direction)].skip = behind;
            at += here;
            if here == 0 {
                break;
            }
        }
        let read = at.min(unread.len());
        unread.drain(..read);
        self.sides[index(direction)].unread = unread;
    }

    /// The current frame is lost.
    pub(super) fn drop_frame(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        let side = &mut self.sides[index(direction)];
        side.unread.clear();
        side.skip = 0;
        if side.rows.take().is_some() {
            self.table.close(Ending::Cut, sink);
        }
    }
}
