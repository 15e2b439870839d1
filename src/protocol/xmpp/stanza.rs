//! Ends of stanzas, and start tags. XMPP has no comments, no CDATA sections and no document types (RFC 6120 11.1).

/// Most bytes before the root.
const MAX_PROLOG: usize = 256;

/// Finds the end of an element in pieces of any size.
#[derive(Default)]
pub struct Scan {
    /// Open elements.
    depth: u32,
    tag: Option<Tag>,
}

/// Inside of a tag.
#[derive(Clone, Copy)]
struct Tag {
    kind: Kind,
    /// The open quote; 0: none.
    quote: u8,
    /// The last byte.
    last: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first byte of its name is not available yet.
    Begun,
    Start,
    End,
    /// A declaration or an instruction.
    Other,
}

impl Scan {
    /// Number of bytes of `data` up to the end of the element; `None` if it is not available yet.
    pub fn end(&mut self, data: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < data.len() {
            let Some(tag) = &mut self.tag else {
                at += memchr::memchr(b'<', data.get(at..)?)? + 1;
                self.tag = Some(Tag { kind: Kind::Begun, quote: 0, last: 0 });
                continue;
            };
            let byte = *data.get(at)?;
            at += 1;
            if tag.kind == Kind::Begun {
                tag.kind = match byte {
                    b'/' => Kind::End,
                    b'?' | b'!' => Kind::Other,
                    _ => Kind::Start,
                };
            } else if tag.quote != 0 {
                if byte == tag.quote {
                    tag.quote = 0;
                }
            } else if matches!(byte, b'"' | b'\'') {
                tag.quote = byte;
            } else if byte == b'>' {
                match tag.kind {
                    Kind::Start if tag.last != b'/' => self.depth = self.depth.saturating_add(1),
                    Kind::End => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                let counts = tag.kind != Kind::Other;
                self.tag = None;
                if self.depth == 0 && counts {
                    return Some(at);
                }
                continue;
            }
            tag.last = byte;
        }
        None
    }
}

/// Length of the tag at the front of `data`; `None` if it is incomplete, or another tag begins before its end.
pub fn tag_end(data: &[u8]) -> Option<usize> {
    let mut quote = 0;
    for (at, &byte) in data.iter().enumerate().take(super::MAX_TAG) {
        match byte {
            b'"' | b'\'' if quote == 0 => quote = byte,
            _ if byte == quote => quote = 0,
            _ if quote != 0 => {}
            b'>' => return Some(at + 1),
            b'<' if at > 0 => return None,
            _ => {}
        }
    }
    None
}

/// The name of a tag.
pub fn name(tag: &[u8]) -> &[u8] {
    let rest = tag.strip_prefix(b"<").unwrap_or(tag);
    let ends = |(at, byte): (usize, &u8)| {
        byte.is_ascii_whitespace() || *byte == b'>' || (*byte == b'/' && at > 0)
    };
    let end = rest.iter().enumerate().position(ends).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// An attribute of a tag, without its quotes.
pub fn attribute<'a>(tag: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    memchr::memmem::find_iter(tag, name).find_map(|at| {
        let before = tag.get(at.checked_sub(1)?)?;
        let rest = tag.get(at + name.len()..)?.strip_prefix(b"=")?;
        let (quote, rest) = rest.split_first()?;
        let quoted = before.is_ascii_whitespace() && matches!(quote, b'"' | b'\'');
        quoted.then(|| rest.get(..memchr::memchr(*quote, rest)?)).flatten()
    })
}

/// The name of the root element; inner `None` if it is incomplete.
pub fn root(data: &[u8]) -> Option<Option<&[u8]>> {
    let mut rest = data.trim_ascii_start();
    if rest.starts_with(b"<?xml") && rest.get(5).is_none_or(u8::is_ascii_whitespace) {
        match memchr::memmem::find(rest, b"?>") {
            Some(end) => rest = rest.get(end + 2..)?.trim_ascii_start(),
            None => return (rest.len() < MAX_PROLOG).then_some(None),
        }
    } else if b"<?xml".starts_with(rest) {
        return Some(None);
    }
    if rest.first().is_some_and(|first| *first != b'<') {
        return None;
    }
    let found = name(rest.get(..MAX_PROLOG).unwrap_or(rest));
    match rest.first() {
        None => Some(None),
        Some(b'<') if found.len() + 1 < rest.len() => Some(Some(found)),
        Some(b'<') if b"stream:stream".starts_with(found) => Some(None),
        Some(_) => None,
    }
}
