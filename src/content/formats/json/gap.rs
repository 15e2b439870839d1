//! Reading on behind a gap: at the next line of NDJSON, the next element of the list that a document is, or the next
//! resource of FHIR. What lies before it belongs to an object whose beginning is lost, and is passed over.
//!
//! Quotation marks in a string are escaped, so that no string contains what begins an object here.

use super::JsonDocument;
use super::tokens::{Fault, Tokens};
use crate::content::Scope;
use crate::syntax::Match;
use memchr::memchr;
use zeroize::Zeroizing;

/// Longest key by which the elements of a list are known, and how far it may be from its bracket, bytes.
const MAX_KEY: usize = 64;
const MAX_BLANKS: usize = 128;
/// How objects of FHIR begin: resources, and the entries of a bundle (R4, Bundle.entry).
const KEYS: [&[u8]; 2] = [b"resourceType", b"fullUrl"];

/// Elements of a list within an object that must have begun alike: fewer may be parts of what the object describes.
const MIN_ALIKE: u32 = 3;

/// How the elements of the outermost list begin.
#[derive(Default)]
pub(super) struct Elements {
    depth: u32,
    /// How deep the elements of that list are.
    list: Option<u32>,
    /// The next key is the first of an element.
    awaited: bool,
    key: Option<Box<str>>,
    /// Elements that began with it.
    alike: u32,
    /// The document is a resource of FHIR: its lists are parts of it.
    resource: bool,
}

impl Elements {
    pub(super) fn open(&mut self, object: bool) {
        self.awaited = object && self.list == Some(self.depth);
        self.depth += 1;
        if !object && self.list.is_none() {
            self.list = Some(self.depth);
        }
    }

    pub(super) fn close(&mut self) {
        self.awaited = false;
        self.depth = self.depth.saturating_sub(1);
        if self.key.is_none() && self.list.is_some_and(|list| list > self.depth) {
            // It was empty, or one of texts.
            self.list = None;
        }
    }

    pub(super) fn key(&mut self, key: &str) {
        self.resource |= self.depth == 1 && key == "resourceType";
        if !std::mem::take(&mut self.awaited) {
            return;
        }
        match &self.key {
            Some(known) => self.alike += u32::from(**known == *key),
            None if (1..=MAX_KEY).contains(&key.len()) => {
                self.key = Some(key.into());
                self.alike = 1;
            }
            None => {}
        }
    }

    /// What is open is read no further.
    pub(super) fn lose(&mut self) {
        self.depth = 0;
        self.awaited = false;
    }

    /// Whether an object that begins with `key` is an element of the list.
    fn begins(&self, key: &[u8]) -> bool {
        let known = !self.resource && (self.list == Some(1) || self.alike >= MIN_ALIKE);
        KEYS.contains(&key) || known && self.key.as_deref().is_some_and(|k| k.as_bytes() == key)
    }

    pub(super) fn memory(&self) -> usize {
        self.key.as_ref().map_or(0, |key| key.len())
    }
}

/// Where reading is after a gap.
#[derive(Default)]
pub(super) enum Behind {
    /// There was none.
    #[default]
    Nothing,
    /// The next object is looked for; what may be its beginning is kept.
    Lost(Zeroizing<Vec<u8>>),
    /// An object is read that is taken out of what is around it.
    Apart,
}

impl Behind {
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Lost(kept) => kept.capacity(),
            Self::Nothing | Self::Apart => 0,
        }
    }
}

/// The first key of the object at the front of `data`.
fn opening(data: &[u8]) -> Match<&[u8]> {
    let after = data.get(1..).unwrap_or_default();
    let blanks = after.iter().take(MAX_BLANKS).take_while(|b| b.is_ascii_whitespace()).count();
    let text = match after.get(blanks..) {
        Some([b'"', text @ ..]) => text,
        Some([]) if blanks < MAX_BLANKS => return Match::More,
        _ => return Match::No,
    };
    let near = text.get(..=MAX_KEY).unwrap_or(text);
    let Some(end) = memchr(b'"', near) else {
        return if text.len() > MAX_KEY { Match::No } else { Match::More };
    };
    let key = near.get(..end).unwrap_or_default();
    let behind = text.get(end + 1..).unwrap_or_default();
    let blanks = behind.iter().take(MAX_BLANKS).take_while(|b| b.is_ascii_whitespace()).count();
    match behind.get(blanks) {
        Some(b':') if !key.is_empty() && !key.contains(&b'\\') => Match::Yes(key),
        None if blanks < MAX_BLANKS => Match::More,
        _ => Match::No,
    }
}

impl JsonDocument {
    /// Bytes are missing: what is open ends here.
    pub(super) fn lose(&mut self, scope: &mut Scope<'_>) {
        let held = self.rows.take();
        if !self.rows.are_lines() {
            // The front of a resource: it ends here, whatever it is.
            let _ = self.read(&held, scope);
        }
        self.elements.lose();
        self.tokens = Tokens::default();
        self.end_strings(scope);
        self.tree.finish(scope);
        self.texts.end("json", self.tree.around, scope);
        self.form = super::Form::default();
        self.chunks = super::jws::Chunks::default();
        self.behind = Behind::Lost(Zeroizing::default());
    }

    /// Reads bytes behind a gap; false where there was none, or rows are read as ever since.
    pub(super) fn read_behind(
        &mut self,
        bytes: &[u8],
        scope: &mut Scope<'_>,
    ) -> Result<bool, Fault> {
        let (mut work, mut apart) = match std::mem::take(&mut self.behind) {
            Behind::Nothing => return Ok(false),
            Behind::Apart => (Zeroizing::new(bytes.to_vec()), true),
            Behind::Lost(mut kept) => {
                kept.extend_from_slice(bytes);
                (kept, false)
            }
        };
        let mut at = 0;
        loop {
            let rest = work.get(at..).unwrap_or_default();
            if apart && rest.is_empty() {
                self.behind = Behind::Apart;
                return Ok(true);
            }
            if apart {
                let end = memchr(b'}', rest).map_or(rest.len(), |end| end + 1);
                if self.read(rest.get(..end).unwrap_or(rest), scope).is_err() {
                    self.lose(scope);
                }
                apart = !self.tokens.at_end();
                at += end;
                continue;
            }
            match self.find(rest) {
                Next::Row(offset) => {
                    self.behind = Behind::Nothing;
                    self.by_rows(rest.get(offset..).unwrap_or_default(), scope)?;
                    return Ok(true);
                }
                Next::Element(offset) => {
                    at += offset;
                    apart = true;
                }
                Next::Unknown(offset) => {
                    work.drain(..at + offset);
                    self.behind = Behind::Lost(work);
                    return Ok(true);
                }
            }
        }
    }

    /// Where in `data` an object begins that can be read by itself.
    fn find(&self, data: &[u8]) -> Next {
        for at in memchr::memchr_iter(b'{', data) {
            let before = at.checked_sub(1);
            let line = self.rows.are_lines() && before.and_then(|b| data.get(b)) == Some(&b'\n');
            match opening(data.get(at..).unwrap_or_default()) {
                Match::Yes(_) if line => return Next::Row(at),
                Match::Yes(key) if self.elements.begins(key) => return Next::Element(at),
                // The end of the line before it is kept.
                Match::More => return Next::Unknown(at.saturating_sub(1)),
                Match::Yes(_) | Match::No => {}
            }
        }
        Next::Unknown(data.len().saturating_sub(1))
    }
}

/// What comes next behind a gap.
enum Next {
    /// A line of rows at this offset.
    Row(usize),
    /// An object that is an element of the list.
    Element(usize),
    /// Neither is there yet: one may begin at this offset.
    Unknown(usize),
}
