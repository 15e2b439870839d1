//! Which set undeclared text is in, where it is not UTF-8: told by how letters follow each other. Text in
//! a Latin alphabet has single letters of the upper half among those of ASCII; other alphabets have
//! whole words of them, with capitals only at the beginning; and Asian sets have pairs that all stand for
//! characters in daily use.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252,
    WINDOWS_1253, WINDOWS_1255, WINDOWS_1256,
};

/// Bytes that are looked at.
const MAX_LOOKED: usize = 8 << 10;

/// What text seems to be in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guess {
    /// A set of the WHATWG encoding standard.
    Set(&'static Encoding),
    /// IBM code page 850, as DOS had it.
    Cp850,
}

/// The upper half of code page 850.
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// Text in code page 850.
pub fn from_cp850(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            0x80.. => CP850.chars().nth(usize::from(byte - 0x80)).unwrap_or('?'),
            ascii => char::from(*ascii),
        })
        .collect()
}

/// The set of bytes that are not UTF-8.
pub fn guess(bytes: &[u8]) -> Guess {
    let bytes = bytes.get(..MAX_LOOKED).unwrap_or(bytes);
    let words = || {
        bytes
            .split(|b| !(b.is_ascii_alphabetic() || *b >= 0x80))
            .filter(|w| w.iter().any(|b| *b >= 0x80))
    };
    // Words without a letter of ASCII: another alphabet, or none.
    let foreign: usize = words().filter(|w| is_foreign(w)).map(<[u8]>::len).sum();
    let all: usize = words().map(<[u8]>::len).sum();
    if foreign * 2 > all {
        return Guess::Set(asian(bytes).unwrap_or_else(|| alphabet(bytes)));
    }
    // A second byte of Shift_JIS or Big5 may be a letter of ASCII.
    let half_high = || words().all(|w| w.iter().filter(|b| **b >= 0x80).count() * 2 >= w.len());
    if words().any(|w| w.len() >= 4)
        && half_high()
        && let Some(asian) = [SHIFT_JIS, BIG5].into_iter().find(|set| is_daily(bytes, set))
    {
        return Guess::Set(asian);
    }
    latin(bytes)
}

fn is_foreign(word: &[u8]) -> bool {
    word.len() >= 2 && word.iter().all(|b| *b >= 0x80)
}

/// An Asian set in which every pair is a character of daily use.
fn asian(bytes: &[u8]) -> Option<&'static Encoding> {
    [SHIFT_JIS, EUC_KR, EUC_JP, GB18030, BIG5].into_iter().find(|set| is_daily(bytes, set))
}

/// Whether bytes are in this set and all their characters in daily use.
fn is_daily(bytes: &[u8], set: &'static Encoding) -> bool {
    // The levels that hold the common characters, by their first bytes.
    let common = |first: u8, second: u8| match set {
        s if s == SHIFT_JIS => matches!(first, 0x81..=0x98) && second >= 0x40,
        s if s == EUC_KR => matches!(first, 0xB0..=0xC8) && second >= 0xA1,
        s if s == EUC_JP => matches!(first, 0xA4 | 0xA5 | 0xB0..=0xCF) && second >= 0xA1,
        s if s == GB18030 => matches!(first, 0xB0..=0xD7) && second >= 0xA1,
        _ => matches!(first, 0xA4..=0xC6) && (second >= 0xA1 || matches!(second, 0x40..=0x7E)),
    };
    let mut rest = bytes;
    let (mut pairs, mut kana) = (0, 0);
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        // Half-width katakana stand alone.
        if first < 0x80 || (set == SHIFT_JIS && matches!(first, 0xA1..=0xDF)) {
            continue;
        }
        let Some((&second, tail)) = tail.split_first() else { return false };
        if !common(first, second) {
            return false;
        }
        kana += usize::from(matches!(first, 0xA4 | 0xA5));
        pairs += 1;
        rest = tail;
    }
    // What has no kana, or no Korean family name, may as well be Chinese.
    match set {
        s if s == EUC_JP => kana > 0,
        s if s == EUC_KR => has_korean_name(bytes),
        _ => pairs > 0,
    }
}

/// Whether a word begins with one of the twenty family names that four of five Koreans have, in KS X
/// 1001.
fn has_korean_name(bytes: &[u8]) -> bool {
    const NAMES: [[u8; 2]; 20] = [
        [0xB1, 0xE8],
        [0xC0, 0xCC],
        [0xB9, 0xDA],
        [0xC3, 0xD6],
        [0xC1, 0xA4],
        [0xB0, 0xAD],
        [0xC1, 0xB6],
        [0xC0, 0xB1],
        [0xC0, 0xE5],
        [0xC0, 0xD3],
        [0xC7, 0xD1],
        [0xBF, 0xC0],
        [0xBC, 0xAD],
        [0xBD, 0xC5],
        [0xB1, 0xC7],
        [0xC8, 0xB2],
        [0xBE, 0xC8],
        [0xBC, 0xDB],
        [0xC0, 0xFC],
        [0xC8, 0xAB],
    ];
    bytes
        .split(|b| *b < 0x80)
        .any(|word| word.first_chunk::<2>().is_some_and(|first| NAMES.contains(first)))
}

/// A set with an alphabet of its own: the one in which words begin with capitals and have none inside.
fn alphabet(bytes: &[u8]) -> &'static Encoding {
    // Hebrew has no capitals, and stands where Cyrillic has its small letters.
    if bytes.iter().filter(|b| **b >= 0x80).all(|b| matches!(b, 0xE0..=0xFA)) {
        return WINDOWS_1255;
    }
    let faults = |set: &'static Encoding| {
        let (text, faulty) = set.decode_without_bom_handling(bytes);
        let mut faults = if faulty { 100 } else { 0 };
        let mut before = ' ';
        for c in text.chars() {
            let inside = before.is_alphabetic();
            if inside && c.is_uppercase() && before.is_lowercase() {
                faults += 2;
            }
            // Signs in or beside words.
            if !c.is_ascii() && !c.is_alphabetic() {
                faults += 2;
            }
            // Two alphabets in one word.
            if inside && c.is_alphabetic() && c.is_ascii() != before.is_ascii() {
                faults += 1;
            }
            before = c;
        }
        faults
    };
    // The vowels that each alphabet uses most, capitals and small letters: а и о, and α ι ο with their accents.
    let (mut cyrillic, mut greek) = (0, 0);
    for byte in bytes {
        match byte {
            0xC0 | 0xC8 | 0xCE | 0xE0 | 0xE8 | 0xEE => cyrillic += 1,
            0xC1 | 0xC9 | 0xCF | 0xE1 | 0xE9 | 0xEF | 0xDC..=0xDF | 0xFC..=0xFE => greek += 1,
            _ => {}
        }
    }
    let mut best = (faults(WINDOWS_1251) + greek, WINDOWS_1251);
    for (set, unlikely) in [(WINDOWS_1253, cyrillic), (WINDOWS_1256, cyrillic + greek)] {
        let found = faults(set) + unlikely;
        if found < best.0 {
            best = (found, set);
        }
    }
    best.1
}

/// A set of a Latin alphabet.
fn latin(bytes: &[u8]) -> Guess {
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let inside = bytes
        .iter()
        .enumerate()
        .filter(|(at, b)| **b >= 0x80 && (at.checked_sub(1).is_some_and(letter) || letter(at + 1)));
    let (mut dos, mut central, mut western) = (0, 0, 0);
    for (_, byte) in inside {
        match byte {
            // Letters of DOS (ü é ä å ç ê ë É ö Ö), signs or nothing in the Windows sets.
            0x81 | 0x82 | 0x84 | 0x86 | 0x87 | 0x88 | 0x89 | 0x90 | 0x94 | 0x99 => dos += 1,
            // Letters of Central Europe, signs in Windows-1252.
            0xA3 | 0xA5 | 0xAA | 0xAF | 0xB3 | 0xB9 | 0xBA | 0xBC | 0xBE | 0xBF => central += 1,
            0xC0.. => western += 1,
            _ => {}
        }
    }
    match (dos, central) {
        (1.., 0) if western == 0 => Guess::Cp850,
        (_, 1..) => Guess::Set(WINDOWS_1250),
        _ => Guess::Set(WINDOWS_1252),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &'static Encoding, text: &str) {
        let (bytes, _, faulty) = set.encode(text);
        assert!(!faulty, "{text}");
        assert_eq!(guess(&bytes), Guess::Set(set), "{text}");
        let framed = [b"PID|1||77^^^N^MR||".as_slice(), &bytes, b"||19591102|F"].concat();
        assert_eq!(guess(&framed), Guess::Set(set), "{text} in a segment");
    }

    #[test]
    fn western_and_central_europe() {
        for text in ["Müller^Jürgen", "Lefèvre^Chloé", "Núñez^José", "Åström^Bjørn", "Spieß^Ulf"]
        {
            check(WINDOWS_1252, text);
        }
        for text in ["Wałęsa^Paweł", "Żółkiewska^Łucja", "Zając^Michał"] {
            check(WINDOWS_1250, text);
        }
    }

    #[test]
    fn other_alphabets() {
        for text in ["Иванов^Сергей^Петрович", "КУЗНЕЦОВА^АННА", "Шевченко^Олександр"]
        {
            check(WINDOWS_1251, text);
        }
        for text in ["Παπαδόπουλος^Γεώργιος", "Αντωνίου^Μαρία"] {
            check(WINDOWS_1253, text);
        }
        for text in ["כהן^דוד", "מזרחי^שרה"] {
            check(WINDOWS_1255, text);
        }
    }

    #[test]
    fn asian_sets() {
        for text in ["山田^太郎", "ヤマダ^タロウ", "佐藤^花子"] {
            check(SHIFT_JIS, text);
        }
        for text in ["김^민준", "이^서연"] {
            check(EUC_KR, text);
        }
        for text in ["王^小明", "李^娜", "欧阳^建国"] {
            check(GB18030, text);
        }
    }

    #[test]
    fn dos() {
        let german =
            [(&b"M\x81ller^J\x81rgen"[..], "Müller^Jürgen"), (b"Sch\x94n^K\x84the", "Schön^Käthe")];
        for (bytes, text) in german {
            assert_eq!(guess(bytes), Guess::Cp850);
            assert_eq!(from_cp850(bytes), text);
        }
        assert_eq!(CP850.chars().count(), 128);
    }
}
