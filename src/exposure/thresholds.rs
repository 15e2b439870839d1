//! Findings by direction, and how many exposures came to how many patients.

use super::types::NetworkDirection;

/// Numbers of patients that are counted when an exposure reaches them.
pub const PATIENTS: [u64; 5] = [10, 100, 500, 1_000, 10_000];

/// Counted since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ThresholdCounters {
    /// Findings, revisions not counted, in the order of [`NetworkDirection::ALL`].
    pub directions: [u64; NetworkDirection::ALL.len()],
    /// Exposures that reached each number of [`PATIENTS`].
    pub reached: [u64; PATIENTS.len()],
}

impl ThresholdCounters {
    /// A finding; `first` says that it revises none.
    pub(in crate::exposure) fn finding(&mut self, direction: NetworkDirection, first: bool) {
        self.directions[direction as usize] += u64::from(first);
    }

    /// The patients of an exposure were `before` and are `now`.
    pub(in crate::exposure) fn patients(&mut self, before: u64, now: u64) {
        for (reached, step) in self.reached.iter_mut().zip(PATIENTS) {
            *reached += u64::from(before < step && now >= step);
        }
    }
}
