//! Ordinary traffic must stay silent, and the same shapes with patients must not.
//!
//! `precision/ordinary.txt` holds what a hospital's network carries all day that is not about
//! anyone's care. `precision/patients.txt` holds records of patients, and what must be reported for
//! each. `precision/wrapped_ordinary.txt` and `precision/wrapped.txt` are the same for patched
//! records, parameters, tokens, queries, and rows of tables. `precision/lookalikes.txt` and
//! `precision/registers.txt` are the same for numbers of national registers, with all regions
//! enabled. All people are invented.
//!
//! A case is `=== name | METHOD path | media type`, then the body. For patients a line `---`
//! follows, and one line per patient: `kind=value; kind=value`.

#[path = "precision/noise.rs"]
mod noise;

use phitap::flow::Direction;
use phitap::pipeline::test_harness::{Conversation, TestHarness, TestPacket};
use phitap::rules::{ALL_REGIONS, DEFAULT_REGIONS, RuleSet};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const ORDINARY: &str = include_str!("precision/ordinary.txt");
const PATIENTS: &str = include_str!("precision/patients.txt");
const WRAPPED: &str = include_str!("precision/wrapped.txt");
const WRAPPED_ORDINARY: &str = include_str!("precision/wrapped_ordinary.txt");
const REGISTERS: &str = include_str!("precision/registers.txt");
const LOOKALIKES: &str = include_str!("precision/lookalikes.txt");

/// Longest segment, bytes, so that every body is split.
const SEGMENT: usize = 173;

struct Case<'a> {
    name: &'a str,
    method: &'a str,
    path: &'a str,
    media: &'a str,
    body: &'a str,
    /// `(kind, value)` pairs of each patient.
    patients: Vec<Vec<(&'a str, &'a str)>>,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for part in text.split("\n=== ").skip(1) {
        let (head, rest) = part.split_once('\n').expect("a head and a body");
        let mut head = head.split(" | ");
        let mut next = || head.next().expect("name | METHOD path | media type").trim();
        let (name, target, media) = (next(), next(), next());
        let (method, path) = target.split_once(' ').expect("METHOD path");
        let (body, truth) = rest.split_once("\n---\n").unwrap_or((rest, ""));
        let patients = truth.lines().filter(|l| !l.trim().is_empty()).map(|line| {
            line.split("; ").map(|pair| pair.trim().split_once('=').expect("kind=value")).collect()
        });
        cases.push(Case { name, method, path, media, body, patients: patients.collect() });
    }
    cases
}

impl Case<'_> {
    /// A request and its response, one of which has the body.
    fn packets(&self) -> Vec<TestPacket> {
        let bearing = format!(
            "Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
            self.media,
            self.body.len(),
            self.body
        );
        let start = format!("{} {} HTTP/1.1\r\nHost: service.example\r\n", self.method, self.path);
        let (request, answer) = if self.method == "GET" {
            (format!("{start}\r\n"), format!("HTTP/1.1 200 OK\r\n{bearing}"))
        } else {
            (format!("{start}{bearing}"), "HTTP/1.1 204 No Content\r\n\r\n".to_owned())
        };
        let (client, server) = (([192, 0, 2, 10], 50_000), ([192, 0, 2, 80], 80));
        let mut conversation = Conversation::new(client, server, SEGMENT);
        conversation.say(Direction::ClientToServer, request.as_bytes());
        conversation.say(Direction::ServerToClient, answer.as_bytes());
        conversation.close();
        conversation.packets()
    }
}

/// The findings: all identifiers of each patient, in order of appearance.
fn found(lab: &TestHarness, case: &Case<'_>) -> Vec<Vec<(String, String)>> {
    let mut last = BTreeMap::new();
    for finding in lab.run(&case.packets()) {
        let pair = |i: &phitap::identify::Identifier| {
            (i.kind.as_str().to_owned(), i.shown.text().to_owned())
        };
        let pairs = finding.finding.identifiers.iter().map(pair).collect();
        last.insert(finding.finding.ordinal, pairs);
    }
    last.into_values().collect()
}

fn lab(regions: &[&str]) -> TestHarness {
    let rules = RuleSet::shipped().and_then(|rules| rules.in_regions(regions));
    TestHarness::new(rules.expect("shipped rules"), true).expect("random bytes")
}

/// Cases of ordinary traffic that raise an alert.
fn false_alerts(lab: &TestHarness, text: &str, least: usize) -> String {
    let (cases, mut wrong) = (cases(text), String::new());
    for case in &cases {
        assert!(case.patients.is_empty(), "{}", case.name);
        let got = found(lab, case);
        if !got.is_empty() {
            let _ = writeln!(wrong, "{}: {got:?}", case.name);
        }
    }
    assert!(cases.len() >= least, "{} cases", cases.len());
    wrong
}

#[test]
fn ordinary_traffic_is_silent() {
    let wrong = false_alerts(&lab(DEFAULT_REGIONS), ORDINARY, 60);
    assert!(wrong.is_empty(), "false alerts:\n{wrong}");
}

#[test]
fn staff_and_things_in_containers_are_silent() {
    let wrong = false_alerts(&lab(DEFAULT_REGIONS), WRAPPED_ORDINARY, 10);
    assert!(wrong.is_empty(), "false alerts:\n{wrong}");
}

#[test]
fn patients_in_containers_are_found_each_in_a_record() {
    let wrong = missed(&lab(DEFAULT_REGIONS), WRAPPED, 25);
    assert!(wrong.is_empty(), "{} wrong:\n{wrong}", wrong.lines().count() / 2);
}

#[test]
fn with_every_region_ordinary_traffic_is_silent_too() {
    let lab = lab(&[ALL_REGIONS]);
    let wrong = false_alerts(&lab, ORDINARY, 60) + &false_alerts(&lab, LOOKALIKES, 20);
    assert!(wrong.is_empty(), "false alerts:\n{wrong}");
}

/// Cases of patients that are not reported correctly.
fn missed(lab: &TestHarness, text: &str, least: usize) -> String {
    let (cases, mut wrong) = (cases(text), String::new());
    for case in &cases {
        assert!(!case.patients.is_empty(), "{}", case.name);
        let got = found(lab, case);
        let has = |pairs: &[(String, String)], (k, v): (&str, &str)| {
            pairs.iter().any(|(a, b)| a == k && b == v)
        };
        // Each patient's values are in one finding, and none of them in another.
        let complete = got.len() == case.patients.len()
            && case
                .patients
                .iter()
                .all(|own| got.iter().any(|pairs| own.iter().all(|pair| has(pairs, *pair))));
        let mixed = got.iter().any(|pairs| {
            let whose = |own: &&Vec<_>| own.iter().all(|pair| has(pairs, *pair));
            let own = case.patients.iter().find(whose);
            let all = case.patients.iter().flatten();
            let strange = |pair: &&(&str, &str)| own.is_some_and(|own| !own.contains(pair));
            all.filter(strange).any(|pair| has(pairs, *pair))
        });
        if !complete || mixed {
            let _ =
                writeln!(wrong, "{}: expected {:?}\n      got {got:?}", case.name, case.patients);
        }
    }
    assert!(cases.len() >= least, "{} cases", cases.len());
    wrong
}

#[test]
fn patients_are_found_each_in_a_record() {
    let wrong = missed(&lab(DEFAULT_REGIONS), PATIENTS, 60);
    assert!(wrong.is_empty(), "{} wrong:\n{wrong}", wrong.lines().count() / 2);
}

#[test]
fn with_every_region_patients_are_found_too() {
    let lab = lab(&[ALL_REGIONS]);
    let wrong = missed(&lab, PATIENTS, 60) + &missed(&lab, REGISTERS, 30);
    assert!(wrong.is_empty(), "{} wrong:\n{wrong}", wrong.lines().count() / 2);
}
