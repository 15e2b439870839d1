//! `[[fhir]]`: elements of FHIR resources that identify a patient; `[[fhir_reference]]`: which references
//! say whose a resource is; `[[identifier_system]]`: what the
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

section_entry! {
    /// Elements that say whose a resource is.
    pub(in crate::rules) struct ReferenceEntry {
        /// Type of the resource; `*` for all that are not listed.
        resource: String,
        /// Paths below it: `subject`, `context.sourcePatientInfo`.
        elements: Vec<String>,
    }
}

/// Confidence of a name that a reference gives beside a pointer.
const DISPLAY_CONFIDENCE: f32 = 0.9;

/// The resource type under which the references of all other types stand.
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

/// An element with the shape of its value.
#[derive(Debug)]
pub struct FhirElement {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// How it is put together.
    pub datatype: FhirType,
}

/// What a reference to a patient holds.
#[derive(Debug, Clone)]
pub struct FhirReference {
    /// `Reference.display`.
    pub display: Arc<FieldRule>,
    /// `Reference.identifier`.
    pub identifier: Arc<FieldRule>,
}

/// A place in the tree of element names below a resource type: a reader goes down it name by name.
#[derive(Debug, Default)]
pub struct FhirPath {
    element: Option<FhirElement>,
    reference: Option<FhirReference>,
    below: HashMap<Box<str>, FhirPath, foldhash::fast::FixedState>,
}

impl FhirPath {
    /// The place of the name `name` below this one.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.below.get(name)
    }
    /// What a reference here holds, if it says whose the resource is.
    pub const fn reference(&self) -> Option<&FhirReference> {
        self.reference.as_ref()
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
    /// Of references whose element says nothing, but which say themselves that they point to a patient.
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
    /// Where the paths of a resource type begin.
    pub fn resource(&self, resource_type: &str) -> Option<&FhirPath> {
        self.resources.get(resource_type)
    }
    /// The top of the types that are not listed.
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
    /// What any reference to a patient holds.
    pub const fn reference(&self) -> Option<&FhirReference> {
        self.anywhere.as_ref()
    }
    /// Whether an element of HL7 version 3 is a record of a person: a CDA document, or an act.
    pub fn is_version_3(&self, element: &str) -> bool {
        let act = element.starts_with(|c: char| c.is_ascii_lowercase());
        (act || element == "ClinicalDocument") && self.is_person(element)
    }
    /// Whether a resource type is one of those that the standard defines for records of care.
    pub fn is_clinical(&self, resource_type: &str) -> bool {
        self.resources.contains_key(resource_type)
    }
    /// Whether `name` is part of the path of any element (`contact` of `contact.name`).
    pub fn mentions(&self, name: &str) -> bool {
        self.names.contains(name)
    }
    /// Whether `name` is part of the path of a reference to whom a resource is about.
    pub fn refers(&self, name: &str) -> bool {
        self.reference_names.contains(name)
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
    references: Compiled<ReferenceEntry>,
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
    for (_, (entry, source)) in references {
        let subject = format!("{}: {}", entry.resource, entry.elements.join(", "));
        list.push(info("fhir_reference", &entry.common, None, subject, &source));
        let part = |path: &str, part: &str, kind, confidence| {
            field_rule(&entry.common, kind, &format!("{path}.{part}"), confidence, &source)
        };
        let reference = |path: &str| -> Result<FhirReference, LoadError> {
            Ok(FhirReference {
                display: part(path, "display", Kind::Name, Some(DISPLAY_CONFIDENCE))?,
                identifier: part(path, "identifier", Kind::PatientId, None)?,
            })
        };
        if entry.resource == OTHERS {
            rules.anywhere = Some(reference("Reference")?);
        }
        for path in &entry.elements {
            taken.take(format!("{}.{path} of", entry.resource), &entry.common.id, &source)?;
            rules.reference_names.extend(path.split('.').map(str::to_owned));
            let mut place = rules.resources.entry(entry.resource.clone()).or_default();
            for name in path.split('.') {
                place = place.below.entry(name.into()).or_default();
            }
            place.reference = Some(reference(&format!("{}.{path}", entry.resource))?);
        }
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
