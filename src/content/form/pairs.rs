//! Names and values of a URL-encoded text.

use std::borrow::Cow;

/// Longest form that is read, bytes. Longer ones carry files.
pub const MAX_FORM: usize = 256 << 10;

/// Pairs read of one form.
const MAX_PAIRS: usize = 1024;

/// The pairs of `text`, decoded.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let text = text.split(|b| *b == b'#').next().unwrap_or_default();
    text.split(|b| matches!(b, b'&' | b';')).filter(|p| !p.is_empty()).take(MAX_PAIRS).map(|pair| {
        match pair.iter().position(|b| *b == b'=') {
            Some(at) => {
                let (name, value) = pair.split_at(at);
                (decode(name), decode(value.get(1..).unwrap_or_default()))
            }
            None => (decode(pair), Cow::Borrowed("")),
        }
    })
}

/// Undoes percent-encoding and `+`. Bytes that are not UTF-8 are taken for the usual 8-bit set, which
/// old pages still send.
pub fn decode(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return to_text(text);
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
    Cow::Owned(to_text(&bytes).into_owned())
}

fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}
