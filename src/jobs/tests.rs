//! Sets of captures, and how far the jobs are.

use super::Together;
use super::queue::{Job, Record, Stage};
use super::result::none;
use super::sets::{Capture, sets};
use super::status::Progress;
use super::submit::Names;

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

#[test]
fn progress_tells_the_rate_the_time_left_and_what_failed() {
    let record = |stage, since, seen, reason: &str| Record {
        stage,
        first: "/a/1.pcap".into(),
        files: 1,
        bytes: 100,
        tries: 1,
        worker: "w".into(),
        since,
        seen,
        seconds: 1.0,
        reason: reason.into(),
    };
    let all: Vec<(String, Record)> = [
        record(Stage::Done, 0, 5, ""),
        record(Stage::Done, 5, 10, "cut off"),
        record(Stage::Queued, 0, 0, ""),
        record(Stage::Running, 10, 900, ""),
        record(Stage::Running, 10, 20, ""),
        record(Stage::Failed, 10, 20, "no capture"),
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
        none(&progress, Some(missing)).contains("no job has a result yet: of 6 jobs, 1 waiting")
    );
    let done = Progress::of(&all[..1], 910);
    assert_eq!(done.missing(), None);
    assert!(none(&done, None).contains("PHITAP_RESULTS"));
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
