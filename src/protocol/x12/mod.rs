//! X12 interchanges directly over TCP, one after the other, as clearing houses exchange them in real time. An
//! interchange delimits itself, so there is no framing to remove. Answers (TA1, 999, 271) are interchanges too.

#[cfg(test)]
mod tests;

use super::unframed::{OnGap, Unframed, UnframedParser};
use super::{Media, Parser, Position, Probe, Protocol, Speaker};
use crate::syntax::Match;
use crate::syntax::x12::{find, interchange};

/// White space and framing bytes that may precede an interchange.
const MAX_FILLER: usize = 64;

/// X12 over TCP.
pub struct X12;

impl Protocol for X12 {
    fn name(&self) -> &'static str {
        "x12"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            let filler = data.iter().take_while(|b| is_filler(**b)).count();
            if filler > MAX_FILLER {
                return Probe::No;
            }
            return match interchange(data.get(filler..).unwrap_or(&[])) {
                Match::Yes(()) => Probe::yes(Speaker::Any),
                Match::More => Probe::More,
                Match::No => Probe::No,
            };
        }
        match find(data) {
            Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
            None => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(UnframedParser::new(Unframed {
            unit: "interchange",
            media: Media::Unknown,
            layer: "tcp",
            on_gap: OnGap::Continue,
            find,
        }))
    }
}

const fn is_filler(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0 | 0x02)
}
