//! Tracks which packets carried the bytes that a parser has not read yet, so that a finding can
//! name the packets of its record.

use crate::capture::{PacketRef, PacketSpan};
use crate::flow::Side;
use crate::protocol::ContentId;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Most packets tracked per direction while their bytes wait. Further packets are merged into the
/// oldest.
const MAX_WAITING: usize = 1_024;

/// The packets that carried a flow's unread bytes and its open payloads.
#[derive(Default)]
pub struct Arrivals {
    waiting: [Waiting; 2],
    /// The current packet, its side, and how many of its bytes are being read.
    here: PacketRef,
    fresh: Option<(Side, usize)>,
    /// The bytes being parsed, if they did not all arrive in the current packet.
    reading: Option<Reading>,
    /// The open payloads that have received bytes.
    contents: SmallVec<[Content; 1]>,
    /// The last packet of the bytes most recently passed to a payload.
    last: PacketRef,
}

/// The packets of a payload.
#[derive(Clone, Copy)]
pub struct Content {
    id: ContentId,
    /// The packets of the bytes most recently passed to it.
    pub packets: PacketSpan,
    /// The first packet after the last complete record. Readers may buffer bytes until they
    /// recognise them, so a record may begin before its oldest visible byte.
    pub since: PacketRef,
}

/// The bytes being parsed. They end at the current end of their side.
#[derive(Clone, Copy)]
struct Reading {
    side: Side,
    /// Address of the first byte.
    from: usize,
    len: usize,
}

/// Bytes of one direction that wait, oldest first, and the packets that carried them.
#[derive(Default)]
struct Waiting {
    pieces: VecDeque<(usize, PacketRef)>,
    bytes: usize,
}

impl Arrivals {
    /// Records that `len` bytes of one side arrived in `packet`.
    pub const fn arrived(&mut self, side: Side, len: usize, packet: PacketRef) {
        self.here = packet;
        self.fresh = Some((side, len));
    }

    /// Records that the parser is about to read `bytes`, which end at the current end of `side`.
    pub fn reading(&mut self, side: Side, bytes: &[u8]) {
        self.reading = Some(Reading { side, from: bytes.as_ptr().addr(), len: bytes.len() });
    }

    /// Records that `bytes` go to a payload. Usually they are part of what the parser reads, and
    /// their address gives their packets. Bytes that the parser assembled itself get all packets of
    /// the current read.
    #[inline]
    pub fn content(&mut self, id: ContentId, bytes: &[u8]) {
        let packets = match self.reading {
            None => PacketSpan::of(self.here),
            Some(Reading { side, from, len }) => {
                let at = bytes.as_ptr().addr().wrapping_sub(from);
                match at.checked_add(bytes.len()) {
                    Some(end) if end <= len => self.span(side, len - at, bytes.len()),
                    _ => self.span(side, len, len),
                }
            }
        };
        self.last = packets.last;
        match self.contents.iter_mut().find(|content| content.id == id) {
            Some(content) => content.packets = packets,
            None => self.contents.push(Content { id, packets, since: packets.first }),
        }
    }

    /// The last packet of the bytes most recently passed to a payload.
    pub const fn last(&self) -> PacketRef {
        self.last
    }

    /// The packets of a payload, or the current packet if the payload received no bytes.
    #[inline]
    pub fn of(&self, id: ContentId) -> Content {
        let known = self.contents.iter().find(|content| content.id == id);
        let here = PacketSpan::of(self.here);
        known.copied().unwrap_or(Content { id, packets: here, since: self.here })
    }

    /// Records that a payload has been read up to `since`.
    #[inline]
    pub fn read(&mut self, id: ContentId, since: PacketRef) {
        if let Some(content) = self.contents.iter_mut().find(|content| content.id == id) {
            content.since = since;
        }
    }

    /// Forgets a payload that has ended.
    pub fn close(&mut self, id: ContentId) {
        self.contents.retain(|content| content.id != id);
    }

    /// The packets of `len` bytes that begin `back` bytes before the current end of a side.
    fn span(&self, side: Side, back: usize, len: usize) -> PacketSpan {
        let fresh = self.fresh.filter(|(of, _)| *of == side).map_or(0, |(_, len)| len);
        let end = back.saturating_sub(len);
        let mut span = None;
        let mut covered = fresh;
        if fresh > end {
            span = Some(PacketSpan::of(self.here));
        }
        for &(piece, packet) in self.waiting[side.index()].pieces.iter().rev() {
            if covered >= back {
                break;
            }
            covered += piece;
            if covered > end {
                span.get_or_insert(PacketSpan::of(packet)).extend(PacketSpan::of(packet));
            }
        }
        span.unwrap_or(PacketSpan::of(self.here))
    }

    /// Ends a step, after which `unread` bytes of each side wait.
    #[inline]
    pub fn settle(&mut self, unread: [usize; 2]) {
        let fresh = self.fresh.take();
        self.reading = None;
        if unread == [0, 0] && self.waiting.iter().all(|w| w.pieces.is_empty()) {
            return;
        }
        for side in [Side::Low, Side::High] {
            let waiting = &mut self.waiting[side.index()];
            if let Some((_, len)) = fresh.filter(|(of, len)| *of == side && *len > 0) {
                waiting.push(len, self.here);
            }
            waiting.keep(unread[side.index()]);
        }
    }

    /// Heap size, bytes.
    pub fn memory(&self) -> usize {
        let pieces: usize = self.waiting.iter().map(|w| w.pieces.capacity()).sum();
        let contents = if self.contents.spilled() { self.contents.capacity() } else { 0 };
        pieces * size_of::<(usize, PacketRef)>() + contents * size_of::<Content>()
    }
}

impl Waiting {
    fn push(&mut self, len: usize, packet: PacketRef) {
        if self.pieces.len() >= MAX_WAITING
            && let Some((oldest, first)) = self.pieces.pop_front()
            && let Some(next) = self.pieces.front_mut()
        {
            *next = (next.0 + oldest, first);
        }
        self.pieces.push_back((len, packet));
        self.bytes += len;
    }

    /// Forgets the packets of all but the last `bytes` bytes.
    fn keep(&mut self, bytes: usize) {
        if bytes == 0 {
            *self = Self::default();
            return;
        }
        while let Some((len, _)) = self.pieces.front()
            && self.bytes - len >= bytes
        {
            self.bytes -= len;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u64) -> PacketRef {
        PacketRef { number, ..PacketRef::default() }
    }

    fn numbers(span: PacketSpan) -> (u64, u64) {
        (span.first.number, span.last.number)
    }

    #[test]
    fn bytes_that_waited_are_those_of_the_packets_that_carried_them() {
        let mut arrivals = Arrivals::default();
        arrivals.arrived(Side::Low, 10, packet(3));
        arrivals.settle([10, 0]);
        arrivals.arrived(Side::High, 99, packet(4));
        assert_eq!(numbers(arrivals.span(Side::High, 99, 99)), (4, 4));
        arrivals.settle([10, 0]);
        arrivals.arrived(Side::Low, 20, packet(5));
        // Thirty bytes wait: ten of packet 3, then twenty of packet 5.
        assert_eq!(numbers(arrivals.span(Side::Low, 30, 30)), (3, 5));
        assert_eq!(numbers(arrivals.span(Side::Low, 30, 10)), (3, 3));
        assert_eq!(numbers(arrivals.span(Side::Low, 25, 6)), (3, 5));
        assert_eq!(numbers(arrivals.span(Side::Low, 20, 20)), (5, 5));
        // Eight bytes of packet 5 are left.
        arrivals.settle([8, 0]);
        arrivals.arrived(Side::Low, 1, packet(6));
        assert_eq!(numbers(arrivals.span(Side::Low, 9, 9)), (5, 6));
        arrivals.settle([0, 0]);
        arrivals.arrived(Side::Low, 4, packet(7));
        assert_eq!(numbers(arrivals.span(Side::Low, 4, 4)), (7, 7));
    }

    #[test]
    fn thousands_of_tiny_packets_cost_a_bounded_list_and_keep_the_first() {
        let mut arrivals = Arrivals::default();
        for number in 1..=5_000 {
            arrivals.arrived(Side::Low, 1, packet(number));
            arrivals.settle([number as usize, 0]);
        }
        assert!(arrivals.memory() <= 2 * MAX_WAITING * size_of::<(usize, PacketRef)>());
        assert_eq!(numbers(arrivals.span(Side::Low, 5_000, 5_000)), (1, 5_000));
        assert_eq!(numbers(arrivals.span(Side::Low, 10, 1)), (4_991, 4_991));
    }
}
