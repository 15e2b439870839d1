//! The pause before another attempt.

use std::time::Duration;

/// The first pause, milliseconds.
const FIRST: u64 = 250;
/// The longest, milliseconds.
const LONGEST: u64 = 30_000;

/// Growing pauses that differ between clients of the same receiver.
#[derive(Debug, Default)]
pub struct Pause {
    attempts: u32,
}

impl Pause {
    /// An attempt succeeded: the next pause is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next pause: between half of twice the last one and all of it.
    pub fn next(&mut self) -> Duration {
        let most = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let mut bytes = [0xff; 2];
        // Without random numbers, every client waits the longest time.
        let _ = getrandom::fill(&mut bytes);
        let share = u64::from(u16::from_le_bytes(bytes));
        Duration::from_millis(most / 2 + most / 2 * share / u64::from(u16::MAX))
    }
}
