//! `phitap rules publish` and `phitap rules follow` with a real NATS server.
#![cfg(feature = "nats")]
// Skipped tests must be reported.
#![allow(clippy::print_stdout)]

mod common;

use common::Bounded as _;
use common::nats::{Nats, left_out};
use common::signing::keys;
use common::{PHITAP, Run, phitap, wait_for};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

const RULE: &str = r#"
[[key]]
id = "key-own"
title = "Visit number"
kind = "encounter_id"
names = ["besuchsnummer"]
confidence = 0.8
reference = "Portal manual"
match = ["Besuchsnummer"]
"#;

fn publish(nats: &Nats, rules: &Path, key: &str) -> Run {
    let rules = rules.display().to_string();
    phitap(["rules", "publish", "--rules", &rules, "--sign-key", key, "--nats", &nats.url()])
}

fn follow(nats: &Nats, into: &Path, key: &str) -> Run {
    let metrics = into.with_extension("prom").display().to_string();
    let into = into.display().to_string();
    phitap([
        "rules",
        "follow",
        "--once",
        "--into",
        &into,
        "--rules-key",
        key,
        "--metrics-file",
        &metrics,
        "--nats",
        &nats.url(),
    ])
}

#[test]
fn signed_rules_reach_the_sensor_and_nothing_else_does() {
    if left_out() {
        return;
    }
    let (folder, nats) = (tempfile::tempdir().expect("folder"), Nats::start());
    let (private, public) = keys(folder.path(), "ours");
    let (stranger, _) = keys(folder.path(), "theirs");
    let (rules, into) = (folder.path().join("rules"), folder.path().join("sensor"));
    std::fs::create_dir(&rules).expect("folder");
    let none = follow(&nats, &into, &public);
    assert_eq!(none.status, Some(1));
    assert!(none.err.contains("no rules were published"), "{}", none.err);

    std::fs::write(rules.join("own.toml"), RULE).expect("written");
    let run = publish(&nats, &rules, &private);
    assert_eq!(
        (run.status, run.out.as_str()),
        (Some(0), "published as version 1\n"),
        "{}",
        run.err
    );
    let run = follow(&nats, &into, &public);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let current = into.join("current");
    let text = || std::fs::read_to_string(current.join("own.toml")).expect("rules");
    assert_eq!(text(), RULE);
    let listed = phitap(["rules", "list", "--rules", &current.display().to_string()]);
    assert!(listed.out.contains("key-own"), "{}", listed.err);

    // A key that others may read signs nothing, and no rules at all are a mistake.
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&private, mode).expect("mode");
    };
    set_mode(0o644);
    let run = publish(&nats, &rules, &private);
    assert_eq!((run.status, run.err.lines().count()), (Some(1), 1), "{}", run.err);
    assert!(run.err.contains("chmod 600"), "{}", run.err);
    set_mode(0o600);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("folder");
    std::fs::write(empty.join("README.txt"), "no rules").expect("written");
    let run = publish(&nats, &empty, &private);
    assert_eq!((run.status, run.err.lines().count()), (Some(1), 1), "{}", run.err);
    assert!(run.err.contains("no file of rules"), "{}", run.err);

    // Rules that cannot be loaded are not published.
    std::fs::write(rules.join("own.toml"), "[[key]]\nnonsense = 1\n").expect("written");
    let run = publish(&nats, &rules, &private);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("own.toml"), "{}", run.err);

    // Someone else writes to the bucket, and is refused.
    let newer = RULE.replace("Visit number", "Number of a visit");
    std::fs::write(rules.join("own.toml"), &newer).expect("written");
    assert_eq!(publish(&nats, &rules, &stranger).status, Some(0));
    let run = follow(&nats, &into, &public);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("signature") && run.err.lines().count() == 1, "{}", run.err);
    assert_eq!(text(), RULE);
    let metrics = std::fs::read_to_string(into.with_extension("prom")).expect("metrics");
    assert!(metrics.contains("phitap_rules_followed_total{result=\"signature\"} 1"), "{metrics}");

    let run = publish(&nats, &rules, &private);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert_eq!(follow(&nats, &into, &public).status, Some(0));
    assert_eq!(text(), newer);
    let wrong = follow(&nats, &into, &private);
    assert_eq!(wrong.status, Some(1));
    assert!(wrong.err.contains("no public key"), "{}", wrong.err);
    let run = phitap(["rules", "publish", "--sign-key", &private, "--nats", &nats.url()]);
    assert_eq!(run.status, Some(2));
}

/// A sensor on the loopback interface with published rules; it watches a port without traffic.
struct Sensor {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    metrics: String,
}

impl Sensor {
    fn start(from: &str, key: &str, folder: &Path) -> Self {
        let mut child = Command::new(PHITAP)
            .args(["live", "-i", "lo", "--filter", "tcp port 1", "--metrics", "127.0.0.1:0"])
            .args(["--output", "/dev/null", "--rules-from", from, "--rules-key", key, "--rules"])
            .arg(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .start();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let (lines, to) = (BufReader::new(child.stderr.take().expect("piped")), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                to.lock().expect("lock").push(line);
            }
        });
        let mut sensor = Self { child, said, metrics: String::new() };
        let serving = sensor.said("serving metrics at http://");
        let address = serving.split("http://").nth(1).and_then(|at| at.split('/').next());
        sensor.metrics = address.expect("an address").to_owned();
        sensor
    }

    /// Waits for a line with `part`, and takes it.
    fn said(&self, part: &str) -> String {
        wait_for(part, || {
            let mut said = self.said.lock().expect("lock");
            let at = said.iter().position(|line| line.contains(part))?;
            Some(said.remove(at))
        })
    }

    /// Waits for a line of its metrics.
    fn counts(&self, line: &str) {
        wait_for(line, || {
            let mut stream = std::net::TcpStream::connect(&self.metrics).ok()?;
            write!(stream, "GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.metrics).ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.lines().any(|of| of == line).then_some(())
        });
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sensor_takes_published_rules_by_itself_and_has_them_after_a_restart() {
    if left_out() || std::env::var("PHITAP_NO_NETNS").is_ok_and(|v| v == "1") {
        println!("LEFT OUT on request");
        return;
    }
    let (folder, mut nats) = (tempfile::tempdir().expect("folder"), Nats::start());
    let (private, public) = keys(folder.path(), "ours");
    let (stranger, _) = keys(folder.path(), "theirs");
    let (rules, place) = (folder.path().join("rules"), folder.path().join("sensor"));
    std::fs::create_dir(&rules).expect("folder");
    std::fs::write(rules.join("own.toml"), RULE).expect("written");

    // Works inside the sandbox, and before anything was published.
    let sensor = Sensor::start(&nats.url(), &public, &place);
    sensor.counts("phitap_rules_version 0");
    assert_eq!(publish(&nats, &rules, &private).status, Some(0));
    sensor.said("rules of version 1 are in force");
    sensor.said("rules reloaded: ");
    sensor.counts("phitap_rules_version 1");
    sensor.counts("phitap_rules_reloads_total{result=\"ok\"} 1");
    // Rules signed by someone else change nothing.
    assert_eq!(publish(&nats, &rules, &stranger).status, Some(0));
    sensor.said("their signature is not of the given key");
    sensor.counts("phitap_rules_followed_total{result=\"signature\"} 1");
    sensor.counts("phitap_rules_version 1");
    assert_eq!(publish(&nats, &rules, &private).status, Some(0));
    sensor.said("rules of version 3 are in force");
    drop(sensor);

    // Without the broker it starts with its stored rules, and says so.
    nats.kill();
    let sensor = Sensor::start(&nats.url(), &public, &place);
    sensor.counts("phitap_rules_version 3");
    sensor.said(&nats.port().to_string());
    nats.restart();
    assert_eq!(publish(&nats, &rules, &private).status, Some(0));
    sensor.said("rules of version 4 are in force");
}

#[test]
fn where_published_rules_come_from_is_checked() {
    let refused = |arguments: &[&str], part: &str| {
        let run = phitap(arguments);
        assert_eq!(run.status, Some(2), "{}", run.err);
        assert!(run.err.contains(part), "{}", run.err);
    };
    let from = ["--rules-from", "nats://127.0.0.1:4222", "--rules-key", "rules.pub"];
    let with = |more: &[&'static str]| [&["live", "-i", "lo"][..], more].concat();
    refused(&with(&from[..2]), "belong together");
    refused(&with(&from), "--rules DIR");
    refused(&with(&["--rules-from", "https://a/", "--rules-key", "k"]), "name a NATS server");
    refused(&["replay", "a.pcap", from[0], from[1], from[2], from[3]], "an option of live");
    let folder = tempfile::tempdir().expect("folder");
    let run = phitap([
        "live",
        "-i",
        "lo",
        from[0],
        from[1],
        from[2],
        "/nowhere/rules.pub",
        "--rules",
        &folder.path().display().to_string(),
    ]);
    assert_eq!((run.status, run.err.lines().count()), (Some(1), 1), "{}", run.err);
    assert!(run.err.contains("/nowhere/rules.pub"), "{}", run.err);
}
