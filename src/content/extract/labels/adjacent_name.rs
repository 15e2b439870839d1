//! A name without a label of its own, right before a date of birth, as letters have it: `Re: Mr Arthur Penn, DOB:
//! 02/03/1955`, `Frau Erika Roe, geb. 12.04.1951`.

use super::{is_padding, mention};
use crate::rules::{About, RuleSet, TextWords, WordMeaning};

/// Most words of such a name, its particles included.
const MAX_WORDS: usize = 6;

/// Fewest words of a name that no form of address precedes.
const MIN_WORDS: usize = 2;

/// Most words that introduce a name in a line of its own.
const MAX_INTRODUCTION: usize = 3;

/// Longest text that is examined, bytes.
const MAX_BEFORE: usize = 160;

/// Longest particle of a name (`van`), characters.
const MAX_PARTICLE: usize = 3;

/// Titles that doctors have too.
const ACADEMIC: [&str; 11] = [
    "dr",
    "doctor",
    "prof",
    "professor",
    "dott",
    "dott.ssa",
    "prof.ssa",
    "dipl",
    "ing",
    "rev",
    "sir",
];

/// A name, and whether the word before it shows that it is a patient's (`Patient Roe, Jane`).
pub struct AdjacentName<'a> {
    /// Without titles.
    pub name: &'a str,
    /// It is a patient's.
    pub patient: bool,
    /// A form of address precedes it.
    pub addressed: bool,
}

/// The name that ends `before`, the text in front of the label of a birth date.
///
/// Accepted behind a form of address or a word for a patient; or if it is introduced as the subject of a letter
/// (`Re:`), or separated from the label by a comma or bracket.
pub fn name<'a>(before: &'a str, rules: &RuleSet) -> Option<AdjacentName<'a>> {
    find(before, false, rules)
}

/// The same. A separate `line` needs no separator except the comma in the name.
fn find<'a>(before: &'a str, line: bool, rules: &RuleSet) -> Option<AdjacentName<'a>> {
    let mut from = before.len().saturating_sub(MAX_BEFORE);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let text = before.get(from..)?.trim_end();
    let shown = without_sex(text);
    let apart = text.ends_with([',', '(', ';', '*', '-', '–']) || shown.len() < text.len();
    let text = shown;
    let text = text.trim_end_matches(|c| is_padding(c) || matches!(c, '(' | '–' | '-' | '|'));
    if let Some(name) = described(text, rules) {
        return Some(AdjacentName { name, patient: true, addressed: false });
    }
    let colon = text.rfind([':', '|', '\t']).map_or(0, |at| at + 1);
    let column = text.rfind("  ").map_or(0, |at| at + 2);
    let clause = text.get(colon.max(column)..)?;
    let words = Words::of(clause, rules);
    let name = clause.get(words.begin..)?;
    if words.count == 0 {
        return None;
    }
    let front = clause.get(..words.begin)?;
    let mut titles = front.split_whitespace().rev().map(|word| word.trim_matches(is_mark));
    let nearest = front.split_whitespace().next_back().unwrap_or("");
    if mention::is_patient_word(nearest.trim_end_matches(':'), rules)
        || names_patient(front, &rules.words)
    {
        return Some(AdjacentName { name, patient: true, addressed: false });
    }
    let is_title = |word: &&str| is_title(word, rules);
    let addressed =
        titles.by_ref().take_while(is_title).any(|title| is_form_of_address(title, rules));
    let addressed = addressed || (nearest == "M." && words.count >= MIN_WORDS);
    let intro = text.get(..colon).unwrap_or("").trim_end_matches([':', ' ']);
    let intro = intro.rsplit([' ', ',', ';', '\t']).next().unwrap_or("");
    let introduced =
        colon > 0 && colon >= column && rules.keys.context(intro) == Some(About::Nothing);
    let halves = name.split(',').filter(|half| !half.trim().is_empty()).count();
    let apart = apart || (line && colon == 0 && halves == 2);
    // The items of a list, in columns: `1. Roe, Jane  DOB: 1970-01-31`.
    let column = before.ends_with("  ") || before.ends_with('\t');
    let column = column || before.trim_end().ends_with('|');
    let apart = apart || (column && halves == 2);
    let stated = is_issued(front, &rules.words) || (is_statement(nearest, &rules.words) && apart);
    let item = is_item(front) && from == 0 && (introduced || apart);
    let alone = words.count >= MIN_WORDS && (item || stated);
    let patient = addressed && reports_on(front, &rules.words);
    (addressed || alone).then_some(AdjacentName { name, patient, addressed })
}

/// The name in a line above a birth date: it contains a comma (`Roe, Jane`), or words introduce it (`Re: Jane Roe`,
/// `Mrs Jane Roe`, `Patient Jane Roe`), and the line holds nothing else.
pub fn above<'a>(line: &'a str, rules: &RuleSet) -> Option<AdjacentName<'a>> {
    let line = without_address(line.trim().trim_end_matches(is_padding), rules);
    let adjacent = find(line, true, rules)?;
    let all = line.len() == adjacent.name.len();
    let two = adjacent.name.split_whitespace().count() >= 2;
    let halves = adjacent.name.split(',').filter(|half| !half.trim().is_empty()).count();
    let behind = line.get(..line.len() - adjacent.name.len())?.trim_end();
    // The author of the letter has a title too, which then stays alone in front.
    (two && (halves == 2 || !all) && behind.split_whitespace().count() <= MAX_INTRODUCTION)
        .then_some(adjacent)
}

/// Whether a word is a title: `Dr`, `Sig.ra`, `Sig./Sig.ra`.
pub fn is_title(word: &str, rules: &RuleSet) -> bool {
    let title = |word: &str| rules.placeholders.is_affix(&word.to_lowercase().replace('.', ""));
    match word.split_once('/') {
        Some((one, other)) => title(one) && title(other),
        None => title(word),
    }
}

/// Whether a word is a form of address of any person, and no title that doctors have.
pub fn is_form_of_address(word: &str, rules: &RuleSet) -> bool {
    const GENERATIONS: &[&str] = &["senior", "junior", "sr", "jr", "ii", "iii", "iv"];
    let bare = word.trim_matches(is_mark).to_lowercase();
    is_title(word, rules) && !ACADEMIC.contains(&&*bare) && !GENERATIONS.contains(&&*bare)
}

/// Whether only the verb of a certificate, or a pronoun, is in front of a name: `Дана Ивановой Анне, 31.01.1970 года
/// рождения`, `I, Jane Roe, (DOB: 01/31/1970)`.
fn is_issued(front: &str, words: &TextWords) -> bool {
    words.means(front.trim(), WordMeaning::Issued)
}

/// Whether a word introduces what a certificate states of a person: `Se adeverește că Ana Pop, născută la`.
fn is_statement(word: &str, words: &TextWords) -> bool {
    words.means(word, WordMeaning::That)
}

/// Whether the words before a name say that it is the patient's: `The patient's name is`.
fn names_patient(front: &str, words: &TextWords) -> bool {
    let front = front.trim_end().to_lowercase();
    words.phrases(WordMeaning::NameOfPatient).any(|phrase| front.ends_with(phrase))
}

/// The name in front of what describes a patient: `Jane Roe is a 54-year-old female`.
fn described<'a>(text: &'a str, rules: &RuleSet) -> Option<&'a str> {
    const UNITS: [&str; 6] = ["year", "yr", "yo", "y/o", "month", "week"];
    let (front, rest) = [" is a ", " is an "].iter().find_map(|is| text.rsplit_once(is))?;
    let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = rest.len() - unit.len();
    let unit = unit.trim_start_matches(['-', ' ']);
    let aged = (1..=3).contains(&digits) && UNITS.iter().any(|u| unit.starts_with(u));
    let words = Words::of(front, rules);
    let before = front.get(..words.begin)?.trim_end();
    let last = before.split_whitespace().next_back().unwrap_or("");
    // The beginning of a sentence, and no doctor.
    let begins = before.is_empty() || before.ends_with('.') && !is_title(last, rules);
    let name = front.get(words.begin..).filter(|_| aged && words.count >= 2 && begins)?;
    let other = |word: &str| rules.keys.context(word.trim_matches(is_mark)) == Some(About::Other);
    (!unit.split_whitespace().any(other)).then_some(name)
}

/// Whether the words before a name are those with which letters of doctors begin: `wir berichten über Frau`.
fn reports_on(front: &str, words: &TextWords) -> bool {
    let front = front.to_lowercase();
    words.phrases(WordMeaning::ReportOnPatient).any(|phrase| front.contains(phrase))
}

/// Whether only the number or the mark of a list item precedes a name.
fn is_item(front: &str) -> bool {
    let front = front.trim();
    let number = front.trim_end_matches(['.', ')', ':']);
    matches!(front, "" | "-" | "*" | "•" | "·")
        || (number.len() < front.len()
            && number.len() <= 3
            && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a text only gives sex and age: `(F)`, `M, 54 y`.
pub fn is_sex_or_age(text: &str) -> bool {
    const SEXES: [&str; 9] = ["m", "f", "w", "male", "female", "männlich", "weiblich", "♂", "♀"];
    let mut words = text.split(|c: char| !c.is_alphanumeric() && !"♂♀".contains(c));
    let mut any = false;
    words.all(|word| {
        any |= !word.is_empty();
        let number = word.trim_end_matches(|c: char| c.is_alphabetic());
        let unit = word.get(number.len()..).unwrap_or("");
        let age = number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit());
        SEXES.contains(&&*word.to_lowercase())
            || (age && matches!(unit, "" | "y" | "yo" | "yr" | "yrs" | "years" | "J" | "ans"))
    }) && any
}

/// The date in a text that else only gives sex and age, which is that of a birth: `F, 73 y.o., 01/31/1953`,
/// `56 year(s) (31.Jan.1970)`.
pub fn birth_beside_age(text: &str) -> Option<&str> {
    const UNITS: [&str; 19] = [
        "y",
        "yo",
        "y.o",
        "y.o.",
        "yr",
        "yrs",
        "yr.",
        "year",
        "years",
        "year(s",
        "years old",
        "ans",
        "j",
        "j.",
        "jahre",
        "anni",
        "años",
        "jaar",
        "lat",
    ];
    if text.len() > MAX_BEFORE || !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (mut age, mut date) = (false, None);
    for part in text.split([',', ';', '|', '·', ' ', '(', ')']) {
        let bare = part.trim_matches(|c: char| is_padding(c) || c == '\u{a0}');
        let number = bare.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = bare.len() - number.len();
        let unit = number.to_lowercase();
        let unit = UNITS.contains(&unit.as_str());
        match bare {
            "" | "s" | "old" | "DOB" | "born" => {}
            _ if digits == 0 && (unit || is_sex_or_age(bare)) => {}
            _ if (1..=3).contains(&digits) && (unit || number.is_empty()) => age = true,
            _ if date.is_none() && is_date(bare) => date = Some(bare),
            _ => return None,
        }
    }
    date.filter(|_| age)
}

/// Whether a text is a date with a full year, its month as number or word.
fn is_date(text: &str) -> bool {
    const MAX_PARTS: usize = 3;
    let parts = || text.split(['.', '/', '-']);
    let numbers = parts().filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let month = parts().any(|p| p.len() >= MAX_PARTS && p.chars().all(char::is_alphabetic));
    parts().count() == MAX_PARTS
        && numbers.count() + usize::from(month) == MAX_PARTS
        && parts().any(|p| p.len() == 4 && p.bytes().all(|b| b.is_ascii_digit()))
}

/// A name in a line without the form of address in brackets behind it: `ROE, Jane (Mrs)`.
fn without_address<'a>(line: &'a str, rules: &RuleSet) -> &'a str {
    let bare = line.strip_suffix(')').and_then(|inside| inside.rsplit_once('('));
    bare.filter(|(_, title)| is_form_of_address(title, rules))
        .map_or(line, |(name, _)| name.trim_end())
}

/// A text without a separated sex and age at its end: `Roe, Jane | F |`.
fn without_sex(text: &str) -> &str {
    let bare = text.trim_end_matches(|c| is_padding(c) || matches!(c, '(' | ')'));
    let Some(at) = bare.rfind(['|', '(', ';', '/']) else { return text };
    match is_sex_or_age(bare.get(at + 1..).unwrap_or("")) {
        true => bare.get(..at).unwrap_or("").trim_end(),
        false => text,
    }
}

/// The name that fills a line in the place of a person's name; `about`: whether a patient's name is expected.
pub fn alone<'a>(line: &'a str, about: About, rules: &RuleSet) -> Option<AdjacentName<'a>> {
    let line = line.trim();
    let words = Words::of(line, rules);
    let whole = words.begin == 0 && words.count >= 2;
    whole.then_some(AdjacentName { name: line, patient: about == About::Patient, addressed: false })
}

/// Words of a name at the end of a text.
struct Words {
    begin: usize,
    count: usize,
}

impl Words {
    fn of(text: &str, rules: &RuleSet) -> Self {
        let mut found = Self { begin: text.len(), count: 0 };
        let mut commas = 0;
        let mut rest = text;
        while found.count < MAX_WORDS
            && let Some(word) = rest.split_whitespace().next_back()
            && let Some(at) = rest.rfind(word)
        {
            let bare = word.trim_matches(is_mark);
            commas += usize::from(word.ends_with(',') && found.count > 0);
            let known = rules.keys.get(bare).is_some()
                || rules.keys.scope_of(bare).is_some()
                || is_title(bare, rules);
            let verb =
                matches!(
                    bare,
                    "is" | "was"
                        | "ist"
                        | "est"
                        | "war"
                        | "has"
                        | "Дана"
                        | "Дано"
                        | "Выдана"
                        | "Выдано"
                        | "Видана"
                ) || matches!(word, "I," | "Ich," | "Je," | "Io," | "Yo," | "Eu," | "Я," | "M.");
            let verb = verb || (found.count > 0 && is_statement(bare, &rules.words));
            if commas > 1 || known || verb || !is_name_word(bare, found.count == 0) {
                break;
            }
            found.count += 1;
            found.begin = at;
            rest = rest.get(..at).unwrap_or("");
        }
        found
    }
}

pub(super) const fn is_mark(c: char) -> bool {
    matches!(c, ',' | '.' | ';' | ':' | '(' | ')')
}

/// Whether a word is written like one of a name: capitalised, or a particle, unless it is the `last`.
fn is_name_word(word: &str, last: bool) -> bool {
    let letters =
        word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.' | ','));
    let particle = !last && word.chars().count() <= MAX_PARTICLE;
    // `van 't Veer`
    if particle && matches!(word, "'t" | "’t" | "'s") {
        return true;
    }
    letters
        && word.starts_with(char::is_alphabetic)
        && (particle || !word.starts_with(char::is_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    fn found(before: &str) -> Option<(String, bool)> {
        name(before, &RULES).map(|adjacent| (adjacent.name.to_owned(), adjacent.patient))
    }

    #[test]
    fn names_before_a_date_of_birth() {
        for (before, name) in [
            ("Re: Mr. Arthur Penn, ", "Arthur Penn"),
            ("RE: Arthur PENN ", "Arthur PENN"),
            ("Betreff: Roe, Erika, ", "Roe, Erika"),
            ("la Sig.ra Erika van den Berg, ", "Erika van den Berg"),
            ("Herrn Dr. Otto Roe, ", "Otto Roe"),
            ("Pour Madame ROE Colette, ", "ROE Colette"),
            ("Roe, Jane (", "Roe, Jane"),
        ] {
            assert_eq!(found(before), Some((name.to_owned(), false)), "{before}");
        }
        let patient = Some(("Roe, Erika".to_owned(), true));
        assert_eq!(found("Entlassung der Patientin Roe, Erika, "), patient);
        assert_eq!(found("wir berichten über Frau Roe, Erika, "), patient);
        assert_eq!(found("Je vous adresse Madame Roe, Erika, "), patient);
    }

    #[test]
    fn a_sex_between_a_name_and_a_date_of_birth() {
        let jane = Some(("Roe, Jane".to_owned(), false));
        for before in ["1. Roe, Jane  ", "12) Roe, Jane\t", "- Roe, Jane  ", "Roe, Jane  "] {
            assert_eq!(found(before), jane, "{before}");
        }
        assert_eq!(found("Progress Note  "), None);
        for before in
            ["Roe, Jane | F | ", "Roe, Jane (F) ", "Roe, Jane (F, 56 y), ", "Roe, Jane; female; "]
        {
            assert_eq!(found(before), jane, "{before}");
        }
        for text in ["(M)", "F", "54 y", "M, 54y", "weiblich"] {
            assert!(is_sex_or_age(text), "{text}");
        }
        for text in ["", "()", "Roe", "12345", "Ward 3", "MRN"] {
            assert!(!is_sex_or_age(text), "{text}");
        }
    }

    #[test]
    fn a_birth_date_beside_sex_and_age() {
        for (text, date) in [
            ("Female, 73 y.o., 01/31/1953", Some("01/31/1953")),
            ("M | 56 yrs | 1970-01-31", Some("1970-01-31")),
            ("56 year(s) (31.Jan.1970)", Some("31.Jan.1970")),
            ("01/31/1953", None),
            ("Ward 3, 01/31/1953", None),
            ("56 years", None),
            ("3 of 17, 01/31/1953", None),
        ] {
            assert_eq!(birth_beside_age(text), date, "{text}");
        }
    }

    #[test]
    fn names_in_the_line_above() {
        let found = |line| above(line, &RULES).map(|adjacent| adjacent.name.to_owned());
        for (line, name) in [
            ("ROE, JANE", "ROE, JANE"),
            ("Re: Roe-Penn, Jane", "Roe-Penn, Jane"),
            ("Mrs Jane Roe", "Jane Roe"),
            ("Patient Jane Roe", "Jane Roe"),
        ] {
            assert_eq!(found(line), Some(name.to_owned()), "{line}");
        }
        for line in
            ["Jane Roe", "Laboratory Report", "Dr Jane Roe", "Berlin, 03.03.2026", "Roe", ""]
        {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn other_words_before_it() {
        for before in [
            "",
            "Laboratory Report  ",
            "Laboratory report, ",
            "Seen by Dr. Greg House, ",
            "The author, Jane Roe, ",
            "Name, Sex, ",
            "the patient has a ",
            "Patient ",
            "Room 7, ",
        ] {
            assert_eq!(found(before), None, "{before}");
        }
    }
}
