//! Signs by which a character set is known though the text is short: beginnings and ends of names.

use encoding_rs::EUC_JP;

/// Words of letters of the upper half.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b < 0x80).filter(|word| word.len() >= 3)
}

/// Whether a word begins with the article that most Arabic family names have, in Windows-1256.
pub(super) fn is_arabic(bytes: &[u8]) -> bool {
    words(bytes).any(|word| word.len() >= 4 && word.starts_with(&[0xC7, 0xE1]))
}

/// Whether a word begins with a Greek capital and ends as most Greek family names do (-ου, -ος, -ης, -ας).
pub(super) fn is_greek(bytes: &[u8]) -> bool {
    words(bytes).any(|word| {
        let capital = word.first().is_some_and(|b| matches!(b, 0xC1..=0xD9));
        let ends = matches!(word, [.., 0xEF, 0xF5 | 0xF2] | [.., 0xE7 | 0xE1, 0xF2]);
        word.len() >= 4 && capital && ends
    })
}

/// Whether text may be Thai: vowels and signs above and below letters are behind letters, leading vowels in front.
pub(super) fn is_thai(bytes: &[u8]) -> bool {
    let letter = |b: u8| matches!(b, 0xA1..=0xCE);
    let mut signs = 0;
    let fits = bytes.split(|b| *b < 0x80).filter(|word| !word.is_empty()).all(|word| {
        let mut before = 0_u8;
        for (at, byte) in word.iter().enumerate() {
            let after = word.get(at + 1).copied().unwrap_or(0);
            let fits = match *byte {
                0xA1..=0xCE => true,
                // Behind a letter.
                0xD1 | 0xD4..=0xD9 => {
                    signs += 1;
                    letter(before)
                }
                0xD0 | 0xD2 | 0xD3 => at > 0,
                // In front of one.
                0xE0..=0xE4 => letter(after),
                // Behind a letter or a vowel of one.
                0xE7..=0xEC => {
                    signs += 1;
                    letter(before) || matches!(before, 0xD1 | 0xD4..=0xD9)
                }
                _ => false,
            };
            if !fits {
                return false;
            }
            before = *byte;
        }
        true
    });
    fits && signs > 0
}

/// Whether the letter at this offset is ß of code page 850, and not á: it is behind a vowel that á seldom follows.
pub(super) fn is_sharp_s(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| {
        let byte = at.checked_sub(back).and_then(|at| bytes.get(at));
        byte.map_or(0, u8::to_ascii_lowercase)
    };
    match before(1) {
        b'a' | b'e' | b'o' => true,
        b'i' => before(2) == b'e',
        b'u' => before(2) == b'a',
        _ => false,
    }
}

/// Whether a word begins with one of the family names that most Japanese have, in EUC-JP.
pub(super) fn has_japanese_name(bytes: &[u8]) -> bool {
    const NAMES: [&str; 60] = [
        "佐藤",
        "鈴木",
        "高橋",
        "田中",
        "伊藤",
        "渡辺",
        "山本",
        "中村",
        "小林",
        "加藤",
        "吉田",
        "山田",
        "佐々木",
        "山口",
        "松本",
        "井上",
        "木村",
        "斎藤",
        "清水",
        "山崎",
        "池田",
        "橋本",
        "阿部",
        "石川",
        "山下",
        "中島",
        "石井",
        "小川",
        "前田",
        "岡田",
        "長谷川",
        "藤田",
        "後藤",
        "近藤",
        "村上",
        "遠藤",
        "青木",
        "坂本",
        "斉藤",
        "福田",
        "太田",
        "西村",
        "藤井",
        "金子",
        "藤原",
        "岡本",
        "三浦",
        "中野",
        "原田",
        "松田",
        "竹内",
        "小野",
        "田村",
        "中山",
        "和田",
        "石田",
        "森田",
        "上田",
        "松井",
        "千葉",
    ];
    let (text, faulty) = EUC_JP.decode_without_bom_handling(bytes);
    !faulty
        && text
            .split(|c: char| c.is_ascii())
            .any(|word| NAMES.iter().any(|name| word.starts_with(name)))
}
