//! Content-Transfer-Encoding (RFC 2045 6): what mail writes its bytes in, undone as they arrive.

use crate::content::{Document, Ending, Media, Nested, Scope, Want};
use crate::syntax::base64::Base64;

/// A payload declared as `media` that is written in `encoding`.
pub fn undo(encoding: &str, media: &Media<'_>) -> Nested {
    let nested = Nested::new(media);
    let (layer, decoder) = match encoding.trim() {
        e if e.eq_ignore_ascii_case("base64") => ("base64", Decoder::Base64(Base64::default())),
        e if e.eq_ignore_ascii_case("quoted-printable") => {
            ("quoted-printable", Decoder::Quoted { escape: Vec::new() })
        }
        // 7bit, 8bit and binary are the bytes themselves.
        _ => return nested,
    };
    let encoded = Encoded { decoder, nested, unwanted: 0, has_gap: false };
    Nested::reading(layer, Box::new(encoded))
}

/// A reader of a payload in base64, of either alphabet.
pub fn base64(nested: Nested) -> Box<dyn Document> {
    let decoder = Decoder::Base64(Base64::default());
    Box::new(Encoded { decoder, nested, unwanted: 0, has_gap: false })
}

struct Encoded {
    decoder: Decoder,
    nested: Nested,
    /// Coming decoded bytes to skip.
    unwanted: u64,
    has_gap: bool,
}

enum Decoder {
    Base64(Base64),
    Quoted {
        /// `=` and what follows it, up to a line break.
        escape: Vec<u8>,
    },
}

/// Longest run of white space between `=` and the line break (RFC 2045 6.7 (3)).
const MAX_ESCAPE: usize = 78;

impl Decoder {
    fn decode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Base64(base64) => base64.decode(bytes, out),
            Self::Quoted { escape } => {
                for &byte in bytes {
                    if escape.is_empty() && byte != b'=' {
                        out.push(byte);
                        continue;
                    }
                    escape.push(byte);
                    match *escape.as_slice() {
                        [_, .., b'\n'] => escape.clear(),
                        [_] | [_, b'\r' | b' ' | b'\t', ..] if escape.len() < MAX_ESCAPE => {}
                        [_, high] if high.is_ascii_hexdigit() => {}
                        [_, high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                            out.push(digit(high) << 4 | digit(low));
                            escape.clear();
                        }
                        // No escape after all (RFC 2045 6.7, note 2).
                        _ => out.append(escape),
                    }
                }
            }
        }
    }
}

const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

impl Document for Encoded {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut decoded = zeroize::Zeroizing::new(Vec::with_capacity(bytes.len()));
        self.decoder.decode(bytes, &mut decoded);
        let hidden = usize::try_from(self.unwanted).unwrap_or(usize::MAX).min(decoded.len());
        self.unwanted -= hidden as u64;
        if let Some(wanted @ [_, ..]) = decoded.get(hidden..) {
            let want = self.nested.data(wanted, scope);
            if want == Want::NOTHING {
                return want;
            }
            self.unwanted = want.skip;
        }
        Want::ALL
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        self.has_gap = true;
        match &mut self.decoder {
            // The number of missing bytes is unknown.
            Decoder::Base64(_) => Want::NOTHING,
            Decoder::Quoted { escape } => {
                escape.clear();
                let want = self.nested.gap(len, scope);
                self.unwanted = if want == Want::NOTHING { 0 } else { want.skip };
                if want == Want::NOTHING { want } else { Want::ALL }
            }
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.nested.end(ending.and(!self.has_gap), scope);
    }

    fn memory(&self) -> usize {
        MAX_ESCAPE + self.nested.memory()
    }
}
