//! Documents about people in many forms: phitap must find the people that the writing programs
//! know.

use crate::common::{self, list, string};
use serde_json::Value;
use std::collections::BTreeMap;

/// Documents generated.
const DOCUMENTS: usize = 520;

/// A comparable form of a value: a name as its words, a date as its digits.
fn normal(kind: &str, value: &str) -> String {
    match kind {
        "name" => {
            let words = value.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            let mut words: Vec<String> = words.map(str::to_lowercase).collect();
            words.sort();
            words.join(" ")
        }
        "birth_date" => value.chars().filter(char::is_ascii_digit).take(8).collect(),
        "sex" => value.chars().take(1).collect::<String>().to_lowercase(),
        _ => value.to_owned(),
    }
}

type Patient = BTreeMap<String, Vec<String>>;

/// Whether the identifiers of a patient are complete, with no others of these kinds.
fn is(found: &Patient, person: &Value) -> bool {
    let known = person.as_object().expect("a person");
    known.iter().all(|(kind, value)| {
        let value = normal(kind, string(value));
        found.get(kind).is_some_and(|found| found.iter().all(|other| *other == value))
    })
}

#[test]
fn the_people_in_documents_are_those_that_were_written() {
    people_are_those_that_were_written("records.py");
}

#[test]
fn the_people_in_interchanges_and_letters_are_those_that_were_written() {
    people_are_those_that_were_written("interchanges.py");
}

#[test]
fn the_people_in_exports_are_those_that_were_written() {
    people_are_those_that_were_written("exports.py");
}

fn people_are_those_that_were_written(script: &str) {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let capture = folder.path().join("records.pcap");
    let capture = capture.to_str().expect("UTF-8");
    let truth = crate::oracle(&python, script, &[capture, &DOCUMENTS.to_string()]);
    let truth: BTreeMap<u64, Value> = serde_json::from_str(&truth).expect("the script prints JSON");
    assert_eq!(truth.len(), DOCUMENTS);

    let run = common::phitap(["replay", "--format=ecs", "--detail=flows", "--reveal", capture]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let mut read: BTreeMap<u64, BTreeMap<String, Patient>> = BTreeMap::new();
    for event in common::events(&run.out) {
        if common::is(&event, "phi-finding") {
            let port = event["client"]["port"].as_u64().expect("port");
            let mut patient = Patient::new();
            for identifier in list(&event["phi"]["patient"]["identifiers"]) {
                let kind = string(&identifier["kind"]);
                let value = normal(kind, string(&identifier["value"]));
                patient.entry(kind.to_owned()).or_default().push(value);
            }
            // The last event of a finding is complete.
            read.entry(port).or_default().insert(string(&event["event"]["id"]).to_owned(), patient);
        }
    }
    let mut wrong = Vec::new();
    for (port, document) in &truth {
        let people = list(&document["people"]);
        let found: Vec<&Patient> = read.get(port).into_iter().flatten().map(|(_, p)| p).collect();
        let each = people.iter().all(|person| found.iter().any(|patient| is(patient, person)));
        if !each || found.len() != people.len() {
            let shape = string(&document["shape"]);
            wrong.push(format!("{shape} ({port}): {found:?}, not {people:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
