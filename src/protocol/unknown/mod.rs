//! Streams and datagrams that no protocol claims: self-contained payloads are carved out of them, whatever carries
//! them (message queues, serialised objects, databases, sockets of one application).
//!
//! A payload begins with a mark of its format, or is a run of text (labelled lines, rows, objects without a mark).
//! Text ends with the first byte that is no text, or with the mark of another payload; other payloads end where their
//! readers find their ends. Bytes that look random (compressed, encrypted) are only sampled, so they cost next to
//! nothing.

mod datagrams;
mod marks;
mod runs;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    Authentication, ContentSink, Direction, End, Ending, Hint, ParseError, Parser, Progress, Resync,
};
use crate::syntax::Search;
pub use datagrams::DatagramCarver;
use marks::{Found, PayloadEnd};
use runs::MIN_RUN;
use smallvec::SmallVec;

/// Bytes sampled to decide whether the next ones are worth a search.
const SAMPLE: usize = 1024;
/// Distinct values among them that only random bytes reach (of 256, some 251 on average): text has fewer than 120,
/// programs and tables fewer than 220.
const RANDOM_VALUES: usize = 232;
/// Bytes of the sample that are read first, and a number of distinct values that fewer than one random sample in a
/// million stays below (57 on average).
const GLANCE: usize = 64;
const GLANCE_VALUES: u32 = 44;
/// Bytes passed over where a sample looks random.
const PASSED_OVER: u64 = 64 << 10;
/// Bytes kept of the beginning of a line: the offset in a dump of bytes and what follows it.
const LINE_HEAD: usize = 20;
/// The preamble of a DICOM file (PS3.10 7.1).
const PREAMBLE: [u8; 128] = [0; 128];

/// Searches both directions of one flow.
pub struct Carver {
    sides: [Option<Payload>; 2],
    /// The layer that carries the payloads.
    layer: &'static str,
}

impl Default for Carver {
    fn default() -> Self {
        Self::of("unknown")
    }
}

/// A payload.
struct Payload {
    writer: ContentWriter,
    end: PayloadEnd,
    /// The beginning of the line at hand, in a run of text.
    line: SmallVec<[u8; LINE_HEAD]>,
}

/// Finds the next payload in `data`. `None` if the bytes look compressed or encrypted.
fn next(data: &[u8]) -> Option<Search<Found>> {
    let run = runs::find(data);
    let last = match run {
        // Text in front of a mark that is too short is no run.
        Search::Found(offset, ()) => offset + MIN_RUN,
        Search::Perhaps { .. } | Search::None => data.len(),
    };
    // Marks further behind are searched for inside the run, so that no byte is searched twice.
    match (marks::find_until(data, last), run) {
        (found @ Search::Found(..), _) | (found @ Search::Perhaps { .. }, Search::None) => {
            Some(found)
        }
        (
            Search::Perhaps { at, .. },
            Search::Found(begin, ()) | Search::Perhaps { at: begin, .. },
        ) => Some(Search::perhaps(at.min(begin), data)),
        (Search::None, Search::Found(offset, ())) => Some(Search::Found(offset, Found::RUN)),
        (Search::None, Search::Perhaps { .. } | Search::None) if is_random(data) => None,
        (Search::None, Search::Perhaps { at, need }) => Some(Search::Perhaps { at, need }),
        (Search::None, Search::None) => Some(Search::None),
    }
}

impl Payload {
    /// The next mark in a run of text. Those in a dump of bytes are only shown there: `00000000  0b 4d 53 48  |.MSH|`.
    fn next_mark(&self, text: &[u8]) -> Search<Found> {
        let mut from = 0;
        loop {
            match marks::find(text.get(from..).unwrap_or_default()) {
                Search::Found(offset, _) if self.is_dump(text, from + offset) => {
                    from += offset + 1;
                }
                Search::Found(offset, found) => return Search::Found(from + offset, found),
                Search::Perhaps { at, need } => return Search::Perhaps { at: from + at, need },
                Search::None => return Search::None,
            }
        }
    }

    /// Whether the line of the byte at `at` begins like one of a dump: with an offset in hexadecimal digits.
    fn is_dump(&self, text: &[u8], at: usize) -> bool {
        let before = text.get(..at).unwrap_or_default();
        let (kept, rest) = match memchr::memrchr(b'\n', before) {
            Some(lf) => (&[][..], before.get(lf + 1..).unwrap_or_default()),
            None => (self.line.as_slice(), before),
        };
        let mut line = kept.iter().chain(rest);
        let digits = line.clone().take(LINE_HEAD).take_while(|b| b.is_ascii_hexdigit()).count();
        let behind = line.nth(digits);
        (4..=16).contains(&digits) && matches!(behind, Some(b' ' | b':'))
    }

    /// Keeps the beginning of the line that `taken` ends in.
    fn note_line(&mut self, taken: &[u8]) {
        let rest = match memchr::memrchr(b'\n', taken) {
            Some(lf) => {
                self.line.clear();
                taken.get(lf + 1..).unwrap_or_default()
            }
            None => taken,
        };
        let room = LINE_HEAD - self.line.len();
        self.line.extend(rest.iter().take(room).copied());
    }

    /// Writes the part of `data` that belongs to the payload. Returns its length, and whether the payload has ended.
    fn data(&mut self, data: &[u8], sink: &mut dyn ContentSink) -> (Progress, bool) {
        let kind = self.end;
        let end = kind.end(data);
        let text = match kind {
            PayloadEnd::Wide(_) if data.len() < 2 => {
                return (Progress::need(0, data.len() + 1), false);
            }
            PayloadEnd::Wide(_) => data.get(..end.unwrap_or(data.len() & !1)).unwrap_or(data),
            _ => data.get(..end.unwrap_or(data.len())).unwrap_or(data),
        };
        if kind == PayloadEnd::Run {
            let (progress, ended) = match (self.next_mark(text), end) {
                (Search::Found(offset, _), _) => (Progress::consumed(offset), true),
                (Search::Perhaps { at, .. }, None) => {
                    (Progress::need(at, data.len() - at + 1), false)
                }
                (_, end) => (Progress::consumed(text.len()), end.is_some()),
            };
            let taken = text.get(..progress.consumed).unwrap_or(text);
            self.note_line(taken);
            self.writer.data(taken, sink);
            return (progress, ended);
        }
        match kind {
            PayloadEnd::Ebcdic => self.writer.data(&latin(text), sink),
            _ => self.writer.data(text, sink),
        }
        match end {
            Some(end) => (Progress::consumed(end), true),
            None if kind != PayloadEnd::Reader => (Progress::consumed(text.len()), false),
            None if self.writer.is_done() => (Progress::consumed(text.len()), true),
            None => (Progress::skip(data.len(), self.writer.take_unwanted()), false),
        }
    }
}

impl Carver {
    /// For the payloads of a protocol whose messages are not read.
    pub const fn of(layer: &'static str) -> Self {
        Self { sides: [None, None], layer }
    }

    /// The payload begins.
    fn begin(&mut self, direction: Direction, found: &Found, sink: &mut dyn ContentSink) {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            *side = Some(Self::open(direction, found, self.layer, sink));
        }
    }

    /// Opens the payload.
    fn open(
        direction: Direction,
        found: &Found,
        layer: &'static str,
        sink: &mut dyn ContentSink,
    ) -> Payload {
        sink.unit("payload");
        // Authentication in an unknown protocol cannot be seen.
        sink.facts().shown(Authentication::Unknown);
        let media = found.media;
        let hint = Hint { direction, media, operation: "", codings: &[], layer };
        let mut writer = ContentWriter::open(&hint, sink);
        if found.preamble {
            writer.data(&PREAMBLE, sink);
        }
        Payload { writer, end: found.end, line: SmallVec::new() }
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
            let Some(payload) = side else {
                match next(rest) {
                    Some(Search::Found(offset, found)) => {
                        *side = Some(Self::open(direction, &found, self.layer, sink));
                        at += offset;
                    }
                    Some(Search::Perhaps { at: offset, need }) => {
                        return Ok(Progress::need(at + offset, need));
                    }
                    Some(Search::None) => return Ok(Progress::consumed(data.len())),
                    None => return Ok(Progress::skip(data.len(), PASSED_OVER)),
                }
                continue;
            };
            let (progress, ended) = payload.data(rest, sink);
            if ended && let Some(payload) = side.take() {
                payload.writer.close(Ending::Complete, sink);
            }
            if !progress.continues() {
                return Ok(progress.after(at));
            }
            at += progress.consumed;
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

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(mut payload) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            if payload.end == PayloadEnd::Run {
                payload.writer.data(rest, sink);
            }
            payload.writer.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}

/// Text in EBCDIC as UTF-8; each of its line ends is one.
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

/// Whether the first bytes look compressed or encrypted. A few bytes are too few to tell them apart.
fn is_random(data: &[u8]) -> bool {
    let Some(sample) = data.get(..SAMPLE) else { return false };
    let values = |bytes: &[u8]| {
        let mut seen = [0u64; 4];
        for byte in bytes {
            if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        seen.iter().map(|word| word.count_ones()).sum::<u32>()
    };
    let glance = sample.get(..GLANCE).unwrap_or(sample);
    values(glance) >= GLANCE_VALUES && values(sample) as usize >= RANDOM_VALUES
}
