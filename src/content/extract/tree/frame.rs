//! What is open while a document is read, and the values that are kept.

use super::grid::Role;
use super::names::{Name, Names};
use super::subjects;
use crate::content::Scope;
use crate::content::extract::numbers::ListPosition;
use crate::content::extract::record::{Marks, Meaning};
use crate::rules::{Kind, NamePart};
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

/// An open object or array.
pub(super) struct Frame {
    pub object: bool,
    /// Its name; elements of an array have that of the array.
    pub name: u16,
    /// It is in an array.
    pub element: bool,
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
    /// It is a row of a table in a dump of a database.
    pub row: bool,
    /// It has a label that means nothing.
    pub strange: bool,
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
    /// It holds answers that were labelled.
    pub pairs: bool,
    /// What the type of the resource says about a person's health.
    pub health: Marks,
    /// Names of the resource: its id, and the URL beside it.
    pub id: Option<u64>,
    pub url: Option<u64>,
}

impl super::Tree {
    /// Notes a value that is the label of another, or the answer to a label.
    pub(super) fn note_label(&mut self, text: &str, scope: &Scope<'_>) {
        let Some(top) = self.frames.last_mut() else { return };
        let (name, keys) = (self.names.get(top.next).use_, &scope.rules().keys);
        if name.typed && top.element && self.names.get(top.name).identifiers {
            // `"identifiers": [{"type": "MRN", "value": "77"}]`.
            let key = keys.get(text).filter(|key| key.rule.kind.is_strong_id());
            top.label = key.map(Meaning::from).or_else(|| top.label.take());
        }
        if top.object && (top.element || self.pairs) {
            if name.label && top.label.is_none() {
                top.label = keys.get(text).map(Meaning::from);
                top.strange = top.label.is_none();
            } else if name.answer {
                top.answer = Some(Zeroizing::new(text.to_owned()));
            } else if name.group && top.element {
                top.group = Some(subjects::hash(text));
            }
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
    pub fn text(&self, value: &Value) -> &'a str {
        self.text.get(value.start as usize..value.end as usize).unwrap_or("")
    }
    /// A name.
    pub fn name(&self, index: u16) -> &'a Name {
        self.names.get(index)
    }
    /// An object.
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
