//! TCP reassembly of one conversation, both directions, pure and bounded.
//!
//! Bytes are delivered in order and causally: a segment waits until everything its sender had acknowledged was
//! delivered. So a request precedes its response even where the capture mixed up the directions. In-order bytes are
//! borrowed; only bytes that must wait are copied.
//!
//! Bytes that the other side acknowledged can only be missing because the capture reordered packets: after a short
//! grace ([`GRACE_PACKETS`], [`GRACE_TIME`]) they are reported as a gap. Bytes that were not acknowledged may be
//! retransmitted, so the wait is longer ([`HOLE_TIME`], [`PEER_TIME`]). Where segments overlap, the bytes that came
//! first are kept (RFC 9293 3.10.7.4 leaves the choice).

use super::counters::ConversationCounters;
use super::half_stream::{HalfStream, Piece, Ready};
use super::port_reuse::MAX_SEQ_AWAY;
use super::{End, Side};
use crate::capture::PacketRef;
use crate::decode::tcp_flags::{ACK, FIN, RST, SYN};
use crate::time::{Span, Timestamp};

/// Packets of the flow to wait before acknowledged bytes count as a gap. Where each packet may be captured 64 places
/// late, a request and its response can end up twice as far apart.
pub const GRACE_PACKETS: u32 = 128;
/// Packet time to wait before acknowledged bytes count as a gap.
pub const GRACE_TIME: Span = Span::seconds(1);
/// Packet time to wait before unacknowledged bytes count as a gap (a few retransmission time-outs).
pub const HOLE_TIME: Span = Span::seconds(10);
/// The same where packets of the peer are seen: it has not acknowledged these bytes, so it is waiting for them too.
pub const PEER_TIME: Span = Span::seconds(120);
/// Acknowledgments further ahead than this are ignored, bytes. They most often belong to another connection between
/// the same ports, and would be reported as a loss that did not happen.
pub(super) const MAX_ACK_AHEAD: u64 = 1 << 26;
/// Segments with data in a row that must be too far away before the stream is assumed to continue there.
const FAR_SEGMENTS: u8 = 8;
/// Largest stream offset; skips beyond it saturate.
const MAX_OFFSET: u64 = u64::MAX >> 2;

/// Receives a stream in order. Each call returns how many of the following bytes of that side to skip (`u64::MAX`:
/// all of them). Skipped bytes are not delivered, and a gap in them is not reported.
pub trait StreamSink {
    /// In-order bytes that `packet` carried.
    fn data(&mut self, side: Side, bytes: &[u8], packet: PacketRef) -> u64;
    /// `len` bytes were lost.
    fn gap(&mut self, side: Side, len: u64) -> u64;
    /// Nothing more follows from this side.
    fn end(&mut self, side: Side, end: End);
}

/// The header fields of a segment.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment {
    /// Who sent it.
    pub from: Side,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// [`crate::decode::tcp_flags`].
    pub flags: u8,
    /// Time to live or hop limit, 0 where it is not known.
    pub ttl: u8,
    /// Timestamp (RFC 7323 3.2), 0 for none.
    pub timestamp: u32,
    /// Bytes of payload that were on the wire but not captured, behind the captured ones.
    pub missing: u32,
    /// The packet that carried it.
    pub packet: PacketRef,
}

/// Both directions of a TCP conversation.
pub struct Conversation {
    pub(super) halves: [HalfStream; 2],
    pub(super) packets: u32,
    /// Who reset it, the offset of the reset, and when.
    pub(super) reset: Option<(Side, u64, u32, Timestamp)>,
    /// Counters; most conversations have none.
    stats: Option<Box<ConversationCounters>>,
    /// Nothing is waiting, and neither direction has ended.
    pub(super) calm: bool,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            halves: [HalfStream::new(), HalfStream::new()],
            packets: 0,
            reset: None,
            stats: None,
            calm: true,
        }
    }
}

pub(super) const SIDES: [Side; 2] = [Side::Low, Side::High];

impl Conversation {
    /// Whether a peer accepted data behind an end that was reported.
    pub fn is_revived(&self) -> bool {
        self.halves.iter().any(|h| h.revived)
    }

    /// Whether both ends have signalled that they are done. A conversation that was only reset may still turn out to
    /// continue.
    pub fn is_finished(&self) -> bool {
        self.halves.iter().all(|h| h.ended || h.is_at_end())
    }

    /// Whether both directions have ended, or one end has reset the connection.
    pub fn is_over(&self) -> bool {
        self.reset.is_some() || self.halves.iter().all(|h| h.ended || h.fin.is_some())
    }

    /// Whether both ends were reported.
    pub fn is_ended(&self) -> bool {
        self.halves.iter().all(|h| h.ended)
    }

    /// Whether something waits for a later packet or for a time-out.
    pub fn waits(&self) -> bool {
        !self.is_ended()
            && (self.reset.is_some()
                || self.halves.iter().any(|h| h.stuck().is_some() || h.at_end_since.is_some()))
    }

    /// Whether no byte that may still come is of interest.
    pub fn is_ignored(&self) -> bool {
        self.halves.iter().all(|h| h.ignored || h.ended)
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.halves.iter().map(HalfStream::memory).sum()
    }

    /// The counters since the last call.
    pub fn take_stats(&mut self) -> ConversationCounters {
        self.stats.take().map_or_else(Default::default, |stats| *stats)
    }

    /// The counters, created when first needed.
    #[cold]
    pub(super) fn stats(&mut self) -> &mut ConversationCounters {
        self.stats.get_or_insert_default()
    }

    /// Processes a segment. `window`: bytes that may be buffered for one direction.
    #[inline]
    pub fn segment(
        &mut self,
        now: Timestamp,
        segment: &TcpSegment,
        payload: &[u8],
        window: usize,
        sink: &mut impl StreamSink,
    ) {
        self.packets = self.packets.wrapping_add(1);
        let side = segment.from;
        let flags = segment.flags;
        let mut seq = segment.seq;
        if flags & SYN != 0 {
            seq = seq.wrapping_add(1);
            if self.halves[side.index()].starts_elsewhere(seq) == Some(true) {
                // RFC 5961 4.2: an established end answers with a challenge and continues.
                self.stats().ignored.syn += 1;
                return;
            }
            self.halves[side.index()].start(seq);
            // The answer to a SYN shows where the other side starts.
            if flags & ACK != 0 {
                self.halves[side.other().index()].start(segment.ack);
            }
        }
        let len = payload.len() as u64 + u64::from(segment.missing);
        let half = &mut self.halves[side.index()];
        half.seen = true;
        half.refer(seq);
        let at = half.offset(seq);
        if half.known && half.away(at) > MAX_SEQ_AWAY && flags & SYN == 0 {
            // Too far away to be believed at once, but after a long outage the stream may continue there.
            half.far = half.far.saturating_add(u8::from(len > 0));
            if half.far < FAR_SEGMENTS || at < half.next {
                if len > 0 {
                    self.stats().ignored.far += 1;
                }
                return;
            }
        }
        half.far = 0;
        if len == 0 && self.is_foreign(segment) {
            self.stats().ignored.far += 1;
            return;
        }
        if flags & RST != 0 {
            self.take_reset(now, side, at, len);
        } else {
            // Bytes that were not captured cannot have been replaced.
            let doubtful = !payload.is_empty() && self.is_doubtful(segment, at, len);
            if !doubtful {
                self.note_sent(side, at, len);
                self.note_habits(segment, at, len);
            }
            let after = if flags & ACK == 0 { 0 } else { self.acknowledge(side, segment.ack) };
            self.believe(
                side.other(),
                self.halves[side.other().index()].acked_data(),
                window,
                sink,
            );
            // An end that this segment acknowledges precedes the data that answers it.
            self.report_fins(None, sink);
            if len > 0 {
                let missing = u64::from(segment.missing);
                let piece = Piece { at, bytes: payload, missing, after, packet: segment.packet };
                if doubtful {
                    self.doubt(segment, &piece, window, sink);
                } else {
                    self.replace_doubts(side, &piece);
                    if !self.halves[side.other().index()].seen {
                        // No peer was seen that could acknowledge it.
                        self.believe(side, at, window, sink);
                    }
                    self.accept(side, piece, window, sink);
                }
            }
            if flags & FIN != 0 {
                let ack = (flags & ACK != 0).then_some(segment.ack);
                self.take_fin(side, at + len, ack);
            }
        }
        if self.halves[0].holds() || self.halves[1].holds() {
            self.drain(sink);
        }
        self.settle(now, sink);
    }

    /// Notes what `side` acknowledged. Returns the offset that must be delivered first in the other direction.
    fn acknowledge(&mut self, side: Side, ack: u32) -> u64 {
        let partner = &mut self.halves[side.other().index()];
        if partner.absent || partner.ignored {
            return 0;
        }
        partner.refer(ack);
        let acked = partner.offset(ack);
        if acked > partner.top.saturating_add(MAX_ACK_AHEAD) {
            return 0;
        }
        partner.acknowledge(acked);
        if let Some(fin) = partner.fin.filter(|fin| acked > fin + 1 && partner.sent > *fin) {
            // The peer accepted data behind the end, so it never received that end.
            if partner.ended {
                partner.revived = partner.sent > fin + 1;
            } else {
                partner.forget_fin();
                self.stats().ignored.fin += 1;
            }
        }
        let partner = &self.halves[side.other().index()];
        partner.fin.map_or(acked, |fin| acked.min(fin))
    }

    /// Delivers a segment that is next in order, and buffers any other.
    pub(super) fn accept(
        &mut self,
        side: Side,
        piece: Piece<'_>,
        window: usize,
        sink: &mut impl StreamSink,
    ) {
        let other_next = self.halves[side.other().index()].reach();
        let half = &mut self.halves[side.index()];
        let end = piece.end();
        if half.ended || half.ignored {
            if half.fin.is_some_and(|fin| end > fin) {
                self.stats().ignored.after_end += 1;
            }
            return;
        }
        if let Some(fin) = half.fin.filter(|fin| piece.at < *fin && end > *fin) {
            // Bytes in front of the end do not wait for bytes behind it.
            let (head, tail) = piece.split(fin);
            self.accept(side, head, window, sink);
            self.accept(side, tail, window, sink);
            return;
        }
        if half.known && end <= half.next {
            if !half.take_back(&piece) {
                return;
            }
            // The gap was reported because of an acknowledgment alone.
            self.stats().ignored.ack += 1;
        }
        let half = &mut self.halves[side.index()];
        let behind_end = half.fin.is_some_and(|fin| piece.at >= fin);
        let in_turn = half.known && piece.at <= half.next && piece.after <= other_next;
        if in_turn && !half.holds() && !behind_end {
            let old = (half.next - piece.at).min(piece.bytes.len() as u64) as usize;
            self.deliver(side, &piece.bytes[old..], piece.packet, sink);
            let half = &self.halves[side.index()];
            if end > half.next && !half.ignored {
                let len = end - half.next;
                self.cut(side, len, sink);
            }
            return;
        }
        if !half.hold(&piece, window) {
            // The buffer is full: what is missing now counts as lost.
            self.force(side, sink);
            let half = &mut self.halves[side.index()];
            if end > half.next && !half.ignored {
                half.hold(&piece, window);
            }
        }
        let conflicts = self.halves[side.index()].take_conflicts();
        if conflicts > 0 {
            self.stats().conflicts += conflicts;
        }
    }

    fn deliver(&mut self, side: Side, bytes: &[u8], packet: PacketRef, sink: &mut impl StreamSink) {
        if !bytes.is_empty() {
            let skip = sink.data(side, bytes, packet);
            self.advance(side, bytes.len() as u64, skip);
        }
    }

    /// Bytes that were on the wire but not captured: the snap length cut them off.
    fn cut(&mut self, side: Side, len: u64, sink: &mut impl StreamSink) {
        self.stats().cut_bytes += len;
        self.lose(side, len, sink);
    }

    fn lose(&mut self, side: Side, len: u64, sink: &mut impl StreamSink) {
        if len > 0 {
            self.stats().gap_bytes += len;
            self.stats().gaps += 1;
            let skip = sink.gap(side, len);
            self.advance(side, len, skip);
        }
    }

    fn advance(&mut self, side: Side, len: u64, skip: u64) {
        let half = &mut self.halves[side.index()];
        half.next += len;
        half.unstick();
        if skip == u64::MAX {
            half.ignored = true;
            half.clear();
        } else {
            half.next = half.next.saturating_add(skip).min(MAX_OFFSET);
        }
    }

    /// Delivers everything that is next in order, in both directions, until nothing moves.
    pub(super) fn drain(&mut self, sink: &mut impl StreamSink) {
        loop {
            let mut moved = false;
            for side in SIDES {
                let other_next = self.halves[side.other().index()].reach();
                while self.halves[side.index()].known {
                    match self.halves[side.index()].ready(other_next) {
                        Some(Ready::Data(bytes, packet)) => {
                            self.deliver(side, &bytes, packet, sink);
                        }
                        Some(Ready::Missing(len)) => self.cut(side, len, sink),
                        None => break,
                    }
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Reports ends that were reached, and checks the time-outs of everything that waits.
    #[inline]
    fn settle(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        self.report_fins(None, sink);
        let packets = self.packets;
        for half in &mut self.halves {
            if half.is_stuck() {
                half.note_stuck((packets, now));
            } else {
                half.unstick();
            }
            if half.is_at_end() {
                half.at_end_since.get_or_insert((packets, now));
            } else {
                half.at_end_since = None;
            }
        }
        if self.waits() {
            self.lose_patience(now, sink);
        }
        self.note_calm();
    }

    /// Once the grace is over, fixes the start of streams and reports acknowledged gaps.
    fn lose_patience(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        let packets = self.packets;
        let over = |(count, since): (u32, Timestamp)| {
            packets.wrapping_sub(count) >= GRACE_PACKETS || now - since >= GRACE_TIME
        };
        if self.halves.iter().any(|h| !h.known && h.stuck().is_some_and(over)) {
            // Both at once, so that the causal order shows which side spoke first.
            for half in &mut self.halves {
                half.start_at_first();
            }
            self.drain(sink);
        }
        for side in SIDES {
            self.believe_overdue(side, now, &over, sink);
            self.settle_end(side, &over, sink);
            let half = &self.halves[side.index()];
            let Some(stuck) = half.stuck().filter(|s| half.known && over(*s)) else { continue };
            let overdue = now - stuck.1 >= HOLE_TIME;
            let peer = self.halves[side.other().index()].seen;
            let lost = now - stuck.1 >= if peer { PEER_TIME } else { HOLE_TIME };
            let to = match half.held_from() {
                Some(from) if from > half.next && (half.acked_data() >= from || lost) => from,
                // Next in order, but the data of the other side that should precede it never came.
                Some(from) if from <= half.next => {
                    let other = &mut self.halves[side.other().index()];
                    other.absent |= !other.seen || !other.known || overdue;
                    0
                }
                _ => half.acked_data(),
            };
            let half = &mut self.halves[side.index()];
            let len = to.saturating_sub(half.next);
            if len > 0 && to > half.top {
                half.vouch(half.next.max(half.top));
            }
            self.lose(side, len, sink);
            self.drain(sink);
        }
        let over_reset = self.reset.is_some_and(|(_, _, count, since)| over((count, since)));
        if over_reset && !self.is_ended() {
            self.finish(End::Reset, sink);
        }
        self.report_fins(Some(&over), sink);
        // A new gap gets its own grace.
        for half in &mut self.halves {
            if half.is_stuck() {
                half.note_stuck((packets, now));
            }
        }
    }

    /// Gives up the first gap of one side, whatever it is waiting for.
    fn force(&mut self, side: Side, sink: &mut impl StreamSink) {
        self.halves[side.index()].start_at_first();
        self.believe(side, u64::MAX, usize::MAX, sink);
        self.resolve_end(side);
        let half = &self.halves[side.index()];
        if let Some(from) = half.held_from() {
            let len = from.saturating_sub(half.next);
            self.lose(side, len, sink);
        }
        while let Some(ready) = self.halves[side.index()].ready(u64::MAX) {
            match ready {
                Ready::Data(bytes, packet) => self.deliver(side, &bytes, packet, sink),
                Ready::Missing(len) => self.cut(side, len, sink),
            }
            self.resolve_end(side);
        }
    }

    /// Packet time reached `now` without a packet.
    pub fn tick(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        if self.waits() {
            self.lose_patience(now, sink);
            self.note_calm();
        }
    }

    /// Ends the conversation: delivers everything buffered, with gaps where bytes are missing.
    pub fn finish(&mut self, end: End, sink: &mut impl StreamSink) {
        for side in SIDES {
            self.believe(side, u64::MAX, usize::MAX, sink);
            self.halves[side.index()].start_at_first();
        }
        self.drain(sink);
        while let Some(side) = self.next_to_force() {
            self.force(side, sink);
            self.drain(sink);
        }
        for side in SIDES {
            let half = &self.halves[side.index()];
            if half.known && half.seen && !half.ignored && !half.ended {
                // A last acknowledged byte that was not seen is the sequence number of a FIN (RFC 9293 3.4).
                let end = u64::from(half.fin.is_none());
                let len = half.acked_data().saturating_sub(half.next);
                self.lose(side, if len == end { 0 } else { len }, sink);
            }
        }
        self.report_fins(Some(&|_| true), sink);
        let end = if self.reset.is_some() { End::Reset } else { end };
        for side in SIDES {
            let half = &mut self.halves[side.index()];
            if !half.ended {
                half.ended = true;
                half.clear();
                let fin = half.fin.is_some_and(|fin| half.next >= fin);
                sink.end(side, if fin { End::Fin } else { end });
            }
        }
        self.note_calm();
    }

    /// At the end: a side that waits for its own bytes goes before one that waits for the other side.
    fn next_to_force(&self) -> Option<Side> {
        let holding = |s: &Side| self.halves[s.index()].holds();
        let own_hole = |s: &Side| {
            let half = &self.halves[s.index()];
            half.held_from().is_some_and(|from| from > half.next)
        };
        SIDES.into_iter().filter(holding).find(own_hole).or_else(|| SIDES.into_iter().find(holding))
    }
}
