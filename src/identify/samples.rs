//! Runs the `match` and `no_match` samples of rules, for `phitap rules test`.

use super::plausible;
use crate::rules::{Kind, RecordEvidence, RuleInfo, RuleSet};
use crate::time::Timestamp;
use std::fmt::Write;

/// When samples are seen (2026-01-01): rules are tested without a clock.
const SAMPLE_TIME: Timestamp = Timestamp(1_767_225_600 * 1_000_000_000);

/// A sample that a rule did not treat as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFailure {
    /// The rule's id.
    pub rule: String,
    /// File and line of the rule.
    pub source: (String, usize),
    /// The sample. Comes from the rule file, never from traffic.
    pub sample: String,
    /// Whether the rule should have taken it.
    pub expected: bool,
}

/// Every sample that fails.
///
/// What a sample is depends on the section: a value (`dicom`, `hl7v2`, `fhir`, `placeholder`), a
/// name (`key`, `key_context`, `name_affix`), a code or system (`hl7_identifier_type`,
/// `identifier_system`), or a record (`alert`): `dicom structured: name, birth_date`, with any of
/// `structured`, `context` and `query` behind the format.
pub fn test_samples(rules: &RuleSet) -> Vec<SampleFailure> {
    let mut failures = Vec::new();
    for rule in &rules.entries {
        let samples = rule.matches.iter().map(|s| (s, true));
        for (sample, expected) in samples.chain(rule.no_matches.iter().map(|s| (s, false))) {
            if takes(rules, rule, sample) != Some(expected) {
                failures.push(SampleFailure {
                    rule: rule.id.clone(),
                    source: rule.source.clone(),
                    sample: sample.clone(),
                    expected,
                });
            }
        }
    }
    failures
}

/// Whether a rule takes a sample; nothing if the sample cannot be understood.
fn takes(rules: &RuleSet, rule: &RuleInfo, sample: &str) -> Option<bool> {
    Some(match (rule.section, rule.kind) {
        ("key", _) => rules.keys.get(sample).is_some_and(|key| *key.rule.id == *rule.id),
        ("key_context", _) => {
            let names = rule.subject.split(", ").map(crate::rules::fold);
            rules.keys.context(sample).is_some()
                && names.into_iter().any(|n| n == crate::rules::fold(sample))
        }
        ("hl7_identifier_type", kind) => {
            rule.subject == sample && rules.hl7v2.identifier_type(sample) == kind
        }
        ("identifier_system", kind) => {
            let named = match rule.subject.strip_suffix('*') {
                Some(prefix) => sample.starts_with(prefix),
                None => sample == rule.subject,
            };
            named && rules.fhir.system(sample) == kind
        }
        ("name_affix", _) => rules.placeholders.is_affix(&crate::rules::fold(sample)),
        ("placeholder", kind) => {
            rules.placeholders.contains(kind.unwrap_or(Kind::Name), &sample.trim().to_lowercase())
        }
        ("alert", _) => {
            let alert = rules.policy.alerts.iter().find(|a| a.id == rule.id)?;
            let (head, kinds) = sample.split_once(':')?;
            let mut words = head.split_whitespace();
            let content = words.next()?;
            let flags: Vec<&str> = words.collect();
            if flags.iter().any(|f| !matches!(*f, "structured" | "context" | "query")) {
                return None;
            }
            let kinds: Option<Vec<Kind>> =
                kinds.split(',').map(|k| Kind::parse(k.trim())).collect();
            alert.applies(&RecordEvidence {
                content,
                structured: flags.contains(&"structured"),
                kinds: &kinds?,
                patient_context: flags.contains(&"context"),
                query: flags.contains(&"query"),
            })
        }
        (_, Some(kind)) => plausible(kind, sample, rules, SAMPLE_TIME),
        (_, None) => return None,
    })
}

/// The result of [`test_samples`] as text: one line a failure, and a sum.
pub fn samples_text(rules: &RuleSet, failures: &[SampleFailure]) -> String {
    let samples: usize = rules.entries.iter().map(|r| r.matches.len() + r.no_matches.len()).sum();
    let mut text = String::new();
    for failure in failures {
        let (file, line) = &failure.source;
        let wrong = if failure.expected { "does not take" } else { "takes" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{file}:{line}: {} {wrong} {:?}", failure.rule, failure.sample);
    }
    let _ = writeln!(
        text,
        "{} rules, {samples} samples, {} failed",
        rules.entries.len(),
        failures.len()
    );
    text
}
