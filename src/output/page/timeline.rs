//! Findings over time.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Bars of the timeline, at most.
const MAX_BARS: i64 = 240;
/// Width of a bar, seconds; beyond the last it doubles.
const WIDTHS: [i64; 12] =
    [1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 604_800, 2_419_200];

/// Findings by time. Bars grow wider with the time span.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    width: i64,
    bars: BTreeMap<i64, u64>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: WIDTHS[0], bars: BTreeMap::new() }
    }
}

impl Timeline {
    /// Adds `n` findings at `second` since 1970.
    pub fn add(&mut self, second: i64, n: u64) {
        *self.bars.entry(second.div_euclid(self.width)).or_default() += n;
        while self.len() > MAX_BARS {
            let wider = WIDTHS.into_iter().find(|w| *w > self.width).unwrap_or(self.width * 2);
            let mut bars = BTreeMap::new();
            for (at, n) in std::mem::take(&mut self.bars) {
                let second = at.saturating_mul(self.width);
                *bars.entry(second.div_euclid(wider)).or_default() += n;
            }
            (self.width, self.bars) = (wider, bars);
        }
    }

    /// Bars from the first to the last, empty ones counted.
    fn len(&self) -> i64 {
        match (self.bars.keys().next(), self.bars.keys().next_back()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        }
    }

    /// `start` (seconds since 1970), `width` (seconds) and `counts`; null if there was none.
    pub fn json(&self) -> Value {
        let Some(first) = self.bars.keys().next() else { return Value::Null };
        let counts = (0..self.len()).map(|i| self.bars.get(&(first + i)).copied().unwrap_or(0));
        json!({
            "start": first * self.width,
            "width": self.width,
            "counts": counts.collect::<Vec<u64>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_wider_and_none_is_lost() {
        let mut timeline = Timeline::default();
        assert!(timeline.json().is_null());
        for second in 0..100_000 {
            timeline.add(1_772_360_000 + second, 1);
        }
        let json = timeline.json();
        let counts: Vec<u64> = serde_json::from_value(json["counts"].clone()).expect("counts");
        assert_eq!(counts.iter().sum::<u64>(), 100_000);
        assert!(counts.len() <= MAX_BARS as usize, "{}", counts.len());
        assert_eq!(json["width"], 900);
        assert!(
            json["start"].as_i64().is_some_and(|at| (1_772_359_100..=1_772_360_000).contains(&at))
        );
    }

    #[test]
    fn the_ends_of_time_make_few_bars() {
        let mut timeline = Timeline::default();
        for second in [i64::MIN / 1_000_000_000, 0, i64::MAX / 1_000_000_000] {
            timeline.add(second, 1);
        }
        assert!(timeline.len() <= MAX_BARS);
    }
}
