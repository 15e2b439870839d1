//! What exposure takes and what it hands on.

use crate::flow::FlowInfo;
use crate::identify::{Finding, Token};
use crate::protocol::ServiceFacts;
use crate::time::Timestamp;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A ULID: 48 bits of packet time in milliseconds, 80 bits of a keyed hash. The same flow and
/// patient give the same id under the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

/// Crockford base32, 26 characters.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        for i in (0..26).rev() {
            write!(f, "{}", ALPHABET[(self.0 >> (5 * i)) as usize & 31] as char)?;
        }
        Ok(())
    }
}

/// One patient's identifiers seen in cleartext in one flow.
#[derive(Clone)]
pub struct Disclosure {
    /// The same for all revisions.
    pub id: EventId,
    /// The flow.
    pub flow: FlowInfo,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// What is known of the service at this moment.
    pub facts: Arc<ServiceFacts>,
    /// The patient.
    pub finding: Finding,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// 1 to 39.
    Low,
    /// 40 to 69.
    Medium,
    /// 70 to 89.
    High,
    /// 90 to 100.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The band of a score of 0 to 100.
    pub const fn of(score: u8) -> Self {
        match score {
            0..=39 => Self::Low,
            40..=69 => Self::Medium,
            70..=89 => Self::High,
            _ => Self::Critical,
        }
    }
    /// Metric label and `--fail-on` value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Where an end of a flow stands, seen from the networks given by `--home-net`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NetworkDirection {
    /// From outside to a server inside.
    Inbound,
    /// From inside to a server outside.
    Outbound,
    /// Both ends inside.
    Internal,
    /// Both ends outside.
    External,
}

impl NetworkDirection {
    /// As `network.direction` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

/// State of an exposure event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExposureState {
    /// First disclosure.
    Open,
    /// At most once a minute of packet time.
    Update,
    /// Idle, or the run has ended.
    Closed,
}

impl ExposureState {
    /// As `phi.exposure.state` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Closed => "closed",
        }
    }
}

/// All disclosures between one client and one service so far.
#[derive(Clone)]
pub struct Exposure {
    /// The same from open to closed.
    pub id: EventId,
    /// Open, update or closed.
    pub state: ExposureState,
    /// When this event was made, packet time.
    pub time: Timestamp,
    /// First and last disclosure, packet time.
    pub first: Timestamp,
    /// Last disclosure.
    pub last: Timestamp,
    /// The client's address; its ports differ by flow.
    pub client: std::net::IpAddr,
    /// Address and port of the service.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: crate::flow::Transport,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// Seen from the home networks.
    pub direction: NetworkDirection,
    /// Flows with disclosures.
    pub flows: u64,
    /// Disclosures (patients by flow).
    pub disclosures: u64,
    /// Records.
    pub records: u64,
    /// Distinct patients.
    pub patients: u64,
    /// Identifier kinds seen, with how many patients by flow showed each.
    pub kinds: Vec<(crate::rules::Kind, u64)>,
    /// Operations seen.
    pub operations: Vec<String>,
    /// The latest facts of the service.
    pub facts: Arc<ServiceFacts>,
    /// 0 to 100, the highest so far.
    pub severity: u8,
}

/// What the exposure stage hands to the outputs.
#[derive(Clone)]
pub enum Event {
    /// A patient in a flow, first or again.
    Disclosure {
        /// What was found.
        disclosure: Box<Disclosure>,
        /// 0 to 100.
        severity: u8,
        /// Seen from the home networks.
        direction: NetworkDirection,
        /// The exposure it belongs to.
        exposure: EventId,
    },
    /// A client and a service.
    Exposure(Box<Exposure>),
    /// A host with a role that traffic proves.
    Asset(Box<Asset>),
}

/// A service that was seen to speak a protocol.
#[derive(Clone)]
pub struct Asset {
    /// The same for every sighting of this service.
    pub id: EventId,
    /// When it was first seen.
    pub time: Timestamp,
    /// Where it listens.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: crate::flow::Transport,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// `pacs`, `hl7-interface`, `fhir-server`, `web-server`.
    pub role: &'static str,
    /// What is known of it.
    pub facts: Arc<ServiceFacts>,
}

/// A patient, wherever seen: the pseudonyms of one record that stand for one person.
pub type PatientKey = Token;
