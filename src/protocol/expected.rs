//! Related flows: a flow that another one announced, such as a data connection of FTP.
//!
//! A parser announces an [`ExpectedFlow`] once it knows everything about it. That flow is not recognised by its
//! content: the parser that came with the announcement reads it. One worker processes all flows between the same two
//! hosts, in the order of the capture, so an announcement has the same effect with one worker and with many.

use super::{Parser, Protocol};
use crate::flow::{FlowKey, Orientation, Side, Transport};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;

/// How long an announced flow is expected, packet time. Data connections follow their command within a round trip,
/// unless a server is busy.
const EXPECTED_FOR: Span = Span::seconds(60);
/// Flows expected between two hosts; beyond it the oldest announcement is dropped.
const MAX_EXPECTED: usize = 64;
/// Pairs of hosts with expected flows.
const MAX_PAIRS: usize = 16_384;

/// A flow between the ends of the flow that announces it.
pub struct ExpectedFlow {
    /// Its transport.
    pub transport: Transport,
    /// The end whose port is known. The other end may use any port.
    pub end: Peer,
    /// That port.
    pub port: Port,
    /// Its client, if the transport does not show it.
    pub client: Peer,
    /// Its protocol.
    pub protocol: &'static dyn Protocol,
    /// Its parser.
    pub parser: Box<dyn Parser>,
}

/// An end of the announcing flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// The end that opened the announcing flow.
    Client,
    /// The end that answered.
    Server,
}

/// A port of an expected flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// The port of that end in the announcing flow.
    Same,
    /// This port.
    Number(u16),
}

/// A flow that was announced and has begun.
pub struct AnnouncedFlow {
    /// The side of the service that announced it, and that service's port.
    pub service: (Side, u16),
    /// The side of its client, if the transport does not show it.
    pub client: Side,
    /// Its protocol.
    pub protocol: &'static dyn Protocol,
    /// Its parser.
    pub parser: Box<dyn Parser>,
}

/// The flows that one worker expects.
#[derive(Default)]
pub struct ExpectedFlows {
    /// By the addresses of the two hosts, in the order of the announcements.
    pairs: HashMap<[[u8; 16]; 2], Vec<Waiting>>,
}

struct Waiting {
    since: Timestamp,
    transport: Transport,
    /// The side whose port is known, in the order of the pair.
    end: Side,
    port: u16,
    announced: AnnouncedFlow,
}

const fn pair(key: &FlowKey) -> [[u8; 16]; 2] {
    [key.low.address, key.high.address]
}

impl ExpectedFlows {
    /// Notes that the flow `key` announced `flow` at `now`. A later announcement of the same port replaces an earlier
    /// one. Beyond the cap of pairs of hosts, it is dropped.
    pub fn announce(
        &mut self,
        key: &FlowKey,
        orientation: Orientation,
        flow: ExpectedFlow,
        now: Timestamp,
    ) {
        let side = |peer| match peer {
            Peer::Client => orientation.client,
            Peer::Server => orientation.client.other(),
        };
        let end = side(flow.end);
        let port = match flow.port {
            Port::Same => key.end(end).port,
            Port::Number(port) => port,
        };
        if self.pairs.len() >= MAX_PAIRS && !self.pairs.contains_key(&pair(key)) {
            self.expire(now);
            if self.pairs.len() >= MAX_PAIRS {
                return;
            }
        }
        let waiting = self.pairs.entry(pair(key)).or_default();
        let transport = flow.transport;
        waiting.retain(|w| {
            now - w.since < EXPECTED_FOR && (w.transport, w.end, w.port) != (transport, end, port)
        });
        if waiting.len() >= MAX_EXPECTED {
            waiting.remove(0);
        }
        let ExpectedFlow { client, protocol, parser, .. } = flow;
        let server = side(Peer::Server);
        let service = (server, key.end(server).port);
        let announced = AnnouncedFlow { service, client: side(client), protocol, parser };
        waiting.push(Waiting { since: now, transport, end, port, announced });
    }

    /// Takes the announcement of the flow `key`, which began at `now`.
    pub fn take(&mut self, key: &FlowKey, now: Timestamp) -> Option<AnnouncedFlow> {
        if self.pairs.is_empty() {
            return None;
        }
        let waiting = self.pairs.get_mut(&pair(key))?;
        let found = waiting.iter().position(|w| {
            w.transport == key.transport
                && key.end(w.end).port == w.port
                && now - w.since < EXPECTED_FOR
        })?;
        let announced = waiting.remove(found).announced;
        if waiting.is_empty() {
            self.pairs.remove(&pair(key));
        }
        Some(announced)
    }

    /// Drops announcements whose flows did not come in time.
    pub fn expire(&mut self, now: Timestamp) {
        self.pairs.retain(|_, waiting| {
            waiting.retain(|w| now - w.since < EXPECTED_FOR);
            !waiting.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Endpoint;
    use crate::protocol::raw::Raw;

    fn key(client: u16, server: u16) -> (FlowKey, Side) {
        let end = |last, port| {
            let mut address = [0; 16];
            address[15] = last;
            Endpoint { address, port }
        };
        FlowKey::new(end(9, client), end(1, server), Transport::Tcp)
    }

    fn expect(end: Peer, port: Port) -> ExpectedFlow {
        let (transport, client) = (Transport::Tcp, Peer::Client);
        ExpectedFlow { transport, end, port, client, protocol: &Raw, parser: Raw.open() }
    }

    fn announce(flows: &mut ExpectedFlows, flow: ExpectedFlow, seconds: i64) {
        let (control, client) = key(40_000, 21);
        let now = Timestamp(0) + Span::seconds(seconds);
        flows.announce(&control, Orientation { client, sure: true }, flow, now);
    }

    /// Whether the flow between these ports was waited for.
    fn take(flows: &mut ExpectedFlows, client: u16, server: u16, seconds: i64) -> bool {
        let (key, side) = key(client, server);
        let found = flows.take(&key, Timestamp(0) + Span::seconds(seconds));
        let found = found.inspect(|f| {
            assert_eq!(f.client, side, "who announced it is its client");
            assert_eq!(
                f.service,
                (side.other(), 21),
                "it belongs to the service that announced it"
            );
        });
        found.is_some()
    }

    #[test]
    fn a_flow_is_known_by_the_port_of_one_end_and_only_once() {
        let mut flows = ExpectedFlows::default();
        announce(&mut flows, expect(Peer::Server, Port::Number(5000)), 0);
        assert!(!take(&mut flows, 5000, 40_001, 1), "the client's port is another");
        assert!(take(&mut flows, 40_001, 5000, 1));
        assert!(!take(&mut flows, 40_002, 5000, 1), "it has come already");
        announce(&mut flows, expect(Peer::Client, Port::Same), 2);
        assert!(take(&mut flows, 40_000, 20, 2));
        assert!(flows.pairs.is_empty());
    }

    #[test]
    fn announcements_have_a_time_and_a_number() {
        let mut flows = ExpectedFlows::default();
        announce(&mut flows, expect(Peer::Server, Port::Number(5000)), 0);
        assert!(!take(&mut flows, 40_001, 5000, 60));
        for port in 0..=MAX_EXPECTED {
            announce(&mut flows, expect(Peer::Server, Port::Number(port as u16 + 6000)), 60);
        }
        assert!(!take(&mut flows, 40_001, 6000, 61), "the oldest had to go");
        assert!(take(&mut flows, 40_001, 6001, 61));
        announce(&mut flows, expect(Peer::Server, Port::Number(6002)), 61);
        assert!(take(&mut flows, 40_001, 6002, 61));
        assert!(!take(&mut flows, 40_001, 6002, 61), "the earlier announcement was replaced");
        flows.expire(Timestamp(0) + Span::seconds(200));
        assert!(flows.pairs.is_empty());
    }
}
