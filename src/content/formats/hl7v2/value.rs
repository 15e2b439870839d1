//! Delimiters, escape sequences and data types (HL7 v2 chapters 2.5, 2.7 and 2A).

use super::charset::Charset;
use crate::rules::{Hl7Type, Kind};
use crate::syntax::hl7v2::is_delimiter;
use smallvec::{Array, SmallVec};
use std::borrow::Cow;

/// Repetitions of a field that are read.
pub const MAX_REPETITIONS: usize = 64;
/// Components of a repetition that are read.
const MAX_COMPONENTS: usize = 24;
/// Longest declarations of a header that are remembered, bytes.
const MAX_HEADER: usize = 256;
/// Longest escape sequence between two escape characters, bytes.
const MAX_ESCAPE: usize = 256;

/// The delimiters, from MSH-1 and MSH-2. All of them are ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Delimiters {
    /// `|`
    pub field: char,
    /// `^`
    pub component: char,
    /// `~`
    pub repetition: char,
    /// `\`
    pub escape: char,
    /// `&`
    pub subcomponent: char,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self { field: '|', component: '^', repetition: '~', escape: '\\', subcomponent: '&' }
    }
}

impl Delimiters {
    /// From MSH-1 and MSH-2. A character that is missing, cannot be a delimiter, or is used twice, is
    /// replaced by the recommended one; if even that is taken, the delimiter does not occur.
    pub fn declared(field: u8, encoding: &[u8]) -> Self {
        let mut taken = vec![field];
        let mut next = |at: usize, recommended: u8| {
            let usable = |b: &u8| is_delimiter(*b) && !taken.contains(b);
            let byte =
                encoding.get(at).copied().filter(usable).or(Some(recommended).filter(usable));
            taken.extend(byte);
            // NUL never occurs in text: values have no control characters.
            byte.map_or('\0', char::from)
        };
        Self {
            field: char::from(field),
            component: next(0, b'^'),
            repetition: next(1, b'~'),
            escape: next(2, b'\\'),
            subcomponent: next(3, b'&'),
        }
    }

    /// The escape character as a byte.
    pub const fn escape_byte(&self) -> u8 {
        self.escape as u8
    }
}

/// Splits bytes that are not decoded yet.
pub fn raw_pieces(bytes: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        match position(bytes, delimiter) {
            Some(at) => {
                rest = bytes.get(at + 1..);
                bytes.get(..at)
            }
            None => rest.take(),
        }
    })
}

/// Splits at an ASCII character.
pub fn pieces(text: &str, delimiter: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match position(text.as_bytes(), delimiter as u8) {
            Some(at) => {
                rest = text.get(at + 1..);
                text.get(..at)
            }
            None => rest.take(),
        }
    })
}

/// The pieces of a segment, at most `most`, in one pass.
pub fn split<'s, A: Array<Item = &'s str>>(
    text: &'s str,
    delimiter: char,
    most: usize,
) -> SmallVec<A> {
    let mut out = SmallVec::new();
    let mut start = 0;
    let (words, rest) = text.as_bytes().as_chunks::<WORD>();
    for (n, word) in words.iter().enumerate() {
        let mut found = equal(u64::from_le_bytes(*word), delimiter as u8);
        while found != 0 {
            let at = n * WORD + found.trailing_zeros() as usize / 8;
            if out.len() >= most {
                return out;
            }
            out.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
            found &= found - 1;
        }
    }
    let behind = words.len() * WORD;
    for (n, _) in rest.iter().enumerate().filter(|(_, b)| **b == delimiter as u8) {
        if out.len() >= most {
            return out;
        }
        out.push(text.get(start..behind + n).unwrap_or_default());
        start = behind + n + 1;
    }
    if out.len() < most {
        out.push(text.get(start..).unwrap_or_default());
    }
    out
}

/// Bytes that are tested at once. Fields are short: that beats both a plain loop and the call of a search.
const WORD: usize = 8;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte of `word` that equals `byte`.
#[inline]
const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * byte as u64);
    !(((differs & !HIGH) + !HIGH) | differs | !HIGH)
}

/// Where `byte` first is.
#[inline]
fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<WORD>();
    for (n, word) in words.iter().enumerate() {
        let found = equal(u64::from_le_bytes(*word), byte);
        if found != 0 {
            return Some(n * WORD + found.trailing_zeros() as usize / 8);
        }
    }
    Some(words.len() * WORD + rest.iter().position(|b| *b == byte)?)
}

/// The parameters for reading values.
#[derive(Clone, Copy, Hash, Debug)]
pub struct Syntax {
    /// The message's delimiters.
    pub delimiters: Delimiters,
    /// Its character set, for `\X..\`.
    pub charset: Charset,
}

/// The last header's declarations: senders repeat them in every message.
#[derive(Debug, Default)]
pub struct LastSyntax {
    /// MSH-1, and the fields of [`LastSyntax::declared`], each with its length.
    header: Vec<u8>,
    syntax: Option<Syntax>,
}

impl LastSyntax {
    /// The declarations of a header with this field separator in MSH-2, MSH-17 and MSH-18.
    pub fn declared(&mut self, field: u8, fields: [&[u8]; 3]) -> Syntax {
        let mut header: SmallVec<[u8; 64]> = SmallVec::new();
        header.push(field);
        for field in fields {
            header.extend_from_slice(&field.len().to_le_bytes());
            header.extend_from_slice(field);
        }
        if let Some(known) = self.syntax.filter(|_| *self.header == *header) {
            return known;
        }
        let [encoding, country, declared] = fields;
        // The declarations themselves are ASCII; text before them may not be.
        let ascii = |field| std::str::from_utf8(field).unwrap_or("");
        let delimiters = Delimiters::declared(field, encoding);
        let sets = ascii(declared).split(delimiters.repetition);
        let charset = Charset::declared(sets).or_of_country(ascii(country));
        let syntax = Syntax { delimiters, charset };
        self.syntax = Some(syntax);
        self.header.clear();
        if header.len() <= MAX_HEADER {
            self.header.extend_from_slice(&header);
        }
        syntax
    }
}

/// A value read from a field.
pub struct Value<'a> {
    /// The kind of identifier.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
    /// Assigning authority.
    pub issuer: &'a str,
    /// Its universal id, if it has one beside its name.
    pub authority: &'a str,
    /// Identifier type code (CX-5), or empty.
    pub code: &'a str,
}

impl Syntax {
    /// Reads one repetition of a field and passes on its values.
    pub fn read(&self, datatype: Hl7Type, kind: Kind, raw: &str, each: &mut dyn FnMut(Value<'_>)) {
        let parts = self.components(raw);
        let part = |n: usize| parts.get(n - 1).copied().unwrap_or("");
        let mut value = |kind, text: &str| {
            if !text.trim().is_empty() {
                each(Value { kind, text, issuer: "", authority: "", code: "" });
            }
        };
        match datatype {
            Hl7Type::CX => self.identifier(kind, part(1), part(4), part(5), each),
            Hl7Type::DLN => self.identifier(kind, part(1), part(2), "", each),
            Hl7Type::XCN if kind != Kind::Name => {
                self.identifier(kind, part(1), part(9), part(13), each);
            }
            Hl7Type::XCN => {
                let behind = pieces(raw, self.delimiters.component).next().map_or(0, str::len) + 1;
                let raw = raw.get(behind..).unwrap_or("");
                value(kind, &self.name(raw, parts.get(1..).unwrap_or(&[])));
            }
            // Table 0200: S is a pseudonym.
            Hl7Type::XPN if part(7) == "S" => {}
            Hl7Type::XPN => value(kind, &self.name(raw, &parts)),
            Hl7Type::XAD => value(kind, &self.address(raw, &parts)),
            Hl7Type::XTN => self.telecom(kind, &parts, &mut value),
            Hl7Type::TS => {
                // Some senders write a date as people do (`04/15/1955`, `Jun 18, 1977`).
                let text = self.first(part(1));
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                // A year is the least that a date has; zeros mean unknown.
                if digits >= 4 && !text.starts_with("0000") {
                    value(kind, &text);
                }
            }
            // XON-3, XON-6 and XON-7: the number of a person in the form of an organisation's.
            Hl7Type::XON if kind.is_strong_id() && part(1).is_empty() => {
                self.identifier(kind, part(3), part(6), part(7), each);
            }
            Hl7Type::ST | Hl7Type::XON => value(kind, &self.first(part(1))),
        }
    }

    /// The components of a repetition, unchanged; nulls (`""`) are empty.
    fn components<'r>(&self, raw: &'r str) -> SmallVec<[&'r str; MAX_COMPONENTS]> {
        let mut parts = split(raw, self.delimiters.component, MAX_COMPONENTS);
        for part in &mut parts {
            if *part == "\"\"" {
                *part = "";
            }
        }
        parts
    }

    /// The first subcomponent with content, with its escapes resolved.
    fn first<'r>(&self, component: &'r str) -> Cow<'r, str> {
        if self.is_plain(component) {
            let text = if component == "\"\"" { "" } else { component.trim_ascii() };
            return Cow::Borrowed(text);
        }
        let raw = pieces(component, self.delimiters.subcomponent)
            .find(|s| !s.trim().is_empty() && *s != "\"\"")
            .unwrap_or("");
        trimmed(self.unescape(raw))
    }

    /// Whether a component is printable ASCII without subcomponents and escapes, as nearly all are.
    fn is_plain(&self, component: &str) -> bool {
        let Delimiters { subcomponent, escape, .. } = self.delimiters;
        let (subcomponent, escape) = (subcomponent as u8, escape as u8);
        let (words, rest) = component.as_bytes().as_chunks::<WORD>();
        let plain = |word: &[u8; WORD]| {
            let word = u64::from_le_bytes(*word);
            // Below a blank the subtraction borrows; beyond ASCII the bit is set already.
            let outside = word.wrapping_sub(ONES * 0x20) | word | equal(word, 0x7F);
            (outside & HIGH) | equal(word, subcomponent) | equal(word, escape) == 0
        };
        words.iter().all(plain)
            && rest.iter().all(|b| (b' '..0x7F).contains(b) && *b != subcomponent && *b != escape)
    }

    fn identifier(
        &self,
        kind: Kind,
        id: &str,
        authority: &str,
        code: &str,
        each: &mut dyn FnMut(Value<'_>),
    ) {
        let (id, issuer, code) = (self.first(id), self.first(authority), self.first(code));
        if !id.is_empty() {
            let authority = self.universal(authority);
            each(Value { kind, text: &id, issuer: &issuer, authority: &authority, code: &code });
        }
    }

    /// Whether a repetition has the form of an id: CX with an assigning authority, and neither a name nor a degree,
    /// which an id of staff has.
    pub fn is_issued(&self, raw: &str) -> bool {
        let parts = self.components(raw);
        let part = |n: usize| parts.get(n - 1).map_or("", |p| p.trim());
        part(2).len() <= 2 && part(3).len() <= 4 && !part(4).is_empty()
    }

    /// Whether a name adds nothing to another of the same field (table 0200): it shows the family name alone once more,
    /// with a form of address (D), or gives only the family name before marriage (M).
    pub fn is_shown_again(&self, raw: &str, field: &str) -> bool {
        let parts = self.components(raw);
        let part = |parts: &[&str], n: usize| {
            parts.get(n - 1).map_or(String::new(), |part| self.first(part).into_owned())
        };
        let maiden = part(&parts, 7) == "M";
        if !(maiden || part(&parts, 7) == "D")
            || !part(&parts, 2).is_empty()
            || !part(&parts, 3).is_empty()
        {
            return false;
        }
        let family = part(&parts, 1);
        pieces(field, self.delimiters.repetition).take(MAX_REPETITIONS).any(|other| {
            let other = self.components(other);
            let same = maiden || family.is_empty() || part(&other, 1) == family;
            !part(&other, 2).is_empty() && same
        })
    }

    /// HD-2 of an assigning authority, if HD-3 (table 0301) or its form shows that it is universal.
    fn universal<'r>(&self, authority: &'r str) -> Cow<'r, str> {
        let mut parts = pieces(authority, self.delimiters.subcomponent).skip(1);
        let id = trimmed(self.unescape(parts.next().unwrap_or("")));
        let oid = id.starts_with(['0', '1', '2'])
            && id.contains('.')
            && id.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match parts.next().unwrap_or("").trim() {
            "ISO" | "UUID" | "GUID" | "DNS" | "URI" => id,
            _ if oid => id,
            _ => Cow::Borrowed(""),
        }
    }

    /// XPN: `Family^Given^Further^Suffix^Prefix`. FN holds the surname first and its parts behind.
    fn name<'r>(&self, raw: &'r str, parts: &[&'r str]) -> Cow<'r, str> {
        let shown: SmallVec<[_; 5]> = parts.iter().take(5).map(|p| self.first(p)).collect();
        joined(raw, &shown)
    }

    /// XAD: street, other designation, city, state, postal code. Country or state alone point to
    /// no one. Where the street is missing, XAD-8 (other geographic designation) may hold it, or
    /// the whole address, as JAHIS writes it.
    fn address<'r>(&self, raw: &'r str, parts: &[&'r str]) -> Cow<'r, str> {
        let mut shown: SmallVec<[_; 5]> = parts.iter().take(5).map(|p| self.first(p)).collect();
        if let Some(other) = parts.get(7).map(|p| self.first(p))
            && let [street, designation, city, ..] = shown.as_mut_slice()
            && street.is_empty()
            && designation.is_empty()
            && (city.is_empty() || other.contains(char::is_numeric))
        {
            *street = other;
        }
        let is_informative = shown.iter().enumerate().any(|(i, p)| i != 3 && !p.is_empty());
        if is_informative { joined(raw, &shown) } else { Cow::Borrowed("") }
    }

    /// XTN: the number in the first component, or the twelfth, or in parts in 5 to 7; an e-mail address in
    /// the fourth, or in the first. Only the patient's own are classified further.
    fn telecom(&self, kind: Kind, parts: &[&str], value: &mut dyn FnMut(Kind, &str)) {
        let text = |n: usize| self.first(parts.get(n - 1).copied().unwrap_or(""));
        let own = kind == Kind::Phone;
        let (whole, usage, equipment, mail) = (text(1), text(2), text(3), text(4));
        for candidate in [&mail, &whole] {
            if candidate.contains('@') {
                if own {
                    value(Kind::Email, candidate);
                }
                break;
            }
        }
        let is_number = |t: &str| t.bytes().any(|b| b.is_ascii_digit()) && !t.contains('@');
        let internet = usage == "NET" || equipment.eq_ignore_ascii_case("internet");
        let kind = if own && equipment == "FX" { Kind::Fax } else { kind };
        let unformatted = text(12);
        if is_number(&whole) && !internet {
            value(kind, &whole);
        } else if is_number(&unformatted) {
            value(kind, &unformatted);
        } else if is_number(&text(7)) {
            let parts = [text(5), text(6), text(7)];
            let spoken: SmallVec<[&str; 3]> =
                parts.iter().map(|p| &**p).filter(|p| !p.is_empty()).collect();
            value(kind, &spoken.join(" "));
        }
    }

    /// A value without escape sequences and control characters.
    fn unescape<'r>(&self, raw: &'r str) -> Cow<'r, str> {
        if self.is_plain(raw) {
            return Cow::Borrowed(raw);
        }
        let text = self.undo(raw);
        if text.contains(char::is_control) {
            return Cow::Owned(
                text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            );
        }
        text
    }

    /// Resolves escape sequences; other text stays as it is.
    pub fn undo<'r>(&self, raw: &'r str) -> Cow<'r, str> {
        let escape = self.delimiters.escape;
        if !raw.contains(escape) {
            return Cow::Borrowed(raw);
        }
        let mut out = String::with_capacity(raw.len());
        // Consecutive hexadecimal escapes may form one character.
        let mut bytes = Vec::new();
        let mut rest = raw;
        while let Some(at) = rest.find(escape) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            let after = after.get(1..).unwrap_or("");
            if !before.is_empty() {
                self.flush(&mut bytes, &mut out);
                out.push_str(before);
            }
            let end = after.bytes().take(MAX_ESCAPE).position(|b| b == escape as u8);
            let sequence = end.and_then(|e| after.get(..e));
            match sequence.and_then(|s| self.meaning(s)) {
                Some(meaning) => {
                    match meaning {
                        Meaning::Bytes(hex) => bytes.extend(hex),
                        Meaning::Char(c) => {
                            self.flush(&mut bytes, &mut out);
                            out.push(c);
                        }
                        Meaning::Nothing => {}
                    }
                    let len = sequence.map_or(0, str::len) + 1;
                    rest = after.get(len..).unwrap_or("");
                }
                None => {
                    self.flush(&mut bytes, &mut out);
                    out.push(escape);
                    rest = after;
                }
            }
        }
        self.flush(&mut bytes, &mut out);
        out.push_str(rest);
        Cow::Owned(out)
    }

    fn flush(&self, bytes: &mut Vec<u8>, out: &mut String) {
        if !bytes.is_empty() {
            out.push_str(&self.charset.decode(bytes, 0));
            bytes.clear();
        }
    }

    fn meaning(&self, sequence: &str) -> Option<Meaning> {
        let d = &self.delimiters;
        Some(match sequence {
            "F" => Meaning::Char(d.field),
            "S" => Meaning::Char(d.component),
            "T" => Meaning::Char(d.subcomponent),
            "R" => Meaning::Char(d.repetition),
            "E" => Meaning::Char(d.escape),
            "P" => Meaning::Char('#'),
            // Highlighting.
            "H" | "N" => Meaning::Nothing,
            _ => match sequence.split_at_checked(1)? {
                ("X", hex) => Meaning::Bytes(hex_bytes(hex)?),
                (".", command) => {
                    let known = ["br", "sp", "fi", "nf", "in", "ti", "sk", "ce"];
                    known.iter().any(|k| command.starts_with(k)).then_some(Meaning::Char('\n'))?
                }
                ("C" | "M", hex) => hex_bytes(hex).map(|_| Meaning::Nothing)?,
                ("Z", local) => {
                    local.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(Meaning::Nothing)?
                }
                _ => return None,
            },
        })
    }
}

/// The meaning of an escape sequence.
enum Meaning {
    Char(char),
    Bytes(Vec<u8>),
    Nothing,
}

fn hex_bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.is_empty() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect()
}

/// Components separated by `^`, whatever the message's own separator, without empty ones at the end. Mostly that is
/// how `raw` begins, and nothing is copied.
fn joined<'r>(raw: &'r str, parts: &[Cow<'r, str>]) -> Cow<'r, str> {
    let used = parts.iter().rposition(|p| !p.is_empty()).map_or(0, |at| at + 1);
    let parts = parts.get(..used).unwrap_or(&[]);
    let len = parts.iter().map(|part| part.len() + 1).sum::<usize>().saturating_sub(1);
    let front = raw.get(..len).unwrap_or("");
    if !front.is_empty() && pieces(front, '^').eq(parts.iter().map(|part| &**part)) {
        return Cow::Borrowed(front);
    }
    Cow::Owned(parts.join("^"))
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(t) => Cow::Borrowed(t.trim()),
        Cow::Owned(t) if t.trim().len() == t.len() => Cow::Owned(t),
        Cow::Owned(t) => Cow::Owned(t.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of all lengths up to a few words, with delimiters, blanks and other bytes at all places.
    fn texts() -> impl Iterator<Item = String> {
        let marks =
            ["|", "^", "&", "\\", "\"", " ", "a", "\t", "\u{7f}", "\u{80}", "é", "日", "\0"];
        (0..40_usize).flat_map(move |len| {
            (0..60_usize).map(move |seed| {
                let at = |n: usize| (n * n * 31 + n * (seed + 7) + seed * 13) % marks.len();
                (0..len).map(|n| if (n + seed) % 5 < 3 { "x" } else { marks[at(n)] }).collect()
            })
        })
    }

    #[test]
    fn segments_are_split_as_a_plain_loop_would() {
        for text in texts() {
            for delimiter in ['|', '^', '\0', 'x'] {
                let expected: Vec<&str> = text.split(delimiter).collect();
                assert!(pieces(&text, delimiter).eq(expected.iter().copied()), "{text:?}");
                let raw = raw_pieces(text.as_bytes(), delimiter as u8);
                assert!(raw.eq(expected.iter().map(|piece| piece.as_bytes())), "{text:?}");
                for most in [1, 3, 100] {
                    let split: SmallVec<[&str; 4]> = split(&text, delimiter, most);
                    assert_eq!(*split, expected[..most.min(expected.len())], "{text:?}");
                }
            }
        }
    }

    #[test]
    fn components_without_escapes_are_known_by_their_bytes() {
        let syntax = Syntax { delimiters: Delimiters::default(), charset: Charset::default() };
        let plain = |c: char| (' '..='~').contains(&c) && !matches!(c, '&' | '\\');
        for text in texts() {
            assert_eq!(syntax.is_plain(&text), text.chars().all(plain), "{text:?}");
        }
        assert!(syntax.is_plain(" plain text of some length~!"));
        assert_eq!(syntax.first("  Roe  "), "Roe");
        assert_eq!(syntax.first("\"\""), "");
        assert_eq!(syntax.first("\"\"&Roe"), "Roe");
    }
}
