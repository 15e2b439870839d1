//! Labels above their values in columns, as letters and reports have them side by side:
//!
//! ```text
//! Patient                 Physician
//! Roe, Jane               Max Li
//! ```

use super::Meaning;
use super::find::key;
use crate::rules::RuleSet;

/// Columns per line.
const MAX_COLUMNS: usize = 8;

/// Known headings of a list.
const MIN_LISTED: usize = 3;

/// How far a value may start beside its heading, characters.
const MAX_SHIFT: usize = 6;

/// The headings of one line.
#[derive(Default)]
pub struct Columns {
    headings: Vec<(usize, Option<Meaning>)>,
    /// A row was read, and others follow.
    list: bool,
}

impl Columns {
    /// The headings of `line`, if it has several and a rule knows one of them.
    pub fn of(line: &str, rules: &RuleSet) -> Self {
        // Most lines are one text.
        if !has_gap(line.as_bytes()) || segments(line).nth(1).is_none() {
            return Self::default();
        }
        let columns: Vec<_> = segments(line)
            .take(MAX_COLUMNS)
            .map(|(at, text)| {
                let text = text.trim_end_matches([':', '：', ' ']);
                (at, key(text, rules).map(Meaning::from))
            })
            .collect();
        let known = columns.iter().any(|(_, meaning)| meaning.is_some());
        let headings = if columns.len() >= 2 && known { columns } else { Vec::new() };
        Self { headings, list: false }
    }

    /// The same of a line in which each heading ends with a colon and has nothing behind it.
    pub fn of_labels(line: &str, rules: &RuleSet) -> Self {
        // Most lines are refused for the last of them.
        let labels = |text: &str| text.ends_with([':', '：']);
        let empty = labels(line.trim_end()) && segments(line).all(|(_, text)| labels(text));
        if empty { Self::of(line, rules) } else { Self::default() }
    }

    /// Whether a row of a list was read under them.
    pub const fn is_list(&self) -> bool {
        self.list
    }

    /// The same headings behind a row of a list.
    pub fn into_list(self) -> Self {
        Self { list: true, ..self }
    }

    /// Whether no headings were read.
    pub fn is_empty(&self) -> bool {
        self.headings.is_empty()
    }

    /// The values of the line below, each under its nearest heading.
    pub fn values<'a>(&'a self, line: &'a str) -> impl Iterator<Item = (Meaning, &'a str)> {
        segments(line).flat_map(|piece| self.pieces(piece)).take(MAX_COLUMNS).filter_map(
            move |(at, text)| {
                let nearest = self.headings.iter().min_by_key(|(column, _)| column.abs_diff(at))?;
                let near = nearest.0.abs_diff(at) <= MAX_SHIFT;
                nearest.1.clone().filter(|_| near).map(|meaning| (meaning, text))
            },
        )
    }
}

impl Columns {
    /// The parts of a text that fills its column of a list up to the next one, which begins under its heading.
    fn pieces<'a>(&self, (at, text): (usize, &'a str)) -> impl Iterator<Item = (usize, &'a str)> {
        let listed =
            self.headings.iter().filter(|(_, meaning)| meaning.is_some()).count() >= MIN_LISTED;
        let inside = |column: usize| column.checked_sub(at).filter(|offset| listed && *offset > 0);
        let offsets = self.headings.iter().filter_map(|(column, _)| inside(*column));
        // Where a word, or letters behind digits, begin.
        let begins = |offset: usize| {
            let mut chars = text.chars().skip(offset - 1);
            let (before, next) = (chars.next()?, chars.next()?);
            let apart = before.is_whitespace() || (before.is_numeric() && next.is_alphabetic());
            (apart && next.is_alphanumeric()).then(|| text.char_indices().nth(offset)).flatten()
        };
        let split = offsets.filter_map(begins).next().map(|(byte, _)| byte);
        let (first, rest) = text.split_at(split.unwrap_or(text.len()));
        let behind = at + first.chars().count();
        let rest = (!rest.is_empty()).then_some((behind, rest));
        std::iter::once((at, first.trim_end())).chain(rest)
    }

    /// Whether `line` is a row of a list, which others may follow: several headings are known, and each has its
    /// value.
    pub fn goes_on(&self, line: &str) -> bool {
        let known = self.headings.iter().filter(|(_, meaning)| meaning.is_some()).count();
        known >= MIN_LISTED && self.values(line).count() == known
    }
}

/// The texts of a line that a tab or more than one blank separates, with the column in which each starts.
fn segments(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = line;
    let mut column = 0;
    std::iter::from_fn(move || {
        let bare = rest.trim_start();
        column += rest.len() - bare.len();
        if bare.is_empty() {
            return None;
        }
        let end = segment_end(bare.as_bytes());
        let (segment, after) = bare.split_at(end);
        let at = column;
        column += segment.chars().count();
        rest = after;
        Some((at, segment.trim_end()))
    })
}

/// Whether there is a tab, or more than one blank, with something behind it. (Nothing ends the loop, so that it tests
/// many bytes at once.)
fn has_gap(line: &[u8]) -> bool {
    let next = line.get(1..).unwrap_or_default();
    let gap = |(a, b): (&u8, &u8)| (*a == b'\t') | ((*a == b' ') & (*b == b' '));
    line.iter().zip(next).fold(false, |any, pair| any | gap(pair))
}

/// Where a text ends before a tab or more than one blank.
fn segment_end(text: &[u8]) -> usize {
    let blank = |at: usize| text.get(at) == Some(&b' ');
    memchr::memchr2_iter(b' ', b'\t', text)
        .find(|at| !blank(*at) || blank(at + 1))
        .unwrap_or(text.len())
}
