//! X12 interchanges straight over TCP, one after the other, as clearing houses exchange them in real
//! time. They delimit themselves, so there is no framing to take off.

#[cfg(test)]
mod tests;

use super::{
    ContentId, ContentSink, Direction, End, Hint, Media, ParseError, Parser, Probe, Progress,
    Protocol, Resync, Speaker, Want,
};
use crate::syntax::Match;
use crate::syntax::x12::{find, interchange};

/// White space and framing bytes that may come before an interchange.
const MAX_FILLER: usize = 64;

/// X12 over TCP.
pub struct X12;

impl Protocol for X12 {
    fn name(&self) -> &'static str {
        "x12"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        if at_start {
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
        Box::<X12Parser>::default()
    }
}

const fn is_filler(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0 | 0x02)
}

/// One flow; answers (TA1, 999, 271) are interchanges too.
#[derive(Default)]
struct X12Parser {
    sides: [Option<Open>; 2],
}

struct Open {
    content: ContentId,
    /// Bytes to come that the content does not want.
    unwanted: u64,
}

impl Parser for X12Parser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let Some(side) = self.sides.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let open = side.get_or_insert_with(|| {
            sink.unit("interchange");
            let content = sink.open(&Hint {
                direction,
                media: Media::Unknown,
                operation: "",
                codings: &[],
                layer: "tcp",
            });
            Open { content, unwanted: 0 }
        });
        if open.unwanted == 0 {
            open.unwanted = sink.data(open.content, data).skip;
        }
        let skip = std::mem::take(&mut open.unwanted);
        if skip == Want::NOTHING.skip {
            open.unwanted = skip;
            return Ok(Progress::skip(data.len(), Progress::REST));
        }
        Ok(Progress::skip(data.len(), skip))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(Some(open)) = self.sides.get_mut(direction.index()) {
            open.unwanted = sink.gap(open.content, len).skip;
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(open) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            if open.unwanted == 0 && !rest.is_empty() {
                sink.data(open.content, rest);
            }
            sink.close(open.content, end == End::Fin);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
