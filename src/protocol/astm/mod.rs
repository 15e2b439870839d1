//! ASTM E1381 (CLSI LIS1-A): laboratory analysers. ENQ, then frames `STX n text ETX checksum CR LF`, then EOT; the
//! receiver answers each frame with ACK or NAK. Some senders omit all framing.
//!
//! A record may continue in the next frame (ETB instead of ETX). The records of one session are passed on without
//! frame numbers and checksums.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use crate::syntax::Match;
use crate::syntax::astm::header;
use memchr::memchr_iter;
use zeroize::Zeroizing;

const STX: u8 = 0x02;
const ETX: u8 = 0x03;
const EOT: u8 = 0x04;
const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const ETB: u8 = 0x17;
/// Start and end block, where the records use the framing of HL7.
const VT: u8 = 0x0B;
const FS: u8 = 0x1C;

/// Control bytes that may precede the first frame.
const MAX_PRELUDE: usize = 64;
/// Text of a frame that is kept until its answer is seen, bytes. A frame has 64,000 at most (LIS1-A
/// 8.3.1); what is longer is passed on as it comes.
const MAX_HELD: usize = 64 << 10;

/// ASTM E1381.
pub struct Astm;

impl Protocol for Astm {
    fn name(&self) -> &'static str {
        "astm"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            return probe_start(data);
        }
        let mut frames =
            memchr_iter(STX, data).filter(|at| data.get(*at..).is_some_and(|d| frame(d).is_yes()));
        match frames.next() {
            Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
            None => Probe::No,
        }
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::LabInterface)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<AstmParser>::default()
    }
}

fn probe_start(data: &[u8]) -> Probe {
    // ENQ must be answered before anything else; a sender without an answer repeats it.
    let prelude = data.iter().take_while(|b| is_line_control(**b)).count();
    if prelude > MAX_PRELUDE {
        return Probe::No;
    }
    let rest = data.get(prelude..).unwrap_or(&[]);
    let answer = match rest.first() {
        None if data.iter().any(|b| matches!(*b, ENQ | ACK)) || data.is_empty() => Match::More,
        None => Match::No,
        Some(&STX) => frame(rest),
        Some(_) => header(rest),
    };
    match answer {
        Match::Yes(()) => Probe::yes(Speaker::Any),
        Match::More => Probe::More,
        Match::No => Probe::No,
    }
}

/// Whether a frame begins at `data`: STX, the frame number, and a record. The first record of a session is a header,
/// which is certain; others are recognised by their letter and separator.
fn frame(data: &[u8]) -> Match {
    const RECORDS: &[u8] = b"HPORCQLMS";
    let record = match data {
        [STX] => return Match::More,
        [STX, b'0'..=b'7', record @ ..] | [STX, record @ ..] => record,
        _ => return Match::No,
    };
    match record {
        [] => Match::More,
        [b'H', ..] => header(record),
        [letter] if RECORDS.contains(letter) => Match::More,
        [letter, b'|', ..] if RECORDS.contains(letter) => Match::Yes(()),
        _ => Match::No,
    }
}

/// Bytes between frames.
const fn is_line_control(byte: u8) -> bool {
    matches!(byte, ENQ | ACK | NAK | EOT | VT | b'\r' | b'\n' | 0)
}

/// One flow. Either end may send; usually the analyser does.
#[derive(Default)]
struct AstmParser {
    sides: [DirectionState; 2],
}

/// One direction.
#[derive(Default)]
struct DirectionState {
    state: State,
    content: Option<Open>,
    /// Number of the last frame.
    last: Option<u8>,
    /// Its text, which is void if the frame is rejected and sent again.
    held: Zeroizing<Vec<u8>>,
    /// The answer of the other end.
    answer: Answer,
}

/// The records of a session.
struct Open {
    writer: ContentWriter,
    /// The last byte was a line end.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Answer {
    #[default]
    Unseen,
    Accepted,
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between frames: checksums, line ends, ENQ, EOT.
    Between {
        /// Unframed records; a header may begin here.
        line_start: bool,
    },
    /// Behind STX: the frame number is next.
    Number,
    /// In the text of a frame.
    Text,
    /// Unframed records.
    Bare,
}

impl Default for State {
    fn default() -> Self {
        Self::Between { line_start: true }
    }
}

impl DirectionState {
    /// `layer`: what the records travel in.
    fn open(&mut self, direction: Direction, layer: &'static str, sink: &mut dyn ContentSink) {
        if self.content.is_none() {
            let media = Media::Type { content_type: MEDIA_TYPE, name: "" };
            let hint = Hint { direction, media, operation: "", codings: &[], layer };
            let writer = ContentWriter::open(&hint, sink);
            sink.unit("message");
            self.content = Some(Open { writer, ended: true });
        }
    }

    fn close(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.pass_on(sink);
        if let Some(open) = self.content.take() {
            open.writer.close(ending, sink);
        }
        self.last = None;
    }

    fn deliver(&mut self, bytes: &[u8], sink: &mut dyn ContentSink) {
        let (Some(open), Some(last)) = (self.content.as_mut(), bytes.last()) else { return };
        open.ended = matches!(last, b'\r' | b'\n');
        open.writer.data(bytes, sink);
    }

    /// Text of a frame, kept until it is known whether the frame is accepted.
    fn hold(&mut self, text: &[u8], sink: &mut dyn ContentSink) {
        if self.held.len() + text.len() > MAX_HELD {
            self.pass_on(sink);
            return self.deliver(text, sink);
        }
        self.held.extend_from_slice(text);
    }

    /// The last frame is accepted.
    fn pass_on(&mut self, sink: &mut dyn ContentSink) {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.deliver(&held, sink);
            self.held = held;
            self.held.clear();
        }
    }

    /// Whether the text so far ends with a line end.
    fn is_ended(&self) -> bool {
        match self.held.last() {
            Some(last) => matches!(last, b'\r' | b'\n'),
            None => self.content.as_ref().is_none_or(|c| c.ended),
        }
    }

    /// A control byte between frames, or one that ends the text of a frame.
    fn control(&mut self, byte: u8, sink: &mut dyn ContentSink) {
        let was_text = matches!(self.state, State::Text | State::Bare);
        self.state = match byte {
            STX => State::Number,
            b'\r' | b'\n' if !was_text => State::Between { line_start: true },
            _ => State::Between { line_start: matches!(byte, ENQ | EOT | VT | FS) },
        };
        // An end of text ends its record, whether or not the sender wrote the CR.
        if was_text && byte == ETX && !self.is_ended() {
            self.hold(b"\r", sink);
        }
        match byte {
            EOT | FS => self.close(Ending::Complete, sink),
            // A new session begins; the one before was given up.
            ENQ => self.close(Ending::Cut, sink),
            _ => {}
        }
    }

    /// The byte after STX. A frame with the number of the rejected one before it repeats that frame, and the earlier
    /// one is void (E1381 6.5.1.2).
    fn number(&mut self, byte: u8, sink: &mut dyn ContentSink) -> bool {
        let number = matches!(byte, b'0'..=b'7').then_some(byte);
        if number.is_some() && number == self.last && self.answer == Answer::Refused {
            sink.anomaly(Reason::Malformed);
            self.held.clear();
        }
        self.pass_on(sink);
        self.last = number;
        self.answer = Answer::Unseen;
        self.state = State::Text;
        number.is_some()
    }
}

/// How the records are passed on.
const MEDIA_TYPE: &str = "application/x-astm-e1394";

const fn ends_text(byte: u8) -> bool {
    matches!(byte, STX | ETX | EOT | ENQ | ETB | FS)
}

impl Parser for AstmParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let [client, server] = &mut self.sides;
        let (side, other) =
            if direction.index() == 0 { (client, server) } else { (server, client) };
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            match side.state {
                State::Between { line_start } => {
                    match *first {
                        ACK => {
                            other.answer = Answer::Accepted;
                            sink.facts().messages().acknowledged = Some(true);
                        }
                        NAK => other.answer = Answer::Refused,
                        b'H' if line_start => match header(rest) {
                            Match::Yes(()) => {
                                side.close(Ending::Complete, sink);
                                side.open(direction, "tcp", sink);
                                side.state = State::Bare;
                                continue;
                            }
                            Match::More => return Ok(Progress::need(at, rest.len() + 1)),
                            Match::No => side.state = State::Between { line_start: false },
                        },
                        byte => side.control(byte, sink),
                    }
                    at += 1;
                }
                State::Number => {
                    side.open(direction, "e1381", sink);
                    at += usize::from(side.number(*first, sink));
                }
                State::Text => {
                    let end = rest.iter().position(|b| ends_text(*b));
                    let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
                    side.hold(text, sink);
                    at += text.len();
                    if let Some(&byte) = rest.get(text.len()) {
                        side.control(byte, sink);
                        at += 1;
                    }
                }
                State::Bare => {
                    let end = rest.iter().position(|b| ends_text(*b));
                    let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
                    side.deliver(text, sink);
                    at += text.len();
                    if let Some(&byte) = rest.get(text.len()) {
                        side.control(byte, sink);
                        at += 1;
                    }
                }
            }
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.pass_on(sink);
            if let Some(open) = side.content.as_mut() {
                open.writer.gap(len, sink);
                open.ended = true;
            }
            if side.state != State::Bare {
                side.state = State::Between { line_start: false };
            }
            side.last = None;
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        let offset = memchr::memchr2(STX, ENQ, data)?;
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.state = State::default();
        }
        Some(offset)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            match side.state {
                State::Text => side.hold(rest, sink),
                State::Bare => side.deliver(rest, sink),
                State::Between { .. } | State::Number => {}
            }
            side.close(end.into(), sink);
            side.state = State::default();
        }
    }

    fn memory(&self) -> usize {
        self.sides.iter().map(|side| side.held.capacity()).sum()
    }
}
