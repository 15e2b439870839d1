//! A broker that is away during a run: every event reaches it once. `PHITAP_AWAY` sets the seconds;
//! `scripts/away.sh` makes it ten minutes.

use super::common::nats::{Nats, left_out};
use super::common::{Key, PHITAP, hospital, split};
use super::to_nats::{block_on, context, messages, stream};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a condition; longer than the longest pause between attempts.
const PATIENCE: Duration = Duration::from_secs(180);

fn wait_for(what: &str, run: &mut Child, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        assert!(run.try_wait().expect("status").is_none(), "{what}: the run has ended");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be incomplete.
    text.split_inclusive('\n')
        .filter(|l| l.ends_with('\n'))
        .map(|l| l.trim_end().to_owned())
        .collect()
}

fn stored(nats: &Nats) -> Vec<String> {
    block_on(async {
        let mut stream = context(nats).await.get_stream("phitap").await.expect("stream");
        messages(&mut stream).await.into_iter().map(|(_, text)| text).collect()
    })
}

#[test]
fn a_broker_that_is_away_while_events_come_gets_each_of_them_once() {
    if left_out() {
        return;
    }
    let away = std::env::var("PHITAP_AWAY").ok().and_then(|seconds| seconds.parse().ok());
    let away = Duration::from_secs(away.unwrap_or(3));
    let (mut nats, key) = (Nats::start(), Key::new());
    let folder = tempfile::tempdir().expect("folder");
    block_on(async { context(&nats).await.create_stream(stream(-1)).await.expect("stream") });
    let names = ["one.pcap", "two.pcap", "three.pcap", "four.pcap"];
    let parts = split::over_time(&hospital(), &names, folder.path());
    let parts: Vec<Vec<u8>> = parts.iter().map(|p| std::fs::read(p).expect("capture")).collect();
    let (capture, events) = (folder.path().join("all.pcap"), folder.path().join("events.json"));
    std::fs::write(&capture, &parts[0]).expect("written");
    // Without the header of each part.
    let grow = |part: usize| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&capture).expect("capture");
        file.write_all(&parts[part][split::HEADER..]).expect("written");
    };
    let mut run = Command::new(PHITAP)
        .args(["replay", "--follow", "--no-progress", "--format", "ecs", "--detail", "flows"])
        .args(["--key-file", &key.path(), "--output", &format!("file:{}", events.display())])
        .args(["--output", &format!("{},subject=phitap.events", nats.url()), "--spool"])
        .args([folder.path().join("spool"), capture.clone()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_for("nothing was found", &mut run, || lines(&events).len() > 20);
    wait_for("nothing arrives", &mut run, || stored(&nats).len() >= 20);
    nats.kill();
    let before = lines(&events).len();
    grow(1);
    wait_for("nothing is found any more", &mut run, || lines(&events).len() > before + 20);
    std::thread::sleep(away / 2);
    grow(2);
    std::thread::sleep(away / 2);
    nats.restart();
    let before = lines(&events).len();
    grow(3);
    wait_for("nothing is found behind it", &mut run, || lines(&events).len() > before + 20);
    wait_for("not all arrives", &mut run, || stored(&nats).len() >= lines(&events).len());
    let process = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("signal");
    let mut said = String::new();
    run.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    run.wait().expect("ends");
    assert!(!said.contains("lost") && !said.contains("wait in the spool for"), "{said}");
    let (sent, got) = (lines(&events), stored(&nats));
    assert!(sent.len() > 200, "{}", sent.len());
    let distinct: BTreeSet<&String> = got.iter().collect();
    assert_eq!(got.len(), distinct.len(), "each came once");
    assert_eq!(distinct, sent.iter().collect::<BTreeSet<_>>());
}
