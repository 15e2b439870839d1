//! How each sensor is: silent, late, dropping packets, on old rules, or there twice.

use super::event::Status;
use crate::closed_set::closed_set;
use crate::merge::CLOCK_TOLERANCE;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message of a live sensor that is stored so much later than its time is late, nanoseconds.
const LATE: i64 = 60_000_000_000;
/// Runs of a sensor that are told apart.
const MAX_RUNS: usize = 16;

closed_set! {
    /// What is wrong with a sensor.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Trouble {
        /// Nothing came from it for too long.
        Silent = "silent",
        /// What it sends comes a minute late, or its clock is behind.
        Late = "late",
        /// Its clock is ahead.
        ClockAhead = "clock_ahead",
        /// It lost packets between its last two reports.
        Dropping = "dropping",
        /// It says that it does not do its work.
        NotReady = "not_ready",
        /// Its rules are not those that were published, or not those of most sensors.
        OldRules = "old_rules",
        /// Two sensors bear its name.
        Twice = "twice",
    }
}

impl Trouble {
    /// It in words, with what to do.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Silent => {
                "silent: nothing came from it for too long; is it running, and does it reach the broker?"
            }
            Self::Late => "late: its events come a minute late, or its clock is behind",
            Self::ClockAhead => "its clock is ahead: set it by NTP",
            Self::Dropping => "it loses packets: see its counters",
            Self::NotReady => "it says that it does not do its work",
            Self::OldRules => "its rules are not those of the others",
            Self::Twice => "two sensors bear this name: give each one of its own with --sensor",
        }
    }
}

/// What is known of a sensor. Everything that only grows is joined, whatever the order of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sensor {
    pub version: String,
    /// When the stream stored its last message, and the time of that event.
    pub stored: i64,
    pub said: i64,
    /// Its last status: when it was written and when it was stored; 0 for none.
    pub status_at: i64,
    pub status_stored: i64,
    pub ready: bool,
    pub problems: Vec<String>,
    pub rules: String,
    pub packets: u64,
    pub lost: u64,
    /// Packets lost as the status before said.
    pub lost_before: u64,
    pub uptime: u64,
    /// First and last report of each run.
    pub runs: BTreeMap<String, (i64, i64)>,
}

impl Sensor {
    /// A message of it, of `time`, was stored at `stored`.
    pub fn heard(&mut self, version: &str, time: Timestamp, stored: Timestamp) {
        if stored.0 >= self.stored {
            self.stored = stored.0;
            version.clone_into(&mut self.version);
        }
        self.said = self.said.max(time.0);
    }

    /// It says how it is.
    pub fn status(&mut self, status: &Status, time: Timestamp, stored: Timestamp) {
        if time.0 <= self.status_at {
            return;
        }
        // After a restart it counts anew.
        self.lost_before = if status.lost < self.lost { 0 } else { self.lost };
        (self.status_at, self.status_stored) = (time.0, stored.0);
        let Status { ready, problems, uptime, rules, lost, packets } = status.clone();
        (self.ready, self.problems, self.rules) = (ready, problems, rules);
        (self.uptime, self.lost, self.packets) = (uptime, lost, packets);
    }

    /// It reports what a run has read.
    pub fn ran(&mut self, run: &str, time: Timestamp) {
        let (first, last) = self.runs.entry(run.to_owned()).or_insert((time.0, time.0));
        (*first, *last) = ((*first).min(time.0), (*last).max(time.0));
        while self.runs.len() > MAX_RUNS {
            let oldest = self.runs.iter().min_by_key(|(_, (_, last))| *last);
            let Some(oldest) = oldest.map(|(run, _)| run.clone()) else { break };
            self.runs.remove(&oldest);
        }
    }

    /// Whether it is one that goes on, and not a replay.
    pub const fn is_live(&self) -> bool {
        self.status_at != 0
    }

    /// What is wrong with it at `now`; `rules` are those that it should have.
    pub fn troubles(&self, now: Timestamp, silent_after: i64, rules: Option<&str>) -> Vec<Trouble> {
        let mut all = Vec::new();
        if !self.is_live() {
            return all;
        }
        let mut note = |is: bool, trouble| {
            if is {
                all.push(trouble);
            }
        };
        note(now.0.saturating_sub(self.stored) > silent_after, Trouble::Silent);
        note(self.behind() > LATE, Trouble::Late);
        note(self.behind() < -CLOCK_TOLERANCE.0, Trouble::ClockAhead);
        note(self.lost > self.lost_before, Trouble::Dropping);
        note(!self.ready, Trouble::NotReady);
        note(rules.is_some_and(|rules| rules != self.rules), Trouble::OldRules);
        note(self.overlap(), Trouble::Twice);
        all
    }

    /// By how much its last status was stored after it was written, nanoseconds.
    pub const fn behind(&self) -> i64 {
        self.status_stored.saturating_sub(self.status_at)
    }

    /// Whether two of its runs went on at one time.
    fn overlap(&self) -> bool {
        let mut spans: Vec<(i64, i64)> = self.runs.values().copied().collect();
        spans.sort_unstable();
        spans.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if start < end))
    }
}

/// The rules that most live sensors have, where none were published.
pub(super) fn usual_rules(sensors: &BTreeMap<String, Sensor>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for sensor in sensors.values().filter(|s| s.is_live() && !s.rules.is_empty()) {
        *counts.entry(&sensor.rules).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(rules, n)| (**n, **rules))?;
    Some((*most.0).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp(second * SECOND)
    }

    fn sensor() -> Sensor {
        let mut sensor = Sensor::default();
        sensor.heard("0.1.0", at(100), at(100));
        let status = Status { ready: true, rules: "a".into(), ..Status::default() };
        sensor.status(&status, at(100), at(100));
        sensor
    }

    fn troubles(sensor: &Sensor, now: i64) -> Vec<Trouble> {
        sensor.troubles(at(now), 180 * SECOND, Some("a"))
    }

    #[test]
    fn a_sensor_that_is_well_has_no_trouble_and_falls_silent() {
        assert_eq!(troubles(&sensor(), 160), []);
        assert_eq!(troubles(&sensor(), 281), [Trouble::Silent]);
        // A replay ends, and nothing is wrong with that.
        assert_eq!(troubles(&Sensor::default(), 9_999), []);
    }

    #[test]
    fn lateness_clocks_losses_and_rules_are_told() {
        let mut late = sensor();
        let mut status = Status { ready: false, rules: "b".into(), lost: 7, ..Status::default() };
        late.status(&status, at(110), at(200));
        late.heard("0.1.0", at(110), at(200));
        let expected = [Trouble::Late, Trouble::Dropping, Trouble::NotReady, Trouble::OldRules];
        assert_eq!(troubles(&late, 210), expected);
        // The same losses as before are none since.
        status = Status { ready: true, rules: "a".into(), lost: 7, ..Status::default() };
        late.status(&status, at(210), at(205));
        assert_eq!(troubles(&late, 210), [Trouble::ClockAhead]);
        // A restart counts anew.
        status.lost = 2;
        late.status(&status, at(211), at(211));
        assert_eq!(troubles(&late, 212), [Trouble::Dropping]);
        // What is older changes nothing.
        let before = late.clone();
        late.status(&Status::default(), at(150), at(220));
        assert_eq!(late, before);
    }

    #[test]
    fn two_sensors_of_one_name_are_noticed_and_a_restart_is_not() {
        let mut one = sensor();
        for (run, time) in [("a", 1), ("a", 5), ("b", 6), ("b", 9)] {
            one.ran(run, at(time));
        }
        assert_eq!(troubles(&one, 110), []);
        one.ran("a", at(8));
        assert_eq!(troubles(&one, 110), [Trouble::Twice]);
    }

    #[test]
    fn what_most_sensors_have_is_usual() {
        let mut sensors = BTreeMap::new();
        for (name, rules) in [("a", "x"), ("b", "y"), ("c", "x")] {
            sensors.insert(name.to_owned(), Sensor { rules: rules.into(), ..sensor() });
        }
        assert_eq!(usual_rules(&sensors).as_deref(), Some("x"));
        assert_eq!(usual_rules(&BTreeMap::new()), None);
    }
}
