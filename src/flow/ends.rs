//! How a conversation ends: which FIN and RST an end host would accept (RFC 9293 3.10.7.4, RFC 5961), and what
//! happens to data behind an end. A forged end must not hide what the two hosts still send.

use super::conversation::{Conversation, MAX_ACK_AHEAD, SIDES, StreamSink};
use super::{End, Side};
use crate::time::Timestamp;

impl Conversation {
    /// A reset counts if its sequence number is where the peer may expect it: between what it acknowledged and what
    /// was sent (RFC 5961 3.2). It takes effect after a grace in which nothing new is sent. Its payload is a message
    /// for people and is not read.
    pub(super) fn take_reset(&mut self, now: Timestamp, side: Side, at: u64, len: u64) {
        let half = &mut self.halves[side.index()];
        // A FIN occupies one sequence number.
        let top = half.top.max(half.fin.map_or(0, |fin| fin + 1));
        if half.known && half.seen && (at < half.acked.min(half.top) || at > top) {
            self.stats().ignored.rst += 1;
            return;
        }
        half.top = half.top.max(at + len);
        self.reset.get_or_insert((side, at, self.packets, now));
    }

    /// Notes an end at `at`. It is ignored if data behind it was already seen (RFC 9293 3.10.7.4: the segment is
    /// old). Of two ends, the later one counts.
    pub(super) fn take_fin(&mut self, side: Side, at: u64, ack: Option<u32>) {
        let other = &self.halves[side.other().index()];
        // A retransmitted FIN may acknowledge more.
        let heard = ack.map_or(0, |ack| other.offset(ack));
        let heard = if heard > other.top.saturating_add(MAX_ACK_AHEAD) { 0 } else { heard };
        let half = &mut self.halves[side.index()];
        if at < half.sent || half.fin.is_some_and(|fin| at < fin) {
            self.stats().ignored.fin += 1;
            return;
        }
        let later = half.fin.replace(at).is_some_and(|fin| fin < at);
        if later {
            half.at_end_since = None;
            half.fin_after = u64::MAX;
        }
        half.fin_after = half.fin_after.min(heard);
        if later {
            self.stats().ignored.fin += 1;
        }
    }

    /// Reports the ends that were reached and are believed: those that the peer acknowledged, and those whose grace
    /// is `over` and that no peer is left to acknowledge.
    pub(super) fn report_fins(
        &mut self,
        over: Option<&dyn Fn((u32, Timestamp)) -> bool>,
        sink: &mut impl StreamSink,
    ) {
        if self.halves.iter().all(|half| half.fin.is_none()) {
            return;
        }
        // If both are due, the one that acknowledged the other comes second. If neither did, the one that came first
        // goes first.
        let since = |side: Side| self.halves[side.index()].at_end_since.map_or(u32::MAX, |s| s.0);
        let high_first = self.ends_behind(Side::Low)
            || (!self.ends_behind(Side::High) && since(Side::High) < since(Side::Low));
        let order = if high_first { [Side::High, Side::Low] } else { SIDES };
        let due = SIDES.map(|side| {
            let (half, other) = (&self.halves[side.index()], &self.halves[side.other().index()]);
            let alone = !other.seen || other.ended || other.is_at_end();
            let late = || over.is_some_and(|over| half.at_end_since.is_none_or(over));
            half.is_at_end() && (half.is_fin_acknowledged() || alone && late())
        });
        for side in order {
            if due[side.index()] && (due[side.other().index()] || !self.ends_behind(side)) {
                let half = &mut self.halves[side.index()];
                half.ended = true;
                half.at_end_since = None;
                half.clear();
                sink.end(side, End::Fin);
            }
        }
    }

    /// Whether the FIN of `side` acknowledged data of the other side that is still to come, or its FIN.
    pub(super) fn ends_behind(&self, side: Side) -> bool {
        let (this, other) = (&self.halves[side.index()], &self.halves[side.other().index()]);
        this.fin.is_some()
            && other.known
            && other.seen
            && !other.ended
            && this.fin_after > other.reach()
    }

    /// Decides about data behind an end whose grace is over: either the peer acknowledged exactly the end, or the
    /// stream continues.
    pub(super) fn settle_end(
        &mut self,
        side: Side,
        over: &dyn Fn((u32, Timestamp)) -> bool,
        sink: &mut impl StreamSink,
    ) {
        let half = &self.halves[side.index()];
        if half.known && !half.ended && half.at_end_since.is_some_and(over) {
            self.resolve_end(side);
            self.drain(sink);
        }
    }

    /// Data behind an end counts unless the peer acknowledged exactly that end.
    pub(super) fn resolve_end(&mut self, side: Side) {
        let half = &mut self.halves[side.index()];
        if !half.holds_behind_fin() {
            return;
        }
        if half.is_acknowledged_to_fin() {
            let held = half.held_segments() as u64;
            half.clear();
            half.unstick();
            self.stats().ignored.after_end += held;
        } else {
            half.forget_fin();
            self.stats().ignored.fin += 1;
        }
    }
}
