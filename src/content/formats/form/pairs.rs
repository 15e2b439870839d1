//! Names and values of a URL-encoded text.

use crate::content::Extent;
use crate::content::stack::charset;
use crate::syntax::percent;
use encoding_rs::Encoding;
use std::borrow::Cow;

/// Longest form that is read, bytes. Longer ones carry files.
pub const MAX_FORM: usize = 256 << 10;

/// Pairs read of one form.
const MAX_PAIRS: usize = 1024;

/// The decoded pairs of `text`. Bytes that are not UTF-8 are in `set`, which old pages still send.
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

/// The character set of a form that is not UTF-8: as declared by the protocol or by its field `_charset_`, else a
/// guess.
pub fn set(text: &[u8], declared: Option<&'static Encoding>) -> Option<&'static Encoding> {
    let bytes = percent::decode(text);
    if std::str::from_utf8(&bytes).is_ok() {
        return None;
    }
    let own = || {
        let at = memchr::memmem::find(&bytes, b"_charset_=")? + b"_charset_=".len();
        let label = bytes.get(at..)?.split(|b| *b == b'&').next()?;
        charset::known(std::str::from_utf8(label).ok()?)
    };
    declared.or_else(own).or_else(|| Some(charset::guess(&bytes, Extent::Whole)))
}

/// Decodes percent-encoding and `+`.
pub fn decode<'a>(text: &'a [u8], set: Option<&'static Encoding>) -> Cow<'a, str> {
    match percent::decode(text) {
        Cow::Borrowed(bytes) => charset::text(bytes, set),
        Cow::Owned(bytes) => Cow::Owned(charset::text(&bytes, set).into_owned()),
    }
}
