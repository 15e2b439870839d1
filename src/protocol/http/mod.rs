//! HTTP/1.x (RFC 9112): heads, framing of bodies, pairing of responses and requests.
//!
//! Each direction is read on its own, so one of them alone is enough. What a response needs of its request (HEAD,
//! CONNECT) waits in a queue. Bodies are passed on as they arrive; unwanted bytes are skipped unread.

mod body;
mod direction;
mod exchange;
mod facts;
mod grpc;
pub mod head;
mod path;
mod probe;
mod ranges;
mod upgrade;

#[cfg(test)]
mod tests;

use super::{
    ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress, Protocol, Reason,
    Resync, Roles, ServiceFacts,
};
pub(in crate::protocol) use body::{Body, BodyContext};
pub(in crate::protocol) use exchange::{authenticate, part, reader, tokens};
pub use facts::WebFacts;
pub(in crate::protocol) use path::mask as mask_path;
pub(in crate::protocol) use ranges::{ContentRange, Origin, Ranges, target};

use crate::syntax::Match;
use direction::{DirectionState, State, Unreadable};
use exchange::Exchange;
use head::{MAX_HEAD, StartLine};

/// Bytes that belong to no message before a direction is given up.
const MAX_GARBAGE: u64 = 1 << 20;

/// Bytes kept of a search without result: they may hold the beginning of a start line.
const SEARCH_TAIL: usize = 2 << 10;

/// HTTP/1.x (RFC 9112).
pub struct Http;

impl Protocol for Http {
    fn name(&self) -> &'static str {
        "http"
    }
    fn probe(&self, data: &[u8], at: Position) -> Probe {
        probe::probe(data, at)
    }
    fn roles(&self, _facts: &ServiceFacts, content: &str) -> Roles {
        facts::roles(content)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<HttpParser>::default()
    }
}

/// One connection.
struct HttpParser {
    sides: [DirectionState; 2],
    exchange: Exchange,
}

impl Default for HttpParser {
    fn default() -> Self {
        let sides = [Direction::ClientToServer, Direction::ServerToClient].map(DirectionState::new);
        Self { sides, exchange: Exchange::default() }
    }
}

impl Parser for HttpParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if self.exchange.upgraded {
                return Err(ParseError::new(Reason::Unsupported, at));
            }
            if let Some(next) = self.next(direction) {
                let progress = next.data(direction, rest, sink)?;
                return Ok(progress.after(at));
            }
            let side = &mut self.sides[direction.index()];
            let step = match side.state {
                State::Head { .. } => self.head(direction, rest, sink),
                State::Search { .. } => self.search(direction, rest),
                _ => side.body(rest, &mut self.exchange.ranges, sink),
            };
            match step {
                Ok(progress) if progress.continues() => at += progress.consumed,
                Ok(progress) => return Ok(progress.after(at)),
                Err(Unreadable::Message) => {
                    sink.anomaly(Reason::Malformed);
                    self.sides[direction.index()].lose(&mut self.exchange.ranges, sink);
                }
                Err(Unreadable::Direction(reason)) => return Err(ParseError::new(reason, at)),
            }
            if at >= data.len() {
                return Ok(Progress::consumed(at));
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(next) = self.next(direction) {
            return next.gap(direction, len, sink);
        }
        let resync = self.sides[direction.index()].gap(len, &mut self.exchange.ranges, sink);
        if resync == Resync::Search {
            // It is unknown how many messages went missing.
            self.exchange.forget();
        }
        resync
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        if let Some(next) = self.next(direction) {
            return next.resync(direction, data);
        }
        let found = probe::find(direction, data)?;
        self.sides[direction.index()].state = State::Head { scanned: 0 };
        Some(found)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(next) = self.next(direction) {
            // Bytes that waited for the answer to the upgrade were not read yet.
            let used = match next.data(direction, rest, sink) {
                Ok(progress) => progress.consumed.min(rest.len()),
                Err(_) => rest.len(),
            };
            return next.close(direction, rest.get(used..).unwrap_or_default(), end, sink);
        }
        let ranges = &mut self.exchange.ranges;
        self.sides[direction.index()].close(rest, end, ranges, sink);
        if direction == Direction::ServerToClient {
            ranges.close(sink);
        }
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.exchange.memory()
            + self.sides.iter().map(DirectionState::memory).sum::<usize>()
    }
}

impl HttpParser {
    /// The parser of the protocol that this direction was switched to.
    fn next(&mut self, direction: Direction) -> Option<&mut Box<dyn Parser>> {
        let between = matches!(
            self.sides[direction.index()].state,
            State::Head { .. } | State::Search { .. }
        );
        self.exchange.upgrade.next(direction, between)
    }

    /// Reads a head as soon as it is complete.
    fn head(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Unreadable> {
        let side = &mut self.sides[direction.index()];
        let State::Head { scanned } = &mut side.state else {
            return Err(Unreadable::Message);
        };
        let blank = data.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if blank > 0 {
            return Ok(Progress::consumed(blank));
        }
        if direction == Direction::ClientToServer
            && self.exchange.upgrade.is_awaited()
            && probe::begins(direction, data) == Match::No
        {
            // The client has seen the answer, which the capture shows later or never.
            let switched = self.exchange.upgrade.take_for_granted(data);
            return if switched {
                Ok(Progress::consumed(0))
            } else {
                Ok(Progress::need(0, data.len() + 1))
            };
        }
        let Some(end) = head::find_end(data, *scanned) else {
            if data.len() > MAX_HEAD {
                // The server rejects it as too large (RFC 6585 5), or reads it: what follows counts.
                return Err(Unreadable::Message);
            }
            if probe::begins(direction, data) == Match::No {
                return Err(Unreadable::Message);
            }
            *scanned = data.len();
            return Ok(Progress::need(0, data.len() + 1));
        };
        *scanned = 0;
        let Some((start, found)) = data.get(..end).and_then(head::parse) else {
            return Err(Unreadable::Message);
        };
        match (direction, start) {
            (Direction::ClientToServer, StartLine::Request { method, target, minor }) => {
                self.exchange.request(side, method, target, minor, &found, sink);
                Ok(Progress::consumed(end))
            }
            (Direction::ServerToClient, StartLine::Status { minor, status }) => {
                let switch = self.exchange.response(side, status, minor, &found, sink);
                Ok(Progress { switch, ..Progress::consumed(end) })
            }
            _ => Err(Unreadable::Message),
        }
    }

    /// Searches for the next message behind bytes that fit nothing.
    fn search(&mut self, direction: Direction, data: &[u8]) -> Result<Progress, Unreadable> {
        let State::Search { garbage, fresh } = &mut self.sides[direction.index()].state else {
            return Err(Unreadable::Message);
        };
        // In a head, the first byte is the one that did not fit.
        let passed = usize::from(!*fresh);
        if let Some(found) = probe::find(direction, data.get(passed..).unwrap_or_default()) {
            self.sides[direction.index()].state = State::Head { scanned: 0 };
            self.exchange.forget();
            return Ok(Progress::consumed(passed + found));
        }
        let passed = data.len().saturating_sub(SEARCH_TAIL);
        *garbage += passed as u64;
        if *garbage > MAX_GARBAGE {
            return Err(Unreadable::Direction(Reason::Malformed));
        }
        if passed > 0 {
            Ok(Progress::consumed(passed))
        } else {
            Ok(Progress::need(0, data.len() + 1))
        }
    }
}
