//! A parser for messages without framing: each direction is one content, passed on as it comes. After a
//! gap a new content begins with the next message.

use super::content_writer::ContentWriter;
use super::{ContentSink, Direction, End, Hint, Media, ParseError, Parser, Progress, Resync};

/// One flow; answers are messages, too.
pub struct UnframedParser {
    sides: [Option<ContentWriter>; 2],
    content_type: &'static str,
    find: fn(&[u8]) -> Option<usize>,
}

impl UnframedParser {
    /// Messages declared as `content_type`; `find` tells where the first one begins in what follows a gap.
    pub const fn new(content_type: &'static str, find: fn(&[u8]) -> Option<usize>) -> Self {
        Self { sides: [const { None }; 2], content_type, find }
    }
}

impl Parser for UnframedParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let Some(side) = self.sides.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let writer = side.get_or_insert_with(|| {
            sink.unit("message");
            let media = Media::Type { content_type: self.content_type, name: "" };
            ContentWriter::open(
                &Hint { direction, media, operation: "", codings: &[], layer: "tcp" },
                sink,
            )
        });
        writer.data(data, sink);
        Ok(Progress::consumed(data.len()))
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(writer) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            writer.close(false, sink);
        }
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        (self.find)(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(mut writer) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            if !rest.is_empty() {
                writer.data(rest, sink);
            }
            writer.close(end == End::Fin, sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
