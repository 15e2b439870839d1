//! The part of an event (`schema/event.schema.json`) that the model needs. Missing or invalid
//! fields make a line malformed and never cause a panic.

use super::model::{Asset, Evidence, Exposure, Identifier, People, Service};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The head of an event, which gives its kind.
#[derive(Deserialize)]
pub(super) struct Head {
    pub event: HeadEvent,
}

#[derive(Deserialize)]
pub(super) struct HeadEvent {
    pub action: String,
}

#[derive(Deserialize)]
pub(super) struct Line {
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    pub event: Meta,
    #[serde(default)]
    pub observer: Observer,
    #[serde(default)]
    pub host: Host,
    pub client: Option<End>,
    pub server: Option<End>,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub rule: Rule,
    pub phi: Phi,
}

#[derive(Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub severity: u8,
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct Observer {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub version: String,
    pub ingress: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Host {
    pub ip: Vec<IpAddr>,
}

#[derive(Deserialize)]
pub(super) struct End {
    pub ip: IpAddr,
    pub port: Option<u16>,
}

impl End {
    fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(0))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Network {
    pub transport: String,
    pub protocol: String,
    pub community_id: String,
    pub direction: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Rule {
    pub id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Phi {
    pub operation: String,
    pub carrier: Vec<String>,
    pub direction: String,
    pub records: u64,
    pub evidence: Option<Span>,
    pub patient: Option<PatientField>,
    pub patients: Vec<Group>,
    pub marks: Vec<String>,
    pub service: Option<ServiceField>,
    pub exposure: Option<ExposureField>,
    pub asset: Option<AssetField>,
    pub run: Option<RunField>,
    pub key_id: String,
}

#[derive(Deserialize)]
pub(super) struct Span {
    file: String,
    first_packet: u64,
    last_file: Option<String>,
    last_packet: u64,
}

impl Span {
    pub fn file(&self) -> &str {
        &self.file
    }
}

impl From<Span> for Evidence {
    fn from(span: Span) -> Self {
        Self {
            last_file: span.last_file.unwrap_or_else(|| span.file.clone()),
            file: span.file,
            first_packet: span.first_packet,
            last_packet: span.last_packet,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PatientField {
    pub token: String,
    pub same_as: Option<String>,
    #[serde(default)]
    pub identifiers: Vec<Identifier>,
    #[serde(default)]
    pub kinds: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Group {
    pub kinds: Vec<String>,
    pub tokens: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ServiceField {
    pub authentication: String,
    pub interfaces: Vec<InterfaceField>,
    pub access: Option<AccessField>,
}

impl ServiceField {
    /// Whether it answers any client.
    pub fn is_open(&self) -> bool {
        self.interfaces.iter().any(|i| i.open)
            || self.access.as_ref().is_some_and(|access| access.answers == "anyone")
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct InterfaceField {
    open: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct AccessField {
    answers: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ExposureField {
    pub id: String,
    pub fingerprint: Option<String>,
    state: String,
    patients: u64,
    patients_bounds: Option<Bounds>,
    findings: u64,
    records: u64,
    flows: u64,
    operations: Vec<String>,
    identifiers: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Bounds {
    low: u64,
    high: u64,
}

#[derive(Deserialize)]
pub(super) struct AssetField {
    role: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RunField {
    pub started: Option<String>,
    pub ended: Option<String>,
}

/// Parses RFC 3339 with `Z`, as events have it; none for anything else.
pub(in crate::review) fn time(text: &str) -> Option<Timestamp> {
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(text, format).ok()?;
    i64::try_from(at.unix_timestamp_nanos()).ok().map(Timestamp)
}

/// An exposure of a run; none if a required field is missing.
pub(super) fn exposure(line: Line, run: usize, event: Value) -> Option<Exposure> {
    let at = time(&line.timestamp)?;
    let bound = |text: Option<String>| text.as_deref().and_then(time).unwrap_or(at);
    let detail = line.phi.exposure?;
    let service = line.phi.service.unwrap_or_default();
    let exact = (detail.patients, detail.patients);
    Some(Exposure {
        run,
        more_runs: Vec::new(),
        row: 0,
        people: People::default(),
        id: line.event.id,
        fingerprint: detail.fingerprint,
        severity: line.event.severity.min(100),
        state: detail.state,
        first: bound(line.event.start),
        last: bound(line.event.end),
        client: line.client?.ip,
        server: line.server?.socket(),
        transport: line.network.transport,
        protocol: line.network.protocol,
        direction: line.network.direction,
        community_id: line.network.community_id,
        patients: detail.patients,
        patients_bounds: detail.patients_bounds.map_or(exact, |b| (b.low, b.high)),
        findings: detail.findings,
        records: detail.records,
        flows: detail.flows,
        operations: detail.operations,
        kinds: detail.identifiers.into_iter().collect(),
        marks: line.phi.marks,
        evidence: line.phi.evidence.map(Into::into),
        open: service.is_open(),
        authentication: service.authentication,
        event,
    })
}

/// A service of a run.
pub(super) fn service(line: Line, run: usize, event: Value) -> Option<Service> {
    let facts = line.phi.service?;
    Some(Service {
        run,
        more_runs: Vec::new(),
        time: time(&line.timestamp)?,
        id: line.event.id,
        server: line.server?.socket(),
        transport: line.network.transport,
        protocol: line.network.protocol,
        open: facts.is_open(),
        authentication: facts.authentication,
        event,
    })
}

/// A host with a role in a run.
pub(super) fn asset(line: Line, run: usize, event: Value) -> Option<Asset> {
    Some(Asset {
        run,
        more_runs: Vec::new(),
        time: time(&line.timestamp)?,
        id: line.event.id,
        ip: *line.host.ip.first()?,
        role: line.phi.asset?.role,
        protocol: line.network.protocol,
        event,
    })
}
