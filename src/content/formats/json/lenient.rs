//! JSON as programs write it for people (JSON5, <https://spec.json5.org>; literals of JavaScript and Python): comments,
//! names without quotes, strings in single quotes. The beginning shows it; such a text is kept, and read as a literal at
//! its end.

use crate::content::formats::literal;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Bytes within which a text shows what it is: comments may come first.
const MAX_FRONT: usize = 4096;

/// Arrays and objects around the first name.
const MAX_OPEN: usize = 4;

/// What is known of a text.
pub(super) enum Lenient {
    /// Its first bytes do not tell yet.
    Undecided(Zeroizing<Vec<u8>>),
    /// JSON as the standard has it, or a text that is not read here.
    Strict,
    /// A literal so far.
    Literal(Zeroizing<Vec<u8>>),
}

impl Default for Lenient {
    fn default() -> Self {
        Self::Undecided(Zeroizing::default())
    }
}

/// A literal is too long.
pub(super) struct TooLong;

impl Lenient {
    /// Takes the next bytes of a text. What is to be read as JSON is handed back.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, TooLong> {
        match self {
            Self::Strict => return Ok(Cow::Borrowed(bytes)),
            Self::Literal(text) if text.len() + bytes.len() > literal::MAX_LITERAL => {
                return Err(TooLong);
            }
            Self::Literal(text) => text.extend_from_slice(bytes),
            Self::Undecided(front) if front.is_empty() => match is_literal(bytes) {
                Some(false) => {
                    *self = Self::Strict;
                    return Ok(Cow::Borrowed(bytes));
                }
                Some(true) => *self = Self::Literal(Zeroizing::new(bytes.to_vec())),
                None => front.extend_from_slice(bytes),
            },
            Self::Undecided(front) => {
                front.extend_from_slice(bytes);
                let decided = is_literal(front).or((front.len() > MAX_FRONT).then_some(false));
                let text = std::mem::take(front);
                match decided {
                    Some(true) => *self = Self::Literal(text),
                    Some(false) => {
                        *self = Self::Strict;
                        return Ok(Cow::Owned(text.to_vec()));
                    }
                    None => *front = text,
                }
            }
        }
        Ok(Cow::Borrowed(b""))
    }

    /// The text that was kept, as JSON; nothing more follows.
    pub(super) fn end(&mut self) -> Zeroizing<Vec<u8>> {
        match std::mem::replace(self, Self::Strict) {
            Self::Literal(text) => literal::json(&text),
            Self::Undecided(front) => front,
            Self::Strict => Zeroizing::default(),
        }
    }

    /// Bytes of heap held.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Undecided(text) | Self::Literal(text) => text.capacity(),
            Self::Strict => 0,
        }
    }
}

/// Whether a text is a literal that is no JSON; `None` if more bytes are needed.
fn is_literal(text: &[u8]) -> Option<bool> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    let mut rest = match text {
        [] | [b'/'] => return None,
        [b'/', b'/' | b'*', ..] => return Some(true),
        _ => text,
    };
    for _ in 0..MAX_OPEN {
        let (&bracket, inside) = rest.split_first()?;
        rest = inside.trim_ascii_start();
        match (bracket, rest) {
            (b'{' | b'[', [] | [b'/']) => return None,
            (b'{' | b'[', [b'/', b'/' | b'*', ..] | [b'\'', ..]) => return Some(true),
            (b'[', [b'{' | b'[', ..]) => {}
            (b'{', [first, ..]) if literal::may_name(*first) => {
                let name = rest.iter().take_while(|b| literal::may_name(**b)).count();
                return match rest.get(name) {
                    None if name < MAX_FRONT => None,
                    Some(b':') => Some(literal::is_member(rest.get(..name).unwrap_or_default())),
                    _ => Some(false),
                };
            }
            _ => return Some(false),
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    #[test]
    fn the_front_shows_a_literal() {
        for text in ["{a: 1}", "// x\n{", "{ /* x */", "[{'a': 1}]", "{'a", "[ // x\n"] {
            assert_eq!(is_literal(text.as_bytes()), Some(true), "{text}");
        }
        for text in ["{\"a\": 1}", "[1, 2]", "{}", "[[\"a\"]]", "{{x}}", "null", "{a b}"] {
            assert_eq!(is_literal(text.as_bytes()), Some(false), "{text}");
        }
        for text in ["", " ", "{", "[{ ", "{ab", "/"] {
            assert_eq!(is_literal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn literals_are_read() {
        let expected = [
            "http>json:~json [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=H-77123",
        ];
        for text in [
            "// exported\n{\n  patient: {\n    name: 'Jane Roe',\n    dob: '1970-01-31', // y-m-d\n    mrn: 'H-77123',\n  },\n}",
            "{'patient': {'name': 'Jane Roe', 'dob': datetime.date(1970, 1, 31), 'mrn': 'H-77123', 'x': None}}",
            "{\n /* one */ \"patient\": {\"name\": \"Jane Roe\", \"dob\": \"1970-01-31\", \"mrn\": \"H-77123\",},\n}",
        ] {
            assert_eq!(records("application/json", text.as_bytes()), expected, "{text}");
        }
    }
}
