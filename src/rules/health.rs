//! `[[health]]`: which segments, records and sections say something of a patient's health, and what kind of
//! thing. Names of JSON, XML and FHIR are told by `[[key_context]]`.

use super::load::{ClaimedSubjects, Compiled, LoadError, RuleInfo, faulty, info, section_entry};
use serde::Deserialize;
use std::collections::HashMap;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// What stands there.
        shows: Health,
        /// HL7 v2 segments, by name.
        #[serde(default)]
        hl7v2: Vec<String>,
        /// X12 segments, by name; `HI:BK` only where an element starts with that qualifier.
        #[serde(default)]
        x12: Vec<String>,
        /// ASTM records, by type.
        #[serde(default)]
        astm: Vec<String>,
        /// Sections of CDA documents, by code (LOINC).
        #[serde(default)]
        cda: Vec<String>,
    }
}

/// What is said of somebody's health, by kind; what it says in particular is never read.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// A diagnosis or problem.
    Diagnosis,
    /// An observation or result.
    Result,
    /// A medication or vaccination.
    Medication,
    /// An allergy or adverse reaction.
    Allergy,
    /// A procedure or service.
    Procedure,
}

/// Kinds of health data by segment and record.
#[derive(Debug, Default)]
pub struct HealthRules {
    hl7v2: HashMap<[u8; 3], Health, foldhash::fast::FixedState>,
    x12: HashMap<String, Vec<(Option<String>, Health)>, foldhash::fast::FixedState>,
    astm: Vec<(u8, Health)>,
    cda: HashMap<String, Health, foldhash::fast::FixedState>,
}

impl HealthRules {
    /// What an HL7 v2 segment shows.
    pub fn hl7v2(&self, segment: [u8; 3]) -> Option<Health> {
        self.hl7v2.get(&segment).copied()
    }
    /// What an X12 segment with these elements shows.
    pub fn x12<'s>(
        &'s self,
        segment: &str,
        elements: &'s [&'s str],
    ) -> impl Iterator<Item = Health> + 's {
        let entries = self.x12.get(segment).map_or(&[][..], Vec::as_slice);
        entries
            .iter()
            .filter(|(qualifier, _)| {
                qualifier.as_ref().is_none_or(|q| elements.iter().any(|e| is_qualified(e, q)))
            })
            .map(|(_, health)| *health)
    }
    /// What a section of a CDA document with this code shows.
    pub fn cda(&self, code: &str) -> Option<Health> {
        self.cda.get(code).copied()
    }
    /// What an ASTM record shows.
    pub fn astm(&self, record: u8) -> Option<Health> {
        self.astm.iter().find(|(r, _)| *r == record).map(|(_, health)| *health)
    }
}

/// Whether the first component of an element, whatever separates components, is `qualifier`.
fn is_qualified(element: &str, qualifier: &str) -> bool {
    element
        .strip_prefix(qualifier)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

pub(in crate::rules) fn compile(
    entries: Compiled<Entry>,
    list: &mut Vec<RuleInfo>,
) -> Result<HealthRules, LoadError> {
    let mut rules = HealthRules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in entries {
        for name in &entry.hl7v2 {
            taken.take(format!("HL7 {name}"), &entry.common.id, &source)?;
            let segment = name.as_bytes().try_into();
            let segment =
                segment.map_err(|_| faulty(&source, format!("hl7v2 {name:?}: write SEG")))?;
            rules.hl7v2.insert(segment, entry.shows);
        }
        for name in &entry.x12 {
            taken.take(format!("X12 {name}"), &entry.common.id, &source)?;
            let (segment, qualifier) = match name.split_once(':') {
                Some((segment, qualifier)) => (segment, Some(qualifier.to_owned())),
                None => (name.as_str(), None),
            };
            rules.x12.entry(segment.to_owned()).or_default().push((qualifier, entry.shows));
        }
        for name in &entry.astm {
            taken.take(format!("ASTM {name}"), &entry.common.id, &source)?;
            match name.as_bytes() {
                [record] => rules.astm.push((*record, entry.shows)),
                _ => return Err(faulty(&source, format!("astm {name:?}: write a letter"))),
            }
        }
        for code in &entry.cda {
            taken.take(format!("CDA {code}"), &entry.common.id, &source)?;
            rules.cda.insert(code.clone(), entry.shows);
        }
        let all = [&entry.hl7v2[..], &entry.x12, &entry.astm, &entry.cda];
        let subject = all.concat().join(", ");
        list.push(info("health", &entry.common, None, subject, &source));
    }
    Ok(rules)
}
