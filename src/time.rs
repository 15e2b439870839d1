//! Packet time, the only clock of the stages below the pipeline.

use std::fmt;
use std::ops::{Add, Sub};

/// Nanoseconds per second.
const NANOS: i64 = 1_000_000_000;

/// A point in time, nanoseconds since 1970-01-01T00:00:00Z; negative before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub i64);

/// A span of packet time, nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Span(pub i64);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(s: i64) -> Self {
        Self(s * 1_000_000_000)
    }
    /// A span of whole milliseconds.
    pub const fn millis(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }
    /// The span in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Timestamp {
    /// From whole seconds and nanoseconds since the epoch; saturates.
    pub fn new(secs: i64, nanos: u32) -> Self {
        Self(secs.saturating_mul(1_000_000_000).saturating_add(i64::from(nanos)))
    }
    /// Milliseconds since the epoch, 0 for moments before it.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(0)
    }
}

/// How fast packet time passes: like the clock, or faster by a factor from some point in time on,
/// so that a soak test covers days in minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    origin: Timestamp,
    times: u32,
}

impl Pace {
    /// Like the clock.
    pub const REAL: Self = Self { origin: Timestamp(0), times: 1 };

    /// `times` as fast from `origin` on.
    pub const fn from(origin: Timestamp, times: u32) -> Self {
        Self { origin, times }
    }

    /// The packet time when the clock shows `at`.
    #[inline]
    pub fn of(self, at: Timestamp) -> Timestamp {
        if self.times == 1 { at } else { self.origin + self.span(at - self.origin) }
    }

    /// The packet time that passes while the clock advances by `span`.
    #[inline]
    pub const fn span(self, span: Span) -> Span {
        Span(span.0.saturating_mul(self.times as i64))
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, s: Span) -> Self {
        Self(self.0.saturating_add(s.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// RFC 3339 in UTC with microseconds, as in ECS `@timestamp`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // i64 nanoseconds cover 1677 to 2262, always within the range of `OffsetDateTime`.
        let Ok(at) = time::OffsetDateTime::from_unix_timestamp(self.0.div_euclid(NANOS)) else {
            return Ok(());
        };
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second) = at.to_hms();
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |end: usize, width: usize, number: i64| {
            let mut left = number;
            for place in text.iter_mut().take(end).rev().take(width) {
                *place = b'0' + (left % 10) as u8;
                left /= 10;
            }
        };
        put(4, 4, year.into());
        put(7, 2, u8::from(month).into());
        put(10, 2, day.into());
        put(13, 2, hour.into());
        put(16, 2, minute.into());
        put(19, 2, second.into());
        put(26, 6, self.0.rem_euclid(NANOS) / 1_000);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_pace_moves_packet_time_on_from_its_origin() {
        let origin = Timestamp::new(1_000, 0);
        let pace = Pace::from(origin, 60);
        assert_eq!(pace.of(origin), origin);
        assert_eq!(pace.of(Timestamp::new(1_002, 500_000_000)), Timestamp::new(1_150, 0));
        assert_eq!(Pace::REAL.of(Timestamp(7)), Timestamp(7));
        assert_eq!(pace.of(Timestamp(i64::MAX)), Timestamp(i64::MAX));
    }

    #[test]
    fn renders_rfc_3339_with_microseconds() {
        assert_eq!(
            Timestamp::new(1_772_360_102, 123_456_789).to_string(),
            "2026-03-01T10:15:02.123456Z"
        );
        assert_eq!(Timestamp(-1_000).to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "2262-04-11T23:47:16.854775Z");
        assert_eq!(Timestamp(i64::MIN).to_string(), "1677-09-21T00:12:43.145224Z");
    }
}
