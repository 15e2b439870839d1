//! Segments of X12 and EDIFACT that a log shows one by one, and records of patients without the header of their message.

use crate::content::Format;
use crate::content::formats::{edifact, x12};
use crate::syntax;
use memchr::memmem;

/// How segments are written.
pub(super) struct Dialect {
    pub format: &'static dyn Format,
    element: u8,
    pub terminator: &'static [u8],
    /// Segments that name a patient or an insured person, up to who it is.
    people: &'static [&'static [u8]],
    /// What opens a message for segments without one.
    opening: &'static [u8],
}

/// Entities of NM1 (element 98 of X12).
pub(super) const X12: Dialect = Dialect {
    format: &x12::Interchange,
    element: b'*',
    terminator: b"~",
    people: &[b"NM1*IL*", b"NM1*QC*", b"NM1*74*"],
    opening: b"ST*270*0001~",
};

/// Party qualifiers of PNA and NAD (element 3035 of EDIFACT).
pub(super) const EDIFACT: Dialect = Dialect {
    format: &edifact::Interchange,
    element: b'+',
    terminator: b"'",
    people: &[b"PNA+PAT+", b"NAD+PAT+", b"NAD+PNT+"],
    opening: b"UNH+1+MEDRPT:0:1:RT'",
};
/// The segments with which a message of EDIFACT and its interchange begin.
const HEADINGS: [&[u8]; 2] = [b"UNB+UNO", b"UNH+"];
/// What opens a message for records without a header.
pub(super) const HEADER: &[u8] = b"H|\\^&\r";
/// Longest name of a segment, bytes.
const NAME: usize = 3;
/// Separators of a line that are looked at: a time zone has one, too (`+01:00`).
const MAX_SIGNS: usize = 4;
/// Digits of a date.
const DATE: usize = 8;

/// The segments in a line that names a person, or with which a message of EDIFACT begins, and what opens their message.
pub(super) fn begins(line: &[u8]) -> Option<(&'static Dialect, &'static [u8], &[u8])> {
    if memmem::find(line, b"NM1*").is_some() {
        return X12.person(line);
    }
    let heading = signs(b'+', line).find_map(|sign| {
        let at = sign.checked_sub(NAME)?;
        let text = line.get(at..)?;
        let named = HEADINGS.iter().any(|name| text.starts_with(name));
        (named && syntax::edifact::begins(text).is_yes()).then_some(at)
    });
    if let Some(at) = heading {
        return Some((&EDIFACT, b"", EDIFACT.segments(line, at)?));
    }
    EDIFACT.person(line)
}

/// The offsets of the first separators.
fn signs(sign: u8, line: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(sign, line).take(MAX_SIGNS)
}

impl Dialect {
    fn person<'l>(
        &'static self,
        line: &'l [u8],
    ) -> Option<(&'static Self, &'static [u8], &'l [u8])> {
        let at = self.people.iter().find_map(|person| memmem::find(line, person))?;
        Some((self, self.opening, self.segments(line, at)?))
    }

    /// The segments in a further line.
    pub(super) fn goes_on<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        signs(self.element, line).find_map(|at| {
            let front = line.get(..at)?;
            let name = front.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
            let name = front.get(at.checked_sub(name)?..)?;
            let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            let fits = (2..=NAME).contains(&name.len())
                && name.iter().all(upper)
                && name[0].is_ascii_uppercase();
            self.segments(line, at - name.len()).filter(|_| fits)
        })
    }

    /// The segments from this offset on, without what ends a string there.
    fn segments<'l>(&self, line: &'l [u8], at: usize) -> Option<&'l [u8]> {
        let before = at.checked_sub(1).and_then(|at| line.get(at));
        if before.is_some_and(|b| b.is_ascii_alphanumeric() || *b == self.element) {
            return None;
        }
        let mut text = line.get(at..)?.trim_ascii_end();
        while let [rest @ .., b'"' | b'\'' | b'`' | b',' | b';' | b']' | b')' | b'~'] = text {
            text = rest.trim_ascii_end();
        }
        Some(text)
    }
}

/// Whether a line is a record of a patient with a name of several parts and a birth date: `P|1||77||Roe^Eva||19700131|F`.
pub(super) fn is_patient(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"P|1|") else { return false };
    // From the third field on: identifiers, the name in P.6, the birth date in P.8.
    let mut fields = rest.split(|b| *b == b'|').skip(3);
    let (name, date) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
    name.contains(&b'^') && date.len() >= DATE && date.iter().take(DATE).all(u8::is_ascii_digit)
}

/// Whether a text is one segment of EDIFACT: nothing is behind its terminator.
pub(super) fn is_single(text: &[u8]) -> bool {
    let end = memchr::memchr(b'\'', text).map_or(text.len(), |at| at + 1);
    text.get(end..).unwrap_or_default().trim_ascii().is_empty()
}
