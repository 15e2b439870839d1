//! Objects and tokens (ISO 32000-1 7.2, 7.3).

use std::cell::Cell;

/// Longest literal or hexadecimal string, bytes.
const MAX_STRING: usize = 64 << 10;

/// How deep arrays and dictionaries may nest.
const MAX_DEPTH: usize = 32;

/// Objects in one object.
const MAX_ITEMS: usize = 128 << 10;

/// Remaining work for a document, in bytes examined. Every loop over its content charges it, so reading ends,
/// whatever a document refers to and repeats.
pub(super) struct Fuel(Cell<u64>);

impl Fuel {
    pub(super) const fn new(bytes: u64) -> Self {
        Self(Cell::new(bytes))
    }
    /// Charges `bytes`; false if the rest does not suffice, which is then used up.
    pub(super) fn burn(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes as u64);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
    /// Leaves at most `bytes`.
    pub(super) fn cap(&self, bytes: u64) {
        self.0.set(self.0.get().min(bytes));
    }
    pub(super) fn left(&self) -> u64 {
        self.0.get()
    }
    pub(super) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }
}

/// An object.
#[derive(Clone, PartialEq, Default)]
pub(super) enum Object {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    String(Vec<u8>),
    Name(Vec<u8>),
    Array(Vec<Object>),
    Dict(Dict),
    Reference(u32),
}

impl Object {
    /// The cost of copying it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Array(items) => items.iter().map(|i| 8 + i.weight()).sum(),
            Self::Dict(dict) => dict.0.iter().map(|(k, v)| 8 + k.len() + v.weight()).sum(),
            Self::String(bytes) | Self::Name(bytes) => bytes.len(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Reference(_) => 1,
        }
    }
    /// Calls `each` with every string in it.
    pub(super) fn each_string(&mut self, each: &mut dyn FnMut(&mut Vec<u8>)) {
        match self {
            Self::String(string) => each(string),
            Self::Array(items) => items.iter_mut().for_each(|item| item.each_string(each)),
            Self::Dict(dict) => dict.0.iter_mut().for_each(|(_, value)| value.each_string(each)),
            _ => {}
        }
    }
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            _ => None,
        }
    }
    pub(super) fn name(&self) -> &[u8] {
        match self {
            Self::Name(name) => name,
            _ => b"",
        }
    }
}

/// A dictionary in the order in which it was written.
#[derive(Clone, PartialEq, Default)]
pub(super) struct Dict(Vec<(Vec<u8>, Object)>);

impl Dict {
    /// A dictionary with one entry.
    pub(super) fn with(key: &[u8], value: Object) -> Self {
        Self(vec![(key.to_vec(), value)])
    }
    /// The same with another entry.
    pub(super) fn and(mut self, key: &[u8], value: Object) -> Self {
        self.0.push((key.to_vec(), value));
        self
    }
    /// The value as written; a null object if there is none.
    pub(super) fn get(&self, key: &[u8]) -> &Object {
        self.0.iter().rev().find(|(k, _)| k == key).map_or(&Object::Null, |(_, v)| v)
    }
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether `false` is written there.
    pub(super) fn is_false(&self, key: &[u8]) -> bool {
        matches!(self.get(key), Object::Bool(false))
    }
    /// Replaces its references by the objects they refer to.
    pub(super) fn resolve(&mut self, value: impl Fn(&Object) -> Object) {
        for (_, entry) in &mut self.0 {
            if matches!(entry, Object::Reference(_)) {
                *entry = value(entry);
            }
        }
    }
    /// Every key with its value.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], &Object)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value))
    }
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.0.iter().any(|(k, _)| k == key)
    }
}

/// A token.
pub(super) enum Token<'a> {
    Number(f64),
    String(Vec<u8>),
    Name(Vec<u8>),
    ArrayOpen,
    ArrayClose,
    DictOpen,
    DictClose,
    /// Anything else: `obj`, `R`, `true`, an operator.
    Keyword(&'a [u8]),
}

/// Reads tokens and objects from a slice.
pub(super) struct Lexer<'a> {
    data: &'a [u8],
    pub(super) at: usize,
    fuel: &'a Fuel,
    /// Content streams have no references, and many numbers.
    references: bool,
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(data: &'a [u8], at: usize, fuel: &'a Fuel) -> Self {
        Self { data, at, fuel, references: true }
    }

    /// For a content stream.
    pub(super) const fn content(data: &'a [u8], fuel: &'a Fuel) -> Self {
        Self { data, at: 0, fuel, references: false }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.data.get(self.at + ahead).copied()
    }

    /// The unread part.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek(0) {
            if byte == b'%' {
                while self.peek(0).is_some_and(|b| !matches!(b, b'\r' | b'\n')) {
                    self.at += 1;
                }
            } else if is_space(byte) {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    /// The next token; `None` at the end, or when the work is used up.
    pub(super) fn token(&mut self) -> Option<Token<'a>> {
        let before = self.at;
        let token = self.read();
        if self.fuel.burn(self.at - before + 1) { token } else { None }
    }

    fn read(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let first = self.peek(0)?;
        self.at += 1;
        Some(match first {
            b'(' => Token::String(self.literal()?),
            b'<' if self.peek(0) == Some(b'<') => {
                self.at += 1;
                Token::DictOpen
            }
            b'<' => Token::String(self.hexadecimal()?),
            b'>' if self.peek(0) == Some(b'>') => {
                self.at += 1;
                Token::DictClose
            }
            b'[' => Token::ArrayOpen,
            b']' => Token::ArrayClose,
            b'/' => Token::Name(self.name()),
            _ => {
                let start = self.at - 1;
                if !is_delimiter(first) {
                    while self.peek(0).is_some_and(|b| !is_space(b) && !is_delimiter(b)) {
                        self.at += 1;
                    }
                }
                let word = self.data.get(start..self.at).unwrap_or_default();
                match first {
                    b'0'..=b'9' | b'+' | b'-' | b'.' => number(word).map(Token::Number),
                    _ => None,
                }
                .unwrap_or(Token::Keyword(word))
            }
        })
    }

    /// 7.3.4.2; the opening bracket is read.
    fn literal(&mut self) -> Option<Vec<u8>> {
        let (mut out, mut depth) = (Vec::new(), 1u32);
        loop {
            let byte = self.peek(0)?;
            self.at += 1;
            let byte = match byte {
                b'(' => {
                    depth += 1;
                    byte
                }
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(out);
                    }
                    byte
                }
                b'\\' => match self.escape() {
                    Some(byte) => byte,
                    None => continue,
                },
                _ => byte,
            };
            if out.len() >= MAX_STRING {
                return None;
            }
            out.push(byte);
        }
    }

    /// Behind a backslash in a literal string.
    fn escape(&mut self) -> Option<u8> {
        let byte = self.peek(0)?;
        self.at += 1;
        Some(match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'\r' => {
                self.at += usize::from(self.peek(0) == Some(b'\n'));
                return None;
            }
            b'\n' => return None,
            b'0'..=b'7' => {
                let mut value = u32::from(byte - b'0');
                for _ in 0..2 {
                    match self.peek(0) {
                        Some(digit @ b'0'..=b'7') => value = value * 8 + u32::from(digit - b'0'),
                        _ => break,
                    }
                    self.at += 1;
                }
                value as u8
            }
            other => other,
        })
    }

    /// 7.3.4.3; the opening bracket is read.
    fn hexadecimal(&mut self) -> Option<Vec<u8>> {
        let (mut out, mut high) = (Vec::new(), None);
        loop {
            let byte = self.peek(0)?;
            self.at += 1;
            match (char::from(byte).to_digit(16), high) {
                (Some(digit), None) => high = Some(digit),
                (Some(digit), Some(h)) => {
                    if out.len() >= MAX_STRING {
                        return None;
                    }
                    out.push((h << 4 | digit) as u8);
                    high = None;
                }
                (None, _) if byte == b'>' => {
                    // An odd digit at the end has a zero behind it.
                    out.extend(high.map(|h| (h << 4) as u8));
                    return Some(out);
                }
                (None, _) if is_space(byte) => {}
                (None, _) => return None,
            }
        }
    }

    /// 7.3.5; the solidus is read.
    fn name(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(byte) = self.peek(0).filter(|b| !is_space(*b) && !is_delimiter(*b)) {
            self.at += 1;
            let digit = |n| self.peek(n).and_then(|b: u8| char::from(b).to_digit(16));
            match (byte, digit(0), digit(1)) {
                (b'#', Some(high), Some(low)) => {
                    self.at += 2;
                    out.push((high << 4 | low) as u8);
                }
                _ => out.push(byte),
            }
        }
        out
    }

    /// The next object.
    pub(super) fn object(&mut self) -> Option<Object> {
        let token = self.token()?;
        self.object_from(token, 0, &mut { MAX_ITEMS })
    }

    /// The object that `token` begins.
    pub(super) fn operand(&mut self, token: Token<'a>) -> Option<Object> {
        self.object_from(token, 0, &mut { MAX_ITEMS })
    }

    /// The next operator of a content stream; the objects before it are added to `operands`, which hold at most `most`.
    pub(super) fn operator(&mut self, operands: &mut Vec<Object>, most: usize) -> Option<&'a [u8]> {
        loop {
            match self.token()? {
                Token::Keyword(operator) => return Some(operator),
                token => {
                    if let Some(operand) = self.operand(token)
                        && operands.len() < most
                    {
                        operands.push(operand);
                    }
                }
            }
        }
    }

    fn object_from(&mut self, token: Token<'a>, depth: usize, room: &mut usize) -> Option<Object> {
        *room = room.checked_sub(1)?;
        if depth >= MAX_DEPTH {
            return None;
        }
        Some(match token {
            Token::Number(n) => self.reference(n).map_or(Object::Number(n), Object::Reference),
            Token::String(string) => Object::String(string),
            Token::Name(name) => Object::Name(name),
            Token::ArrayOpen => {
                let mut items = Vec::new();
                loop {
                    match self.token()? {
                        Token::ArrayClose => break Object::Array(items),
                        token => items.push(self.object_from(token, depth + 1, room)?),
                    }
                }
            }
            Token::DictOpen => {
                let mut entries = Vec::new();
                loop {
                    match self.token()? {
                        Token::DictClose => break Object::Dict(Dict(entries)),
                        Token::Name(key) => match self.token()? {
                            // A key without a value.
                            Token::DictClose => break Object::Dict(Dict(entries)),
                            token => entries.push((key, self.object_from(token, depth + 1, room)?)),
                        },
                        _ => return None,
                    }
                }
            }
            Token::Keyword(b"true") => Object::Bool(true),
            Token::Keyword(b"false") => Object::Bool(false),
            Token::Keyword(b"null") => Object::Null,
            Token::Keyword(_) | Token::ArrayClose | Token::DictClose => return None,
        })
    }

    /// `n` is the number of a reference if a generation and `R` follow (7.3.10).
    fn reference(&mut self, n: f64) -> Option<u32> {
        if !self.references || n.fract() != 0.0 || !(0.0..f64::from(u32::MAX)).contains(&n) {
            return None;
        }
        let back = self.at;
        let generation = matches!(self.peek(0), Some(b) if is_space(b))
            && matches!(self.token(), Some(Token::Number(_)));
        if generation && matches!(self.token(), Some(Token::Keyword(b"R"))) {
            return Some(n as u32);
        }
        self.at = back;
        None
    }
}

fn number(word: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(word).ok()?;
    if let Ok(n) = text.parse::<f64>() {
        return n.is_finite().then_some(n);
    }
    // `12-34`, `--5`: written by some, read by all.
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = text.trim_start_matches(['-', '+']);
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let n = digits.get(..end)?.parse::<f64>().ok()?;
    n.is_finite().then_some(sign * n)
}
