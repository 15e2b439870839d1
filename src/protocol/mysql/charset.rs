//! Character sets by the numbers of their collations (`SHOW COLLATION`).

/// The label (WHATWG Encoding) of a collation's character set. `None` for UTF-8, for Western sets that the text
/// itself shows, and for binary.
pub const fn label(collation: u64) -> Option<&'static str> {
    Some(match collation {
        1 | 84 => "big5",
        2 | 9 | 21 | 27 | 77 => "iso-8859-2",
        7 | 74 => "koi8-r",
        22 | 75 => "koi8-u",
        12 | 91 | 97 | 98 => "euc-jp",
        13 | 88 | 95 | 96 => "shift_jis",
        14 | 23 | 50..=52 => "windows-1251",
        16 | 71 => "iso-8859-8",
        18 | 89 => "windows-874",
        19 | 85 => "euc-kr",
        24 | 28 | 86 | 87 => "gbk",
        248..=250 => "gb18030",
        25 | 70 => "iso-8859-7",
        26 | 34 | 44 | 66 | 99 => "windows-1250",
        30 | 78 => "windows-1254",
        20 | 41 | 42 | 79 => "iso-8859-13",
        29 | 58 | 59 => "windows-1257",
        36 | 68 => "ibm866",
        39 | 53 => "macintosh",
        57 | 67 => "windows-1256",
        _ => return None,
    })
}
