//! Text of a printed label or wristband: strings with their positions, and bar codes. Each label is about one person.

use super::labels::{Labels, key};
use crate::content::Scope;
use crate::rules::Kind;
use zeroize::Zeroizing;

/// Texts kept of one label.
const MAX_TEXTS: usize = 64;
/// Longest text, bytes.
const MAX_TEXT: usize = 4096;
/// Texts whose positions differ by at most this many dots are on one line.
const LEVEL: i32 = 6;

/// The current label.
pub struct PrintedLabel {
    labels: Labels,
    texts: Vec<Text>,
}

struct Text {
    /// Distance from the left and from the top, dots; `None` where texts come line by line.
    place: Option<(i32, i32)>,
    text: Zeroizing<String>,
    barcode: bool,
}

impl PrintedLabel {
    /// For labels in this language.
    pub fn new(content: &'static str) -> Self {
        Self { labels: Labels::new(content), texts: Vec::new() }
    }

    /// A text, or the content of a bar code.
    pub fn text(&mut self, place: Option<(i32, i32)>, text: &str, barcode: bool) {
        if self.texts.len() < MAX_TEXTS && text.len() <= MAX_TEXT && !text.trim().is_empty() {
            let text = Zeroizing::new(text.trim().to_owned());
            self.texts.push(Text { place, text, barcode });
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let texts: usize = self.texts.iter().map(|t| t.text.capacity()).sum();
        texts + self.labels.memory()
    }

    /// Ends the label. Wristbands have a name and a number without labels: a value that looks like one counts if a
    /// birth date accompanies it.
    pub fn emit(&mut self, scope: &mut Scope<'_>) {
        let texts = std::mem::take(&mut self.texts);
        let mut used = vec![false; texts.len()];
        for (at, text) in texts.iter().enumerate() {
            if used.get(at) == Some(&false)
                && !text.barcode
                && is_label(&text.text, scope)
                && let Some(value) = beside(text, &texts, &used)
                && let Some(other) = texts.get(value)
                && !is_label(&other.text, scope)
            {
                self.labels.cells(&[text.text.as_str(), other.text.as_str()], scope);
                for taken in [at, value] {
                    used.get_mut(taken).into_iter().for_each(|u| *u = true);
                }
            }
        }
        let mut bare = Vec::new();
        for (text, _) in texts.iter().zip(&used).filter(|(_, used)| !**used) {
            let labelled = text.text.contains([':', '=', '#', '：'])
                || Labels::has_inline(&text.text, scope.rules());
            if labelled && !text.barcode {
                self.labels.line(&text.text, scope);
            } else {
                bare.push(text);
            }
        }
        if self.labels.has(Kind::BirthDate) {
            if !self.labels.has(Kind::Name)
                && let Some(name) = bare.iter().find(|t| !t.barcode && is_name(&t.text))
            {
                self.labels.pair("patient_name", &name.text, scope);
            }
            if !self.labels.has(Kind::PatientId)
                && let Some(id) = bare.iter().find(|t| t.barcode && is_number(&t.text))
            {
                self.labels.pair("patient_id", &id.text, scope);
            }
        }
        self.labels.emit(scope);
    }
}

/// Whether a text is the label of its neighbour.
fn is_label(text: &str, scope: &Scope<'_>) -> bool {
    let ends = text.ends_with([':', '：', '=', '#']);
    key(text.trim_end_matches([':', '：', '=', '#', '.', ' ']), scope.rules()).is_some()
        && (ends || !text.contains([':', '=']))
}

/// The nearest text to the right on the same line.
fn beside(label: &Text, texts: &[Text], used: &[bool]) -> Option<usize> {
    let (x, y) = label.place?;
    let free = texts.iter().enumerate().filter(|(at, _)| used.get(*at) == Some(&false));
    let right = free.filter_map(|(at, other)| {
        let (ox, oy) = other.place?;
        (ox > x && (oy - y).abs() <= LEVEL && !other.barcode).then_some((ox, at))
    });
    right.min().map(|(_, at)| at)
}

/// `ROE, JANE`, or two to four words that begin with capitals.
fn is_name(line: &str) -> bool {
    let words: Vec<&str> = line.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let letters = |c: char| c.is_alphabetic() || matches!(c, ' ' | ',' | '-' | '\'' | '.' | '’');
    let capitals = words.iter().filter(|w| !w.starts_with(char::is_lowercase)).count();
    (2..=4).contains(&words.len())
        && line.chars().all(letters)
        && capitals * 2 >= words.len()
        && (line.contains(',') || capitals == words.len())
}

fn is_number(text: &str) -> bool {
    (4..=24).contains(&text.len())
        && text.chars().filter(char::is_ascii_digit).count() >= 4
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '.'))
}
