//! Rows as JSON arrays (`json_build_array(p.id, p.last_name)`), for which mappers between objects and tables ask: the
//! values have no names, but the statement says which column each one is.

use crate::syntax::sql::{Token, Tokens};

/// Functions that make an array of their arguments (PostgreSQL 9.16, MySQL 14.17.2).
const FUNCTIONS: [&str; 3] = ["JSON_BUILD_ARRAY", "JSONB_BUILD_ARRAY", "JSON_ARRAY"];
/// How their names end, in lower case as programs write them.
const ENDING: &[u8] = b"_array(";
/// Arrays of one statement that are known, and values of each.
const MAX_LISTS: usize = 8;
const MAX_VALUES: usize = 128;
/// Longest name of a column, bytes.
const MAX_NAME: usize = 128;
/// Arrays in arrays, and parentheses in parentheses.
const MAX_DEPTH: usize = 16;

/// The names of the values of an array.
pub type Names = Vec<Vec<u8>>;

/// The arrays for which a statement asks.
pub fn lists(statement: &[u8]) -> Vec<Names> {
    if memchr::memmem::find(statement, ENDING).is_none() {
        return Vec::new();
    }
    let mut found: Vec<Names> = Vec::new();
    // For each open parenthesis, the names of the array that it encloses, and the last name of its current argument.
    let mut open: Vec<Option<(Names, Vec<u8>)>> = Vec::new();
    let mut function = false;
    for token in Tokens::new(statement) {
        match &token {
            Token::Punctuation(b'(') if open.len() >= MAX_DEPTH => break,
            Token::Punctuation(b'(') => open.push(function.then(Default::default)),
            Token::Punctuation(b')') => {
                if let Some(Some((mut names, last))) = open.pop() {
                    names.push(last);
                    if found.len() < MAX_LISTS && !found.contains(&names) {
                        found.push(names);
                    }
                }
            }
            Token::Punctuation(b',') => {
                if let Some(Some((names, last))) = open.last_mut()
                    && names.len() < MAX_VALUES
                {
                    names.push(std::mem::take(last));
                }
            }
            token => {
                if let Some(Some((_, last))) = open.last_mut()
                    && let Some(name) = token.column().filter(|name| name.len() <= MAX_NAME)
                {
                    *last = name.to_vec();
                }
            }
        }
        function = FUNCTIONS.iter().any(|name| token.is(name));
    }
    found
}

/// An array whose values get their names, as an object; `None` if it is none of these.
pub fn named(value: &[u8], lists: &[Names]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write(value, lists, 0, &mut out).then_some(out)
}

/// Writes an array, and whether a list names its values or those of arrays in it.
fn write(value: &[u8], lists: &[Names], depth: usize, out: &mut Vec<u8>) -> bool {
    let items = if depth < MAX_DEPTH { elements(value) } else { None };
    let Some(items) = items else {
        out.extend_from_slice(value);
        return false;
    };
    // Rows in an array are not a row themselves.
    let row = items.iter().any(|item| !item.starts_with(b"["));
    let mut fits = lists.iter().filter(|names| row && names.len() == items.len());
    let names = match (fits.next(), fits.next()) {
        (Some(names), None) => Some(names),
        _ => None,
    };
    let mut any = names.is_some();
    out.push(if names.is_some() { b'{' } else { b'[' });
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if let Some(name) = names.and_then(|names| names.get(at)) {
            out.push(b'"');
            out.extend(name.iter().filter(|b| **b >= b' ' && !matches!(b, b'"' | b'\\')));
            out.extend_from_slice(b"\":");
        }
        any |= write(item, lists, depth + 1, out);
    }
    out.push(if names.is_some() { b'}' } else { b']' });
    any
}

/// The elements of an array in JSON (RFC 8259 5); `None` for other values and longer ones.
fn elements(value: &[u8]) -> Option<Vec<&[u8]>> {
    let inside = value.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?;
    let mut items = Vec::new();
    let (mut from, mut depth, mut quoted, mut escaped) = (0, 0usize, false, false);
    for (at, byte) in inside.iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                items.push(inside.get(from..at)?.trim_ascii());
                from = at + 1;
                if items.len() >= MAX_VALUES {
                    return None;
                }
            }
            _ => {}
        }
    }
    items.push(inside.get(from..)?.trim_ascii());
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_get_the_names_of_their_columns() {
        let statement = b"select v.id, p.data as patient from v left join lateral (select \
            json_build_array(\"p\".\"id\", \"p\".\"mrn\", \"p\".\"last_name\", lower(\"p\".\"note\"), (select \
            coalesce(json_agg(json_build_array(\"t\".\"id\", \"t\".\"phone\")), '[]'))) as data from p) p on true";
        let lists = lists(statement);
        assert_eq!(lists.len(), 2, "{lists:?}");
        let named = |value: &str| {
            named(value.as_bytes(), &lists).map(|text| String::from_utf8(text).expect("text"))
        };
        assert_eq!(
            named(r#"[1, "H7,71", "Roe", "a", [[7, "555"], [8, null]]]"#).expect("a row"),
            r#"{"id":1,"mrn":"H7,71","last_name":"Roe","lower":"a","":[{"id":7,"phone":"555"},{"id":8,"phone":null}]}"#
        );
        assert_eq!(named("[1, 2, 3]"), None);
        assert_eq!(named("{\"a\": [1]}"), None);
        assert_eq!(named(&"[".repeat(100_000)), None);
        assert!(super::lists(b"select json_array from t").is_empty());
    }
}
