//! Control characters as logs and manuals spell them: `<STX>`, `[CR]`, `{FS}`, `␂`, `\x02`, `\u000b`, `<0x0D>`.

use std::borrow::Cow;

/// Names of control characters in framings of messages.
const NAMES: [(&[u8], u8); 14] = [
    (b"STX", 0x02),
    (b"ETX", 0x03),
    (b"EOT", 0x04),
    (b"ENQ", 0x05),
    (b"ACK", 0x06),
    (b"LF", b'\n'),
    (b"VT", 0x0B),
    (b"SB", 0x0B),
    (b"CR", b'\r'),
    (b"ETB", 0x17),
    (b"FS", 0x1C),
    (b"EB", 0x1C),
    (b"GS", 0x1D),
    (b"RS", 0x1E),
];

/// Longest spelling, bytes.
const MAX_SPELLED: usize = 6;

/// The text with its spelled control characters undone.
pub fn undo(text: &[u8]) -> Cow<'_, [u8]> {
    replace(text, |text| character(text).or_else(|| letter(text)))
}

/// The same without `\r`, `\n` and `\v`, which may be parts of escape sequences of HL7 v2.
pub fn undo_names(text: &[u8]) -> Cow<'_, [u8]> {
    replace(text, character)
}

fn replace(text: &[u8], character: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Cow<'_, [u8]> {
    let signs = |b: &u8| matches!(b, b'<' | b'[' | b'{' | b'\\' | 0xE2 | b'&');
    let Some(first) = text.iter().position(signs) else { return Cow::Borrowed(text) };
    let mut out: Option<Vec<u8>> = None;
    let (mut at, mut from) = (first, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match character(rest) {
            Some((byte, len)) => {
                let out = out.get_or_insert_with(|| Vec::with_capacity(text.len()));
                out.extend_from_slice(text.get(from..at).unwrap_or_default());
                out.push(byte);
                at += len;
                from = at;
            }
            None => at += 1,
        }
    }
    match out {
        Some(mut out) => {
            out.extend_from_slice(text.get(from..).unwrap_or_default());
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

/// The control character that is spelled at the front of `text`, and the length of its spelling.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [open @ (b'<' | b'[' | b'{'), rest @ ..] => {
            let close = match open {
                b'<' => b'>',
                b'[' => b']',
                _ => b'}',
            };
            let end = rest.iter().take(MAX_SPELLED).position(|b| *b == close)?;
            let byte = named(rest.get(..end)?)?;
            Some((byte, end + 2))
        }
        // U+2400 to U+241F, the pictures of control characters.
        [0xE2, 0x90, picture @ 0x80..=0x9F, ..] => control(picture - 0x80).map(|byte| (byte, 3)),
        [b'\\', b'x', a, b, ..] => control(hex(&[*a, *b])?).map(|byte| (byte, 4)),
        [b'\\', b'u', b'0', b'0', a, b, ..] => control(hex(&[*a, *b])?).map(|byte| (byte, 6)),
        [b'&', b'#', rest @ ..] => {
            let end = rest.iter().take(MAX_SPELLED).position(|b| *b == b';')?;
            let digits = rest.get(..end)?;
            let byte = match digits {
                [b'x' | b'X', digits @ ..] => hex(digits)?,
                _ => std::str::from_utf8(digits).ok()?.parse().ok()?,
            };
            control(byte).map(|byte| (byte, end + 3))
        }
        _ => None,
    }
}

/// The escape sequences that are a letter.
fn letter(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', b'r', ..] => Some((b'\r', 2)),
        [b'\\', b'n', ..] => Some((b'\n', 2)),
        [b'\\', b'v', ..] => Some((0x0B, 2)),
        _ => None,
    }
}

fn named(name: &[u8]) -> Option<u8> {
    let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let digits = || match name {
        [b'0', b'x' | b'X', digits @ ..] => hex(digits),
        [_, _] => hex(name),
        _ => None,
    };
    known.map(|(_, byte)| *byte).or_else(digits).and_then(control)
}

/// The value of one or two hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    let fits = matches!(digits.len(), 1 | 2) && digits.iter().all(u8::is_ascii_hexdigit);
    fits.then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

fn control(byte: u8) -> Option<u8> {
    (byte < b' ').then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_characters_become_what_they_are() {
        for (spelled, expected) in [
            ("<STX>1H|<CR><ETX>A7<CR><LF>", "\u{2}1H|\r\u{3}A7\r\n"),
            ("[stx]a[ETX]", "\u{2}a\u{3}"),
            ("{FS}AM01{RS}", "\u{1c}AM01\u{1e}"),
            ("␞␜AM01␝", "\u{1e}\u{1c}AM01\u{1d}"),
            ("\\x0bMSH\\r\\u001c\\n", "\u{b}MSH\r\u{1c}\n"),
            ("<0x0D><0d>&#13;&#xB;", "\r\r\r\u{b}"),
        ] {
            assert_eq!(&*undo(spelled.as_bytes()), expected.as_bytes(), "{spelled}");
        }
        for plain in
            ["<b>x</b>", "[4]", "a\\T\\b", "\\F\\", "&amp;", "<41>", "€uro", "<", "\\x4", ""]
        {
            assert!(matches!(undo(plain.as_bytes()), Cow::Borrowed(_)), "{plain}");
        }
    }
}
