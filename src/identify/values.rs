//! Results for recent values. A feed repeats the same patients, and judging whether a value is plausible, its normal
//! form and its pseudonyms cost far more than a cache hit.
//!
//! The cache key is a 64-bit hash with a random seed; no raw value is kept. An entry is valid for one day of
//! packet time, because dates are judged by it.

use super::date::Date;
use super::parts::{PartField, Parts};
use super::recent::Recent;
use super::record::{EvaluatedValue, Place, Record};
use super::units::{UnitTable, Units};
use super::{Key, gate};
use crate::content::{Evidence, Field};
use crate::phi::{Phi, PhiBuf, WipedString};
use crate::rules::{Kind, RuleSet};
use crate::time::Timestamp;
use foldhash::quality::{RandomState, SeedableRandomState};
use hashbrown::HashTable;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Most values kept: the fields of some twenty thousand patients.
const MAX_VALUES: usize = 1 << 18;

/// Largest share of a worker's memory.
const SHARE: usize = 16;

/// Fewest values kept, even where memory is short.
const MIN_VALUES: usize = 1 << 10;

/// Ended records whose memory is kept.
const MAX_RECORDS: usize = 8;

/// Different field names and rule ids kept.
const MAX_NAMES: usize = 4096;

/// Entry of a value: its evaluation, or that it is not plausible.
type Slot = Option<Arc<EvaluatedValue>>;

/// Approximate bytes per value, with its slot in the table and the parts that others share.
const EVALUATED: usize =
    size_of::<EvaluatedValue>() + 2 * size_of::<usize>() + size_of::<Slot>() + size_of::<u64>();

/// Recent values of one worker.
pub struct ValueCache {
    known: Recent<Slot>,
    seed: RandomState,
    names: HashSet<Arc<str>, foldhash::fast::FixedState>,
    /// Fields with the rules that name them, by the addresses of both texts.
    places: HashTable<((usize, usize), Arc<Place>)>,
    /// Memory of ended records and values, for the next ones.
    records: Vec<Record>,
    spare: Vec<PhiBuf>,
    /// Room for a normal form.
    normal: WipedString,
    /// The rules by which values were judged, by their address. Replacing rules calls [`ValueCache::forget`], so no
    /// other rules can have this address.
    rules: usize,
    /// For the words of values, for gates.
    words: Option<SeedableRandomState>,
    /// Results for whole units of documents.
    pub(super) units: Units,
    /// Fields of whole parts of records.
    pub(super) parts: Parts,
    texts: gate::Texts,
}

impl Default for ValueCache {
    fn default() -> Self {
        Self {
            known: Recent::within(MAX_VALUES),
            seed: RandomState::default(),
            names: HashSet::default(),
            places: HashTable::new(),
            records: Vec::new(),
            spare: Vec::new(),
            normal: WipedString::default(),
            rules: 0,
            words: None,
            units: Units::default(),
            parts: Parts::within(MAX_VALUES),
            texts: gate::Texts::default(),
        }
    }
}

impl ValueCache {
    /// A table for a worker that has `memory` bytes for its state, and the units shared by all.
    pub fn within(memory: usize, units: Arc<UnitTable>) -> Self {
        let most = (memory / SHARE / EVALUATED).next_power_of_two() / 2;
        let most = most.clamp(MIN_VALUES, MAX_VALUES);
        Self {
            known: Recent::within(most),
            units: Units::of(units),
            parts: Parts::within(most),
            ..Self::default()
        }
    }

    /// Largest number of bytes of heap, roughly, without the units.
    pub const fn most_memory(&self) -> usize {
        // Values of parts mostly are the same ones, but need not be.
        self.known.most() * EVALUATED + self.parts.most() * (EVALUATED + size_of::<PartField>())
    }

    /// The rules were replaced.
    pub fn forget(&mut self) {
        self.known.clear();
        self.names.clear();
        self.places.clear();
        self.units.forget();
        self.parts.clear();
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

    /// The tag of `value` in a field, under these rules.
    pub(super) fn tag(
        &mut self,
        field: &Field<'_>,
        value: &str,
        now: Timestamp,
        rules: &RuleSet,
    ) -> u64 {
        self.under(rules);
        // Whether a number is valid also depends on its label.
        let label = if field.evidence == Evidence::Labelled { field.name } else { "" };
        let of = (field.kind, field.evidence, Date::day(now), value);
        self.seed.hash_one((of, field.issuer, field.authority, label)).max(1)
    }

    /// The key of a part of a record, under these rules.
    pub(super) fn part_key(
        &mut self,
        part: &[u8],
        around: u64,
        now: Timestamp,
        rules: &RuleSet,
    ) -> u64 {
        self.under(rules);
        self.seed.hash_one((part, around, Date::day(now))).max(1)
    }

    /// The entry of a value: unknown, not plausible, or its evaluation.
    pub(super) fn get(&self, tag: u64) -> Option<&Slot> {
        self.known.get(tag)
    }

    /// Keeps the result for a value.
    pub(super) fn keep(&mut self, tag: u64, evaluated: Slot) {
        self.known.keep(tag, evaluated);
    }

    /// Hashes by which the gate of a flow recognises a value.
    pub(super) fn words_of(&mut self, key: &Key, kind: Kind, value: &str) -> Arc<[u64]> {
        gate::hashes(self.words.get_or_insert_with(|| gate::hasher(key)), kind, value)
    }

    /// An empty record.
    pub(super) fn record(&mut self) -> Record {
        self.records.pop().unwrap_or_default()
    }

    /// Takes back an ended record.
    pub(super) fn recycle(&mut self, record: Record) {
        let record = record.clear(&mut self.spare);
        if self.records.len() < MAX_RECORDS {
            self.records.push(record);
        }
    }

    /// Room for the normal form of a value of `len` bytes.
    pub(super) fn take_normal(&mut self, len: usize) -> WipedString {
        let mut normal = std::mem::take(&mut self.normal);
        // What it holds may move when it grows.
        if normal.capacity() < len + 8 {
            normal = WipedString::with_capacity((len + 8).next_power_of_two());
        }
        normal
    }

    /// Takes the room back. What was in it is overwritten.
    pub(super) fn give_normal(&mut self, mut normal: WipedString) {
        normal.wipe();
        self.normal = normal;
    }

    /// A copy of a raw value, for as long as its record is open.
    pub(super) fn hold(&mut self, value: &str) -> PhiBuf {
        let mut held = self.spare.pop().unwrap_or_default();
        held.set(Phi::new(value));
        held
    }

    /// The shared copy of a field and of the rule that names it. Both belong to the rules, so equal texts usually
    /// have the same address.
    pub(super) fn place(&mut self, field: &str, rule: &str) -> Arc<Place> {
        let at = (field.as_ptr() as usize, rule.as_ptr() as usize);
        let hash = hash_of(at);
        let same = |(place, known): &((usize, usize), Arc<Place>)| {
            *place == at && *known.field == *field && *known.rule == *rule
        };
        if let Some((_, known)) = self.places.find(hash, same) {
            return Arc::clone(known);
        }
        if self.places.len() >= MAX_NAMES {
            self.places.clear();
        }
        let place = Arc::new(Place { field: self.name(field), rule: self.name(rule) });
        self.places.insert_unique(hash, (at, Arc::clone(&place)), |(at, _)| hash_of(*at));
        place
    }

    /// A shared copy of a field name or a rule id.
    fn name(&mut self, name: &str) -> Arc<str> {
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
}

fn hash_of(at: (usize, usize)) -> u64 {
    foldhash::fast::FixedState::default().hash_one(at)
}
