//! Stores on a real file system: restarts, other files in their place, and what may be in them.

use super::schema::{open_to_read, open_to_write};
use super::*;
use crate::config::Keep;
use crate::exposure::Exposures;
use crate::exposure::samples::{Sample, at, hl7};
use crate::output::samples;
use crate::time::Span;
use std::path::Path;

fn settings(path: &Path) -> StoreSettings {
    StoreSettings { path: path.to_owned(), keep: Keep::default() }
}

fn open(settings: &StoreSettings, live: bool) -> Result<Store, StoreError> {
    let beginning = Beginning { live, context: samples::context(), rules: "0011".into() };
    Store::open(settings, beginning, Arc::new(Metrics::new().expect("metrics")), |_| ())
}

/// Findings of `patients` people at one exposure, and one of an HL7 sender.
fn fill(exposures: &mut Exposures, store: &mut Store, patients: std::ops::Range<u64>) {
    let mut events = Vec::new();
    for patient in patients {
        let time = at(patient as i64);
        exposures.finding(Sample { patient, time, ..Sample::default() }.build(), &mut events);
    }
    exposures.finding(hl7(1).build(), &mut events);
    for event in &events {
        store.event(event).expect("memory");
    }
    for observation in exposures.take_observations() {
        store.observation(&observation).expect("memory");
    }
}

fn count(path: &Path, what: &str) -> i64 {
    let connection = open_to_read(path).expect("opens");
    connection.query_row(&format!("SELECT count(*) FROM {what}"), [], |r| r.get(0)).expect(what)
}

#[test]
fn runs_are_added_and_each_patient_of_an_exposure_is_one_row() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("s.db");
    for run in 1..3 {
        let mut store = open(&settings(&path), false).expect("opens");
        let mut exposures = samples::tracker_with_sightings();
        // Sent twice: the second time it is known.
        fill(&mut exposures, &mut store, 1..20);
        store.settle().expect("written");
        fill(&mut exposures, &mut store, 1..30);
        store.finish(&samples::run()).expect("written");
        assert_eq!(count(&path, "runs WHERE event IS NOT NULL"), run);
        assert_eq!(count(&path, "exposures"), 2 * run);
        assert_eq!(count(&path, "findings"), 30 * run, "29 patients and that of the sender");
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&path).expect("file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(!dir.path().join("s.db-wal").exists(), "the file can be copied alone");
}

#[test]
fn a_run_that_never_ended_has_all_that_was_committed_and_no_end() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("s.db");
    let mut store = open(&settings(&path), true).expect("opens");
    fill(&mut samples::tracker_with_sightings(), &mut store, 1..5);
    store.settle().expect("written");
    fill(&mut samples::tracker_with_sightings(), &mut store, 5..9);
    // As a kill would: nothing is closed, what waits is lost.
    std::mem::forget(store);
    assert_eq!(count(&path, "findings"), 5);
    assert_eq!(count(&path, "runs WHERE event IS NULL"), 1);
    open(&settings(&path), true).expect("opens again").settle().expect("written");
    assert_eq!(count(&path, "runs"), 2);
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("s.db");
    let text = b"2026-03-02 something else entirely, and longer than the head of a database file, so that \
                 it is read";
    std::fs::write(&path, text).expect("written");
    let error = open(&settings(&path), false).err().expect("refused");
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");
    assert_eq!(std::fs::read(&path).expect("read"), text);
    // A database of another program.
    let other = dir.path().join("other.db");
    Connection::open(&other)
        .and_then(|c| c.execute_batch("CREATE TABLE cookies (a)"))
        .expect("made");
    let before = std::fs::read(&other).expect("read");
    let error = open(&settings(&other), false).err().expect("refused");
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");
    assert_eq!(before, std::fs::read(&other).expect("read"), "not touched");
    // That of a hub.
    let hub = dir.path().join("hub.db");
    let made = Connection::open(&hub).expect("made");
    made.pragma_update(None, "application_id", STORE_OF_HUB).expect("made");
    drop(made);
    let error = open(&settings(&hub), false).err().expect("refused");
    assert!(matches!(error, StoreError::OfHub(_)) && error.to_string().contains("not of a run"));
}

#[test]
fn another_version_a_damaged_and_a_locked_store_are_refused_with_a_remedy() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("s.db");
    let mut store = open(&settings(&path), false).expect("opens");
    fill(&mut samples::tracker_with_sightings(), &mut store, 1..200);
    store.finish(&samples::run()).expect("written");
    drop(store);
    // Another version.
    let newer = dir.path().join("newer.db");
    std::fs::copy(&path, &newer).expect("copied");
    let change = Connection::open(&newer).expect("opens");
    change.pragma_update(None, "user_version", 7).expect("changed");
    drop(change);
    for error in [open(&settings(&newer), false).err(), open_to_read(&newer).err()] {
        let error = error.expect("refused").to_string();
        assert!(error.contains("version 7") && error.contains("newer.db"), "{error}");
    }
    // Damaged: the head is right, what follows is not.
    let damaged = dir.path().join("damaged.db");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[4096..].fill(0xa5);
    std::fs::write(&damaged, bytes).expect("written");
    let error = open(&settings(&damaged), false).err().expect("refused").to_string();
    assert!(error.contains("damaged") && error.contains(".recover"), "{error}");
    // Locked.
    let other = open_to_write(&path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let error = open(&settings(&path), false).err().expect("refused").to_string();
    assert!(error.contains("locked by another process"), "{error}");
    other.execute_batch("ROLLBACK").expect("unlocks");
    open(&settings(&path), false).expect("opens");
}

#[test]
fn retention_by_age_and_by_size_leaves_no_trace_of_what_it_lets_go() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("s.db");
    let mut store = open(&settings(&path), false).expect("opens");
    fill(&mut samples::tracker_with_sightings(), &mut store, 1..3_000);
    store.finish(&samples::run()).expect("written");
    drop(store);
    let before = std::fs::metadata(&path).expect("file").len();
    let mut connection = open_to_write(&path).expect("opens");
    let young = Keep { age: Some(Span::seconds(3_600)), bytes: None };
    keep::prune(&mut connection, &young, now()).expect("pruned");
    assert_eq!(count(&path, "findings"), 3_000, "it is not that old");
    let small = Keep { age: None, bytes: Some(before / 4) };
    keep::prune(&mut connection, &small, now()).expect("pruned");
    keep::fold(&connection).expect("folded");
    let after = std::fs::metadata(&path).expect("file").len();
    assert!(after <= before / 4, "{before} {after}");
    let left = count(&path, "findings");
    keep::prune(&mut connection, &young, now() + Span::seconds(7_200).0).expect("pruned");
    for table in ["findings", "tokens", "exposures", "services", "assets", "runs"] {
        assert_eq!(count(&path, table), 0, "{table}, after {left} were left");
    }
}

#[test]
fn a_live_run_outlives_a_store_that_cannot_be_written_and_counts_what_it_lost() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("s.db");
    let mut store = open(&settings(&path), true).expect("opens");
    let other = open_to_write(&path).expect("opens");
    store.connection.busy_timeout(Duration::from_millis(10)).expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    fill(&mut samples::tracker_with_sightings(), &mut store, 1..5);
    store.settle().expect("goes on");
    assert!(store.failing);
    other.execute_batch("ROLLBACK").expect("unlocks");
    store.settle().expect("written");
    assert!(!store.failing);
    assert_eq!(count(&path, "findings"), 5, "what waited was written");
    // A replay has a user who waits: it says so and ends.
    let mut replay = open(&settings(&path), false).expect("opens");
    replay.connection.busy_timeout(Duration::from_millis(10)).expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    fill(&mut samples::tracker_with_sightings(), &mut replay, 1..5);
    let error = replay.settle().expect_err("fails");
    assert!(error.to_string().contains("locked"), "{error}");
}
