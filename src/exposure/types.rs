//! Inputs and outputs of the exposure stage.

use super::access::{AcceptedTitles, Access, Proof};
use super::counters::ExposureTotals;
use super::lists::PatientList;
use crate::capture::{PacketRef, PacketSpan};
use crate::closed_set::closed_set;
use crate::content::Mark;
use crate::flow::{FlowInfo, Transport};
use crate::identify::{Finding, Repeated, Token};
use crate::net::HomeNets;
use crate::protocol::{Activity, FlowLosses, Object, Role, ServiceFacts};
use crate::rules::{Day, Kind, Suppression};
use crate::severity::Severity;
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A ULID: 48 bits of packet time in milliseconds, 80 bits of a keyed hash. The same flow and
/// patient give the same id under the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventId(pub u128);

impl EventId {
    /// The id of the thing that `parts` describe, at `time`. `domain` separates kinds of events.
    pub fn derive(key: &[u8; 32], domain: &str, time: Timestamp, parts: &[&[u8]]) -> Self {
        // One block at once is much cheaper than a hasher for any length.
        let mut input: SmallVec<[u8; 192]> = SmallVec::new();
        input.extend_from_slice(domain.as_bytes());
        input.extend_from_slice(&time.0.to_be_bytes());
        for part in parts {
            input.extend_from_slice(&(part.len() as u64).to_be_bytes());
            input.extend_from_slice(part);
        }
        let mut low = [0; 16];
        // 80 bits behind the time.
        for (to, &from) in low[6..].iter_mut().zip(blake3::keyed_hash(key, &input).as_bytes()) {
            *to = from;
        }
        let millis = time.unix_millis() & ((1 << 48) - 1);
        Self(u128::from(millis) << 80 | u128::from_be_bytes(low))
    }

    /// The id of a finding: the same for the same patient in the same flow.
    pub fn of_finding(key: &[u8; 32], flow: &FlowInfo, patient: &Token) -> Self {
        let parts: [&[u8]; 6] = [
            &socket(flow.client),
            &socket(flow.server),
            &[flow.transport.number()],
            &flow.vlan.to_be_bytes(),
            patient.bytes(),
            &flow.inner_vlan.to_be_bytes(),
        ];
        let parts = if flow.inner_vlan == 0 { &parts[..5] } else { &parts[..] };
        Self::derive(key, "finding", flow.started, parts)
    }
}

/// Address (IPv4 as IPv4-mapped IPv6) and port as bytes.
pub(in crate::exposure) fn socket(address: SocketAddr) -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[..16].copy_from_slice(&ip(address.ip()));
    bytes[16..].copy_from_slice(&address.port().to_be_bytes());
    bytes
}

/// An address as bytes.
pub(in crate::exposure) fn ip(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Crockford base32, 26 characters.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut text = [0; 26];
        for (i, character) in text.iter_mut().rev().enumerate() {
            *character = ALPHABET[(self.0 >> (5 * i)) as usize & 31];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// One patient's identifiers seen in cleartext: in one flow, or folded for an exposure.
#[derive(Clone)]
pub struct FindingEvent {
    /// The same for all revisions.
    pub id: EventId,
    /// The flow.
    pub flow: FlowInfo,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// The patient.
    pub finding: Finding,
    /// The pseudonym of the same person in an earlier flow, if it was another one. [`super::Exposures`] fills it in.
    pub person: Option<PatientKey>,
    /// Records of the patient so far: in the flow or, if folded, in the exposure.
    pub records: u64,
    /// Its flow brought enough bytes to pay for it.
    pub paid: bool,
    /// Also for the first event of its exposure.
    pub announces: bool,
    /// Clients that saw the patient with the service, where findings are folded over them; else 1.
    pub clients: u64,
}

closed_set! {
    /// Direction of a flow, as seen from the networks given by `--home-net` (`network.direction`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum NetworkDirection {
        /// From outside to a server inside.
        Inbound = "inbound",
        /// From inside to a server outside.
        Outbound = "outbound",
        /// Both ends inside.
        Internal = "internal",
        /// Both ends outside.
        External = "external",
    }
}

impl NetworkDirection {
    /// That of a flow, with `home` inside.
    pub(super) fn of(flow: &FlowInfo, home: &HomeNets) -> Self {
        let (client, server) = flow.parties();
        match (home.contains(client.ip()), home.contains(server.ip())) {
            (true, true) => Self::Internal,
            (true, false) => Self::Outbound,
            (false, true) => Self::Inbound,
            (false, false) => Self::External,
        }
    }
}

/// State of an exposure event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExposureState {
    /// First finding.
    Open,
    /// It became worse, or grew and `--update-every` has passed.
    Update,
    /// A finding after a day without one.
    Returned,
    /// No finding for long enough. More may follow under the same id.
    Idle,
    /// The run has ended, there were too many exposures, or `--forget` has passed.
    Ended,
}

impl ExposureState {
    /// As `phi.exposure.state` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Returned => "returned",
            Self::Idle => "idle",
            Self::Ended => "ended",
        }
    }
}

/// A number of distinct things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Count {
    /// How many.
    pub value: u64,
    /// Whether it is an estimate: there were too many to hold one by one.
    pub estimate: bool,
}

impl Count {
    /// Bounds of the true number, three standard errors of the sketch (1.04 / sqrt(4096)) to either side: 99.7 % of
    /// all estimates keep to them.
    pub const fn bounds(self) -> (u64, u64) {
        if !self.estimate {
            return (self.value, self.value);
        }
        let margin = (self.value / 800).saturating_mul(39) + (self.value % 800) * 39 / 800;
        (self.value.saturating_sub(margin), self.value.saturating_add(margin))
    }
}

/// All findings between one client and one service so far.
#[derive(Clone)]
pub struct Exposure {
    /// The same from open to ended.
    pub id: EventId,
    /// The same for this client, service and protocol in every run under the same key.
    pub fingerprint: Token,
    /// Open, update, idle or ended.
    pub state: ExposureState,
    /// When this event was made, packet time.
    pub time: Timestamp,
    /// First and last finding, packet time.
    pub first: Timestamp,
    /// Last finding.
    pub last: Timestamp,
    /// The client's address; its ports differ between flows.
    pub client: IpAddr,
    /// Address and port of the service.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: Transport,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// Seen from the home networks.
    pub direction: NetworkDirection,
    /// Flows with findings.
    pub flows: u64,
    /// Findings (patients by flow).
    pub findings: u64,
    /// Records.
    pub records: u64,
    /// Distinct patients.
    pub patients: Count,
    /// Identifier kinds seen, with how many patients by flow showed each.
    pub kinds: Vec<(Kind, u64)>,
    /// Operations seen, in the order of appearance, to a cap.
    pub operations: Vec<Box<str>>,
    /// Marks of any of the records, in the order of appearance.
    pub marks: Vec<Mark>,
    /// The latest facts of the service.
    pub facts: Arc<ServiceFacts>,
    /// Which clients the service accepts.
    pub access: Access,
    /// Activity of the flows.
    pub figures: ExposureTotals,
    /// Who requested the objects that were sent here (C-MOVE).
    pub moved_for: Vec<IpAddr>,
    /// Where objects that were requested here were sent (C-MOVE).
    pub moved_to: Vec<SocketAddr>,
    /// The packets of its records, and the flow in which the first of them came.
    pub packets: PacketSpan,
    /// That flow.
    pub first_flow: FlowInfo,
    /// What could not be read of its flows.
    pub losses: FlowLosses,
    /// Packets of any flow that kernel or interface dropped while it was open and not idle.
    pub uncaptured: u64,
    /// 0 to 100, the highest so far.
    pub severity: u8,
}

/// Effect of a suppression in a run.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// Its id.
    pub id: Arc<str>,
    /// Its owner.
    pub owner: String,
    /// Why the findings are accepted.
    pub reason: String,
    /// The last day on which it is valid.
    pub expires: Day,
    /// Finding events that were not written, revisions included.
    pub events: u64,
    /// Findings of these, revisions not counted.
    pub findings: u64,
    /// Findings that it would have covered had it not expired: they were reported.
    pub findings_since: u64,
}

impl Suppressed {
    /// No effect yet.
    pub fn new(by: &Suppression) -> Self {
        Self {
            id: Arc::clone(&by.id),
            owner: by.owner.clone(),
            reason: by.reason.clone(),
            expires: by.expires,
            events: 0,
            findings: 0,
            findings_since: 0,
        }
    }
}

/// What was lost to caps.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Losses {
    /// Exposures that ended early because there were too many.
    pub exposures_ended_early: u64,
    /// Findings forgotten for lack of memory: they may be written again.
    pub findings_forgotten: u64,
    /// Services and assets that were not reported.
    pub sightings_unreported: u64,
    /// Findings counted but not written, because they were too many for the bytes read.
    pub findings_unwritten: u64,
}

/// Result of taking a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intake {
    /// It is suppressed, and only counted as such.
    Suppressed,
    /// It revises a finding that was counted.
    Revised,
    /// It is new, with this severity.
    New(Severity),
}

/// What the exposure stage hands to the outputs.
#[derive(Clone)]
pub enum Event {
    /// A patient, for the first time or revised.
    Finding {
        /// The finding.
        event: Box<FindingEvent>,
        /// 0 to 100.
        severity: u8,
        /// Seen from the home networks.
        direction: NetworkDirection,
        /// The exposure it belongs to.
        exposure: EventId,
        /// Which clients the service accepts.
        access: Access,
    },
    /// Patients of a busy service.
    Patients(Box<PatientList>),
    /// A client and a service.
    Exposure(Box<Exposure>),
    /// A host with a role that traffic proves.
    Asset(Box<Asset>),
    /// A server port that was seen to speak a protocol.
    Service(Box<Service>),
}

/// A host with a role that traffic proves.
#[derive(Clone)]
pub struct Asset {
    /// The same for every observation of this host in this role.
    pub id: EventId,
    /// When it was first seen.
    pub time: Timestamp,
    /// The host.
    pub address: IpAddr,
    /// The protocol that proves it: `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// The role.
    pub role: Role,
    /// Its names, the most recent first.
    pub names: Vec<String>,
}

/// A name of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// Packet time.
    pub time: Timestamp,
    /// The host.
    pub host: IpAddr,
    /// The name, as far as it may be shown.
    pub name: String,
}

/// A service that was seen to speak a protocol.
#[derive(Clone)]
pub struct Service {
    /// The same for every observation of this service.
    pub id: EventId,
    /// When it was first seen, or when this was reported again.
    pub time: Timestamp,
    /// Where it listens.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: Transport,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// What is known of it.
    pub facts: Arc<ServiceFacts>,
    /// Which clients it accepts.
    pub access: Access,
    /// Calling titles that it accepted, to a cap.
    pub titles: Vec<String>,
    /// Calling titles that it rejected, up to a limit.
    pub refused_titles: Vec<String>,
    /// The flows that showed which clients it accepts.
    pub proofs: Vec<Proof>,
    /// Titles that it accepted and that prove nothing alone.
    pub accepted: AcceptedTitles,
    /// Activity so far.
    pub figures: ExposureTotals,
    /// Distinct patients seen with it so far.
    pub patients: Count,
}

/// A flow that has ended, of a known protocol or encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Conversation {
    /// Packet time of its end; if encrypted, of its beginning.
    pub time: Timestamp,
    /// The flow.
    pub flow: FlowInfo,
    /// `dicom`, `hl7`, `http`; `None` if encrypted.
    pub protocol: Option<&'static str>,
    /// Payload, bytes.
    pub bytes: u64,
}

/// Activity of a flow since the last report.
#[derive(Clone, Copy)]
pub struct FlowActivity<'a> {
    /// Packet time.
    pub time: Timestamp,
    /// The flow.
    pub flow: &'a FlowInfo,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// The activity.
    pub activity: &'a Activity,
    /// Pseudonyms of the objects that it named.
    pub objects: &'a [(Object, Token)],
    /// Patients whose records contained nothing new, and how many records.
    pub records: &'a [Repeated],
    /// The last packet of these records.
    pub repeated: PacketRef,
}

/// A flow whose protocol was recognised, with or without findings.
#[derive(Clone, Copy)]
pub struct ServiceObservation<'a> {
    /// Packet time.
    pub time: Timestamp,
    /// The flow.
    pub flow: &'a FlowInfo,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// The innermost content read so far (`fhir`, `dicom`); empty if none.
    pub content: &'static str,
    /// Facts about the service.
    pub facts: &'a Arc<ServiceFacts>,
}

/// A patient, wherever seen: the pseudonyms of one record that belong to one person.
pub type PatientKey = Token;
