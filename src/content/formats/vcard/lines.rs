//! Content lines (RFC 5545 3.1, RFC 6350 3.2): unfolded, taken apart, decoded.

use crate::content::stack::charset;
use zeroize::Zeroizing;

/// Longest line kept, bytes; longer ones are photos.
const MAX_LINE: usize = 16 << 10;

/// Components of one value.
const MAX_COMPONENTS: usize = 16;

/// Puts folded lines together.
#[derive(Default)]
pub(super) struct Lines {
    line: Zeroizing<Vec<u8>>,
    /// A line break has been seen; the next byte decides whether the line continues.
    ended: bool,
    /// The line has a gap.
    lost: bool,
}

impl Lines {
    pub(super) fn read(&mut self, mut bytes: &[u8], to: &mut impl FnMut(&Property<'_>)) {
        while let Some((&first, after)) = bytes.split_first() {
            if std::mem::take(&mut self.ended) {
                if matches!(first, b' ' | b'\t') {
                    bytes = after;
                    continue;
                }
                // vCard 2.1, 2.1.3: a soft line break of quoted-printable.
                if self.line.last() == Some(&b'=') && is_quoted(&self.line) {
                    self.line.pop();
                } else {
                    self.end_line(to);
                }
            }
            let end = memchr::memchr(b'\n', bytes);
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if end.is_some() {
                self.ended = true;
                if self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
            }
            bytes = rest.get(1..).unwrap_or_default();
        }
    }

    pub(super) fn finish(&mut self, to: &mut impl FnMut(&Property<'_>)) {
        self.end_line(to);
    }

    /// Bytes are missing here.
    pub(super) fn lose(&mut self) {
        self.line.clear();
        self.ended = false;
        self.lost = true;
    }

    pub(super) fn memory(&self) -> usize {
        self.line.capacity()
    }

    fn end_line(&mut self, to: &mut impl FnMut(&Property<'_>)) {
        if !std::mem::take(&mut self.lost)
            && let Some(property) = Property::new(&self.line)
        {
            to(&property);
        }
        self.line.clear();
    }
}

fn is_quoted(line: &[u8]) -> bool {
    let parameters = line.split(|b| *b == b':').next().unwrap_or_default();
    parameters
        .split(|b| matches!(b, b';' | b'='))
        .any(|p| p.eq_ignore_ascii_case(b"QUOTED-PRINTABLE"))
}

/// A property.
pub(super) struct Property<'a> {
    /// Without its group (RFC 6350 3.3).
    pub(super) name: &'a str,
    parameters: &'a str,
    /// As on the wire.
    pub(super) raw: &'a [u8],
}

impl<'a> Property<'a> {
    fn new(line: &'a [u8]) -> Option<Self> {
        let mut quoted = false;
        let colon = line.iter().position(|b| {
            quoted ^= *b == b'"';
            *b == b':' && !quoted
        })?;
        let (front, raw) = line.split_at(colon);
        let front = std::str::from_utf8(front).ok()?;
        let (name, parameters) = front.split_once(';').unwrap_or((front, ""));
        let name = name.rsplit('.').next().unwrap_or(name).trim();
        Some(Self { name, parameters, raw: raw.get(1..).unwrap_or_default() })
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|p| {
            let (n, value) = p.split_once('=')?;
            n.trim().eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The value with its transfer encoding undone, still escaped.
    fn decoded(&self) -> Zeroizing<String> {
        let set = self.parameter("CHARSET").and_then(charset::known);
        let says =
            |what: &str| self.parameters.split([';', '=']).any(|p| p.eq_ignore_ascii_case(what));
        if !says("QUOTED-PRINTABLE") {
            return Zeroizing::new(charset::text(self.raw, None).into_owned());
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.raw.len()));
        let mut rest = self.raw;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let digit = |b: u8| (b as char).to_digit(16);
            match (byte, after) {
                (b'=', &[a, b, ..]) => match (digit(a), digit(b)) {
                    (Some(a), Some(b)) => {
                        bytes.push((a << 4 | b) as u8);
                        rest = after.get(2..).unwrap_or_default();
                    }
                    _ => bytes.push(byte),
                },
                _ => bytes.push(byte),
            }
        }
        Zeroizing::new(charset::text(&bytes, set).into_owned())
    }

    /// The value as text (RFC 6350 3.4).
    pub(super) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        unescape(&self.decoded(), &mut text);
        text
    }

    /// The components of a structured value.
    pub(super) fn components(&self) -> impl Iterator<Item = Zeroizing<String>> {
        let decoded = self.decoded();
        let mut at = Some(0);
        std::iter::from_fn(move || {
            let rest = decoded.get(at?..)?;
            let mut escaped = false;
            let end = rest.find(|c| {
                let here = escaped;
                escaped = c == '\\' && !here;
                c == ';' && !here
            });
            at = end.and_then(|end| Some(at? + end + 1));
            let mut text = Zeroizing::new(String::new());
            unescape(rest.get(..end.unwrap_or(rest.len())).unwrap_or(""), &mut text);
            Some(text)
        })
        .take(MAX_COMPONENTS)
    }
}

fn unescape(escaped: &str, text: &mut String) {
    let mut characters = escaped.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            _ => text.push(c),
        }
    }
}
