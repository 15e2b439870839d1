//! Elements in the Basic Encoding Rules as LDAP restricts them (RFC 4511 5.1): definite lengths, one byte of
//! tag.

/// Sequences and sets.
pub const SEQUENCE: u8 = 0x30;
/// Values of an attribute.
pub const SET: u8 = 0x31;
/// Message ids and versions.
pub const INTEGER: u8 = 0x02;
/// Names and values.
pub const OCTET_STRING: u8 = 0x04;
/// Result codes and scopes.
pub const ENUMERATED: u8 = 0x0A;

/// Tag and length of an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The tag with its class.
    pub tag: u8,
    /// Bytes of tag and length.
    pub size: usize,
    /// Bytes of the value.
    pub length: usize,
}

/// The header at the front of `data`. Inner `None` if more bytes are needed, outer `None` if it is malformed.
pub fn header(data: &[u8]) -> Option<Option<Header>> {
    let [tag, first, rest @ ..] = data else { return Some(None) };
    if tag & 0x1F == 0x1F {
        return None;
    }
    if *first < 0x80 {
        return Some(Some(Header { tag: *tag, size: 2, length: usize::from(*first) }));
    }
    let count = usize::from(first & 0x7F);
    if !(1..=4).contains(&count) {
        return None;
    }
    let Some(bytes) = rest.get(..count) else { return Some(None) };
    let length = bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    Some(Some(Header { tag: *tag, size: 2 + count, length }))
}

/// Takes the first element off `data`: its tag and its value.
pub fn element<'a>(data: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let header = header(data)??;
    let value = data.get(header.size..header.size.checked_add(header.length)?)?;
    *data = data.get(header.size + header.length..)?;
    Some((header.tag, value))
}

/// Takes the first element off `data` if it has this tag.
pub fn expect<'a>(data: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let mut rest = *data;
    let (found, value) = element(&mut rest)?;
    (found == tag).then(|| {
        *data = rest;
        value
    })
}
