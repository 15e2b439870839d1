//! TCP reassembly of one conversation, both directions, pure and bounded.
//!
//! Bytes are delivered in order, and causally: a segment waits until everything that its sender had
//! acknowledged was delivered, so that a question comes before its answer even where the capture
//! mixed up the directions. In-order bytes are borrowed; only what must wait is copied.
//!
//! A gap that the other side has acknowledged can only be filled by a packet that the capture put
//! in the wrong place; it becomes a gap after a short grace ([`GRACE_PACKETS`], [`GRACE_TIME`]). A
//! gap that was not acknowledged waits for its retransmission ([`HOLE_TIME`], [`PEER_TIME`]). Overlaps keep the
//! bytes that came first (RFC 9293 3.10.7.4 leaves the choice).

use super::counters::ConversationCounters;
use super::half_stream::{HalfStream, Piece, Ready};
use super::{End, Side};
use crate::capture::PacketRef;
use crate::decode::tcp_flags::{ACK, FIN, RST, SYN};
use crate::time::{Span, Timestamp};

/// Packets of the flow that may still come before an acknowledged gap is a gap. Where each packet may
/// be 64 places from where it belongs, a request and its response can end up twice as far apart.
pub const GRACE_PACKETS: u32 = 128;
/// Packet time after which an acknowledged gap is a gap.
pub const GRACE_TIME: Span = Span::seconds(1);
/// Packet time after which an unacknowledged gap is a gap (a few retransmission time-outs).
pub const HOLE_TIME: Span = Span::seconds(10);
/// The same where the peer is seen: it would acknowledge those bytes if it had got them, and waits for them.
pub const PEER_TIME: Span = Span::seconds(120);
/// An acknowledgment further ahead than this is not believed, bytes: it most often belongs to another
/// connection between the same ports, and would make up a loss.
pub(super) const MAX_ACK_AHEAD: u64 = 1 << 26;
/// A sequence number further away than this belongs to another conversation, bytes.
const MAX_SEQ_AWAY: u64 = 1 << 26;
/// A number no further than this behind the highest byte seen, and not beyond it, carries on the stream.
pub(super) const RECENT: u64 = 1 << 20;
/// How far a number may lie beyond the highest byte seen, and that so often the length of what was seen,
/// before it needs the other number of its segment to be believed.
const JUMP: u64 = 1 << 18;
const JUMP_TIMES: u64 = 8;
/// Segments with data in a row that are too far away, before the stream is believed to go on there.
const FAR_SEGMENTS: u8 = 8;
/// No stream is longer; skips beyond it saturate.
const MAX_OFFSET: u64 = u64::MAX >> 2;

/// Takes a stream in order. Each call answers how many of the coming bytes of that side are of no
/// interest (`u64::MAX`: all of them); they are not delivered, and a gap in them is not reported.
pub trait StreamSink {
    /// In-order bytes that `packet` carried.
    fn data(&mut self, side: Side, bytes: &[u8], packet: PacketRef) -> u64;
    /// `len` bytes were lost.
    fn gap(&mut self, side: Side, len: u64) -> u64;
    /// Nothing more will come from this side.
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
    /// What was counted; most conversations have nothing to count.
    stats: Option<Box<ConversationCounters>>,
    /// Nothing waits, and neither direction has an end.
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

/// Whether a number lies further from the stream than what was seen of it makes likely.
fn strays(half: &HalfStream, at: u64) -> bool {
    if at > half.top {
        at - half.top > half.length().saturating_mul(JUMP_TIMES).saturating_add(JUMP)
    } else {
        half.top - at > RECENT
    }
}

pub(super) const SIDES: [Side; 2] = [Side::Low, Side::High];

impl Conversation {
    /// Whether this segment, which carries `len` bytes, starts another conversation between the same
    /// ends. A SYN does where its number is far away (RFC 9293 3.4.3); data does where the old
    /// conversation is over and the ends evidently do not know of it.
    pub fn is_another(&self, segment: &TcpSegment, len: u64) -> bool {
        let half = &self.halves[segment.from.index()];
        if !half.seen {
            return false;
        }
        let syn = segment.flags & SYN != 0;
        let seq = if syn { segment.seq.wrapping_add(1) } else { segment.seq };
        let at = half.offset(seq);
        let far = half.away(at) > MAX_SEQ_AWAY;
        match (syn, self.is_over()) {
            (true, true) => half.starts_elsewhere(seq).unwrap_or(far),
            // The same ports again although no end was seen. A SYN alone may be forged, and the end it
            // goes to ignores it (RFC 5961 4.2); one that is answered opens another connection.
            (true, false) => {
                far || segment.flags & ACK != 0 && half.starts_elsewhere(seq) == Some(true)
            }
            (false, over) if segment.flags & RST == 0 => {
                // What is of no interest ends before all of it was seen: the rest comes before its FIN.
                let seen = half.sent.max(half.next).max(half.fin.unwrap_or(0));
                let goes_on = len > 0 && !far && at >= seen;
                over && far
                    || goes_on && (half.revived || self.is_ended())
                    || len > 0 && self.is_foreign(segment)
            }
            (false, _) => false,
        }
    }

    /// Whether a segment is of another connection although its numbers are near. Ports are used again
    /// soon, and first numbers grow with time (RFC 9293 3.4.1), so that a lost handshake leaves no
    /// other sign than this: neither number carries on its stream, and one of them lies further away
    /// than what was seen of it makes likely. Taken for the same connection, the distance would be
    /// reported as lost, and was never sent.
    #[inline]
    pub fn is_foreign(&self, segment: &TcpSegment) -> bool {
        let (this, other) =
            (&self.halves[segment.from.index()], &self.halves[segment.from.other().index()]);
        if !this.seen || !other.seen || segment.flags & (SYN | RST | ACK) != ACK {
            return false;
        }
        let (at, acked) = (this.offset(segment.seq), other.offset(segment.ack));
        let carries_on = |half: &HalfStream, at| at <= half.top && at + RECENT >= half.top;
        !carries_on(this, at)
            && !carries_on(other, acked)
            && (strays(this, at) || strays(other, acked))
    }

    /// Whether a peer took data behind an end that was reported.
    pub fn is_revived(&self) -> bool {
        self.halves.iter().any(|h| h.revived)
    }

    /// Whether both ends have said that they are done. A conversation that was only reset may yet
    /// turn out to go on.
    pub fn is_finished(&self) -> bool {
        self.is_ended() || self.halves.iter().all(|h| h.ended || h.is_at_end())
    }

    /// Whether a segment can belong to this conversation: its numbers fit.
    pub fn fits(&self, segment: &TcpSegment) -> bool {
        if self.is_foreign(segment) {
            return false;
        }
        let near = |half: &HalfStream, number| half.away(half.offset(number)) <= MAX_SEQ_AWAY;
        let (this, other) =
            (&self.halves[segment.from.index()], &self.halves[segment.from.other().index()]);
        let seq = this.seen.then(|| near(this, segment.seq));
        let ack = (other.seen && segment.flags & ACK != 0).then(|| near(other, segment.ack));
        seq.unwrap_or(true) && ack.unwrap_or(true)
    }

    /// Both directions have ended, or one end has reset the connection.
    pub fn is_over(&self) -> bool {
        self.reset.is_some() || self.halves.iter().all(|h| h.ended || h.fin.is_some())
    }

    /// Both ends were reported.
    pub fn is_ended(&self) -> bool {
        self.halves.iter().all(|h| h.ended)
    }

    /// Whether something waits for a later packet or for time to pass.
    pub fn waits(&self) -> bool {
        !self.is_ended()
            && (self.reset.is_some()
                || self.halves.iter().any(|h| h.stuck().is_some() || h.at_end_since.is_some()))
    }

    /// Whether nothing that may still come is of interest.
    pub fn is_ignored(&self) -> bool {
        self.halves.iter().all(|h| h.ignored || h.ended)
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.halves.iter().map(HalfStream::memory).sum()
    }

    /// What was counted since the last call.
    pub fn take_stats(&mut self) -> ConversationCounters {
        self.stats.take().map_or_else(Default::default, |stats| *stats)
    }

    /// What is counted.
    #[cold]
    pub(super) fn stats(&mut self) -> &mut ConversationCounters {
        self.stats.get_or_insert_default()
    }

    /// Takes a segment. `window`: bytes that may be held for one direction.
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
                // RFC 5961 4.2: an established end answers and goes on.
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
            // Too far to be believed at once; but after a long outage the stream goes on far away.
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
            // Of what was not captured nothing could be replaced.
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
            // An end that this acknowledges comes before what answers it.
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

    /// Notes what `side` acknowledged; the offset in the other direction that must come first.
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
            // The peer took data behind the end, so it never got that end.
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

    /// Delivers a segment that is in turn, holds any other.
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
            // What is in front of the end does not wait for what is behind it.
            let (head, tail) = piece.split(fin);
            self.accept(side, head, window, sink);
            self.accept(side, tail, window, sink);
            return;
        }
        if half.known && end <= half.next {
            if !half.take_back(&piece) {
                return;
            }
            // The gap was reported on the word of an acknowledgment alone.
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
            // The cap is reached: what is missing is missing now.
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

    /// Delivers whatever is in turn, in both directions, until nothing moves.
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

    /// Reports ends that are reached, and watches over what waits.
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

    /// Where the grace is over, starts are where they are and acknowledged gaps are gaps.
    fn lose_patience(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        let packets = self.packets;
        let over = |(count, since): (u32, Timestamp)| {
            packets.wrapping_sub(count) >= GRACE_PACKETS || now - since >= GRACE_TIME
        };
        if self.halves.iter().any(|h| !h.known && h.stuck().is_some_and(over)) {
            // Both at once, so that the causal order shows which side speaks first.
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
                // In turn, but the other side never came
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
        // A new gap has its own grace.
        for half in &mut self.halves {
            if half.is_stuck() {
                half.note_stuck((packets, now));
            }
        }
    }

    /// Gives up the first gap of one side, whatever it waits for.
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

    /// Packet time has come to `now` without a packet.
    pub fn tick(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        if self.waits() {
            self.lose_patience(now, sink);
            self.note_calm();
        }
    }

    /// The conversation is over: everything held is delivered, with gaps where bytes are missing.
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
                // A last acknowledged byte that was not seen is the number of a FIN (RFC 9293 3.4).
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

    /// At the end: a side that waits for bytes of its own before one that waits for the other.
    fn next_to_force(&self) -> Option<Side> {
        let holding = |s: &Side| self.halves[s.index()].holds();
        let own_hole = |s: &Side| {
            let half = &self.halves[s.index()];
            half.held_from().is_some_and(|from| from > half.next)
        };
        SIDES.into_iter().filter(holding).find(own_hole).or_else(|| SIDES.into_iter().find(holding))
    }
}
