//! Turtle, RDF as text (<https://www.w3.org/TR/turtle/>): FHIR resources in their RDF form (FHIR R4 and R5 2.6.3), and subjects
//! of other vocabularies. Objects in brackets are read like those of JSON, under the last word of their predicate.

use super::escapes::Escapes;
use crate::content::extract::texts::Texts;
use crate::content::extract::tree::Tree;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Longest literal or name, bytes.
const MAX_TOKEN: usize = 256 << 10;

/// Levels of nested objects.
const MAX_DEPTH: usize = 64;

/// Turtle.
pub struct Turtle;

impl Format for Turtle {
    fn name(&self) -> &'static str {
        "turtle"
    }

    fn first(&self) -> &'static [u8] {
        b"@<#P"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let mut head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        while head.starts_with(b"#") {
            let end = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
            head = head.get(end..).unwrap_or_default().trim_ascii_start();
        }
        let directive =
            [&b"@prefix "[..], b"@base ", b"PREFIX "].iter().any(|d| head.starts_with(d));
        directive || (media::says(media, "turtle", &["ttl"]) && head.starts_with(b"<"))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader {
            pending: Zeroizing::default(),
            enough: 0,
            graph: Graph {
                tree: Tree::new("turtle"),
                texts: Texts::default(),
                levels: Vec::new(),
                next: Next::Subject,
            },
            path: media::path(media),
            failed: false,
        })
    }
}

/// A piece of the text.
#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// `[`, `]`, `(`, `)`, `;`, `,`, `.`.
    Sign(u8),
    /// A name, a number or a keyword.
    Word(&'a str),
    /// An address between `<` and `>`.
    Address(&'a str),
    Literal(Cow<'a, str>),
}

/// The token at the front of `text`, and its length including leading blanks; `None` if more text is needed.
fn token(text: &str, last: bool) -> Option<(Token<'_>, usize)> {
    let mut rest = text.trim_start();
    while rest.starts_with('#') {
        let end = rest.find('\n')?;
        rest = rest.get(end..)?.trim_start();
    }
    let at = text.len() - rest.len();
    let first = *rest.as_bytes().first()?;
    match first {
        b'[' | b']' | b'(' | b')' | b';' | b',' | b'.' => Some((Token::Sign(first), at + 1)),
        b'<' => {
            let end = rest.find('>')?;
            Some((Token::Address(rest.get(1..end)?), at + end + 1))
        }
        b'"' | b'\'' => {
            let (literal, len) = literal(rest, first)?;
            Some((Token::Literal(literal), at + len))
        }
        _ => {
            let ends = |c: char| c.is_whitespace() || "[]();,\"'<>#".contains(c);
            let end = match rest.find(ends) {
                Some(end) => end.max(1),
                None if last => rest.len(),
                None => return None,
            };
            let mut end =
                rest.char_indices().map(|(i, _)| i).find(|i| *i >= end).unwrap_or(rest.len());
            // A point at the end of a name is that of the statement.
            let word = rest.get(..end)?;
            let bare = word.trim_end_matches('.');
            if bare.len() < word.len() && !bare.is_empty() {
                end = bare.len();
            }
            Some((Token::Word(rest.get(..end)?), at + end))
        }
    }
}

/// The string at the front of `text`, in one or three quotes, and its length.
fn literal(text: &str, quote: u8) -> Option<(Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    let long = bytes.get(1) == Some(&quote) && bytes.get(2) == Some(&quote);
    // Two quotes may be an empty string or the beginning of three.
    if bytes.get(1) == Some(&quote) && bytes.len() < 3 {
        return None;
    }
    let width = if long { 3 } else { 1 };
    let mut at = width;
    let mut escaped = false;
    loop {
        let byte = *bytes.get(at)?;
        if byte == b'\\' {
            escaped = true;
            at += 2;
            continue;
        }
        let closes = byte == quote && (!long || bytes.get(at..at + 3)?.iter().all(|b| *b == quote));
        if closes {
            break;
        }
        at += 1;
    }
    let inner = text.get(width..at)?;
    let value = if escaped { Cow::Owned(ESCAPES.resolve(inner)) } else { Cow::Borrowed(inner) };
    Some((value, at + width))
}

/// Escapes of strings (Turtle 6.4, ECHAR and UCHAR).
const ESCAPES: Escapes = Escapes {
    letters: &[('t', '\t'), ('b', '\u{8}'), ('n', '\n'), ('r', '\r'), ('f', '\u{c}')],
    code_points: &[('u', 4), ('U', 8)],
};

/// The last word of a name or an address: `fhir:Patient.birthDate` is `birthDate`.
fn term(name: &str) -> &str {
    name.rsplit(['#', '/', ':', '.']).next().unwrap_or(name)
}

/// The part of a statement that comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Subject,
    Predicate,
    Object,
    /// The object ended: another one, or a predicate.
    Behind,
    /// The rest of a directive.
    Directive,
    DirectiveAddress,
}

/// An open object.
struct Level {
    /// Its name.
    name: Box<str>,
    /// The predicate of the next object.
    predicate: Box<str>,
    /// It holds more than a single value.
    open: bool,
    /// Open lists in it.
    lists: u32,
}

struct Reader {
    pending: Zeroizing<Vec<u8>>,
    /// Number of bytes with which the next token may be complete.
    enough: usize,
    graph: Graph,
    path: Option<Box<str>>,
    failed: bool,
}

struct Graph {
    tree: Tree,
    texts: Texts,
    levels: Vec<Level>,
    next: Next,
}

impl Graph {
    /// Takes a token; false if objects are nested too deeply.
    fn take(&mut self, token: &Token<'_>, scope: &mut Scope<'_>) -> bool {
        match (self.next, token) {
            (Next::Directive, Token::Sign(b'.')) | (Next::DirectiveAddress, Token::Address(_)) => {
                self.next = Next::Subject;
            }
            (Next::Directive | Next::DirectiveAddress, _) => {}
            (Next::Subject, Token::Word("@prefix" | "@base")) => self.next = Next::Directive,
            (Next::Subject, Token::Word("PREFIX" | "BASE" | "prefix" | "base")) => {
                self.next = Next::DirectiveAddress;
            }
            (Next::Subject, Token::Word(_) | Token::Address(_)) => {
                self.begin_subject(scope);
                self.next = Next::Predicate;
            }
            (Next::Subject, Token::Sign(b'[')) => {
                self.begin_subject(scope);
                self.next = Next::Predicate;
            }
            (Next::Subject, _) => {}
            (_, Token::Sign(b'.')) => self.end_subject(scope),
            (_, Token::Sign(b']')) => {
                self.close(scope);
                self.next = Next::Behind;
            }
            (Next::Predicate, Token::Word(word)) => self.predicate(word),
            (Next::Predicate, Token::Address(address)) => self.predicate(address),
            (_, Token::Sign(b';')) => self.next = Next::Predicate,
            (_, Token::Sign(b',')) => self.next = Next::Object,
            (Next::Object | Next::Behind, Token::Sign(b'(')) => {
                if let Some(level) = self.levels.last_mut() {
                    level.lists += 1;
                }
                self.next = Next::Object;
            }
            (Next::Object | Next::Behind, Token::Sign(b')')) => {
                if let Some(level) = self.levels.last_mut() {
                    level.lists = level.lists.saturating_sub(1);
                }
                self.next = Next::Behind;
            }
            (_, Token::Sign(b'[')) => return self.begin_object(scope),
            (Next::Object, Token::Literal(text)) => self.literal(text, scope),
            (Next::Object, Token::Word(word) | Token::Address(word)) => self.reference(word, scope),
            // In a list, one object follows another.
            (Next::Behind, Token::Literal(text)) if self.in_list() => self.literal(text, scope),
            _ => {}
        }
        true
    }

    fn in_list(&self) -> bool {
        self.levels.last().is_some_and(|level| level.lists > 0)
    }

    fn begin_subject(&mut self, scope: &mut Scope<'_>) {
        self.end_subject(scope);
        self.texts.begin(scope);
        self.tree.open(true);
        let level = Level { name: "".into(), predicate: "".into(), open: true, lists: 0 };
        self.levels.push(level);
    }

    fn end_subject(&mut self, scope: &mut Scope<'_>) {
        while !self.levels.is_empty() {
            self.close(scope);
        }
        self.texts.end("turtle", self.tree.around, scope);
        self.next = Next::Subject;
    }

    fn predicate(&mut self, name: &str) {
        let own = match name {
            "a" => "@type",
            name => term(name),
        };
        if let Some(level) = self.levels.last_mut() {
            level.predicate = own.into();
        }
        self.next = Next::Object;
    }

    fn begin_object(&mut self, scope: &mut Scope<'_>) -> bool {
        if self.levels.len() >= MAX_DEPTH {
            return false;
        }
        let Some(level) = self.levels.last() else { return true };
        let name = level.predicate.clone();
        self.open_levels(scope);
        self.levels.push(Level { name, predicate: "".into(), open: false, lists: 0 });
        self.next = Next::Predicate;
        true
    }

    /// The innermost object holds more than a value, so it is an object of the document.
    fn open_levels(&mut self, scope: &mut Scope<'_>) {
        if let Some(level) = self.levels.last_mut().filter(|level| !level.open) {
            level.open = true;
            let name = level.name.clone();
            self.tree.key(&name, scope);
            self.tree.open(true);
        }
    }

    /// The innermost object ends.
    fn close(&mut self, scope: &mut Scope<'_>) {
        if self.levels.pop().is_some_and(|level| level.open) {
            self.tree.close(scope);
        }
    }

    fn literal(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.next = Next::Behind;
        let Some(level) = self.levels.last() else { return };
        // `fhir:birthDate [ fhir:v "1970-01-31" ]`: the value of the object itself.
        let own = !level.open && matches!(&*level.predicate, "value" | "v");
        let name = if own { level.name.clone() } else { level.predicate.clone() };
        if !own {
            self.open_levels(scope);
        }
        self.value(&name, text, scope);
    }

    fn reference(&mut self, name: &str, scope: &mut Scope<'_>) {
        self.next = Next::Behind;
        let Some(level) = self.levels.last() else { return };
        if &*level.predicate != "@type" {
            return;
        }
        let resource = level.levels_resource() && !name.contains("Coding");
        let key = match resource && name.contains("fhir") {
            true => "resourceType",
            false => "@type",
        };
        if resource {
            self.open_levels(scope);
            self.value(key, term(name), scope);
        }
    }

    fn value(&mut self, name: &str, text: &str, scope: &mut Scope<'_>) {
        self.tree.key(name, scope);
        self.texts.text(text, scope);
        if self.tree.wants() {
            self.tree.value(text, scope);
        } else {
            self.tree.number(text, scope);
        }
    }
}

impl Level {
    /// Whether it may be a resource: a subject, or an object with one.
    fn levels_resource(&self) -> bool {
        matches!(&*self.name, "" | "contained" | "resource")
    }
}

impl Reader {
    fn read(&mut self, last: bool, scope: &mut Scope<'_>) {
        let pending = std::mem::take(&mut self.pending);
        let text = match std::str::from_utf8(&pending) {
            Ok(text) => Cow::Borrowed(text),
            // The last token may continue in the next piece.
            Err(e) if e.error_len().is_none() && !last => {
                String::from_utf8_lossy(pending.get(..e.valid_up_to()).unwrap_or_default())
            }
            Err(_) => String::from_utf8_lossy(&pending),
        };
        let mut at = 0;
        while !self.failed
            && let Some((token, len)) = token(text.get(at..).unwrap_or(""), last)
        {
            self.failed = !self.graph.take(&token, scope);
            at += len;
        }
        let rest = match &text {
            Cow::Borrowed(_) => pending.get(at..).unwrap_or_default(),
            Cow::Owned(text) => text.as_bytes().get(at..).unwrap_or_default(),
        };
        self.failed |= rest.len() > MAX_TOKEN;
        // Bytes without a result are examined again only when they have doubled.
        self.enough = rest.len() * 2;
        self.pending = Zeroizing::new(rest.to_vec());
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.graph.tree.set_path(&path, scope);
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > self.enough {
            self.read(false, scope);
        }
        if self.failed {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if !self.failed {
            self.read(true, scope);
        }
        self.graph.end_subject(scope);
        self.graph.tree.finish(scope);
    }

    fn memory(&self) -> usize {
        self.pending.capacity() + self.graph.tree.memory() + self.graph.texts.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const HEAD: &str = "@prefix fhir: <http://hl7.org/fhir/> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n";

    fn read(body: &str) -> Vec<String> {
        records("text/turtle", format!("{HEAD}{body}").as_bytes())
    }

    #[test]
    fn resources_of_both_versions() {
        let r4 = r#"<http://x/Patient/1> a fhir:Patient ; fhir:nodeRole fhir:treeRoot ;
            fhir:Patient.identifier [ fhir:index 0 ; fhir:Identifier.system [ fhir:value "urn:oid:1.2" ] ; fhir:Identifier.value [ fhir:value "H-77" ] ] ;
            fhir:Patient.name [ fhir:index 0 ; fhir:HumanName.family [ fhir:value "Roe" ] ; fhir:HumanName.given [ fhir:value "Jane" ; fhir:index 0 ] ] ;
            fhir:Patient.birthDate [ fhir:value "1970-01-31"^^xsd:date ] . # end"#;
        let r5 = r#"<http://x/Patient/1> a fhir:Patient ;
            fhir:nodeRole fhir:treeRoot ;
            fhir:identifier ( [ fhir:system [ fhir:v "urn:oid:1.2"^^xsd:anyURI ] ; fhir:value [ fhir:v "H-77" ] ] ) ;
            fhir:name ( [ fhir:use [ fhir:v "official" ] ; fhir:family [ fhir:v "R\u006fe" ] ; fhir:given ( [ fhir:v '''Jane''' ] ) ] ) ;
            fhir:birthDate [ fhir:v "1970-01-31"^^xsd:date ].
<http://x/Patient/1.ttl> a <http://www.w3.org/2002/07/owl#Ontology> ."#;
        for body in [r4, r5] {
            let read = read(body);
            assert_eq!(read.len(), 1, "{read:?}");
            assert!(read[0].starts_with("http>turtle:fhir"), "{read:?}");
            for said in ["=H-77", "name=Roe^Jane", "birth_date=1970-01-31"] {
                assert!(read[0].contains(said), "{said} in {read:?}");
            }
        }
    }

    #[test]
    fn practitioners_and_other_graphs() {
        let doctor = r#"<http://x/Practitioner/1> a fhir:Practitioner ; fhir:name ( [ fhir:family [ fhir:v "House" ] ] ) ; fhir:birthDate [ fhir:v "1959-05-15" ] ."#;
        assert_eq!(read(doctor), [""; 0]);
        let foaf = "@prefix foaf: <http://xmlns.com/foaf/0.1/> .\n<#me> a foaf:Person ; foaf:name \"Jane Roe\" ; foaf:mbox <mailto:a@b.example> .";
        assert_eq!(records("text/turtle", foaf.as_bytes()), [""; 0]);
        let deep = format!("<a> a fhir:Patient ; {}", "fhir:x [ ".repeat(200));
        assert_eq!(read(&deep), [""; 0]);
    }
}
