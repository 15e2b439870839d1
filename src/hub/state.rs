//! The state of a hub: a function of the set of messages, whatever their order and however often each comes.

use super::event::{Exposure, Listing, Message, Order, Received, Refused, Status, read};
use super::sensors::Sensor;
use crate::closed_set::closed_set;
use crate::merge::{Fact, FactKey, Pair, PartError, RunKey, SeenAccess, ServiceKey, Summary};
use crate::output::{MAX_WEIGHT, weight};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most exposures held of all sensors. Further ones are counted, and their summaries still count.
pub(super) const MAX_EXPOSURES: usize = 65_536;
/// Most services and hosts held of all sensors.
pub(super) const MAX_LISTED: usize = 65_536;
/// Most sensors held.
pub(super) const MAX_SENSORS: usize = 16_384;
/// Longest event held, bytes.
const MAX_EVENT: usize = 64 << 10;
/// Most bytes of events held.
const MAX_HELD: usize = 1 << 30;

/// An exposure of a sensor: the sensor's name and the exposure's id.
pub(super) type ExposureKey = (String, String);
/// A service or a host of a sensor.
pub(super) type ListedKey = (Listing, String, String);

/// An exposure as of the sensor's last event.
pub(super) struct SensorExposure {
    pub pair: Pair,
    pub order: Order,
    pub severity: u8,
    pub patients: u64,
    /// The event.
    pub event: Box<str>,
}

closed_set! {
    /// Why a message does not count.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub(super) enum SkipReason {
        /// It is no JSON, or a damaged event.
        Garbage = "garbage",
        /// Another program wrote it.
        Foreign = "foreign",
        /// A summary of another version.
        OtherVersion = "other_version",
        /// A damaged summary.
        Damaged = "damaged",
        /// A limit of the hub is reached.
        NoRoom = "no_room",
    }
}

/// Messages by what became of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Counters {
    /// Counted, whether they brought news or not.
    pub taken: u64,
    /// No JSON, or damaged events.
    pub garbage: u64,
    /// Of other programs.
    pub foreign: u64,
    /// Summaries of another version.
    pub other_version: u64,
    /// Damaged summaries.
    pub damaged: u64,
    /// Beyond a limit of the hub.
    pub no_room: u64,
}

/// Changes since the last commit.
#[derive(Default)]
pub(super) struct Dirty {
    pub exposures: BTreeSet<ExposureKey>,
    pub listed: BTreeSet<ListedKey>,
    pub facts: HashSet<(String, FactKey)>,
    /// Exposures with changed sketches, by key; such a key no longer has facts.
    pub sketches: BTreeMap<String, BTreeSet<Pair>>,
    pub runs: BTreeSet<RunKey>,
    /// Services of which is known whom they answer.
    pub services: BTreeSet<(String, ServiceKey)>,
    pub sensors: BTreeSet<String>,
}

impl Dirty {
    pub fn is_empty(&self) -> bool {
        self.exposures.is_empty()
            && self.listed.is_empty()
            && self.facts.is_empty()
            && self.sketches.is_empty()
            && self.runs.is_empty()
            && self.services.is_empty()
            && self.sensors.is_empty()
    }
}

/// The state of a hub.
#[derive(Default)]
pub(super) struct State {
    pub summary: Summary,
    pub exposures: BTreeMap<ExposureKey, SensorExposure>,
    /// When each was last seen, and its event.
    pub listed: BTreeMap<ListedKey, (i64, Box<str>)>,
    pub sensors: BTreeMap<String, Sensor>,
    pub counters: Counters,
    /// The sensor of the last message that does not count, by reason, if the message names it.
    pub last_of: BTreeMap<SkipReason, String>,
    pub dirty: Dirty,
    /// Bytes of the events of exposures, services and hosts.
    held: usize,
    /// Keys with sketches only.
    without_facts: BTreeSet<String>,
    /// Whether the numbers must be computed again.
    pub stale: bool,
}

impl State {
    /// Applies a message that the stream stored at `stored`.
    pub fn take(&mut self, payload: &[u8], stored: Timestamp) {
        match read(payload) {
            Ok(received) => self.received(received, payload, stored),
            Err(Refused::Garbage) => self.counters.garbage += 1,
            Err(Refused::Foreign) => self.counters.foreign += 1,
        }
    }

    fn received(&mut self, received: Received, payload: &[u8], stored: Timestamp) {
        let Received { sensor, key_id: key, version, time, message } = received;
        if !self.sensors.contains_key(&sensor) && self.sensors.len() >= MAX_SENSORS {
            self.pass_over(SkipReason::NoRoom, sensor);
            return;
        }
        let mut known = None;
        let taken = match message {
            Message::Exposure(exposure) => self.exposure(&sensor, exposure, payload),
            Message::Listed { kind, id } => self.list((kind, sensor.clone(), id), time, payload),
            Message::Summary { key_id, part } => match part.open(&key_id, &sensor) {
                Ok(opened) => {
                    for fact in &opened.facts {
                        self.fact(&key_id, fact);
                    }
                    if !opened.sketches.is_empty() {
                        opened.add_sketches(&key_id, &mut self.summary);
                        self.sketched(&key_id, opened.pairs());
                    }
                    for (service, seen) in opened.services {
                        self.service(&key_id, service, &seen);
                    }
                    known = Some(true);
                    if let Some(figures) = part.figures {
                        let run = (sensor.clone(), part.run);
                        self.summary.add_run(run.clone(), figures);
                        self.dirty.runs.insert(run);
                        self.stale = true;
                    }
                    true
                }
                Err(PartError::Damaged) => {
                    self.pass_over(SkipReason::Damaged, sensor);
                    return;
                }
                Err(PartError::Version(_)) => {
                    known = Some(false);
                    false
                }
            },
            Message::OtherVersion => {
                known = Some(false);
                false
            }
            Message::Status(status) => self.status(&sensor, &status, time, stored),
            Message::Other => true,
        };
        match (taken, known) {
            (true, _) => self.counters.taken += 1,
            (false, Some(false)) => self.pass_over(SkipReason::OtherVersion, sensor.clone()),
            (false, _) => self.pass_over(SkipReason::NoRoom, sensor.clone()),
        }
        let of = self.sensors.entry(sensor.clone()).or_default();
        of.heard(&version, time, stored);
        of.keyed(&key, time);
        if let Some(known) = known {
            of.summarised(known, time);
        }
        self.dirty.sensors.insert(sensor);
    }

    fn pass_over(&mut self, reason: SkipReason, sensor: String) {
        match reason {
            SkipReason::OtherVersion => self.counters.other_version += 1,
            SkipReason::Damaged => self.counters.damaged += 1,
            SkipReason::NoRoom => self.counters.no_room += 1,
            SkipReason::Garbage => self.counters.garbage += 1,
            SkipReason::Foreign => self.counters.foreign += 1,
        }
        self.last_of.insert(reason, sensor);
    }

    fn exposure(&mut self, sensor: &str, exposure: Exposure, payload: &[u8]) -> bool {
        let Exposure { id, pair, order, severity, patients } = exposure;
        let key = (sensor.to_owned(), id);
        match self.exposures.get(&key) {
            // Redelivered, or out of order.
            Some(known) if known.order >= order => return true,
            None if self.exposures.len() >= MAX_EXPOSURES => return false,
            _ => {}
        }
        let before = self.exposures.get(&key).map_or(0, |known| known.event.len());
        let Some(event) = self.hold(payload, before) else { return false };
        self.exposures
            .insert(key.clone(), SensorExposure { pair, order, severity, patients, event });
        self.dirty.exposures.insert(key);
        self.stale = true;
        true
    }

    fn list(&mut self, key: ListedKey, time: Timestamp, payload: &[u8]) -> bool {
        match self.listed.get(&key) {
            Some((known, _)) if *known >= time.0 => return true,
            None if self.listed.len() >= MAX_LISTED => return false,
            _ => {}
        }
        let before = self.listed.get(&key).map_or(0, |(_, event)| event.len());
        let Some(event) = self.hold(payload, before) else { return false };
        self.stale = true;
        self.listed.insert(key.clone(), (time.0, event));
        self.dirty.listed.insert(key);
        true
    }

    /// The event as text, which replaces one of `before` bytes; none if it is too long, or no memory is left for it.
    fn hold(&mut self, payload: &[u8], before: usize) -> Option<Box<str>> {
        let held = (self.held + payload.len()).saturating_sub(before);
        // Where it is shown, it is a value.
        if payload.len() > MAX_EVENT || held > MAX_HELD || weight(payload) > MAX_WEIGHT {
            return None;
        }
        let event = std::str::from_utf8(payload).ok()?;
        self.held = held;
        Some(event.into())
    }

    fn fact(&mut self, key_id: &str, fact: &Fact) {
        if self.summary.add(key_id, fact) {
            self.stale = true;
            if self.is_sketched(key_id) {
                self.sketched(key_id, [fact.key.pair()]);
            } else {
                self.dirty.facts.insert((key_id.to_owned(), fact.key));
            }
        }
    }

    fn service(&mut self, key_id: &str, service: ServiceKey, seen: &SeenAccess) {
        if self.summary.add_service(key_id, service, seen) {
            self.stale = true;
            self.dirty.services.insert((key_id.to_owned(), service));
        }
    }

    /// Notes that the sketches of these exposures have changed; of all exposures if the key had facts until now.
    fn sketched(&mut self, key_id: &str, pairs: impl IntoIterator<Item = Pair>) {
        self.stale = true;
        let dirty = self.dirty.sketches.entry(key_id.to_owned()).or_default();
        dirty.extend(pairs);
        if self.without_facts.insert(key_id.to_owned())
            && let Some(section) = self.summary.keys.get(key_id)
        {
            dirty.extend(section.sketched_pairs());
        }
    }

    /// Prepares the state after everything was read from the store.
    pub fn loaded(&mut self) {
        self.stale = true;
        let exposures = self.exposures.values().map(|held| held.event.len());
        let listed = self.listed.values().map(|(_, event)| event.len());
        self.held = exposures.chain(listed).sum();
        let keys = self.summary.keys.keys().filter(|key_id| self.is_sketched(key_id));
        self.without_facts = keys.cloned().collect();
    }

    fn status(
        &mut self,
        sensor: &str,
        status: &Status,
        time: Timestamp,
        stored: Timestamp,
    ) -> bool {
        self.sensors.entry(sensor.to_owned()).or_default().status(status, time, stored);
        true
    }

    /// Whether the findings of a key are held as sketches.
    pub fn is_sketched(&self, key_id: &str) -> bool {
        self.summary.keys.get(key_id).is_some_and(|section| section.facts().is_none())
    }
}
