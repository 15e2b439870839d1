//! POCT1-A (CLSI POCT01-A2, ISO/IEEE 11073-90101): devices at the point of care send XML messages over
//! TCP, one after the other; the receiver answers each with one of its own. There is no framing.

pub mod start;

#[cfg(test)]
mod tests;

use super::outlet::Outlet;
use super::{
    Direction, End, Hint, Host, Media, ParseError, Parser, Probe, Progress, Protocol, Resync,
    Speaker,
};

/// POCT1-A.
pub struct Poct1a;

impl Protocol for Poct1a {
    fn name(&self) -> &'static str {
        "poct1a"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        if at_start {
            return start::begins(data);
        }
        match start::find(data) {
            Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
            None => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<Poct1aParser>::default()
    }
}

/// One flow; answers are messages, too.
#[derive(Default)]
struct Poct1aParser {
    sides: [Option<Outlet>; 2],
}

impl Parser for Poct1aParser {
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
            let media = Media::Type { content_type: "application/xml", name: "" };
            Outlet::open(
                &Hint { direction, media, operation: "", codings: &[], layer: "tcp" },
                host,
            )
        });
        outlet.data(data, host);
        Ok(Progress::consumed(data.len()))
    }

    fn gap(&mut self, direction: Direction, _len: u64, host: &mut dyn Host) -> Resync {
        if let Some(outlet) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            outlet.close(false, host);
        }
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        start::find(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, host: &mut dyn Host) {
        if let Some(mut outlet) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            if !rest.is_empty() {
                outlet.data(rest, host);
            }
            outlet.close(end == End::Fin, host);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
