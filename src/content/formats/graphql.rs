//! GraphQL documents (specification of October 2021): arguments inside a request instead of in its variables:
//! `mutation { createPatient(input: {firstName: "Jane"}) { id } }`. They are read like objects of JSON. Selection
//! sets contain no values.

use crate::content::extract::tree::{Tree, words};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::rules::{About, KeyRules};
use zeroize::Zeroizing;

/// Longest document that is read, bytes.
const MAX_DOCUMENT: usize = 256 << 10;

/// Levels of nested lists and objects.
const MAX_NESTING: usize = 32;

/// Longest string that is kept, bytes.
const MAX_STRING: usize = 1024;

/// Keywords at the beginning of documents (2.2).
const BEGINS: [&str; 4] = ["mutation", "query", "subscription", "fragment"];

/// The name under which arguments are those of a patient.
const PATIENT: &str = "patient";

/// GraphQL.
pub struct GraphQl;

/// Whether a string with this beginning may be a document.
pub fn begins(front: &[u8]) -> bool {
    let front = front.trim_ascii_start();
    BEGINS.iter().any(|word| {
        let word = word.as_bytes();
        match front.strip_prefix(word) {
            Some(rest) => rest.first().is_none_or(|b| b" \t\r\n({@".contains(b)),
            // Only its first bytes are available.
            None => front.len() >= 8 && word.starts_with(front),
        }
    })
}

/// The text behind leading comments.
fn behind_comments(head: &[u8]) -> &[u8] {
    let mut head = head.trim_ascii_start();
    while head.starts_with(b"#") {
        let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
        head = head.get(end..).unwrap_or_default().trim_ascii_start();
    }
    head
}

/// Whether text without one of those words is a document: `{ patient(mrn: "7")`.
fn is_shorthand(head: &[u8]) -> bool {
    let name = |text: &[u8]| {
        let len = text.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let starts = text.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        (starts && len > 0).then_some(len)
    };
    let Some(rest) = head.trim_ascii_start().strip_prefix(b"{") else { return false };
    let rest = rest.trim_ascii_start();
    let Some(rest) = name(rest).and_then(|len| rest.get(len..)) else { return false };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"(") else { return false };
    let rest = rest.trim_ascii_start();
    name(rest)
        .and_then(|len| rest.get(len..))
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
}

impl Format for GraphQl {
    fn name(&self) -> &'static str {
        "graphql"
    }

    fn first(&self) -> &'static [u8] {
        b"mqsf#{"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let declared = media::says(media, "graphql", &["graphql", "gql"]);
        let unknown = matches!(media, Media::Unknown);
        let head = behind_comments(head);
        let opens = || memchr::memchr(b'{', head).is_some();
        (declared || unknown) && ((begins(head) && opens()) || is_shorthand(head))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(GraphQlDocument { text: Zeroizing::default(), path: media::path(media) })
    }
}

/// Read at its end, since documents are short.
struct GraphQlDocument {
    text: Zeroizing<Vec<u8>>,
    path: Option<Box<str>>,
}

impl Document for GraphQlDocument {
    fn data(&mut self, bytes: &[u8], _scope: &mut Scope<'_>) -> Want {
        let room = MAX_DOCUMENT.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room { Want::NOTHING } else { Want::ALL }
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let text = std::mem::take(&mut self.text);
        let text = String::from_utf8_lossy(&text);
        let mut tree = Tree::new("json");
        if let Some(path) = self.path.take() {
            tree.set_path(&path, scope);
        }
        tree.open(true);
        Reader { tree: &mut tree, stack: Vec::new(), name: "" }.read(&text, scope);
        tree.finish(scope);
    }

    fn memory(&self) -> usize {
        self.text.capacity()
    }
}

/// Open lists and objects among arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Arguments,
    Object,
    List,
}

struct Reader<'a, 't> {
    tree: &'t mut Tree,
    /// Empty outside of arguments.
    stack: Vec<Open>,
    /// The last name outside of arguments: that of a field.
    name: &'a str,
}

/// A lexical token (2.1.7).
enum Token<'a> {
    Name(&'a str),
    /// A number, a variable without its `$`, or another value that is no text.
    Other,
    Text(Zeroizing<String>),
    Punctuator(u8),
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self, text: &'a str, scope: &mut Scope<'_>) {
        let mut rest = text;
        while let Some((token, behind)) = next(rest) {
            rest = behind;
            match token {
                Token::Punctuator(b'(') if self.stack.is_empty() => {
                    let field = context(self.name, &scope.rules().keys);
                    self.open(Open::Arguments, Some(field), scope);
                }
                Token::Punctuator(b')') => {
                    while let Some(open) = self.stack.pop() {
                        self.tree.close(scope);
                        if open == Open::Arguments {
                            break;
                        }
                    }
                }
                _ if self.stack.is_empty() => {
                    if let Token::Name(name) = token {
                        self.name = name;
                    }
                }
                Token::Punctuator(b'{') => self.open(Open::Object, None, scope),
                Token::Punctuator(b'[') => self.open(Open::List, None, scope),
                Token::Punctuator(b'}' | b']') => {
                    if self.stack.len() > 1 {
                        self.stack.pop();
                        self.tree.close(scope);
                    }
                }
                Token::Punctuator(_) => {}
                Token::Name(name) => {
                    if rest.trim_start().starts_with(':') {
                        self.tree.key(name, scope);
                    } else {
                        self.value(name, scope);
                    }
                }
                Token::Text(text) => self.value(&text, scope),
                Token::Other => self.tree.passed(),
            }
        }
    }

    fn open(&mut self, open: Open, name: Option<&str>, scope: &mut Scope<'_>) {
        if self.stack.len() >= MAX_NESTING {
            return;
        }
        if let Some(name) = name {
            self.tree.key(name, scope);
        }
        self.stack.push(open);
        self.tree.open(open != Open::List);
    }

    fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        if self.tree.wants() {
            self.tree.value(text, scope);
        } else {
            self.tree.number(text, scope);
        }
    }
}

/// What a field says about its arguments: `createPatient` and `insert_patients` are about a patient.
fn context<'a>(field: &'a str, keys: &KeyRules) -> &'a str {
    let said = |name: &'a str| {
        let said = keys.scope_of(name)?;
        Some(if said.inside == About::Patient { PATIENT } else { name })
    };
    said(field).or_else(|| words(field).find_map(said)).unwrap_or(field)
}

/// The next token, and the text behind it. Commas and comments are ignored (2.1.4, 2.1.5).
fn next(text: &str) -> Option<(Token<'_>, &str)> {
    let mut text =
        text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '\u{feff}'));
    while text.starts_with('#') {
        let end = text.find(['\n', '\r'])?;
        text = text.get(end..)?.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    let first = text.chars().next()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let take = |from: &'_ str, is: fn(char) -> bool| from.find(|c| !is(c)).unwrap_or(from.len());
    if first == '"' {
        let (text, rest) = string(text);
        return Some((Token::Text(text), rest));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let (name, rest) = text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()));
        return Some((Token::Name(name), rest));
    }
    if first == '$' || first == '-' || first.is_ascii_digit() {
        let rest = text.get(1..)?;
        let end = take(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-'));
        return Some((Token::Other, rest.get(end..)?));
    }
    let rest = text.get(first.len_utf8()..)?;
    Some((Token::Punctuator(u8::try_from(first).unwrap_or(b'.')), rest))
}

/// A string with its escapes resolved, and the text behind it (2.9.4).
fn string(text: &str) -> (Zeroizing<String>, &str) {
    const BLOCK: &str = "\"\"\"";
    if let Some(inside) = text.strip_prefix(BLOCK) {
        let end = inside.find(BLOCK).unwrap_or(inside.len());
        let (text, rest) = inside.split_at(end);
        let short: String = text.chars().take(MAX_STRING).collect();
        return (Zeroizing::new(short), rest.strip_prefix(BLOCK).unwrap_or(""));
    }
    let mut value = Zeroizing::new(String::new());
    let inside = text.get(1..).unwrap_or("");
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        let letter = match letter {
            '"' => return (value, inside.get(at + 1..).unwrap_or("")),
            '\\' => match letters.next() {
                Some((at, 'u')) => {
                    let code = inside
                        .get(at + 1..at + 5)
                        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
                    if code.is_some() {
                        letters.nth(3);
                    }
                    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                Some((_, 'n' | 'r' | 't' | 'b' | 'f')) => ' ',
                Some((_, other)) => other,
                None => break,
            },
            // A string ends with its line.
            '\n' | '\r' => return (value, inside.get(at..).unwrap_or("")),
            other => other,
        };
        if value.len() < MAX_STRING {
            value.push(letter);
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    fn graphql(text: &str) -> Vec<String> {
        records("application/graphql", text.as_bytes())
    }

    const JANE: &str = "name=Roe^Jane birth_date=1970-01-31";

    #[test]
    fn arguments_are_read() {
        for text in [
            r#"mutation { createPatient(input: {firstName: "Jane", lastName: "Roe", birthDate: "1970-01-31"}) { id } }"#,
            r#"mutation M($x: String! = "a") { p: registerPatient(patient: {given_name: "Jane" family_name: "Roe" dob: "1970-01-31"}) { id } }"#,
            "# a comment (with: {brackets\nquery Q { patient(firstName: \"J\\u0061ne\", lastName: \"\"\"Roe\"\"\", dob: \"1970-01-31\") { id name } }",
            r#"{ patient(first_name: "Jane", last_name: "Roe", date_of_birth: "1970-01-31") { id } }"#,
        ] {
            let got = graphql(text);
            assert!(
                got.len() == 1 && got[0].ends_with(JANE) && got[0].contains("PatientContext"),
                "{text} {got:?}"
            );
        }
    }

    #[test]
    fn each_field_has_its_own() {
        let one = |name: &str| {
            format!(r#"createPatient(input: {{fullName: "{name}", mrn: "H-{name}1"}}) {{ id }}"#)
        };
        let got =
            graphql(&format!("mutation {{ a: {} b: {} }}", one("Jane Roe"), one("Max Muster")));
        assert_eq!(got.len(), 2, "{got:?}");
    }

    #[test]
    fn selections_and_damaged_queries_have_no_patient() {
        for text in [
            "query { patient { name birthDate mrn } }",
            "mutation Login { login(username: \"jane\", password: \"x\") { token } }",
            "mutation ($first: String) { createPatient(firstName: $first, active: true, n: 3) { id } }",
            "mutation { ((((({{{{{[[[[[",
            "mutation { a(b: \"",
        ] {
            assert_eq!(graphql(text), [""; 0], "{text}");
        }
        let deep = format!("mutation {{ a(b: {}", "[{c: ".repeat(1000));
        assert_eq!(graphql(&deep), [""; 0]);
    }

    #[test]
    fn how_documents_begin() {
        for front in ["mutation", "query Q ", "query {p", "subscrip", "query(\n"] {
            assert!(begins(front.as_bytes()), "{front}");
        }
        for front in ["mutations found", "Query", "queryset", "select *"] {
            assert!(!begins(front.as_bytes()), "{front}");
        }
        assert!(
            is_shorthand(b"{ a (b : 1) }") && !is_shorthand(b"{ a: 1 }") && !is_shorthand(b"{(a:1")
        );
    }
}
