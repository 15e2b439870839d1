//! Findings by direction, and how many exposures reached how many patients.

use super::types::NetworkDirection;

/// Numbers of patients at which an exposure is counted.
pub const PATIENTS: [u64; 5] = [10, 100, 500, 1_000, 10_000];

/// Counted since the start of the run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ThresholdCounters {
    /// Findings, revisions not counted, in the order of [`NetworkDirection::ALL`].
    pub directions: [u64; NetworkDirection::ALL.len()],
    /// Exposures that reached each number of [`PATIENTS`].
    pub reached: [u64; PATIENTS.len()],
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
