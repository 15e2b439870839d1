//! `phitap rules`, suppressions, and rules that change during a run, as their users meet them.

#![expect(clippy::disallowed_methods, reason = "another program is waited for")]
#![expect(clippy::print_stdout, reason = "what was measured is worth knowing")]

mod common;

use common::Bounded as _;
use common::{Key, PHITAP, ROOT, Run, events, is, phitap, string};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// One connection with many successive messages.
const PERSISTENT: &str = "fixtures/captures/hl7-adt-a08-persistent.pcap";

/// A folder of rules.
struct Rules(tempfile::TempDir);

impl Rules {
    fn new(text: &str) -> Self {
        let rules = Self(tempfile::tempdir().expect("folder"));
        rules.write(text);
        rules
    }
    fn write(&self, text: &str) {
        std::fs::write(self.0.path().join("site.toml"), text).expect("rules");
    }
    fn path(&self) -> String {
        self.0.path().display().to_string()
    }
}

fn capture(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

fn replay(rules: &Rules, more: &[&str]) -> Run {
    let capture = capture(PERSISTENT).display().to_string();
    let rules = rules.path();
    let given = ["replay", "--format", "json", "--detail", "flows", "--rules", &rules, &capture];
    phitap(given.iter().chain(more))
}

fn findings(run: &Run) -> Vec<Value> {
    events(&run.out).into_iter().filter(|e| is(e, "phi-finding")).collect()
}

const SUPPRESSION: &str = r#"
[[suppression]]
id = "known-feed"
title = "The feed of the ward, until it has TLS"
owner = "interfaces@hospital.example"
reason = "CR-1042"
expires = 2099-12-31
rule = ["hl7-patient"]
match = ["rule=hl7-patient client=10.1.2.3"]
no_match = ["rule=structured-patient"]
"#;

#[test]
fn rules_are_listed_checked_and_tested() {
    let list = phitap(["rules", "list"]);
    assert_eq!(list.status, Some(0), "{}", list.err);
    let head = list.out.lines().next().expect("a table");
    for column in ["ID", "SECTION", "KIND", "SH", "WHERE", "TITLE", "REFERENCE"] {
        assert!(head.split_whitespace().any(|word| word == column), "no {column}: {head}");
    }
    let name = list.out.lines().find(|l| l.starts_with("dicom-patient-name ")).expect("a rule");
    let cells: Vec<&str> = name.split_whitespace().collect();
    assert_eq!(&cells[1..5], &["dicom", "name", "A", "(0010,0010)"], "{name}");

    let own = Rules::new(&format!("disable = [\"text-email\"]\n{SUPPRESSION}"));
    for action in ["list", "check", "test"] {
        let run = phitap(["rules", action, "--rules", &own.path()]);
        assert_eq!(run.status, Some(0), "{action}: {}{}", run.out, run.err);
        assert!(!run.out.contains("text-email "), "{action}: {}", run.out);
        assert!(action == "test" || run.out.contains("suppression"), "{}", run.out);
    }
    own.write(&SUPPRESSION.replace("no_match = [\"rule=structured", "no_match = [\"rule=hl7"));
    let run = phitap(["rules", "test", "--rules", &own.path()]);
    assert_eq!(run.status, Some(1));
    assert!(run.out.contains("site.toml:2: known-feed takes \"rule=hl7-patient\""), "{}", run.out);
    for run in [phitap(["rules", "check", "--rules", &own.path()]), replay(&own, &[])] {
        assert_eq!(run.status, Some(1));
        assert!(run.err.contains("site.toml:2: no_match of \"known-feed\""), "{}", run.err);
    }
    own.write(&SUPPRESSION.replace("2099-12-31", "2020-12-31"));
    let run = phitap(["rules", "check", "--rules", &own.path()]);
    assert_eq!(run.status, Some(0));
    assert!(run.out.contains("warning: known-feed ended on 2020-12-31"), "{}", run.out);
}

#[test]
fn faults_of_rules_name_file_line_and_reason() {
    let key = "[[key]]\nid = \"k\"\ntitle = \"K\"\nnames = [\"qqq\"]\nkind = \"name\"\n";
    for (text, line, reason) in [
        ("[[key]\n", 1, "unclosed"),
        (&*format!("{key}colour = 1\n"), 6, "unknown field `colour`"),
        (&*key.replace("\"name\"", "\"nmae\""), 5, "unknown variant `nmae`"),
        (&*format!("{key}{key}"), 6, "already used in line 1"),
        (&*SUPPRESSION.replace("2099-12-31", "\"31.12.2099\""), 7, "2026-12-31"),
        (
            &*SUPPRESSION.replace("rule = [\"hl7-patient\"]", "client = [\"10.1.2.3/8\"]"),
            8,
            "10.0.0.0/8",
        ),
        ("disable = [\"no-such-rule\"]\n", 1, "no-such-rule"),
    ] {
        let own = Rules::new(text);
        for action in ["list", "check", "test"] {
            let run = phitap(["rules", action, "--rules", &own.path()]);
            assert_eq!(run.status, Some(1), "{text}");
            assert_eq!(
                run.err.lines().next().map(|l| l.contains(&format!("site.toml:{line}: "))),
                Some(true),
                "{}",
                run.err
            );
            assert!(run.err.contains(reason), "{}", run.err);
        }
        assert_eq!(replay(&own, &[]).status, Some(1));
    }
}

#[test]
fn what_is_suppressed_is_counted_in_every_output() {
    let none = Rules::new("");
    let all = findings(&replay(&none, &[]));
    assert!(all.len() > 3);
    let own = Rules::new(SUPPRESSION);
    let folder = tempfile::tempdir().expect("folder");
    let metrics = folder.path().join("m").display().to_string();
    let run = replay(&own, &["--metrics-file", &metrics, "--fail-on", "low"]);
    assert_eq!(run.status, Some(0), "nothing was found: {}", run.err);
    assert!(findings(&run).is_empty(), "{}", run.out);
    let last = events(&run.out).pop().expect("summary");
    let said = &last["phi"]["run"]["suppressions"][0];
    assert_eq!(said["id"], "known-feed");
    assert_eq!(said["expires"], "2099-12-31");
    assert_eq!(said["events"].as_u64(), Some(all.len() as u64), "{said}");
    assert_eq!(last["phi"]["run"]["patients"], 0);
    let metrics = std::fs::read_to_string(&metrics).expect("metrics");
    let line = format!("phitap_findings_suppressed_total{{protocol=\"hl7\"}} {}", all.len());
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
    let page = replay(&own, &["--format", "summary"]);
    assert!(page.status == Some(2), "--format twice");
    let capture = capture(PERSISTENT).display().to_string();
    let page = phitap(["replay", "--rules", &own.path(), &capture]);
    assert!(
        page.out.contains("WHAT WAS SUPPRESSED") && page.out.contains("CR-1042"),
        "{}",
        page.out
    );
    // It expires after its last day, by packet time.
    own.write(&SUPPRESSION.replace("2099-12-31", "2001-01-01"));
    let run = replay(&own, &[]);
    assert_eq!(findings(&run).len(), all.len());
    let last = events(&run.out).pop().expect("summary");
    let since = &last["phi"]["run"]["suppressions"][0]["findings_since"];
    assert!(since.as_u64() > Some(0), "{last}");
}

#[test]
fn one_patient_is_suppressed_by_the_token_that_events_show() {
    let (none, key) = (Rules::new(""), Key::new());
    let all = findings(&replay(&none, &["--key-file", &key.path()]));
    let tokens: BTreeSet<&str> =
        all.iter().map(|e| string(&e["phi"]["patient"]["token"])).collect();
    let one = tokens.first().expect("a patient");
    let own = Rules::new(&SUPPRESSION.replace(
        "rule = [\"hl7-patient\"]\nmatch = [\"rule=hl7-patient client=10.1.2.3\"]",
        &format!("patient = [\"{one}\"]"),
    ));
    let rest = findings(&replay(&own, &["--key-file", &key.path()]));
    let left: BTreeSet<&str> = rest.iter().map(|e| string(&e["phi"]["patient"]["token"])).collect();
    assert_eq!(left.len() + 1, tokens.len());
    assert!(!left.contains(one));
}

/// A run over a growing capture file.
struct Following {
    child: Child,
    file: std::fs::File,
    events: Receiver<Value>,
    said: Receiver<String>,
    heard: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Following {
    fn start(rules: &Rules, begin: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("growing.pcap");
        let mut file = std::fs::File::create(&path).expect("capture");
        file.write_all(begin).expect("capture");
        let mut child = Command::new(PHITAP)
            .args(["replay", "--follow", "--format", "json", "--detail", "flows"])
            .args(["--metrics", "127.0.0.1:0"])
            .args(["--rules", &rules.path()])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .start();
        let (events, said) = (channel(), channel());
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let err = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = events.0.send(serde_json::from_str(&line).expect("JSON"));
            }
        });
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let _ = said.0.send(line);
            }
        });
        Self { child, file, events: events.1, said: said.1, heard: Vec::new(), _folder: folder }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).expect("capture");
    }

    /// Waits for a line that contains `part`.
    fn hears(&mut self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("no {part:?} ({error}): {:#?}", self.heard),
            }
        }
    }

    /// Waits for a finding, and returns it.
    fn finding(&self) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("a finding");
            if is(&event, "phi-finding") {
                return event;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signal");
    }

    fn metrics(&mut self, address: &str) -> String {
        use std::io::Read as _;
        let mut stream = std::net::TcpStream::connect(address).expect("connect");
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        answer
    }

    /// Number of packets it has read.
    fn packets(&mut self, address: &str) -> u64 {
        let metrics = self.metrics(address);
        let line = metrics.lines().find_map(|l| l.strip_prefix("phitap_packets_total "));
        line.and_then(|n| n.parse().ok()).expect("packets")
    }

    /// Reloads while `packets` are read. Returns how long it took, milliseconds.
    fn reload(&mut self, packets: &[u8]) -> u64 {
        self.append(packets);
        self.signal(Signal::HUP);
        let said = self.hears("rules reloaded: ");
        let took = said.split(" in ").nth(1).and_then(|t| t.split(' ').next());
        took.and_then(|t| t.parse::<u64>().ok()).expect("milliseconds")
    }

    /// Memory in use, kilobytes: now, and at most so far.
    fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("status");
        let of = |name: &str| {
            let line = status.lines().find(|l| l.starts_with(name)).expect("line");
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("kilobytes")
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Stops it, and returns the events that are left.
    fn stop(mut self) -> Vec<Value> {
        self.signal(Signal::INT);
        let status = self.child.wait().expect("status");
        assert_eq!(status.code(), Some(0), "{:#?}", self.heard);
        self.events.iter().collect()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pcap file up to a packet at about `share` of its length, and the rest.
fn halves(pcap: &[u8], share: f64) -> (&[u8], &[u8]) {
    let mut at = 24;
    while (at as f64) < pcap.len() as f64 * share {
        let len = u32::from_le_bytes(pcap[at + 8..at + 12].try_into().expect("length"));
        at += 16 + len as usize;
    }
    pcap.split_at(at)
}

/// Number of packets in the records of a pcap file.
fn packets_of(records: &[u8]) -> u64 {
    let (mut at, mut n) = (0, 0);
    while at + 16 <= records.len() {
        let len = u32::from_le_bytes(records[at + 8..at + 12].try_into().expect("length"));
        at += 16 + len as usize;
        n += 1;
    }
    n
}

/// An alert rule that precedes `hl7-patient`: rules apply in order of id.
fn alert(id: &str) -> String {
    format!(
        "[[alert]]\nid = \"{id}\"\ntitle = \"T\"\ncontent = [\"hl7v2\"]\n\
         structured = true\nany_of = [\"name\", \"patient_id\"]\n"
    )
}

#[test]
fn a_reload_loses_no_flow_and_a_faulty_file_changes_nothing() {
    let none = Rules::new("");
    let whole = findings(&replay(&none, &[]));
    let patients: BTreeSet<String> = whole.iter().map(|e| e["event"]["id"].to_string()).collect();
    let pcap = std::fs::read(capture(PERSISTENT)).expect("capture");
    let (first, rest) = halves(&pcap, 0.3);
    let (second, third) = rest.split_at(halves(&pcap, 0.6).0.len() - first.len());

    let rules = Rules::new(&alert("a-before"));
    let mut run = Following::start(&rules, first);
    let serving = run.hears("serving metrics at http://");
    let address = serving.split('/').nth(2).expect("address").to_owned();
    let before = run.finding();
    assert_eq!(before["rule"]["id"], "a-before");
    let flow = before["client"].clone();

    // On SIGHUP.
    rules.write(&alert("a-after"));
    run.signal(Signal::HUP);
    run.hears("rules reloaded: ");
    run.append(second);
    let after = std::iter::repeat_with(|| run.finding())
        .find(|e| e["rule"]["id"] == "a-after")
        .expect("endless");
    assert_eq!(after["client"], flow, "the same connection goes on");

    // A faulty file.
    rules.write("[[alert]]\nid = \"x\"\ntitle = \"X\"\ncontent = []\nany_of = [\"name\"]\n");
    let said = run.hears("rules not reloaded, the previous rules stay active: ");
    assert!(said.contains("site.toml:4: content is empty"), "{said}");
    run.append(third);
    let still = run.finding();
    assert_eq!(still["rule"]["id"], "a-after");
    let metrics = run.metrics(&address);
    for line in ["{result=\"ok\"} 1", "{result=\"failed\"} 1"] {
        let line = format!("phitap_rules_reloads_total{line}");
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }

    // A changed file is noticed without a signal.
    rules.write(&alert("a-last"));
    run.hears("rules reloaded: ");
    let mut told = vec![before, after, still];
    told.extend(run.stop());
    let last = told.last().expect("summary");
    assert!(is(last, "run-summary"));
    assert_eq!(last["phi"]["run"]["findings"].as_u64(), Some(patients.len() as u64));
    assert_eq!(last["phi"]["run"]["streams"]["opaque"], serde_json::json!({}));
}

/// Connections in the middle of a message, in the format of `pcap` and after its packets.
fn open_flows(pcap: &[u8], flows: u32) -> Vec<u8> {
    let (mut at, mut last) = (24, 24);
    while at + 16 <= pcap.len() {
        last = at;
        let len = u32::from_le_bytes(pcap[at + 8..at + 12].try_into().expect("length"));
        at += 16 + len as usize;
    }
    let time = &pcap[last..last + 8];
    let mut payload = b"\x0bMSH|^~\\&|A|B|C|D|20260301||ADT^A01|1|P|2.5\rPID|1||".to_vec();
    payload.resize(1_000, b'7');
    let mut out = Vec::new();
    for n in 0..flows {
        let [_, a, b, c] = n.to_be_bytes();
        let total = (40 + payload.len()) as u16;
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        frame.extend(total.to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 100 + a, b, c, 10, 0, 0, 1]);
        frame
            .extend([0xC3, 0x50, 0x0A, 0x0F, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 8, 0, 0, 0, 0, 0]);
        frame.extend(&payload);
        let len = (frame.len() as u32).to_le_bytes();
        out.extend([time, &len, &len, &frame].concat());
    }
    out
}

#[test]
fn reloads_under_load_are_quick_and_small() {
    let rules = Rules::new(&alert("a-load"));
    let pcap = std::fs::read(common::hospital()).expect("capture");
    let mut run = Following::start(&rules, &pcap);
    let serving = run.hears("serving metrics at http://");
    let address = serving.split('/').nth(2).expect("address").to_owned();
    let active =
        |line: &str| line.strip_prefix("phitap_flows_active ").and_then(|n| n.parse::<u32>().ok());
    run.finding();
    // The same hour repeatedly: more than is read while the rules change.
    let packets = &pcap[24..];
    for _ in 0..4 {
        run.append(packets);
    }
    const FLOWS: u32 = 40_000;
    run.append(&open_flows(&pcap, FLOWS));
    let until = Instant::now() + PATIENCE;
    while !run.metrics(&address).lines().any(|l| active(l) >= Some(FLOWS)) {
        assert!(Instant::now() < until, "the connections are not read");
    }
    // The same without a reload, until memory stops growing.
    let (mut before, until) = (0, Instant::now() + PATIENCE);
    loop {
        let read = run.packets(&address);
        run.append(packets);
        while run.packets(&address) < read + packets_of(packets) {
            assert!(Instant::now() < until, "the packets are not read");
            std::thread::sleep(Duration::from_millis(50));
        }
        let (_, most) = run.memory();
        if most < before + 500 {
            break;
        }
        assert!(Instant::now() < until, "memory grows without a reload: {before} to {most} kB");
        before = most;
    }
    let read = run.packets(&address);
    let mut slowest = run.reload(packets);
    // Only the first reload counts. Connections in the middle of a message keep the rules they
    // began with, so several reloads in a row keep several sets.
    while run.packets(&address) < read + packets_of(packets) {
        assert!(Instant::now() < until, "the packets are not read");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (now, most) = run.memory();
    for _ in 0..3 {
        slowest = slowest.max(run.reload(packets));
    }
    println!(
        "slowest reload {slowest} ms; memory {before} kB before, {now} kB now, {most} kB at most"
    );
    // An optimised build takes about 70 ms; this is a test build on a busy machine.
    assert!(most < before + before / 10, "{before} kB before, {most} kB at most");
    assert!(slowest < if cfg!(debug_assertions) { 60_000 } else { 2_000 }, "{slowest} ms");
    run.stop();
}
