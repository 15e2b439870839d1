//! Compares DICOM with pydicom, dcmtk and pynetdicom.

use super::common::{Key, ROOT, events, is, list, phitap, string};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Kind and value.
type Identifiers = BTreeSet<(String, String)>;

/// Every finding of a capture, in its last revision.
fn findings(capture: &Path, folder: &Path) -> Vec<Value> {
    let (key, out) = (Key::new(), folder.join("events.json"));
    let run = phitap([
        "replay",
        "--detail=flows",
        "--format",
        "json",
        "--reveal",
        "--key-file",
        &key.path(),
        "--output",
        &out.display().to_string(),
        &capture.display().to_string(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let text = std::fs::read_to_string(out).expect("events");
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for event in events(&text).into_iter().filter(|e| is(e, "phi-finding")) {
        last.insert(string(&event["event"]["id"]).to_owned(), event);
    }
    last.into_values().collect()
}

fn identifiers(event: &Value) -> Identifiers {
    list(&event["phi"]["patient"]["identifiers"])
        .iter()
        .map(|i| (string(&i["kind"]).to_owned(), string(&i["value"]).to_owned()))
        .collect()
}

/// Identifiers of each patient by patient id, and the rules of all alerts.
fn patients(capture: &Path, folder: &Path) -> (BTreeMap<String, Identifiers>, BTreeSet<String>) {
    let (mut found, mut alerts) = (BTreeMap::new(), BTreeSet::new());
    for event in findings(capture, folder) {
        let identifiers = identifiers(&event);
        let mut ids = identifiers.iter().filter(|(kind, _)| kind == "patient_id");
        let id = ids.next().map(|(_, id)| id.clone()).unwrap_or_default();
        assert!(ids.next().is_none(), "two patients in one: {identifiers:?}");
        assert!(found.insert(id.clone(), identifiers).is_none(), "{id:?} twice");
        alerts.insert(string(&event["rule"]["id"]).to_owned());
    }
    (found, alerts)
}

/// A name without titles, in its first representation.
fn name_of(value: &str) -> String {
    let first = value.split('=').find(|group| !group.is_empty()).unwrap_or_default();
    first.split('^').take(2).collect::<Vec<_>>().join("^").to_lowercase()
}

#[test]
fn every_syntax_and_character_set_is_read_as_pydicom_and_dcmdump_read_it() {
    let Some(python) = super::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let truth = super::oracle(&python, "dicom.py", &["send", &folder.path().display().to_string()]);
    let truth: Value = serde_json::from_str(&truth).expect("JSON");
    let (found, alerts) = patients(&folder.path().join("sent.pcap"), folder.path());
    assert!(list(&truth).len() >= 200);
    assert_eq!(alerts.into_iter().collect::<Vec<_>>(), ["dicom-patient-module"]);
    let (mut faults, mut compared) = (Vec::new(), 0);
    let (mut charsets, mut syntaxes) = (BTreeSet::new(), BTreeSet::new());
    for object in list(&truth) {
        let id = string(&object["patient_id"]);
        let expected: Identifiers = list(&object["identifiers"])
            .iter()
            .map(|i| (string(&i[0]).to_owned(), string(&i[1]).to_owned()))
            .collect();
        let empty = Identifiers::new();
        let got = found.get(id).unwrap_or(&empty);
        let surplus = got.difference(&expected).count();
        // Two spellings of one name are one identifier.
        let names: BTreeSet<String> =
            got.iter().filter(|(kind, _)| kind == "name").map(|(_, n)| name_of(n)).collect();
        let missing = expected
            .difference(got)
            .filter(|(kind, value)| !(kind == "name" && names.contains(&name_of(value))))
            .count();
        if surplus + missing > 0 {
            let how = (string(&object["charset"]), string(&object["transfer_syntax"]));
            faults.push(format!("{id} {how:?}\n  want {expected:?}\n  have {got:?}"));
        }
        compared += expected.len();
        charsets.insert(string(&object["charset"]));
        syntaxes.insert(string(&object["transfer_syntax"]));
    }
    assert!(faults.is_empty(), "{} of {}\n{}", faults.len(), found.len(), faults.join("\n"));
    assert_eq!(found.len(), list(&truth).len(), "somebody who was not sent");
    assert!(charsets.len() >= 24 && syntaxes.len() >= 17 && compared > 2000, "{compared}");
}

#[test]
fn deidentified_objects_are_silent_unless_something_was_left_behind() {
    let Some(python) = super::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let truth =
        super::oracle(&python, "dicom.py", &["removed", &folder.path().display().to_string()]);
    let truth: Value = serde_json::from_str(&truth).expect("JSON");
    let events = findings(&folder.path().join("sent.pcap"), folder.path());
    let mut found: BTreeMap<u64, Identifiers> = BTreeMap::new();
    for event in &events {
        assert_eq!(event["rule"]["id"], "dicom-badly-deidentified", "{event}");
        // The n-th object came from the n-th port.
        let port = event["client"]["port"].as_u64().expect("port");
        assert!(found.insert(port - 50_000, identifiers(event)).is_none(), "{event}");
    }
    let mut left = 0;
    for (n, object) in (0u64..).zip(list(&truth)) {
        let got = found.remove(&n);
        let pseudonym = string(&object["pseudonym"]);
        match list(&object["left"]) {
            [] => assert_eq!(got, None, "{pseudonym} is clean"),
            [kind, value] => {
                left += 1;
                let got = got.unwrap_or_else(|| panic!("{pseudonym}: {kind} was not found"));
                let names = |v: &str| got.iter().any(|(_, value)| value == v);
                let burned_in = kind == "burned_in";
                assert_eq!(names(pseudonym), burned_in, "{got:?}");
                let wanted = (string(kind).to_owned(), string(value).to_owned());
                assert!(burned_in || got.contains(&wanted), "{wanted:?} is not in {got:?}");
                assert!(burned_in || got.len() == 1, "{got:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(left > 60 && list(&truth).len() - left > 20);
}

#[test]
fn no_attribute_of_annex_e_is_forgotten() {
    let Some(python) = super::python() else { return };
    let theirs = super::oracle(&python, "dicom.py", &["annex-e"]);
    let list = std::fs::read_to_string(Path::new(ROOT).join("rules/annex-e.txt")).expect("list");
    let ours: BTreeSet<&str> =
        list.lines().filter(|l| l.starts_with('(')).filter_map(|l| l.get(..11)).collect();
    let theirs: BTreeSet<&str> = theirs.lines().collect();
    assert!(theirs.len() > 600);
    let forgotten: Vec<_> = theirs.difference(&ours).collect();
    let invented: Vec<_> = ours.difference(&theirs).collect();
    assert!(forgotten.is_empty() && invented.is_empty(), "{forgotten:?} {invented:?}");
}
