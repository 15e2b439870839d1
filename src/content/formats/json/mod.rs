//! JSON: FHIR resources, DICOM data sets (PS3.18 annex F), and any other objects.

mod gap;
mod lenient;
mod rows;
mod statements;
pub mod tokens;

use super::{graphql, jws};
use crate::content::extract::embedded;
use crate::content::extract::objects;
use crate::content::extract::signs::{SEPARATOR, Signs};
use crate::content::extract::texts::Texts;
use crate::content::extract::tree::Tree;
use crate::content::formats::html;
use crate::content::formats::shown_messages::ShownMessages;
use crate::content::stack::{media, transfer_encoding};
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};
use crate::syntax::ncpdp::{SEGMENT, begins};
use gap::{Behind, Elements};
use lenient::Lenient;
use rows::Rows;
use statements::Statements;
use tokens::{Fault, Receiver, Tokens};

/// Whether a payload may be JSON and is not declared as FHIR.
pub fn is_plain_json(media: &Media<'_>, head: &[u8]) -> bool {
    let declared = matches!(media, Media::Unknown)
        || matches!(media, Media::Type { .. }) && !media::says(media, "fhir", &[]);
    let begins = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    declared && matches!(begins, [b'{' | b'[', ..])
}

/// Whether the first string behind brackets is one of another language (`[['H', None]]`).
fn is_quoted_singly(rest: &[u8]) -> bool {
    let first = rest.iter().find(|b| **b != b'[' && !b.is_ascii_whitespace());
    first.is_some_and(|b| matches!(*b, b'\'' | b'u' | b'('))
}

/// JSON, and rows of it (NDJSON).
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn first(&self) -> &'static [u8] {
        b"{[/"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let Some((&first, rest)) = head.split_first() else { return false };
        let next = rest.trim_ascii_start().first();
        match first {
            // If declared as JSON, any possible beginning is accepted.
            b'{' | b'[' | 0x1e
                if media::says(media, "json", &["json", "ndjson", "jsonl"])
                    || media::says(media, "json5", &["json5", "jsonc"]) =>
            {
                true
            }
            // A comment in front of it (JSON5).
            b'/' => {
                matches!(next, Some(b'/' | b'*')) && media::says(media, "json", &["json", "json5"])
            }
            b'{' => matches!(next, Some(b'"' | b'}' | b'\'')),
            b'[' => matches!(next, Some(b'{' | b'[' | b'"' | b']')) && !is_quoted_singly(rest),
            _ => false,
        }
    }

    fn is_hasty(&self) -> bool {
        true
    }

    fn at_once(&self, media: &Media<'_>, head: &[u8]) -> bool {
        // One line is one record: it need not wait for the next.
        let names = ["ndjson", "jsonl", "jsonlines", "seq"];
        matches!(head.trim_ascii_start(), [b'{' | b'[' | 0x1e, ..])
            && media::has_word(media, &names)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        let claims = media::essence(media) == jws::CLAIMS;
        Box::new(JsonDocument {
            tokens: Tokens::default(),
            tree: if claims { Tree::of_claims() } else { Tree::new("json") },
            path: media::path(media),
            inner: None,
            list: None,
            texts: Texts::default(),
            form: Form::default(),
            statements: Statements::default(),
            rows: Rows::default(),
            chunks: jws::Chunks::default(),
            elements: Elements::default(),
            behind: Behind::default(),
            lenient: Lenient::default(),
        })
    }
}

struct JsonDocument {
    tokens: Tokens,
    tree: Tree,
    /// The request target, until its meaning is known.
    path: Option<Box<str>>,
    /// The current document in a string.
    inner: Option<Nested>,
    list: Option<List>,
    /// Running text.
    texts: Texts,
    form: Form,
    statements: Statements,
    rows: Rows,
    chunks: jws::Chunks,
    elements: Elements,
    behind: Behind,
    lenient: Lenient,
}

/// A message whose records or lines are the strings of a list.
struct List {
    reader: ListReader,
    /// Open objects and arrays around its strings.
    depth: u32,
    /// The current string is one of them.
    inside: bool,
}

/// Reads the strings of a list.
enum ListReader {
    Plain(Nested),
    /// Frames of an analyser, and the line at hand.
    Framed(ShownMessages, zeroize::Zeroizing<Vec<u8>>),
}

impl ListReader {
    fn new(front: &[u8]) -> Self {
        if embedded::is_framed(front) {
            return Self::Framed(ShownMessages::default(), zeroize::Zeroizing::default());
        }
        Self::Plain(Nested::new(&Media::Unknown))
    }

    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        match self {
            Self::Plain(nested) => {
                nested.data(bytes, scope);
            }
            Self::Framed(shown, line) => {
                for piece in bytes.split_inclusive(|b| *b == b'\n') {
                    let room = tokens::MAX_PROSE.saturating_sub(line.len());
                    line.extend_from_slice(piece.get(..room).unwrap_or(piece));
                    if piece.ends_with(b"\n") {
                        shown.line(line, true, scope);
                        line.clear();
                    }
                }
            }
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        match self {
            Self::Plain(nested) => nested.end(ending, scope),
            Self::Framed(shown, line) => {
                shown.line(line, true, scope);
                shown.end(ending, scope);
            }
        }
    }

    fn memory(&self) -> usize {
        match self {
            Self::Plain(nested) => nested.memory(),
            Self::Framed(shown, line) => shown.memory() + line.capacity(),
        }
    }
}

/// Position of the next value in a form (FHIR R4, QuestionnaireResponse.item).
#[derive(Default)]
struct Form {
    depth: u32,
    /// The next value is a question or an answer.
    next: Next,
    /// The question whose answer may follow.
    question: zeroize::Zeroizing<String>,
    /// The question has a text, which outweighs its link id.
    worded: bool,
    /// Its answers are here.
    answers: bool,
    /// The next value may be a GraphQL request.
    request: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    #[default]
    Other,
    Question,
    Link,
    Answer,
}

impl Form {
    fn key(&mut self, key: &str) {
        self.request = matches!(key, "query" | "mutation");
        self.next = match key {
            "text" => Next::Question,
            "answer" => {
                self.answers = true;
                Next::Other
            }
            "linkId" => {
                self.answers = false;
                Next::Link
            }
            _ if self.answers && key.starts_with("value") => Next::Answer,
            _ => Next::Other,
        };
    }
}

struct Reader<'a, 'b> {
    tree: &'a mut Tree,
    inner: &'a mut Option<Nested>,
    list: &'a mut Option<List>,
    texts: &'a mut Texts,
    form: &'a mut Form,
    statements: &'a mut Statements,
    chunks: &'a mut jws::Chunks,
    elements: &'a mut Elements,
    scope: &'a mut Scope<'b>,
}

/// Base64 of the beginnings of documents: `%PDF-`, ZIP, gzip, `<?xml`, `MSH|`, JPEG, PNG, `{\rt`, `<!DO`, `<htm`,
/// `<Cli`, the preamble of DICOM files, and JSON with a key (`{"`).
const BASE64: [&[u8]; 14] = [
    b"JVBERi0",
    b"UEsDBB",
    b"H4sIA",
    b"PD94bW",
    b"TVNIf",
    b"/9j/4",
    b"iVBORw0",
    b"e1xydG",
    b"PCFET0",
    b"PGh0bW",
    b"PENsaW",
    b"eyJ",
    b"AAAAAAAA",
    b"SUkqA",
];

/// Beginnings of interchanges (X12.5, ISO 9735) with the usual delimiters.
const INTERCHANGES: [&[u8]; 6] = [b"ISA*", b"ISA|", b"ISA^", b"UNA:+", b"UNB+UN", b"UIB+UN"];

/// A text without the quotation marks with which Python shows it (`repr`), as in the variables that Sentry collects.
fn unquoted(text: &str) -> &str {
    let inner = || text.strip_prefix('\'')?.strip_suffix('\'');
    inner().filter(|inner| !inner.is_empty() && !inner.contains('\'')).unwrap_or(text)
}

/// Whether a member has one of these names, in any case.
pub fn is_among(list: &[&str], key: &str) -> bool {
    list.iter().any(|name| name.eq_ignore_ascii_case(key))
}

/// The reader of a string with this beginning.
fn inner(front: &[u8]) -> Option<Nested> {
    if let Some(nested) = embedded::message(front) {
        return Some(nested);
    }
    let text = front.trim_ascii_start();
    let document = match text {
        [b'{', next, ..] => matches!(next, b'"' | b' ' | b'\n' | b'\r' | b'\\'),
        [b'[', next, ..] => matches!(next, b'{' | b'[' | b' ' | b'\n' | b'\r'),
        // The narrative of a resource is read if the resource itself names no person.
        [b'<', ..] if html::is_fragment(text) => false,
        [b'<', next, ..] => next.is_ascii_alphabetic() || matches!(next, b'?' | b'!'),
        _ => INTERCHANGES.iter().any(|front| text.starts_with(front)),
    };
    if document {
        let element = embedded::is_element(text);
        return Some(Nested::new(if element { &embedded::XML } else { &Media::Unknown }));
    }
    let element = embedded::is_encoded_element(text);
    let known = BASE64.iter().any(|b| text.starts_with(b)) || embedded::is_measured_gzip(text);
    let media = if element { &embedded::XML } else { &Media::Unknown };
    (known || element).then(|| transfer_encoding::undo("base64", media))
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        self.texts.begin(self.scope);
        self.elements.open(object);
        self.statements.open(self.form.depth);
        self.form.depth += 1;
        self.form.worded &= !object || self.form.answers;
        self.tree.open(object);
    }
    fn close(&mut self) {
        if self.list.as_ref().is_some_and(|list| list.depth == self.form.depth) {
            self.end_list();
        }
        self.tree.close(self.scope);
        self.elements.close();
        self.form.depth = self.form.depth.saturating_sub(1);
        self.statements.close(self.form.depth, self.scope);
        if self.form.depth == 0 {
            *self.form = Form::default();
            self.texts.end("json", self.tree.around, self.scope);
        }
    }
    fn key(&mut self, key: &str) {
        // An attribute, as some programs write XML in JSON (fast-xml-parser).
        let key = key.strip_prefix("@_").unwrap_or(key);
        self.form.key(key);
        self.statements.key(key, self.form.depth);
        self.elements.key(key);
        self.tree.key(key, self.scope);
    }
    fn wants(&mut self) -> bool {
        self.tree.wants() || self.form.next == Next::Link || self.statements.wants()
    }
    fn value(&mut self, text: &str) {
        let text = unquoted(text);
        let signs = Signs::of(text);
        if self.token(text, signs) || self.of_program(text) {
            return;
        }
        match self.form.next {
            Next::Question => {
                *self.form.question = text.to_owned();
                self.form.worded = true;
            }
            Next::Link if !self.form.worded => *self.form.question = text.to_owned(),
            Next::Answer if !self.form.question.is_empty() => {
                self.texts.answer(&self.form.question, text);
                self.form.worded = false;
            }
            _ => {}
        }
        self.texts.signed(text, signs, self.scope);
        self.tree.value(text, self.scope);
    }
    fn passed(&mut self) {
        self.tree.passed();
    }
    fn number(&mut self, text: &str) {
        self.statements.value(Some(text));
        self.tree.number(text, self.scope);
    }
    fn prose(&mut self, text: &str) {
        let signs = Signs::of(text);
        if self.token(text, signs) || self.of_program(text) {
            return;
        }
        self.texts.signed(text, signs, self.scope);
        self.tree.passed();
    }
    fn null(&mut self) {
        self.statements.value(None);
        self.tree.null();
    }
    fn inner_begin(&mut self, front: &[u8]) -> bool {
        let depth = self.form.depth;
        if let Some(list) = self.list.as_mut().filter(|list| list.depth == depth) {
            list.inside = embedded::continues_list(front);
            if list.inside {
                return true;
            }
            self.end_list();
        }
        if embedded::begins_list(front) {
            let reader = ListReader::new(front);
            *self.list = Some(List { reader, depth, inside: true });
            return true;
        }
        if self.statements.begin(front) {
            return true;
        }
        *self.inner = if self.form.request && graphql::begins(front) {
            Some(Nested::new(&Media::Unknown))
        } else {
            inner(front)
        };
        self.inner.is_some()
    }
    fn inner(&mut self, bytes: &[u8]) {
        if let Some(list) = self.list.as_mut().filter(|list| list.inside) {
            list.reader.data(bytes, self.scope);
            return;
        }
        if self.statements.data(bytes) {
            return;
        }
        if let Some(inner) = self.inner
            && inner.data(bytes, self.scope) == Want::NOTHING
        {
            *self.inner = None;
        }
    }
    fn inner_end(&mut self) {
        if let Some(list) = self.list.as_mut().filter(|list| list.inside) {
            list.reader.data(b"\r\n", self.scope);
            list.inside = false;
            return;
        }
        if let Some(text) = self.statements.end_text(self.form.depth, self.scope) {
            // It only began like one.
            let text = String::from_utf8_lossy(&text);
            self.texts.signed(&text, Signs::of(&text), self.scope);
        }
        if let Some(mut inner) = self.inner.take() {
            inner.end(Ending::Complete, self.scope);
        }
    }
}

impl Reader<'_, '_> {
    /// Takes a string that is a statement of SQL, one of its values, or an object that a program printed.
    fn of_program(&mut self, text: &str) -> bool {
        let printed = text.ends_with([')', ']', '}', '>']);
        let taken = self.statements.value(Some(text))
            || self.statements.statement(text, self.form.depth, self.scope)
            || printed && objects::read(text, self.scope).is_some();
        if taken {
            self.tree.passed();
        }
        taken
    }

    fn end_list(&mut self) {
        if let Some(mut list) = self.list.take() {
            list.reader.end(Ending::Complete, self.scope);
        }
    }

    /// Reads a string that is a claim of NCPDP, a token, or a part of one.
    fn token(&mut self, text: &str, signs: Signs) -> bool {
        let claim = || {
            let bytes = text.as_bytes();
            memchr::memchr(SEGMENT, bytes).is_some() && begins(bytes).is_yes()
        };
        if signs.may(SEPARATOR) && claim() {
            self.scope.whole(&Media::Unknown, text.as_bytes());
            self.tree.passed();
            return true;
        }
        // Of tokens, of health cards.
        if !matches!(text.as_bytes(), [b'e' | b's', ..]) {
            return false;
        }
        let token = jws::is_token(text);
        if token {
            jws::read(text, self.scope);
        } else if !self.chunks.take(text, self.scope) {
            return false;
        }
        self.tree.passed();
        true
    }
}

impl JsonDocument {
    /// The tokeniser, and the reader of its tokens.
    fn reader<'a, 'b>(&'a mut self, scope: &'a mut Scope<'b>) -> (&'a mut Tokens, Reader<'a, 'b>) {
        let reader = Reader {
            tree: &mut self.tree,
            inner: &mut self.inner,
            list: &mut self.list,
            texts: &mut self.texts,
            form: &mut self.form,
            statements: &mut self.statements,
            chunks: &mut self.chunks,
            elements: &mut self.elements,
            scope,
        };
        (&mut self.tokens, reader)
    }

    /// Documents in strings end where they are.
    fn end_strings(&mut self, scope: &mut Scope<'_>) {
        if let Some(mut list) = self.list.take() {
            list.reader.end(Ending::Cut, scope);
        }
        if let Some(mut inner) = self.inner.take() {
            inner.end(Ending::Cut, scope);
        }
    }

    /// Reads bytes as they come.
    fn read(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Result<(), Fault> {
        let (tokens, mut reader) = self.reader(scope);
        tokens.read(bytes, &mut reader)
    }
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.tree.set_path(&path, scope);
        }
        let Ok(bytes) = self.lenient.take(bytes) else {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        };
        let bytes = bytes.as_ref();
        if bytes.is_empty() {
            return Want::ALL;
        }
        let read = match self.read_behind(bytes, scope) {
            Ok(false) => self.by_rows(bytes, scope),
            read => read.map(|_| ()),
        };
        tokens::want_after(read, scope)
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        // The part of a literal in front of the gap.
        drop(self.lenient.end());
        self.lose(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let kept = self.lenient.end();
        if !kept.is_empty()
            && let Err(fault) = self.read(&kept, scope)
        {
            scope.give_up(fault.into());
        }
        if let Err(fault) = self.end_rows(scope) {
            scope.give_up(fault.into());
        }
        let (tokens, mut reader) = self.reader(scope);
        tokens.finish(&mut reader);
        self.end_strings(scope);
        self.statements.end(scope);
        self.tree.finish(scope);
        self.texts.end("json", self.tree.around, scope);
    }

    fn memory(&self) -> usize {
        let inner = self.inner.as_ref().map_or(0, Nested::memory);
        self.tokens.memory()
            + self.tree.memory()
            + self.texts.memory()
            + self.rows.memory()
            + self.statements.memory()
            + self.elements.memory()
            + self.behind.memory()
            + self.lenient.memory()
            + inner
            + self.list.as_ref().map_or(0, |list| list.reader.memory())
            + self.chunks.memory()
    }
}

#[cfg(test)]
mod tests;
