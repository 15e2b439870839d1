//! FHIR data types as fields of a record; JSON and XML share it.

use super::record::Marks;
use crate::content::{Field, Scope};
use crate::rules::{FhirElement, FhirType, FieldRule, Kind};
use smallvec::SmallVec;
use std::sync::Arc;

/// Parts kept of one element.
const MAX_PARTS: usize = 32;

/// Longest value put together from parts, bytes.
const MAX_JOINED: usize = 512;

/// Fields of one resource.
const MAX_FIELDS: usize = 128;

/// Fields by which a patient is recognised that are kept of one, and bytes of a value.
const MAX_KEPT: usize = 16;
const MAX_KEPT_VALUE: usize = 256;

/// The parts of one instance of an element: the names below it, and their values.
#[derive(Default)]
pub struct Parts<'a> {
    parts: SmallVec<[(Part, &'a str); 8]>,
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
    ListPosition,
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
                "city" | "district" | "state" | "postalCode" | "country" => Part::ListPosition,
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

    /// The value of a primitive.
    pub fn itself(&self) -> &'a str {
        self.get(Part::Itself)
    }

    /// `Reference.display`.
    pub fn display(&self) -> &'a str {
        self.get(Part::Display)
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

/// What a resource says of a person: put together element by element.
#[derive(Default)]
pub struct Resource {
    /// Its fields, in the order of its elements.
    pub fields: Vec<BufferedField>,
    /// A name of the person with family and given name is among them.
    named: bool,
    /// Where names of the person without a given name are among them.
    partial: Vec<usize>,
}

/// A field that is kept until its record is complete.
#[derive(Clone)]
pub struct BufferedField {
    /// What it is.
    pub rule: Arc<FieldRule>,
    /// The kind it had.
    pub kind: Kind,
    /// The value.
    pub value: zeroize::Zeroizing<String>,
    /// Who issued it.
    pub issuer: Box<str>,
}

impl BufferedField {
    /// Whether a patient is recognised by it.
    pub fn identifies(&self) -> bool {
        (self.kind.is_strong_id() || matches!(self.kind, Kind::Name | Kind::BirthDate))
            && self.value.len().max(self.issuer.len()) <= MAX_KEPT_VALUE
    }

    /// Whether it says the same as another.
    pub fn same(&self, other: &Self) -> bool {
        self.kind == other.kind && *self.value == *other.value
    }
}

/// Those fields by which a patient is recognised.
pub fn identifying(fields: Vec<BufferedField>) -> Vec<BufferedField> {
    let mut kept = fields;
    kept.retain(BufferedField::identifies);
    kept.truncate(MAX_KEPT);
    kept.shrink_to_fit();
    kept
}

/// Passes on a record of these fields.
pub fn put<'a>(
    content: &'static str,
    marks: Marks,
    fields: impl Iterator<Item = &'a BufferedField>,
    scope: &mut Scope<'_>,
) {
    let mut fields = fields.peekable();
    if fields.peek().is_none() {
        return;
    }
    scope.begin(content);
    marks.put(scope);
    for kept in fields {
        let field = Field::declared(&kept.rule, &kept.value).with_kind(kept.kind);
        scope.field(field.with_issuer(&kept.issuer));
    }
    scope.end();
}

impl Resource {
    /// An element with its parts.
    pub fn element(&mut self, element: &FhirElement, parts: &Parts<'_>, scope: &Scope<'_>) {
        let kind = element.rule.kind;
        match element.datatype {
            FhirType::Primitive => {
                let value = parts.first(&[Part::Itself, Part::Code, Part::Value]);
                self.add(&element.rule, kind, value, "");
            }
            FhirType::HumanName => self.name(element, parts),
            FhirType::Identifier => self.identifier(&element.rule, parts, scope),
            FhirType::Address => {
                let lines = parts.all(Part::Line).chain(parts.all(Part::ListPosition));
                let mut address = join(lines, ", ");
                if address.is_empty() {
                    address = join(parts.all(Part::Text), ", ");
                }
                self.add(&element.rule, kind, &address, "");
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
                self.add(&element.rule, kind, value, "");
            }
        }
    }

    /// A HumanName.
    fn name(&mut self, element: &FhirElement, parts: &Parts<'_>) {
        let kind = element.rule.kind;
        let family = join_different(parts, Part::Family);
        let given = join_different(parts, Part::Given);
        let own = kind == Kind::Name;
        let whole = own && !family.is_empty() && !given.is_empty();
        let partial = own && !family.is_empty() && given.is_empty();
        // A birth name beside a complete name adds nothing.
        if partial && self.named {
            return;
        }
        if whole && !std::mem::replace(&mut self.named, true) {
            while let Some(at) = self.partial.pop() {
                if at < self.fields.len() {
                    self.fields.remove(at);
                }
            }
        }
        // In CDA, a name may be text (R1, PN), beside attributes of its element.
        let text = parts.first(&[Part::Text, Part::Itself, Part::Value]);
        let name = match (family.is_empty(), given.is_empty()) {
            (true, false) if !text.is_empty() => zeroize::Zeroizing::new(text.to_owned()),
            (true, true) => zeroize::Zeroizing::new(text.to_owned()),
            (false, true) => family,
            _ => join([family.as_str(), given.as_str()].into_iter(), "^"),
        };
        let at = self.fields.len();
        self.add(&element.rule, kind, &name, "");
        if partial && self.fields.len() > at {
            self.partial.push(at);
        }
    }

    /// An Identifier, or that of a reference.
    pub fn identifier(&mut self, rule: &Arc<FieldRule>, parts: &Parts<'_>, scope: &Scope<'_>) {
        let system = parts.get(Part::System);
        // CDA gives the bare OID (R1, II.root).
        let system = &*match system.starts_with(|c: char| c.is_ascii_digit()) {
            true => std::borrow::Cow::Owned(format!("urn:oid:{system}")),
            false => std::borrow::Cow::Borrowed(system),
        };
        let typed = |code| scope.rules.hl7v2.identifier_type(code);
        let kind = (scope.rules.fhir.system(system))
            .or_else(|| parts.all(Part::TypeCode).find_map(typed))
            .unwrap_or(rule.kind);
        self.add(rule, kind, parts.get(Part::Value), system);
    }

    /// A field with its value.
    pub fn add(&mut self, rule: &Arc<FieldRule>, kind: Kind, value: &str, issuer: &str) {
        if value.trim().is_empty() || self.fields.len() >= MAX_FIELDS {
            return;
        }
        self.fields.push(BufferedField {
            rule: Arc::clone(rule),
            kind,
            value: zeroize::Zeroizing::new(value.to_owned()),
            issuer: issuer.into(),
        });
    }
}

/// The parts of a name that differ: CDA repeats them with their qualifiers (birth name, name in use).
fn join_different(parts: &Parts<'_>, part: Part) -> zeroize::Zeroizing<String> {
    let all = || parts.all(part).map(str::trim);
    let new =
        |(at, value): (usize, &str)| !all().take(at).any(|other| other.eq_ignore_ascii_case(value));
    join(all().enumerate().filter(|(at, value)| new((*at, value))).map(|(_, value)| value), " ")
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
