//! `phitap jobs` and `phitap worker` with a real NATS server: many workers give the result of one
//! machine, and kills and poison messages do not change it.

#![cfg(feature = "nats")]
// Servers, hubs and workers run by the system clock.
#![allow(clippy::disallowed_methods)]

mod common;

use common::Bounded as _;
use common::nats::{Nats, left_out};
use common::summaries::{self, alone};
use common::{Key, PHITAP, Run, hospital, list, phitap, split, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time within which jobs are done.
const WITHIN: Duration = Duration::from_secs(240);

/// A worker that is killed when dropped.
struct Worker(Child);

impl Worker {
    fn start(nats: &Nats, key: &Key, name: &str, more: &[&str]) -> Self {
        let child = Command::new(PHITAP)
            .args(["worker", "--nats", &nats.url(), "--key-file", &key.path(), "--name", name])
            .args(["--workers", "1", "--gone-after", "15s", "--quiet"])
            .args(more)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .start();
        Self(child)
    }

    /// Waits for its end, and returns its output.
    fn end(mut self) -> String {
        use std::io::Read as _;
        let begun = Instant::now();
        while self.0.try_wait().expect("status").is_none() {
            assert!(begun.elapsed() < WITHIN, "the worker does not end");
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut said = String::new();
        let stderr = self.0.stderr.as_mut().expect("standard error");
        stderr.read_to_string(&mut said).expect("text");
        assert!(self.0.wait().expect("status").success(), "{said}");
        said
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server, and the result of one machine for the hospital's capture.
struct Setup {
    key: Key,
    folder: TempDir,
    nats: Nats,
    truth: Value,
}

impl Setup {
    /// `None` if there is no server to test with.
    fn new() -> Option<Self> {
        if left_out() {
            return None;
        }
        let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
        let truth = alone(&key, &hospital(), folder.path());
        Some(Self { key, folder, nats: Nats::start(), truth })
    }
}

fn new_folder(inside: &TempDir, name: &str) -> PathBuf {
    let folder = inside.path().join(name);
    std::fs::create_dir(&folder).expect("folder");
    folder
}

fn jobs(nats: &Nats, arguments: &[&str]) -> Run {
    let url = nats.url();
    phitap(["jobs"].iter().chain(arguments).chain(&["--nats", &url]))
}

fn status(nats: &Nats) -> Value {
    serde_json::from_str(&jobs(nats, &["status", "--json"]).out).expect("JSON")
}

/// People and exposures of a merged result.
fn found(result: &str) -> Value {
    summaries::found(&serde_json::from_str(result).expect("JSON"))
}

#[test]
fn two_workers_give_the_result_of_one_machine() {
    let Some(Setup { key, folder, nats, truth }) = Setup::new() else { return };
    let archive = new_folder(&folder, "archive");
    // Pairs of hosts stay together, so no flow is cut; some are in two files.
    split::over_sensors(&hospital(), 8, &archive);
    std::fs::write(archive.join("empty.pcap"), "").expect("written");
    std::fs::write(archive.join("\u{1b}[2Jnotes.txt"), "no capture").expect("written");
    std::fs::create_dir(archive.join("more")).expect("folder");
    for name in ["a.csv", "b.csv"] {
        std::fs::write(archive.join("more").join(name), "a;b\n").expect("written");
    }
    // The same file under another name counts once.
    std::fs::hard_link(archive.join("empty.pcap"), archive.join("again.pcap")).expect("linked");
    // A capture whose name is not UTF-8.
    let unnamed = OsStr::from_bytes(b"ward-\xff.pcap");
    std::fs::copy(hospital(), archive.join(unnamed)).expect("copied");
    let archive = archive.display().to_string();
    let run = jobs(&nats, &["result"]);
    assert_eq!((run.status, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("none was submitted"), "{}", run.err);
    let run = jobs(&nats, &["submit", "--together", "none", &archive]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(run.out.contains("8 jobs of 8 captures"), "{}", run.out);
    let skipped: Vec<&str> = run.err.lines().collect();
    assert_eq!(skipped.len(), 2, "{}", run.err);
    assert!(skipped[0].contains("4 files skipped (empty, or no capture): "), "{}", run.err);
    assert!(skipped[0].contains("\\u{1b}[2Jnotes.txt"), "{}", run.err);
    assert!(skipped[0].ends_with(" and 1 more"), "{}", run.err);
    assert!(skipped[1].contains("1 file skipped (the name is no text): "), "{}", run.err);
    assert!(skipped[1].contains("ward-"), "{}", run.err);
    let run = jobs(&nats, &["result"]);
    assert_eq!((run.status, run.out.as_str()), (Some(1), ""));
    let said = "no job has a result yet: of 8 jobs, 8 waiting;";
    assert!(run.err.contains(said) && !run.err.contains("--summaries"), "{}", run.err);
    let again = jobs(&nats, &["submit", "--together", "none", &archive]);
    assert!(again.out.contains("8 jobs known already"), "{}", again.out);
    assert_eq!(status(&nats)["queued"]["jobs"], 8);
    let workers = ["a", "b"].map(|name| Worker::start(&nats, &key, name, &["--until-empty"]));
    workers.into_iter().for_each(|worker| assert_eq!(worker.end(), ""));
    let status = status(&nats);
    assert_eq!(status["done"]["jobs"], 8, "{status}");
    let result = jobs(&nats, &["result", "--format", "json"]);
    assert_eq!((result.status, result.err.as_str()), (Some(0), ""));
    assert_eq!(found(&result.out), truth);
    // What could not be judged is in the result as in that of one machine.
    let result: Value = serde_json::from_str(&result.out).expect("JSON");
    let causes: BTreeSet<&str> = result["not_judged"]
        .as_array()
        .expect("list")
        .iter()
        .flat_map(|run| run["unjudged"].as_array().expect("list"))
        .map(|of| of["cause"].as_str().expect("cause"))
        .collect();
    assert!(causes.contains("gap") && causes.contains("unrecognised"), "{causes:?}");
    let text = jobs(&nats, &["status"]);
    assert!(text.out.contains("Done     8 jobs") && text.out.contains("Rate"), "{}", text.out);
}

#[test]
fn a_rotated_set_is_one_job_and_no_flow_is_cut() {
    let Some(Setup { key, folder, nats, truth }) = Setup::new() else { return };
    let archive = new_folder(&folder, "archive");
    // Named like the files of `tcpdump -C`: the first has no number.
    let names = ["ward.pcap", "ward.pcap1", "ward.pcap2", "ward.pcap3"];
    split::over_time(&hospital(), &names, &archive);
    let run = jobs(&nats, &["submit", &archive.display().to_string()]);
    assert!(run.out.contains("1 job of 4 captures"), "{}{}", run.out, run.err);
    assert_eq!(Worker::start(&nats, &key, "w", &["--until-empty"]).end(), "");
    let result = jobs(&nats, &["result", "--format", "json"]);
    assert_eq!(found(&result.out), truth);
    assert_eq!(status(&nats)["flows_crossing_at_most"], 0);
    assert!(!jobs(&nats, &["status"]).out.contains("Cut"));
}

#[test]
fn flows_that_are_cut_between_jobs_are_counted() {
    let Some(Setup { key, folder, nats, .. }) = Setup::new() else { return };
    let archive = new_folder(&folder, "archive");
    split::over_time(&hospital(), &["one.pcap", "two.pcap", "three.pcap"], &archive);
    let run = jobs(&nats, &["submit", "--together", "none", &archive.display().to_string()]);
    assert!(run.out.contains("3 jobs of 3 captures"), "{}{}", run.out, run.err);
    assert_eq!(Worker::start(&nats, &key, "w", &["--until-empty"]).end(), "");
    let status = status(&nats);
    let count = |name: &str| status[name].as_u64().expect("a count");
    assert!(count("flows_begun_before") > 0 && count("flows_unended") > 0, "{status}");
    assert!(count("flows_crossing_at_most") > 0, "{status}");
    let text = jobs(&nats, &["status"]).out;
    assert!(text.contains("Cut      at most ") && text.contains("--together"), "{text}");
}

/// The process that replays a capture.
fn replay_of(capture: &Path) -> Option<u32> {
    let capture = capture.display().to_string();
    let replays = |process: &u32| {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let mut arguments = line.split(|byte| *byte == 0);
        arguments.nth(1) == Some(b"replay") && arguments.any(|of| of == capture.as_bytes())
    };
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(replays)
}

#[test]
fn the_job_of_a_killed_worker_is_done_by_another() {
    let Some(Setup { key, folder, nats, truth }) = Setup::new() else { return };
    // A pipe without a writer keeps the worker busy for as long as needed.
    let capture = folder.path().join("slow.pcap");
    endless(&capture);
    let run = jobs(&nats, &["submit", &capture.display().to_string()]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let mut first = Worker::start(&nats, &key, "first", &[]);
    let begun = Instant::now();
    while status(&nats)["running"]["jobs"] != 1 {
        assert!(begun.elapsed() < WITHIN, "{}", status(&nats));
        std::thread::sleep(Duration::from_millis(100));
    }
    let replay = wait_for("the worker starts a replay", || replay_of(&capture));
    first.0.kill().and_then(|()| first.0.wait()).expect("killed");
    // It would otherwise wait for the pipe's writer for ever.
    wait_for("the replay ends with its worker", || {
        (replay_of(&capture) != Some(replay)).then_some(())
    });
    std::fs::remove_file(&capture).expect("removed");
    std::fs::copy(hospital(), &capture).expect("copied");
    assert_eq!(Worker::start(&nats, &key, "second", &["--until-empty"]).end(), "");
    assert_eq!(status(&nats)["done"]["jobs"], 1);
    let result = jobs(&nats, &["result", "--format", "json"]);
    assert_eq!(found(&result.out), truth);
}

#[test]
fn poison_ends_in_a_list_with_its_reason_and_disturbs_nothing_else() {
    let Some(Setup { key, folder, nats, truth }) = Setup::new() else { return };
    let poison = folder.path().join("\u{1b}[2Jpoison.pcap");
    std::fs::write(&poison, [0xd4, 0xc3, 0xb2, 0xa1, 9, 9, 9, 9]).expect("written");
    // Without the end of the last packet.
    let cut = folder.path().join("cut.pcap");
    let bytes = std::fs::read(hospital()).expect("capture");
    std::fs::write(&cut, &bytes[..bytes.len() - 7]).expect("written");
    let good = folder.path().join("good.pcap");
    std::fs::copy(hospital(), &good).expect("copied");
    let all = [&poison, &cut, &good].map(|path| path.display().to_string());
    let run = jobs(&nats, &["submit", "--quiet", &all[0], &all[1], &all[2]]);
    assert_eq!((run.status, run.out.as_str()), (Some(0), ""), "{}", run.err);
    // Entries that are not jobs are skipped.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let client = async_nats::connect(nats.url()).await.expect("connected");
        let context = async_nats::jetstream::new(client);
        let sent = context.publish("phitap-jobs.queue", "garbage".into()).await.expect("sent");
        sent.await.expect("stored");
    });
    let said = Worker::start(&nats, &key, "w", &["--until-empty", "--tries", "2"]).end();
    assert!(said.contains("is no job") && said.contains("given up"), "{said}");
    assert!(said.contains("\\u{1b}[2Jpoison.pcap: given up: "), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    let status = status(&nats);
    assert_eq!(status["done"]["jobs"], 2, "{status}");
    let given_up = &list(&status["given_up"])[0];
    assert_eq!(given_up["file"], all[0].as_str());
    assert!(given_up["reason"].as_str().is_some_and(|reason| reason.contains("poison.pcap")));
    assert_eq!(list(&status["partly_read"])[0]["file"], all[1].as_str());
    assert_eq!(jobs(&nats, &["status"]).status, Some(3));
    let result = jobs(&nats, &["result", "--format", "json"]);
    assert_eq!(found(&result.out), truth);
    let said = "the result is incomplete: of 3 jobs, 1 given up, 1 read in part;";
    assert_eq!((result.status, result.err.lines().count()), (Some(3), 1), "{}", result.err);
    assert!(result.err.contains(said), "{}", result.err);
    // A repaired file may be submitted again; with another size it is another job.
    std::fs::copy(hospital(), &poison).expect("copied");
    let run = jobs(&nats, &["submit", &all[0]]);
    assert!(run.out.contains("1 job of 1 capture"), "{}", run.out);
    let result = jobs(&nats, &["result"]);
    assert_eq!(result.status, Some(3), "{}", result.err);
    assert!(
        result.err.contains("of 4 jobs, 1 waiting, 1 given up, 1 read in part;"),
        "{}",
        result.err
    );
}

#[test]
fn one_broker_holds_several_archives_and_each_is_cleared_alone() {
    let Some(Setup { key, folder, nats, truth }) = Setup::new() else { return };
    let other = folder.path().join("other.pcap");
    let parts = split::over_sensors(&hospital(), 3, &new_folder(&folder, "parts"));
    std::fs::copy(&parts[0], &other).expect("copied");
    let run = jobs(&nats, &["submit", &hospital().display().to_string()]);
    assert!(run.out.contains("1 job of 1 capture"), "{}{}", run.out, run.err);
    let run = jobs(&nats, &["submit", "--queue", "second", &other.display().to_string()]);
    assert!(run.out.contains("1 job of 1 capture"), "{}{}", run.out, run.err);
    assert_eq!(Worker::start(&nats, &key, "a", &["--until-empty"]).end(), "");
    let queue = ["--until-empty", "--queue", "second"];
    assert_eq!(Worker::start(&nats, &key, "a", &queue).end(), "");
    let result = jobs(&nats, &["result", "--format", "json"]);
    assert_eq!(found(&result.out), truth, "nothing of the other archive");
    let result = jobs(&nats, &["result", "--format", "json", "--queue", "second"]);
    assert_eq!(found(&result.out), alone(&key, &other, folder.path()));
    let run = jobs(&nats, &["clear"]);
    assert_eq!((run.status, run.out.as_str()), (Some(0), "1 job and their results removed\n"));
    assert_eq!(jobs(&nats, &["clear"]).out, "the queue has no jobs and no results\n");
    assert_eq!(jobs(&nats, &["result"]).status, Some(1));
    assert_eq!(jobs(&nats, &["result", "--queue", "second"]).status, Some(0));
    // The same archive once more.
    let run = jobs(&nats, &["submit", &hospital().display().to_string()]);
    assert!(run.out.contains("1 job of 1 capture"), "{}{}", run.out, run.err);
    assert_eq!(Worker::start(&nats, &key, "a", &["--until-empty"]).end(), "");
    assert_eq!(found(&jobs(&nats, &["result", "--format", "json"]).out), truth);
    let run = jobs(&nats, &["status", "--queue", "a.b"]);
    assert_eq!(run.status, Some(2), "{}", run.err);
}

/// A capture that a worker reads for as long as we want: a pipe without a writer.
fn endless(path: &Path) {
    let (kind, mode) =
        (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).expect("a pipe");
}

#[test]
fn running_jobs_are_not_cleared_and_a_worker_that_is_stopped_ends_soon() {
    let Some(Setup { key, folder, mut nats, .. }) = Setup::new() else { return };
    let capture = folder.path().join("slow.pcap");
    endless(&capture);
    let run = jobs(&nats, &["submit", &capture.display().to_string()]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let mut worker = Worker::start(&nats, &key, "w", &[]);
    wait_for("it runs", || (status(&nats)["running"]["jobs"] == 1).then_some(()));
    assert!(status(&nats)["seconds_left"].is_null() && status(&nats)["no_worker"] == false);
    assert_eq!(status(&nats)["workers"], 1);
    let run = jobs(&nats, &["clear"]);
    assert_eq!((run.status, run.out.as_str()), (Some(1), ""), "{}", run.err);
    assert!(run.err.contains("1 job") && run.err.contains("--force"), "{}", run.err);
    assert_eq!(jobs(&nats, &["clear", "--force"]).status, Some(0));
    // The broker is away: the worker must not wait for it when it is to end.
    nats.kill();
    let pid = rustix::process::Pid::from_child(&worker.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    let begun = Instant::now();
    wait_for("the worker ends", || worker.0.try_wait().expect("status"));
    // Requests to the broker wait for 45 s.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_file_that_one_worker_does_not_see_is_no_failed_try() {
    let Some(Setup { key, folder, nats, truth }) = Setup::new() else { return };
    let capture = folder.path().join("mounted.pcap");
    std::fs::copy(hospital(), &capture).expect("copied");
    let run = jobs(&nats, &["submit", &capture.display().to_string()]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    // Here it is not mounted.
    let hidden = folder.path().join("hidden");
    std::fs::rename(&capture, &hidden).expect("moved");
    let one = ["--tries", "1"];
    let blind = Worker::start(&nats, &key, "blind", &one);
    let seen = wait_for("it is missed", || {
        let status = status(&nats);
        (!list(&status["not_seen"]).is_empty()).then_some(status)
    });
    assert_eq!(seen["queued"]["jobs"], 1, "{seen}");
    drop(blind);
    // And here it is.
    std::fs::rename(&hidden, &capture).expect("moved");
    assert_eq!(Worker::start(&nats, &key, "sees", &["--until-empty", "--tries", "1"]).end(), "");
    assert_eq!(found(&jobs(&nats, &["result", "--format", "json"]).out), truth);
    assert!(list(&status(&nats)["given_up"]).is_empty());
    // One that no worker sees is given up.
    let lost = folder.path().join("lost.pcap");
    std::fs::copy(hospital(), &lost).expect("copied");
    assert_eq!(jobs(&nats, &["submit", &lost.display().to_string()]).status, Some(0));
    std::fs::remove_file(&lost).expect("removed");
    let said = Worker::start(&nats, &key, "sees", &["--until-empty", "--queue", "none"]).end();
    assert_eq!(said, "", "another queue");
    let worker = Worker::start(&nats, &key, "blind", &["--until-empty"]);
    let said = worker.end();
    assert!(said.contains("left to workers that see this file"), "{said}");
    let status = status(&nats);
    let given_up = &list(&status["given_up"])[0]["reason"];
    assert!(
        given_up.as_str().is_some_and(|reason| reason.contains("at every worker")),
        "{given_up}"
    );
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let key = Key::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("nats://{}", port.local_addr().expect("address"));
    drop(port);
    let run = phitap(["jobs", "status", "--nats", &url]);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains(&url) && run.err.lines().count() == 1, "{}", run.err);
    let run = phitap(["worker", "--nats", &url, "--key-file", "/nowhere/key"]);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("/nowhere/key"), "{}", run.err);
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        path.display().to_string()
    };
    // A misconfigured worker ends at its start, because it would fail every job of the queue.
    let open = write("open.key", &"0123456789abcdef".repeat(4));
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&open, mode).expect("mode");
    for (key_file, status, said) in
        [(&open, 1, "chmod 600"), (&write("short.key", "short"), 1, "64 hexadecimal digits")]
    {
        let run = phitap(["worker", "--nats", &url, "--key-file", key_file]);
        assert_eq!((run.status, run.err.lines().count()), (Some(status), 1), "{}", run.err);
        assert!(run.err.contains(key_file.as_str()) && run.err.contains(said), "{}", run.err);
    }
    for (text, status, said) in [
        ("regions = [\"us\"]\nno-such-key = 1\n", 2, "config.toml:2: "),
        ("regions = [\"xx\"]\n", 2, "xx"),
        ("filter = \"tcp prot 104\"\n", 2, "--filter"),
        ("rules = \"/nowhere/rules\"\n", 1, "/nowhere/rules"),
        ("fail-on = \"high\"\n", 2, "fail-on"),
        ("follow = true\n", 2, "follow"),
        ("output = \"events.json\"\n", 2, "output"),
        ("output = \"stdout,format=csv\"\n", 2, "output"),
        ("store = \"all.db\"\n", 2, "store"),
        ("report = \"report.html\"\n", 2, "report"),
    ] {
        let config = write("config.toml", text);
        let key = key.path();
        let run =
            phitap(["worker", "--nats", &url, "--key-file", &key, "--config", config.as_str()]);
        assert_eq!((run.status, run.err.lines().count()), (Some(status), 1), "{}", run.err);
        assert!(run.err.contains(said), "{}", run.err);
    }
    let run = phitap(["jobs", "submit", "--nats", &url, "/nowhere/\u{1b}[2J"]);
    assert!(run.err.contains("/nowhere/\\u{1b}[2J: "), "{}", run.err);
    let run = phitap(["jobs", "submit", "--nats", &url, "/nowhere/capture"]);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("/nowhere/capture"), "{}", run.err);
    let run = phitap(["worker", "--key-file", &key.path()]);
    assert_eq!(run.status, Some(2));
    let run = phitap(["worker", "--nats", &url, "--key-file", &key.path(), "--gone-after", "0s"]);
    assert_eq!(run.status, Some(2));
    assert!(run.err.contains("--gone-after is 2 s at least"), "{}", run.err);
}
