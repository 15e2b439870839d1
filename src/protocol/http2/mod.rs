//! HTTP/2 in cleartext (RFC 9113): with prior knowledge, after an upgrade from HTTP/1.1 (RFC 7540 3.2), and
//! mid-stream.
//!
//! Each direction is read on its own. DATA frames are passed on as they arrive, one payload for each stream and
//! direction; unwanted bytes are skipped unread. Bodies of gRPC are split into messages, and so are streams of an
//! extended CONNECT for WebSocket.
//!
//! A gap inside a DATA frame costs nothing else. After any other, frames are found again by two plausible consecutive
//! headers; the state of streams and of the header table is dropped.

mod direction;
mod fields;
mod frame;
mod hpack;
mod probe;
mod streams;

#[cfg(test)]
mod tests;

pub(in crate::protocol) use probe::PREFACE;

use super::websocket::Service;
use super::{
    ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress, Protocol, Resync,
    Roles, ServiceFacts,
};
use direction::DirectionState;
use streams::Streams;

/// HTTP/2 (RFC 9113). `network.application` distinguishes it from HTTP/1.x.
pub struct Http2;

impl Protocol for Http2 {
    fn name(&self) -> &'static str {
        "http"
    }
    fn probe(&self, data: &[u8], at: Position) -> Probe {
        probe::probe(data, at)
    }
    fn roles(&self, facts: &ServiceFacts, content: &str) -> Roles {
        super::http::Http.roles(facts, content)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(Connection::new(Streams::default()))
    }
}

/// One connection.
pub(in crate::protocol) struct Connection {
    sides: [DirectionState; 2],
    streams: Streams,
}

impl Connection {
    fn new(streams: Streams) -> Self {
        let sides = [Direction::ClientToServer, Direction::ServerToClient].map(DirectionState::new);
        Self { sides, streams }
    }

    /// A connection that switches to HTTP/2 with the response to the upgrade request.
    pub(in crate::protocol) fn upgraded(service: Service) -> Self {
        Self::new(Streams::upgraded(service))
    }
}

impl Parser for Connection {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let side = &mut self.sides[direction.index()];
            let progress = side
                .read(rest, &mut self.streams, sink)
                .map_err(|reason| ParseError::new(reason, at))?;
            if !progress.continues() {
                return Ok(progress.after(at));
            }
            at += progress.consumed;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.sides[direction.index()].gap(len, &mut self.streams, sink)
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.sides[direction.index()].resync(data, &self.streams)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        let mut rest =
            self.sides[direction.index()].last(rest, &self.streams).and_then(|at| rest.get(at..));
        while let Some(bytes) = rest.filter(|bytes| !bytes.is_empty()) {
            let side = &mut self.sides[direction.index()];
            let read = side.read(bytes, &mut self.streams, sink);
            let Some(progress) = read.ok().filter(|progress| progress.need == 0) else { break };
            let skip = progress.skip.min(bytes.len() as u64) as usize;
            rest = bytes.get(progress.consumed.saturating_add(skip)..);
        }
        self.streams.close(direction, sink);
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.streams.memory()
            + self.sides.iter().map(DirectionState::memory).sum::<usize>()
    }
}
