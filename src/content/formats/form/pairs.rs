//! Names and values of a URL-encoded text.

use crate::content::stack::charset;
use encoding_rs::Encoding;
use std::borrow::Cow;

/// Longest form that is read, bytes. Longer ones carry files.
pub const MAX_FORM: usize = 256 << 10;

/// Pairs read of one form.
const MAX_PAIRS: usize = 1024;

/// The pairs of `text`, decoded. What is not UTF-8 is in `set`, which old pages still send.
pub fn pairs<'a>(
    text: &'a [u8],
    set: Option<&'static Encoding>,
) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    let text = text.split(|b| *b == b'#').next().unwrap_or_default();
    text.split(|b| matches!(b, b'&' | b';')).filter(|p| !p.is_empty()).take(MAX_PAIRS).map(
        move |pair| match pair.iter().position(|b| *b == b'=') {
            Some(at) => {
                let (name, value) = pair.split_at(at);
                (decode(name, set), decode(value.get(1..).unwrap_or_default(), set))
            }
            None => (decode(pair, set), Cow::Borrowed("")),
        },
    )
}

/// The character set of a form: as declared by the protocol or by its field `_charset_`, else a
/// guess, where it is not UTF-8.
pub fn set(text: &[u8], declared: Option<&'static Encoding>) -> Option<&'static Encoding> {
    let bytes = decode_bytes(text);
    if std::str::from_utf8(&bytes).is_ok() {
        return None;
    }
    let own = || {
        let at = memchr::memmem::find(&bytes, b"_charset_=")? + b"_charset_=".len();
        let label = bytes.get(at..)?.split(|b| *b == b'&').next()?;
        charset::known(std::str::from_utf8(label).ok()?)
    };
    declared.or_else(own).or_else(|| Some(charset::guess(&bytes, true)))
}

/// Undoes percent-encoding and `+`.
pub fn decode<'a>(text: &'a [u8], set: Option<&'static Encoding>) -> Cow<'a, str> {
    match decode_bytes(text) {
        Cow::Borrowed(bytes) => charset::text(bytes, set),
        Cow::Owned(bytes) => Cow::Owned(charset::text(&bytes, set).into_owned()),
    }
}

/// The bytes behind percent-encoding and `+`.
pub fn decode_bytes(text: &[u8]) -> Cow<'_, [u8]> {
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
