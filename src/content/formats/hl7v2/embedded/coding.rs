//! Encodings of document data.

use crate::syntax::base64::Base64;

/// An encoding, with the bits of an incomplete byte.
#[derive(Clone, Copy)]
pub enum Coding {
    /// Base64 (RFC 4648 4 and 5).
    Base64(Base64),
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
    pub fn base64() -> Self {
        Self::Base64(Base64::default())
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
            Self::Base64(_) => "base64",
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
            Self::Base64(base64) => base64.decode_byte(byte, out),
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
        let Self::Base64(base64) = self else { return false };
        base64.decode(run, out);
        true
    }
}
