//! Values of parameters as logs show them, and their places in a statement.

use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Levels of lists.
const MAX_DEPTH: u32 = 4;
/// Letters between the word for parameters and the list of their values.
const MAX_MARK: usize = 8;

/// The value of a parameter.
pub(super) struct Value {
    /// Its name or number, if the log shows one.
    name: Option<Box<str>>,
    /// `None` for `NULL`.
    text: Option<Zeroizing<String>>,
}

impl Value {
    pub(super) fn new(name: Option<&str>, text: Option<&str>) -> Self {
        Self { name: name.map(Into::into), text: text.map(|text| Zeroizing::new(text.to_owned())) }
    }

    /// Whether only its place says which parameter it is for.
    pub(super) fn is_plain(&self) -> bool {
        self.name.is_none()
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        let name = self.name.as_ref().map_or(0, |name| name.len());
        size_of::<Self>() + name + self.text.as_ref().map_or(0, |text| text.capacity())
    }
}

/// Adds the values that a text shows. False if it shows none.
pub(super) fn bound(text: &str, values: &mut Vec<Value>, most: usize) -> bool {
    if text.len() < 3 || values.len() >= most {
        return false;
    }
    let found = hibernate(text)
        .or_else(|| spring(text))
        .map(|value| vec![value])
        .or_else(|| behind_statement(text))
        .or_else(|| behind_word(text))
        .or_else(|| in_brackets(text));
    let Some(found) = found.filter(|found| !found.is_empty()) else { return false };
    values.extend(found.into_iter().take(most - values.len()));
    true
}

/// `binding parameter [1] as [VARCHAR] - [Roe]`, `binding parameter (1:VARCHAR) <- [Roe]`.
fn hibernate(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once("binding parameter ")?;
    let inside = rest.get(1..)?;
    let number = inside.split([']', ':', ')']).next()?;
    let (_, value) = rest.split_once("- [")?;
    let value = value.trim_end().strip_suffix(']')?;
    let text = (value != "null").then(|| Zeroizing::new(value.to_owned()));
    Some(Value { name: Some(number.into()), text })
}

/// `column index 1, parameter value [Roe], value class [...]`.
fn spring(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once("column index ")?;
    let (number, rest) = rest.split_once(", parameter value [")?;
    let (value, _) = rest.split_once("], value class [")?;
    Some(Value::new(Some(number), (value != "null").then_some(value)))
}

/// A list that follows a statement at once: `; "77", "Roe"`, `;@p0 = '77' [Type: String], @p1 = 'Roe'`.
fn behind_statement(text: &str) -> Option<Vec<Value>> {
    let rest = text.strip_prefix(';')?.trim_start();
    let begins =
        rest.starts_with(['"', '\'']) || rest.starts_with(['@', ':', '$']) && rest.contains('=');
    begins.then(|| list(rest, None, 0))?.map(|(values, _)| values)
}

/// Lists behind a word: `Parameters: 77(String), Roe(String)` and `parameters: $1 = '77', $2 = 'Roe'`.
fn behind_word(text: &str) -> Option<Vec<Value>> {
    let (_, rest) = text.split_once("arameters: ")?;
    let rest = rest.trim();
    if rest.starts_with(['$', '\'']) {
        return Some(list(rest, None, 0)?.0);
    }
    let mut values = Vec::new();
    let mut rest = rest;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix("null") {
            values.push(Value { name: None, text: None });
            rest = behind.strip_prefix(", ").unwrap_or("");
            continue;
        }
        // The name of a type of Java in parentheses.
        let end = rest.match_indices('(').find_map(|(at, _)| {
            let inside = rest.get(at + 1..)?;
            let (name, behind) = inside.split_once(')')?;
            let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
            (word && (behind.is_empty() || behind.starts_with(", "))).then_some((at, behind))
        });
        let (at, behind) = end?;
        let value = Zeroizing::new(rest.get(..at)?.to_owned());
        values.push(Value { name: None, text: Some(value) });
        rest = behind.strip_prefix(", ").unwrap_or("");
    }
    Some(values)
}

/// The first list of a text that has strings, or that a word announces.
fn in_brackets(text: &str) -> Option<Vec<Value>> {
    const WORDS: [&str; 7] =
        ["bind", "arams", "arameters", "args", "bindings", "values", "PARAMETERS"];
    let opens = text.match_indices(['[', '(', '{']);
    opens.take(MAX_MARK * 2).find_map(|(at, open)| {
        let front = text.get(..at)?.trim_end_matches([' ', '=', '>', ':', '"']);
        let announced = WORDS.iter().any(|word| front.ends_with(word));
        let inside = text.get(at + 1..)?;
        let first = inside.trim_start();
        // Pairs of a name and its value, or a list in an object.
        let front = first.trim_start_matches(['[', '(']);
        let quoted = front.starts_with(['\'', '"']) && first.len() - front.len() <= 1;
        if !announced && !quoted {
            return None;
        }
        let close = match open {
            "[" => ']',
            "(" => ')',
            _ => '}',
        };
        Some(list(inside, Some(close), 0)?.0)
    })
}

/// A string in quotes, and what is behind it.
fn string(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut out = Zeroizing::new(String::new());
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            c if c == quote && chars.peek().is_some_and(|(_, next)| *next == quote) => {
                out.push(c);
                chars.next();
            }
            c if c == quote => return Some((out, text.get(at + c.len_utf8()..)?)),
            c => out.push(c),
        }
    }
    None
}

/// The elements up to the bracket that closes a list, or to the end of the text, and what is behind it.
fn list(text: &str, close: Option<char>, depth: u32) -> Option<(Vec<Value>, &str)> {
    let mut values = Vec::new();
    let mut rest = text.trim_start();
    if depth > MAX_DEPTH {
        return None;
    }
    loop {
        if close.is_some_and(|close| rest.starts_with(close)) {
            return Some((values, rest.get(1..)?));
        }
        if rest.is_empty() {
            return close.is_none().then_some((values, rest));
        }
        let mut name = None;
        let mut behind;
        loop {
            let (value, after) = element(rest, close, depth, &mut values)?;
            behind = after.trim_start();
            let sign = ["=>", ":", "="].iter().find_map(|sign| behind.strip_prefix(sign));
            match (sign, value) {
                (Some(after), Some(Some(text))) if name.is_none() => {
                    name = Some(text.as_str().into());
                    rest = after.trim_start();
                }
                (_, Some(text)) => {
                    values.push(Value { name, text });
                    break;
                }
                (_, None) => break,
            }
        }
        // `'77' (Size = 4000)`, `'77'::text`
        let end = behind.find(|c| c == ',' || Some(c) == close).unwrap_or(behind.len());
        let end = match behind.strip_prefix('(').and_then(|inside| inside.find(')')) {
            Some(at) => {
                let after = behind.get(at + 2..)?;
                let comma = after.find(|c| c == ',' || Some(c) == close).unwrap_or(after.len());
                at + 2 + comma
            }
            None => end,
        };
        rest = behind.get(end..)?;
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// The text of an element and what is behind it. The text is missing if the elements of a list were added instead.
fn element<'t>(
    text: &'t str,
    close: Option<char>,
    depth: u32,
    values: &mut Vec<Value>,
) -> Option<(Option<Option<Zeroizing<String>>>, &'t str)> {
    let text = match text.as_bytes() {
        [b'u' | b'b' | b'N', b'\'' | b'"', ..] => text.get(1..)?,
        _ => text,
    };
    if let Some((value, rest)) = string(text) {
        return Some((Some(Some(value)), rest));
    }
    // A date of Elixir: `~D[1970-01-31]`.
    if let Some((value, rest)) = text.strip_prefix("~D[").and_then(|text| text.split_once(']')) {
        return Some((Some(Some(Zeroizing::new(value.to_owned()))), rest));
    }
    if let Some(open) = text.chars().next().filter(|c| matches!(c, '[' | '(' | '{')) {
        let inner = match open {
            '[' => ']',
            '(' => ')',
            _ => '}',
        };
        let (mut inside, rest) = list(text.get(1..)?, Some(inner), depth + 1)?;
        // A name and its value.
        if depth == 0 && inside.len() == 2 && inside.iter().all(|value| value.name.is_none()) {
            let value = inside.pop()?;
            let name = inside.pop()?.text.map(|name| name.as_str().into());
            values.push(Value { name, ..value });
        } else {
            values.append(&mut inside);
        }
        return Some((None, rest));
    }
    let ends = |c: char| matches!(c, ',' | '(' | ':' | '=') || Some(c) == close;
    let end = text.find(ends).unwrap_or(text.len());
    let (bare, rest) = text.split_at_checked(end)?;
    // `datetime.date(1970, 1, 31)`, `Decimal('7')`; a time has colons of its own.
    if let Some(inside) = rest.strip_prefix('(')
        && !bare.trim().is_empty()
        && bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
    {
        let (arguments, rest) = inside.split_once(')')?;
        return Some((Some(Some(called(arguments))), rest));
    }
    let bare = bare.trim();
    let (bare, rest) = match rest.starts_with(':') && bare.ends_with(|c: char| c.is_ascii_digit()) {
        true if bare.len() > 2 => {
            let end = text.find(|c| c == ',' || Some(c) == close).unwrap_or(text.len());
            (text.get(..end)?.trim(), text.get(end..)?)
        }
        _ => (bare, rest),
    };
    if rest.len() == text.len() {
        return None;
    }
    let null = matches!(bare, "null" | "NULL" | "None" | "nil" | "undefined");
    Some((Some((!null).then(|| Zeroizing::new(bare.to_owned()))), rest))
}

/// What a call with these arguments makes: a date of three numbers or more, or its first string.
fn called(arguments: &str) -> Zeroizing<String> {
    if let Some((text, _)) = string(arguments) {
        return text;
    }
    let mut numbers = arguments.split(',').map(|number| number.trim().parse::<u32>());
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) => {
            Zeroizing::new(format!("{year:04}-{month:02}-{day:02}"))
        }
        _ => Zeroizing::new(arguments.to_owned()),
    }
}

/// Where a statement ends in a line: at a semicolon, a remark, or a list of values.
pub(super) fn ends(text: &str) -> usize {
    let mut quote = None;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, *byte) {
            (Some(open), b) if b == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(*byte),
            (None, b';') => return at,
            (None, b' ') => {
                let behind = bytes.get(at + 1..).unwrap_or_default();
                let values = matches!(
                    behind,
                    [b'[', b'[' | b'"' | b'\'', ..]
                        | [b'{', b'"' | b'\'', ..]
                        | [b'(', b'p', b'a', b'r', b'a', b'm', ..]
                        | [b'-', b'-', b' ', ..]
                );
                if values {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The name of a parameter at the front of a text, and its length: `?`, `%s`, `%(mrn)s`, `$1`, `@p0`, `:mrn`.
fn parameter(text: &str, before: u8) -> Option<(&str, usize)> {
    let word = |from: usize| {
        let rest = text.get(from..).unwrap_or("");
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|word| !word.is_empty())
    };
    match text.as_bytes() {
        [b'?', ..] => Some(("", 1 + word(1).map_or(0, str::len))),
        [b'%', b's', ..] => Some(("", 2)),
        [b'%', b'(', ..] => {
            let name = text.get(2..)?.split(')').next()?;
            Some((name, name.len() + 4))
        }
        [b'$', digit, ..] if digit.is_ascii_digit() => {
            let word = word(1)?;
            Some((word, 1 + word.len()))
        }
        [b'@', ..] => word(1).map(|word| (word, 1 + word.len())),
        [b':', next, ..] if *next != b':' && matches!(before, b' ' | b'(' | b',' | b'=') => {
            word(1).map(|word| (word, 1 + word.len()))
        }
        _ => None,
    }
}

/// A parameter in a statement: where it is, its length, its name.
type Place<'s> = (usize, usize, &'s str);

/// The parameters of a statement, outside of its strings and quoted names.
fn places(statement: &str) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    let (mut at, mut quote, mut before) = (0, None, b' ');
    let bytes = statement.as_bytes();
    while let Some(byte) = bytes.get(at).copied() {
        let may_begin = quote.is_none() && matches!(byte, b'?' | b'%' | b'$' | b'@' | b':');
        let here = may_begin.then(|| parameter(statement.get(at..)?, before)).flatten();
        if let Some((name, len)) = here {
            found.push((at, len, name));
            (at, before) = (at + len, b'?');
            continue;
        }
        match quote {
            Some(open) if open == byte => quote = None,
            None if matches!(byte, b'\'' | b'"' | b'`') => quote = Some(byte),
            _ => {}
        }
        (at, before) = (at + 1, byte);
    }
    found
}

/// How many different parameters a statement has.
pub(super) fn parameters(statement: &str) -> usize {
    let places = places(statement);
    let names: BTreeSet<&str> =
        places.iter().map(|(.., name)| *name).filter(|name| !name.is_empty()).collect();
    names.len() + places.iter().filter(|(.., name)| name.is_empty()).count()
}

/// The statement with its values in the places of its parameters, and the number of these. None if one is missing.
pub(super) fn filled(statement: &str, values: &[Value]) -> Option<(Zeroizing<String>, usize)> {
    let mut out = Zeroizing::new(String::with_capacity(statement.len() * 2));
    let places = places(statement);
    let mut from = 0;
    for (count, (at, len, name)) in places.iter().enumerate() {
        out.push_str(statement.get(from..*at)?);
        from = at + len;
        match &find(values, name, count)?.text {
            Some(text) => {
                out.push('\'');
                out.push_str(&text.replace('\\', "\\\\").replace('\'', "''"));
                out.push('\'');
            }
            None => out.push_str("NULL"),
        }
    }
    out.push_str(statement.get(from..)?);
    Some((out, places.len()))
}

/// The value of a parameter: that with its name or number, or the next one.
fn find<'v>(values: &'v [Value], name: &str, count: usize) -> Option<&'v Value> {
    let named = |wanted: &str| {
        values.iter().find(|value| {
            value
                .name
                .as_deref()
                .is_some_and(|own| own.trim_start_matches(['$', '@', ':']) == wanted)
        })
    };
    let number = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if name.is_empty() {
        // Numbers of the values, from one on.
        let own = values.get(count)?;
        let number = own.name.as_ref().and_then(|name| name.parse::<usize>().ok());
        let as_counted = number.is_none_or(|number| number == count + 1);
        return if as_counted { Some(own) } else { named(&(count + 1).to_string()) };
    }
    let by_number = || values.get(number.parse::<usize>().ok()?.checked_sub(1)?);
    named(name).or_else(|| {
        let unnamed = values.iter().all(|value| value.name.is_none());
        if unnamed { by_number().or_else(|| values.get(count)) } else { values.get(count) }
    })
}

/// An `INSERT` in which a log put the values without quotation marks, with them: `values (77, Roe, 1970-01-31)`.
pub(super) fn with_quotes(statement: &str) -> Option<Zeroizing<String>> {
    let (columns, rest) = statement.split_once('(')?.1.split_once(')')?;
    let (front, values) = rest.split_once('(')?;
    if !front.trim().eq_ignore_ascii_case("values")
        || values.contains(['\'', '"', '?', '$', '@', ':'])
    {
        return None;
    }
    let values: Vec<&str> = values.split_once(')')?.0.split(',').map(str::trim).collect();
    let is_number = |value: &&str| value.parse::<f64>().is_ok();
    if values.len() != columns.split(',').count() || values.iter().all(is_number) {
        return None;
    }
    let head = statement.get(..statement.len() - rest.len())?;
    let mut quoted = Zeroizing::new(format!("{head} VALUES ("));
    for (at, value) in values.iter().enumerate() {
        quoted.push_str(if at == 0 { "'" } else { ", '" });
        quoted.push_str(value);
        quoted.push('\'');
    }
    quoted.push(')');
    Some(quoted)
}

/// Conditions without the aliases in front of the names of columns: `p1_0.mrn = '77'`.
pub(super) fn without_aliases(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut quote = None;
    let mut word = 0;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'') => quote = Some(c),
            (None, '.')
                if word > 0 && !out.ends_with(|c: char| c.is_ascii_digit() && word == 1) =>
            {
                let keep = out.len() - word;
                out.truncate(keep);
                word = 0;
                continue;
            }
            _ => {}
        }
        word = match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '`' | '[' | ']') => word + 1,
            _ => 0,
        };
        out.push(c);
    }
    out
}
