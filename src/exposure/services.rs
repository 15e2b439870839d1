//! Services: each told when it is first seen, and anew when what is known of it has changed.

use super::access::{Access, AccessTracker, Answers};
use super::counters::ExposureCounters;
use super::distinct::Distinct;
use super::types::{Event, EventId, FlowActivity, PatientKey, Service, ServiceObservation, socket};
use crate::flow::{FlowInfo, Transport};
use crate::protocol::ServiceFacts;
use crate::rules::{AccessRules, Secret, ServiceKind};
use crate::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Services remembered as told; further ones are counted, not told.
pub const MAX_SERVICES: usize = 65_536;
/// Services of which more is kept than that they were told.
pub const MAX_WATCHED: usize = 4_096;
/// Pseudonyms of patients and objects held of all services together; beyond it new counts become
/// estimates.
pub const MAX_TOKENS: usize = 1 << 20;
/// A service whose numbers changed is told anew at most this often.
const TELL_EVERY: Span = Span::seconds(3_600);

type Name = (SocketAddr, u8, &'static str);

/// The services of a run.
#[derive(Default)]
pub(in crate::exposure) struct Services {
    /// In the order of their addresses: what is told at the end must not depend on chance.
    known: BTreeMap<Name, Known>,
    watched: usize,
    tokens: usize,
    /// ServiceObservations passed over because a cap was reached.
    pub unreported: u64,
}

#[derive(Default)]
struct Known {
    /// Id and time of its first sighting, once it was told.
    told: Option<(EventId, Timestamp)>,
    /// What of its facts was told that is worth telling anew.
    shown: u32,
    watch: Option<Box<Watch>>,
}

/// Kinds of interfaces, open or not, and of secrets, one bit each: a service that shows more of
/// itself is told anew.
fn worth(facts: &ServiceFacts) -> u32 {
    let interfaces = facts.interfaces.iter().fold(0, |bits, interface| {
        bits | 1 << (2 * interface.kind as u32 + u32::from(interface.open))
    });
    facts.credentials.iter().fold(interfaces, |bits, secret| bits | 1 << (SECRETS + *secret as u32))
}

/// The first bit of secrets.
const SECRETS: u32 = 2 * ServiceKind::ALL.len() as u32;
const _: () = assert!(SECRETS as usize + Secret::ALL.len() <= 32);

/// What is kept of a service that speaks DICOM or hands over DICOM objects.
struct Watch {
    transport: Transport,
    /// Of all associations together.
    facts: Arc<ServiceFacts>,
    /// Of the last one.
    latest: Arc<ServiceFacts>,
    door: AccessTracker,
    inventory: ExposureCounters,
    patients: Distinct,
    /// As told last.
    told: Timestamp,
    answers: Answers,
    /// Something is not told yet.
    news: bool,
}

fn name(flow: &FlowInfo, protocol: &'static str) -> Name {
    (flow.server, flow.transport.number(), protocol)
}

impl Services {
    /// Takes note of a sighting, and tells of the service what is new and matters.
    pub fn see(
        &mut self,
        key: &[u8; 32],
        sighting: &ServiceObservation<'_>,
        rules: &AccessRules,
        out: &mut Vec<Event>,
    ) {
        let Some(known) =
            self.entry(sighting.flow, sighting.protocol, sighting.protocol == "dicom")
        else {
            return;
        };
        let name = name(sighting.flow, sighting.protocol);
        if let Some(watch) = &mut known.watch {
            watch.see(sighting, rules);
        }
        let shown = worth(sighting.facts);
        if known.told.is_some() && shown & !known.shown == 0 {
            known.tell_news(name, sighting.time, out);
            return;
        }
        known.shown |= shown;
        let (id, _) = *known.told.get_or_insert_with(|| {
            let parts: [&[u8]; 3] = [&socket(name.0), &[name.1], name.2.as_bytes()];
            (EventId::derive(key, "service", sighting.time, &parts), sighting.time)
        });
        out.push(match &mut known.watch {
            Some(watch) => watch.tell(id, name, sighting.time),
            None => plain(id, name, sighting),
        });
    }

    /// Takes note of what a flow did.
    pub fn performed(&mut self, what: &FlowActivity<'_>, out: &mut Vec<Event>) {
        let room = MAX_TOKENS.saturating_sub(self.tokens);
        let Some(known) = self.entry(what.flow, what.protocol, true) else { return };
        let Some(watch) = &mut known.watch else { return };
        let before = watch.inventory.held();
        watch.inventory.add(&what.activity.counts, what.objects, room);
        let after = watch.inventory.held();
        watch.door.access.not_authorized |=
            what.activity.counts.contains_key(&("status", "not-authorized"));
        watch.news = true;
        known.tell_news(name(what.flow, what.protocol), what.time, out);
        self.tokens = (self.tokens + after).saturating_sub(before);
    }

    /// A patient was seen with a service, who is also those that were taken for others until now.
    pub fn patient(
        &mut self,
        flow: &FlowInfo,
        protocol: &'static str,
        patient: PatientKey,
        merged: &[PatientKey],
    ) {
        let room = self.tokens < MAX_TOKENS;
        let known = self.known.get_mut(&name(flow, protocol));
        let Some(watch) = known.and_then(|k| k.watch.as_mut()) else { return };
        let before = watch.patients.held();
        for other in merged {
            watch.patients.forget(*other);
        }
        watch.news |= watch.patients.insert(patient, room);
        self.tokens = (self.tokens + watch.patients.held()).saturating_sub(before);
    }

    /// Whom a service lets in.
    pub fn access(
        &self,
        server: SocketAddr,
        transport: Transport,
        protocol: &'static str,
    ) -> Access {
        let known = self.known.get(&(server, transport.number(), protocol));
        let watch = known.and_then(|k| k.watch.as_ref());
        watch.map_or_else(Access::default, |w| w.door.access)
    }

    /// Tells what has not been told yet.
    pub fn finish(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        for (&name, known) in &mut self.known {
            if let (Some((id, _)), Some(watch)) = (known.told, &mut known.watch)
                && watch.news
            {
                out.push(watch.tell(id, name, now.max(watch.told)));
            }
        }
    }

    fn entry(
        &mut self,
        flow: &FlowInfo,
        protocol: &'static str,
        watch: bool,
    ) -> Option<&mut Known> {
        let name = name(flow, protocol);
        if !self.known.contains_key(&name) && self.known.len() >= MAX_SERVICES {
            self.unreported += 1;
            return None;
        }
        let known = self.known.entry(name).or_default();
        if watch && known.watch.is_none() && self.watched < MAX_WATCHED {
            self.watched += 1;
            known.watch = Some(Box::new(Watch::new(flow.transport)));
        }
        Some(known)
    }
}

impl Known {
    /// Tells it anew if whom it answers has shown, or if it is long since it was told.
    fn tell_news(&mut self, name: Name, now: Timestamp, out: &mut Vec<Event>) {
        let (Some((id, _)), Some(watch)) = (self.told, &mut self.watch) else { return };
        let shown = watch.answers != watch.door.access.answers();
        if shown || watch.news && now >= watch.told + TELL_EVERY {
            out.push(watch.tell(id, name, now));
        }
    }
}

impl Watch {
    fn new(transport: Transport) -> Self {
        Self {
            transport,
            facts: Arc::default(),
            latest: Arc::default(),
            door: AccessTracker::default(),
            inventory: ExposureCounters::default(),
            patients: Distinct::default(),
            told: Timestamp(0),
            answers: Answers::Unproven,
            news: false,
        }
    }

    fn see(&mut self, sighting: &ServiceObservation<'_>, rules: &AccessRules) {
        if Arc::ptr_eq(&self.latest, sighting.facts) {
            return;
        }
        self.latest = Arc::clone(sighting.facts);
        let before = self.door.access;
        self.door.see(sighting.flow.client.ip(), sighting.facts, rules);
        let merged = self.facts.joined(sighting.facts);
        self.news |= self.door.access != before || *self.facts != merged;
        self.facts = Arc::new(merged);
    }

    fn tell(&mut self, id: EventId, (server, _, protocol): Name, time: Timestamp) -> Event {
        self.told = time;
        self.answers = self.door.access.answers();
        self.news = false;
        Event::Service(Box::new(Service {
            id,
            time,
            server,
            transport: self.transport,
            protocol,
            facts: Arc::clone(&self.facts),
            access: self.door.access,
            titles: self.door.titles.clone(),
            refused_titles: self.door.refused.clone(),
            figures: self.inventory.figures(),
            patients: self.patients.count(),
        }))
    }
}

/// A service of which nothing more is kept.
fn plain(id: EventId, (server, _, protocol): Name, sighting: &ServiceObservation<'_>) -> Event {
    Event::Service(Box::new(Service {
        id,
        time: sighting.time,
        server,
        transport: sighting.flow.transport,
        protocol,
        facts: Arc::clone(sighting.facts),
        access: Access::default(),
        titles: Vec::new(),
        refused_titles: Vec::new(),
        figures: Default::default(),
        patients: Default::default(),
    }))
}
