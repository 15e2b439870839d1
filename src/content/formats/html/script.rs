//! Data in scripts: the data that a page was rendered from, added for its program (`__NEXT_DATA__`,
//! `window.__INITIAL_STATE__ = {...}`, JSON-LD).

use crate::content::extract::embedded::ObjectScan;
use crate::content::{Ending, Media, Nested, Scope, Want};
use zeroize::Zeroizing;

/// Objects read per script.
const MAX_OBJECTS: u32 = 64;

/// Length after which a script without an assignment counts as a program, bytes.
const MAX_PROGRAM: u64 = 64 << 10;

/// Longest string with data in it, bytes.
const MAX_TEXT: usize = 256 << 10;

/// The current script.
#[derive(Default)]
pub(super) struct Script {
    state: State,
    objects: u32,
    /// Bytes since the last object.
    program: u64,
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
                    let Some(at) = at else { return };
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
                State::Brace => {
                    let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                    rest = rest.get(blank..).unwrap_or_default();
                    match rest.first() {
                        None => {}
                        Some(b'"') if self.objects < MAX_OBJECTS => {
                            self.objects += 1;
                            self.program = 0;
                            let mut nested = Box::new(Nested::new(&Media::Unknown));
                            nested.data(b"{", scope);
                            let mut scan = ObjectScan::default();
                            scan.end(b"{");
                            self.state = State::Object { nested, scan };
                        }
                        Some(_) => self.state = State::Search,
                    }
                }
                State::Object { nested, scan } => {
                    let end = scan.end(rest);
                    let (object, after) = rest.split_at(end.unwrap_or(rest.len()));
                    nested.data(object, scope);
                    rest = after;
                    if end.is_some() {
                        nested.end(Ending::Complete, scope);
                        // Another one of the array may follow its comma.
                        self.state = State::Behind;
                    }
                }
            }
        }
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
            State::Text { text, .. } => text.capacity(),
            _ => 0,
        }
    }
}
