//! Base64 (RFC 4648 4 and 5), decoded as it arrives: either alphabet, line breaks and other bytes passed over (RFC 2045
//! 6.8), several texts one behind the other.

/// Marks bytes that are no digits. Digits have six bits.
const NO_DIGIT: u8 = 0xff;
const SIX_BITS: u8 = 0x3f;

/// Digits decoded in one step.
const BLOCK: usize = 32;

/// The value of each digit.
static DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A'..=b'Z' => byte as u8 - b'A',
            b'a'..=b'z' => byte as u8 - b'a' + 26,
            b'0'..=b'9' => byte as u8 - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => NO_DIGIT,
        };
        byte += 1;
    }
    table
};

/// The value of a byte as a digit, or [`NO_DIGIT`].
#[inline]
fn value(byte: u8) -> u8 {
    DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT)
}

/// The value of a digit.
pub fn digit(byte: u8) -> Option<u8> {
    Some(value(byte)).filter(|value| *value != NO_DIGIT)
}

/// The bits of an incomplete byte.
#[derive(Clone, Copy, Default)]
pub struct Base64 {
    bits: u32,
    /// Their number.
    held: u8,
}

impl Base64 {
    /// Decodes the next bytes of a text and appends the result to `out`.
    pub fn decode(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len() / 4 * 3 + 3);
        loop {
            if self.held == 0 {
                let read = whole(bytes, out);
                bytes = bytes.get(read..).unwrap_or_default();
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            self.decode_byte(byte, out);
            bytes = rest;
        }
    }

    /// The same for one byte.
    pub fn decode_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        let Some(value) = digit(byte) else {
            if byte == b'=' {
                // The end, or the end of a separately encoded part.
                *self = Self::default();
            }
            return;
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.held += 6;
        if self.held >= 8 {
            self.held -= 8;
            out.push((self.bits >> self.held) as u8);
            self.bits &= (1 << self.held) - 1;
        }
    }
}

/// Decodes four digits to three bytes. `seen` collects the bits of all values.
#[inline]
fn decode_four(four: [u8; 4], seen: &mut u8) -> [u8; 3] {
    let [a, b, c, d] = four;
    let (a, b, c, d) = (value(a), value(b), value(c), value(d));
    *seen |= a | b | c | d;
    let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
    let [_, three @ ..] = bits.to_be_bytes();
    three
}

/// Decodes digits at the front, as long as there are four of them. Returns how many bytes were read.
fn whole(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let mut read = 0;
    for block in bytes.as_chunks::<BLOCK>().0 {
        let start = out.len();
        out.resize(start + BLOCK / 4 * 3, 0);
        let room = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<3>().0;
        let mut seen = 0;
        for (three, four) in room.iter_mut().zip(block.as_chunks::<4>().0) {
            *three = decode_four(*four, &mut seen);
        }
        if seen > SIX_BITS {
            out.truncate(start);
            break;
        }
        read += BLOCK;
    }
    for four in bytes.get(read..).unwrap_or_default().as_chunks::<4>().0 {
        let mut seen = 0;
        let three = decode_four(*four, &mut seen);
        if seen > SIX_BITS {
            break;
        }
        out.extend_from_slice(&three);
        read += 4;
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    /// Byte by byte, as the standard describes it.
    fn expected(text: &[u8]) -> Vec<u8> {
        let (mut decoder, mut out) = (Base64::default(), Vec::new());
        text.iter().for_each(|byte| decoder.decode_byte(*byte, &mut out));
        out
    }

    fn in_pieces(text: &[u8], piece: usize) -> Vec<u8> {
        let (mut decoder, mut out) = (Base64::default(), Vec::new());
        text.chunks(piece).for_each(|piece| decoder.decode(piece, &mut out));
        out
    }

    proptest! {
        #[test]
        fn what_another_library_has_encoded_is_read_in_pieces_of_any_size(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            piece in 1usize..100,
        ) {
            let mut lines = STANDARD.encode(&bytes).into_bytes();
            prop_assert_eq!(&in_pieces(&lines, piece), &bytes);
            prop_assert_eq!(&in_pieces(URL_SAFE_NO_PAD.encode(&bytes).as_bytes(), piece), &bytes);
            lines = lines.chunks(76).flat_map(|line| [line, b"\r\n"].concat()).collect();
            prop_assert_eq!(&in_pieces(&lines, piece), &bytes);
        }

        #[test]
        fn whatever_is_between_digits_is_read_as_byte_by_byte(
            text in prop::collection::vec(prop_oneof![
                12 => prop::sample::select(b"AZaz09+/-_QmZx".to_vec()),
                1 => any::<u8>(),
                1 => Just(b'='),
            ], 0..300),
            piece in 1usize..120,
        ) {
            prop_assert_eq!(in_pieces(&text, piece), expected(&text));
        }
    }
}
