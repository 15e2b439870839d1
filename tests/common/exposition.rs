//! Parses the Prometheus text format 0.0.4 and checks its rules.

// Each test is a separate program that uses part of this.
#![allow(dead_code, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// One line with a value.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of a text, checked.
#[derive(Debug)]
pub struct Exposition {
    pub samples: Vec<Sample>,
    pub types: BTreeMap<String, String>,
}

impl Exposition {
    /// The value of one series.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let same = |s: &&Sample| {
            s.name == name
                && s.labels.len() == labels.len()
                && labels.iter().all(|(k, v)| s.labels.get(*k).is_some_and(|l| l == v))
        };
        self.samples.iter().find(same).map(|s| s.value)
    }

    /// The sum over all series of a name.
    pub fn sum(&self, name: &str) -> f64 {
        self.samples.iter().filter(|s| s.name == name).map(|s| s.value).sum()
    }
}

/// Parses `text`.
///
/// # Panics
/// It breaks a rule of the format or of its naming conventions.
pub fn parse(text: &str) -> Exposition {
    assert!(text.ends_with('\n'), "the last line must end");
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let mut helped: BTreeSet<String> = BTreeSet::new();
    let mut series: BTreeSet<String> = BTreeSet::new();
    let mut closed: BTreeSet<String> = BTreeSet::new();
    let mut current = String::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("help has words");
            assert!(!words.is_empty(), "{line}");
            assert!(helped.insert(name.to_owned()), "two helps: {line}");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("type has a kind");
            assert!(["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind));
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "two types: {line}");
            if kind == "counter" {
                assert!(name.ends_with("_total"), "{line}");
            } else {
                assert!(!name.ends_with("_total"), "{line}");
            }
            continue;
        }
        assert!(!line.is_empty() && !line.starts_with('#'), "neither comment nor sample: {line}");
        let sample = sample(line);
        assert!(types.contains_key(&sample.name), "no type before {line}");
        assert!(helped.contains(&sample.name), "no help before {line}");
        if sample.name != current {
            closed.insert(std::mem::replace(&mut current, sample.name.clone()));
            assert!(
                !closed.contains(&sample.name),
                "series of one name must stand together: {line}"
            );
        }
        let key = format!("{} {:?}", sample.name, sample.labels);
        assert!(series.insert(key), "twice: {line}");
        if types[&sample.name] == "counter" {
            assert!(sample.value >= 0.0, "{line}");
        }
        samples.push(sample);
    }
    Exposition { samples, types }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, true), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        let mut inside = inside;
        while !inside.starts_with('}') {
            let (label, after) = inside.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label, false), "{line}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let at = loop {
                match chars.next().unwrap_or_else(|| panic!("label without end: {line}")) {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, c @ ('\\' | '"'))) => value.push(c),
                        _ => panic!("unknown escape: {line}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "label twice: {line}");
            inside = &after[at + 1..];
            inside = inside.strip_prefix(',').unwrap_or(inside);
        }
        rest = &inside[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let value: f64 = value.parse().unwrap_or_else(|e| panic!("{e}: {line}"));
    Sample { name: name.to_owned(), labels, value }
}

fn is_name(name: &str, colon: bool) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(good)
}

/// Checks `text` with `promtool check metrics`, if it is installed (Debian: package `prometheus`).
///
/// # Panics
/// promtool reports an error.
pub fn promtool(text: &str) {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = match started {
        Ok(tool) => tool,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("promtool is not installed: the format was checked by the test alone");
            return;
        }
        Err(error) => panic!("promtool: {error}"),
    };
    tool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
    let output = tool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}");
}
