//! Messages that greet a patient and go on about an appointment or result of theirs: `Dear Jane Roe, your lab results
//! are ready`.

use super::{Labels, Meaning, PATIENT_NAME, adjacent_name, mention};
use crate::content::Scope;
use crate::rules::{RuleSet, TextWords, WordMeaning};
use zeroize::Zeroizing;

/// Most words of a greeting.
const MAX_GREETING: usize = 3;

/// Longest line that is one, and longest part of a message that is looked at, bytes.
const MAX_LINE: usize = 120;
const MAX_MESSAGE: usize = 600;

/// Greetings of one document that are looked at.
const MAX_GREETINGS: u32 = 4096;

/// Lines behind a greeting in which the message says what it is about.
const MAX_LINES: u8 = 4;

/// The person whom a message greets.
#[derive(Default)]
pub(super) struct Greeted {
    name: Zeroizing<String>,
    /// Lines that may still say what the message is about.
    lines: u8,
    /// Greetings so far.
    count: u32,
}

impl Greeted {
    /// Whether the message has not said yet what it is about.
    pub(super) const fn is_waiting(&self) -> bool {
        self.lines > 0
    }
}

/// A greeting at the front of a line: `Dear Jane Roe, ...`.
struct Greets<'a> {
    name: &'a str,
    /// The rest of the line.
    rest: &'a str,
    /// It calls the person a patient.
    patient: bool,
}

/// Whether a text is a greeting without the name.
pub fn is_greeting(text: &str, words: &TextWords) -> bool {
    let text = text.trim();
    words.may_greet(text.as_bytes()) && words.means(text, WordMeaning::Greeting)
}

/// The greeting at the front of a line.
fn greets<'a>(line: &'a str, rules: &RuleSet) -> Option<Greets<'a>> {
    let line = line.trim();
    if !line.is_ascii()
        && let Some(greets) = honoured(line)
    {
        return Some(greets);
    }
    if !rules.words.may_greet(line.as_bytes()) {
        return None;
    }
    let mut end = 0;
    let mut behind = None;
    let mut front = String::new();
    for word in line.split_inclusive(' ').take(MAX_GREETING) {
        end += word.len();
        if !front.is_empty() {
            front.push(' ');
        }
        front.push_str(word.trim_end());
        if front.len() > MAX_LINE {
            break;
        }
        if rules.words.means(&front, WordMeaning::Greeting) {
            behind = line.get(end..);
        }
    }
    let behind = behind?;
    let at = behind.find([',', '!', ':', ';']).unwrap_or(behind.len());
    let (name, rest) = behind.split_at_checked(at).filter(|(name, _)| name.len() <= MAX_LINE)?;
    // `Dear patient Jane Roe`, `Yth. Bapak/Ibu Siti Aminah`.
    let mut name = name.trim();
    let mut patient = false;
    while let Some((word, more)) = name.split_once(' ')
        && (mention::is_patient_word(word, rules) || adjacent_name::is_form_of_address(word, rules))
    {
        patient |= mention::is_patient_word(word, rules);
        name = more.trim_start();
    }
    let whole = mention::in_front(name, rules) == Some(name);
    whole.then_some(Greets { name, rest, patient })
}

/// The greeting of a message in Japanese or Korean: `西園寺昭夫 様`, `[서울병원] 윤상훈님, 진료 예약`.
fn honoured(line: &str) -> Option<Greets<'_>> {
    const HONORIFICS: [&str; 3] = ["様", "님", "殿"];
    const NAME: std::ops::RangeInclusive<usize> = 2..=10;
    let (at, honorific) = HONORIFICS.iter().find_map(|word| Some((line.find(word)?, word)))?;
    let (name, rest) = (line.get(..at)?, line.get(at + honorific.len()..)?);
    let name = name.rsplit([']', '】', ')']).next().unwrap_or("").trim();
    let letters = name.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '\u{3000}');
    let ends = rest.is_empty() || rest.starts_with([',', '，', '、', '。', '!', ':', '：']);
    (letters && ends && NAME.contains(&name.chars().count())).then_some(Greets {
        name,
        rest,
        patient: false,
    })
}

/// Whether a part of a message is about an appointment, a result or the record of its reader.
fn is_about_care(text: &str, words: &TextWords) -> bool {
    let mut end = text.len().min(MAX_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or("");
    let mut phrases = words.phrases(WordMeaning::CarePhrase);
    if !text.is_ascii() && phrases.any(|phrase| text.contains(phrase)) {
        return true;
    }
    // `your appointment as staff nurse`
    if text.contains("appointment as ") {
        return false;
    }
    let (mut yours, mut given, mut care) = (false, false, false);
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let means = |meaning| words.means(bare, meaning);
        if means(WordMeaning::NotCare) {
            return false;
        }
        yours |= means(WordMeaning::Yours);
        given |= means(WordMeaning::Given);
        care |= means(WordMeaning::Care) || words.means(word, WordMeaning::Care);
    }
    yours && given && care
}

/// Words of a message between what is theirs and the word for it: `your next dental appointment`.
const MAX_BETWEEN: usize = 3;

/// The patient whom a message greets, where it goes on about an appointment or result of theirs, in a text up to a
/// bracket or label: `Hi Jane Roe, your appointment (`.
pub(super) fn greeted<'a>(text: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let means = |word: &str, meaning| {
        rules.words.means(word.trim_matches(|c: char| !c.is_alphanumeric()), meaning)
    };
    // Senders put their own name in front: `North Clinic: Hi Jane Roe, ...`.
    let text = text.strip_suffix(['(', '[']).unwrap_or(text);
    let text = text.rsplit(": ").next().unwrap_or(text).trim();
    let Greets { name, rest, .. } = greets(text, rules)?;
    let message = rest.trim_start_matches([',', '!', ':', ' ']);
    let mut words = message.split_whitespace();
    let theirs = words.next().is_some_and(|word| means(word, WordMeaning::Yours))
        && words
            .take(MAX_BETWEEN + 1)
            .take_while(|word| !mention::is_patient_word(word, rules))
            .any(|word| means(word, WordMeaning::Given));
    theirs.then_some(name)
}

impl Labels {
    /// Notes whom a line greets, and takes the name where the message goes on about care. True if it did either.
    pub(super) fn greeting(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        if self.collected.is_some() || self.greeted.count >= MAX_GREETINGS {
            return false;
        }
        if let Some(Greets { name, rest, patient }) = greets(line, scope.rules) {
            self.greeted.name.clear();
            self.greeted.name.push_str(name);
            self.greeted.lines = MAX_LINES;
            self.greeted.count += 1;
            if patient || is_about_care(rest, &scope.rules.words) {
                self.take_greeted(scope);
            }
            return true;
        }
        if self.greeted.lines == 0 || line.trim().is_empty() {
            return false;
        }
        self.greeted.lines -= 1;
        if is_about_care(line, &scope.rules.words) {
            self.take_greeted(scope);
        }
        true
    }

    fn take_greeted(&mut self, scope: &mut Scope<'_>) {
        self.greeted.lines = 0;
        let name = std::mem::take(&mut self.greeted.name);
        if let Some(key) = scope.rules.keys.get(PATIENT_NAME) {
            self.known(&Meaning::from(key), &name, scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    #[test]
    fn patients_whom_a_message_greets() {
        for (text, name) in [
            ("Hi Jane Roe, your appointment (", Some("Jane Roe")),
            ("North Clinic: Dear Jane Roe, your lab results (", Some("Jane Roe")),
            ("Hallo Truus van den Berg, uw afspraak [", Some("Truus van den Berg")),
            ("Hi Dr. Jane Roe, your appointment (", None),
            ("Hi Jane Roe, your patient (", None),
            ("Hi Jane Roe, your patient has an appointment (", None),
            ("Hi Jane Roe, the appointment (", None),
            ("Jane Roe, your appointment (", None),
            ("Hi Jane, your appointment (", None),
            ("Hi", None),
            ("", None),
        ] {
            assert_eq!(greeted(text, &RULES), name, "{text}");
        }
    }

    #[test]
    fn names_in_greetings() {
        for (line, name) in [
            ("Dear Jane Roe,", Some("Jane Roe")),
            ("Sehr geehrte Frau Erika von der Heide,", Some("Erika von der Heide")),
            ("Estimado/a Ana Ruiz Gil:", Some("Ana Ruiz Gil")),
            ("Caro(a) utente Inês Prado, a sua consulta", Some("Inês Prado")),
            ("佐藤花子 様", Some("佐藤花子")),
            ("[서울병원] 윤상훈님, 진료 예약 안내입니다.", Some("윤상훈")),
            ("Dear Dr. Jane Roe,", None),
            ("Dear Sir or Madam,", None),
            ("Dear Ms Roe,", None),
            ("Dear team,", None),
        ] {
            assert_eq!(greets(line, &RULES).map(|greets| greets.name), name, "{line}");
        }
    }

    #[test]
    fn what_is_about_care() {
        let about_care = |text: &str| is_about_care(text, &RULES.words);
        assert!(about_care("Your appointment with Dr. Li is on 3 March."));
        assert!(about_care("hiermit bestätigen wir Ihren Termin in unserer Praxis am 03.03.2026"));
        assert!(!about_care("Your appointment with the bank advisor is on 3 March."));
        assert!(!about_care("Your patient Jane Roe is here."));
        assert!(!about_care(
            "We confirm your appointment to the position of doctor at the clinic."
        ));
        assert!(!about_care("We confirm your appointment as staff nurse at the hospital."));
        assert!(!about_care("Your dog's appointment with Dr. Li is on 3 March."));
        assert!(about_care("診察のご予約を承りました。"));
    }
}
