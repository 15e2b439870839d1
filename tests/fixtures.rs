//! Real captures with known truth, replayed by the program as its users run it.

mod common;

use common::Bounded as _;
use common::{
    Case, Key, PHITAP, ROOT, cases, events, hospital, is, list, on_all, phitap, plan, string,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Cases that do not pass yet, with the reason. One that starts to pass must be removed.
const NOT_YET: &[(&str, &str)] = &[];

/// Cases that can only be read in part: exit status 3.
const CUT: &[&str] = &["torture-snaplen-http", "torture-truncated-file-hl7"];

fn replay(case: &Case, key: &Key, workers: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("folder");
    let output = folder.path().join("events.json");
    let run = phitap([
        "replay",
        "--format",
        "json",
        "--detail",
        "flows",
        "--reveal",
        "--key-file",
        &key.path(),
        "--workers",
        workers,
        "--output",
        &output.display().to_string(),
        &case.capture.display().to_string(),
    ]);
    assert!(run.out.is_empty(), "{}: something on standard output: {}", case.name, run.out);
    let text = std::fs::read_to_string(&output).unwrap_or_default();
    (run.status, text, run.err)
}

/// Whether `event` belongs to `flow` of the truth.
fn belongs(event: &Value, flow: &Value) -> bool {
    let (client, server) = (&event["client"], &event["server"]);
    let port = &server["port"];
    let known = *port == flow["server_port"] || list(&flow["passive_ports"]).contains(port);
    client["ip"] == flow["client"] && server["ip"] == flow["server"] && known
}

/// `network.protocol` for a protocol of the truth; protocols over HTTP count as HTTP.
fn protocol(truth: &str) -> &str {
    match truth {
        "http2" | "websocket" => "http",
        "smb2" => "smb",
        other => other,
    }
}

/// Letters and digits, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether `event` contains the number or name of `patient`.
fn names(event: &Value, patient: &Value) -> bool {
    let numbers = &patient["patient_id"];
    let numbers: Vec<String> =
        list(numbers).iter().chain([numbers]).filter_map(Value::as_str).map(plain).collect();
    let normal = &patient["normalized"];
    let parts: Vec<String> = [&normal["family"], &normal["given"]]
        .iter()
        .filter_map(|p| p.as_str())
        .map(plain)
        .collect();
    list(&event["phi"]["patient"]["identifiers"]).iter().any(|identifier| {
        let value = plain(string(&identifier["value"]));
        let name = identifier["kind"] == "name" && parts.iter().all(|p| value.contains(p.as_str()));
        numbers.contains(&value) || (name && !parts.is_empty())
    })
}

/// Patients that are missing, reported twice, or not in the truth.
fn people(found: &[&Value], flows: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    for flow in flows.iter().filter(|f| f["alert_expected"] == true) {
        let own: Vec<_> = found.iter().filter(|e| belongs(e, flow)).collect();
        let patients = list(&flow["patients"]).iter();
        let whole = patients.filter(|p| p["recoverable"].is_null() || p["recoverable"] == "full");
        let missing = whole.filter(|p| !own.iter().any(|e| names(e, p))).count();
        if missing > 0 {
            faults.push(format!("{missing} patients are missing"));
        }
    }
    // A repeated event has the same id.
    let mut ids: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for event in found {
        let token = &event["phi"]["patient"]["token"];
        let place = format!("{} {} {token}", event["client"], event["server"]);
        ids.entry(place).or_default().insert(string(&event["event"]["id"]));
    }
    let twice = ids.values().filter(|ids| ids.len() > 1).count();
    if twice > 0 {
        faults.push(format!("{twice} patients are told twice in one connection"));
    }
    faults
}

/// Number of values that identify no person by the truth, but were reported.
fn forbidden(found: &[&Value], truth: &Value) -> usize {
    let values: Vec<String> = list(&truth["must_not_alert_values"])
        .iter()
        .filter_map(Value::as_str)
        .map(plain)
        .filter(|v| v.len() >= 4)
        .collect();
    let identifiers = found.iter().flat_map(|e| list(&e["phi"]["patient"]["identifiers"]));
    identifiers.filter(|i| values.contains(&plain(string(&i["value"])))).count()
}

/// Differences between the events of a case and its truth.
fn faults(case: &Case, status: Option<i32>, events: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let expected = if CUT.contains(&case.name.as_str()) { 3 } else { 0 };
    if status != Some(expected) {
        faults.push(format!("exit status {status:?}, not {expected}"));
    }
    let found: Vec<&Value> = events.iter().filter(|e| is(e, "phi-finding")).collect();
    if case.truth["alert_expected"] == false && !found.is_empty() {
        faults.push(format!("{} findings where there is no patient", found.len()));
    }
    let flows = list(&case.truth["flows"]);
    for flow in flows {
        let name = format!("flow to port {}", flow["server_port"]);
        let own: Vec<_> = found.iter().filter(|e| belongs(e, flow)).collect();
        if flow["alert_expected"] == true && own.is_empty() {
            faults.push(format!("{name}: no finding"));
        }
        if flow["alert_expected"] == false && !own.is_empty() {
            faults.push(format!("{name}: {} findings where none is due", own.len()));
        }
        let expected = protocol(string(&flow["protocol"]));
        if let Some(other) = own.iter().find(|e| e["network"]["protocol"] != expected) {
            faults.push(format!("{name}: {}, not {expected}", other["network"]["protocol"]));
        }
    }
    faults.extend(people(&found, flows));
    let forbidden = forbidden(&found, &case.truth);
    if forbidden > 0 {
        faults.push(format!("{forbidden} values that name nobody"));
    }
    let strangers = found.iter().filter(|e| !flows.iter().any(|f| belongs(e, f))).count();
    if strangers > 0 {
        faults.push(format!("{strangers} findings in traffic that is not in the truth"));
    }
    // Packets: read = decoded + skipped + dropped.
    match events.last() {
        Some(last) if is(last, "run-summary") => {
            let packets = &last["phi"]["run"]["packets"];
            let sum = |v: &Value| -> u64 {
                v.as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum()
            };
            let accounted = packets["decoded"].as_u64().unwrap_or_default()
                + sum(&packets["skipped"])
                + sum(&packets["dropped"]);
            if packets["read"].as_u64() != Some(accounted) || accounted == 0 {
                faults.push(format!("packets do not add up: {packets}"));
            }
        }
        _ => faults.push("the last line is no run-summary".into()),
    }
    faults
}

#[test]
fn every_fixture_gives_what_its_truth_says() {
    let (cases, key) = (cases(), Key::new());
    let results = on_all(&cases, |case| {
        let (status, text, _) = replay(case, &key, "1");
        faults(case, status, &events(&text))
    });
    let mut wrong = Vec::new();
    for (case, faults) in cases.iter().zip(&results) {
        match NOT_YET.iter().find(|(name, _)| *name == case.name) {
            None if !faults.is_empty() => {
                wrong.push(format!("{}: {}", case.name, faults.join("; ")))
            }
            Some((name, reason)) if faults.is_empty() => {
                wrong.push(format!("{name} passes: take it off NOT_YET ({reason})"));
            }
            _ => {}
        }
    }
    for (name, _) in NOT_YET {
        if !cases.iter().any(|c| c.name == *name) {
            wrong.push(format!("{name} is in NOT_YET, and there is no such fixture"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_event_is_what_the_schema_says() {
    let schema = std::fs::read_to_string(Path::new(ROOT).join("schema/event.schema.json"));
    let schema: Value = serde_json::from_str(&schema.expect("schema")).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("schema is a schema");
    let (cases, key) = (cases(), Key::new());
    let numbers = on_all(&cases, |case| {
        let events = events(&replay(case, &key, "2").1);
        for event in &events {
            // Only the fault, because the event may contain values.
            let faults: Vec<String> =
                validator.iter_errors(event).map(|e| e.instance_path().to_string()).collect();
            assert!(faults.is_empty(), "{}: {} {faults:?}", case.name, event["event"]["action"]);
        }
        events.len()
    });
    assert!(numbers.iter().sum::<usize>() > 2 * cases.len());
}

#[test]
fn workers_and_repetition_change_nothing() {
    let (cases, key) = (cases(), Key::new());
    on_all(&cases, |case| {
        let first = replay(case, &key, "1");
        assert_eq!(first, replay(case, &key, "1"), "{}: another run", case.name);
        assert_eq!(first, replay(case, &key, "4"), "{}: four workers", case.name);
    });
}

#[test]
fn hospital_pcap_is_what_the_script_makes() {
    let folder = tempfile::tempdir().expect("folder");
    let made = folder.path().join("made.pcap");
    let status = Command::new("python3")
        .arg(Path::new(ROOT).join("fixtures/make.py"))
        .arg(&made)
        .status()
        .expect("fixtures/make.py needs python3: install it");
    assert!(status.success());
    let (made, committed) = (std::fs::read(made), std::fs::read(hospital()));
    let (made, committed) = (made.expect("made"), committed.expect("committed"));
    // Not assert_eq, which would print both.
    assert!(made == committed, "run fixtures/make.py and commit fixtures/hospital.pcap");
}

#[test]
fn clinical_captures_are_what_the_script_makes() {
    let folder = tempfile::tempdir().expect("folder");
    let script = Path::new(ROOT).join("fixtures/clinical.py");
    let status = Command::new("python3").arg(script).arg(folder.path()).status();
    assert!(status.expect("fixtures/clinical.py needs python3: install it").success());
    let mut count = 0;
    for entry in std::fs::read_dir(folder.path()).expect("folder") {
        let made = entry.expect("entry").path();
        let name = made.file_name().expect("a name");
        let committed = std::fs::read(Path::new(ROOT).join("fixtures/captures").join(name));
        let same = committed.is_ok_and(|c| c == std::fs::read(&made).expect("made"));
        assert!(same, "{}: run fixtures/clinical.py and commit what it makes", name.display());
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn the_merged_hour_shows_the_same_patients_as_its_parts() {
    let key = Key::new();
    let people = |case: &Case| -> BTreeSet<String> {
        events(&replay(case, &key, "2").1)
            .iter()
            .filter(|e| is(e, "phi-finding"))
            .map(|e| format!("{} {} {}", e["client"], e["server"], e["phi"]["patient"]["token"]))
            .collect()
    };
    let plan = plan();
    assert!(plan.len() > 30, "{plan:?}");
    let mut parts = BTreeSet::new();
    for case in cases().iter().filter(|c| plan.contains(&c.name)) {
        parts.extend(people(case));
    }
    let hospital = Case { name: "hospital".into(), capture: hospital(), truth: Value::Null };
    assert_eq!(people(&hospital), parts);
    assert!(parts.len() >= 50, "{}", parts.len());
}

#[test]
fn standard_output_gets_what_a_file_would() {
    let (cases, key) = (cases(), Key::new());
    let case = cases.iter().find(|c| c.name == "hl7-adt-a01").expect("case");
    let output = Command::new(PHITAP)
        .args(["replay", "--format", "json", "--detail", "flows", "--reveal"])
        .args(["--key-file", &key.path()])
        .arg(&case.capture)
        .finish();
    assert_eq!(String::from_utf8_lossy(&output.stdout), replay(case, &key, "1").1);
}

#[test]
fn every_fixture_is_described() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("fixtures/README.md")).expect("page");
    let plan = plan();
    for case in cases() {
        let name = format!("| `{}` |", case.name);
        let row = page.lines().find(|line| line.contains(&name));
        let row = row.unwrap_or_else(|| panic!("{} is not in fixtures/README.md", case.name));
        // The first column is the time in hospital.pcap.
        let planned = plan.contains(&case.name);
        assert_eq!(row.starts_with("| 08:"), planned, "{row}");
        assert!(case.capture.exists(), "{}", case.capture.display());
    }
}
