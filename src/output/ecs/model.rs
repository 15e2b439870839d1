//! The structure of events, field by field as in `schema/event.schema.json`. Unknown values are left out, never
//! written as null.

use super::cut::Cut;
use crate::exposure::EventId;
use crate::identify::Token;
use crate::protocol::service::{Fact, FactList};
use crate::rules::Kind;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

fn text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Something that is written as its `Display` text.
#[derive(Clone, Copy)]
pub struct Text<T>(pub T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// A token with the prefix of its type.
pub struct Prefixed(pub &'static str, pub Token);

impl Serialize for Prefixed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Written as one piece, as events contain many of them.
        let mut text = SmallVec::<[u8; 32]>::from_slice(self.0.as_bytes());
        text.extend_from_slice(&self.1.text());
        to.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[derive(Serialize)]
pub struct Event<'a> {
    #[serde(rename = "@timestamp", serialize_with = "text")]
    pub timestamp: crate::time::Timestamp,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    pub ecs: Version,
    pub event: Meta,
    pub observer: Observer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Related>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Host<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule<'a>>,
    pub phi: Phi<'a>,
}

/// The version of ECS.
#[derive(Serialize)]
pub struct Version {
    pub version: &'static str,
}

#[derive(Serialize)]
pub struct Meta {
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<[&'static str; 1]>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub types: Option<[&'static str; 1]>,
    pub action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'static str>,
    pub dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<EventId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Text<crate::time::Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Text<crate::time::Timestamp>>,
}

#[derive(Serialize)]
pub struct Observer<'a> {
    pub product: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress<'a>>,
}

/// Every address of an event.
#[derive(Serialize)]
pub struct Related {
    pub ip: Vec<IpAddr>,
}

#[derive(Serialize)]
pub struct Ingress<'a> {
    pub interface: Interface<'a>,
}

#[derive(Serialize)]
pub struct Interface<'a> {
    pub name: &'a str,
}

#[derive(Serialize)]
pub struct Host<'a> {
    pub ip: [IpAddr; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
}

#[derive(Serialize, Clone, Copy)]
pub struct End {
    pub ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

#[derive(Serialize)]
pub struct Network<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<&'static str>,
    pub protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner: Option<InnerNetwork>,
}

/// The tag inside another (ECS `network.inner`).
#[derive(Serialize)]
pub struct InnerNetwork {
    pub vlan: Vlan,
}

#[derive(Serialize)]
pub struct Vlan {
    pub id: Text<u16>,
}

#[derive(Serialize)]
pub struct Rule<'a> {
    pub id: &'a str,
}

#[derive(Serialize, Default)]
pub struct Phi<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<PacketSpan<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<Patient<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patients: Vec<PatientGroup>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dicom: Option<Box<Dicom<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<Asset<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<super::sensor::Sensor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<&'a crate::merge::Part>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub key_id: &'a str,
}

/// The packets that carried the records of an event.
#[derive(Serialize)]
pub struct PacketSpan<'a> {
    pub file: &'a str,
    pub first_packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_file: Option<&'a str>,
    pub last_packet: u64,
}

#[derive(Serialize)]
pub struct Patient<'a> {
    pub token: Prefixed,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<Prefixed>,
    pub identifiers: Vec<Identifier<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
}

/// Patients with the same kinds of identifiers.
#[derive(Serialize)]
pub struct PatientGroup {
    pub kinds: Vec<Kind>,
    pub tokens: Vec<Prefixed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Prefixed>,
}

#[derive(Serialize)]
pub struct Identifier<'a> {
    pub kind: Kind,
    pub value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Prefixed>,
    /// If an issuer was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any_issuer: Option<Prefixed>,
    pub field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub evidence: &'static [&'static str],
}

#[derive(Serialize)]
pub struct Service<'a> {
    pub encrypted: bool,
    pub authentication: &'static str,
    pub credentials_in_clear: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<WebInterface<'a>>,
    /// Facts from protocols.
    #[serde(flatten)]
    pub facts: Facts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<&'a str>,
    /// Outcome of the connection.
    #[serde(flatten)]
    pub outcome: Facts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Box<Access>>,
}

/// Facts that protocols name.
pub struct Facts<'a>(pub FactList<'a>, pub Cut);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        collect(&self.0, self.1, serializer)
    }
}

fn collect<S: Serializer>(
    facts: &FactList<'_>,
    cut: Cut,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let left = facts.iter().filter(|(_, fact)| cut.leaves(fact));
    serializer.collect_map(left.map(|(name, fact)| (name, FactValue(fact, cut))))
}

struct FactValue<'a>(&'a Fact<'a>, Cut);

impl Serialize for FactValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cut = self.1;
        match self.0 {
            Fact::Text(text) => text.serialize(serializer),
            Fact::List(list) => serializer.collect_seq(cut.texts(list.iter().map(String::as_str))),
            Fact::Words(words) => cut.list(words).serialize(serializer),
            Fact::Number(number) => number.serialize(serializer),
            Fact::Flag(flag) => flag.serialize(serializer),
            Fact::Counts(counts) => {
                let sorted: BTreeMap<&str, u64> =
                    counts.iter().map(|(text, n)| (&**text, *n)).collect();
                let fits = sorted.into_iter().filter(|(text, _)| cut.fits(text));
                let listed = fits.take(cut.list).map(|(of, count)| Counted { of, count });
                serializer.collect_seq(listed)
            }
            Fact::Group(list) => collect(list, cut, serializer),
        }
    }
}

/// How many there were of a type. A list of these, as an index has one field for each name of an object.
#[derive(Serialize)]
pub struct Counted<'a> {
    #[serde(rename = "type")]
    pub of: &'a str,
    pub count: u64,
}

/// The same of a protocol.
#[derive(Serialize)]
pub struct Messages {
    pub protocol: &'static str,
    #[serde(rename = "type")]
    pub of: &'static str,
    pub count: u64,
}

#[derive(Serialize)]
pub struct Access {
    pub answers: &'static str,
    pub evidence: Vec<&'static str>,
    pub clients: u32,
    pub calling_titles: u32,
    pub refused_titles: u32,
}

/// A flow that showed a piece of evidence.
#[derive(Serialize)]
pub struct Proof<'a> {
    pub evidence: &'static str,
    pub community_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    pub until: String,
}

#[derive(Serialize)]
pub struct Dicom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub studies: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitments: Option<u64>,
    pub estimated: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_for: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_to: Vec<End>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub accepted_titles: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub refused_titles: &'a [String],
}

/// An interface in a web service's answers.
#[derive(Serialize)]
pub struct WebInterface<'a> {
    pub kind: &'static str,
    pub product: &'a str,
    pub open: bool,
}

/// In a finding only the id, in an exposure everything.
#[derive(Serialize)]
pub struct Exposure<'a> {
    pub id: Text<EventId>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub detail: Option<ExposureDetail<'a>>,
}

#[derive(Serialize)]
pub struct ExposureDetail<'a> {
    pub fingerprint: Prefixed,
    pub state: &'static str,
    pub severity: &'static str,
    pub patients: u64,
    pub patients_estimated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients_bounds: Option<Bounds>,
    pub findings: u64,
    pub records: u64,
    pub flows: u64,
    pub operations: Vec<&'a str>,
    /// Longer texts and further entries of lists are left out, to keep to the size of an event.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shortened: bool,
    pub identifiers: BTreeMap<&'static str, u64>,
    pub remedies: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<ExposureCoverage>,
}

/// What could not be read of the flows of an exposure.
#[derive(Serialize)]
pub struct ExposureCoverage {
    pub gap_bytes: u64,
    pub cut_bytes: u64,
    pub directions_given_up: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub shed_packets: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub uncaptured_packets: u64,
}

const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Of an estimate.
#[derive(Serialize)]
pub struct Bounds {
    pub low: u64,
    pub high: u64,
}

#[derive(Serialize)]
pub struct Suppression<'a> {
    pub id: &'a str,
    pub owner: &'a str,
    pub reason: &'a str,
    pub expires: Text<crate::rules::Day>,
    pub events: u64,
    pub findings: u64,
    pub findings_since: u64,
}

#[derive(Serialize)]
pub struct Asset<'a> {
    pub role: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub names: &'a [String],
}

#[derive(Serialize)]
pub struct Run<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Text<crate::time::Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Text<crate::time::Timestamp>>,
    pub packets: Packets<'a>,
    pub bytes: u64,
    pub coverage: Coverage,
    pub flows: Flows,
    pub streams: Streams<'a>,
    pub records: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Messages>,
    pub identifiers: BTreeMap<&'static str, u64>,
    pub findings: u64,
    pub exposures: u64,
    pub patients: u64,
    pub patients_estimated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients_bounds: Option<Bounds>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_services: Vec<OpenService>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scanners: Vec<Scanner>,
    pub inputs: Inputs<'a>,
    pub losses: Losses,
    pub reveal: bool,
}

/// How much of the traffic the findings cover.
#[derive(Serialize)]
pub struct Coverage {
    pub verdict: &'static str,
    pub interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_at: Option<f64>,
    pub payload_bytes: u64,
    pub unjudged_bytes: u64,
    pub unjudged_ratio: f64,
    pub unjudged_flows: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Shortfall>,
}

#[derive(Serialize)]
pub struct Shortfall {
    pub cause: &'static str,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    pub text: String,
}

#[derive(Serialize)]
pub struct Packets<'a> {
    pub read: u64,
    pub decoded: u64,
    pub cut: u64,
    pub skipped: &'a BTreeMap<&'static str, u64>,
    pub dropped: &'a BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: &'a BTreeMap<&'static str, u64>,
    /// How often the kernel's ring was full.
    #[serde(skip_serializing_if = "is_zero")]
    pub ring_freezes: u64,
}

#[derive(Serialize)]
pub struct Flows {
    pub total: u64,
    pub unrecognised: u64,
    pub unrecognised_bytes: u64,
    pub half_recognised: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub begun_before: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub unended: u64,
    pub given_up: u64,
    pub encrypted: u64,
    pub encrypted_bytes: u64,
}

#[derive(Serialize)]
pub struct Streams<'a> {
    pub recognised: &'a BTreeMap<&'static str, u64>,
    pub opaque: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    pub gap_bytes: u64,
    pub cut_bytes: u64,
    pub overlap_conflicts: u64,
}

#[derive(Serialize)]
pub struct Inputs<'a> {
    pub total: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<InputFile<'a>>,
    pub faulty: Vec<FaultyInput<'a>>,
}

/// A capture as it was read.
#[derive(Serialize)]
pub struct InputFile<'a> {
    pub name: &'a str,
    pub sha256: &'a str,
}

#[derive(Serialize)]
pub struct FaultyInput<'a> {
    pub name: &'a str,
    pub fault: &'a str,
}

#[derive(Serialize)]
pub struct Losses {
    pub exposures_ended_early: u64,
    pub findings_forgotten: u64,
    pub sightings_unreported: u64,
    pub findings_unwritten: u64,
}

/// A service that answers any client, with patient data.
#[derive(Serialize)]
pub struct OpenService {
    pub server: End,
    pub transport: &'static str,
    pub protocol: &'static str,
    pub clients: usize,
    pub severity: u8,
}

/// A client that got patient data of many services.
#[derive(Serialize)]
pub struct Scanner {
    pub client: End,
    pub services: usize,
}
