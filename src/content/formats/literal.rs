//! Object literals of JavaScript: `{ id: 'H-77', name: "Jane Roe", born: new Date('1970-01-31'), }`. They become JSON:
//! names and strings get double quotes, calls become their only string, and what must be computed becomes null. So do
//! those of Python: `{'id': 'H-77', 'born': datetime.date(1970, 1, 31), 'ward': None}`.

use crate::rules::RuleSet;
use zeroize::Zeroizing;

/// Longest name in front of a literal, bytes.
const MAX_NAME: usize = 64;

/// Longest literal, bytes.
pub(in crate::content::formats) const MAX_LITERAL: usize = 256 << 10;

/// Finds the end of a literal in pieces: the bracket that closes it, outside strings.
#[derive(Default)]
pub(in crate::content::formats) struct LiteralScan {
    depth: u32,
    quote: Option<u8>,
    escaped: bool,
    /// In a comment that began with a second byte like this.
    comment: Option<u8>,
    previous: u8,
}

impl LiteralScan {
    /// Offset in the next `bytes` at which the literal ends.
    pub(in crate::content::formats) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            let previous = std::mem::replace(&mut self.previous, *byte);
            match (self.comment, *byte) {
                (Some(b'/'), b'\n') => self.comment = None,
                (Some(b'*'), b'/') if previous == b'*' => {
                    self.comment = None;
                    self.previous = 0;
                }
                (None, b'/' | b'*') if previous == b'/' && self.quote.is_none() => {
                    self.comment = Some(*byte);
                    self.previous = 0;
                }
                (None, _) => {}
                (Some(_), _) => continue,
            }
            if self.comment.is_some() {
                continue;
            }
            match (self.quote, *byte) {
                _ if std::mem::take(&mut self.escaped) => {}
                (Some(_), b'\\') => self.escaped = true,
                (Some(quote), byte) if byte == quote => self.quote = None,
                // A string ends with its line, unless it is a template.
                (Some(b'"' | b'\''), b'\n') => self.quote = None,
                (Some(_), _) => {}
                (None, quote @ (b'"' | b'\'' | b'`')) => self.quote = Some(quote),
                (None, b'{' | b'[' | b'(') => self.depth = self.depth.saturating_add(1),
                (None, b'}' | b']' | b')') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                (None, _) => {}
            }
        }
        None
    }
}

/// Whether a byte may be one of the first name of a literal, or a blank around it.
pub(super) const fn may_name(byte: u8) -> bool {
    is_name(byte) || matches!(byte, b'\'' | b'-') || byte.is_ascii_whitespace()
}

/// Whether bytes between `{` and `:` are the name of a member: `id`, `'birth-date'`.
pub(super) fn is_member(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    let quoted = bytes.strip_prefix(b"'").and_then(|name| name.strip_suffix(b"'"));
    match quoted {
        Some(name) => !name.is_empty() && name.iter().all(|b| is_name(*b) || *b == b'-'),
        None => !bytes.is_empty() && bytes.iter().all(|b| is_name(*b)),
    }
}

/// Whether bytes behind `{` begin with such a name.
fn begins(bytes: &[u8]) -> bool {
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    let len = bytes.iter().take_while(|b| may_name(**b)).count();
    bytes.get(len) == Some(&b':') && is_member(bytes.get(..len).unwrap_or_default())
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

/// The literal as JSON.
pub(in crate::content::formats) fn json(literal: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut writer =
        Writer { rest: literal, out: Zeroizing::new(Vec::with_capacity(literal.len())) };
    while let Some((&byte, behind)) = writer.rest.split_first() {
        match byte {
            b'{' | b'[' | b',' | b':' => {
                writer.out.push(byte);
                writer.rest = behind;
            }
            b'}' | b']' => {
                // The comma behind the last member.
                if writer.out.last() == Some(&b',') {
                    writer.out.pop();
                }
                writer.out.push(byte);
                writer.rest = behind;
                writer.skip();
            }
            _ if byte.is_ascii_whitespace() => writer.rest = behind,
            b'"' | b'\'' | b'`' => {
                writer.string();
                writer.skip();
            }
            b'/' if matches!(behind.first(), Some(b'/' | b'*')) => writer.comment(),
            b'0'..=b'9' | b'-' => writer.number(),
            _ if is_name(byte) => writer.name(),
            _ => {
                writer.out.extend_from_slice(b"null");
                writer.rest = behind;
                writer.skip();
            }
        }
    }
    writer.out
}

/// The literal that an attribute holds, or assigns to a name: `{ mrn: '77' }`, `patient={ mrn: '77' }`.
pub(super) fn assigned(value: &str, rules: &RuleSet) -> Option<Zeroizing<Vec<u8>>> {
    let open = value.find('{').filter(|at| *at <= MAX_NAME)?;
    let (before, literal) = value.split_at_checked(open)?;
    if literal.len() > MAX_LITERAL || !begins(literal.as_bytes().get(1..)?.trim_ascii_start()) {
        return None;
    }
    let name = before.trim_end().trim_end_matches('=').trim();
    let end = LiteralScan::default().end(literal.as_bytes()).unwrap_or(literal.len());
    let json = json(literal.as_bytes().get(..end)?);
    if name.is_empty() || rules.keys.scope_of(name).is_none() {
        return name.chars().all(is_word).then_some(json);
    }
    let mut named = Zeroizing::new(format!("{{\"{name}\":").into_bytes());
    named.extend_from_slice(&json);
    named.push(b'}');
    Some(named)
}

/// Longest call that makes a date, bytes.
const MAX_CALL: usize = 64;

/// The date that a call with a year, a month and a day makes, and its length: `.date(1970, 1, 31)`.
fn calendar(text: &[u8]) -> Option<(Zeroizing<String>, usize)> {
    let text = text.get(..MAX_CALL).unwrap_or(text);
    let open = text.iter().take_while(|b| is_name(**b) || **b == b'.').count();
    let close = text.iter().position(|b| *b == b')')?;
    let inside = text.get(open..close)?.strip_prefix(b"(")?;
    let mut parts =
        std::str::from_utf8(inside).ok()?.split(',').map(|part| part.trim().parse::<u32>());
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let valid =
        (1850..=2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| (Zeroizing::new(format!("{year:04}-{month:02}-{day:02}")), close + 1))
}

/// A line of text in which calls that make dates are replaced by these: `dob=datetime.date(1970, 1, 31)`.
pub(super) fn with_dates(line: &str) -> Option<Zeroizing<String>> {
    const CALL: &str = "datetime.date";
    memchr::memmem::find(line.as_bytes(), CALL.as_bytes())?;
    let mut parts = line.split(CALL);
    let first = parts.next()?;
    let mut plain = Zeroizing::new(String::with_capacity(line.len()));
    plain.push_str(first);
    let mut any = false;
    for part in parts {
        match calendar(part.as_bytes()) {
            Some((date, len)) => {
                plain.push_str(&date);
                plain.push_str(part.get(len..).unwrap_or(""));
                any = true;
            }
            None => {
                plain.push_str(CALL);
                plain.push_str(part);
            }
        }
    }
    any.then_some(plain)
}

/// The first literal in a line of a log whose names are in single quotes, as JSON; and where it begins:
/// `bad patient {'mrn': '77'}`.
pub(super) fn in_line(line: &str) -> Option<(usize, Zeroizing<Vec<u8>>)> {
    let at = line.find("{'")?;
    let literal = line.as_bytes().get(at..).filter(|literal| literal.len() <= MAX_LITERAL)?;
    if !begins(literal.get(1..)?) {
        return None;
    }
    let end = LiteralScan::default().end(literal)?;
    Some((at, json(literal.get(..end)?)))
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')
}

struct Writer<'a> {
    rest: &'a [u8],
    out: Zeroizing<Vec<u8>>,
}

impl Writer<'_> {
    /// Takes `len` bytes.
    fn take(&mut self, len: usize) -> &[u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Writes the string that begins here.
    fn string(&mut self) {
        let quote = self.rest.first().copied().unwrap_or(b'"');
        self.take(1);
        self.out.push(b'"');
        while let Some((&byte, behind)) = self.rest.split_first() {
            self.rest = behind;
            match byte {
                _ if byte == quote => break,
                b'\\' => {
                    let escape = behind.first().copied().unwrap_or(b'\\');
                    match (escape, behind.get(1..3)) {
                        (b'x', Some(hex)) if hex.iter().all(u8::is_ascii_hexdigit) => {
                            self.out.extend_from_slice(b"\\u00");
                            self.out.extend_from_slice(hex);
                            self.take(2);
                        }
                        (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u', _) => {
                            self.out.extend_from_slice(&[b'\\', escape]);
                        }
                        _ => self.out.push(escape),
                    }
                    self.take(1);
                }
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                0..0x20 => {}
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn number(&mut self) {
        let number = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'.' | b'-' | b'+');
        let len = self.rest.iter().take_while(number).count();
        let text = self.take(len).to_vec();
        match std::str::from_utf8(&text).ok().and_then(|text| text.parse::<f64>().ok()) {
            Some(_) => self.out.extend_from_slice(&text),
            None => self.out.extend_from_slice(b"null"),
        }
        self.skip();
    }

    /// Writes a name as a string where it is that of a member, else its value.
    fn name(&mut self) {
        let len = self.rest.iter().take_while(|b| is_name(**b)).count();
        let name = Zeroizing::new(self.take(len).to_vec());
        let blank = self.rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.take(blank);
        let member =
            matches!(self.out.last(), Some(b'{' | b',')) && self.rest.first() == Some(&b':');
        if member {
            self.out.push(b'"');
            self.out.extend_from_slice(&name);
            self.out.push(b'"');
            return;
        }
        match name.as_slice() {
            b"true" | b"false" => self.out.extend_from_slice(&name),
            // `new Date('1970-01-31')`
            b"new" | b"Date" | b"String" | b"moment" | b"parseISO" | b"ISODate" | b"ObjectId"
            | b"Timestamp" | b"UUID" | b"Decimal" | b"LocalDate"
                if self.call() => {}
            b"datetime" | b"date" | b"LocalDate" if self.calendar() => {}
            _ => self.out.extend_from_slice(b"null"),
        }
        self.skip();
    }

    /// Writes the string that is the only argument of a call.
    fn call(&mut self) -> bool {
        let name = self.rest.iter().take_while(|b| is_name(**b) || **b == b'.').count();
        let open = self.rest.get(name) == Some(&b'(');
        let quote = self.rest.get(name + 1).is_some_and(|b| matches!(b, b'"' | b'\''));
        if open && quote {
            self.take(name + 1);
            self.string();
            if self.rest.first() == Some(&b')') {
                self.take(1);
            }
        }
        open && quote
    }

    /// Writes the date whose year, month and day are the arguments of a call.
    fn calendar(&mut self) -> bool {
        let Some((date, len)) = calendar(self.rest) else { return false };
        self.out.push(b'"');
        self.out.extend_from_slice(date.as_bytes());
        self.out.push(b'"');
        self.take(len);
        true
    }

    fn comment(&mut self) {
        let end: &[u8] = if self.rest.starts_with(b"//") { b"\n" } else { b"*/" };
        let len = memchr::memmem::find(self.rest, end).map_or(self.rest.len(), |at| at + end.len());
        self.take(len);
    }

    /// Passes over the rest of an expression, up to the next member.
    fn skip(&mut self) {
        let mut scan = LiteralScan::default();
        let mut at = 0;
        while let Some(byte) = self.rest.get(at) {
            let outside = scan.depth == 0 && scan.quote.is_none() && scan.comment.is_none();
            if outside && matches!(byte, b',' | b'}' | b']' | b':') {
                break;
            }
            scan.end(std::slice::from_ref(byte));
            at += 1;
        }
        self.take(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(literal: &str) -> String {
        String::from_utf8_lossy(&json(literal.as_bytes())).into_owned()
    }

    #[test]
    fn literals_become_json() {
        for (literal, json) in [
            (
                r#"{ id: "H-77", name: 'Jane O\'Roe', born: new Date('1970-01-31'), }"#,
                r#"{"id":"H-77","name":"Jane O'Roe","born":"1970-01-31"}"#,
            ),
            (
                "{a: [1, 2.5, -3,], b: undefined, 'c-d': true}",
                r#"{"a":[1,2.5,-3],"b":null,"c-d":true}"#,
            ),
            (
                "{a: f(x, {y: 1}), // more, {\n b: `x\ny`, c: 'a' + b}",
                r#"{"a":null,"b":"x\ny","c":"a"}"#,
            ),
            (
                r#"{ "a": "say \"x\"", b: function (d) { return d.a; }, c: "\x41" }"#,
                r#"{"a":"say \"x\"","b":null,"c":"\u0041"}"#,
            ),
            ("{ a: ...b, /* c */ d: !e }", r#"{"a":null,"d":null}"#),
            (
                "{'a': None, 'b': datetime.date(1970, 1, 31), 'c': datetime.datetime(1970, 1, 3, 0, 0)}",
                r#"{"a":null,"b":"1970-01-31","c":"1970-01-03"}"#,
            ),
            ("{'a': datetime.date(1, 2), b: datetime.now()}", r#"{"a":null,"b":null}"#),
        ] {
            assert_eq!(text(literal), json);
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
        }
        // Whatever it is, it ends.
        for literal in ["{", "'", "{a:'\\", "{a:(((((", "}}}]]],,,", "/*", "{a:new"] {
            text(literal);
        }
    }

    #[test]
    fn dates_in_lines() {
        let line =
            "Patient(dob=datetime.date(1970, 1, 31), at=datetime.datetime(2026, 3, 2, 1, 0))";
        let plain = with_dates(line).expect("dates");
        assert_eq!(*plain, "Patient(dob=1970-01-31, at=2026-03-02)");
        for line in ["", "datetime.date", "datetime.date(x)", "datetime.date.today()"] {
            assert!(with_dates(line).is_none(), "{line}");
        }
        let (at, json) = in_line("bad {'a': 'x'} y").expect("a literal");
        assert_eq!((at, json.as_slice()), (4, br#"{"a":"x"}"#.as_slice()));
        assert!(in_line("{'quoted'} text").is_none());
    }

    #[test]
    fn ends_and_beginnings() {
        let literal = b"{a: '}', b: [\"]\", {c: 1}]} rest";
        assert_eq!(LiteralScan::default().end(literal), Some(literal.len() - 5));
        let commented = b"{a: 1, // }\n/* } */ b: 'http://x'} rest";
        assert_eq!(LiteralScan::default().end(commented), Some(commented.len() - 5));
        for bytes in [&b"id: 1"[..], b"'id' : 1", b"$a:", b"patient_name:"] {
            assert!(begins(bytes), "{bytes:?}");
        }
        for bytes in [&b"return 1"[..], b"}", b"", b"if (a) {", b"a.b = 1", b"\"id\": 1"] {
            assert!(!begins(bytes), "{bytes:?}");
        }
    }
}
