//! The fast path for most packets of bulk traffic, which only advance a stream with bytes that no reader wants.

use super::Side;
use super::conversation::{Conversation, MAX_ACK_AHEAD, TcpSegment};
use super::half_stream::HalfStream;
use super::port_reuse::RECENT;
use crate::decode::tcp_flags::ACK;

impl Conversation {
    /// Processes a segment of `len` bytes if it only advances sequence numbers: it continues its stream, its bytes
    /// are skipped or it has none, and nothing is waiting in either direction. Then it has the same effect as
    /// [`Conversation::segment`]; otherwise it does nothing and returns false.
    #[inline]
    pub fn pass(&mut self, segment: &TcpSegment, len: u64) -> bool {
        if !self.calm || segment.flags != ACK {
            return false;
        }
        let [low, high] = &mut self.halves;
        let (this, other) = match segment.from {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let at = this.offset(segment.seq);
        let end = at + len;
        let carries_on = this.seen && at <= this.top && at + RECENT >= this.top;
        let is_unwanted = len == 0 || this.ignored || this.known && end <= this.next;
        if !carries_on || !is_unwanted || this.lacks(this.acked) {
            return false;
        }
        if !other.absent && !other.ignored {
            let acked = other.offset(segment.ack);
            if acked > other.top.saturating_add(MAX_ACK_AHEAD)
                || other.lacks(acked.max(other.acked))
            {
                return false;
            }
            other.refer(segment.ack);
            other.acknowledge(acked);
        } else if other.lacks(other.acked) {
            return false;
        }
        self.packets = self.packets.wrapping_add(1);
        this.far = 0;
        this.habits.acknowledges = true;
        this.top = this.top.max(end);
        if len > 0 {
            this.sent = this.sent.max(end);
        }
        true
    }

    /// Notes whether nothing is waiting and neither direction has ended, the first condition of
    /// [`Conversation::pass`].
    #[inline]
    pub(super) fn note_calm(&mut self) {
        self.calm = self.reset.is_none() && self.halves.iter().all(HalfStream::is_calm);
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::StreamSink;
    use super::super::tests::{HIGH, LOW, Packet, WINDOW, one};
    use super::super::{End, Side};
    use super::*;
    use crate::capture::PacketRef;
    use crate::decode::tcp_flags::{FIN, RST, SYN};
    use crate::time::Timestamp;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Notes what comes, and answers from a list how many of the coming bytes are of no interest.
    #[derive(Default)]
    struct Reader {
        came: Vec<(Side, u64, &'static str)>,
        skips: Vec<u64>,
    }

    impl Reader {
        fn skip(&self) -> u64 {
            self.skips.get(self.came.len() % self.skips.len().max(1)).copied().unwrap_or(0)
        }
    }

    impl StreamSink for Reader {
        fn data(&mut self, side: Side, bytes: &[u8], _: PacketRef) -> u64 {
            self.came.push((side, bytes.len() as u64, "data"));
            self.skip()
        }
        fn gap(&mut self, side: Side, len: u64) -> u64 {
            self.came.push((side, len, "gap"));
            self.skip()
        }
        fn end(&mut self, side: Side, _: End) {
            self.came.push((side, 0, "end"));
        }
    }

    /// Everything of a conversation that decides what comes next.
    fn state(conversation: &Conversation) -> impl PartialEq + std::fmt::Debug + use<> {
        let half = |half: &HalfStream| {
            (
                (half.known, half.seen, half.absent, half.ignored, half.ended, half.revived),
                (half.next, half.top, half.sent, half.acked, half.fin, half.fin_after, half.far),
                (half.stuck(), half.at_end_since, half.held_segments(), half.reach()),
            )
        };
        let halves = [&conversation.halves[0], &conversation.halves[1]].map(half);
        (halves, conversation.packets, conversation.reset, conversation.calm)
    }

    /// One packet: side, how far its number is off, length, how far it acknowledges, flags, milliseconds.
    type Step = (bool, i16, u16, i16, u8, u16);

    /// Mostly what ends send, and now and then something else.
    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let off = prop_oneof![20 => Just(0i16), 2 => -300i16..300, 1 => any::<i16>()];
        let acked = prop_oneof![20 => Just(0i16), 2 => -300i16..300];
        let flags = prop_oneof![40 => Just(ACK), 1 => Just(FIN | ACK), 1 => Just(0), 1 => Just(RST), 1 => Just(SYN)];
        let len = prop_oneof![2 => Just(0u16), 3 => 0u16..300];
        vec((any::<bool>(), off, len, acked, flags, 0u16..400), 0..120)
    }

    fn packets(steps: &[Step], handshake: bool) -> Vec<(Packet, i64)> {
        let mut sent = [1001u32, 5001];
        let mut now = 0;
        let mut packets = Vec::new();
        if handshake {
            packets.push((one(LOW, 1000, 0, SYN, b""), 0));
            packets.push((one(HIGH, 5000, 1001, SYN | ACK, b""), 0));
        }
        for &(low, off, len, acked, flags, millis) in steps {
            let (side, this, other) = if low { (LOW, 0, 1) } else { (HIGH, 1, 0) };
            let seq = sent[this].wrapping_add_signed(i32::from(off));
            let ack = sent[other].wrapping_add_signed(i32::from(acked));
            packets.push((one(side, seq, ack, flags, &vec![b'x'; usize::from(len)]), now));
            if off == 0 {
                sent[this] = seq.wrapping_add(u32::from(len));
            }
            now += i64::from(millis) * 1_000_000;
        }
        packets
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// A conversation whose packets pass where they may is the same as one that reads each.
        #[test]
        fn what_passes_would_have_changed_nothing_else(
            steps in steps(),
            skips in vec(prop_oneof![2 => Just(0u64), 2 => 0u64..4000, 1 => Just(u64::MAX)], 1..6),
            handshake in any::<bool>(),
        ) {
            let (mut passing, mut reading) = (Conversation::default(), Conversation::default());
            let mut readers = [0, 1].map(|_| Reader { skips: skips.clone(), ..Reader::default() });
            let [with, without] = &mut readers;
            for (n, (packet, now)) in packets(&steps, handshake).into_iter().enumerate() {
                let (segment, now) = (&packet.segment, Timestamp(now));
                let len = packet.payload.len() as u64;
                let another = reading.is_another(segment, len);
                if passing.pass(segment, len) {
                    prop_assert!(!another && reading.fits(segment));
                } else {
                    passing.segment(now, segment, &packet.payload, WINDOW, with);
                }
                reading.segment(now, segment, &packet.payload, WINDOW, without);
                if n % 7 == 0 {
                    passing.tick(now, with);
                    reading.tick(now, without);
                }
                prop_assert_eq!(state(&passing), state(&reading));
                prop_assert_eq!(&with.came, &without.came);
            }
            passing.finish(End::Cut, with);
            reading.finish(End::Cut, without);
            prop_assert_eq!(&with.came, &without.came);
            prop_assert_eq!(passing.take_stats(), reading.take_stats());
        }
    }

    #[test]
    fn bytes_that_nobody_wants_and_bare_acknowledgments_pass() {
        let mut reader = Reader { skips: vec![u64::MAX], ..Reader::default() };
        let mut conversation = Conversation::default();
        let opening = [
            one(LOW, 1000, 0, SYN, b""),
            one(HIGH, 5000, 1001, SYN | ACK, b""),
            one(LOW, 1001, 5001, ACK, b"hello"),
        ];
        for packet in &opening {
            conversation.segment(
                Timestamp(0),
                &packet.segment,
                &packet.payload,
                WINDOW,
                &mut reader,
            );
        }
        let passes = |conversation: &mut Conversation, packet: Packet| {
            conversation.pass(&packet.segment, packet.payload.len() as u64)
        };
        assert!(passes(&mut conversation, one(LOW, 1006, 5001, ACK, b"of no interest")));
        assert!(passes(&mut conversation, one(HIGH, 5001, 1020, ACK, b"")));
        assert!(!passes(&mut conversation, one(HIGH, 5001, 1020, ACK, b"answer")), "it is read");
        assert!(!passes(&mut conversation, one(LOW, 1020, 5001, FIN | ACK, b"")));
        assert!(!passes(&mut conversation, one(LOW, 9_000_000, 5001, ACK, b"far away")));
    }
}
