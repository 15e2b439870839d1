//! Streams that no protocol claims: payloads that are complete in themselves are carved out of them, whatever
//! carries them (message queues, serialised objects, databases, sockets of one application).
//!
//! A payload begins with a mark of its format. One of text ends with the first byte that is no text; one
//! of another kind when its reader has seen its end. Bytes that look random (compressed, encrypted) are
//! sampled only, so that they cost next to nothing.

mod marks;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    Authentication, ContentSink, Direction, End, Ending, Hint, ParseError, Parser, Progress, Resync,
};
use marks::{Found, PayloadEnd, Search};

/// Bytes that decide whether what follows is worth a search.
const SAMPLE: usize = 1024;
/// Values among them that random bytes have (of 256, some 251 on average) and others do not: text has
/// fewer than 120, programs and tables fewer than 220.
const RANDOM_VALUES: usize = 232;
/// Bytes passed over where a sample looks random.
const PASSED_OVER: u64 = 64 << 10;
/// The preamble of a DICOM file (PS3.10 7.1).
const PREAMBLE: [u8; 128] = [0; 128];

/// Searches both directions of one flow.
#[derive(Default)]
pub struct Carver {
    sides: [Option<Payload>; 2],
}

/// A payload that was found.
struct Payload {
    writer: ContentWriter,
    end: PayloadEnd,
}

impl Carver {
    /// Opens the payload that was found.
    fn open(direction: Direction, found: &Found, sink: &mut dyn ContentSink) -> Payload {
        sink.unit("payload");
        // Whoever is asked for it is asked in a way that cannot be read.
        sink.facts().shown(Authentication::Unknown);
        let media = found.media;
        let hint = Hint { direction, media, operation: "", codings: &[], layer: "unknown" };
        let mut writer = ContentWriter::open(&hint, sink);
        if found.preamble {
            writer.data(&PREAMBLE, sink);
        }
        Payload { writer, end: found.end }
    }
}

impl Parser for Carver {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let Some(side) = self.sides.get_mut(direction.index()) else {
            return Ok(Progress::skip(data.len(), Progress::REST));
        };
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            let Some(payload) = side.as_mut() else {
                match marks::find(rest) {
                    Search::Found(offset, found) => {
                        *side = Some(Self::open(direction, &found, sink));
                        at += offset;
                    }
                    Search::More(offset) => {
                        return Ok(Progress::need(at + offset, rest.len() - offset + 1));
                    }
                    Search::Nothing if is_random(rest) => {
                        return Ok(Progress::skip(data.len(), PASSED_OVER));
                    }
                    Search::Nothing => return Ok(Progress::consumed(data.len())),
                }
                continue;
            };
            if matches!(payload.end, PayloadEnd::Wide(_)) && rest.len() < 2 {
                return Ok(Progress::need(at, 2));
            }
            let end = payload.end.end(rest);
            let whole = match payload.end {
                PayloadEnd::Wide(_) => rest.len() & !1,
                _ => rest.len(),
            };
            let text = rest.get(..end.unwrap_or(whole)).unwrap_or(rest);
            match payload.end {
                PayloadEnd::Ebcdic => payload.writer.data(&latin(text), sink),
                _ => payload.writer.data(text, sink),
            }
            at += text.len();
            if end.is_none() && payload.end == PayloadEnd::Reader && !payload.writer.is_done() {
                let skip = payload.writer.take_unwanted();
                return Ok(Progress::skip(data.len(), skip));
            }
            if (end.is_some() || payload.end == PayloadEnd::Reader)
                && let Some(payload) = side.take()
            {
                payload.writer.close(Ending::Complete, sink);
            }
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(Some(payload)) = self.sides.get_mut(direction.index()) {
            payload.writer.gap(len, sink);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        Some(0)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(payload) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            payload.writer.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}

/// Text in EBCDIC as UTF-8; each of its ends of lines is one.
fn latin(text: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    let mut out = zeroize::Zeroizing::new(Vec::with_capacity(text.len()));
    for byte in text {
        match byte {
            0x0d | 0x15 | 0x25 => out.push(b'\r'),
            0x05 => out.push(b'\t'),
            _ => {
                let c = crate::syntax::ebcdic::character(*byte);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    out
}

/// Whether the first bytes look compressed or encrypted. A few bytes do not suffice.
fn is_random(data: &[u8]) -> bool {
    let Some(sample) = data.get(..SAMPLE) else { return false };
    let mut seen = [false; 256];
    for byte in sample {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    seen.iter().filter(|s| **s).count() >= RANDOM_VALUES
}
