//! One patient in one flow, as one or more sensors saw it.

use crate::exposure::PatientObservation;
use crate::flow::FlowInfo;
use crate::identify::{Token, TraitSet};
use crate::rules::KindSet;
use crate::time::Timestamp;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Longest name of a protocol, bytes.
const MAX_NAME: usize = 16;

/// The name of a protocol, which may be unknown to this version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolName([u8; MAX_NAME]);

impl ProtocolName {
    /// Parses a name; none if the text cannot be a protocol's name.
    pub fn new(text: &str) -> Option<Self> {
        let named = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
        if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(named) {
            return None;
        }
        let mut name = [0; MAX_NAME];
        name.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Some(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|c| *c == 0).unwrap_or(MAX_NAME);
        std::str::from_utf8(self.0.get(..len).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Debug for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A flow as any sensor sees it. It has no VLAN, because the same packets may be tagged at one
/// sensor only. If another flow announced it, the server is the service that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowId {
    /// The end that opened it.
    pub client: SocketAddr,
    /// The end that answered.
    pub server: SocketAddr,
    /// Protocol number of IP: 6 or 17.
    pub transport: u8,
    /// The sequence number of the client's SYN, where the handshake was seen.
    pub initial: Option<u32>,
    /// When it began.
    pub started: Timestamp,
}

impl From<&FlowInfo> for FlowId {
    fn from(flow: &FlowInfo) -> Self {
        let (client, server) = flow.parties();
        Self {
            client,
            server,
            transport: flow.transport.number(),
            initial: flow.initial,
            started: flow.started,
        }
    }
}

/// A client and a service: the key of an exposure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pair {
    /// The client's address.
    pub client: IpAddr,
    /// Address and port of the service.
    pub server: SocketAddr,
    /// Protocol number of IP: 6 or 17.
    pub transport: u8,
    /// `dicom`, `hl7`, `http`.
    pub protocol: ProtocolName,
}

/// Key of a fact: a patient of a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FactKey {
    /// The flow's protocol.
    pub protocol: ProtocolName,
    /// The flow.
    pub flow: FlowId,
    /// The patient's pseudonym in the flow.
    pub patient: Token,
}

impl FactKey {
    /// The exposure it belongs to.
    pub const fn pair(&self) -> Pair {
        let FlowId { client, server, transport, .. } = self.flow;
        Pair { client: client.ip(), server, transport, protocol: self.protocol }
    }
}

/// What was seen of a patient in a flow. Merging only makes each part grow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Packet time of its first record.
    pub first: Timestamp,
    /// Packet time of its last record.
    pub last: Timestamp,
    /// Number of records.
    pub records: u32,
    /// Kinds of identifiers.
    pub kinds: KindSet,
    /// Highest score of the exposure's findings so far, 0 to 100, without points for the number of
    /// patients.
    pub severity: u8,
    /// The same of the findings from before the service proved to answer any client.
    pub unproven: u8,
    /// Whether the sensor saw that proof.
    pub proven: bool,
    /// Traits that distinguish the patient from others.
    pub traits: TraitSet,
}

impl Seen {
    /// Merges what two sensors, or one sensor at two times, saw.
    pub fn join(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.records = self.records.max(other.records);
        self.kinds = self.kinds.union(other.kinds);
        self.severity = self.severity.max(other.severity);
        self.unproven = self.unproven.max(other.unproven);
        self.proven |= other.proven;
        self.traits.union(&other.traits);
    }
}

/// A patient in a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Its key.
    pub key: FactKey,
    /// What was seen.
    pub seen: Seen,
}

impl Fact {
    /// The fact in an observation. None if its protocol's name cannot be written.
    pub fn of(observation: &PatientObservation) -> Option<Self> {
        let within = &observation.within;
        let key = FactKey {
            protocol: ProtocolName::new(within.protocol)?,
            flow: FlowId::from(&within.flow),
            patient: within.patient,
        };
        let mut seen = Seen {
            first: observation.packets.first.time,
            last: observation.packets.last.time,
            records: within.records,
            kinds: KindSet::default(),
            severity: observation.worst.score,
            unproven: observation.worst.unproven,
            proven: observation.worst.unproven == 0,
            traits: TraitSet::default(),
        };
        if let Some(news) = &observation.news {
            let finding = &news.event.finding;
            seen.last = seen.last.max(finding.time);
            seen.kinds = finding.kinds;
            seen.traits = TraitSet::from(&finding.traits);
        }
        Some(Self { key, seen })
    }
}
