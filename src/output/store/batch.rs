//! Entries for the next transaction. Repeated updates of one patient or exposure are written once.

use crate::capture::PacketSpan;
use crate::exposure::{EventId, Exposure, NewFinding, PatientKey, PatientObservation};
use crate::identify::{Identifier, Token};
use crate::rules::{Kind, KindSet};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// An exposure as in its last event.
pub(super) struct ExposureRow {
    pub id: EventId,
    pub fingerprint: Token,
    pub severity: u8,
    pub first: Timestamp,
    pub last: Timestamp,
    pub event: Vec<u8>,
}

/// A patient of an exposure.
pub(super) struct Row {
    pub exposure: EventId,
    pub patient: PatientKey,
    pub first: Timestamp,
    pub last: Timestamp,
    pub records: u64,
    pub packets: PacketSpan,
    /// `None` if nothing new was found.
    pub news: Option<Box<NewFinding>>,
    pub kinds: KindSet,
    pub identifiers: Vec<Identifier>,
    /// Every pseudonym by which the patient is found.
    pub tokens: Vec<Token>,
}

/// People who turned out to be one.
pub(super) struct Merge {
    pub one: PatientKey,
    pub other: PatientKey,
}

#[derive(Default)]
pub(super) struct Batch {
    pub exposures: Vec<ExposureRow>,
    pub services: Vec<(EventId, Vec<u8>)>,
    pub assets: Vec<(EventId, Vec<u8>)>,
    pub rows: Vec<Row>,
    pub merges: Vec<Merge>,
    of_exposure: HashMap<EventId, usize>,
    of_row: HashMap<(EventId, PatientKey), usize>,
}

/// Whether identifiers of this kind are used to look up a person.
const fn leads_to_person(kind: Kind) -> bool {
    kind.is_number_or_name() || matches!(kind, Kind::BirthDate | Kind::Phone | Kind::Email)
}

impl Batch {
    pub const fn len(&self) -> usize {
        self.exposures.len()
            + self.services.len()
            + self.assets.len()
            + self.rows.len()
            + self.merges.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn exposure(&mut self, exposure: &Exposure, event: Vec<u8>) {
        let row = ExposureRow {
            id: exposure.id,
            fingerprint: exposure.fingerprint,
            severity: exposure.severity,
            first: exposure.first,
            last: exposure.last,
            event,
        };
        let at = *self.of_exposure.entry(row.id).or_insert(self.exposures.len());
        match self.exposures.get_mut(at) {
            Some(known) => *known = row,
            None => self.exposures.push(row),
        }
    }

    pub fn service(&mut self, id: EventId, event: Vec<u8>) {
        replace(&mut self.services, id, event);
    }

    pub fn asset(&mut self, id: EventId, event: Vec<u8>) {
        replace(&mut self.assets, id, event);
    }

    pub fn observation(&mut self, observation: &PatientObservation) {
        for &other in observation.news.iter().flat_map(|news| &news.merged) {
            self.merges.push(Merge { one: observation.person, other });
        }
        let key = (observation.exposure, observation.person);
        let at = *self.of_row.entry(key).or_insert(self.rows.len());
        if at == self.rows.len() {
            self.rows.push(Row {
                exposure: observation.exposure,
                patient: observation.person,
                first: observation.packets.first.time,
                last: observation.packets.last.time,
                records: 0,
                packets: observation.packets,
                news: None,
                kinds: KindSet::default(),
                identifiers: Vec::new(),
                tokens: vec![observation.person],
            });
        }
        if let Some(row) = self.rows.get_mut(at) {
            row.add(observation);
        }
    }
}

/// Services and assets are rare: the list is short.
fn replace(list: &mut Vec<(EventId, Vec<u8>)>, id: EventId, event: Vec<u8>) {
    match list.iter_mut().find(|(known, _)| *known == id) {
        Some((_, known)) => *known = event,
        None => list.push((id, event)),
    }
}

impl Row {
    fn add(&mut self, observation: &PatientObservation) {
        self.records += observation.records;
        self.packets.extend(observation.packets);
        self.last = self.last.max(observation.packets.last.time);
        let Some(news) = &observation.news else { return };
        let finding = &news.event.finding;
        // Packets of a finding reach back to its first record; those of a row only to records not counted before.
        self.first = self.first.min(finding.packets.first.time).min(finding.time);
        self.last = self.last.max(finding.time);
        self.kinds = self.kinds.union(finding.kinds);
        let known = self.identifiers.len();
        for identifier in finding.identifiers.iter() {
            let same = |k: &Identifier| k.token == identifier.token && k.kind == identifier.kind;
            if !self.identifiers.get(..known).is_some_and(|old| old.iter().any(same)) {
                self.identifiers.push(identifier.clone());
            }
        }
        let mut tokens = vec![finding.patient];
        for identifier in finding.identifiers.iter().filter(|i| leads_to_person(i.kind)) {
            tokens.extend([identifier.token, identifier.unissued]);
        }
        for token in tokens {
            if !self.tokens.contains(&token) {
                self.tokens.push(token);
            }
        }
        let worst = self.news.as_ref().is_none_or(|known| known.severity < news.severity);
        if worst {
            // Identifiers are in the row already.
            let mut news = news.clone();
            news.event.finding.identifiers = Arc::default();
            if let Some(known) = &self.news {
                news.event.id = known.event.id;
            }
            self.news = Some(news);
        }
    }
}
