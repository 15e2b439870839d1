//! Records of IBM's block terminals: their kind, and their screen, written as the control sequences of a character
//! terminal in UTF-8.

use super::super::Direction;
use super::{REACTION, tn3270, tn5250};

/// Bytes of the header of TN3270E (RFC 2355 8.1).
const HEADER: usize = 5;
/// Record type of 5250 data (RFC 1205 3).
const GDS: [u8; 2] = [0x12, 0xa0];

/// One terminal.
#[derive(Default)]
pub(super) struct Ibm {
    screen: tn3270::Screen,
}

impl Ibm {
    /// A record of one end; the resulting text is appended to `out`.
    pub(super) fn record(
        &mut self,
        direction: Direction,
        record: &[u8],
        enhanced: bool,
        out: &mut Vec<u8>,
    ) {
        let host = direction == Direction::ServerToClient;
        if record.get(2..4) == Some(&GDS) {
            let Some(header) = record.get(6).map(|len| 6 + usize::from(*len)) else { return };
            let body = record.get(header..).unwrap_or_default();
            if host {
                tn5250::show(body, out);
            } else {
                tn5250::typed(body, out);
                out.push(REACTION);
            }
            return;
        }
        let body = match enhanced {
            // Only 3270 data is shown (type 0); SCS data of printers is text.
            true if matches!(record.first(), Some(0)) => record.get(HEADER..).unwrap_or_default(),
            true => return,
            false => record,
        };
        if host {
            self.screen.show(body, out);
        } else {
            self.screen.typed(body, out);
            out.push(REACTION);
        }
    }

    /// Bytes of heap held, roughly.
    pub(super) const fn memory(&self) -> usize {
        0
    }
}

/// Places the cursor; the first row and column are 0.
pub(super) fn place(row: usize, column: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\x1b[{};{}H", row + 1, column + 1).as_bytes());
}

/// Text in EBCDIC.
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        let c = crate::syntax::ebcdic::character(*byte);
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}
