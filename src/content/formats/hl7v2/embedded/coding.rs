//! Encodings of document data.

/// An encoding, with the bits of an incomplete byte.
#[derive(Clone, Copy)]
pub enum Coding {
    /// Base64 (RFC 4648 4 and 5).
    Base64 {
        /// Bits of the incomplete byte.
        bits: u32,
        /// Their number.
        held: u8,
    },
    /// Hexadecimal digits.
    Hex {
        /// The first of two.
        high: Option<u8>,
    },
    /// No encoding (`A`): text with escape sequences.
    Plain,
}

impl Coding {
    /// Base64, from its beginning.
    pub const fn base64() -> Self {
        Self::Base64 { bits: 0, held: 0 }
    }
    /// Hexadecimal, from its beginning.
    pub const fn hex() -> Self {
        Self::Hex { high: None }
    }
    /// Whether bytes must be decoded.
    pub const fn is_encoded(self) -> bool {
        !matches!(self, Self::Plain)
    }
    /// The layer's name in `phi.carrier`.
    pub const fn layer(self) -> &'static str {
        match self {
            Self::Base64 { .. } => "base64",
            Self::Hex { .. } => "hex",
            Self::Plain => "text",
        }
    }

    /// Decodes a byte; of text without an encoding, at most `max_text` bytes are held.
    pub fn decode(&mut self, byte: u8, max_text: usize, out: &mut Vec<u8>) {
        match self {
            Self::Plain => {
                if out.len() < max_text {
                    out.push(byte);
                }
            }
            Self::Base64 { bits, held } => {
                let Some(value) = base64_digit(byte) else {
                    if byte == b'=' {
                        // The end, or the end of a separately encoded part.
                        (*bits, *held) = (0, 0);
                    }
                    return;
                };
                *bits = (*bits << 6) | u32::from(value);
                *held += 6;
                if *held >= 8 {
                    *held -= 8;
                    let [.., decoded] = (*bits >> *held).to_be_bytes();
                    *bits &= (1 << *held) - 1;
                    out.push(decoded);
                }
            }
            Self::Hex { high } => {
                let Some(digit) = char::from(byte).to_digit(16) else { return };
                let digit = digit as u8;
                match high.take() {
                    Some(high) => out.push(high << 4 | digit),
                    None => *high = Some(digit),
                }
            }
        }
    }
}

impl Coding {
    /// Decodes a run of base64 at once; false if it is something else.
    pub fn decode_base64(&mut self, run: &[u8], out: &mut Vec<u8>) -> bool {
        let Self::Base64 { bits, held } = self else { return false };
        let (mut sum, mut count) = (*bits, *held);
        for &byte in run {
            let value = DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT);
            if value == NO_DIGIT {
                if byte == b'=' {
                    (sum, count) = (0, 0);
                }
                continue;
            }
            sum = (sum << 6) | u32::from(value);
            count += 6;
            if count >= 8 {
                count -= 8;
                out.push((sum >> count) as u8);
                sum &= (1 << count) - 1;
            }
        }
        (*bits, *held) = (sum, count);
        true
    }
}

/// Marks bytes that are no base64 digits.
const NO_DIGIT: u8 = 0xff;

/// [`base64_digit`] of each byte.
static DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(digit) = base64_digit(byte as u8) {
            table[byte] = digit;
        }
        byte += 1;
    }
    table
};

/// The value of a base64 character (RFC 4648 4 and 5).
pub const fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}
