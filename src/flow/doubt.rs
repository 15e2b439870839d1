//! Data that the peer may not have accepted. To make a monitor read something other than the peer does, an attacker
//! sends bytes that only the monitor accepts, then the real bytes under the same sequence numbers (Ptacek and
//! Newsham, "insertion"). Such bytes wait: they are read once the peer acknowledges them, and dropped when other
//! bytes are sent in their place.

use super::Side;
use super::conversation::{Conversation, HOLE_TIME, StreamSink, TcpSegment};
use super::half_stream::Piece;
use crate::capture::PacketRef;
use crate::decode::tcp_flags::{ACK, DAMAGED, SHUT, SYN};
use crate::time::Timestamp;

/// Doubtful segments kept per direction; beyond it the oldest are read.
const MAX_DOUBTS: usize = 64;

/// A segment that its receiver may have refused.
pub(super) struct Doubt {
    pub at: u64,
    pub bytes: Vec<u8>,
    missing: u64,
    after: u64,
    packet: PacketRef,
    ttl: u8,
    timestamp: u32,
}

/// Properties of the segments of one direction that its peer accepts.
#[derive(Clone, Copy)]
pub(super) struct Habits {
    /// Time to live, 0 if unknown.
    ttl: u8,
    /// The latest timestamp in turn, 0 for none (TS.Recent of RFC 7323 4.3).
    timestamp: u32,
    /// They carry acknowledgments.
    pub acknowledges: bool,
    /// The peer has announced a window, and whether it is closed now.
    offered: bool,
    pub shut: bool,
}

impl Habits {
    /// Before anything was seen.
    pub const NONE: Self =
        Self { ttl: 0, timestamp: 0, acknowledges: false, offered: false, shut: false };
}

impl Conversation {
    /// Whether the peer may refuse the `len` new bytes at `at`. It did not agree to take data before the handshake
    /// (RFC 7413 3). It drops segments without acknowledgment (RFC 9293 3.10.7.4), bytes beyond its window, segments
    /// older than what it has (RFC 7323 5.3) or without the timestamp that both agreed on (3.2), and damaged ones; and
    /// a packet with a smaller time to live may not reach it.
    #[inline]
    pub(super) fn is_doubtful(&self, segment: &TcpSegment, at: u64, len: u64) -> bool {
        let half = &self.halves[segment.from.index()];
        // Of bytes that were read already, some are often sent again in front of new ones.
        let new = if half.known { at.max(half.next) } else { at };
        if half.ignored || half.ended || at + len <= new || half.acked > new {
            return false;
        }
        let habits = &half.habits;
        let age = segment.timestamp.wrapping_sub(habits.timestamp) as i32;
        segment.flags & (SYN | DAMAGED) != 0
            || segment.flags & ACK == 0 && habits.acknowledges
            || habits.shut
            || segment.ttl != 0 && segment.ttl < habits.ttl
            || habits.timestamp != 0 && (segment.timestamp == 0 || age < 0)
    }

    /// Notes that an accepted segment carries `len` bytes from `at` on.
    #[inline]
    pub(super) fn note_sent(&mut self, side: Side, at: u64, len: u64) {
        let half = &mut self.halves[side.index()];
        half.top = half.top.max(at + len);
        let new = len > 0 && at + len > half.sent;
        if new {
            half.sent = at + len;
        }
        if new && self.reset.is_some() {
            // The conversation continues, so the reset did not belong to it.
            self.reset = None;
            self.stats().ignored.rst += 1;
        }
    }

    /// Notes the properties of an accepted segment.
    #[inline]
    pub(super) fn note_habits(&mut self, segment: &TcpSegment, at: u64, len: u64) {
        let half = &mut self.halves[segment.from.index()];
        if segment.ttl != 0 && (len > 0 || segment.flags & SYN != 0) {
            half.habits.ttl = segment.ttl;
        }
        half.habits.acknowledges |= segment.flags & (ACK | SYN) == ACK;
        if segment.timestamp != 0 && at <= half.next {
            half.habits.timestamp = segment.timestamp;
        }
        if segment.flags & ACK != 0 {
            let peer = &mut self.halves[segment.from.other().index()].habits;
            peer.shut = segment.flags & SHUT != 0 && peer.offered;
            peer.offered |= segment.flags & SHUT == 0;
        }
    }

    /// Keeps a piece until it is known whether the peer accepted it. `window`: bytes that may wait.
    pub(super) fn doubt(
        &mut self,
        segment: &TcpSegment,
        piece: &Piece<'_>,
        window: usize,
        sink: &mut impl StreamSink,
    ) {
        let side = segment.from;
        let half = &self.halves[side.index()];
        let old = half.known && piece.at < half.next;
        let piece = &if old { piece.split(half.next).1 } else { *piece };
        if piece.bytes.is_empty() {
            // What was not captured cannot have been replaced.
            self.accept(side, *piece, window, sink);
            return;
        }
        self.replace_doubts(side, piece);
        let doubts = self.halves[side.index()].doubts();
        let held: usize = doubts.iter().map(|doubt| doubt.bytes.len()).sum();
        if doubts.len() >= MAX_DOUBTS || held + piece.bytes.len() > window {
            self.believe(side, u64::MAX, window, sink);
        }
        self.halves[side.index()].doubts_mut().push(Doubt {
            at: piece.at,
            bytes: piece.bytes.to_vec(),
            missing: piece.missing,
            after: piece.after,
            packet: piece.packet,
            ttl: segment.ttl,
            timestamp: segment.timestamp,
        });
    }

    /// The bytes of `piece` were sent and are not doubtful: they replace doubtful bytes at the same place.
    pub(super) fn replace_doubts(&mut self, side: Side, piece: &Piece<'_>) {
        if self.halves[side.index()].doubts().is_empty() {
            return;
        }
        let end = piece.at + piece.bytes.len() as u64;
        let mut unaccepted = 0;
        let doubts = self.halves[side.index()].doubts_mut();
        for doubt in &mut *doubts {
            if piece.at > doubt.at || end <= doubt.at {
                continue;
            }
            let theirs = piece.bytes.get((doubt.at - piece.at) as usize..).unwrap_or_default();
            let len = theirs.len().min(doubt.bytes.len());
            unaccepted += u64::from(theirs.get(..len) != doubt.bytes.get(..len));
            doubt.bytes.drain(..len);
            doubt.at += len as u64;
        }
        doubts.retain(|doubt| !doubt.bytes.is_empty());
        if unaccepted > 0 {
            self.stats().ignored.unaccepted += unaccepted;
        }
    }

    /// Reads doubtful data that has waited too long. `over`: whether the grace of a gap has passed. Where there is a
    /// peer and no gap, it waits longer for the acknowledgment.
    pub(super) fn believe_overdue(
        &mut self,
        side: Side,
        now: Timestamp,
        over: &impl Fn((u32, Timestamp)) -> bool,
        sink: &mut impl StreamSink,
    ) {
        let half = &self.halves[side.index()];
        let long = self.halves[side.other().index()].seen && !half.is_behind();
        let is_overdue = |since: (u32, Timestamp)| match long {
            true => now - since.1 >= HOLE_TIME,
            false => over(since),
        };
        if half.stuck().is_some_and(is_overdue) {
            self.believe(side, u64::MAX, usize::MAX, sink);
            self.drain(sink);
        }
    }

    /// The peer accepted everything below `below`: reads the doubtful data there. `window`: bytes that may wait.
    pub(super) fn believe(
        &mut self,
        side: Side,
        below: u64,
        window: usize,
        sink: &mut impl StreamSink,
    ) {
        let is_taken = |doubt: &Doubt| doubt.at < below;
        while let Some(n) = self.halves[side.index()].doubts().iter().position(is_taken) {
            let half = &mut self.halves[side.index()];
            let doubt = half.doubts_mut().remove(n);
            if doubt.ttl != 0 {
                half.habits.ttl = doubt.ttl;
            }
            // A peer that accepts segments without a timestamp does not ask for it.
            half.habits.timestamp = doubt.timestamp;
            let Doubt { at, ref bytes, missing, after, packet, .. } = doubt;
            let piece = Piece { at, bytes, missing, after, packet };
            half.top = half.top.max(piece.end());
            half.sent = half.sent.max(piece.end());
            self.accept(side, piece, window, sink);
        }
    }
}
