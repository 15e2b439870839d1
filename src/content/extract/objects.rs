//! Objects that programs print in their logs: `Patient(id=77, name=Jane Roe)` (Kotlin, Lombok, Python),
//! `Patient{id=77, name='Jane Roe'}` (Java), `Patient[id=77]` (records, Apache Commons), `Patient { id: Some("77") }` (Rust, C#),
//! `#<Patient id: 77>` (Ruby). They become JSON, so that each value belongs to the object that has it: not to that of a
//! doctor beside it.

use crate::content::{Media, Scope};
use zeroize::Zeroizing;

/// Levels of nested objects.
const MAX_DEPTH: usize = 12;
/// Values in a line.
const MAX_VALUES: usize = 512;
/// Brackets of a line that look like those of an object and are not: each costs a look at what follows.
const MAX_FAILED: usize = 4;
/// Longest name of a class or member, bytes.
const MAX_NAME: usize = 80;

/// Reads the objects of a line. Returns the text around them, if there are any.
pub fn read(line: &str, scope: &mut Scope<'_>) -> Option<Zeroizing<String>> {
    let mut around: Option<Zeroizing<String>> = None;
    let (mut at, mut from, mut failed) = (0, 0, 0);
    let bytes = line.as_bytes();
    while let Some(open) = next_open(bytes, at) {
        at = open + 1;
        let Some((begin, class, open)) = opened(line, open).filter(|(begin, ..)| *begin >= from)
        else {
            continue;
        };
        // `Jane Roe (DOB: 1970-01-31)`, `Roe(DOB: 1970-01-31)`.
        let prose = matches!(bytes.get(open), Some(b'(' | b'[')) && has_colon(line, open);
        if prose && scope.rules.keys.scope_of(class).is_none() {
            continue;
        }
        let mut printer = Printer { line, at: open, out: Zeroizing::default(), values: 0 };
        printer.out.push_str("{\"");
        printer.out.push_str(class);
        printer.out.push_str("\":");
        if printer.members("", 0).is_none() {
            failed += 1;
            if failed > MAX_FAILED {
                break;
            }
            continue;
        }
        printer.out.push('}');
        let media = Media::Type { content_type: "application/json", name: "" };
        scope.whole(&media, printer.out.as_bytes());
        let text = around.get_or_insert_with(Zeroizing::default);
        text.push_str(line.get(from..begin).unwrap_or(""));
        text.push(' ');
        (at, from) = (printer.at, printer.at);
    }
    let mut around = around?;
    around.push_str(line.get(from..).unwrap_or(""));
    Some(around)
}

/// The next bracket, from `at` on.
fn next_open(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let bracket = memchr::memchr3(b'(', b'{', b'[', rest);
    let ruby = memchr::memmem::find(rest, b"#<").map(|sign| sign + 1);
    Some(at + bracket.into_iter().chain(ruby).min()?)
}

/// The object that the bracket at `open` belongs to: where it begins, its class, and where its members begin.
fn opened(line: &str, open: usize) -> Option<(usize, &str, usize)> {
    if line.as_bytes().get(open) != Some(&b'<') {
        return class_before(line, open).map(|(begin, class)| (begin, class, open));
    }
    // `#<Patient id: 77>`, `#<Patient:0x00007f @id=77>`, `#<struct Patient id=77>`.
    let inner = line.get(open + 1..)?;
    let name = inner.strip_prefix("struct ").unwrap_or(inner);
    let (name, members) = name.split_once(' ')?;
    let class = simple(name.split(":0x").next()?);
    member(members)?;
    is_class(class).then_some((open - 1, class, line.len() - members.len() - 1))
}

fn is_class(class: &str) -> bool {
    class.starts_with(|c: char| c.is_uppercase())
        && class.len() <= MAX_NAME
        && class.chars().all(|c| c.is_alphanumeric() || c == '_')
        && class.chars().any(char::is_lowercase)
}

/// The class whose object opens at `open`, and where its name begins: `com.x.Patient@1f[`, `#<Patient id:`, `Patient {`.
fn class_before(line: &str, open: usize) -> Option<(usize, &str)> {
    let before = line.get(..open)?;
    // Only in front of braces (Rust, C#).
    let braced = line.as_bytes().get(open) == Some(&b'{');
    let name_end = before.strip_suffix(' ').filter(|_| braced).unwrap_or(before);
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | ':');
    let begin = name_end.rfind(|c: char| !in_name(c)).map_or(0, |at| {
        at + name_end.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
    });
    let name = name_end.get(begin..)?;
    let class = simple(name);
    // A member follows.
    let named = || member(line.get(open + 1..)?.trim_start()).map(|_| ());
    (is_class(class) && named().is_some()).then_some((begin, class))
}

/// Whether a colon follows the name of the first member.
fn has_colon(line: &str, open: usize) -> bool {
    let inner = line.get(open + 1..).unwrap_or("").trim_start();
    let name = inner.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    name.is_some_and(|at| inner.as_bytes().get(at) == Some(&b':'))
}

/// The name of a class without its package and the number of the object.
fn simple(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    name.rsplit(['.', '$', ':']).next().unwrap_or(name)
}

/// The name of a member at the beginning of `text`, and what is behind its sign: `id=`, `id: `, `Id = `.
fn member(text: &str) -> Option<(&str, &str)> {
    let plain = text.trim_start_matches('@');
    let len = plain.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))?;
    let (name, rest) = plain.split_at_checked(len)?;
    let fits = name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.len() <= MAX_NAME;
    let value = match rest.strip_prefix('=').or_else(|| rest.strip_prefix(" = ")) {
        // Not a comparison or a lambda.
        Some(value) if !value.starts_with(['=', '>']) => value,
        Some(_) => return None,
        None => rest.strip_prefix(':').filter(|value| value.starts_with([' ', '"']))?,
    };
    fits.then_some((name, value))
}

/// What a value is part of.
#[derive(Clone, Copy)]
enum Within {
    /// Commas may be part of values: a name follows those that are not.
    Object,
    List,
}

struct Printer<'a> {
    line: &'a str,
    at: usize,
    out: Zeroizing<String>,
    values: usize,
}

impl<'a> Printer<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or("")
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn sign(&mut self, sign: char) -> bool {
        let has = self.rest().starts_with(sign);
        self.at += if has { sign.len_utf8() } else { 0 };
        has
    }

    fn count(&mut self, depth: usize) -> Option<()> {
        self.values += 1;
        (depth <= MAX_DEPTH && self.values <= MAX_VALUES).then_some(())
    }

    /// The bracket that closes the one here, which is passed over.
    fn open(&mut self) -> Option<char> {
        let close = match self.rest().chars().next()? {
            '(' => ')',
            '{' => '}',
            '[' => ']',
            // Behind the class.
            ' ' => '>',
            _ => return None,
        };
        self.at += 1;
        Some(close)
    }

    /// Members in brackets, as an object of JSON. `class`: that of a nested object, which becomes a member.
    fn members(&mut self, class: &str, depth: usize) -> Option<()> {
        self.count(depth)?;
        let close = self.open()?;
        self.out.push('{');
        let mut first = class.is_empty();
        if !first {
            self.out.push_str("\"@class\":\"");
            self.out.push_str(class);
            self.out.push('"');
        }
        loop {
            self.blank();
            if self.sign(close) {
                break;
            }
            let (name, value) = member(self.rest())?;
            self.at = self.line.len() - value.len();
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            self.string(name);
            self.out.push(':');
            self.blank();
            self.value(close, Within::Object, depth + 1)?;
            self.blank();
            if !self.sign(',') && !self.rest().starts_with(close) {
                return None;
            }
        }
        self.out.push('}');
        Some(())
    }

    /// A list in brackets.
    fn list(&mut self, depth: usize) -> Option<()> {
        self.count(depth)?;
        let close = self.open()?;
        self.out.push('[');
        let mut first = true;
        loop {
            self.blank();
            if self.sign(close) {
                break;
            }
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            self.value(close, Within::List, depth + 1)?;
            self.blank();
            if !self.sign(',') && !self.rest().starts_with(close) {
                return None;
            }
        }
        self.out.push(']');
        Some(())
    }

    fn value(&mut self, close: char, within: Within, depth: usize) -> Option<()> {
        self.count(depth)?;
        self.blank();
        let rest = self.rest();
        let first = rest.chars().next()?;
        if matches!(first, '"' | '\'') {
            let before = self.at;
            if let Some(text) = self.quoted(first) {
                let after = self.rest().trim_start();
                if after.starts_with([',', close]) {
                    self.string(&text);
                    return Some(());
                }
            }
            // An apostrophe in front of a bare word.
            self.at = before;
            return self.bare(close, within);
        }
        let word =
            rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | ':')));
        let (word, behind) = rest.split_at_checked(word.unwrap_or(rest.len()))?;
        let spaced = behind.strip_prefix(' ').unwrap_or(behind);
        if let Some((date, behind)) = called_date(word, behind) {
            self.at = self.line.len() - behind.len();
            self.string(&date);
            return Some(());
        }
        match spaced.chars().next() {
            // `Some("77")`, `Optional[77]`.
            Some('(' | '[') if is_wrapper(word) => {
                self.at += word.len();
                self.blank();
                let close = self.open()?;
                self.value(close, Within::Object, depth + 1)?;
                self.blank();
                self.sign(',');
                self.blank();
                self.sign(close).then_some(())
            }
            Some('(' | '{' | '[')
                if word.is_empty() || word.starts_with(|c: char| c.is_uppercase()) =>
            {
                let inner = spaced.get(1..)?.trim_start();
                let empty = inner.starts_with([')', '}', ']']);
                let before = (self.at, self.out.len());
                self.at = self.line.len() - spaced.len();
                let read = if member(inner).is_some() || empty && spaced.starts_with('{') {
                    self.members(simple(word), depth + 1)
                } else if spaced.starts_with('[') && matches!(word, "" | "List" | "Vec" | "Set") {
                    self.list(depth + 1)
                } else {
                    None
                };
                match read {
                    Some(()) => Some(()),
                    None => {
                        self.at = before.0;
                        self.out.truncate(before.1);
                        self.bare(close, within)
                    }
                }
            }
            _ => self.bare(close, within),
        }
    }

    /// A text in quotation marks, which are passed over.
    fn quoted(&mut self, quote: char) -> Option<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::new());
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if std::mem::take(&mut escaped) => text.push(c),
                '\\' => escaped = true,
                _ if c == quote => {
                    self.at += at + c.len_utf8();
                    return Some(text);
                }
                _ => text.push(c),
            }
        }
        None
    }

    /// A value without quotation marks: up to the next member or the end of the object.
    fn bare(&mut self, close: char, within: Within) -> Option<()> {
        let rest = self.rest();
        let mut depth = 0_usize;
        let mut end = None;
        for (at, byte) in rest.bytes().enumerate() {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                _ if depth == 0 && char::from(byte) == close => {
                    end = Some(at);
                    break;
                }
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    let behind = rest.get(at + 1..)?.trim_start();
                    if matches!(within, Within::List)
                        || member(behind).is_some()
                        || behind.starts_with(close)
                    {
                        end = Some(at);
                        break;
                    }
                }
                _ => {}
            }
        }
        let text = rest.get(..end?)?;
        self.at += text.len();
        match text.trim() {
            enumerated if enumerated.starts_with('<') && enumerated.ends_with("'>") => {
                // `<Sex.FEMALE: 'F'>`
                let value = enumerated.rsplit('\'').nth(1).unwrap_or("");
                self.string(value);
            }
            "null" | "None" | "nil" | "<null>" | "<nil>" | "Optional.empty" | "" => {
                self.out.push_str("null")
            }
            text => self.string(text),
        }
        Some(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                _ if c.is_control() => self.out.push(' '),
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// A date that a call makes, and what is behind it: `datetime.date(1970, 1, 31)`, `~D[1970-01-31]`.
fn called_date<'a>(word: &str, behind: &'a str) -> Option<(Zeroizing<String>, &'a str)> {
    if let Some(sigil) = behind.strip_prefix("~D[").filter(|_| word.is_empty()) {
        let (date, behind) = sigil.split_once(']')?;
        return Some((Zeroizing::new(date.to_owned()), behind));
    }
    if !matches!(word, "datetime.date" | "datetime.datetime" | "date" | "LocalDate.of") {
        return None;
    }
    let (numbers, behind) = behind.strip_prefix('(')?.split_once(')')?;
    let mut numbers = numbers.split(',').map(|number| number.trim().parse::<u32>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some((Zeroizing::new(format!("{year:04}-{month:02}-{day:02}")), behind))
}

/// Whether a name is that of a type that holds one value or none.
fn is_wrapper(word: &str) -> bool {
    matches!(
        word,
        "Some" | "Optional" | "Ok" | "Just" | "Box" | "Right" | "Text" | "ObjectId" | "UUID"
    )
}
