//! Code page 437, which programs for DOS, printers and German files of practices still use.

/// The upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}";

/// The character of a byte.
pub fn cp437(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        Some(high) => CP437.chars().nth(usize::from(high)).unwrap_or('?'),
        None => char::from(byte),
    }
}

/// Letters of code page 850 where 437 has lines, Greek letters and signs.
const CP850: [(u8, char); 28] = [
    (0xB5, 'Á'),
    (0xB6, 'Â'),
    (0xB7, 'À'),
    (0xC6, 'ã'),
    (0xC7, 'Ã'),
    (0xD0, 'ð'),
    (0xD1, 'Ð'),
    (0xD2, 'Ê'),
    (0xD3, 'Ë'),
    (0xD4, 'È'),
    (0xD6, 'Í'),
    (0xD7, 'Î'),
    (0xD8, 'Ï'),
    (0xDE, 'Ì'),
    (0xE0, 'Ó'),
    (0xE2, 'Ô'),
    (0xE3, 'Ò'),
    (0xE4, 'õ'),
    (0xE5, 'Õ'),
    (0xE7, 'þ'),
    (0xE8, 'Þ'),
    (0xE9, 'Ú'),
    (0xEA, 'Û'),
    (0xEB, 'Ù'),
    (0xEC, 'ý'),
    (0xED, 'Ý'),
    (0x9B, 'ø'),
    (0x9D, 'Ø'),
];

/// The text of a printer or program of DOS, in code page 437, or 850 where a letter is beside others.
pub fn dos_text(bytes: &[u8]) -> String {
    let letter = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_some_and(|b| b.is_ascii_alphabetic() || (0x80..0x9B).contains(b))
    };
    let shown = |(at, byte): (usize, &u8)| {
        let beside = letter(at.checked_sub(1)) || letter(Some(at + 1));
        let known = CP850.iter().find(|(code, _)| code == byte && beside);
        known.map_or_else(|| cp437(*byte), |(_, letter)| *letter)
    };
    bytes.iter().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character() {
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!([0x81, 0x84, b'a'].map(cp437), ['ü', 'ä', 'a']);
    }

    #[test]
    fn letters_of_both_pages() {
        assert_eq!(dos_text(b"LEF\xD4VRE J\x82r\x93me"), "LEFÈVRE Jérôme");
        assert_eq!(dos_text(b"\xC9\xCD\xD1\xCD\xBB K\x94ln \xE3"), "╔═╤═╗ Köln π");
    }
}
