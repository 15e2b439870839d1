//! Which packets carried the bytes of a flow that its parser has not read yet, so that a finding can
//! name the packets of its record.

use crate::capture::{PacketRef, PacketSpan};
use crate::flow::Side;
use crate::protocol::ContentId;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Distinct packets of one direction while their bytes wait. Beyond it the oldest count as one.
const MAX_WAITING: usize = 1_024;

/// The packets of one flow whose bytes wait to be read, and those of the current payload.
#[derive(Default)]
pub struct Arrivals {
    waiting: [Waiting; 2],
    /// The packet at hand, its side, and how many bytes of it are being read.
    here: PacketRef,
    fresh: Option<(Side, usize)>,
    /// What the parser reads, where not all of it came in the packet at hand.
    reading: Option<Reading>,
    /// The payloads that are open and received bytes.
    contents: SmallVec<[Content; 1]>,
    /// The last packet of the last bytes that were passed to a payload.
    last: PacketRef,
}

/// The packets of a payload.
#[derive(Clone, Copy)]
pub struct Content {
    id: ContentId,
    /// Those of the last bytes that were passed to it.
    pub packets: PacketSpan,
    /// The first packet after the last complete record: readers may keep bytes until they know what
    /// they are, so that a record begins before the oldest of them.
    pub since: PacketRef,
}

/// The bytes that a parser reads. They end at the current end of their side.
#[derive(Clone, Copy)]
struct Reading {
    side: Side,
    /// Address of the first of them.
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
    /// `len` bytes of one side have come in `packet`.
    pub const fn came(&mut self, side: Side, len: usize, packet: PacketRef) {
        self.here = packet;
        self.fresh = Some((side, len));
    }

    /// The parser is about to read `bytes`, which end with the latest bytes of `side`.
    pub fn reading(&mut self, side: Side, bytes: &[u8]) {
        self.reading = Some(Reading { side, from: bytes.as_ptr().addr(), len: bytes.len() });
    }

    /// `bytes` go to a payload. They are usually a part of what the parser reads, and their position in it
    /// gives their packets; what a parser assembled itself came somewhere in it.
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

    /// The last packet of what was last passed to a payload.
    pub const fn last(&self) -> PacketRef {
        self.last
    }

    /// The packets of a payload; the current packet if it received no bytes.
    #[inline]
    pub fn of(&self, id: ContentId) -> Content {
        let known = self.contents.iter().find(|content| content.id == id);
        let here = PacketSpan::of(self.here);
        known.copied().unwrap_or(Content { id, packets: here, since: self.here })
    }

    /// Results of reading a payload.
    #[inline]
    pub fn read(&mut self, id: ContentId, since: PacketRef) {
        if let Some(content) = self.contents.iter_mut().find(|content| content.id == id) {
            content.since = since;
        }
    }

    /// A payload has ended.
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

    /// The step is over, and this many bytes of each side wait.
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

    /// Bytes of heap held.
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

    /// Forgets the packets before the last `bytes` bytes.
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
        arrivals.came(Side::Low, 10, packet(3));
        arrivals.settle([10, 0]);
        arrivals.came(Side::High, 99, packet(4));
        assert_eq!(numbers(arrivals.span(Side::High, 99, 99)), (4, 4));
        arrivals.settle([10, 0]);
        arrivals.came(Side::Low, 20, packet(5));
        // Thirty bytes are there: ten of packet 3, then twenty of packet 5.
        assert_eq!(numbers(arrivals.span(Side::Low, 30, 30)), (3, 5));
        assert_eq!(numbers(arrivals.span(Side::Low, 30, 10)), (3, 3));
        assert_eq!(numbers(arrivals.span(Side::Low, 25, 6)), (3, 5));
        assert_eq!(numbers(arrivals.span(Side::Low, 20, 20)), (5, 5));
        // Eight of packet 5 are left.
        arrivals.settle([8, 0]);
        arrivals.came(Side::Low, 1, packet(6));
        assert_eq!(numbers(arrivals.span(Side::Low, 9, 9)), (5, 6));
        arrivals.settle([0, 0]);
        arrivals.came(Side::Low, 4, packet(7));
        assert_eq!(numbers(arrivals.span(Side::Low, 4, 4)), (7, 7));
    }

    #[test]
    fn thousands_of_tiny_packets_cost_a_bounded_list_and_keep_the_first() {
        let mut arrivals = Arrivals::default();
        for number in 1..=5_000 {
            arrivals.came(Side::Low, 1, packet(number));
            arrivals.settle([number as usize, 0]);
        }
        assert!(arrivals.memory() <= 2 * MAX_WAITING * size_of::<(usize, PacketRef)>());
        assert_eq!(numbers(arrivals.span(Side::Low, 5_000, 5_000)), (1, 5_000));
        assert_eq!(numbers(arrivals.span(Side::Low, 10, 1)), (4_991, 4_991));
    }
}
