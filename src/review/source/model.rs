//! The reading model. Texts come from the wire and may be forged: escape them wherever they are shown.

use super::{Filter, MAX_ENTRIES};
use crate::time::Timestamp;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// Results of runs.
#[derive(Debug, Default)]
pub struct Results {
    /// Every run in the order in which they began.
    pub runs: Vec<Run>,
    /// Exposures by run, in the order in which they were first seen.
    pub exposures: Vec<Exposure>,
    /// Patients by run, in the order in which they were first seen.
    pub patients: Vec<Patient>,
    /// Services by run.
    pub services: Vec<Service>,
    /// Hosts with a role, by run.
    pub assets: Vec<Asset>,
    /// What could not be read or exceeded a limit.
    pub losses: ReadLosses,
}

/// What could not be read or exceeded a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadLosses {
    /// Lines, or entries of a store, that are no events.
    pub garbage: u64,
    /// Lines longer than an event may be.
    pub too_long: u64,
    /// Runs, exposures, services and assets beyond the limit.
    pub entries: u64,
    /// Patients beyond the limit.
    pub patients: u64,
    /// Patients of lists, whose names, dates and masks events do not give.
    pub listed: u64,
}

impl ReadLosses {
    /// Whether everything was read and kept.
    pub const fn none(&self) -> bool {
        self.garbage == 0 && self.too_long == 0 && self.entries == 0 && self.patients == 0
    }
}

/// One run of phitap.
#[derive(Debug, Default)]
pub struct Run {
    /// Name of the sensor; empty if it had none.
    pub sensor: String,
    /// Version of phitap.
    pub version: String,
    /// Identifies its rules; empty in events.
    pub rules: String,
    /// Id of the key of its tokens.
    pub key_id: String,
    /// Whether it watched interfaces.
    pub live: bool,
    /// Capture files, as far as known.
    pub files: Vec<String>,
    /// When it began, by the clock; known of stores.
    pub began: Option<Timestamp>,
    /// Packet time of the first thing it saw.
    pub first: Option<Timestamp>,
    /// Packet time of the last thing it saw.
    pub last: Option<Timestamp>,
    /// Whether it wrote its summary; otherwise it is still running, or was killed.
    pub ended: bool,
    /// Its summary, as `run-summary` gives it; null without one.
    pub event: Value,
}

impl Run {
    pub(super) fn note_file(&mut self, file: &str) {
        if self.files.len() < MAX_ENTRIES && !self.files.iter().any(|known| known == file) {
            self.files.push(file.to_owned());
        }
    }

    pub(super) fn saw(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }
}

/// The packets, for an analyst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The capture file of the first packet.
    pub file: String,
    /// Its number there, from 1.
    pub first_packet: u64,
    /// The capture file of the last packet.
    pub last_file: String,
    /// Its number there.
    pub last_packet: u64,
}

/// Everything between one client and one service in a run.
#[derive(Debug)]
pub struct Exposure {
    /// Index of its run.
    pub run: usize,
    /// `event.id`.
    pub id: String,
    /// The same in every run under the same key; older events have none.
    pub fingerprint: Option<String>,
    /// 0 to 100.
    pub severity: u8,
    /// `open`, `update`, `idle` or `ended`.
    pub state: String,
    /// First and last finding.
    pub first: Timestamp,
    /// Last finding.
    pub last: Timestamp,
    /// The client.
    pub client: IpAddr,
    /// The service.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: String,
    /// `dicom`, `hl7`, `http`.
    pub protocol: String,
    /// `inbound`, `outbound`, `internal` or `external`.
    pub direction: String,
    /// Of the flow in which the first finding came.
    pub community_id: String,
    /// Distinct patients.
    pub patients: u64,
    /// Bounds of their number.
    pub patients_bounds: (u64, u64),
    /// Patients by flow.
    pub findings: u64,
    /// Records.
    pub records: u64,
    /// Flows with findings.
    pub flows: u64,
    /// Operations, in the order of appearance.
    pub operations: Vec<String>,
    /// By kind of identifier, how many findings show it.
    pub kinds: Vec<(String, u64)>,
    /// Marks of records (`diagnosis`, `test`).
    pub marks: Vec<String>,
    /// Its packets; none of a live capture.
    pub evidence: Option<Evidence>,
    /// `phi.service.authentication`.
    pub authentication: String,
    /// Whether the service was seen to answer any client.
    pub open: bool,
    /// The whole event, for what is not here.
    pub event: Value,
}

/// A patient in a run.
#[derive(Debug)]
pub struct Patient {
    /// Index of the run.
    pub run: usize,
    /// `p_...`; of the person, where several tokens are one.
    pub token: String,
    /// First time it was seen.
    pub first: Timestamp,
    /// Last time it was seen.
    pub last: Timestamp,
    /// Records; an estimate from below in events.
    pub records: u64,
    /// Kinds of identifiers.
    pub kinds: Vec<String>,
    /// Masked identifiers; of listed patients none.
    pub identifiers: Vec<Identifier>,
    /// With which exposures.
    pub seen: Vec<PatientObservation>,
}

/// A masked identifier.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Identifier {
    /// `name`, `patient_id`.
    pub kind: String,
    /// The mask, or the value where it was shown.
    #[serde(default)]
    pub value: String,
    /// Whether that is a mask.
    #[serde(default = "masked")]
    pub masked: bool,
    /// `i_...` of value and issuer.
    #[serde(default)]
    pub token: Option<String>,
    /// `i_...` of the value alone, where an issuer was named.
    #[serde(default)]
    pub any_issuer: Option<String>,
    /// Where it was.
    #[serde(default)]
    pub field: String,
}

/// Findings leave out that a value is masked.
const fn masked() -> bool {
    true
}

/// A patient seen with an exposure.
#[derive(Clone, Debug)]
pub struct PatientObservation {
    /// Index of the exposure; none where it is not known, or of several clients.
    pub exposure: Option<usize>,
    /// `event.id` of the finding.
    pub id: String,
    /// First record.
    pub first: Timestamp,
    /// Last record.
    pub last: Timestamp,
    /// Records.
    pub records: u64,
    /// 0 to 100.
    pub severity: u8,
    /// The rule that raised it.
    pub rule: String,
    /// `C-FIND`, `ADT^A01`, `GET`.
    pub operation: String,
    /// Layers, outside in.
    pub carrier: Vec<String>,
    /// `client_to_server` or `server_to_client`.
    pub direction: String,
    /// Of its first flow.
    pub community_id: String,
    /// Its packets.
    pub evidence: Option<Evidence>,
}

/// A server port that was seen to speak a protocol.
#[derive(Debug)]
pub struct Service {
    /// Index of the run.
    pub run: usize,
    /// `event.id`.
    pub id: String,
    /// When it was last reported.
    pub time: Timestamp,
    /// Where it listens.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: String,
    /// `dicom`, `hl7`, `http`.
    pub protocol: String,
    /// `phi.service.authentication`.
    pub authentication: String,
    /// Whether it was seen to answer any client.
    pub open: bool,
    /// The whole event.
    pub event: Value,
}

/// A host with a role.
#[derive(Debug)]
pub struct Asset {
    /// Index of the run.
    pub run: usize,
    /// `event.id`.
    pub id: String,
    /// When it was first seen.
    pub time: Timestamp,
    /// Its address.
    pub ip: IpAddr,
    /// `pacs`, `modality`.
    pub role: String,
    /// What proves it.
    pub protocol: String,
    /// The whole event.
    pub event: Value,
}

/// Removes what the filter excludes.
pub(super) fn select(results: &mut Results, filter: &Filter) {
    let runs = kept(&mut results.runs, |run, number| filter.takes_run(run, number + 1));
    let of_run = |run: &mut usize| match runs.get(*run).copied().flatten() {
        Some(now) => {
            *run = now;
            true
        }
        None => false,
    };
    let exposures = kept(&mut results.exposures, |exposure, _| {
        of_run(&mut exposure.run) && filter.takes(exposure)
    });
    let alone = !filter.asks_of_exposures();
    results.patients.retain_mut(|patient| {
        if !of_run(&mut patient.run)
            || !(filter.tokens.is_empty() || filter.tokens.contains(&patient.token))
        {
            return false;
        }
        patient.seen.retain_mut(|seen| {
            let place = seen.exposure.map(|at| exposures.get(at).copied().flatten());
            seen.exposure = place.flatten();
            filter.in_time(seen.first, seen.last) && (seen.exposure.is_some() || alone)
        });
        !patient.seen.is_empty()
    });
    results.services.retain_mut(|service| {
        of_run(&mut service.run) && filter.takes_service(service.server, &service.protocol)
    });
    results.assets.retain_mut(|asset| {
        of_run(&mut asset.run)
            && (filter.servers.is_empty() || filter.servers.iter().any(|n| n.contains(asset.ip)))
            && (filter.protocols.is_empty() || filter.protocols.contains(&asset.protocol))
    });
}

/// Keeps part of a list; returns the new index of each entry.
fn kept<T>(list: &mut Vec<T>, mut keep: impl FnMut(&mut T, usize) -> bool) -> Vec<Option<usize>> {
    let (mut places, mut next, mut at) = (Vec::with_capacity(list.len()), 0, 0);
    list.retain_mut(|entry| {
        let stays = keep(entry, at);
        at += 1;
        places.push(stays.then_some(next));
        next += usize::from(stays);
        stays
    });
    places
}
