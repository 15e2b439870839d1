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

/// A place in the tree of element names below a resource type: a reader goes down it name by name.
#[derive(Debug, Default)]
pub struct FhirPath {
    element: Option<FhirElement>,
    below: HashMap<Box<str>, FhirPath, foldhash::fast::FixedState>,
}

impl FhirPath {
    /// The place of the name `name` below this one.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.below.get(name)
    }
    /// The element of a rule that ends here.
    pub const fn element(&self) -> Option<&FhirElement> {
        self.element.as_ref()
    }
}

/// Elements by resource type and path below it.
#[derive(Debug, Default)]
pub struct FhirRules {
    resources: HashMap<String, FhirPath, foldhash::fast::FixedState>,
    systems: HashMap<String, Kind>,
    prefixes: Vec<(String, Kind)>,
    names: std::collections::HashSet<String, foldhash::fast::FixedState>,
}

impl FhirRules {
    /// Whether a resource type has identifying elements.
    pub fn is_person(&self, resource_type: &str) -> bool {
        self.resources.contains_key(resource_type)
    }
    /// Where the paths of a resource type begin.
    pub fn resource(&self, resource_type: &str) -> Option<&FhirPath> {
        self.resources.get(resource_type)
    }
    /// The element at `path` (`birthDate`, `contact.name`) of a resource type.
    pub fn element(&self, resource_type: &str, path: &str) -> Option<&FhirElement> {
        let mut place = self.resource(resource_type)?;
        for name in path.split('.') {
            place = place.child(name)?;
        }
        place.element()
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
        let mut place = rules.resources.entry(resource.to_owned()).or_default();
        for name in path.split('.') {
            place = place.below.entry(name.into()).or_default();
        }
        place.element = Some(FhirElement { rule, datatype: entry.datatype });
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
