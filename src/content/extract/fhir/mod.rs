//! FHIR data types as fields of a record; JSON and XML share it.

use super::record::Marks;
use crate::content::{Field, Scope};
use crate::rules::{FhirElement, FhirType, FieldRule, Kind};
use std::sync::Arc;

/// Parts kept of one element.
const MAX_PARTS: usize = 32;

/// Longest value put together from parts, bytes.
const MAX_JOINED: usize = 512;

/// Fields of a patient that are kept for later, each, and bytes of one.
const MAX_KEPT: usize = 16;
const MAX_KEPT_VALUE: usize = 256;

/// The parts of one instance of an element: the names below it, and their values.
#[derive(Default)]
pub struct Parts<'a> {
    parts: Vec<(Part, &'a str)>,
}

/// The parts of data types that matter (FHIR R4, data types).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The value of a primitive.
    Itself,
    Family,
    Given,
    Text,
    Use,
    System,
    Value,
    TypeCode,
    Code,
    Line,
    Place,
    Display,
    Url,
}

impl<'a> Parts<'a> {
    /// A value under the names `path` below the element.
    pub fn add<'p>(&mut self, mut path: impl Iterator<Item = &'p str>, value: &'a str) {
        let (first, second, third) = (path.next(), path.next(), path.next());
        let part = match (first, second, third) {
            (None, ..) => Part::Itself,
            (Some("type"), Some("coding"), Some("code")) if path.next().is_none() => Part::TypeCode,
            (Some(name), None, _) => match name {
                "family" => Part::Family,
                "given" => Part::Given,
                "text" => Part::Text,
                "use" => Part::Use,
                "system" | "root" => Part::System,
                "value" | "valueString" | "extension" => Part::Value,
                "code" => Part::Code,
                "line" | "streetAddressLine" => Part::Line,
                "city" | "district" | "state" | "postalCode" | "country" => Part::Place,
                "display" => Part::Display,
                "url" => Part::Url,
                _ => return,
            },
            _ => return,
        };
        if self.parts.len() < MAX_PARTS {
            self.parts.push((part, value));
        }
    }

    fn get(&self, part: Part) -> &'a str {
        self.all(part).next().unwrap_or("")
    }

    fn first(&self, order: &[Part]) -> &'a str {
        order.iter().map(|p| self.get(*p)).find(|v| !v.is_empty()).unwrap_or("")
    }

    fn all(&self, part: Part) -> impl Iterator<Item = &'a str> + Clone {
        self.parts.iter().filter(move |(p, _)| *p == part).map(|(_, value)| *value)
    }
}

/// A resource that is handed on element by element. Its record starts with the first field.
pub struct Element {
    content: &'static str,
    marks: Marks,
    begun: bool,
    /// Fields by which a patient is recognised.
    kept: Option<Vec<Kept>>,
}

/// A field of a patient, for records that come later in the same document.
pub struct Kept {
    /// What it is.
    pub rule: Arc<FieldRule>,
    /// The kind it had.
    pub kind: Kind,
    /// The value.
    pub value: zeroize::Zeroizing<String>,
    /// Who issued it.
    pub issuer: Box<str>,
}

impl Element {
    /// A resource of this type.
    pub fn resource(resource: &str, marks: Marks) -> Self {
        let content = match resource {
            "ClinicalDocument" => "ccda",
            "registrationEvent" | "priorRegistration" | "parameterList" => "hl7v3",
            _ => "fhir",
        };
        // A question of PDQ or PIX (ITI-47, ITI-45).
        let marks = if resource == "parameterList" { marks.and(Marks::QUERY) } else { marks };
        let kept = (resource == "Patient").then(Vec::new);
        Self { content, marks, begun: false, kept }
    }

    /// An element with its parts.
    pub fn element(&mut self, element: &FhirElement, parts: &Parts<'_>, scope: &mut Scope<'_>) {
        let kind = element.rule.kind;
        match element.datatype {
            FhirType::Primitive => {
                self.field(
                    element,
                    kind,
                    parts.first(&[Part::Itself, Part::Code, Part::Value]),
                    "",
                    scope,
                );
            }
            FhirType::Reference => self.field(element, kind, parts.get(Part::Display), "", scope),
            FhirType::HumanName => {
                let family = join(parts.all(Part::Family), " ");
                let given = join(parts.all(Part::Given), " ");
                let text = parts.first(&[Part::Text, Part::Itself]);
                let name = match (family.is_empty(), given.is_empty()) {
                    (true, true) => zeroize::Zeroizing::new(text.to_owned()),
                    (false, true) => family,
                    _ => join([family.as_str(), given.as_str()].into_iter(), "^"),
                };
                self.field(element, kind, &name, "", scope);
            }
            FhirType::Identifier => {
                let system = parts.get(Part::System);
                // CDA gives the bare OID (R1, II.root).
                let system = &*match system.starts_with(|c: char| c.is_ascii_digit()) {
                    true => std::borrow::Cow::Owned(format!("urn:oid:{system}")),
                    false => std::borrow::Cow::Borrowed(system),
                };
                let typed = |code| scope.rules.hl7v2.identifier_type(code);
                let kind = (scope.rules.fhir.system(system))
                    .or_else(|| parts.all(Part::TypeCode).find_map(typed))
                    .unwrap_or(kind);
                self.field(element, kind, parts.get(Part::Value), system, scope);
            }
            FhirType::Address => {
                let lines = parts.all(Part::Line).chain(parts.all(Part::Place));
                let mut address = join(lines, ", ");
                if address.is_empty() {
                    address = join(parts.all(Part::Text), ", ");
                }
                self.field(element, kind, &address, "", scope);
            }
            FhirType::ContactPoint => {
                // Of a contact person, only the number has a kind of its own.
                let own = kind == Kind::Phone;
                let value = parts.first(&[Part::Value, Part::Itself]);
                // CDA has URIs (R1, TEL).
                let (scheme, bare) = match value.split_once(':') {
                    Some((scheme, bare)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => {
                        (scheme, bare)
                    }
                    _ => (parts.get(Part::System), value),
                };
                let value = if matches!(scheme, "http" | "https") { value } else { bare };
                let kind = match scheme {
                    "phone" | "sms" | "pager" | "tel" | "" => kind,
                    "fax" if own => Kind::Fax,
                    "email" | "mailto" if own => Kind::Email,
                    "url" | "http" | "https" if own => Kind::Url,
                    "other" if own => Kind::OtherId,
                    _ => return,
                };
                self.field(element, kind, value, "", scope);
            }
        }
    }

    fn field(
        &mut self,
        element: &FhirElement,
        kind: Kind,
        value: &str,
        issuer: &str,
        scope: &mut Scope<'_>,
    ) {
        if value.trim().is_empty() {
            return;
        }
        if !self.begun {
            self.begun = true;
            scope.begin(self.content);
            self.marks.put(scope);
        }
        scope.field(Field::declared(&element.rule, value).with_kind(kind).with_issuer(issuer));
        if let Some(kept) = &mut self.kept
            && (kind.is_strong_id() || matches!(kind, Kind::Name | Kind::BirthDate))
            && kept.len() < MAX_KEPT
            && value.len().max(issuer.len()) <= MAX_KEPT_VALUE
        {
            kept.push(Kept {
                rule: Arc::clone(&element.rule),
                kind,
                value: zeroize::Zeroizing::new(value.to_owned()),
                issuer: issuer.into(),
            });
        }
    }

    /// The resource is complete; by what a patient is recognised.
    pub fn end(self, scope: &mut Scope<'_>) -> Vec<Kept> {
        if self.begun {
            scope.end();
        }
        self.kept.unwrap_or_default()
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a str>, separator: &str) -> zeroize::Zeroizing<String> {
    let mut joined = zeroize::Zeroizing::new(String::new());
    for (i, part) in parts.enumerate() {
        if joined.len() + part.len() + separator.len() > MAX_JOINED {
            break;
        }
        if i > 0 {
            joined.push_str(separator);
        }
        joined.push_str(part);
    }
    joined
}
