//! What `serialize` of PHP writes, and its sessions: `a:1:{s:3:"mrn";s:2:"77";}`, `patient|a:1:{...}`.

use super::graph::typed;
use super::{MAX_DEPTH, MAX_VALUES, map_or_list, text};
use serde_json::{Map, Value};

/// Longest name of a variable of a session.
const MAX_NAME: usize = 32;

/// Whether an array or an object begins here, or a session.
pub(super) fn begins(head: &[u8]) -> bool {
    let variable = head.get(..MAX_NAME).unwrap_or(head).iter().position(|b| *b == b'|');
    let head = match variable {
        Some(at) if head.iter().take(at).all(|b| b.is_ascii_alphanumeric() || *b == b'_') => {
            head.get(at + 1..).unwrap_or_default()
        }
        _ => head,
    };
    match head {
        [b'a' | b'O' | b'C', b':', digit, ..] if digit.is_ascii_digit() => true,
        // The first value of a session.
        [b's' | b'i' | b'b' | b'd', b':', digit, ..] => {
            variable.is_some() && digit.is_ascii_digit()
        }
        [b'N', b';', ..] => variable.is_some(),
        _ => false,
    }
}

/// The value that the bytes are, or the variables of a session.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut input = Input { bytes, at: 0, values: 0 };
    if !matches!(bytes, [b'a' | b'O' | b'C', b':', ..]) {
        let mut variables = Map::new();
        while input.at < bytes.len() && variables.len() < MAX_VALUES {
            let name = input.until(b'|')?;
            variables.insert(String::from_utf8_lossy(name).into_owned(), input.value(0, false)?);
        }
        return Some(Value::Object(variables));
    }
    input.value(0, true)
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Input<'a> {
    /// The bytes up to a sign, which is passed over.
    fn until(&mut self, sign: u8) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let end = memchr::memchr(sign, rest)?;
        self.at += end + 1;
        rest.get(..end)
    }

    fn number(&mut self, sign: u8) -> Option<usize> {
        std::str::from_utf8(self.until(sign)?).ok()?.parse().ok()
    }

    /// Passes over a sign.
    fn sign(&mut self, sign: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&sign)).then(|| self.at += 1)
    }

    /// A string in quotes of so many bytes.
    fn quoted(&mut self, len: usize) -> Option<&'a [u8]> {
        self.sign(b'"')?;
        let text = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        self.sign(b'"')?;
        Some(text)
    }

    /// The next value. `alone`: no name belongs to it.
    fn value(&mut self, depth: usize, alone: bool) -> Option<Value> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        let kind = *self.bytes.get(self.at)?;
        self.at += 1;
        if kind == b'N' {
            self.sign(b';')?;
            return Some(Value::Null);
        }
        self.sign(b':')?;
        match kind {
            b's' | b'E' => {
                let len = self.number(b':')?;
                let value = text(self.quoted(len)?);
                self.sign(b';')?;
                Some(value)
            }
            b'i' | b'd' | b'b' | b'r' | b'R' => {
                let number = std::str::from_utf8(self.until(b';')?).ok()?;
                Some(match kind {
                    b'b' => Value::Bool(number == "1"),
                    b'r' | b'R' => Value::Null,
                    _ => serde_json::from_str(number).unwrap_or(Value::Null),
                })
            }
            b'a' => {
                let count = self.number(b':')?;
                self.pairs(count, depth)
            }
            b'O' => {
                let len = self.number(b':')?;
                let class = self.quoted(len)?;
                self.sign(b':')?;
                let count = self.number(b':')?;
                let members = self.pairs(count, depth)?;
                Some(if alone { typed(&String::from_utf8_lossy(class), members) } else { members })
            }
            _ => None,
        }
    }

    fn pairs(&mut self, count: usize, depth: usize) -> Option<Value> {
        self.sign(b'{')?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            let key = self.value(depth + 1, false)?;
            let value = self.value(depth + 1, key.is_number())?;
            pairs.push((key, value));
        }
        self.sign(b'}')?;
        Some(map_or_list(pairs))
    }
}
