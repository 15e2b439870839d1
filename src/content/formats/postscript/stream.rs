//! Bytes that a job reads, its own program and the output of filters, and the tokens in them (PLRM 3.2).

use super::object::{Object, Store};
use crate::content::formats::pdf::filters;
use std::rc::Rc;

/// Levels of nested procedures.
const MAX_NESTING: usize = 64;
/// Objects of one procedure.
const MAX_PROCEDURE: usize = 1 << 20;

/// Bytes with a position. Streams over the same bytes may have different positions.
pub(super) struct Stream {
    data: Rc<[u8]>,
    at: usize,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

fn is_delimiter(byte: u8) -> bool {
    is_space(byte)
        || matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

impl Stream {
    pub(super) fn new(data: &[u8]) -> Self {
        Self { data: data.into(), at: 0 }
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, len: usize) {
        self.at = self.at.saturating_add(len).min(self.data.len());
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = self.data.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    /// Up to `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.rest();
        let taken = rest.get(..len).unwrap_or(rest).to_vec();
        self.at += taken.len();
        taken
    }

    /// Up to `len` bytes in hexadecimal digits.
    pub(super) fn take_hex(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut high = None;
        while out.len() < len {
            let Some(byte) = self.byte() else { break };
            let Some(digit) = char::from(byte).to_digit(16) else { continue };
            match high.take() {
                Some(h) => out.push((h << 4 | digit) as u8),
                None => high = Some(digit),
            }
        }
        out
    }

    /// A line without its end; `None` at the end of the data.
    pub(super) fn line(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default().to_vec();
        let both = rest.get(end..).is_some_and(|r| r.starts_with(b"\r\n"));
        self.skip(end + 1 + usize::from(both));
        Some(line)
    }

    /// The output of a filter on the following bytes (PLRM 3.13); the position moves behind its end of data.
    pub(super) fn filtered(&mut self, filter: &[u8], room: usize) -> Self {
        let rest = self.rest();
        let find =
            |end: &[u8]| memchr::memmem::find(rest, end).map_or(rest.len(), |at| at + end.len());
        let (out, used) = match filter {
            b"ASCII85Decode" => {
                let used = find(b"~>");
                (filters::ascii85(rest.get(..used).unwrap_or_default(), room), used)
            }
            b"ASCIIHexDecode" => {
                let used = find(b">");
                (filters::ascii_hex(rest.get(..used).unwrap_or_default()), used)
            }
            b"FlateDecode" => (filters::inflate(rest, room), rest.len()),
            b"LZWDecode" => (filters::unlzw(rest, true, room), rest.len()),
            b"RunLengthDecode" => (filters::run_length(rest, room), rest.len()),
            // Images and unknown filters.
            _ => (Vec::new(), rest.len()),
        };
        self.skip(used);
        Self::new(&out)
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                self.comment();
            } else if is_space(byte) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// A comment; data that one announces is skipped (DSC 5, `%%BeginData`, `%%BeginBinary`).
    fn comment(&mut self) {
        let line = self.line().unwrap_or_default();
        let counted = line
            .strip_prefix(b"%%BeginData:")
            .or_else(|| line.strip_prefix(b"%%BeginBinary:"))
            .and_then(|rest| std::str::from_utf8(rest).ok());
        let Some(counted) = counted else { return };
        let mut words = counted.split_ascii_whitespace();
        let count: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let lines = words.any(|w| w.eq_ignore_ascii_case("Lines"));
        // Small data may be a program.
        if !lines && count > 64 {
            let end = self.at.saturating_add(count).min(self.data.len());
            let data = self.data.get(self.at..end).unwrap_or_default();
            let ends =
                self.data.get(end..).is_some_and(|r| r.trim_ascii_start().starts_with(b"%%End"));
            let program = data.windows(4).any(|w| w == b"show");
            if ends && !program {
                self.at = end;
            }
        }
    }

    /// The next object: for a procedure, the whole.
    pub(super) fn object(&mut self, store: &mut Store) -> Option<Object> {
        let mut open: Vec<Vec<Object>> = Vec::new();
        loop {
            self.skip_space();
            let object = match self.byte()? {
                b'{' if open.len() < MAX_NESTING => {
                    open.push(Vec::new());
                    continue;
                }
                b'{' => continue,
                b'}' => match open.pop() {
                    Some(items) => store.new_array(items, true)?,
                    None => continue,
                },
                b'(' => {
                    let text = self.string();
                    store.new_string(text)?
                }
                b'<' => match self.peek() {
                    Some(b'<') => {
                        self.at += 1;
                        Object::Run(store.name(b"<<"))
                    }
                    Some(b'~') => {
                        let used = self.until(b"~>");
                        store.new_string(filters::ascii85(&used, usize::MAX))?
                    }
                    _ => {
                        let digits = self.until(b">");
                        store.new_string(filters::ascii_hex(&digits))?
                    }
                },
                b'>' => {
                    if self.peek() != Some(b'>') {
                        continue;
                    }
                    self.at += 1;
                    Object::Run(store.name(b">>"))
                }
                b'/' => {
                    let now = self.peek() == Some(b'/');
                    self.at += usize::from(now);
                    let name = self.word(0);
                    let name = store.name(&name);
                    if now { Object::Run(name) } else { Object::Name(name) }
                }
                byte @ (b'[' | b']') => Object::Run(store.name(&[byte])),
                b')' => continue,
                _ => {
                    let word = self.word(1);
                    number(&word).unwrap_or_else(|| Object::Run(store.name(&word)))
                }
            };
            match open.last_mut() {
                Some(items) if items.len() < MAX_PROCEDURE => items.push(object),
                Some(_) => {}
                None => return Some(object),
            }
        }
    }

    /// The word that began `back` bytes ago.
    fn word(&mut self, back: usize) -> Vec<u8> {
        let start = self.at.saturating_sub(back);
        while self.peek().is_some_and(|b| !is_delimiter(b)) {
            self.at += 1;
        }
        self.data.get(start..self.at).unwrap_or_default().to_vec()
    }

    /// The bytes before `end`, which is skipped.
    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let rest = self.rest();
        let len = memchr::memmem::find(rest, end).unwrap_or(rest.len());
        let out = rest.get(..len).unwrap_or_default().to_vec();
        self.skip(len + end.len());
        out
    }

    /// A string whose parenthesis is open (3.2.2).
    fn string(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut depth = 1;
        while let Some(byte) = self.byte() {
            match byte {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                b'\\' => {
                    let Some(byte) = self.byte() else { break };
                    match byte {
                        b'n' => out.push(b'\n'),
                        b'r' => out.push(b'\r'),
                        b't' => out.push(b'\t'),
                        b'b' => out.push(8),
                        b'f' => out.push(0x0c),
                        b'\r' => {
                            if self.peek() == Some(b'\n') {
                                self.at += 1;
                            }
                        }
                        b'\n' => {}
                        b'0'..=b'7' => {
                            let mut code = u32::from(byte - b'0');
                            for _ in 0..2 {
                                let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                                code = code * 8 + u32::from(digit - b'0');
                                self.at += 1;
                            }
                            out.push(code as u8);
                        }
                        other => out.push(other),
                    }
                    continue;
                }
                _ => {}
            }
            out.push(byte);
        }
        out
    }
}

/// `1`, `-.5`, `1e3`, `16#FF`.
pub(super) fn number(word: &[u8]) -> Option<Object> {
    if !word.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(word).ok()?;
    if let Some((base, digits)) = text.split_once('#') {
        let base = base.parse().ok().filter(|b| (2..=36).contains(b))?;
        return i64::from_str_radix(digits, base).ok().map(|n| Object::Number(n as f64));
    }
    // `inf` and `nan` are words.
    let plain = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    let value: f64 = word.iter().all(plain).then(|| text.parse().ok())??;
    value.is_finite().then_some(Object::Number(value))
}
