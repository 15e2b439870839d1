//! The clock of a replay.

use crate::capture::Batch;
use crate::output::clock::stopwatch;
use crate::time::{Span, Timestamp};
use std::time::Instant;

/// The current packet time of a replay when no packets arrive.
pub(super) struct Replayed {
    follow: bool,
    last: Option<(Timestamp, Instant)>,
}

impl Replayed {
    pub const fn new(follow: bool) -> Self {
        Self { follow, last: None }
    }

    pub fn batch(&mut self, batch: &Batch) {
        if let Some(packet) = batch.packets.last() {
            self.last = Some((packet.time, stopwatch()));
        }
    }

    /// In a growing file, time advances with the clock so that idle flows end. In a pipe it does
    /// not: the same packets must give the same events, however slowly they arrive.
    pub fn now(&self) -> Timestamp {
        let Some((time, at)) = self.last else { return Timestamp(i64::MIN) };
        let waited = if self.follow { at.elapsed().as_nanos() } else { 0 };
        time + Span(i64::try_from(waited).unwrap_or(i64::MAX))
    }
}
