//! Reassembly state of one direction of a TCP conversation: intervals only, no I/O, no clock.
//!
//! Sequence numbers are unrolled to 64-bit offsets from the first byte of the stream, so that only this file has to
//! handle wraps (RFC 9293 3.4). Invariant: `held` is sorted by offset, its segments are disjoint, and all lie at or
//! behind `next`.

use super::doubt::{Doubt, Habits};
use crate::capture::PacketRef;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Offset of the first byte of a stream. Not zero, to leave room for data before a mid-stream start.
const ORIGIN: u64 = 1 << 40;
/// Most segments buffered for one direction.
const MAX_HELD: usize = 8192;

/// Overhead of an allocation, bytes, approximately.
const HEAP: usize = 16;

/// A segment that arrived out of order.
struct OutOfOrder {
    at: u64,
    bytes: Vec<u8>,
    /// Bytes behind `bytes` that were on the wire but not captured.
    missing: u64,
    /// Offset in the other direction that must be delivered first.
    after: u64,
    /// The packet that carried it.
    packet: PacketRef,
}

impl OutOfOrder {
    fn new(at: u64, bytes: &[u8], missing: u64, piece: &Piece<'_>) -> Self {
        let (after, packet) = (piece.after, piece.packet);
        Self { at, bytes: bytes.to_vec(), missing, after, packet }
    }
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

/// A segment's payload, in offsets.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub at: u64,
    pub bytes: &'a [u8],
    /// Bytes behind `bytes` that were on the wire but not captured.
    pub missing: u64,
    /// Offset in the other direction that must be delivered first.
    pub after: u64,
    /// The packet that carried it.
    pub packet: PacketRef,
}

impl<'a> Piece<'a> {
    /// Splits the piece at an offset inside it.
    pub fn split(&self, at: u64) -> (Self, Self) {
        let middle = (at - self.at).min(self.bytes.len() as u64) as usize;
        let (head, tail) = self.bytes.split_at(middle);
        let lost = (at - self.at) - middle as u64;
        let tail_at = if tail.is_empty() { at } else { self.at + middle as u64 };
        (
            Piece { bytes: head, missing: lost.min(self.missing), ..*self },
            Piece {
                at: tail_at,
                bytes: tail,
                missing: self.missing - lost.min(self.missing),
                ..*self
            },
        )
    }

    /// Where the piece ends on the wire.
    pub fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64 + self.missing
    }
}

/// What can be delivered now.
pub(super) enum Ready {
    /// Bytes in order, and the packet that carried them.
    Data(Vec<u8>, PacketRef),
    /// Bytes that were never captured.
    Missing(u64),
}

/// The waiting part of a stream.
#[derive(Default)]
struct Waiting {
    held: VecDeque<OutOfOrder>,
    held_bytes: usize,
    /// Since when it is stuck: packets of the flow, packet time.
    stuck: Option<(u32, Timestamp)>,
    /// From this offset on, bytes were reported as lost because an acknowledgment covered them, though none of them
    /// was seen.
    vouched: Option<u64>,
    /// Bytes that contradict an earlier copy and are not counted yet.
    conflicts: u64,
    /// Segments that the peer may have refused, in order of arrival.
    doubts: Vec<Doubt>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.held.is_empty()
            && self.stuck.is_none()
            && self.vouched.is_none()
            && self.doubts.is_empty()
    }

    /// Buffers a segment at its place. False if a cap is reached.
    fn insert(&mut self, index: usize, held: OutOfOrder, window: usize) -> bool {
        if self.held_bytes + held.bytes.len() > window || self.held.len() >= MAX_HELD {
            return false;
        }
        self.held_bytes += held.bytes.len();
        self.held.insert(index, held);
        true
    }
}

/// The bytes that one side sends.
pub(super) struct HalfStream {
    /// Sequence number at `ORIGIN`: the first one seen.
    reference: Option<u32>,
    /// Sequence number of the first byte, if a handshake was seen.
    first: Option<u32>,
    /// The lowest offset that the other side acknowledged before the start was known: nothing in front of it is
    /// needed to order the other side.
    floor: u64,
    /// The start of the stream is known.
    pub known: bool,
    /// A packet of this side was seen.
    pub seen: bool,
    /// Nothing of this side will be seen: do not wait for it.
    pub absent: bool,
    /// The next byte to deliver.
    pub next: u64,
    /// The end of the highest segment seen. Skipping moves `next` ahead of it.
    pub top: u64,
    /// The end of the data seen. Empty segments may carry the sequence number behind a FIN.
    pub sent: u64,
    /// The highest offset that the other side acknowledged.
    pub acked: u64,
    /// What is waiting, and why; most streams never have it.
    waiting: Option<Box<Waiting>>,
    /// Offset of the FIN.
    pub fin: Option<u64>,
    /// What the FIN acknowledged of the other direction, as an offset there.
    pub fin_after: u64,
    /// The rest of the stream is of no interest.
    pub ignored: bool,
    /// Its end was reported.
    pub ended: bool,
    /// Since when everything up to the FIN is delivered: packets of the flow, packet time.
    pub at_end_since: Option<(u32, Timestamp)>,
    /// The peer accepted data behind the end that was reported.
    pub revived: bool,
    /// Consecutive segments that were too far away to be believed.
    pub far: u8,
    /// Properties of accepted segments.
    pub habits: Habits,
}

impl HalfStream {
    pub const fn new() -> Self {
        Self {
            reference: None,
            first: None,
            floor: u64::MAX,
            known: false,
            seen: false,
            absent: false,
            next: ORIGIN,
            top: ORIGIN,
            sent: 0,
            acked: 0,
            waiting: None,
            fin: None,
            fin_after: u64::MAX,
            ignored: false,
            ended: false,
            at_end_since: None,
            revived: false,
            far: 0,
            habits: Habits::NONE,
        }
    }

    /// The stream starts at `seq`.
    pub fn start(&mut self, seq: u32) {
        if self.known {
            return;
        }
        self.known = true;
        self.first = Some(seq);
        self.refer(seq);
        self.next = self.offset(seq).min(self.held_from().unwrap_or(u64::MAX));
    }

    /// The stream starts with the first byte that was captured.
    pub fn start_at_first(&mut self) {
        if let (false, Some(first)) = (self.known, self.held_from()) {
            self.next = first;
            self.known = true;
        }
    }

    /// Makes `seq` the reference for offsets, if it is the first one seen.
    #[inline]
    pub fn refer(&mut self, seq: u32) {
        self.reference.get_or_insert(seq);
    }

    /// Whether a sequence number of it was seen.
    pub const fn is_referred(&self) -> bool {
        self.reference.is_some()
    }

    /// The offset of a sequence number, nearest to the highest one seen.
    #[inline]
    pub fn offset(&self, seq: u32) -> u64 {
        let origin = self.reference.unwrap_or(seq);
        let reference = origin.wrapping_add(self.top.wrapping_sub(ORIGIN) as u32);
        self.top.wrapping_add_signed(i64::from(seq.wrapping_sub(reference) as i32))
    }

    /// The other side acknowledged everything up to here.
    #[inline]
    pub fn acknowledge(&mut self, at: u64) {
        self.acked = self.acked.max(at);
        if !self.known {
            self.floor = self.floor.min(at);
        }
    }

    /// How far it was delivered, for the other direction that waits for it.
    pub fn reach(&self) -> u64 {
        match (self.absent || self.ignored, self.known) {
            (true, _) => u64::MAX,
            (false, true) => self.next,
            (false, false) => self.floor.min(self.held_from().unwrap_or(u64::MAX)),
        }
    }

    /// Length of the stream, from the first sequence number to the highest byte seen.
    pub const fn length(&self) -> u64 {
        self.top.saturating_sub(ORIGIN)
    }

    /// Distance of an offset from the part of the stream that was seen, bytes.
    pub const fn away(&self, at: u64) -> u64 {
        at.abs_diff(self.top)
    }

    /// Whether a SYN announces another first byte than the one known from a handshake or, where no handshake was
    /// seen, one behind bytes that were seen. `None` if unknown.
    pub fn starts_elsewhere(&self, seq: u32) -> Option<bool> {
        let behind = || (self.seen && self.offset(seq) > self.top).then_some(true);
        self.first.map(|first| first != seq).or_else(behind)
    }

    /// Whether everything up to its FIN was delivered and its end is not reported yet.
    pub fn is_at_end(&self) -> bool {
        !self.ended && self.known && self.fin.is_some_and(|fin| self.next >= fin || self.ignored)
    }

    /// Whether the peer acknowledged the FIN, and nothing contradicts it.
    pub fn is_fin_acknowledged(&self) -> bool {
        self.ignored || (self.is_acknowledged_to_fin() && !self.holds())
    }

    /// Whether the peer acknowledged exactly up to the FIN.
    pub fn is_acknowledged_to_fin(&self) -> bool {
        self.fin.is_some_and(|fin| self.acked == fin + 1)
    }

    /// Whether the first buffered segment lies behind the FIN.
    pub fn holds_behind_fin(&self) -> bool {
        self.fin.is_some_and(|fin| self.held_from().is_some_and(|from| from >= fin))
    }

    /// Discards the FIN, which turned out not to be one.
    pub fn forget_fin(&mut self) {
        self.fin = None;
        self.fin_after = u64::MAX;
        self.at_end_since = None;
    }

    /// Goes back to a piece that was reported as lost because of an acknowledgment alone.
    pub fn take_back(&mut self, piece: &Piece<'_>) -> bool {
        let Some(waiting) = &mut self.waiting else { return false };
        if waiting.vouched.take_if(|from| piece.at >= *from).is_none() {
            return false;
        }
        self.next = piece.at;
        self.acked = self.top;
        self.clear();
        true
    }

    /// Notes that bytes from `from` on were reported as lost because of an acknowledgment.
    pub fn vouch(&mut self, from: u64) {
        self.waiting.get_or_insert_default().vouched.get_or_insert(from);
    }

    /// Since when it is stuck: packets of the flow, packet time.
    #[inline]
    pub fn stuck(&self) -> Option<(u32, Timestamp)> {
        self.waiting.as_ref().and_then(|waiting| waiting.stuck)
    }

    /// Notes that it is stuck since `since`, unless that was noted before.
    pub fn note_stuck(&mut self, since: (u32, Timestamp)) {
        self.waiting.get_or_insert_default().stuck.get_or_insert(since);
    }

    /// It is stuck no more.
    #[inline]
    pub fn unstick(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.stuck = None;
            if waiting.is_empty() {
                self.waiting = None;
            }
        }
    }

    /// Bytes that contradict an earlier copy, since the last call.
    pub fn take_conflicts(&mut self) -> u64 {
        self.waiting.as_mut().map_or(0, |waiting| std::mem::take(&mut waiting.conflicts))
    }

    /// Segments that the peer may have refused, in order of arrival.
    #[inline]
    pub fn doubts(&self) -> &[Doubt] {
        self.waiting.as_ref().map_or(&[][..], |waiting| waiting.doubts.as_slice())
    }

    /// The same, mutable; allocated from now on.
    pub fn doubts_mut(&mut self) -> &mut Vec<Doubt> {
        &mut self.waiting.get_or_insert_default().doubts
    }

    pub fn held_segments(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.held.len())
    }

    #[inline]
    pub fn holds(&self) -> bool {
        self.held_segments() > 0
    }

    /// Bytes of heap held, including the overhead of each segment.
    pub fn memory(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| {
            let segments = waiting.held.capacity() * size_of::<OutOfOrder>();
            let heap = waiting.held.len() * HEAP;
            let doubted = |doubt: &Doubt| size_of::<Doubt>() + doubt.bytes.capacity() + HEAP;
            let doubts: usize = waiting.doubts.iter().map(doubted).sum();
            size_of::<Waiting>() + waiting.held_bytes + segments + heap + doubts
        })
    }

    /// Offset of the first buffered segment.
    pub fn held_from(&self) -> Option<u64> {
        self.waiting.as_ref().and_then(|waiting| waiting.held.front()).map(|h| h.at)
    }

    /// Whether it is stuck though there is something to deliver or to report.
    pub fn is_stuck(&self) -> bool {
        !self.ignored && !self.ended && (self.is_behind() || !self.doubts().is_empty())
    }

    /// Whether bytes that were sent have not arrived in order.
    pub fn is_behind(&self) -> bool {
        self.holds() || (self.known && self.seen && self.acked_data() > self.next)
    }

    /// Whether bytes up to `acked` were sent and have not arrived, apart from its end.
    #[inline]
    pub const fn lacks(&self, acked: u64) -> bool {
        !self.ignored && self.known && self.seen && acked > self.next
    }

    /// Whether nothing is waiting and it has no end.
    #[inline]
    pub fn is_calm(&self) -> bool {
        self.waiting.is_none()
            && self.fin.is_none()
            && !self.ended
            && !self.revived
            && !self.habits.shut
            && self.at_end_since.is_none()
    }

    /// How far the other side acknowledged data, without the FIN.
    pub fn acked_data(&self) -> u64 {
        self.fin.map_or(self.acked, |fin| self.acked.min(fin))
    }

    /// Buffers a piece. Bytes that are already buffered are kept; contradicting bytes are counted. False if a cap is
    /// reached.
    pub fn hold(&mut self, piece: &Piece<'_>, window: usize) -> bool {
        let (mut at, mut bytes) = (piece.at, piece.bytes);
        if self.known && at < self.next {
            let old = (self.next - at).min(bytes.len() as u64) as usize;
            bytes = &bytes[old..];
            at += old as u64;
        }
        let end = at + bytes.len() as u64;
        let waiting = self.waiting.get_or_insert_default();
        let mut index = waiting.held.partition_point(|h| h.end() <= at);
        while let Some(h) = waiting.held.get(index).filter(|h| h.at < end) {
            let (from, to) = (at.max(h.at), end.min(h.end()));
            let theirs = &h.bytes[(from - h.at) as usize..(to - h.at) as usize];
            let ours = &bytes[(from - at) as usize..(to - at) as usize];
            waiting.conflicts += theirs.iter().zip(ours).filter(|(a, b)| a != b).count() as u64;
            if at < from {
                let head = &bytes[..(from - at) as usize];
                if !waiting.insert(index, OutOfOrder::new(at, head, 0, piece), window) {
                    return false;
                }
                index += 1;
            }
            bytes = &bytes[(to - at) as usize..];
            at = to;
            index += 1;
        }
        if bytes.is_empty() && piece.missing == 0 {
            return true;
        }
        waiting.insert(index, OutOfOrder::new(at, bytes, piece.missing, piece), window)
    }

    /// Takes what is next in order, given how far the other direction was delivered.
    pub fn ready(&mut self, other_next: u64) -> Option<Ready> {
        let waiting = self.waiting.as_mut()?;
        loop {
            let first = waiting.held.front_mut()?;
            let behind_end = self.fin.is_some_and(|fin| first.at >= fin);
            if first.at > self.next || first.after > other_next || behind_end {
                return None;
            }
            let (end, missing, packet) = (first.end(), first.missing, first.packet);
            let mut bytes = std::mem::take(&mut first.bytes);
            waiting.held_bytes -= bytes.len();
            if missing > 0 && end > self.next && !bytes.is_empty() {
                // The gap behind the bytes follows.
                first.at = end;
            } else {
                waiting.held.pop_front();
            }
            if end > self.next && !bytes.is_empty() {
                let old = bytes.len() - (end - self.next) as usize;
                bytes.drain(..old);
                return Some(Ready::Data(bytes, packet));
            }
            let lost = (end + missing).saturating_sub(self.next);
            if lost > 0 {
                return Some(Ready::Missing(lost));
            }
        }
    }

    /// Drops everything that is buffered.
    pub fn clear(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.held = VecDeque::new();
            waiting.held_bytes = 0;
            waiting.doubts = Vec::new();
        }
    }
}
