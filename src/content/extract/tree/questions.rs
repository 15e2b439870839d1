//! Answers that name their question by its number: the form lists its questions, each with a number and a title, and
//! the answers refer to these (Typeform webhooks, `form_response`).

use super::Tree;
use super::frame::{AnswerSource, Frame, Value};
use super::grid::Role;
use super::subjects;
use crate::content::Scope;
use crate::content::extract::record::{Marks, Meaning};
use crate::rules::{About, KeyRules, Kind, NamePart};
use zeroize::Zeroizing;

/// Questions kept of one document.
const MAX_QUESTIONS: usize = 256;

/// Longest title of a form that is looked at, bytes.
const MAX_TITLE: usize = 120;

/// Objects around the title of a form.
const MAX_DEPTH: usize = 3;

/// The questions of a form.
#[derive(Default)]
pub(super) struct Questions {
    /// The number of each, as a hash, and what its answer means.
    known: Vec<(u64, Meaning)>,
    /// Answers that came before their questions, with the numbers of these (members of an object have no order, RFC
    /// 8259 4).
    waiting: Vec<(u64, Zeroizing<String>)>,
}

impl Questions {
    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|(_, text)| 32 + text.capacity()).sum();
        self.known.capacity() * size_of::<(u64, Meaning)>() + waiting
    }

    fn wait(&mut self, code: u64, answer: Zeroizing<String>) {
        if self.waiting.len() < MAX_QUESTIONS && answer.len() <= MAX_TITLE {
            self.waiting.push((code, answer));
        }
    }

    /// The answers that waited for their questions.
    fn answered(&mut self) -> Vec<(Meaning, Zeroizing<String>)> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().filter_map(|(code, text)| Some((self.get(code)?, text))).collect()
    }

    fn add(&mut self, code: u64, meaning: Meaning) {
        if self.known.len() < MAX_QUESTIONS {
            self.known.push((code, meaning));
        }
    }

    fn get(&self, code: u64) -> Option<Meaning> {
        self.known.iter().rev().find(|(known, _)| *known == code).map(|(_, m)| m.clone())
    }
}

/// What the answer to a question means: its words are the name of a field, or end with one (`What is your first
/// name?`).
pub(super) fn asked(question: &str, keys: &KeyRules) -> Option<Meaning> {
    /// Words in front of what is asked for.
    const FRONTS: [&str; 12] = [
        "what is the patient's ",
        "what is the patient’s ",
        "what is your ",
        "what's your ",
        "what is the ",
        "please enter your ",
        "please enter the ",
        "please provide your ",
        "enter your ",
        "enter the ",
        "your ",
        "the ",
    ];
    if let Some(key) = keys.get(question) {
        return Some(Meaning::from(key));
    }
    if question.len() > MAX_TITLE || !question.contains([' ', '?']) {
        return None;
    }
    let bare = question.trim().trim_end_matches(['?', ':', '*', '.', ' ']);
    let bare = bare.split([',', '(']).next().unwrap_or(bare).trim_end();
    let front = FRONTS
        .iter()
        .find(|front| bare.get(..front.len()).is_some_and(|text| text.eq_ignore_ascii_case(front)));
    let rest = front.and_then(|front| bare.get(front.len()..)).unwrap_or(bare);
    keys.get(rest).or_else(|| keys.get(bare)).map(Meaning::from)
}

impl Tree {
    /// Whether the next value belongs to a question of a form or to an answer.
    pub(super) fn asks_or_answers(&self) -> bool {
        let Some(top) = self.frames.last().filter(|top| top.object) else { return false };
        let own = self.names.get(top.name).use_;
        let next = self.names.get(top.next).use_;
        let names = &self.names;
        let identifier = top.element && names.get(top.name).identifiers;
        own.question && (next.code || next.label)
            || top.element && own.answers
            || identifier && (next.extension || next.number_type)
            || self.is_title()
            || self.names_event()
    }

    /// Whether the next value is the title of a form.
    fn is_title(&self) -> bool {
        let Some(top) = self.frames.last().filter(|_| self.frames.len() <= MAX_DEPTH) else {
            return false;
        };
        let name = self.names.get(top.next);
        let form = || self.names.get(top.name).use_.form;
        // A title may be that of anything.
        name.use_.title && (&*name.text != "title" || form())
    }

    /// Takes a value that belongs to a question or to an answer. Returns whether it has no other meaning.
    pub(super) fn note_question(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        self.note_event(text, scope);
        if self.is_title() && text.len() <= MAX_TITLE {
            let keys = &scope.rules().keys;
            let patient = |word: &str| keys.context(word) == Some(About::Patient);
            if super::words(text).any(patient) {
                self.document = self.document.and(Marks::PATIENT.ahead());
            }
        }
        let names = &self.names;
        let Some(top) = self.frames.last_mut().filter(|top| top.object) else { return false };
        let (own, next) = (names.get(top.name).use_, names.get(top.next).use_);
        if own.question && next.code {
            // Its number, and another name of it (`ref`).
            top.code = top.code.or_else(|| Some(subjects::hash(text)));
            return true;
        }
        if own.question && next.label && top.code.is_some() && top.element {
            let meaning = asked(text, &scope.rules().keys);
            if let (Some(code), Some(meaning)) = (top.code, meaning) {
                self.questions.add(code, meaning);
            }
        }
        if own.answers && top.element && !next.typed && !next.label && !next.code {
            top.set_answer(text, AnswerSource::Value);
        }
        false
    }

    /// What a question or an answer that ends says of what is around it. Returns whether it has no other meaning.
    pub(super) fn close_question(&mut self, frame: &mut Frame) -> bool {
        if frame.pairs && frame.object && frame.element {
            self.drop_title(frame);
        }
        let own = self.names.get(frame.name).use_;
        // `{"date": "1970-01-31", "field": {"id": "f2"}}`
        if own.question
            && !frame.element
            && let Some(code) = frame.code
        {
            let meaning = self.questions.get(code);
            if let Some(answer) = self.frames.last_mut().filter(|a| a.object && a.element) {
                answer.label = meaning;
                answer.code = Some(code);
            }
            return false;
        }
        // `{"heading": "Date of birth", "answers": [{"simple_text": "1970-01-31"}]}`
        if own.answers && frame.element && frame.label.is_none() {
            let Some(answer) = frame.answer.take() else { return false };
            if let Some(code) = frame.code {
                self.questions.wait(code, answer);
                return false;
            }
            if let [.., question, list] = self.frames.as_mut_slice()
                && !list.object
                && question.object
                && question.label.is_some()
            {
                question.set_answer(&answer, AnswerSource::Value);
            }
        }
        false
    }

    /// The document is complete: answers that came before their questions make a record.
    pub(super) fn end_questions(&mut self, scope: &mut Scope<'_>) {
        if self.questions.waiting.is_empty() {
            return;
        }
        for (meaning, answer) in self.questions.answered() {
            self.loose.add(&meaning, 0, &answer);
        }
        self.loose.mark_from_afar(self.document);
        self.loose.mark_from_afar(self.around);
        self.loose.emit(self.content, scope);
    }

    /// Whether the next value is the answer to what seemed to be the name of a column: `"fields": [{"label":
    /// "Date of birth", "value": "1970-01-31"}]`.
    pub(super) fn answers_column(&self) -> bool {
        let top = self.frames.last().filter(|top| top.role == Role::Column && top.element);
        top.is_some_and(|top| self.names.get(top.next).use_.answer)
    }

    /// What seemed to be the names of columns are labels with their answers.
    pub(super) fn begin_pairs(&mut self, scope: &Scope<'_>) {
        let [.., list, top] = self.frames.as_mut_slice() else { return };
        list.role = Role::Plain;
        top.role = Role::Plain;
        if let Some(label) = self.grid.take_last().filter(|_| std::mem::take(&mut top.done)) {
            top.label = asked(&label, &scope.rules().keys);
            top.strange = top.label.is_none();
        }
        self.grid.clear();
    }

    /// Drops what an object with answers calls itself: that is the title of a part of a form.
    fn drop_title(&mut self, frame: &mut Frame) {
        const WHOLE: u16 = 1;
        let from = frame.values.min(self.values.len());
        let (node, strange) = (frame.node, frame.strange);
        let title = |value: &Value| {
            let whole =
                |m: &Meaning| m.rule.kind == Kind::Name && m.part == NamePart::Whole && !m.patient;
            strange && value.node == node && value.meaning.as_ref().is_some_and(whole)
        };
        let before = self.values.len();
        let rest: Vec<Value> = self.values.drain(from..).filter(|value| !title(value)).collect();
        self.values.extend(rest);
        if self.values.len() < before {
            frame.singles &= !WHOLE;
        }
    }

    /// Whether an ended object holds nothing but answers, and is what else is known of the person around it: a name is
    /// there, and none is in the answers.
    pub(super) fn completes_person(&self, frame: &Frame) -> bool {
        /// The bits of names among those of [`single`](super::single).
        const NAMES: u16 = 7;
        let [.., person, list] = self.frames.as_slice() else { return false };
        frame.pairs
            && frame.element
            && !list.object
            && person.object
            && person.role == Role::Plain
            && person.singles & NAMES != 0
            && person.singles & frame.singles == 0
            && frame.singles & NAMES == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::{records, rules};

    #[test]
    fn a_question_asks_for_a_field() {
        let of = |question| asked(question, &rules().keys).map(|m| (m.rule.kind, m.part));
        assert_eq!(of("What is your first name?"), Some((Kind::Name, NamePart::Given)));
        assert_eq!(of("Date of birth (dd/mm/yyyy)"), Some((Kind::BirthDate, NamePart::Whole)));
        assert_eq!(
            of("Please enter your medical record number"),
            Some((Kind::PatientId, NamePart::Whole))
        );
        assert_eq!(of("Do you smoke?"), None);
    }

    #[test]
    fn answers_refer_to_questions() {
        let form = |title: &str| {
            format!(
                r#"{{"form_response": {{"definition": {{"title": "{title}", "fields": [
                {{"id": "a", "type": "short_text", "title": "What is your first name?"}},
                {{"id": "b", "type": "short_text", "title": "What is your last name?"}},
                {{"id": "c", "type": "date", "title": "Date of birth"}},
                {{"id": "d", "type": "yes_no", "title": "Do you smoke?"}}]}},
                "answers": [
                {{"type": "text", "text": "Jane", "field": {{"id": "a", "type": "short_text"}}}},
                {{"type": "text", "text": "Roe", "field": {{"id": "b", "type": "short_text"}}}},
                {{"type": "date", "date": "1970-01-31", "field": {{"id": "c", "type": "date"}}}},
                {{"type": "boolean", "boolean": true, "field": {{"id": "d", "type": "yes_no"}}}}]}}}}"#
            )
        };
        let read = |title| records("application/json", form(title).as_bytes());
        assert_eq!(
            read("New patient intake"),
            ["http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31"]
        );
        assert!(!read("Job application").iter().any(|line| line.contains("PatientContext")));
    }

    #[test]
    fn answers_before_their_questions() {
        let form = r#"{"form_response": {"answers": [
            {"field": {"id": "a", "ref": "x"}, "type": "text", "text": "Jane Roe"},
            {"field": {"id": "b", "ref": "y"}, "type": "date", "date": "1970-01-31"}],
            "definition": {"title": "Patient intake", "fields": [
            {"id": "a", "ref": "x", "title": "What is the patient's full name?"},
            {"id": "b", "ref": "y", "title": "Date of birth"}]}}}"#;
        assert_eq!(
            records("application/json", form.as_bytes()),
            ["http>json:~json [PatientContext] name=Jane Roe birth_date=1970-01-31"]
        );
    }

    #[test]
    fn answers_below_their_question() {
        let survey = r#"{"pages": [{"questions": [
            {"id": "1", "heading": "Patient name", "answers": [{"simple_text": "Jane Roe"}]},
            {"id": "2", "heading": "Date of birth", "answers": [{"simple_text": "1970-01-31"}]},
            {"id": "3", "heading": "How are you?", "answers": [{"simple_text": "Fine"}]}]}]}"#;
        assert_eq!(
            records("application/json", survey.as_bytes()),
            ["http>json:~json [PatientContext] name=Jane Roe birth_date=1970-01-31"]
        );
    }

    #[test]
    fn answers_complete_the_person_around_them() {
        let booking = r#"{"firstName": "Jane", "lastName": "Roe", "forms": [{"id": 1, "name": "Patient information",
            "values": [{"name": "Date of Birth", "value": "1970-01-31"}, {"name": "MRN", "value": "H-77"}]}]}"#;
        assert_eq!(
            records("application/json", booking.as_bytes()),
            [
                "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31 patient_id=H-77"
            ]
        );
    }
}
