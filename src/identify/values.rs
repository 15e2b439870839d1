//! Results computed for the most recent values. A feed repeats the same patients, and judging whether a value
//! is plausible, its normal form and its pseudonyms costs far more than a cache hit.
//!
//! The cache key is a 64-bit hash with a random seed; no raw value is kept. An entry is valid for one day of
//! packet time, because dates are judged by it.

use super::date::Date;
use super::record::{EvaluatedValue, Record};
use super::units::{UnitTable, Units};
use super::{Key, gate};
use crate::content::{Evidence, Field};
use crate::phi::{Phi, PhiBuf};
use crate::rules::{Kind, RuleSet};
use crate::time::Timestamp;
use foldhash::quality::{RandomState, SeedableRandomState};
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Most values kept: the fields of some twenty thousand patients.
const MAX_VALUES: usize = 1 << 18;

/// Share of a worker's memory that the table may take at most.
const SHARE: usize = 16;

/// Places of a new table; it grows as it fills.
const FIRST_VALUES: usize = 1 << 10;

/// Places looked at for one value: as many tags as a cache line holds.
const WAYS: usize = 8;

/// Ended records whose memory is kept.
const MAX_RECORDS: usize = 8;

/// Different field names and rule ids kept.
const MAX_NAMES: usize = 4096;

/// What is kept of a value: what it is, or nothing if it is not plausible.
type Slot = Option<EvaluatedValue>;

/// No value has this tag.
const EMPTY: u64 = 0;

/// The values seen last by one worker.
pub struct ValueCache {
    /// Hashes of values, apart from what is kept of them: most look-ups touch two cache lines.
    tags: Vec<u64>,
    slots: Vec<Slot>,
    filled: usize,
    /// Places the table may have.
    most: usize,
    seed: RandomState,
    names: HashSet<Arc<str>, foldhash::fast::FixedState>,
    /// Memory of records and values that have ended, for the next ones.
    records: Vec<Record>,
    spare: Vec<PhiBuf>,
    /// The rules by which values were judged, by their address. Whoever replaces rules calls
    /// [`ValueCache::forget`], so that no other rules can have it.
    rules: usize,
    /// Of the words of values, for gates.
    words: Option<SeedableRandomState>,
    /// What came of whole units of documents.
    pub(super) units: Units,
    texts: gate::Texts,
}

impl Default for ValueCache {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            slots: Vec::new(),
            filled: 0,
            most: MAX_VALUES,
            seed: RandomState::default(),
            names: HashSet::default(),
            records: Vec::new(),
            spare: Vec::new(),
            rules: 0,
            words: None,
            units: Units::default(),
            texts: gate::Texts::default(),
        }
    }
}

impl ValueCache {
    /// A table for a worker that has `memory` bytes for its state, and the units that all share.
    pub fn within(memory: usize, units: Arc<UnitTable>) -> Self {
        let most =
            (memory / SHARE / (size_of::<Slot>() + size_of::<u64>())).next_power_of_two() / 2;
        let most = most.clamp(FIRST_VALUES, MAX_VALUES);
        Self { most, units: Units::of(units), ..Self::default() }
    }

    /// Bytes of heap that it may come to hold, roughly, without the units.
    pub const fn most_memory(&self) -> usize {
        self.most * (size_of::<Slot>() + size_of::<u64>())
    }

    /// The rules were replaced.
    pub fn forget(&mut self) {
        self.tags = Vec::new();
        self.slots = Vec::new();
        self.filled = 0;
        self.names.clear();
        self.units.forget();
        self.texts.forget();
    }

    /// Results for texts of services under these rules.
    pub fn texts(&mut self, rules: &RuleSet) -> &mut gate::Texts {
        self.under(rules);
        &mut self.texts
    }

    /// Values and units are those of the rules at this address.
    pub(super) fn under(&mut self, rules: &RuleSet) {
        let rules = std::ptr::from_ref(rules) as usize;
        if self.rules != rules {
            self.forget();
            self.rules = rules;
        }
    }

    /// The tag of `value` of a field, read under these rules.
    pub(super) fn tag(
        &mut self,
        field: &Field<'_>,
        value: &str,
        now: Timestamp,
        rules: &RuleSet,
    ) -> u64 {
        self.under(rules);
        // A label is part of what says whether its number is valid.
        let label = if field.evidence == Evidence::Labelled { field.name } else { "" };
        let of = (field.kind, field.evidence, Date::day(now), value);
        self.seed.hash_one((of, field.issuer, field.authority, label)).max(1)
    }

    /// What is known of a value: nothing, that it is not plausible, or what it is.
    #[inline]
    pub(super) fn get(&self, tag: u64) -> Option<&Option<EvaluatedValue>> {
        let first = self.first(tag);
        let way = self.tags.get(first..first + WAYS)?.iter().position(|t| *t == tag)?;
        self.slots.get(first + way)
    }

    /// Keeps the result for a value.
    pub(super) fn keep(&mut self, tag: u64, evaluated: Option<EvaluatedValue>) {
        if 4 * self.filled >= 3 * self.slots.len() && self.slots.len() < self.most {
            self.grow();
        }
        let first = self.first(tag);
        let Some(tags) = self.tags.get_mut(first..first + WAYS) else { return };
        let empty = tags.iter().position(|t| *t == EMPTY);
        // Which of them is needed least is not known: any will do.
        let way = empty.unwrap_or((tag >> 32) as usize % WAYS);
        self.filled += usize::from(empty.is_some());
        if let (Some(place), Some(slot)) = (tags.get_mut(way), self.slots.get_mut(first + way)) {
            *place = tag;
            *slot = evaluated;
        }
    }

    /// By what the gate of a flow knows a value again.
    pub(super) fn words_of(&mut self, key: &Key, kind: Kind, value: &str) -> Arc<[u64]> {
        gate::hashes(self.words.get_or_insert_with(|| gate::hasher(key)), kind, value)
    }

    /// An empty record.
    pub(super) fn record(&mut self) -> Record {
        self.records.pop().unwrap_or_default()
    }

    /// Takes back a record that has ended.
    pub(super) fn recycle(&mut self, record: Record) {
        let record = record.clear(&mut self.spare);
        if self.records.len() < MAX_RECORDS {
            self.records.push(record);
        }
    }

    /// A copy of a raw value, for as long as its record is open.
    pub(super) fn hold(&mut self, value: &str) -> PhiBuf {
        let mut held = self.spare.pop().unwrap_or_default();
        held.set(Phi::new(value));
        held
    }

    /// A shared copy of a field name or a rule id.
    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        if self.names.len() >= MAX_NAMES {
            self.names.clear();
        }
        let shared: Arc<str> = name.into();
        self.names.insert(Arc::clone(&shared));
        shared
    }

    /// The first place for a value.
    fn first(&self, tag: u64) -> usize {
        (tag as usize & (self.tags.len() / WAYS).saturating_sub(1)) * WAYS
    }

    /// Makes the table four times as large, and moves what it holds.
    fn grow(&mut self) {
        let len = (self.slots.len() * 4).clamp(FIRST_VALUES.min(self.most), self.most);
        let tags = std::mem::replace(&mut self.tags, vec![EMPTY; len]);
        let slots = std::mem::replace(&mut self.slots, vec![None; len]);
        self.filled = 0;
        for (tag, evaluated) in tags.into_iter().zip(slots).filter(|(tag, _)| *tag != EMPTY) {
            let first = self.first(tag);
            let Some(tags) = self.tags.get_mut(first..first + WAYS) else { continue };
            let Some(way) = tags.iter().position(|t| *t == EMPTY) else { continue };
            if let Some(slot) = self.slots.get_mut(first + way) {
                tags[way] = tag;
                *slot = evaluated;
                self.filled += 1;
            }
        }
    }
}
