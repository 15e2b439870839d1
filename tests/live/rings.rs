//! A sensor on the wire finds the same as a replay of the file, with every backend, on one
//! interface and on two.

use crate::ending::Bounded as _;
use crate::lab::{self, PHITAP, Sensor, TestHarness};
use crate::wire::{Recording, Sending, send_recording};
use crate::{count, summary};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A fixed key, so that two runs give the same tokens.
fn key(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("phitap.key");
    let bytes: [u8; 32] = std::array::from_fn(|n| (n * 37 + 11) as u8);
    std::fs::write(&path, bytes).expect("key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
    path.to_str().expect("UTF-8").to_owned()
}

/// Client, service, protocol and patient of each finding.
fn seen(events: &[Value]) -> BTreeSet<String> {
    let finding = |e: &&Value| e["event"]["action"] == "phi-finding";
    let line = |e: &Value| {
        let (client, server) = (&e["client"]["ip"], &e["server"]);
        let protocol = &e["network"]["protocol"];
        let patient = &e["phi"]["patient"]["token"];
        format!("{client} {} {} {protocol} {patient}", server["ip"], server["port"])
    };
    events.iter().filter(finding).map(line).collect()
}

fn replay(file: &Path, key: &str) -> Vec<Value> {
    let output = Command::new(PHITAP)
        .args(["replay", "--format", "json", "--detail", "flows", "--key-file", key])
        .arg(file)
        .stdin(Stdio::null())
        .finish();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_wire_gives_what_the_file_gives() {
    let Some(lab) = TestHarness::new() else { return };
    lab.plug(1);
    let folder = tempfile::tempdir().expect("folder");
    let (key, file) = (key(folder.path()), fixture("hospital.pcap"));
    let expected = seen(&replay(&file, &key));
    assert!(expected.len() > 10, "{expected:#?}");
    let recording = Recording::of(&file);
    for (more, split) in [
        (&["--workers", "2"][..], false),
        (&["--workers", "3"][..], true),
        (&["--backend", "pcap"][..], false),
    ] {
        let options = [more, &["--key-file", &key, "--snaplen", "65535"]].concat();
        let interfaces: &[&str] = if split { &["span0", "span1"] } else { &["span0"] };
        let sensor = Sensor::start(&lab, interfaces, &options);
        let sent = send_recording(&lab, &recording, Sending { split, ..Sending::ONCE });
        assert_eq!(sent.packets, recording.len());
        sensor.has_read(sent.packets);
        let (status, events, said) = sensor.stop(Signal::TERM);
        assert_eq!(status.code(), Some(0), "{said:#?}");
        let run = summary(&events);
        assert_eq!(count(&run["packets"]["lost"]), 0, "{run}");
        assert_eq!(count(&run["packets"]["read"]), sent.packets, "{options:?}: {run}");
        let found = seen(&events);
        let missing: Vec<_> = expected.difference(&found).collect();
        let more: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && more.is_empty(), "{options:?}: {missing:#?} {more:#?}");
    }
}

#[test]
fn what_backend_is_used_and_how_much_memory_it_has_is_checked() {
    for (arguments, said) in [
        (&["--backend", "xdp"][..], "ring"),
        (&["--ring-size", "1k"][..], "--ring-size must be between"),
        (&["--snaplen", "10"][..], "--snaplen must be between"),
    ] {
        let output = Command::new(PHITAP)
            .args(["live", "-i", "lo"])
            .args(arguments)
            .stdin(Stdio::null())
            .finish();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

#[test]
fn without_an_interface_it_lists_what_could_be_watched() {
    let Some(lab) = TestHarness::new() else { return };
    let output = Command::new("ip")
        .args(["netns", "exec", &lab.server, PHITAP, "live"])
        .stdin(Stdio::null())
        .finish();
    let (text, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{said}");
    let line = text.lines().find(|line| line.starts_with("span0")).expect("span0");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1..3], ["Ethernet", "up"], "{line}");
    assert!(text.lines().any(|line| line.starts_with("lo ")), "{text}");
    assert!(said.contains("-i"), "{said}");
}

#[test]
fn an_interface_that_is_not_there_yet_is_waited_for_on_request() {
    let Some(lab) = TestHarness::new() else { return };
    lab.pull(0);
    lab.plug(1);
    let mut sensor = Sensor::start(&lab, &["span0", "span1"], &["--wait"]);
    sensor.message("span0: cannot capture");
    lab.plug(0);
    sensor.message("span0 is back");
    lab::ip(&["-n", &lab.server, "link", "set", "span0", "down"]);
    sensor.message("the interface went down; waiting for it to come back");
    lab::ip(&["-n", &lab.server, "link", "set", "span0", "up"]);
    sensor.message("span0 is back");
    let (status, events, said) = sensor.stop(Signal::TERM);
    assert!(matches!(status.code(), Some(0 | 3)), "{said:#?}");
    summary(&events);
}

/// The /proc status of every thread of a process.
fn threads(process: u32) -> Vec<String> {
    let folder = std::fs::read_dir(format!("/proc/{process}/task")).expect("threads");
    let status = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("status"));
    folder.filter_map(|entry| status(entry.expect("entry")).ok()).collect()
}

fn field<'a>(status: &'a str, key: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|v| v.split_whitespace().next()).unwrap_or_default()
}

#[test]
fn privileges_are_dropped_once_the_interfaces_are_open() {
    const NET_RAW: &str = "0000000000002000";
    const NOBODY: &str = "65534";
    let Some(lab) = TestHarness::new() else { return };
    for (options, uid) in [(&["--user", NOBODY][..], NOBODY), (&[][..], "0")] {
        let mut sensor = Sensor::start(&lab, &["span0"], options);
        let filters = |status: &str| field(status, "Seccomp_filters").parse::<u32>().unwrap_or(0);
        // Threads that parse are restricted further once they run. Kernels before 5.9 do not show
        // it.
        let confined = |threads: &[String]| {
            let main = filters(&threads[0]);
            let mut parsers = threads.iter().filter(|s| field(s, "Name").starts_with("worker-"));
            main == 0 || parsers.all(|status| filters(status) == main + 1)
        };
        let until = std::time::Instant::now() + lab::PATIENCE;
        let mut threads = threads(sensor.id());
        while !confined(&threads) || threads.len() <= 3 {
            assert!(std::time::Instant::now() < until, "{threads:#?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
            threads = self::threads(sensor.id());
        }
        for status in &threads {
            assert_eq!(field(status, "Uid"), uid, "{status}");
            assert_eq!(field(status, "CapEff"), NET_RAW, "{status}");
            assert_eq!(field(status, "CapPrm"), NET_RAW, "{status}");
            assert_eq!((field(status, "NoNewPrivs"), field(status, "Seccomp")), ("1", "2"));
        }
        let said = sensor.said.iter().find(|line| line.contains("sandbox: "));
        let said = said.expect("it says so");
        assert!(said.contains("capability net_raw, no new privileges"), "{said}");
        // The remaining capability suffices to reopen an interface.
        lab.pull(0);
        sensor.message("waiting for it to come back");
        lab.plug(0);
        sensor.message("span0 is back");
        let recording = Recording::of(&fixture("hospital.pcap"));
        send_recording(&lab, &recording, Sending::ONCE);
        sensor.event(|event| event["event"]["action"] == "phi-finding");
        let (status, ..) = sensor.stop(Signal::TERM);
        assert_eq!(status.code(), Some(0));
    }
}

#[test]
fn without_the_sandbox_everything_is_kept_and_a_wrong_user_is_named() {
    let Some(lab) = TestHarness::new() else { return };
    let sensor = Sensor::start(&lab, &["span0"], &["--no-sandbox"]);
    assert_ne!(field(&threads(sensor.id())[0], "CapEff"), "0000000000002000");
    drop(sensor);
    for (user, said) in [("nobody-of-this-name", "there is no such user"), ("x:y", "no such user")]
    {
        let output = Command::new("ip")
            .args(["netns", "exec", &lab.server, PHITAP, "live", "-i", "span0", "--user", user])
            .stdin(Stdio::null())
            .finish();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn messages_can_be_json_and_a_signal_asks_for_the_status() {
    let Some(lab) = TestHarness::new() else { return };
    for backend in ["ring", "pcap"] {
        let options = ["--log-format", "json", "--backend", backend];
        let mut sensor = Sensor::start(&lab, &["span0"], &options);
        sensor.signal(Signal::USR1);
        let status = sensor.message("status: ");
        let object: Value = serde_json::from_str(&status).expect("JSON");
        assert_eq!(object["level"], "info");
        let text = object["message"].as_str().expect("text");
        assert!(text.contains("lost: kernel 0, interface 0") && text.contains("span0"), "{text}");
        for line in &sensor.said {
            serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        }
        sensor.stop(Signal::TERM);
    }
}

#[test]
fn under_overload_every_packet_is_accounted_for() {
    let Some(lab) = TestHarness::new() else { return };
    let recording = Recording::of(&fixture("hospital.pcap"));
    let options = ["--workers", "1", "--ring-size", "1MiB"];
    let sensor = Sensor::start(&lab, &["span0"], &options);
    // While paused, its ring overflows; afterwards it must catch up.
    sensor.signal(Signal::STOP);
    let sent = send_recording(&lab, &recording, Sending { times: 4, ..Sending::ONCE });
    sensor.signal(Signal::CONT);
    let again = send_recording(&lab, &recording, Sending { times: 4, rate: None, split: false });
    let (status, events, said) = sensor.stop(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    let packets = &summary(&events)["packets"];
    assert!(count(&packets["lost"]["kernel"]) > 0, "{packets}");
    let known = count(&packets["read"]) + count(&packets["lost"]);
    assert_eq!(known, sent.packets + again.packets, "{packets}");
}

#[test]
fn it_ends_in_time_although_no_reader_takes_its_events() {
    let Some(lab) = TestHarness::new() else { return };
    let sensor = Sensor::start_unread(&lab, &["span0"], &[]);
    let recording = Recording::of(&fixture("hospital.pcap"));
    send_recording(&lab, &recording, Sending { times: 3, ..Sending::ONCE });
    let told = std::time::Instant::now();
    sensor.signal(Signal::TERM);
    sensor.ends();
    assert!(told.elapsed() < crate::END_WITHIN, "{:?}", told.elapsed());
}

#[test]
fn a_hangup_reads_the_configuration_again_and_a_faulty_one_changes_nothing() {
    let Some(lab) = TestHarness::new() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("phitap.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("configuration");
    write("sensor = \"north\"\n");
    let path = file.to_str().expect("UTF-8");
    let mut sensor = Sensor::start(&lab, &["span0"], &["--config", path]);
    write("sensor = \"south\"\nregions = [\"gb\"]\n");
    sensor.signal(Signal::HUP);
    let said = sensor.message("need a restart");
    assert!(said.ends_with(": sensor"), "{said}");
    sensor.message("rules reloaded");
    write("sensor = \n");
    sensor.signal(Signal::HUP);
    let said = sensor.message("rules not reloaded");
    assert!(said.contains("phitap.toml:1"), "{said}");
    let (status, ..) = sensor.stop(Signal::TERM);
    assert!(matches!(status.code(), Some(0 | 3)), "{status}");
}
