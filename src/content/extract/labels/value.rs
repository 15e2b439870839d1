//! Ends of values behind labels, and what can be a value.

use super::super::record;
use super::born::{self, written_date};
use super::{Meaning, is_padding, mention};
use crate::rules::{Key, Kind, NamePart, RuleSet};

/// Most words of a label without a colon (`Date of birth`).
const MAX_INLINE_WORDS: usize = 3;

/// Fewest digits of a number beside a name.
const MIN_NUMBER: usize = 5;

/// Most words of a name with its titles.
const MAX_NAME_WORDS: usize = 6;

/// Most words of a label that no rule knows.
const MAX_LABEL_WORDS: usize = 5;

/// Most words of a number or date (`943 476 5919`, `1 May 1970 (55 years)`).
const MAX_ID_WORDS: usize = 5;

/// Longest particle of a name, characters.
const MAX_PARTICLE: usize = 3;

/// Most groups of a number of a register (`2 95 10 99 126 111 93`).
const MAX_GROUPS: usize = 8;

/// Shortest word that only sentences write in lower case, bytes, and how many of them make a sentence.
const MIN_PROSE: usize = 4;
const MAX_SMALL_WORDS: usize = 4;

/// Confidence of a label from which on it names persons only, and from which on it names persons at all.
const MIN_SURE: f32 = 0.6;
const MIN_ORDINARY: f32 = 0.5;

/// Most words of any other value (`(827) 555 01 22 ext 5`).
const MAX_VALUE_WORDS: usize = 8;

/// The value of a label with this meaning at the front of `text`, and the text behind it.
pub fn end<'a>(meaning: &Meaning, text: &'a str, rules: &RuleSet) -> (&'a str, &'a str) {
    let text = text.trim_matches(is_padding);
    // More than one blank separates columns.
    let value = text.split("  ").next().unwrap_or("").split('\t').next().unwrap_or("");
    let value = value.get(..bracket(value)).unwrap_or(value);
    let value = value.get(..assignment(value)).unwrap_or(value);
    let value = value.get(..separator(meaning.rule.kind, value, rules)).unwrap_or(value);
    let value = match value.split_once(' ') {
        // The label of the next value, which no rule knows: `H0931558 Ordering: Dr. Li`.
        Some((id, rest))
            if meaning.rule.kind == Kind::PatientId
                && (is_labelled(id, rest) || is_followed(id, rest)) =>
        {
            id
        }
        _ => value,
    };
    let at = inline(value, rules).map_or(value.len(), |found| found.label);
    let value = value.get(..at).unwrap_or(value);
    let value = match meaning.rule.kind {
        Kind::Name | Kind::BirthDate => {
            let before = value.get(..unknown_label(value)).unwrap_or(value);
            // `Patient: Roe, Jane: discharged` has no label.
            let whole = meaning.rule.kind == Kind::Name && meaning.part == NamePart::Whole;
            let enough = !whole || !before.is_ascii() || before.contains(' ');
            if enough { before } else { value }
        }
        _ => value,
    };
    let rest = text.get(value.len()..).unwrap_or("");
    (value.trim_matches(is_padding), rest)
}

/// Whether a number is complete and other words follow it, as in messages to pagers: `MRN: 45209538 K+ 6.1 critical`.
fn is_followed(id: &str, rest: &str) -> bool {
    let digits = id.bytes().filter(u8::is_ascii_digit).count();
    digits >= MIN_NUMBER
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && rest.starts_with(char::is_uppercase)
        && rest.split_whitespace().nth(1).is_some()
}

/// Where a label that no rule knows begins in a value, as in lines whose columns are one blank apart: `Jane Roe Age: 33`,
/// `Ana Ruiz Fecha de ingreso: 02/01/2026`.
fn unknown_label(value: &str) -> usize {
    // Behind it comes a word that another one belongs to: `Room No:`.
    const SECOND: &[&str] =
        &["no", "no.", "nr", "nr.", "id", "by", "date", "name", "type", "number"];
    let bytes = value.as_bytes();
    let colon = |at: &usize| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        before.is_some_and(|b| !b.is_ascii_digit() && !b.is_ascii_whitespace())
    };
    let narrow = memchr::memchr_iter(b':', bytes).find(colon);
    let wide = (!value.is_ascii()).then(|| value.find('：')).flatten();
    let Some(end) = narrow.into_iter().chain(wide).min() else { return value.len() };
    let mut rest = value.get(..end).unwrap_or("");
    let mut last = true;
    for _ in 0..MAX_LABEL_WORDS {
        let at = rest.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = rest.get(at..).unwrap_or("").to_lowercase();
        // `3 May 1961MRN: 77`: what is drawn beside a date is no label.
        if word.contains(|c: char| c.is_numeric()) {
            return value.len();
        }
        let front = rest.get(..at).unwrap_or("").trim_end();
        // A small word ties it to the one before: `Date of service`.
        let small =
            rest.get(at..).is_some_and(|w| w.starts_with(char::is_lowercase)) && word.len() <= 3;
        let more = (last && SECOND.contains(&&*word)) || small;
        last = false;
        rest = front;
        let next = front.rsplit(char::is_whitespace).next().unwrap_or("");
        let tied = next.len() <= 3 && next.starts_with(char::is_lowercase);
        if !(more || tied) {
            break;
        }
    }
    rest.len()
}

/// Where an assignment to another name ends a value: `1970-01-31 result=OK`.
fn assignment(text: &str) -> usize {
    let assigned = || {
        let name = text.get(..text.find('=')?)?;
        let at = name.rfind(char::is_whitespace)?;
        let word = name.get(at..)?.trim_start();
        let named =
            word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        (named && word.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(at)
    };
    assigned().unwrap_or(text.len())
}

/// Position of the first unmatched bracket.
fn bracket(text: &str) -> usize {
    let mut open: [Option<usize>; 3] = [None; 3];
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => open[0] = open[0].or(Some(at)),
            b'[' => open[1] = open[1].or(Some(at)),
            b'{' => open[2] = open[2].or(Some(at)),
            b')' if open[0].take().is_none() => return at,
            b']' if open[1].take().is_none() => return at,
            b'}' if open[2].take().is_none() => return at,
            _ => {}
        }
    }
    open.into_iter().flatten().min().unwrap_or(text.len())
}

/// Where a separator ends a value of this kind. Names and addresses contain commas, which end them only before a
/// label, or before a word that is part of no name.
fn separator(kind: Kind, text: &str, rules: &RuleSet) -> usize {
    let address = matches!(kind, Kind::Address);
    for (at, c) in text.char_indices().filter(|(_, c)| matches!(c, ',' | ';' | '|' | '،' | '、'))
    {
        let rest = text.get(at + c.len_utf8()..).unwrap_or("").trim_start();
        let digit = rest.starts_with(|c: char| c.is_ascii_digit());
        // `Jane Roe, female, aged 69`; particles are short (`Berg, van den`).
        let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
        let prose = word.starts_with(char::is_lowercase) && word.chars().count() > MAX_PARTICLE;
        let ends = match kind {
            _ if c != ',' => !address || c == '|',
            Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => {
                digit || prose || rest.starts_with(['*', '∗']) || begins_with_label(rest, rules)
            }
            Kind::BirthDate | Kind::DeathDate => !digit,
            _ if address => begins_with_label(rest, rules),
            _ => true,
        };
        if ends {
            return at;
        }
    }
    text.len()
}

/// Whether a text begins with a label and a number (`phone (613) 555-0114`).
fn begins_with_label(text: &str, rules: &RuleSet) -> bool {
    let mut at = 0;
    // `nar. 21.04.1965`, `cpr. 010170-1234`: an abbreviation and a number are no part of a name.
    if let Some((first, next)) = text.split_once(' ')
        && first.ends_with('.')
        && first.starts_with(char::is_lowercase)
        && next.trim_start().starts_with(|c: char| c.is_ascii_digit())
    {
        return true;
    }
    for word in text.split_inclusive(char::is_whitespace).take(MAX_INLINE_WORDS) {
        at += word.len();
        let next = text.get(at..).unwrap_or("").trim_start_matches(['(', '+']);
        let name = text.get(..at).unwrap_or("");
        if next.starts_with(|c: char| c.is_ascii_digit()) && rules.keys.get(name).is_some() {
            return true;
        }
    }
    false
}

/// A value behind a label without a colon.
pub struct Inline {
    /// Where the label starts.
    pub label: usize,
    /// Where the value is.
    pub value: std::ops::Range<usize>,
    /// Its meaning.
    pub meaning: Meaning,
}

/// The first number or date in `text` with a label of one to three words right before it.
pub fn inline(text: &str, rules: &RuleSet) -> Option<Inline> {
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
        let previous = before.first().copied().filter(|at| {
            let bracket = text.get(*at..).is_some_and(|word| word.starts_with('('));
            known == 1 || (known > 1 && bracket)
        });
        let born = born::starred(text, start, end, rules)
            .or_else(|| born::abbreviated(text, previous?, start..end, rules))
            .or_else(|| born::signed(text, start..end, rules))
            .or_else(|| born::placed(text, start..end, rules));
        if born.is_some() {
            return born;
        }
        let digits = word.contains(|c: char| c.is_ascii_digit());
        let date = text.get(start..).filter(|_| known > 0).and_then(written_date);
        if known > 0 && (digits || date.is_some()) {
            // The longest label counts.
            for &label in before.get(..known).unwrap_or_default().iter().rev() {
                let name = text.get(label..start).unwrap_or("");
                // A dash between a name and a label.
                if !rules.keys.may_know(name) || name.starts_with(['-', '–', '—', '|', '·', '•'])
                {
                    continue;
                }
                let name = name.trim_matches(is_padding);
                if let Some(key) = rules.keys.get(name) {
                    // A number may be written in groups.
                    let rest = text.get(end..).unwrap_or("");
                    let group = |w: &&str| {
                        !w.trim().is_empty() && w.trim().bytes().all(|b| b.is_ascii_digit())
                    };
                    let ended = word.trim_end().ends_with(is_padding);
                    let groups = rest.split_inclusive(char::is_whitespace).take_while(group);
                    let more = if ended { 0 } else { groups.map(str::len).sum() };
                    let long = date.filter(|_| key.rule.kind == Kind::BirthDate);
                    if !digits && long.is_none() {
                        continue;
                    }
                    let value = text.get(start..end + more).unwrap_or("").trim_end();
                    if let Some(len) = long {
                        let (value, meaning) = (start..start + len, Meaning::from(key));
                        return Some(Inline { label, value, meaning });
                    }
                    let value = value.trim_end_matches(|c| is_padding(c) || matches!(c, '.' | ')'));
                    // `Patient ID (0010,0020)` is about a field.
                    if value.contains(['(', ',', ':']) {
                        break;
                    }
                    let valid = || rules.identifiers.verify(name, value).is_some_and(|v| v.valid);
                    // `Hospital 2026`: a year is no number of a person.
                    if (!is_plain(key) && !valid())
                        || (key.rule.kind.is_strong_id() && is_year(value))
                    {
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

/// Whether a number is written like a recent year.
fn is_year(value: &str) -> bool {
    value.len() == 4
        && value.bytes().all(|b| b.is_ascii_digit())
        && (value.starts_with("19") || value.starts_with("20"))
}

/// Whether a label is known well enough to need no colon, and its value is a number or date. (`nin` and `rut` are
/// also words of other languages.)
fn is_plain(key: &Key) -> bool {
    let id = matches!(
        key.rule.kind,
        Kind::PatientId | Kind::EncounterId | Kind::AccessionNumber | Kind::Ssn
    );
    id || key.rule.kind == Kind::BirthDate
}

/// Whether the text behind a label can be its value: prose has colons too.
pub fn can_be(meaning: &Meaning, value: &str) -> bool {
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
                && (!value.starts_with(char::is_lowercase) || has_particle(value))
                && !value.contains([
                    '?', '!', '<', '>', '{', '}', '[', ']', '=', '@', '\\', '_', '©', '®', '→',
                ])
                && (!value.contains('/') || halves(value).is_some())
                // Manuals quote behind `name`, and write function calls behind `first`.
                && (meaning.rule.confidence >= MIN_SURE || !value.starts_with(['‘', '“', '„']))
                && (meaning.rule.confidence >= MIN_ORDINARY || !value.contains('('))
        }
        Kind::Address => !value.contains(['_', '"', '[', ']']) && !is_sentence(value),
        Kind::Sex | Kind::Email => words <= 2,
        Kind::NationalId | Kind::InsuranceNumber => {
            words <= MAX_GROUPS && value.contains(char::is_numeric) && !is_prose(value)
        }
        Kind::PatientId | Kind::Ssn => {
            words <= MAX_ID_WORDS
                && value.contains(char::is_numeric)
                && !is_prose(value)
                && !is_version(value)
        }
        Kind::Phone => words <= MAX_VALUE_WORDS && !value.contains('"'),
        Kind::BirthDate | Kind::DeathDate => {
            words <= MAX_ID_WORDS && value.contains(char::is_numeric)
        }
        _ => words <= MAX_VALUE_WORDS,
    }
}

/// Whether the lower-case words in front of a name are its particles: `von Quast`, `de la Cruz`.
fn has_particle(value: &str) -> bool {
    let mut words = value.split_whitespace();
    let name = words.find(|word| !mention::is_particle(word));
    // `d'Este`, `al-Hakim`.
    let joined = |word: &str| word.contains(['\'', '’', '-']) && word.contains(char::is_uppercase);
    name.is_some_and(|word| word.starts_with(char::is_uppercase) || joined(word))
}

/// Whether a number is part of a sentence: `int32 expected` is a message.
fn is_prose(value: &str) -> bool {
    let word = |w: &str| w.len() > 2 && w.bytes().all(|b| b.is_ascii_lowercase());
    value.split_whitespace().any(word)
}

/// Whether a number is a version (`IPP 1.1`).
fn is_version(value: &str) -> bool {
    const LONGEST: usize = 2;
    let mut parts = value.split('.');
    let number = |part: &str| {
        (1..=LONGEST).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    parts.clone().count() > 1 && parts.all(number)
}

/// Whether the text behind the label of an address is a sentence: many lower-case words, or a sentence follows.
fn is_sentence(value: &str) -> bool {
    let small = |w: &&str| w.len() >= MIN_PROSE && w.bytes().all(|b| b.is_ascii_lowercase());
    let words = value.split_whitespace().filter(small).count();
    let begins = value.starts_with(|c: char| c.is_ascii_lowercase());
    let number = value.contains(|c: char| c.is_ascii_digit());
    words >= MAX_SMALL_WORDS || (words >= 2 && begins && !number)
}

/// Whether a text is an object identifier (ITU-T X.660): `2.16.840.1.113883.19.5`.
fn is_oid(text: &str) -> bool {
    text.matches('.').count() >= 3 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether a value is a piece of program text, which has colons too.
fn is_code(value: &str) -> bool {
    value.contains(['{', '}', '<', '>', ';', '=', '%', '\\', '`'])
        || value.as_bytes().windows(2).any(|pair| matches!(pair, b"0x" | b"::" | b"()" | b"/*"))
}

/// Family and given name separated by a slash, as forms of some countries ask for them.
fn halves(value: &str) -> Option<(&str, &str)> {
    let (family, given) = value.split_once('/')?;
    let (family, given) = (family.trim(), given.trim());
    let word = |text: &str| {
        text.chars().filter(|c| c.is_alphabetic()).count() >= 2
            && text.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.'))
    };
    (word(family) && word(given)).then_some((family, given))
}

/// The same as separate meanings.
pub fn parts<'a>(meaning: &Meaning, value: &'a str) -> Option<[(Meaning, &'a str); 2]> {
    let whole = meaning.rule.kind == Kind::Name && meaning.part == NamePart::Whole;
    let (family, given) = halves(value).filter(|_| whole)?;
    let part = |part| Meaning { part, ..meaning.clone() };
    Some([(part(NamePart::Family), family), (part(NamePart::Given), given)])
}

/// The number in brackets behind the name of a patient, and the name: `Jane Roe (00209940)`. A year or an age is shorter.
pub fn numbered<'a>(meaning: &Meaning, value: &'a str) -> Option<(&'a str, &'a str)> {
    let whole = meaning.rule.kind == Kind::Name && meaning.part == NamePart::Whole;
    let behind = || value.trim_end().ends_with(')');
    let (number, name) =
        record::numbered(value).filter(|_| whole && meaning.patient && behind())?;
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (digits >= MIN_NUMBER).then_some((number, name))
}

/// A name without the word that Japanese and Korean put behind it: `山田 花子 様`.
fn without_honorific(name: &str) -> &str {
    const HONORIFICS: [&str; 5] = ["様", "殿", "さま", "さん", "님"];
    if name.is_ascii() {
        return name;
    }
    let bare = HONORIFICS.iter().find_map(|word| name.strip_suffix(word)).map(str::trim_end);
    bare.filter(|bare| bare.chars().count() >= 2).unwrap_or(name)
}

/// Whether a text is one number: a few letters at most, and digits.
pub fn is_number(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= MIN_NUMBER
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'.'))
}

/// Whether a number is followed by a label of one or two words with capitals.
fn is_labelled(id: &str, rest: &str) -> bool {
    let label = rest.split_once(':').map_or("", |(label, _)| label);
    let mut words = label.split_whitespace();
    let capital =
        |word: &str| word.starts_with(char::is_uppercase) && !word.contains(char::is_numeric);
    is_number(id)
        && words.next().is_some_and(capital)
        && words.next().is_none_or(capital)
        && words.next().is_none()
}

/// A value without additions of forms and authors: the dot of Hungarian dates, or brackets after a name (`Jane Roe
/// (55 y)`).
pub fn bare<'a>(meaning: &Meaning, value: &'a str) -> &'a str {
    let value = value.trim_matches(is_padding);
    let quoted = value.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\''));
    let value = quoted.unwrap_or(value);
    // Chats show values as code.
    let value = value.trim_matches('`').trim_matches(is_padding);
    (match meaning.rule.kind {
        Kind::Name => without_honorific(match value.split_once('(') {
            Some((name, inside))
                if !inside.contains(char::is_lowercase)
                    || inside.contains(|c: char| c.is_ascii_digit()) =>
            {
                name.trim_matches(is_padding)
            }
            _ => value,
        }),
        Kind::BirthDate | Kind::DeathDate => value.trim_end_matches('.'),
        Kind::PatientId => match value.split_once(' ') {
            // CDA style sheets print the root of an id behind it.
            Some((id, root)) if is_oid(root.trim()) => id,
            _ => value,
        },
        _ => value,
    }) as _
}
