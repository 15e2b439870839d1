//! An open exposure: its counters, and what was written of it.

use super::access::Access;
use super::counters::{ExposureCounters, ExposureTotals};
use super::distinct::Distinct;
use super::moves::{MoveLeg, Moves};
use super::patient_observations::SeenIn;
use super::services::Services;
use super::severity::{ExposurePoints, Worst};
use super::types::{
    Count, Event, EventId, Exposure, ExposureState, FindingEvent, NetworkDirection, PatientKey, ip,
    socket,
};
use crate::capture::{PacketRef, PacketSpan};
use crate::flow::{FlowInfo, Transport};
use crate::identify::Token;
use crate::protocol::{FlowLosses, ServiceFacts};
use crate::rules::{Kind, SeverityEntry};
use crate::severity::Severity;
use crate::time::Timestamp;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Operations listed per exposure.
pub const MAX_OPERATIONS: usize = 32;

/// A client and a service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::exposure) struct Pair {
    pub client: IpAddr,
    pub server: SocketAddr,
    pub transport: Transport,
    pub protocol: &'static str,
}

impl Pair {
    pub fn of(flow: &FlowInfo, protocol: &'static str) -> Self {
        let (client, server) = flow.parties();
        Self { client: client.ip(), server, transport: flow.transport, protocol }
    }
}

/// Addresses as numbers, which takes half the time of their bytes: each finding looks up its pair.
impl Hash for Pair {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let number = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        to.write_u128(number(self.client));
        to.write_u128(number(self.server.ip()));
        let protocol = self.protocol.bytes().take(4).fold(0, |sum, b| sum << 8 | u64::from(b));
        let transport = u64::from(self.transport.number());
        to.write_u64(protocol << 32 | transport << 16 | u64::from(self.server.port()));
    }
}

/// The same for the same client, service and protocol in every run under the key.
fn fingerprint(key: &[u8; 32], parts: &[&[u8]; 4]) -> Token {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"exposure fingerprint");
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Token::of_hash(hasher.finalize().as_bytes())
}

/// An exposure that has not ended.
pub(in crate::exposure) struct Open {
    /// Sequence number of its opening: the order of events that fall due at the same time, and of the final ones.
    pub number: u64,
    /// Its key in the queue of due or of quiet exposures.
    pub due: Timestamp,
    /// It had no finding for long enough and is in the queue of quiet exposures.
    pub quiet: bool,
    /// Whether it has changes that no event has reported yet.
    pub dirty: bool,
    /// Highest score of a finding.
    worst: u8,
    /// The patient of its first finding.
    first_patient: PatientKey,
    /// The highest score of a finding that was graded before its service proved to answer any client.
    unproven: u8,
    /// The score in its last event.
    written: u8,
    /// An event of it was written.
    announced: bool,
    /// Time of its last event.
    pub wrote: Timestamp,
    pub patients: Distinct,
    pub inventory: ExposureCounters,
    pub moves: Vec<MoveLeg>,
    /// Patients that an earlier run counted.
    pub floor: u64,
    /// Packets that kernel and interface had dropped when it was opened, plus those dropped while it was quiet.
    pub uncaptured_before: u64,
    /// Packets that they had dropped when it became quiet.
    uncaptured_until: Option<u64>,
    pub kinds: [u64; Kind::ALL.len()],
    /// Facts of the last finding.
    latest: Arc<ServiceFacts>,
    pub exposure: Exposure,
}

impl Open {
    pub fn new(
        key: &[u8; 32],
        number: u64,
        pair: Pair,
        direction: NetworkDirection,
        event: &FindingEvent,
    ) -> Self {
        let now = event.finding.time;
        let parts: [&[u8]; 4] = [
            &ip(pair.client),
            &socket(pair.server),
            &[pair.transport.number()],
            pair.protocol.as_bytes(),
        ];
        Self {
            number,
            due: now,
            quiet: false,
            dirty: false,
            worst: 0,
            first_patient: event.finding.patient,
            unproven: 0,
            written: 0,
            announced: false,
            wrote: now,
            patients: Distinct::default(),
            inventory: ExposureCounters::default(),
            moves: Vec::new(),
            floor: 0,
            uncaptured_before: 0,
            uncaptured_until: None,
            kinds: [0; Kind::ALL.len()],
            latest: Arc::clone(&event.finding.facts),
            exposure: Exposure {
                id: EventId::derive(key, "exposure", now, &parts),
                fingerprint: fingerprint(key, &parts),
                state: ExposureState::Open,
                time: now,
                first: now,
                last: now,
                client: pair.client,
                server: pair.server,
                transport: pair.transport,
                protocol: pair.protocol,
                direction,
                flows: 0,
                findings: 0,
                records: 0,
                patients: Count::default(),
                kinds: Vec::new(),
                operations: Vec::new(),
                marks: Vec::new(),
                facts: Arc::clone(&event.finding.facts),
                access: Access::default(),
                figures: ExposureTotals::default(),
                moved_for: Vec::new(),
                moved_to: Vec::new(),
                losses: FlowLosses::default(),
                uncaptured: 0,
                packets: event.finding.packets,
                first_flow: event.flow,
                severity: 0,
            },
        }
    }

    /// Adds a finding. `opens`: it is the first of the exposure, and counts in full even if it revises one of an
    /// exposure that has ended. `starts_flow`: no finding of its flow was counted before.
    pub fn count(&mut self, event: &FindingEvent, opens: bool, starts_flow: bool) {
        let finding = &event.finding;
        let exposure = &mut self.exposure;
        exposure.first = exposure.first.min(finding.time);
        exposure.last = exposure.last.max(finding.time);
        exposure.packets.extend(finding.packets);
        let known = Arc::ptr_eq(&exposure.facts, &finding.facts)
            || Arc::ptr_eq(&self.latest, &finding.facts);
        if !known && finding.facts.accumulates() {
            exposure.facts = Arc::new(finding.facts.after(&exposure.facts));
        } else if !known {
            exposure.facts = Arc::clone(&finding.facts);
        }
        self.latest = Arc::clone(&finding.facts);
        for mark in finding.marks.iter() {
            if !exposure.marks.contains(&mark) {
                exposure.marks.push(mark);
            }
        }
        let operation = &finding.operation;
        if !operation.is_empty()
            && exposure.operations.len() < MAX_OPERATIONS
            && !exposure.operations.iter().any(|known| **known == **operation)
        {
            exposure.operations.push((**operation).into());
        }
        exposure.findings += u64::from(opens || !finding.update);
        exposure.flows += u64::from(opens || starts_flow);
        exposure.records += u64::from(finding.new_records);
        let kinds = if opens { finding.kinds } else { finding.new_kinds };
        for kind in kinds.iter() {
            if let Some(count) = self.kinds.get_mut(kind as usize) {
                *count += 1;
            }
        }
    }

    /// A flow has ended: its facts that were withheld meanwhile may be shown.
    pub fn settle(&mut self, facts: &Arc<ServiceFacts>) {
        if self.exposure.facts.withheld && !facts.withheld {
            self.exposure.facts = match facts.accumulates() {
                true => Arc::new(facts.after(&self.exposure.facts)),
                false => Arc::clone(facts),
            };
            self.dirty = true;
        }
    }

    /// Adds records that contained nothing new.
    pub fn records(&mut self, records: u32, last: PacketRef) {
        self.exposure.records += u64::from(records);
        self.exposure.last = self.exposure.last.max(last.time);
        self.exposure.packets.extend(PacketSpan::of(last));
        self.dirty = true;
    }

    /// Distinct patients. Of those that an earlier run counted only the number may be known.
    pub fn patients(&self) -> Count {
        let count = self.patients.count();
        match self.floor > count.value {
            true => Count { value: self.floor, estimate: true },
            false => count,
        }
    }

    /// It was at least this severe before, and that was written.
    pub fn severity_before(&mut self, severity: u8) {
        self.exposure.severity = severity;
        self.written = severity;
        self.announced = true;
    }

    /// Adds the score of a finding. True if the exposure is now worse than its last event says.
    pub fn grade(&mut self, points: &SeverityEntry, score: u8) -> bool {
        self.worst = self.worst.max(score);
        self.exposure.patients = self.patients();
        let score = ExposurePoints::from(points).score(self.worst, self.exposure.patients);
        self.exposure.severity = self.exposure.severity.max(score);
        self.exposure.severity > self.written
    }

    /// As [`Open::grade`], for a finding whose service has proven nothing yet.
    pub fn grade_unproven(&mut self, points: &SeverityEntry, score: u8) -> bool {
        self.unproven = self.unproven.max(score);
        self.grade(points, score)
    }

    /// Its service proved to answer any client: earlier findings are as severe as later ones.
    pub fn prove(&mut self, points: &SeverityEntry) -> bool {
        let before = std::mem::take(&mut self.unproven);
        before > 0 && self.grade(points, ExposurePoints::from(points).proven(before))
    }

    /// Whether an event of it was written, in this run or an earlier one.
    pub const fn is_announced(&self) -> bool {
        self.announced
    }

    /// `state` if it was announced; otherwise its next event announces it.
    pub const fn after(&self, state: ExposureState) -> ExposureState {
        if self.announced { state } else { ExposureState::Open }
    }

    /// Its worst findings so far.
    pub const fn worst(&self) -> Worst {
        Worst { score: self.worst, unproven: self.unproven }
    }

    /// The patient of its first finding, in the flow of that finding.
    pub const fn first_seen(&self) -> SeenIn {
        let Exposure { first_flow: flow, protocol, .. } = self.exposure;
        SeenIn { flow, protocol, patient: self.first_patient, records: 0 }
    }

    /// Index of its severity in [`Severity::ALL`].
    pub const fn band(&self) -> usize {
        Severity::of(self.exposure.severity) as usize
    }

    /// It becomes quiet: packets that kernel and interface drop from now on do not count against it.
    pub fn rest(&mut self, uncaptured: u64) {
        self.quiet = true;
        self.uncaptured_until = Some(uncaptured);
    }

    /// It is quiet no longer.
    pub fn stir(&mut self, uncaptured: u64) {
        self.quiet = false;
        let before = self.uncaptured_until.take().unwrap_or(uncaptured);
        self.uncaptured_before += uncaptured.saturating_sub(before);
    }

    /// The event with all that is known.
    pub fn report(
        &mut self,
        state: ExposureState,
        at: Timestamp,
        moves: &Moves,
        services: &Services,
    ) -> Event {
        self.dirty = false;
        let uncaptured = self.uncaptured_until.unwrap_or(services.uncaptured);
        self.exposure.uncaptured = uncaptured.saturating_sub(self.uncaptured_before);
        self.written = self.exposure.severity;
        self.announced = true;
        self.wrote = at;
        self.exposure.access =
            services.access(self.exposure.server, self.exposure.transport, self.exposure.protocol);
        self.exposure.figures = self.inventory.figures();
        (self.exposure.moved_for, self.exposure.moved_to) = moves.ends(&self.moves);
        self.exposure.state = state;
        self.exposure.time = at;
        self.exposure.kinds = Kind::ALL
            .iter()
            .zip(&self.kinds)
            .filter(|(_, n)| **n > 0)
            .map(|(kind, n)| (*kind, *n))
            .collect();
        Event::Exposure(Box::new(self.exposure.clone()))
    }
}
