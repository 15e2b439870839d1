//! Fields of recent parts of records: a segment with a patient's data comes in every message about the patient. Reading
//! it again would give the same values. Recognising it takes one hash of its bytes, in place of one for each value.
//!
//! A part is found by a 64-bit hash with a random seed, over its bytes and everything else that its fields depend on. No
//! raw value is kept, only where in the part it is.

use super::record::{EvaluatedValue, Place, RecordIdentifier};
use crate::content::{Evidence, PartBytes, PartNote, Repeats};
use std::collections::HashMap;
use std::sync::Arc;

/// Most values of a part that is kept.
const MAX_FIELDS: usize = 64;

/// Keys of parts that came once and are not kept yet.
const MAX_SEEN: usize = 1 << 13;

/// A value of a part.
pub(super) struct PartField {
    pub evaluated: Arc<EvaluatedValue>,
    pub place: Arc<Place>,
    /// Where it is in the part, bytes.
    start: u32,
    end: u32,
    confidence: f32,
    evidence: Evidence,
}

impl PartField {
    /// The same value in another record.
    pub fn weight(&self) -> (Evidence, f32) {
        (self.evidence, self.confidence)
    }

    /// Its text, from the bytes of the part.
    pub fn text<'p>(&self, part: &'p [u8]) -> Option<&'p str> {
        std::str::from_utf8(part.get(self.start as usize..self.end as usize)?).ok()
    }
}

/// The fields of a part.
pub(super) struct Part {
    pub fields: Box<[PartField]>,
    /// Values that were not plausible.
    pub implausible: u64,
    /// What its reader has noted.
    pub note: Arc<PartNote>,
}

/// The current part.
struct Noting {
    key: u64,
    bytes: PartBytes,
    implausible: u64,
    /// It cannot be repeated.
    spoilt: bool,
}

type Table = HashMap<u64, Arc<Part>, foldhash::fast::FixedState>;

/// Recent parts of one worker. When the younger half is full, the older one is dropped.
pub(super) struct Parts {
    young: Table,
    old: Table,
    /// Values in the younger half.
    held: usize,
    /// Most values in a half.
    most: usize,
    /// Keys of parts that came once, by their low bits.
    seen: Box<[u64]>,
    noting: Option<Noting>,
    /// The values of the current part.
    fields: Vec<PartField>,
}

impl Parts {
    /// With at most `most` values.
    pub fn within(most: usize) -> Self {
        Self {
            young: Table::default(),
            old: Table::default(),
            held: 0,
            most: most / 2,
            seen: Box::default(),
            noting: None,
            fields: Vec::new(),
        }
    }

    /// Most values.
    pub const fn most(&self) -> usize {
        2 * self.most
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::within(self.most());
    }

    /// The part with this key.
    pub fn get(&mut self, key: u64) -> Option<Arc<Part>> {
        if let Some(part) = self.young.get(&key) {
            return Some(Arc::clone(part));
        }
        let part = self.old.remove(&key)?;
        self.put(key, Arc::clone(&part));
        Some(part)
    }

    fn put(&mut self, key: u64, part: Arc<Part>) {
        // One without values takes room as well.
        let values = part.fields.len() + 1;
        if self.held + values > self.most {
            self.old = std::mem::take(&mut self.young);
            self.held = 0;
        }
        self.held += values;
        self.young.insert(key, part);
    }

    /// From here on, notes the values of an unknown part, if it is worth that.
    pub fn begin(&mut self, key: u64, part: &[u8], repeats: Repeats) {
        self.fields.clear();
        self.noting = (repeats == Repeats::Likely || self.came_before(key)).then_some(Noting {
            key,
            bytes: PartBytes::of(part),
            implausible: 0,
            spoilt: false,
        });
    }

    /// Whether this part came before, as far as is known. From now on it has.
    fn came_before(&mut self, key: u64) -> bool {
        if self.seen.is_empty() {
            self.seen = vec![0; MAX_SEEN].into();
        }
        let place = self.seen.get_mut(key as usize % MAX_SEEN);
        place.is_some_and(|place| std::mem::replace(place, key) == key)
    }

    /// A value of the current part, if any.
    pub fn note(&mut self, value: &str, held: &RecordIdentifier) {
        let Some(noting) = &mut self.noting else { return };
        match noting.bytes.place_of(value) {
            // Other evidence depends on more than the part.
            Some((start, end)) if held.evidence.is_declared() && self.fields.len() < MAX_FIELDS => {
                self.fields.push(PartField {
                    evaluated: Arc::clone(&held.evaluated),
                    place: Arc::clone(&held.place),
                    start,
                    end,
                    confidence: held.confidence,
                    evidence: held.evidence,
                });
            }
            _ => noting.spoilt = true,
        }
    }

    /// A value of the current part, if any, was not plausible.
    pub fn implausible(&mut self) {
        if let Some(noting) = &mut self.noting {
            noting.implausible += 1;
        }
    }

    /// The current part has ended. It is kept if its reader gives a note.
    pub fn end(&mut self, note: Option<PartNote>) {
        let noting = self.noting.take().filter(|noting| !noting.spoilt);
        if let (Some(Noting { key, implausible, .. }), Some(note)) = (noting, note) {
            let fields = self.fields.drain(..).collect();
            self.put(key, Arc::new(Part { fields, implausible, note: Arc::new(note) }));
        }
        self.fields.clear();
    }
}

#[cfg(test)]
impl Parts {
    /// Parts that are kept.
    pub fn kept(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Values of parts that are kept.
    pub fn values(&self) -> usize {
        self.young.values().chain(self.old.values()).map(|part| part.fields.len()).sum()
    }
}
