//! Objects that a program printed over several lines: JSON and objects of JavaScript behind a word of a log, `{:#?}` of Rust,
//! `var_export` and `var_dump` of PHP.

use super::super::literal;
use super::php;
use crate::content::extract::objects;
use crate::content::{Media, Scope};
use zeroize::Zeroizing;

/// Longest block, bytes, and most lines.
const MAX_BLOCK: usize = 32 << 10;
const MAX_LINES: usize = 600;

/// Lines of an object whose last bracket is not closed yet.
#[derive(Default)]
pub(super) struct Block {
    text: Zeroizing<String>,
    lines: usize,
    depth: i32,
    /// Where the object begins.
    opens: usize,
}

/// What became of a line.
pub(super) enum BlockLine {
    /// It belongs to no object.
    No,
    /// It is kept.
    Kept,
    /// The object has ended.
    Ended,
}

/// How many more brackets a line opens than it closes, outside strings in double quotation marks.
fn depth(line: &str) -> i32 {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for byte in line.bytes() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' | b'(' if !quoted => depth += 1,
            b'}' | b']' | b')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}

impl Block {
    /// Takes a line.
    pub(super) fn line(&mut self, line: &[u8]) -> BlockLine {
        if self.text.is_empty() && !matches!(line.trim_ascii_end(), [.., b'{' | b'[' | b'(']) {
            return BlockLine::No;
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return if self.text.is_empty() { BlockLine::No } else { self.ended(i32::MIN) };
        };
        let more = depth(text);
        if self.text.is_empty() {
            if more <= 0 {
                return BlockLine::No;
            }
            self.depth = 0;
            self.opens = text.trim_end().len() - 1;
        }
        self.text.push_str(text.trim_end_matches('\r'));
        self.text.push('\n');
        self.lines += 1;
        self.ended(more)
    }

    fn ended(&mut self, more: i32) -> BlockLine {
        self.depth = self.depth.saturating_add(more);
        let full = self.lines >= MAX_LINES || self.text.len() >= MAX_BLOCK;
        if self.depth <= 0 || full { BlockLine::Ended } else { BlockLine::Kept }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.text.is_empty()
    }

    /// Reads the object. Returns its lines if it is none.
    pub(super) fn end(&mut self, scope: &mut Scope<'_>) -> Option<Zeroizing<String>> {
        let text = std::mem::take(&mut self.text);
        let whole = self.depth == 0;
        (self.lines, self.depth) = (0, 0);
        (!(whole && read(&text, self.opens, scope))).then_some(text)
    }

    pub(super) fn memory(&self) -> usize {
        self.text.capacity()
    }
}

/// Reads an object whose bracket is at `opens`.
fn read(text: &str, opens: usize, scope: &mut Scope<'_>) -> bool {
    let Some(object) = text.get(opens..) else { return false };
    let inner = object.get(1..).unwrap_or("").trim_start();
    let media = Media::Type { content_type: "application/json", name: "" };
    let json = match object.as_bytes().first() {
        Some(b'{') if inner.starts_with('"') => true,
        Some(b'[') => {
            inner.starts_with('{')
                && inner.get(1..).is_some_and(|i| i.trim_start().starts_with('"'))
        }
        _ => false,
    };
    // What is behind the object is no part of it.
    let end = object.rfind(['}', ']']).map_or(object.len(), |at| at + 1);
    let object = object.get(..end).unwrap_or(object);
    if json && is_json(object.as_bytes()) {
        scope.whole(&media, object.as_bytes());
        return true;
    }
    if let Some(json) = php::json(text) {
        scope.whole(&media, json.as_bytes());
        return true;
    }
    let line = Zeroizing::new(text.replace('\n', " "));
    if objects::read(&line, scope).is_some() {
        return true;
    }
    // `{ method: 'insert', bindings: [ '77' ] }`
    let is_literal = object.starts_with('{')
        && inner.split_once(':').is_some_and(|(name, _)| literal::is_member(name.as_bytes()));
    if !is_literal || object.len() > literal::MAX_LITERAL {
        return false;
    }
    let json = literal::json(object.as_bytes());
    let whole = is_json(&json);
    if whole {
        scope.whole(&media, &json);
    }
    whole
}

/// Whether bytes are JSON from the first to the last: prose between brackets is not.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}
