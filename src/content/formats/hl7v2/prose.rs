//! Free text in results and comments (OBX-5, NTE-3): a report over several lines, repetitions and segments is one
//! text. Values with labels, or with a distinctive form, belong to the patient of the message, unless the words
//! around them name another owner.

use super::patient_context::{Candidate, PatientContext};
use crate::content::extract::labels::Labels;
use crate::content::extract::numbers;
use crate::content::extract::record::Meaning;
use crate::content::{Evidence, Field, Mark, Scope};
use crate::phi::Phi;
use crate::rules::{Kind, Person, RuleSet};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Text that is read at a time, bytes. Longer text is read in parts.
const MAX_TEXT: usize = 64 << 10;
/// Shorter texts, in lines, are notes about the patient, not letters with a head.
const SHORT: usize = 3;
/// Lines around a labelled value of the patient in which a number needs no further word.
const NEAR: usize = 8;
/// Words before a number that may name its owner.
const MAX_BEFORE: usize = 12;
/// Values kept of a stranger.
const MAX_STRANGER: usize = 16;

/// The current text.
#[derive(Default)]
pub struct Prose {
    text: Zeroizing<String>,
    field: Option<Arc<str>>,
}

impl Prose {
    /// A further line of the text in `field`.
    pub fn line(
        &mut self,
        field: &Arc<str>,
        line: &str,
        own: &mut PatientContext,
        scope: &mut Scope<'_>,
    ) {
        if self.field.as_ref().is_some_and(|f| f != field)
            || self.text.len() + line.len() >= MAX_TEXT
        {
            self.pass_on(own, scope);
        }
        self.field = Some(Arc::clone(field));
        let mut end = line.len().min(MAX_TEXT);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(line.get(..end).unwrap_or(""));
        self.text.push('\n');
    }

    /// This text is complete.
    pub fn pass_on(&mut self, own: &mut PatientContext, scope: &mut Scope<'_>) {
        let text = std::mem::take(&mut self.text);
        if let Some(field) = self.field.take()
            && is_informative(&text)
        {
            read(&text, &field, own, scope);
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.text.capacity()
    }
}

/// Whether a text can contain anything: labels end in a sign, all other values have digits or an `@`.
fn is_informative(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit() || matches!(b, b':' | b'=' | b'@' | b'#'))
        || text.contains('：')
}

fn read(text: &str, field: &str, own: &mut PatientContext, scope: &mut Scope<'_>) {
    let rules = scope.rules;
    let mut reader = Reader {
        field,
        own,
        stranger: Vec::new(),
        strange: false,
        strange_lines: Vec::new(),
        near: Vec::new(),
        place: false,
        place_lines: Vec::new(),
        short: field.starts_with("NTE") || text.lines().count() <= SHORT,
    };
    let mut labels = Labels::collecting();
    for (number, line) in text.lines().enumerate() {
        reader.place(line, number, rules);
        if !labels.is_waiting() && !line.contains([':', '=', '#', '：']) {
            rules.identifiers.scan(line, &mut |hit| {
                if let Some(meaning) = numbers::meaning(&hit, scope) {
                    reader.labelled(&meaning, hit.value, line, number, scope);
                }
            });
            continue;
        }
        labels.line(line, scope);
        for (meaning, value) in labels.take() {
            reader.labelled(&meaning, &value, line, number, scope);
        }
    }
    rules.text.find(text, |recogniser, value| {
        let at = (value.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let before = text.get(..at).unwrap_or("");
        let line = before.rsplit('\n').next().unwrap_or("");
        let number = before.matches('\n').count();
        if reader.strange_lines.contains(&number) {
            return;
        }
        let Some(kind) = reader.whose(recogniser.rule.kind, line, number, rules) else { return };
        let offer = Candidate {
            rule: &recogniser.rule,
            kind,
            value,
            field,
            patient: recogniser.labelled,
            evidence: if recogniser.labelled { Evidence::Labelled } else { Evidence::Pattern },
        };
        if !(kind == Kind::Email && !recogniser.labelled && !reader.personal(number)) {
            reader.own.offer(&offer, scope);
        }
    });
    reader.pass_on_stranger(scope);
}

struct Reader<'a> {
    field: &'a str,
    own: &'a mut PatientContext,
    /// Lines behind the name of another patient.
    stranger: Vec<(Meaning, Zeroizing<String>)>,
    /// The last named patient is another one.
    strange: bool,
    /// Lines about another patient.
    strange_lines: Vec<usize>,
    /// Lines with labelled values of the patient.
    near: Vec<usize>,
    /// The last owner that a label named is a laboratory, a practice or staff.
    place: bool,
    /// Lines of such a block, whose addresses and numbers belong to that owner.
    place_lines: Vec<usize>,
    short: bool,
}

impl Reader<'_> {
    /// Reads the first label of a line: whose address and numbers follow.
    fn place(&mut self, line: &str, number: usize, rules: &RuleSet) {
        let label = line.split_once([':', '：']).map_or("", |(label, _)| label);
        let words = label.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        match words.take(MAX_BEFORE).find_map(|w| rules.text.person(w)) {
            Some(Person::Other) => self.place = true,
            Some(Person::Patient | Person::Relative) => self.place = false,
            None if line.trim().is_empty() => self.place = false,
            None => {}
        }
        if self.place {
            self.place_lines.push(number);
        }
    }

    fn labelled(
        &mut self,
        meaning: &Meaning,
        value: &str,
        line: &str,
        number: usize,
        scope: &mut Scope<'_>,
    ) {
        let rule = &meaning.rule;
        if rule.kind == Kind::Name {
            match self.own.known().is_name(value) {
                Some(false) if meaning.patient => self.strange = true,
                Some(true) => self.strange = false,
                _ => {}
            }
        }
        if self.strange {
            self.strange_lines.push(number);
            if self.stranger.len() < MAX_STRANGER {
                self.stranger.push((meaning.clone(), Zeroizing::new(value.to_owned())));
            }
            return;
        }
        let at = line.find(value).unwrap_or(0);
        let before = line.get(..at).unwrap_or("");
        let Some(kind) = self.whose(rule.kind, before, number, scope.rules) else { return };
        if matches!(kind, Kind::Name | Kind::BirthDate) || kind.is_strong_id() {
            self.near.push(number);
            if meaning.patient {
                self.place = false;
            }
        }
        let offer = Candidate {
            rule,
            kind,
            value,
            field: self.field,
            patient: meaning.patient,
            evidence: meaning.evidence,
        };
        self.own.offer(&offer, scope);
    }

    /// Whether line `number` is about the patient without further words.
    fn personal(&self, number: usize) -> bool {
        self.short || self.near.iter().any(|at| at.abs_diff(number) <= NEAR)
    }

    /// The kind of a value, by the words before it in its line; `None` if it is not the patient's. As a rule, numbers
    /// and addresses in reports belong to others.
    fn whose(&self, kind: Kind, before: &str, number: usize, rules: &RuleSet) -> Option<Kind> {
        if !matches!(kind, Kind::Phone | Kind::Email | Kind::Address | Kind::Fax) {
            return Some(kind);
        }
        let words = before.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        match words.rev().take(MAX_BEFORE).find_map(|w| rules.text.person(w)) {
            Some(Person::Patient) => Some(kind),
            Some(Person::Relative) => (kind == Kind::Phone).then_some(Kind::NextOfKinPhone),
            Some(Person::Other) => None,
            None => {
                let theirs = self.place_lines.binary_search(&number).is_ok();
                (!theirs && self.personal(number)).then_some(kind)
            }
        }
    }

    /// Another patient, who is named with more than a name, has a record of their own.
    fn pass_on_stranger(&mut self, scope: &mut Scope<'_>) {
        let has = |wanted: &dyn Fn(Kind) -> bool| {
            self.stranger.iter().any(|(meaning, _)| wanted(meaning.rule.kind))
        };
        if !(has(&|k| k == Kind::Name) && has(&|k| k == Kind::BirthDate || k.is_strong_id())) {
            return;
        }
        scope.begin_loose("text");
        scope.mark(Mark::PatientContext);
        for (meaning, value) in &self.stranger {
            let rule = &meaning.rule;
            scope.field(Field {
                kind: rule.kind,
                value: Phi::new(value),
                name: self.field,
                rule: &rule.id,
                issuer: "",
                authority: "",
                confidence: rule.confidence,
                evidence: Evidence::Labelled,
            });
        }
        scope.end();
    }
}
