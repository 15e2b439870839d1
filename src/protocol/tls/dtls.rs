//! DTLS (RFC 6347, RFC 9147): records and fragments of handshake messages, which may arrive in any order, and twice.

use super::handshake::{HANDSHAKE, MAX_RECORDS};
use super::hello::Carrier;
use super::messages::Messages;
use super::pieces::Pieces;
use std::collections::BTreeMap;

/// Bytes of a record's header (RFC 6347 4.1) and of a fragment's (4.2.2).
const RECORD_HEADER: usize = 13;
const FRAGMENT_HEADER: usize = 12;
/// Longest handshake message that is reassembled, bytes.
const MAX_MESSAGE: usize = 16 << 10;
/// How far ahead of the next message another may be.
const MAX_AHEAD: u16 = 4;

/// A message that may be incomplete.
struct Fragments {
    kind: u8,
    len: usize,
    pieces: Pieces,
}

/// One side.
#[derive(Default)]
pub(super) struct Dtls {
    /// The number of the next message, once one was seen.
    due: Option<u16>,
    waiting: BTreeMap<u16, Fragments>,
    records: u16,
}

impl Dtls {
    /// Reads a datagram of complete records.
    pub fn read(&mut self, side: usize, datagram: &[u8], to: &mut Messages) {
        let mut rest = datagram;
        while !to.is_over(side) {
            let Some((head, after)) = rest.split_first_chunk::<RECORD_HEADER>() else { return };
            let [kind, major, _, e0, e1, _, _, _, _, _, _, high, low] = *head;
            // A record with another beginning is encrypted in DTLS 1.3 (RFC 9147 4).
            if major != 0xfe || !(20..=26).contains(&kind) {
                return;
            }
            let len = usize::from(u16::from_be_bytes([high, low]));
            let Some((body, behind)) = after.split_at_checked(len) else { return };
            rest = behind;
            self.records += 1;
            if [e0, e1] != [0, 0] || self.records > MAX_RECORDS {
                // From the second epoch on everything is encrypted.
                return to.end(side);
            }
            if kind == HANDSHAKE {
                self.fragments(side, body, to);
            }
        }
    }

    /// The fragments of a record.
    fn fragments(&mut self, side: usize, mut rest: &[u8], to: &mut Messages) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        while let Some((head, after)) = rest.split_first_chunk::<FRAGMENT_HEADER>() {
            let [kind, length @ .., _, _, _, _, _, _, _, _] = head;
            let [.., s0, s1, o0, o1, o2, f0, f1, f2] = *head;
            let (len, offset) = (number(length), number(&[o0, o1, o2]));
            let Some((piece, behind)) = after.split_at_checked(number(&[f0, f1, f2])) else {
                return;
            };
            rest = behind;
            if len > MAX_MESSAGE {
                return to.end(side);
            }
            let sequence = u16::from_be_bytes([s0, s1]);
            let due = *self.due.get_or_insert(sequence);
            // A duplicate, or too far ahead.
            if sequence.wrapping_sub(due) >= MAX_AHEAD {
                continue;
            }
            let new = || Fragments { kind: *kind, len, pieces: Pieces::default() };
            let message = self.waiting.entry(sequence).or_insert_with(new);
            if message.kind == *kind && message.len == len {
                message.pieces.put(offset, piece, len);
            }
            self.pass_on(side, to);
            if to.is_over(side) {
                return;
            }
        }
    }

    /// Passes on the next messages that are complete.
    fn pass_on(&mut self, side: usize, to: &mut Messages) {
        while let Some(due) = self.due {
            let whole = self.waiting.get(&due).is_some_and(|m| m.pieces.front().len() == m.len);
            if !whole {
                return;
            }
            let Some(message) = self.waiting.remove(&due) else { return };
            to.take(side, Carrier::Dtls, message.kind, message.pieces.front());
            self.due = Some(due.wrapping_add(1));
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let one = |message: &Fragments| size_of::<Fragments>() + message.pieces.memory();
        self.waiting.values().map(one).sum()
    }
}
