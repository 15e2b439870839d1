//! One direction of a connection: its state, and the current body.

use super::body::{Body, BodyContext};
use super::head::Framing;
use super::probe;
use super::ranges::Ranges;
use crate::protocol::websocket::Service;
use crate::protocol::{ContentSink, Direction, End, Ending, Progress, Reason, Resync};
use crate::syntax::Match;
use memchr::memchr;

/// Longest line of a chunk's size with its extensions, bytes.
const MAX_CHUNK_LINE: usize = 4 << 10;

/// All trailers of a message, bytes.
const MAX_TRAILERS: usize = 64 << 10;

/// The state of a direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// At or in a head; `scanned` bytes of it are known not to hold its end.
    Head { scanned: usize },
    /// In a body with this many bytes left.
    Body { left: u64 },
    /// In a body that ends with the connection.
    UntilClose,
    /// Before a chunk's size; after chunk data an empty line comes first.
    ChunkSize { after_data: bool },
    /// In the data of a chunk.
    Chunk { left: u64 },
    /// After the last chunk.
    Trailers { seen: usize },
    /// Searching for the next start line; `fresh`: it may be at the very next byte.
    Search { garbage: u64, fresh: bool },
}

/// What to give up after an error.
pub(super) enum Unreadable {
    /// The message: search for the next one.
    Message,
    /// The rest of the direction.
    Direction(Reason),
}

/// One direction.
pub(super) struct DirectionState {
    direction: Direction,
    pub(super) state: State,
    body: Body,
    /// Properties of the request, which bodies with several payloads need.
    service: Service,
    /// There may be no body after all: an unpaired response may answer HEAD, and a client that expects 100 may be
    /// refused.
    unsure: bool,
}

impl DirectionState {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            state: State::Head { scanned: 0 },
            body: Body::ignored(),
            service: Service { method: "", path: "".into() },
            unsure: false,
        }
    }

    /// Whether a body follows a head with this framing. `response`: without any length, the body of a
    /// response ends with the connection (RFC 9112 6.3).
    pub(super) fn frame(&mut self, framing: Framing, response: bool, unsure: bool) -> bool {
        self.unsure = unsure;
        self.state = match framing {
            Framing { chunked: true, .. } => State::ChunkSize { after_data: false },
            // A recipient that does not know the coding uses the length; a request has nothing else.
            Framing { transfer_coded: true, length, .. } if response || length.is_none() => {
                State::UntilClose
            }
            Framing { length: Some(0), .. } => State::Head { scanned: 0 },
            Framing { length: Some(left), .. } => State::Body { left },
            _ if response => State::UntilClose,
            _ => State::Head { scanned: 0 },
        };
        !matches!(self.state, State::Head { .. })
    }

    /// The consumer of the body.
    pub(super) fn carry(&mut self, body: Body, service: Service) {
        self.body = body;
        self.service = service;
    }

    /// Continues reading a body.
    pub(super) fn body(
        &mut self,
        data: &[u8],
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Unreadable> {
        let direction = self.direction;
        if self.unsure {
            let left = match self.state {
                State::Body { left } => left,
                _ => u64::MAX,
            };
            let first = data.get(..left.min(data.len() as u64) as usize).unwrap_or(data);
            match probe::begins(direction, first) {
                Match::Yes(()) => {
                    self.unsure = false;
                    self.finish(Ending::Cut, ranges, sink);
                    return Ok(Progress::consumed(0));
                }
                Match::More if (first.len() as u64) < left => {
                    return Ok(Progress::need(0, first.len() + 1));
                }
                Match::More | Match::No => self.unsure = false,
            }
        }
        match self.state {
            State::Body { left } => {
                let (used, left) = self.take(data, left, ranges, sink);
                let skip = self.ahead(left);
                self.state = State::Body { left: left - skip };
                if left == skip {
                    self.finish(Ending::Complete, ranges, sink);
                }
                Ok(Progress::skip(used, skip))
            }
            State::Chunk { left } => {
                let (used, left) = self.take(data, left, ranges, sink);
                let skip = self.ahead(left);
                self.state = if left == skip {
                    State::ChunkSize { after_data: true }
                } else {
                    State::Chunk { left: left - skip }
                };
                Ok(Progress::skip(used, skip))
            }
            State::UntilClose => {
                self.deliver(data, ranges, sink);
                Ok(Progress::skip(data.len(), self.ahead(u64::MAX)))
            }
            State::ChunkSize { after_data } => self.chunk_size(data, after_data),
            State::Trailers { seen } => self.trailers(data, seen, ranges, sink),
            State::Head { .. } | State::Search { .. } => Err(Unreadable::Message),
        }
    }

    /// Passes on the bytes of `data` that belong to the `left` bytes. Returns how many were used and how many are
    /// left.
    fn take(
        &mut self,
        data: &[u8],
        left: u64,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> (usize, u64) {
        let used = left.min(data.len() as u64) as usize;
        self.deliver(data.get(..used).unwrap_or_default(), ranges, sink);
        (used, left - used as u64)
    }

    fn deliver(&mut self, bytes: &[u8], ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        let Self { direction, ref service, .. } = *self;
        self.body.push(bytes, &mut BodyContext { direction, service, ranges, sink });
    }

    /// How many of the next `left` bytes to skip; they count as read.
    fn ahead(&mut self, left: u64) -> u64 {
        self.body.ahead(left)
    }

    /// RFC 9112 7.1: the size in hexadecimal digits, and extensions, which are not needed.
    fn chunk_size(&mut self, data: &[u8], after_data: bool) -> Result<Progress, Unreadable> {
        let Some(lf) = memchr(b'\n', data.get(..MAX_CHUNK_LINE).unwrap_or(data)) else {
            return if data.len() >= MAX_CHUNK_LINE {
                Err(Unreadable::Message)
            } else {
                Ok(Progress::need(0, data.len() + 1))
            };
        };
        let line = data.get(..lf).unwrap_or_default().trim_ascii();
        if line.is_empty() && after_data {
            self.state = State::ChunkSize { after_data: false };
            return Ok(Progress::consumed(lf + 1));
        }
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let ended = line.get(digits).is_none_or(|b| matches!(b, b';' | b' ' | b'\t'));
        let size = std::str::from_utf8(line.get(..digits).unwrap_or_default())
            .ok()
            .and_then(|text| u64::from_str_radix(text, 16).ok());
        match size.filter(|_| ended && !after_data) {
            None => Err(Unreadable::Message),
            Some(0) => {
                self.state = State::Trailers { seen: 0 };
                Ok(Progress::consumed(lf + 1))
            }
            Some(left) => {
                self.state = State::Chunk { left };
                Ok(Progress::consumed(lf + 1))
            }
        }
    }

    fn trailers(
        &mut self,
        data: &[u8],
        seen: usize,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Unreadable> {
        let Some(lf) = memchr(b'\n', data) else {
            return if seen + data.len() > MAX_TRAILERS {
                Err(Unreadable::Message)
            } else {
                Ok(Progress::need(0, data.len() + 1))
            };
        };
        if data.get(..lf).is_some_and(|line| line.trim_ascii().is_empty()) {
            self.finish(Ending::Complete, ranges, sink);
        } else if seen + lf > MAX_TRAILERS {
            return Err(Unreadable::Message);
        } else {
            self.state = State::Trailers { seen: seen + lf + 1 };
        }
        Ok(Progress::consumed(lf + 1))
    }

    /// The message has ended.
    fn finish(&mut self, ending: Ending, ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        let Self { direction, ref service, .. } = *self;
        self.body.close(ending, &mut BodyContext { direction, service, ranges, sink });
        self.state = State::Head { scanned: 0 };
    }

    /// The next bytes fit nothing.
    pub(super) fn lose(&mut self, ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        let fresh = !matches!(self.state, State::Head { .. });
        self.finish(Ending::Cut, ranges, sink);
        self.state = State::Search { garbage: 0, fresh };
    }

    /// `len` bytes are missing here.
    pub(super) fn gap(
        &mut self,
        len: u64,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> Resync {
        self.unsure = false;
        let left = match self.state {
            State::Body { left } | State::Chunk { left } => left,
            State::UntilClose => u64::MAX,
            _ => 0,
        };
        if len > left || left == 0 {
            self.lose(ranges, sink);
            return Resync::Search;
        }
        let Self { direction, ref service, .. } = *self;
        self.body.gap(len, &mut BodyContext { direction, service, ranges, sink });
        match self.state {
            State::UntilClose => Resync::Known { skip: self.ahead(u64::MAX) },
            State::Chunk { .. } => {
                let skip = self.ahead(left - len);
                let left = left - len - skip;
                self.state = match left {
                    0 => State::ChunkSize { after_data: true },
                    _ => State::Chunk { left },
                };
                Resync::Known { skip }
            }
            _ => {
                let skip = self.ahead(left - len);
                let left = left - len - skip;
                self.state = State::Body { left };
                if left == 0 {
                    self.finish(Ending::Complete, ranges, sink);
                }
                Resync::Known { skip }
            }
        }
    }

    /// The direction has ended.
    pub(super) fn close(
        &mut self,
        rest: &[u8],
        end: End,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) {
        match self.state {
            State::Body { left } => {
                self.take(rest, left, ranges, sink);
            }
            State::UntilClose => self.deliver(rest, ranges, sink),
            _ => {}
        }
        let ending = Ending::from(end).and(self.state == State::UntilClose);
        self.finish(ending, ranges, sink);
    }

    pub(super) fn memory(&self) -> usize {
        self.body.memory()
    }
}

// `ahead(u64::MAX)` of a payload that wants nothing is the rest of the direction.
const _: () = assert!(Progress::REST == u64::MAX);
