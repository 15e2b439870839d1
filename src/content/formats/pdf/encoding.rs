//! Encodings of simple fonts and the names of glyphs (ISO 32000-1 9.6.6, annex D; Adobe Glyph List).

use std::sync::LazyLock;
use unicode_normalization::char::compose;

/// The base encoding of a simple font, before its differences.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::content::formats) enum Base {
    /// Also the default of fonts without one, as is common in practice.
    WinAnsi,
    MacRoman,
    Standard,
}

/// The character of a code; `None` if the encoding has none.
pub(in crate::content::formats) fn character(base: Base, code: u8) -> Option<char> {
    /// The characters of all codes of an encoding.
    type Table = [Option<char>; 256];
    fn table(of: impl Fn(u8) -> Option<char>) -> Table {
        std::array::from_fn(|code| of(code as u8).filter(|c| !c.is_control()))
    }
    fn decoded(by: &'static encoding_rs::Encoding) -> Table {
        table(|code| by.decode_without_bom_handling(&[code]).0.chars().next())
    }
    static STANDARD: LazyLock<Table> = LazyLock::new(|| table(standard));
    static WIN_ANSI: LazyLock<Table> = LazyLock::new(|| decoded(encoding_rs::WINDOWS_1252));
    static MAC_ROMAN: LazyLock<Table> = LazyLock::new(|| decoded(encoding_rs::MACINTOSH));
    let table: &Table = match base {
        Base::Standard => &STANDARD,
        Base::WinAnsi => &WIN_ANSI,
        Base::MacRoman => &MAC_ROMAN,
    };
    table[usize::from(code)]
}

/// StandardEncoding (D.2).
fn standard(code: u8) -> Option<char> {
    const HIGH: &str = "\
        \0¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\0–†‡·\0¶•‚„”»…‰\0¿\
        \0`´ˆ˜¯˘˙¨\0˚¸\0˝˛ˇ—\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0Æ\0ª\0\0\0\0ŁØŒº\0\0\0\0\0æ\0\0\0ı\0\0łøœß\0\0\0\0";
    match code {
        0x27 => Some('’'),
        0x60 => Some('‘'),
        0x20..=0x7e => Some(char::from(code)),
        0xa0.. => HIGH.chars().nth(usize::from(code - 0xa0)).filter(|c| *c != '\0'),
        _ => None,
    }
}

/// Names that are not composed of others.
const NAMES: &[(&str, &str)] = &[
    ("space", " "),
    ("nbspace", " "),
    ("nonbreakingspace", " "),
    ("exclam", "!"),
    ("quotedbl", "\""),
    ("numbersign", "#"),
    ("dollar", "$"),
    ("percent", "%"),
    ("ampersand", "&"),
    ("quotesingle", "'"),
    ("quoteright", "’"),
    ("quoteleft", "‘"),
    ("quotedblleft", "“"),
    ("quotedblright", "”"),
    ("quotesinglbase", "‚"),
    ("quotedblbase", "„"),
    ("guillemotleft", "«"),
    ("guillemotright", "»"),
    ("guilsinglleft", "‹"),
    ("guilsinglright", "›"),
    ("parenleft", "("),
    ("parenright", ")"),
    ("asterisk", "*"),
    ("plus", "+"),
    ("comma", ","),
    ("hyphen", "-"),
    ("hyphenminus", "-"),
    ("sfthyphen", "-"),
    ("softhyphen", "-"),
    ("minus", "-"),
    ("endash", "–"),
    ("emdash", "—"),
    ("period", "."),
    ("slash", "/"),
    ("fraction", "/"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("colon", ":"),
    ("semicolon", ";"),
    ("less", "<"),
    ("equal", "="),
    ("greater", ">"),
    ("question", "?"),
    ("at", "@"),
    ("bracketleft", "["),
    ("backslash", "\\"),
    ("bracketright", "]"),
    ("asciicircum", "^"),
    ("underscore", "_"),
    ("grave", "`"),
    ("braceleft", "{"),
    ("bar", "|"),
    ("braceright", "}"),
    ("asciitilde", "~"),
    ("bullet", "•"),
    ("periodcentered", "·"),
    ("middot", "·"),
    ("ellipsis", "…"),
    ("section", "§"),
    ("degree", "°"),
    ("acute", "´"),
    ("ordfeminine", "ª"),
    ("ordmasculine", "º"),
    ("Euro", "€"),
    ("mu", "µ"),
    ("fi", "fi"),
    ("fl", "fl"),
    ("ff", "ff"),
    ("ffi", "ffi"),
    ("ffl", "ffl"),
    ("AE", "Æ"),
    ("ae", "æ"),
    ("OE", "Œ"),
    ("oe", "œ"),
    ("Oslash", "Ø"),
    ("oslash", "ø"),
    ("Lslash", "Ł"),
    ("lslash", "ł"),
    ("Dcroat", "Đ"),
    ("dcroat", "đ"),
    ("Eth", "Ð"),
    ("eth", "ð"),
    ("Thorn", "Þ"),
    ("thorn", "þ"),
    ("germandbls", "ß"),
    ("dotlessi", "ı"),
    ("Idot", "İ"),
    ("Tcommaaccent", "Ţ"),
    ("tcommaaccent", "ţ"),
    ("Scommaaccent", "Ș"),
    ("scommaaccent", "ș"),
];

/// Endings of composed names and their combining characters.
const ACCENTS: &[(&str, char)] = &[
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("circumflex", '\u{302}'),
    ("dieresis", '\u{308}'),
    ("tilde", '\u{303}'),
    ("ring", '\u{30a}'),
    ("cedilla", '\u{327}'),
    ("commaaccent", '\u{327}'),
    ("caron", '\u{30c}'),
    ("ogonek", '\u{328}'),
    ("macron", '\u{304}'),
    ("breve", '\u{306}'),
    ("dotaccent", '\u{307}'),
    ("hungarumlaut", '\u{30b}'),
];

/// Greek letters in the order of the alphabet, without the final sigma.
const GREEK: &str = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron \
                     pi rho - sigma tau upsilon phi chi psi omega";

/// The names of the glyphs that fonts of printers have: letters with and without accents, and signs.
pub(in crate::content::formats) fn names() -> impl Iterator<Item = String> {
    let letters = || ('A'..='Z').chain('a'..='z');
    let composed = letters().flat_map(|letter| {
        let composed = ACCENTS.iter().filter(move |(_, accent)| compose(letter, *accent).is_some());
        composed.map(move |(name, _)| format!("{letter}{name}"))
    });
    let signs = NAMES.iter().map(|(name, _)| (*name).to_owned());
    letters().map(String::from).chain(signs).chain(composed)
}

/// Appends the text of the glyph `name`; false if the name has no meaning.
pub(in crate::content::formats) fn glyph(name: &[u8], out: &mut String) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    // `a.sc`, `one.tnum`: a variant of the letter before the dot.
    let name = name.split('.').next().unwrap_or("");
    if let Some((_, text)) = NAMES.iter().find(|(n, _)| *n == name) {
        out.push_str(text);
        return true;
    }
    let found = single(name);
    out.extend(found);
    found.is_some()
}

fn single(name: &str) -> Option<char> {
    let mut letters = name.chars();
    let first = letters.next()?;
    if letters.as_str().is_empty() {
        return Some(first).filter(char::is_ascii_alphabetic);
    }
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    if let Some(digits) = name.strip_prefix("uni") {
        return digits.get(..4).and_then(hex);
    }
    // `u1F600`, but not `uacute`.
    if first == 'u'
        && matches!(name.len(), 5..=7)
        && let Some(c) = hex(letters.as_str())
    {
        return Some(c);
    }
    if let Some(number) = name.strip_prefix("afii").and_then(|n| n.parse::<u32>().ok()) {
        return cyrillic(number);
    }
    if first.is_ascii_alphabetic()
        && let Some((_, accent)) = ACCENTS.iter().find(|(n, _)| *n == letters.as_str())
    {
        return compose(first, *accent);
    }
    let lower = name.to_ascii_lowercase();
    let at = GREEK.split_whitespace().position(|n| n == lower)? as u32;
    char::from_u32(if first.is_ascii_uppercase() { 0x391 } else { 0x3b1 } + at)
}

/// The names of Cyrillic letters count, with io between.
fn cyrillic(number: u32) -> Option<char> {
    char::from_u32(match number {
        10017..=10022 => 0x410 + number - 10017,
        10023 => 0x401,
        10024..=10049 => 0x416 + number - 10024,
        10065..=10070 => 0x430 + number - 10065,
        10071 => 0x451,
        10072..=10097 => 0x436 + number - 10072,
        _ => return None,
    })
}

/// A text string (7.9.2.2): UTF-16 or UTF-8 with a mark, else PDFDocEncoding, whose letters are
/// those of Windows-1252.
pub(in crate::content::formats) fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0,
        [0xff, 0xfe, rest @ ..] => encoding_rs::UTF_16LE.decode_without_bom_handling(rest).0,
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
    .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_the_standard_encoding_have_their_codes() {
        for (code, letter) in [
            (0xD0, '—'),
            (0xE1, 'Æ'),
            (0xE8, 'Ł'),
            (0xE9, 'Ø'),
            (0xF1, 'æ'),
            (0xF8, 'ł'),
            (0xFB, 'ß'),
        ] {
            assert_eq!(character(Base::Standard, code), Some(letter), "{code:x}");
        }
        assert_eq!(character(Base::Standard, 0xFC), None);
    }

    #[test]
    fn every_name_has_a_meaning() {
        for name in names() {
            assert!(glyph(name.as_bytes(), &mut String::new()), "{name}");
        }
        assert!(names().any(|name| name == "Idieresis"));
    }
}
