//! Data in scripts: the data that a page was rendered from, added for its program (`__NEXT_DATA__`,
//! `window.__INITIAL_STATE__ = {...}`, JSON-LD), and literals of its program (`var patients = [{ id: 77 }]`).

use crate::content::extract::embedded::ObjectScan;
use crate::content::formats::literal::{self, LiteralScan, MAX_LITERAL};
use crate::content::{Ending, Media, Nested, Scope, Want};
use zeroize::Zeroizing;

/// Objects read per script.
const MAX_OBJECTS: u32 = 1024;

/// Length after which a script without an assignment counts as a program, bytes.
const MAX_PROGRAM: u64 = 64 << 10;

/// Longest name of a variable, bytes.
const MAX_NAME: usize = 64;

/// Bytes in front of an assignment that are kept: a name and blanks.
const MAX_BEFORE: usize = MAX_NAME + 16;

/// Longest string with data in it, bytes.
const MAX_TEXT: usize = 256 << 10;

/// The current script.
#[derive(Default)]
pub(super) struct Script {
    state: State,
    objects: u32,
    /// Bytes since the last object.
    program: u64,
    /// The variable that objects are assigned to, if its name says what they are about.
    variable: Option<Box<str>>,
    /// The last bytes before a possible assignment.
    before: Zeroizing<Vec<u8>>,
}

#[derive(Default)]
enum State {
    /// All of it is data.
    Data(Box<Nested>),
    /// Searching for `=` or `(` with an object behind it; whether one has been seen.
    #[default]
    Search,
    Assigned,
    /// `{`, perhaps in arrays: data if a quote follows.
    Brace,
    /// In the first name of what may be an object literal of the program.
    Name(Zeroizing<Vec<u8>>),
    /// In such a literal.
    Literal {
        text: Zeroizing<Vec<u8>>,
        scan: LiteralScan,
    },
    /// In an object.
    Object {
        nested: Box<Nested>,
        scan: ObjectScan,
    },
    /// Behind an object.
    Behind,
    /// In an array that begins with a number: a string may follow (`self.__next_f.push([1,"..."])`, Next.js).
    Numbered,
    /// In that string.
    Text {
        text: Zeroizing<Vec<u8>>,
        escaped: bool,
    },
    /// No more.
    Done,
}

impl Script {
    /// For a script of this type.
    pub(super) fn new(kind: &str) -> Self {
        let data = kind.to_ascii_lowercase().contains("json");
        let state = match data {
            true => State::Data(Box::new(Nested::new(&Media::Unknown))),
            false => State::Search,
        };
        Self { state, ..Self::default() }
    }

    pub(super) fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.state {
                State::Done => return,
                State::Data(nested) => {
                    if nested.data(rest, scope) == Want::NOTHING {
                        self.state = State::Done;
                    }
                    return;
                }
                State::Search => {
                    let at = memchr::memchr2(b'=', b'(', rest);
                    self.program += at.unwrap_or(rest.len()) as u64;
                    if self.program > MAX_PROGRAM {
                        self.state = State::Done;
                        return;
                    }
                    self.search(rest.get(..at.unwrap_or(rest.len())).unwrap_or_default());
                    let Some(at) = at else { return };
                    self.variable = variable(&self.before, scope);
                    self.before.clear();
                    rest = rest.get(at + 1..).unwrap_or_default();
                    self.state = State::Assigned;
                }
                State::Assigned => {
                    let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                    rest = rest.get(blank..).unwrap_or_default();
                    match rest.first() {
                        None => {}
                        // The objects of an array, one by one.
                        Some(b'[') => rest = rest.get(1..).unwrap_or_default(),
                        Some(b'0'..=b'9') => self.state = State::Numbered,
                        Some(b'{') => {
                            rest = rest.get(1..).unwrap_or_default();
                            self.state = State::Brace;
                        }
                        Some(_) => self.state = State::Search,
                    }
                }
                State::Behind => {
                    let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                    rest = rest.get(blank..).unwrap_or_default();
                    if let Some(next) = rest.first() {
                        let more = *next == b',';
                        rest = rest.get(usize::from(more)..).unwrap_or_default();
                        self.state = if more { State::Assigned } else { State::Search };
                    }
                }
                State::Numbered => rest = self.numbered(rest),
                State::Text { .. } => rest = self.text(rest, scope),
                State::Brace => rest = self.brace(rest, scope),
                State::Name(_) => rest = self.name(rest),
                State::Literal { .. } => rest = self.literal(rest, scope),
                State::Object { nested, scan } => {
                    let end = scan.end(rest);
                    let (object, after) = rest.split_at(end.unwrap_or(rest.len()));
                    nested.data(object, scope);
                    rest = after;
                    if end.is_some() {
                        if self.variable.is_some() {
                            nested.data(b"]}", scope);
                        }
                        nested.end(Ending::Complete, scope);
                        // Another one of the array may follow its comma.
                        self.state = State::Behind;
                    }
                }
            }
        }
    }

    /// Keeps the end of what precedes a possible assignment.
    fn search(&mut self, bytes: &[u8]) {
        let end = bytes.get(bytes.len().saturating_sub(MAX_BEFORE)..).unwrap_or(bytes);
        self.before.extend_from_slice(end);
        let more = self.before.len().saturating_sub(MAX_BEFORE);
        self.before.drain(..more);
    }

    /// Takes the bytes behind `{` up to what shows what it is. Returns the bytes behind it.
    fn brace<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = bytes.get(blank..).unwrap_or_default();
        match rest.first() {
            None => {}
            Some(b'"') if self.objects < MAX_OBJECTS => {
                self.objects += 1;
                self.program = 0;
                let mut nested = Box::new(Nested::new(&Media::Unknown));
                if let Some(name) = &self.variable {
                    nested.data(format!("{{\"{name}\":[").as_bytes(), scope);
                }
                nested.data(b"{", scope);
                let mut scan = ObjectScan::default();
                scan.end(b"{");
                self.state = State::Object { nested, scan };
            }
            Some(_) if self.objects < MAX_OBJECTS => {
                self.state = State::Name(Zeroizing::new(b"{".to_vec()));
            }
            Some(_) => self.state = State::Search,
        }
        rest
    }

    /// Takes the bytes of the first name of a literal. Returns the bytes behind it.
    fn name<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let State::Name(text) = &mut self.state else { return bytes };
        let room = (2 * MAX_NAME).saturating_sub(text.len());
        let len = bytes.iter().take(room).take_while(|b| literal::may_name(**b)).count();
        let (name, rest) = bytes.split_at(len);
        text.extend_from_slice(name);
        let Some(next) = rest.first() else { return rest };
        if *next == b':' && literal::is_member(text.get(1..).unwrap_or_default()) {
            self.objects += 1;
            self.program = 0;
            let text = std::mem::take(text);
            let mut scan = LiteralScan::default();
            scan.end(&text);
            self.state = State::Literal { text, scan };
        } else {
            self.state = State::Search;
        }
        rest
    }

    /// Takes the bytes of an object literal. Returns the bytes behind it.
    fn literal<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let State::Literal { text, scan } = &mut self.state else { return bytes };
        let end = scan.end(bytes);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if text.len() + piece.len() > MAX_LITERAL {
            self.state = State::Search;
            return rest;
        }
        text.extend_from_slice(piece);
        if end.is_some() {
            let mut json = literal::json(text);
            if let Some(name) = &self.variable {
                let mut named = Zeroizing::new(format!("{{\"{name}\":[").into_bytes());
                named.extend_from_slice(&json);
                named.extend_from_slice(b"]}");
                json = named;
            }
            self.state = State::Behind;
            scope.whole(&Media::Type { content_type: "application/json", name: "" }, &json);
        }
        rest
    }

    /// Searches for the string behind a number. Returns the bytes behind it.
    fn numbered<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let between = |b: &&u8| b.is_ascii_digit() || b.is_ascii_whitespace() || **b == b',';
        let len = bytes.iter().take_while(between).count();
        let rest = bytes.get(len..).unwrap_or_default();
        match rest.split_first() {
            None => rest,
            Some((b'"', behind)) if self.objects < MAX_OBJECTS => {
                self.state = State::Text { text: Zeroizing::default(), escaped: false };
                behind
            }
            Some(_) => {
                self.state = State::Search;
                rest
            }
        }
    }

    /// Takes the bytes of a string. Returns the bytes behind it.
    fn text<'b>(&mut self, bytes: &'b [u8], scope: &mut Scope<'_>) -> &'b [u8] {
        let State::Text { text, escaped } = &mut self.state else { return bytes };
        let end = bytes.iter().position(|b| {
            let inside = std::mem::take(escaped);
            *escaped = !inside && *b == b'\\';
            !inside && *b == b'"'
        });
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        text.extend_from_slice(piece);
        if text.len() > MAX_TEXT {
            self.state = State::Search;
        } else if end.is_some() {
            let text = std::mem::take(text);
            self.state = State::Search;
            self.rows(&text, scope);
        }
        rest.get(usize::from(end.is_some())..).unwrap_or_default()
    }

    /// Reads the rows of a string, each behind a number (`5:{"patient":{...}}`), as React server components write
    /// them.
    fn rows(&mut self, escaped: &[u8], scope: &mut Scope<'_>) {
        let mut quoted = Zeroizing::new(Vec::with_capacity(escaped.len() + 2));
        quoted.push(b'"');
        quoted.extend_from_slice(escaped);
        quoted.push(b'"');
        let Ok(text) = serde_json::from_slice::<String>(&quoted) else { return };
        let text = Zeroizing::new(text);
        for row in text.lines() {
            let Some((number, data)) = row.split_once(':') else { continue };
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_hexdigit());
            if is_number && data.starts_with(['{', '[']) && self.objects < MAX_OBJECTS {
                self.objects += 1;
                self.program = 0;
                let media = Media::Type { content_type: "application/json", name: "" };
                scope.whole(&media, data.as_bytes());
            }
        }
    }

    pub(super) fn end(&mut self, scope: &mut Scope<'_>) {
        match &mut self.state {
            State::Data(nested) => nested.end(Ending::Complete, scope),
            State::Object { nested, .. } => nested.end(Ending::Cut, scope),
            _ => {}
        }
        self.state = State::Done;
    }

    pub(super) fn memory(&self) -> usize {
        match &self.state {
            State::Data(nested) | State::Object { nested, .. } => nested.memory(),
            State::Text { text, .. } | State::Literal { text, .. } | State::Name(text) => {
                text.capacity()
            }
            _ => 0,
        }
    }
}

/// The name of the variable in front of an assignment, if it says what is assigned: `var patients `.
fn variable(before: &[u8], scope: &Scope<'_>) -> Option<Box<str>> {
    let before = before.trim_ascii_end();
    let named = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
    let len = before.iter().rev().take(MAX_NAME).take_while(named).count();
    let name = std::str::from_utf8(before.get(before.len() - len..)?).ok()?;
    scope.rules.keys.scope_of(name).map(|_| name.into())
}
