//! Runs `match` and `no_match` samples through the code that reads traffic.
//!
//! A section that names a place in a format (a tag, a segment, a path) builds a small document with
//! the sample in that place. Reading documents takes later stages, which pass in a
//! [`SampleReader`].

use super::{Kind, RuleInfo, RuleSet};

/// Reads the documents that sections build from samples.
pub trait SampleReader {
    /// Reads `bytes` as content of this media type, and returns the fields found.
    fn read(&self, rules: &RuleSet, content_type: &str, bytes: &[u8]) -> Vec<SampleField>;
    /// Whether a value that a recogniser found in text is acceptable as an identifier of its kind.
    fn accepts_found(&self, rules: &RuleSet, kind: Kind, value: &str) -> bool;
}

/// A field found in a sample document.
#[derive(Debug)]
pub struct SampleField {
    /// The rule's id.
    pub rule: String,
    /// The field in the rule's notation.
    pub field: String,
}

/// A sample that its rule treated differently than declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFailure {
    /// The rule's id.
    pub rule: String,
    /// File and line of the rule.
    pub source: (String, usize),
    /// The sample. It comes from the rule file, never from traffic.
    pub sample: String,
    /// Whether the rule should have accepted it.
    pub expected: bool,
}

/// What is needed to run samples.
pub(in crate::rules) struct Samples<'a> {
    pub rules: &'a RuleSet,
    pub reader: &'a dyn SampleReader,
}

impl Samples<'_> {
    /// Whether the rule `id` finds a field in this document.
    pub fn takes(&self, id: &str, content_type: &str, bytes: &[u8]) -> bool {
        self.reader.read(self.rules, content_type, bytes).iter().any(|field| field.rule == id)
    }
}

impl RuleSet {
    /// All failing samples of the entries that `of` selects.
    pub fn failing_samples(
        &self,
        reader: &dyn SampleReader,
        of: impl Fn(&RuleInfo) -> bool,
    ) -> Vec<SampleFailure> {
        let with = Samples { rules: self, reader };
        let mut failures = Vec::new();
        for info in self.entries.iter().filter(|info| of(info)) {
            let samples = info.matches.iter().map(|s| (s, true));
            for (sample, expected) in samples.chain(info.no_matches.iter().map(|s| (s, false))) {
                if info.rule.takes(sample, &with) != Some(expected) {
                    failures.push(SampleFailure {
                        rule: info.id.clone(),
                        source: info.source.clone(),
                        sample: sample.clone(),
                        expected,
                    });
                }
            }
        }
        failures
    }
}
