//! The text on screens in the 3270 data stream (IBM GA23-0059, chapters 3 and 4).

use super::ibm::{place, text};

/// Columns of the usual screen, and its positions; larger models announce more rows.
const COLUMNS: usize = 80;
const MAX_PLACES: usize = 80 * 62;
/// Most positions that one order may fill.
const MAX_FILL: usize = 1920;

/// Position of the next character.
#[derive(Default)]
pub(super) struct Screen {
    at: usize,
}

/// Commands: remote attachment codes, and channel codes.
const WRITE: [u8; 2] = [0xf1, 0x01];
const ERASE_WRITE: [u8; 4] = [0xf5, 0x05, 0x7e, 0x0d];
const ERASE_UNPROTECTED: [u8; 2] = [0x6f, 0x0f];
const STRUCTURED: [u8; 2] = [0xf3, 0x11];

/// An address of 12 bits, six in each byte, or of 14 (GA23-0059 3.3).
fn address(high: u8, low: u8) -> usize {
    let (high, low) = (usize::from(high), usize::from(low));
    match high & 0xc0 {
        0 => (high & 0x3f) << 8 | low,
        _ => (high & 0x3f) << 6 | (low & 0x3f),
    }
}

impl Screen {
    fn go(&mut self, to: usize, out: &mut Vec<u8>) {
        self.at = to.min(MAX_PLACES - 1);
        place(self.at / COLUMNS, self.at % COLUMNS, out);
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            text(&[*byte], out);
            self.at = (self.at + 1) % MAX_PLACES;
            if self.at.is_multiple_of(COLUMNS) {
                // Character terminals do not continue in the next row by themselves.
                place(self.at / COLUMNS, 0, out);
            }
        }
    }

    /// Output of the host.
    pub(super) fn show(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let Some((command, rest)) = record.split_first() else { return };
        match command {
            c if ERASE_WRITE.contains(c) => {
                out.extend_from_slice(b"\x1b[2J");
                self.go(0, out);
                self.orders(rest.get(1..).unwrap_or_default(), out);
            }
            c if WRITE.contains(c) => self.orders(rest.get(1..).unwrap_or_default(), out),
            c if ERASE_UNPROTECTED.contains(c) => {}
            c if STRUCTURED.contains(c) => self.structured(rest, out),
            _ => {}
        }
    }

    /// Structured fields: those with another data stream (outbound 3270DS, chapter 5).
    fn structured(&mut self, mut fields: &[u8], out: &mut Vec<u8>) {
        while let Some((length, rest)) = fields.split_first_chunk::<2>() {
            let len = match usize::from(u16::from_be_bytes(*length)) {
                0 => fields.len(),
                len => len,
            };
            let field = rest.get(..len.saturating_sub(2)).unwrap_or(rest);
            if let [0x40, _, stream @ ..] = field
                && !stream.first().is_some_and(|c| STRUCTURED.contains(c))
            {
                self.show(stream, out);
            }
            fields = fields.get(len.max(2)..).unwrap_or_default();
        }
    }

    fn orders(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        let mut budget = MAX_PLACES * 4;
        while let Some((first, rest)) = data.split_first() {
            let used = match (first, rest) {
                // Set buffer address.
                (0x11, [high, low, ..]) => {
                    self.go(address(*high, *low), out);
                    3
                }
                // Start field: its attribute occupies a position.
                (0x1d, [_, ..]) => {
                    self.put(&[0x40], out);
                    2
                }
                // Start field extended, modify field: pairs of attributes.
                (0x29, [count, ..]) => {
                    self.put(&[0x40], out);
                    2 + 2 * usize::from(*count)
                }
                (0x2c, [count, ..]) => 2 + 2 * usize::from(*count),
                // Set attribute.
                (0x28, [_, _, ..]) => 3,
                // Insert cursor, program tab.
                (0x13 | 0x05, _) => 1,
                // Repeat to address.
                (0x3c, [high, low, byte, ..]) => {
                    let to = address(*high, *low);
                    let many = (to + MAX_PLACES - self.at) % MAX_PLACES;
                    let many = many.min(MAX_FILL).min(budget);
                    budget -= many;
                    self.put(&vec![*byte; many], out);
                    self.go(to, out);
                    if *byte == 8 { 5 } else { 4 }
                }
                // Erase unprotected to address.
                (0x12, [high, low, ..]) => {
                    self.go(address(*high, *low), out);
                    3
                }
                // Graphic escape.
                (0x08, [_, ..]) => {
                    self.put(&[0x40], out);
                    2
                }
                (0..0x40, _) => {
                    self.put(&[0x40], out);
                    1
                }
                _ => {
                    let len = data.iter().take_while(|b| **b >= 0x40).count();
                    self.put(data.get(..len).unwrap_or_default(), out);
                    len
                }
            };
            data = data.get(used.max(1)..).unwrap_or_default();
        }
    }

    /// Input of the user: a key, the cursor, and the modified fields (GA23-0059 4.2).
    pub(super) fn typed(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let Some(mut fields) = record.get(3..) else { return };
        while let Some((first, rest)) = fields.split_first() {
            match (first, rest) {
                (0x11, [high, low, ..]) => {
                    self.go(address(*high, *low), out);
                    fields = fields.get(3..).unwrap_or_default();
                }
                _ => {
                    let len = fields.iter().position(|b| *b == 0x11).unwrap_or(fields.len());
                    self.put(fields.get(..len).unwrap_or_default(), out);
                    fields = fields.get(len..).unwrap_or_default();
                }
            }
        }
    }
}
