//! A connection that carries nothing but a document: data connections of FTP (RFC 959 3.3), transfers
//! by netcat, and print jobs on the port for them (JetDirect, 9100). Asked after all others.

mod probe;

#[cfg(test)]
mod tests;

use super::content_writer::Outlet;
use super::{
    Direction, End, Hint, Host, Media, ParseError, Parser, Probe, Progress, Protocol, Resync,
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
    sides: [Option<Outlet>; 2],
}

impl Parser for Bare {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        host: &mut dyn Host,
    ) -> Result<Progress, ParseError> {
        let Some(side) = self.sides.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let outlet = side.get_or_insert_with(|| {
            host.unit("message");
            let media = Media::Unknown;
            let hint = Hint { direction, media, operation: "", codings: &[], layer: self.layer };
            Outlet::open(&hint, host)
        });
        outlet.data(data, host);
        let skip = if outlet.is_done() { Progress::REST } else { 0 };
        Ok(Progress::skip(data.len(), skip))
    }

    fn gap(&mut self, direction: Direction, len: u64, host: &mut dyn Host) -> Resync {
        if let Some(Some(outlet)) = self.sides.get_mut(direction.index()) {
            outlet.gap(len, host);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        // The other direction was recognised, this one came in the middle.
        None
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, host: &mut dyn Host) {
        if let Some(mut outlet) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            outlet.data(rest, host);
            outlet.close(end == End::Fin, host);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
