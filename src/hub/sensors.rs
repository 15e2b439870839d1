//! What is wrong with each sensor: silent, late, dropping packets, on old rules, or running twice.

use super::event::Status;
use crate::closed_set::closed_set;
use crate::merge::CLOCK_TOLERANCE;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message of a live sensor is late if it is stored this long after its own time, nanoseconds.
const LATE: i64 = 60_000_000_000;
/// Most processes remembered for one name.
const MAX_INSTANCES: usize = 16;

closed_set! {
    /// What is wrong with a sensor.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum SensorProblem {
        /// Nothing came from it for too long.
        Silent = "silent",
        /// Its messages arrive a minute late, or its clock is behind.
        Late = "late",
        /// Its clock is ahead.
        ClockAhead = "clock_ahead",
        /// It lost packets between its last two reports.
        Dropping = "dropping",
        /// It reports that it is not ready.
        NotReady = "not_ready",
        /// Its rules are not those that were published, or not those of most sensors.
        OldRules = "old_rules",
        /// Two sensors have its name.
        Twice = "twice",
        /// It makes pseudonyms with another key than most sensors.
        OtherKey = "other_key",
        /// Its summaries have another version.
        OtherVersion = "other_version",
    }
}

impl SensorProblem {
    /// The problem in words, with what to do.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Silent => {
                "silent: no message for too long; is it running, and does it reach the broker?"
            }
            Self::Late => {
                "late: its events arrive a minute late, or its clock is behind; see its spool, and set its clock by NTP"
            }
            Self::ClockAhead => "its clock is ahead: set it by NTP",
            Self::Dropping => {
                "it loses packets: see phitap_packets_dropped_total of the sensor for the stage"
            }
            Self::NotReady => "it is not ready: its /readyz says why",
            Self::OldRules => {
                "its rules are not those that were published, or not those of most: see its log, or rules publish"
            }
            Self::Twice => {
                "two sensors of one name run at the same time: give each its own with --sensor"
            }
            Self::OtherKey => {
                "it has another key than most sensors, so patients cannot be compared: give all the same --key-file"
            }
            Self::OtherVersion => {
                "its summaries have another version and are not counted: run one version of phitap everywhere"
            }
        }
    }
}

/// The state of a sensor. The order of messages does not matter for values that only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sensor {
    pub version: String,
    /// When the stream stored its last message, and the time of that event.
    pub stored: i64,
    pub said: i64,
    /// Its last status: when it was written and when it was stored; 0 if there is none.
    pub status_at: i64,
    pub status_stored: i64,
    pub ready: bool,
    pub problems: Vec<String>,
    pub rules: String,
    pub packets: u64,
    pub lost: u64,
    /// Packets lost as of the status before.
    pub lost_before: u64,
    pub uptime: u64,
    /// When the first and the last status of each process of this name was stored.
    pub instances: BTreeMap<String, (i64, i64)>,
    /// The key of its pseudonyms, and the time of the event that named it.
    pub key_id: String,
    pub key_at: i64,
    /// Times of its last summary of a known version, and of another one.
    pub understood: i64,
    pub foreign: i64,
}

impl Sensor {
    /// Notes a message of `time` that was stored at `stored`.
    pub fn heard(&mut self, version: &str, time: Timestamp, stored: Timestamp) {
        if stored.0 >= self.stored {
            self.stored = stored.0;
            version.clone_into(&mut self.version);
        }
        self.said = self.said.max(time.0);
    }

    /// Notes the key of its pseudonyms.
    pub fn keyed(&mut self, key_id: &str, time: Timestamp) {
        if !key_id.is_empty() && (time.0, key_id) > (self.key_at, self.key_id.as_str()) {
            self.key_at = time.0;
            key_id.clone_into(&mut self.key_id);
        }
    }

    /// Notes a summary of a known version or of another.
    pub fn summarised(&mut self, known: bool, time: Timestamp) {
        let last = if known { &mut self.understood } else { &mut self.foreign };
        *last = (*last).max(time.0);
    }

    /// Notes its status.
    pub fn status(&mut self, status: &Status, time: Timestamp, stored: Timestamp) {
        self.runs_as(&status.instance, stored);
        if time.0 <= self.status_at {
            return;
        }
        // After a restart it counts anew.
        self.lost_before = if status.lost < self.lost { 0 } else { self.lost };
        (self.status_at, self.status_stored) = (time.0, stored.0);
        let Status { ready, problems, uptime, rules, lost, packets, instance: _ } = status.clone();
        (self.ready, self.problems, self.rules) = (ready, problems, rules);
        (self.uptime, self.lost, self.packets) = (uptime, lost, packets);
    }

    /// Notes a process of this name. `stored` is by the broker's clock, because the clocks of two sensors may differ.
    fn runs_as(&mut self, instance: &str, stored: Timestamp) {
        if instance.is_empty() {
            return;
        }
        let at = stored.0;
        let (first, last) = self.instances.entry(instance.to_owned()).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
        while self.instances.len() > MAX_INSTANCES {
            let oldest = self.instances.iter().min_by_key(|(name, (_, last))| (*last, *name));
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { break };
            self.instances.remove(&oldest);
        }
    }

    /// Whether it is a live sensor, not a replay.
    pub const fn is_live(&self) -> bool {
        self.status_at != 0
    }

    /// What is wrong with it at `now`; `usual` is what it should have.
    pub fn troubles(
        &self,
        now: Timestamp,
        silent_after: i64,
        usual: Expected<'_>,
    ) -> Vec<SensorProblem> {
        let mut all = Vec::new();
        if !self.is_live() {
            return all;
        }
        let mut note = |is: bool, trouble| {
            if is {
                all.push(trouble);
            }
        };
        note(now.0.saturating_sub(self.stored) > silent_after, SensorProblem::Silent);
        note(self.behind() > LATE, SensorProblem::Late);
        note(self.behind() < -CLOCK_TOLERANCE.0, SensorProblem::ClockAhead);
        note(self.lost > self.lost_before, SensorProblem::Dropping);
        note(!self.ready, SensorProblem::NotReady);
        note(usual.rules.is_some_and(|rules| rules != self.rules), SensorProblem::OldRules);
        note(self.is_twice(now.0.saturating_sub(silent_after)), SensorProblem::Twice);
        let other_key = |key: &str| !self.key_id.is_empty() && key != self.key_id;
        note(usual.key.is_some_and(other_key), SensorProblem::OtherKey);
        note(self.foreign > self.understood, SensorProblem::OtherVersion);
        all
    }

    /// Time between writing and storing its last status, nanoseconds.
    pub const fn behind(&self) -> i64 {
        self.status_stored.saturating_sub(self.status_at)
    }

    /// Whether two processes of this name overlap, both with a report after `since`. A process that ended before the
    /// next began was restarted.
    fn is_twice(&self, since: i64) -> bool {
        let spans: Vec<(i64, i64)> =
            self.instances.values().filter(|(_, last)| *last >= since).copied().collect();
        let overlap = |(n, (first, last)): (usize, &(i64, i64))| {
            let others = spans.iter().take(n);
            others.into_iter().any(|(from, to)| first < to && from < last)
        };
        spans.iter().enumerate().any(overlap)
    }
}

/// What sensors should have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected<'a> {
    /// Fingerprint of the rules.
    pub rules: Option<&'a str>,
    /// The key of pseudonyms.
    pub key: Option<&'a str>,
}

/// The most frequent value among live sensors; of equally frequent ones, the greatest.
fn most<'a>(
    sensors: &'a BTreeMap<String, Sensor>,
    of: impl Fn(&'a Sensor) -> &'a str,
) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in sensors.values().filter(|s| s.is_live()).map(of).filter(|v| !v.is_empty()) {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(value, n)| (*n, *value)).map(|(value, _)| value)
}

impl<'a> Expected<'a> {
    /// The published rules, or those of most live sensors; and the key of most.
    pub fn of(sensors: &'a BTreeMap<String, Sensor>, published: Option<&'a str>) -> Self {
        let rules = published.or_else(|| most(sensors, |sensor| sensor.rules.as_str()));
        Self { rules, key: most(sensors, |sensor| sensor.key_id.as_str()) }
    }
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

    fn troubles(sensor: &Sensor, now: i64) -> Vec<SensorProblem> {
        sensor.troubles(at(now), 180 * SECOND, Expected { rules: Some("a"), key: Some("k") })
    }

    #[test]
    fn a_sensor_that_is_well_has_no_trouble_and_falls_silent() {
        assert_eq!(troubles(&sensor(), 160), []);
        assert_eq!(troubles(&sensor(), 281), [SensorProblem::Silent]);
        // A replay ends, and nothing is wrong with that.
        assert_eq!(troubles(&Sensor::default(), 9_999), []);
    }

    #[test]
    fn lateness_clocks_losses_and_rules_are_told() {
        let mut late = sensor();
        let mut status = Status { ready: false, rules: "b".into(), lost: 7, ..Status::default() };
        late.status(&status, at(110), at(200));
        late.heard("0.1.0", at(110), at(200));
        let expected = [
            SensorProblem::Late,
            SensorProblem::Dropping,
            SensorProblem::NotReady,
            SensorProblem::OldRules,
        ];
        assert_eq!(troubles(&late, 210), expected);
        // The same losses as before are none since.
        status = Status { ready: true, rules: "a".into(), lost: 7, ..Status::default() };
        late.status(&status, at(210), at(205));
        assert_eq!(troubles(&late, 210), [SensorProblem::ClockAhead]);
        // A restart counts anew.
        status.lost = 2;
        late.status(&status, at(211), at(211));
        assert_eq!(troubles(&late, 212), [SensorProblem::Dropping]);
        // What is older changes nothing.
        let before = late.clone();
        late.status(&Status::default(), at(150), at(220));
        assert_eq!(late, before);
    }

    #[test]
    fn two_sensors_of_one_name_are_noticed_at_once_and_forgotten_and_a_restart_is_neither() {
        let mut one = sensor();
        let mut report = |instance: &str, stored: i64| {
            let instance = instance.to_owned();
            let status = Status { ready: true, rules: "a".into(), instance, ..Status::default() };
            // The clock of one of them is behind: its reports change nothing else.
            let time = if status.instance == "b" { at(1) } else { at(stored) };
            one.status(&status, time, at(stored));
            one.heard("0.1.0", time, at(stored));
            troubles(&one, stored)
        };
        // A restart.
        assert_eq!(report("z", 100), []);
        assert_eq!(report("z", 160), []);
        assert_eq!(report("a", 165), []);
        // Another one of the same name.
        assert_eq!(report("b", 190), []);
        assert_eq!(report("a", 225), [SensorProblem::Twice]);
        assert_eq!(report("b", 250), [SensorProblem::Twice]);
        // It was renamed.
        for stored in [285, 345, 405] {
            assert_eq!(report("a", stored), [SensorProblem::Twice]);
        }
        assert_eq!(report("a", 465), []);
        for n in 0..40 {
            report(&format!("r{n}"), 500 + n);
        }
        assert_eq!(one.instances.len(), MAX_INSTANCES);
    }

    #[test]
    fn another_key_and_another_version_are_troubles_until_they_end() {
        let mut one = sensor();
        one.keyed("k", at(100));
        one.keyed("other", at(101));
        one.keyed("k", at(99));
        one.summarised(false, at(102));
        let expected = [SensorProblem::OtherKey, SensorProblem::OtherVersion];
        assert_eq!(troubles(&one, 110), expected);
        one.keyed("k", at(103));
        one.summarised(true, at(103));
        assert_eq!(troubles(&one, 110), []);
    }

    #[test]
    fn what_most_sensors_have_is_usual() {
        let mut sensors = BTreeMap::new();
        for (name, rules, key) in [("a", "x", "k"), ("b", "y", "l"), ("c", "x", "l")] {
            let (rules, key_id) = (rules.into(), key.into());
            sensors.insert(name.to_owned(), Sensor { rules, key_id, ..sensor() });
        }
        let usual = Expected::of(&sensors, None);
        assert_eq!((usual.rules, usual.key), (Some("x"), Some("l")));
        assert_eq!(Expected::of(&sensors, Some("z")).rules, Some("z"));
        assert_eq!(Expected::of(&BTreeMap::new(), None).key, None);
    }
}
