//! Runs the `match` and `no_match` samples of rules, for `phitap rules test`.

use super::plausible;
use super::plausible::{actual_kind, is_scrap};
use crate::content::formats::hl7v2;
use crate::rules::{
    Answer, Deidentified, Kind, LoadError, RecordEvidence, RuleInfo, RuleSet, SHIPPED,
};
use crate::time::Timestamp;
use std::fmt::Write;
use std::path::Path;

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

/// The shipped rules, extended and overridden by those of `dir`, whose own samples must hold. (Those of
/// the shipped ones are tested before they ship; `phitap rules test` runs all.)
///
/// # Errors
/// As [`RuleSet::load`], and the first sample that does not hold, with the line of its rule.
pub fn load_rules(dir: Option<&Path>) -> Result<RuleSet, LoadError> {
    let rules = RuleSet::load(dir)?;
    let own = |rule: &RuleInfo| SHIPPED.iter().all(|(name, _)| *name != rule.source.0);
    match failures(&rules, own).into_iter().next() {
        None => Ok(rules),
        Some(failure) => {
            let (file, line) = failure.source;
            let (key, wrong) =
                if failure.expected { ("match", "is not taken") } else { ("no_match", "is taken") };
            let reason = format!("{key} of {:?}: {:?} {wrong}", failure.rule, failure.sample);
            Err(LoadError::Faulty { file, line, reason })
        }
    }
}

/// Every sample that fails.
///
/// What a sample is depends on the section: a value (`dicom`, `fhir`, `placeholder`), a field as it
/// stands on the wire (`hl7v2`), a
/// name (`key`, `key_context`, `name_affix`), a code or system (`hl7_identifier_type`,
/// `identifier_system`), an answer of a web service (`service`), a text (`recogniser`, `identifier`),
/// a word (`not_identifier`), what was seen (`suppression`:
/// `client=10.1.2.3 service=10.1.2.9:104 rule=hl7-patient`), or a record (`alert`): `dicom structured: name, birth_date`, with any of
/// `structured`, `context`, `query`, `deidentified` and `burned_in` behind the format.
pub fn test_samples(rules: &RuleSet) -> Vec<SampleFailure> {
    failures(rules, |_| true)
}

fn failures(rules: &RuleSet, of: impl Fn(&RuleInfo) -> bool) -> Vec<SampleFailure> {
    let mut failures = Vec::new();
    for rule in rules.entries.iter().filter(|rule| of(rule)) {
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
        ("recogniser", Some(kind)) => {
            let mut taken = false;
            rules.text.find(sample, |recogniser, value| {
                taken |= *recogniser.rule.id == *rule.id
                    && plausible(kind, value, rules, SAMPLE_TIME)
                    && !is_scrap(kind, value);
            });
            taken
        }
        ("service", _) => {
            let mut parts = sample.splitn(3, " | ");
            let (path, server) = (parts.next()?, parts.next()?);
            let server = if server == "-" { "" } else { server };
            let answer = Answer { path, server, head: parts.next()?.as_bytes() };
            rules.services.shown(&answer).any(|service| service.id == rule.id)
        }
        ("secret", _) => {
            let mut names = rule.subject.split(", ").map(crate::rules::fold);
            rules.services.secret(sample).is_some()
                && names.any(|name| name == crate::rules::fold(sample))
        }
        ("suppression", _) => {
            let own = rules.suppressions.all().iter().find(|s| *s.id == *rule.id)?;
            own.covers_sample(sample)?
        }
        ("identifier", _) => rules.identifiers.takes(&rule.id, sample),
        ("not_identifier", _) => {
            rules.identifiers.is_other(sample)
                && rule
                    .subject
                    .split(", ")
                    .any(|w| crate::rules::fold(w) == crate::rules::fold(sample))
        }
        ("name_affix", _) => rules.placeholders.is_affix(&crate::rules::fold(sample)),
        ("phantom", _) => rules.placeholders.is_phantom(sample),
        ("placeholder", kind) => {
            rules.placeholders.contains(kind.unwrap_or(Kind::Name), &sample.trim().to_lowercase())
        }
        ("test_patient", kind) => {
            rules.test_patients.contains(kind.unwrap_or(Kind::Name), &sample.trim().to_lowercase())
        }
        ("alert", _) => {
            let alert = rules.policy.alerts.iter().find(|a| a.id == rule.id)?;
            let (head, kinds) = sample.split_once(':')?;
            let mut words = head.split_whitespace();
            let content = words.next()?;
            let flags: Vec<&str> = words.collect();
            const FLAGS: [&str; 6] =
                ["structured", "context", "query", "deidentified", "burned_in", "listed"];
            if flags.iter().any(|f| !FLAGS.contains(f)) {
                return None;
            }
            let kinds = kinds.split(',').map(str::trim).filter(|k| !k.is_empty());
            let kinds: Option<Vec<Kind>> = kinds.map(Kind::parse).collect();
            alert.applies(&RecordEvidence {
                content,
                structured: flags.contains(&"structured"),
                kinds: &kinds?,
                patient_context: flags.contains(&"context"),
                query: flags.contains(&"query"),
                deidentified: flags
                    .contains(&"deidentified")
                    .then(|| Deidentified { burned_in: flags.contains(&"burned_in") }),
                listed: flags.contains(&"listed"),
            })
        }
        ("hl7v2", _) => {
            let (segment, number) = rule.subject.split_once('-')?;
            let number: u16 = number.parse().ok()?;
            let fields = rules.hl7v2.segment(segment.as_bytes().try_into().ok()?);
            let (_, field) = fields.iter().find(|(n, f)| *n == number && *f.rule.id == *rule.id)?;
            let mut taken = false;
            hl7v2::read_field(field, sample, &mut |kind, text| {
                taken |= plausible(actual_kind(kind, text), text, rules, SAMPLE_TIME);
            });
            taken
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_samples_hold() {
        let rules = RuleSet::shipped().expect("shipped rules");
        let failures = test_samples(&rules);
        assert!(failures.is_empty(), "{}", samples_text(&rules, &failures));
    }

    #[test]
    fn samples_that_do_not_hold_are_named_with_their_place() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let text = r#"
[[dicom]]
id = "a-tag"
title = "A"
tag = "(0011,0010)"
kind = "birth_date"
match = ["19590102", "no date"]
no_match = ["00000000", "19590103"]

[[key]]
id = "a-key"
title = "A"
names = ["qqq_name"]
kind = "name"
match = ["qqqName", "other_qqq"]
no_match = ["QQQ NAME"]

[[hl7_identifier_type]]
id = "a-code"
title = "A"
code = "QQQ"
kind = "ssn"
match = ["QQQ", "RRR"]

[[identifier_system]]
id = "a-system"
title = "A"
system = "urn:qqq:*"
kind = "ssn"
match = ["urn:qqq:1", "urn:rrr:1"]

[[alert]]
id = "zz-alert"
title = "A"
content = ["qqq"]
any_of = ["ssn"]
patient_context = true
match = ["qqq context: ssn", "qqq: ssn", "qqq oddly: ssn", "qqq context: snn"]
no_match = ["qqq: ssn", "qqq structured: ssn"]
"#;
        std::fs::write(dir.path().join("site.toml"), text).expect("write");
        let rules = RuleSet::load(Some(dir.path())).expect("good rules");
        let mut failures = test_samples(&rules);
        failures.retain(|f| f.source.0.ends_with("site.toml"));
        let mut found: Vec<(&str, &str, bool)> =
            failures.iter().map(|f| (f.rule.as_str(), f.sample.as_str(), f.expected)).collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("a-code", "RRR", true),
                ("a-key", "QQQ NAME", false),
                ("a-key", "other_qqq", true),
                ("a-system", "urn:rrr:1", true),
                ("a-tag", "19590103", false),
                ("a-tag", "no date", true),
                ("zz-alert", "qqq context: snn", true),
                ("zz-alert", "qqq oddly: ssn", true),
                ("zz-alert", "qqq structured: ssn", false),
                ("zz-alert", "qqq: ssn", true),
            ]
        );
        let shown = samples_text(&rules, &failures);
        assert!(shown.contains("site.toml:2: a-tag does not take \"no date\""), "{shown}");
        assert!(shown.contains("site.toml:10: a-key takes \"QQQ NAME\""), "{shown}");
        assert!(shown.trim_end().ends_with("10 failed"), "{shown}");
    }
}
