//! `[[health]]`: segments, records and sections that hold health data, and which kind of it.
//! `[[key_context]]` does the same for names in JSON, XML and FHIR.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use serde::Deserialize;
use std::collections::HashMap;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// The kind of health data.
        shows: Health,
        /// HL7 v2 segments, by name.
        #[serde(default)]
        hl7v2: Vec<String>,
        /// X12 segments, by name; `HI:BK` only if an element starts with that qualifier.
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

/// Kinds of health data. The details are never read.
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

/// Kinds of health data, by segment and record.
#[derive(Debug, Default)]
pub struct HealthRules {
    hl7v2: HashMap<[u8; 3], Health, foldhash::fast::FixedState>,
    x12: HashMap<String, Vec<(Option<String>, Health)>, foldhash::fast::FixedState>,
    astm: Vec<(u8, Health)>,
    cda: HashMap<String, Health, foldhash::fast::FixedState>,
}

impl HealthRules {
    /// The health data of an HL7 v2 segment.
    pub fn hl7v2(&self, segment: [u8; 3]) -> Option<Health> {
        self.hl7v2.get(&segment).copied()
    }
    /// The health data of an X12 segment with these elements.
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
    /// The health data of a CDA section with this code.
    pub fn cda(&self, code: &str) -> Option<Health> {
        self.cda.get(code).copied()
    }
    /// The health data of an ASTM record.
    pub fn astm(&self, record: u8) -> Option<Health> {
        self.astm.iter().find(|(r, _)| *r == record).map(|(_, health)| *health)
    }
}

/// Whether the first component of an element is `qualifier`, for any component separator.
fn is_qualified(element: &str, qualifier: &str) -> bool {
    element
        .strip_prefix(qualifier)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// `[[health]]`.
pub(in crate::rules) struct Segments;

impl Section for Segments {
    const NAME: &'static str = "health";
    type Entry = Entry;

    fn subject(entry: &Entry) -> String {
        [&entry.hl7v2[..], &entry.x12, &entry.astm, &entry.cda].concat().join(", ")
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for name in &entry.hl7v2 {
            to.claim(format!("HL7 {name}"))?;
            let Ok(segment) = name.as_bytes().try_into() else {
                return to.fault(format!("hl7v2 {name:?}: write SEG"));
            };
            to.rules.health.hl7v2.insert(segment, entry.shows);
        }
        for name in &entry.x12 {
            to.claim(format!("X12 {name}"))?;
            let (segment, qualifier) = match name.split_once(':') {
                Some((segment, qualifier)) => (segment, Some(qualifier.to_owned())),
                None => (name.as_str(), None),
            };
            let entries = to.rules.health.x12.entry(segment.to_owned()).or_default();
            entries.push((qualifier, entry.shows));
        }
        for name in &entry.astm {
            to.claim(format!("ASTM {name}"))?;
            match name.as_bytes() {
                [record] => to.rules.health.astm.push((*record, entry.shows)),
                _ => return to.fault(format!("astm {name:?}: write a letter")),
            }
        }
        for code in &entry.cda {
            to.claim(format!("CDA {code}"))?;
            to.rules.health.cda.insert(code.clone(), entry.shows);
        }
        Ok(())
    }
    /// A sample is a segment, record or section after its key: `x12 HI:BK`.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (format, name) = sample.split_once(' ')?;
        let rules = &with.rules.health;
        Some(match format {
            "hl7v2" => rules.hl7v2(name.as_bytes().try_into().ok()?) == Some(entry.shows),
            "astm" => rules.astm(*name.as_bytes().first()?) == Some(entry.shows),
            "cda" => rules.cda(name) == Some(entry.shows),
            "x12" => {
                let (segment, qualifier) = name.split_once(':').unwrap_or((name, ""));
                rules.x12(segment, &[qualifier]).any(|shown| shown == entry.shows)
            }
            _ => return None,
        })
    }
}
