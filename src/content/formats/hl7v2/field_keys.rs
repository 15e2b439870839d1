//! Names of fields in running text: `PID-5`, `/PATIENT/PID-5(0)-1` (Terser of HAPI), `PID:PatientName.FamilyName` and
//! `PID:5(1).2` (paths of InterSystems), several in a line: `PID.3=77 PID.5=Roe^Eva`.

use super::joined;
use super::json_fields::{Place, field, place, segment};
use super::names::{self, Names};
use smallvec::SmallVec;

/// A field that a line gives: the segment, the place of the field, its value.
pub(super) type Line<'l> = ([u8; 3], Place, &'l str);

/// Fields of a line.
const MAX_FIELDS: usize = 64;
/// Highest number of a field or a part.
const MAX_NUMBER: u16 = 255;

/// A name of a field in a text.
struct Key {
    segment: [u8; 3],
    place: Place,
    /// Where the word begins that has the name, and where the name ends.
    from: usize,
    end: usize,
}

/// Signs between the name of a segment and a field.
fn is_sign(b: u8) -> bool {
    matches!(b, b'-' | b'_' | b'.' | b':')
}

/// The field with its name at this offset.
fn key_at(text: &str, at: usize) -> Option<Key> {
    let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
    if before.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return None;
    }
    let rest = text.get(at..)?;
    let name = segment(rest.get(..3)?).filter(|name| joined::is_known(*name))?;
    let sign = rest.as_bytes().get(3).copied().filter(|b| is_sign(*b))?;
    let path = rest.get(4..)?;
    let part = |c: char| c.is_ascii_alphanumeric() || "-._[]()".contains(c);
    let path = path.split(|c| !part(c)).next()?.trim_end_matches(['.', '-', '(', '[']);
    let whole = || numbered(path, sign).or_else(|| named(path).filter(|_| &name == b"PID"));
    // `PID-5(Patient Name)=...`
    let cut = || path.split_once('(').and_then(|(front, _)| Some((front, numbered(front, sign)?)));
    let (path, place) = whole().map(|place| (path, place)).or_else(cut)?;
    let before = text.get(..at)?;
    // `msg['PID']['PID.5']`: the name begins with the first bracket, or the variable in front of it.
    let indexed = before.ends_with("['") || before.ends_with("[\"");
    let signs = if indexed { "=,;|{" } else { "=,;|\"'{[" };
    let word = before.rfind(|c: char| c.is_whitespace() || signs.contains(c));
    let from = word.map_or(0, |at| at + 1);
    Some(Key { segment: name, place, from, end: at + 4 + path.len() })
}

/// The place of `5.1`, `5-1`, `5(0)-1` and `5(1).1`. Terser counts repetitions from zero.
fn numbered(path: &str, sign: u8) -> Option<Place> {
    let Some((front, rest)) = path.split_once('(') else { return place(path) };
    let (repetition, rest) = rest.split_once(')')?;
    let mut found = place(&[front, rest].concat())?;
    let repetition: u16 = repetition.parse().ok()?;
    found[1] = repetition.checked_add(u16::from(sign == b'-'))?;
    (1..=MAX_NUMBER).contains(&found[1]).then_some(found)
}

/// The place of `PatientName.FamilyName` and `PatientIdentifierList(1).IDNumber`.
fn named(path: &str) -> Option<Place> {
    let mut parts = path.split('.');
    let first = parts.next()?;
    // InterSystems counts repetitions from one, nHapi from zero.
    let (name, repetition) = match first.split_once(['(', '[']) {
        Some((name, number)) => {
            let base = u16::from(number.ends_with(']'));
            let number: u16 = number.strip_suffix([')', ']'])?.parse().ok()?;
            (name, number.checked_add(base)?)
        }
        None => (first, 1),
    };
    let number = names::field(name, Names::All)?;
    let mut found: Place = [number, repetition, 1, 1];
    for (depth, part) in parts.enumerate().take(2) {
        let part = part.split(['(', '[']).next()?;
        let number = part.parse().ok().or_else(|| names::part(number, depth + 1, part))?;
        *found.get_mut(depth + 2)? = number;
    }
    found.iter().all(|number| (1..=MAX_NUMBER).contains(number)).then_some(found)
}

/// The text behind the sign between a name and its value.
fn value_of(rest: &str, segment_sign: Option<u8>) -> Option<&str> {
    // `get("/.PID-3-1") -> 77`
    let rest = rest.strip_prefix("\")").or_else(|| rest.strip_prefix("')")).unwrap_or(rest);
    let rest = rest.trim_start_matches(['"', '\'', ']', '`', '}']).trim_start_matches([' ', '\t']);
    // A title.
    let rest = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, behind)) => behind.trim_start_matches(' '),
        None => rest,
    };
    if segment_sign == Some(b':') {
        return rest.strip_prefix('=');
    }
    const SIGNS: [&str; 5] = ["->", "=>", ":=", ":", "="];
    SIGNS.iter().find_map(|sign| rest.strip_prefix(sign))
}

/// The value at the front of a text that ends with the line or before the next name.
fn bare(text: &str) -> &str {
    let text = text.trim();
    if let Some(quote @ ('"' | '\'' | '`')) = text.chars().next()
        && let Some(end) = text.get(1..).and_then(|rest| rest.find(quote))
    {
        return text.get(1..=end).unwrap_or("").trim();
    }
    // `... user=bob`
    let mut at = 0;
    let other = text.split(' ').find_map(|word| {
        let from = at;
        at += word.len() + 1;
        let name = word.split_once('=')?.0;
        let fits =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || is_sign(b));
        (fits && from > 0).then(|| from - 1)
    });
    let text = other.and_then(|end| text.get(..end)).unwrap_or(text);
    // `PID-8=M in 14 ms`: letters of a code, and a remark.
    let text = match text.split_once(" in ") {
        Some((code, rest)) if code.len() <= 2 && rest.starts_with(|c: char| c.is_ascii_digit()) => {
            code
        }
        _ => text,
    };
    text.trim_end_matches([' ', ',', ';', '|', '}', ']', '"', '\'']).trim_start_matches(['[', ' '])
}

/// The fields that a line names, wherever they are in it.
pub(super) fn assignments(line: &str) -> SmallVec<[Line<'_>; 4]> {
    let bytes = line.as_bytes();
    let mut keys: SmallVec<[(Key, usize); 8]> = SmallVec::new();
    let mut at = 0;
    while keys.len() < MAX_FIELDS && at + 4 < bytes.len() {
        let sign = bytes.get(at + 3).is_some_and(|b| is_sign(*b));
        let found = sign.then(|| key_at(line, at)).flatten().and_then(|key| {
            let sign = bytes.get(at + 3).copied();
            let value = value_of(line.get(key.end..)?, sign)?;
            Some((key, line.len() - value.len()))
        });
        match found {
            Some((key, value)) => {
                at = value;
                keys.push((key, value));
            }
            None => at += 1,
        }
    }
    let ends = keys.iter().skip(1).map(|(key, _)| key.from).chain([line.len()]);
    let of = |((key, value), end): (&(Key, usize), usize)| {
        Some((key.segment, key.place, bare(line.get(*value..end.max(*value))?)))
    };
    keys.iter().zip(ends).filter_map(of).collect()
}

/// The field that a text names, and nothing else.
pub(super) fn whole(text: &str) -> Option<([u8; 3], Place)> {
    let text = text.trim();
    let key = || key_at(text, 0).filter(|key| key.end == text.len());
    field(text).or_else(|| key().map(|key| (key.segment, key.place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &str) -> Vec<String> {
        let text = |(name, place, value): &Line<'_>| {
            let name = String::from_utf8_lossy(name);
            format!("{name} {}.{}.{} {value}", place[0], place[1], place[2])
        };
        assignments(line).iter().map(text).collect()
    }

    #[test]
    fn several_fields_of_a_line() {
        for (line, expected) in [
            ("12:01 PID.3=77 PID.5=Roe^Eva user=x", "PID 3.1.1 77, PID 5.1.1 Roe^Eva"),
            ("get /PATIENT/PID-5(0)-1 -> Roe", "PID 5.1.1 Roe"),
            ("/PID-3-1=77 /PATIENT/PID-5-2=Eva", "PID 3.1.1 77, PID 5.1.2 Eva"),
            ("PID:PatientName.GivenName = \"Eva\"", "PID 5.1.2 Eva"),
            ("PIDgrp(1).PID:3(1).1 = 77", "PID 3.1.1 77"),
            ("{\"PID-3\": \"77\", \"PV1-7\": \"9^Doe\"}", "PID 3.1.1 77, PV1 7.1.1 9^Doe"),
            ("PID-5 (Patient Name): Roe^Eva", "PID 5.1.1 Roe^Eva"),
            ("terser.get(\"/.PID-3-1\") -> 77", "PID 3.1.1 77"),
            (
                "msg['PID']['PID.3']['PID.3.1']=77, msg['PID']['PID.5']['PID.5.1']=Roe, x=1",
                "PID 3.1.1 77, PID 5.1.1 Roe",
            ),
            ("{PID:PatientName(1).FamilyName} = Roe", "PID 5.1.1 Roe"),
            (
                "PID.PatientName[0].FamilyName.Surname=Roe PID.PatientName[1].GivenName=Eva",
                "PID 5.1.1 Roe, PID 5.2.2 Eva",
            ),
            ("read PID-7=19700131 PID-8=M in 14 ms", "PID 7.1.1 19700131, PID 8.1.1 M"),
        ] {
            assert_eq!(all(line).join(", "), expected, "{line}");
        }
        for line in
            ["PID: 1234", "PID:12: started", "APID-3=7", "see PID-5 for the name", "PID-", ""]
        {
            assert_eq!(all(line), [""; 0], "{line}");
        }
    }
}
