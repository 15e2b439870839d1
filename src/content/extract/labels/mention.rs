//! A patient whom a line of a log names with a number in brackets that has no label, or only `ID`:
//! `Opened patient Jane Roe [H-77123]`, `patient Jane Roe (ID 77123) discharged`.

use super::adjacent_name;
use crate::rules::{About, Kind, RuleSet, TextWords, WordMeaning};

/// Words of a name.
const MIN_WORDS: usize = 2;
const MAX_WORDS: usize = 5;

/// Most words of the clause that announces a patient.
const MAX_ANNOUNCEMENT: usize = 4;

/// Length of a number, bytes, and its fewest digits.
const MIN_NUMBER: usize = 4;
const MAX_NUMBER: usize = 20;
const MIN_DIGITS: usize = 4;

/// Longest line looked at, bytes.
const MAX_LINE: usize = 512;

/// Words that programs and things have in their names and people have not.
const THINGS: [&str; 80] = [
    "access",
    "account",
    "admin",
    "advocate",
    "advocates",
    "agent",
    "api",
    "app",
    "application",
    "archive",
    "assistant",
    "bed",
    "cache",
    "care",
    "center",
    "centre",
    "chart",
    "client",
    "clinic",
    "component",
    "controller",
    "coordinator",
    "daemon",
    "data",
    "database",
    "department",
    "desk",
    "driver",
    "education",
    "engine",
    "event",
    "experience",
    "factory",
    "family",
    "formatter",
    "gateway",
    "group",
    "handler",
    "helpdesk",
    "hospital",
    "hotline",
    "id",
    "index",
    "info",
    "information",
    "interface",
    "job",
    "lift",
    "lifter",
    "line",
    "list",
    "manager",
    "module",
    "monitor",
    "name",
    "navigator",
    "nurse",
    "office",
    "portal",
    "process",
    "queue",
    "record",
    "records",
    "registry",
    "relations",
    "repository",
    "safety",
    "search",
    "server",
    "service",
    "services",
    "session",
    "support",
    "system",
    "task",
    "team",
    "technician",
    "transport",
    "unit",
    "viewer",
];

/// Particles of names, which are written in lower case.
const PARTICLES: [&str; 35] = [
    "'t", "’t", "'s", "von", "van", "vom", "zu", "zum", "zur", "de", "der", "den", "des", "del",
    "della", "dello", "di", "da", "dal", "dos", "das", "do", "du", "la", "le", "ten", "ter", "te",
    "op", "af", "av", "el", "al", "bin", "ben",
];

/// What a line says of a patient.
pub struct Mention<'a> {
    /// The name behind the word for a patient.
    pub name: &'a str,
    /// The number in brackets behind it.
    pub number: &'a str,
}

/// The patient that a line names.
pub fn find<'a>(line: &'a str, rules: &RuleSet) -> Option<Mention<'a>> {
    if line.len() > MAX_LINE {
        return None;
    }
    let open = line.match_indices(['(', '[']).map(|(at, _)| at);
    open.filter(|at| *at > 0).find_map(|at| {
        let (before, behind) = (line.get(..at)?.trim_end(), line.get(at + 1..)?);
        let (inside, rest) = behind.split_once([')', ']'])?;
        let number = number(inside, rules)?;
        let name = name(before, rules)?;
        // `Patient Information Desk (5550123)` and nothing else is an entry of a directory.
        let said = |text: &str| text.contains(char::is_alphabetic);
        let front = before.get(..before.len().checked_sub(name.len())?)?.trim_end();
        (front.contains(' ') || front.starts_with(char::is_lowercase) || said(rest))
            .then_some(Mention { name, number })
    })
}

/// The name at the end of a text, behind a word for a patient.
fn name<'a>(text: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let text = text.trim_end();
    let mut begin = text.len();
    for count in 0..=MAX_WORDS {
        let rest = text.get(..begin)?.trim_end();
        let at = rest.rfind(' ').map_or(0, |at| at + 1);
        let word = rest.get(at..)?;
        if is_patient_word(word, rules) {
            return (count >= MIN_WORDS).then(|| text.get(begin..)).flatten();
        }
        if !(is_part(word) || (count > 0 && is_particle(word))) {
            return None;
        }
        begin = at;
    }
    None
}

/// The name of a person at the end of a text, or right before an opening bracket there, whatever is before it.
pub fn in_front<'a>(text: &'a str, rules: &RuleSet) -> Option<&'a str> {
    // Chats put stars around what they show in bold.
    let text = text.trim_end_matches([' ', '(', '[', '*', '_']);
    let mut begin = text.len();
    let mut parts = 0;
    for count in 0..MAX_WORDS {
        let rest = text.get(..begin)?.trim_end();
        let at = rest.rfind(' ').map_or(0, |at| at + 1);
        let word = rest.get(at..)?;
        let at = at + word.len() - word.trim_start_matches(['*', '_']).len();
        let word = rest.get(at..)?;
        // `Roe, Jane`
        let bare = if count > 0 { word.strip_suffix(',').unwrap_or(word) } else { word };
        let title = adjacent_name::is_title(bare, rules);
        let other = title || rules.keys.get(bare).is_some() || rules.keys.scope_of(bare).is_some();
        let part = is_part(bare) && !other;
        if rest.is_empty() || !(part || (count > 0 && is_particle(bare))) {
            break;
        }
        parts += usize::from(part);
        begin = at;
    }
    (parts >= MIN_WORDS).then(|| text.get(begin..)).flatten()
}

/// Whether a clause that begins with the word for a patient ends with a colon before the `name` in a text: `Patient
/// merged: Jane Roe (MRN 77123)`.
pub fn announces_patient(text: &str, name: &str, rules: &RuleSet) -> bool {
    let Some((before, _)) = text.rsplit_once(name) else { return false };
    let Some(clause) = before.trim_end().strip_suffix(':') else { return false };
    let words = clause.rsplit([' ', '\t']).take(MAX_ANNOUNCEMENT);
    words.skip(1).any(|word| rules.keys.context(word) == Some(About::Patient))
}

/// Whether a `name` in a text is that of the person whom a document is about: `CBC report for Jane Roe (MRN 77123)`.
pub fn is_reported(text: &str, name: &str, words: &TextWords) -> bool {
    let Some((before, _)) = text.rsplit_once(name) else { return false };
    let mut nearest = before.split_whitespace().rev();
    let mut next_means = |meaning| nearest.next().is_some_and(|word| words.means(word, meaning));
    next_means(WordMeaning::About) && next_means(WordMeaning::Document)
}

/// Whether a word is one for a patient in running text, abbreviated or inflected: `pt`, `Pat.`, `pacjenta`.
pub fn is_patient_word(word: &str, rules: &RuleSet) -> bool {
    let bare = word.trim_matches([',', ';', '(']);
    rules.words.means(bare, WordMeaning::Patient)
        || rules.keys.context(bare) == Some(About::Patient)
}

/// Whether a word is written like one of a name, and is none of things.
pub fn is_part(word: &str) -> bool {
    let letters = word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.'));
    letters && word.starts_with(char::is_uppercase) && !THINGS.contains(&&*word.to_lowercase())
}

/// Whether a word is a particle of a name: `van`.
pub fn is_particle(word: &str) -> bool {
    PARTICLES.contains(&word)
}

/// Whether all words of a name are, and there are several.
pub fn is_person(name: &str) -> bool {
    let words = || name.split([' ', ',']).filter(|word| !word.is_empty());
    words().nth(1).is_some()
        && words().all(|word| is_part(word) || word.starts_with(char::is_lowercase))
}

/// The number in a bracket: alone, or behind `ID` or the label of one.
fn number<'a>(text: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let text = text.trim();
    let at = text.rfind([' ', ':', '#', '=']).map_or(0, |at| at + 1);
    let (label, number) = (text.get(..at)?.trim_matches([' ', ':', '#', '=']), text.get(at..)?);
    let known = || rules.keys.get(label).is_some_and(|key| key.rule.kind == Kind::PatientId);
    let labelled = label.is_empty() || label.eq_ignore_ascii_case("id") || known();
    let written =
        number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'.'));
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (labelled
        && written
        && digits >= MIN_DIGITS
        && (MIN_NUMBER..=MAX_NUMBER).contains(&number.len()))
    .then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    fn found(line: &str) -> Option<(&str, &str)> {
        find(line, &RULES).map(|mention| (mention.name, mention.number))
    }

    #[test]
    fn patients_with_a_number_in_brackets() {
        for line in [
            "Opened patient Jane Roe [H-77123]",
            "2026-03-01 10:15:02 INFO patient Jane Roe (ID H-77123) discharged",
            "Patient Jane Roe (H-77123) admitted to ward 5",
            "Öffne Patientin Jane Roe (ID: H-77123)",
        ] {
            assert_eq!(found(line), Some(("Jane Roe", "H-77123")), "{line}");
        }
    }

    #[test]
    fn names_in_front_of_a_bracket() {
        for (text, name) in [
            ("Reminder for Jane Roe (", Some("Jane Roe")),
            ("Patient merged: Roe, Jane (", Some("Roe, Jane")),
            ("seen by Dr. Truus van den Berg [", Some("Truus van den Berg")),
            ("Jane Roe", Some("Jane Roe")),
            ("New arrival: *Jane Roe* (", Some("Jane Roe")),
            ("Roe (", None),
            ("the report (", None),
            ("(", None),
            ("Patient Monitor (", None),
        ] {
            assert_eq!(in_front(text, &RULES), name, "{text}");
        }
    }

    #[test]
    fn names_with_particles() {
        let found = found("Loaded patient Truus van den Berg (MRN 77123)");
        assert_eq!(found, Some(("Truus van den Berg", "77123")));
    }

    #[test]
    fn programs_and_staff_are_none() {
        for line in [
            "Patient Monitor Driver (ID 12345) loaded",
            "Opened ticket Patient Portal Outage (ID 44713)",
            "Patient Relations Office (5550123)",
            "Patient Jane Roe (5550123)",
            "Loaded patient list (17 entries)",
            "Loaded patient module version 3.2 (build 4711)",
            "User Jane Roe (ID 47110) logged in",
            "Loaded patient Roe (ID 47110)",
            "patient Jane Roe (see page 3)",
            "patient Jane Roe (",
            "(",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
