//! The shape of events, field by field as in `schema/event.schema.json`. What is not known is left
//! out, never written as null.

use crate::exposure::EventId;
use crate::identify::Token;
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

/// A token with the prefix that says what it stands for.
pub struct Prefixed(pub &'static str, pub Token);

impl Serialize for Prefixed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Written as one piece: events hold many.
        let mut text = SmallVec::<[u8; 32]>::from_slice(self.0.as_bytes());
        text.extend_from_slice(&self.1.text());
        to.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[derive(Serialize)]
pub struct Event<'a> {
    #[serde(rename = "@timestamp", serialize_with = "text")]
    pub timestamp: crate::time::Timestamp,
    pub ecs: Version,
    pub event: Meta,
    pub observer: Observer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
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
    pub category: [&'static str; 1],
    #[serde(rename = "type")]
    pub types: [&'static str; 1],
    pub action: &'static str,
    pub dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<EventId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Text<crate::time::Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Text<crate::time::Timestamp>>,
}

#[derive(Serialize)]
pub struct Observer<'a> {
    pub product: &'static str,
    pub version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress<'a>>,
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
pub struct Host {
    pub ip: [IpAddr; 1],
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
    pub clients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<Patient<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dicom: Option<Box<Dicom<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run<'a>>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub key_id: &'a str,
}

#[derive(Serialize)]
pub struct Patient<'a> {
    pub token: Prefixed,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<Prefixed>,
    pub identifiers: Vec<Identifier<'a>>,
}

#[derive(Serialize)]
pub struct Identifier<'a> {
    pub kind: Kind,
    pub value: &'a str,
    pub masked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Prefixed>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calling_aet: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_aet: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_implementation: Option<Implementation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_implementation: Option<Implementation<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub sop_classes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sop_class_names: Vec<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub transfer_syntaxes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub dimse: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub modalities: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub station: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending_application: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending_facility: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiving_application: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiving_facility: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub message_types: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub acknowledgments: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub association: Option<Box<Association<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Box<Access>>,
}

#[derive(Serialize)]
pub struct Association<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    pub contexts_proposed: u16,
    pub contexts_accepted: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_max_pdu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_max_pdu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_identity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_confirmed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations_invoked: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations_performed: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_roles: Option<u16>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub extended_negotiation: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub move_destinations: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub move_originators: &'a [String],
}

#[derive(Serialize)]
pub struct Access {
    pub answers: &'static str,
    pub evidence: Vec<&'static str>,
    pub clients: u32,
    pub calling_titles: u32,
    pub refused_titles: u32,
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

/// What a web service's answers show of it.
#[derive(Serialize)]
pub struct WebInterface<'a> {
    pub kind: &'static str,
    pub product: &'a str,
    pub open: bool,
}

#[derive(Serialize)]
pub struct Implementation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
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
    pub state: &'static str,
    pub severity: &'static str,
    pub patients: u64,
    pub patients_estimated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients_bounds: Option<Bounds>,
    pub findings: u64,
    pub records: u64,
    pub flows: u64,
    pub operations: &'a [Box<str>],
    pub identifiers: BTreeMap<&'static str, u64>,
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
pub struct Asset {
    pub role: &'static str,
}

#[derive(Serialize)]
pub struct Run<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Text<crate::time::Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Text<crate::time::Timestamp>>,
    pub packets: Packets<'a>,
    pub bytes: u64,
    pub flows: Flows,
    pub streams: Streams<'a>,
    pub records: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    pub identifiers: BTreeMap<&'static str, u64>,
    pub findings: u64,
    pub exposures: u64,
    pub patients: u64,
    pub patients_estimated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients_bounds: Option<Bounds>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression<'a>>,
    pub inputs: Inputs<'a>,
    pub losses: Losses,
    pub reveal: bool,
}

#[derive(Serialize)]
pub struct Packets<'a> {
    pub read: u64,
    pub decoded: u64,
    pub skipped: &'a BTreeMap<&'static str, u64>,
    pub dropped: &'a BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: &'a BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
pub struct Flows {
    pub total: u64,
    pub unrecognised: u64,
    pub encrypted: u64,
    pub encrypted_bytes: u64,
}

#[derive(Serialize)]
pub struct Streams<'a> {
    pub recognised: &'a BTreeMap<&'static str, u64>,
    pub opaque: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    pub gap_bytes: u64,
    pub overlap_conflicts: u64,
}

#[derive(Serialize)]
pub struct Inputs<'a> {
    pub total: usize,
    pub faulty: Vec<FaultyInput<'a>>,
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
}
