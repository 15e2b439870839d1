//! Runs the `match` and `no_match` samples of rules, for `phitap rules test`.

use super::collector::accepted;
use super::plausible::{is_scrap, plausible};
use crate::content::{
    ContentCounters, ContentId, Contents, Direction, Ending, Env, Field, FieldSink, Mark, Media,
    RecordHead, ServiceFacts,
};
use crate::protocol::Hint;
use crate::rules::{
    Kind, LoadError, RuleInfo, RuleSet, SHIPPED, SampleFailure, SampleField, SampleReader,
};
use crate::time::Timestamp;
use std::fmt::Write;
use std::path::Path;

/// Time at which samples are seen (2026-01-01): rules are tested without a clock.
const SAMPLE_TIME: Timestamp = Timestamp(1_767_225_600 * 1_000_000_000);

/// The shipped rules, extended and overridden by those of `dir`, whose own samples must hold. (Those of
/// the shipped ones are tested before they ship; `phitap rules test` runs all.)
///
/// # Errors
/// As [`RuleSet::load`], and the samples that do not hold, with the line of their rule.
pub fn load_rules(dir: Option<&Path>) -> Result<RuleSet, LoadError> {
    let rules = RuleSet::load(dir)?;
    let own = |rule: &RuleInfo| SHIPPED.iter().all(|(name, _)| *name != rule.source.0);
    let failures = rules.failing_samples(&Reader, own);
    if failures.is_empty() { Ok(rules) } else { Err(LoadError::Samples(failures)) }
}

/// Every sample that fails.
pub fn test_samples(rules: &RuleSet) -> Vec<SampleFailure> {
    rules.failing_samples(&Reader, |_| true)
}

/// Reads samples as a worker reads traffic.
struct Reader;

impl SampleReader for Reader {
    fn read(&self, rules: &RuleSet, content_type: &str, bytes: &[u8]) -> Vec<SampleField> {
        let (mut contents, mut sink) =
            (Contents::default(), MatchedRules { rules, fields: Vec::new() });
        let (mut facts, mut counters) = (ServiceFacts::default(), ContentCounters::default());
        let mut env = Env { rules, sink: &mut sink, facts: &mut facts, counters: &mut counters };
        let id = contents.open(&Hint {
            direction: Direction::ClientToServer,
            media: Media::Type { content_type, name: "" },
            operation: "",
            codings: &[],
            layer: "",
        });
        contents.data(id, bytes, &mut env);
        contents.close(id, Ending::Complete, &mut env);
        sink.fields
    }

    fn accepts_found(&self, rules: &RuleSet, kind: Kind, value: &str) -> bool {
        plausible(kind, value, rules, SAMPLE_TIME) && !is_scrap(kind, value)
    }
}

/// Notes which rules matched a possible identifier.
struct MatchedRules<'a> {
    rules: &'a RuleSet,
    fields: Vec<SampleField>,
}

impl FieldSink for MatchedRules<'_> {
    fn begin(&mut self, _at: ContentId, _head: RecordHead<'_>) {}
    fn field(&mut self, _at: ContentId, field: Field<'_>) {
        if accepted(&field, field.value.expose(), self.rules, SAMPLE_TIME).is_some() {
            let (rule, field) = (field.rule.to_owned(), field.name.to_owned());
            self.fields.push(SampleField { rule, field });
        }
    }
    fn mark(&mut self, _at: ContentId, _mark: Mark) {}
    fn end(&mut self, _at: ContentId, _facts: &ServiceFacts) {}
}

/// The result of [`test_samples`] as text: one line per failure, and a total.
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
    fn shipped_samples_hold_with_parts_that_are_read_when_needed() {
        let entries = RuleSet::shipped().expect("shipped rules").entries;
        let rules = RuleSet { entries, ..RuleSet::when_needed() };
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

    /// An entry for a place that no document has is refused, however plausible its samples are.
    #[test]
    fn samples_are_read_where_their_rule_looks() {
        let entry = |section: &str, place: &str| {
            format!(
                "[[{section}]]\nid = \"site-{section}\"\ntitle = \"A\"\n{place}\nkind = \"name\"\n\
                 match = [\"Roe^Jane\"]\nno_match = [\"^^^\"]\n\n"
            )
        };
        let faulty = [
            ("x12", "element = \"ZZ9-77\"\nqualifier = [\"NEVER\"]"),
            ("edifact", "field = \"ZZZ-99.99\"\nqualifier = [\"NEVER\"]"),
            ("xml", "dialect = \"no-such-dialect\"\npaths = [\"Nothing/At/All\"]"),
            ("hl7v2", "field = \"PID-999\"\ndatatype = \"XPN\""),
            ("dicom", "tag = \"(0028,0010)\""),
        ];
        let sound = [
            ("x12", "element = \"ZZ9-7\"\nqualifier = [\"Q\"]"),
            ("edifact", "field = \"ZZZ-9.9\"\nqualifier = [\"Q\"]"),
            ("xml", "dialect = \"script\"\npaths = [\"Person/Known\"]"),
            ("hl7v2", "field = \"PID-77\"\ndatatype = \"XPN\""),
            ("dicom", "tag = \"(0011,0010)\""),
        ];
        let load = |entries: &[(&str, &str)]| {
            let dir = tempfile::tempdir().expect("temporary folder");
            let text: String = entries.iter().map(|(s, place)| entry(s, place)).collect();
            std::fs::write(dir.path().join("site.toml"), text).expect("write");
            load_rules(Some(dir.path()))
        };
        for entry in faulty {
            let error = load(&[entry]).err().unwrap_or_else(|| panic!("{entry:?}")).to_string();
            let reason = format!("site.toml:1: match of \"site-{}\": \"Roe^Jane\"", entry.0);
            assert!(error.contains(&reason) && error.lines().count() == 1, "{error}");
        }
        let error = load(&faulty[..3]).err().unwrap_or_else(|| panic!("taken")).to_string();
        assert_eq!(error.lines().count(), 3, "{error}");
        assert!(load(&sound).is_ok(), "{:?}", load(&sound).err().map(|e| e.to_string()));
    }
}
