//! JSON on one line that no terminal and no viewer of logs can be steered by: beside what JSON escapes,
//! control characters above U+007F and characters without a width or that turn the reading direction
//! are written as `\uXXXX`. Readers get the same text back.

use super::text::is_unsafe;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::io;

struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|b| (b' '..0x7f).contains(&b)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Writes `value`.
///
/// # Errors
/// Those of `writer`.
pub(in crate::output) fn write(writer: impl io::Write, value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(writer, Escaping))?)
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn characters_that_steer_are_escaped_and_read_back() {
        let text = "a\u{9b}2J\u{202e}b\u{200b}\u{7f}\u{e0041}é山\n\"";
        let mut line = Vec::new();
        write(&mut line, &text).expect("written");
        let line = String::from_utf8(line).expect("UTF-8");
        assert_eq!(line, "\"a\\u009b2J\\u202eb\\u200b\\u007f\\udb40\\udc41é山\\n\\\"\"",);
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), text);
    }
}
