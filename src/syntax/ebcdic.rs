//! EBCDIC, the encoding of IBM mainframes and midrange systems. This is code page 37; all Latin
//! code pages share its letters and digits.

/// The characters of bytes 0x40 to 0xFF.
const CP037: &str = "\
    \x20\0âäàáãåçñ¢.<(+|&éêëèíîïìß!$*);¬\
    -/ÂÄÀÁÃÅÇÑ¦,%_>?øÉÊËÈÍÎÏÌ`:#@'=\"\
    Øabcdefghi«»ðýþ±°jklmnopqrªºæ¸Æ¤\
    µ~stuvwxyz¡¿ÐÝÞ®^£¥·©§¶¼½¾[]¯¨´×\
    {ABCDEFGHI\0ôöòóõ}JKLMNOPQR¹ûüùúÿ\
    \\÷STUVWXYZ²ÔÖÒÓÕ0123456789³ÛÜÙÚ\0";

/// The character of a byte; a blank for control codes.
pub fn character(byte: u8) -> char {
    static TABLE: std::sync::LazyLock<[char; 256]> = std::sync::LazyLock::new(|| {
        let mut table = [' '; 256];
        for (slot, c) in table.iter_mut().skip(0x40).zip(CP037.chars()) {
            *slot = if c == '\0' { ' ' } else { c };
        }
        table
    });
    TABLE.get(usize::from(byte)).copied().unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_signs() {
        let text: String =
            b"\xd1\x96\x85\x6b\x40\xf1\xf9\x61\xe9".iter().map(|b| character(*b)).collect();
        assert_eq!(text, "Joe, 19/Z");
        assert_eq!(CP037.chars().count(), 0xc0);
    }
}
