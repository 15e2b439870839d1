//! Receivers that are away, and runs that are killed: spooled events arrive.

use super::common::Bounded as _;
use super::common::ports::ReservedPort;
use super::common::{Key, PHITAP, hospital};
use super::receivers::{message_text, octet_counted, read_once, wait_for};
use super::{arguments, replay};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn segments(spool: &Path) -> u64 {
    let entries = std::fs::read_dir(spool).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| {
        let segment = entry.path().extension().is_some_and(|ending| ending == "segment");
        entry.metadata().ok().filter(|_| segment).map(|of| of.len())
    };
    entries.filter_map(of).sum()
}

/// How often each text arrived.
fn texts(bytes: &[u8]) -> BTreeMap<String, usize> {
    let mut texts = BTreeMap::new();
    for message in octet_counted(bytes) {
        *texts.entry(message_text(&message).to_owned()).or_default() += 1;
    }
    texts
}

#[test]
fn events_for_a_receiver_that_is_down_are_delivered_by_the_next_run() {
    let folder = tempfile::tempdir().expect("folder");
    let (receiver, spool) = (ReservedPort::new(), folder.path().join("spool"));
    let port = receiver.port();
    let output = || [format!("syslog:tcp://127.0.0.1:{port}")];
    let further = ["--spool", &spool.display().to_string()];
    let (run, first) = replay(folder.path(), &output(), &further);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(run.err.contains("events wait in the spool for the next run"), "{}", run.err);
    assert!(segments(&spool.join("syslog")) > 100_000);
    let receiver = read_once(receiver.listen(), None);
    let (run, second) = replay(folder.path(), &output(), &further);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    let messages = octet_counted(&receiver.join().expect("receiver"));
    let texts: Vec<&str> = messages.iter().map(|message| message_text(message)).collect();
    let sent: Vec<&str> = first.iter().chain(&second).map(String::as_str).collect();
    assert_eq!(texts, sent);
    assert_eq!(segments(&spool.join("syslog")), 0);
}

#[test]
fn a_receiver_that_comes_up_during_the_run_gets_all_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let (receiver, file, key) =
        (ReservedPort::new(), folder.path().join("events.json"), Key::new());
    let output = [format!("syslog:tcp://127.0.0.1:{}", receiver.port())];
    let mut run = Command::new(PHITAP)
        .args(arguments(&key, &file, &output, &[]))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .start();
    let mut said = BufReader::new(run.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("events wait in memory")), "it is away");
    let receiver = read_once(receiver.listen(), None);
    assert!(said.any(|line| line.contains("events are delivered again")), "it is there");
    let rest: Vec<String> = said.collect();
    assert!(run.wait().expect("ends").success(), "{rest:?}");
    let messages = octet_counted(&receiver.join().expect("receiver"));
    let lines = std::fs::read_to_string(&file).expect("events");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(messages.iter().map(|m| message_text(m)).collect::<Vec<_>>(), lines);
}

/// A run that continues until it is killed.
fn follow(key: &Key, capture: &Path, port: u16, spool: &Path, further: &[&str]) -> Child {
    Command::new(PHITAP)
        .args(["replay", "--follow", "--no-progress", "--key-file", &key.path()])
        .args(["--output", &format!("syslog:tcp://127.0.0.1:{port}"), "--spool"])
        .arg(spool)
        .args(further)
        .arg(capture)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .start()
}

#[test]
fn a_run_that_is_killed_while_it_spools_loses_nothing_that_was_in_the_spool() {
    let folder = tempfile::tempdir().expect("folder");
    let (receiver, spool, key) = (ReservedPort::new(), folder.path().join("spool"), Key::new());
    let port = receiver.port();
    let place = spool.join("syslog");
    let mut expected = 0;
    for _ in 0..3 {
        // Killed at a different moment each time, the first ones while events arrive.
        let mut run = follow(&key, &hospital(), port, &spool, &[]);
        let before = segments(&place);
        wait_for("nothing is spooled", || (segments(&place) > before + 20_000).then_some(()));
        run.kill().and_then(|()| run.wait()).expect("killed");
        expected = segments(&place);
    }
    assert!(expected > 60_000, "{expected}");
    // What a power failure may leave of a run: half a record.
    let mut files: Vec<_> = std::fs::read_dir(&place)
        .expect("list")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "segment"))
        .collect();
    files.sort();
    let last = files.pop().expect("a segment");
    let file = std::fs::OpenOptions::new().write(true).open(&last).expect("open");
    let length = file.metadata().expect("length").len();
    file.set_len(length - 10).expect("cut");
    let receiver = read_once(receiver.listen(), None);
    // The last run continues until it has found nearly everything. Its end brings the rest, and
    // delivers what is still in the spool.
    let findings = |text: &str| text.matches("\"action\":\"phi-finding\"").count();
    let file = folder.path().join("last.json");
    let output = format!("file:{}", file.display());
    let mut run =
        follow(&key, &hospital(), port, &spool, &["--output", &output, "--format", "ecs"]);
    wait_for("not everything is found", || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (findings(&text) > 210).then_some(())
    });
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&run),
        rustix::process::Signal::TERM,
    )
    .expect("signal");
    let mut err = String::new();
    run.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    assert!(run.wait().expect("ends").success(), "{err}");
    let got = texts(&receiver.join().expect("receiver"));
    // Every text is a complete event, and arrived once for each run that found it.
    let findings = got.iter().filter(|(text, _)| {
        let event: serde_json::Value = serde_json::from_str(text).expect("a whole event");
        event["event"]["action"] == "phi-finding"
    });
    let counts: Vec<usize> = findings.map(|(_, count)| *count).collect();
    assert!(counts.len() > 200 && counts.iter().all(|count| *count >= 1), "{}", counts.len());
    assert!(counts.iter().any(|count| *count >= 3), "all killed runs left something");
    assert!(counts.iter().all(|count| *count <= 4), "nothing came twice of one run");
}

#[test]
fn a_spool_that_another_run_uses_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let (receiver, spool, key) = (ReservedPort::new(), folder.path().join("spool"), Key::new());
    let port = receiver.port();
    let mut first = follow(&key, &hospital(), port, &spool, &[]);
    wait_for("no spool", || spool.join("syslog/position").exists().then_some(()));
    let further = ["--spool", &spool.display().to_string()];
    let run = super::common::phitap(
        ["replay", "--output", &format!("syslog:tcp://127.0.0.1:{port}")]
            .into_iter()
            .chain(further)
            .chain([hospital().to_str().expect("path")]),
    );
    first.kill().and_then(|()| first.wait()).expect("killed");
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("another phitap uses this spool"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
}
