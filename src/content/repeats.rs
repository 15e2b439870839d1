//! Parts of documents that come again. The consumer of fields keeps the results of those that were read before, by hashes
//! of their bytes.

use super::formats::hl7v2::PartNote;
use super::{RecordHead, Scope, bump_by};
use std::sync::Arc;

/// How likely a part of a record comes again.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Repeats {
    /// It is kept when it is first seen.
    Likely,
    /// It is kept when it comes a second time.
    #[default]
    Perhaps,
}

/// Counts of a unit of a document (a row, or the whole of a small one).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UnitCounts {
    /// Records, and their format.
    records: (&'static str, u64),
    /// Names of people whom the format declares to be patients.
    people: u64,
    /// It is a FHIR resource of a person.
    fhir: bool,
}

/// The address of the bytes of a part, and their number.
#[derive(Clone, Copy)]
pub struct PartBytes(usize, usize);

impl PartBytes {
    /// Of this part.
    pub fn of(part: &[u8]) -> Self {
        Self(part.as_ptr() as usize, part.len())
    }

    /// Start and end of `text`, if it is a piece of the part itself and not made from it (an escape sequence, another
    /// character set).
    pub fn place_of(self, text: &str) -> Option<(u32, u32)> {
        let start = (text.as_ptr() as usize).checked_sub(self.0)?;
        let end = start.checked_add(text.len()).filter(|end| *end <= self.1)?;
        Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
    }
}

impl Scope<'_> {
    /// Reads a unit of a document: `bytes`, whose records depend on nothing else but `around`. If it was read before,
    /// its results are repeated. `read` returns whether all of it was read, and nothing is open behind it.
    pub fn unit(&mut self, bytes: &[u8], around: u64, read: impl FnOnce(&mut Self) -> bool) {
        if self.counters.unit.is_some() {
            read(self);
            return;
        }
        let head = RecordHead {
            content: "",
            structured: false,
            direction: self.direction,
            operation: self.operation,
            carrier: self.layers,
        };
        if let Some(counts) = self.sink.repeat_unit(bytes, around, &head, self.facts) {
            let (content, records) = counts.records;
            if records > 0 {
                bump_by(&mut self.counters.records, content, records);
            }
            self.counters.people += counts.people;
            self.counters.fhir |= counts.fhir;
            return;
        }
        self.counters.unit = Some(false);
        let before = (
            std::mem::take(&mut self.counters.records),
            std::mem::take(&mut self.counters.fhir),
            self.counters.people,
        );
        let complete = read(self);
        let counters = &mut *self.counters;
        let spoilt = counters.unit.take().unwrap_or(true);
        let own = std::mem::replace(&mut counters.records, before.0);
        let counts = UnitCounts {
            records: own.first().copied().unwrap_or_default(),
            people: counters.people - before.2,
            fhir: counters.fhir,
        };
        counters.fhir |= before.1;
        let whole = complete && !spoilt && own.len() <= 1;
        for (content, records) in own {
            bump_by(&mut counters.records, content, records);
        }
        self.sink.keep_unit(whole.then_some(counts));
    }

    /// The key of a part of a record, if its fields may be kept.
    pub fn part_key(&mut self, part: &[u8], around: u64) -> Option<u64> {
        self.sink.part_key(part, around)
    }
    /// Repeats the fields of a part of the open record that was read before.
    pub fn repeat_part(
        &mut self,
        key: u64,
        part: &[u8],
        repeats: Repeats,
    ) -> Option<Arc<PartNote>> {
        let known = self.sink.repeat_part(self.id, key, part, repeats)?;
        self.counters.people += known.people;
        Some(known)
    }
    /// The part has been read.
    pub fn keep_part(&mut self, note: Option<PartNote>) {
        self.sink.keep_part(note);
    }
}
