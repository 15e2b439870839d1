//! Health of a live run as its exposures see it: dropped packets, and clock changes.

use super::tracker::Exposures;
use crate::time::{Span, Timestamp};

/// How far ahead of the clock an update may be due beyond its usual time.
const SLACK: Span = Span::seconds(5);

impl Exposures {
    /// Kernel and interface have dropped this many packets so far.
    pub const fn uncaptured(&mut self, packets: u64) {
        self.services.uncaptured = packets;
    }

    /// Keeps updates on time when the clock was set back to `now`: no update of an exposure is due later than one
    /// interval from now. Before the first packet no time is known, and nothing is done.
    pub fn keep_due(&mut self, now: Timestamp) {
        if now == Timestamp::default() {
            return;
        }
        let latest = now + self.settings.update;
        let beyond = (latest + SLACK, u64::MAX);
        if self.due.last_key_value().is_none_or(|(last, _)| *last <= beyond) {
            return;
        }
        for ((_, number), pair) in self.due.split_off(&beyond) {
            let Some(open) = self.open.get_mut(&pair) else { continue };
            open.due = latest;
            open.wrote = open.wrote.min(now);
            self.due.insert((latest, number), pair);
        }
    }
}
