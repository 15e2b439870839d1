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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character() {
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!([0x81, 0x84, b'a'].map(cp437), ['ü', 'ä', 'a']);
    }
}
