//! Finds the parts of a text from the wire that may belong to a person.

use crate::phi::WipedString;
use crate::protocol::TextKind;
use crate::rules::{RuleSet, push_letters, words};
use crate::syntax::percent;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use unicode_normalization::UnicodeNormalization;

/// Groups of letters and digits that are examined together.
const MAX_GROUPS: usize = 5;
/// Longest of these, bytes.
const MAX_JOINED: usize = 48;
/// Longest group whose parts are all examined, characters.
const MAX_GROUP: usize = 64;
/// Shortest part of a group that is examined.
const MIN_PART: usize = 5;
/// Shortest word beside initials, and shortest of two joined words, letters.
const MIN_WORD: usize = 3;
/// Consecutive digits that are withheld.
const LONG_NUMBER: usize = 5;
/// Digits of a component of a unique identifier that may be a person's number. Roots of manufacturers have seven.
const LONG_COMPONENT: usize = 9;
/// UIDs of the standard (PS3.6 annex A).
const DICOM_ROOT: &str = "1.2.840.10008.";

/// Letters and digits in lower case without accents.
pub(super) fn folded(text: &str) -> WipedString {
    let mut folded = WipedString::default();
    fold_into(text, &mut folded);
    folded
}

/// The same into `folded`, in place of what is there.
pub(super) fn fold_into(text: &str, folded: &mut WipedString) {
    // What it holds may move when it grows.
    if folded.capacity() < text.len() {
        *folded = WipedString::with_capacity(text.len().next_power_of_two());
    }
    folded.clear();
    if text.is_ascii() {
        return push_letters(text, folded);
    }
    let part = |c: &char| c.is_alphanumeric();
    folded.extend(text.nfkd().filter(part).flat_map(char::to_lowercase));
}

/// A text, and which bytes of it are masked.
pub(super) struct Text<'a> {
    kind: TextKind,
    text: Cow<'a, str>,
    /// Nothing in it can belong to a person.
    plain: bool,
    masked: Vec<bool>,
    withheld: Vec<bool>,
    /// Groups of letters and digits.
    groups: Vec<(usize, usize)>,
    /// Segments of a path that name parts of an interface, whoever else has such a name.
    fixed: Vec<(usize, usize)>,
}

impl<'a> Text<'a> {
    pub fn new(kind: TextKind, text: &'a str, rules: &RuleSet) -> Self {
        let plain = match kind {
            TextKind::Name => {
                text.parse::<IpAddr>().is_ok()
                    || text.parse::<SocketAddr>().is_ok()
                    || rules.policy.access.is_default_title(text)
                    || rules.suppressions.names_host(text)
            }
            TextKind::Uid => text.starts_with(DICOM_ROOT) && is_uid(text),
            _ => false,
        };
        let text = match text.contains('%').then(|| percent::decode(text.as_bytes())) {
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => Cow::Borrowed(text),
        };
        let mut new = Self {
            kind,
            plain,
            masked: vec![false; text.len()],
            withheld: vec![false; text.len()],
            groups: groups(&text),
            fixed: Vec::new(),
            text,
        };
        if !plain {
            new.judge(rules);
        }
        new
    }

    /// Masks what does not depend on this flow.
    fn judge(&mut self, rules: &RuleSet) {
        match self.kind {
            TextKind::Uid if !is_uid(&self.text) => self.masked.fill(true),
            TextKind::Version if !self.text.contains(|c: char| c.is_ascii_digit()) => {
                if !self.words().iter().all(|word| rules.vocabulary.knows(word)) {
                    self.masked.fill(true);
                }
            }
            TextKind::Path => self.path(rules),
            TextKind::Code if is_code(&self.text) => {}
            TextKind::Name | TextKind::Organisation | TextKind::Party | TextKind::Code => {
                self.names(rules);
            }
            TextKind::Uid | TextKind::Version => {}
        }
        self.numbers(rules);
    }

    fn words(&self) -> Vec<&str> {
        let word = |(start, end)| self.text.get(start..end).unwrap_or_default();
        words(&self.text).into_iter().map(word).collect()
    }

    /// Words that are written like names, and those that may be names.
    fn names(&mut self, rules: &RuleSet) {
        let vocabulary = &rules.vocabulary;
        let all = words(&self.text);
        // Institutions are often named after places; people have two names.
        let organisation = match self.kind {
            TextKind::Organisation => all.len() == 1 || vocabulary.names_organisation(&self.text),
            TextKind::Party => vocabulary.names_organisation(&self.text),
            _ => false,
        };
        let group = |at: usize| self.groups.iter().position(|&(s, e)| (s..e).contains(&at));
        let is_known = |&(start, end): &(usize, usize)| {
            self.text.get(start..end).is_some_and(|word| vocabulary.knows(word))
        };
        let known: SmallVec<[bool; 16]> = all.iter().map(is_known).collect();
        let place = |of: &(usize, usize)| all.iter().position(|word| word == of);
        let is_known = |of: &(usize, usize)| match place(of).and_then(|at| known.get(at)) {
            Some(known) => *known,
            None => is_known(of),
        };
        // `MirthConnect` is known by its second word, `MariaDB` as a whole.
        let known_words = all.iter().filter(|word| word.1 - word.0 > 2 && is_known(word));
        let known_groups = self.groups.iter().filter(|of| is_known(of));
        let rescued: Vec<Option<usize>> =
            known_words.chain(known_groups).map(|word| group(word.0)).collect();
        let mut judged = Vec::new();
        for word in all.iter().filter(|word| !is_known(word)) {
            let (start, end) = *word;
            let text = self.text.get(start..end).unwrap_or_default();
            let like_a_name = is_titled(text) || text.chars().any(has_no_case);
            let known = rescued.contains(&group(start));
            if !known {
                judged.push((start, end, like_a_name && !organisation));
            }
        }
        for (start, end, masked) in judged {
            let bits = if masked { &mut self.masked } else { &mut self.withheld };
            bits.get_mut(start..end).unwrap_or_default().fill(true);
        }
    }

    /// Segments with unknown words. Masked parts stay masked.
    fn path(&mut self, rules: &RuleSet) {
        let vocabulary = &rules.vocabulary;
        let mut start = 0;
        for segment in self.text.split('/') {
            let end = start + segment.len();
            let unknown = |&(s, e): &(usize, usize)| {
                !segment.get(s..e).is_some_and(|word| vocabulary.knows_in_path(word))
            };
            let all = words(segment);
            if all.iter().any(unknown) {
                // The suffix of a file gives its type.
                let suffix = segment.rfind('.').filter(|dot| {
                    let of = words(segment.get(*dot..).unwrap_or_default());
                    of.len() == 1
                        && segment.get(dot + 1..).is_some_and(|word| vocabulary.knows_in_path(word))
                });
                let masked = start..start + suffix.unwrap_or(segment.len());
                self.masked.get_mut(masked).unwrap_or_default().fill(true);
            } else {
                self.fixed.push((start, end));
            }
            start = end + 1;
        }
    }

    /// Numbers of people, and possible ones.
    fn numbers(&mut self, rules: &RuleSet) {
        let mut found = Vec::new();
        for (first, &(start, _)) in self.groups.iter().enumerate() {
            for &(_, end) in self.groups.iter().skip(first).take(MAX_GROUPS) {
                let Some(number) = self.text.get(start..end) else { continue };
                if number.len() > MAX_JOINED || self.kind == TextKind::Uid && number.contains('.') {
                    break;
                }
                let least = if self.kind == TextKind::Uid { LONG_COMPONENT } else { LONG_NUMBER };
                if number.len() >= least && rules.identifiers.is_valid_number(number) {
                    found.push((start, end));
                }
            }
        }
        for (start, end) in found {
            self.masked.get_mut(start..end).unwrap_or_default().fill(true);
        }
        if matches!(self.kind, TextKind::Uid | TextKind::Version) {
            return;
        }
        let bytes = self.text.as_bytes();
        let mut run = 0;
        for at in 0..=bytes.len() {
            if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                run += 1;
                continue;
            }
            if run >= LONG_NUMBER {
                self.withheld.get_mut(at - run..at).unwrap_or_default().fill(true);
            }
            run = 0;
        }
    }

    /// Masks what may turn out to belong to a person. True if there is any.
    pub fn withhold(&mut self) -> bool {
        let mut any = false;
        for (masked, withheld) in self.masked.iter_mut().zip(&self.withheld) {
            any |= *withheld && !*masked;
            *masked |= *withheld;
        }
        any
    }

    /// Masks the groups that are, or contain, an identifier according to `is_known`.
    pub fn clues(&mut self, is_known: &mut dyn FnMut(&str) -> bool) {
        if self.kind == TextKind::Uid && self.plain {
            return;
        }
        let mut found = Vec::new();
        for (first, &(start, own_end)) in self.groups.iter().enumerate() {
            let mut joined = WipedString::new(String::new());
            for &(s, end) in self.groups.iter().skip(first).take(MAX_GROUPS) {
                joined.push_str(&folded(self.text.get(s..end).unwrap_or_default()));
                if joined.len() > MAX_JOINED {
                    break;
                }
                if is_known(&joined) {
                    found.push((start, end));
                }
            }
            let group = folded(self.text.get(start..own_end).unwrap_or_default());
            if parts(&group, is_known) {
                found.push((start, own_end));
            }
        }
        // A word inside a group (`getDoe`).
        for (start, end) in words(&self.text) {
            if is_known(&folded(self.text.get(start..end).unwrap_or_default())) {
                found.push((start, end));
            }
        }
        for (start, end) in found {
            if self.fixed.iter().any(|&(s, e)| s <= start && end <= e) {
                continue;
            }
            self.masked.get_mut(start..end).unwrap_or_default().fill(true);
        }
    }

    /// The shown form; `None` if that is the original text.
    pub fn shown(&self) -> Option<String> {
        if !self.masked.contains(&true) {
            return None;
        }
        if self.kind == TextKind::Path {
            return Some(self.shown_path());
        }
        let mut shown = String::with_capacity(self.text.len());
        let mut before = false;
        for (at, c) in self.text.char_indices() {
            let masked = self.masked.get(at).is_some_and(|m| *m);
            // The first letter, as of names; in scripts in which it reveals too much not even that.
            let first = !before && c.is_ascii_alphabetic() && self.kind != TextKind::Uid;
            shown.push(if masked && c.is_alphanumeric() && !first { '*' } else { c });
            before = masked;
        }
        Some(shown)
    }

    /// A segment of a path is shown completely or not at all, except for the suffix of a file.
    fn shown_path(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        let mut start = 0;
        for segment in self.text.split('/') {
            if start > 0 {
                shown.push('/');
            }
            let end = start + segment.len();
            let bits = self.masked.get(start..end).unwrap_or_default();
            match bits.iter().rposition(|masked| *masked) {
                None => shown.push_str(segment),
                Some(last) => {
                    shown.push('*');
                    let rest = segment.get(last + 1..).unwrap_or_default();
                    shown.push_str(rest.rfind('.').and_then(|dot| rest.get(dot..)).unwrap_or(""));
                }
            }
            start = end + 1;
        }
        shown
    }
}

/// Whether a folded group contains an identifier: a word with one or two initials, two joined words, a longer part of
/// it.
fn parts(group: &str, is_known: &mut dyn FnMut(&str) -> bool) -> bool {
    let at: Vec<usize> =
        group.char_indices().map(|(at, _)| at).chain([group.len()]).take(MAX_GROUP + 1).collect();
    let n = at.len() - 1;
    let part = |from: usize, to: usize| match (at.get(from), at.get(to)) {
        (Some(from), Some(to)) => group.get(*from..*to).unwrap_or_default(),
        _ => "",
    };
    let letters = |text: &str| text.chars().all(char::is_alphabetic);
    let mut found = false;
    // `jdoe`, `doej`, `jdoe78`: letters with digits before or behind them.
    let start = group.chars().take_while(char::is_ascii_digit).count();
    let end = n - group.chars().rev().take_while(char::is_ascii_digit).count().min(n);
    if start < end && letters(part(start, end)) {
        for (from, to) in [
            (start, end),
            (start + 1, end),
            (start + 2, end),
            (start, end - 1),
            (start, end.saturating_sub(2)),
        ] {
            found |= to >= from + MIN_WORD && is_known(part(from, to));
        }
        for middle in start + MIN_WORD..=end.saturating_sub(MIN_WORD) {
            let (one, other) = (is_known(part(start, middle)), is_known(part(middle, end)));
            found |= one && other;
        }
    }
    for from in 0..n {
        for to in from + MIN_PART..=n {
            found |= is_known(part(from, to));
        }
    }
    found
}

/// Stretches of letters and digits.
fn groups(text: &str) -> Vec<(usize, usize)> {
    let mut groups = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let part = c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}');
        match (part, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                groups.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    groups.extend(start.map(|from| (from, text.len())));
    groups
}

/// `Xxxx`: as names are written in most languages.
fn is_titled(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_uppercase)
        && chars.clone().count() >= 2
        && chars.all(|c| !c.is_uppercase())
}

/// Whether a letter is of a script without capitals.
fn has_no_case(c: char) -> bool {
    c.is_alphabetic() && !c.is_uppercase() && !c.is_lowercase()
}

/// `ADT^A01`, `GET`, `M-SEARCH`.
fn is_code(text: &str) -> bool {
    let of = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"^_.-:/ ".contains(&b);
    text.len() <= 24 && text.bytes().all(of)
}

/// PS3.5 9.1: components of digits, separated by dots.
fn is_uid(text: &str) -> bool {
    let component = |c: &str| !c.is_empty() && c.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 64 && text.contains('.') && text.split('.').all(component)
}
