//! Findings by direction, exposures by severity, and how many of them reached how many patients.

use super::types::NetworkDirection;
use crate::severity::Severity;

/// Numbers of patients at which an exposure is counted.
pub const PATIENTS: [u64; 5] = [10, 100, 500, 1_000, 10_000];

/// Patients at which an exposure is announced at once, however severe it is already: from 500 on the law asks for more (45 CFR
/// 164.406 and 164.408).
pub(in crate::exposure) const ANNOUNCED_AT: u64 = 500;

/// Counted since the start of the run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ThresholdCounters {
    /// Findings, revisions not counted, in the order of [`NetworkDirection::ALL`].
    pub directions: [u64; NetworkDirection::ALL.len()],
    /// Exposures that reached each number of [`PATIENTS`].
    pub reached: [u64; PATIENTS.len()],
    /// Exposures so far, idle and ended ones included, in the order of [`Severity::ALL`].
    pub exposures: [u64; Severity::ALL.len()],
}

impl ThresholdCounters {
    /// Counts a finding; `first`: it is no revision.
    pub(in crate::exposure) fn finding(&mut self, direction: NetworkDirection, first: bool) {
        self.directions[direction as usize] += u64::from(first);
    }

    /// Counts the thresholds that an exposure passed when its patients grew from `before` to `now`.
    pub(in crate::exposure) fn patients(&mut self, before: u64, now: u64) {
        for (reached, step) in self.reached.iter_mut().zip(PATIENTS) {
            *reached += u64::from(before < step && now >= step);
        }
    }
}
