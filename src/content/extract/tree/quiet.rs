//! Values of which nothing is asked but what their own names mean: nearly all. Names say so themselves, once for each name,
//! instead of every part of the reader for each value.

use super::grid::Role;
use super::names::Name;
use super::values;
use super::{MAX_ROOT, Tree, structure};
use crate::content::Scope;

impl Name {
    /// Whether a value under it means what its name says, or nothing: it is no label, type, link or element of DICOM.
    pub(super) fn is_quiet(&self) -> bool {
        let of = self.use_;
        let label =
            of.label || of.answer || of.group || of.number || of.number_type || of.extension;
        let form = of.code || of.title || of.event;
        let kind = of.typed || of.species || of.address;
        let tag = self.dicom_tag.is_some() || self.tag_value || self.small_value;
        let structure = self.link.is_some() || self.resource_type || self.operation;
        let answer = structure::is_typed_answer(&self.text);
        !(label || form || kind || tag || structure || answer) && &*self.text != "_id"
    }

    /// The same of the values in an object with this name, as far as it depends on the object.
    pub(super) fn is_quiet_around(&self) -> bool {
        let of = self.use_;
        let form = of.question || of.answers || of.function || of.form;
        let list = self.identifiers || self.patient_numbers || self.request;
        let other = of.species || self.dicom_tag.is_some();
        !(form || list || other) && &*self.text != "id"
    }
}

impl Tree {
    /// Whether the next value means what its name says, or nothing.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        let Some(top) = self.frames.last() else { return false };
        top.quiet && top.role == Role::Plain && self.names.get(top.next).quiet
    }

    /// Whether such a value is wanted.
    #[inline]
    pub(super) fn wants_quietly(&self) -> bool {
        let top = self.frames.last();
        top.is_some_and(|top| top.next_meaning.is_some() || self.names.get(top.next).fhir)
    }

    /// Such a value.
    pub(super) fn quiet_value(&mut self, text: &str, scope: &mut Scope<'_>) {
        let depth = self.frames.len();
        let Some(top) = self.frames.last_mut() else { return };
        let name = self.names.get(top.next);
        if values::is_of_code(&name.text, top.next_meaning.as_ref(), text) {
            return;
        }
        top.marks = top.marks.and(name.marks);
        let fhir = name.fhir;
        if fhir && depth <= MAX_ROOT {
            self.show_in_document(text, scope);
        }
        let top = self.frames.last();
        let wanted = top.is_some_and(|top| top.next_meaning.is_some() || fhir && !top.idle);
        if wanted && !text.is_empty() {
            self.keep_text(text, scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::content::extract::tree::names::Names;
    use crate::content::testing::rules;

    #[test]
    fn names_that_ask_for_more_than_their_meaning_are_not_quiet() {
        let (mut names, rules) = (Names::default(), rules());
        for name in ["family", "birthDate", "gender", "system", "postalCode", "unheard of"] {
            let index = names.find(name, rules);
            assert!(names.get(index).quiet && names.get(index).quiet_around, "{name}");
        }
        let asking = [
            "value",
            "type",
            "id",
            "name",
            "answer",
            "reference",
            "resourceType",
            "fullUrl",
            "op",
            "00100010",
            "Value",
            "href",
            "number",
            "event",
            "species",
        ];
        for name in asking {
            let index = names.find(name, rules);
            assert!(!names.get(index).quiet, "{name}");
        }
        for name in
            ["identifiers", "answers", "questions", "function", "request", "id", "x00100010"]
        {
            let index = names.find(name, rules);
            assert!(!names.get(index).quiet_around, "{name}");
        }
    }
}
