//! YAML 1.2 as programs write records in it: block and flow collections, plain and quoted scalars, block scalars,
//! several documents. It is read line by line. Anchors, tags and complex keys are passed over, and aliases are
//! ignored.

#[cfg(test)]
mod tests;
mod values;

use self::values::Values;
use super::escapes::Escapes;
use super::hl7v2;
use super::hl7v2::FieldTree;
use crate::content::extract::embedded;
use crate::content::extract::texts::Texts;
use crate::content::extract::tree::Tree;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Longest line, bytes; the rest of a longer one is passed over.
const MAX_LINE: usize = 8 << 10;

/// Longest block or quoted scalar of several lines, bytes.
const MAX_SCALAR: usize = 64 << 10;

/// Levels of nested collections.
const MAX_DEPTH: usize = 64;

/// Lines examined to recognise it.
const MAX_LOOK: usize = 32;

/// YAML.
pub struct Yaml;

impl Format for Yaml {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let text = !head.iter().any(|b| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n'));
        let essence = media::essence(media);
        let open = essence.is_empty()
            || ["text/plain", "application/octet-stream"]
                .iter()
                .any(|t| essence.eq_ignore_ascii_case(t));
        let declared = media::says(media, "yaml", &["yaml", "yml"]);
        text && (declared || (open && is_nested(head)))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        let tree = Values::Tree(Box::new(Tree::new("yaml")));
        Box::new(Reader::new(media::path(media), tree))
    }
}

/// YAML whose keys are fields of HL7 v2.
pub struct Fields;

impl Format for Fields {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], extent: Extent) -> bool {
        hl7v2::has_field_keys(head) && Yaml.probe(media, head, extent)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        Yaml.cost()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader::new(None, Values::Fields(Box::<FieldTree>::default())))
    }
}

/// Whether the first lines begin a document (`---`, `%YAML`) with keys in it, or hold a collection below a key:
/// letters and notes have labels with colons too, but no indented keys below them.
fn is_nested(head: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(head)
        .or_else(|e| std::str::from_utf8(head.get(..e.valid_up_to()).unwrap_or_default()))
    else {
        return false;
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let mut lines = lines.take(MAX_LOOK).peekable();
    let marked = lines.next_if(|l| l.trim_end() == "---" || l.starts_with("%YAML")).is_some();
    let (mut below, mut keys, mut nested) = (None, 0, 0);
    for line in lines {
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        let item = bare.strip_prefix("- ").map(str::trim_start);
        let content = item.unwrap_or(bare);
        if bare.trim_end() == "..." {
            continue;
        }
        let Some((key, value)) = split_key(content).filter(|(key, _)| is_identifier(key)) else {
            // A scalar of several lines or in a list.
            if item.is_none() && !bare.starts_with(['-', '"', '\'', ']', '}']) && indent == 0 {
                return false;
            }
            continue;
        };
        keys += 1;
        let inside = below.is_some_and(|at| indent > at || (indent == at && item.is_some()));
        nested += usize::from(inside);
        below = (value.is_empty() && !key.is_empty()).then_some(indent);
    }
    keys >= 2 && (marked || nested >= 1)
}

/// Whether a key is a name of a program: one word.
fn is_identifier(key: &str) -> bool {
    !key.is_empty() && !key.contains(char::is_whitespace)
}

/// The key at the front of a line, and the text behind its colon.
fn split_key(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let (key, rest) = quoted(text, quote)?;
        let value = rest.trim_start().strip_prefix(':')?;
        return Some((key, value.trim()));
    }
    let at = text.match_indices(':').map(|(at, _)| at).find(|at| {
        text.get(at + 1..).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    })?;
    let (key, value) = text.split_at(at);
    let plain = !key.is_empty() && !key.contains(['{', '[', '"', '#', ',']);
    plain.then(|| (Cow::Borrowed(key.trim_end()), value.get(1..).unwrap_or("").trim()))
}

/// The quoted scalar at the front of `text`, and the text behind it. `None` if it does not end.
fn quoted(text: &str, quote: char) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.get(1..)?;
    let mut chars = inner.char_indices().peekable();
    let mut plain = true;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => {
                plain = false;
                chars.next();
            }
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                plain = false;
                chars.next();
            }
            c if c == quote => {
                let value = inner.get(..at)?;
                let value = if plain { value.into() } else { unquote(value, quote).into() };
                return Some((value, inner.get(at + 1..)?));
            }
            _ => {}
        }
    }
    None
}

/// Escapes of scalars in double quotes (YAML 1.2.2 5.7).
const ESCAPES: Escapes = Escapes {
    letters: &[
        ('0', '\0'),
        ('a', '\u{7}'),
        ('b', '\u{8}'),
        ('t', '\t'),
        ('n', '\n'),
        ('v', '\u{b}'),
        ('f', '\u{c}'),
        ('r', '\r'),
        ('e', '\u{1b}'),
        ('N', '\u{85}'),
        ('_', '\u{a0}'),
        ('L', '\u{2028}'),
        ('P', '\u{2029}'),
    ],
    code_points: &[('x', 2), ('u', 4), ('U', 8)],
};

/// A scalar with the escapes of its quotes resolved.
fn unquote(text: &str, quote: char) -> String {
    if quote == '\'' {
        return text.replace("''", "'");
    }
    ESCAPES.resolve(text)
}

/// An open collection.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Level {
    /// Column of its keys or dashes.
    indent: usize,
    mapping: bool,
}

/// What the following lines continue.
enum Rest {
    Nothing,
    /// A block scalar (`|`, `>`) of lines that are indented by more than this.
    Block {
        indent: usize,
        text: Zeroizing<String>,
    },
    /// A scalar in quotes or a flow collection whose end is on another line.
    Open {
        text: Zeroizing<String>,
    },
}

struct Reader {
    path: Option<Box<str>>,
    tree: Values,
    texts: Texts,
    levels: Vec<Level>,
    line: Zeroizing<Vec<u8>>,
    rest: Rest,
    /// A limit was reached: counted once.
    full: bool,
}

impl Reader {
    fn new(path: Option<Box<str>>, tree: Values) -> Self {
        Self {
            path,
            tree,
            texts: Texts::default(),
            levels: Vec::new(),
            line: Zeroizing::default(),
            rest: Rest::Nothing,
            full: false,
        }
    }

    fn limit(&mut self, scope: &mut Scope<'_>) {
        if !std::mem::replace(&mut self.full, true) {
            scope.give_up(Reason::Limit);
        }
    }

    fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        match &mut self.rest {
            Rest::Block { indent: at, text } if bare.trim().is_empty() || indent > *at => {
                if text.len() + bare.len() < MAX_SCALAR {
                    text.push_str(bare.trim_end());
                    text.push('\n');
                }
                return;
            }
            Rest::Open { text } => {
                if text.len() + bare.len() < MAX_SCALAR {
                    text.push(' ');
                    text.push_str(bare.trim());
                    let text = std::mem::take(text);
                    self.rest = Rest::Nothing;
                    self.scalar(&text, indent, scope);
                } else {
                    self.rest = Rest::Nothing;
                    self.limit(scope);
                }
                return;
            }
            _ => self.end_block(scope),
        }
        let bare = bare.trim_end();
        if bare.is_empty() || bare.starts_with('#') || (indent == 0 && bare.starts_with('%')) {
            return;
        }
        if indent == 0 && (bare == "---" || bare == "..." || bare.starts_with("--- ")) {
            self.end_document(scope);
            return;
        }
        self.content(bare, indent, scope);
    }

    /// Reads the text at column `indent`: nested list items, then a key or a scalar.
    fn content(&mut self, mut bare: &str, mut indent: usize, scope: &mut Scope<'_>) {
        while bare == "-" || bare.starts_with("- ") {
            self.close_to(indent, false, scope);
            if !self.enter(indent, false, scope) {
                return;
            }
            let behind = bare.get(1..).unwrap_or("");
            let inner = behind.trim_start();
            indent += 1 + behind.len() - inner.len();
            bare = inner;
            if bare.is_empty() {
                return;
            }
        }
        match split_key(bare) {
            Some((key, value)) => {
                self.close_to(indent, true, scope);
                if !self.enter(indent, true, scope) {
                    return;
                }
                self.tree.key(&key, scope);
                self.scalar(value, indent, scope);
            }
            None if self.levels.last().is_some_and(|level| !level.mapping) => {
                self.scalar(bare, indent, scope);
            }
            // Continues the scalar of the previous line.
            None => {}
        }
    }

    /// Opens a collection at this column, unless one of its kind is open there.
    fn enter(&mut self, indent: usize, mapping: bool, scope: &mut Scope<'_>) -> bool {
        let level = Level { indent, mapping };
        if self.levels.last() == Some(&level) {
            return true;
        }
        if self.levels.len() >= MAX_DEPTH {
            self.limit(scope);
            return false;
        }
        self.texts.begin(scope);
        self.tree.open(mapping);
        self.levels.push(level);
        true
    }

    /// Closes collections indented by more than `indent`, and a list in the column of the key that follows it.
    fn close_to(&mut self, indent: usize, mapping: bool, scope: &mut Scope<'_>) {
        while let Some(last) = self.levels.last() {
            // List items may be in the column of their key.
            let list = mapping && !last.mapping && last.indent == indent;
            // A second item: the mapping in the first has ended.
            if last.indent > indent || list {
                self.levels.pop();
                self.tree.close(scope);
            } else {
                return;
            }
        }
    }

    /// The value behind a key or a dash, or nothing where a collection follows.
    fn scalar(&mut self, text: &str, indent: usize, scope: &mut Scope<'_>) {
        let text = properties(text);
        let whole = |text: &str| Zeroizing::new(text.to_owned());
        match text.chars().next() {
            None | Some('#') => {}
            Some('|' | '>') => self.rest = Rest::Block { indent, text: Zeroizing::default() },
            Some('*') => self.tree.null(),
            Some(quote @ ('"' | '\'')) => match quoted(text, quote) {
                Some((value, _)) => self.value(&value, scope),
                None => self.rest = Rest::Open { text: whole(text) },
            },
            Some('{' | '[') => match flow_len(text) {
                Some(len) => {
                    let mut depth = self.levels.len();
                    self.flow(text.get(..len).unwrap_or(text), &mut depth, scope);
                }
                None => self.rest = Rest::Open { text: whole(text) },
            },
            Some(_) => {
                let end = text.find(" #").unwrap_or(text.len());
                let plain = text.get(..end).unwrap_or(text).trim_end();
                match plain {
                    "~" | "null" | "Null" | "NULL" => self.tree.null(),
                    _ => self.value(plain, scope),
                }
            }
        }
    }

    fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        if let Some(mut message) = embedded::message(text.as_bytes()) {
            message.data(text.as_bytes(), scope);
            message.end(Ending::Complete, scope);
            return;
        }
        if self.tree.wants() {
            self.texts.text(text, scope);
            self.tree.value(text, scope);
        } else {
            self.texts.text(text, scope);
            self.tree.number(text, scope);
        }
    }

    /// A complete flow collection: `{name: Jane Roe, ids: [H-77]}`.
    fn flow(&mut self, text: &str, depth: &mut usize, scope: &mut Scope<'_>) {
        let mut rest = text;
        let mut open: Vec<bool> = Vec::new();
        let mut named = false;
        while let Some(c) = rest.chars().next() {
            match c {
                '{' | '[' => {
                    if *depth + open.len() >= MAX_DEPTH {
                        self.limit(scope);
                        break;
                    }
                    self.texts.begin(scope);
                    self.tree.open(c == '{');
                    open.push(c == '{');
                    named = false;
                    rest = rest.get(1..).unwrap_or("");
                }
                '}' | ']' => {
                    if open.pop().is_some() {
                        self.tree.close(scope);
                    }
                    rest = rest.get(1..).unwrap_or("");
                }
                ',' => {
                    named = false;
                    rest = rest.get(1..).unwrap_or("");
                }
                ':' if named => rest = rest.get(1..).unwrap_or(""),
                c if c.is_whitespace() => rest = rest.trim_start(),
                _ => {
                    let (token, after) = flow_scalar(rest);
                    rest = after;
                    let key = !named && open.last() == Some(&true);
                    if key {
                        self.tree.key(&token, scope);
                        named = true;
                    } else if !token.is_empty() {
                        self.value(&token, scope);
                    }
                    if after.len() == text.len() {
                        break;
                    }
                }
            }
        }
        for _ in open {
            self.tree.close(scope);
        }
    }

    fn end_block(&mut self, scope: &mut Scope<'_>) {
        if let Rest::Block { text, .. } = std::mem::replace(&mut self.rest, Rest::Nothing) {
            self.value(text.trim_end(), scope);
        }
    }

    fn end_document(&mut self, scope: &mut Scope<'_>) {
        self.rest = Rest::Nothing;
        while self.levels.pop().is_some() {
            self.tree.close(scope);
        }
        self.texts.end("yaml", self.tree.around(), scope);
    }

    fn end_line(&mut self, piece: &[u8], scope: &mut Scope<'_>) {
        let mut line = std::mem::take(&mut self.line);
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend_from_slice(piece.get(..room).unwrap_or(piece));
        let text = String::from_utf8_lossy(&line);
        self.line(text.strip_suffix('\r').unwrap_or(&text), scope);
        line.clear();
        self.line = line;
    }
}

/// The text behind an anchor and a tag (YAML 1.2.2 6.9).
fn properties(mut text: &str) -> &str {
    while text.starts_with(['&', '!']) {
        text = text.split_once(' ').map_or("", |(_, rest)| rest.trim_start());
    }
    text
}

/// The end of the flow collection at the front of `text`. `None` if it is incomplete.
fn flow_len(text: &str) -> Option<usize> {
    let mut depth = 0u32;
    let mut quote: Option<u8> = None;
    let mut escape = false;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if std::mem::take(&mut escape) => {}
            (Some(b'"'), b'\\') => escape = true,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The scalar at the front of `text` inside a flow collection, and the text behind it.
fn flow_scalar(text: &str) -> (Cow<'_, str>, &str) {
    if let Some(quote @ ('"' | '\'')) = text.chars().next()
        && let Some((value, rest)) = quoted(text, quote)
    {
        return (value, rest);
    }
    let end = text.char_indices().skip(1).find(|(at, c)| match c {
        ',' | '}' | ']' => true,
        ':' => text.get(at + 1..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' ')),
        _ => false,
    });
    let (value, rest) = text.split_at(end.map_or(text.len(), |(at, _)| at));
    (Cow::Borrowed(value.trim()), rest)
}

impl Document for Reader {
    fn data(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.tree.set_path(&path, scope);
        }
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.end_line(bytes.get(..end).unwrap_or_default(), scope);
            bytes = bytes.get(end + 1..).unwrap_or_default();
        }
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.end_line(&[], scope);
            self.end_block(scope);
        }
        self.end_document(scope);
        self.tree.finish(scope);
    }

    fn memory(&self) -> usize {
        let rest = match &self.rest {
            Rest::Nothing => 0,
            Rest::Block { text, .. } | Rest::Open { text } => text.capacity(),
        };
        self.line.capacity() + rest + self.tree.memory() + self.texts.memory()
    }
}
