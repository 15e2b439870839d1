//! Labelled values in running text: `Patient: Laura D   MRN: H0931558`, and headings that name its subject. Text,
//! HTML pages and the text of other documents share it.

mod adjacent_name;
mod born;
mod cell;
mod columns;
mod dispensed;
mod find;
mod greeting;
mod heading;
mod listed;
mod mention;
mod name_heading;
mod neighbours;
mod padding;
mod parted;
mod plain;
mod sentence;
#[cfg(test)]
mod tests;
mod value;

use super::numbers;
use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::Scope;
use crate::rules::{About, Kind, RuleSet};
use columns::Columns;
use dispensed::Dispensed;
use find::LabelMeaning;
pub use find::key;
use greeting::Greeted;
pub use greeting::is_greeting;
use heading::{MAX_HEADING_WORDS, TOPICS, heading};
use padding::is_padding;
use parted::Family;
pub(in crate::content) use plain::PlainLines;
pub use plain::{Place, tag};
use sentence::Seen;
use zeroize::Zeroizing;

/// Keys whose rules apply to a name or number without a label of its own.
const NAME: &str = "name";
const PATIENT_NAME: &str = "patient_name";
const NUMBER: &str = "patient_id";
const BIRTH_DATE: &str = "birth_date";

/// Longest value of a label, bytes.
const MAX_VALUE: usize = 200;

/// Values collected per line.
const MAX_COLLECTED: usize = 64;

/// Between the lines of a cell (U+2028), as tables have it.
const LINE_BREAK: char = '\u{2028}';

/// Longest line that may be a name, bytes.
const MAX_BEFORE: usize = 96;

/// The work of a label and its value beside that of their bytes: a label of three bytes brings more over the wire.
const LABEL: u64 = 32;

/// Fewest words of the label of a patient that is a line without a colon.
const MIN_ALONE: usize = 3;

/// Longest line read, bytes.
const MAX_LINE: usize = 8 << 10;

/// Collects labelled values into records of one person each.
pub struct Labels {
    content: &'static str,
    record: CandidateRecord,
    /// Context of all records of the document.
    around: Marks,
    /// Context of the current record from its labels: weaker than a key, as prose has colons too.
    said: Marks,
    /// A label whose value comes next.
    waiting: Option<Meaning>,
    /// That label fills a row of a table.
    above: bool,
    /// Labels whose values come in the line below.
    columns: Columns,
    group: u32,
    /// The current line is that of a cell or element.
    element: bool,
    /// The previous line, if it may be a name.
    before: Zeroizing<String>,
    /// In a section of settings about a patient: `[PATIENT]`.
    section: bool,
    /// It is the first one about a patient, and the next one continues it.
    introduced: Option<About>,
    introduces: Option<About>,
    /// The next cell names the kind of animal.
    species: bool,
    /// Whom the message greets, until it says what it is about.
    greeted: Greeted,
    /// Lines in which an announced list of patients may go on.
    listed: u8,
    /// A label of a pharmacy.
    dispensed: Dispensed,
    /// The label whose value comes next asks for family and given name, and the family name, if it came alone.
    both: bool,
    family: Option<Family>,
    /// Values are passed to [`Labels::take`] instead of being combined into records.
    collected: Option<Vec<(Meaning, Zeroizing<String>)>>,
}

impl Labels {
    /// For a document of this format.
    pub fn new(content: &'static str) -> Self {
        Self {
            content,
            record: CandidateRecord::default(),
            around: Marks::default(),
            said: Marks::default(),
            waiting: None,
            above: false,
            columns: Columns::default(),
            group: 0,
            element: false,
            before: Zeroizing::default(),
            section: false,
            introduced: None,
            introduces: None,
            species: false,
            greeted: Greeted::default(),
            listed: 0,
            dispensed: Dispensed::default(),
            both: false,
            family: None,
            collected: None,
        }
    }

    /// For a text whose person is known: values are collected for [`Labels::take`].
    pub fn collecting() -> Self {
        Self { collected: Some(Vec::new()), ..Self::new("text") }
    }

    /// Whether `text` holds a label without a colon and its value: `MRN 00773500`.
    pub fn has_inline(text: &str, rules: &RuleSet) -> bool {
        value::inline(text, rules).is_some()
    }

    /// The values collected since the last call.
    pub fn take(&mut self) -> Vec<(Meaning, Zeroizing<String>)> {
        self.collected.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether a line without labels may be the value of the label before.
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether the previous label announces a patient.
    pub fn awaits_patient(&self) -> bool {
        let is = |meaning: &Meaning| meaning.patient && meaning.rule.kind == Kind::Name;
        self.waiting.as_ref().is_some_and(is)
    }

    /// Adds context of the whole document.
    pub fn mark(&mut self, marks: Marks) {
        self.around = self.around.and(marks);
    }

    /// What is said around the whole document.
    pub const fn around(&self) -> Marks {
        self.around
    }

    /// A heading or title: its words may name the subject of the document.
    pub fn heading(&mut self, text: &str, scope: &Scope<'_>) {
        self.mark(heading(text, text, scope.rules()));
        self.announce(text, scope.rules());
    }

    /// A heading of a page, which may itself name a patient: `Patient: Jane Roe (MRN 77)`.
    pub fn title(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.heading(text, scope);
        let alone = scope.rules.keys.context(text.trim_matches(is_padding));
        if std::mem::replace(&mut self.species, alone == Some(About::Species)) {
            self.said = self.said.and(Marks::of_species(text.trim(), &scope.rules.keys));
        }
        let patients =
            |said: &LabelMeaning| matches!(said, LabelMeaning::Key(meaning) if meaning.patient);
        // `<h2>Paciente: Ana Ruiz</h2><h2>Fecha de nacimiento: 31/01/1970</h2>`
        let begun = self.record.names_patient();
        let number = text.trim_start().get(..2).is_some_and(|id| id.eq_ignore_ascii_case("id"));
        let goes_on =
            |said: &LabelMeaning| begun && (number || matches!(said, LabelMeaning::Key(_)));
        if find::labels(text, scope.rules).any(|l| patients(&l.said) || goes_on(&l.said)) {
            self.line(text, scope);
            self.waiting = None;
        } else {
            if self.numbered_title(text, scope) {
                return;
            }
            // `<h2>Jane Roe</h2><p>MRN: H-77</p><p>DOB: 1970-01-31</p>`
            if self.introduces.is_none() && name_heading::is_heading(text, scope.rules) {
                self.introduces = Some(About::Nothing);
            }
            self.note(text);
            // `<h5>Patient</h5><p>Jane Roe</p><p>Date of birth: 1970-01-31</p>`
            if alone == Some(About::Patient) && self.record.is_empty() {
                self.introduce();
            }
        }
        // `<h3>Date of birth</h3><p>1970-01-31</p>`; a word like `Patient` is a heading.
        if let Some(key) = key(text.trim_matches(is_padding), scope.rules)
            && scope.rules.keys.context(text).is_none()
        {
            self.waiting = Some(Meaning::from(key));
        }
    }

    /// Whether what a line says does not depend on those before it.
    pub fn is_plain(&self) -> bool {
        self.waiting.is_none()
            && self.columns.is_empty()
            && !self.species
            && !self.greeted.is_waiting()
            && self.listed == 0
            && self.family.is_none()
    }

    /// Keeps a line that may be the name of the person in the next one.
    pub fn note(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() || adjacent_name::is_sex_or_age(line) {
            return;
        }
        self.before.clear();
        if line.len() <= MAX_BEFORE {
            self.before.push_str(line);
        }
        self.introduced = std::mem::take(&mut self.introduces);
    }

    /// A part about a patient begins: its first line may be a name and nothing else.
    pub const fn introduce(&mut self) {
        self.introduces = Some(About::Patient);
    }

    /// A line of text.
    pub fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        let tag = tag(Place::Line, line.as_bytes(), scope).filter(|_| self.is_plain());
        if tag.is_some_and(|tag| scope.counters.lines.knows(tag)) {
            return self.note(line);
        }
        if self.read(line, scope)
            && let Some(tag) = tag
        {
            scope.counters.lines.note(tag);
        }
    }

    /// The same, of a line that is not remembered. True if it said nothing, whatever is around it, in a place that
    /// [`Labels::is_plain`].
    pub fn read(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        // No shorter line has that many characters.
        let end = (line.len() > MAX_LINE).then(|| line.char_indices().nth(MAX_LINE)).flatten();
        let line = end.map_or(line, |(end, _)| line.get(..end).unwrap_or(""));
        let rules = scope.rules;
        let mut plain = self.front(line, scope);
        let joined = self.join_family(line, scope);
        let line = joined.as_ref();
        let columns = Columns::of_labels(line, rules);
        if !columns.is_empty() {
            self.forget();
            self.columns = columns;
            return false;
        }
        let mut open: Option<(Meaning, usize)> = None;
        let mut found = false;
        // Where the text before the next label begins.
        let mut behind = 0;
        let mut seen = Seen::default();
        let known = self.identified();
        for mut label in find::labels(line, rules) {
            // `Re:` says nothing about what follows it.
            if let LabelMeaning::Context(About::Nothing) = label.said {
                continue;
            }
            if let LabelMeaning::Unknown = label.said {
                let patient = open.as_ref().is_some_and(|(meaning, _)| meaning.patient);
                let Some(number) = self.own_number(&mut label, line, patient, &mut seen, rules)
                else {
                    continue;
                };
                label.said = LabelMeaning::Key(number);
            }
            let before = std::mem::replace(&mut behind, label.value);
            // `Name: Jane Roe      Name: Max Doe`: the second column is about somebody else.
            let again = open.as_ref().is_some_and(|(meaning, _)| label.repeats(meaning));
            if let Some((meaning, value)) = open.take() {
                self.value(&meaning, line.get(value..label.start).unwrap_or(""), scope);
            } else if let LabelMeaning::Key(meaning) = &label.said {
                let before = line.get(before..label.start).unwrap_or("");
                if Self::has_inline(before, rules) {
                    self.inline(before, scope);
                } else {
                    let behind = line.get(label.value..).unwrap_or("");
                    self.beside(meaning, before, behind, scope);
                }
            }
            found = true;
            match label.said {
                LabelMeaning::Key(_) if again => {}
                LabelMeaning::Key(meaning) => {
                    scope.spend(LABEL);
                    open = Some((meaning, label.value));
                }
                LabelMeaning::Context(about) => {
                    self.context(about, line.get(label.value..).unwrap_or(""), rules);
                }
                LabelMeaning::Unknown => {}
            }
        }
        if found {
            self.columns = Columns::default();
        }
        if let Some((meaning, value)) = open {
            let value = line.get(value..).unwrap_or("");
            if value.trim_matches(is_padding).is_empty() {
                // Only patients are asked for it, whether or not a value follows.
                if meaning.patient && !self.record.is_empty() {
                    self.said = self.said.and(Marks::PATIENT);
                }
                self.both = parted::asks_for_both(line);
                self.waiting = Some(meaning);
            } else {
                self.value(&meaning, value, scope);
            }
        } else if !found {
            plain &= self.unlabelled(line, scope);
            self.note(line);
        }
        if known != self.identified() {
            plain = false;
            self.name_in_sentence(line, scope);
        }
        plain &= self.conclude(&seen);
        // The name at the head of a record applies to the labelled values below it.
        if found && self.introduced.is_none() {
            self.before.clear();
        }
        plain && !found
    }

    /// What a line says as a whole, whatever labels it has. True if it says nothing.
    fn front(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let section = section(line);
        if let Some(section) = section {
            self.section = scope.rules.keys.context(section) == Some(About::Patient);
        }
        let greets = self.greeting(line, scope);
        let lists = self.listed(line, scope);
        let dispensed = self.dispensed(line, scope);
        section.is_none() && !greets && !lists && !dispensed
    }

    /// A label that says whom the text is about, with what is behind it.
    fn context(&mut self, about: About, behind: &str, rules: &RuleSet) {
        if about == About::Species {
            let value = behind.trim_start().split([',', ';', '|', '\t']).next().unwrap_or("");
            let value = value.split("  ").next().unwrap_or("").trim();
            self.said = self.said.and(Marks::of_species(value, &rules.keys));
        } else if !behind.trim().is_empty() {
            self.said = self.said.and(Marks::about(about));
        }
    }

    /// A line without labels: the value of the previous one, a label alone, or prose. True if it
    /// said nothing.
    fn unlabelled(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let text = line.trim_matches(is_padding);
        if text.is_empty() {
            return true;
        }
        if let Some(meaning) = self.waiting.take()
            // An empty label takes no neighbour.
            && !find::has_own_label(line.trim())
            && scope.rules.keys.get(text).is_none()
        {
            if !self.hold_family(&meaning, text, scope.rules) {
                self.value(&meaning, text, scope);
            }
            return false;
        }
        // `Name, Vorname des Versicherten` in a line of its own.
        if text.split_whitespace().nth(MIN_ALONE - 1).is_some()
            && scope.rules.keys.context(text).is_none()
            && let Some(key) = find::whole(text, scope.rules).filter(|key| key.patient)
        {
            self.both = parted::asks_for_both(text);
            self.waiting = Some(Meaning::from(key));
            return false;
        }
        let below = std::mem::replace(&mut self.columns, Columns::of(line, scope.rules));
        if !below.is_empty() && self.columns.is_empty() {
            // Two people in a list may have the same name.
            if below.is_list() {
                self.emit(scope);
            }
            for (meaning, value) in below.values(line) {
                self.known(&meaning, value, scope);
            }
            if below.goes_on(line) {
                self.columns = below.into_list();
            }
            return false;
        }
        if self.collected.is_none()
            && let Some(mention) = mention::find(text, scope.rules)
        {
            for (key, value) in [(PATIENT_NAME, mention.name), (NUMBER, mention.number)] {
                if let Some(key) = scope.rules.keys.get(key) {
                    self.known(&Meaning::from(key), value, scope);
                }
            }
            return false;
        }
        // `Female, 73 y.o., 01/31/1953` below a name; `Name - Jane Roe`.
        let birth = adjacent_name::birth_beside_age(text);
        if birth.is_some_and(|date| self.aged(date, scope)) {
            return false;
        }
        if let Some((label, value)) = find::dashed(text, scope.rules) {
            self.value(&label, value, scope);
            return false;
        }
        let mut plain = self.collected.is_none() && self.columns.is_empty() && birth.is_none();
        plain &= !self.inline(text, scope);
        let words = text.split_whitespace();
        if words.take(MAX_HEADING_WORDS + 1).count() <= MAX_HEADING_WORDS {
            // A cell or element is weaker than a heading: `Accepting patients` is a label of a doctor.
            let mut words = text.split_whitespace();
            let first = words.next().unwrap_or("");
            // `Patient safety` is a topic.
            let topic = words.next().is_some_and(|word| TOPICS.contains(&&*word.to_lowercase()));
            let title = match self.element {
                true if topic => "",
                true => first,
                false => text,
            };
            // The life of an applicant, who may have worked with patients, or a list of others.
            if !self.element
                && self.record.is_empty()
                && !self.around.is_patient()
                && let Some(about @ (About::Nobody | About::Elsewhere)) =
                    scope.rules.keys.context(text)
            {
                self.mark(Marks::about(about));
                plain = false;
            }
            // A link to a manual does not turn the page around it into one.
            let said = heading(text, title, scope.rules).of_somebody();
            plain &= said == Marks::default();
            self.mark(said);
        }
        plain
    }

    /// The previous label gets no value any more.
    pub fn forget(&mut self) {
        self.above = false;
        self.waiting = None;
        self.columns = Columns::default();
    }

    /// Whether the current record has a value of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.record.has(kind)
    }

    /// A word that classifies the record itself: a category, a role.
    pub fn category(&mut self, word: &str, scope: &Scope<'_>) {
        if let Some(said) = scope.rules.keys.scope_of(word) {
            self.record.mark(Marks::about(said.ahead()));
        }
    }

    /// A value under a name.
    pub fn pair(&mut self, name: &str, value: &str, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        if value.trim().is_empty() {
            return;
        }
        if let Some(about) = rules.keys.context(name) {
            self.record.mark(Marks::about(about));
        }
        if let Some(key) = rules.keys.get(name) {
            self.value(&Meaning::from(key), value, scope);
        }
    }

    fn value(&mut self, meaning: &Meaning, value: &str, scope: &mut Scope<'_>) {
        self.waiting = None;
        let (value, rest) = value::end(meaning, value, scope.rules);
        // `Patient ID: Specimen ID: 77`: the label has no value of its own.
        if find::has_own_label(value) {
            return;
        }
        self.below(meaning, value, scope);
        self.known(meaning, value, scope);
        self.inline(rest, scope);
    }

    /// Values behind labels without a colon: `DOB 06/06/1970, MRN 00773500`, and numbers without. True if there may be
    /// one.
    fn inline(&mut self, mut text: &str, scope: &mut Scope<'_>) -> bool {
        let mut any = false;
        while let Some(found) = value::inline(text, scope.rules) {
            let before = text.get(..found.label).unwrap_or("");
            let behind = text.get(found.value.end..).unwrap_or("");
            self.beside(&found.meaning, before, behind, scope);
            if self.introduced.is_some() || found.label == 0 {
                let value = text.get(found.value.clone()).unwrap_or("");
                self.below(&found.meaning, value, scope);
            }
            self.numbers(before, scope);
            self.known(&found.meaning, text.get(found.value.clone()).unwrap_or(""), scope);
            text = text.get(found.value.end..).unwrap_or("");
            any = true;
        }
        self.numbers(text, scope) || any
    }

    /// Numbers that nearby words or their check digits explain. True if there may be one.
    fn numbers(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let rules = scope.rules;
        let mut any = false;
        rules.identifiers.scan(text, &mut |hit| {
            any = true;
            if let Some(meaning) = numbers::meaning(&hit, scope) {
                self.known(&meaning, hit.value, scope);
            }
        });
        any
    }

    fn known(&mut self, meaning: &Meaning, value: &str, scope: &mut Scope<'_>) {
        if let Some((number, name)) = value::numbered(meaning, value)
            && let Some(key) = scope.rules.keys.get(NUMBER)
        {
            self.known(meaning, name, scope);
            self.known(&Meaning::from(key), number, scope);
            return;
        }
        let value = value::bare(meaning, value);
        if let Some(parts) = value::parts(meaning, value) {
            for (meaning, value) in parts {
                self.known(&meaning, value, scope);
            }
            return;
        }
        if value.is_empty()
            || value.len() > MAX_VALUE
            || !value::can_be(meaning, value)
            || scope.rules.placeholders.contains(meaning.rule.kind, &value.to_lowercase())
        {
            return;
        }
        if let Some(collected) = &mut self.collected {
            if collected.len() < MAX_COLLECTED {
                collected.push((meaning.clone(), Zeroizing::new(value.to_owned())));
            }
            return;
        }
        // Another value of a kind that a person has once: another person.
        if self.record.contradicts(meaning, value) {
            self.emit(scope);
        }
        self.record.add(meaning, self.group, value);
    }

    /// Another person begins.
    pub fn emit(&mut self, scope: &mut Scope<'_>) {
        self.end_family(scope);
        self.waiting = None;
        self.group = self.group.wrapping_add(1);
        let said = std::mem::take(&mut self.said);
        self.record.mark_from_afar(self.around.and(said));
        self.record.emit(self.content, scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.record.memory()
    }
}

/// The name of the section that a line of a file of settings begins.
fn section(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']')
}
