//! Services: each is reported when first seen, and again when what is known about it has changed.

use super::access::{self, Access, AccessTracker, Answers, Proof};
use super::counters::ExposureCounters;
use super::distinct::Distinct;
use super::ranked_map::{EvictionRank, RankedMap};
use super::types::{Event, EventId, FlowActivity, PatientKey, Service, ServiceObservation, socket};
use crate::flow::{FlowInfo, Transport};
use crate::protocol::{self, ServiceFacts};
use crate::rules::{AccessRules, Secret, ServiceKind};
use crate::time::{Span, Timestamp};
use std::net::SocketAddr;
use std::sync::Arc;

/// Reported services that are remembered; beyond it the least valuable are evicted.
pub const MAX_SERVICES: usize = 65_536;
/// Services tracked in detail, with the same eviction.
pub const MAX_WATCHED: usize = 4_096;
/// Pseudonyms of patients and objects held for all services together; beyond it new counts become estimates.
pub const MAX_TOKENS: usize = 1 << 20;
/// Approximate bytes of heap of a service, of one tracked in detail, and of a pseudonym: fewer are
/// kept where memory is short.
const SERVICE: usize = 512;
const WATCHED: usize = 8 << 10;
const TOKEN: usize = 32;
/// Services that are kept even where memory is short.
const MIN_SERVICES: usize = 64;
/// Minimum time between reports of a service whose numbers changed.
const TELL_EVERY: Span = Span::seconds(3_600);

pub(in crate::exposure) type Name = (SocketAddr, u8, &'static str);

/// The services of a run.
pub(in crate::exposure) struct Services {
    /// In order of their addresses, so that the final report is deterministic.
    known: RankedMap<Name, ReportState>,
    watched: RankedMap<Name, WatchedService>,
    tokens: usize,
    most_tokens: usize,
    /// Services that proved to answer any client since the last query.
    proven: Vec<Name>,
    /// Packets that kernel and interface dropped so far: any service may have sent them.
    pub uncaptured: u64,
}

#[derive(Default)]
struct ReportState {
    /// ID and time of its first observation, once reported.
    reported: Option<(EventId, Timestamp)>,
    /// The reported facts whose change is worth a new report.
    shown: u32,
    /// It showed what it is to a client that did not log in.
    open: bool,
    /// It served such a client.
    anonymous: bool,
    /// The flows that showed this first.
    proofs: Option<Box<[Option<Proof>; 2]>>,
}

/// Kinds of interfaces, open or not, and of secrets, one bit each: a service that shows more is reported
/// again.
fn worth(facts: &ServiceFacts) -> u32 {
    let interfaces = facts.interfaces.iter().fold(0, |bits, interface| {
        bits | 1 << (2 * interface.kind as u32 + u32::from(interface.open))
    });
    let anonymous = interfaces | u32::from(facts.anonymous) << ANONYMOUS;
    facts.credentials.iter().fold(anonymous, |bits, secret| bits | 1 << (SECRETS + *secret as u32))
}

/// The first bit of secrets.
const SECRETS: u32 = 2 * ServiceKind::ALL.len() as u32;
/// The bit of a service that was seen to serve any client.
const ANONYMOUS: u32 = 31;
const _: () = assert!(SECRETS as usize + Secret::ALL.len() <= ANONYMOUS as usize);

/// Details of a service that speaks DICOM or transfers DICOM objects.
struct WatchedService {
    transport: Transport,
    /// Facts of all associations together.
    facts: Arc<ServiceFacts>,
    /// Facts of the last one.
    latest: Arc<ServiceFacts>,
    tracker: AccessTracker,
    inventory: ExposureCounters,
    patients: Distinct,
    /// As last reported.
    reported: Timestamp,
    answers: Answers,
    /// Something has not been reported yet.
    news: bool,
}

fn name(flow: &FlowInfo, protocol: &'static str) -> Name {
    (flow.parties().1, flow.transport.number(), protocol)
}

impl Services {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self {
            known: RankedMap::new((memory / SERVICE).clamp(MIN_SERVICES, MAX_SERVICES)),
            watched: RankedMap::new((memory / WATCHED).clamp(MIN_SERVICES, MAX_WATCHED)),
            tokens: 0,
            most_tokens: (memory / TOKEN).min(MAX_TOKENS),
            proven: Vec::new(),
            uncaptured: 0,
        }
    }

    /// The services that proved to answer any client since the last call.
    pub fn take_proven(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.proven)
    }

    /// Records an observation, and reports what is new and matters about the service.
    pub fn see(
        &mut self,
        key: &[u8; 32],
        observation: &ServiceObservation<'_>,
        rules: &AccessRules,
        out: &mut Vec<Event>,
    ) {
        let name = name(observation.flow, observation.protocol);
        let roles = protocol::roles(observation.protocol, observation.facts, observation.content);
        let value = EvictionRank::of(roles.server, observation.facts);
        let watched = observation.protocol == "dicom" || self.watched.get(&name).is_some();
        let mut watch = None;
        if watched {
            let Self { watched, tokens, .. } = self;
            watch = WatchedService::of(watched, tokens, observation.flow, name, value);
        }
        let open = observation.facts.interfaces.iter().any(|interface| interface.open);
        let anonymous = observation.facts.anonymous;
        let mut proves = watch.is_none() && (open || anonymous);
        if let Some(watch) = &mut watch {
            let before = watch.tracker.access;
            watch.see(observation, rules);
            watch.tracker.access.open_interface |= open;
            watch.tracker.access.anonymous |= anonymous;
            watch.tracker.prove(before, observation.flow, observation.time);
            proves = before.answers() != Answers::Anyone
                && watch.tracker.access.answers() == Answers::Anyone;
        }
        let known = self.known.see(name, value);
        if proves && known.as_ref().is_none_or(|known| !known.open && !known.anonymous) {
            self.proven.push(name);
        }
        let Some(known) = known else { return };
        known.prove(open, anonymous, observation);
        let shown = worth(observation.facts);
        // Reported when the flow has ended and more of its facts may be shown.
        if known.reported.is_none() && observation.facts.withheld {
            return;
        }
        if known.reported.is_some() && shown & !known.shown == 0 {
            known.report_news(watch, name, observation.time, out);
            return;
        }
        known.shown |= shown;
        let (id, _) = *known.reported.get_or_insert_with(|| {
            let parts: [&[u8]; 3] = [&socket(name.0), &[name.1], name.2.as_bytes()];
            (EventId::derive(key, "service", observation.time, &parts), observation.time)
        });
        out.push(match &mut watch {
            Some(watch) => watch.report(id, name, observation.time),
            None => plain(id, name, observation, known),
        });
    }

    /// Notes the activity of a flow.
    pub fn performed(&mut self, what: &FlowActivity<'_>, out: &mut Vec<Event>) {
        let room = self.most_tokens.saturating_sub(self.tokens);
        let name = name(what.flow, what.protocol);
        let Self { watched, tokens, .. } = self;
        let Some(watch) = WatchedService::of(watched, tokens, what.flow, name, EvictionRank::Asked)
        else {
            return;
        };
        let before = watch.inventory.held();
        watch.inventory.add(&what.activity.counts, what.objects, room);
        let after = watch.inventory.held();
        let access = watch.tracker.access;
        watch.tracker.access.not_authorized |=
            what.activity.counts.contains_key(&("status", "not-authorized"));
        watch.tracker.prove(access, what.flow, what.time);
        watch.news = true;
        if let Some(known) = self.known.get_mut(&name) {
            known.report_news(Some(watch), name, what.time, out);
        }
        self.tokens = (self.tokens + after).saturating_sub(before);
    }

    /// A patient was seen with a service; `merged` are people counted separately until now.
    pub fn patient(
        &mut self,
        flow: &FlowInfo,
        protocol: &'static str,
        patient: PatientKey,
        merged: &[PatientKey],
    ) {
        let room = self.tokens < self.most_tokens;
        let name = name(flow, protocol);
        // It was seen just now, so there is room.
        self.known.see(name, EvictionRank::Patients);
        if self.watched.get(&name).is_none() {
            return;
        }
        let Some(watch) = self.watched.see(name, EvictionRank::Patients) else { return };
        let before = watch.patients.held();
        for other in merged {
            watch.patients.forget(*other);
        }
        watch.news |= watch.patients.insert(patient, room);
        self.tokens = (self.tokens + watch.patients.held()).saturating_sub(before);
    }

    /// Which clients a service accepts.
    pub fn access(
        &self,
        server: SocketAddr,
        transport: Transport,
        protocol: &'static str,
    ) -> Access {
        let name = (server, transport.number(), protocol);
        let mut access = self.watched.get(&name).map_or_else(Access::default, |w| w.tracker.access);
        if let Some(known) = self.known.get(&name) {
            access.open_interface |= known.open;
            access.anonymous |= known.anonymous;
        }
        access
    }

    /// Reports what has not been reported yet.
    pub fn finish(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        for (name, watch) in self.watched.iter_mut().filter(|(_, watch)| watch.news) {
            if let Some((id, _)) = self.known.get(&name).and_then(|known| known.reported) {
                out.push(watch.report(id, name, now.max(watch.reported)));
            }
        }
    }

    /// Entries that found no room because all others are more valuable.
    pub const fn unreported(&self) -> u64 {
        self.known.refused
    }
}

impl ReportState {
    /// Notes that the service showed what it is, or served, without a login, and the flow that showed it first.
    fn prove(&mut self, open: bool, anonymous: bool, by: &ServiceObservation<'_>) {
        let news = [
            (open && !self.open, access::OPEN_INTERFACE),
            (anonymous && !self.anonymous, access::ANONYMOUS),
        ];
        for (place, (_, evidence)) in news.into_iter().enumerate().filter(|(_, (new, _))| *new) {
            if let Some(proof) = self.proofs.get_or_insert_default().get_mut(place) {
                *proof = Some(Proof::new(evidence, by.flow, by.time));
            }
        }
        self.open |= open;
        self.anonymous |= anonymous;
    }

    /// Reports it again if whom it answers has become known, or if the last report is old.
    fn report_news(
        &self,
        watch: Option<&mut WatchedService>,
        name: Name,
        now: Timestamp,
        out: &mut Vec<Event>,
    ) {
        let (Some((id, _)), Some(watch)) = (self.reported, watch) else { return };
        let shown = watch.answers != watch.tracker.access.answers();
        if shown || watch.news && now >= watch.reported + TELL_EVERY {
            out.push(watch.report(id, name, now));
        }
    }
}

impl Default for WatchedService {
    fn default() -> Self {
        Self {
            transport: Transport::Tcp,
            facts: Arc::default(),
            latest: Arc::default(),
            tracker: AccessTracker::default(),
            inventory: ExposureCounters::default(),
            patients: Distinct::default(),
            reported: Timestamp(0),
            answers: Answers::Unproven,
            news: false,
        }
    }
}

impl WatchedService {
    /// What a service shows for the first time belongs to it, whatever had to be evicted for it.
    fn of<'a>(
        watched: &'a mut RankedMap<Name, Self>,
        tokens: &mut usize,
        flow: &FlowInfo,
        name: Name,
        value: EvictionRank,
    ) -> Option<&'a mut Self> {
        watched.see(name, value)?;
        if let Some(gone) = watched.take_gone() {
            *tokens = tokens.saturating_sub(gone.inventory.held() + gone.patients.held());
        }
        let watch = watched.get_mut(&name)?;
        watch.transport = flow.transport;
        Some(watch)
    }

    fn see(&mut self, observation: &ServiceObservation<'_>, rules: &AccessRules) {
        if Arc::ptr_eq(&self.latest, observation.facts) {
            return;
        }
        self.latest = Arc::clone(observation.facts);
        let before = self.tracker.access;
        self.tracker.see(observation.flow, observation.time, observation.facts, rules);
        let merged = ServiceFacts::joined(&self.facts, observation.facts);
        self.news |= self.tracker.access != before || self.facts != merged;
        self.facts = merged;
    }

    fn report(&mut self, id: EventId, (server, _, protocol): Name, time: Timestamp) -> Event {
        self.reported = time;
        self.answers = self.tracker.access.answers();
        self.news = false;
        Event::Service(Box::new(Service {
            id,
            time,
            server,
            transport: self.transport,
            protocol,
            facts: Arc::clone(&self.facts),
            access: self.tracker.access,
            titles: access::shown(&self.tracker.titles),
            refused_titles: access::shown(&self.tracker.refused),
            proofs: self.tracker.proofs.clone(),
            accepted: self.tracker.accepted(),
            figures: self.inventory.figures(),
            patients: self.patients.count(),
        }))
    }
}

/// A service that is not tracked in detail.
fn plain(
    id: EventId,
    (server, _, protocol): Name,
    observation: &ServiceObservation<'_>,
    known: &ReportState,
) -> Event {
    Event::Service(Box::new(Service {
        id,
        time: observation.time,
        server,
        transport: observation.flow.transport,
        protocol,
        facts: Arc::clone(observation.facts),
        access: Access {
            open_interface: known.open,
            anonymous: known.anonymous,
            ..Access::default()
        },
        titles: Vec::new(),
        refused_titles: Vec::new(),
        proofs: known.proofs.iter().flat_map(|proofs| proofs.iter().flatten().copied()).collect(),
        accepted: Default::default(),
        figures: Default::default(),
        patients: Default::default(),
    }))
}
