//! A parser for documents and messages without framing: each direction is one payload.

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Progress, Resync,
};

/// One payload each way. In the middle of a document no boundary shows where another begins.
pub fn bare(layer: &'static str) -> Box<dyn Parser> {
    let media = Media::Unknown;
    let (on_gap, find) = (OnGap::Continue, |_: &[u8]| None);
    Box::new(UnframedParser::new(Unframed { unit: "message", media, layer, on_gap, find }))
}

/// What is carried, and how it continues after a gap.
#[derive(Clone, Copy)]
pub struct Unframed {
    /// The unit it is counted as: `message`, `interchange`.
    pub unit: &'static str,
    /// Its declared media type.
    pub media: Media<'static>,
    /// Its layer in `phi.carrier`.
    pub layer: &'static str,
    /// The effect of a gap.
    pub on_gap: OnGap,
    /// Finds the first message in bytes whose beginning was not seen.
    pub find: fn(&[u8]) -> Option<usize>,
}

/// The effect of a gap on a payload without framing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// The payload continues: its format handles the gap.
    Continue,
    /// The payload ends; a new one begins with the next message that is found.
    NextMessage,
}

/// One flow; answers are payloads too.
pub struct UnframedParser {
    what: Unframed,
    sides: [Option<ContentWriter>; 2],
}

impl UnframedParser {
    /// Reads `what`.
    pub const fn new(what: Unframed) -> Self {
        Self { what, sides: [const { None }; 2] }
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
        let Unframed { unit, media, layer, .. } = self.what;
        let writer = side.get_or_insert_with(|| {
            sink.unit(unit);
            ContentWriter::open(
                &Hint { direction, media, operation: "", codings: &[], layer },
                sink,
            )
        });
        writer.data(data, sink);
        // Skipped bytes do not pass through here.
        let skip = writer.take_unwanted();
        Ok(Progress::skip(data.len(), skip))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Resync::Lost };
        match self.what.on_gap {
            OnGap::Continue => {
                if let Some(writer) = side.as_mut() {
                    writer.gap(len, sink);
                }
                Resync::Known { skip: 0 }
            }
            OnGap::NextMessage => {
                if let Some(writer) = side.take() {
                    writer.close(Ending::Cut, sink);
                }
                Resync::Search
            }
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        (self.what.find)(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(mut writer) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            writer.data(rest, sink);
            writer.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
