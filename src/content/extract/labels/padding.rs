//! Characters around the values of labels that belong to neither.

/// Characters between a label and its value, besides blanks.
const PADDING: [char; 10] = [',', ';', '|', ':', '*', '-', '•', '·', '_', '"'];

/// A bit for each of them, and for the blanks, in ASCII.
const ASCII_PADDING: u128 = {
    let mut bits: u128 = 0b1_1111 << b'\t' | 1 << b' ';
    let mut at = 0;
    while at < PADDING.len() {
        if PADDING[at].is_ascii() {
            bits |= 1 << PADDING[at] as u32;
        }
        at += 1;
    }
    bits
};

/// Whether a character is padding between a label and its value.
pub(super) fn is_padding(c: char) -> bool {
    match c.is_ascii() {
        true => ASCII_PADDING >> (c as u32) & 1 == 1,
        false => c.is_whitespace() || c == '\u{feff}' || PADDING.contains(&c),
    }
}
