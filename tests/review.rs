//! Questions about results, as their users ask them: query, find, diff, explain, cut.
#![cfg(feature = "store")]

mod common;

use common::Bounded as _;
use common::{PHITAP, ROOT, Run, hospital};
use phitap::review::source::{Filter, Results, read};
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Runs the program in the checkout, with `input` on standard input.
fn run_with(input: &str, arguments: &[&str]) -> Run {
    let mut child = Command::new(PHITAP)
        .args(arguments)
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start();
    child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("ended").into()
}

fn run(arguments: &[&str]) -> Run {
    run_with("", arguments)
}

/// A run of the merged hour as a store and as events, shared by all tests.
struct Left {
    folder: tempfile::TempDir,
    key: String,
    store: String,
    events: String,
    revealed: String,
}

fn key_in(folder: &Path, name: &str, first: u8) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, (first..first + 32).collect::<Vec<u8>>()).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    path.display().to_string()
}

fn left() -> &'static Left {
    static LEFT: OnceLock<Left> = OnceLock::new();
    LEFT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (store, events, revealed) = (at("s.db"), at("events.json"), at("revealed.json"));
        let key = key_in(folder.path(), "key", 1);
        let capture = hospital().display().to_string();
        let shared = ["replay", "--quiet", "--key-file", &key, "--format", "json", "--output"];
        for more in [
            vec![events.as_str(), "--detail", "flows", "--store", &store],
            vec![revealed.as_str(), "--reveal"],
        ] {
            let out = run(&[&shared[..], &more, &[&capture]].concat());
            assert_eq!(out.status, Some(0), "{}", out.err);
        }
        Left { key, store, events, revealed, folder }
    })
}

fn results(path: &str) -> Results {
    read(Path::new(path), &Filter::default()).expect("reads")
}

fn lines(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn query_lists_the_same_of_a_store_and_of_events() {
    let left = left();
    for (what, rows) in [("exposures", 33), ("patients", 229), ("runs", 1)] {
        let of = |source: &str| {
            let out = run(&["query", source, what, "--format", "json"]);
            assert_eq!((out.status, out.err.as_str()), (Some(0), ""), "{what}");
            lines(&out)
        };
        let (store, events) = (of(&left.store), of(&left.events));
        assert_eq!((store.len(), events.len()), (rows, rows), "{what}");
        if what == "exposures" {
            assert_eq!(store, events);
            assert!(store[0]["score"].as_u64() >= store[32]["score"].as_u64(), "the worst first");
        }
    }
    let table = run(&["query", &left.store, "exposures"]);
    assert_eq!(table.out.lines().count(), 34, "{}", table.out);
    assert!(table.out.starts_with("Severity"), "{}", table.out);
    let csv = run(&["query", &left.store, "services", "--format", "csv"]);
    assert!(csv.out.starts_with("service,protocol,transport,"), "{}", csv.out);
    assert!(csv.out.lines().count() > 33);
    assert!(run(&["query", &left.store, "assets"]).out.lines().count() > 5);
}

#[test]
fn query_takes_filters() {
    let left = left();
    let count = |more: &[&str]| {
        let out = run(&[&["query", &left.store, "exposures", "--format", "json"], more].concat());
        assert_eq!(out.status, Some(0), "{}", out.err);
        lines(&out).len()
    };
    assert_eq!(count(&["--severity", "critical"]), 3);
    assert_eq!(count(&["--limit", "7"]), 7);
    let dicom = count(&["--protocol", "dicom"]);
    assert_eq!(dicom + count(&["--protocol", "hl7,http"]), 33);
    assert_eq!(count(&["--server", "10.80.86.130", "--port", "8000"]), 1);
    let early = count(&["--until", "2026-03-02T08:30:00Z"]);
    assert!(early > 0 && early < 33, "{early}");
    assert_eq!(count(&["--since", "2026-03-03"]), 0);
    let slip = run(&["query", &left.store, "exposures", "--protocol", "dicmo"]);
    assert!(slip.err.contains("\"dicmo\"") && slip.err.contains("dicom, "), "{}", slip.err);
    let none = run(&["query", &left.store, "exposures", "--run", "7"]);
    assert_eq!(none.status, Some(1), "{}", none.err);
    assert!(none.err.contains("has no run 7"), "{}", none.err);
    let wrong = run(&["query", &left.store, "exposures", "--since", "yesterday"]);
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.err.contains("2026-03-02"), "{}", wrong.err);
}

/// A patient of the run with name, birth date and a number with an issuer, in wire format.
fn somebody(left: &Left) -> (String, String, String) {
    for line in std::fs::read_to_string(&left.revealed).expect("events").lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let list = event.pointer("/phi/patient/identifiers").and_then(Value::as_array);
        let of = |kind: &str| {
            list.into_iter().flatten().find(|i| i["kind"] == kind).cloned().unwrap_or_default()
        };
        let (name, birth, id) = (of("name"), of("birth_date"), of("patient_id"));
        let text = |v: &Value| v["value"].as_str().unwrap_or_default().to_owned();
        if id["any_issuer"].is_string() && text(&birth).len() >= 8 && text(&name).contains('^') {
            return (text(&name), text(&birth), text(&id));
        }
    }
    panic!("nobody has all three")
}

#[test]
fn find_says_who_is_affected_and_shows_nothing_of_what_was_typed() {
    let left = left();
    let (name, birth, number) = somebody(left);
    let other_year =
        format!("{}{}", if birth.starts_with("1950") { "1951" } else { "1950" }, &birth[4..]);
    let cases = [
        (format!("name: {name}\nbirth: {birth}\n"), 10),
        (format!("{}\n{}\n", name.replace('^', " ").to_uppercase(), birth), 10),
        (format!("number: {number}\n"), 10),
        (format!("name: {name}\n"), 10),
        // The unjudged traffic may contain them.
        (format!("name: {name}\nbirth: {other_year}\n"), 3),
        ("name: Nobody^Ever\nbirth: 1901-01-01\n".into(), 3),
        (format!("Nobody Ever\n\n{name}\n{birth}\n"), 10),
    ];
    for source in [&left.store, &left.events] {
        for (at, (input, status)) in cases.iter().enumerate() {
            let out = run_with(input, &["find", source, "--key-file", &left.key]);
            assert_eq!(out.status, Some(*status), "{source}, case {at}: {}", out.err);
            assert_eq!(out.out.contains("AFFECTED"), *status == 10, "case {at}: {}", out.out);
            assert!(*status != 3 || out.err.contains("could not judge everything"), "{}", out.err);
            for value in [&name, &number] {
                assert!(!out.out.contains(value.as_str()), "case {at} shows what was typed");
                assert!(!out.err.contains(value.as_str()), "case {at} shows what was typed");
            }
        }
        let file = left.folder.path().join("people.txt");
        std::fs::write(&file, format!("name: {name}\nbirth: {birth}")).expect("written");
        let path = file.display().to_string();
        let args = ["find", source, "--key-file", &left.key, "--from", &path, "--format", "json"];
        let rows = lines(&run(&args));
        assert!(!rows.is_empty());
        for row in rows {
            for column in ["first", "last", "records", "client", "service", "kinds", "match"] {
                assert!(!row[column].is_null(), "{column}: {row}");
            }
        }
    }
}

#[test]
fn find_refuses_another_key_a_birth_date_alone_and_garbage() {
    let left = left();
    let other = key_in(left.folder.path(), "other", 9);
    let out = run_with("name: A^B\n", &["find", &left.store, "--key-file", &other]);
    assert_eq!(out.status, Some(1));
    let theirs = results(&left.store).runs[0].key_id.clone();
    assert!(out.err.contains(&theirs) && out.err.contains("--key-file"), "{}", out.err);
    for input in ["birth: 1959-11-02\n", "", "what: is this\n", "...\n", "name:\n"] {
        let out = run_with(input, &["find", &left.store, "--key-file", &left.key]);
        assert_eq!(out.status, Some(1), "{input:?}");
        assert!(!out.err.contains("1959"), "{}", out.err);
    }
}

/// As one value they would not be found, whoever was affected.
#[test]
fn find_refuses_tables_and_several_values_in_a_line() {
    let left = left();
    let (name, birth, _) = somebody(left);
    let find = |input: &str| run_with(input, &["find", &left.store, "--key-file", &left.key]);
    for line in [
        "Doe,Jane,1959-03-12",
        "Jane Doe 1959-03-12",
        "Jane Doe 12.03.1959",
        "Jane\tDoe\t1959-03-12",
        "Name;Birth",
        "name: Jane Doe 1959-03-12",
        "DOE^JANE^^19590312",
        "Jane Doe 1959",
    ] {
        let out = find(&format!("Nobody Ever\n\n{line}\n"));
        assert_eq!(out.status, Some(1), "{line}: {}", out.out);
        assert!(out.err.contains("line 3 of the list holds several values"), "{line}: {}", out.err);
        assert!(out.err.contains("`name: Doe^Jane`") && !out.err.contains("1959"), "{}", out.err);
    }
    for line in ["Doe, Jane", "QQ 12 34 56 C", "A123-456.7", "jane.1959@example.org", "Doe-Roe, J."]
    {
        assert_eq!(find(line).status, Some(3), "{line}");
    }
    let out = find(&format!("\u{feff}name: {name}\r\nbirth: {birth}\r\n"));
    assert_eq!(out.status, Some(10), "{}", out.err);
    let out = find("name: A^B\nbirth: 1959-03-12\nname: C^D\nbirth: 1960-03-12\n");
    assert!(
        out.status == Some(1) && out.err.contains("line 4 of the list is a second birth"),
        "{}",
        out.err
    );
    let out = find("Nobody Ever\nNobody Else\n");
    assert!(out.status == Some(3) && out.err.contains("empty line between"), "{}", out.err);
    // The head of a table with one comma holds no digit, as a name with a comma does.
    for head in ["name,birth", "Last name, First name", "Nachname,Geburtsdatum", "patient_id,"] {
        let out = find(&format!("{head}\nDoe,Jane\n"));
        assert_eq!(out.status, Some(1), "{head}: {}", out.out);
        assert!(out.err.contains("line 1 of the list holds several values"), "{head}: {}", out.err);
    }
}

/// Lists have no names, so a person who is not found may still be affected.
#[test]
fn find_over_events_without_patients_is_no_all_clear() {
    let left = left();
    let path = left.folder.path().join("listed.json");
    let mut text = std::fs::read_to_string(&left.events).expect("events");
    let list = r#"{"@timestamp":"2026-03-02T08:10:00.000000Z","event":{"action":"phi-finding","id":"01L"},"phi":{"patients":[{"kinds":["name"],"tokens":["p_bbbbbbbbbbbbbbbbbbbb"]}]}}"#;
    text.insert_str(0, &format!("{list}\n"));
    std::fs::write(&path, text).expect("written");
    let path = path.display().to_string();
    let out = run_with("name: Nobody^Ever\n", &["find", &path, "--key-file", &left.key]);
    assert_eq!(out.status, Some(3), "{}", out.err);
    assert!(out.err.contains("listed without a name"), "{}", out.err);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn find_in_a_large_store_goes_by_an_index() {
    let left = left();
    let path = left.folder.path().join("large.db");
    std::fs::copy(&left.store, &path).expect("copied");
    let change = rusqlite::Connection::open(&path).expect("opens");
    // A hundred thousand more patients with three tokens each.
    change
        .execute_batch(
            "BEGIN;
             WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 1100000)
             INSERT INTO findings SELECT i, exposure, randomblob(12), id, first, last, records,
                severity, rule, operation, carrier, direction, community_id, first_file, first_packet,
                last_file, last_packet, kinds, identifiers, randomblob(36), written
             FROM n, (SELECT * FROM findings WHERE n < 1000000 LIMIT 1);
             INSERT INTO tokens SELECT substr(tokens, 1, 12), n FROM findings WHERE n >= 1000000;
             INSERT INTO tokens SELECT substr(tokens, 13, 12), n FROM findings WHERE n >= 1000000;
             INSERT INTO tokens SELECT substr(tokens, 25, 12), n FROM findings WHERE n >= 1000000;
             COMMIT;",
        )
        .expect("filled");
    drop(change);
    let (name, birth, _) = somebody(left);
    let path = path.display().to_string();
    let time = |source: &str| {
        let input = format!("name: {name}\nbirth: {birth}\n");
        let begun = std::time::Instant::now();
        let out = run_with(&input, &["find", source, "--key-file", &left.key]);
        assert_eq!(out.status, Some(10), "{}", out.err);
        begun.elapsed()
    };
    // Four hundred times as many patients: a scan would take many times as long. The shortest of
    // several runs counts, because the machine has other work.
    let (mut small, mut large) = (std::time::Duration::MAX, std::time::Duration::MAX);
    for round in 0..60 {
        small = small.min(time(&left.store));
        large = large.min(time(&path));
        if round >= 3 && large < small * 3 + std::time::Duration::from_millis(50) {
            return;
        }
    }
    panic!("{small:?}, {large:?}");
}

#[test]
fn diff_says_what_is_gone_new_and_what_remains() {
    let left = left();
    let at = |name: &str| left.folder.path().join(name).display().to_string();
    let (after, foreign) = (at("after.db"), at("foreign.db"));
    let capture = hospital().display().to_string();
    let filter = "not host 10.80.86.130 and not host 10.144.152.220";
    let args = [
        "replay",
        "--quiet",
        "--key-file",
        &left.key,
        "--filter",
        filter,
        "--store",
        &after,
        &capture,
    ];
    assert_eq!(run(&args).status, Some(0));
    let out = run(&["diff", &left.events, &after]);
    assert_eq!(out.status, Some(10), "{}", out.err);
    assert!(out.out.starts_with("31 remain, 0 new, 2 gone\n"), "{}", out.out);
    assert!(out.err.contains("of 2 gone, neither the service nor its host"), "{}", out.err);
    let out = run(&["diff", &after, &left.store, "--format", "json"]);
    let changes = lines(&out);
    let of = |change: &str| changes.iter().filter(|row| row["change"] == change).count();
    assert_eq!((of("remains"), of("new"), of("gone"), out.status), (31, 2, 0, Some(10)));
    // Everything is gone; but a filter that matches nothing proves nothing.
    let none = at("none.db");
    let args = [
        "replay",
        "--quiet",
        "--key-file",
        &left.key,
        "--filter",
        "tcp port 9",
        "--store",
        &none,
        &capture,
    ];
    run(&args);
    let out = run(&["diff", &left.store, &none]);
    assert_eq!(out.status, Some(3), "{}", out.out);
    assert!(out.err.contains("could not judge everything"), "{}", out.err);
    // Two runs of one store.
    assert_eq!(
        run(&["replay", "--quiet", "--key-file", &left.key, "--store", &after, &capture]).status,
        Some(0)
    );
    let out = run(&["diff", &format!("{after}@1"), &format!("{after}@2")]);
    assert!(out.out.starts_with("31 remain, 2 new, 0 gone\n"), "{} {}", out.out, out.err);
    assert_eq!(run(&["diff", &after, &format!("{after}@9")]).status, Some(1));
    // Another key.
    let key = key_in(left.folder.path(), "foreign", 33);
    assert_eq!(
        run(&["replay", "--quiet", "--key-file", &key, "--store", &foreign, &capture]).status,
        Some(0)
    );
    let out = run(&["diff", &left.store, &foreign]);
    assert_eq!(out.status, Some(1));
    assert!(out.err.contains("different keys"), "{}", out.err);
}

#[test]
fn explain_says_all_that_is_known_of_one_thing() {
    let left = left();
    let known = results(&left.store);
    let worst = known.exposures.iter().max_by_key(|e| e.severity).expect("one");
    for id in [worst.id.as_str(), worst.fingerprint.as_deref().expect("has one")] {
        let out = run(&["explain", id, &left.store]);
        assert_eq!(out.status, Some(0), "{}", out.err);
        for part in [
            "Why",
            "To do",
            "Evidence",
            "frame.number == ",
            "Wireshark",
            "Patients",
            "Rules",
            "authentication",
        ] {
            assert!(out.out.contains(part), "{part}: {}", out.out);
        }
        assert!(out.out.contains(&format!("Severity {}", worst.severity)), "{}", out.out);
    }
    let patient = &known.patients[0];
    for id in [&patient.token, &patient.seen[0].id] {
        let out = run(&["explain", id, &left.store]);
        assert!(out.out.contains(&patient.token) && out.out.contains("between"), "{}", out.out);
    }
    let service = &known.services[0].id;
    assert!(run(&["explain", service, &left.events]).out.contains("Service "));
    let rule = run(&["explain", "hl7-patient"]);
    assert_eq!(rule.out, run(&["rules", "show", "hl7-patient"]).out);
    for arguments in [vec!["explain", "01NOTHING", &left.store], vec!["explain", "nothing"]] {
        let out = run(&arguments);
        assert_eq!((out.status, out.out.as_str()), (Some(1), ""), "{}", out.err);
    }
}

/// What two runs must agree on to have seen the same exposure.
fn same(results: &Results, fingerprint: &str) -> Value {
    let of = |e: &&phitap::review::source::Exposure| e.fingerprint.as_deref() == Some(fingerprint);
    let e = results.exposures.iter().find(of).expect("the exposure");
    serde_json::json!({
        "id": e.id, "severity": e.severity, "patients": e.patients, "records": e.records,
        "findings": e.findings, "flows": e.flows, "kinds": e.kinds, "operations": e.operations,
        "first": e.first.to_string(), "last": e.last.to_string(), "open": e.open,
    })
}

#[test]
fn the_cut_of_an_exposure_replayed_alone_gives_the_same_exposure() {
    let left = left();
    let known = results(&left.store);
    let (mut cut, mut packets) = (0, 0);
    for e in known.exposures.iter().step_by(4) {
        let at =
            |name: &str| left.folder.path().join(format!("{}{name}", e.id)).display().to_string();
        let (file, again) = (at(".pcapng"), at(".db"));
        let out = run(&["cut", &left.store, "--exposure", &e.id, "--output", &file]);
        assert_eq!((out.status, out.err.as_str()), (Some(0), ""), "{}", e.id);
        let args = ["replay", "--quiet", "--key-file", &left.key, "--store", &again, &file];
        assert_eq!(run(&args).status, Some(0), "{}", e.id);
        let alone = results(&again);
        assert_eq!(alone.exposures.len(), 1, "nothing else is in it");
        let fingerprint = e.fingerprint.as_deref().expect("has one");
        assert_eq!(same(&alone, fingerprint), same(&known, fingerprint), "{}", e.protocol);
        let manifest = std::fs::read_to_string(format!("{file}.json")).expect("manifest");
        let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
        assert_eq!(manifest["events"], serde_json::json!([e.id]));
        assert_eq!(manifest["sources"][0]["unchanged_since_run"], true);
        assert_eq!(manifest["result"]["sha256"].as_str(), Some(sha256(&file).as_str()));
        assert_eq!(manifest["runs"]["rules"][0].as_str(), Some(known.runs[0].rules.as_str()));
        packets += manifest["result"]["packets"].as_u64().expect("packets");
        cut += 1;
    }
    assert!(cut >= 8 && packets > 100, "{cut} {packets}");
}

fn sha256(path: &str) -> String {
    let out = Command::new("sha256sum").arg(path).finish();
    String::from_utf8_lossy(&out.stdout).split_whitespace().next().unwrap_or_default().to_owned()
}

#[test]
fn a_patient_is_cut_without_the_others() {
    let left = left();
    let known = results(&left.store);
    let crowded = known.exposures.iter().enumerate().max_by_key(|(_, e)| e.patients).expect("one");
    let of = |p: &&phitap::review::source::Patient| {
        p.seen.len() == 1 && p.seen[0].exposure == Some(crowded.0)
    };
    let patient = known.patients.iter().find(of).expect("somebody");
    let at = |name: &str| left.folder.path().join(name).display().to_string();
    let (one, all) = (at("one.pcapng"), at("all.pcapng"));
    assert_eq!(
        run(&["cut", &left.store, "--patient", &patient.token, "--output", &one]).status,
        Some(0)
    );
    assert_eq!(
        run(&["cut", &left.store, "--exposure", &crowded.1.id, "--output", &all]).status,
        Some(0)
    );
    let size = |path: &str| std::fs::metadata(path).expect("file").len();
    assert!(size(&one) > 100 && size(&one) < size(&all) / 2, "{} {}", size(&one), size(&all));
}

#[test]
fn cut_refuses_what_it_cannot_vouch_for() {
    let left = left();
    let folder = left.folder.path().join("moved");
    std::fs::create_dir(&folder).expect("folder");
    let capture = folder.join("h.pcap");
    std::fs::copy(hospital(), &capture).expect("copied");
    let at = |name: &str| folder.join(name).display().to_string();
    let (store, cut) = (at("s.db"), at("cut.pcapng"));
    let args = ["replay", "--quiet", "--key-file", &left.key, "--store", &store, &at("h.pcap")];
    assert_eq!(run(&args).status, Some(0));
    let take = |more: &[&str]| {
        run(&[&["cut", &store, "--severity", "critical", "--output", &cut], more].concat())
    };
    // Gone.
    let elsewhere = left.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("folder");
    std::fs::rename(&capture, elsewhere.join("h.pcap")).expect("moved");
    let out = take(&[]);
    assert_eq!(out.status, Some(1));
    assert!(out.err.contains("--captures") && !Path::new(&cut).exists(), "{}", out.err);
    let there = elsewhere.display().to_string();
    let out = take(&["--captures", &there]);
    assert_eq!(out.status, Some(0), "{}", out.err);
    // An existing file is never overwritten.
    let out = take(&["--captures", &there]);
    assert_eq!(out.status, Some(1));
    assert!(out.err.contains("choose a new file"), "{}", out.err);
    // One byte changed.
    std::fs::remove_file(&cut).expect("removed");
    let path: PathBuf = elsewhere.join("h.pcap");
    let mut bytes = std::fs::read(&path).expect("read");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let out = take(&["--captures", &there]);
    assert_eq!(out.status, Some(1));
    assert!(out.err.contains("has changed") && out.err.contains("SHA-256"), "{}", out.err);
    assert!(!Path::new(&cut).exists());
    // Nothing selected, nothing found.
    assert_eq!(run(&["cut", &store, "--output", &cut]).status, Some(2));
    let out = run(&["cut", &store, "--exposure", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--output", &cut]);
    assert_eq!(out.status, Some(1));
    assert!(out.err.contains("nothing to cut"), "{}", out.err);
}

/// No part of the capture is on disk unencrypted, and only the investigator's key opens it.
#[cfg(feature = "age")]
#[test]
fn an_encrypted_cut_opens_with_the_key_of_its_recipient_only() {
    use std::io::Read as _;
    let left = left();
    let at = |name: &str| left.folder.path().join(name).display().to_string();
    let (clear, sealed) = (at("clear.pcapng"), at("sealed.age"));
    let (ours, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let to = ours.to_public().to_string();
    let cut = |file: &str, more: &[&str]| {
        run(&[&["cut", &left.store, "--severity", "critical", "--output", file], more].concat())
    };
    assert_eq!(cut(&clear, &[]).status, Some(0));
    let out = cut(&sealed, &["--encrypt-to", &to]);
    assert_eq!(out.status, Some(0), "{}", out.err);
    let (clear, bytes) =
        (std::fs::read(&clear).expect("cut"), std::fs::read(&sealed).expect("cut"));
    assert!(memchr::memmem::find(&bytes, &clear[clear.len() / 2..][..64]).is_none());
    let open = |identity: &age::x25519::Identity| {
        let decryptor = age::Decryptor::new(&bytes[..]).expect("age");
        let identity = identity as &dyn age::Identity;
        let mut plain = Vec::new();
        decryptor.decrypt(std::iter::once(identity)).ok()?.read_to_end(&mut plain).ok()?;
        Some(plain)
    };
    assert!(open(&other).is_none());
    assert_eq!(open(&ours).as_ref(), Some(&clear));
    let out = cut(&at("wrong.age"), &["--encrypt-to", "age1nobody"]);
    assert_eq!(out.status, Some(1));
    assert!(
        out.err.contains("is not a recipient") && !Path::new(&at("wrong.age")).exists(),
        "{}",
        out.err
    );
}

/// Someone who can write the events can write anything into them.
#[test]
fn forged_events_reach_no_terminal_and_no_spreadsheet_as_they_are() {
    let left = left();
    let path = left.folder.path().join("forged.json");
    let evil = r#"=cmd|' /C calc'!A0\u001b[2J\u202e<script>alert(1)</script>"#;
    let finding = format!(
        r#"{{"@timestamp":"2026-03-01T10:15:02.000000Z","event":{{"action":"phi-finding","id":"{evil}","severity":73}},"observer":{{"name":"{evil}"}},"network":{{"protocol":"{evil}"}},"rule":{{"id":"{evil}"}},"phi":{{"records":2,"operation":"{evil}","patient":{{"token":"{evil}","identifiers":[{{"kind":"name","value":"{evil}","field":"{evil}"}}]}}}}}}"#
    );
    std::fs::write(&path, format!("{finding}\nnot an event\n\u{1b}]0;title\u{7}\n"))
        .expect("written");
    let path = path.display().to_string();
    for what in ["patients", "runs", "exposures", "services", "assets"] {
        for format in ["table", "json", "csv"] {
            let out = run(&["query", &path, what, "--format", format]);
            assert_eq!(out.status, Some(3), "two lines are garbage: {}", out.err);
            let steering = |c: char| c.is_control() && !matches!(c, '\n' | '\r') || c == '\u{202e}';
            assert!(!out.out.contains(steering) && !out.err.contains(steering), "{what} {format}");
            if what == "patients" {
                assert!(out.out.contains("script"), "{format}: {}", out.out);
            }
            if format == "csv" {
                let cells = out.out.lines().flat_map(|line| line.split(','));
                for cell in cells {
                    assert!(!cell.trim_matches('"').trim_start().starts_with('='), "{cell}");
                }
            }
        }
    }
    let explained = run(&["explain", "01NONE", &path]);
    assert_eq!(explained.status, Some(1));
}
