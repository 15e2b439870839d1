//! A push tokenizer for XML and HTML: tags with attributes, text, nothing else. It accepts what browsers accept and
//! keeps only the current tag or run of text.

use memchr::{memchr, memchr3};
use std::borrow::Cow;

/// Longest tag with its attributes, bytes; of a longer one the front is read.
pub const MAX_TAG: usize = 16 << 10;

/// Longest run of text that is kept, bytes.
pub const MAX_TEXT: usize = 4 << 10;

/// Longest reference that is kept complete, bytes.
const MAX_REFERENCE: usize = 12;

/// Receives the tokens.
pub trait Receiver {
    /// A start tag; `closed`: it has no end tag (`<br/>`).
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool);
    /// An end tag.
    fn end(&mut self, name: &str);
    /// Text between tags, with references resolved.
    fn text(&mut self, text: &str);
    /// Whether the current text is wanted as it arrives, however long ([`Receiver::piece`]). `text`: its beginning as
    /// far as known, as it is written, empty later on; `ends`: it is complete.
    fn streams(&mut self, text: &[u8], ends: bool) -> bool {
        let _ = (text, ends);
        false
    }
    /// A piece of such a text.
    fn piece(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
    /// Text of an element without markup (`<script>`), in pieces of any size.
    fn raw(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
}

/// The state between two pieces.
#[derive(Default)]
pub struct Markup {
    mode: Mode,
    held: Vec<u8>,
    /// HTML: the content of these elements is no markup.
    raw: Option<&'static [u8]>,
    html: bool,
    /// White space between tags is text.
    blank: bool,
    /// Long runs of text are given in pieces, and not cut.
    pieces: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Text,
    /// Behind `<`, with the open quote.
    Tag { quote: u8 },
    /// In a comment, CDATA section or processing instruction.
    Until(Section),
    /// In `<script>` or `<style>`.
    Raw,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Comment,
    CData,
    Instruction,
}

impl Section {
    const fn terminator(self) -> &'static [u8] {
        match self {
            Self::Comment => b"-->",
            Self::CData => b"]]>",
            Self::Instruction => b"?>",
        }
    }
}

impl Markup {
    /// For HTML, where scripts and styles are no markup.
    pub fn html() -> Self {
        Self { html: true, ..Self::default() }
    }

    /// For running text, where white space alone counts: `<b>Jane</b> <b>Roe</b>`.
    pub fn prose() -> Self {
        Self { blank: true, ..Self::default() }
    }

    /// For documents in text: runs of any length are given, in pieces.
    pub fn in_pieces() -> Self {
        Self { pieces: true, ..Self::default() }
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Reads a piece.
    pub fn read(&mut self, mut bytes: &[u8], to: &mut impl Receiver) {
        while !bytes.is_empty() {
            bytes = match self.mode {
                Mode::Text => self.read_text(bytes, to),
                Mode::Tag { quote } => self.read_tag(bytes, quote, to),
                Mode::Until(section) => self.read_section(bytes, section, to),
                Mode::Raw => self.read_raw(bytes, to),
            };
        }
    }

    /// No more will come.
    pub fn finish(&mut self, to: &mut impl Receiver) {
        if self.mode == Mode::Text {
            self.flush_text(&[], to);
        }
    }

    fn hold(&mut self, run: &[u8], cap: usize) {
        let room = cap.saturating_sub(self.held.len());
        self.held.extend_from_slice(run.get(..room).unwrap_or(run));
    }

    fn read_text<'a>(&mut self, bytes: &'a [u8], to: &mut impl Receiver) -> &'a [u8] {
        let at = memchr(b'<', bytes);
        let (run, rest) = bytes.split_at(at.unwrap_or(bytes.len()));
        let begins = if self.held.is_empty() { run } else { &[] };
        if to.streams(begins, at.is_some()) {
            self.stream(run, at.is_some(), to);
            if at.is_some() {
                self.mode = Mode::Tag { quote: 0 };
            }
            return rest.get(1..).unwrap_or_default();
        }
        if at.is_none() {
            self.hold_text(bytes, to);
            return &[];
        }
        if self.pieces && self.held.len() + run.len() > MAX_TEXT {
            self.hold_text(run, to);
            self.flush_text(&[], to);
        } else {
            self.flush_text(run, to);
        }
        self.mode = Mode::Tag { quote: 0 };
        rest.get(1..).unwrap_or_default()
    }

    /// Keeps a run of text; a long one is passed on up to a place where no character and no reference is cut.
    fn hold_text(&mut self, run: &[u8], to: &mut impl Receiver) {
        if !self.pieces {
            return self.hold(run, MAX_TEXT);
        }
        let mut rest = run;
        while !rest.is_empty() {
            let room = MAX_TEXT.saturating_sub(self.held.len());
            if room == 0 {
                let tail = self.held.len().saturating_sub(MAX_REFERENCE);
                let near = self.held.get(tail..).unwrap_or_default();
                let end = memchr::memrchr(b'&', near).map_or(self.held.len(), |at| tail + at);
                let end = whole_characters(&self.held, end).max(1);
                give(self.held.get(..end).unwrap_or_default(), true, to);
                self.held.drain(..end.min(self.held.len()));
                continue;
            }
            let (part, behind) = rest.split_at(room.min(rest.len()));
            self.held.extend_from_slice(part);
            rest = behind;
        }
    }

    /// Passes on a run of text, except an incomplete reference at its end.
    fn stream(&mut self, run: &[u8], last: bool, to: &mut impl Receiver) {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(run);
        let recent = text.len().saturating_sub(MAX_REFERENCE);
        let end = text.get(recent..).unwrap_or_default();
        let open = end.iter().rposition(|b| *b == b'&').filter(|at| !end[*at..].contains(&b';'));
        let cut = open.filter(|_| !last).map_or(text.len(), |at| recent + at);
        let (now, tail) = text.split_at(cut);
        match memchr(b'&', now) {
            _ if now.is_empty() => {}
            Some(_) => to.piece(unescape(&to_text(now)).as_bytes()),
            None => to.piece(now),
        }
        self.held.extend_from_slice(tail);
    }

    fn flush_text(&mut self, run: &[u8], to: &mut impl Receiver) {
        if self.held.is_empty() {
            give(run.get(..MAX_TEXT).unwrap_or(run), self.blank, to);
        } else {
            self.hold(run, MAX_TEXT);
            give(&self.held, self.blank, to);
            self.held.clear();
        }
    }

    fn read_tag<'a>(&mut self, bytes: &'a [u8], quote: u8, to: &mut impl Receiver) -> &'a [u8] {
        let at = if quote != 0 {
            memchr(quote, bytes)
        } else if self.held.len() < 9 {
            // `!--`, `![CDATA[` and `?` are recognised by their first bytes, one at a time.
            Some(0)
        } else {
            memchr3(b'>', b'"', b'\'', bytes)
        };
        let Some(at) = at else {
            self.hold(bytes, MAX_TAG);
            return &[];
        };
        let (run, rest) = bytes.split_at(at);
        self.hold(run, MAX_TAG);
        let Some((&byte, rest)) = rest.split_first() else { return &[] };
        match byte {
            b'>' if quote == 0 => {
                let tag = std::mem::take(&mut self.held);
                self.mode = Mode::Text;
                self.tag(&tag, to);
                self.held = tag;
                self.held.clear();
                return rest;
            }
            _ => {
                self.hold(&[byte], MAX_TAG);
                let after = match byte {
                    b'"' | b'\'' if quote == 0 && self.in_attributes() => byte,
                    b if b == quote => 0,
                    _ => quote,
                };
                self.mode = Mode::Tag { quote: after };
            }
        }
        let section = match self.held.as_slice() {
            b"!--" => Section::Comment,
            b"![CDATA[" => Section::CData,
            b"?" => Section::Instruction,
            // `a < b` in text that was not escaped.
            [b' ' | b'=' | b'0'..=b'9'] => {
                self.mode = Mode::Text;
                self.held.clear();
                return rest;
            }
            _ => return rest,
        };
        self.held.clear();
        self.mode = Mode::Until(section);
        rest
    }

    /// Quotes count only after `=`: broken tags contain apostrophes too.
    fn in_attributes(&self) -> bool {
        let before = self.held.get(..self.held.len().saturating_sub(1)).unwrap_or_default();
        before.trim_ascii_end().last() == Some(&b'=') || before.first() == Some(&b'!')
    }

    fn read_section<'a>(
        &mut self,
        bytes: &'a [u8],
        section: Section,
        to: &mut impl Receiver,
    ) -> &'a [u8] {
        let terminator = section.terminator();
        let begins = if self.held.is_empty() { bytes } else { &[] };
        if section == Section::CData && to.streams(begins, false) {
            let before = self.held.len();
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(bytes);
            if let Some(at) = memchr::memmem::find(&text, terminator) {
                self.mode = Mode::Text;
                to.piece(text.get(..at).unwrap_or_default());
                let used = (at + terminator.len()).saturating_sub(before);
                return bytes.get(used..).unwrap_or_default();
            }
            let (now, tail) = text.split_at(text.len().saturating_sub(terminator.len() - 1));
            to.piece(now);
            self.held.extend_from_slice(tail);
            return &[];
        }
        for (at, &byte) in bytes.iter().enumerate() {
            if section == Section::CData {
                if self.pieces && self.held.len() >= MAX_TEXT {
                    // What may be the beginning of the end is kept.
                    let end = whole_characters(&self.held, self.held.len() - terminator.len());
                    to.text(&to_text(self.held.get(..end).unwrap_or_default()));
                    self.held.drain(..end);
                }
                self.hold(&[byte], MAX_TEXT);
            } else {
                // Only its end matters.
                if self.held.len() >= 16 {
                    self.held.drain(..13);
                }
                self.held.push(byte);
            }
            if byte == b'>' && self.held.ends_with(terminator) {
                self.mode = Mode::Text;
                let held = std::mem::take(&mut self.held);
                if section == Section::CData {
                    let text = held.strip_suffix(terminator).unwrap_or(&held);
                    to.text(&to_text(text));
                }
                return bytes.get(at + 1..).unwrap_or_default();
            }
        }
        if section == Section::CData && self.held.len() >= MAX_TEXT {
            // Keep its front, and the place to see the end.
            self.held.truncate(MAX_TEXT - 8);
        }
        &[]
    }

    fn read_raw<'a>(&mut self, bytes: &'a [u8], to: &mut impl Receiver) -> &'a [u8] {
        let Some(name) = self.raw else {
            self.mode = Mode::Text;
            return bytes;
        };
        // `held` is how much of `</script` has been seen.
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.held.is_empty() {
                let Some(at) = memchr(b'<', rest) else {
                    to.raw(rest);
                    return &[];
                };
                to.raw(rest.get(..at).unwrap_or_default());
                self.held.push(b'<');
                rest = rest.get(at + 1..).unwrap_or_default();
                continue;
            }
            let Some((&byte, after)) = rest.split_first() else { break };
            let expected = if self.held.len() == 1 {
                b'/'
            } else {
                name.get(self.held.len() - 2).copied().unwrap_or(b'>')
            };
            if byte.to_ascii_lowercase() != expected {
                // It was no end.
                to.raw(&self.held);
                self.held.clear();
                continue;
            }
            self.held.push(byte);
            rest = after;
            if self.held.len() == name.len() + 2 {
                self.raw = None;
                self.held.clear();
                self.hold(b"/", MAX_TAG);
                self.hold(name, MAX_TAG);
                self.mode = Mode::Tag { quote: 0 };
                return rest;
            }
        }
        &[]
    }

    /// A tag without its angle brackets.
    fn tag(&mut self, tag: &[u8], to: &mut impl Receiver) {
        let text = to_text(tag);
        let text = text.trim();
        if let Some(name) = text.strip_prefix('/') {
            to.end(name.trim());
            return;
        }
        let (text, closed) = match text.strip_suffix('/') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
        let (name, attributes) = text.split_at(end);
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return;
        }
        if self.html && !closed {
            const RAW: [&[u8]; 3] = [b"script", b"style", b"svg"];
            self.raw = RAW.into_iter().find(|r| name.as_bytes().eq_ignore_ascii_case(r));
            if self.raw.is_some() {
                self.mode = Mode::Raw;
            }
        }
        to.start(name, Attributes(attributes), closed);
    }
}

/// The attributes of a tag.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(&'a str);

/// Attributes read of one tag.
const MAX_ATTRIBUTES: usize = 64;

impl<'a> Attributes<'a> {
    /// For a tag without any.
    pub const fn none() -> Self {
        Self("")
    }

    /// Name and value of each, with references resolved.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let stop = |c: char| c.is_ascii_whitespace() || c == '=';
            let end = rest.get(1..).and_then(|r| r.find(stop)).map_or(rest.len(), |e| e + 1);
            let (name, after) = rest.split_at_checked(end)?;
            let Some(value) = after.trim_start().strip_prefix('=') else {
                rest = after;
                return Some((name, Cow::Borrowed("")));
            };
            let value = value.trim_start();
            let (value, after) = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let inner = value.get(1..).unwrap_or("");
                    inner.split_once(quote).unwrap_or((inner, ""))
                }
                _ => {
                    let end = value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len());
                    value.split_at(end)
                }
            };
            rest = after;
            Some((name, unescape(value)))
        })
        .take(MAX_ATTRIBUTES)
    }

    /// The value of one.
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The end of the last complete UTF-8 character before `end`; `end` itself in other sets.
fn whole_characters(bytes: &[u8], end: usize) -> usize {
    let cut = bytes.get(..end).unwrap_or(bytes);
    match std::str::from_utf8(cut.get(cut.len().saturating_sub(4)..).unwrap_or(cut)) {
        Ok(_) => cut.len(),
        Err(_) => {
            let back = cut.iter().rev().take(3).position(|b| *b >= 0xC0);
            match back.and_then(|n| cut.len().checked_sub(n + 1)) {
                Some(at)
                    if cut.get(at..).is_some_and(|c| {
                        std::str::from_utf8(c).is_err_and(|e| e.error_len().is_none())
                    }) =>
                {
                    at
                }
                _ => cut.len(),
            }
        }
    }
}

fn give(run: &[u8], blank: bool, to: &mut impl Receiver) {
    if (blank && !run.is_empty()) || !run.trim_ascii().is_empty() {
        let text = to_text(run);
        to.text(&unescape(&text));
    }
}

fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // Cut in the middle of a character by a cap, or an 8-bit set.
        Err(e) if e.error_len().is_none() => Cow::Borrowed(
            std::str::from_utf8(bytes.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or(""),
        ),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// Resolves character references: numbers, those of XML, and the letters of HTML.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(rest.get(..at).unwrap_or(""));
        let after = rest.get(at + 1..).unwrap_or("");
        let reference = after
            .find(';')
            .filter(|end| *end <= 10)
            .and_then(|end| Some((reference(after.get(..end)?)?, after.get(end + 1..)?)));
        match reference {
            Some((c, after)) => {
                plain.push(c);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32);
    }
    // Accents by name: a letter and its diacritic.
    const ACCENTS: [(&str, char); 8] = [
        ("grave", '\u{300}'),
        ("acute", '\u{301}'),
        ("circ", '\u{302}'),
        ("tilde", '\u{303}'),
        ("uml", '\u{308}'),
        ("ring", '\u{30a}'),
        ("cedil", '\u{327}'),
        ("caron", '\u{30c}'),
    ];
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" | "Tab" | "NewLine" => ' ',
        "colon" => ':',
        "comma" => ',',
        "lpar" => '(',
        "rpar" => ')',
        "num" => '#',
        "szlig" => 'ß',
        "oslash" => 'ø',
        "Oslash" => 'Ø',
        "aelig" => 'æ',
        "AElig" => 'Æ',
        "ndash" | "mdash" | "hyphen" => '-',
        "lsquo" | "rsquo" => '’',
        "oelig" => 'œ',
        "ordm" => 'º',
        "ordf" => 'ª',
        "deg" => '°',
        "middot" | "bull" => '·',
        _ => {
            let letter = name.chars().next()?;
            let accent = name.get(letter.len_utf8()..)?;
            let (_, mark) = ACCENTS.iter().find(|(n, _)| *n == accent)?;
            return unicode_normalization::char::compose(letter, *mark);
        }
    })
}
