//! What is open while a document is read, and the values that are kept.

use super::grid::Role;
use super::names::{Name, Names};
use super::questions::asked;
use super::structure;
use super::subjects;
use crate::content::extract::numbers::ListPosition;
use crate::content::extract::record::{Marks, Meaning, numbered};
use crate::content::{Mark, Scope};
use crate::rules::{Key, KeyRules, Kind, NamePart};
use zeroize::Zeroizing;

/// An object that holds values.
#[derive(Clone, Copy)]
pub(super) struct Node {
    /// The object around it; itself at the top.
    pub parent: u32,
    /// Its name.
    pub name: u16,
}

/// A value that may matter.
#[derive(Clone)]
pub(super) struct Value {
    /// The object around it.
    pub node: u32,
    /// Its name.
    pub name: u16,
    /// The DICOM element it belongs to, or [`PLAIN`].
    pub tag: u16,
    /// What its name means there.
    pub meaning: Option<Meaning>,
    pub start: u32,
    pub end: u32,
}

/// Where the answer to a label is from, in a list of identifiers; what comes later is more likely the number itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AnswerSource {
    /// `id`: often that of the entry in its database.
    Id,
    /// `number`, `identifier`.
    Number,
    /// `value`.
    Value,
}

/// An open object or array.
pub(super) struct Frame {
    pub object: bool,
    /// Its name; elements of an array have that of the array.
    pub name: u16,
    /// It is in an array.
    pub element: bool,
    /// Its values mean no more than their own names say.
    pub quiet: bool,
    /// The object itself, or the one around an array.
    pub node: u32,
    pub values: usize,
    pub text: usize,
    /// Kinds that a person has one of, held so far.
    pub singles: u16,
    pub marks: Marks,
    /// What holds for everything inside.
    pub inherited: Marks,
    /// The DICOM element it belongs to, or [`PLAIN`].
    pub tag: u16,
    /// It has keys that are DICOM tags.
    pub has_tags: bool,
    pub resource: Resource,
    /// It is a record of a standard: nothing inside is a record of its own.
    pub standard: bool,
    /// It is in a resource about no person: parts of data types lead to nothing there.
    pub idle: bool,
    /// Of a labelled value, or of a list of them: the record that the last one belongs to, as a hash.
    pub group: Option<u64>,
    /// It holds a reference to a patient.
    pub refers: bool,
    /// It says of itself that it is about a patient.
    pub subject: bool,
    /// The class of the object says so.
    pub class: bool,
    /// It is a row of a table in a dump of a database.
    pub row: bool,
    /// It has a label that means nothing.
    pub strange: bool,
    /// It is about people beside a patient.
    pub kin: bool,
    /// It is a FHIR Parameters resource, or inside one: its values have labels.
    pub labelled: bool,
    /// It is an operation of a JSON Patch (RFC 6902 4), or the list of them.
    pub patch: bool,
    /// The next value is wrapped, and that of its own name.
    pub wraps: bool,
    /// The name of the next value.
    pub next: u16,
    pub next_meaning: Option<Meaning>,
    /// The place of the next value.
    pub place: ListPosition,
    /// What its name means.
    pub own: Option<Meaning>,
    pub role: Role,
    /// Its cells are wrapped in objects.
    pub object_cells: bool,
    /// Rows it has held.
    pub rows: u32,
    /// It has given its column's name or its cell's value.
    pub done: bool,
    /// What its label says its answer is, and the answer.
    pub label: Option<Meaning>,
    pub answer: Option<Zeroizing<String>>,
    pub answered: Option<AnswerSource>,
    /// It holds answers that were labelled.
    pub pairs: bool,
    /// What the type of the resource says about a person's health.
    pub health: Marks,
    /// A link in it points to a patient.
    pub linked: bool,
    /// The number of the question that it is, or that it answers.
    pub code: Option<u64>,
    /// Names of the resource: its id, and the URL beside it.
    pub id: Option<u64>,
    pub url: Option<u64>,
}

impl AnswerSource {
    /// Of a member of an entry; `number`: its name is one of a number.
    fn of(name: &str, number: bool) -> Option<Self> {
        if number || name == "identifier" {
            return Some(Self::Number);
        }
        (name == "id").then_some(Self::Id)
    }
}

impl Frame {
    /// Notes an answer, unless there is a better one. The last of several values is taken.
    pub(super) fn set_answer(&mut self, text: &str, source: AnswerSource) {
        if source == AnswerSource::Value || self.answered < Some(source) {
            self.answer = Some(Zeroizing::new(text.to_owned()));
            self.answered = Some(source);
        }
    }
}

impl super::Tree {
    /// Whether the next value is the answer to a label beside the object that it is in.
    pub(super) fn answers_around(&self) -> bool {
        let [.., around, top] = self.frames.as_slice() else { return false };
        around.element
            && around.object
            && top.object
            && self.names.get(top.name).use_.answer
            && structure::is_typed_answer(&self.names.get(top.next).text)
    }

    /// Takes such a value.
    pub(super) fn answer_around(&mut self, text: &str) {
        if let [.., around, _] = self.frames.as_mut_slice() {
            around.set_answer(text, AnswerSource::Value);
        }
    }

    /// Notes a value that is the label of another, or the answer to a label.
    pub(super) fn note_label(&mut self, text: &str, scope: &Scope<'_>) {
        let Some(top) = self.frames.last_mut() else { return };
        // Labels and their answers are in lists, or anywhere in XML.
        if !top.element && !self.pairs {
            return;
        }
        let (name, keys) = (self.names.get(top.next).use_, &scope.rules().keys);
        let numbers = top.element || self.pairs && self.names.get(top.name).patient_numbers;
        if (name.typed || name.number_type) && numbers && self.names.get(top.name).identifiers {
            // `"identifiers": [{"type": "MRN", "value": "77"}]`.
            let text = identifier_type(text);
            let key = keys.get(text).filter(|key| key.rule.kind.is_strong_id());
            top.label = key.map(Meaning::from).or_else(|| top.label.take());
        }
        // `"identifiers": [{"display": "OpenMRS ID = 100GEJ"}]` (OpenMRS REST, default representation).
        if top.element
            && self.names.get(top.name).identifiers
            && &*self.names.get(top.next).text == "display"
            && let Some((label, number)) = text.split_once(" = ")
        {
            top.label = issued(label, keys).map(Meaning::from);
            top.set_answer(number, AnswerSource::Value);
            return;
        }
        if name.extension && top.element && self.names.get(top.name).identifiers {
            // `{"identifier": "2.16.840.1.113883.19.5", "extension": "77"}`, as in CDA (R1, II).
            top.label = top.label.take().or_else(|| keys.get("external_id").map(Meaning::from));
            top.set_answer(text, AnswerSource::Value);
            return;
        }
        if top.object && (top.element || self.pairs) {
            if name.label && top.label.is_none() {
                top.label = asked(text, keys);
                top.strange = top.label.is_none();
            } else if name.answer {
                top.set_answer(text, AnswerSource::Value);
            } else if self.names.get(top.name).identifiers
                && (top.element || self.names.get(top.name).patient_numbers)
                && let Some(source) = AnswerSource::of(&self.names.get(top.next).text, name.number)
            {
                // Its type may only be a reference (OpenMRS, `"identifierType": {"uuid": "..."}`).
                let patient = self.names.get(top.name).patient_numbers;
                if patient && top.label.is_none() {
                    top.label = keys.get("patient_id").map(Meaning::from);
                }
                let own = &*self.names.get(top.next).text == "identifier";
                if own && top.label.is_none() && is_plain_number(text) {
                    top.label = keys.get("external_id").map(Meaning::from);
                }
                top.set_answer(text, source);
            } else if name.group && top.element {
                top.group = Some(subjects::hash(text));
            }
        }
    }

    /// Notes the address of a patient in a list of links: what the object around the list shows of itself is the
    /// patient's number and name (OpenMRS REST, `{"display": "100GEJ - Jane Roe", "links": [...]}`).
    pub(super) fn note_address(&mut self, text: &str) {
        const PATIENT: &str = "/ws/rest/v1/patient/";
        let Some([around, list, top]) = self.frames.last_chunk_mut() else { return };
        if self.names.get(top.next).use_.address
            && top.element
            && !list.object
            && text.contains(PATIENT)
        {
            around.linked = true;
        }
    }

    /// Gives what a linked object shows of itself its meaning.
    pub(super) fn show_linked(&mut self, frame: &Frame, scope: &Scope<'_>) {
        if !frame.linked {
            return;
        }
        let parent = self.names.find(super::PATIENT, scope.rules());
        let Some(meaning) = self.names.pair(parent, "display", scope.rules()) else { return };
        let (text, names) = (&self.text, &self.names);
        for value in self.values.get_mut(frame.values..).unwrap_or_default() {
            let shown = text.get(value.start as usize..value.end as usize).unwrap_or("");
            if value.meaning.is_none()
                && &*names.get(value.name).text == "display"
                && numbered(shown).is_some()
            {
                value.meaning = Some(meaning.clone());
            }
        }
    }

    /// What a document about a patient shows of itself has the meaning of its name.
    pub(super) fn show_in_document(&mut self, text: &str, scope: &mut Scope<'_>) {
        let Some(top) = self.frames.last() else { return };
        let depth = self.frames.len();
        let shown = || {
            numbered(text).is_some()
                || self.shows_people
                    && (text.contains(char::is_whitespace)
                        || &*self.names.get(top.next).text == "identifier")
        };
        let near = depth == 1 || depth <= super::MAX_ROOT && top.element;
        let open = near && top.next_meaning.is_none() && self.around.has(Mark::PatientContext);
        if !open || !shown() {
            return;
        }
        let of = self.names.get(top.next).text.clone();
        let parent = self.names.find(super::PATIENT, scope.rules());
        let meaning = self.names.pair(parent, &of, scope.rules());
        if let Some(top) = self.frames.last_mut() {
            top.next_meaning = meaning;
        }
    }

    /// Notes what a value says of the kind of animal that the object is about. In XML the value is inside an
    /// element of its own.
    pub(super) fn note_species(&mut self, text: &str, scope: &Scope<'_>) {
        let (frames, names) = (&mut self.frames, &self.names);
        let Some([.., top]) = frames.get(..) else { return };
        let next = names.get(top.next).use_;
        let (own, around) = (next.species || next.typed, names.get(top.name).use_.species);
        if !own && !around {
            return;
        }
        let marks = Marks::of_species(text, &scope.rules().keys);
        let at = frames.len().saturating_sub(if own { 1 } else { 2 });
        if let Some(frame) = frames.get_mut(at) {
            frame.marks = frame.marks.and(marks);
        }
    }
}

/// What the name of a type of identifier in OpenMRS means: `OpenMRS ID` is a patient's, and `Old Number` is one where
/// something else refers to a patient.
fn issued<'r>(label: &str, keys: &'r KeyRules) -> Option<&'r Key> {
    const NUMBERS: [&str; 5] = ["id", "number", "no", "identifier", "identification"];
    let word = |name: &str| label.split([' ', '.']).any(|word| word.eq_ignore_ascii_case(name));
    let own = || (word("OpenMRS") || word("patient")).then(|| keys.get("patient_id")).flatten();
    let known = keys.get(label).filter(|key| key.rule.kind.is_strong_id()).or_else(own);
    known.or_else(|| NUMBERS.into_iter().any(word).then(|| keys.get("external_id")).flatten())
}

/// Longest number of a person in a list of identifiers, bytes.
const MAX_NUMBER: usize = 32;

/// Whether a text is a number of a person, and no address or object identifier.
fn is_plain_number(text: &str) -> bool {
    text.len() <= MAX_NUMBER
        && text.bytes().any(|b| b.is_ascii_digit())
        && !text.contains([':', '@'])
        && text.matches('.').count() < 2
}

/// The name of a key for an identifier type of HL7 v2 (table 0203), which interfaces in JSON use, too.
fn identifier_type(text: &str) -> &str {
    match text {
        "MR" | "PI" | "PT" => "patient_id",
        "SS" => "ssn",
        _ => text,
    }
}

/// Whether an object is a resource of FHIR or a record of HL7 version 3, and its type.
pub(super) enum Resource {
    None,
    Of(Box<str>),
}

/// What the writers of records see.
pub(super) struct View<'a> {
    pub nodes: &'a [Node],
    pub names: &'a Names,
    pub text: &'a str,
}

impl<'a> View<'a> {
    /// The text of a value.
    #[inline]
    pub fn text(&self, value: &Value) -> &'a str {
        self.text.get(value.start as usize..value.end as usize).unwrap_or("")
    }
    /// A name.
    #[inline]
    pub fn name(&self, index: u16) -> &'a Name {
        self.names.get(index)
    }
    /// An object.
    #[inline]
    pub fn node(&self, index: u32) -> Option<Node> {
        self.nodes.get(index as usize).copied()
    }
}

/// The bit of a kind that a person has one of, with the part of it that a name holds.
pub(super) fn single(meaning: &Meaning) -> u16 {
    match (meaning.rule.kind, meaning.part) {
        (Kind::Name, NamePart::Whole) => 1,
        (Kind::Name, NamePart::Family) => 2,
        (Kind::Name, NamePart::Given) => 4,
        (Kind::PatientId, _) => 8,
        (Kind::BirthDate, NamePart::Whole) => 16,
        (Kind::Ssn, _) => 32,
        (Kind::Sex, _) => 64,
        _ => 0,
    }
}
