//! Text in the headers of mail: encoded words (RFC 2047), parameters in other character sets and in
//! several parts (RFC 2231).

use crate::content::stack::charset;
use crate::syntax::percent;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Encoded words of one field, and parts of one parameter.
const MAX_WORDS: usize = 64;

/// Base64 with or without what fills it up.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `text` with its encoded words decoded. White space between two of them is ignored (RFC 2047 6.2).
pub fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Bytes of consecutive words in one character set: a character may be split between them.
    let mut pending: Vec<u8> = Vec::new();
    let mut set = String::new();
    let mut rest = text;
    for _ in 0..MAX_WORDS {
        let Some(at) = rest.find("=?") else { break };
        let before = rest.get(..at).unwrap_or("");
        let Some((word, after)) = word(rest.get(at + 2..).unwrap_or("")) else {
            flush(&mut pending, &set, &mut out);
            out.push_str(rest.get(..at + 2).unwrap_or(""));
            rest = rest.get(at + 2..).unwrap_or("");
            continue;
        };
        let apart = !before.trim().is_empty() || out.is_empty() && pending.is_empty();
        if apart || !word.set.eq_ignore_ascii_case(&set) {
            flush(&mut pending, &set, &mut out);
        }
        if apart {
            out.push_str(before);
        }
        word.set.clone_into(&mut set);
        pending.extend(word.bytes);
        rest = after;
    }
    flush(&mut pending, &set, &mut out);
    out.push_str(rest);
    out
}

fn flush(pending: &mut Vec<u8>, set: &str, out: &mut String) {
    if !pending.is_empty() {
        out.push_str(&charset::text(pending, charset::known(set)));
        pending.clear();
    }
}

struct Word {
    set: String,
    bytes: Vec<u8>,
}

/// `charset?B?text?=`, and the text behind it.
fn word(text: &str) -> Option<(Word, &str)> {
    let (set, text) = text.split_once('?')?;
    let (encoding, text) = text.split_once('?')?;
    let (coded, after) = text.split_once("?=")?;
    if set.is_empty() || set.len() > 40 || coded.contains(' ') && encoding != "Q" && encoding != "q"
    {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => BASE64.decode(coded).ok()?,
        "Q" | "q" => quoted(coded),
        _ => return None,
    };
    // RFC 2231 5: a language may follow the character set.
    let set = set.split('*').next().unwrap_or(set).to_owned();
    Some((Word { set, bytes }, after))
}

/// RFC 2047 4.2.
fn quoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digit = |b: u8| (b as char).to_digit(16);
        match (byte, after) {
            (b'_', _) => bytes.push(b' '),
            (b'=', &[a, b, ..]) => match (digit(a), digit(b)) {
                (Some(a), Some(b)) => {
                    bytes.push((a << 4 | b) as u8);
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    bytes
}

/// The parameters of a field (RFC 2045 5.1), whose values may be quoted and hold semicolons.
fn parameters(field: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = field.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let mut quoted = false;
            let end = rest.find(|c| {
                quoted ^= c == '"';
                c == ';' && !quoted
            });
            let parameter = rest.get(..end.unwrap_or(rest.len())).unwrap_or("");
            rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or("");
            if let Some((name, value)) = parameter.split_once('=') {
                return Some((name.trim(), value.trim().trim_matches('"')));
            }
        }
    })
    .take(MAX_WORDS)
}

/// The value of a parameter, however it is written: plain, with encoded words, in a character set of its own
/// (`name*=UTF-8''...`), in parts (`name*0`, `name*1*`).
pub fn parameter(field: &str, name: &str) -> Option<String> {
    let of = |parameter: &str| -> Option<(u32, bool)> {
        let (own, rest) = parameter.split_once('*').unwrap_or((parameter, ""));
        if !own.eq_ignore_ascii_case(name) {
            return None;
        }
        let coded = parameter.ends_with('*');
        let number = rest.trim_end_matches('*');
        Some((if number.is_empty() { 0 } else { number.parse().ok()? }, coded))
    };
    let mut parts: Vec<(u32, bool, &str)> =
        parameters(field).filter_map(|(n, v)| of(n).map(|(at, coded)| (at, coded, v))).collect();
    // The encoded form outweighs the plain one for old readers.
    if parts.iter().any(|(at, coded, _)| *at == 0 && *coded) {
        parts.retain(|(at, coded, _)| *at > 0 || *coded);
    }
    parts.sort_by_key(|(at, ..)| *at);
    parts.dedup_by_key(|(at, ..)| *at);
    let (_, first_coded, first) = *parts.first()?;
    let mut set = None;
    let mut bytes = Vec::new();
    for (at, (_, coded, value)) in parts.into_iter().enumerate() {
        let mut value = value;
        if at == 0 && coded {
            let mut pieces = value.splitn(3, '\'');
            if let (Some(label), Some(_), Some(text)) =
                (pieces.next(), pieces.next(), pieces.next())
            {
                set = charset::known(label);
                value = text;
            }
        }
        match coded {
            true => bytes.extend_from_slice(&percent::decode(value.replace('+', "%2B").as_bytes())),
            false => bytes.extend_from_slice(value.as_bytes()),
        }
    }
    let text = charset::text(&bytes, set).into_owned();
    Some(if !first_coded && first.contains("=?") { decode(&text) } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded() {
        for (text, plain) in [
            ("Befund =?ISO-8859-1?Q?M=FCller=2C_J=F6rg?= neu", "Befund Müller, Jörg neu"),
            ("=?utf-8?B?TcO8bGxlcg==?=", "Müller"),
            // A character split between two words, and words apart by white space only.
            ("=?UTF-8?B?TcM=?= \r\n =?UTF-8?B?vGxsZXI?=", "Müller"),
            ("=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= =?us-ascii*en?q?a_b?=", "山田a b"),
            ("=?x?B?*?= =?utf-8?Z?a?= =?", "=?x?B?*?= =?utf-8?Z?a?= =?"),
            ("a =?utf-8?q?b?= c", "a b c"),
        ] {
            assert_eq!(decode(text), plain, "{text}");
        }
    }

    #[test]
    fn parameters_of_any_kind() {
        let get = |field: &str| parameter(field, "filename");
        for (field, name) in [
            ("attachment; filename=a.csv", "a.csv"),
            ("attachment; filename=\"a;b.csv\"; size=1", "a;b.csv"),
            (
                "attachment; filename=\"x.csv\"; filename*=utf-8''Pati%C3%ABnten+1.csv",
                "Patiënten+1.csv",
            ),
            ("a; filename*=ISO-8859-1'de'M%FCller.csv", "Müller.csv"),
            (
                "a; filename*1=\"ten.csv\"; filename*0*=UTF-8''Pati%C3%AB; filename*2=\"\"",
                "Patiëten.csv",
            ),
            ("a; FileName=\"=?utf-8?Q?M=C3=BCller.csv?=\"", "Müller.csv"),
        ] {
            assert_eq!(get(field).as_deref(), Some(name), "{field}");
        }
        assert_eq!(get("attachment; name=x"), None);
        assert_eq!(get("attachment; filename"), None);
    }
}
