//! `[[fhir]]`: elements of FHIR resources that identify a patient; `[[identifier_system]]`: what the
//! `system` (or OID) of an identifier says of it.

use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, faulty, field_rule, info, section_entry,
};
use super::{FieldRule, Kind};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// `Patient.birthDate`.
        path: String,
        datatype: FhirType,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// A naming system.
    pub(in crate::rules) struct IdentifierSystem {
        /// URL or `urn:oid:...`, whole or ending in `*`.
        system: String,
        kind: Kind,
    }
}

/// FHIR data types of identifying elements.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FhirType {
    /// `family`, `given`, `text`.
    HumanName,
    /// `system`, `value`, `type`.
    Identifier,
    /// `line`, `city`, `postalCode`, `text`.
    Address,
    /// `system` (phone, email, fax...) and `value`.
    ContactPoint,
    /// A bare string, date or code.
    Primitive,
    /// `display` of a reference.
    Reference,
}

/// An element with the shape of its value.
#[derive(Debug)]
pub struct FhirElement {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// How it is put together.
    pub datatype: FhirType,
}

/// Elements by resource type and path below it.
#[derive(Debug, Default)]
pub struct FhirRules {
    elements: HashMap<String, HashMap<String, FhirElement>>,
    systems: HashMap<String, Kind>,
    prefixes: Vec<(String, Kind)>,
    names: std::collections::HashSet<String, foldhash::fast::FixedState>,
}

impl FhirRules {
    /// Whether a resource type has identifying elements.
    pub fn is_person(&self, resource_type: &str) -> bool {
        self.elements.contains_key(resource_type)
    }
    /// The element at `path` (`birthDate`, `contact.name`) of a resource type.
    pub fn element(&self, resource_type: &str, path: &str) -> Option<&FhirElement> {
        self.elements.get(resource_type)?.get(path)
    }
    /// Whether `name` is part of the path of any element (`contact` of `contact.name`).
    pub fn mentions(&self, name: &str) -> bool {
        self.names.contains(name)
    }
    /// What a naming system stands for.
    pub fn system(&self, system: &str) -> Option<Kind> {
        self.systems.get(system).copied().or_else(|| {
            self.prefixes.iter().find(|(p, _)| system.starts_with(p.as_str())).map(|(_, k)| *k)
        })
    }
}

pub(in crate::rules) fn compile(
    elements: Compiled<Entry>,
    systems: Compiled<IdentifierSystem>,
    list: &mut Vec<RuleInfo>,
) -> Result<FhirRules, LoadError> {
    let mut rules = FhirRules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in elements {
        let (resource, path) = entry.path.split_once('.').ok_or_else(|| {
            faulty(&source, format!("path {:?}: write Resource.element", entry.path))
        })?;
        list.push(info("fhir", &entry.common, Some(entry.kind), entry.path.clone(), &source));
        taken.take(entry.path.clone(), &entry.common.id, &source)?;
        let rule = field_rule(&entry.common, entry.kind, &entry.path, entry.confidence, &source)?;
        rules.names.extend(path.split('.').map(str::to_owned));
        rules
            .elements
            .entry(resource.to_owned())
            .or_default()
            .insert(path.to_owned(), FhirElement { rule, datatype: entry.datatype });
    }
    for (_, (entry, source)) in systems {
        list.push(info(
            "identifier_system",
            &entry.common,
            Some(entry.kind),
            entry.system.clone(),
            &source,
        ));
        taken.take(entry.system.clone(), &entry.common.id, &source)?;
        match entry.system.strip_suffix('*') {
            Some(prefix) => rules.prefixes.push((prefix.to_owned(), entry.kind)),
            None => {
                rules.systems.insert(entry.system, entry.kind);
            }
        }
    }
    Ok(rules)
}
