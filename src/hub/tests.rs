//! What the hub knows does not depend on the order of messages, on repetition, or on restarts.

use super::state::{SkipReason, State};
use super::store::Store;
use super::view::{Hub, Shown, api, page};
use crate::merge::Numbers;
use crate::output::store::{STORE_OF_RUN, StoreError};
use crate::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

const SECOND: i64 = 1_000_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp((1_772_000_000 + second) * SECOND)
}

pub(super) fn exposure(sensor: &str, client: u8, second: i64, records: u64, state: &str) -> String {
    json!({
        "@timestamp": at(second).to_string(),
        "event": {"action": "phi-exposure", "id": format!("E{client}"), "severity": 50 + records.min(40)},
        "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
        "client": {"ip": format!("10.0.0.{client}")}, "server": {"ip": "10.1.0.1", "port": 104},
        "network": {"transport": "tcp", "protocol": "dicom"},
        "phi": {"key_id": "k", "exposure": {"id": format!("E{client}"), "state": state, "patients": 1,
            "records": records, "findings": 1, "flows": 1, "identifiers": {}}},
    })
    .to_string()
}

fn status(sensor: &str, second: i64, lost: u64) -> String {
    json!({
        "@timestamp": at(second).to_string(),
        "event": {"action": "sensor-status"},
        "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
        "phi": {"run": {"packets": {"read": 5, "dropped": {"kernel": lost}}},
            "sensor": {"ready": true, "problems": [], "uptime_seconds": 5, "rules": "r"}},
    })
    .to_string()
}

/// A patient in a flow, whose number is the severity. The service proves to answer any client with that of number 3.
fn summary(sensor: &str, flow: u16, patient: u8, records: u32) -> String {
    use crate::identify::Token;
    use crate::merge::{FactKey, FlowId, Part, ProtocolName, Seen};
    let started = at(i64::from(flow));
    let key = FactKey {
        protocol: ProtocolName::new("dicom").expect("a name"),
        flow: FlowId {
            client: format!("10.0.0.{}:{}", flow % 3, 40_000 + flow).parse().expect("address"),
            server: "10.1.0.1:104".parse().expect("address"),
            transport: 6,
            initial: Some(flow.into()),
            started,
        },
        patient: Token::of_hash(blake3::hash(&[patient]).as_bytes()),
    };
    let seen = Seen {
        first: started,
        last: Timestamp(started.0 + i64::from(records)),
        records,
        kinds: [crate::rules::Kind::Name].into_iter().collect(),
        severity: patient,
        unproven: if patient == 3 { 0 } else { patient },
        proven: patient == 3,
        traits: crate::identify::TraitSet::default(),
    };
    json!({
        "@timestamp": started.to_string(),
        "event": {"action": "phi-summary"},
        "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
        "phi": {"key_id": "k", "summary": Part::of_facts(std::iter::once((&key, &seen)))},
    })
    .to_string()
}

/// A title that the service accepted of a client, or, without a number, that it refused someone.
fn access(sensor: &str, client: u8, title: u8, second: i64) -> String {
    use crate::merge::{ClientTitle, Part, ProtocolName, SeenAccess, ServiceKey};
    let key = ServiceKey {
        server: "10.1.0.1:104".parse().expect("address"),
        transport: 6,
        protocol: ProtocolName::new("dicom").expect("a name"),
    };
    let mut seen = SeenAccess::default();
    seen.needed = 2;
    match title {
        0 => seen.refused = Some(at(second)),
        _ => {
            let client = [10, 0, 0, client].into();
            seen.accepted(ClientTitle { client, key: 0, shown: format!("WS{title}") }, at(second));
        }
    }
    json!({
        "@timestamp": at(second).to_string(),
        "event": {"action": "phi-summary"},
        "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
        "phi": {"key_id": "k", "summary": Part::of_service(&key, &seen)},
    })
    .to_string()
}

/// The events that the page gets.
fn changes(shown: &mut Shown, state: &State, numbers: &Numbers) -> Vec<Value> {
    let mut events = Vec::new();
    shown.changes(state, numbers, &mut |event| events.push(event));
    events
}

/// All that is shown, without what counts deliveries.
fn shown(state: &State) -> Value {
    let numbers = Numbers::from(&state.summary);
    let hub = Hub { silent_after: 180 * SECOND, ..Hub::default() };
    let mut shown = api(state, &numbers, &hub, at(60));
    shown["messages"] = Value::Null;
    shown
}

fn state_of<'a>(messages: impl IntoIterator<Item = &'a String>) -> State {
    let mut state = State::default();
    messages.into_iter().for_each(|message| state.take(message.as_bytes(), at(50)));
    state
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    let sensor = prop_oneof![Just("a"), Just("b")];
    let states = prop_oneof![Just("open"), Just("update"), Just("ended")];
    let one = prop_oneof![
        (sensor.clone(), 0u8..3, 0i64..20, 0u64..9, states)
            .prop_map(|(s, client, at, n, state)| exposure(s, client, at, n, state)),
        (sensor.clone(), 0u16..6, 0u8..4, 1u32..6)
            .prop_map(|(s, flow, p, n)| summary(s, flow, p, n)),
        (sensor, 0u8..2, 0u8..3, 0i64..20).prop_map(|(s, client, t, at)| access(s, client, t, at)),
    ];
    proptest::collection::vec(one, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn order_repetition_and_restarts_change_nothing(messages in messages(), cut in 0usize..30, seed in any::<u64>()) {
        let truth = shown(&state_of(&messages));
        // Another order, and every third message twice.
        let mut other: Vec<&String> = messages.iter().chain(messages.iter().step_by(3)).collect();
        other.sort_by_key(|m| *blake3::hash(&[&seed.to_be_bytes(), m.as_bytes()].concat()).as_bytes());
        prop_assert_eq!(&shown(&state_of(other.iter().copied())), &truth);
        // A hub that is killed after its commit, and is sent what it did not acknowledge again.
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("hub.db");
        let cut = cut.min(messages.len());
        {
            let (mut store, mut state) = Store::open(&path).expect("a new store");
            messages[..cut].iter().for_each(|m| state.take(m.as_bytes(), at(50)));
            store.commit(&mut state).expect("committed");
            // Not committed: lost.
            messages[cut..].iter().for_each(|m| state.take(m.as_bytes(), at(50)));
        }
        let (mut store, mut state) = Store::open(&path).expect("the store");
        let again = cut.saturating_sub(3);
        messages[again..].iter().for_each(|m| state.take(m.as_bytes(), at(50)));
        prop_assert_eq!(&shown(&state), &truth);
        store.commit(&mut state).expect("committed");
        drop(store);
        let (_, state) = Store::open(&path).expect("the store");
        prop_assert_eq!(&shown(&state), &truth);
    }

    #[test]
    fn no_message_panics_or_counts_as_another(text in ".{0,80}", n in 0usize..600) {
        let mut state = State::default();
        state.take(text.as_bytes(), at(0));
        let whole = exposure("a", 1, 1, 1, "open");
        let cut = &whole.as_bytes()[..n.min(whole.len() - 1)];
        state.take(cut, at(0));
        let counters = state.counters;
        prop_assert_eq!((counters.taken, counters.garbage), (0, 2));
        prop_assert!(state.exposures.is_empty() && state.sensors.is_empty());
    }
}

#[test]
fn what_is_no_event_of_phitap_is_counted_by_its_kind() {
    let mut state = State::default();
    let good = exposure("a", 1, 1, 1, "open");
    let foreign = good.replace("\"phitap\"", "\"other\"");
    let newer = summary("a", 1, 1, 1).replace("\"version\":1", "\"version\":7");
    let damaged = summary("a", 1, 1, 1).replace("\"data\":\"", "\"data\":\"A");
    let named = exposure("\u{202e}a", 1, 1, 1, "open");
    for message in [&good, &foreign, &newer, &damaged, &named, &good.replace("\"tcp\"", "\"x\"")] {
        state.take(message.as_bytes(), at(1));
    }
    let counters = state.counters;
    assert_eq!((counters.taken, counters.foreign), (1, 1));
    assert_eq!((counters.other_version, counters.damaged, counters.garbage), (1, 1, 2));
    assert_eq!(state.exposures.len(), 1);
    // JSON of other programs, whatever its fields are.
    let others = ["{}", "[1]", "7", r#"{"@timestamp":1,"event":"x"}"#, r#"{"observer":"phitap"}"#];
    for message in others {
        state.take(message.as_bytes(), at(1));
    }
    assert_eq!((state.counters.foreign, state.counters.garbage), (6, 2));
    // Ours, and not whole.
    for message in [r#"{"observer":{"product":"phitap"}}"#, "", "{", "7 7", &good[1..]] {
        state.take(message.as_bytes(), at(1));
    }
    assert_eq!((state.counters.foreign, state.counters.garbage), (6, 7));
}

#[test]
fn a_sensor_of_another_version_is_listed_and_events_find_room_by_their_size() {
    let mut state = State::default();
    let newer = summary("new", 1, 1, 1).replace("\"version\":1", "\"version\":7");
    state.take(newer.as_bytes(), at(1));
    assert!(state.sensors.contains_key("new"));
    assert_eq!(state.last_of.get(&SkipReason::OtherVersion).map(String::as_str), Some("new"));
    // It says how many facts it holds, and holds fewer.
    let forged = summary("a", 1, 1, 1).replace("\"facts\":1", "\"facts\":1000000000000");
    state.take(forged.as_bytes(), at(1));
    assert_eq!(state.counters.damaged, 1);
    let long = exposure("a", 1, 1, 1, "open")
        .replace("\"key_id\"", &format!("\"x\":\"{}\",\"key_id\"", "y".repeat(70_000)));
    state.take(long.as_bytes(), at(1));
    assert_eq!((state.counters.no_room, state.exposures.len()), (1, 0));
}

const LOGIN: &str = "Require a login; for DICOM, accept known titles and hosts only";
const HTTPS: &str = "Serve over HTTPS and turn plain HTTP off";

#[test]
fn an_exposure_has_the_worst_that_any_sensor_says_and_every_remedy() {
    let with = |sensor: &str, second, records, service: Value, remedies: &[&str], reason: &str| {
        let event = exposure(sensor, 1, second, records, "update");
        let mut event: Value = serde_json::from_str(&event).expect("an event");
        event["phi"]["service"] = service;
        event["phi"]["exposure"]["remedies"] = json!(remedies);
        event["event"]["reason"] = json!(reason);
        event.to_string()
    };
    let open = json!({"authentication": "none", "credentials_in_clear": true,
        "access": {"answers": "anyone", "clients": 3}});
    let closed = json!({"authentication": "unknown", "credentials_in_clear": false,
        "access": {"answers": "unknown", "clients": 1}});
    let both = [
        with("a", 1, 40, open, &[LOGIN, HTTPS], "worst"),
        with("b", 9, 2, closed, &["Of a later version", HTTPS], "mild"),
    ];
    let state = state_of(&both);
    let shown = changes(&mut Shown::default(), &state, &Numbers::from(&state.summary));
    let [event] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(event["event"]["severity"], 90);
    assert_eq!(
        event["event"]["reason"],
        "Severity 90 (critical): patient data crossed in cleartext over dicom; the service answers \
         whoever asks and passwords or keys crossed as well."
    );
    assert_eq!(event["phi"]["exposure"]["remedies"], json!([LOGIN, HTTPS, "Of a later version"]));
    let expected = json!({"authentication": "none", "credentials_in_clear": true,
        "access": {"answers": "anyone", "clients": 3}});
    assert_eq!(event["phi"]["service"], expected);
}

#[test]
fn an_exposure_of_a_service_that_another_sensor_saw_answer_anyone_says_so() {
    let mut event: Value =
        serde_json::from_str(&exposure("b", 1, 1, 2, "update")).expect("an event");
    event["phi"]["service"] = json!({"authentication": "unknown"});
    event["phi"]["exposure"]["remedies"] = json!([HTTPS]);
    let alone = [event.to_string(), summary("b", 1, 40, 2)];
    let proof = summary("a", 2, 3, 1);
    let (one, other) = (access("b", 7, 1, 5), access("a", 7, 2, 9));
    let refused = access("c", 8, 0, 8);
    for (messages, severity, remedies) in [
        (alone.to_vec(), 52, json!([HTTPS])),
        ([&alone[..], &[proof]].concat(), 60, json!([LOGIN, HTTPS])),
        // Two sensors saw a title each, and had no finding there.
        ([&alone[..], &[one.clone(), other.clone()]].concat(), 60, json!([LOGIN, HTTPS])),
        ([&alone[..], &[one, other, refused]].concat(), 52, json!([HTTPS])),
    ] {
        let mut state = state_of(&messages);
        let points = crate::merge::RunNumbers { answers_anyone: 20, ..Default::default() };
        state.summary.add_run(("a".to_owned(), "r".to_owned()), points);
        let shown = changes(&mut Shown::default(), &state, &Numbers::from(&state.summary));
        let [event] = &shown[..] else { panic!("{shown:?}") };
        assert_eq!(event["event"]["severity"], severity, "{event}");
        assert_eq!(event["phi"]["exposure"]["remedies"], remedies);
        let open = severity == 60;
        assert_eq!(event["phi"]["service"]["access"]["answers"] == "anyone", open, "{event}");
        let reason = event["event"]["reason"].as_str().expect("a reason");
        assert_eq!(reason.contains("answers whoever asks"), open, "{reason}");
    }
}

#[test]
fn services_that_several_sensors_saw_are_shown_once() {
    let service = |sensor: &str, second: i64, port: u16| {
        json!({
            "@timestamp": at(second).to_string(),
            "event": {"action": "service-seen", "id": format!("S-{sensor}-{port}")},
            "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
            "server": {"ip": "10.1.0.1", "port": port}, "network": {"transport": "tcp", "protocol": "dicom"},
            "phi": {"service": {"software": format!("of {sensor}")}},
        })
        .to_string()
    };
    let all = [service("a", 9, 104), service("b", 5, 104), service("b", 7, 105)];
    let mut shown = Shown::default();
    let mut state = state_of(&all);
    let events = changes(&mut shown, &state, &Numbers::default());
    let ids: std::collections::BTreeSet<&str> =
        events.iter().filter_map(|event| event["event"]["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{events:?}");
    let last = events.iter().rfind(|event| event["server"]["port"] == 104).expect("shown");
    assert_eq!(last["phi"]["service"]["software"], "of a", "the one that saw it last");
    assert!(changes(&mut shown, &state, &Numbers::default()).is_empty(), "nothing has changed");
    state.take(service("b", 12, 104).as_bytes(), at(50));
    assert_eq!(changes(&mut shown, &state, &Numbers::default()).len(), 1);
}

#[test]
fn the_page_has_every_sensor_and_those_in_trouble_come_first() {
    let mut state = State::default();
    for n in 0..600 {
        state.take(status(&format!("s{n:03}"), 30, 0).as_bytes(), at(30));
    }
    state.take(status("s599", 40, 4).as_bytes(), at(40));
    let hub = Hub { silent_after: 180 * SECOND, ..Hub::default() };
    let page = page(&state, &Numbers::default(), &hub, at(60));
    assert_eq!((&page["sensors_total"], &page["sensors_in_trouble"]), (&json!(600), &json!(1)));
    assert_eq!(page["sensors"].as_array().map(Vec::len), Some(500));
    assert_eq!(page["sensors"][0]["name"], "s599");
    assert_eq!(page["sensors"][0]["troubles"], json!(["dropping"]));
}

#[test]
fn sensors_and_their_troubles_are_named() {
    let mut state = State::default();
    for (message, stored) in
        [(status("a", 0, 0), 0), (status("a", 30, 4), 30), (status("b", 30, 0), 200)]
    {
        state.take(message.as_bytes(), at(stored));
    }
    let hub = Hub { silent_after: 180 * SECOND, rules: Some("s".into()), ..Hub::default() };
    let shown = api(&state, &Numbers::default(), &hub, at(215));
    assert_eq!(shown["sensors"][0]["troubles"], json!(["silent", "dropping", "old_rules"]));
    assert_eq!(shown["sensors"][1]["troubles"], json!(["late", "old_rules"]));
    assert_eq!(shown["sensors"][0]["lost_packets"], 4);
}

#[test]
fn a_store_in_use_of_something_else_or_damaged_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("hub.db");
    let (mut store, mut state) = Store::open(&path).expect("a new store");
    state.take(exposure("a", 1, 1, 1, "open").as_bytes(), at(1));
    store.commit(&mut state).expect("committed");
    let refused = |path: &Path| Store::open(path).map(drop).expect_err("refused");
    assert!(matches!(refused(&path), StoreError::Locked(_)), "another hub has it");
    drop(store);
    let other = folder.path().join("other");
    std::fs::write(&other, "no database at all, but long enough to be looked at").expect("written");
    assert!(matches!(refused(&other), StoreError::Foreign(_)));
    let run = folder.path().join("run.db");
    let made = rusqlite::Connection::open(&run).expect("made");
    made.pragma_update(None, "application_id", STORE_OF_RUN).expect("made");
    drop(made);
    let error = refused(&run);
    assert!(matches!(error, StoreError::OfRun(_)) && error.to_string().contains("not of a hub"));
    let change = rusqlite::Connection::open(&path).expect("opened");
    change.execute("UPDATE exposures SET protocol = 'NO NAME'", []).expect("changed");
    drop(change);
    assert!(matches!(refused(&path), StoreError::Corrupt(_)));
}
