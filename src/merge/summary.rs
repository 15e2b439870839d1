//! Sets of facts by key, and how much each run read.

use super::access::{SeenAccess, ServiceKey};
use super::fact::{Fact, FactKey, FlowId, Pair, Seen};
use super::sketch::HashedSet;
use crate::exposure::ExposurePoints;
use crate::identify::Token;
use crate::rules::Kind;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most facts held individually per key, about 400 MB. Beyond it they become sketches.
pub const MAX_FACTS: usize = 1 << 20;
/// Most runs held. Those with the lowest names stay, so that order does not matter.
pub const MAX_RUNS: usize = 100_000;
/// Most keys held; the lowest stay.
const MAX_KEYS: usize = 64;
/// Number of keys that may each hold [`MAX_FACTS`] and [`MAX_SKETCHED`]. More keys share that equally, because anyone who
/// can publish can invent keys.
const WHOLE_KEYS: usize = 4;
/// Most exposures of one key held as sketches; the lowest stay.
const MAX_SKETCHED: usize = 65_536;
/// Most services of all keys of which is held whom they answer; the lowest stay.
const MAX_SERVICES: usize = 65_536;
/// Most records of one patient in one flow that a sketch counts.
const MAX_RECORDS: u32 = 4_096;

/// What a run has read so far. Of two reports of one run the later counts; its numbers are never
/// smaller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunNumbers {
    /// Packets read.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Flows.
    pub flows: u64,
    /// Payload, bytes.
    pub payload_bytes: u64,
    /// Payload that could not be judged, bytes.
    pub unjudged_bytes: u64,
    /// Flows that could not be judged.
    pub unjudged_flows: u64,
    /// Packets lost before or after they were read.
    pub lost_packets: u64,
    /// Packet time of the first packet, nanoseconds since 1970.
    pub started: i64,
    /// Packet time of the last packet, nanoseconds since 1970.
    pub ended: i64,
    /// Whether the run has ended.
    pub over: bool,
    /// Points that its rules give an exposure of 10 to 499 patients.
    #[serde(default)]
    pub patients_10: u8,
    /// Points for 500 patients and more.
    #[serde(default)]
    pub patients_500: u8,
    /// Points for a service that answers any client.
    #[serde(default)]
    pub answers_anyone: u8,
}

/// An exposure held as sketches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sketched {
    pub first: Timestamp,
    pub last: Timestamp,
    pub severity: u8,
    pub unproven: u8,
    pub proven: bool,
    pub patients: HashedSet,
    pub findings: HashedSet,
    pub flows: HashedSet,
    pub records: HashedSet,
    pub kinds: BTreeMap<Kind, HashedSet>,
}

/// The first 64 bits of a hash of `parts`.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let hash = hasher.finalize();
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Hash of a flow. Uses the handshake if it was seen, because clocks differ.
fn hash_of_flow(flow: &FlowId) -> u64 {
    let ends = format!("{} {} {}", flow.client, flow.server, flow.transport);
    match flow.initial {
        Some(initial) => hash(&[ends.as_bytes(), b"initial", &initial.to_be_bytes()]),
        None => hash(&[ends.as_bytes(), b"started", &flow.started.0.to_be_bytes()]),
    }
}

fn front(token: &Token) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *token.bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Sketched {
    fn of(key: &FactKey, seen: &Seen) -> Self {
        let mut sketched = Self {
            first: seen.first,
            last: seen.last,
            severity: seen.severity,
            unproven: seen.unproven,
            proven: seen.proven,
            patients: HashedSet::default(),
            findings: HashedSet::default(),
            flows: HashedSet::default(),
            records: HashedSet::default(),
            kinds: BTreeMap::new(),
        };
        sketched.patients.insert(front(&key.patient));
        let flow = hash_of_flow(&key.flow);
        sketched.flows.insert(flow);
        let finding = hash(&[&flow.to_be_bytes(), key.patient.bytes()]);
        sketched.findings.insert(finding);
        // All sensors number records alike, so the union counts those of the sensor that saw the
        // most.
        for n in 0..seen.records.min(MAX_RECORDS) {
            sketched.records.insert(hash(&[&finding.to_be_bytes(), &n.to_be_bytes()]));
        }
        for kind in seen.kinds.iter() {
            sketched.kinds.entry(kind).or_default().insert(finding);
        }
        sketched
    }

    fn union(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.severity = self.severity.max(other.severity);
        self.unproven = self.unproven.max(other.unproven);
        self.proven |= other.proven;
        self.patients.union(&other.patients);
        self.findings.union(&other.findings);
        self.flows.union(&other.flows);
        self.records.union(&other.records);
        for (kind, set) in &other.kinds {
            self.kinds.entry(*kind).or_default().union(set);
        }
    }
}

/// The facts or sketches under one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section(pub(super) Form);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Facts(BTreeMap<FactKey, Seen>),
    Sketches(BTreeMap<Pair, Sketched>),
}

impl Default for Section {
    fn default() -> Self {
        Self(Form::Facts(BTreeMap::new()))
    }
}

/// Most that one key may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Facts one by one.
    pub facts: usize,
    /// Exposures as sketches.
    pub sketched: usize,
}

impl Section {
    /// Adds a fact and returns whether it was new. Holds at most `most` facts individually.
    pub fn add(&mut self, fact: &Fact, most: usize) -> bool {
        self.add_within(fact, Share { facts: most, sketched: MAX_SKETCHED })
    }

    fn add_within(&mut self, fact: &Fact, share: Share) -> bool {
        let Fact { key, seen } = fact;
        match &mut self.0 {
            Form::Facts(facts) => {
                let new = match facts.get_mut(key) {
                    Some(known) => {
                        let before = known.clone();
                        known.join(seen);
                        *known != before
                    }
                    None => {
                        facts.insert(*key, seen.clone());
                        true
                    }
                };
                if facts.len() > share.facts {
                    self.sketches(share.sketched);
                }
                new
            }
            Form::Sketches(sketches) => {
                add(sketches, key.pair(), &Sketched::of(key, seen), share.sketched);
                true
            }
        }
    }

    pub(super) fn add_sketch(&mut self, pair: Pair, sketch: &Sketched, most: usize) {
        add(self.sketches(most), pair, sketch, most);
    }

    /// Reduces the section to a share that has become smaller.
    fn shrink(&mut self, share: Share) {
        if self.facts().is_some_and(|facts| facts.len() > share.facts) {
            self.sketches(share.sketched);
        }
        if let Form::Sketches(sketches) = &mut self.0 {
            while sketches.len() > share.sketched {
                sketches.pop_last();
            }
        }
    }

    /// Converts the section to sketches, `most` of them at most, and returns them.
    fn sketches(&mut self, most: usize) -> &mut BTreeMap<Pair, Sketched> {
        if let Form::Facts(facts) = &self.0 {
            let mut sketches = BTreeMap::new();
            for (key, seen) in facts {
                add(&mut sketches, key.pair(), &Sketched::of(key, seen), most);
            }
            self.0 = Form::Sketches(sketches);
        }
        match &mut self.0 {
            Form::Sketches(sketches) => sketches,
            Form::Facts(_) => unreachable!("made sketches above"),
        }
    }

    fn union(&mut self, other: &Self, share: Share) {
        match &other.0 {
            Form::Facts(facts) => {
                for (key, seen) in facts {
                    self.add_within(&Fact { key: *key, seen: seen.clone() }, share);
                }
            }
            Form::Sketches(theirs) => {
                let ours = self.sketches(share.sketched);
                let add = |(pair, sketch): (&Pair, &_)| add(ours, *pair, sketch, share.sketched);
                theirs.iter().for_each(add);
            }
        }
    }

    /// The facts held individually; none once there are sketches.
    pub fn facts(&self) -> Option<&BTreeMap<FactKey, Seen>> {
        match &self.0 {
            Form::Facts(facts) => Some(facts),
            Form::Sketches(_) => None,
        }
    }
}

fn add(sketches: &mut BTreeMap<Pair, Sketched>, pair: Pair, sketch: &Sketched, most: usize) {
    match sketches.get_mut(&pair) {
        Some(known) => known.union(sketch),
        None => {
            sketches.insert(pair, sketch.clone());
            if sketches.len() > most {
                sketches.pop_last();
            }
        }
    }
}

/// Key of a run: sensor name and run id.
pub type RunKey = (String, String);

/// The mergeable result of runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Most facts held individually per key.
    most: usize,
    /// Sections by `phi.key_id`.
    pub keys: BTreeMap<String, Section>,
    /// How much each run read.
    pub runs: BTreeMap<RunKey, RunNumbers>,
    /// Whom services answer, by `phi.key_id`.
    pub services: BTreeMap<(String, ServiceKey), SeenAccess>,
}

impl Default for Summary {
    fn default() -> Self {
        Self::holding(MAX_FACTS)
    }
}

impl Summary {
    /// An empty summary that holds `most` facts per key individually. Only summaries with the same
    /// `most` may be compared.
    pub const fn holding(most: usize) -> Self {
        Self { most, keys: BTreeMap::new(), runs: BTreeMap::new(), services: BTreeMap::new() }
    }

    /// Adds a fact under a key and returns whether it was new.
    pub fn add(&mut self, key_id: &str, fact: &Fact) -> bool {
        let section = self.section(key_id);
        section.is_some_and(|(section, share)| section.add_within(fact, share))
    }

    /// Adds the numbers of a run.
    pub fn add_run(&mut self, run: RunKey, figures: RunNumbers) {
        let known = self.runs.entry(run).or_default();
        *known = (*known).max(figures);
        if self.runs.len() > MAX_RUNS {
            self.runs.pop_last();
        }
    }

    /// Adds what was seen of a service and returns whether that was new.
    pub fn add_service(&mut self, key_id: &str, service: ServiceKey, seen: &SeenAccess) -> bool {
        let known = self.services.entry((key_id.to_owned(), service)).or_default();
        let before = known.clone();
        known.join(seen);
        let new = *known != before;
        if self.services.len() > MAX_SERVICES {
            self.services.pop_last();
        }
        new
    }

    pub(super) fn section(&mut self, key_id: &str) -> Option<(&mut Section, Share)> {
        if !self.keys.contains_key(key_id) {
            self.keys.insert(key_id.to_owned(), Section::default());
            if self.keys.len() > MAX_KEYS {
                self.keys.pop_last();
            }
            let share = self.share();
            self.keys.values_mut().for_each(|section| section.shrink(share));
        }
        let share = self.share();
        self.keys.get_mut(key_id).map(|section| (section, share))
    }

    /// How much each key may hold. It only shrinks, so that what is held depends on no order.
    fn share(&self) -> Share {
        let of = |most: usize| match self.keys.len() {
            keys if keys > WHOLE_KEYS => (most * WHOLE_KEYS / keys).max(1),
            _ => most,
        };
        Share { facts: of(self.most), sketched: of(MAX_SKETCHED) }
    }

    /// Merges another summary into this one.
    pub fn merge(&mut self, other: &Self) {
        for (key_id, theirs) in &other.keys {
            if let Some((ours, share)) = self.section(key_id) {
                ours.union(theirs, share);
            }
        }
        for (run, figures) in &other.runs {
            self.add_run(run.clone(), *figures);
        }
        for ((key_id, service), seen) in &other.services {
            self.add_service(key_id, *service, seen);
        }
    }

    /// The points for patients and for open services. Runs usually have the same rules; otherwise the highest
    /// points count.
    pub(super) fn points(&self) -> ExposurePoints {
        let most = |of: fn(&RunNumbers) -> u8| self.runs.values().map(of).max().unwrap_or(0);
        ExposurePoints {
            patients_10: most(|run| run.patients_10),
            patients_500: most(|run| run.patients_500),
            answers_anyone: most(|run| run.answers_anyone),
        }
    }

    /// Number of facts held individually.
    pub fn held(&self) -> usize {
        self.keys.values().filter_map(Section::facts).map(BTreeMap::len).sum()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.runs.is_empty() && self.services.is_empty()
    }
}
