//! Values of attributes as text.

use super::element::is_multi_valued;
use crate::rules::Kind;
use dicom_core::VR;
use zeroize::Zeroizing;

/// Values read of one attribute.
const MAX_VALUES: usize = 64;

/// A value as text.
pub(super) enum Text<'b> {
    Plain(&'b str),
    Decoded(Zeroizing<String>),
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Decoded(text) => text,
        }
    }
}

/// Whether a text is written like a person's name: family and given name, and nothing but letters
/// (PS3.5 6.2.1).
pub(super) fn is_person_name(text: &str, vr: Option<VR>) -> bool {
    let text = text.trim_matches(PADDING);
    let of_name =
        |c: char| c.is_alphabetic() || matches!(c, ' ' | '-' | '.' | '\'' | '’' | '=' | '^');
    let parts = text.split('^').filter(|p| p.chars().any(char::is_alphabetic)).count();
    text.chars().all(of_name) && parts >= if vr == Some(VR::PN) { 1 } else { 2 }
}

/// Whether bytes of unknown meaning may be text.
pub(super) fn is_printable(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_end();
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    !text.iter().any(|b| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n' | 0x0C | 0x1B))
}

/// Padding of values (PS3.5 6.2).
pub(super) const PADDING: [char; 5] = [' ', '\0', '\t', '\r', '\n'];

/// The values of an attribute, without padding.
pub(super) fn split(text: &str, vr: Option<VR>) -> impl Iterator<Item = &str> {
    let separator = is_multi_valued(vr).then_some('\\');
    text.split(move |c| Some(c) == separator).take(MAX_VALUES).map(|v| v.trim_matches(PADDING))
}

/// Whether a value is real: not only delimiters, and in a query not only wildcards or a range (PS3.4 C.2.2.2).
pub(super) fn says_something(value: &str, query: bool, kind: Kind) -> bool {
    if !value.chars().any(char::is_alphanumeric) {
        return false;
    }
    !(query && matches!(kind, Kind::BirthDate | Kind::DeathDate) && value.contains('-'))
}
