//! NCPDP Telecommunication (D.0, 5.1): claims of pharmacies, sent to switches over TCP. A transmission
//! has a header of fixed length and segments; what stands between transmissions (STX and ETX,
//! lengths) differs from switch to switch and is passed on as it is.

pub mod header;

#[cfg(test)]
mod tests;

use super::outlet::Outlet;
use super::{
    Direction, End, Hint, Host, Media, ParseError, Parser, Probe, Progress, Protocol, Resync,
    Speaker,
};
use header::{FIELD, Found, GROUP, REQUEST, RESPONSE, SEGMENT, begins};

/// NCPDP Telecommunication.
pub struct Ncpdp;

impl Protocol for Ncpdp {
    fn name(&self) -> &'static str {
        "ncpdp"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        if !at_start {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            };
        }
        match begins(data) {
            Found::Yes(header, framing) => Probe::Yes {
                speaker: if header.request { Speaker::Client } else { Speaker::Server },
                offset: framing,
            },
            Found::More => Probe::More,
            Found::No => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<NcpdpParser>::default()
    }
}

/// The first transmission in `data`.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(SEGMENT, GROUP, data)
        .filter(|at| matches!(data.get(at + 1), Some(&FIELD | &SEGMENT)))
        .find_map(|at| {
            let from = at.saturating_sub(REQUEST.max(RESPONSE));
            let (_, offset) = header::at_end(data.get(from..at)?)?;
            Some(from + offset)
        })
}

/// One flow: requests one way, responses the other.
#[derive(Default)]
struct NcpdpParser {
    sides: [Option<Outlet>; 2],
}

impl Parser for NcpdpParser {
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
            let media = Media::Type { content_type: MEDIA_TYPE, name: "" };
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
        find(data)
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

/// What is passed on is declared as this. Not registered.
pub const MEDIA_TYPE: &str = "application/x-ncpdp-telecom";
