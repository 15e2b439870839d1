//! Recognises the protocol by the first bytes of a flow, and decides what happens to a flow that speaks none.

use super::{Driver, DriverEvent, PROBE_EAGER, State, Stream};
use crate::flow::Side;
use crate::protocol::datagrams::Datagrams;
use crate::protocol::unknown::{Carver, DatagramCarver};
use crate::protocol::{
    ContentSink, PROTOCOLS, Parser, Position, Probe, Protocol, Reason, Speaker, encrypted,
};

impl Driver {
    pub(super) fn recognise(
        &mut self,
        side: Side,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let limit = self.limits.recognise;
        let begun = self.orientation.sure;
        let stream = &mut self.sides[side.index()];
        if stream.unread.is_empty() && stream.need == 0 {
            // The usual case: the first segment decides, and nothing is copied.
            match ask(bytes, stream.at, begun) {
                Answer::Protocol(protocol, speaker, offset) => {
                    self.select_protocol(protocol, side, speaker, sink);
                    return self.begin(side, bytes.get(offset..).unwrap_or(&[]), sink);
                }
                Answer::Encrypted => return self.encrypted(side, bytes, sink),
                Answer::None if stream.at == Position::Start => {
                    stream.looked = bytes.len().max(1);
                    stream.state = State::Waiting;
                    // Kept in case the other side is recognised, or nothing is.
                    stream.unread.extend_from_slice(bytes);
                    return self.give_up_both(side, sink);
                }
                Answer::None | Answer::More => {}
            }
        }
        let stream = &mut self.sides[side.index()];
        stream.unread.extend_from_slice(bytes);
        if stream.unread.len() >= stream.need {
            return self.probe_buffered(side, false, sink);
        }
        if stream.unread.len() > limit {
            return self.probe_buffered(side, true, sink);
        }
        0
    }

    /// Probes all unread bytes again. `last`: no more will come before the limit.
    pub(super) fn probe_buffered(
        &mut self,
        side: Side,
        last: bool,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let limit = self.limits.recognise;
        let begun = self.orientation.sure;
        let stream = &mut self.sides[side.index()];
        if stream.unread.is_empty() {
            return 0;
        }
        let hopeless = match ask(&stream.unread, stream.at, begun) {
            Answer::Protocol(protocol, speaker, offset) => {
                let unread = std::mem::take(&mut stream.unread);
                sink.reading(side, &unread);
                self.select_protocol(protocol, side, speaker, sink);
                let rest = match self.sides[side.index()].at {
                    Position::Start => unread.get(offset..).unwrap_or(&[]),
                    Position::Midstream => self.cut_to_boundary(side, &unread, offset),
                };
                return self.begin(side, rest, sink);
            }
            Answer::Encrypted => {
                let unread = std::mem::take(&mut stream.unread);
                return self.encrypted(side, &unread, sink);
            }
            // Mid-stream, a later packet may still show it.
            Answer::None => stream.at == Position::Start,
            Answer::More => false,
        };
        let len = stream.unread.len();
        if hopeless || last || len > limit {
            stream.looked += len.max(1);
            stream.state = State::Waiting;
            // Kept in case the other direction is recognised.
            return self.give_up_both(side, sink);
        }
        stream.need = if len < PROBE_EAGER { len + 1 } else { len + len / 4 };
        0
    }

    /// Past the limit, only the first bytes of each arrival are probed.
    pub(super) fn probe_late(
        &mut self,
        side: Side,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let silent = !self.sides[side.other().index()].has_spoken();
        let stream = &mut self.sides[side.index()];
        stream.looked = stream.looked.saturating_add(bytes.len());
        if stream.unread.len() + bytes.len() <= self.limits.recognise
            && stream.at == Position::Start
        {
            stream.unread.extend_from_slice(bytes);
        } else if stream.at == Position::Start && silent {
            // The bytes so far are still available, and no answer will add to them.
            self.join_or_carve(side, sink);
            return self.data(side, bytes, sink);
        } else {
            stream.unread = Vec::new();
            stream.at = Position::Midstream;
        }
        if let Answer::Protocol(protocol, speaker, 0) = ask(bytes, Position::Start, false) {
            let kept = std::mem::take(&mut self.sides[side.index()].unread);
            let before = kept.len().checked_sub(bytes.len()).and_then(|len| kept.get(..len));
            // Of a flow that was joined in its middle, whole messages may have come before.
            let whole = match before.map(|before| protocol.probe(before, Position::Midstream)) {
                Some(Probe::Yes { offset, .. }) if !self.orientation.sure => kept.get(offset..),
                _ => None,
            };
            if whole.is_some() {
                sink.reading(side, &kept);
            }
            self.select_protocol(protocol, side, speaker, sink);
            return self.begin(side, whole.unwrap_or(bytes), sink);
        }
        self.give_up_both(side, sink)
    }

    /// Once both directions were probed without result, or one was for long, no protocol claims the flow.
    fn give_up_both(&mut self, side: Side, sink: &mut dyn ContentSink) -> u64 {
        let started = |s: &Stream| s.at == Position::Start;
        let hopeless = |s: &Stream| s.state == State::Waiting && s.looked >= 1;
        if self.parser.is_some() {
            return self.decide_second(side, sink);
        }
        let (this, other) = (&self.sides[side.index()], &self.sides[side.other().index()]);
        let both = hopeless(this) && hopeless(other) && started(this) && started(other);
        let long = this.looked > 16 * self.limits.recognise;
        let joined = !self.orientation.sure && self.join_grown(side, both, sink);
        if !joined && (both && self.has_enough() || long) {
            self.carve(sink);
        }
        std::mem::take(&mut self.sides[side.index()].unwanted)
    }

    /// No protocol claims the flow: it counts as unrecognised, and is searched for payloads.
    pub(super) fn carve(&mut self, sink: &mut dyn ContentSink) {
        let silent = self.awaited_side();
        for side in [Side::Low, Side::High] {
            let stream = &self.sides[side.index()];
            let asked = stream.has_spoken() || stream.closed.is_none();
            if stream.state != State::Opaque && asked && silent != Some(side) {
                self.events.push(DriverEvent::Opaque("unknown", Reason::Unrecognised));
            }
        }
        self.read_unclaimed(Box::<Carver>::default());
        if let Some(silent) = silent {
            self.sides[silent.index()].state = State::Undecided;
            self.sides[silent.index()].counted = false;
        }
        for side in [Side::Low, Side::High] {
            if self.sides[side.index()].state != State::Reading {
                continue;
            }
            let unread = std::mem::take(&mut self.sides[side.index()].unread);
            sink.reading(side, &unread);
            let skip = self.read(side, &unread, sink);
            self.sides[side.index()].unwanted = skip;
            self.close_reading(side, sink);
        }
    }

    /// No protocol claims a flow of datagrams, but one of them holds a payload: from here on the driver gets all its
    /// datagrams, in frames.
    pub fn carve_datagrams(&mut self, carver: DatagramCarver) {
        self.events.push(DriverEvent::Opaque("unknown", Reason::Unrecognised));
        self.read_unclaimed(Box::new(Datagrams(carver)));
    }

    /// Lets `parser`, which belongs to no protocol, read what can be read.
    fn read_unclaimed(&mut self, parser: Box<dyn Parser>) {
        self.parser = Some(parser);
        for stream in self.sides.iter_mut().filter(|stream| stream.state != State::Opaque) {
            stream.state = State::Reading;
            stream.need = 0;
            // It does not count as a stream of a recognised protocol.
            stream.counted = true;
        }
    }

    pub(super) fn select_protocol(
        &mut self,
        protocol: &'static dyn Protocol,
        side: Side,
        speaker: Speaker,
        sink: &mut dyn ContentSink,
    ) {
        self.leave_carver(side.other(), sink);
        let begun = self.orientation.sure && self.sides[side.index()].at == Position::Start;
        if !self.orientation.sure {
            match speaker {
                Speaker::Client => self.orientation.client = side,
                Speaker::Server => self.orientation.client = side.other(),
                Speaker::Any => {}
            }
        }
        self.protocol = Some(protocol);
        let mut parser = protocol.open();
        if !begun {
            parser.begun_before(sink);
        }
        self.parser = Some(parser);
        let stream = &mut self.sides[side.index()];
        stream.state = State::Reading;
        stream.need = 0;
    }

    /// What of `bytes` the parser can read: from `offset` on. It learns that this is a boundary, as after a gap.
    pub(super) fn cut_to_boundary<'a>(
        &mut self,
        side: Side,
        bytes: &'a [u8],
        offset: usize,
    ) -> &'a [u8] {
        let direction = self.direction(side);
        let rest = bytes.get(offset..).unwrap_or(&[]);
        if let Some(parser) = &mut self.parser {
            parser.resync(direction, rest);
        }
        rest
    }

    /// The first bytes for a parser: of the side that was recognised, then those that the other side kept.
    pub(super) fn begin(&mut self, side: Side, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        let skip = self.read(side, bytes, sink);
        self.other_side(side.other(), sink);
        skip
    }

    /// Whether `bytes` begin as the protocol of the flow does.
    pub(super) fn speaks(&self, bytes: &[u8]) -> bool {
        let probe = |protocol: &dyn Protocol| protocol.probe(bytes, Position::Start);
        self.protocol.is_some_and(|p| matches!(probe(p), Probe::Yes { offset: 0, .. }))
    }

    /// The other direction was recognised, so the bytes that this one kept can be read.
    fn other_side(&mut self, side: Side, sink: &mut dyn ContentSink) {
        let stream = &mut self.sides[side.index()];
        if !matches!(stream.state, State::Undecided | State::Waiting) || self.parser.is_none() {
            return;
        }
        let unread = std::mem::take(&mut stream.unread);
        sink.reading(side, &unread);
        stream.need = 0;
        // The first bytes that were seen of a flow are those of a message only where it began with them.
        let begins = stream.at == Position::Start
            && (self.orientation.sure || unread.is_empty() || self.speaks(&unread));
        let stream = &mut self.sides[side.index()];
        if begins {
            stream.state = State::Reading;
            let skip = self.read(side, &unread, sink);
            self.sides[side.index()].unwanted = skip;
        } else {
            stream.state = State::Searching;
            let skip = self.search(side, &unread, sink);
            self.sides[side.index()].unwanted = skip;
        }
        self.close_reading(side, sink);
    }
}

/// Result of probing every protocol.
pub(super) enum Answer {
    /// This protocol: the side that sends such bytes, and bytes to skip.
    Protocol(&'static dyn Protocol, Speaker, usize),
    /// Encrypted.
    Encrypted,
    /// Not enough bytes to decide.
    More,
    /// No protocol.
    None,
}

/// Probes every protocol. `begun`: the flow was seen from its first packet, and these are its first bytes.
pub(super) fn ask(bytes: &[u8], at: Position, begun: bool) -> Answer {
    let mut more = false;
    match encrypted::probe(bytes, at) {
        Probe::Yes { .. } => return Answer::Encrypted,
        Probe::More => more = true,
        Probe::No => {}
    }
    let fits = |p: &&&dyn Protocol| if begun { !p.needs_middle() } else { !p.needs_begin() };
    for &protocol in PROTOCOLS.iter().filter(fits) {
        match protocol.probe(bytes, at) {
            Probe::Yes { speaker, offset } => return Answer::Protocol(protocol, speaker, offset),
            Probe::More => more = true,
            Probe::No => {}
        }
    }
    if more { Answer::More } else { Answer::None }
}
