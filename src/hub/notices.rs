//! Messages of a hub on standard error. Each problem is reported at once and then rarely, however often it occurs.

use super::sensors::{Sensor, SensorProblem};
use super::state::{Counters, MAX_EXPOSURES, MAX_LISTED, MAX_SENSORS, SkipReason, State};
use crate::output::text::count;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Shortest interval between two messages about one problem.
pub(super) const SAY_EVERY: Duration = Duration::from_secs(300);
/// The same for messages about sensors.
pub(super) const SAY_OF_SENSORS_EVERY: Duration = Duration::from_secs(60);
/// Most sensors and keys named in a line.
const MAX_NAMED: usize = 5;

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Topic {
    SkipReason(SkipReason),
    Missed,
    Full,
    Keys,
    Trouble(SensorProblem),
    NoLonger(SensorProblem),
}

/// A line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Notice {
    /// A fault.
    Complaint(String),
    /// The end of a fault.
    Information(String),
}

/// What was said, and when.
#[derive(Default)]
pub(super) struct Notices {
    /// Since the start of the hub.
    said: BTreeMap<Topic, Duration>,
    /// Messages of each kind that were reported.
    passed: BTreeMap<SkipReason, u64>,
    missed: u64,
    /// Keys that were reported.
    keys: BTreeSet<String>,
    /// Sensors that were said to be in trouble.
    troubles: BTreeMap<SensorProblem, BTreeSet<String>>,
}

impl Notices {
    /// Whether a message about `topic` is due at `now`; if so, records it as written.
    fn due(&mut self, topic: Topic, now: Duration, every: Duration) -> bool {
        let due = self.said.get(&topic).is_none_or(|at| now.saturating_sub(*at) >= every);
        if due {
            self.said.insert(topic, now);
        }
        due
    }

    /// Messages that do not count, since the last line about them.
    pub fn messages(&mut self, state: &State, stream: &str, now: Duration) -> Vec<Notice> {
        let mut lines = Vec::new();
        for kind in SkipReason::ALL {
            let all = state.counters.of(kind);
            let new = all - self.passed.get(&kind).copied().unwrap_or(0);
            if new > 0 && self.due(Topic::SkipReason(kind), now, SAY_EVERY) {
                self.passed.insert(kind, all);
                let last = state.last_of.get(&kind).map(String::as_str);
                lines.push(Notice::Complaint(of_messages(kind, new, stream, last)));
            }
        }
        lines
    }

    /// Messages that the broker removed before the hub read them.
    pub fn missed(&mut self, missed: u64, stream: &str, now: Duration) -> Option<Notice> {
        let new = missed - self.missed;
        if new == 0 || !self.due(Topic::Missed, now, SAY_EVERY) {
            return None;
        }
        self.missed = missed;
        Some(Notice::Complaint(format!(
            "{} of {stream} were removed before this hub read them, and are not counted: raise its limits \
             (nats stream edit; retention.ms of a topic), or keep the hub running",
            count(new, "message")
        )))
    }

    /// The stream takes no more events.
    pub fn full(&mut self, full: Option<&str>, now: Duration) -> Option<Notice> {
        let full = full?;
        self.due(Topic::Full, now, SAY_EVERY).then(|| Notice::Complaint(full.to_owned()))
    }

    /// Several keys of pseudonyms.
    pub fn keys<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        sensors: &BTreeMap<String, Sensor>,
        now: Duration,
    ) -> Option<Notice> {
        let keys: BTreeSet<String> = keys.map(str::to_owned).collect();
        let more = keys.len() > 1 && keys.iter().any(|key| !self.keys.contains(key));
        if !more || !self.due(Topic::Keys, now, SAY_EVERY) {
            return None;
        }
        let of = |key: &String| {
            let names = sensors.iter().filter(|(_, sensor)| sensor.key_id == *key);
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            match names.is_empty() {
                true => format!("{key} (no sensor now)"),
                false => format!("{key} ({})", some(&names)),
            }
        };
        let shown: Vec<String> = keys.iter().map(of).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let line = format!(
            "patients were found under {} keys and are counted apart, because pseudonyms of two keys cannot be compared: {}; \
             give every sensor the same --key-file",
            keys.len(),
            some(&shown)
        );
        self.keys = keys;
        Some(Notice::Complaint(line))
    }

    /// Which sensors are in trouble, and which no longer.
    pub fn sensors(
        &mut self,
        troubles: &BTreeMap<SensorProblem, Vec<String>>,
        now: Duration,
    ) -> Vec<Notice> {
        let mut lines = Vec::new();
        for trouble in SensorProblem::ALL {
            let names: BTreeSet<&String> = troubles.get(&trouble).into_iter().flatten().collect();
            let told = self.troubles.entry(trouble).or_default();
            let new: Vec<String> =
                names.iter().filter(|name| !told.contains(**name)).map(|n| (*n).clone()).collect();
            let gone: Vec<String> =
                told.iter().filter(|name| !names.contains(name)).cloned().collect();
            if !new.is_empty() && self.due(Topic::Trouble(trouble), now, SAY_OF_SENSORS_EVERY) {
                lines.push(Notice::Complaint(format!("{}: {}", named(&new), trouble.text())));
                self.troubles.entry(trouble).or_default().extend(new);
            }
            if !gone.is_empty() && self.due(Topic::NoLonger(trouble), now, SAY_OF_SENSORS_EVERY) {
                let word = trouble.as_str().replace('_', " ");
                lines.push(Notice::Information(format!("{}: no longer {word}", named(&gone))));
                let told = self.troubles.entry(trouble).or_default();
                gone.iter().for_each(|name| {
                    told.remove(name);
                });
            }
        }
        lines
    }
}

/// The first names, and how many more there are.
fn some(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn named(names: &[String]) -> String {
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    match all.as_slice() {
        [one] => format!("sensor {one}"),
        _ => format!("{} ({})", count(all.len() as u64, "sensor"), some(&all)),
    }
}

fn of_messages(kind: SkipReason, new: u64, stream: &str, last: Option<&str>) -> String {
    let (what, remedy) = match kind {
        SkipReason::Garbage => {
            ("is no event", "see who else publishes there, and let only sensors do so".to_owned())
        }
        SkipReason::Foreign => {
            ("is of another program", "give that program a subject or topic of its own".to_owned())
        }
        SkipReason::OtherVersion => (
            "is a summary of another version",
            "run one version of phitap on sensors and hubs".to_owned(),
        ),
        SkipReason::Damaged => ("is a damaged summary", "report it if it happens again".to_owned()),
        SkipReason::NoRoom => (
            "exceeds a limit",
            format!(
                "a hub holds {MAX_SENSORS} sensors, {MAX_EXPOSURES} exposures, and {MAX_LISTED} services and hosts; divide the \
                 sensors among several hubs, each with its own stream"
            ),
        ),
    };
    let from = last.map(|sensor| format!(", the last one of sensor {sensor}")).unwrap_or_default();
    let each = if new == 1 { "which" } else { "each of which" };
    format!("skipped {} of {stream}, {each} {what}{from}: {remedy}", count(new, "message"))
}

impl Counters {
    /// Messages that were skipped for a reason.
    pub const fn of(&self, kind: SkipReason) -> u64 {
        match kind {
            SkipReason::Garbage => self.garbage,
            SkipReason::Foreign => self.foreign,
            SkipReason::OtherVersion => self.other_version,
            SkipReason::Damaged => self.damaged,
            SkipReason::NoRoom => self.no_room,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn complaint(notice: Option<&Notice>) -> &str {
        match notice {
            Some(Notice::Complaint(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_that_are_passed_over_are_told_at_once_and_then_seldom_with_what_to_do() {
        let (mut notices, mut state) = (Notices::default(), State::default());
        assert_eq!(notices.messages(&state, "stream PHITAP", seconds(1)), []);
        state.counters.garbage = 1;
        let lines = notices.messages(&state, "stream PHITAP", seconds(1));
        assert_eq!(
            complaint(lines.first()),
            "skipped 1 message of stream PHITAP, which is no event: see who else publishes there, and let \
             only sensors do so"
        );
        // A flood is one line, and what was not said is said later.
        for n in 2..100 {
            state.counters.garbage = n;
            assert_eq!(notices.messages(&state, "stream PHITAP", seconds(n)), []);
        }
        state.counters.other_version = 2;
        state.last_of.insert(SkipReason::OtherVersion, "ward".to_owned());
        let lines = notices.messages(&state, "stream PHITAP", seconds(100));
        let line = complaint(lines.first());
        assert!(
            line.contains("2 messages") && line.contains("sensor ward: run one version"),
            "{line}"
        );
        let lines = notices.messages(&state, "stream PHITAP", seconds(301));
        assert!(complaint(lines.first()).starts_with("skipped 98 messages"), "{lines:?}");
        for kind in SkipReason::ALL {
            let line = of_messages(kind, 3, "stream PHITAP", None);
            assert!(line.contains(": ") && line.len() < 300, "{line}");
        }
    }

    #[test]
    fn several_keys_are_told_with_the_sensors_of_each() {
        let mut notices = Notices::default();
        let sensor = |key: &str| Sensor { key_id: key.to_owned(), ..Sensor::default() };
        let sensors = [("a", "k1"), ("b", "k2"), ("c", "k1")]
            .into_iter()
            .map(|(name, key)| (name.to_owned(), sensor(key)))
            .collect();
        assert_eq!(notices.keys(["k1"].into_iter(), &sensors, seconds(0)), None);
        let line = notices.keys(["k1", "k2", "k3"].into_iter(), &sensors, seconds(1));
        let line = complaint(line.as_ref());
        assert!(line.contains("3 keys"), "{line}");
        assert!(
            line.contains("k1 (a, c), k2 (b), k3 (no sensor now); give every sensor"),
            "{line}"
        );
        assert_eq!(notices.keys(["k1", "k2", "k3"].into_iter(), &sensors, seconds(900)), None);
        assert!(notices.keys(["k1", "k4"].into_iter(), &sensors, seconds(901)).is_some());
    }

    #[test]
    fn a_thousand_sensors_in_trouble_are_one_line_and_one_that_flaps_is_no_flood() {
        let mut notices = Notices::default();
        let all: Vec<String> = (0..16_384).map(|n| format!("s{n:05}")).collect();
        let silent = |names: &[String]| BTreeMap::from([(SensorProblem::Silent, names.to_vec())]);
        let lines = notices.sensors(&silent(&all), seconds(0));
        let line = complaint(lines.first());
        assert!(
            line.starts_with(
                "16,384 sensors (s00000, s00001, s00002, s00003, s00004 and 16379 more): silent"
            ),
            "{line}"
        );
        assert_eq!(notices.sensors(&silent(&all), seconds(900)), []);
        let lines = notices.sensors(&silent(&all[1..]), seconds(901));
        assert_eq!(lines, [Notice::Information("sensor s00000: no longer silent".to_owned())]);
        let lines = notices.sensors(&BTreeMap::new(), seconds(970));
        assert_eq!(lines.len(), 1);
        let mut said = 0;
        for n in 0..600 {
            let names = if n % 2 == 0 { &all[..1] } else { &[] };
            said += notices.sensors(&silent(names), seconds(1_000 + n)).len();
        }
        assert!(said <= 20, "{said} lines in ten minutes");
    }

    #[test]
    fn what_the_broker_removed_or_does_not_take_is_told() {
        let mut notices = Notices::default();
        assert_eq!(notices.missed(0, "stream PHITAP", seconds(0)), None);
        let line = notices.missed(12, "stream PHITAP", seconds(1));
        assert!(complaint(line.as_ref()).starts_with("12 messages of stream PHITAP were removed"));
        assert_eq!(notices.missed(13, "stream PHITAP", seconds(2)), None);
        assert!(notices.missed(13, "stream PHITAP", seconds(302)).is_some());
        assert_eq!(notices.full(None, seconds(0)), None);
        assert_eq!(complaint(notices.full(Some("it is full"), seconds(0)).as_ref()), "it is full");
        assert_eq!(notices.full(Some("it is full"), seconds(9)), None);
    }
}
