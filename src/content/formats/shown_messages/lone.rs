//! Segments of X12 that a log shows one by one, and records of patients without the header of their message.

use memchr::memmem;

/// Entities of NM1 that are patients or insured persons (element 98 of X12).
const PEOPLE: [&[u8]; 3] = [b"NM1*IL*", b"NM1*QC*", b"NM1*74*"];
/// What opens a transaction set for segments without one.
pub(super) const TRANSACTION: &[u8] = b"ST*270*0001~";
/// What opens a message for records without a header.
pub(super) const HEADER: &[u8] = b"H|\\^&\r";
/// Digits of a date.
const DATE: usize = 8;

/// The segments of X12 in a line that names a person or begins a transaction set.
pub(super) fn begins(line: &[u8]) -> Option<&[u8]> {
    memmem::find(line, b"NM1*")?;
    let at = PEOPLE.iter().find_map(|person| memmem::find(line, person))?;
    from(line, at)
}

/// The segments of X12 in a further line.
pub(super) fn goes_on(line: &[u8]) -> Option<&[u8]> {
    let at = memchr::memchr(b'*', line)?;
    let name = line.get(..at)?.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
    let name = line.get(at.checked_sub(name)?..at)?;
    let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let fits =
        (2..=3).contains(&name.len()) && name.iter().all(upper) && name[0].is_ascii_uppercase();
    from(line, at - name.len()).filter(|_| fits)
}

/// The segments from this offset on, without what ends a string there.
fn from(line: &[u8], at: usize) -> Option<&[u8]> {
    let before = at.checked_sub(1).and_then(|at| line.get(at));
    if before.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'*') {
        return None;
    }
    let mut text = line.get(at..)?.trim_ascii_end();
    while let [rest @ .., b'"' | b'\'' | b'`' | b',' | b']' | b')' | b'~'] = text {
        text = rest.trim_ascii_end();
    }
    Some(text)
}

/// Whether a line is a record of a patient with a name of several parts and a birth date: `P|1||77||Roe^Eva||19700131|F`.
pub(super) fn is_patient(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"P|1|") else { return false };
    // From the third field on: identifiers, the name in P.6, the birth date in P.8.
    let mut fields = rest.split(|b| *b == b'|').skip(3);
    let (name, date) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
    name.contains(&b'^') && date.len() >= DATE && date.iter().take(DATE).all(u8::is_ascii_digit)
}
