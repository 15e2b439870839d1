//! The clocks of the machine. Events never depend on them: below `output`, time is packet time.

use crate::time::Timestamp;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock: how long something takes or waits.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn wall_clock() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}
