//! Records of IBM's block terminals: their kind, and their screen, written as the control sequences of a character
//! terminal in UTF-8.

use super::super::Direction;
use super::{REACTION, tn3270, tn5250};
use crate::syntax::Match;

/// Bytes of the header of TN3270E (RFC 2355 8.1).
const HEADER: usize = 5;
/// Record type of 5250 data (RFC 1205 3).
const GDS: [u8; 2] = [0x12, 0xa0];

/// Bytes in which the end of a record is looked for, to tell it from other bytes.
const MAX_LOOK: usize = 16 << 10;

/// Whether `record` has a header of TN3270E: its type, what is asked, what is answered, a number (RFC 2355 8.1).
pub(super) fn has_header(record: &[u8]) -> bool {
    record.get(2..4) != Some(&GDS) && matches!(record, [0..=9, 0..=2, 0..=2, _, _, _, ..])
}

/// Whether a record of an IBM terminal is at the front of `data`: data of 5250, a command that writes to a 3270 (write,
/// erase, structured fields; GA23-0059 3), or what a key sends with the place of the cursor.
pub(super) fn begins(data: &[u8]) -> bool {
    if data.get(2..4) == Some(&GDS) {
        let len = data.first_chunk::<2>().map_or(0, |len| u16::from_be_bytes(*len));
        return (10..=16 << 10).contains(&len);
    }
    let head = data.get(..MAX_LOOK).unwrap_or(data);
    let ends = memchr::memmem::find(head, &[super::options::IAC, super::options::EOR]);
    let Some(record) = ends.and_then(|end| data.get(..end)) else { return false };
    let body = if has_header(record) { record.get(HEADER..).unwrap_or_default() } else { record };
    match body {
        // Write commands; the next byte controls them, and orders or text follow.
        [0xf1 | 0xf5 | 0x7e, control, 0x11 | 0x1d | 0x13 | 0x29 | 0x12 | 0x40..=0xfe, ..] => {
            *control != 0
        }
        [0xf3, high, low, ..] if usize::from(u16::from_be_bytes([*high, *low])) <= body.len() => {
            true
        }
        // A key, the address of the cursor in two bytes, then fields.
        [key, _, _] | [key, _, _, 0x11, ..] => {
            matches!(key, 0x7a..=0x7d | 0xf1..=0xf9 | 0xc1..=0xc9)
        }
        _ => false,
    }
}

/// Whether a record of an IBM terminal is at the front of `data`, of which more may come.
pub(super) fn front(data: &[u8]) -> Match<()> {
    if begins(data) {
        return Match::Yes(());
    }
    let head = data.get(..MAX_LOOK).unwrap_or(data);
    let ended = memchr::memmem::find(head, &[super::options::IAC, super::options::EOR]).is_some();
    // The last byte may be half of the end.
    let begun = data.strip_suffix(&[super::options::IAC]).unwrap_or(data);
    if ended || data.len() >= MAX_LOOK || !(may_be_header(begun) || may_be_body(begun)) {
        return Match::No;
    }
    Match::More
}

/// Whether `data` may be the beginning of a record with a header of TN3270E, or with the length of one of 5250.
fn may_be_header(data: &[u8]) -> bool {
    // The length of 5250 data is that of a screen.
    let long = data.first().is_some_and(|high| *high <= 6);
    let mark = data.get(2..).unwrap_or_default();
    if long && GDS.starts_with(mark.get(..GDS.len()).unwrap_or(mark)) {
        return true;
    }
    let small = data.iter().zip([9, 2, 2]).all(|(byte, most)| *byte <= most);
    small && data.get(HEADER..).is_none_or(may_be_body)
}

/// Whether `body` may be the beginning of a command, or of what a key sends.
fn may_be_body(body: &[u8]) -> bool {
    let Some((first, rest)) = body.split_first() else { return true };
    let order = |byte: &u8| matches!(byte, 0x11 | 0x1d | 0x13 | 0x29 | 0x12 | 0x40..=0xfe);
    let command = matches!(first, 0xf1 | 0xf5 | 0x7e)
        && rest.first().is_none_or(|control| *control != 0)
        && rest.get(1).is_none_or(order);
    let key = matches!(first, 0x7a..=0x7d | 0xf1..=0xf9 | 0xc1..=0xc9)
        && rest.get(2).is_none_or(|field| *field == 0x11);
    command || key || *first == 0xf3
}

/// The first record in `data`, which ends with the end of one: at its front, or behind the end of another.
pub(super) fn find(data: &[u8]) -> Option<usize> {
    let end = [super::options::IAC, super::options::EOR];
    if !data.ends_with(&end) {
        return None;
    }
    let behind = memchr::memmem::find_iter(data, &end).map(|at| at + 2);
    std::iter::once(0).chain(behind).take(8).find(|at| data.get(*at..).is_some_and(begins))
}

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
