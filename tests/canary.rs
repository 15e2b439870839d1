//! Places names and ids of each conversation, and a social security number, into every text that
//! events show about its service, in the fixtures of every protocol. No output may show them at any
//! level of detail.

mod common;

use common::{Case, cases, events, is, list, on_all, phitap};
use phitap::protocol::PROTOCOLS;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Shortest text replaced; shorter ones also occur elsewhere in a capture.
const SHORTEST: usize = 5;

/// A number that no person in the fixtures has.
const SSN: &str = "452-38-7711";

/// The texts that a service shows, and the patients of its data.
#[derive(Default)]
struct Shown {
    /// Connections in the capture; a name is known only within one connection.
    flows: u64,
    facts: BTreeSet<String>,
    names: BTreeSet<String>,
    ids: BTreeSet<String>,
}

impl Shown {
    fn of(capture: &Path) -> Self {
        let run = phitap(["replay", "--reveal", "--format", "ecs", &capture.display().to_string()]);
        let mut shown = Self::default();
        for event in events(&run.out) {
            if let Some(flows) = event["phi"]["run"]["flows"]["total"].as_u64() {
                shown.flows = flows;
            }
            shown.texts(&event["phi"]["service"]);
            if !is(&event, "phi-finding") {
                continue;
            }
            for identifier in list(&event["phi"]["patient"]["identifiers"]) {
                let value = identifier["value"].as_str().unwrap_or_default();
                match identifier["kind"].as_str() {
                    Some("name") => {
                        let words = value.split(|c: char| !c.is_alphabetic());
                        let plain = words.filter(|w| w.len() >= 4 && w.is_ascii());
                        shown.names.extend(plain.map(str::to_owned));
                    }
                    Some("patient_id") => {
                        let id = value.split('^').next().unwrap_or_default();
                        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric());
                        if plain && id.len() >= SHORTEST {
                            shown.ids.insert(id.to_owned());
                        }
                    }
                    _ => {}
                }
            }
        }
        shown
    }

    fn texts(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                // Standard UIDs decide what a data set is.
                let ours = text.starts_with("1.2.840.10008.") || text.contains('*');
                if text.len() >= SHORTEST && text.is_ascii() && !ours {
                    self.facts.insert(text.clone());
                }
            }
            Value::Array(all) => all.iter().for_each(|one| self.texts(one)),
            Value::Object(all) => all.iter().for_each(|(key, one)| {
                // A closed set of phitap's own words.
                if key != "interfaces" && key != "authentication" && key != "access" {
                    self.texts(one);
                }
            }),
            _ => {}
        }
    }
}

/// `canary` repeated or cut to the length of a text.
fn filled(canary: &str, len: usize) -> Vec<u8> {
    let mut text = canary.as_bytes().to_vec();
    text.resize(len, b'-');
    text
}

/// The capture with `text` replaced by `canary`, and the number of replacements.
fn rewritten(capture: &[u8], text: &str, canary: &str) -> (Vec<u8>, usize) {
    let mut bytes = capture.to_vec();
    let found: Vec<usize> = memchr::memmem::find_iter(capture, text.as_bytes()).collect();
    for at in &found {
        bytes[*at..at + text.len()].copy_from_slice(&filled(canary, text.len()));
    }
    (bytes, found.len())
}

/// Everything the program writes about a capture.
fn outputs(capture: &Path, detail: &str) -> String {
    let folder = tempfile::tempdir().expect("folder");
    let metrics = folder.path().join("metrics.prom").display().to_string();
    let mut all = String::new();
    for format in phitap::output::FORMATS {
        let run = phitap([
            "replay",
            "-vvv",
            "--format",
            format.name,
            "--detail",
            detail,
            "--metrics-file",
            &metrics,
            &capture.display().to_string(),
        ]);
        assert!(matches!(run.status, Some(0 | 3)), "{:?}", run.status);
        all.push_str(&run.out);
        all.push_str(&run.err);
        all.push_str(&std::fs::read_to_string(&metrics).expect("metrics"));
    }
    all
}

/// The number of canaries placed, and those that were shown.
fn place(case: &Case) -> (usize, Vec<String>) {
    let shown = Shown::of(&case.capture);
    if shown.flows != 1 {
        return (0, Vec::new());
    }
    let capture = std::fs::read(&case.capture).expect("capture");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("canary.pcap");
    let (mut placed, mut leaks) = (0, Vec::new());
    // The longest that fits, so that little of the old text remains. The metrics name every
    // protocol, and one of them is also a person's name.
    let is_protocol =
        |name: &str| PROTOCOLS.iter().any(|protocol| protocol.name().eq_ignore_ascii_case(name));
    let fitting = |all: &BTreeSet<String>, len: usize| {
        let fit = all.iter().filter(|c| c.len() <= len && !is_protocol(c));
        fit.max_by_key(|c| c.len()).cloned()
    };
    for (n, text) in shown.facts.iter().enumerate() {
        let ssn = (SSN.len() <= text.len()).then(|| SSN.to_owned());
        let canaries = [
            fitting(&shown.names, text.len()),
            fitting(&shown.names, text.len()).map(|name| name.to_uppercase()),
            fitting(&shown.ids, text.len()),
            ssn,
        ];
        for (m, canary) in canaries.into_iter().flatten().enumerate() {
            let (bytes, found) = rewritten(&capture, text, &canary);
            if found == 0 || shown.names.contains(text) || shown.ids.contains(text) {
                continue;
            }
            std::fs::write(&path, bytes).expect("capture");
            // Whether the person is still found after the change.
            let now = Shown::of(&path);
            let known = canary == SSN
                || now.ids.contains(&canary)
                || now.names.iter().any(|name| name.eq_ignore_ascii_case(&canary));
            if !known {
                continue;
            }
            placed += 1;
            let detail = ["exposures", "patients", "flows"][(n + m) % 3];
            let written = outputs(&path, detail).to_lowercase();
            let canary = canary.to_lowercase();
            // A name may also be an ordinary word of an output.
            let word = |hit: usize| {
                let around = |at: Option<usize>| {
                    at.and_then(|at| written.as_bytes().get(at))
                        .is_some_and(u8::is_ascii_alphanumeric)
                };
                !around(hit.checked_sub(1)) && !around(Some(hit + canary.len()))
            };
            if written.match_indices(&canary).any(|(hit, _)| word(hit)) {
                leaks.push(format!("{}: {canary} for {text:?} ({detail})", case.name));
            }
        }
    }
    (placed, leaks)
}

#[test]
#[ignore = "it takes minutes; .ci/run runs it"]
fn no_field_of_any_protocol_shows_what_it_holds() {
    let all = cases();
    // Facts are compared with the findings of the same conversation. Cases of one family are
    // similar.
    let alone = all.iter().filter(|case| list(&case.truth["flows"]).len() == 1);
    let every = if cfg!(debug_assertions) { 5 } else { 1 };
    let some: Vec<&Case> = alone.step_by(every).collect();
    let results = on_all(&some, |case| place(case));
    let placed: usize = results.iter().map(|(placed, _)| placed).sum();
    let leaks: Vec<&String> = results.iter().flat_map(|(_, leaks)| leaks).collect();
    assert!(leaks.is_empty(), "{} of {placed}: {leaks:#?}", leaks.len());
    assert!(placed > 50, "only {placed} were placed");
}
