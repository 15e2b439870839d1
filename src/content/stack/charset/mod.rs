//! The character set of text: what is declared, what the first bytes show, and otherwise a guess. Documents
//! that read text get it in UTF-8, whatever the wire has.

mod dos;

pub use dos::{cp437, dos_text};

use super::media;
use crate::content::{Document, Ending, Extent, Media, Scope, Want};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    Decoder, Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED,
};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Bytes of a payload searched for its own declaration (HTML 13.2.3.2).
const MAX_PRESCAN: usize = 1024;

/// How much text beyond ASCII a guess is made from, bytes.
const MAX_WINDOW: usize = 4096;

/// Consecutive bytes beyond ASCII that decide between UTF-8 and a declared set.
const MAX_RUN: usize = 64;

/// Bytes decoded at a time.
const MAX_STEP: usize = 8 << 10;

/// Stray bytes that a text which was UTF-8 so far may have.
const MAX_STRAY: usize = 8;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What is known about the characters of a payload before it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// UTF-8 as far as it is; else a guess.
    Unknown,
    /// Declared as this, or UTF-8: servers declare their default for whatever they send.
    Declared(&'static Encoding),
    /// Certainly this, and nothing in it can be read before it is decoded.
    Certain(&'static Encoding),
}

impl Charset {
    /// What `media` and the first bytes say.
    pub fn of(media: &Media<'_>, head: &[u8]) -> Self {
        let head = head.get(..MAX_PRESCAN).unwrap_or(head);
        let declared = match media {
            Media::Type { content_type, .. } => media::parameter(content_type, "charset"),
            _ => None,
        };
        // A byte order mark outweighs everything (Encoding Standard, "BOM sniff").
        if let Some((encoding, _)) = Encoding::for_bom(head) {
            return if encoding == UTF_8 { Self::Unknown } else { Self::Certain(encoding) };
        }
        if let Some(encoding) = wide(head) {
            return Self::Certain(encoding);
        }
        match declared.and_then(known).or_else(|| inside(head).and_then(known)) {
            Some(encoding) if encoding == ISO_2022_JP => Self::Certain(encoding),
            Some(encoding) => Self::Declared(encoding),
            None if shifts(head) => Self::Certain(ISO_2022_JP),
            None => Self::Unknown,
        }
    }

    /// `head` as a probe can read it.
    pub fn readable(self, head: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Certain(encoding) => {
                let mut text = String::with_capacity(head.len() * 2);
                let mut decoder = encoding.new_decoder_with_bom_removal();
                let _ = decoder.decode_to_string(head, &mut text, false);
                Cow::Owned(text.into_bytes())
            }
            _ => Cow::Borrowed(head),
        }
    }

    /// `document`, fed with UTF-8.
    pub fn decoding(self, document: Box<dyn Document>) -> Box<dyn Document> {
        let mode = match self {
            Self::Unknown => Mode::Utf8(None),
            Self::Declared(encoding) => Mode::Declared(encoding),
            Self::Certain(encoding) => Mode::Decoding(encoding.new_decoder_with_bom_removal()),
        };
        Box::new(Transcoded {
            document,
            mode,
            held: Zeroizing::default(),
            offset: 0,
            seen: false,
            unwanted: 0,
            cut: false,
        })
    }
}

/// The encoding of a label, where it says something: ASCII and UTF-8 are what is tried first anyway,
/// and UTF-16 would show.
pub fn known(label: &str) -> Option<&'static Encoding> {
    let label = label.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    if label.eq_ignore_ascii_case("us-ascii") || label.eq_ignore_ascii_case("ascii") {
        return None;
    }
    Encoding::for_label_no_replacement(label.as_bytes())
        .filter(|e| ![UTF_8, UTF_16BE, UTF_16LE, X_USER_DEFINED].contains(e))
}

/// A short text of its own (a header, a form field): in UTF-8 if it is that, else in `declared`.
pub fn text<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Cow<'a, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if declared != Some(ISO_2022_JP) => Cow::Borrowed(text),
        _ => declared.unwrap_or(WINDOWS_1252).decode_without_bom_handling(bytes).0,
    }
}

/// The encoding that `bytes`, which are not UTF-8, are most likely in.
pub fn guess(bytes: &[u8], extent: Extent) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, extent == Extent::Whole);
    detector.guess(None, Utf8Detection::Deny)
}

/// UTF-16 without a mark: what starts with ASCII has every other byte zero.
fn wide(head: &[u8]) -> Option<&'static Encoding> {
    let text = |b: u8| matches!(b, b'\t' | b'\r' | b'\n' | b' '..=b'~');
    match *head {
        [a, 0, b, 0, ..] if text(a) && text(b) => Some(UTF_16LE),
        [0, a, 0, b, ..] if text(a) && text(b) => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether `head` is text that changes its set by escape sequences, as Japanese mail does.
fn shifts(head: &[u8]) -> bool {
    let escape = |at: usize| matches!(head.get(at + 1..at + 3), Some(b"$B" | b"$@" | b"(J"));
    head.is_ascii() && memchr::memchr_iter(0x1b, head).any(escape)
}

/// What a document declares about itself: XML 1.0 4.3.3, HTML 13.2.3.2.
fn inside(head: &[u8]) -> Option<&str> {
    let front = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    if front.first() != Some(&b'<') {
        return None;
    }
    let value = |from: &'_ [u8], name: &[u8]| -> Option<(usize, usize)> {
        let at = memchr::memmem::find(from, name)? + name.len();
        let rest = from.get(at..)?;
        let blank = |b: &u8| b.is_ascii_whitespace();
        let equals = rest.iter().position(|b| !blank(b)).filter(|n| rest.get(*n) == Some(&b'='))?;
        let quoted = rest.get(equals + 1..)?;
        let lead = quoted.iter().take_while(|b| blank(b) || matches!(b, b'"' | b'\'')).count();
        let label = quoted.get(lead..)?;
        let end = label.iter().position(|b| !(b.is_ascii_alphanumeric() || b"-_:.".contains(b)))?;
        let start = at + equals + 1 + lead;
        Some((start, start + end))
    };
    if front.get(..5).is_some_and(|p| p.eq_ignore_ascii_case(b"<?xml")) {
        let end = memchr::memchr(b'>', front).unwrap_or(front.len());
        let declaration = front.get(..end)?;
        if let Some((start, end)) = value(declaration, b"encoding") {
            return std::str::from_utf8(declaration.get(start..end)?).ok();
        }
    }
    let mut lower = [0; MAX_PRESCAN];
    let lower = lower.get_mut(..front.len())?;
    lower.copy_from_slice(front);
    lower.make_ascii_lowercase();
    let mut at = 0;
    while let Some(hit) = lower.get(at..).and_then(|l| memchr::memmem::find(l, b"<meta")) {
        at += hit + b"<meta".len();
        let tag = lower.get(at..)?;
        let tag = tag.get(..memchr::memchr(b'>', tag)?)?;
        if let Some((start, end)) = value(tag, b"charset") {
            return std::str::from_utf8(front.get(at + start..at + end)?).ok();
        }
    }
    None
}

/// A document that reads UTF-8, and the wire's bytes.
struct Transcoded {
    document: Box<dyn Document>,
    mode: Mode,
    /// What cannot be decoded yet.
    held: Zeroizing<Vec<u8>>,
    /// Bytes taken so far.
    offset: u64,
    /// A character beyond ASCII was in UTF-8.
    seen: bool,
    /// Coming decoded bytes to skip.
    unwanted: u64,
    /// What comes behind a gap could not be read.
    cut: bool,
}

enum Mode {
    /// UTF-8 so far; what it is declared as. Holds part of a character.
    Utf8(Option<&'static Encoding>),
    /// Declared as this, ASCII so far. Holds a run beyond ASCII.
    Declared(&'static Encoding),
    /// It is not UTF-8: holds what the guess is made from.
    Window,
    /// UTF-8 with bytes of this 8-bit set in it.
    Mixed(&'static Encoding),
    /// Something else.
    Decoding(Decoder),
    /// The rest is unwanted.
    Done,
}

impl Transcoded {
    /// Hands decoded text on.
    fn give(&mut self, text: &[u8], scope: &mut Scope<'_>) {
        let hidden = usize::try_from(self.unwanted).unwrap_or(usize::MAX).min(text.len());
        self.unwanted -= hidden as u64;
        if let Some(wanted @ [_, ..]) = text.get(hidden..)
            && !matches!(self.mode, Mode::Done)
        {
            match self.document.data(wanted, scope) {
                Want::NOTHING => self.mode = Mode::Done,
                want => self.unwanted = want.skip,
            }
        }
    }

    /// Reads on in UTF-8, to the first byte that is not; what is left.
    fn utf8<'a>(
        &mut self,
        mut bytes: &'a [u8],
        declared: Option<&'static Encoding>,
        scope: &mut Scope<'_>,
    ) -> &'a [u8] {
        while !self.held.is_empty() {
            let Some((&byte, rest)) = bytes.split_first() else { return bytes };
            self.held.push(byte);
            match std::str::from_utf8(&self.held) {
                Ok(_) => {
                    let character = std::mem::take(&mut self.held);
                    self.seen |= character.as_slice() != BOM;
                    self.give(&character, scope);
                    bytes = rest;
                    if matches!(self.mode, Mode::Done) {
                        return &[];
                    }
                }
                Err(e) if e.error_len().is_none() => bytes = rest,
                Err(_) => {
                    // The byte may begin something else.
                    self.held.pop();
                    self.mode = declared.map_or(Mode::Window, |e| Mode::Mixed(single(e)));
                    return bytes;
                }
            }
        }
        let valid = Encoding::utf8_valid_up_to(bytes);
        let (text, rest) = bytes.split_at(valid);
        if !self.seen {
            let text = text.strip_prefix(BOM).unwrap_or(text);
            self.seen = Encoding::ascii_valid_up_to(text) < text.len();
        }
        self.give(text, scope);
        if matches!(self.mode, Mode::Done) {
            return &[];
        }
        match std::str::from_utf8(rest) {
            Err(e) if e.error_len().is_some() => {
                self.mode = declared.map_or(Mode::Window, |e| Mode::Mixed(single(e)));
                rest
            }
            _ => {
                self.held.extend_from_slice(rest);
                &[]
            }
        }
    }

    /// Reads to the end of the first run beyond ASCII, which decides whether it is UTF-8.
    fn declared<'a>(
        &mut self,
        mut bytes: &'a [u8],
        encoding: &'static Encoding,
        scope: &mut Scope<'_>,
    ) -> &'a [u8] {
        if self.held.is_empty() {
            let (text, rest) = bytes.split_at(Encoding::ascii_valid_up_to(bytes));
            self.give(text, scope);
            bytes = rest;
        }
        let run = bytes.iter().take(MAX_RUN - self.held.len().min(MAX_RUN));
        let run = run.take_while(|b| !b.is_ascii()).count();
        let (run, rest) = bytes.split_at(run);
        self.held.extend_from_slice(run);
        if self.held.len() >= MAX_RUN || !rest.is_empty() {
            self.settle(encoding, scope);
        }
        rest
    }

    /// Decides from the bytes held whether they are UTF-8 after all.
    fn settle(&mut self, encoding: &'static Encoding, scope: &mut Scope<'_>) {
        let cut = self.held.len() >= MAX_RUN;
        let utf8 = match std::str::from_utf8(&self.held) {
            Ok(_) => true,
            Err(e) => cut && e.error_len().is_none(),
        };
        self.mode = match utf8 {
            true => Mode::Utf8(Some(encoding)),
            false => Mode::Decoding(encoding.new_decoder_without_bom_handling()),
        };
        let held = std::mem::take(&mut self.held);
        self.read(&held, scope);
    }

    /// Makes the guess from what is held.
    fn decide(&mut self, extent: Extent, scope: &mut Scope<'_>) {
        let held = std::mem::take(&mut self.held);
        let (mut characters, mut stray) = (0, 0);
        for chunk in held.utf8_chunks() {
            characters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
            stray += chunk.invalid().len();
        }
        self.mode = if characters > stray || (self.seen && stray < MAX_STRAY) {
            Mode::Mixed(WINDOWS_1252)
        } else {
            Mode::Decoding(guess(&held, extent).new_decoder_without_bom_handling())
        };
        self.read(&held, scope);
    }

    /// Reads UTF-8 with bytes of an 8-bit set in it.
    fn mixed(&mut self, bytes: &[u8], encoding: &'static Encoding, scope: &mut Scope<'_>) {
        let mut out = Zeroizing::new(Vec::with_capacity(bytes.len() + bytes.len() / 2 + 8));
        let joined;
        let mut rest = bytes;
        if !self.held.is_empty() {
            self.held.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.held);
            rest = &joined;
        }
        loop {
            let (text, after) = rest.split_at(Encoding::utf8_valid_up_to(rest));
            out.extend_from_slice(text);
            match std::str::from_utf8(after) {
                Err(e) if e.error_len().is_some() => {
                    let (byte, after) = after.split_at(1);
                    let character = encoding.decode_without_bom_handling(byte).0;
                    out.extend_from_slice(character.as_bytes());
                    rest = after;
                }
                _ => {
                    self.held.extend_from_slice(after);
                    break;
                }
            }
        }
        self.give(&out, scope);
    }

    fn decode(&mut self, bytes: &[u8], last: bool, scope: &mut Scope<'_>) {
        let mut steps = bytes.chunks(MAX_STEP).peekable();
        loop {
            let step = steps.next().unwrap_or_default();
            let end = steps.peek().is_none();
            let Mode::Decoding(decoder) = &mut self.mode else { return };
            let room = decoder.max_utf8_buffer_length(step.len()).unwrap_or(MAX_STEP * 4);
            let mut out = Zeroizing::new(vec![0; room]);
            let (_, _, written, _) = decoder.decode_to_utf8(step, &mut out, last && end);
            self.give(out.get(..written).unwrap_or_default(), scope);
            if end {
                return;
            }
        }
    }

    fn read(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) {
        while !bytes.is_empty() {
            bytes = match &self.mode {
                Mode::Done => return,
                Mode::Utf8(declared) => self.utf8(bytes, *declared, scope),
                Mode::Declared(encoding) => self.declared(bytes, encoding, scope),
                Mode::Window => {
                    let room = MAX_WINDOW.saturating_sub(self.held.len()).min(bytes.len());
                    let (window, rest) = bytes.split_at(room);
                    self.held.extend_from_slice(window);
                    if self.held.len() >= MAX_WINDOW {
                        self.decide(Extent::Beginning, scope);
                    }
                    rest
                }
                Mode::Mixed(encoding) => {
                    self.mixed(bytes, encoding, scope);
                    &[]
                }
                Mode::Decoding(_) => {
                    self.decode(bytes, false, scope);
                    &[]
                }
            };
        }
    }

    /// What is held is all there is of it.
    fn flush(&mut self, scope: &mut Scope<'_>) {
        // A run may turn out to be UTF-8 with part of a character behind it.
        if let Mode::Declared(encoding) = self.mode
            && !self.held.is_empty()
        {
            self.settle(encoding, scope);
        }
        if matches!(self.mode, Mode::Window) {
            self.decide(Extent::Whole, scope);
        }
        if let Mode::Utf8(declared) = self.mode
            && !self.held.is_empty()
        {
            self.mode = Mode::Mixed(declared.map_or(WINDOWS_1252, single));
        }
        match self.mode {
            Mode::Decoding(_) => self.decode(&[], true, scope),
            Mode::Mixed(encoding) if !self.held.is_empty() => {
                let held = std::mem::take(&mut self.held);
                let text = encoding.decode_without_bom_handling(&held).0;
                self.give(text.as_bytes(), scope);
            }
            _ => {}
        }
        self.held.clear();
    }
}

/// An encoding for single bytes: that one, if it has such.
fn single(encoding: &'static Encoding) -> &'static Encoding {
    if encoding.is_single_byte() { encoding } else { WINDOWS_1252 }
}

impl Document for Transcoded {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        self.read(bytes, scope);
        if matches!(self.mode, Mode::Done) { Want::NOTHING } else { Want::ALL }
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        self.flush(scope);
        if matches!(self.mode, Mode::Done) {
            return Want::NOTHING;
        }
        self.offset = self.offset.saturating_add(len);
        if let Mode::Decoding(decoder) = &mut self.mode {
            let encoding = decoder.encoding();
            let wide = encoding == UTF_16LE || encoding == UTF_16BE;
            if wide && self.offset % 2 == 1 {
                // The gap ends in the middle of a character: so does what can be read.
                self.mode = Mode::Done;
                self.cut = true;
                return Want::NOTHING;
            }
            *decoder = encoding.new_decoder_without_bom_handling();
        }
        match self.document.gap(len, scope) {
            Want::NOTHING => {
                self.mode = Mode::Done;
                Want::NOTHING
            }
            want => {
                self.unwanted = want.skip;
                Want::ALL
            }
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.flush(scope);
        self.document.end(ending.and(!self.cut), scope);
    }

    fn memory(&self) -> usize {
        self.held.capacity() + self.document.memory()
    }
}

#[cfg(test)]
mod tests;
