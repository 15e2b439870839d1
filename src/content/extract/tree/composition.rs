//! Compositions of openEHR in their canonical and STRUCTURED forms
//! (<https://specifications.openehr.org/releases/SM/latest/serial_data_formats.html>): everything in one belongs to
//! one patient at any depth, except participants.

use super::Tree;
use super::frame::{AnswerSource, Frame};
use super::names::PLAIN;
use crate::content::Scope;
use crate::content::extract::record::Meaning;
use zeroize::Zeroizing;

/// The types of the canonical form, of the record that a composition belongs to (Reference Model, EHR IM 5.4, 4.7.2),
/// and of a person in a register of demographics (Demographic IM 4.2).
const TYPES: [&str; 3] = ["COMPOSITION", "EHR_STATUS", "PERSON"];

/// The context of the STRUCTURED form, and names in it.
const CONTEXT: &str = "ctx";
const IN_CONTEXT: [&str; 3] = ["language", "territory", "composer_name"];

/// The patient, if a composition contains more than the id of its record (Reference Model, PARTY_IDENTIFIED), with
/// the meanings of its members: those of a patient and of a patient's identifier.
const SUBJECT: [(&str, &str); 2] = [("subject", super::PATIENT), ("identifiers", super::PATIENT)];

/// Whether a document is a composition.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Composition {
    #[default]
    No,
    /// Its context may have begun.
    Perhaps,
    Yes,
}

impl Composition {
    /// The name whose members are those of `name`.
    #[inline]
    pub(super) fn label_of(self, name: &str) -> Option<&'static str> {
        if self != Self::Yes {
            return None;
        }
        SUBJECT.iter().find(|(subject, _)| *subject == name).map(|(_, like)| *like)
    }
}

impl Tree {
    /// A key of the document.
    pub(super) fn note_context(&mut self, key: &str) {
        match (self.composition, self.frames.len()) {
            (Composition::No, 1) if key == CONTEXT => self.composition = Composition::Perhaps,
            (Composition::Perhaps, 1) => self.composition = Composition::No,
            (Composition::Perhaps, 2) if IN_CONTEXT.contains(&key) => {
                self.composition = Composition::Yes;
            }
            _ => {}
        }
    }

    /// The type of an object.
    pub(super) fn note_type(&mut self, text: &str) {
        if TYPES.contains(&text) && self.frames.len() == 1 {
            self.composition = Composition::Yes;
        }
    }

    /// Whether the next value is the number of the subject in another system (Reference Model, PARTY_SELF):
    /// `"subject": {"external_ref": {"id": {"value": "77"}, "namespace": "patients", "type": "PERSON"}}`.
    pub(super) fn is_subject_id(&self, key: &str) -> bool {
        const AROUND: [&str; 3] = ["subject", "external_ref", "id"];
        if key != "value" {
            return false;
        }
        let Some(around) = self.frames.last_chunk::<3>() else { return false };
        let named = |(frame, name): (&Frame, &str)| &*self.names.get(frame.name).text == name;
        around.iter().zip(AROUND).all(named)
    }

    /// Whether everything belongs to one patient.
    pub(super) fn is_composition(&self) -> bool {
        self.composition == Composition::Yes
    }

    /// Takes an ended object as the label or the value of the enclosing one: `"name": {"value": "Date of birth"},
    /// "value": {"value": "1970-01-31"}`.
    pub(super) fn unwrap_text(&mut self, frame: &Frame, scope: &Scope<'_>) -> bool {
        let key = self.names.get(frame.name);
        if !self.is_composition() || !frame.object || frame.name == PLAIN {
            return false;
        }
        let (label, answer) = (key.use_.label, key.use_.answer);
        let own = self.values.get(frame.values..).unwrap_or_default().iter();
        let mut own = own.filter(|v| v.node == frame.node && self.names.get(v.name).use_.wrapper);
        let Some(value) = own.next().filter(|_| label || answer) else { return false };
        let text = self.text.get(value.start as usize..value.end as usize).unwrap_or("");
        let text = Zeroizing::new(text.to_owned());
        let Some(around) = self.frames.last_mut().filter(|around| around.object) else {
            return false;
        };
        if label {
            around.label = scope.rules().keys.get(&text).map(Meaning::from);
        } else {
            around.set_answer(&text, AnswerSource::Value);
        }
        true
    }
}
