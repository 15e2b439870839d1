//! The reading model. Its texts come from the wire and may be forged: escape them wherever they are
//! shown.

use super::Filter;
use crate::output::text::count;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

/// Results of runs.
#[derive(Debug, Default)]
pub struct Results {
    /// All runs in the order in which they began.
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
    /// Lines, or entries of a store, that are not events.
    pub garbage: u64,
    /// Lines beyond the maximum length.
    pub too_long: u64,
    /// Runs, exposures, services and assets beyond the limit.
    pub entries: u64,
    /// Patients beyond the limit.
    pub patients: u64,
    /// Patients known from lists only, whose names, dates and masks are not in events.
    pub listed: u64,
    /// The file was compressed, and damaged or cut off.
    pub damaged: bool,
}

impl ReadLosses {
    /// Whether nothing was lost.
    pub const fn none(&self) -> bool {
        self.garbage == 0
            && self.too_long == 0
            && self.entries == 0
            && self.patients == 0
            && !self.damaged
    }

    /// The same for people, one text for each loss.
    pub fn texts(&self) -> Vec<String> {
        let of = |n: u64, one: &str, what: &str| match n {
            0 => None,
            n => Some(format!("{}: {what}", count(n, one))),
        };
        let damaged = "the file is compressed, and damaged or cut off: what follows is missing";
        let all = [
            of(self.garbage, "entry", "no event of phitap, or damaged"),
            of(self.too_long, "line", "too long for an event"),
            of(self.entries, "entry", "more than can be held; narrow the selection"),
            of(self.patients, "patient", "more than can be held; narrow the selection"),
            self.damaged.then(|| damaged.to_owned()),
        ];
        all.into_iter().flatten().collect()
    }
}

/// Who was seen with an exposure, so that people of several runs are counted once.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// Hashes of their tokens.
    tokens: HashSet<u64>,
    /// Whether some found no room.
    incomplete: bool,
}

impl People {
    /// Adds one; `room` is how many more can be held in all.
    pub(super) fn add(&mut self, token: &[u8], room: &mut usize) {
        // Seeded, because events may be forged.
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let token = SEED.hash_one(token);
        if self.tokens.contains(&token) {
            return;
        }
        match room.checked_sub(1) {
            Some(left) => {
                *room = left;
                self.tokens.insert(token);
            }
            None => self.incomplete = true,
        }
    }

    /// Their number, as far as they are known.
    pub fn count(&self) -> u64 {
        self.tokens.len() as u64
    }

    /// Whether these are all of an exposure with `patients`.
    pub fn are_all_of(&self, patients: u64) -> bool {
        !self.incomplete && self.count() == patients
    }

    /// Adds those of another exposure.
    pub fn join(&mut self, other: &Self) {
        self.tokens.extend(&other.tokens);
        self.incomplete |= other.incomplete;
    }
}

/// One run of phitap.
#[derive(Debug, Default)]
pub struct Run {
    /// Name of the sensor; empty if it had none.
    pub sensor: String,
    /// Version of phitap.
    pub version: String,
    /// Digest of its rules; empty in events.
    pub rules: String,
    /// Id of the key of its tokens.
    pub key_id: String,
    /// Whether it watched interfaces.
    pub live: bool,
    /// Capture files as far as they are known.
    pub files: Vec<String>,
    /// When it began, by the clock; only stores have it.
    pub began: Option<Timestamp>,
    /// First packet time of its results.
    pub first: Option<Timestamp>,
    /// Last packet time of its results.
    pub last: Option<Timestamp>,
    /// Whether it wrote its summary. Otherwise it is still running, or was killed.
    pub ended: bool,
    /// Its `run-summary` event; null if there is none.
    pub event: Value,
}

impl Run {
    pub(super) fn saw(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }
}

/// The packets of an entry.
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
    /// Index of its run; of several joined ones, that of the entry shown.
    pub run: usize,
    /// Indexes of the other runs that saw it; see [`Results::join_runs`].
    pub more_runs: Vec<usize>,
    /// Number of its row in a store; 0 in events.
    pub row: i64,
    /// Who was seen with it; empty if that was not read.
    pub people: People,
    /// `event.id`.
    pub id: String,
    /// The same in every run with the same key; older events have none.
    pub fingerprint: Option<String>,
    /// Severity, 0 to 100.
    pub severity: u8,
    /// `open`, `update`, `idle` or `ended`.
    pub state: String,
    /// First finding.
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
    /// Community ID of the flow with the first finding.
    pub community_id: String,
    /// Distinct patients.
    pub patients: u64,
    /// Bounds of the number of patients.
    pub patients_bounds: (u64, u64),
    /// Findings: patients per flow.
    pub findings: u64,
    /// Records.
    pub records: u64,
    /// Flows with findings.
    pub flows: u64,
    /// Operations, in the order of appearance.
    pub operations: Vec<String>,
    /// Number of findings by kind of identifier.
    pub kinds: Vec<(String, u64)>,
    /// Marks of records (`diagnosis`, `test`).
    pub marks: Vec<String>,
    /// Its packets; none for a live capture.
    pub evidence: Option<Evidence>,
    /// `phi.service.authentication`.
    pub authentication: String,
    /// Whether the service was seen to answer any client.
    pub open: bool,
    /// The whole event, for further fields.
    pub event: Value,
}

impl Exposure {
    /// Indexes of the runs that saw it.
    pub fn runs(&self) -> impl Iterator<Item = usize> {
        self.more_runs.iter().copied().chain([self.run])
    }
}

/// A patient in a run.
#[derive(Debug)]
pub struct Patient {
    /// Index of the run.
    pub run: usize,
    /// Indexes of the other runs that saw it.
    pub more_runs: Vec<usize>,
    /// Token, `p_...`; the person's if several tokens belong to one person.
    pub token: String,
    /// First time it was seen.
    pub first: Timestamp,
    /// Last time it was seen.
    pub last: Timestamp,
    /// Records; in events, a lower bound.
    pub records: u64,
    /// Kinds of identifiers.
    pub kinds: Vec<String>,
    /// Masked identifiers; none for listed patients.
    pub identifiers: Vec<Identifier>,
    /// Sightings by exposure.
    pub seen: Vec<PatientObservation>,
}

/// A masked identifier.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Identifier {
    /// `name`, `patient_id`.
    pub kind: String,
    /// The mask, or the value if it was revealed.
    #[serde(default)]
    pub value: String,
    /// Whether it is a mask.
    #[serde(default = "masked")]
    pub masked: bool,
    /// Token of value and issuer, `i_...`.
    #[serde(default)]
    pub token: Option<String>,
    /// Token of the value alone, if an issuer was named.
    #[serde(default)]
    pub any_issuer: Option<String>,
    /// The field it was found in.
    #[serde(default)]
    pub field: String,
}

/// The default: findings omit `masked` if it is true.
const fn masked() -> bool {
    true
}

/// A patient seen with an exposure.
#[derive(Clone, Debug)]
pub struct PatientObservation {
    /// Index of its run.
    pub run: usize,
    /// Index of the exposure; none if it is unknown or there are several clients.
    pub exposure: Option<usize>,
    /// `event.id` of the finding.
    pub id: String,
    /// First record.
    pub first: Timestamp,
    /// Last record.
    pub last: Timestamp,
    /// Records.
    pub records: u64,
    /// Severity, 0 to 100.
    pub severity: u8,
    /// The rule that raised the alert.
    pub rule: String,
    /// `C-FIND`, `ADT^A01`, `GET`.
    pub operation: String,
    /// Layers, outside in.
    pub carrier: Vec<String>,
    /// `client_to_server` or `server_to_client`.
    pub direction: String,
    /// Community ID of its first flow.
    pub community_id: String,
    /// Its packets.
    pub evidence: Option<Evidence>,
}

/// A server port on which a protocol was seen.
#[derive(Debug)]
pub struct Service {
    /// Index of the run.
    pub run: usize,
    /// Indexes of the other runs that saw it.
    pub more_runs: Vec<usize>,
    /// `event.id`.
    pub id: String,
    /// When it was last reported.
    pub time: Timestamp,
    /// Address and port of the service.
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
    /// Indexes of the other runs that saw it.
    pub more_runs: Vec<usize>,
    /// `event.id`.
    pub id: String,
    /// When it was first seen.
    pub time: Timestamp,
    /// Its IP address.
    pub ip: IpAddr,
    /// Role: `pacs`, `modality`.
    pub role: String,
    /// The protocol that proves the role.
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
            seen.run = patient.run;
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

/// Filters a list. Returns the new index of each entry.
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
