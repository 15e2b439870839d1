//! A connection that carries nothing but a document: data connections of FTP (RFC 959 3.3), transfers
//! by netcat, and print jobs on the port for them (JetDirect, 9100). Asked after all others.

mod probe;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Hint, Media, ParseError, Parser, Probe, Progress, Protocol, Resync,
};

/// A bare document.
pub struct Raw;

/// Print jobs without a protocol; those of label printers, which are text.
pub struct JetDirect;

impl Protocol for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        // In the middle, anything may look like a beginning.
        if at_start { probe::document(data) } else { Probe::No }
    }

    fn needs_begin(&self) -> bool {
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(Bare { layer: "tcp", sides: [const { None }; 2] })
    }
}

impl Protocol for JetDirect {
    fn name(&self) -> &'static str {
        "jetdirect"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        if at_start { probe::label(data) } else { Probe::No }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(Bare { layer: "jetdirect", sides: [const { None }; 2] })
    }
}

/// One flow: a content each way.
struct Bare {
    layer: &'static str,
    sides: [Option<ContentWriter>; 2],
}

impl Parser for Bare {
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
            let media = Media::Unknown;
            let hint = Hint { direction, media, operation: "", codings: &[], layer: self.layer };
            ContentWriter::open(&hint, sink)
        });
        writer.data(data, sink);
        let skip = if writer.is_done() { Progress::REST } else { 0 };
        Ok(Progress::skip(data.len(), skip))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(Some(writer)) = self.sides.get_mut(direction.index()) {
            writer.gap(len, sink);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        // The other direction was recognised, this one came in the middle.
        None
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(mut writer) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            writer.data(rest, sink);
            writer.close(end == End::Fin, sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
