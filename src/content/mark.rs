//! Properties of a record beside its fields.

use crate::closed_set::closed_set;
use crate::rules::Health;

closed_set! {
    /// Properties of a record beside its fields (`phi.marks`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum Mark {
        /// The source says it was de-identified ((0012,0062) YES).
        Deidentified = "deidentified",
        /// Test data (MSH-11 T or D, a phantom, a known test patient).
        Test = "test",
        /// A query for a patient, not a record of one (C-FIND request, search form).
        Query = "query",
        /// Nearby words or the structure show that this is about patients.
        PatientContext = "patient_context",
        /// With a diagnosis.
        Diagnosis = "diagnosis",
        /// With an observation or result.
        Result = "result",
        /// With a medication.
        Medication = "medication",
        /// With an allergy.
        Allergy = "allergy",
        /// With a procedure.
        Procedure = "procedure",
        /// The image itself shows identifiers ((0028,0301) YES).
        BurnedIn = "burned_in",
        /// A phantom or a quality check in place of a patient ((0010,0200) YES).
        Phantom = "phantom",
    }
}

impl From<Health> for Mark {
    fn from(health: Health) -> Self {
        match health {
            Health::Diagnosis => Self::Diagnosis,
            Health::Result => Self::Result,
            Health::Medication => Self::Medication,
            Health::Allergy => Self::Allergy,
            Health::Procedure => Self::Procedure,
        }
    }
}

/// A set of [`Mark`]s: one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MarkSet(u16);

const _: () = {
    assert!(Mark::ALL.len() <= u16::BITS as usize, "a bit for each mark");
    let mut n = 0;
    while n < Mark::ALL.len() {
        assert!(Mark::ALL[n] as usize == n, "bits are in the order of the marks");
        n += 1;
    }
};

impl MarkSet {
    /// No mark.
    pub const EMPTY: Self = Self(0);
    /// Marks that describe a person's health.
    pub const HEALTH: Self = Self::of(Mark::Diagnosis)
        .union(Self::of(Mark::Result))
        .union(Self::of(Mark::Medication))
        .union(Self::of(Mark::Allergy))
        .union(Self::of(Mark::Procedure));

    /// Marks that weaken a record: they hold for a patient only if they hold for all of the patient's records.
    const WEAKENING: Self =
        Self::of(Mark::Deidentified).union(Self::of(Mark::Test)).union(Self::of(Mark::Query));

    /// One mark.
    #[inline]
    pub const fn of(mark: Mark) -> Self {
        Self(1 << mark as u16)
    }
    /// Adds a mark. Returns whether it is new.
    pub const fn insert(&mut self, mark: Mark) -> bool {
        let new = !self.contains(mark);
        *self = self.union(Self::of(mark));
        new
    }
    /// Whether it contains a mark.
    #[inline]
    pub const fn contains(self, mark: Mark) -> bool {
        self.has(Self::of(mark))
    }
    /// Whether it contains all marks of `other`.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether it is empty.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The marks of both.
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// The marks that are in both.
    #[inline]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// The marks that are not in `other`.
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// The marks that describe a person's health.
    pub const fn health(self) -> Self {
        self.intersection(Self::HEALTH)
    }
    /// The marks of a patient after a further record.
    pub const fn with_record(self, other: Self) -> Self {
        let weakening = self.intersection(other).intersection(Self::WEAKENING);
        self.union(other).without(Self::WEAKENING).union(weakening)
    }
    /// As a number, for comparison.
    pub const fn bits(self) -> u16 {
        self.0
    }
    /// Every mark in it, in the order of [`Mark::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let mark = Mark::ALL.get(left.trailing_zeros() as usize).copied();
            left &= left.wrapping_sub(1);
            mark
        })
    }
}

impl FromIterator<Mark> for MarkSet {
    fn from_iter<I: IntoIterator<Item = Mark>>(marks: I) -> Self {
        marks.into_iter().fold(Self::default(), |set, mark| set.union(Self::of(mark)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weakens_a_record_holds_only_if_every_record_has_it() {
        let tested = MarkSet::from_iter([Mark::Test, Mark::Query, Mark::Result]);
        let ill = MarkSet::from_iter([Mark::Test, Mark::Diagnosis]);
        let both: Vec<Mark> = tested.with_record(ill).iter().collect();
        assert_eq!(both, [Mark::Test, Mark::Diagnosis, Mark::Result]);
    }

    #[test]
    fn a_mark_is_new_once() {
        let mut set = MarkSet::default();
        assert!(Mark::ALL.into_iter().all(|mark| set.insert(mark)));
        assert!(!Mark::ALL.into_iter().any(|mark| set.insert(mark)));
        assert_eq!(set.iter().collect::<Vec<_>>(), Mark::ALL);
    }

    #[test]
    fn every_kind_of_health_data_is_a_mark_of_health() {
        use Health::{Allergy, Diagnosis, Medication, Procedure, Result};
        let all = [Diagnosis, Result, Medication, Allergy, Procedure].map(Mark::from);
        assert_eq!(MarkSet::from_iter(all), MarkSet::HEALTH);
    }
}
