//! The patients of one flow, and the assignment of records to them.
//!
//! A record belongs to the first patient of the flow for whom one of these holds, in this order:
//!
//! 1. An id that one person has (`Kind::is_strong_id`) is equal, of the same issuer as far as both
//!    name one, and name and birth date do not both differ. A number that families share (health
//!    plan) counts only if nothing contradicts.
//! 2. Name and birth date are equal, and no id of the same kind and issuer differs. Where one has
//!    the name in parts, or only a part of it (a search), the other must have all of these.
//! 3. The name is equal, and no birth date and no id of the same kind differs, whoever issued it:
//!    one conversation seldom concerns two people of one name without distinguishing them. A single
//!    word is no name: then all that the record has must be known.
//! 4. The record has neither name nor such an id, and another number (accession, visit, account,
//!    e-mail...) is equal, and the birth date does not differ.
//!
//! Across flows a name alone joins nothing ([`super::People`]).
//!
//! Patients once separated stay separate, even if a later record joins them: their events have been written.

use super::counters::Loss;
use super::gate::{Gate, Texts, WITHHELD_FOR};
use super::match_index::MatchIndex;
use super::numbers::NumberLists;
use super::profile::{Digest, MAX_COMBINED, MatchKey, NewMatchKeys, Profile};
use super::pseudonym::{is_clue, strongest};
use super::record::{Complete, Identity, Record, RecordIdentifier};
use super::values::ValueCache;
use super::{Finding, IdentifyCounters, Key, Repeated, Settings, Token, Traits};
use crate::capture::PacketSpan;
use crate::content::MarkSet;
use crate::protocol::ServiceFacts;
use crate::rules::{AlertRule, KindSet, RuleSet};
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::sync::Arc;

/// A patient of the flow.
struct Patient {
    token: Token,
    profile: Profile,
    /// The packets of its records.
    packets: PacketSpan,
    records: u32,
    /// Of these, records that were passed on.
    handed_on: u32,
    /// Kinds that the last finding had.
    kinds: KindSet,
    marks: MarkSet,
    alert: Arc<AlertRule>,
}

/// Context for filing a record.
pub(super) struct RecordContext<'a> {
    /// What all workers share.
    pub settings: &'a Settings,
    /// The active rules.
    pub rules: &'a RuleSet,
    /// Packet time.
    pub now: Timestamp,
    /// Facts about the service.
    pub facts: &'a ServiceFacts,
}

/// The patients of one flow and the records still open.
#[derive(Default)]
pub struct Patients {
    pub(super) open: Vec<Record>,
    known: Vec<Patient>,
    clues: MatchIndex,
    pub(super) lists: NumberLists,
    /// Patients with records that contained nothing new and were not passed on yet.
    repeated: Vec<u32>,
    /// What may be shown of the facts. Most flows end without a finding, and need it only then.
    gate: Option<Box<Gate>>,
    /// The facts at the last finding, if values are revealed.
    facts: Arc<ServiceFacts>,
    /// The layers of the last finding.
    carrier: Arc<[&'static str]>,
    /// When the flow began.
    started: Timestamp,
    /// Bytes of heap behind `known` and `clues`, roughly.
    bytes: usize,
    /// Distinguishes this flow from others.
    flow: u128,
}

impl Patient {
    /// Learns the values of a record about a patient who is known. Adds its clues to `clues`. Returns the bytes of
    /// heap that it takes.
    fn learn(
        &mut self,
        record: &Complete<'_>,
        most: usize,
        clues: &mut NewMatchKeys,
        counters: &mut IdentifyCounters,
    ) -> usize {
        let before = self.profile.identifiers.len();
        self.profile.lost = 0;
        for held in record.held {
            self.profile.add(held, most);
        }
        self.count(before, counters);
        clues.extend(self.profile.values_that_lead(before));
        self.profile.bytes(before)
    }

    /// Counts its identifiers, from one on, and those that found no room.
    fn count(&self, from: usize, counters: &mut IdentifyCounters) {
        (0..self.profile.lost).for_each(|_| counters.lose(Loss::PatientIdentifiers));
        let new = self.profile.identifiers.get(from..).unwrap_or_default();
        new.iter().for_each(|identifier| counters.identifier(identifier.kind));
    }
}

impl Patients {
    /// For the flow identified by `flow`, which began at `started`.
    pub fn of_flow(flow: u128, started: Timestamp) -> Self {
        Self { flow, started, ..Self::default() }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let open: usize = self.open.iter().map(Record::memory).sum();
        let gate = self.gate.as_ref().map_or(0, |gate| gate.memory());
        open + gate + self.bytes + self.repeated.capacity() * size_of::<u32>() + self.lists.memory()
    }

    /// Whether no record is open.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Patients found so far.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Number of patients with records that were not passed on yet.
    pub const fn repeated(&self) -> usize {
        self.repeated.len()
    }

    /// Patients whose records contained nothing new since their last finding, and how many records.
    pub fn take_records(&mut self) -> Vec<Repeated> {
        let mut records = Vec::new();
        for index in std::mem::take(&mut self.repeated) {
            let Some(patient) = self.known.get_mut(index as usize) else { continue };
            let new = patient.records - patient.handed_on;
            if new > 0 {
                patient.handed_on = patient.records;
                records.push(Repeated { patient: patient.token, new, total: patient.records });
            }
        }
        records
    }

    /// Whether no patient was found so far.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What may be shown of the facts, now that the flow has ended.
    pub fn settled_facts(
        &mut self,
        facts: ServiceFacts,
        settings: &Settings,
        rules: &RuleSet,
        values: &mut ValueCache,
    ) -> Arc<ServiceFacts> {
        if settings.reveal {
            return Arc::new(facts);
        }
        let texts = values.texts(rules);
        match &mut self.gate {
            None => texts.settled_facts(&facts, &settings.key, rules),
            Some(gate) => gate.facts(&facts, true, rules, texts),
        }
    }

    /// What may be shown of the name of a host. It does not belong to the flow's service, so no later identifier is
    /// waited for.
    pub fn shown_name(
        &mut self,
        name: &str,
        settings: &Settings,
        rules: &RuleSet,
        values: &mut ValueCache,
    ) -> String {
        match settings.reveal {
            true => name.to_owned(),
            // No identifier of this flow may be in it, as none was found.
            false if self.gate.is_none() => Gate::name_alone(name, rules),
            false => self.gate(&settings.key).name(name, rules, values.texts(rules)),
        }
    }

    /// What may be shown of the facts while the flow is active.
    fn shown_facts(&mut self, around: &RecordContext<'_>, texts: &mut Texts) -> Arc<ServiceFacts> {
        if around.settings.reveal {
            if *self.facts != *around.facts {
                self.facts = Arc::new(around.facts.clone());
            }
            return Arc::clone(&self.facts);
        }
        let settled = around.now - self.started >= WITHHELD_FOR;
        self.gate(&around.settings.key).facts(around.facts, settled, around.rules, texts)
    }

    fn shown_operation(
        &mut self,
        operation: &str,
        around: &RecordContext<'_>,
        texts: &mut Texts,
    ) -> Arc<str> {
        match around.settings.reveal {
            true => operation.into(),
            false => self.gate(&around.settings.key).operation(operation, around.rules, texts),
        }
    }

    fn gate(&mut self, key: &Key) -> &mut Gate {
        self.gate.get_or_insert_with(|| Box::new(Gate::new(key)))
    }

    /// From now on, values with these hashes are shown nowhere.
    pub(super) fn learn_hashes(&mut self, hashes: &[u64], settings: &Settings) {
        if !hashes.is_empty() {
            self.gate(&settings.key).learn(hashes);
        }
    }

    /// From now on, these values are shown nowhere.
    pub(super) fn learn<'h>(
        &mut self,
        held: impl Iterator<Item = &'h RecordIdentifier>,
        settings: &Settings,
    ) {
        if settings.reveal {
            return;
        }
        let gate = self.gate(&settings.key);
        for held in held {
            gate.learn(&held.words_of);
        }
    }

    /// Files a complete record under its patient. Returns a finding, if it contained anything new.
    pub(super) fn file(
        &mut self,
        record: &Complete<'_>,
        alert: &Arc<AlertRule>,
        around: &RecordContext<'_>,
        texts: &mut Texts,
        counters: &mut IdentifyCounters,
    ) -> Option<Finding> {
        let RecordContext { settings, .. } = *around;
        let most = settings.identifiers_per_patient;
        let (index, update) = match self.find(record) {
            Some(index) => (index, true),
            None if self.known.len() >= settings.patients_per_flow => {
                counters.lose(Loss::Patients);
                self.learn(record.held.iter(), settings);
                return None;
            }
            None => {
                let profile = match record.profile {
                    Some(known) => {
                        known.get_or_init(|| Profile::of(record, most, &settings.key)).clone()
                    }
                    None => Profile::of(record, most, &settings.key),
                };
                (self.add(record, profile, alert, &settings.key)?, false)
            }
        };
        let patient = self.known.get_mut(index as usize)?;
        patient.records = patient.records.saturating_add(1);
        patient.packets.extend(record.packets);
        let mut clues = SmallVec::new();
        let marks_before = patient.marks;
        if !update {
            patient.marks = record.marks;
            let profile = patient.profile.clone();
            let digest = profile.digest.as_ref();
            let finding = Self::found(index, patient, false, record, counters, digest);
            match digest {
                Some(digest) => {
                    self.bytes += digest.bytes;
                    digest.clues().iter().for_each(|clue| self.remember(*clue, index));
                    self.learn_hashes(digest.words(), settings);
                }
                None => {
                    self.bytes += profile.bytes(0);
                    clues.extend(profile.values_that_lead(0));
                    profile.combined(&mut clues);
                    clues.iter().for_each(|clue| self.remember(clue.key(), index));
                    self.learn(record.held.iter(), settings);
                }
            }
            return Some(self.shown(finding, record, around, texts));
        }
        patient.marks = patient.marks.with_record(record.marks);
        let before = patient.profile.identifiers.len();
        self.bytes += patient.learn(record, most, &mut clues, counters);
        // Those beyond the cap are in no finding, but must be masked in facts all the same.
        let full = patient.profile.identifiers.len() >= most;
        let more_health = !patient.marks.health().without(marks_before).is_empty();
        if patient.profile.identifiers.len() == before && !more_health {
            // A patient with more than one waiting record is in the list already.
            if patient.records - patient.handed_on == 1 {
                self.repeated.push(index);
            }
            if full {
                self.learn(record.held.iter(), settings);
            }
            return None;
        }
        patient.profile.combined(&mut clues);
        let finding = Self::found(index, patient, true, record, counters, None);
        clues.iter().for_each(|clue| self.remember(clue.key(), index));
        self.learn(record.held.iter(), settings);
        Some(self.shown(finding, record, around, texts))
    }

    /// The finding about a patient of whom a record says something new.
    fn found(
        index: u32,
        patient: &mut Patient,
        update: bool,
        record: &Complete<'_>,
        counters: &mut IdentifyCounters,
        digest: Option<&Digest>,
    ) -> Finding {
        let kinds = match digest {
            Some(digest) => {
                (0..patient.profile.lost).for_each(|_| counters.lose(Loss::PatientIdentifiers));
                digest.listed.iter().for_each(|kind| counters.identifier(*kind));
                digest.kinds
            }
            None => {
                if !update {
                    patient.count(0, counters);
                }
                patient.profile.identifiers.iter().map(|i| i.kind).collect()
            }
        };
        let new_kinds = kinds.without(patient.kinds);
        let new_records = patient.records - patient.handed_on;
        (patient.kinds, patient.handed_on) = (kinds, patient.records);
        let profile = &patient.profile;
        Finding {
            ordinal: index,
            update,
            time: record.packets.last.time,
            packets: patient.packets,
            patient: patient.token,
            traits: Traits(Arc::clone(&profile.identity)),
            identifiers: Arc::clone(&profile.identifiers),
            kinds,
            new_kinds,
            records: patient.records,
            new_records,
            alert: patient.alert.clone(),
            direction: record.direction,
            operation: Arc::default(),
            carrier: Arc::default(),
            marks: patient.marks,
            facts: Arc::default(),
        }
    }

    /// Adds what of the flow may be shown, after the gate knows the values of the record.
    fn shown(
        &mut self,
        mut finding: Finding,
        record: &Complete<'_>,
        around: &RecordContext<'_>,
        texts: &mut Texts,
    ) -> Finding {
        finding.operation = self.shown_operation(record.operation, around, texts);
        finding.facts = self.shown_facts(around, texts);
        // Records of a flow mostly have the same layers.
        if *self.carrier != *record.carrier {
            self.carrier = record.carrier.into();
        }
        finding.carrier = Arc::clone(&self.carrier);
        finding
    }

    /// A new patient.
    fn add(
        &mut self,
        record: &Complete<'_>,
        profile: Profile,
        alert: &Arc<AlertRule>,
        key: &Key,
    ) -> Option<u32> {
        let index = u32::try_from(self.known.len()).ok()?;
        let token = self.pseudonym(record, profile.token, index, key);
        self.remember(MatchKey::Patient(token).key(), index);
        self.bytes += size_of::<Patient>();
        self.known.push(Patient {
            token,
            profile,
            packets: record.packets,
            records: 0,
            handed_on: 0,
            kinds: KindSet::default(),
            marks: MarkSet::default(),
            alert: alert.clone(),
        });
        Some(index)
    }

    /// The patient's pseudonym, made from the first record (`known`) and never changed, so that a patient counts
    /// once. If two patients of a flow would get the same pseudonym, IDs and then the order of appearance separate
    /// them.
    fn pseudonym(
        &self,
        record: &Complete<'_>,
        known: Option<Token>,
        index: u32,
        key: &Key,
    ) -> Token {
        let token = known.unwrap_or_else(|| {
            let held = record.held.first().map_or(&[][..], |held| &held.token.bytes()[..]);
            let flow = self.flow.to_be_bytes();
            let parts: [&[u8]; 2] = [&flow, held];
            key.patient(if held.is_empty() { &parts[..1] } else { &parts })
        });
        let taken = |token: &Token| self.clues.leads(MatchKey::Patient(*token).key());
        if !taken(&token) {
            return token;
        }
        let with_id =
            strongest(record.identity).map(|id| key.patient(&[token.bytes(), id.bytes()]));
        match with_id.filter(|t| !taken(t)) {
            Some(token) => token,
            None => key.patient(&[token.bytes(), &index.to_le_bytes()]),
        }
    }

    /// The patient of a record.
    fn find(&self, record: &Complete<'_>) -> Option<u32> {
        let theirs = record.identity;
        let by_id = theirs.strong.iter().find_map(|id| {
            self.candidate(MatchKey::Value(id.token), |ours| {
                ours.strong.iter().any(|s| s.equals(id))
                    && if id.is_shared() {
                        !ours.names_differ(theirs)
                            && !ours.births_differ(theirs)
                            && !ours.unshared_differs(theirs)
                    } else {
                        !(ours.names_differ(theirs) && ours.births_differ(theirs))
                    }
            })
        });
        let by_person = || {
            let pairs = || {
                let names = theirs.names.iter().take(MAX_COMBINED);
                names.flat_map(|n| theirs.births.iter().take(MAX_COMBINED).map(move |b| (*n, *b)))
            };
            let equal = pairs().find_map(|(name, birth)| {
                self.candidate(MatchKey::Person(name.token, birth), |ours| {
                    (name.is_whole() || ours.covers_names(theirs)) && !ours.strong_differs(theirs)
                })
            });
            let in_parts = || {
                pairs().find_map(|(name, birth)| {
                    name.words.iter().flatten().find_map(|word| {
                        self.candidate(MatchKey::Person(*word, birth), |ours| {
                            !ours.has_whole_name()
                                && theirs.covers_names(ours)
                                && !ours.strong_differs(theirs)
                        })
                    })
                })
            };
            equal.or_else(in_parts)
        };
        let by_name = || {
            theirs.names.iter().find_map(|name| {
                self.candidate(MatchKey::Value(name.token), |ours| {
                    (name.is_whole() || ours.covers_names(theirs))
                        && !ours.kinds_differ(theirs)
                        && !ours.births_differ(theirs)
                })
            })
        };
        let by_number = || {
            if !theirs.names.is_empty() || !theirs.strong.is_empty() {
                return None;
            }
            record.held.iter().filter(|h| is_clue(h.kind)).find_map(|held| {
                self.candidate(MatchKey::Value(held.token), |ours| !ours.births_differ(theirs))
            })
        };
        by_id.or_else(by_person).or_else(by_name).or_else(by_number)
    }

    fn candidate(&self, clue: MatchKey, fits: impl Fn(&Identity) -> bool) -> Option<u32> {
        self.clues.candidates(clue.key()).into_iter().find(|index| {
            self.known.get(*index as usize).is_some_and(|p| fits(&p.profile.identity))
        })
    }

    fn remember(&mut self, clue: u64, index: u32) {
        self.bytes += self.clues.add(clue, index);
    }
}

#[cfg(test)]
impl Patients {
    /// The longest list of candidates for one clue.
    pub(super) fn most_candidates(&self) -> usize {
        self.clues.most_candidates()
    }
}
