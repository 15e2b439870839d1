//! Guesses the character set of undeclared text that is not UTF-8, by how letters follow each other. Text in
//! a Latin alphabet has single letters of the upper half among those of ASCII; other alphabets have whole
//! words of them, with capitals only at the beginning; and Asian sets have pairs that are all characters in
//! daily use.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, IBM866, ISO_8859_2, ISO_8859_5, ISO_8859_7, KOI8_R,
    SHIFT_JIS, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
    WINDOWS_1255, WINDOWS_1256,
};

mod signs;

use signs::{has_japanese_name, is_arabic, is_greek, is_sharp_s, is_thai};

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
pub fn asian(bytes: &[u8]) -> Option<&'static Encoding> {
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
        // Half-width katakana are single bytes.
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
        s if s == EUC_JP => kana > 0 || has_japanese_name(bytes),
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

/// A set with an alphabet of its own: the one in which words begin with capitals, have none inside,
/// and in which vowels and consonants take turns.
fn alphabet(bytes: &[u8]) -> &'static Encoding {
    // Hebrew has no capitals, and occupies the small letters of Windows-1251 and the capitals of KOI8-R. Its
    // final letters end words.
    let hebrew = |b: &u8| matches!(b, 0xE0..=0xFA);
    let ends_word =
        |w: &[u8]| matches!(w, [0xEA | 0xED | 0xEF | 0xF3 | 0xF5, after] if hebrew(after));
    if bytes.iter().filter(|b| **b >= 0x80).all(hebrew) && !bytes.windows(2).any(ends_word) {
        return WINDOWS_1255;
    }
    if is_arabic(bytes) && faults(bytes, WINDOWS_1256) == 0 {
        return WINDOWS_1256;
    }
    if is_greek(bytes) {
        let sets = [WINDOWS_1253, ISO_8859_7];
        if let Some(set) = sets.into_iter().find(|set| faults(bytes, set) == 0) {
            return set;
        }
    }
    // The vowels that each alphabet uses most, capitals and small letters: а и о, and α ι ο with their accents.
    let (mut cyrillic, mut greek) = (0, 0);
    for byte in bytes {
        match byte {
            0xC0 | 0xC8 | 0xCE | 0xE0 | 0xE8 | 0xEE => cyrillic += 1,
            0xC1 | 0xC9 | 0xCF | 0xE1 | 0xE9 | 0xEF | 0xDC..=0xDF | 0xFC..=0xFE => greek += 1,
            _ => {}
        }
    }
    let thai = if is_thai(bytes) { 1 } else { bytes.len() };
    let rest = [(WINDOWS_1253, cyrillic), (ISO_8859_7, cyrillic), (WINDOWS_1256, cyrillic + greek)];
    let known = CYRILLIC
        .iter()
        .map(|set| (*set, hard_to_speak(bytes, set)))
        .chain(rest)
        .map(|(set, unlikely)| (faults(bytes, set) + unlikely, set))
        .chain([(thai, WINDOWS_874)]);
    let best = known.reduce(|best, next| if next.0 < best.0 { next } else { best });
    best.map_or(WINDOWS_1251, |(_, set)| set)
}

/// The sets of Cyrillic, the most common first.
const CYRILLIC: [&Encoding; 4] = [WINDOWS_1251, KOI8_R, IBM866, ISO_8859_5];

/// What does not fit in text that is decoded from this set.
fn faults(bytes: &[u8], set: &'static Encoding) -> usize {
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
}

/// How far text decoded from a set of Cyrillic is from anything that can be spoken: words of
/// several letters without a vowel, long runs of consonants or of vowels, words that begin with a
/// letter that begins none, and letters that most languages do not have.
fn hard_to_speak(bytes: &[u8], set: &'static Encoding) -> usize {
    const VOWELS: &str = "аеёиоуыэюяіїєўј";
    const NO_BEGINNING: &str = "ъыь";
    /// Russian, and with them Ukrainian, Belarusian, Bulgarian, Serbian and Macedonian.
    const LETTERS: &str = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґўјљњћђџѓќѕ";
    let (text, _) = set.decode_without_bom_handling(bytes);
    let mut cost = 0;
    for word in text.split(|c: char| !c.is_alphabetic() || c.is_ascii()).filter(|w| !w.is_empty()) {
        let (mut run, mut vowel, mut vowels, mut len) = (0, false, 0, 0);
        for c in word.chars().flat_map(char::to_lowercase) {
            let is_vowel = VOWELS.contains(c);
            run = if len > 0 && is_vowel == vowel { run + 1 } else { 1 };
            cost += usize::from(run > if is_vowel { 2 } else { 3 });
            cost += usize::from(!LETTERS.contains(c)) * 2;
            cost += usize::from(len == 0 && NO_BEGINNING.contains(c)) * 2;
            vowel = is_vowel;
            vowels += usize::from(is_vowel);
            len += 1;
        }
        cost += usize::from(vowels == 0 && len > 2) * 2;
    }
    cost
}

/// A set of a Latin alphabet.
fn latin(bytes: &[u8]) -> Guess {
    let (mut dos, mut windows, mut iso, mut central, mut western) = (0, 0, 0, 0, 0);
    for (at, &byte) in bytes.iter().enumerate().filter(|(_, b)| **b >= 0x80) {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
        let after = bytes.get(at + 1).copied().unwrap_or(b' ');
        let letter = |byte: u8| byte.is_ascii_alphabetic() || byte >= 0xC0;
        if !letter(before) && !letter(after) {
            continue;
        }
        let (first, last) = (before < 0x80 && !letter(before), after < 0x80 && !letter(after));
        let inside = letter(before) && letter(after);
        let vowel = b"aeiouyAEIOUY".contains(&after) || after >= 0xC0;
        match byte {
            // Letters of DOS (ü é ä å ç ê ë É ö Ö), signs or nothing in the Windows sets.
            0x81 | 0x82 | 0x84 | 0x86 | 0x87 | 0x88 | 0x89 | 0x90 | 0x94 | 0x99 => dos += 1,
            0xE1 if is_sharp_s(bytes, at) => dos += 1,
            // Ť Ź ť: nothing in Windows-1252. ź: a capital there, which begins words.
            0x8D | 0x8F | 0x9D => windows += 2,
            0x9F if !first => windows += 1,
            // Ś ś, or Œ œ, which U follows as a rule.
            0x8C | 0x9C if !matches!(after, b'u' | b'U' | b'i' | b'I') => windows += 1,
            // Ą Ś Ź ą ś in ISO 8859-2, signs in Windows-1250.
            0xA1 | 0xA6 | 0xAC | 0xB1 | 0xB6 => iso += 1,
            // Š Ť Ž at the beginning, ľ ť inside: signs in Windows-1250, © « ® µ ».
            0xA9 | 0xAB | 0xAE if first && letter(after) || inside => iso += 1,
            0xB5 | 0xBB if inside => iso += 1,
            // Ľ in ISO 8859-2, which begins words; Ą in Windows-1250, which begins none.
            0xA5 if first => iso += 1,
            // š before a vowel or at the end, and ą, which is in neither place.
            0xB9 if vowel || last => iso += 1,
            // ź or ž, more often than ľ; Ľ begins a word.
            0xBC if !first => iso += 1,
            0xBE => iso += 1,
            // Letters of Central Europe, signs in Windows-1252.
            0xA3 | 0xA5 | 0xAA | 0xAF | 0xB3 | 0xB9 | 0xBA | 0xBC | 0xBF => central += 1,
            // š and ž are the same in Windows-1250; è æ ð with them are č ć đ.
            0x8A | 0x8E | 0x9A | 0x9E if bytes.iter().any(|b| is_central(*b)) => windows += 1,
            0xC0.. => western += 1,
            _ => {}
        }
    }
    match (dos, windows, iso, central) {
        (1.., 0, 0, 0) if western == 0 => Guess::Cp850,
        // The sets agree in Ł ł Ż ż Ş ş, but not in what is decisive.
        (_, 0, 1.., _) => Guess::Set(ISO_8859_2),
        (_, 0, 0, 0) if is_turkish(bytes) => Guess::Set(WINDOWS_1254),
        (_, 0, 0, 0) => Guess::Set(WINDOWS_1252),
        _ => Guess::Set(WINDOWS_1250),
    }
}

/// Whether text is in Windows-1254: it has letters that Icelandic has in their place in Windows-1252 (Ğ ğ İ ı Ş ş, or Ð ð Ý
/// ý Þ þ), and no letter that Turkish lacks.
fn is_turkish(bytes: &[u8]) -> bool {
    let own = |b: u8| matches!(b, 0xD0 | 0xF0 | 0xDD | 0xFD | 0xDE | 0xFE);
    let shared = |b: u8| matches!(b, 0xC7 | 0xE7 | 0xD6 | 0xF6 | 0xDC | 0xFC);
    let vowel = |b: u8| b"aeiouAEIOU".contains(&b) || matches!(b, 0xD6 | 0xF6 | 0xDC | 0xFC | 0xFD);
    let mut high = bytes.iter().filter(|b| **b >= 0x80);
    if !bytes.iter().any(|b| own(*b)) || !high.all(|b| own(*b) || shared(*b)) {
        return false;
    }
    // Names of Icelandic: Þorvaldur, Þuríður, Einarsson, and ð behind a consonant.
    let icelandic = |at: usize| match bytes.get(at..) {
        Some([0xDE | 0xFE, b'o' | b'u', b'r', ..] | [b's', b's', b'o', b'n', ..]) => true,
        Some([0xF0, ..]) => {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            before.is_some_and(|b| b.is_ascii_alphabetic() && !vowel(*b))
        }
        _ => false,
    };
    !(0..bytes.len()).any(icelandic)
}

/// Letters of Central Europe that names have beside š and ž (č ć đ ě ř ů ň ď), and that are rare
/// where Windows-1252 has š and ž (è æ ð ì ø ù ò ï).
const fn is_central(byte: u8) -> bool {
    matches!(
        byte,
        0xC8 | 0xC6
            | 0xD0
            | 0xCC
            | 0xD8
            | 0xD9
            | 0xD2
            | 0xCF
            | 0xE8
            | 0xE6
            | 0xF0
            | 0xEC
            | 0xF8
            | 0xF9
            | 0xF2
            | 0xEF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turkish_and_icelandic() {
        for name in
            ["Doğan^Şeyma", "Uğurlu^Şerafettin", "Işık^İlhan", "Çağrı^Gülşen", "Kılıç^Tuğba"]
        {
            check(WINDOWS_1254, name);
        }
        for name in
            ["Þorsteinsson^Einar", "Guðmundsdóttir^Sigríður", "Jónsson^Þórður", "Sigurðsson^Ýmir"]
        {
            check(WINDOWS_1252, name);
        }
    }

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
        for text in
            ["Wałęsa^Paweł", "Żółkiewska^Łucja", "Zając^Michał", "Šarčević^Božidar", "Źdźbło^Jan"]
        {
            check(WINDOWS_1250, text);
        }
        for text in [
            "Šebestik^Božena",
            "Dvořák^Tomáš^ŽITNÁ",
            "Śliwa^Wiesław",
            "Dušan^Novák",
            "Zając^Dąbrówka",
        ] {
            check(ISO_8859_2, text);
        }
    }

    #[test]
    fn cyrillic_and_greek_code_pages_are_guessed() {
        for text in ["Иванов^Сергей^Петрович", "КУЗНЕЦОВА^АННА", "Шевченко^Олександр"]
        {
            check(WINDOWS_1251, text);
        }
        for text in ["Петров^Юрий", "Кузнецова^Людмила", "Щербаков^Илья", "СИДОРОВА^ОЛЬГА"]
        {
            check(KOI8_R, text);
            check(WINDOWS_1251, text);
            check(IBM866, text);
            check(ISO_8859_5, text);
        }
        for text in ["Παπαδόπουλος^Γεώργιος", "Αντωνίου^Μαρία"] {
            check(WINDOWS_1253, text);
        }
        for text in ["כהן^דוד", "מזרחי^שרה"] {
            check(WINDOWS_1255, text);
        }
    }

    #[test]
    fn alphabets_are_known_by_few_letters() {
        for text in ["ประเสริฐ^บุญมา", "สมหญิง^จันทร์ดี", "สมชาย^ศรีสุวรรณ"]
        {
            check(WINDOWS_874, text);
        }
        for text in ["الشمري^يوسف", "العمري^زينب", "القحطاني^محمود"]
        {
            check(WINDOWS_1256, text);
        }
        for text in ["Αλεξίου^Ελένη", "Οικονόμου^Δέσποινα", "Καραγιάννης^Νικόλαος"]
        {
            check(WINDOWS_1253, text);
        }
        for text in ["渡辺^花子", "高橋^美咲"] {
            check(EUC_JP, text);
        }
        assert_eq!(guess(b"Wei\xE1gerber^Sabine"), Guess::Cp850);
        for text in ["Suárez^Damián", "Márquez^Sebastián", "Kovács^Béla"] {
            check(WINDOWS_1252, text);
        }
    }

    #[test]
    fn east_asian_encodings_are_guessed() {
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
    fn code_page_850_is_guessed_by_its_umlauts() {
        let german =
            [(&b"M\x81ller^J\x81rgen"[..], "Müller^Jürgen"), (b"Sch\x94n^K\x84the", "Schön^Käthe")];
        for (bytes, text) in german {
            assert_eq!(guess(bytes), Guess::Cp850);
            assert_eq!(from_cp850(bytes), text);
        }
        assert_eq!(CP850.chars().count(), 128);
    }
}
