//! `[[fhir]]`: elements of FHIR resources that identify a patient; `[[identifier_system]]`: what the
//! `system` (or OID) of an identifier says of it.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
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

/// `[[fhir]]`.
pub(in crate::rules) struct Elements;

impl Section for Elements {
    const NAME: &'static str = "fhir";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.path.clone()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let Some((resource, path)) = entry.path.split_once('.') else {
            return to.fault(format!("path {:?}: write Resource.element", entry.path));
        };
        to.claim(entry.path.clone())?;
        let rule = to.field(&entry.common, entry.kind, &entry.path, entry.confidence)?;
        let rules = &mut to.rules.fhir;
        rules.names.extend(path.split('.').map(str::to_owned));
        let mut place = rules.resources.entry(resource.to_owned()).or_default();
        for name in path.split('.') {
            place = place.below.entry(name.into()).or_default();
        }
        place.element = Some(FhirElement { rule, datatype: entry.datatype });
        Ok(())
    }
    /// A sample is a value.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (resource, path) = entry.path.split_once('.')?;
        let part = match entry.datatype {
            FhirType::HumanName | FhirType::Address => "text",
            FhirType::Identifier | FhirType::ContactPoint => "value",
            FhirType::Reference => "display",
            FhirType::Primitive => "",
        };
        let mut value = serde_json::Value::from(sample);
        if !part.is_empty() {
            value = serde_json::json!({ part: value });
        }
        for name in path.rsplit('.') {
            value = serde_json::json!({ name: value });
        }
        value.as_object_mut()?.insert("resourceType".to_owned(), resource.into());
        let text = value.to_string();
        Some(with.takes(&entry.common.id, "application/fhir+json", text.as_bytes()))
    }
}

/// `[[identifier_system]]`.
pub(in crate::rules) struct Systems;

impl Section for Systems {
    const NAME: &'static str = "identifier_system";
    type Entry = IdentifierSystem;

    fn kind(entry: &IdentifierSystem) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &IdentifierSystem) -> String {
        entry.system.clone()
    }
    fn compile(entry: &IdentifierSystem, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        to.claim(entry.system.clone())?;
        match entry.system.strip_suffix('*') {
            Some(prefix) => to.rules.fhir.prefixes.push((prefix.to_owned(), entry.kind)),
            None => {
                to.rules.fhir.systems.insert(entry.system.clone(), entry.kind);
            }
        }
        Ok(())
    }
    /// A sample is a system.
    fn takes(entry: &IdentifierSystem, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = match entry.system.strip_suffix('*') {
            Some(prefix) => sample.starts_with(prefix),
            None => sample == entry.system,
        };
        Some(named && with.rules.fhir.system(sample) == Some(entry.kind))
    }
}
