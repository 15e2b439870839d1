//! Labelled values in running text: `Patient: Laura D   MRN: H0931558`, and headings that say what it is
//! about. Text, HTML pages and the text of other documents share it.

use super::numbers;
use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::Scope;

use crate::rules::{About, Key, Kind, NamePart, RuleSet};
use memchr::{memchr3_iter, memmem};
use zeroize::Zeroizing;

/// Most words of a label (`Date of birth`, `Numéro de sécurité sociale`).
const MAX_LABEL_WORDS: usize = 5;

/// Most words of a label without a colon (`Date of birth`).
const MAX_INLINE_WORDS: usize = 3;

/// Longest value of a label, bytes.
const MAX_VALUE: usize = 200;

/// Most words of a name with its titles.
const MAX_NAME_WORDS: usize = 6;

/// Most words of a number or date (`943 476 5919`, `1 May 1970 (55 years)`).
const MAX_ID_WORDS: usize = 5;

/// Most groups of a number of a register (`2 95 10 99 126 111 93`).
const MAX_GROUPS: usize = 8;

/// Most words of any other value (`(827) 555 01 22 ext 5`).
const MAX_VALUE_WORDS: usize = 8;

/// Longest label that is looked at for endings, bytes.
const MAX_LABEL: usize = 64;

/// Longest ending, characters.
const MAX_ENDING: usize = 4;

/// Columns of values below their labels.
const MAX_BELOW: usize = 8;

/// How far a value may begin from the column of its label, characters.
const COLUMN_SLACK: usize = 3;

/// Values collected of one line.
const MAX_COLLECTED: usize = 64;

/// Longest line read, bytes.
const MAX_LINE: usize = 8 << 10;

/// The colon of Chinese and Japanese text.
const WIDE_COLON: &[u8] = "：".as_bytes();

/// Collects labelled values into records of one person each.
pub struct Labels {
    content: &'static str,
    record: CandidateRecord,
    /// What is said around all records of the document.
    around: Marks,
    /// What labels said of the record that is being read: less than a key, as prose has colons, too.
    said: Marks,
    /// A label whose value comes next.
    waiting: Option<Meaning>,
    /// Labels beside each other in the line before, with the columns at which they begin.
    columns: Vec<(usize, Option<Meaning>)>,
    group: u32,
    /// The line being read is that of a cell or element.
    element: bool,
    /// Values are handed to [`Labels::take`] instead of being put together to records.
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
            columns: Vec::new(),
            group: 0,
            element: false,
            collected: None,
        }
    }

    /// For a text whose person is known: values are collected for [`Labels::take`].
    pub fn collecting() -> Self {
        Self { collected: Some(Vec::new()), ..Self::new("text") }
    }

    /// The values collected since the last call.
    pub fn take(&mut self) -> Vec<(Meaning, Zeroizing<String>)> {
        self.collected.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether a line without labels may be the value of the label before.
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Something said around the whole document.
    pub fn mark(&mut self, marks: Marks) {
        self.around = self.around.and(marks);
    }

    /// What is said around the whole document.
    pub const fn around(&self) -> Marks {
        self.around
    }

    /// A heading or title: its words may tell what the document is about.
    pub fn heading(&mut self, text: &str, scope: &Scope<'_>) {
        self.mark(heading(text, text, scope.rules()));
    }

    /// A line of text.
    pub fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        // No line of fewer bytes has that many characters.
        let end = (line.len() > MAX_LINE).then(|| line.char_indices().nth(MAX_LINE)).flatten();
        let line = end.map_or(line, |(end, _)| line.get(..end).unwrap_or(""));
        let rules = scope.rules;
        let mut open: Option<(Meaning, usize)> = None;
        let mut from = 0;
        let mut found = false;
        for (at, after) in marks(line) {
            let before = line.get(from..at).unwrap_or("");
            // A time (`10:15`) or an address (`http://`) is no label.
            let next = line.get(after..).unwrap_or("").chars().next();
            let last = before.chars().next_back();
            if next == Some('/')
                || (last.is_some_and(|c| c.is_ascii_digit())
                    && next.is_some_and(|c| c.is_ascii_digit()))
            {
                continue;
            }
            let Some((start, said)) = label(before, rules) else { continue };
            let start = from + start;
            if let Some((meaning, value)) = open.take() {
                self.value(&meaning, line.get(value..start).unwrap_or(""), scope);
            }
            found = true;
            from = after;
            match said {
                Said::Key(meaning) => open = Some((meaning, after)),
                Said::Context(about) => {
                    if !line.get(after..).unwrap_or("").trim().is_empty() {
                        self.said = self.said.and(Marks::about(about));
                    }
                }
            }
        }
        if let Some((meaning, value)) = open {
            let value = line.get(value..).unwrap_or("");
            if value.trim_matches(is_padding).is_empty() {
                // A form that asks for a hospital's number is about a patient, filled in or not.
                if meaning.patient && !self.record.is_empty() {
                    self.said = self.said.and(Marks::PATIENT);
                }
                self.waiting = Some(meaning);
            } else {
                self.value(&meaning, value, scope);
            }
        } else if !found {
            self.unlabelled(line, scope);
        }
    }

    /// A line without labels: the value of the one before, a label alone, or prose.
    fn unlabelled(&mut self, line: &str, scope: &mut Scope<'_>) {
        let text = line.trim_matches(is_padding);
        if text.is_empty() {
            return;
        }
        if self.below(line, scope) {
            return;
        }
        if let Some(meaning) = self.waiting.take()
            && scope.rules.keys.get(text).is_none()
            && !begins_with_label(line.trim())
        {
            self.value(&meaning, text, scope);
            return;
        }
        self.inline(text, scope);
        let words = text.split_whitespace();
        if words.take(MAX_LABEL_WORDS + 1).count() <= MAX_LABEL_WORDS {
            // A cell or element is less than a heading: `Accepting patients` is a label of a doctor.
            let first = text.split_whitespace().next().unwrap_or("");
            let title = if self.element { first } else { text };
            self.mark(heading(text, title, scope.rules));
        }
    }

    /// Labels beside each other with their values below, as letters in two columns have them. True if the line is
    /// one of the two.
    fn below(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let columns = std::mem::take(&mut self.columns);
        // Most lines have one column.
        if columns.is_empty() && !line.trim().contains("  ") && !line.trim().contains('\t') {
            return false;
        }
        let chunks: Vec<(usize, &str)> = chunks(line).take(MAX_BELOW).collect();
        let labels = chunks.iter().filter(|(_, text)| key(text, scope.rules).is_some()).count();
        if labels > 0 && chunks.len() > 1 {
            let column =
                |(at, text): &(usize, &str)| (*at, key(text, scope.rules).map(Meaning::from));
            self.columns = chunks.iter().map(column).collect();
            self.waiting = None;
            return true;
        }
        let mut taken = false;
        for (at, meaning) in &columns {
            let near = |(start, _): &&(usize, &str)| start.abs_diff(*at) <= COLUMN_SLACK;
            if let (Some(meaning), Some((_, value))) = (meaning, chunks.iter().find(near)) {
                self.value(meaning, value, scope);
                taken = true;
            }
        }
        taken
    }

    /// A whole cell or element: a label alone makes the next one its value.
    pub fn cell(&mut self, text: &str, scope: &mut Scope<'_>) {
        let text = text.trim();
        if text.is_empty() {
            // An empty cell is the value of the label before it.
            return self.forget();
        }
        if let Some(key) = key(text.trim_end_matches([':', '：', '*', ' ']), scope.rules) {
            let meaning = Meaning::from(key);
            self.waiting = Some(meaning);
        } else {
            // A label of the record that has begun; what stands before one may be a menu.
            let label = text.trim_end_matches([':', '：', '*', ' ']);
            let said = scope.rules.keys.context(label);
            if said == Some(About::Elsewhere) && !self.record.is_empty() {
                self.said = self.said.and(Marks::about(About::Elsewhere));
            }
            self.element = true;
            self.line(text, scope);
            self.element = false;
        }
    }

    /// A value that stands behind its label, whatever it looks like.
    pub fn answer(&mut self, value: &str, scope: &mut Scope<'_>) {
        if let Some(meaning) = self.waiting.take() {
            self.value(&meaning, value, scope);
        }
    }

    /// Nothing may be the value of the label before any more.
    pub fn forget(&mut self) {
        self.waiting = None;
    }

    /// Whether the record that is being read has a value of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.record.has(kind)
    }

    /// A word that says what the record itself is about: a category, a role.
    pub fn category(&mut self, word: &str, scope: &Scope<'_>) {
        if let Some(said) = scope.rules.keys.said(word) {
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
        let value = value.trim_matches(is_padding);
        // Columns are apart by more than one blank.
        let value = value.split("  ").next().unwrap_or("").split('\t').next().unwrap_or("");
        let value = value.trim_matches(is_padding);
        let value = enclosed(ended(meaning.rule.kind, value)).trim_matches(is_padding);
        let (value, inline) = cut_inline(value, scope.rules);
        self.known(meaning, value, scope);
        self.inline(inline, scope);
    }

    /// Values behind labels without a colon: `DOB 06/06/1970, MRN 00773500`, and numbers without.
    fn inline(&mut self, mut text: &str, scope: &mut Scope<'_>) {
        while let Some(found) = inline(text, scope.rules) {
            self.numbers(text.get(..found.label).unwrap_or(""), scope);
            self.known(&found.meaning, text.get(found.value.clone()).unwrap_or(""), scope);
            text = text.get(found.value.end..).unwrap_or("");
        }
        self.numbers(text, scope);
    }

    /// Numbers that the words around them or their check digits explain.
    fn numbers(&mut self, text: &str, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        rules.identifiers.scan(text, &mut |hit| {
            if let Some(meaning) = numbers::meaning(&hit, scope) {
                self.known(&meaning, hit.value, scope);
            }
        });
    }

    fn known(&mut self, meaning: &Meaning, value: &str, scope: &mut Scope<'_>) {
        let value = value.trim_matches(is_padding);
        let parted = parted_name(meaning, value);
        let value = parted.as_deref().map_or(value, String::as_str);
        if value.is_empty()
            || value.len() > MAX_VALUE
            || !can_be(meaning, value)
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
        // Another value of what a person has once: another person.
        if self.record.contradicts(meaning, value) {
            self.emit(scope);
        }
        self.record.add(meaning, self.group, value);
    }

    /// What follows is about somebody else.
    pub fn emit(&mut self, scope: &mut Scope<'_>) {
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

/// Where what may end a label stands in a line, and where it ends.
fn marks(line: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = line.as_bytes();
    let mut narrow = memchr3_iter(b':', b'=', b'#', bytes).peekable();
    let wide = (!line.is_ascii()).then(|| memmem::find_iter(bytes, WIDE_COLON));
    let mut wide = wide.into_iter().flatten().peekable();
    std::iter::from_fn(move || {
        let first = match (narrow.peek(), wide.peek()) {
            (Some(one), Some(other)) => one < other,
            (one, _) => one.is_some(),
        };
        match first {
            true => narrow.next().map(|at| (at, at + 1)),
            false => wide.next().map(|at| (at, at + WIDE_COLON.len())),
        }
    })
}

/// A value behind a label without a colon.
struct Inline {
    /// Where the label starts.
    label: usize,
    value: std::ops::Range<usize>,
    meaning: Meaning,
}

/// The parts of a line that are more than one blank apart, and the column at which each begins.
fn chunks(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = line;
    let mut column = 0;
    std::iter::from_fn(move || {
        let text = rest.trim_start();
        column += rest.get(..rest.len() - text.len())?.chars().count();
        if text.is_empty() {
            return None;
        }
        let end = text.find("  ").into_iter().chain(text.find('\t')).min().unwrap_or(text.len());
        let (chunk, tail) = text.split_at(end);
        let at = column;
        column += chunk.chars().count();
        rest = tail;
        Some((at, chunk.trim_end()))
    })
}

/// Whether a line begins with a label, known or not: some words and a colon.
fn begins_with_label(text: &str) -> bool {
    let Some((label, value)) = text.split_once([':', '：']) else { return false };
    let words = label.split_whitespace().count();
    (1..=MAX_LABEL_WORDS).contains(&words)
        && label.chars().all(|c| !c.is_numeric())
        && !value.starts_with("//")
}

/// A value up to where another label begins, known or not, or another clause where the kind has none.
fn ended(kind: Kind, value: &str) -> &str {
    let clause = |c: char| matches!(c, ',' | ';' | '|');
    let single = matches!(
        kind,
        Kind::PatientId
            | Kind::Ssn
            | Kind::NationalId
            | Kind::InsuranceNumber
            | Kind::AccessionNumber
            | Kind::EncounterId
            | Kind::AccountNumber
            | Kind::Phone
            | Kind::Sex
            | Kind::Email
    );
    let value = match value.find(if single { clause } else { |c: char| c == '|' }) {
        Some(at) => value.get(..at).unwrap_or(value),
        None => value,
    };
    // `Meier, Eva, room: 5`: the words before the colon belong to it.
    let Some(colon) = value.find([':', '：']) else { return value };
    let before = value.get(..colon).unwrap_or(value);
    match before.rfind(clause) {
        Some(at) if begins_with_label(value.get(at + 1..).unwrap_or("").trim_start()) => {
            value.get(..at).unwrap_or(value)
        }
        _ => value,
    }
}

/// A value up to a closing bracket that none opens.
fn enclosed(value: &str) -> &str {
    let mut open = 0i32;
    for (at, c) in value.char_indices() {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' if open == 0 => return value.get(..at).unwrap_or(value),
            ')' | ']' => open -= 1,
            _ => {}
        }
    }
    value
}

/// What stands before the first label without a colon, and the rest.
fn cut_inline<'a>(text: &'a str, rules: &RuleSet) -> (&'a str, &'a str) {
    let at = inline(text, rules).map_or(text.len(), |found| found.label);
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// The first number or date in `text` with a label of one to three words right before it.
fn inline(text: &str, rules: &RuleSet) -> Option<Inline> {
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut before: [usize; MAX_INLINE_WORDS] = [0; MAX_INLINE_WORDS];
    let mut known = 0;
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let (start, end) = (at, at + word.len());
        at = end;
        if word.trim().is_empty() {
            continue;
        }
        if known > 0 && word.contains(|c: char| c.is_ascii_digit()) {
            // The longest label counts.
            for &label in before.get(..known).unwrap_or_default().iter().rev() {
                let name = text.get(label..start).unwrap_or("").trim_matches(is_padding);
                if let Some(key) = rules.keys.get(name) {
                    // A number may be written in groups.
                    let rest = text.get(end..).unwrap_or("");
                    let group = |w: &&str| {
                        !w.trim().is_empty() && w.trim().bytes().all(|b| b.is_ascii_digit())
                    };
                    let ended = word.trim_end().ends_with(is_padding);
                    let groups = rest.split_inclusive(char::is_whitespace).take_while(group);
                    let more = if ended { 0 } else { groups.map(str::len).sum() };
                    let value = text.get(start..end + more).unwrap_or("").trim_end();
                    let value = value.trim_end_matches(|c| is_padding(c) || matches!(c, '.' | ')'));
                    // `Patient ID (0010,0020)` is about a field.
                    if value.contains(['(', ',', ':']) {
                        break;
                    }
                    let valid = || rules.identifiers.verify(name, value).is_some_and(|v| v.valid);
                    if !is_plain(key) && !valid() {
                        continue;
                    }
                    let value = start..start + value.len();
                    return Some(Inline { label, value, meaning: Meaning::from(key) });
                }
            }
        }
        before.rotate_right(1);
        if let Some(first) = before.first_mut() {
            *first = start;
        }
        known = (known + 1).min(MAX_INLINE_WORDS);
        // A label does not reach over the end of a clause.
        if word.trim_end().ends_with([',', ';', '|']) {
            known = 0;
        }
    }
    None
}

/// Whether a label is known well enough to do without a colon, and its value is a number or date.
/// (`nin` or `rut` are words of other languages, too.)
fn is_plain(key: &Key) -> bool {
    let id = matches!(key.rule.kind, Kind::PatientId | Kind::AccessionNumber | Kind::Ssn);
    id || key.rule.kind == Kind::BirthDate
}

/// The key that a label names. Forms write the endings of several genders and numbers, and parts that two
/// words share: `Vorname(n)`, `Né(e) le`, `Nato/a il`, `Familien-/Nachname`. Without them it is the plain label.
pub fn key<'r>(label: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    rules.keys.get(label).or_else(|| {
        let inflected = label.contains(['(', '/']) && label.len() <= MAX_LABEL;
        inflected.then(|| uninflected(label)).and_then(|plain| rules.keys.get(&plain))
    })
}

/// A label without endings in brackets or behind a slash.
fn uninflected(label: &str) -> String {
    let mut plain = String::with_capacity(label.len());
    let mut rest = label;
    while let Some(at) = rest.find(['(', '/']) {
        let (before, tail) = rest.split_at(at);
        let slash = tail.starts_with('/');
        let tail = tail.get(1..).unwrap_or("");
        let letters = tail.trim_start_matches(['-', ' ']);
        let ending = letters.len() - letters.trim_start_matches(char::is_alphabetic).len();
        let behind = letters.get(ending..).unwrap_or("");
        let attached = before.ends_with(char::is_alphabetic);
        plain.push_str(before);
        let short =
            (1..=MAX_ENDING).contains(&letters.get(..ending).map_or(0, |e| e.chars().count()));
        rest = match (slash, behind.strip_prefix(')')) {
            (false, Some(behind)) if attached && short => behind,
            (true, _) if attached && short && !behind.starts_with(char::is_alphanumeric) => behind,
            // `Familien-/Nachname`: the second word is whole.
            (true, _) if before.ends_with('-') => {
                plain.clear();
                tail
            }
            _ => tail,
        };
    }
    plain.push_str(rest);
    plain
}

enum Said {
    Key(Meaning),
    Context(About),
}

/// The longest label that ends `text`, and where it starts.
fn label(text: &str, rules: &RuleSet) -> Option<(usize, Said)> {
    let text = text.trim_end();
    let mut best = None;
    let mut consider = |start: usize| {
        let candidate = text.get(start..).unwrap_or("");
        let candidate = candidate.trim_matches(|c| is_padding(c) || c == '(');
        if let Some(key) = key(candidate, rules) {
            best = Some((start, Said::Key(Meaning::from(key))));
        } else if let Some(about) = rules.keys.context(candidate) {
            best = Some((start, Said::Context(about)));
        }
    };
    let mut words = 0;
    let mut end_of_word = true;
    for (at, c) in text.char_indices().rev() {
        let boundary = c.is_whitespace() || matches!(c, ',' | ';' | '|' | '(' | '•' | '>');
        if boundary && !end_of_word {
            consider(at + c.len_utf8());
            words += 1;
            if words == MAX_LABEL_WORDS {
                return best;
            }
        }
        end_of_word = boundary;
    }
    consider(0);
    best
}

/// `Aebischer / Verena`, as `Name / Vorname` asks for it, with a comma.
fn parted_name(meaning: &Meaning, value: &str) -> Option<Zeroizing<String>> {
    if meaning.rule.kind != Kind::Name || meaning.part != NamePart::Whole {
        return None;
    }
    let (family, given) = value.split_once('/')?;
    let word = |part: &str| {
        let part = part.trim();
        part.starts_with(char::is_uppercase)
            && part.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.'))
    };
    let both = word(family) && word(given);
    both.then(|| Zeroizing::new(format!("{}, {}", family.trim(), given.trim())))
}

/// What a heading says: all of it, or any word of `title` (`Patient list`, `Ward 3B`).
fn heading(text: &str, title: &str, rules: &RuleSet) -> Marks {
    let about = |word: &str| {
        rules.keys.said(word).map_or(Marks::default(), |said| Marks::about(said.ahead()))
    };
    let words = || title.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let said = words().map(about).fold(about(text), Marks::and);
    // Phrases inside it: `Portal of personal health information`.
    let starts = words().map(|w| w.as_ptr() as usize - title.as_ptr() as usize);
    let ends = words().map(|w| w.as_ptr() as usize - title.as_ptr() as usize + w.len());
    let ends: Vec<usize> = ends.take(MAX_LABEL_WORDS).collect();
    let phrases = starts.take(MAX_LABEL_WORDS).enumerate().flat_map(|(at, start)| {
        let ends = ends.get(at + 1..).unwrap_or_default().iter();
        ends.filter_map(move |end| title.get(start..*end))
    });
    let said = phrases.map(about).fold(said, Marks::and);
    let elsewhere = words().any(|w| rules.keys.context(w) == Some(About::Elsewhere));
    // Headings of shops and pages about software say nothing of a person's data further down. A ward's duty roster
    // lists its staff.
    match elsewhere {
        true => said.ahead().without(Marks::CARE),
        false => said.ahead(),
    }
}

/// Whether what stands behind a label can be its value: prose has colons, too.
fn can_be(meaning: &Meaning, value: &str) -> bool {
    if is_code(value) {
        return false;
    }
    let words = value.split_whitespace().count();
    match meaning.rule.kind {
        Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => {
            // Where a script has capitals, names have them.
            let cased = value.contains(char::is_lowercase);
            words <= MAX_NAME_WORDS
                && (!cased || value.contains(char::is_uppercase))
                && !value.starts_with(char::is_lowercase)
                && !value
                    .contains(['?', '!', '<', '>', '{', '}', '[', ']', '=', '@', '/', '\\', '_'])
        }
        Kind::Address => !value.contains(['_', '"', '[', ']']),
        Kind::Sex | Kind::Email => words <= 2,
        Kind::NationalId | Kind::InsuranceNumber => {
            words <= MAX_GROUPS && value.contains(char::is_numeric)
        }
        Kind::PatientId | Kind::Ssn => {
            // `int32 expected` is a message.
            let prose = |w: &str| w.len() > 2 && w.bytes().all(|b| b.is_ascii_lowercase());
            words <= MAX_ID_WORDS
                && value.contains(char::is_numeric)
                && !value.split_whitespace().any(prose)
        }
        Kind::BirthDate | Kind::DeathDate => {
            words <= MAX_ID_WORDS && value.contains(char::is_numeric)
        }
        _ => words <= MAX_VALUE_WORDS,
    }
}

/// Whether a value is a piece of a program: it has colons, too.
fn is_code(value: &str) -> bool {
    value.contains(['{', '}', '<', '>', ';', '=', '%', '\\', '`'])
        || ["0x", "::", "()", "/*"].iter().any(|mark| value.contains(mark))
}

fn is_padding(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, ',' | ';' | '|' | ':' | '*' | '-' | '•' | '·' | '_' | '"' | '\u{feff}')
}
