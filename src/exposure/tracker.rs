//! The table of exposures.
//!
//! Events depend only on the findings and their order. What falls due before a finding is written before it and
//! carries the time at which it fell due, however often [`Exposures::tick`] was called in between. Nothing depends on
//! the order of a hash map.

use super::access::{Access, Answers};
use super::announced::{Admitted, Announced, FindingContext};
use super::ceiling::Ceiling;
use super::distinct::Distinct;
use super::handshakes::Handshakes;
use super::known::{KnownExposures, MAX_PATIENTS, Opening, RETURN_AFTER};
use super::moves::{self, Moves};
use super::names::HostNames;
use super::open::{Open, Pair};
use super::patient_observations::{NewFinding, PatientObservation, PatientObservations, SeenIn};
use super::service_observations::ServiceObservations;
use super::services::Services;
use super::severity::{self, ExposurePoints, Worst};
use super::thresholds::{ANNOUNCED_AT, ThresholdCounters};
use super::types::{
    Count, Event, EventId, ExposureState, FindingEvent, FlowActivity, Intake, Losses,
    NetworkDirection, ServiceObservation, Suppressed,
};
use super::withheld::Withheld;
use crate::config::Detail;
use crate::identify::{People, Recognised, Repeated, Token};
use crate::net::HomeNets;
use crate::rules::{AccessRules, RuleSet, SeverityEntry};
use crate::rules::{Suppression, SuppressionQuery, Suppressions};
use crate::severity::Severity;
use crate::time::{Span, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Exposures kept. Beyond it the one that was quiet for longest ends early or, where none is quiet, the one that
/// falls due first; its next finding continues it.
pub const MAX_OPEN: usize = 16_384;
/// Tokens of patients and objects of all exposures together; beyond it new counts become estimates.
pub const MAX_TOKENS: usize = 1 << 20;
/// Bytes of heap that an exposure takes, and a token, roughly: fewer are kept where memory is short.
const OPEN: usize = 4 << 10;
const TOKEN: usize = 32;
/// Shares of the memory for exposures, tokens and people. Written findings get what these leave.
const SHARE_OPEN: usize = 4;
const SHARE_TOKENS: usize = 8;
const SHARE_PEOPLE: usize = 2;
/// Exposures that are kept even where memory is short.
const MIN_OPEN: usize = 64;

/// Settings of [`Exposures`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The home networks.
    pub home: HomeNets,
    /// An exposure without findings for this long is idle.
    pub idle: Span,
    /// Minimum time between updates of an exposure that does not become worse.
    pub update: Span,
    /// An exposure without findings for this long ends; a later finding opens another one.
    pub forget: Span,
    /// Keys event ids.
    pub key: [u8; 32],
    /// Points of the severity score.
    pub severity: SeverityEntry,
    /// Accepted findings.
    pub suppressions: Arc<Suppressions>,
    /// What proves that a DICOM service accepts any client.
    pub access: AccessRules,
    /// Which findings become events.
    pub detail: Detail,
    /// Bytes for exposures, people and written findings; beyond them, findings are forgotten.
    pub memory: usize,
    /// Whether an output wants every patient of every exposure ([`Exposures::take_observations`]).
    pub observe_patients: bool,
}

/// Groups findings into exposures.
pub struct Exposures {
    pub(in crate::exposure) settings: Settings,
    /// Most exposures and tokens kept.
    most: usize,
    most_tokens: usize,
    pub(in crate::exposure) open: HashMap<Pair, Open, RandomState>,
    pub(in crate::exposure) known: KnownExposures,
    /// When each active exposure must next be looked at; the number is that of its opening.
    pub(in crate::exposure) due: BTreeMap<(Timestamp, u64), Pair>,
    /// Quiet exposures by the time they became so.
    pub(in crate::exposure) quiet: BTreeMap<(Timestamp, u64), Pair>,
    opened: u64,
    tokens: usize,
    pub(in crate::exposure) people: People,
    pub(in crate::exposure) patients: Distinct,
    pub(in crate::exposure) active: [u64; Severity::ALL.len()],
    /// Exposures that are idle by severity.
    pub(in crate::exposure) idle: [u64; Severity::ALL.len()],
    /// Exposures that have ended by severity.
    ended: [u64; Severity::ALL.len()],
    pub(in crate::exposure) services: Services,
    pub(in crate::exposure) service_observations: ServiceObservations,
    pub(in crate::exposure) handshakes: Handshakes,
    pub(in crate::exposure) names: HostNames,
    suppressed: BTreeMap<Arc<str>, Suppressed>,
    withheld: Withheld,
    pub(in crate::exposure) announced: Announced,
    ceiling: Ceiling,
    pub(in crate::exposure) moves: Moves,
    losses: Losses,
    steps: ThresholdCounters,
    pub(in crate::exposure) seen: PatientObservations,
}

impl Exposures {
    /// An empty table.
    pub fn new(settings: Settings) -> Self {
        Self {
            most: (settings.memory / SHARE_OPEN / OPEN).clamp(MIN_OPEN, MAX_OPEN),
            most_tokens: (settings.memory / SHARE_TOKENS / TOKEN).min(MAX_TOKENS),
            open: HashMap::default(),
            known: KnownExposures::within(settings.memory),
            due: BTreeMap::new(),
            quiet: BTreeMap::new(),
            opened: 0,
            tokens: 0,
            people: People::within(settings.memory / SHARE_PEOPLE),
            patients: Distinct::default(),
            active: [0; Severity::ALL.len()],
            idle: [0; Severity::ALL.len()],
            ended: [0; Severity::ALL.len()],
            services: Services::within(settings.memory),
            service_observations: ServiceObservations::within(settings.memory),
            handshakes: Handshakes::within(settings.memory),
            names: HostNames::within(settings.memory),
            suppressed: BTreeMap::new(),
            withheld: Withheld::default(),
            announced: Announced::new(settings.observe_patients),
            ceiling: Ceiling::of(settings.detail),
            moves: Moves::default(),
            losses: Losses::default(),
            steps: ThresholdCounters::default(),
            seen: PatientObservations::wanted(settings.observe_patients),
            settings,
        }
    }

    /// Takes a finding, first or revised. Writes what fell due before it; what it shows of hosts for the first time;
    /// the finding if it is new at the level of detail; and its exposure if it opens it or makes it worse.
    pub fn finding(&mut self, event: impl Into<Box<FindingEvent>>, out: &mut Vec<Event>) -> Intake {
        let mut event = event.into();
        let now = event.finding.time;
        self.tick(now, out);
        let content = event.finding.carrier.last().copied().unwrap_or_default();
        let observation = ServiceObservation {
            time: now,
            flow: &event.flow,
            protocol: event.protocol,
            content,
            facts: &event.finding.facts,
        };
        self.see(&observation, out);

        let known = self.people.recognise(event.finding.patient, &event.finding.traits);
        let person = known.person;
        event.person = (person != event.finding.patient).then_some(person);
        for merged in &known.merged {
            if self.patients.forget(*merged) {
                self.patients.insert(person, true);
            }
        }
        let pair = Pair::of(&event.flow, event.protocol);
        if let Some(whole) = self.suppress(&event) {
            self.withheld.add(pair, &event);
            if whole {
                self.acknowledge(pair, now, out);
            }
            return Intake::Suppressed;
        }
        self.patients.insert(person, true);
        self.services.patient(&event.flow, event.protocol, person, &known.merged);
        let access = self.services.access(pair.server, pair.transport, pair.protocol);
        let taken_first = !event.finding.update;
        let direction = NetworkDirection::of(&event.flow, &self.settings.home);
        self.steps.finding(direction, taken_first);
        let points = &self.settings.severity;
        let score = severity::severity(points, &event, direction, access.answers());

        let before = self.open.get(&pair).map(|open| (open.quiet, now - open.exposure.last));
        let opens = before.is_none();
        let opening = match before {
            None => self.open(pair, direction, &event, out),
            Some((quiet, since)) => {
                if quiet {
                    self.wake(pair, now);
                }
                if since >= RETURN_AFTER { Opening::Returns } else { Opening::Known }
            }
        };
        let starts_flow = self.withheld.starts_flow(pair, &event);
        let Some(open) = self.open.get_mut(&pair) else { return Intake::Revised };
        open.count(&event, opens, starts_flow);
        let before = open.patients.held();
        for merged in &known.merged {
            open.patients.forget(*merged);
        }
        open.patients.insert(person, self.tokens < self.most_tokens);
        self.tokens = (self.tokens + open.patients.held()).saturating_sub(before);
        self.active[open.band()] = self.active[open.band()].saturating_sub(1);
        let patients = open.exposure.patients.value;
        let worse = match access.answers() {
            Answers::Anyone => open.grade(&self.settings.severity, score),
            _ => open.grade_unproven(&self.settings.severity, score),
        };
        let now_patients = open.exposure.patients.value;
        self.steps.patients(patients, now_patients);
        let many = patients < ANNOUNCED_AT && now_patients >= ANNOUNCED_AT;
        self.active[open.band()] += 1;
        let (exposure, worst) = (open.exposure.id, open.worst());
        open.dirty = true;
        let state = opening
            .state(worse || many)
            .filter(|_| open.is_announced() || self.ceiling.announces(&event))
            .map(|state| open.report(open.after(state), now, &self.moves, &self.services));
        let key = self.settings.key;
        let place = FindingContext { key: &key, person, exposure, severity: score, direction };
        let detail = self.detail_of(&event);
        let counted = CountedFinding { exposure, known, records: event.finding.new_records, worst };
        self.write(detail, event, &place, counted, access, out);
        if self.memory() > self.settings.memory {
            self.lists(None, out);
            self.losses.findings_forgotten += self.announced.clear();
        }
        out.extend(state);
        if taken_first { Intake::New(Severity::of(score)) } else { Intake::Revised }
    }

    /// The level of detail of a finding: that of the run while the ceiling of written events allows it.
    fn detail_of(&mut self, event: &FindingEvent) -> Detail {
        if self.ceiling.admits(event) {
            return self.settings.detail;
        }
        let unwritten = self.settings.detail != Detail::Exposures && !event.finding.update;
        self.losses.findings_unwritten += u64::from(unwritten);
        Detail::Exposures
    }

    /// Writes the part of a finding that is new at the level of detail, and notes who was seen.
    fn write(
        &mut self,
        detail: Detail,
        mut event: Box<FindingEvent>,
        place: &FindingContext<'_>,
        counted: CountedFinding,
        access: Access,
        out: &mut Vec<Event>,
    ) {
        let CountedFinding { exposure, known, records, worst } = counted;
        if self.seen.are_wanted() || detail == Detail::Flows {
            event.id = EventId::of_finding(place.key, &event.flow, &event.finding.patient);
        }
        let admitted = self.announced.admit(detail, &mut event, place);
        self.seen.push(|| PatientObservation {
            exposure,
            person: known.person,
            records: records.into(),
            within: SeenIn::of(&event),
            packets: event.finding.packets,
            worst,
            news: Some(Box::new(NewFinding {
                event: (*event).clone(),
                severity: place.severity,
                merged: known.merged,
            })),
        });
        let direction = place.direction;
        match admitted {
            Admitted::Written(severity) => {
                self.ceiling.written(&event);
                out.push(Event::Finding { event, severity, direction, exposure, access });
            }
            Admitted::Listed(list) => out.push(Event::Patients(list)),
            Admitted::Nothing => {}
        }
    }

    /// Bytes of heap held for exposures, people and findings, roughly.
    pub(in crate::exposure) fn memory(&self) -> usize {
        let open = self.open.len() * OPEN + self.tokens * TOKEN;
        self.announced.memory() + self.people.memory() + open
    }

    /// Writes the lists of patients that fell due by `now`, or all.
    fn lists(&mut self, now: Option<Timestamp>, out: &mut Vec<Event>) {
        while let Some(list) = self.announced.next_list(now) {
            out.push(Event::Patients(Box::new(list)));
        }
    }

    /// Opens the exposure between `pair`.
    fn open(
        &mut self,
        pair: Pair,
        direction: NetworkDirection,
        event: &FindingEvent,
        out: &mut Vec<Event>,
    ) -> Opening {
        let now = event.finding.time;
        if self.open.len() >= self.most {
            let first = self.quiet.first_key_value().or_else(|| self.due.first_key_value());
            if let Some(first) = first.map(|(_, pair)| *pair) {
                self.losses.exposures_ended_early += 1;
                let known = self.open.get(&first).map(|open| open.known(0));
                self.end(first, now, out);
                known.into_iter().for_each(|known| self.known.keep(known));
            }
        }
        let mut open = Open::new(&self.settings.key, self.opened, pair, direction, event);
        open.uncaptured_before = self.services.uncaptured;
        let known = self.known.take(&pair, now - self.settings.forget).map(|known| {
            let last = known.last;
            open.resume(known, self.most_tokens.saturating_sub(self.tokens).min(MAX_PATIENTS));
            self.tokens += open.patients.held();
            last
        });
        self.opened += 1;
        // When the next update is due; whether one is needed is decided then.
        open.due = now + self.settings.update;
        self.due.insert((open.due, open.number), pair);
        self.active[open.band()] += 1;
        let opening = match known.map(|known| now - known) {
            None => Opening::New,
            Some(quiet) if quiet >= RETURN_AFTER => Opening::Returns,
            Some(_) => Opening::Resumed,
        };
        self.open.insert(pair, open);
        opening
    }

    /// A quiet exposure becomes active.
    fn wake(&mut self, pair: Pair, now: Timestamp) {
        let Some(open) = self.open.get_mut(&pair) else { return };
        if open.quiet {
            self.quiet.remove(&(open.due, open.number));
            self.idle[open.band()] = self.idle[open.band()].saturating_sub(1);
            open.stir(self.services.uncaptured);
            open.due = now + self.settings.update;
            self.due.insert((open.due, open.number), pair);
            self.active[open.band()] += 1;
        }
    }

    /// Whether a finding is suppressed, and so with its whole exposure. Counts it, and also findings of suppressions
    /// that have expired.
    fn suppress(&mut self, event: &FindingEvent) -> Option<bool> {
        let finding = &event.finding;
        let (client, server) = event.flow.parties();
        let asked = SuppressionQuery {
            client: client.ip(),
            server,
            host: event.finding.facts.host(),
            rule: &finding.alert.id,
            patient: [Some(finding.patient.bytes()), event.person.as_ref().map(Token::bytes)],
        };
        let found = self.settings.suppressions.find(&asked, finding.time)?;
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
        found.ok().map(Suppression::is_whole)
    }

    /// Applies other rules from now on.
    pub fn select_protocol(&mut self, rules: &RuleSet) {
        self.settings.severity = rules.policy.severity.clone();
        self.settings.access = rules.policy.access.clone();
        self.settings.suppressions = Arc::clone(&rules.suppressions);
    }

    /// What was suppressed, sorted by the suppressions' ids.
    pub fn suppressed(&self) -> Vec<Suppressed> {
        self.suppressed.values().cloned().collect()
    }

    /// Takes a flow whose protocol was recognised.
    ///
    /// Foreign web servers are reported only if patient data goes to them: every browsing user meets thousands.
    pub fn service(&mut self, seen: ServiceObservation<'_>, out: &mut Vec<Event>) {
        self.tick(seen.time, out);
        if seen.protocol == "http" && !self.settings.home.contains(seen.flow.server.ip()) {
            return;
        }
        self.see(&seen, out);
        let pair = Pair::of(seen.flow, seen.protocol);
        if let Some(open) = self.open.get_mut(&pair) {
            open.settle(seen.facts);
        }
    }

    /// Takes the activity of a flow. It belongs to the open exposure between its ends, if there is one.
    pub fn performed(&mut self, what: FlowActivity<'_>, out: &mut Vec<Event>) {
        if !what.activity.is_empty() || !what.objects.is_empty() {
            self.services.performed(&what, out);
        }
        let (client, server) = what.flow.parties();
        let pair = Pair::of(what.flow, what.protocol);
        what.records.iter().for_each(|again| self.repeat(pair, &what, again));
        let open = self.open.get_mut(&pair);
        let sides = what.activity.moves.iter().map(|m| self.moves.see(m, client.ip(), server));
        let Some(open) = open else {
            sides.for_each(drop);
            return;
        };
        for side in sides {
            moves::add(&mut open.moves, side, moves::MAX_LISTED);
        }
        open.exposure.losses += what.activity.losses;
        let before = open.inventory.held();
        let room = self.most_tokens.saturating_sub(self.tokens);
        open.inventory.add(&what.activity.counts, what.objects, room);
        self.tokens = (self.tokens + open.inventory.held()).saturating_sub(before);
        open.dirty = true;
    }

    /// Counts records of a patient that contained nothing new. Those of suppressed findings and of exposures that
    /// ended early are not counted.
    fn repeat(&mut self, pair: Pair, what: &FlowActivity<'_>, again: &Repeated) {
        let (last, Repeated { patient, new: records, .. }) = (what.repeated, *again);
        if self.withheld.holds(pair, patient) {
            return;
        }
        self.wake(pair, last.time);
        let Some(open) = self.open.get_mut(&pair) else { return };
        open.records(records, last);
        let (exposure, worst) = (open.exposure.id, open.worst());
        let listed = self.settings.detail == Detail::Patients;
        if !listed && !self.seen.are_wanted() {
            return;
        }
        let person = self.people.person(patient);
        if listed {
            self.announced.records(pair, person, records);
        }
        self.seen.push(|| PatientObservation::again(exposure, person, what, again, worst));
    }

    /// Writes the updates that fell due by `now`, and the exposures that became idle.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        self.lists(Some(now), out);
        // Every round removes one entry and adds at most one, later than `now`.
        while let Some(entry) = self.due.first_entry() {
            let (at, number) = *entry.key();
            if at > now {
                break;
            }
            let pair = entry.remove();
            let Some(open) = self.open.get_mut(&pair) else { continue };
            let ends =
                (open.exposure.last + self.settings.idle).max(open.wrote + self.settings.update);
            if at >= ends {
                let at = at.max(open.exposure.last);
                out.push(open.report(ExposureState::Idle, at, &self.moves, &self.services));
                open.rest(self.services.uncaptured);
                open.due = at;
                self.quiet.insert((at, number), pair);
                self.active[open.band()] = self.active[open.band()].saturating_sub(1);
                self.idle[open.band()] += 1;
                continue;
            }
            if open.dirty {
                let news = open.after(ExposureState::Update);
                out.push(open.report(news, at, &self.moves, &self.services));
                open.due = at + self.settings.update;
            } else {
                // Nothing new: look again when it would become idle, or when the next update is due.
                open.due = ends.min(at + self.settings.update);
            }
            self.due.insert((open.due, number), pair);
        }
        self.forget(now, out);
    }

    /// The run has ended: ends every exposure, in the order of opening.
    pub fn finish(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        self.tick(now, out);
        self.lists(None, out);
        let mut left: Vec<(u64, Pair)> = self.open.iter().map(|(p, o)| (o.number, *p)).collect();
        left.sort_unstable_by_key(|(number, _)| *number);
        for (_, pair) in left {
            self.end(pair, now, out);
        }
        self.services.finish(now, out);
        self.finish_handshakes(now, out);
    }

    /// Observations since the last call, in order; none unless [`Settings::observe_patients`] asked for them.
    pub fn take_observations(&mut self) -> Vec<PatientObservation> {
        self.seen.take()
    }

    /// Distinct patients of the whole run.
    pub fn patients(&self) -> Count {
        self.patients.count()
    }

    /// Findings so far (patients by flow), revisions not counted.
    pub fn findings(&self) -> u64 {
        self.steps.directions.iter().sum()
    }

    /// Exposures opened so far.
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Exposures that are not idle by severity, in the order of [`Severity::ALL`].
    pub const fn active(&self) -> [u64; Severity::ALL.len()] {
        self.active
    }

    /// Exposures that have ended by severity, in the order of [`Severity::ALL`].
    pub const fn graded(&self) -> [u64; Severity::ALL.len()] {
        self.ended
    }

    /// Findings by direction, and exposures by their severity and their patients.
    pub fn steps(&self) -> ThresholdCounters {
        let counts = self.active.iter().zip(&self.idle).zip(&self.ended);
        let mut exposures = [0; Severity::ALL.len()];
        for (sum, ((active, idle), ended)) in exposures.iter_mut().zip(counts) {
            *sum = active + idle + ended;
        }
        ThresholdCounters { exposures, ..self.steps }
    }

    /// Points for the number of patients, by the rules in force.
    pub fn points(&self) -> ExposurePoints {
        ExposurePoints::from(&self.settings.severity)
    }

    /// What was lost to caps.
    pub const fn losses(&self) -> Losses {
        let unreported = self.service_observations.unreported() + self.services.unreported();
        Losses { sightings_unreported: unreported, ..self.losses }
    }

    pub(in crate::exposure) fn end(&mut self, pair: Pair, at: Timestamp, out: &mut Vec<Event>) {
        if let Some(mut open) = self.open.remove(&pair) {
            let tokens = open.patients.held() + open.inventory.held();
            self.tokens = self.tokens.saturating_sub(tokens);
            let key = (open.due, open.number);
            self.ended[open.band()] += 1;
            if open.quiet {
                self.quiet.remove(&key);
                self.idle[open.band()] = self.idle[open.band()].saturating_sub(1);
            } else {
                self.due.remove(&key);
                self.active[open.band()] = self.active[open.band()].saturating_sub(1);
            }
            let at = at.max(open.exposure.last);
            out.push(open.report(ExposureState::Ended, at, &self.moves, &self.services));
        }
    }
}

/// Where a finding belongs, and what was known when it came.
struct CountedFinding {
    exposure: EventId,
    known: Recognised,
    /// Its new records.
    records: u32,
    /// The exposure's worst findings so far.
    worst: Worst,
}

#[cfg(test)]
impl Exposures {
    /// Whether no exposure is held and all gauges are back at zero.
    pub(in crate::exposure) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.due.is_empty()
            && self.quiet.is_empty()
            && self.tokens == 0
            && self.active == [0; Severity::ALL.len()]
            && self.idle == [0; Severity::ALL.len()]
            && self.steps().exposures.iter().sum::<u64>() == self.opened
    }
}
