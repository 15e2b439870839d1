//! `[[alert]]`: which evidence in which contents makes an alert; `[severity]`: how bad it is.

use super::Kind;
use super::load::{Common, Compiled, LoadError, RuleInfo, SectionEntry, faulty, info};
use serde::Deserialize;
use std::sync::Arc;

/// An entry as written.
#[derive(Deserialize)]
pub(in crate::rules) struct Entry {
    #[serde(flatten)]
    common: Common,
    /// Formats it applies to (`dicom`, `fhir`, ...), `*` for all.
    content: Vec<String>,
    /// At least one of these kinds must be there.
    any_of: Vec<Kind>,
    /// How many different kinds must be there, sex not counted.
    #[serde(default = "one")]
    kinds: u8,
    /// Words or structure must say that it is about a patient.
    #[serde(default)]
    patient_context: bool,
    /// Whether it also applies to questions (C-FIND keys, search forms).
    #[serde(default = "yes")]
    query: bool,
}

const fn one() -> u8 {
    1
}

const fn yes() -> bool {
    true
}

impl SectionEntry for Entry {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// Points of a severity score, added up and capped at 100.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct SeverityEntry {
    /// Any disclosure.
    pub base: u8,
    /// One end is not in the home networks.
    pub external: u8,
    /// Nobody had to log in.
    pub no_authentication: u8,
    /// A secret crossed in clear.
    pub credentials_in_clear: u8,
    /// A number that is stolen for fraud (ssn, national_id, insurance_number, drivers_licence).
    pub fraud_id: u8,
    /// Health data beside the identifiers.
    pub health: u8,
    /// Taken off for test data.
    pub test: u8,
    /// Taken off where the source says it was de-identified.
    pub deidentified: u8,
    /// An exposure of at least ten patients.
    pub patients_10: u8,
    /// An exposure of at least 500 patients (45 CFR 164.408).
    pub patients_500: u8,
}

impl Default for SeverityEntry {
    fn default() -> Self {
        Self {
            base: 45,
            external: 30,
            no_authentication: 8,
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

/// What makes an alert.
#[derive(Debug)]
pub struct AlertRule {
    /// `rule.id` of events.
    pub id: String,
    /// `rule.name` of events.
    pub name: String,
    content: Vec<String>,
    any_of: Vec<Kind>,
    kinds: u8,
    patient_context: bool,
    query: bool,
}

impl AlertRule {
    /// Whether a record of `content` with these kinds is enough.
    pub fn applies(
        &self,
        content: &str,
        kinds: &[Kind],
        patient_context: bool,
        query: bool,
    ) -> bool {
        let mut distinct: Vec<Kind> = kinds.iter().copied().filter(|k| *k != Kind::Sex).collect();
        distinct.sort_unstable();
        distinct.dedup();
        self.content.iter().any(|c| c == content || c == "*")
            && distinct.iter().any(|k| self.any_of.contains(k))
            && distinct.len() >= usize::from(self.kinds)
            && (patient_context || !self.patient_context)
            && (!query || self.query)
    }
}

/// The whole policy.
#[derive(Debug, Default)]
pub struct Policy {
    /// In order of id; the first that applies names the alert.
    pub alerts: Vec<Arc<AlertRule>>,
    /// Points of the severity score.
    pub severity: SeverityEntry,
}

impl Policy {
    /// The alert that a record makes, if it makes one.
    pub fn alert(
        &self,
        content: &str,
        kinds: &[Kind],
        patient_context: bool,
        query: bool,
    ) -> Option<&Arc<AlertRule>> {
        self.alerts.iter().find(|a| a.applies(content, kinds, patient_context, query))
    }
}

pub(in crate::rules) fn compile(
    alerts: Compiled<Entry>,
    severity: SeverityEntry,
    list: &mut Vec<RuleInfo>,
) -> Result<Policy, LoadError> {
    let mut policy = Policy { alerts: Vec::new(), severity };
    for (_, (entry, source)) in alerts {
        if entry.any_of.is_empty() {
            return Err(faulty(&source, "any_of is empty: this alert could never be made"));
        }
        list.push(info("alert", &entry.common, None, entry.content.join(", "), &source));
        policy.alerts.push(Arc::new(AlertRule {
            id: entry.common.id,
            name: entry.common.title,
            content: entry.content,
            any_of: entry.any_of,
            kinds: entry.kinds,
            patient_context: entry.patient_context,
            query: entry.query,
        }));
    }
    Ok(policy)
}
