//! The table of open exposures.
//!
//! Events depend on the findings and their order alone: what falls due before a finding is
//! written before it and carries the time at which it fell due, however often [`Exposures::tick`]
//! was called in between, and nothing is ever taken in the order of a hash map.

use super::access::Access;
use super::counters::{ExposureCounters, ExposureTotals};
use super::distinct::Distinct;
use super::moves::{self, Moves};
use super::observations::ServiceObservations;
use super::services::Services;
use super::severity;
use super::types::{
    Count, Event, EventId, Exposure, ExposureState, FindingEvent, FlowActivity, NetworkDirection,
    ServiceObservation, Suppressed, ip, socket,
};
use crate::flow::{FlowInfo, Transport};
use crate::identify::{People, Token};
use crate::net::HomeNets;
use crate::protocol::ServiceFacts;
use crate::rules::{AccessRules, Kind, RuleSet, Seen as Asked, SeverityEntry, Suppressions};
use crate::severity::Severity;
use crate::time::{Span, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Open exposures. Beyond it the one that falls due first is closed; its next finding opens a
/// new one.
pub const MAX_OPEN: usize = 16_384;
/// Findings of open exposures remembered, so that a revision adds only what is new. Beyond it
/// revisions add nothing, and are counted as lost.
pub const MAX_REMEMBERED: usize = 1 << 20;
/// Tokens of patients and objects of open exposures together; beyond it new counts become estimates.
pub const MAX_TOKENS: usize = 1 << 20;
/// Operations listed of an exposure.
pub const MAX_OPERATIONS: usize = 32;
/// An exposure is updated at most this often.
pub const UPDATE_EVERY: Span = Span::seconds(60);

/// What [`Exposures`] must know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The networks that count as one's own.
    pub home: HomeNets,
    /// An exposure without findings for this long is closed.
    pub idle: Span,
    /// Keys event ids.
    pub key: [u8; 32],
    /// Points of the severity score.
    pub severity: SeverityEntry,
    /// What is known and accepted.
    pub suppressions: Arc<Suppressions>,
    /// What proves that a DICOM service lets in whoever asks.
    pub access: AccessRules,
}

/// What was lost to a cap.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Losses {
    /// Exposures closed early because too many were open.
    pub exposures_closed_early: u64,
    /// Revisions of findings that are not in the counts of their exposure.
    pub revisions_uncounted: u64,
    /// Services and assets that were not reported.
    pub sightings_unreported: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    client: IpAddr,
    server: SocketAddr,
    transport: Transport,
    protocol: &'static str,
}

impl Pair {
    fn of(flow: &FlowInfo, protocol: &'static str) -> Self {
        let FlowInfo { client, server, transport, .. } = *flow;
        Self { client: client.ip(), server, transport, protocol }
    }
}

/// Groups findings into exposures.
pub struct Exposures {
    settings: Settings,
    open: HashMap<Pair, Open, RandomState>,
    /// When each open exposure must next be looked at; the number is that of its opening.
    due: BTreeMap<(Timestamp, u64), Pair>,
    opened: u64,
    remembered: usize,
    tokens: usize,
    people: People,
    patients: Distinct,
    findings: u64,
    active: [u64; Severity::ALL.len()],
    services: Services,
    sightings: ServiceObservations,
    suppressed: BTreeMap<Arc<str>, Suppressed>,
    moves: Moves,
    losses: Losses,
}

/// One open exposure.
struct Open {
    /// Number of its opening: the order of what falls due at the same time, and at the end.
    number: u64,
    /// Its key in `due`.
    due: Timestamp,
    /// Whether something is in it that no event told yet.
    dirty: bool,
    /// Whether some finding could not be remembered: then a revision may be one of those.
    forgetful: bool,
    /// Highest score of a finding.
    worst: u8,
    patients: Distinct,
    inventory: ExposureCounters,
    moves: Vec<moves::MoveLeg>,
    flows: HashSet<FlowKey, RandomState>,
    seen: HashMap<EventId, Seen, RandomState>,
    kinds: [u64; Kind::ALL.len()],
    /// Facts of the last finding.
    latest: Arc<ServiceFacts>,
    told: Exposure,
}

/// Tells apart the flows of one pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct FlowKey {
    started: Timestamp,
    port: u16,
    vlan: u16,
}

/// What of a finding is already counted.
#[derive(Clone, Copy, Default)]
struct Seen {
    records: u32,
    kinds: u64,
}

const _: () = assert!(Kind::ALL.len() <= u64::BITS as usize, "Seen::kinds has a bit for each kind");

impl Exposures {
    /// None open.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            open: HashMap::default(),
            due: BTreeMap::new(),
            opened: 0,
            remembered: 0,
            tokens: 0,
            people: People::default(),
            patients: Distinct::default(),
            findings: 0,
            active: [0; Severity::ALL.len()],
            services: Services::default(),
            sightings: ServiceObservations::default(),
            suppressed: BTreeMap::new(),
            moves: Moves::default(),
            losses: Losses::default(),
        }
    }

    /// Takes a finding, first or revised. Writes what fell due before it, what it shows of hosts
    /// for the first time, itself, and its exposure if it opens one. False if it is suppressed: then
    /// it is only counted.
    pub fn finding(&mut self, mut event: FindingEvent, out: &mut Vec<Event>) -> bool {
        let now = event.finding.time;
        self.tick(now, out);
        let content = event.finding.carrier.last().copied().unwrap_or_default();
        let sighting = ServiceObservation {
            time: now,
            flow: &event.flow,
            protocol: event.protocol,
            content,
            facts: &event.finding.facts,
        };
        self.see(&sighting, out);

        let known = self.people.recognise(event.finding.patient, &event.finding.traits);
        let patient = known.person;
        event.person = (patient != event.finding.patient).then_some(patient);
        for merged in &known.merged {
            if self.patients.forget(*merged) {
                self.patients.insert(patient, true);
            }
        }
        if self.suppress(&event) {
            return false;
        }
        self.patients.insert(patient, true);
        self.services.patient(&event.flow, event.protocol, patient, &known.merged);
        let FlowInfo { server, transport, .. } = event.flow;
        let access = self.services.access(server, transport, event.protocol);
        self.findings += u64::from(!event.finding.update);
        let direction = direction(&self.settings.home, &event.flow);
        let points = &self.settings.severity;
        let score = severity::severity(points, &event, direction, access.answers());

        let pair = Pair::of(&event.flow, event.protocol);
        let opens = !self.open.contains_key(&pair);
        if opens {
            if self.open.len() >= MAX_OPEN
                && let Some((_, first)) = self.due.pop_first()
            {
                self.losses.exposures_closed_early += 1;
                self.close(first, now, out);
            }
            let open = Open::new(&self.settings.key, self.opened, pair, direction, &event);
            self.opened += 1;
            self.open.insert(pair, open);
        }
        let Some(open) = self.open.get_mut(&pair) else { return true };
        let room = self.remembered < MAX_REMEMBERED;
        let before = open.held();
        if !open.count(&event, room) {
            self.losses.revisions_uncounted += 1;
        }
        self.remembered = (self.remembered + open.held()).saturating_sub(before);
        let before = open.patients.held();
        for merged in &known.merged {
            open.patients.forget(*merged);
        }
        open.patients.insert(patient, self.tokens < MAX_TOKENS);
        self.tokens = (self.tokens + open.patients.held()).saturating_sub(before);
        if !opens {
            self.active[band(open)] = self.active[band(open)].saturating_sub(1);
        }
        open.grade(&self.settings.severity, score);
        self.active[band(open)] += 1;
        let exposure = open.told.id;
        let state = if opens {
            // The next update is due a minute from now; whether one is needed shows then.
            open.due = now + UPDATE_EVERY;
            self.due.insert((open.due, open.number), pair);
            Some(open.tell(ExposureState::Open, now, &self.moves, &self.services))
        } else {
            open.dirty = true;
            None
        };
        let event = Box::new(event);
        out.push(Event::Finding { event, severity: score, direction, exposure, access });
        out.extend(state);
        true
    }

    /// Whether a finding is known and accepted; counts it, and also one that was until its day was
    /// over.
    fn suppress(&mut self, event: &FindingEvent) -> bool {
        let finding = &event.finding;
        let asked = Asked {
            client: event.flow.client.ip(),
            server: event.flow.server,
            host: event.finding.facts.host.as_deref(),
            rule: &finding.alert.id,
            patient: [Some(finding.patient.bytes()), event.person.as_ref().map(Token::bytes)],
        };
        let Some(found) = self.settings.suppressions.find(&asked, finding.time) else {
            return false;
        };
        let by = match found {
            Ok(by) | Err(by) => by,
        };
        let of = self.suppressed.entry(Arc::clone(&by.id)).or_insert_with(|| Suppressed::new(by));
        let first = u64::from(!finding.update);
        match found {
            Ok(_) => {
                of.events += 1;
                of.findings += first;
            }
            Err(_) => of.findings_since += first,
        }
        found.is_ok()
    }

    /// Goes by other rules from now on.
    pub fn select_protocol(&mut self, rules: &RuleSet) {
        self.settings.severity = rules.policy.severity.clone();
        self.settings.access = rules.policy.access.clone();
        self.settings.suppressions = Arc::clone(&rules.suppressions);
    }

    /// What was suppressed, in order of the suppressions' ids.
    pub fn suppressed(&self) -> Vec<Suppressed> {
        self.suppressed.values().cloned().collect()
    }

    /// Takes a flow whose protocol was recognised.
    ///
    /// Foreign web servers are no finding as long as nothing is disclosed to them: anyone who browses
    /// meets thousands.
    pub fn service(&mut self, sighting: ServiceObservation<'_>, out: &mut Vec<Event>) {
        self.tick(sighting.time, out);
        if sighting.protocol == "http" && !self.settings.home.contains(sighting.flow.server.ip()) {
            return;
        }
        self.see(&sighting, out);
    }

    /// Takes what a flow did. It belongs to the exposure that is open between its ends, if one is.
    pub fn performed(&mut self, what: FlowActivity<'_>, out: &mut Vec<Event>) {
        self.services.performed(&what, out);
        let (client, server) = (what.flow.client.ip(), what.flow.server);
        let open = self.open.get_mut(&Pair::of(what.flow, what.protocol));
        let sides = what.activity.moves.iter().map(|m| self.moves.see(m, client, server));
        let Some(open) = open else {
            sides.for_each(drop);
            return;
        };
        for side in sides {
            moves::add(&mut open.moves, side, moves::MAX_LISTED);
        }
        let before = open.inventory.held();
        let room = MAX_TOKENS.saturating_sub(self.tokens);
        open.inventory.add(&what.activity.counts, what.objects, room);
        self.tokens = (self.tokens + open.inventory.held()).saturating_sub(before);
        open.dirty = true;
    }

    fn see(&mut self, sighting: &ServiceObservation<'_>, out: &mut Vec<Event>) {
        let Settings { key, access, .. } = &self.settings;
        self.services.see(key, sighting, access, out);
        self.sightings.see(key, sighting, out);
    }

    /// Writes the updates and closings that fell due by `now`.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        // Every round takes one entry out and puts at most one in, later than `now`.
        while let Some(entry) = self.due.first_entry() {
            let (at, number) = *entry.key();
            if at > now {
                break;
            }
            let pair = entry.remove();
            let Some(open) = self.open.get_mut(&pair) else { continue };
            let ends = open.told.last + self.settings.idle;
            if open.dirty && at < ends {
                out.push(open.tell(ExposureState::Update, at, &self.moves, &self.services));
                open.due = at + UPDATE_EVERY;
            } else if at >= ends {
                self.close(pair, at, out);
                continue;
            } else {
                // Nothing new: look again when it would be idle, or in a minute at the latest.
                open.due = ends.min(at + UPDATE_EVERY);
            }
            self.due.insert((open.due, number), pair);
        }
    }

    /// Closes everything, in the order of opening.
    pub fn finish(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        self.tick(now, out);
        let mut left: Vec<(u64, Pair)> = self.open.iter().map(|(p, o)| (o.number, *p)).collect();
        left.sort_unstable_by_key(|(number, _)| *number);
        for (_, pair) in left {
            self.close(pair, now, out);
        }
        self.due.clear();
        self.services.finish(now, out);
    }

    /// Distinct patients of the whole run.
    pub fn patients(&self) -> Count {
        self.patients.count()
    }

    /// Findings so far, revisions not counted.
    pub fn findings(&self) -> u64 {
        self.findings
    }

    /// Exposures opened so far.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Open exposures by severity, in the order of [`Severity::ALL`].
    pub fn active(&self) -> [u64; Severity::ALL.len()] {
        self.active
    }

    /// What was lost to a cap.
    pub fn losses(&self) -> Losses {
        let unreported = self.sightings.unreported + self.services.unreported;
        Losses { sightings_unreported: unreported, ..self.losses }
    }

    fn close(&mut self, pair: Pair, at: Timestamp, out: &mut Vec<Event>) {
        if let Some(mut open) = self.open.remove(&pair) {
            self.remembered = self.remembered.saturating_sub(open.held());
            let tokens = open.patients.held() + open.inventory.held();
            self.tokens = self.tokens.saturating_sub(tokens);
            self.active[band(&open)] = self.active[band(&open)].saturating_sub(1);
            // A last finding may be younger than what the caller calls now.
            let at = at.max(open.told.last);
            out.push(open.tell(ExposureState::Closed, at, &self.moves, &self.services));
        }
    }
}

impl Open {
    fn new(
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
            dirty: false,
            forgetful: false,
            worst: 0,
            patients: Distinct::default(),
            inventory: ExposureCounters::default(),
            moves: Vec::new(),
            flows: HashSet::default(),
            seen: HashMap::default(),
            kinds: [0; Kind::ALL.len()],
            latest: Arc::clone(&event.finding.facts),
            told: Exposure {
                id: EventId::derive(key, "exposure", now, &parts),
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
                severity: 0,
            },
        }
    }

    /// Entries of `flows` and `seen` together.
    fn held(&self) -> usize {
        self.flows.len() + self.seen.len()
    }

    /// Adds what is new in `finding`. False if it is a revision of one that was not remembered.
    fn count(&mut self, event: &FindingEvent, room: bool) -> bool {
        let finding = &event.finding;
        let told = &mut self.told;
        told.first = told.first.min(finding.time);
        told.last = told.last.max(finding.time);
        // Associations differ in what they show; of other services the last one says it all.
        let known = Arc::ptr_eq(&told.facts, &event.finding.facts)
            || Arc::ptr_eq(&self.latest, &event.finding.facts);
        if !known && event.finding.facts.association.is_some() {
            told.facts = Arc::new(event.finding.facts.after(&told.facts));
        } else if !known {
            told.facts = Arc::clone(&event.finding.facts);
        }
        self.latest = Arc::clone(&event.finding.facts);
        for mark in &finding.marks {
            if !told.marks.contains(mark) {
                told.marks.push(*mark);
            }
        }
        let operation = &finding.operation;
        if !operation.is_empty()
            && told.operations.len() < MAX_OPERATIONS
            && !told.operations.contains(operation)
        {
            told.operations.push(operation.clone());
        }

        let mut kinds = 0u64;
        for identifier in &finding.identifiers {
            kinds |= 1 << identifier.kind as u32;
        }
        let now = Seen { records: finding.records, kinds };
        let before = match self.seen.get_mut(&event.id) {
            Some(seen) => std::mem::replace(seen, now),
            None if finding.update && self.forgetful => return false,
            // A revision that is not known here was told in an exposure that has been closed since:
            // for this one it is the first.
            None => {
                if room {
                    self.seen.insert(event.id, now);
                } else {
                    self.forgetful = true;
                }
                told.findings += 1;
                Seen::default()
            }
        };
        told.records += u64::from(now.records.saturating_sub(before.records));
        let new = now.kinds & !before.kinds;
        for (bit, count) in self.kinds.iter_mut().enumerate() {
            *count += (new >> bit) & 1;
        }
        let flow = FlowKey {
            started: event.flow.started,
            port: event.flow.client.port(),
            vlan: event.flow.vlan,
        };
        if room {
            told.flows += u64::from(self.flows.insert(flow));
        } else if !self.flows.contains(&flow) {
            // Not remembered: the first patient of a flow stands for it.
            told.flows += u64::from(finding.ordinal == 0 && !finding.update);
        }
        true
    }

    fn grade(&mut self, points: &SeverityEntry, score: u8) {
        self.worst = self.worst.max(score);
        self.told.patients = self.patients.count();
        let score = severity::of_exposure(points, self.worst, self.told.patients);
        self.told.severity = self.told.severity.max(score);
    }

    fn tell(
        &mut self,
        state: ExposureState,
        at: Timestamp,
        moves: &Moves,
        services: &Services,
    ) -> Event {
        self.dirty = false;
        self.told.access =
            services.access(self.told.server, self.told.transport, self.told.protocol);
        self.told.figures = self.inventory.figures();
        (self.told.moved_for, self.told.moved_to) = moves.ends(&self.moves);
        self.told.state = state;
        self.told.time = at;
        self.told.kinds = Kind::ALL
            .iter()
            .zip(&self.kinds)
            .filter(|(_, n)| **n > 0)
            .map(|(kind, n)| (*kind, *n))
            .collect();
        Event::Exposure(Box::new(self.told.clone()))
    }
}

/// Index into [`Severity::ALL`].
const fn band(open: &Open) -> usize {
    Severity::of(open.told.severity) as usize
}

fn direction(home: &HomeNets, flow: &FlowInfo) -> NetworkDirection {
    match (home.contains(flow.client.ip()), home.contains(flow.server.ip())) {
        (true, true) => NetworkDirection::Internal,
        (true, false) => NetworkDirection::Outbound,
        (false, true) => NetworkDirection::Inbound,
        (false, false) => NetworkDirection::External,
    }
}

#[cfg(test)]
impl Exposures {
    /// Whether nothing is held and all counts of what is held are back at zero.
    pub(in crate::exposure) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.due.is_empty()
            && (self.remembered, self.tokens) == (0, 0)
            && self.active == [0; Severity::ALL.len()]
    }
}
