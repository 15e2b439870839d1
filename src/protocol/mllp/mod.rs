//! HL7 minimal lower layer protocol (MLLP): 0x0B, the message, 0x1C 0x0D.
//!
//! Real senders omit parts of it: the end block, its CR, or all framing; some write STX and ETX instead. Messages are
//! passed on as their bytes arrive and never collected.

mod facts;
#[cfg(test)]
mod tests;

pub use facts::MessageFacts;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Resync, Role, Roles, ServiceFacts, Speaker,
};
use crate::syntax::ByteOrder;
use crate::syntax::Match;
use crate::syntax::hl7v2::{self, END_BLOCK, ETX, Framed, Framing, Opening, START_BLOCK, STX};
use memchr::{memchr2, memchr2_iter, memchr3};

/// Commit acknowledgment, positive and negative (MLLP release 2).
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;

/// Keep-alive bytes that may precede the first message.
const MAX_KEEP_ALIVE: usize = 256;

/// Byte order marks of UTF-8 and UTF-16.
const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// HL7 minimal lower layer protocol.
pub struct Mllp;

impl Protocol for Mllp {
    fn name(&self) -> &'static str {
        "hl7"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start { probe_start(data) } else { probe_middle(data) }
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles { server: Role::Hl7Interface, client: Some(Role::Hl7Sender) }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<MllpParser>::default()
    }
}

fn probe_start(data: &[u8]) -> Probe {
    let alive = data.iter().take_while(|b| is_keep_alive(**b)).count();
    if alive > MAX_KEEP_ALIVE {
        return Probe::No;
    }
    let mut rest = data.get(alive..).unwrap_or(&[]);
    // Some senders write a byte order mark before the start block.
    for mark in MARKS {
        match rest.strip_prefix(mark) {
            Some([]) => return Probe::More,
            Some(behind @ [START_BLOCK, ..]) => rest = behind,
            None if !rest.is_empty() && mark.starts_with(rest) => return Probe::More,
            _ => {}
        }
    }
    match rest.first() {
        None => Probe::More,
        // A malformed message; the next one may be well-formed.
        Some(&START_BLOCK) if is_faulty(rest) => match find_start(rest) {
            Some((_, filler, opening)) => answer(rest.get(filler..).unwrap_or(&[]), opening, 0),
            None => Probe::More,
        },
        Some(&(START_BLOCK | STX)) => match hl7v2::block(rest, true) {
            Match::Yes(Framed { filler, opening, .. }) => {
                answer(rest.get(filler..).unwrap_or(&[]), opening, 0)
            }
            Match::More => Probe::More,
            Match::No if is_commit_acknowledgment(rest) => Probe::yes(Speaker::Server),
            Match::No => Probe::No,
        },
        Some(_) => match hl7v2::header(rest, true) {
            Match::Yes(opening) => answer(rest, opening, 0),
            Match::More => Probe::More,
            Match::No => Probe::No,
        },
    }
}

/// Searches for the next message where the beginning was not seen.
fn probe_middle(data: &[u8]) -> Probe {
    match find_start(data) {
        Some((offset, filler, opening)) => {
            answer(data.get(offset + filler..).unwrap_or(&[]), opening, offset)
        }
        None => Probe::No,
    }
}

/// An acknowledgment comes from the server; other messages come from either end.
fn answer(message: &[u8], opening: Opening, offset: usize) -> Probe {
    let speaker = match opening {
        Opening::Message => match hl7v2::is_acknowledgment(message) {
            Some(true) => Speaker::Server,
            Some(false) => Speaker::Any,
            None => return Probe::More,
        },
        Opening::Batch | Opening::Patient | Opening::Other | Opening::Wide { .. } => Speaker::Any,
    };
    Probe::Yes { speaker, offset }
}

/// Bytes that senders write to keep a connection open, and stray line ends.
const fn is_keep_alive(byte: u8) -> bool {
    matches!(byte, 0 | b'\r' | b'\n' | b' ' | b'\t')
}

/// Whether a block begins with the name of a header but cannot be one.
fn is_faulty(data: &[u8]) -> bool {
    matches!(data, [START_BLOCK, b'M', b'S', b'H', next, ..] if !hl7v2::is_delimiter(*next))
}

/// MLLP release 2: a block that holds ACK or NAK only.
fn is_commit_acknowledgment(data: &[u8]) -> bool {
    matches!(data, [START_BLOCK, ACK | NAK, END_BLOCK, ..])
}

/// The first place in `data` where a message surely begins: offset, framing bytes, opening.
fn find_start(data: &[u8]) -> Option<(usize, usize, Opening)> {
    let framed = memchr2_iter(START_BLOCK, STX, data).find_map(|at| {
        match hl7v2::block(data.get(at..)?, false) {
            Match::Yes(Framed { filler, opening, .. }) => Some((at, filler, opening)),
            _ => None,
        }
    });
    let line = |name: &[u8], header: fn(&[u8]) -> Match<Opening>| {
        memchr::memmem::find_iter(data, name).find_map(|at| {
            let at_line = match at.checked_sub(1) {
                Some(before) => matches!(data.get(before), Some(b'\r' | b'\n')),
                None => true,
            };
            match header(data.get(at..)?) {
                Match::Yes(opening) if at_line => Some((at, 0, opening)),
                _ => None,
            }
        })
    };
    let found = [framed, line(b"MSH", |d| hl7v2::header(d, true)), line(b"PID|", hl7v2::patient)];
    found.into_iter().flatten().min_by_key(|(at, ..)| *at)
}

/// One flow. Either end may send messages; each direction is read on its own.
#[derive(Default)]
struct MllpParser {
    sides: [State; 2],
}

/// The state of one direction.
enum State {
    /// Between blocks.
    Idle {
        /// At the beginning, after an end block, or after a line end: an unframed message may begin here.
        line_start: bool,
    },
    /// In a block.
    Block {
        framing: Framing,
        /// The text is in UTF-16, where half a character may look like an end block.
        wide: Option<ByteOrder>,
        content: ContentWriter,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Idle { line_start: true }
    }
}

impl State {
    /// Ends the current message, if any. The direction is between blocks afterwards.
    fn end(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Self::Block { content, .. } = std::mem::take(self) {
            content.close(ending, sink);
        }
    }
}

/// What the next bytes are.
enum FrameStep {
    /// Nothing of interest: pass over this many.
    Pass(usize),
    /// A message begins after this many bytes.
    Open(usize, Framing, Opening),
    /// A commit acknowledgment of release 2.
    Acknowledged,
    /// Too few bytes to decide.
    Need,
}

/// Between blocks: finds where the next message begins.
fn idle(line_start: &mut bool, rest: &[u8]) -> FrameStep {
    if rest.first().is_some_and(|b| Framing::started_by(*b).is_some()) {
        return match hl7v2::block(rest, true) {
            Match::Yes(Framed { framing, filler, opening }) => {
                FrameStep::Open(filler, framing, opening)
            }
            Match::More => FrameStep::Need,
            Match::No if is_commit_acknowledgment(rest) => FrameStep::Acknowledged,
            Match::No => {
                *line_start = true;
                FrameStep::Pass(1)
            }
        };
    }
    if *line_start {
        let left = |b: &u8| is_keep_alive(*b) || matches!(*b, END_BLOCK | ETX);
        let mut alive = rest.iter().take_while(|b| left(b)).count();
        // The zero byte before a start block may be the first half of its UTF-16 character.
        if alive > 0
            && rest.get(alive - 1) == Some(&0)
            && matches!(rest.get(alive), None | Some(&START_BLOCK))
        {
            alive -= 1;
        }
        if alive == 0 && rest.first() == Some(&0) {
            return match hl7v2::wide_start(rest) {
                Match::Yes(Framed { framing, filler, opening }) => {
                    FrameStep::Open(filler, framing, opening)
                }
                Match::More => FrameStep::Need,
                Match::No => FrameStep::Pass(1),
            };
        }
        if alive > 0 {
            return FrameStep::Pass(alive);
        }
        for header in [hl7v2::header(rest, true), hl7v2::patient(rest)] {
            match header {
                Match::Yes(opening) => return FrameStep::Open(0, Framing::Mllp, opening),
                Match::More => return FrameStep::Need,
                Match::No => {}
            }
        }
        *line_start = false;
    }
    // STX is common in junk, so a message that it starts must follow a line end or an end of text.
    match memchr3(START_BLOCK, b'\r', b'\n', rest) {
        Some(at) if rest.get(at) == Some(&START_BLOCK) => FrameStep::Pass(at),
        Some(at) => {
            *line_start = true;
            FrameStep::Pass(at + 1)
        }
        None => FrameStep::Pass(rest.len()),
    }
}

fn open(
    direction: Direction,
    framing: Framing,
    opening: Opening,
    sink: &mut dyn ContentSink,
) -> State {
    let (media, unit) = match opening {
        Opening::Message | Opening::Patient | Opening::Wide { .. } => (Media::Hl7v2, "message"),
        Opening::Batch => (Media::Hl7v2, "batch"),
        Opening::Other => (Media::Unknown, "other"),
    };
    let hint = Hint { direction, media, operation: "", codings: &[], layer: "mllp" };
    let content = ContentWriter::open(&hint, sink);
    sink.unit(unit);
    let wide = match opening {
        Opening::Wide(order) => Some(order),
        _ => None,
    };
    State::Block { framing, wide, content }
}

/// Length of the end block at the front of UTF-16 text: its CR follows, and each may be two bytes wide; 0 if
/// it is none. `None`: the deciding bytes have not arrived.
fn end_of_wide(tail: &[u8], order: ByteOrder) -> Option<usize> {
    match tail {
        [_, b'\r' | b'\n', ..] => Some(2),
        [_, 0, b'\r' | b'\n', 0, ..] if order == ByteOrder::Little => Some(4),
        [_, 0, b'\r' | b'\n', ..] if order == ByteOrder::Big => Some(3),
        [_] | [_, 0] | [_, 0, b'\r' | b'\n'] => None,
        // Without CR.
        [_, START_BLOCK, ..] => Some(1),
        [_, 0, START_BLOCK, ..] => Some(if order == ByteOrder::Little { 2 } else { 1 }),
        _ => Some(0),
    }
}

impl Parser for MllpParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let [client, server] = &mut self.sides;
        let state = if direction.index() == 0 { client } else { server };
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            match state {
                State::Idle { line_start } => match idle(line_start, rest) {
                    FrameStep::Pass(n) => at += n.max(1),
                    FrameStep::Open(n, framing, opening) => {
                        *state = open(direction, framing, opening, sink);
                        at += n;
                    }
                    FrameStep::Acknowledged => {
                        let code = if rest.get(1) == Some(&ACK) { "ACK" } else { "NAK" };
                        let facts = sink.facts().messages();
                        facts.acknowledged = Some(true);
                        ServiceFacts::count(&mut facts.acknowledgments, code);
                        sink.unit("acknowledgment");
                        // Start block, code and end block.
                        at += 3;
                    }
                    FrameStep::Need => return Ok(Progress::need(at, rest.len() + 1)),
                },
                State::Block { framing, wide, content } => {
                    let Some(end) = memchr2(framing.start(), framing.end(), rest) else {
                        content.data(rest, sink);
                        return Ok(Progress::consumed(data.len()));
                    };
                    let (message, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                    if tail.first() == Some(&framing.end()) {
                        let len = match wide.map_or(Some(1), |order| end_of_wide(tail, order)) {
                            Some(0) => {
                                let text = rest.get(..=end).unwrap_or(rest);
                                content.data(text, sink);
                                at += end + 1;
                                continue;
                            }
                            Some(len) => len,
                            None => {
                                content.data(message, sink);
                                return Ok(Progress::need(at + end, tail.len() + 1));
                            }
                        };
                        content.data(message, sink);
                        state.end(Ending::Complete, sink);
                        at += end + len;
                        continue;
                    }
                    // A start block within a message: either the end block is missing, or it is text.
                    match hl7v2::block(tail, false) {
                        Match::Yes(Framed { framing, filler, opening }) => {
                            content.data(message, sink);
                            state.end(Ending::Complete, sink);
                            *state = open(direction, framing, opening, sink);
                            at += end + filler;
                        }
                        Match::No => {
                            let text = rest.get(..=end).unwrap_or(rest);
                            content.data(text, sink);
                            at += end + 1;
                        }
                        Match::More => {
                            content.data(message, sink);
                            return Ok(Progress::need(at + end, tail.len() + 1));
                        }
                    }
                }
            }
        }
        Ok(Progress::consumed(at))
    }

    /// The gap may hide the end of this message and the start of others. The format decides what it still trusts; the
    /// next start block is found either way.
    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(state) = self.sides.get_mut(direction.index()) {
            match state {
                State::Idle { line_start } => *line_start = true,
                State::Block { content, .. } => content.gap(len, sink),
            }
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        let (offset, ..) = find_start(data)?;
        if let Some(state) = self.sides.get_mut(direction.index()) {
            *state = State::default();
        }
        Some(offset)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        let Some(state) = self.sides.get_mut(direction.index()) else { return };
        if let State::Block { content, .. } = state {
            content.data(rest, sink);
        }
        state.end(end.into(), sink);
    }

    fn memory(&self) -> usize {
        0
    }
}
