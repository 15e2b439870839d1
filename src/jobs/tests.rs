//! Sets of captures, and how far the jobs are.

use super::missing::{MAX_NOTED, Verdict, missing, note};
use super::queue::{Job, MAX_OBJECTS, Record, Stage, StreamNames, check_objects};
use super::result::none;
use super::sets::{Capture, sets};
use super::status::{Progress, text};
use super::submit::Names;
use super::worker::taken;
use super::{QueueName, Together};
use std::time::Duration;

fn captures(paths: &[&str]) -> Vec<Capture> {
    paths.iter().map(|path| Capture { path: (*path).to_owned(), bytes: 10 }).collect()
}

fn paths(sets: &[Vec<Capture>]) -> Vec<Vec<&str>> {
    sets.iter().map(|set| set.iter().map(|c| c.path.as_str()).collect()).collect()
}

#[test]
fn what_rotates_is_one_job_in_the_order_of_its_numbers_and_the_largest_comes_first() {
    let all = captures(&[
        "/a/cap_00010_20260302100000.pcap",
        "/a/cap_00009_20260302090000.pcap",
        "/a/ring.pcap10",
        "/a/ring.pcap2",
        "/b/cap_00009_20260302090000.pcap",
        "/a/other.pcap",
        "s3://bucket/x/1.pcap.zst",
        "s3://bucket/x/2.pcap.zst",
        "s3://bucket/y/2.pcap.zst",
        "/a/other.pcap",
    ]);
    assert_eq!(
        paths(&sets(all.clone(), Together::Rotated)),
        [
            vec!["/a/cap_00009_20260302090000.pcap", "/a/cap_00010_20260302100000.pcap"],
            vec!["/a/ring.pcap2", "/a/ring.pcap10"],
            vec!["s3://bucket/x/1.pcap.zst", "s3://bucket/x/2.pcap.zst"],
            vec!["/a/other.pcap"],
            vec!["/b/cap_00009_20260302090000.pcap"],
            vec!["s3://bucket/y/2.pcap.zst"],
        ]
    );
    // The first file of `tcpdump -C` has no number.
    let counted = captures(&["/a/x.pcap10.gz", "/a/x.pcap1.gz", "/a/x.pcap.gz", "/a/y.pcap"]);
    assert_eq!(
        paths(&sets(counted, Together::Rotated)),
        [vec!["/a/x.pcap.gz", "/a/x.pcap1.gz", "/a/x.pcap10.gz"], vec!["/a/y.pcap"]]
    );
    assert_eq!(sets(all.clone(), Together::Folder).len(), 4);
    assert_eq!(sets(all, Together::None).len(), 9, "each once");
    // A number that no integer holds changes nothing.
    let long = format!("/a/{}.pcap", "9".repeat(60));
    assert_eq!(sets(captures(&[&long, "/a/1.pcap"]), Together::Rotated).len(), 1);
}

#[test]
fn the_same_files_are_the_same_job_until_one_grows() {
    let set = captures(&["/a/1.pcap", "/a/2.pcap"]);
    let mut grown = set.clone();
    grown[1].bytes += 1;
    assert_eq!(Job::of(&set), Job::of(&set.clone()));
    assert_ne!(Job::of(&set).id, Job::of(&grown).id);
    assert_ne!(Job::of(&set).id, Job::of(&set[..1]).id);
}

/// A job of 100 bytes whose last try ended at a time and took some time, seconds.
fn record(stage: Stage, (ended, seconds): (f64, f64), reason: &str) -> Record {
    let job = Job { id: "j".into(), files: vec!["/a/1.pcap".into()], bytes: 100 };
    Record {
        stage,
        tries: 1,
        worker: "w".into(),
        seen: ended as i64,
        ended,
        seconds,
        reason: reason.into(),
        ..Record::of(&job, 0)
    }
}

#[test]
fn progress_tells_the_rate_the_time_left_and_what_failed() {
    let all: Vec<(String, Record)> = [
        record(Stage::Done, (5.0, 5.0), ""),
        record(Stage::Done, (10.0, 5.0), "cut off"),
        record(Stage::Queued, (0.0, 0.0), ""),
        record(Stage::Running, (900.0, 0.0), ""),
        record(Stage::Running, (20.0, 0.0), ""),
        record(Stage::Failed, (20.0, 1.0), "no capture"),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, record)| (n.to_string(), record))
    .collect();
    let progress = Progress::of(&all, 910);
    assert_eq!(progress.jobs[&Stage::Done], (2, 200));
    assert_eq!(progress.rate, Some(20.0));
    assert_eq!(progress.left, Some(15.0));
    assert_eq!(progress.partly, [("/a/1.pcap".to_owned(), "cut off".to_owned())]);
    assert_eq!(progress.failed, [("/a/1.pcap".to_owned(), "no capture".to_owned())]);
    assert_eq!(progress.lost.len(), 1);
    let missing = progress.missing().expect("not all is done");
    assert_eq!(missing, "of 6 jobs, 1 waiting, 2 running, 1 given up, 1 read in part");
    assert!(
        none(&progress, Some(missing), "R")
            .contains("no job has a result yet: of 6 jobs, 1 waiting")
    );
    let done = Progress::of(&all[..1], 910);
    assert_eq!(done.missing(), None);
    assert!(none(&done, None, "PHITAP_RESULTS_x").contains("PHITAP_RESULTS_x"));
    assert_eq!(Progress::of(&[], 0), Progress::default());
}

#[test]
fn skipped_files_are_counted_and_the_first_are_named_without_control_characters() {
    let mut names = Names::default();
    assert_eq!(names.line("empty"), None);
    names.add("/a/\u{1b}[2J.txt".as_ref());
    assert_eq!(names.line("empty").as_deref(), Some("1 file skipped (empty): /a/\\u{1b}[2J.txt"));
    ["/b", "/c", "/d", "/e"].iter().for_each(|path| names.add(path.as_ref()));
    let line = "5 files skipped (empty): /a/\\u{1b}[2J.txt, /b, /c and 2 more";
    assert_eq!(names.line("empty").as_deref(), Some(line));
}

#[test]
fn time_without_a_worker_does_not_count_and_old_jobs_do_not_either() {
    let of = |jobs: &[Record]| {
        let all: Vec<(String, Record)> =
            jobs.iter().cloned().map(|of| (String::new(), of)).collect();
        Progress::of(&all, 100_010)
    };
    let done = |ended, seconds| record(Stage::Done, (ended, seconds), "");
    // Ten seconds of work with a quarter of an hour between, and two workers at once at the end.
    let jobs = [done(99_000.0, 5.0), done(99_905.0, 2.0), done(99_908.0, 3.0), done(99_908.0, 3.0)];
    assert_eq!(of(&jobs).rate, Some(40.0));
    // A slow job of yesterday says nothing of the workers of today.
    let with_old = [&jobs[..], &[done(10_000.0, 9_000.0)]].concat();
    assert_eq!(of(&with_old).rate, Some(40.0));
    // Two jobs wait. How long is not known while no worker is at work.
    let waiting = record(Stage::Queued, (0.0, 0.0), "");
    let idle = of(&[&jobs[..], &[waiting.clone(), waiting.clone()]].concat());
    assert_eq!((idle.rate, idle.left, idle.idle), (Some(40.0), None, true));
    // Between two jobs no worker has one.
    let mut idle = idle;
    for (workers, line) in [
        (0, "Workers  none runs: start phitap worker\n"),
        (1, "Workers  1 runs, and takes the next job in a few seconds\n"),
        (2, "Workers  2 run, and take the next jobs in a few seconds\n"),
    ] {
        idle.workers = workers;
        let mut written = Vec::new();
        text(&idle, &mut written).expect("memory");
        assert!(String::from_utf8_lossy(&written).contains(line), "{workers}");
    }
    let running = record(Stage::Running, (100_000.0, 0.0), "");
    let busy = of(&[&jobs[..], &[waiting, running]].concat());
    assert_eq!((busy.left, busy.idle), (Some(5.0), false));
    // Numbers that no clock gives.
    let odd = of(&[done(f64::MAX, f64::MAX), done(-1.0, -1.0)]);
    assert!(odd.rate.is_some_and(f64::is_finite), "{odd:?}");
}

#[test]
fn a_job_whose_files_one_worker_does_not_see_is_given_up_when_none_sees_them() {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path().join("here").display().to_string();
    std::fs::write(&here, "x").expect("written");
    let gone = folder.path().join("gone").display().to_string();
    assert_eq!(missing(&[here.clone(), "s3://bucket/key".into()]), None);
    assert!(missing(&[here, gone.clone()]).is_some_and(|reason| reason.starts_with(&gone)));
    let mut job = record(Stage::Queued, (0.0, 0.0), "");
    let present = ["a", "b"].map(str::to_owned).into();
    let short = Verdict::Wait(Duration::from_secs(2));
    assert_eq!(note(&mut job, "a", &present, 100), short);
    // Others may be starting.
    assert_eq!(note(&mut job, "a", &["a".to_owned()].into(), 105), short);
    // The other one is busy, for as long as it likes.
    assert_eq!(note(&mut job, "a", &present, 9_000), Verdict::Wait(Duration::from_secs(15)));
    assert_eq!(note(&mut job, "b", &present, 9_001), Verdict::GiveUp);
    assert_eq!(job.missed_by.len(), 2);
}

#[test]
fn a_job_that_is_submitted_again_after_it_was_given_up_begins_anew() {
    let job = Job { id: "j".into(), files: vec!["/a/1.pcap".into()], bytes: 100 };
    let mut given_up = record(Stage::Failed, (20.0, 1.0), "/a/1.pcap: not found");
    (given_up.tries, given_up.missed_since) = (3, 100);
    given_up.missed_by = ["a".to_owned()].into();
    let again = taken(&job, Some(given_up.clone()), 1, "a", 9_000);
    assert_eq!((again.tries, again.reason.as_str(), again.missed_since), (1, "", 0));
    // Only one worker runs, which does not see the file yet: others may be starting.
    let mut noted = again;
    let verdict = note(&mut noted, "a", &["a".to_owned()].into(), 9_000);
    assert_eq!(verdict, Verdict::Wait(Duration::from_secs(2)));
    // A message that is delivered again belongs to the tries before.
    let on = taken(&job, Some(given_up.clone()), 2, "a", 9_000);
    assert_eq!((on.tries, on.missed_since), (4, 100));
    assert_eq!((on.missed_by, on.reason), (given_up.missed_by, given_up.reason));
    assert_eq!(taken(&job, None, 1, "a", 9_000).tries, 1);
}

#[test]
fn a_job_is_not_given_up_while_a_worker_was_not_asked_however_many_were() {
    let mut job = record(Stage::Queued, (0.0, 0.0), "");
    let mut present: std::collections::BTreeSet<String> =
        (0..MAX_NOTED).map(|n| format!("w{n:05}")).collect();
    present.insert("z".to_owned());
    let later = Verdict::Wait(Duration::from_secs(15));
    for worker in present.iter().take(MAX_NOTED) {
        note(&mut job, worker, &present, 100);
    }
    assert_eq!(job.missed_by.len(), MAX_NOTED);
    assert_eq!(note(&mut job, "w00000", &present, 9_000), later);
    assert_eq!(job.missed_by.len(), MAX_NOTED, "no more than that");
    // Those that have ended make room for the last one.
    present.remove("w00000");
    assert_eq!(note(&mut job, "w00001", &present, 9_001), later);
    assert_eq!(note(&mut job, "z", &present, 9_002), Verdict::GiveUp);
    assert_eq!(job.missed_by.len(), MAX_NOTED);
}

#[test]
fn each_queue_has_streams_and_buckets_of_its_own() {
    let named = |text: &str| text.parse::<QueueName>().expect("a name");
    let all = [QueueName::default(), named("a"), named("a-b"), named("queue")];
    let streams: Vec<String> = all.iter().flat_map(|of| StreamNames::of(of).streams()).collect();
    let distinct: std::collections::BTreeSet<&String> = streams.iter().collect();
    assert_eq!(distinct.len(), 16, "{streams:?}");
    assert_eq!(streams[0], "PHITAP_JOBS");
    assert_eq!(streams[7], "KV_phitap-workers-a");
    for text in ["", "a.b", "a b", "*", "\u{e4}", &"x".repeat(33)] {
        assert!(text.parse::<QueueName>().is_err(), "{text}");
    }
}

#[test]
fn a_forged_job_starts_no_thread_for_each_of_thousands_of_objects() {
    let files = |n: usize| (0..n).map(|n| format!("s3://a/{n}.pcap")).collect::<Vec<_>>();
    assert_eq!(check_objects(&files(MAX_OBJECTS)), Ok(()));
    let refused = check_objects(&files(MAX_OBJECTS + 1)).expect_err("too many");
    assert!(refused.contains("s3://a/0.pcap and 512 more files are too many"), "{refused}");
    // Files that a worker opens itself are read one after another.
    let local: Vec<String> = (0..=MAX_OBJECTS).map(|n| format!("/a/{n}.pcap")).collect();
    assert_eq!(check_objects(&local), Ok(()));
}

#[test]
fn flows_cross_from_one_job_to_another_and_never_to_their_own() {
    let crossing = |jobs: &[(u64, u64)]| {
        let cut = |(begun_before, unended): &(u64, u64)| Record {
            begun_before: *begun_before,
            unended: *unended,
            ..record(Stage::Done, (5.0, 1.0), "")
        };
        let all: Vec<(String, Record)> =
            jobs.iter().enumerate().map(|(n, job)| (n.to_string(), cut(job))).collect();
        Progress::of(&all, 10).crossing
    };
    assert_eq!(crossing(&[]), 0);
    assert_eq!(crossing(&[(7, 9)]), 0, "one job: nothing to cross to");
    assert_eq!(crossing(&[(0, 5), (4, 0)]), 4);
    assert_eq!(crossing(&[(3, 5), (4, 2), (1, 0)]), 7, "of seven ends each may go on");
    assert_eq!(crossing(&[(10, 10), (1, 1)]), 2);
    assert_eq!(crossing(&[(u64::MAX, u64::MAX), (u64::MAX, 0)]), 0, "no overflow");
}
