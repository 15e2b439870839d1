//! Reused ports: whether a segment belongs to a conversation, or to another one between the same ends.

use super::conversation::{Conversation, TcpSegment};
use super::half_stream::HalfStream;
use crate::decode::tcp_flags::{ACK, RST, SYN};

/// A sequence number further away than this belongs to another conversation, bytes.
pub(super) const MAX_SEQ_AWAY: u64 = 1 << 26;
/// A sequence number at most this far behind the highest byte seen, and not beyond it, continues the stream.
pub(super) const RECENT: u64 = 1 << 20;
/// A sequence number this far beyond the highest byte seen, plus this many times the length seen so far, is believed
/// only if the acknowledgment number of its segment agrees.
const JUMP: u64 = 1 << 18;
const JUMP_TIMES: u64 = 8;

/// Whether a sequence number lies further from the stream than its length so far makes likely.
fn strays(half: &HalfStream, at: u64) -> bool {
    if at > half.top {
        at - half.top > half.length().saturating_mul(JUMP_TIMES).saturating_add(JUMP)
    } else {
        half.top - at > RECENT
    }
}

impl Conversation {
    /// Whether this segment, which carries `len` bytes, starts another conversation between the same ends. A SYN does
    /// if its number is far away (RFC 9293 3.4.3). Data does if the old conversation is over, and neither end behaves
    /// as if it still knew it.
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
            // The same ports again although no end was seen. A SYN alone may be forged, and an established end
            // ignores it (RFC 5961 4.2); a SYN that is answered opens another connection.
            (true, false) => {
                far || segment.flags & ACK != 0 && half.starts_elsewhere(seq) == Some(true)
            }
            (false, over) if segment.flags & RST == 0 => {
                // A skipped stream may end before all of it was seen: the rest precedes its FIN.
                let seen = half.sent.max(half.next).max(half.fin.unwrap_or(0));
                let goes_on = len > 0 && !far && at >= seen;
                over && far
                    || goes_on && (half.revived || self.is_ended())
                    || len > 0 && self.is_foreign(segment)
            }
            (false, _) => false,
        }
    }

    /// Whether a segment belongs to another connection although its numbers are near. Ports are reused soon and
    /// initial sequence numbers grow with time (RFC 9293 3.4.1), so after a lost handshake this is the only sign:
    /// neither number continues its stream, and one of them lies further away than the length seen so far makes
    /// likely. In the same connection, the distance would be reported as lost although it was never sent.
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

    /// How far the numbers of a segment lie from what was seen of this conversation, bytes.
    pub fn distance(&self, segment: &TcpSegment) -> u64 {
        let away = |half: &HalfStream, number| match half.is_referred() {
            true => half.away(half.offset(number)),
            false => MAX_SEQ_AWAY,
        };
        let (this, other) =
            (&self.halves[segment.from.index()], &self.halves[segment.from.other().index()]);
        let ack = if segment.flags & ACK != 0 { away(other, segment.ack) } else { 0 };
        away(this, segment.seq).saturating_add(ack)
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
}
