//! Counters of what a flow did.
//!
//! Kept apart from [`super::ServiceFacts`]: facts describe a service and stay as they are, counters grow with every
//! message. They are passed on periodically and start again at zero.

use crate::closed_set::closed_set;
use std::collections::BTreeMap;

/// How often something had an outcome, both from closed sets: `C-FIND` `pending`, `association`
/// `accepted`.
pub type OutcomeCounts = BTreeMap<(&'static str, &'static str), u64>;

/// Activity of a flow since the last report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Operations by outcome.
    pub counts: OutcomeCounts,
    /// Objects transferred, or to be transferred, to a third party; to a cap.
    pub moves: Vec<Move>,
    /// What could not be read.
    pub losses: FlowLosses,
}

/// The part of a flow that could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowLosses {
    /// Bytes missing in its streams, including those that the snap length cut off.
    pub gap_bytes: u64,
    /// Payload bytes that the snap length cut off.
    pub cut_bytes: u64,
    /// Directions that were given up, or that had no boundary after a gap.
    pub directions: u64,
    /// Packets left unread because the sensor was overloaded.
    pub shed_packets: u64,
}

impl FlowLosses {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::AddAssign for FlowLosses {
    fn add_assign(&mut self, other: Self) {
        self.gap_bytes = self.gap_bytes.saturating_add(other.gap_bytes);
        self.cut_bytes = self.cut_bytes.saturating_add(other.cut_bytes);
        self.directions = self.directions.saturating_add(other.directions);
        self.shed_packets = self.shed_packets.saturating_add(other.shed_packets);
    }
}

/// A C-MOVE (PS3.7 9.1.4) as seen from one of its two associations. Destination and originator relate the two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Move {
    /// Whether this is a resulting C-STORE; otherwise it is the request.
    pub performed: bool,
    /// Application entity title of the requester; empty where an archive names itself instead.
    pub originator: String,
    /// Application entity title of the destination.
    pub destination: String,
}

closed_set! {
    /// Objects that are counted by their unique identifiers.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Object {
        /// A composite instance (an image, a report) that was transferred.
        Instance = "instance",
        /// A study.
        Study = "study",
        /// An instance in a request for, or a confirmation of, storage commitment.
        Commitment = "commitment",
    }
}

impl Activity {
    /// Moves kept per report.
    pub const MAX_MOVES: usize = 16;

    /// Counts one `what` with this `outcome`.
    pub fn count(&mut self, what: &'static str, outcome: &'static str) {
        self.add(what, outcome, 1);
    }

    /// Counts `n` of `what` with this `outcome`.
    pub fn add(&mut self, what: &'static str, outcome: &'static str, n: u64) {
        if n > 0 {
            let count = self.counts.entry((what, outcome)).or_default();
            *count = count.saturating_add(n);
        }
    }

    /// Notes a move, if it is new and there is room.
    pub fn moved(&mut self, performed: bool, originator: &str, destination: &str) {
        if destination.is_empty() || self.moves.len() >= Self::MAX_MOVES {
            return;
        }
        let (originator, destination) = (originator.to_owned(), destination.to_owned());
        let moved = Move { performed, originator, destination };
        if !self.moves.contains(&moved) {
            self.moves.push(moved);
        }
    }

    /// Whether nothing happened; losses alone are no activity.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.moves.is_empty()
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        // Both titles are cut to 16 bytes by their readers (PS3.5 table 6.2-1).
        self.counts.len() * 64 + self.moves.capacity() * (size_of::<Move>() + 32)
    }
}
