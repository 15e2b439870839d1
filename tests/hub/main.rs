//! `phitap hub` with a real NATS server, and in `over_kafka` with Kafka brokers: three sensors give the
//! numbers of one, and kills, redelivery, a second hub and garbage do not change them.

#![cfg(all(feature = "nats", feature = "store"))]
// Servers, hubs and workers run by the system clock.
#![allow(clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "kafka")]
mod over_kafka;
mod sources;

use common::Bounded as _;
use common::nats::{Nats, left_out};
use common::ports::port_for_a_program;
use common::split;
use common::summaries::{merge, replay};
use common::{Key, PHITAP, hospital, list, phitap};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time within which a hub has read everything.
const WITHIN: Duration = Duration::from_secs(180);

/// A hub that is killed when dropped.
struct Hub {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Hub {
    fn start(nats: &Nats, name: &str, store: &Path) -> Self {
        Self::start_with(nats, name, store, &[])
    }

    fn start_with(nats: &Nats, name: &str, store: &Path, more: &[&str]) -> Self {
        Self::run(Command::new(PHITAP), &["--nats", &nats.url()], name, store, more)
    }

    /// `source`: the options that say where the events come from.
    fn run(mut program: Command, source: &[&str], name: &str, store: &Path, more: &[&str]) -> Self {
        let port = port_for_a_program();
        let log = store.with_extension("log");
        let to = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("log");
        let child = program
            .arg("hub")
            .args(source)
            .args(["--name", name, "--metrics", &port.to_string()])
            .arg("--store")
            .arg(store)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(to)
            .start();
        Self { child, port, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("log")
    }

    /// Kills it as a crash would.
    fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("the hub ends");
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(WITHIN)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn api(&self) -> Option<Value> {
        let (status, body) = self.get("/api/v1/hub")?;
        (status == 200).then(|| serde_json::from_str(&body).expect("JSON"))
    }

    /// Waits until the API answers as wanted, and returns the answer.
    fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let api = self.api();
            if let Some(api) = api.as_ref().filter(|api| wanted(api)) {
                return api.clone();
            }
            let seen = api.map(|mut api| {
                let exposures = list(&api["exposures"]).len();
                api["exposures"] = exposures.into();
                api
            });
            assert!(begun.elapsed() < WITHIN, "{what}: {seen:?}\n{}", self.log());
            assert!(self.child.try_wait().expect("status").is_none(), "ended:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Hub {
    /// Waits until `path` answers with the wanted status and body.
    fn answers(&mut self, path: &str, wanted: impl Fn(u16, &str) -> bool) {
        let begun = Instant::now();
        loop {
            let answer = self.get(path);
            if answer.as_ref().is_some_and(|(status, body)| wanted(*status, body)) {
                return;
            }
            assert!(begun.elapsed() < WITHIN, "{path}: {answer:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until its log contains `part`.
    fn said(&self, part: &str) {
        let begun = Instant::now();
        while !self.log().contains(part) {
            assert!(begun.elapsed() < WITHIN, "no {part:?} in {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of a replay, as published by a sensor.
fn events_of(key: &Key, sensor: &str, capture: &Path) -> Vec<String> {
    replay(key, sensor, capture, &[]).lines().map(str::to_owned).collect()
}

/// The result of `phitap merge` for these events.
fn merged(folder: &Path, events: &[String]) -> Value {
    let file = folder.join("truth.json");
    std::fs::write(&file, events.join("\n")).expect("written");
    merge(&[file])
}

/// The numbers that a hub and `phitap merge` have in common.
fn numbers(of: &Value) -> Value {
    let exposures = list(&of["exposures"]).iter().map(|e| {
        let server = match e["server"].as_str() {
            Some(text) => text.to_owned(),
            None => format!("{}:{}", e["server"]["ip"].as_str().expect("ip"), e["server"]["port"]),
        };
        let value = |name: &str| e[name]["value"].clone();
        json!([
            e["client"],
            server,
            e["protocol"],
            value("patients"),
            value("findings"),
            value("records"),
            value("flows"),
            e["kinds"],
        ])
    });
    let mut exposures: Vec<Value> = exposures.collect();
    exposures.sort_by_key(Value::to_string);
    let key = &of["keys"][0];
    json!({
        "patients": key["patients"]["value"], "findings": key["findings"]["value"],
        "records": key["records"]["value"], "exposures": exposures,
    })
}

/// Publishes messages in this order, each acknowledged by the stream.
fn publish(nats: &Nats, messages: &[String]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let client = async_nats::connect(nats.url()).await.expect("connected");
        let context = async_nats::jetstream::new(client);
        let config = async_nats::jetstream::stream::Config {
            name: "PHITAP".into(),
            subjects: vec!["phitap.events".into()],
            ..Default::default()
        };
        context.get_or_create_stream(config).await.expect("stream");
        for part in messages.chunks(256) {
            let mut acknowledgements = Vec::new();
            for message in part {
                let sent = context.publish("phitap.events", message.clone().into()).await;
                acknowledgements.push(sent.expect("sent"));
            }
            for acknowledgement in acknowledgements {
                acknowledgement.await.expect("stored");
            }
        }
    });
}

/// Shuffles the messages, the same way each time.
fn shuffled(mut messages: Vec<String>) -> Vec<String> {
    messages.sort_by_key(|message| *blake3::hash(message.as_bytes()).as_bytes());
    messages
}

/// The events of one sensor that sees everything, and of three that share the traffic.
fn sensors(key: &Key, folder: &Path) -> (Vec<String>, Vec<String>) {
    let whole = events_of(key, "all", &hospital());
    let parts = split::over_sensors(&hospital(), 3, folder);
    let of = |(n, part): (usize, &PathBuf)| events_of(key, &format!("s{n}"), part);
    (whole, parts.iter().enumerate().flat_map(of).collect())
}

fn all_read(api: &Value, messages: usize) -> bool {
    api["hub"]["pending"] == 0
        && api["messages"]
            .as_object()
            .expect("counts")
            .values()
            .filter_map(Value::as_u64)
            .sum::<u64>()
            >= messages as u64
}

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
    for (what, n) in [("garbage", 2), ("foreign", 1), ("other_version", 1), ("damaged", 1)] {
        assert_eq!(api["messages"][what], n, "{what}: {}", api["messages"]);
    }
    let names: Vec<&str> =
        list(&api["sensors"]).iter().filter_map(|sensor| sensor["name"].as_str()).collect();
    // The one whose summary is of another version is named as well.
    assert_eq!(names, ["all", "s0", "s1", "s2"]);
    for said in [
        "passed over 2 messages of stream PHITAP, each of which is no event of phitap: ",
        "passed over 1 message of stream PHITAP, which is an event of another program: ",
        "of another version of its format, the last one of sensor all: run one version",
        "which is a summary that cannot be read, the last one of sensor all: ",
    ] {
        hub.said(said);
    }
    assert_eq!(hub.log().matches("passed over").count(), 4, "{}", hub.log());
    let both = list(&api["exposures"]).iter().any(|e| list(&e["sensors"]).len() == 2);
    assert!(both, "an exposure that two sensors saw names both");
    shows_each_exposure_once(&mut hub);
    // Another key, whose people are counted separately.
    publish(&nats, &with_another_key());
    let api = hub.wait("both keys", |api| list(&api["keys"]).len() == 2);
    for key in list(&api["keys"]) {
        assert_eq!(key["patients"]["value"], 229);
    }
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
        "phitap_hub_messages_total{result=\"garbage\"} 2",
        "phitap_hub_messages_missed_total 0",
        "phitap_hub_stream_full 0",
        "phitap_ready 1",
        "phitap_problems{check=\"start\"} 0",
        "phitap_problems{check=\"broker\"} 0",
    ] {
        hub.answers("/metrics", |status, text| status == 200 && text.lines().any(|l| l == line));
    }
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

/// A status as a live sensor publishes it once a minute.
fn status(sensor: &str, instance: &str) -> String {
    let now = time::OffsetDateTime::now_utc();
    json!({
        "@timestamp": now.format(&time::format_description::well_known::Rfc3339).expect("a time"),
        "event": {"action": "sensor-status"},
        "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
        "phi": {"run": {"packets": {"read": 5, "dropped": {"kernel": 0}}},
            "sensor": {"ready": true, "problems": [], "uptime_seconds": 5, "rules": "r", "instance": instance}},
    })
    .to_string()
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
        "sensor ward: two sensors of one name run at once: give each one of its own with --sensor",
    );
    hub.answers("/api/v1/page", |_, body| {
        let page: Value = serde_json::from_str(body).unwrap_or_default();
        page["hub"]["sensors"][0]["troubles"] == json!(["twice"])
            && page["hub"]["sensors_in_trouble"] == 1
    });
}

/// Sets how many messages the stream of events holds, and what it does beyond.
fn limit(nats: &Nats, max_messages: i64, discard: async_nats::jetstream::stream::DiscardPolicy) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let client = async_nats::connect(nats.url()).await.expect("connected");
        let context = async_nats::jetstream::new(client);
        let config = async_nats::jetstream::stream::Config {
            name: "PHITAP".into(),
            subjects: vec!["phitap.events".into()],
            max_messages,
            discard,
            ..Default::default()
        };
        context.get_or_create_stream(config.clone()).await.expect("stream");
        context.update_stream(config).await.expect("updated");
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
    let truth = numbers(&merged(folder.path(), &events_of(&key, "all", &hospital())));
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
    let api = hub.wait("all of it", |api| api["keys"][0]["patients"]["value"] == 229);
    assert_eq!(list(&api["exposures"]).len(), 33);
    assert_eq!(api["messages"]["garbage"], 0);
    assert_eq!(api["unmerged_exposures"], 0);
    assert_eq!(list(&api["sensors"])[0]["name"], "ward");
}
