//! Severity of exposures, in four bands.

use crate::closed_set::closed_set;

closed_set! {
    /// A band of severity.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Severity {
        /// 1 to 39.
        Low = "low",
        /// 40 to 69.
        Medium = "medium",
        /// 70 to 89.
        High = "high",
        /// 90 to 100.
        Critical = "critical",
    }
}

impl Severity {
    /// The lowest score of the band.
    pub const fn least(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::Medium => 40,
            Self::High => 70,
            Self::Critical => 90,
        }
    }

    /// The band of a score of 0 to 100.
    pub const fn of(score: u8) -> Self {
        match score {
            0..=39 => Self::Low,
            40..=69 => Self::Medium,
            70..=89 => Self::High,
            _ => Self::Critical,
        }
    }
}
