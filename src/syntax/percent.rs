//! Percent-encoding (RFC 3986 2.1), with `+` for a blank as forms write it.

use std::borrow::Cow;

/// Decodes percent-encoding and `+`.
pub fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', &[a, b, ..]) => {
                let digit = |c: u8| (c as char).to_digit(16);
                match (digit(a), digit(b)) {
                    (Some(a), Some(b)) => {
                        bytes.push((a << 4 | b) as u8);
                        rest = after.get(2..).unwrap_or_default();
                    }
                    _ => bytes.push(b'%'),
                }
            }
            _ => bytes.push(byte),
        }
    }
    Cow::Owned(bytes)
}
