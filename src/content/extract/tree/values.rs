//! Values that need conversion: dates as numbers, and parallel lists.

use super::{Value, single};
use crate::content::extract::record::Meaning;
use crate::rules::{Kind, NamePart};
use zeroize::Zeroizing;

/// Records made of parallel lists.
const MAX_ROWS: usize = 1024;

/// Numbers from this on are milliseconds of the epoch, smaller ones seconds.
const MILLISECONDS: u64 = 10_000_000_000;

/// Digits of a number that is not itself a date (`19700131` is one).
const MIN_DIGITS: usize = 9;

/// Whether a value is no number of a person: that of a document in a database, or the word for a code. `names`: its own
/// and that around it.
pub fn is_internal(names: (&str, &str), meaning: Option<&Meaning>, text: &str) -> bool {
    let (name, around) = names;
    name == "_id" && is_object_id(text)
        || around == "id" && is_uuid(text)
        || is_of_code(name, meaning, text)
}

/// Whether a name of two or three letters is the code of a country or a language, and its value no number: `"hn":
/// "Honduras"`, `"phn": "Phoenician"`.
pub fn is_of_code(name: &str, meaning: Option<&Meaning>, text: &str) -> bool {
    /// What no list of codes has without most others, and people use for letters, too.
    const NUMBERS: [&str; 3] = ["id", "mrn", "pid"];
    matches!(name.len(), 2 | 3)
        && meaning.is_some_and(|meaning| meaning.rule.kind.is_strong_id())
        && !text.contains(char::is_numeric)
        && !NUMBERS.iter().any(|number| name.eq_ignore_ascii_case(number))
}

/// Whether `text` is MongoDB's identifier of a document (ObjectId), which identifies no person.
pub(super) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether `text` is a UUID, under which one system knows what another names otherwise.
pub(super) fn is_uuid(text: &str) -> bool {
    let at = |at: usize, byte: &u8| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(|(i, byte)| at(i, &byte))
}

/// A date as a number of seconds or milliseconds since 1970: `-1000000000000`, `/Date(949276800000)/`.
pub(super) fn date(kind: Kind, text: &str) -> Option<Zeroizing<String>> {
    if !matches!(kind, Kind::BirthDate | Kind::DeathDate) {
        return None;
    }
    let bare = text.strip_prefix("/Date(").and_then(|t| t.split([')', '+']).next());
    let number = bare.unwrap_or(text);
    let digits = number.strip_prefix('-').unwrap_or(number);
    let short = digits.len() < MIN_DIGITS && bare.is_none() && !number.starts_with('-');
    if short || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if bare.is_none() && is_stamp(digits) {
        return None;
    }
    let number = number.parse::<i64>().ok()?;
    let milliseconds = bare.is_some() || number.unsigned_abs() >= MILLISECONDS;
    let seconds = if milliseconds { number.div_euclid(1000) } else { number };
    let (year, month, day) =
        time::OffsetDateTime::from_unix_timestamp(seconds).ok()?.to_calendar_date();
    let plausible = (1850..=2100).contains(&year);
    plausible.then(|| Zeroizing::new(format!("{year:04}-{:02}-{day:02}", u8::from(month))))
}

/// Milliseconds of a day: a date in milliseconds is a multiple of these.
const MILLISECONDS_A_DAY: u64 = 86_400_000;

/// Whether digits are a date and a time without separators (`194905260000`), and no number of milliseconds.
fn is_stamp(digits: &str) -> bool {
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|d| d.parse::<u32>().ok());
    let within = |from: usize, to: usize, range: std::ops::RangeInclusive<u32>| {
        part(from, to).is_some_and(|number| range.contains(&number))
    };
    let midnight = || digits.parse().is_ok_and(|n: u64| n.is_multiple_of(MILLISECONDS_A_DAY));
    matches!(digits.len(), 12 | 14)
        && within(0, 4, 1850..=2100)
        && within(4, 6, 1..=12)
        && within(6, 8, 1..=31)
        && within(8, 10, 0..=23)
        && within(10, 12, 0..=59)
        && !midnight()
}

/// How many records the values of one object make: more than one if at least two names, of which a person has one
/// each, have equally many values.
pub(super) fn rows(values: &[Value]) -> usize {
    let mut count = 0;
    let mut lists = 0;
    // A person may have two family names and two given names.
    let mut others = false;
    let mut at = 0;
    while let Some(first) = values.get(at) {
        let len = run(values, at);
        let is_single = first.meaning.as_ref().is_some_and(|m| single(m) != 0);
        if len > 1 && is_single {
            if count != 0 && len != count {
                return 1;
            }
            count = len;
            lists += 1;
            others |= first.meaning.as_ref().is_some_and(|m| m.part == NamePart::Whole);
        }
        at += len;
    }
    if lists >= 2 && others { count.min(MAX_ROWS) } else { 1 }
}

/// Number of values from `at` on with the same name in the same object.
fn run(values: &[Value], at: usize) -> usize {
    let rest = values.get(at..).unwrap_or_default();
    let Some(first) = rest.first() else { return 1 };
    let whole = first.meaning.as_ref().map(|m| (m.rule.kind, m.part));
    let same = |v: &&Value| {
        v.name == first.name
            && v.tag == first.tag
            && v.meaning.as_ref().map(|m| (m.rule.kind, m.part)) == whole
    };
    rest.iter().take_while(same).count().max(1)
}

/// The values of one of `rows` records.
pub(super) fn of_row(
    values: &[Value],
    rows: usize,
    row: usize,
) -> impl Iterator<Item = (&Value, &Meaning)> {
    let mut at = 0;
    let mut end = 0;
    std::iter::from_fn(move || {
        loop {
            let value = values.get(at)?;
            if rows == 1 {
                at += 1;
            } else {
                // In a list as long as the others, only its own; of anything else, all.
                if at >= end {
                    let len = run(values, at);
                    end = at + len;
                    if len == rows {
                        let own = values.get(at + row)?;
                        at = end;
                        match &own.meaning {
                            Some(meaning) => return Some((own, meaning)),
                            None => continue,
                        }
                    }
                }
                at += 1;
            }
            if let Some(meaning) = &value.meaning {
                return Some((value, meaning));
            }
        }
    })
}
