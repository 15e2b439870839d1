//! The structure of messages, as far as responses showed it: clients fetch the header or the structure of a message,
//! and then its parts, which do not describe themselves.

use std::collections::BTreeMap;

/// Messages of a mailbox that are remembered, and parts of each.
const MAX_MESSAGES: usize = 256;
const MAX_PARTS: usize = 32;
/// Longest description of a part, bytes.
const MAX_TEXT: usize = 256;
/// Levels of nested parts that are followed.
const MAX_DEPTH: usize = 8;
/// Most parts of one level.
const MAX_SIBLINGS: usize = 100;

/// The headers of a part that describe its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    content_type: String,
    encoding: String,
}

impl Head {
    /// Selected from the fields of a header (RFC 5322 2.2, RFC 2045 5 and 6).
    pub fn of(header: &[u8]) -> Self {
        let mut head = Self::default();
        let text = String::from_utf8_lossy(header).replace("\r\n\t", " ").replace("\r\n ", " ");
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value: String = value.trim().chars().take(MAX_TEXT).collect();
            match name.trim() {
                name if name.eq_ignore_ascii_case("content-type") => head.content_type = value,
                name if name.eq_ignore_ascii_case("content-transfer-encoding") => {
                    head.encoding = value;
                }
                _ => {}
            }
        }
        head
    }

    /// The header of a message that has the part as its body. `None` if nothing is known.
    pub fn message(&self) -> Option<Vec<u8>> {
        let Self { content_type, encoding } = self;
        if content_type.is_empty() && encoding.is_empty() {
            return None;
        }
        let kind = if content_type.is_empty() { "text/plain" } else { content_type };
        let coding = if encoding.is_empty() { "8bit" } else { encoding };
        Some(
            format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {coding}\r\n\r\n")
                .into_bytes(),
        )
    }

    fn has_parts(&self) -> bool {
        self.content_type.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"))
    }
}

/// The messages of a mailbox by number, and their parts by theirs (`1.2`; empty for the message).
#[derive(Default)]
pub struct Messages {
    known: BTreeMap<u64, BTreeMap<String, Head>>,
}

impl Messages {
    /// Another mailbox has other messages.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// The description of a part.
    pub fn part(&self, message: u64, path: &str) -> Option<&Head> {
        self.known.get(&message)?.get(path)
    }

    /// A header was fetched: that of the message, or of a part.
    pub fn header(&mut self, message: u64, path: &str, header: &[u8]) {
        let head = Head::of(header);
        // Some of its fields say nothing of the body (`HEADER.FIELDS (SUBJECT)`).
        if head == Head::default() && self.part(message, path).is_some() {
            return;
        }
        // The only part of a message is its first.
        if path.is_empty() && !head.has_parts() {
            self.insert(message, "1", head.clone());
        }
        self.insert(message, path, head);
    }

    /// BODYSTRUCTURE, from its opening parenthesis (RFC 9051 7.5.2).
    pub fn structure(&mut self, message: u64, mut data: &[u8]) {
        let mut parts = Vec::new();
        body(&mut data, "", 0, &mut parts);
        for (path, head) in parts {
            self.insert(message, &path, head);
        }
    }

    fn insert(&mut self, message: u64, path: &str, head: Head) {
        if self.known.len() >= MAX_MESSAGES && !self.known.contains_key(&message) {
            self.known.pop_first();
        }
        let parts = self.known.entry(message).or_default();
        if (parts.len() < MAX_PARTS || parts.contains_key(path)) && path.len() <= MAX_TEXT {
            parts.insert(path.to_owned(), head);
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.known.values().map(|parts| parts.len() * (size_of::<Head>() + 64)).sum()
    }
}

/// A body and the bodies in it.
fn body(data: &mut &[u8], path: &str, depth: usize, out: &mut Vec<(String, Head)>) -> Option<()> {
    if depth > MAX_DEPTH || out.len() >= MAX_PARTS {
        return None;
    }
    open(data)?;
    if data.starts_with(b"(") {
        for number in 1..=MAX_SIBLINGS {
            if !data.starts_with(b"(") {
                break;
            }
            let inner = match path {
                "" => number.to_string(),
                path => format!("{path}.{number}"),
            };
            body(data, &inner, depth + 1, out)?;
        }
        return close(data);
    }
    let (kind, subtype) = (text(data)?, text(data)?);
    let mut head = Head { content_type: format!("{kind}/{subtype}"), encoding: String::new() };
    if data.starts_with(b"(") {
        open(data)?;
        while !data.starts_with(b")") {
            let (name, value) = (text(data)?, text(data)?);
            if head.content_type.len() + name.len() + value.len() < MAX_TEXT {
                head.content_type.push_str(&format!("; {name}=\"{value}\""));
            }
        }
        close(data)?;
    } else {
        text(data)?;
    }
    // Number and description.
    text(data)?;
    text(data)?;
    head.encoding = text(data)?;
    close(data)?;
    if path.is_empty() {
        out.push(("1".to_owned(), head.clone()));
    }
    out.push((path.to_owned(), head));
    Some(())
}

fn open(data: &mut &[u8]) -> Option<()> {
    *data = data.strip_prefix(b"(")?.trim_ascii_start();
    Some(())
}

/// Passes over the rest of a list.
fn close(data: &mut &[u8]) -> Option<()> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, byte) in data.iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' if depth == 0 => {
                *data = data.get(at + 1..)?.trim_ascii_start();
                return Some(());
            }
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A string or an atom; NIL is empty.
fn text(data: &mut &[u8]) -> Option<String> {
    let mut out = Vec::new();
    let used = if let Some(rest) = data.strip_prefix(b"\"") {
        let (mut escaped, mut end) = (false, None);
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'\\' if !escaped => escaped = true,
                b'"' if !escaped => {
                    end = Some(at);
                    break;
                }
                byte => {
                    escaped = false;
                    if out.len() < MAX_TEXT {
                        out.push(*byte);
                    }
                }
            }
        }
        end? + 2
    } else {
        let len = data.iter().take_while(|b| !matches!(b, b' ' | b'(' | b')')).count();
        let atom = data.get(..len).filter(|atom| !atom.is_empty())?;
        if !atom.eq_ignore_ascii_case(b"NIL") {
            out.extend(atom.iter().take(MAX_TEXT));
        }
        len
    };
    *data = data.get(used..)?.trim_ascii_start();
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(messages: &Messages, path: &str) -> Option<String> {
        let head = messages.part(7, path)?.message()?;
        Some(String::from_utf8_lossy(&head).trim_end().replace("\r\n", " | "))
    }

    #[test]
    fn parts_are_known_by_headers_and_structures() {
        let mut messages = Messages::default();
        messages.header(
            7,
            "",
            b"Subject: a\r\ncontent-type: text/plain;\r\n charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        );
        let only = "Content-Type: text/plain; charset=koi8-r | Content-Transfer-Encoding: base64";
        assert_eq!(message(&messages, "1").as_deref(), Some(only));
        assert_eq!(message(&messages, "").as_deref(), Some(only));
        messages.structure(
            7,
            b"((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"QUOTED-PRINTABLE\" 12 1 NIL NIL NIL)((\"text\" \"html\" NIL NIL \"a (\\\" b\" \"base64\" 4 1) \"ALTERNATIVE\") \"MIXED\" (\"BOUNDARY\" \"x)\"))",
        );
        let first = "Content-Type: TEXT/PLAIN; CHARSET=\"utf-8\" | Content-Transfer-Encoding: QUOTED-PRINTABLE";
        assert_eq!(message(&messages, "1").as_deref(), Some(first));
        assert_eq!(
            message(&messages, "2.1").as_deref(),
            Some("Content-Type: text/html | Content-Transfer-Encoding: base64")
        );
        assert_eq!(message(&messages, "3"), None);
    }

    #[test]
    fn structures_are_bounded() {
        let mut messages = Messages::default();
        messages.structure(7, &b"(".repeat(100_000));
        messages.structure(7, b"(\"a\" \"b\" (\"c\"");
        for number in 0..1000 {
            messages.header(number, "", b"Content-Type: a/b\r\n");
        }
        assert!(messages.known.len() <= MAX_MESSAGES);
    }
}
