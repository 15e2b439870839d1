//! MSH-18 character sets (HL7 table 0211).

mod guess;

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1250,
    WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256,
};
use std::borrow::Cow;

const ESC: u8 = 0x1B;

/// How the text of a message is coded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Charset {
    /// Nothing, or ASCII, was declared.
    #[default]
    Undeclared,
    /// Nothing was declared, but MSH-17 names a country: what is not UTF-8 is in its usual set.
    Assumed(&'static Encoding),
    /// One encoding for everything.
    One(&'static Encoding),
    /// Japanese sets switched by ISO 2022 escape sequences.
    Japanese,
}

impl Charset {
    /// UTF-8, as what was in UTF-16 is written before it is read.
    pub const UNICODE: Self = Self::One(UTF_8);

    /// By the repetitions of MSH-18. The first is the default set, the others may be switched to;
    /// the most capable one reads them all, since all of them contain ASCII.
    pub fn declared<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        /// Repetitions that are looked at.
        const MAX_SETS: usize = 8;
        let mut chosen = Self::Undeclared;
        for name in names.take(MAX_SETS) {
            match Self::named(name.trim()) {
                Self::Japanese => return Self::Japanese,
                set if chosen == Self::Undeclared => chosen = set,
                _ => {}
            }
        }
        chosen
    }

    /// The same where nothing was declared and MSH-17 (ISO 3166) names a country.
    pub fn or_of_country(self, country: &str) -> Self {
        if self != Self::Undeclared {
            return self;
        }
        Self::Assumed(match country.trim() {
            "JPN" | "JP" => SHIFT_JIS,
            "CHN" | "CN" => GB18030,
            "TWN" | "TW" | "HKG" | "HK" => BIG5,
            "KOR" | "KR" => EUC_KR,
            "RUS" | "RU" | "UKR" | "UA" | "BGR" | "BG" | "SRB" | "RS" => WINDOWS_1251,
            "POL" | "PL" | "CZE" | "CZ" | "SVK" | "SK" | "HUN" | "HU" | "SVN" | "SI" | "HRV"
            | "HR" | "ROU" | "RO" => WINDOWS_1250,
            "GRC" | "GR" => WINDOWS_1253,
            "TUR" | "TR" => WINDOWS_1254,
            "ISR" | "IL" => WINDOWS_1255,
            "EGY" | "EG" | "SAU" | "SA" | "ARE" | "AE" | "JOR" | "JO" => WINDOWS_1256,
            "THA" | "TH" => WINDOWS_874,
            _ => return self,
        })
    }

    fn named(name: &str) -> Self {
        /// Longest name of a character set.
        const MAX_NAME: usize = 32;
        if name.len() > MAX_NAME {
            return Self::Undeclared;
        }
        let folded: String =
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        Self::One(match folded.as_str() {
            "ascii" | "usascii" | "isoir6" => return Self::Undeclared,
            "88591" | "iso88591" => WINDOWS_1252,
            "88599" | "iso88599" => WINDOWS_1254,
            "isoir87" | "isoir159" | "isoir14" | "iso2022jp" => return Self::Japanese,
            "unicode" | "unicodeutf8" | "utf8" | "isoir192" => UTF_8,
            "gb180302000" | "gb18030" | "gbk" | "gb2312" => GB18030,
            "big5" => BIG5,
            "ksx1001" | "isoir149" | "ksc5601" => EUC_KR,
            "shiftjis" | "sjis" | "cp932" => SHIFT_JIS,
            "eucjp" => EUC_JP,
            other => {
                let label = match other.strip_prefix("iso").unwrap_or(other).strip_prefix("8859") {
                    Some(part) => format!("iso-8859-{part}"),
                    None => name.to_ascii_lowercase(),
                };
                match Encoding::for_label(label.as_bytes()) {
                    Some(encoding) => encoding,
                    None => return Self::Undeclared,
                }
            }
        })
    }

    /// Text in UTF-8. `escape` is the message's escape character: `\C2842\` and `\M244200\` are the sequences
    /// that switch sets (HL7 v2 chapter 2.7.2).
    pub fn decode<'b>(self, bytes: &'b [u8], escape: u8) -> Cow<'b, str> {
        let switches = |at: usize| matches!(bytes.get(at + 1), Some(b'$' | b'('));
        let switched = memchr::memchr_iter(ESC, bytes).any(switches);
        match self {
            Self::One(encoding) if switched && encoding != UTF_8 => {
                // KS X 1001 and others are announced by a sequence and occupy the upper half.
                let plain = without_switches(bytes);
                return Cow::Owned(encoding.decode_without_bom_handling(&plain).0.into_owned());
            }
            Self::One(_) => {}
            _ if switched || (self == Self::Japanese && has_switch(bytes, escape)) => {
                let euc = euc(bytes, escape);
                return Cow::Owned(EUC_JP.decode_without_bom_handling(&euc).0.into_owned());
            }
            _ => {}
        }
        let utf8 = std::str::from_utf8(bytes).ok();
        let utf8_wins = match self {
            Self::One(encoding) if encoding.is_single_byte() => {
                utf8.is_some_and(|text| is_utf8_after_all(text, encoding))
            }
            Self::One(encoding) => encoding == UTF_8,
            Self::Undeclared | Self::Assumed(_) | Self::Japanese => true,
        };
        if let (Some(text), true) = (utf8, utf8_wins) {
            let chance = !matches!(self, Self::One(_)) && is_utf8_by_chance(text);
            return match chance.then(|| guess::asian(bytes)).flatten() {
                Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
                None => Cow::Borrowed(text),
            };
        }
        let encoding = match self {
            Self::One(encoding) if encoding != UTF_8 => encoding,
            Self::Assumed(encoding) => encoding,
            Self::Japanese => SHIFT_JIS,
            _ => match guess::guess(bytes) {
                guess::Guess::Set(encoding) => encoding,
                guess::Guess::Cp850 => return Cow::Owned(guess::from_cp850(bytes)),
            },
        };
        let (text, faulty) = encoding.decode_without_bom_handling(bytes);
        match utf8 {
            Some(utf8) if faulty => Cow::Borrowed(utf8),
            _ => text,
        }
    }
}

/// Whether text that is valid UTF-8 was meant so although a single-byte set was declared, as many
/// senders do. Two capitals of that set may look like one character of UTF-8 (`ŮŽ` in 8859/2), but then
/// one from elsewhere; and the sets of ISO 8859 have nothing at 0x80 to 0x9F.
fn is_utf8_after_all(text: &str, declared: &'static Encoding) -> bool {
    text.bytes().any(|b| matches!(b, 0x80..=0x9F | 0xE0..))
        || text.chars().all(|c| c.is_ascii() || !declared.encode(c.encode_utf8(&mut [0; 4])).2)
}

/// Whether text is UTF-8 only because two bytes of a character in an Asian set look like one of UTF-8: it has words of
/// letters from several scripts, all of two bytes (`˾ͽ־Զ` for 司徒志远).
fn is_utf8_by_chance(text: &str) -> bool {
    if text.is_ascii() || text.bytes().any(|b| b >= 0xE0) {
        return false;
    }
    // The blocks of the scripts below U+0800.
    let script = |c: char| match u32::from(c) {
        0x00..=0x7F => 0,
        0x80..=0x024F => 1,
        0x0250..=0x036F => 2,
        0x0370..=0x03FF => 3,
        0x0400..=0x052F => 4,
        0x0530..=0x058F => 5,
        0x0590..=0x05FF => 6,
        _ => 7,
    };
    text.split(|c: char| c.is_ascii()).any(|word| {
        let mut scripts = word.chars().map(script);
        scripts.next().is_some_and(|first| scripts.any(|other| other != first))
    })
}

fn has_switch(bytes: &[u8], escape: u8) -> bool {
    bytes.windows(2).any(|w| matches!(w, [e, b'C' | b'M'] if *e == escape))
}

fn without_switches(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            ESC => tail.get(switch(tail).1..).unwrap_or(&[]),
            _ => {
                out.push(byte);
                tail
            }
        };
    }
    out
}

/// The set that the bytes between two switches are in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Ascii,
    /// JIS X 0201, half-width katakana.
    Katakana,
    /// JIS X 0208 (ISO IR87).
    Kanji,
    /// JIS X 0212 (ISO IR159).
    Supplement,
}

/// ISO 2022 with escape sequences as EUC-JP, which has all of its sets at once.
fn euc(bytes: &[u8], escape: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    let mut set = Set::Ascii;
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == ESC {
            let (switched, len) = switch(tail);
            set = switched.unwrap_or(set);
            rest = tail.get(len..).unwrap_or(&[]);
            continue;
        }
        if byte == escape
            && let Some((sequence, len)) = written_switch(tail, escape)
        {
            set = switch(&sequence).0.unwrap_or(set);
            rest = tail.get(len..).unwrap_or(&[]);
            continue;
        }
        rest = tail;
        match (set, byte) {
            // Line ends and delimiters of a header that forgot to switch back.
            (_, ..=0x20 | 0x7F..) | (Set::Ascii, _) => {
                if (0xA1..=0xDF).contains(&byte) {
                    out.push(0x8E);
                }
                out.push(byte);
            }
            (Set::Katakana, _) => out.extend([0x8E, byte | 0x80]),
            (Set::Kanji | Set::Supplement, _) => {
                let Some((&second, tail)) = tail.split_first() else { break };
                if set == Set::Supplement {
                    out.push(0x8F);
                }
                out.extend([byte | 0x80, second | 0x80]);
                rest = tail;
            }
        }
    }
    out
}

/// The set that the bytes after an ESC switch to, and how many they are.
fn switch(after: &[u8]) -> (Option<Set>, usize) {
    match after {
        [b'$', b'B' | b'@', ..] => (Some(Set::Kanji), 2),
        [b'$', b'(', b'D', ..] => (Some(Set::Supplement), 3),
        [b'$', b'(' | b')', _, ..] => (None, 3),
        [b'(', b'I', ..] => (Some(Set::Katakana), 2),
        [b'(', _, ..] => (Some(Set::Ascii), 2),
        [b')' | b'-' | b'.', _, ..] => (None, 2),
        _ => (None, 0),
    }
}

/// `Cxxyy\` or `Mxxyyzz\`: the bytes it encodes (after ESC) and its length.
fn written_switch(after: &[u8], escape: u8) -> Option<([u8; 3], usize)> {
    let digits = match after.first()? {
        b'C' => 4,
        b'M' => 6,
        _ => return None,
    };
    let len = after.iter().take(digits + 2).position(|b| *b == escape)?;
    let hex = std::str::from_utf8(after.get(1..len)?).ok()?;
    let mut sequence = [0u8; 3];
    for (i, slot) in sequence.iter_mut().enumerate().take(hex.len() / 2) {
        *slot = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some((sequence, len + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> Charset {
        Charset::declared(name.split('~'))
    }

    #[test]
    fn names_of_charsets_are_recognised() {
        assert_eq!(set(""), Charset::Undeclared);
        assert_eq!(set("ASCII"), Charset::Undeclared);
        assert_eq!(set("ASCII~8859/5"), Charset::One(encoding_rs::ISO_8859_5));
        assert_eq!(set("8859/1"), Charset::One(WINDOWS_1252));
        assert_eq!(set("8859/5"), Charset::One(encoding_rs::ISO_8859_5));
        assert_eq!(set("8859/15"), Charset::One(encoding_rs::ISO_8859_15));
        assert_eq!(set("ISO-8859-2"), Charset::One(encoding_rs::ISO_8859_2));
        assert_eq!(set("windows-1250"), Charset::One(encoding_rs::WINDOWS_1250));
        assert_eq!(set("UNICODE UTF-8"), Charset::One(UTF_8));
        assert_eq!(set("GB 18030-2000"), Charset::One(GB18030));
        assert_eq!(set("KS X 1001"), Charset::One(EUC_KR));
        assert_eq!(set("~ISO IR87"), Charset::Japanese);
        assert_eq!(set("nonsense"), Charset::Undeclared);
    }

    #[test]
    fn decodes_what_was_declared() {
        assert_eq!(set("8859/1").decode(b"Mich\xE8le", b'\\'), "Michèle");
        assert_eq!(set("8859/7").decode(b"\xCC\xE1\xF1\xDF\xE1", b'\\'), "Μαρία");
        assert_eq!(set("8859/5").decode(b"\xB8\xD2\xD0\xDD", b'\\'), "Иван");
        assert_eq!(set("GB 18030-2000").decode(b"\xC1\xAA\xCD\xA8", b'\\'), "联通");
        assert_eq!(set("BIG-5").decode(b"\xB3\x5C\xA5\x5C", b'\\'), "許功");
        assert_eq!(set("KS X 1001").decode(b"\xB1\xE8", b'\\'), "김");
        assert_eq!(set("KS X 1001").decode(b"\x1B$)C\xB1\xE8|", b'\\'), "김|");
    }

    #[test]
    fn pairs_that_are_utf8_by_chance() {
        let bytes = b"\xcb\xbe\xcd\xbd\xd6\xbe\xd4\xb6";
        assert_eq!(Charset::Undeclared.decode(bytes, b'\\'), "司徒志远");
        for text in ["Müller", "Ångström", "Καραγιάννης", "Мельников", "Rene\u{301}", "±µ"]
        {
            assert_eq!(Charset::Undeclared.decode(text.as_bytes(), b'\\'), text);
        }
    }

    #[test]
    fn utf8_wins_where_a_single_byte_set_was_declared() {
        assert_eq!(set("8859/1").decode("Spieß".as_bytes(), b'\\'), "Spieß");
        assert_eq!(set("8859/1").decode("Łukasz".as_bytes(), b'\\'), "Łukasz");
        assert_eq!(set("8859/1").decode("橋本".as_bytes(), b'\\'), "橋本");
        assert_eq!(set("8859/2").decode(b"R\xD9\xAEENA", b'\\'), "RŮŽENA");
        assert_eq!(set("").decode("橋本".as_bytes(), b'\\'), "橋本");
        assert_eq!(set("").decode(b"Ren\xE9", b'\\'), "René");
        assert_eq!(set("UNICODE UTF-8").decode(b"Ren\xE9", b'\\'), "René");
    }

    #[test]
    fn a_country_without_a_declared_set() {
        let of = |declared, country| set(declared).or_of_country(country);
        assert_eq!(of("", "JPN").decode(b"\x8E\x52\x93\x63", b'\\'), "山田");
        assert_eq!(of("", "JPN").decode("山田".as_bytes(), b'\\'), "山田");
        assert_eq!(of("", "RUS").decode(b"\xC8\xE2\xE0\xED", b'\\'), "Иван");
        assert_eq!(of("", "USA"), Charset::Undeclared);
        assert_eq!(of("8859/1", "RUS"), Charset::One(WINDOWS_1252));
    }

    #[test]
    fn japanese_escape_sequences_switch_charsets() {
        let kanji = b"\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B";
        assert_eq!(set("~ISO IR87").decode(kanji, b'\\'), "山田^太郎");
        assert_eq!(set("").decode(kanji, b'\\'), "山田^太郎");
        assert_eq!(set("~ISO IR87").decode(b"\\M2442\\;3ED\\C2842\\^A", b'\\'), "山田^A");
        assert_eq!(set("~ISO IR159").decode(b"\x1B$(D0!\x1B(B", b'\\'), "丂");
        assert_eq!(set("ISO IR14").decode(b"\x1B(I5\x1B(J|", b'\\'), "ｵ|");
    }
}
