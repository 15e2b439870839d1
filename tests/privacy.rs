//! Without `--reveal`, nothing that the program writes holds what it found: every output of every
//! fixture is searched for every identifier and password of its truth, in any usual spelling.

mod common;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use common::{Case, cases, hospital, list, on_all, phitap, plan, string};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// Shorter values and words are too common to be looked for, characters.
const SHORTEST: usize = 4;

/// Words of outputs that are also names of people in fixtures. Each is written whoever is in it.
const ALSO_WORDS: &[(&str, &str)] = &[("ward", "the path /ward/*")];

/// What must not appear.
#[derive(Default)]
struct Secrets {
    /// Anywhere, in any case.
    parts: BTreeSet<String>,
    /// Anywhere, in this case.
    exact: BTreeSet<String>,
    /// As whole words, in any case.
    words: BTreeSet<String>,
}

impl Secrets {
    fn of(truth: &Value) -> Self {
        let mut secrets = Self::default();
        for flow in list(&truth["flows"]) {
            for patient in list(&flow["patients"]) {
                for (key, value) in patient.as_object().into_iter().flatten() {
                    match value {
                        _ if key == "recoverable" => {}
                        // Family and given name, date of birth in ISO 8601
                        Value::Object(normal) => {
                            for (key, value) in normal {
                                secrets.add(key, value);
                            }
                        }
                        value => secrets.add(key, value),
                    }
                }
            }
            let credentials = &flow["service_facts"]["credentials_in_clear"];
            for value in credentials.as_object().into_iter().flat_map(|c| c.values()) {
                secrets.add("credential", value);
            }
        }
        secrets
    }

    fn add(&mut self, key: &str, value: &Value) {
        for one in list(value) {
            self.add(key, one);
        }
        let Some(text) = value.as_str() else { return };
        let name = ["name", "family", "given"].iter().any(|part| key.contains(part));
        if name || key == "sex" || key == "credential" {
            // Names in XML are listed with their tags.
            let text = text.split('<').map(|part| part.rsplit('>').next().unwrap_or(part));
            self.words.extend(text.flat_map(words).filter(|w| letters(w) >= SHORTEST));
        }
        if text.chars().count() < SHORTEST || (name && !text.contains(|c: char| !c.is_alphabetic()))
        {
            return;
        }
        if key == "sex" || key == "credential" {
            return;
        }
        self.whole(text);
        if key.contains("birth_date") {
            self.whole(&text.replace('-', ""));
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 7 {
            self.parts.insert(digits);
        }
    }

    fn whole(&mut self, text: &str) {
        self.parts.insert(text.to_lowercase());
        for text in [text.to_owned(), text.to_uppercase(), text.to_lowercase()] {
            let bytes = text.as_bytes();
            self.parts.insert(bytes.iter().map(|b| format!("{b:02x}")).collect());
            self.parts.insert(bytes.iter().map(|b| format!("{b:02x} ")).collect());
            self.parts.insert(escaped(&text, "%20").to_lowercase());
            self.parts.insert(escaped(&text, "+").to_lowercase());
            if !text.is_ascii() {
                let units = text.encode_utf16();
                self.parts.insert(units.map(|u| format!("\\u{u:04x}")).collect());
            }
            // In base64 a value looks different at each of three offsets, and its ends depend on
            // what is beside it.
            for offset in 0..3 {
                let mut padded = vec![b' '; offset];
                padded.extend_from_slice(bytes);
                let coded = STANDARD_NO_PAD.encode(&padded);
                let from = (offset * 8).div_ceil(6);
                let to = padded.len() * 8 / 6;
                if to - from >= 6 {
                    self.exact.insert(coded[from..to].to_owned());
                }
            }
        }
    }

    /// Ready to search for.
    fn search(&self) -> Search<'_> {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        let exact: Vec<&str> = self.exact.iter().map(String::as_str).collect();
        let automaton = |of: &[&str]| AhoCorasick::new(of).expect("automaton");
        Search { in_parts: automaton(&parts), in_exact: automaton(&exact), parts, exact, all: self }
    }
}

/// A search for secrets.
struct Search<'a> {
    all: &'a Secrets,
    parts: Vec<&'a str>,
    exact: Vec<&'a str>,
    in_parts: AhoCorasick,
    in_exact: AhoCorasick,
}

impl Search<'_> {
    /// Which of them are in `output`.
    fn found_in(&self, output: &str) -> BTreeSet<&str> {
        let lower = output.to_lowercase();
        let there: HashSet<String> = words(output).collect();
        let parts = self.in_parts.find_overlapping_iter(&lower).map(|m| self.parts[m.pattern()]);
        let exact = self.in_exact.find_overlapping_iter(output).map(|m| self.exact[m.pattern()]);
        let known = |word: &&String| ALSO_WORDS.iter().any(|(known, _)| known == word);
        let words = self.all.words.iter().filter(|word| there.contains(*word) && !known(word));
        parts.chain(exact).chain(words.map(String::as_str)).collect()
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

fn letters(word: &str) -> usize {
    // Three characters of a Japanese name say as much as four letters.
    if word.is_ascii() { word.len() } else { word.len().max(word.chars().count()) }
}

/// Percent-encoding with `space` for blanks.
fn escaped(text: &str, space: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b' ' => space.to_owned(),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// Everything the program writes about a capture, by where it writes it.
fn outputs(case: &Case, more: &[&str]) -> Vec<(String, String)> {
    let capture = case.capture.display().to_string();
    let mut outputs = Vec::new();
    for format in phitap::output::FORMATS {
        let folder = tempfile::tempdir().expect("folder");
        let metrics = folder.path().join("metrics.prom").display().to_string();
        let mut arguments = vec!["replay", "-vv", "--format", format.name];
        arguments.extend(["--metrics-file", &metrics]);
        arguments.extend(more);
        arguments.push(&capture);
        let run = phitap(&arguments);
        assert!(matches!(run.status, Some(0 | 3)), "{}: {:?}", case.name, run.status);
        assert!(!run.out.is_empty(), "{}: no output", case.name);
        outputs.push((format.name.to_owned(), run.out));
        outputs.push((format!("{}, standard error", format.name), run.err));
        let metrics = std::fs::read_to_string(&metrics).expect("metrics");
        assert!(metrics.contains("phitap_packets_total"), "{}", case.name);
        outputs.push((format!("{}, metrics", format.name), metrics));
    }
    outputs
}

#[test]
fn no_output_holds_an_identifier_or_a_password() {
    let cases = cases();
    let leaks: Vec<String> = on_all(&cases, |case| {
        let secrets = Secrets::of(&case.truth);
        let (search, outputs) = (secrets.search(), outputs(case, &[]));
        let found = outputs.iter().filter_map(|(place, output)| {
            let found = search.found_in(output);
            (!found.is_empty()).then(|| format!("{}, {place}: {found:?}", case.name))
        });
        found.collect::<Vec<_>>()
    })
    .concat();
    assert!(leaks.is_empty(), "\n{}", leaks.join("\n"));
}

#[test]
fn the_merged_hour_shows_nobody() {
    let mut secrets = Secrets::default();
    let plan = plan();
    for case in cases().iter().filter(|c| plan.contains(&c.name)) {
        let mut own = Secrets::of(&case.truth);
        secrets.parts.append(&mut own.parts);
        secrets.exact.append(&mut own.exact);
        secrets.words.append(&mut own.words);
    }
    let case = Case { name: "hospital".into(), capture: hospital(), truth: Value::Null };
    let search = secrets.search();
    for (place, output) in outputs(&case, &[]) {
        let found = search.found_in(&output);
        assert!(found.is_empty(), "{place}: {found:?}");
    }
}

/// The searches above would find something: with `--reveal` they do, in every event format.
#[test]
fn the_search_finds_what_reveal_shows() {
    let cases = cases();
    let case = cases.iter().find(|c| c.name == "hl7-adt-a08-persistent").expect("case");
    let secrets = Secrets::of(&case.truth);
    let search = secrets.search();
    let patients = list(&case.truth["flows"][0]["patients"]);
    let ids: Vec<&str> = patients.iter().map(|p| string(&p["patient_id"])).collect();
    let mut shown = 0;
    for (place, output) in outputs(case, &["--reveal"]) {
        let found = search.found_in(&output);
        if found.is_empty() {
            continue;
        }
        shown += 1;
        let all = ids.iter().all(|id| found.contains(&id.to_lowercase().as_str()));
        assert!(all, "{place} shows {} values, but not every id", found.len());
        assert!(found.len() > 5 * ids.len(), "{place}: {}", found.len());
    }
    assert!(shown >= 1, "no output shows values with --reveal");
    let mut name = Secrets::default();
    name.add("name", &Value::from("Hartman^Jason"));
    let search = name.search();
    let found =
        |text: &str| search.found_in(text).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found("x SGFydG1hbl5KYXNvbg== y"), ["SGFydG1hbl5KYXNvb"]);
    assert_eq!(found("486172746d616e5e4a61736f6e"), ["486172746d616e5e4a61736f6e"]);
    assert_eq!(found("HARTMAN, J"), ["hartman"]);
    assert_eq!(found("?q=hartman%5Ejason&"), ["hartman", "hartman%5ejason"]);
    assert!(found("Hartmann J. 48617274 %48").is_empty());
}
