//! The text on screens in the 5250 data stream (IBM SA21-9247, chapter 15; RFC 1205).

use super::ibm::{place, text};

const ESCAPE: u8 = 0x04;
/// Largest screen.
const ROWS: usize = 27;
const COLUMNS: usize = 132;

fn go(row: u8, column: u8, out: &mut Vec<u8>) {
    let (row, column) = (usize::from(row).min(ROWS), usize::from(column).min(COLUMNS));
    place(row.saturating_sub(1), column.saturating_sub(1), out);
}

/// Output of the host.
pub(super) fn show(mut data: &[u8], out: &mut Vec<u8>) {
    while let Some((first, rest)) = data.split_first() {
        if *first != ESCAPE {
            data = rest;
            continue;
        }
        let (command, body) = match rest.split_first() {
            Some((command, body)) => (*command, body),
            None => return,
        };
        data = match command {
            // Clear unit, clear unit alternate, clear format table.
            0x40 | 0x20 => {
                out.extend_from_slice(b"\x1b[2J\x1b[1;1H");
                body
            }
            // Write to display: two control characters, then orders and data.
            0x11 => orders(body.get(2..).unwrap_or_default(), out),
            _ => body,
        };
    }
}

/// Orders and data up to the next command. Returns the rest.
fn orders<'a>(mut data: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    while let Some((first, rest)) = data.split_first() {
        let used = match (first, rest) {
            (&ESCAPE, _) => return data,
            // Set buffer address, move cursor, insert cursor.
            (0x11, [row, column, ..]) => {
                go(*row, *column, out);
                3
            }
            (0x13 | 0x14, _) => 3,
            // Start of header.
            (0x01, [len, ..]) => 2 + usize::from(*len),
            // Repeat to address: what is repeated is a line or a blank.
            (0x02, [row, column, byte, ..]) => {
                if *byte <= 0x40 && (*row, *column) >= (24, 80) {
                    out.extend_from_slice(b"\x1b[J");
                }
                go(*row, column.saturating_add(1), out);
                4
            }
            // Erase to address.
            (0x03, [row, column, len, ..]) => {
                go(*row, *column, out);
                3 + usize::from(*len)
            }
            // Transparent data.
            (0x10, [high, low, ..]) => 3 + usize::from(u16::from_be_bytes([*high, *low])),
            (0x12, _) => 3,
            (0x15, [high, low, ..]) => 1 + usize::from(u16::from_be_bytes([*high, *low])),
            // Start of field: format words (their first bits are 01 and 10), an attribute, a length.
            (0x1d, field) => {
                let mut at = 0;
                if field.first().is_some_and(|b| b & 0xc0 == 0x40) {
                    at = 2;
                    while field.get(at).is_some_and(|b| b & 0xc0 == 0x80) {
                        at += 2;
                    }
                }
                out.push(b' ');
                1 + at + 3
            }
            // Attributes occupy a position.
            (0x20..=0x3f, _) => {
                out.push(b' ');
                1
            }
            (0..0x20, _) => 1,
            _ => {
                let len = data.iter().take_while(|b| **b >= 0x40).count();
                text(data.get(..len).unwrap_or_default(), out);
                len
            }
        };
        data = data.get(used.max(1)..).unwrap_or_default();
    }
    data
}

/// Input of the user: the cursor, a key, and the modified fields.
pub(super) fn typed(data: &[u8], out: &mut Vec<u8>) {
    let Some(mut fields) = data.get(3..) else { return };
    while let Some((first, rest)) = fields.split_first() {
        match (first, rest) {
            (0x11, [row, column, ..]) => {
                go(*row, *column, out);
                fields = fields.get(3..).unwrap_or_default();
            }
            _ => {
                let len = fields.iter().position(|b| *b == 0x11).unwrap_or(fields.len());
                text(fields.get(..len).unwrap_or_default(), out);
                fields = fields.get(len..).unwrap_or_default();
            }
        }
    }
}
