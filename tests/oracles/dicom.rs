//! DICOM beside pydicom, dcmtk and pynetdicom.

use super::common::{Key, ROOT, events, is, list, phitap, string};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Kind and value.
type Identifiers = BTreeSet<(String, String)>;

/// What phitap says of each patient, by patient id, and the rules of all alerts.
fn patients(capture: &Path, folder: &Path) -> (BTreeMap<String, Identifiers>, BTreeSet<String>) {
    let (key, out) = (Key::new(), folder.join("events.json"));
    let run = phitap([
        "replay",
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
    // The last event of an id has all.
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for event in events(&text).into_iter().filter(|e| is(e, "phi-disclosure")) {
        last.insert(string(&event["event"]["id"]).to_owned(), event);
    }
    let (mut found, mut alerts) = (BTreeMap::new(), BTreeSet::new());
    for event in last.values() {
        let identifiers: Identifiers = list(&event["phi"]["patient"]["identifiers"])
            .iter()
            .map(|i| (string(&i["kind"]).to_owned(), string(&i["value"]).to_owned()))
            .collect();
        let mut ids = identifiers.iter().filter(|(kind, _)| kind == "patient_id");
        let id = ids.next().map(|(_, id)| id.clone()).unwrap_or_default();
        assert!(ids.next().is_none(), "two patients in one: {identifiers:?}");
        assert!(found.insert(id.clone(), identifiers).is_none(), "{id:?} twice");
        alerts.insert(string(&event["rule"]["id"]).to_owned());
    }
    (found, alerts)
}

/// A name as far as it tells people apart: without titles, in its first representation.
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
        // One name in two spellings is one identifier.
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
