//! Character sets (PS3.3 C.12.1.1.2, PS3.5 6.1): wire bytes to UTF-8.
//!
//! Single-valued (0008,0005): one repertoire without code extensions. Multi-valued: ISO 2022 escape
//! sequences switch G0 and G1; both fall back to the first value at delimiters and line ends
//! (PS3.5 6.1.2.5.3).

use crate::content::formats::hl7v2;
use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5,
    ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_15, WINDOWS_874, WINDOWS_1254,
};
use smallvec::SmallVec;

/// Values of (0008,0005) that are kept.
const MAX_TERMS: usize = 8;
/// Longest escape sequence, bytes.
const MAX_ESCAPE: usize = 4;

/// The repertoire of a defined term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Set {
    /// ISO_IR 6: ASCII.
    Default,
    /// ISO_IR 100: Latin-1, byte for code point.
    Latin1,
    /// A single-byte right half, as an encoding.
    Single(Single),
    /// ISO_IR 13: JIS X 0201, half-width katakana above.
    Katakana,
    /// ISO 2022 IR 87: JIS X 0208 in G0.
    Jis208,
    /// ISO 2022 IR 159: JIS X 0212 in G0.
    Jis212,
    /// ISO 2022 IR 149: KS X 1001 in G1.
    Korean,
    /// ISO 2022 IR 58: GB 2312 in G1.
    Chinese,
    /// ISO_IR 192.
    Utf8,
    /// GB18030 and GBK, without code extensions.
    Gb18030,
    Gbk,
}

/// Single-byte repertoires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Single {
    Latin2,
    Latin3,
    Latin4,
    Cyrillic,
    Arabic,
    Greek,
    Hebrew,
    Latin5,
    Latin9,
    Thai,
}

impl Single {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Latin2 => ISO_8859_2,
            Self::Latin3 => ISO_8859_3,
            Self::Latin4 => ISO_8859_4,
            Self::Cyrillic => ISO_8859_5,
            Self::Arabic => ISO_8859_6,
            Self::Greek => ISO_8859_7,
            Self::Hebrew => ISO_8859_8,
            Self::Latin5 => WINDOWS_1254,
            Self::Latin9 => ISO_8859_15,
            Self::Thai => WINDOWS_874,
        }
    }
}

impl Set {
    /// The meaning of a defined term. Writers spell them loosely (`ISO IR 100`, `ISO-IR_100`), and some write
    /// the names of the registries (`UTF-8`, `ISO-8859-1`).
    fn of_term(term: &[u8]) -> Option<Self> {
        let folded: SmallVec<[u8; 24]> = term
            .iter()
            .filter(|b| b.is_ascii_alphanumeric())
            .map(u8::to_ascii_uppercase)
            .take(24)
            .collect();
        let number = folded.strip_prefix(b"ISO2022IR").or_else(|| folded.strip_prefix(b"ISOIR"));
        Some(match number.unwrap_or(&folded) {
            b"" | b"6" => Self::Default,
            b"100" | b"ISO88591" | b"LATIN1" => Self::Latin1,
            b"101" | b"ISO88592" => Self::Single(Single::Latin2),
            b"109" | b"ISO88593" => Self::Single(Single::Latin3),
            b"110" | b"ISO88594" => Self::Single(Single::Latin4),
            b"144" | b"ISO88595" => Self::Single(Single::Cyrillic),
            b"127" | b"ISO88596" => Self::Single(Single::Arabic),
            b"126" | b"ISO88597" => Self::Single(Single::Greek),
            b"138" | b"ISO88598" => Self::Single(Single::Hebrew),
            b"148" | b"ISO88599" => Self::Single(Single::Latin5),
            b"203" | b"ISO885915" => Self::Single(Single::Latin9),
            b"166" => Self::Single(Single::Thai),
            b"13" => Self::Katakana,
            b"87" => Self::Jis208,
            b"159" => Self::Jis212,
            b"149" => Self::Korean,
            b"58" | b"GB2312" => Self::Chinese,
            b"192" | b"UTF8" => Self::Utf8,
            b"GB18030" => Self::Gb18030,
            b"GBK" => Self::Gbk,
            _ => return None,
        })
    }

    /// Whether it needs two bytes in the lower half.
    const fn is_double_low(self) -> bool {
        matches!(self, Self::Jis208 | Self::Jis212)
    }
}

/// The character set of a data set or item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Charset {
    terms: SmallVec<[Set; 2]>,
    /// Something was declared that is not known.
    unknown: bool,
}

impl Charset {
    /// From the value of (0008,0005).
    pub fn declared(value: &[u8]) -> Self {
        let mut charset = Self::default();
        for term in value.split(|&b| b == b'\\').take(MAX_TERMS) {
            match Set::of_term(term) {
                Some(set) => charset.terms.push(set),
                None => charset.unknown = true,
            }
        }
        charset
    }

    /// `bytes` unchanged, if they mean the same in every repertoire: all have ASCII in the lower half (apart from yen
    /// and overline of JIS X 0201, where DICOM reads the backslash as the delimiter anyway).
    pub fn plain(bytes: &[u8]) -> Option<&str> {
        let plain = bytes.is_ascii() && memchr::memchr(ESC, bytes).is_none();
        std::str::from_utf8(bytes).ok().filter(|_| plain)
    }

    /// Appends `bytes` to `out` as UTF-8.
    pub fn decode(&self, bytes: &[u8], out: &mut String) {
        if let Some(text) = Self::plain(bytes) {
            return out.push_str(text);
        }
        let first = self.terms.first().copied().unwrap_or(Set::Default);
        if self.terms.len() > 1 || bytes.contains(&ESC) {
            return Extended::new(self, first).decode(bytes, out);
        }
        match first {
            // Writers of other alphabets omit the declaration as well.
            Set::Default => undeclared(bytes, out),
            // Real Latin-1 text is never valid UTF-8 by chance, but many senders declare Latin-1 and send UTF-8.
            Set::Latin1 | Set::Utf8 => utf8_or_latin1(bytes, out),
            Set::Korean | Set::Chinese | Set::Jis208 | Set::Jis212 => {
                Extended::new(self, first).decode(bytes, out);
            }
            set => decode_run(set, bytes, out),
        }
    }
}

/// Text that should be ASCII: UTF-8, or in the set that its letters are likely to be in.
fn undeclared(bytes: &[u8], out: &mut String) {
    match std::str::from_utf8(bytes) {
        Err(e) if e.error_len().is_some() => {
            out.push_str(&hl7v2::charset::Charset::Undeclared.decode(bytes, 0));
        }
        _ => utf8_or_latin1(bytes, out),
    }
}

fn utf8_or_latin1(bytes: &[u8], out: &mut String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        // A value cut at a limit may end inside a character.
        Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => {
            out.push_str(std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or(""));
        }
        Err(_) => out.extend(bytes.iter().map(|&b| b as char)),
    }
}

/// Decodes bytes in one repertoire.
fn decode_run(set: Set, bytes: &[u8], out: &mut String) {
    let encoding = match set {
        Set::Default | Set::Latin1 | Set::Utf8 => return utf8_or_latin1(bytes, out),
        Set::Single(single) => single.encoding(),
        Set::Katakana => {
            return out.extend(bytes.iter().map(|&b| match b {
                0xA1..=0xDF => char::from_u32(0xFF61 + u32::from(b) - 0xA1).unwrap_or(UNKNOWN),
                b if b.is_ascii() => b as char,
                _ => UNKNOWN,
            }));
        }
        Set::Jis208 | Set::Jis212 => {
            // The same rows and cells in EUC-JP: both bytes with the high bit, 0212 behind SS3.
            let mut euc = SmallVec::<[u8; 64]>::new();
            for pair in bytes.chunks(2) {
                if set == Set::Jis212 {
                    euc.push(0x8F);
                }
                euc.extend(pair.iter().map(|b| b | 0x80));
            }
            out.push_str(&EUC_JP.decode_without_bom_handling(&euc).0);
            return;
        }
        Set::Korean => EUC_KR,
        Set::Chinese | Set::Gbk => GBK,
        Set::Gb18030 => GB18030,
    };
    out.push_str(&encoding.decode_without_bom_handling(bytes).0);
}

const ESC: u8 = 0x1B;
const UNKNOWN: char = char::REPLACEMENT_CHARACTER;

/// Separates values, and the parts of a name.
const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\\' | b'^' | b'=')
}

/// How many bytes at the start of `bytes` are pairs. Writers must switch back before a delimiter (PS3.5
/// 6.1.2.5.3), and the bytes of delimiters occur in pairs. If a writer does not switch back, or a byte is
/// left over, it ignored the rule, and a delimiter in place of a pair is one.
fn double_byte_run(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|b| !b.is_ascii_graphic()).unwrap_or(bytes.len());
    let run = bytes.get(..end).unwrap_or_default();
    if end % 2 == 0 && bytes.get(end) == Some(&ESC) {
        return end;
    }
    let pairs = run.chunks(2).position(|pair| pair.first().is_some_and(|b| is_delimiter(*b)));
    pairs.map_or(end, |n| 2 * n)
}

/// Decoding with code extensions (ISO/IEC 2022).
struct Extended {
    first: [Set; 2],
    /// The most likely upper half if a writer did not designate it.
    fallback: Set,
    g0: Set,
    g1: Set,
}

impl Extended {
    fn new(charset: &Charset, first: Set) -> Self {
        let (g0, g1) = match first {
            Set::Jis208 | Set::Jis212 => (Set::Default, Set::Default),
            set => (Set::Default, set),
        };
        let upper = charset
            .terms
            .iter()
            .copied()
            .find(|s| !matches!(s, Set::Default | Set::Jis208 | Set::Jis212));
        Self { first: [g0, g1], fallback: upper.unwrap_or(Set::Default), g0, g1 }
    }

    fn decode(mut self, bytes: &[u8], out: &mut String) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if byte == ESC {
                rest = &rest[self.escape(rest)..];
                continue;
            }
            if self.g0.is_double_low() && byte.is_ascii_graphic() {
                let end = double_byte_run(rest);
                decode_run(self.g0, &rest[..end], out);
                rest = &rest[end..];
                if !rest.first().is_some_and(|b| is_delimiter(*b)) {
                    continue;
                }
                [self.g0, self.g1] = self.first;
            }
            let Some(&byte) = rest.first() else { break };
            if byte.is_ascii() {
                out.push(byte as char);
                if is_delimiter(byte) || matches!(byte, b'\r' | b'\n' | b'\x0C' | b'\t') {
                    [self.g0, self.g1] = self.first;
                }
                rest = &rest[1..];
                continue;
            }
            // A run of the upper half; second bytes of GB18030 and GBK may be in the lower half, and the two never
            // occur together with others.
            let low = matches!(self.g1, Set::Gb18030 | Set::Gbk);
            let end =
                rest.iter().position(|&b| b == ESC || (b.is_ascii() && !low)).unwrap_or(rest.len());
            let set = if self.g1 == Set::Default { self.fallback } else { self.g1 };
            decode_run(set, &rest[..end], out);
            rest = &rest[end..];
        }
    }

    /// Takes an escape sequence (PS3.3 table C.12-3 and C.12-4) and returns its length. An unknown one is passed
    /// over.
    fn escape(&mut self, bytes: &[u8]) -> usize {
        let sequence = bytes.get(1..).unwrap_or(&[]);
        let single = |s| Set::Single(s);
        let (g1, set, len) = match sequence {
            [b'$', b'(', b'D', ..] => (false, Set::Jis212, 4),
            [b'$', b'(', b'B' | b'@', ..] => (false, Set::Jis208, 4),
            [b'$', b'B' | b'@', ..] => (false, Set::Jis208, 3),
            [b'$', b')', b'C', ..] => (true, Set::Korean, 4),
            [b'$', b')', b'A', ..] => (true, Set::Chinese, 4),
            [b'(', b'B' | b'J', ..] => (false, Set::Default, 3),
            [b')', b'I', ..] => (true, Set::Katakana, 3),
            [b'-', b'A', ..] => (true, Set::Latin1, 3),
            [b'-', b'B', ..] => (true, single(Single::Latin2), 3),
            [b'-', b'C', ..] => (true, single(Single::Latin3), 3),
            [b'-', b'D', ..] => (true, single(Single::Latin4), 3),
            [b'-', b'L', ..] => (true, single(Single::Cyrillic), 3),
            [b'-', b'G', ..] => (true, single(Single::Arabic), 3),
            [b'-', b'F', ..] => (true, single(Single::Greek), 3),
            [b'-', b'H', ..] => (true, single(Single::Hebrew), 3),
            [b'-', b'M', ..] => (true, single(Single::Latin5), 3),
            [b'-', b'b', ..] => (true, single(Single::Latin9), 3),
            [b'-', b'T', ..] => (true, single(Single::Thai), 3),
            _ => {
                // Intermediate bytes (0x20 to 0x2F), then a final one (ISO/IEC 2022 13.2.1).
                let n = sequence.iter().take(MAX_ESCAPE).take_while(|b| (0x20..0x30).contains(*b));
                return (n.count() + 2).min(bytes.len());
            }
        };
        if g1 {
            self.g1 = set;
        } else {
            self.g0 = set;
        }
        len
    }
}
