//! Dates of birth that no label with a colon precedes: `Roe, Erika (*03.05.1948)`, `nata a Bari il 28/05/1949`.

use super::BIRTH_DATE;
use super::Meaning;
use super::value::Inline;
use crate::rules::{RuleSet, WordMeaning};

/// Most words between the word for `born` and the date (`a San Giovanni Rotondo (FG) il`).
const MAX_PLACE: usize = 7;

/// A date behind a word for `born` and the place: `nata a Bari il 28/05/1949`, `né à Aix-en-Provence le 7 août 1961`.
pub fn placed(text: &str, word: std::ops::Range<usize>, rules: &RuleSet) -> Option<Inline> {
    let bare = text.get(word.clone())?.trim().trim_start_matches('(').trim_end_matches(['.', ',']);
    // `Roe, Erika, * 03.05.1948`; a star in front of a line marks a list item.
    let star =
        bare == "*" && text.get(..word.start).is_some_and(|text| text.trim_end().ends_with(','));
    if !(star || rules.words.means(bare, WordMeaning::Born)) {
        return None;
    }
    let mut at = word.end;
    for next in text.get(word.end..)?.split_inclusive(char::is_whitespace).take(MAX_PLACE) {
        let start = at;
        at += next.len();
        let bare = next.trim_end().trim_end_matches([')', ',', ';', '.']);
        let long = || written_date(text.get(start..)?);
        let len = if is_full_date(bare) { Some(bare.len()) } else { long() };
        if let Some(len) = len {
            let meaning = Meaning::from(rules.keys.get(BIRTH_DATE)?);
            return Some(Inline { label: word.start, value: start..start + len, meaning });
        }
        if next.contains([':', ';', '|', '=']) || next.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
    }
    None
}

/// A date behind the sign for a birth, as genealogists and German letters write it: `Roe, Erika (*03.05.1948)`. A
/// star at the front of a line or separated from the date marks a list item.
pub fn starred(text: &str, start: usize, end: usize, rules: &RuleSet) -> Option<Inline> {
    let word = text.get(start..end)?;
    let bare = word.trim_end().trim_start_matches('(');
    let date = bare.strip_prefix(['*', '∗'])?;
    let date = date.trim_end_matches([')', ',', ';', '.']);
    if !is_full_date(date) || (start == 0 && !word.starts_with('(')) {
        return None;
    }
    let at = start + word.trim_end().len() - bare.len() + bare.find(date)?;
    let meaning = Meaning::from(rules.keys.get(BIRTH_DATE)?);
    Some(Inline { label: start, value: at..at + date.len(), meaning })
}

/// A date behind a letter that begins a clause and is short for `born`: `Roe, Erika, s. 03.05.1948` (`syntynyt`,
/// `född`, `født`, `nato`).
pub fn abbreviated(
    text: &str,
    label: usize,
    date: std::ops::Range<usize>,
    rules: &RuleSet,
) -> Option<Inline> {
    let letter = text.get(label..date.start)?.trim().trim_start_matches('(');
    let word = text.get(date.clone())?.trim_end();
    let bare = word.trim_end_matches([')', ',', ';', '.']);
    if !matches!(letter, "s." | "f." | "n.") || !is_full_date(bare) {
        return None;
    }
    let meaning = Meaning::from(rules.keys.get(BIRTH_DATE)?);
    Some(Inline { label, value: date.start..date.start + bare.len(), meaning })
}

/// A date in front of a sign for the year of birth: `19.02.1974 г.р.`
pub fn signed(text: &str, date: std::ops::Range<usize>, rules: &RuleSet) -> Option<Inline> {
    const SIGNS: &[&str] = &["г.р", "г. р", "г.рожд", "года рожд", "р.н", "р. н", "г.р."];
    let word = text.get(date.clone())?.trim_end();
    let bare = word.trim_end_matches([')', ',', ';', '.']);
    let behind = text.get(date.end..)?.trim_start();
    if !is_full_date(bare) || !SIGNS.iter().any(|sign| behind.starts_with(sign)) {
        return None;
    }
    let meaning = Meaning::from(rules.keys.get(BIRTH_DATE)?);
    Some(Inline { label: date.start, value: date.start..date.start + bare.len(), meaning })
}

/// Most words of a date with a month in letters (`4 de setembro de 1961`).
const MAX_DATE_WORDS: usize = 5;

/// Beginnings of the names of months that dates in letters have, in several languages.
const MONTHS: &[&str] = &[
    "jan", "ene", "gen", "oca", "sty", "feb", "fév", "fev", "şub", "lut", "mar", "mär", "mrt",
    "maa", "apr", "avr", "abr", "nis", "kwi", "may", "mai", "maj", "mei", "mag", "jun", "jui",
    "giu", "haz", "cze", "jul", "lug", "tem", "lip", "aug", "aoû", "aou", "ago", "ağu", "sep",
    "set", "eyl", "oct", "okt", "ott", "nov", "dec",
];

/// Further ones, of one language each.
const MORE_MONTHS: [&str; 12] =
    ["déc", "dez", "dic", "des", "ara", "eki", "kas", "out", "wrz", "paź", "lis", "gru"];

/// Length of a date with its month in letters at the front of a text: `September 4, 1961`, `7 août 2014`.
pub fn written_date(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if !first.is_alphanumeric() {
        return None;
    }
    let (mut day, mut month, mut at) = (false, false, 0);
    for word in text.split_inclusive(char::is_whitespace).take(MAX_DATE_WORDS) {
        let bare = word.trim_end().trim_end_matches([',', '.', ';', ')']);
        let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
        let behind = bare.get(digits..)?;
        let end = at + digits;
        at += word.len();
        match digits {
            0 if matches!(behind, "de" | "of" | "the" | "del") && (day || month) => {}
            0 if !month && behind.chars().all(char::is_alphabetic) => {
                let front: String = behind.to_lowercase().chars().take(3).collect();
                month = MONTHS.contains(&&*front) || MORE_MONTHS.contains(&&*front);
                if !month {
                    return None;
                }
            }
            1 | 2 if !day && matches!(behind, "" | "er" | "st" | "nd" | "rd" | "th") => day = true,
            4 if day && month && behind.is_empty() => return Some(end),
            _ => return None,
        }
    }
    None
}

/// Whether a text is a numeric date with a full year.
fn is_full_date(text: &str) -> bool {
    let numbers = || text.split(['.', '/', '-']);
    numbers().filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())).count() == 3
        && numbers().count() == 3
        && numbers().any(|n| n.len() == 4)
}
