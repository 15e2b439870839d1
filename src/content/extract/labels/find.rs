//! Positions of labels in a line of text.

use super::{Meaning, PATIENT_NAME, is_padding, mention};
use crate::rules::{About, Key, Kind, RuleSet};
use memchr::{memchr3_iter, memmem};

/// Most words of a label (`Date of birth`, `Numéro de sécurité sociale`).
const MAX_LABEL_WORDS: usize = 6;

/// Most words of a label in front of a number sign.
const MAX_NUMBERED_WORDS: usize = 3;

/// Characters behind `PT:` in which its name must end.
const MAX_SHORT_NAME: usize = 120;

/// Longest abbreviation of a label in brackets, bytes.
const MAX_ABBREVIATION: usize = 6;

/// Longest ending of a label, characters.
const MAX_ENDING: usize = 4;

/// Longest label, bytes. Fewer bytes than these are examined before each colon, so that a line of colons is not
/// expensive.
const MAX_LABEL: usize = 72;

/// The colon of Chinese and Japanese text.
const WIDE_COLON: &[u8] = "：".as_bytes();

/// Meaning of a label.
pub enum LabelMeaning {
    /// The meaning of its value.
    Key(Meaning),
    /// The subject of the text.
    Context(About),
    /// None: no rule knows it.
    Unknown,
}

/// A label and the sign that ends it.
pub struct Label {
    /// Where the label starts.
    pub start: usize,
    /// Where its value may start.
    pub value: usize,
    /// Its meaning.
    pub said: LabelMeaning,
}

impl Label {
    /// Whether it is the label of a name that was the last one, too.
    pub fn repeats(&self, last: &Meaning) -> bool {
        matches!(&self.said, LabelMeaning::Key(meaning) if meaning.rule.kind == Kind::Name
            && meaning.rule.id == last.rule.id
            && meaning.part == last.part)
    }

    /// Whether an unknown label is only `ID`, which behind a patient's name is the patient's. Moves to where it
    /// starts.
    pub fn is_number(&mut self, line: &str) -> bool {
        let text = line.get(self.start..self.value).unwrap_or("");
        let text = text.trim_end_matches([':', '=', '#', ' ']);
        let word = text.rsplit([' ', '\t', ',', ';', '|', '(']).next().unwrap_or("");
        let at = text.len() - word.len();
        let before = text.get(..at).unwrap_or("");
        let apart = before.trim().is_empty() || before.ends_with([',', ';', '|', '(', '\t']);
        let apart = apart || before.ends_with("  ") || before.trim_end().ends_with([',', ';', '|']);
        self.start += if apart { at } else { 0 };
        apart && word.eq_ignore_ascii_case("id")
    }
}

/// The labels of a line in order, in time linear in its length.
pub fn labels<'a>(line: &'a str, rules: &'a RuleSet) -> impl Iterator<Item = Label> + 'a {
    let mut from = 0;
    let mut open = false;
    marks(line).filter_map(move |(at, after)| {
        let start = from;
        from = after;
        let before = line.get(start..at).unwrap_or("");
        // A time (`10:15`) or an address (`http://`) is no label.
        let next = line.get(after..).unwrap_or("").chars().next();
        let last = before.chars().next_back();
        let time =
            last.is_some_and(|c| c.is_ascii_digit()) && next.is_some_and(|c| c.is_ascii_digit());
        // Nor does a comparison (`>= 3.12`) end one.
        let compares = line.get(at..after) == Some("=")
            && (matches!(last, Some('<' | '>' | '!' | '=')) || next == Some('='));
        if next == Some('/') || time || compares {
            return None;
        }
        let (mut offset, mut said) = label(before, open, rules);
        if matches!(said, LabelMeaning::Unknown)
            && let Some(word) = short_patient(before, line.get(after..).unwrap_or(""), rules)
            && let Some(key) = rules.keys.get(PATIENT_NAME)
        {
            (offset, said) = (word, LabelMeaning::Key(Meaning::from(key)));
        }
        if matches!(said, LabelMeaning::Unknown)
            && line.get(at..after) == Some("#")
            && let Some((start, meaning)) = numbered(before, rules)
        {
            (offset, said) = (start, LabelMeaning::Key(meaning));
        }
        open = match said {
            LabelMeaning::Key(_) => true,
            LabelMeaning::Context(_) => false,
            LabelMeaning::Unknown => open,
        };
        Some(Label { start: start + offset, value: after, said })
    })
}

/// Where `PT` for a patient is at the end of `before`, if a name is behind it, up to the next label. It is also a test of
/// coagulation and a kind of image.
fn short_patient(before: &str, value: &str, rules: &RuleSet) -> Option<usize> {
    // Before the name is looked for, as a line may be nothing but marks.
    let text = before.trim_end_matches(is_padding);
    let start = text.len().checked_sub(2)?;
    let front = text.get(..start)?;
    let apart = front.is_empty() || front.ends_with(is_padding);
    if !apart || !text.get(start..)?.eq_ignore_ascii_case("pt") {
        return None;
    }
    let end = value.char_indices().nth(MAX_SHORT_NAME).map_or(value.len(), |(at, _)| at);
    let name = value.get(..end).unwrap_or("").trim_start().split("  ").next().unwrap_or("");
    let name = name.split(['\t', ';', '|', '(']).next().unwrap_or("").trim_end();
    let label = |word: &&str| !word.contains([':', '=', '#']) && rules.keys.get(word).is_none();
    let words: Vec<&str> = name.split_whitespace().take_while(label).collect();
    mention::is_person(&words.join(" ")).then_some(start)
}

/// Position of a possible end of a label in a line, and of the text behind it.
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

/// The longest label that ends `text`, and where it starts. `open`: a value may precede it.
fn label(text: &str, open: bool, rules: &RuleSet) -> (usize, LabelMeaning) {
    let text = text.trim_end();
    let text = unexplained(text).unwrap_or(text);
    let mut front = text.len().saturating_sub(MAX_LABEL);
    while !text.is_char_boundary(front) {
        front += 1;
    }
    let mut best = (0, LabelMeaning::Unknown);
    let mut consider = |start: usize| {
        let candidate = text.get(start..).unwrap_or("");
        if !rules.keys.may_know(candidate) && !candidate.contains(['(', '/']) {
            return;
        }
        let candidate = candidate.trim_matches(|c| is_padding(c) || c == '(');
        if let Some(key) = key(candidate, rules) {
            let general = key.rule.kind == Kind::Name && rules.keys.context(candidate).is_some();
            if open || !general || is_separate(text.get(..start).unwrap_or("")) {
                best = (start, LabelMeaning::Key(Meaning::from(key)));
            }
        } else if let Some(about) = rules.keys.context(candidate) {
            best = (start, LabelMeaning::Context(about));
        }
    };
    let mut words = 0;
    let mut end_of_word = true;
    for (at, c) in text.get(front..).unwrap_or("").char_indices().rev() {
        let boundary = c.is_whitespace()
            || matches!(c, ',' | ';' | '|' | '(' | '{' | '[' | '•' | '·' | '>' | ')');
        if boundary && !end_of_word {
            consider(front + at + c.len_utf8());
            words += 1;
            if words == MAX_LABEL_WORDS {
                return best;
            }
        }
        end_of_word = boundary;
    }
    if front == 0 {
        consider(0);
    }
    best
}

/// The label that ends `text` in front of a number sign, which replaces the word: `MR#` is `MR number`.
fn numbered(text: &str, rules: &RuleSet) -> Option<(usize, Meaning)> {
    let text = text.trim_end();
    let starts = text.match_indices([' ', '\t', ',', ';', '|', '(']).map(|(at, _)| at + 1);
    let last = starts.chain([0]).filter(|at| text.len() - at <= MAX_LABEL);
    let mut last: Vec<usize> = last.collect();
    last.sort_unstable();
    // The longest of the last few words.
    let words = last.get(last.len().saturating_sub(MAX_NUMBERED_WORDS)..)?;
    words.iter().find_map(|at| {
        let word = text.get(*at..)?.trim();
        let named =
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ');
        let key = rules.keys.get(&format!("{word} number")).filter(|_| named)?;
        key.rule.kind.is_strong_id().then(|| (*at, Meaning::from(key)))
    })
}

/// Whether `Patient` and other labels that are ordinary words are labels behind `before`: in `Image Position
/// Patient:` the word is part of another label; behind a heading or a separator it is not.
fn is_separate(before: &str) -> bool {
    let bare = before.trim_end();
    if bare.is_empty() || before.len() - bare.len() > 1 || before.ends_with('\t') {
        return true;
    }
    let last = bare.rsplit(char::is_whitespace).next().unwrap_or("");
    let heading = last.chars().count() >= 4 && !last.contains(char::is_lowercase);
    // The article of some languages.
    heading || !last.ends_with(char::is_alphanumeric) || bare.chars().count() <= 4
}

/// A line that is a label and its value with a dash or a leader of dots between them, and the value: `Name - Jane Roe`,
/// `Date of birth ....... 31/01/1970`.
pub fn dashed<'a>(line: &'a str, rules: &RuleSet) -> Option<(Meaning, &'a str)> {
    let mut parts = [" - ", " – ", " — "].iter().filter_map(|dash| line.split_once(dash));
    let dots = || {
        let (label, value) = line.split_once("...")?;
        Some((label, value.trim_start_matches(['.', ' ']))).filter(|(_, value)| !value.is_empty())
    };
    let (label, value) = parts.next().or_else(dots)?;
    let label = label.trim_matches(is_padding);
    if label.split_whitespace().count() > MAX_NUMBERED_WORDS || rules.keys.context(label).is_some()
    {
        return None;
    }
    Some((Meaning::from(key(label, rules)?), value))
}

/// Whether a line begins like `label: value`, with a known label or not.
pub fn has_own_label(line: &str) -> bool {
    let Some((at, after)) = marks(line).next() else {
        return false;
    };
    let label = line.get(..at).unwrap_or("");
    let rest = line.get(after..).unwrap_or("");
    at <= MAX_LABEL
        && label.starts_with(char::is_alphabetic)
        && label.split_whitespace().count() <= MAX_LABEL_WORDS
        && (rest.is_empty() || rest.starts_with(char::is_whitespace) || !line.is_ascii())
}

/// The key that a label names. Forms write the endings of several genders and numbers, and parts that two words
/// share: `Vorname(n)`, `Né(e) le`, `Nato/a il`, `Familien-/Nachname`. They are removed first.
pub fn key<'r>(label: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    rules.keys.get(label).or_else(|| {
        let inflected = label.contains(['(', '/']) && label.len() <= MAX_LABEL;
        inflected.then(|| uninflected(label)).and_then(|plain| rules.keys.get(&plain))
    })
}

/// A label without the explanation in brackets behind it: `Patient's name (last name, first name, middle initial)`.
fn unexplained(label: &str) -> Option<&str> {
    let (front, inside) = label.strip_suffix(')')?.rsplit_once('(')?;
    let words = inside.split_whitespace().count();
    let explains = inside.len() <= MAX_LABEL && words >= 2 && inside.contains(',');
    (explains && front.ends_with([' ', ')'])).then(|| front.trim_end())
}

/// The key that a cell or element names as a whole.
pub fn whole<'r>(label: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    key(label, rules).or_else(|| abbreviated(label, rules))
}

/// The key that the abbreviation in brackets behind a label names: `เลขที่ผู้ป่วย (HN)`, `Registration number (UHID)`.
fn abbreviated<'r>(label: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    let (front, inside) = label.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let short = (2..=MAX_ABBREVIATION).contains(&inside.len());
    let capitals = inside.bytes().all(|b| b.is_ascii_uppercase());
    let key = rules.keys.get(inside).filter(|_| short && capitals && !front.trim().is_empty())?;
    (key.rule.kind.is_strong_id() || key.rule.kind == Kind::BirthDate).then_some(key)
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
            // `Familien-/Nachname`: the second word is complete.
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
