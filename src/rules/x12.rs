//! `[[x12]]`: elements of X12 (HIPAA 5010) segments that identify a patient. `[[x12_entity]]`:
//! entities (NM101) that are patients or insured persons.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Kind, RuleSet};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// `NM1-09`.
        element: String,
        /// Only if the element before it is one of these qualifiers.
        #[serde(default)]
        qualifier: Vec<String>,
        /// Whether it applies to a plan holder who is not the patient.
        #[serde(default)]
        insured: bool,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// An entity identifier code.
    pub(in crate::rules) struct Entity {
        /// Code as in NM101.
        code: String,
        /// The entity holds a plan, and is a patient only if there is no other.
        #[serde(default)]
        insured: bool,
    }
}

/// An element with its qualifiers.
#[derive(Debug)]
pub struct X12Element {
    /// What it means.
    pub rule: Arc<FieldRule>,
    qualifier: Vec<String>,
}

impl X12Element {
    /// Whether it applies after `qualifier`, the element before it.
    pub fn applies(&self, qualifier: &str) -> bool {
        self.qualifier.is_empty() || self.qualifier.iter().any(|q| q == qualifier)
    }
}

/// Elements by segment and number, and the entities that are patients.
#[derive(Debug, Default)]
pub struct X12Rules {
    segments: HashMap<String, Vec<(u16, X12Element)>>,
    /// Elements of NM1 for a plan holder who is not the patient.
    holder: Vec<(u16, X12Element)>,
    entities: HashSet<String>,
    insured: HashSet<String>,
}

impl X12Rules {
    /// The identifying elements of a segment, in order of number.
    pub fn segment(&self, name: &str) -> &[(u16, X12Element)] {
        self.segments.get(name).map_or(&[], Vec::as_slice)
    }
    /// The elements of NM1 that identify the patient although it names another person, who holds
    /// the plan.
    pub fn plan_holder(&self) -> &[(u16, X12Element)] {
        &self.holder
    }
    /// Whether an entity (NM101) is a patient or insured person.
    pub fn is_patient(&self, entity: &str) -> bool {
        self.entities.contains(entity)
    }
    /// Whether an entity (NM101) holds a plan, and is a patient only if there is no other.
    pub fn is_insured(&self, entity: &str) -> bool {
        self.insured.contains(entity)
    }
}

/// `[[x12]]`.
pub(in crate::rules) struct Elements;

impl Section for Elements {
    const NAME: &'static str = "x12";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.element.clone()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let Some((segment, number)) = parse_element(&entry.element) else {
            return to.fault(format!("element {:?}: write SEG-nn", entry.element));
        };
        let qualifiers: &[String] =
            if entry.qualifier.is_empty() { &[String::new()] } else { &entry.qualifier };
        for qualifier in qualifiers {
            let of = if entry.insured { " of the insured" } else { "" };
            to.claim(format!("{} {qualifier}{of}", entry.element))?;
        }
        let rule = to.field(&entry.common, entry.kind, &entry.element, entry.confidence)?;
        let element = X12Element { rule, qualifier: entry.qualifier.clone() };
        if entry.insured {
            to.rules.x12.holder.push((number, element));
        } else {
            to.rules.x12.segments.entry(segment.to_owned()).or_default().push((number, element));
        }
        Ok(())
    }
    fn finish(rules: &mut RuleSet) {
        for elements in rules.x12.segments.values_mut() {
            elements.sort_by_key(|(number, _)| *number);
        }
    }
    /// A sample is an element in wire format.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (segment, number) = parse_element(&entry.element)?;
        let number = usize::from(number);
        let mut elements = vec![String::new(); number + 1];
        elements[0] = segment.to_owned();
        if segment == "NM1" && number > 2 {
            let holder = with.rules.x12.insured.iter().min();
            let patient = with.rules.x12.entities.iter().min();
            elements[1].clone_from(if entry.insured { holder } else { patient }?);
            elements[2] = "1".to_owned();
        }
        if let Some(qualifier) = entry.qualifier.first() {
            elements[number - 1].clone_from(qualifier);
        }
        elements[number] = sample.to_owned();
        let patient = ["NM1", "QC", "1", "PATIENT", "PAT"].join(ELEMENT);
        let before = if entry.insured { &*patient } else { "" };
        let text = interchange(before, &elements.join(ELEMENT));
        Some(with.takes(&entry.common.id, "text/plain", &text))
    }
}

/// Delimiters for samples, which no sample contains.
const ELEMENT: &str = "\u{1D}";
const TERMINATOR: &str = "\u{1C}";

/// An interchange with these segments in a subscriber loop.
fn interchange(before: &str, segment: &str) -> Vec<u8> {
    let header = ["ISA", "00", "", "00", "", "ZZ", "S", "ZZ", "R", "260101", "0000"];
    let header = [&header[..], &["^", "00501", "1", "0", "P", "\u{1F}"]].concat();
    let segments = [
        &*header.join(ELEMENT),
        &["ST", "837", "1"].join(ELEMENT),
        &["HL", "1", "", "22", "0"].join(ELEMENT),
        before,
        segment,
        &["SE", "1", "1"].join(ELEMENT),
    ];
    segments.map(|segment| format!("{segment}{TERMINATOR}")).concat().into_bytes()
}

/// `[[x12_entity]]`.
pub(in crate::rules) struct Entities;

impl Section for Entities {
    const NAME: &'static str = "x12_entity";
    type Entry = Entity;

    fn subject(entry: &Entity) -> String {
        entry.code.clone()
    }
    fn compile(entry: &Entity, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        to.claim(format!("entity {}", entry.code))?;
        to.rules.x12.entities.insert(entry.code.clone());
        if entry.insured {
            to.rules.x12.insured.insert(entry.code.clone());
        }
        Ok(())
    }
    /// A sample is a code.
    fn takes(entry: &Entity, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(sample == entry.code && with.rules.x12.is_patient(sample))
    }
}

fn parse_element(text: &str) -> Option<(&str, u16)> {
    let (segment, number) = text.split_once('-')?;
    let named = (2..=3).contains(&segment.len())
        && segment.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    Some((segment, number.parse().ok().filter(|n| named && *n > 0)?))
}
