//! Duplicate datagrams, as a second mirror port or a second VLAN delivers them.

use super::table::Arrival;
use crate::time::{Span, Timestamp};
use std::hash::BuildHasher as _;

/// Equal datagrams within this time are copies of one. Mirrors differ by microseconds; applications repeat themselves
/// later than this.
const COPY_TIME: Span = Span::millis(5);
/// Datagrams remembered per flow.
const COPIES: usize = 4;

/// The last datagrams of a flow, to recognise copies from a second mirror port or VLAN. TCP does not need this,
/// because it has sequence numbers.
#[derive(Clone, Copy, Default)]
pub(super) struct Copies {
    recent: [(u64, Timestamp); COPIES],
    next: u8,
}

impl Copies {
    /// Whether the same bytes came in the same direction a moment ago.
    pub fn seen(&mut self, arrival: &Arrival<'_>) -> bool {
        // A fixed hash is enough: only an end of this flow could produce a collision in time, and it could just as
        // well send nothing.
        let key = (arrival.segment.from, arrival.payload);
        let hash = foldhash::fast::FixedState::default().hash_one(key);
        let fresh = |&(h, at): &(u64, Timestamp)| h == hash && arrival.clock - at <= COPY_TIME;
        if self.recent.iter().any(fresh) {
            return true;
        }
        self.recent[usize::from(self.next) % COPIES] = (hash, arrival.clock);
        self.next = self.next.wrapping_add(1);
        false
    }
}
