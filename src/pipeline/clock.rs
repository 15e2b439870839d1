//! The clock of a run, which all time-outs follow.
//!
//! It follows packet time. In a live capture, packet time comes from the system clock, which may be
//! set while the sensor runs. The run clock ignores such steps: a jump ahead ends no conversation,
//! and a jump back keeps none alive for ever. Events still carry the time of their packets.

use crate::output::clock::stopwatch;
use crate::time::{Pace, Span, Timestamp};
use std::time::Instant;

/// Difference between packet time and the run clock from which the system clock must have been set.
/// Packets that waited in a ring are late by less, and NTP moves a clock by less (RFC 5905 steps it
/// from 128 ms on, and rarely).
const STEP: Span = Span::seconds(5);

/// How often the system clock was set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ClockSteps {
    /// Forward.
    pub forward: u64,
    /// Backward.
    pub backward: u64,
}

impl ClockSteps {
    /// Combines with the steps of another reader. Every reader sees the same steps, or fewer.
    pub fn add(&mut self, other: Self) {
        self.forward = self.forward.max(other.forward);
        self.backward = self.backward.max(other.backward);
    }

    /// The steps since `before`, by direction.
    pub fn since(self, before: Self) -> [(&'static str, u64); 2] {
        [("forward", self.forward - before.forward), ("backward", self.backward - before.backward)]
    }
}

/// The latest packet time of a run.
pub struct RunClock {
    at: Timestamp,
    latest: Timestamp,
    live: Option<Steady>,
    steps: ClockSteps,
}

/// The machine's monotonic clock, which distinguishes steps from elapsed time.
#[derive(Clone, Copy)]
struct Steady {
    started: Instant,
    base: Timestamp,
    pace: Pace,
    /// The offset added to packet times.
    offset: Span,
}

impl Steady {
    fn now(&self) -> Timestamp {
        let elapsed = stopwatch().saturating_duration_since(self.started).as_nanos();
        self.base + self.pace.span(Span(i64::try_from(elapsed).unwrap_or(i64::MAX)))
    }
}

impl RunClock {
    /// The clock of a replay: the latest packet time.
    pub const fn replay() -> Self {
        let start = Timestamp(i64::MIN);
        Self { at: start, latest: start, live: None, steps: ClockSteps { forward: 0, backward: 0 } }
    }

    /// The clock of a live capture that `started` at the packet time `base`; packet time passes at
    /// `pace`.
    pub const fn live(started: Instant, base: Timestamp, pace: Pace) -> Self {
        let steady = Steady { started, base, pace, offset: Span(0) };
        Self {
            at: base,
            latest: base,
            live: Some(steady),
            steps: ClockSteps { forward: 0, backward: 0 },
        }
    }

    /// Advances to `time`, the time of a packet or the current time if none arrived.
    #[inline]
    pub fn advance(&mut self, time: Timestamp) {
        let Some(steady) = &self.live else {
            self.at = self.at.max(time);
            self.latest = self.at;
            return;
        };
        self.latest = time;
        let time = time + steady.offset;
        let step = steady.pace.span(STEP);
        if time - self.at > step || self.at - time > step {
            self.leap(time);
        } else {
            self.at = self.at.max(time);
        }
    }

    #[cold]
    fn leap(&mut self, time: Timestamp) {
        let Some(steady) = &mut self.live else { return };
        let now = steady.now();
        if time < self.at {
            steady.offset.0 = steady.offset.0.saturating_add((self.at - time).0);
            self.steps.backward += 1;
        } else if time - now > steady.pace.span(STEP) {
            steady.offset.0 = steady.offset.0.saturating_sub((time - now).0);
            self.at = self.at.max(now);
            self.steps.forward += 1;
        } else {
            // Nothing was read for this long.
            self.at = time;
        }
    }

    /// The time that time-outs follow. It never goes back.
    #[inline]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The latest packet time, which events carry.
    pub const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// The clock as a number that orders the results of several readers.
    #[inline]
    pub fn number(&self) -> u64 {
        u64::try_from(self.at.0).unwrap_or(0)
    }

    /// How often the system clock was set.
    pub const fn steps(&self) -> ClockSteps {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Timestamp = Timestamp(1_700_000_000 * 1_000_000_000);
    const DAY: Span = Span::seconds(86_400);

    fn live() -> RunClock {
        RunClock::live(stopwatch(), BASE, Pace::REAL)
    }

    #[test]
    fn a_jump_ahead_or_back_is_taken_out_and_counted_once() {
        let mut clock = live();
        for (step, counts) in [(DAY, (1, 0)), (Span(-DAY.0), (1, 1))] {
            let before = clock.at();
            let base = if step.0 > 0 { BASE } else { BASE + DAY };
            let mut last = before;
            for n in 1..100 {
                clock.advance(base + step + Span::millis(n));
                assert!(clock.at() >= last, "it never goes back");
                last = clock.at();
            }
            assert!(last - before <= STEP, "{:?}", last - before);
            assert_eq!((clock.steps().forward, clock.steps().backward), counts);
            assert_eq!(
                clock.latest(),
                base + step + Span::millis(99),
                "events say what packets bear"
            );
        }
    }

    #[test]
    fn packets_that_waited_are_no_jump() {
        let mut clock = live();
        clock.advance(BASE + Span::seconds(2));
        clock.advance(BASE + Span::millis(500));
        assert_eq!(clock.at(), BASE + Span::seconds(2));
        assert_eq!(clock.steps(), ClockSteps::default());
    }

    #[test]
    fn time_that_passed_without_packets_is_no_jump() {
        let hour = std::time::Duration::from_secs(3600);
        let Some(started) = stopwatch().checked_sub(hour) else { return };
        let mut clock = RunClock::live(started, BASE, Pace::REAL);
        clock.advance(BASE + Span::seconds(3600));
        assert_eq!(
            (clock.at(), clock.steps()),
            (BASE + Span::seconds(3600), ClockSteps::default())
        );
    }

    #[test]
    fn a_replay_takes_time_as_it_comes() {
        let mut clock = RunClock::replay();
        clock.advance(BASE + DAY);
        clock.advance(BASE);
        assert_eq!((clock.at(), clock.latest()), (BASE + DAY, BASE + DAY));
        assert_eq!(clock.steps(), ClockSteps::default());
    }
}
