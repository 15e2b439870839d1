//! Counters of this stage; the pipeline adds them to the metrics.

use super::{Key, Token};
use crate::closed_set::closed_set;
use crate::content::Object;
use crate::rules::Kind;

closed_set! {
    /// Why something was not kept.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Loss {
        /// A record had too many identifiers.
        RecordIdentifiers = "record_identifiers",
        /// A patient had too many identifiers in one flow.
        PatientIdentifiers = "patient_identifiers",
        /// A flow had too many patients to track them separately.
        Patients = "patients",
        /// Too many records were open at the same time, or nested too deep.
        OpenRecords = "open_records",
    }
}

/// Counters of identify.
#[derive(Clone, Debug)]
pub struct IdentifyCounters {
    identifiers: [u64; Kind::ALL.len()],
    lost: [u64; Loss::ALL.len()],
    /// Ended records, without nested ones that joined another.
    pub records: u64,
    /// Of these, records with identifiers but not enough for an alert.
    pub below_policy: u64,
    /// Of these, records with nothing but pseudonyms.
    pub deidentified: u64,
    /// Of these, records of phantoms and quality checks.
    pub phantoms: u64,
    /// Values that identify no person (placeholders, impossible dates).
    pub implausible: u64,
    /// Named objects, by their pseudonyms; some more than once.
    pub objects: Vec<(Object, Token)>,
}

impl Default for IdentifyCounters {
    fn default() -> Self {
        Self {
            identifiers: [0; Kind::ALL.len()],
            lost: [0; Loss::ALL.len()],
            records: 0,
            below_policy: 0,
            deidentified: 0,
            phantoms: 0,
            implausible: 0,
            objects: Vec::new(),
        }
    }
}

impl IdentifyCounters {
    /// An object was named.
    pub fn object(&mut self, key: &Key, object: Object, uid: &str) {
        // Encoders pad it differently (PS3.5 9.1).
        let uid = uid.trim_matches(['\0', ' ']);
        if !uid.is_empty() {
            self.objects.push((object, key.object(object, uid)));
        }
    }
    /// Identifiers of patients in findings, by kind: each once per patient and flow.
    pub fn identifiers(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        Kind::ALL.iter().copied().zip(self.identifiers.iter().copied())
    }
    /// What was lost to caps, by reason.
    pub fn lost(&self) -> impl Iterator<Item = (Loss, u64)> + '_ {
        Loss::ALL.iter().copied().zip(self.lost.iter().copied())
    }
    /// Adds the counts of another one.
    pub fn add(&mut self, other: &Self) {
        let sums = self.identifiers.iter_mut().zip(&other.identifiers);
        for (sum, n) in sums.chain(self.lost.iter_mut().zip(&other.lost)) {
            *sum += n;
        }
        self.records += other.records;
        self.below_policy += other.below_policy;
        self.deidentified += other.deidentified;
        self.phantoms += other.phantoms;
        self.implausible += other.implausible;
    }
    pub(in crate::identify) fn identifier(&mut self, kind: Kind) {
        if let Some(n) = self.identifiers.get_mut(kind as usize) {
            *n += 1;
        }
    }
    pub(in crate::identify) fn lose(&mut self, reason: Loss) {
        if let Some(n) = self.lost.get_mut(reason as usize) {
            *n += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_reason_has_its_own_counter() {
        let mut counters = IdentifyCounters::default();
        for (i, &kind) in Kind::ALL.iter().enumerate() {
            (0..=i).for_each(|_| counters.identifier(kind));
        }
        for (i, &reason) in Loss::ALL.iter().enumerate() {
            (0..=i).for_each(|_| counters.lose(reason));
        }
        let mut sum = counters.clone();
        sum.add(&counters);
        for (i, (kind, n)) in sum.identifiers().enumerate() {
            assert_eq!((kind, n), (Kind::ALL[i], 2 * (i as u64 + 1)));
        }
        for (i, (reason, n)) in sum.lost().enumerate() {
            assert_eq!((reason, n), (Loss::ALL[i], 2 * (i as u64 + 1)));
        }
    }
}
