//! EDF (Kemp 1992), EDF+ (Kemp and Olivan 2003) and BDF: a header of 256 bytes of text. EDF+ divides the patient line
//! into code, sex, birth date and name; before it, the line was free text.

use super::{Read, Values};
use crate::syntax::recording::EDF_HEADER;

pub(super) fn read(head: &[u8], values: &mut Values) -> Read {
    if head.len() < EDF_HEADER {
        return Read::Need(EDF_HEADER);
    }
    let field = |from: usize, to: usize| {
        let bytes = head.get(from..to).unwrap_or_default();
        encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.trim().to_owned()
    };
    let (patient, recording) = (field(8, 88), field(88, 168));
    let words: Vec<&str> = patient.split_ascii_whitespace().collect();
    let plus = field(192, 236);
    let plus = plus.starts_with("EDF+") || plus.starts_with("BDF+");
    match *words.as_slice() {
        [code, sex @ ("M" | "F" | "X"), birth, name, ..]
            if plus || birth == "X" || date(birth).is_some() =>
        {
            if known(code) {
                values.add("patient code", code.replace('_', " "));
            }
            if known(sex) {
                values.add("patient sex", sex.to_owned());
            }
            values.add("patient birthdate", date(birth).unwrap_or_default());
            if known(name) {
                values.add("patient name", name.replace('_', " "));
            }
        }
        _ if plus => {}
        _ => free(&words, values),
    }
    // Startdate, date, number of the examination, technician, equipment.
    if let Some(["Startdate", _, code, ..]) =
        recording.split_ascii_whitespace().collect::<Vec<_>>().first_chunk::<4>().map(|w| &w[..])
        && known(code)
    {
        values.add("administration code", code.replace('_', " "));
    }
    Read::Done
}

/// Whether it has a value: `X` means unknown or removed.
fn known(word: &str) -> bool {
    !word.bytes().all(|b| matches!(b, b'X' | b'x' | b'_' | b'-' | b'0'))
}

/// A free-text line: numbers are the code, a date is the birth date, words are the name. Only the three together
/// identify a person, as a study's `S001 run 2` looks the same.
fn free(words: &[&str], values: &mut Values) {
    let birth = words.iter().find_map(|word| date(word));
    let is_code = |w: &&&str| w.bytes().any(|b| b.is_ascii_digit()) && date(w).is_none();
    let is_name = |w: &&&str| {
        w.chars().filter(|c| c.is_alphabetic()).count() > 1
            && !w.bytes().any(|b| b.is_ascii_digit())
            && known(w)
            && !["male", "female"].iter().any(|sex| w.eq_ignore_ascii_case(sex))
    };
    let name: Vec<String> = words.iter().filter(is_name).map(|w| w.replace('_', " ")).collect();
    let (Some(birth), false) = (birth, name.is_empty()) else { return };
    if let Some(code) = words.iter().find(is_code) {
        values.add("patient code", (*code).to_owned());
    }
    let sex = words.iter().find(|w| matches!(**w, "M" | "F"));
    values.add("patient sex", sex.map_or_else(String::new, |sex| (*sex).to_owned()));
    values.add("patient birthdate", birth);
    values.add("patient name", name.join(" "));
}

/// `02-MAY-1951`, also `02.05.1951`, as `19510502`.
fn date(word: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let mut parts = word.split(['-', '.', '/']);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let day: u16 = day.parse().ok()?;
    let year: u16 = year.parse().ok().filter(|year| (1850..=2200).contains(year))?;
    let named = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month)).map(|at| at as u16 + 1);
    let month = named.or_else(|| month.parse().ok())?;
    ((1..=31).contains(&day) && (1..=12).contains(&month))
        .then(|| format!("{year:04}{month:02}{day:02}"))
}
