//! What all protocols share: recognition, buffering of unread bytes, skipping, resynchronising after gaps, and errors
//! that end one direction of one flow.

mod handshake;
mod joined;
mod recognition;
mod recovery;
#[cfg(test)]
mod tests;

use super::expected::AnnouncedFlow;
use super::tls::HandshakeReader;
use super::{ContentSink, ParseError, Parser, Position, Progress, Protocol, Reason, Resync};
use crate::flow::{Direction, End, Orientation, Side};

/// Capacity kept for unread bytes while there are none.
const ROOMY: usize = 16 << 10;
/// Below this many unread bytes each arrival is probed; above, only after growth by a quarter.
const PROBE_EAGER: usize = 256;

/// Limits of a driver, bytes.
#[derive(Clone, Copy, Debug)]
pub struct DriverLimits {
    /// Unread bytes a parser may leave in one direction.
    pub buffer: usize,
    /// Bytes of one direction looked at before it counts as unrecognised.
    pub recognise: usize,
}

/// An event that is counted once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriverEvent {
    /// A direction speaks this protocol.
    Recognised(&'static str),
    /// A direction can no longer be read: protocol (or `unknown`) and reason.
    Opaque(&'static str, Reason),
}

/// Drives the protocol of one flow.
pub struct Driver {
    limits: DriverLimits,
    protocol: Option<&'static dyn Protocol>,
    parser: Option<Box<dyn Parser>>,
    orientation: Orientation,
    sides: [Stream; 2],
    /// Handshake of an encrypted flow, until it is complete.
    handshake: Option<Box<HandshakeReader>>,
    events: Vec<DriverEvent>,
    /// The side and port of the service that announced the flow.
    service: Option<(Side, u16)>,
}

struct Stream {
    state: State,
    /// Bytes that were delivered but not consumed.
    unread: Vec<u8>,
    /// Unread bytes to wait for before the parser is called again.
    need: usize,
    /// Further bytes to skip that could not be reported when that became known.
    unwanted: u64,
    /// Position of the unread bytes.
    at: Position,
    /// Bytes probed without result, for the recognition limit.
    looked: usize,
    closed: Option<End>,
    /// Counted as recognised.
    counted: bool,
    /// Errors of the parser.
    errors: u16,
    /// Bytes searched without result since its first error.
    searched: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not recognised yet.
    Undecided,
    /// Past the recognition limit, waiting for the other direction to be recognised.
    Waiting,
    /// Read by the parser.
    Reading,
    /// Searched by the parser for its next boundary.
    Searching,
    /// Encrypted; the handshake is read.
    Handshake,
    /// Not read any more.
    Opaque,
}

impl Stream {
    const fn new() -> Self {
        Self {
            state: State::Undecided,
            unread: Vec::new(),
            need: 0,
            unwanted: 0,
            at: Position::Start,
            looked: 0,
            closed: None,
            counted: false,
            errors: 0,
            searched: 0,
        }
    }
}

impl Stream {
    /// Whether bytes of it were probed, or are waiting to be.
    fn has_spoken(&self) -> bool {
        self.looked > 0 || !self.unread.is_empty()
    }
}

impl Driver {
    /// A driver for a new flow.
    pub const fn new(limits: DriverLimits, orientation: Orientation) -> Self {
        Self {
            limits,
            protocol: None,
            parser: None,
            orientation,
            sides: [Stream::new(), Stream::new()],
            handshake: None,
            events: Vec::new(),
            service: None,
        }
    }

    /// The side and port of the service that announced the flow, if one did.
    pub const fn announced_by(&self) -> Option<(Side, u16)> {
        self.service
    }

    /// The protocol, once recognised.
    pub fn protocol(&self) -> Option<&'static str> {
        self.protocol.map(Protocol::name)
    }

    /// Whether nothing was read or recognised yet.
    pub fn is_untouched(&self) -> bool {
        let untouched = |s: &Stream| s.state == State::Undecided && s.unread.is_empty();
        self.protocol.is_none() && self.sides.iter().all(|s| untouched(s) && s.closed.is_none())
    }

    /// The flow was announced: it is read as announced, whatever its bytes look like.
    pub fn announced(&mut self, flow: AnnouncedFlow) {
        if !self.orientation.sure {
            self.orientation.client = flow.client;
        }
        self.service = Some(flow.service);
        self.protocol = Some(flow.protocol);
        self.parser = Some(flow.parser);
        for stream in &mut self.sides {
            stream.state = State::Reading;
        }
    }

    /// Whether the flow's parser gets every datagram.
    pub fn owns_datagrams(&self) -> bool {
        let read = self.parser.is_some() || self.is_shaking();
        self.protocol.map_or(read, Protocol::owns_datagrams)
    }

    /// The client's side, as far as it is known.
    pub const fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// The transport found out which side is the client. Without effect once a protocol was recognised.
    pub fn orient(&mut self, orientation: Orientation) {
        if self.parser.is_none() && (orientation.sure || !self.orientation.sure) {
            self.orientation = orientation;
        }
    }

    /// Events since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = DriverEvent> + '_ {
        self.events.drain(..)
    }

    /// Bytes of each side that were delivered and wait to be read.
    pub const fn unread(&self) -> [usize; 2] {
        [self.sides[0].unread.len(), self.sides[1].unread.len()]
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.sides.iter().map(|s| s.unread.capacity()).sum::<usize>()
            + self.parser.as_ref().map_or(0, |p| p.memory())
            + self.handshake.as_ref().map_or(0, |reader| reader.memory())
    }

    /// Whether nothing that may still come is of interest.
    pub fn is_opaque(&self) -> bool {
        self.sides.iter().all(|s| s.state == State::Opaque)
    }

    /// In-order bytes of one side. Returns how many of its following bytes to skip.
    pub fn data(&mut self, side: Side, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        let unwanted = std::mem::take(&mut self.sides[side.index()].unwanted);
        if unwanted >= bytes.len() as u64 && unwanted > 0 {
            return less(unwanted, bytes.len() as u64);
        }
        let bytes = bytes.get(unwanted as usize..).unwrap_or(&[]);
        match self.sides[side.index()].state {
            State::Opaque => Progress::REST,
            State::Reading => self.read(side, bytes, sink),
            State::Searching => self.search(side, bytes, sink),
            State::Undecided => self.recognise(side, bytes, sink),
            State::Waiting => self.probe_late(side, bytes, sink),
            State::Handshake => self.shake(side, bytes, sink),
        }
    }

    /// `len` bytes of one side are missing. Returns how many of its following bytes to skip.
    pub fn gap(&mut self, side: Side, len: u64, sink: &mut dyn ContentSink) -> u64 {
        let direction = self.direction(side);
        let stream = &mut self.sides[side.index()];
        let unwanted = std::mem::take(&mut stream.unwanted);
        if unwanted >= len && unwanted > 0 {
            return less(unwanted, len);
        }
        let len = len - unwanted;
        match (stream.state, self.parser.as_mut()) {
            (State::Opaque, _) => Progress::REST,
            (State::Handshake, _) => {
                self.shake_no_more(side, sink);
                Progress::REST
            }
            (State::Reading | State::Searching, Some(parser)) => {
                stream.unread.clear();
                stream.need = 0;
                match parser.gap(direction, len, sink) {
                    Resync::Known { skip } => {
                        stream.state = State::Reading;
                        skip
                    }
                    Resync::Search => {
                        stream.state = State::Searching;
                        stream.at = Position::Midstream;
                        0
                    }
                    Resync::Lost => self.opaque(side, Reason::Gap),
                }
            }
            _ => {
                // Bytes before the gap were not recognised, so they are of no use after it.
                stream.unread.clear();
                stream.need = 0;
                stream.at = Position::Midstream;
                0
            }
        }
    }

    /// One side has ended.
    pub fn close(&mut self, side: Side, end: End, sink: &mut dyn ContentSink) {
        if self.sides[side.index()].closed.is_some() {
            return;
        }
        self.sides[side.index()].closed = Some(end);
        match self.sides[side.index()].state {
            State::Undecided | State::Waiting => {
                self.probe_buffered(side, true, sink);
                // Not recognised yet: if the other side is recognised later, this one is read then.
            }
            State::Searching => {
                self.try_resync(side, sink);
            }
            State::Handshake => self.shake_no_more(side, sink),
            State::Reading | State::Opaque => {}
        }
        self.close_reading(side, sink);
    }

    /// Both sides have ended and no more calls will come.
    pub fn finish(&mut self, end: End, sink: &mut dyn ContentSink) {
        for side in [Side::Low, Side::High] {
            self.close(side, end, sink);
        }
        let undecided = |s: &Stream| matches!(s.state, State::Undecided | State::Waiting);
        let seen = |s: &Stream| undecided(s) && s.has_spoken();
        if self.sides.iter().any(seen) {
            self.join_or_carve(Side::Low, sink);
        }
    }

    fn close_reading(&mut self, side: Side, sink: &mut dyn ContentSink) {
        let direction = self.direction(side);
        let stream = &mut self.sides[side.index()];
        if let (Some(end), State::Reading | State::Searching, Some(parser)) =
            (stream.closed, stream.state, self.parser.as_mut())
        {
            let rest = std::mem::take(&mut stream.unread);
            if stream.state == State::Searching && !rest.is_empty() {
                // Bytes came, but no boundary was found in them up to the end.
                let reason = match (stream.errors, stream.counted) {
                    (1.., _) => Reason::Malformed,
                    (0, true) => Reason::Gap,
                    (0, false) => Reason::Unrecognised,
                };
                let protocol = self.protocol.map_or("unknown", Protocol::name);
                self.events.push(DriverEvent::Opaque(protocol, reason));
            }
            let rest = if stream.state == State::Reading { rest.as_slice() } else { &[] };
            sink.reading(side, rest);
            parser.close(direction, rest, end, sink);
            stream.state = State::Opaque;
        }
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.orientation.client {
            Direction::ClientToServer
        } else {
            Direction::ServerToClient
        }
    }

    fn opaque(&mut self, side: Side, reason: Reason) -> u64 {
        let stream = &mut self.sides[side.index()];
        stream.state = State::Opaque;
        stream.unread = Vec::new();
        self.events
            .push(DriverEvent::Opaque(self.protocol.map_or("unknown", Protocol::name), reason));
        Progress::REST
    }

    // --- reading -----------------------------------------------------------------------------

    fn read(&mut self, side: Side, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        let stream = &mut self.sides[side.index()];
        if stream.unread.is_empty() {
            return match self.step(side, bytes, sink) {
                Ok(ParseStep { used, need, skip: 0, switch: false }) => {
                    self.keep(side, bytes.get(used..).unwrap_or(&[]), need)
                }
                Ok(step) => self.after(side, step, bytes, sink),
                Err(error) => self.recover(side, error, bytes, sink),
            };
        }
        stream.unread.extend_from_slice(bytes);
        if stream.unread.len() < stream.need {
            return if stream.unread.len() > self.limits.buffer {
                self.opaque(side, Reason::Limit)
            } else {
                0
            };
        }
        let mut unread = std::mem::take(&mut stream.unread);
        sink.reading(side, &unread);
        match self.step(side, &unread, sink) {
            Ok(ParseStep { used, need, skip: 0, switch: false }) => {
                if used == unread.len() {
                    unread.clear();
                } else {
                    unread.drain(..used);
                }
                if unread.capacity() > ROOMY && unread.len() < ROOMY {
                    // A large buffer must not stay for as long as the flow lasts.
                    unread.shrink_to(need.clamp(unread.len(), ROOMY));
                }
                let over = unread.len() > self.limits.buffer || need > self.limits.buffer;
                let stream = &mut self.sides[side.index()];
                stream.unread = unread;
                stream.need = need;
                if over { self.opaque(side, Reason::Limit) } else { 0 }
            }
            Ok(step) => self.after(side, step, &unread, sink),
            Err(error) => self.recover(side, error, &unread, sink),
        }
    }

    /// Lets the parser read as far as it can.
    fn step(
        &mut self,
        side: Side,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<ParseStep, ParseError> {
        let direction = self.direction(side);
        if !bytes.is_empty() && !std::mem::replace(&mut self.sides[side.index()].counted, true) {
            self.events
                .push(DriverEvent::Recognised(self.protocol.map_or("unknown", Protocol::name)));
        }
        let Some(parser) = self.parser.as_mut() else {
            return Err(ParseError::new(Reason::Malformed, 0));
        };
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            let progress = parser
                .data(direction, rest, sink)
                .map_err(|error| ParseError::new(error.reason, used))?;
            let consumed = progress.consumed.min(rest.len());
            used += consumed;
            if progress.switch {
                return Ok(ParseStep { used, need: 0, skip: 0, switch: true });
            }
            if progress.skip > 0 {
                let have = (bytes.len() - used) as u64;
                if progress.skip > have {
                    let skip = less(progress.skip, have);
                    return Ok(ParseStep { used: bytes.len(), need: 0, skip, switch: false });
                }
                used += progress.skip as usize;
                continue;
            }
            let left = bytes.len() - used;
            if left > 0 && (consumed == 0 || progress.need > left) {
                return Ok(ParseStep {
                    used,
                    need: progress.need.max(left + 1),
                    skip: 0,
                    switch: false,
                });
            }
        }
        Ok(ParseStep { used, need: 0, skip: 0, switch: false })
    }

    fn after(
        &mut self,
        side: Side,
        step: ParseStep,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> u64 {
        if !step.switch {
            return step.skip;
        }
        // Both directions speak another protocol from here on.
        self.parser = None;
        self.protocol = None;
        for stream in &mut self.sides {
            if stream.state == State::Reading {
                stream.state = State::Undecided;
                stream.need = 0;
                stream.looked = 0;
                stream.counted = false;
                stream.at = Position::Start;
            }
        }
        match bytes.get(step.used..) {
            Some(rest) if !rest.is_empty() => self.recognise(side, rest, sink),
            _ => 0,
        }
    }

    fn keep(&mut self, side: Side, rest: &[u8], need: usize) -> u64 {
        if rest.len() > self.limits.buffer || need > self.limits.buffer {
            return self.opaque(side, Reason::Limit);
        }
        let stream = &mut self.sides[side.index()];
        stream.need = need;
        if !rest.is_empty() {
            stream.unread.extend_from_slice(rest);
        }
        0
    }
}

/// Remaining bytes to skip after `passed` bytes, which are no more than that.
const fn less(skip: u64, passed: u64) -> u64 {
    if skip == Progress::REST { skip } else { skip - passed }
}

/// How far the parser came in a piece.
struct ParseStep {
    used: usize,
    need: usize,
    skip: u64,
    switch: bool,
}
