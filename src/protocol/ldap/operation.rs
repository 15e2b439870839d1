//! Operations (RFC 4511 4.2 to 4.12) as JSON.

use super::super::{Speaker, json};
use super::ber::{self, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET};
use zeroize::Zeroizing;

/// Levels of nested filters that are followed.
const MAX_DEPTH: usize = 16;
/// Longest name of an entry that is read, bytes; of a longer one the beginning.
const MAX_NAME: usize = 4096;
/// Attributes in the name of an entry that are read: each is looked for among those of the entry.
const MAX_COMPONENTS: usize = 8;
/// Longest message id, bytes.
const MAX_ID: usize = 4;
/// `[0]` requestName of StartTLS (RFC 4511 4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Operation of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// BindRequest.
    Bind,
    /// SearchRequest.
    Search,
    /// SearchResultEntry.
    Entry,
    /// SearchResultDone.
    Done,
    /// AddRequest.
    Add,
    /// ModifyRequest.
    Modify,
    /// CompareRequest.
    Compare,
    /// ExtendedRequest for TLS.
    StartTls,
    /// Any other of the standard.
    Other,
}

impl Operation {
    /// Which end sends it.
    pub const fn speaker(self) -> Speaker {
        match self {
            Self::Entry | Self::Done => Speaker::Server,
            Self::Other => Speaker::Any,
            _ => Speaker::Client,
        }
    }

    /// As in `phi.operation`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Search | Self::Entry | Self::Done => "search",
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Compare => "compare",
            Self::Bind => "bind",
            Self::StartTls | Self::Other => "",
        }
    }
}

/// The operation of a message without its outer sequence, and its body.
pub fn read(message: &[u8]) -> Option<(Operation, &[u8])> {
    let mut rest = message;
    let id = ber::expect(&mut rest, INTEGER)?;
    if id.is_empty() || id.len() > MAX_ID {
        return None;
    }
    let (tag, body) = ber::element(&mut rest)?;
    let operation = match tag {
        0x60 => Operation::Bind,
        0x63 => Operation::Search,
        0x64 => Operation::Entry,
        0x65 => Operation::Done,
        0x66 => Operation::Modify,
        0x68 => Operation::Add,
        0x6E => Operation::Compare,
        0x77 if memchr::memmem::find(body, START_TLS).is_some() => Operation::StartTls,
        0x42 | 0x4A | 0x50 | 0x61 | 0x67 | 0x69 | 0x6B..=0x6D | 0x6F | 0x73 | 0x77..=0x79 => {
            Operation::Other
        }
        _ => return None,
    };
    Some((operation, body))
}

/// Whether a message begins at `data`: the sequence, the id, and the tag of an operation with a matching length.
/// Inner `None` if more bytes are needed.
pub fn begins(data: &[u8]) -> Option<Option<Operation>> {
    let Some(outer) = ber::header(data)? else {
        return data.first().is_none_or(|b| *b == SEQUENCE).then_some(None);
    };
    if outer.tag != SEQUENCE || outer.length < 5 {
        return None;
    }
    let rest = data.get(outer.size..)?;
    let Some(id) = ber::header(rest)? else { return Some(None) };
    if id.tag != INTEGER || !(1..=MAX_ID).contains(&id.length) {
        return None;
    }
    let Some(body) = rest.get(id.size + id.length..) else { return Some(None) };
    let Some(inner) = ber::header(body)? else { return Some(None) };
    let head = id.size + id.length + inner.size;
    // Controls may follow the operation.
    let fits = head.checked_add(inner.length)? <= outer.length;
    let plausible = match inner.tag {
        // BindRequest: version 2 or 3.
        0x60 => match body.get(inner.size..inner.size + 3) {
            Some(version) => matches!(version, [INTEGER, 1, 2 | 3]),
            None => return Some(None),
        },
        0x63 | 0x64 | 0x66 | 0x68 | 0x6E => match body.get(inner.size) {
            Some(tag) => *tag == OCTET_STRING,
            None => return Some(None),
        },
        // Results: a code of one byte.
        0x61 | 0x65 | 0x78 => match body.get(inner.size..inner.size + 2) {
            Some(code) => code == [ENUMERATED, 1] || inner.tag == 0x78,
            None => return Some(None),
        },
        0x77 => match body.get(inner.size) {
            Some(tag) => *tag == 0x80,
            None => return Some(None),
        },
        _ => false,
    };
    if !fits || !plausible {
        return None;
    }
    let tag = [INTEGER, 1, 0, inner.tag, 0];
    Some(match inner.tag {
        0x77 => Some(Operation::Other),
        _ => read(&tag).map(|(operation, _)| operation),
    })
}

/// Name and, if it is simple, password of a bind.
pub fn bind(body: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut rest = body;
    ber::expect(&mut rest, INTEGER)?;
    let name = ber::expect(&mut rest, OCTET_STRING)?;
    let (tag, password) = ber::element(&mut rest)?;
    Some((name, (tag == 0x80).then_some(password)))
}

/// An entry, or one to be added: its name and attributes.
pub fn entry(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body;
    let dn = ber::expect(&mut rest, OCTET_STRING)?;
    let mut attributes = ber::expect(&mut rest, SEQUENCE)?;
    let unit = unit(dn);
    begin(unit, out);
    named(dn, attributes, out);
    while !attributes.is_empty() {
        let attribute = ber::expect(&mut attributes, SEQUENCE)?;
        self::attribute(attribute, out)?;
    }
    end(unit, out);
    Some(())
}

/// The attributes in the name of an entry (RFC 4514 2.3), `cn` of `cn=Ng\, Ana+uid=17,ou=...`, but those that are among
/// its `attributes` as well: a client may ask for some only.
fn named(dn: &[u8], attributes: &[u8], out: &mut Vec<u8>) {
    let mut rest = dn.get(..MAX_NAME).unwrap_or(dn);
    for _ in 0..MAX_COMPONENTS {
        let Some(equals) = memchr::memchr(b'=', rest) else { return };
        let (name, value) = rest.split_at(equals);
        let name = name.trim_ascii();
        let (value, next) = value_of(value.get(1..).unwrap_or_default());
        // Components of domains and units name no one.
        let place = [&b"dc"[..], b"ou", b"o", b"c", b"l", b"st"];
        let place = place.iter().any(|place| name.eq_ignore_ascii_case(place));
        let printable = name.iter().all(|b| b.is_ascii_alphanumeric() || b"-.;".contains(b));
        let valued = std::str::from_utf8(&value).is_ok_and(|v| !v.trim().is_empty());
        if !place && printable && valued && !has_attribute(attributes, name) {
            json::name(full_name(name), out);
            json::string(&value, out);
        }
        match next {
            [b'+', next @ ..] => rest = next,
            _ => return,
        }
    }
}

/// The value at the beginning of a name, without its escapes, and what is behind it.
fn value_of(text: &[u8]) -> (Zeroizing<Vec<u8>>, &[u8]) {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let mut value = Zeroizing::new(Vec::new());
    let mut rest = text;
    loop {
        rest = match rest {
            [] | [b',' | b'+' | b';', ..] => return (value, rest),
            [b'\\', tail @ ..] => match (digit(tail.first()), digit(tail.get(1))) {
                (Some(high), Some(low)) => {
                    value.push((high << 4 | low) as u8);
                    tail.get(2..).unwrap_or_default()
                }
                _ => {
                    value.extend(tail.first());
                    tail.get(1..).unwrap_or_default()
                }
            },
            [byte, tail @ ..] => {
                value.push(*byte);
                tail
            }
        };
    }
}

/// Whether the `attributes` of an entry have this one.
fn has_attribute(mut attributes: &[u8], name: &[u8]) -> bool {
    while let Some(mut attribute) = ber::expect(&mut attributes, SEQUENCE) {
        let description = ber::expect(&mut attribute, OCTET_STRING).unwrap_or_default();
        let own = description.split(|b| *b == b';').next().unwrap_or_default();
        if own.eq_ignore_ascii_case(name) {
            return true;
        }
    }
    false
}

/// The new values of a change.
pub fn modify(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body;
    let dn = ber::expect(&mut rest, OCTET_STRING)?;
    let mut changes = ber::expect(&mut rest, SEQUENCE)?;
    let unit = unit(dn);
    begin(unit, out);
    named(dn, &[], out);
    while !changes.is_empty() {
        let mut change = ber::expect(&mut changes, SEQUENCE)?;
        ber::expect(&mut change, ENUMERATED)?;
        attribute(ber::expect(&mut change, SEQUENCE)?, out)?;
    }
    end(unit, out);
    Some(())
}

/// The values in a filter.
pub fn search(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body;
    let base = ber::expect(&mut rest, OCTET_STRING)?;
    // Scope, aliases, limits of size and time, types only.
    for _ in 0..5 {
        ber::element(&mut rest)?;
    }
    let unit = unit(base);
    begin(unit, out);
    let before = out.len();
    let (tag, filter) = ber::element(&mut rest)?;
    filtered(tag, filter, 0, out)?;
    if out.len() == before {
        out.clear();
        return Some(());
    }
    end(unit, out);
    Some(())
}

/// The value that an entry is compared with.
pub fn compare(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body;
    let dn = ber::expect(&mut rest, OCTET_STRING)?;
    let assertion = ber::expect(&mut rest, SEQUENCE)?;
    let unit = unit(dn);
    begin(unit, out);
    filtered(0xA3, assertion, 0, out)?;
    end(unit, out);
    Some(())
}

/// A filter (RFC 4511 4.5.1.7): the attributes that must equal or contain a value.
fn filtered(tag: u8, mut body: &[u8], depth: usize, out: &mut Vec<u8>) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match tag {
        // and, or, not
        0xA0..=0xA2 => {
            while !body.is_empty() {
                let (tag, inner) = ber::element(&mut body)?;
                filtered(tag, inner, depth + 1, out)?;
            }
        }
        // equalityMatch, approxMatch
        0xA3 | 0xA8 => {
            let name = ber::expect(&mut body, OCTET_STRING)?;
            let value = ber::expect(&mut body, OCTET_STRING)?;
            if !name.eq_ignore_ascii_case(b"objectClass") {
                json::name(full_name(name), out);
                json::string(value.get(..json::MAX_VALUE).unwrap_or(value), out);
            }
        }
        // substrings: the longest of the parts
        0xA4 => {
            let name = ber::expect(&mut body, OCTET_STRING)?;
            let mut parts = ber::expect(&mut body, SEQUENCE)?;
            let mut longest: &[u8] = &[];
            while !parts.is_empty() {
                let (_, part) = ber::element(&mut parts)?;
                longest = if part.len() > longest.len() { part } else { longest };
            }
            json::name(full_name(name), out);
            json::string(longest.get(..json::MAX_VALUE).unwrap_or(longest), out);
        }
        _ => {}
    }
    Some(())
}

/// A type with its values.
fn attribute(mut attribute: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let description = ber::expect(&mut attribute, OCTET_STRING)?;
    let name = full_name(description);
    let mut values = ber::expect(&mut attribute, SET)?;
    let Some(first) = (!values.is_empty()).then(|| text(&mut values)).flatten() else {
        return Some(());
    };
    json::name(name, out);
    if values.is_empty() {
        json::string(first, out);
        return Some(());
    }
    out.push(b'[');
    json::string(first, out);
    while !values.is_empty() {
        let value = text(&mut values)?;
        json::comma(out);
        json::string(value, out);
    }
    out.push(b']');
    Some(())
}

/// Short names of attributes (RFC 4519), and their names in other formats.
const SHORT: [(&[u8], &[u8]); 3] = [(b"cn", b"full_name"), (b"sn", b"surname"), (b"l", b"city")];

/// The name of an attribute without its options (`;lang-de`, `;binary`), in full.
fn full_name(description: &[u8]) -> &[u8] {
    let name = description.split(|b| *b == b';').next().unwrap_or_default();
    let short = SHORT.iter().find(|(short, _)| name.eq_ignore_ascii_case(short));
    short.map_or(name, |(_, full)| full)
}

/// The next value of a set; empty for photos, certificates and other binary values.
fn text<'a>(values: &mut &'a [u8]) -> Option<&'a [u8]> {
    let value = ber::expect(values, OCTET_STRING)?;
    let readable = value.len() <= json::MAX_VALUE && std::str::from_utf8(value).is_ok();
    Some(if readable { value } else { &[] })
}

/// The organizational unit of the entry (`uid=17,ou=Patients,dc=...`). It describes the entry as the name of a table
/// does its rows.
fn unit(dn: &[u8]) -> Option<&[u8]> {
    dn.split(|b| *b == b',').find_map(|rdn| {
        let rdn = rdn.trim_ascii();
        rdn.get(..3).filter(|name| name.eq_ignore_ascii_case(b"ou="))?;
        rdn.get(3..).filter(|value| !value.is_empty())
    })
}

fn begin(unit: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(unit) = unit {
        json::name(unit, out);
        out.push(b'{');
    }
}

fn end(unit: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(if unit.is_some() { b"}}" } else { b"}" });
}
