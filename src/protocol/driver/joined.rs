//! Flows of which not everything was seen: a capture began in their middle, or shows one of their sides only.
//!
//! Their first bytes are those of a message only by chance. Protocols are asked for such a message first, as everywhere;
//! if none has one, for what shows them in the middle.

use super::{Driver, DriverEvent, State};
use crate::flow::{End, Side};
use crate::protocol::{ContentSink, PROTOCOLS, Position, Probe, Protocol, Reason, Speaker};

/// Bytes of one side that are looked at before no protocol claims a flow of which both sides have spoken, and before one
/// is looked for where the other side has not.
const ENOUGH: usize = 8 << 10;

/// Why protocols are asked again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// Enough bytes came since they were asked last.
    Growth,
    /// No more will come.
    End,
}

impl Driver {
    /// The beginning of the flow was not seen, and no protocol begins with what was. Whether one shows in its middle.
    /// `both`: both sides were looked at in vain.
    pub(super) fn join_grown(
        &mut self,
        side: Side,
        both: bool,
        sink: &mut dyn ContentSink,
    ) -> bool {
        let alone = !self.sides[side.other().index()].has_spoken();
        let asked = both || alone && self.sides[side.index()].looked >= ENOUGH;
        asked && self.join(side, Trigger::Growth, sink)
    }

    /// Whether what was looked at in vain is enough for a flow of which both sides have spoken.
    pub(super) fn has_enough(&self) -> bool {
        self.orientation.sure || self.sides.iter().any(|stream| stream.looked >= ENOUGH)
    }

    /// Nothing more will come that could decide.
    pub(super) fn join_or_carve(&mut self, side: Side, sink: &mut dyn ContentSink) {
        if self.join(side, Trigger::End, sink) {
            return;
        }
        if self.parser.is_none() {
            return self.carve(sink);
        }
        for side in [side, side.other()] {
            let stream = &self.sides[side.index()];
            if matches!(stream.state, State::Undecided | State::Waiting) && stream.has_spoken() {
                self.carve_second(side, sink);
            }
        }
    }

    /// The side that has not spoken in a flow whose beginning was not seen: what it will say may show which protocol it
    /// is, whatever is made of the other side until then.
    pub(super) fn awaited_side(&self) -> Option<Side> {
        let awaited = |side: &Side| {
            let stream = &self.sides[side.index()];
            !self.orientation.sure && !stream.has_spoken() && stream.closed.is_none()
        };
        [Side::Low, Side::High].into_iter().find(awaited)
    }

    /// The second side was looked at in vain, after no protocol claimed the first.
    pub(super) fn decide_second(&mut self, side: Side, sink: &mut dyn ContentSink) -> u64 {
        if !self.join(side, Trigger::Growth, sink) && self.sides[side.index()].looked >= ENOUGH {
            self.carve_second(side, sink);
        }
        std::mem::take(&mut self.sides[side.index()].unwanted)
    }

    /// No protocol claims the second side, either.
    fn carve_second(&mut self, side: Side, sink: &mut dyn ContentSink) {
        self.events.push(DriverEvent::Opaque("unknown", Reason::Unrecognised));
        let stream = &mut self.sides[side.index()];
        stream.state = State::Reading;
        stream.need = 0;
        stream.counted = true;
        let unread = std::mem::take(&mut stream.unread);
        sink.reading(side, &unread);
        self.sides[side.index()].unwanted = self.read(side, &unread, sink);
        self.close_reading(side, sink);
    }

    /// A protocol is known now: what was read of `side` as that of none ends here, and the rest is searched.
    pub(super) fn leave_carver(&mut self, side: Side, sink: &mut dyn ContentSink) {
        if self.protocol.is_some() {
            return;
        }
        let direction = self.direction(side);
        let Some(mut parser) = self.parser.take() else { return };
        let stream = &mut self.sides[side.index()];
        let rest = std::mem::take(&mut stream.unread);
        stream.need = 0;
        stream.unwanted = 0;
        if stream.state == State::Reading {
            stream.state = State::Searching;
            stream.at = Position::Midstream;
            sink.reading(side, &rest);
            parser.close(direction, &rest, End::Cut, sink);
        }
    }

    /// Looks for a protocol in the middle of what was kept. Whether there is one; then both sides are read.
    fn join(&mut self, side: Side, trigger: Trigger, sink: &mut dyn ContentSink) -> bool {
        let orientation = self.orientation;
        for side in [side, side.other()] {
            let silent = !self.sides[side.other().index()].has_spoken();
            let stream = &mut self.sides[side.index()];
            let undecided = matches!(stream.state, State::Undecided | State::Waiting);
            let grown = trigger == Trigger::End || stream.unread.len() >= stream.need;
            // Who the client is was seen: what it says first would have shown the protocol.
            let asks = !orientation.sure || silent && side != orientation.client;
            if !undecided || stream.unread.is_empty() || !grown || !asks {
                continue;
            }
            let fits = |speaker| !orientation.sure || speaker == Speaker::Server;
            // Blank lines are said by many protocols and show none.
            let blank = stream.unread.trim_ascii().is_empty();
            let found = if blank { None } else { middle(&stream.unread) };
            let found = found.filter(|(_, speaker, _)| fits(*speaker));
            let Some((protocol, speaker, offset)) = found else {
                // Each time half as much more, so that all times together cost three times the last one.
                stream.need = stream.unread.len() + 1 + stream.unread.len() / 2;
                continue;
            };
            let unread = std::mem::take(&mut stream.unread);
            stream.at = Position::Midstream;
            sink.reading(side, &unread);
            self.select_protocol(protocol, side, speaker, sink);
            let rest = self.cut_to_boundary(side, &unread, offset);
            self.sides[side.index()].unwanted = self.begin(side, rest, sink);
            self.close_reading(side, sink);
            return true;
        }
        false
    }
}

/// The protocol that shows in the middle of `bytes`, who speaks so, and where it does.
fn middle(bytes: &[u8]) -> Option<(&'static dyn Protocol, Speaker, usize)> {
    let asked = PROTOCOLS.iter().filter(|protocol| !protocol.needs_begin());
    asked.copied().find_map(|protocol| match protocol.probe(bytes, Position::Midstream) {
        Probe::Yes { speaker, offset } if !is_carried(bytes, offset) => {
            Some((protocol, speaker, offset))
        }
        Probe::Yes { .. } | Probe::More | Probe::No => None,
    })
}

/// Whether the line at `offset` may belong to a text that something else carries: there are controls before it.
fn is_carried(bytes: &[u8], offset: usize) -> bool {
    let before = bytes.get(..offset).unwrap_or_default();
    let control = |b: &u8| b.is_ascii_control() && !matches!(b, b'\t' | b'\r' | b'\n');
    let line = matches!(before.last(), Some(b'\r' | b'\n'))
        && bytes.get(offset).is_some_and(u8::is_ascii_graphic);
    line && before.iter().any(control)
}
