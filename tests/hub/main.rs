//! `phitap hub` with a real NATS server, and in `over_kafka` with Kafka brokers: three sensors give the
//! numbers of one, and kills, redelivery, a second hub and garbage do not change them.

#![cfg(all(feature = "nats", feature = "store"))]
// Servers, hubs and workers run by the system clock.
#![allow(clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
mod lab;
#[cfg(feature = "kafka")]
mod over_kafka;
#[cfg(feature = "kafka-tls")]
mod secure_kafka;
mod sources;

use common::nats::{Nats, left_out};
use common::{Bounded as _, Key, PHITAP, hospital, is, list, phitap, split};
use lab::{
    Hub, all_read, consumers, events_of, limit, merged, numbers, publish, sensors, shuffled, status,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

#[test]
fn three_sensors_come_to_the_numbers_of_one_and_garbage_changes_none() {
    if left_out() {
        return;
    }
    let (key, folder, nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    let (whole, mut messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    assert_eq!(truth["patients"], 229);
    // Some come twice; others are from another program, damaged, of another version, or made with
    // another key.
    let twice: Vec<String> = messages.iter().step_by(5).cloned().collect();
    messages.extend(twice);
    let good = messages.len();
    let summary = whole.iter().find(|line| line.contains("phi-summary")).expect("a summary");
    let bad = [
        "garbage".to_owned(),
        "{}".to_owned(),
        "{\"@timestamp\":\"2026-03-02T08:00:00Z\",\"event\":{\"action\":\"x\"},\"observer\":{\"product\":\"y\"}}".to_owned(),
        summary.replace("\"summary\":{\"version\":1", "\"summary\":{\"version\":9"),
        summary.replace("\"data\":\"", "\"data\":\"A"),
    ];
    messages.extend(bad.iter().cloned());
    publish(&nats, &shuffled(messages.clone()));
    let store = folder.path().join("hub.db");
    let mut hub = Hub::start(&nats, "one", &store);
    let wanted = |api: &Value| all_read(api, messages.len()) && numbers(api) == truth;
    let api = hub.wait("the numbers of one sensor", wanted);
    assert_eq!(api["messages"]["taken"], good as u64);
    for (what, n) in [("garbage", 1), ("foreign", 2), ("other_version", 1), ("damaged", 1)] {
        assert_eq!(api["messages"][what], n, "{what}: {}", api["messages"]);
    }
    let names: Vec<&str> =
        list(&api["sensors"]).iter().filter_map(|sensor| sensor["name"].as_str()).collect();
    // The one whose summary is of another version is named as well.
    assert_eq!(names, ["all", "s0", "s1", "s2"]);
    for said in [
        "skipped 1 message of stream PHITAP, which is no event: ",
        "skipped 2 messages of stream PHITAP, each of which is of another program: ",
        "of another version, the last one of sensor all: run one version",
        "which is a damaged summary, the last one of sensor all: ",
    ] {
        hub.said(said);
    }
    assert_eq!(hub.log().matches("skipped").count(), 4, "{}", hub.log());
    let both = list(&api["exposures"]).iter().any(|e| list(&e["sensors"]).len() == 2);
    assert!(both, "an exposure that two sensors saw names both");
    shows_each_exposure_once(&mut hub);
    shows_what_one_run_says(&mut hub, &whole);
    // Another key, whose people are counted separately.
    publish(&nats, &with_another_key());
    hub.wait("both keys, each with all people", |api| {
        let keys = list(&api["keys"]);
        keys.len() == 2 && keys.iter().all(|key| key["patients"]["value"] == 229)
    });
    hub.said("patients were found under 2 keys");
    hub.said("give every sensor the same --key-file");
    hub.answers("/metrics", |_, text| text.lines().any(|line| line == "phitap_hub_keys 2"));
}

/// The page shows each exposure of the hospital once, and the metrics count it once.
fn shows_each_exposure_once(hub: &mut Hub) {
    hub.answers("/api/v1/page", |status, body| {
        let page: Value = serde_json::from_str(body).unwrap_or_default();
        status == 200 && list(&page["exposures"]).len() == 33
    });
    hub.answers("/api/v1/exposures", |status, body| {
        let all: Value = serde_json::from_str(body).unwrap_or_default();
        let rows = list(&all["exposures"]);
        let worst = rows.iter().map(|row| row["score"].as_u64()).max().flatten();
        status == 200
            && rows.len() == 33
            && rows[0]["score"].as_u64() == worst
            && rows[0]["server"].is_string()
    });
    for line in [
        "phitap_hub_exposures 33",
        "phitap_hub_patients 229",
        "phitap_hub_active 1",
        "phitap_hub_keys 1",
        "phitap_hub_messages_total{result=\"garbage\"} 1",
        "phitap_hub_messages_missed_total 0",
        "phitap_hub_stream_full 0",
        "phitap_ready 1",
        "phitap_problems{check=\"start\"} 0",
        "phitap_problems{check=\"broker\"} 0",
    ] {
        hub.answers("/metrics", |status, text| status == 200 && text.lines().any(|l| l == line));
    }
}

/// By client, server and protocol: severity, its reason, remedies and the sentence of each exposure.
fn graded<'a>(events: impl Iterator<Item = &'a Value>) -> BTreeMap<String, Value> {
    let of = |event: &Value| {
        let key = json!([event["client"]["ip"], event["server"], event["network"]["protocol"]]);
        let (meta, exposure) = (&event["event"], &event["phi"]["exposure"]);
        let said = json!([
            meta["severity"],
            meta["reason"],
            exposure["severity"],
            exposure["remedies"],
            event["message"],
        ]);
        (key.to_string(), said)
    };
    events.map(of).collect()
}

/// The page says of each exposure what the run says that saw everything.
fn shows_what_one_run_says(hub: &mut Hub, whole: &[String]) {
    let events: Vec<Value> =
        whole.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ended =
        events.iter().filter(|e| is(e, "phi-exposure") && e["phi"]["exposure"]["state"] == "ended");
    let truth = graded(ended);
    assert_eq!(truth.len(), 33);
    hub.answers("/api/v1/page", |_, body| {
        let page: Value = serde_json::from_str(body).unwrap_or_default();
        graded(list(&page["exposures"]).iter()) == truth
    });
}

/// The events of a sensor that has a key of its own.
fn with_another_key() -> Vec<String> {
    let other = Command::new(PHITAP)
        .args([
            "replay",
            "--quiet",
            "--format=ecs",
            "--summaries",
            "--detail=exposures",
            "--sensor=s9",
        ])
        .arg(hospital())
        .finish();
    String::from_utf8(other.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn a_hub_whose_broker_lost_all_data_becomes_active_again() {
    if left_out() {
        return;
    }
    let (folder, mut nats) = (tempfile::tempdir().expect("folder"), Nats::start());
    let mut hub = Hub::start(&nats, "one", &folder.path().join("hub.db"));
    let sensors: Vec<String> = (0..2_000).map(|n| status(&format!("s{n:04}"), "1")).collect();
    publish(&nats, &sensors);
    hub.wait("all of it", |api| all_read(api, 2_000) && api["hub"]["active"] == true);
    nats.lose_everything();
    nats.restart();
    // The hub makes the stream again; what it knows stays.
    hub.said("it works again");
    hub.wait("it is active", |api| api["hub"]["active"] == true && api["hub"]["connected"] == true);
    publish(&nats, &[status("another", "1")]);
    let api = hub.wait("what comes then", |api| list(&api["sensors"]).len() == 2_001);
    assert_eq!(api["messages"]["garbage"], 0);
    hub.answers("/readyz", |status, _| status == 200);
}

#[test]
fn two_sensors_of_one_name_are_found_without_any_finding_and_the_page_names_them() {
    if left_out() {
        return;
    }
    let (folder, nats) = (tempfile::tempdir().expect("folder"), Nats::start());
    let mut hub = Hub::start(&nats, "one", &folder.path().join("hub.db"));
    hub.wait("it is there", |api| api["hub"]["connected"] == true);
    publish(&nats, &["a", "b", "a", "b"].map(|instance| status("ward", instance)));
    let api = hub.wait("the trouble", |api| api["sensors"][0]["troubles"] == json!(["twice"]));
    assert_eq!(api["sensors"][0]["name"], "ward");
    hub.said(
        "sensor ward: two sensors of one name run at the same time: give each its own with --sensor",
    );
    hub.answers("/api/v1/page", |_, body| {
        let page: Value = serde_json::from_str(body).unwrap_or_default();
        page["hub"]["sensors"][0]["troubles"] == json!(["twice"])
            && page["hub"]["sensors_in_trouble"] == 1
    });
}

#[test]
fn a_stream_that_is_full_or_loses_messages_is_told_with_what_to_do() {
    use async_nats::jetstream::stream::DiscardPolicy;
    if left_out() {
        return;
    }
    let (folder, nats) = (tempfile::tempdir().expect("folder"), Nats::start());
    let eight: Vec<String> = (0..8).map(|n| status(&format!("s{n}"), "1")).collect();
    limit(&nats, 8, DiscardPolicy::New);
    publish(&nats, &eight);
    let store = folder.path().join("hub.db");
    let mut hub = Hub::start(&nats, "one", &store);
    hub.wait("all of it", |api| all_read(api, 8));
    hub.said("stream PHITAP is full (8 messages of 8) and refuses what sensors send");
    hub.answers("/metrics", |_, text| text.lines().any(|line| line == "phitap_hub_stream_full 1"));
    hub.kill();
    // While the hub is away, eight messages come, and the stream keeps three.
    limit(&nats, 3, DiscardPolicy::Old);
    publish(&nats, &eight);
    let mut hub = Hub::start(&nats, "one", &store);
    let api = hub.wait("the rest", |api| all_read(api, 3));
    assert_eq!(api["hub"]["missed"], 5, "{}", api["hub"]);
    hub.said("5 messages of stream PHITAP were removed before this hub read them");
    hub.answers("/metrics", |_, text| text.lines().any(|line| line == "phitap_hub_stream_full 0"));
}

#[test]
fn any_split_over_sensors_comes_to_the_same_in_a_hub() {
    if left_out() {
        return;
    }
    let (key, folder, nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    let whole = events_of(&key, "all", &hospital());
    let truth = numbers(&merged(folder.path(), &whole));
    let mut hub = Hub::start(&nats, "one", &folder.path().join("hub.db"));
    let mut sent = 0;
    for round in 0..3u64 {
        let parts = split::at_random(&hospital(), 2 + round as usize, 100 + round, folder.path());
        let of = |(n, part): (usize, &PathBuf)| events_of(&key, &format!("r{round}s{n}"), part);
        let mut messages: Vec<String> = parts.iter().enumerate().flat_map(of).collect();
        let twice: Vec<String> = messages.iter().step_by(7).cloned().collect();
        messages.extend(twice);
        sent += messages.len();
        publish(&nats, &shuffled(messages));
        hub.wait("this split, and those before", |api| {
            all_read(api, sent) && numbers(api) == truth
        });
        shows_what_one_run_says(&mut hub, &whole);
    }
}

#[test]
fn a_hub_killed_at_any_moment_loses_and_doubles_nothing() {
    if left_out() {
        return;
    }
    let (key, folder, nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    let (whole, messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let messages = shuffled(messages);
    let store = folder.path().join("hub.db");
    let rounds = 12;
    for (n, part) in messages.chunks(messages.len().div_ceil(rounds)).enumerate() {
        let mut hub = Hub::start(&nats, "one", &store);
        publish(&nats, part);
        // Before it has connected, in the middle of a batch, and after it.
        std::thread::sleep(Duration::from_millis([90, 350, 150, 700, 40, 500][n % 6]));
        hub.kill();
    }
    let mut hub = Hub::start(&nats, "one", &store);
    hub.wait("all of it", |api| api["hub"]["pending"] == 0 && numbers(api) == truth);
    hub.wait("the lease of the one that was killed ends", |api| api["hub"]["active"] == true);
    hub.kill();
    // A restart reads nothing again and shows the same numbers.
    let mut hub = Hub::start(&nats, "one", &store);
    let api = hub.wait("the same after a restart", |api| {
        api["hub"]["connected"] == true && numbers(api) == truth
    });
    assert_eq!(api["messages"]["garbage"], 0);
}

/// Makes the next sync to disk take longer than any time-out of a batch, once each time its file is
/// created.
const SLOW_DISK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void wait(void) {
    const char *file = getenv("PHITAP_TEST_SLOW");
    if (file && unlink(file) == 0) sleep(11);
}
int fsync(int fd) { wait(); return syscall(SYS_fsync, fd); }
int fdatasync(int fd) { wait(); return syscall(SYS_fdatasync, fd); }
"#;

#[test]
fn on_a_slow_disk_nothing_comes_twice() {
    if left_out() {
        return;
    }
    let (key, folder, nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    let (whole, messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let (source, library) = (folder.path().join("slow.c"), folder.path().join("slow.so"));
    std::fs::write(&source, SLOW_DISK).expect("written");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    assert!(compiler.status().expect("a C compiler").success());
    let slow = folder.path().join("slow");
    let mut program = Command::new(PHITAP);
    program.env("LD_PRELOAD", &library).env("PHITAP_TEST_SLOW", &slow);
    let mut hub =
        Hub::run(program, &["--nats", &nats.url()], "one", &folder.path().join("hub.db"), &[]);
    hub.wait("it is there", |api| api["hub"]["connected"] == true);
    // More than one batch, so that the next one is under way while one is written.
    let times = 3 * 4_096 / messages.len() + 1;
    let sent: Vec<String> = std::iter::repeat_n(&messages, times).flatten().cloned().collect();
    std::fs::write(&slow, "").expect("written");
    publish(&nats, &sent);
    let api = hub.wait("all of it", |api| all_read(api, sent.len()) && numbers(api) == truth);
    assert!(!slow.exists(), "the disk was not slow");
    assert_eq!(api["messages"]["taken"], sent.len() as u64, "{}", api["messages"]);
    assert_eq!(api["hub"]["redelivered"], 0);
    assert!(!hub.log().contains("lost on its way"), "{}", hub.log());
}

#[test]
fn of_two_hubs_one_is_active_and_the_other_takes_over_with_the_same_numbers() {
    if left_out() {
        return;
    }
    let (key, folder, mut nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    let (whole, messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let (first, rest) = messages.split_at(messages.len() / 2);
    publish(&nats, first);
    let mut one = Hub::start(&nats, "one", &folder.path().join("one.db"));
    one.wait("the first is active", |api| api["hub"]["active"] == true);
    one.answers("/readyz", |status, _| status == 200);
    let mut two = Hub::start(&nats, "two", &folder.path().join("two.db"));
    two.wait("the second reads", |api| api["hub"]["connected"] == true);
    assert_eq!(two.api().expect("answer")["hub"]["active"], false);
    two.answers("/readyz", |status, body| status == 503 && body.contains("standing by"));
    publish(&nats, rest);
    one.wait("all of it", |api| numbers(api) == truth);
    one.kill();
    let api = two.wait("the second takes over", |api| api["hub"]["active"] == true);
    assert_eq!(numbers(&two.wait("all of it", |api| numbers(api) == truth)), truth);
    assert_eq!(list(&api["keys"]).len(), 1);
    // The broker goes away and comes back: nothing is lost, and it is reported once.
    nats.kill();
    two.wait("it notices", |api| api["hub"]["connected"] == false || api["hub"]["active"] == false);
    nats.restart();
    publish(&nats, first);
    two.wait("it reads again", |api| {
        api["hub"]["connected"] == true && api["hub"]["active"] == true && numbers(api) == truth
    });
    two.said("works again");
}

#[test]
fn what_a_sensor_publishes_itself_reaches_the_hub_whole() {
    if left_out() {
        return;
    }
    let (key, folder, nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    // The hub creates the stream.
    let mut hub = Hub::start(&nats, "one", &folder.path().join("hub.db"));
    hub.wait("it is there", |api| api["hub"]["connected"] == true);
    let run = phitap([
        "replay",
        "--quiet",
        "--format",
        "ecs",
        "--summaries",
        "--key-file",
        &key.path(),
        "--sensor",
        "ward",
        "--output",
        &nats.url(),
        &hospital().display().to_string(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    // The broker forgets a hub that does not come back, after a month.
    let [consumer] = &consumers(&nats)[..] else { panic!("one consumer of one hub") };
    assert_eq!(consumer.config.inactive_threshold, Duration::from_secs(30 * 86_400));
    let api = hub.wait("all of it", |api| api["keys"][0]["patients"]["value"] == 229);
    assert_eq!(list(&api["exposures"]).len(), 33);
    assert_eq!(api["messages"]["garbage"], 0);
    assert_eq!(api["unmerged_exposures"], 0);
    assert_eq!(list(&api["sensors"])[0]["name"], "ward");
}
