//! TCP reassembly of one conversation, both directions, pure and bounded.
//!
//! Bytes are delivered in order, and causally: a segment waits until everything that its sender had
//! acknowledged was delivered, so that a question comes before its answer even where the capture
//! mixed up the directions. In-order bytes are borrowed; only what must wait is copied.
//!
//! A gap that the other side has acknowledged can only be filled by a packet that the capture put
//! in the wrong place; it becomes a gap after a short grace ([`GRACE_PACKETS`], [`GRACE_TIME`]). A
//! gap that nobody acknowledged waits for its retransmission ([`HOLE_TIME`]). Overlaps keep the
//! bytes that came first (RFC 9293 3.10.7.4 leaves the choice).

use super::half::{HalfStream, Piece, Ready};
use super::{End, Side};
use crate::decode::tcp_flags::{ACK, FIN, RST, SYN};
use crate::time::{Span, Timestamp};

/// Packets of the flow that may still come before an acknowledged gap is a gap. Where each packet may
/// stand 64 places from where it belongs, a question and its answer can end up twice as far apart.
pub const GRACE_PACKETS: u32 = 128;
/// Packet time after which an acknowledged gap is a gap.
pub const GRACE_TIME: Span = Span::seconds(1);
/// Packet time after which an unacknowledged gap is a gap (a few retransmission time-outs).
pub const HOLE_TIME: Span = Span::seconds(10);
/// An acknowledgment further ahead than this is not believed, bytes.
const MAX_ACK_AHEAD: u64 = 1 << 30;
/// A sequence number further away than this belongs to another conversation, bytes.
const MAX_SEQ_AWAY: u64 = 1 << 26;

/// Segments with data in a row that are too far away, before the stream is believed to go on there.
const FAR_SEGMENTS: u8 = 8;
/// No stream is longer; skips beyond it saturate.
const MAX_OFFSET: u64 = u64::MAX >> 2;

/// Takes a stream in order. Each call answers how many of the coming bytes of that side are of no
/// interest (`u64::MAX`: all of them); they are not delivered, and a gap in them is not reported.
pub trait StreamSink {
    /// In-order bytes.
    fn data(&mut self, side: Side, bytes: &[u8]) -> u64;
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
    /// Bytes of payload that were on the wire but not captured, behind the captured ones.
    pub missing: u32,
}

/// What a conversation counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ConversationCounters {
    /// Bytes reported as gaps.
    pub gap_bytes: u64,
    /// Gaps reported.
    pub gaps: u64,
    /// Bytes that contradicted a copy seen before.
    pub conflicts: u64,
}

impl std::ops::AddAssign for ConversationCounters {
    fn add_assign(&mut self, other: Self) {
        self.gap_bytes += other.gap_bytes;
        self.gaps += other.gaps;
        self.conflicts += other.conflicts;
    }
}

/// Both directions of a TCP conversation.
pub struct Conversation {
    halves: [HalfStream; 2],
    packets: u32,
    /// Who reset it, the offset of the reset, and when.
    reset: Option<(Side, u64, u32, Timestamp)>,
    stats: ConversationCounters,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            halves: [HalfStream::new(), HalfStream::new()],
            packets: 0,
            reset: None,
            stats: ConversationCounters::default(),
        }
    }
}

const SIDES: [Side; 2] = [Side::Low, Side::High];

impl Conversation {
    /// Whether this segment starts another conversation between the same ends.
    pub fn is_another(&self, segment: &TcpSegment) -> bool {
        let half = &self.halves[segment.from.index()];
        if !half.seen {
            return false;
        }
        let syn = segment.flags & SYN != 0;
        let seq = if syn { segment.seq.wrapping_add(1) } else { segment.seq };
        let far = half.away(half.offset(seq)) > MAX_SEQ_AWAY;
        match (syn, self.is_over()) {
            (true, true) => half.starts_elsewhere(seq).unwrap_or(far),
            // The same ports again although no end was seen. A SYN alone may be forged, and the end it
            // goes to ignores it (RFC 5961 4.2); one that is answered opens another connection.
            (true, false) => {
                far || segment.flags & ACK != 0 && half.starts_elsewhere(seq) == Some(true)
            }
            (false, over) => over && segment.flags & RST == 0 && far,
        }
    }

    /// Whether a segment can belong to this conversation: its numbers fit.
    pub fn fits(&self, segment: &TcpSegment) -> bool {
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
        !self.is_ended() && (self.reset.is_some() || self.halves.iter().any(|h| h.stuck.is_some()))
    }

    /// Whether nothing that may still come is of interest.
    pub fn is_ignored(&self) -> bool {
        self.halves.iter().all(|h| h.ignored || h.ended)
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.halves.iter().map(HalfStream::held_bytes).sum()
    }

    /// What was counted since the last call.
    pub fn take_stats(&mut self) -> ConversationCounters {
        for half in &mut self.halves {
            self.stats.conflicts += std::mem::take(&mut half.conflicts);
        }
        std::mem::take(&mut self.stats)
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
            self.halves[side.index()].start(seq);
            // The answer to a SYN tells where the other side starts.
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
                return;
            }
        }
        half.far = 0;
        half.top = half.top.max(at + len);
        if flags & RST != 0 {
            // ClaimedSubjects where the receiver would take it (RFC 5961 3.2); its payload is text for people.
            self.reset.get_or_insert((side, at, self.packets, now));
        } else {
            if len > 0 && self.reset.is_some_and(|(by, from, ..)| by == side && at >= from) {
                // It goes on: the reset was not of this conversation.
                self.reset = None;
            }
            let after = if flags & ACK == 0 { 0 } else { self.acknowledge(side, segment.ack) };
            if len > 0 {
                let missing = u64::from(segment.missing);
                self.accept(side, Piece { at, bytes: payload, missing, after }, window, sink);
            }
            if flags & FIN != 0 {
                let other = &self.halves[side.other().index()];
                // Sent again, it may acknowledge more.
                let heard = if flags & ACK == 0 { 0 } else { other.offset(segment.ack) };
                let heard = if heard > other.top.saturating_add(MAX_ACK_AHEAD) { 0 } else { heard };
                let half = &mut self.halves[side.index()];
                half.fin.get_or_insert(at + len);
                half.fin_after = half.fin_after.min(heard);
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
        partner.fin.map_or(acked, |fin| acked.min(fin))
    }

    /// Delivers a segment that is in turn, holds any other.
    fn accept(&mut self, side: Side, piece: Piece<'_>, window: usize, sink: &mut impl StreamSink) {
        let other_next = self.halves[side.other().index()].reach();
        let half = &mut self.halves[side.index()];
        if half.ended || half.ignored || half.fin.is_some_and(|fin| piece.at >= fin) {
            return;
        }
        let end = piece.end();
        if half.known && end <= half.next {
            return;
        }
        if half.known && piece.at <= half.next && piece.after <= other_next && !half.holds() {
            let old = (half.next - piece.at).min(piece.bytes.len() as u64) as usize;
            self.deliver(side, &piece.bytes[old..], sink);
            let half = &self.halves[side.index()];
            if end > half.next && !half.ignored {
                let len = end - half.next;
                self.lose(side, len, sink);
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
    }

    fn deliver(&mut self, side: Side, bytes: &[u8], sink: &mut impl StreamSink) {
        if !bytes.is_empty() {
            let skip = sink.data(side, bytes);
            self.advance(side, bytes.len() as u64, skip);
        }
    }

    fn lose(&mut self, side: Side, len: u64, sink: &mut impl StreamSink) {
        if len > 0 {
            self.stats.gap_bytes += len;
            self.stats.gaps += 1;
            let skip = sink.gap(side, len);
            self.advance(side, len, skip);
        }
    }

    fn advance(&mut self, side: Side, len: u64, skip: u64) {
        let half = &mut self.halves[side.index()];
        half.next += len;
        half.stuck = None;
        if skip == u64::MAX {
            half.ignored = true;
            half.clear();
        } else {
            half.next = half.next.saturating_add(skip).min(MAX_OFFSET);
        }
    }

    /// Delivers whatever is in turn, in both directions, until nothing moves.
    fn drain(&mut self, sink: &mut impl StreamSink) {
        loop {
            let mut moved = false;
            for side in SIDES {
                let other_next = self.halves[side.other().index()].reach();
                while self.halves[side.index()].known {
                    match self.halves[side.index()].ready(other_next) {
                        Some(Ready::Data(bytes)) => self.deliver(side, &bytes, sink),
                        Some(Ready::Missing(len)) => self.lose(side, len, sink),
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
        self.report_fins(sink);
        let packets = self.packets;
        for half in &mut self.halves {
            if half.is_stuck() {
                half.stuck.get_or_insert((packets, now));
            } else {
                half.stuck = None;
            }
        }
        if self.waits() {
            self.lose_patience(now, sink);
        }
    }

    fn report_fins(&mut self, sink: &mut impl StreamSink) {
        if self.halves.iter().all(|half| half.fin.is_none()) {
            return;
        }
        // Of two that are due, the one that acknowledged the other's comes behind it.
        let order = if self.ends_behind(Side::Low) { [Side::High, Side::Low] } else { SIDES };
        let due = SIDES.map(|side| self.halves[side.index()].is_at_end());
        for side in order {
            if due[side.index()] && (due[side.other().index()] || !self.ends_behind(side)) {
                let half = &mut self.halves[side.index()];
                half.ended = true;
                half.clear();
                sink.end(side, End::Fin);
            }
        }
    }

    /// Whether the FIN of `side` acknowledged what of the other one is still to come, its FIN too.
    fn ends_behind(&self, side: Side) -> bool {
        let (this, other) = (&self.halves[side.index()], &self.halves[side.other().index()]);
        this.fin.is_some()
            && other.known
            && other.seen
            && !other.ended
            && this.fin_after > other.reach()
    }

    /// Where the grace is over, starts are where they are and acknowledged gaps are gaps.
    fn lose_patience(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        let packets = self.packets;
        let over = |(count, since): (u32, Timestamp)| {
            packets.wrapping_sub(count) >= GRACE_PACKETS || now - since >= GRACE_TIME
        };
        if self.halves.iter().any(|h| !h.known && h.stuck.is_some_and(over)) {
            // Both at once, so that the causal order can tell which side speaks first.
            for half in &mut self.halves {
                half.start_at_first();
            }
            self.drain(sink);
        }
        for side in SIDES {
            let half = &self.halves[side.index()];
            let Some(stuck) = half.stuck.filter(|s| half.known && over(*s)) else { continue };
            let overdue = now - stuck.1 >= HOLE_TIME;
            let to = match half.held_from() {
                Some(from) if from > half.next && (half.acked_data() >= from || overdue) => from,
                // In turn, but the other side never came
                Some(from) if from <= half.next => {
                    let other = &mut self.halves[side.other().index()];
                    other.absent |= !other.seen || !other.known || overdue;
                    0
                }
                _ => half.acked_data(),
            };
            let len = to.saturating_sub(self.halves[side.index()].next);
            self.lose(side, len, sink);
            self.drain(sink);
        }
        let over_reset = self.reset.is_some_and(|(_, _, count, since)| over((count, since)));
        if over_reset && !self.is_ended() {
            self.finish(End::Reset, sink);
        }
        self.report_fins(sink);
        // A new gap has its own grace.
        for half in &mut self.halves {
            if half.is_stuck() {
                half.stuck.get_or_insert((packets, now));
            }
        }
    }

    /// Gives up the first gap of one side, whatever it waits for.
    fn force(&mut self, side: Side, sink: &mut impl StreamSink) {
        self.halves[side.index()].start_at_first();
        let half = &self.halves[side.index()];
        if let Some(from) = half.held_from() {
            let len = from.saturating_sub(half.next);
            self.lose(side, len, sink);
        }
        while let Some(ready) = self.halves[side.index()].ready(u64::MAX) {
            match ready {
                Ready::Data(bytes) => self.deliver(side, &bytes, sink),
                Ready::Missing(len) => self.lose(side, len, sink),
            }
        }
    }

    /// Packet time has come to `now` without a packet.
    pub fn tick(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        if self.waits() {
            self.lose_patience(now, sink);
        }
    }

    /// The conversation is over: everything held is delivered, with gaps where bytes are missing.
    pub fn finish(&mut self, end: End, sink: &mut impl StreamSink) {
        for half in &mut self.halves {
            half.start_at_first();
        }
        self.drain(sink);
        while let Some(side) = self.next_to_force() {
            self.force(side, sink);
            self.drain(sink);
        }
        for side in SIDES {
            let half = &self.halves[side.index()];
            if half.known && half.seen && !half.ignored && !half.ended {
                let len = half.acked_data().saturating_sub(half.next);
                self.lose(side, len, sink);
            }
        }
        self.report_fins(sink);
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
