//! The output of a hub: exposures as events for the page, all numbers and sensors as JSON, and metrics.

use super::facts;
use super::sensors::{Expected, Sensor, SensorProblem};
use super::state::{Counters, ListedKey, SensorExposure, SkipReason, State};
use crate::exposure::Count;
use crate::merge::{ExposureNumbers, Numbers, Pair, RunNumbers};
use crate::output::{exposure_sentence, reason_of};
use crate::severity::Severity;
use crate::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Most exposures in the answer of the API, the worst first.
const MAX_EXPOSURES: usize = 10_000;
/// Most sensors on the page, those in trouble first.
const MAX_SHOWN: usize = 500;
/// Most sensors named for an exposure.
const MAX_NAMED: usize = 32;

/// The hub itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Hub {
    pub name: String,
    /// Whether it is the active hub.
    pub active: bool,
    /// Whether there is a connection to the broker.
    pub connected: bool,
    /// Messages of the stream that are not read yet.
    pub pending: u64,
    /// Messages that were delivered again.
    pub redelivered: u64,
    /// Fingerprint of the published rules.
    pub rules: Option<String>,
    /// Time without messages after which a sensor counts as silent, nanoseconds.
    pub silent_after: i64,
    /// Messages that the broker removed before they were read.
    pub missed: u64,
    /// Why the stream takes no events.
    pub full: Option<String>,
}

/// The sensors' last events about one client and service.
#[derive(Default)]
struct MergedExposure<'a> {
    /// The last event of any of them.
    last: Option<(&'a str, &'a SensorExposure)>,
    severity: u8,
    patients: u64,
    open: bool,
    sensors: BTreeSet<&'a str>,
    /// The last event of each.
    all: Vec<&'a SensorExposure>,
}

impl MergedExposure<'_> {
    /// The events of the other sensors, the most severe first.
    fn others(&self, last: &SensorExposure) -> Vec<Value> {
        let mut others: Vec<&SensorExposure> =
            self.all.iter().copied().filter(|held| !std::ptr::eq(*held, last)).collect();
        others.sort_by_key(|held| std::cmp::Reverse(held.severity));
        let events = others.into_iter().take(MAX_NAMED);
        events.filter_map(|held| serde_json::from_str(&held.event).ok()).collect()
    }

    /// Hash of everything that its event on the page is made from.
    fn hash(&self, held: &SensorExposure, numbers: Option<&ExposureNumbers>) -> blake3::Hash {
        let Self { last: _, severity, patients, open, sensors, all } = self;
        let of_all = format!("{severity} {patients} {open} {sensors:?} {numbers:?}");
        let mut hasher = blake3::Hasher::new();
        hasher.update(held.event.as_bytes()).update(of_all.as_bytes());
        for held in all {
            hasher.update(held.event.as_bytes());
        }
        hasher.finalize()
    }
}

/// The state of an exposure that has ended.
const ENDED: u8 = 4;

fn said(state: &State) -> BTreeMap<Pair, MergedExposure<'_>> {
    let mut all: BTreeMap<Pair, MergedExposure<'_>> = BTreeMap::new();
    for ((sensor, _), held) in &state.exposures {
        let of = all.entry(held.pair).or_default();
        of.severity = of.severity.max(held.severity);
        of.patients = of.patients.max(held.patients);
        of.open |= held.order.state != ENDED;
        of.sensors.insert(sensor);
        of.all.push(held);
        if of.last.is_none_or(|(_, last)| last.order < held.order) {
            of.last = Some((sensor, held));
        }
    }
    all
}

/// Numbers of each client and service, of the key that knows most of it.
fn by_pair(numbers: &Numbers) -> BTreeMap<Pair, &ExposureNumbers> {
    let mut all: BTreeMap<Pair, &ExposureNumbers> = BTreeMap::new();
    for of in numbers.keys.iter().flat_map(|key| &key.exposures) {
        let known = all.entry(of.pair).or_insert(of);
        if of.findings > known.findings {
            *known = of;
        }
    }
    all
}

/// What was shown last. What has not changed is not shown again.
#[derive(Default)]
pub(super) struct Shown {
    exposures: BTreeMap<Pair, blake3::Hash>,
    listed: BTreeMap<ListedKey, i64>,
    /// Time of the event of each service and host, by their common id for all sensors.
    same: BTreeMap<String, i64>,
}

impl Shown {
    /// Shows the page an event for each changed exposure, service and host. One at a time, because all of them, as
    /// values, would take many times the memory of their texts.
    pub fn changes(&mut self, state: &State, numbers: &Numbers, show: &mut impl FnMut(Value)) {
        let counted = by_pair(numbers);
        for (pair, said) in said(state) {
            let Some((_, held)) = said.last else { continue };
            let numbers = counted.get(&pair).copied();
            let hash = said.hash(held, numbers);
            if self.exposures.insert(pair, hash) == Some(hash) {
                continue;
            }
            let Ok(mut event) = serde_json::from_str::<Value>(&held.event) else { continue };
            facts::unite(&mut event, &said.others(held));
            merge(&mut event, &pair, &said, numbers);
            show(event);
        }
        self.listed(state, show);
    }

    /// Changed services and hosts, as of the sensor that saw them last.
    fn listed(&mut self, state: &State, show: &mut impl FnMut(Value)) {
        for (key, (time, event)) in &state.listed {
            if self.listed.get(key) == Some(time) {
                continue;
            }
            self.listed.insert(key.clone(), *time);
            let Ok(mut event) = serde_json::from_str::<Value>(event) else { continue };
            let text = |path: &str| event.pointer(path).map(Value::to_string).unwrap_or_default();
            let of = ["/server", "/network/protocol", "/host/ip", "/phi/asset/role"].map(text);
            let id = short_id(&format!("{} {}", key.0.as_str(), of.join(" ")));
            if self.same.get(&id).is_some_and(|known| known > time) {
                continue;
            }
            set(&mut event, "/event/id", json!(id));
            self.same.insert(id, *time);
            show(event);
        }
    }
}

/// An id in the form of events, equal for all sensors.
fn short_id(of: &str) -> String {
    let id = blake3::hash(of.as_bytes()).to_hex();
    id.get(..26).unwrap_or_default().to_ascii_uppercase()
}

fn set(event: &mut Value, path: &str, value: Value) {
    if let Some(to) = event.pointer_mut(path) {
        *to = value;
    }
}

/// Makes the last event of a sensor the event of all of them.
fn merge(
    event: &mut Value,
    pair: &Pair,
    said: &MergedExposure<'_>,
    numbers: Option<&ExposureNumbers>,
) {
    // One id for all sensors.
    let id = short_id(&format!("{pair:?}"));
    set(event, "/event/id", json!(id));
    set(event, "/phi/exposure/id", json!(id));
    let severity = said.severity.max(numbers.map_or(0, |n| n.severity));
    if numbers.is_some_and(|n| n.open) {
        facts::answers_anyone(event);
    }
    set(event, "/event/severity", json!(severity));
    set(event, "/phi/exposure/severity", json!(Severity::of(severity).as_str()));
    if said.open {
        let ended = event.pointer("/phi/exposure/state") == Some(&json!("ended"));
        if ended {
            set(event, "/phi/exposure/state", json!("update"));
        }
    }
    set(event, "/phi/exposure/patients", json!(said.patients));
    if let Some(numbers) = numbers {
        set(event, "/event/start", json!(numbers.first.to_string()));
        set(event, "/event/end", json!(numbers.last.to_string()));
        let counts = [
            ("patients", numbers.patients),
            ("findings", numbers.findings),
            ("records", numbers.records),
            ("flows", numbers.flows),
        ];
        for (name, count) in counts {
            set(event, &format!("/phi/exposure/{name}"), json!(count.value));
        }
        set(event, "/phi/exposure/patients_estimated", json!(numbers.patients.estimate));
        set(event, "/phi/exposure/identifiers", kinds(numbers));
    }
    let sensors: Vec<&str> = said.sensors.iter().take(MAX_NAMED).copied().collect();
    set(event, "/observer/name", json!(sensors.join(", ")));
    let patients =
        numbers.map_or(Count { value: said.patients, estimate: false }, |numbers| numbers.patients);
    let ends = (pair.client, pair.server);
    set(
        event,
        "/message",
        json!(exposure_sentence(severity, patients, ends, pair.protocol.as_str())),
    );
    let reason = reason_of(event);
    facts::put(event, "/event", "reason", json!(reason));
}

fn kinds(numbers: &ExposureNumbers) -> Value {
    let of = numbers.kinds.iter().map(|(kind, n)| (kind.as_str().to_owned(), json!(n)));
    Value::Object(of.collect::<Map<String, Value>>())
}

fn counted(count: Count) -> Value {
    json!({"value": count.value, "estimated": count.estimate})
}

/// Number of people under the key with most people.
pub(super) fn people(numbers: &Numbers) -> u64 {
    numbers.keys.iter().map(|key| key.patients.value).max().unwrap_or(0)
}

/// The answer of the API: everything.
pub(super) fn api(state: &State, numbers: &Numbers, hub: &Hub, now: Timestamp) -> Value {
    let said = said(state);
    let exposure = |of: &ExposureNumbers, key_id: &str| {
        let said = said.get(&of.pair);
        let severity = of.severity.max(said.map_or(0, |said| said.severity));
        let sensors: Vec<&str> =
            said.map_or(Vec::new(), |said| said.sensors.iter().take(MAX_NAMED).copied().collect());
        json!({
            "key_id": key_id,
            "client": of.pair.client.to_string(),
            "server": of.pair.server.to_string(),
            "transport": if of.pair.transport == 17 { "udp" } else { "tcp" },
            "protocol": of.pair.protocol.as_str(),
            "severity": severity,
            "open": of.open,
            "first": of.first.to_string(),
            "last": of.last.to_string(),
            "patients": counted(of.patients),
            "findings": counted(of.findings),
            "records": counted(of.records),
            "flows": counted(of.flows),
            "kinds": kinds(of),
            "sensors": sensors,
        })
    };
    let mut exposures: Vec<(&ExposureNumbers, &str)> = Vec::new();
    for key in &numbers.keys {
        exposures.extend(key.exposures.iter().map(|of| (of, &*key.key_id)));
    }
    exposures.sort_by_key(|(of, _)| {
        std::cmp::Reverse((of.severity, of.patients.value, std::cmp::Reverse(of.pair)))
    });
    let exposures: Vec<Value> = exposures
        .into_iter()
        .take(MAX_EXPOSURES)
        .map(|(of, key_id)| exposure(of, key_id))
        .collect();
    let keys = numbers.keys.iter().map(|key| {
        json!({
            "key_id": key.key_id,
            "patients": counted(key.patients),
            "findings": counted(key.findings),
            "records": counted(key.records),
            "exposures": key.exposures.len(),
        })
    });
    json!({
        "hub": {
            "name": hub.name,
            "active": hub.active,
            "connected": hub.connected,
            "pending": hub.pending,
            "redelivered": hub.redelivered,
            "rules": hub.rules,
            "missed": hub.missed,
            "stream_full": hub.full,
        },
        "messages": messages(&state.counters),
        "keys": keys.collect::<Vec<_>>(),
        "exposures": exposures,
        // No summary contains them: their sensors run without --summaries.
        "unmerged_exposures": said.keys().filter(|pair| !by_pair(numbers).contains_key(pair)).count(),
        "sensors": sensors(state, hub, now),
    })
}

fn messages(of: &Counters) -> Value {
    let counts = reasons(of).into_iter().map(|(name, n)| (name.to_owned(), json!(n)));
    Value::Object(counts.collect::<Map<String, Value>>())
}

/// Messages by result.
fn reasons(of: &Counters) -> Vec<(&'static str, u64)> {
    let passed = SkipReason::ALL.into_iter().map(|reason| (reason.as_str(), of.of(reason)));
    std::iter::once(("taken", of.taken)).chain(passed).collect()
}

fn sensors(state: &State, hub: &Hub, now: Timestamp) -> Vec<Value> {
    let usual = Expected::of(&state.sensors, hub.rules.as_deref());
    let sensor = |(name, of): (&String, &Sensor)| {
        json!({
            "name": name,
            "version": of.version,
            "live": of.is_live(),
            "last_message": Timestamp(of.stored).to_string(),
            "behind_seconds": of.behind() / 1_000_000_000,
            "packets": of.packets,
            "lost_packets": of.lost,
            "rules": of.rules,
            "key_id": of.key_id,
            "problems": of.problems,
            "troubles": of.troubles(now, hub.silent_after, usual),
        })
    };
    state.sensors.iter().map(sensor).collect()
}

/// Sensors by what is wrong with them; a sensor may be in several lists.
pub(super) fn troubles(
    state: &State,
    hub: &Hub,
    now: Timestamp,
) -> BTreeMap<SensorProblem, Vec<String>> {
    let usual = Expected::of(&state.sensors, hub.rules.as_deref());
    let mut all: BTreeMap<SensorProblem, Vec<String>> = BTreeMap::new();
    for (name, sensor) in &state.sensors {
        for trouble in sensor.troubles(now, hub.silent_after, usual) {
            all.entry(trouble).or_default().push(name.clone());
        }
    }
    all
}

/// What the page shows besides exposures, services and hosts.
pub(super) fn page(state: &State, numbers: &Numbers, hub: &Hub, now: Timestamp) -> Value {
    let mut shown = sensors(state, hub, now);
    let in_trouble = |sensor: &Value| sensor["troubles"].as_array().map_or(0, Vec::len);
    let troubled = shown.iter().filter(|sensor| in_trouble(sensor) > 0).count();
    shown.sort_by_key(|sensor| std::cmp::Reverse(in_trouble(sensor)));
    shown.truncate(MAX_SHOWN);
    let sum = |of: fn(&RunNumbers) -> u64| {
        numbers.runs.iter().fold(0, |all: u64, (_, run)| all.saturating_add(of(run)))
    };
    json!({
        "name": hub.name,
        "connected": hub.connected,
        "pending": hub.pending,
        "missed": hub.missed,
        "stream_full": hub.full,
        "messages": messages(&state.counters),
        "keys": numbers.keys.iter().map(|key| &*key.key_id).collect::<Vec<_>>(),
        "sensors": shown,
        "sensors_total": state.sensors.len(),
        "sensors_in_trouble": troubled,
        "read": {
            "runs": numbers.runs.len(),
            "packets": sum(|run| run.packets),
            "flows": sum(|run| run.flows),
            "payload_bytes": sum(|run| run.payload_bytes),
            "unjudged_bytes": sum(|run| run.unjudged_bytes),
            "unjudged_flows": sum(|run| run.unjudged_flows),
            "lost_packets": sum(|run| run.lost_packets),
        },
    })
}

/// Metrics in the Prometheus text format, added to those of the program.
pub(super) fn metrics(state: &State, numbers: &Numbers, hub: &Hub, now: Timestamp) -> String {
    let mut text = String::new();
    let head = |name: &str, kind: &str, help: &str| {
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")
    };
    text += &head("phitap_hub_active", "gauge", "Whether this hub is the active one.");
    let _ = writeln!(text, "phitap_hub_active {}", u8::from(hub.active));
    text += &head("phitap_hub_connected", "gauge", "Whether there is a connection to the broker.");
    let _ = writeln!(text, "phitap_hub_connected {}", u8::from(hub.connected));
    text += &head("phitap_hub_messages_pending", "gauge", "Messages of the stream not read yet.");
    let _ = writeln!(text, "phitap_hub_messages_pending {}", hub.pending);
    text += &head("phitap_hub_messages_redelivered_total", "counter", "Messages that came again.");
    let _ = writeln!(text, "phitap_hub_messages_redelivered_total {}", hub.redelivered);
    text += &head("phitap_hub_messages_total", "counter", "Messages by what became of them.");
    for (result, n) in reasons(&state.counters) {
        let _ = writeln!(text, "phitap_hub_messages_total{{result=\"{result}\"}} {n}");
    }
    text += &head(
        "phitap_hub_messages_missed_total",
        "counter",
        "Messages that the broker removed before they were read.",
    );
    let _ = writeln!(text, "phitap_hub_messages_missed_total {}", hub.missed);
    text += &head("phitap_hub_stream_full", "gauge", "Whether the stream takes no more events.");
    let _ = writeln!(text, "phitap_hub_stream_full {}", u8::from(hub.full.is_some()));
    text += &head(
        "phitap_hub_keys",
        "gauge",
        "Keys of pseudonyms under which patients were ever found, those no longer in use included.",
    );
    let _ = writeln!(text, "phitap_hub_keys {}", numbers.keys.len());
    text += &head("phitap_hub_sensors", "gauge", "Sensors that were heard of.");
    let _ = writeln!(text, "phitap_hub_sensors {}", state.sensors.len());
    text += &head("phitap_hub_sensors_in_trouble", "gauge", "Live sensors by what is wrong.");
    let troubles = troubles(state, hub, now);
    for trouble in SensorProblem::ALL {
        let n = troubles.get(&trouble).map_or(0, Vec::len);
        let name = trouble.as_str();
        let _ = writeln!(text, "phitap_hub_sensors_in_trouble{{trouble=\"{name}\"}} {n}");
    }
    text += &head("phitap_hub_exposures", "gauge", "Exposures of all sensors, each once.");
    let _ = writeln!(text, "phitap_hub_exposures {}", numbers.exposures());
    text += &head("phitap_hub_patients", "gauge", "Distinct patients of all sensors.");
    let _ = writeln!(text, "phitap_hub_patients {}", people(numbers));
    text
}
