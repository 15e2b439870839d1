//! What was worked out of the values seen last. A feed brings the same patients again and again, and
//! whether a value is plausible, its normal form and its pseudonyms cost far more than to find that it
//! is known.
//!
//! Values are told apart by a keyed 128-bit hash, half of which is the place in the table; no raw value
//! is kept. What is kept holds for one day of packet time, because dates are judged by it.

use super::Token;
use super::date::Date;
use super::record::Issuer;
use crate::content::{Evidence, Field};
use crate::rules::Kind;
use crate::time::Timestamp;
use foldhash::quality::RandomState;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Most values kept: the fields of some ten thousand patients.
const MAX_VALUES: usize = 1 << 17;

/// Share of a worker's memory that the table may take at most.
const SHARE: usize = 16;

/// Places of a new table; it grows as it fills.
const FIRST_VALUES: usize = 1 << 10;

/// Places looked at for one value.
const WAYS: usize = 4;

/// Different field names and rule ids kept.
const MAX_NAMES: usize = 4096;

/// What a value is, all that can be said of it without the record it stands in.
#[derive(Clone)]
pub(super) struct Worked {
    /// The kind that it really has.
    pub kind: Kind,
    /// What the check of its number says.
    pub valid: Option<bool>,
    /// A birth date with its day.
    pub full_date: bool,
    pub token: Token,
    pub public: Token,
    pub issuer: Issuer,
    pub words: Option<[Token; 2]>,
    /// What may be shown of it; none under `--reveal`.
    pub mask: Option<Arc<str>>,
}

#[derive(Clone)]
struct Slot {
    tag: u64,
    /// The day and how recent it is.
    day: u32,
    /// Nothing: not plausible.
    worked: Option<Worked>,
}

/// The values seen last by one worker.
pub struct ValueCache {
    slots: Vec<Option<Slot>>,
    filled: usize,
    /// Places the table may have.
    most: usize,
    place: RandomState,
    tag: RandomState,
    names: HashSet<Arc<str>, foldhash::fast::FixedState>,
    /// The rules by which values were judged, by their address. Whoever replaces rules calls
    /// [`ValueCache::forget`], so that no other rules can have it.
    rules: usize,
}

impl Default for ValueCache {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            filled: 0,
            most: MAX_VALUES,
            place: RandomState::default(),
            tag: RandomState::default(),
            names: HashSet::default(),
            rules: 0,
        }
    }
}

/// What a value is told by.
pub(super) struct ValueId {
    place: u64,
    tag: u64,
    day: u32,
}

impl ValueCache {
    /// A table for a worker that has `memory` bytes for its state.
    pub fn within(memory: usize) -> Self {
        let most = (memory / SHARE / size_of::<Option<Slot>>()).next_power_of_two() / 2;
        Self { most: most.clamp(FIRST_VALUES, MAX_VALUES), ..Self::default() }
    }

    /// Bytes of heap that it may come to hold, roughly.
    pub const fn most_memory(&self) -> usize {
        self.most * size_of::<Option<Slot>>()
    }

    /// The rules were replaced.
    pub fn forget(&mut self) {
        self.slots = Vec::new();
        self.filled = 0;
        self.names.clear();
    }

    /// Identifies `value` of a field, read under the rules at this address.
    pub(super) fn id(
        &mut self,
        field: &Field<'_>,
        value: &str,
        now: Timestamp,
        rules: usize,
    ) -> ValueId {
        if self.rules != rules {
            self.forget();
            self.rules = rules;
        }
        // A label is part of what says whether its number is valid.
        let label = if field.evidence == Evidence::Labelled { field.name } else { "" };
        let of = (field.kind, field.evidence, value, field.issuer, field.authority, label);
        ValueId { place: self.place.hash_one(of), tag: self.tag.hash_one(of), day: Date::day(now) }
    }

    /// What is known of a value: nothing, that it is not plausible, or what it is.
    pub(super) fn get(&self, id: &ValueId) -> Option<&Option<Worked>> {
        let ways = self.ways(id);
        let known = self.slots.get(ways)?.iter().flatten().find(|s| s.tag == id.tag)?;
        (known.day == id.day).then_some(&known.worked)
    }

    /// Keeps what was worked out.
    pub(super) fn keep(&mut self, id: &ValueId, worked: Option<Worked>) {
        if 2 * self.filled >= self.slots.len() && self.slots.len() < self.most {
            self.grow();
        }
        let ways = self.ways(id);
        let Some(slots) = self.slots.get_mut(ways) else { return };
        let known = slots.iter().position(|s| s.as_ref().is_none_or(|s| s.tag == id.tag));
        // Without room, the oldest way is not known: any of them will do.
        let at = known.unwrap_or((id.tag >> 32) as usize % WAYS);
        if let Some(slot) = slots.get_mut(at) {
            self.filled += usize::from(slot.is_none());
            *slot = Some(Slot { tag: id.tag, day: id.day, worked });
        }
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

    fn ways(&self, id: &ValueId) -> std::ops::Range<usize> {
        let sets = (self.slots.len() / WAYS).max(1);
        let first = (id.place as usize & (sets - 1)) * WAYS;
        first..first + WAYS
    }

    /// Makes the table four times as large. What it held is worked out once more.
    fn grow(&mut self) {
        let len = (self.slots.len() * 4).clamp(FIRST_VALUES, self.most);
        self.slots = vec![None; len];
        self.filled = 0;
    }
}
