//! Results for recent units of documents: rows of NDJSON, small documents. Servers send the same resources again and
//! again. Recognising a unit takes a hash of its bytes; reading it takes its tokens, names and values.
//!
//! Units are distinguished by a hash of 128 bits with a random seed, over their bytes and everything else that their
//! records depend on. No raw value is kept, so units are not kept under `--reveal`.

use super::counters::Loss;
use super::profile::{Digest, Profile};
use super::record::{EvaluatedValue, Identity, Issuer, Record, RecordIdentifier};
use super::{Identifier, IdentifyCounters, Settings, Token};
use crate::content::MarkSet;
use crate::content::UnitCounts;
use crate::rules::{AlertRule, RuleSet};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Most bytes of the table.
const MAX_MEMORY: usize = 160 << 20;

/// Largest share of the memory of all workers.
const SHARE: usize = 8;

/// Records of one unit that are kept; a unit with more is not.
const MAX_RECORDS: usize = 64;

/// A record that led to an alert, without its raw values.
pub(super) struct UnitRecord {
    pub held: Vec<RecordIdentifier>,
    pub identity: Identity,
    pub marks: MarkSet,
    /// Whether another record of the unit had ended before.
    pub follows: bool,
    /// What it adds for a patient, once a flow has read it for a new one.
    pub profile: OnceLock<Profile>,
    pub alert: Arc<AlertRule>,
}

/// Results for a unit.
pub(super) struct Unit {
    pub records: Vec<UnitRecord>,
    /// Hashes by which gates recognise values of its other records.
    pub learnt: Vec<u64>,
    /// A record ended in it.
    pub ended: bool,
    /// Counters of this stage.
    counts: [u64; COUNTED],
    /// Counters of the content stage.
    pub content: UnitCounts,
}

impl Unit {
    fn memory(&self) -> usize {
        let held = size_of::<RecordIdentifier>()
            + size_of::<EvaluatedValue>()
            + size_of::<Identifier>()
            + size_of::<(Token, Issuer)>()
            + size_of::<[u64; 4]>();
        let of = |r: &UnitRecord| {
            size_of::<UnitRecord>()
                + size_of::<Identity>()
                + size_of::<Digest>()
                + r.held.len() * held
        };
        // With the place in the table.
        size_of::<Self>()
            + 3 * size_of::<u128>()
            + self.records.iter().map(of).sum::<usize>()
            + self.learnt.capacity() * size_of::<u64>()
    }

    /// Counts the same as when it was read.
    pub fn count(&self, counters: &mut IdentifyCounters) {
        let [records, below_policy, deidentified, phantoms, implausible] = self.counts;
        counters.records += records;
        counters.below_policy += below_policy;
        counters.deidentified += deidentified;
        counters.phantoms += phantoms;
        counters.implausible += implausible;
    }
}

/// Counters that a unit adds to any flow that contains it.
const COUNTED: usize = 5;

fn counted(counters: &IdentifyCounters) -> [u64; COUNTED] {
    [
        counters.records,
        counters.below_policy,
        counters.deidentified,
        counters.phantoms,
        counters.implausible,
    ]
}

/// The current unit.
struct Note {
    key: u128,
    records: Vec<UnitRecord>,
    learnt: Vec<u64>,
    before: [u64; COUNTED],
    /// Losses of a record to caps, which depend on what else is open.
    lost: u64,
    /// A record has ended.
    ended: bool,
    /// It cannot be repeated.
    spoilt: bool,
}

type Table = HashMap<u128, Arc<Unit>, foldhash::fast::FixedState>;

/// Parts of the table that are locked separately.
const SHARDS: usize = 16;

/// Recent units. Workers share them: a unit that one has read is not read again by another. There is one look-up per
/// unit, and the results do not depend on the worker.
pub struct UnitTable {
    shards: [Mutex<Shard>; SHARDS],
    /// Most bytes of the younger half of a shard.
    most: usize,
    seeds: [RandomState; 2],
}

/// When the younger half is full, the older one is dropped.
#[derive(Default)]
struct Shard {
    young: Table,
    old: Table,
    /// Bytes that the younger half takes.
    held: usize,
}

impl UnitTable {
    /// For workers that together have `memory` bytes for their state.
    pub fn within(memory: usize) -> Self {
        Self {
            shards: Default::default(),
            most: (memory / SHARE).min(MAX_MEMORY) / 2 / SHARDS,
            seeds: [RandomState::default(), RandomState::default()],
        }
    }

    /// Largest number of bytes of heap, roughly.
    pub const fn most_memory(&self) -> usize {
        2 * self.most * SHARDS
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        // Its low bits are those of the tables.
        self.shards[(key >> 124) as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: u128) -> Option<Arc<Unit>> {
        let mut shard = self.shard(key);
        if let Some(unit) = shard.young.get(&key) {
            return Some(Arc::clone(unit));
        }
        let unit = shard.old.remove(&key)?;
        shard.put(key, Arc::clone(&unit), self.most);
        Some(unit)
    }

    fn put(&self, key: u128, unit: Arc<Unit>) {
        self.shard(key).put(key, unit, self.most);
    }
}

impl Shard {
    fn put(&mut self, key: u128, unit: Arc<Unit>, most: usize) {
        let memory = unit.memory();
        if self.held + memory > most {
            self.old = std::mem::take(&mut self.young);
            self.held = 0;
        }
        self.held += memory;
        if let Some(same) = self.young.insert(key, unit) {
            // Another worker has read it at the same time.
            self.held = self.held.saturating_sub(same.memory());
        }
    }
}

/// A worker's view of the units.
pub(super) struct Units {
    table: Arc<UnitTable>,
    note: Option<Note>,
}

impl Default for Units {
    fn default() -> Self {
        Self::of(Arc::new(UnitTable::within(MAX_MEMORY * SHARE)))
    }
}

impl Units {
    /// Of this table.
    pub const fn of(table: Arc<UnitTable>) -> Self {
        Self { table, note: None }
    }

    /// The rules were replaced. Units of the old ones are no longer found: the rules are part of their keys.
    pub fn forget(&mut self) {
        self.note = None;
    }

    /// The key of a unit that is read under `rules`; `around` is all else that its records depend on.
    pub fn key(&self, rules: &RuleSet, unit: &[u8], around: impl Hash) -> u128 {
        let rules = (rules.generation, std::ptr::from_ref(rules) as usize);
        let around = foldhash::quality::FixedState::default().hash_one((rules, around));
        let hash = |seed: &RandomState| {
            let mut hasher = seed.build_hasher();
            hasher.write_u64(around);
            hasher.write(unit);
            u128::from(hasher.finish())
        };
        let [high, low] = &self.table.seeds;
        hash(high) << 64 | hash(low)
    }

    /// The results for the unit, if it was read recently.
    pub fn get(&self, key: u128) -> Option<Arc<Unit>> {
        self.table.get(key)
    }

    /// From here on, notes the results of a unit.
    pub fn begin(&mut self, key: u128, counters: &IdentifyCounters) {
        let (before, lost) = (counted(counters), lost(counters));
        self.note = Some(Note {
            key,
            records: Vec::new(),
            learnt: Vec::new(),
            before,
            lost,
            ended: false,
            spoilt: false,
        });
    }

    /// A record led to an alert.
    pub fn record(&mut self, record: &Record, alert: &Arc<AlertRule>, settings: &Settings) {
        let Some(note) = &mut self.note else { return };
        if note.records.len() >= MAX_RECORDS || settings.reveal {
            note.spoilt = true;
            return;
        }
        note.records.push(UnitRecord {
            held: record.held.iter().map(RecordIdentifier::without_value).collect(),
            identity: record.identity.clone(),
            marks: record.marks,
            follows: note.ended,
            profile: OnceLock::new(),
            alert: Arc::clone(alert),
        });
    }

    /// A record has ended, with any result.
    pub fn ended(&mut self) {
        if let Some(note) = &mut self.note {
            note.ended = true;
        }
    }

    /// A record led to no alert.
    pub fn learn(&mut self, held: &[RecordIdentifier]) {
        if let Some(note) = &mut self.note {
            note.learnt.extend(held.iter().flat_map(|held| held.words_of.iter()));
        }
    }

    /// A result depends on more than the bytes of the unit.
    pub fn spoil(&mut self) {
        if let Some(note) = &mut self.note {
            note.spoilt = true;
        }
    }

    /// The unit has ended. It is kept if the content stage gives its counts.
    pub fn end(&mut self, content: Option<UnitCounts>, counters: &IdentifyCounters) {
        let (Some(note), Some(content)) = (self.note.take(), content) else { return };
        if note.spoilt || note.lost != lost(counters) {
            return;
        }
        let mut counts = counted(counters);
        counts.iter_mut().zip(note.before).for_each(|(now, before)| *now -= before);
        self.table.put(
            note.key,
            Arc::new(Unit {
                records: note.records,
                learnt: note.learnt,
                ended: note.ended,
                counts,
                content,
            }),
        );
    }
}

/// Losses of records to caps; those of patients apply again in each flow.
fn lost(counters: &IdentifyCounters) -> u64 {
    let of_records = |loss: &Loss| matches!(loss, Loss::RecordIdentifiers | Loss::OpenRecords);
    counters.lost().filter(|(loss, _)| of_records(loss)).map(|(_, n)| n).sum()
}
