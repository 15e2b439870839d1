//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692).
//!
//! Few bytes identify it on its own: [`super::http`] hands over a connection after `101 Switching Protocols`, and
//! HTTP/2 a stream after an extended CONNECT (RFC 8441). Each message is a payload recognised by its bytes. Its
//! operation is the method of the request that opened the WebSocket, its name that request's path. If messages carry
//! the bytes of another connection, that connection is read.
//!
//! A gap inside a frame costs at most the message, and those that refer to it under context takeover. Behind a gap
//! that covers a header, frames are found again where several are consistent.

mod carried;
mod direction;
mod header;
pub(in crate::protocol) mod inflate;
mod probe;
mod resync;

#[cfg(test)]
mod tests;

pub(in crate::protocol) use direction::DirectionState;

use super::{
    Authentication, ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress,
    Protocol, Resync, Roles, ServiceFacts,
};

/// Bytes searched for the first frame of a direction before most of them are dropped.
const SEARCH: usize = 16 << 10;

/// Bytes kept of a search without result: they may hold the beginning of a frame.
const SEARCH_TAIL: usize = 2 << 10;

/// WebSocket whose beginning was not seen.
pub struct MidstreamWebSocket;

impl Protocol for MidstreamWebSocket {
    fn name(&self) -> &'static str {
        "http"
    }
    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start { probe::probe(data) } else { Probe::No }
    }
    fn needs_middle(&self) -> bool {
        true
    }
    fn roles(&self, facts: &ServiceFacts, content: &str) -> Roles {
        super::http::Http.roles(facts, content)
    }

    fn open(&self) -> Box<dyn Parser> {
        let service = Service { method: "", path: "".into() };
        Box::new(WebSocket { joined: Some([false; 2]), ..WebSocket::new(service, "") })
    }
}

/// Facts from the request that opened the WebSocket.
pub(in crate::protocol) struct Service {
    pub(in crate::protocol) method: &'static str,
    pub(in crate::protocol) path: Box<str>,
}

/// A connection that was switched to WebSocket.
pub(in crate::protocol) struct WebSocket {
    service: Service,
    sides: [DirectionState; 2],
    carried: carried::Carried,
    /// For a connection whose capture begins mid-stream: frame boundaries of a direction are known.
    joined: Option<[bool; 2]>,
}

impl WebSocket {
    /// `extensions` is the response's `Sec-WebSocket-Extensions`, empty if not seen.
    pub(in crate::protocol) fn new(service: Service, extensions: &str) -> Self {
        let fresh = fresh(extensions);
        Self {
            service,
            carried: carried::Carried::default(),
            joined: None,
            sides: [Direction::ClientToServer, Direction::ServerToClient]
                .map(|d| DirectionState::new(d, fresh[d.index()])),
        }
    }
}

/// Which directions compress each message on its own (RFC 7692 7.1.1).
pub(in crate::protocol) fn fresh(extensions: &str) -> [bool; 2] {
    let mut fresh = [false; 2];
    for parameter in extensions.split([';', ',']).map(str::trim) {
        if parameter.eq_ignore_ascii_case("client_no_context_takeover") {
            fresh[Direction::ClientToServer.index()] = true;
        } else if parameter.eq_ignore_ascii_case("server_no_context_takeover") {
            fresh[Direction::ServerToClient.index()] = true;
        }
    }
    fresh
}

/// Whether `data` may be the first frame a client sends: masked, and no continuation.
pub(in crate::protocol) fn is_client_frame(data: &[u8]) -> bool {
    matches!(data, [first, second, ..]
        if second & 0x80 != 0 && first & 0x30 == 0 && matches!(first & 0x0f, 1 | 2 | 8 | 9 | 10))
}

impl Parser for WebSocket {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut passed = 0;
        if let Some(known) = &mut self.joined {
            // The direction that was recognised is asked first.
            if *known == [false; 2] {
                known[direction.index()] = true;
                let facts = sink.facts();
                ServiceFacts::set(&mut facts.application, "websocket");
                facts.shown(Authentication::Unknown);
            }
            if !known[direction.index()] {
                let Some(at) = resync::find(direction == Direction::ClientToServer, data) else {
                    return Ok(match data.len().checked_sub(SEARCH) {
                        Some(over) => Progress::consumed(over + SEARCH - SEARCH_TAIL),
                        None => Progress::need(0, data.len() + 1 + data.len() / 4),
                    });
                };
                known[direction.index()] = true;
                passed = at;
            }
        }
        let data = data.get(passed..).unwrap_or_default();
        let sink = &mut self.carried.taking(&self.service, sink);
        match self.sides[direction.index()].push(data, &self.service, sink) {
            Ok(skip) => Ok(Progress::skip(passed + data.len(), skip)),
            Err(reason) => {
                self.sides[direction.index()].close(sink);
                Err(ParseError::new(reason, 0))
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let side = &mut self.sides[direction.index()];
        let taking = &mut self.carried.taking(&self.service, sink);
        match side.gap(len, &self.service, taking) {
            Resync::Lost => {
                side.lose(taking);
                self.carried.gap(direction, len, sink);
                Resync::Search
            }
            known => known,
        }
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        resync::find(direction == Direction::ClientToServer, data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        self.sides[direction.index()].close(&mut self.carried.taking(&self.service, sink));
        self.carried.close(direction, end, sink);
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.service.path.len()
            + self.carried.memory()
            + self.sides.iter().map(DirectionState::memory).sum::<usize>()
    }
}
