//! `[[fhir]]`: elements of FHIR resources that identify a patient. `[[fhir_reference]]`: references
//! that name the patient of a resource. `[[identifier_system]]`: what the `system` (or OID) of an
//! identifier shows about it.

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
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// `Patient.birthDate`.
        path: String,
        /// Further paths with the same meaning.
        #[serde(default)]
        also: Vec<String>,
        datatype: FhirType,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// An identifier system.
    pub(in crate::rules) struct IdentifierSystem {
        /// A URL or `urn:oid:...`; a trailing `*` matches any rest.
        system: String,
        kind: Kind,
    }
}

section_entry! {
    /// Elements that refer to the patient of a resource.
    pub(in crate::rules) struct ReferenceEntry {
        /// Resource type; `*` for all that are not listed.
        resource: String,
        /// Paths below it: `subject`, `context.sourcePatientInfo`.
        elements: Vec<String>,
    }
}

/// Confidence of a name given beside a reference.
const DISPLAY_CONFIDENCE: f32 = 0.9;

/// Represents all other resource types.
const OTHERS: &str = "*";

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
}

/// An element with its data type.
#[derive(Debug)]
pub struct FhirElement {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// Its data type.
    pub datatype: FhirType,
}

/// Rules for the parts of a reference to a patient.
#[derive(Debug, Clone)]
pub struct FhirReference {
    /// `Reference.display`.
    pub display: Arc<FieldRule>,
    /// `Reference.identifier`.
    pub identifier: Arc<FieldRule>,
}

/// A node in the tree of element names of a resource type. Readers descend it name by name.
#[derive(Debug, Default)]
pub struct FhirPath {
    element: Option<FhirElement>,
    reference: Option<FhirReference>,
    below: HashMap<Box<str>, FhirPath, foldhash::fast::FixedState>,
}

impl FhirPath {
    /// The child node for the element `name`.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.below.get(name)
    }
    /// The rules for a reference here, if it refers to the patient of the resource.
    pub const fn reference(&self) -> Option<&FhirReference> {
        self.reference.as_ref()
    }
    /// The identifying element at this node.
    pub const fn element(&self) -> Option<&FhirElement> {
        self.element.as_ref()
    }
}

/// Elements by resource type and path below it.
#[derive(Debug, Default)]
pub struct FhirRules {
    resources: HashMap<String, FhirPath, foldhash::fast::FixedState>,
    /// For references whose element is not listed, but which themselves point to a patient.
    anywhere: Option<FhirReference>,
    systems: HashMap<String, Kind>,
    prefixes: Vec<(String, Kind)>,
    names: std::collections::HashSet<String, foldhash::fast::FixedState>,
    reference_names: std::collections::HashSet<String, foldhash::fast::FixedState>,
}

impl FhirRules {
    /// Whether a resource type has identifying elements.
    pub fn is_person(&self, resource_type: &str) -> bool {
        self.resources.contains_key(resource_type)
    }
    /// The root node of a resource type.
    pub fn resource(&self, resource_type: &str) -> Option<&FhirPath> {
        self.resources.get(resource_type)
    }
    /// The root node of types that are not listed.
    pub fn other_resource(&self) -> Option<&FhirPath> {
        self.resources.get(OTHERS)
    }
    /// The element at `path` (`birthDate`, `contact.name`) of a resource type.
    pub fn element(&self, resource_type: &str, path: &str) -> Option<&FhirElement> {
        let mut place = self.resource(resource_type)?;
        for name in path.split('.') {
            place = place.child(name)?;
        }
        place.element()
    }
    /// The rules for any reference to a patient.
    pub const fn reference(&self) -> Option<&FhirReference> {
        self.anywhere.as_ref()
    }
    /// Whether an HL7 version 3 element is a record of a person: a CDA document or an act.
    pub fn is_version_3(&self, element: &str) -> bool {
        let act = element.starts_with(|c: char| c.is_ascii_lowercase());
        (act || element == "ClinicalDocument") && self.is_person(element)
    }
    /// Whether the standard defines a resource type for records of care.
    pub fn is_clinical(&self, resource_type: &str) -> bool {
        self.resources.contains_key(resource_type)
    }
    /// Whether `name` is part of the path of any element (`contact` of `contact.name`).
    pub fn mentions(&self, name: &str) -> bool {
        self.names.contains(name)
    }
    /// Whether `name` is part of the path of a reference to the patient of a resource.
    pub fn refers(&self, name: &str) -> bool {
        self.reference_names.contains(name)
    }
    /// The kind of identifier of an identifier system.
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
        for path in entry.paths() {
            let Some((resource, below)) = path.split_once('.') else {
                return to.fault(format!("path {path:?}: write Resource.element"));
            };
            to.claim(path.clone())?;
            let rule = to.field(&entry.common, entry.kind, path, entry.confidence)?;
            let rules = &mut *to.rules.fhir;
            rules.names.extend(below.split('.').map(str::to_owned));
            let mut place = rules.resources.entry(resource.to_owned()).or_default();
            for name in below.split('.') {
                place = place.below.entry(name.into()).or_default();
            }
            place.element = Some(FhirElement { rule, datatype: entry.datatype });
        }
        Ok(())
    }
    /// A sample is a value.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let part = match entry.datatype {
            FhirType::HumanName | FhirType::Address => "text",
            FhirType::Identifier | FhirType::ContactPoint => "value",
            FhirType::Primitive => "",
        };
        let mut value = serde_json::Value::from(sample);
        if !part.is_empty() {
            value = serde_json::json!({ part: value });
        }
        let takes = |path: &String| {
            let (resource, below) = path.split_once('.')?;
            let text = document(resource, below, value.clone())?;
            Some(with.takes(&entry.common.id, MEDIA_TYPE, text.as_bytes()))
        };
        let all: Option<Vec<bool>> = entry.paths().map(takes).collect();
        all.map(|all| all.into_iter().all(|takes| takes))
    }
}

impl Entry {
    /// All paths.
    fn paths(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.path).chain(&self.also)
    }
}

/// `[[fhir_reference]]`.
pub(in crate::rules) struct References;

impl Section for References {
    const NAME: &'static str = "fhir_reference";
    type Entry = ReferenceEntry;

    fn subject(entry: &ReferenceEntry) -> String {
        format!("{}: {}", entry.resource, entry.elements.join(", "))
    }
    fn compile(entry: &ReferenceEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        if entry.resource == OTHERS {
            to.rules.fhir.anywhere = Some(entry.reference("Reference", to)?);
        }
        for path in &entry.elements {
            to.claim(format!("{}.{path}", entry.resource))?;
            let reference = entry.reference(&format!("{}.{path}", entry.resource), to)?;
            let rules = &mut *to.rules.fhir;
            rules.reference_names.extend(path.split('.').map(str::to_owned));
            let mut place = rules.resources.entry(entry.resource.clone()).or_default();
            for name in path.split('.') {
                place = place.below.entry(name.into()).or_default();
            }
            place.reference = Some(reference);
        }
        Ok(())
    }
    /// A sample is a reference's display name. Every element must accept it.
    fn takes(entry: &ReferenceEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let resource = if entry.resource == OTHERS { "OtherResource" } else { &entry.resource };
        let takes = |path: &String| {
            let value = serde_json::json!({ "reference": "Patient/1", "display": sample });
            let text = document(resource, path, value).unwrap_or_default();
            with.takes(&entry.common.id, MEDIA_TYPE, text.as_bytes())
        };
        Some(entry.elements.iter().all(takes))
    }
}

impl ReferenceEntry {
    /// The rules for a reference at `path`.
    fn reference(&self, path: &str, to: &Compiler<'_>) -> Result<FhirReference, LoadError> {
        let part = |part: &str, kind, confidence| {
            to.field(&self.common, kind, &format!("{path}.{part}"), confidence)
        };
        Ok(FhirReference {
            display: part("display", Kind::Name, Some(DISPLAY_CONFIDENCE))?,
            identifier: part("identifier", Kind::PatientId, None)?,
        })
    }
}

/// Media type of FHIR in JSON.
const MEDIA_TYPE: &str = "application/fhir+json";

/// A resource with a value at `path`.
fn document(resource: &str, path: &str, mut value: serde_json::Value) -> Option<String> {
    for name in path.rsplit('.') {
        value = serde_json::json!({ name: value });
    }
    value.as_object_mut()?.insert("resourceType".to_owned(), resource.into());
    Some(value.to_string())
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
    /// A sample is an identifier system.
    fn takes(entry: &IdentifierSystem, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = match entry.system.strip_suffix('*') {
            Some(prefix) => sample.starts_with(prefix),
            None => sample == entry.system,
        };
        Some(named && with.rules.fhir.system(sample) == Some(entry.kind))
    }
}
