//! Faults of the machine and of files: earlier findings are kept, and losses are reported.

#[path = "../common/mod.rs"]
mod common;

use common::Bounded as _;
use common::{Key, PHITAP, ROOT, events, is, phitap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

fn fixture(name: &str) -> String {
    format!("{ROOT}/fixtures/captures/{name}.pcap")
}

const ADMISSIONS: &str = "hl7-adt-a08-persistent";

/// Events in order, without the summary, whose figures differ.
fn without_summary(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.contains("\"run-summary\"")).collect()
}

#[test]
fn killed_at_any_moment_every_line_that_was_written_is_whole() {
    for delay in [5, 20, 40, 80] {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("events.ndjson");
        let hospital = common::hospital().display().to_string();
        let mut child = Command::new(PHITAP)
            .args(["replay", "--format=ecs", "--no-progress", "-q", "--output"])
            .arg(&path)
            .args([&hospital, &hospital, &hospital])
            .stdout(Stdio::null())
            .start();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().expect("SIGKILL");
        child.wait().expect("ends");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // Only the last line may be cut off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        events(whole);
    }
}

#[test]
fn a_full_disk_is_an_error_and_no_silent_loss() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let output = Command::new(PHITAP)
        .args(["replay", "--format=ecs", "--no-progress", &fixture(ADMISSIONS)])
        .stdout(full)
        .stderr(Stdio::piped())
        .start()
        .wait_with_output()
        .expect("its output");
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_slow_reader_gets_every_event() {
    let key = Key::new();
    let arguments = [
        "replay",
        "--format=ecs",
        "--no-progress",
        "-q",
        "--key-file",
        &key.path(),
        &fixture(ADMISSIONS),
    ];
    let whole = phitap(arguments).out;
    let mut child = Command::new(PHITAP).args(arguments).stdout(Stdio::piped()).start();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        std::thread::sleep(Duration::from_millis(1));
        lines.push(line.expect("UTF-8"));
    }
    assert!(child.wait().expect("ends").success());
    let lines = lines.join("\n");
    assert_eq!(without_summary(&lines), without_summary(&whole));
}

/// A reader that never reads holds the run up where it writes, as a thread that is stuck would. Unoptimised builds
/// wait only as long as this test says.
#[test]
fn a_replay_that_is_stuck_ends_half_a_minute_after_a_signal() {
    /// From here on no page of a pipe is free (pipe(7): 16 pages of 4 KiB).
    const FULL: u64 = 60 << 10;
    let mut child = Command::new(PHITAP)
        .args(["replay", "--format=ecs", "--detail=flows", "--no-progress", "-q"])
        .args(std::iter::repeat_n(common::hospital(), 20))
        .env("PHITAP_TEST_ENDS_WITHIN", "500")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start();
    let pipe = child.stdout.take().expect("piped");
    common::wait_for("a full pipe", || {
        (rustix::io::ioctl_fionread(&pipe).expect("a pipe") >= FULL).then_some(())
    });
    assert!(child.try_wait().expect("a process").is_none(), "it waits for its reader");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("sent");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not stop in time"));
    drop(pipe);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_in_order() {
    let mut child = Command::new(PHITAP)
        .args(["replay", "--format=ecs", "--no-progress", "-q"])
        .args(std::iter::repeat_n(common::hospital(), 5))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start();
    let mut first = [0; 10];
    child.stdout.take().expect("piped").read_exact(&mut first).expect("an event");
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.code().is_some(), "ended by a signal");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

/// A capture whose packets' times are changed.
fn at_other_times(name: &str, change: impl Fn(usize, u32) -> u32) -> Vec<u8> {
    let mut file = std::fs::read(fixture(name)).expect("capture");
    let (mut at, mut n) = (24, 0);
    while let Some(head) = file.get_mut(at..at + 16) {
        let time = u32::from_le_bytes(head[..4].try_into().expect("4 bytes"));
        head[..4].copy_from_slice(&change(n, time).to_le_bytes());
        at += 16 + u32::from_le_bytes(head[8..12].try_into().expect("4 bytes")) as usize;
        n += 1;
    }
    file
}

/// How many patients a run found in these captures.
fn patients(paths: &[&str]) -> u64 {
    let arguments = [&["replay", "--format=ecs", "--no-progress", "-q"], paths].concat();
    let run = phitap(arguments);
    let last = events(&run.out).pop().expect("summary");
    assert!(is(&last, "run-summary"));
    last["phi"]["run"]["patients"].as_u64().expect("a number")
}

#[test]
fn clocks_that_jump_lose_no_patient() {
    let expected = patients(&[&fixture(ADMISSIONS)]);
    assert!(expected > 0);
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("jumps.pcap");
    let back = |n: usize, time: u32| if n % 7 == 3 { time - 4000 } else { time };
    let zero = |n: usize, time: u32| if n % 5 == 1 { 0 } else { time };
    for file in [at_other_times(ADMISSIONS, back), at_other_times(ADMISSIONS, zero)] {
        std::fs::write(&path, file).expect("capture");
        assert_eq!(patients(&[path.to_str().expect("UTF-8")]), expected);
    }
}

#[test]
fn a_truncated_file_gives_what_is_in_it_and_says_so() {
    let whole = std::fs::read(fixture(ADMISSIONS)).expect("capture");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("cut.pcap");
    for cut in [1, 10, 17, whole.len() / 3, whole.len() / 2] {
        std::fs::write(&path, &whole[..whole.len() - cut]).expect("capture");
        let run =
            phitap(["replay", "--format=ecs", "--no-progress", path.to_str().expect("UTF-8")]);
        assert_eq!(run.status, Some(3), "{cut}: {}", run.err);
        assert!(run.out.contains("phi-finding"), "{cut}");
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_gives_whole_packets_only() {
    let whole = std::fs::read(fixture(ADMISSIONS)).expect("capture");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("growing.pcap");
    let (begin, rest) = whole.split_at(whole.len() / 2);
    std::fs::write(&path, begin).expect("capture");
    let child = Command::new(PHITAP)
        .args(["replay", "--format=ecs", "--no-progress", "-q", path.to_str().expect("UTF-8")])
        .stdout(Stdio::piped())
        .start();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("capture");
    for piece in rest.chunks(100) {
        file.write_all(piece).expect("disk");
    }
    let output = child.wait_with_output().expect("ends");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{:?}", output.status);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(is(events(&text).last().expect("summary"), "run-summary"));
}
