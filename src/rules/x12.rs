//! `[[x12]]`: elements of X12 (HIPAA 5010) segments that identify a patient; `[[x12_entity]]`: which
//! entities (NM101) are patients or insured persons.

use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, faulty, field_rule, info, section_entry,
};
use super::{FieldRule, Kind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// `NM1-09`.
        element: String,
        /// Only where the element before it is one of these qualifiers.
        #[serde(default)]
        qualifier: Vec<String>,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// An entity identifier code.
    pub(in crate::rules) struct Entity {
        /// As in NM101.
        code: String,
    }
}

/// An element with the qualifiers it depends on.
#[derive(Debug)]
pub struct X12Element {
    /// What it means.
    pub rule: Arc<FieldRule>,
    qualifier: Vec<String>,
}

impl X12Element {
    /// Whether it means this behind `qualifier`, the element before it.
    pub fn applies(&self, qualifier: &str) -> bool {
        self.qualifier.is_empty() || self.qualifier.iter().any(|q| q == qualifier)
    }
}

/// Elements by segment and number, and the entities that are patients.
#[derive(Debug, Default)]
pub struct X12Rules {
    segments: HashMap<String, Vec<(u16, X12Element)>>,
    entities: HashSet<String>,
}

impl X12Rules {
    /// The identifying elements of a segment, in order of number.
    pub fn segment(&self, name: &str) -> &[(u16, X12Element)] {
        self.segments.get(name).map_or(&[], Vec::as_slice)
    }
    /// Whether an entity (NM101) is a patient or insured person.
    pub fn is_patient(&self, entity: &str) -> bool {
        self.entities.contains(entity)
    }
}

pub(in crate::rules) fn compile(
    elements: Compiled<Entry>,
    entities: Compiled<Entity>,
    list: &mut Vec<RuleInfo>,
) -> Result<X12Rules, LoadError> {
    let mut rules = X12Rules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in elements {
        let (segment, number) = parse_element(&entry.element)
            .ok_or_else(|| faulty(&source, format!("element {:?}: write SEG-nn", entry.element)))?;
        list.push(info("x12", &entry.common, Some(entry.kind), entry.element.clone(), &source));
        let qualifiers: &[String] =
            if entry.qualifier.is_empty() { &[String::new()] } else { &entry.qualifier };
        for qualifier in qualifiers {
            taken.take(format!("{} {qualifier}", entry.element), &entry.common.id, &source)?;
        }
        let rule =
            field_rule(&entry.common, entry.kind, &entry.element, entry.confidence, &source)?;
        let element = X12Element { rule, qualifier: entry.qualifier };
        rules.segments.entry(segment.to_owned()).or_default().push((number, element));
    }
    for elements in rules.segments.values_mut() {
        elements.sort_by_key(|(number, _)| *number);
    }
    for (_, (entity, source)) in entities {
        list.push(info("x12_entity", &entity.common, None, entity.code.clone(), &source));
        taken.take(format!("entity {}", entity.code), &entity.common.id, &source)?;
        rules.entities.insert(entity.code);
    }
    Ok(rules)
}

fn parse_element(text: &str) -> Option<(&str, u16)> {
    let (segment, number) = text.split_once('-')?;
    let named = (2..=3).contains(&segment.len())
        && segment.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    Some((segment, number.parse().ok().filter(|n| named && *n > 0)?))
}
