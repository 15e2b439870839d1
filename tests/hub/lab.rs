//! Hubs that run, what sensors send them, and their broker.

use super::common::nats::Nats;
use super::common::ports::port_for_a_program;
use super::common::summaries::{merge, replay};
use super::common::{Bounded as _, Key, PHITAP, hospital, list, split};
use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};
use futures_core::Stream as _;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time within which a hub has read everything.
pub(crate) const WITHIN: Duration = Duration::from_secs(180);

/// A hub that is killed when dropped.
pub(crate) struct Hub {
    pub(crate) child: Child,
    port: u16,
    log: PathBuf,
}

impl Hub {
    pub(crate) fn start(nats: &Nats, name: &str, store: &Path) -> Self {
        Self::start_with(nats, name, store, &[])
    }

    pub(crate) fn start_with(nats: &Nats, name: &str, store: &Path, more: &[&str]) -> Self {
        Self::run(Command::new(PHITAP), &["--nats", &nats.url()], name, store, more)
    }

    /// `source`: the options that say where the events come from.
    pub(crate) fn run(
        mut program: Command,
        source: &[&str],
        name: &str,
        store: &Path,
        more: &[&str],
    ) -> Self {
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

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("log")
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("the hub ends");
    }

    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(WITHIN)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub(crate) fn api(&self) -> Option<Value> {
        let (status, body) = self.get("/api/v1/hub")?;
        (status == 200).then(|| serde_json::from_str(&body).expect("JSON"))
    }

    /// Waits until the API answers as wanted, and returns the answer.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
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
    pub(crate) fn answers(&mut self, path: &str, wanted: impl Fn(u16, &str) -> bool) {
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
    pub(crate) fn said(&self, part: &str) {
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
pub(crate) fn events_of(key: &Key, sensor: &str, capture: &Path) -> Vec<String> {
    replay(key, sensor, capture, &[]).lines().map(str::to_owned).collect()
}

/// The result of `phitap merge` for these events.
pub(crate) fn merged(folder: &Path, events: &[String]) -> Value {
    let file = folder.join("truth.json");
    std::fs::write(&file, events.join("\n")).expect("written");
    merge(&[file])
}

/// The numbers that a hub and `phitap merge` have in common.
pub(crate) fn numbers(of: &Value) -> Value {
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
            e["severity"],
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

/// Runs to its end what needs a runtime.
fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(work)
}

/// The broker, with the stream of events as a hub makes it.
async fn stream(nats: &Nats) -> (jetstream::Context, Stream) {
    let client = async_nats::connect(nats.url()).await.expect("connected");
    let context = jetstream::new(client);
    let config = Config {
        name: "PHITAP".into(),
        subjects: vec!["phitap.events".into()],
        ..Config::default()
    };
    let stream = context.get_or_create_stream(config).await.expect("stream");
    (context, stream)
}

/// Publishes messages in this order, each acknowledged by the stream.
pub(crate) fn publish(nats: &Nats, messages: &[String]) {
    blocking(async {
        let (context, _) = stream(nats).await;
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

/// Sets how many messages the stream of events holds, and what it does beyond.
pub(crate) fn limit(nats: &Nats, max_messages: i64, discard: DiscardPolicy) {
    blocking(async {
        let (context, stream) = stream(nats).await;
        let config = stream.cached_info().config.clone();
        context.update_stream(Config { max_messages, discard, ..config }).await.expect("updated");
    });
}

/// The consumers of the stream of events.
pub(crate) fn consumers(nats: &Nats) -> Vec<jetstream::consumer::Info> {
    blocking(async {
        let (_, stream) = stream(nats).await;
        let mut infos = stream.consumers();
        let mut all = Vec::new();
        while let Some(info) = poll_fn(|context| Pin::new(&mut infos).poll_next(context)).await {
            all.push(info.expect("consumer"));
        }
        all
    })
}

/// Shuffles the messages, the same way each time.
pub(crate) fn shuffled(mut messages: Vec<String>) -> Vec<String> {
    messages.sort_by_key(|message| *blake3::hash(message.as_bytes()).as_bytes());
    messages
}

/// The events of one sensor that sees everything, and of three that share the traffic.
pub(crate) fn sensors(key: &Key, folder: &Path) -> (Vec<String>, Vec<String>) {
    let whole = events_of(key, "all", &hospital());
    let parts = split::over_sensors(&hospital(), 3, folder);
    let of = |(n, part): (usize, &PathBuf)| events_of(key, &format!("s{n}"), part);
    (whole, parts.iter().enumerate().flat_map(of).collect())
}

pub(crate) fn all_read(api: &Value, messages: usize) -> bool {
    api["hub"]["pending"] == 0
        && api["messages"]
            .as_object()
            .expect("counts")
            .values()
            .filter_map(Value::as_u64)
            .sum::<u64>()
            >= messages as u64
}

/// A status as a live sensor publishes it once a minute.
pub(crate) fn status(sensor: &str, instance: &str) -> String {
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
