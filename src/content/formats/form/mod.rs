//! URL-encoded forms (WHATWG URL 5.1) and request targets.

mod names;
mod pairs;
mod path;
mod rows;

use super::graphql;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::extract::{embedded, texts};
use crate::content::stack::{charset, media};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::protocol::Authentication;
use crate::rules::{Kind, RuleSet, Secret};
use encoding_rs::Encoding;
pub(super) use names::{key as field_key, parents};
use pairs::{MAX_FORM, decode, pairs, set};
use rows::Rows;

/// Modifiers in front of the match type (`exact`, `contains`...) in the name of a FHIR search parameter.
const MODIFIER: char = ':';

/// `application/x-www-form-urlencoded`.
pub struct Form;

impl Format for Form {
    fn name(&self) -> &'static str {
        "form"
    }
    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        // Clients also send JSON and XML under this type; the declaration is trusted only if the first name looks
        // like one.
        let declared = media::essence(media);
        if !declared.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return false;
        }
        let name = head.split(|b| *b == b'=').next().unwrap_or(head);
        name.len() < head.len()
            && !name.iter().any(|b| b.is_ascii_whitespace() || matches!(b, b'{' | b'<'))
    }
    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        let declared = match media {
            Media::Type { content_type, .. } => media::parameter(content_type, "charset"),
            _ => None,
        };
        Box::new(FormDocument {
            text: Vec::new(),
            path: media::path(media),
            target: false,
            declared: declared.and_then(charset::known),
        })
    }
}

/// The target of an HTTP request.
pub struct Target;

impl Format for Target {
    fn name(&self) -> &'static str {
        "target"
    }
    fn probe(&self, media: &Media<'_>, _head: &[u8], _extent: Extent) -> bool {
        *media == Media::Target
    }
    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(FormDocument { text: Vec::new(), path: None, target: true, declared: None })
    }
}

/// Read at its end: the parts of a name may come in any order, and forms are short.
struct FormDocument {
    text: Vec<u8>,
    path: Option<Box<str>>,
    target: bool,
    declared: Option<&'static Encoding>,
}

impl Document for FormDocument {
    fn data(&mut self, bytes: &[u8], _scope: &mut Scope<'_>) -> Want {
        let room = MAX_FORM.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room { Want::NOTHING } else { Want::ALL }
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let text = zeroize::Zeroizing::new(std::mem::take(&mut self.text));
        if self.target {
            let at = text.iter().position(|b| *b == b'?').unwrap_or(text.len());
            let path = text.get(..at).unwrap_or_default();
            let path = decode(path, set(path, None));
            read(text.get(at + 1..).unwrap_or_default(), &path, None, true, scope);
        } else {
            let path = self.path.take().unwrap_or_default();
            read(&text, &path, self.declared, false, scope);
        }
    }

    fn memory(&self) -> usize {
        self.text.capacity()
    }
}

/// Reads pairs that were sent to `path`.
fn read(
    text: &[u8],
    path: &str,
    declared: Option<&'static Encoding>,
    query: bool,
    scope: &mut Scope<'_>,
) {
    let rules = scope.rules;
    let mut record = CandidateRecord::default();
    let afar = media::about(path, scope);
    if query {
        record.mark(Marks::QUERY);
    }
    // `POST /Patient/_search` is a search too.
    let mut segments = path.split('/').rev();
    let last = segments.next().unwrap_or("");
    let search = last == "_search";
    let resource = if search { segments.next().unwrap_or("") } else { last };
    if search || last.eq_ignore_ascii_case("search") {
        record.mark(Marks::QUERY);
    }
    let person = rules.fhir.is_person(resource);
    if query {
        path::read(path, &mut record, rules);
    }
    let set = set(text, declared);
    let mut rows = Rows::default();
    for (name, value) in pairs(text, set) {
        if documents(&value, path, query, scope) {
            continue;
        }
        if let Some(key) = rules.services.secret(&name).filter(|_| !value.is_empty()) {
            scope.facts.secret(if query { Secret::Query } else { Secret::Form });
            if key && query {
                scope.facts.shown(Authentication::ApiKey);
            }
        }
        let whole = name;
        let name = own_name(&whole, rules);
        if is_of_other(name, rules) {
            continue;
        }
        if let Some(about) = rules.keys.context(name).filter(|_| !value.trim().is_empty()) {
            record.mark(Marks::about(about));
        }
        // QIDO-RS names attributes by tag, by keyword, or by the path to them (PS3.18 8.3.4.1).
        let attribute = || super::dicom::model::named(name, &rules.dicom);
        if let Some(rule) = name.contains('.').then(attribute).flatten() {
            let (meaning, value) = (Meaning::of_patient(rule), value.trim_end_matches('*'));
            keep(&whole, &meaning, value, &mut rows, &mut record);
            continue;
        }
        parents(name, &mut record, rules);
        let known = field_key(name, rules);
        if let Some(key) = known {
            let value = if key.rule.kind == Kind::BirthDate { bare_date(&value) } else { &value };
            let value = value.trim_end_matches('*');
            keep(&whole, &Meaning::from(key), value, &mut rows, &mut record);
        } else if person
            && let Some(element) =
                search_parameter(name).and_then(|e| rules.fhir.element(resource, e))
        {
            // A token may include its system: `system|value`.
            let value = value.rsplit('|').next().unwrap_or("");
            record.add(&Meaning::whole(&element.rule), 0, bare_date(value));
        } else if let Some(rule) = attribute() {
            record.add(&Meaning::of_patient(rule), 0, value.trim_end_matches('*'));
        }
    }
    let content = if query { "target" } else { "form" };
    rows.emit(&mut record, afar, content, scope);
    record.mark_from_afar(afar);
    record.emit(content, scope);
}

/// Reads the documents that a value is. True if it is nothing else.
fn documents(value: &str, path: &str, query: bool, scope: &mut Scope<'_>) -> bool {
    if let Some(mut inner) = embedded::message(value.as_bytes()) {
        inner.data(value.as_bytes(), scope);
        inner.end(Ending::Complete, scope);
        return true;
    }
    if value.starts_with("{\"") || value.starts_with("[{\"") {
        let media = Media::Type { content_type: "application/json", name: path };
        scope.whole(&media, value.as_bytes());
        return true;
    }
    // The text of a message.
    if !query && texts::is_informative(value) {
        let media = Media::Type { content_type: "text/plain; charset=utf-8", name: "" };
        scope.whole(&media, value.as_bytes());
    }
    if graphql::begins(value.as_bytes()) || value.starts_with('{') {
        let media = Media::Type { content_type: "application/graphql", name: "" };
        scope.whole(&media, value.as_bytes());
    }
    false
}

/// Keeps a value in the row of a list that its name is in, or in the form itself.
fn keep(name: &str, meaning: &Meaning, value: &str, rows: &mut Rows, record: &mut CandidateRecord) {
    match names::row(name) {
        Some(row) => rows.add(row, meaning.clone(), value),
        None => record.add(meaning, 0, value),
    }
}

/// The part of a name that says what its value is. `patient[first_name]` and `patient.first_name` are read as they are.
fn own_name<'a>(name: &'a str, rules: &RuleSet) -> &'a str {
    match name.split_once(MODIFIER) {
        // Chained: `subject:Patient.family` (FHIR R4 3.1.1.5.5).
        Some((_, chained)) if chained.contains('.') => chained,
        // Components of JavaServer Faces: `form:patientSurname`. `subject:Patient` gives the type that a FHIR reference
        // has (R4 3.1.1.5.3).
        Some((form, own))
            if !rules.fhir.is_person(own)
                && rules.keys.get(form).is_none()
                && rules.keys.get(own).is_some() =>
        {
            own
        }
        Some((name, _)) => name,
        None => name,
    }
}

/// Whether a name is that of a member of somebody else: `user[name]`, `Provider.LastName`,
/// `visit[guardian_attributes][name]`.
fn is_of_other(name: &str, rules: &RuleSet) -> bool {
    let front = name.split_once(['[', '.']).map(|(front, _)| front);
    let front = front.is_some_and(|front| Marks::about_name(front, &rules.keys).is_other());
    front || names::is_of_other(name, rules)
}

/// A date without the prefix of a FHIR comparison: `ge1970-02-23`.
fn bare_date(value: &str) -> &str {
    match value.split_at_checked(2) {
        Some((word, date))
            if word.bytes().all(|b| b.is_ascii_lowercase())
                && date.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            date
        }
        _ => value,
    }
}

/// The element that a FHIR search parameter of a person refers to, if its name is not a key (FHIR R4, search
/// parameters of Patient).
fn search_parameter(name: &str) -> Option<&'static str> {
    Some(match name {
        "identifier" => "identifier",
        "death-date" => "deceasedDateTime",
        "address-city" | "address-postalcode" | "address-state" => "address",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
