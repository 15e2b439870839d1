//! The hub over Kafka: brokers of librdkafka's mock cluster, and some that are none.

use super::common::ports::ReservedPort;
use super::lab::{Hub, WITHIN, all_read, merged, numbers, sensors, shuffled};
use crate::common::{Bounded as _, Key, PHITAP, hospital, list, phitap};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TOPIC: &str = "phitap-events";

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, partitions, 1).expect("topic");
    cluster
}

fn start(brokers: &str, name: &str, store: &Path) -> Hub {
    Hub::run(Command::new(PHITAP), &["--kafka", brokers], name, store, &[])
}

/// Publishes messages in this order, each with the time of its sender, milliseconds since 1970.
fn publish_at(brokers: &str, messages: &[(String, i64)]) {
    let mut config = ClientConfig::new();
    let producer: BaseProducer =
        config.set("bootstrap.servers", brokers).create().expect("producer");
    for (n, (message, time)) in messages.iter().enumerate() {
        let key = n.to_string();
        let record = BaseRecord::to(TOPIC).key(&key).payload(message).timestamp(*time);
        producer.send(record).map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(Duration::from_secs(120)).expect("stored");
}

fn publish(brokers: &str, messages: &[String]) {
    let now = now_millis();
    let messages: Vec<(String, i64)> = messages.iter().map(|m| (m.clone(), now)).collect();
    publish_at(brokers, &messages);
}

fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("milliseconds")
}

impl Hub {
    /// Stops it as its service does, and waits for its end.
    fn stop(&mut self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("signal");
        let begun = std::time::Instant::now();
        while self.child.try_wait().expect("status").is_none() {
            assert!(begun.elapsed() < WITHIN, "the hub does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn over_kafka_three_sensors_come_to_the_numbers_of_one_and_garbage_changes_none() {
    let (key, folder, cluster) = (Key::new(), tempfile::tempdir().expect("folder"), cluster(3));
    let brokers = cluster.bootstrap_servers();
    let (whole, mut messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let twice: Vec<String> = messages.iter().step_by(5).cloned().collect();
    messages.extend(twice);
    let good = messages.len();
    messages.extend(["garbage".to_owned(), "{".to_owned(), "\u{0}".repeat(200_000)]);
    publish(&brokers, &shuffled(messages.clone()));
    let mut hub = start(&brokers, "one", &folder.path().join("hub.db"));
    let wanted = |api: &Value| all_read(api, messages.len()) && numbers(api) == truth;
    let api = hub.wait("the numbers of one sensor", wanted);
    assert_eq!(api["messages"]["taken"], good as u64);
    assert_eq!(api["messages"]["garbage"], 3);
    hub.wait("it is active", |api| api["hub"]["active"] == true);
    hub.answers("/readyz", |status, _| status == 200);
}

#[test]
fn over_kafka_a_hub_killed_at_any_moment_loses_and_doubles_nothing() {
    let (key, folder, cluster) = (Key::new(), tempfile::tempdir().expect("folder"), cluster(2));
    let brokers = cluster.bootstrap_servers();
    let (whole, messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let messages = shuffled(messages);
    let store = folder.path().join("hub.db");
    let rounds = 12;
    for (n, part) in messages.chunks(messages.len().div_ceil(rounds)).enumerate() {
        let mut hub = start(&brokers, "one", &store);
        publish(&brokers, part);
        // Before it has connected, in the middle of a batch, after it.
        std::thread::sleep(Duration::from_millis([90, 350, 150, 700, 40, 500][n % 6]));
        hub.kill();
    }
    let mut hub = start(&brokers, "one", &store);
    hub.wait("all of it", |api| api["hub"]["pending"] == 0 && numbers(api) == truth);
    // A hub that is stopped commits before it ends.
    hub.stop();
    // What was acknowledged is not read again: in each partition it would come before these messages.
    let mut hub = start(&brokers, "one", &store);
    let garbage: Vec<String> = (0..16).map(|n| format!("garbage {n}")).collect();
    publish(&brokers, &garbage);
    let api = hub.wait("the same after a restart", |api| {
        api["messages"]["garbage"] == 16 && numbers(api) == truth
    });
    assert_eq!(api["messages"]["taken"], 0);
    hub.kill();
    // A store that is lost is filled again by --again, and by a new file alone.
    for more in [["--again"].as_slice(), &[]] {
        let again = folder.path().join(format!("again{}.db", more.len()));
        let source = ["--kafka", &brokers];
        let mut hub = Hub::run(Command::new(PHITAP), &source, "one", &again, more);
        hub.wait("all of it again", |api| all_read(api, messages.len()) && numbers(api) == truth);
    }
}

#[test]
fn over_kafka_two_hubs_give_one_answer_whichever_is_killed() {
    let (key, folder, cluster) = (Key::new(), tempfile::tempdir().expect("folder"), cluster(2));
    let brokers = cluster.bootstrap_servers();
    let (whole, messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let messages = shuffled(messages);
    let stores = ["one", "two"].map(|name| (name, folder.path().join(format!("{name}.db"))));
    let mut hubs = stores.clone().map(|(name, store)| start(&brokers, name, &store));
    // What a load balancer sees.
    let ready =
        |hub: &Hub| hub.get("/readyz").map(|(status, body)| (status, body.contains("standing by")));
    for (n, part) in messages.chunks(messages.len().div_ceil(3)).enumerate() {
        let begun = std::time::Instant::now();
        let (gone, left) = loop {
            let seen = [ready(&hubs[0]), ready(&hubs[1])];
            match seen {
                [Some((200, false)), Some((503, true))] => break (0, 1),
                [Some((503, true)), Some((200, false))] => break (1, 0),
                _ => assert!(begun.elapsed() < WITHIN, "{seen:?} {}", hubs[0].log()),
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        publish(&brokers, part);
        std::thread::sleep(Duration::from_millis([0, 200, 600][n % 3]));
        hubs[gone].kill();
        hubs[left].wait("the other takes over", |api| api["hub"]["active"] == true);
        let (name, store) = &stores[gone];
        hubs[gone] = start(&brokers, name, store);
    }
    for hub in &mut hubs {
        hub.wait("all of it", |api| numbers(api) == truth && list(&api["keys"]).len() == 1);
    }
}

#[test]
fn over_kafka_a_broker_that_goes_and_comes_back_costs_nothing_and_is_said_once() {
    let (key, folder, cluster) = (Key::new(), tempfile::tempdir().expect("folder"), cluster(1));
    let brokers = cluster.bootstrap_servers();
    let (whole, messages) = sensors(&key, folder.path());
    let truth = numbers(&merged(folder.path(), &whole));
    let (first, rest) = messages.split_at(messages.len() / 2);
    publish(&brokers, first);
    let mut hub = start(&brokers, "one", &folder.path().join("hub.db"));
    hub.wait("the first half", |api| all_read(api, first.len()));
    cluster.broker_down(1).expect("down");
    hub.wait("it notices", |api| api["hub"]["connected"] == false);
    cluster.broker_up(1).expect("up");
    publish(&brokers, rest);
    hub.wait("all of it", |api| {
        api["hub"]["connected"] == true && api["hub"]["active"] == true && numbers(api) == truth
    });
    hub.said("works again");
    let lines = |part: &str| hub.log().lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines(&brokers), 1, "{}", hub.log());
}

#[test]
fn over_kafka_what_a_sensor_publishes_itself_reaches_the_hub_whole() {
    let (key, folder, cluster) = (Key::new(), tempfile::tempdir().expect("folder"), cluster(2));
    let brokers = cluster.bootstrap_servers();
    let mut hub = start(&brokers, "one", &folder.path().join("hub.db"));
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
        &format!("kafka:{brokers}"),
        &hospital().display().to_string(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let api = hub.wait("all of it", |api| api["keys"][0]["patients"]["value"] == 229);
    assert_eq!(list(&api["exposures"]).len(), 33);
    assert_eq!(api["messages"]["garbage"], 0);
    assert_eq!(list(&api["sensors"])[0]["name"], "ward");
}

/// The status of a live sensor, written so many seconds ago.
fn status(sensor: &str, ago: i64, rules: &str) -> String {
    let written = now_millis() / 1_000 - ago;
    let written = time::OffsetDateTime::from_unix_timestamp(written).expect("time");
    let format = &time::format_description::well_known::Rfc3339;
    json!({
        "@timestamp": written.format(format).expect("text"),
        "event": {"action": "sensor-status"},
        "observer": {"product": "phitap", "version": "0.1.0", "name": sensor},
        "phi": {"run": {"packets": {"read": 5, "dropped": {}}},
            "sensor": {"ready": true, "problems": [], "uptime_seconds": 5, "rules": rules}},
    })
    .to_string()
}

#[test]
fn over_kafka_sensors_that_are_silent_late_or_on_old_rules_are_named() {
    let (folder, cluster) = (tempfile::tempdir().expect("folder"), cluster(2));
    let brokers = cluster.bootstrap_servers();
    let now = now_millis();
    // What lies there when the hub comes: the time at which it was sent counts.
    publish_at(
        &brokers,
        &[
            (status("good", 1, "r"), now),
            (status("silent", 900, "r"), now - 899_000),
            (status("late", 900, "r"), now),
            (status("old", 1, "q"), now),
        ],
    );
    let mut hub = start(&brokers, "one", &folder.path().join("hub.db"));
    let api = hub.wait("all of them", |api| list(&api["sensors"]).len() == 4);
    let troubles = |api: &Value| -> Vec<(String, Value)> {
        let of = |s: &Value| (s["name"].as_str().expect("name").to_owned(), s["troubles"].clone());
        list(&api["sensors"]).iter().map(of).collect()
    };
    let expected = [
        ("good", json!([])),
        ("late", json!(["late"])),
        ("old", json!(["old_rules"])),
        ("silent", json!(["silent"])),
    ];
    assert_eq!(troubles(&api), expected.map(|(name, of)| (name.to_owned(), of)));
    hub.said("sensor old: its rules are not those that were published");
    // A message that comes as it is sent has the hub's time: a clock that is five minutes behind shows.
    publish_at(&brokers, &[(status("behind", 300, "r"), now - 300_000)]);
    hub.wait("the fifth", |api| {
        troubles(api).iter().any(|(name, of)| name == "behind" && *of == json!(["late"]))
    });
}

/// Answers each connection by `serve`, for as long as the test runs.
fn listens(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address").to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

/// One request of Kafka: key and correlation id.
fn request(stream: &mut TcpStream) -> Option<(i16, i16, [u8; 4])> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(size)).ok()?.min(1 << 20)];
    stream.read_exact(&mut body).ok()?;
    let short = |at: usize| Some(i16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    Some((short(0)?, short(2)?, body.get(4..8)?.try_into().ok()?))
}

/// A broker that takes SASL PLAIN (KIP-43, KIP-152) and refuses everybody.
fn refuses_everybody(mut stream: TcpStream) {
    while let Some((key, version, correlation)) = request(&mut stream) {
        let mut body = correlation.to_vec();
        match key {
            // ApiVersions: version 0 only, of what follows.
            18 => {
                let error: i16 = if version > 0 { 35 } else { 0 };
                body.extend(error.to_be_bytes());
                body.extend(4i32.to_be_bytes());
                for (key, most) in [(3i16, 1i16), (17, 1), (18, 0), (36, 0)] {
                    body.extend([key.to_be_bytes(), [0, 0], most.to_be_bytes()].concat());
                }
            }
            // SaslHandshake: PLAIN is fine.
            17 => body.extend(b"\0\0\0\0\0\x01\0\x05PLAIN"),
            // SaslAuthenticate: SASL_AUTHENTICATION_FAILED.
            36 => body.extend(b"\0\x3a\0\x02no\0\0\0\0"),
            _ => return,
        }
        let size = i32::try_from(body.len()).expect("small").to_be_bytes();
        if stream.write_all(&[&size, body.as_slice()].concat()).is_err() {
            return;
        }
    }
}

fn secret(folder: &Path) -> PathBuf {
    let path = folder.join("credentials");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).mode(0o600).open(&path).expect("file");
    file.write_all(b"hub\nhidden-word\n").expect("written");
    path
}

#[test]
fn over_kafka_a_hub_that_is_refused_ends_and_says_why() {
    let folder = tempfile::tempdir().expect("folder");
    let brokers = listens(refuses_everybody);
    let credentials = secret(folder.path());
    let run = Command::new(PHITAP)
        .args(["hub", "--kafka", &brokers, "--kafka-credentials"])
        .arg(&credentials)
        .arg("--store")
        .arg(folder.path().join("hub.db"))
        .finish();
    let text = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("{brokers}: the broker refused the credentials")), "{text}");
    assert!(!text.contains("hidden-word") && text.lines().count() == 1, "{text}");
}

#[test]
fn over_kafka_what_is_no_broker_is_said_in_one_line_and_tried_again() {
    let folder = tempfile::tempdir().expect("folder");
    // An alert of TLS, as a server sends it that was not greeted (RFC 8446 section 6); text; nothing.
    let alert = |mut stream: TcpStream| {
        let _ = request(&mut stream);
        let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x46");
    };
    let page = |mut stream: TcpStream| {
        let _ = request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    };
    let nothing = ReservedPort::new();
    let cases = [
        ("tls", listens(alert), "speaks TLS or is no Kafka broker"),
        ("http", listens(page), "is no Kafka broker"),
        ("away", format!("127.0.0.1:{}", nothing.port()), "refused"),
    ];
    for (name, brokers, part) in cases {
        let hub = start(&brokers, name, &folder.path().join(format!("{name}.db")));
        hub.said(part);
        let log = hub.log();
        assert_eq!(log.lines().filter(|line| line.contains(part)).count(), 1, "{log}");
        assert!(log.contains(&format!("{brokers}: ")), "{log}");
    }
    // A topic that does not exist yet is waited for.
    let cluster = MockCluster::new(1).expect("mock cluster");
    let unknown = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.topic_error(TOPIC, unknown).expect("set");
    let brokers = cluster.bootstrap_servers();
    let mut hub = start(&brokers, "late", &folder.path().join("late.db"));
    hub.said("there is no topic phitap-events");
    let none = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    cluster.topic_error(TOPIC, none).expect("set");
    hub.wait("it is there", |api| api["hub"]["connected"] == true);
    hub.said("works again");
}
