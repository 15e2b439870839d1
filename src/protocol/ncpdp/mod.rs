//! NCPDP Telecommunication (D.0, 5.1): claims of pharmacies, sent to switches over TCP. A transmission
//! has a header of fixed length and segments; what comes between transmissions (STX and ETX,
//! lengths) differs from switch to switch and is passed on as it is.

#[cfg(test)]
mod tests;

use super::unframed::{OnGap, Unframed, UnframedParser};
use super::{Media, Parser, Position, Probe, Protocol, Speaker};
use crate::syntax::Match;
use crate::syntax::ncpdp::{self, FIELD, GROUP, REQUEST, RESPONSE, SEGMENT, begins};

/// NCPDP Telecommunication.
pub struct Ncpdp;

impl Protocol for Ncpdp {
    fn name(&self) -> &'static str {
        "ncpdp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            };
        }
        match begins(data) {
            Match::Yes((header, framing)) => Probe::Yes {
                speaker: if header.request { Speaker::Client } else { Speaker::Server },
                offset: framing,
            },
            Match::More => Probe::More,
            Match::No => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(UnframedParser::new(Unframed {
            unit: "message",
            media: Media::Type { content_type: MEDIA_TYPE, name: "" },
            layer: "tcp",
            on_gap: OnGap::NextMessage,
            find,
        }))
    }
}

/// The first transmission in `data`.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(SEGMENT, GROUP, data)
        .filter(|at| matches!(data.get(at + 1), Some(&FIELD | &SEGMENT)))
        .find_map(|at| {
            let from = at.saturating_sub(REQUEST.max(RESPONSE));
            let (_, offset) = ncpdp::at_end(data.get(from..at)?)?;
            Some(from + offset)
        })
}

/// What is passed on is declared as this. Not registered.
pub const MEDIA_TYPE: &str = "application/x-ncpdp-telecom";
