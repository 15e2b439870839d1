//! `[[alert]]`: which evidence in which formats raises an alert. `[severity]`: its severity.
//! `[access]`: what proves that a service answers anyone.

use super::Kind;
use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use serde::Deserialize;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// Formats it applies to (`dicom`, `fhir`, ...), `*` for all.
        content: Vec<String>,
        /// At least one of these kinds must be present.
        any_of: Vec<Kind>,
        /// All of these kinds must be present.
        #[serde(default)]
        all_of: Vec<Kind>,
        /// Number of different kinds that must be present, sex not counted.
        #[serde(default = "one")]
        kinds: u8,
        /// Only structured medical records (data sets, messages, resources).
        #[serde(default)]
        structured: bool,
        /// Words or structure must show that the record is about a patient.
        #[serde(default)]
        patient_context: bool,
        /// One of the numbers must come from a list of valid numbers.
        #[serde(default)]
        listed: bool,
        /// Whether it also applies to queries (C-FIND keys, search forms).
        #[serde(default = "yes")]
        query: bool,
        /// Applies only to records declared as de-identified, and to the kinds that were left
        /// behind. Other alerts never apply to such records.
        #[serde(default)]
        deidentified: bool,
        /// An image that shows identifiers counts as one of `any_of`.
        #[serde(default)]
        burned_in: bool,
    }
}

const fn one() -> u8 {
    1
}

const fn yes() -> bool {
    true
}

/// `[deidentified]`: what a record that is declared as de-identified may contain.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::rules) struct DeidentifiedEntry {
    /// Kinds whose values are pseudonyms in such records.
    pseudonymous: Vec<Kind>,
    /// Fields that de-identification empties. Any value in them was left behind, whatever its kind.
    /// A trailing `*` matches any rest, `private` all private attributes.
    #[serde(default)]
    emptied: Vec<String>,
}

/// Points of the severity score, summed and capped at 100.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct SeverityEntry {
    /// For any finding.
    pub base: u8,
    /// One end is outside the home networks.
    pub external: u8,
    /// No login was required.
    pub no_authentication: u8,
    /// The service was seen to accept any client.
    pub answers_anyone: u8,
    /// A secret crossed in clear.
    pub credentials_in_clear: u8,
    /// A number used for fraud (ssn, national_id, insurance_number, drivers_licence).
    pub fraud_id: u8,
    /// Health data beside the identifiers.
    pub health: u8,
    /// Subtracted for test data.
    pub test: u8,
    /// Subtracted if the record is declared as de-identified.
    pub deidentified: u8,
    /// The exposure has at least ten patients.
    pub patients_10: u8,
    /// The exposure has at least 500 patients (45 CFR 164.408).
    pub patients_500: u8,
}

impl Default for SeverityEntry {
    fn default() -> Self {
        Self {
            base: 45,
            external: 30,
            no_authentication: 8,
            answers_anyone: 5,
            credentials_in_clear: 10,
            fraud_id: 10,
            health: 10,
            test: 30,
            deidentified: 25,
            patients_10: 5,
            patients_500: 15,
        }
    }
}

/// `[access]`: what proves that a DICOM service accepts any client.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct AccessRules {
    /// Default calling application entity titles of common tools.
    default_titles: Vec<String>,
    /// Number of titles under which one host was accepted that proves it.
    titles_of_one_client: u32,
}

impl Default for AccessRules {
    fn default() -> Self {
        Self { default_titles: Vec::new(), titles_of_one_client: u32::MAX }
    }
}

impl AccessRules {
    /// For tests.
    #[cfg(test)]
    pub(crate) fn of(titles: &[&str], titles_of_one_client: u32) -> Self {
        let default_titles = titles.iter().map(|t| (*t).to_owned()).collect();
        Self { default_titles, titles_of_one_client }
    }
    /// Whether `title` is a default of a common tool.
    pub fn is_default_title(&self, title: &str) -> bool {
        self.default_titles.iter().any(|t| t.eq_ignore_ascii_case(title))
    }
    /// Number of titles under which one host must have been accepted.
    pub fn titles_of_one_client(&self) -> u32 {
        self.titles_of_one_client.max(2)
    }
}

/// The evidence in a record.
#[derive(Clone, Copy, Debug)]
pub struct RecordEvidence<'a> {
    /// The format that found it.
    pub content: &'a str,
    /// Whether that format is a structured medical record.
    pub structured: bool,
    /// Kinds of its identifiers, each once.
    pub kinds: &'a [Kind],
    /// Whether words or structure show that it is about a patient. A structured record always is.
    pub patient_context: bool,
    /// Whether it is a query for a patient.
    pub query: bool,
    /// Set if the record is declared as de-identified; `kinds` are then those left behind.
    pub deidentified: Option<Deidentified>,
    /// Whether a number comes from a list of valid numbers.
    pub listed: bool,
}

/// Details of a record that is declared as de-identified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deidentified {
    /// Whether the image itself shows identifiers.
    pub burned_in: bool,
}

/// A rule that raises an alert.
#[derive(Debug)]
pub struct AlertRule {
    /// `rule.id` of events.
    pub id: String,
    /// `rule.name` of events.
    pub name: String,
    content: Vec<String>,
    any_of: Vec<Kind>,
    all_of: Vec<Kind>,
    kinds: u8,
    structured: bool,
    patient_context: bool,
    query: bool,
    deidentified: bool,
    burned_in: bool,
    listed: bool,
}

impl AlertRule {
    /// Whether a record is enough evidence.
    pub fn applies(&self, record: &RecordEvidence<'_>) -> bool {
        let counted = record.kinds.iter().filter(|k| !k.is_weak()).count();
        if self.deidentified != record.deidentified.is_some() {
            return false;
        }
        let shown = self.burned_in && record.deidentified.is_some_and(|d| d.burned_in);
        self.content.iter().any(|c| c == "*" || c == record.content)
            && (record.structured || !self.structured)
            && (record.structured || record.patient_context || !self.patient_context)
            && (self.query || !record.query)
            && (record.listed || !self.listed)
            && (shown || counted >= usize::from(self.kinds))
            && (shown || self.any_of.iter().any(|k| record.kinds.contains(k)))
            && self.all_of.iter().all(|k| record.kinds.contains(k))
    }
}

/// The policy.
#[derive(Debug, Default)]
pub struct Policy {
    /// In order of id; the first that applies names the alert.
    pub alerts: Vec<Arc<AlertRule>>,
    /// Points of the severity score.
    pub severity: SeverityEntry,
    /// What proves that a DICOM service accepts any client.
    pub access: AccessRules,
    pseudonymous: Vec<Kind>,
    emptied: Vec<String>,
}

impl Policy {
    /// The alert that a record raises, if any.
    pub fn alert(&self, record: &RecordEvidence<'_>) -> Option<&Arc<AlertRule>> {
        self.alerts.iter().find(|a| a.applies(record))
    }
    /// Whether this field holds a pseudonym in a de-identified record.
    pub fn is_pseudonymous(&self, kind: Kind, field: &str) -> bool {
        // Private attributes are named with their creator: `(0011,xx04) of ...`.
        let emptied = |entry: &String| match entry.strip_suffix('*') {
            Some(prefix) => field.starts_with(prefix),
            None => entry == field || entry == "private" && field.contains(",xx"),
        };
        self.pseudonymous.contains(&kind) && !self.emptied.iter().any(emptied)
    }
}

impl Policy {
    /// Takes the tables that are not entries.
    pub(in crate::rules) fn configure(
        &mut self,
        deidentified: DeidentifiedEntry,
        severity: SeverityEntry,
        access: AccessRules,
    ) {
        self.pseudonymous = deidentified.pseudonymous;
        self.emptied = deidentified.emptied;
        self.severity = severity;
        self.access = access;
    }
}

/// `[[alert]]`.
pub(in crate::rules) struct Alerts;

impl Section for Alerts {
    const NAME: &'static str = "alert";
    type Entry = Entry;

    fn subject(entry: &Entry) -> String {
        entry.content.join(", ")
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        if entry.content.is_empty() {
            return to.fault("content is empty: name formats, or \"*\" for all");
        }
        if entry.any_of.is_empty() {
            return to.fault("any_of is empty: this alert could never be made");
        }
        if entry.kinds == 0 {
            return to.fault("kinds is 0: at least one kind must be there");
        }
        to.rules.policy.alerts.push(Arc::new(AlertRule {
            id: entry.common.id.clone(),
            name: entry.common.title.clone(),
            content: entry.content.clone(),
            any_of: entry.any_of.clone(),
            all_of: entry.all_of.clone(),
            kinds: entry.kinds,
            structured: entry.structured,
            patient_context: entry.patient_context,
            query: entry.query,
            deidentified: entry.deidentified,
            burned_in: entry.burned_in,
            listed: entry.listed,
        }));
        Ok(())
    }
    /// A sample is a record: `dicom structured: name, birth_date`, with any of [`FLAGS`] after the
    /// format.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let alert = with.rules.policy.alerts.iter().find(|alert| alert.id == entry.common.id)?;
        let (head, kinds) = sample.split_once(':')?;
        let mut words = head.split_whitespace();
        let content = words.next()?;
        let flags: Vec<&str> = words.collect();
        if flags.iter().any(|flag| !FLAGS.contains(flag)) {
            return None;
        }
        let has = |flag| flags.contains(&flag);
        let kinds = kinds.split(',').map(str::trim).filter(|k| !k.is_empty());
        let kinds: Vec<Kind> = kinds.map(Kind::parse).collect::<Option<_>>()?;
        Some(alert.applies(&RecordEvidence {
            content,
            structured: has("structured"),
            kinds: &kinds,
            patient_context: has("context"),
            query: has("query"),
            deidentified: has("deidentified").then(|| Deidentified { burned_in: has("burned_in") }),
            listed: has("listed"),
        }))
    }
}

/// Flags of a record in a sample.
const FLAGS: [&str; 6] = ["structured", "context", "query", "deidentified", "burned_in", "listed"];
