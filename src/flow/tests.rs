//! Reassembly against a byte map, over random conversations in all weathers.

use super::conversation::{GRACE_PACKETS, GRACE_TIME, HOLE_TIME};
use super::*;
use crate::capture::PacketRef;
use crate::decode::tcp_flags::{ACK, FIN, RST, SYN};
use crate::time::{Span, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

pub(super) const WINDOW: usize = 1 << 20;

/// What came out of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Data(Side, Vec<u8>),
    Gap(Side, u64),
    End(Side, End),
}

/// Records, joining neighbours of the same kind.
#[derive(Default)]
pub(super) struct Log {
    pub(super) out: Vec<Out>,
    /// Answer to the first data of a side.
    skip: [u64; 2],
}

impl StreamSink for Log {
    fn data(&mut self, side: Side, bytes: &[u8], _: PacketRef) -> u64 {
        match self.out.last_mut() {
            Some(Out::Data(last, buffer)) if *last == side => buffer.extend_from_slice(bytes),
            _ => self.out.push(Out::Data(side, bytes.to_vec())),
        }
        std::mem::take(&mut self.skip[side.index()])
    }
    fn gap(&mut self, side: Side, len: u64) -> u64 {
        match self.out.last_mut() {
            Some(Out::Gap(last, sum)) if *last == side => *sum += len,
            _ => self.out.push(Out::Gap(side, len)),
        }
        0
    }
    fn end(&mut self, side: Side, end: End) {
        self.out.push(Out::End(side, end));
    }
}

#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) segment: TcpSegment,
    pub(super) payload: Vec<u8>,
}

/// A conversation as its ends see it: turns of bytes, cut into segments of the given sizes.
#[derive(Debug)]
struct Script {
    isn: [u32; 2],
    turns: Vec<(Side, Vec<u8>)>,
}

impl Script {
    fn packets(&self, sizes: &[usize], handshake: bool, overlap: usize) -> Vec<Packet> {
        let mut next = [self.isn[0].wrapping_add(1), self.isn[1].wrapping_add(1)];
        let mut packets = Vec::new();
        if handshake {
            packets.push(one(Side::Low, self.isn[0], 0, SYN, &[]));
            packets.push(one(Side::High, self.isn[1], next[0], SYN | ACK, &[]));
            packets.push(one(Side::Low, next[0], next[1], ACK, &[]));
        }
        let mut sizes = sizes.iter().copied().cycle();
        for (side, bytes) in &self.turns {
            let (this, other) = (side.index(), side.other().index());
            let mut at = 0;
            while at < bytes.len() {
                let len = sizes.next().unwrap_or(1).clamp(1, bytes.len() - at);
                let back = overlap.min(at);
                let seq = next[this].wrapping_sub(back as u32);
                packets.push(one(*side, seq, next[other], ACK, &bytes[at - back..at + len]));
                next[this] = next[this].wrapping_add(len as u32);
                at += len;
            }
            packets.push(one(side.other(), next[other], next[this], ACK, &[]));
        }
        packets.push(one(Side::Low, next[0], next[1], FIN | ACK, &[]));
        packets.push(one(Side::High, next[1], next[0].wrapping_add(1), FIN | ACK, &[]));
        packets.push(one(Side::Low, next[0].wrapping_add(1), next[1].wrapping_add(1), ACK, &[]));
        packets
    }

    /// What must come out if nothing is lost.
    fn expected(&self) -> Vec<Out> {
        let mut log = Log::default();
        for (side, bytes) in &self.turns {
            log.data(*side, bytes, PacketRef::default());
        }
        log.out
    }
}

pub(super) fn run(packets: &[Packet], log: &mut Log) -> Conversation {
    let mut conversation = Conversation::default();
    for (n, packet) in packets.iter().enumerate() {
        let now = Timestamp(n as i64 * 1_000_000);
        conversation.segment(now, &packet.segment, &packet.payload, WINDOW, log);
    }
    conversation
}

fn play(packets: &[Packet]) -> Vec<Out> {
    let mut log = Log::default();
    run(packets, &mut log).finish(End::Cut, &mut log);
    log.out
}

pub(super) fn without_ends(out: Vec<Out>) -> Vec<Out> {
    let mut log = Log::default();
    for out in out {
        match out {
            Out::Data(side, bytes) => {
                log.data(side, &bytes, PacketRef::default());
            }
            Out::Gap(side, len) => {
                log.gap(side, len);
            }
            Out::End(..) => {}
        }
    }
    log.out
}

fn script() -> impl Strategy<Value = Script> {
    let turn = vec(any::<u8>(), 1..400);
    (any::<[u32; 2]>(), vec(turn, 1..12), any::<bool>()).prop_map(|(isn, turns, wrap)| {
        let turns = turns
            .into_iter()
            .enumerate()
            .map(|(n, bytes)| (if n % 2 == 0 { Side::Low } else { Side::High }, bytes))
            .collect();
        // Half of them wrap within the first bytes.
        let isn = if wrap { isn.map(|i| 0xffff_ff00 | i) } else { isn };
        Script { isn, turns }
    })
}

/// Moves each packet by less than `reach` places.
fn shuffle(packets: Vec<Packet>, shifts: &[usize], reach: usize) -> Vec<Packet> {
    let mut keyed: Vec<(usize, usize, Packet)> = packets
        .into_iter()
        .enumerate()
        .map(|(n, p)| (n + shifts[n % shifts.len()] % reach, n, p))
        .collect();
    keyed.sort_by_key(|(key, n, _)| (*key, *n));
    keyed.into_iter().map(|(_, _, p)| p).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Invariant 1 of the design: any segmentation, reordering within the grace, duplication and
    /// overlap gives the same bytes in the same order, also across directions.
    #[test]
    fn weather_changes_nothing(
        script in script(),
        sizes in vec(1usize..300, 1..8),
        shifts in vec(0usize..1000, 1..40),
        reach in 1usize..=GRACE_PACKETS as usize / 2,
        twice in vec(any::<bool>(), 1..10),
        overlap in 0usize..50,
        handshake in any::<bool>(),
    ) {
        let packets = script.packets(&sizes, handshake, overlap);
        let doubled: Vec<Packet> = packets
            .into_iter()
            .enumerate()
            .flat_map(|(n, p)| std::iter::repeat_n(p, 1 + usize::from(twice[n % twice.len()])))
            .collect();
        let shuffled = shuffle(doubled, &shifts, reach);
        prop_assert_eq!(without_ends(play(&shuffled)), script.expected());
    }

    /// Whatever is lost is reported as lost, at its place and with its length; whatever was captured
    /// is delivered, and nothing is made up.
    #[test]
    fn losses_are_gaps_of_the_right_length(
        script in script(),
        sizes in vec(1usize..300, 1..8),
        lost in vec(prop::bool::weighted(0.2), 1..40),
    ) {
        let packets = script.packets(&sizes, true, 0);
        let mut captured = [Vec::new(), Vec::new()];
        let mut seen = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            let drop = !packet.payload.is_empty() && lost[n % lost.len()];
            captured[packet.segment.from.index()]
                .extend(packet.payload.iter().map(|b| (!drop).then_some(*b)));
            if !drop {
                seen.push(packet.clone());
            }
        }
        let mut delivered = [Vec::new(), Vec::new()];
        for out in play(&seen) {
            match out {
                Out::Data(side, bytes) => {
                    delivered[side.index()].extend(bytes.into_iter().map(Some));
                }
                Out::Gap(side, len) => {
                    delivered[side.index()].extend(std::iter::repeat_n(None, len as usize));
                }
                Out::End(..) => {}
            }
        }
        prop_assert_eq!(delivered, captured);
    }

    /// Skipping is the same as not looking.
    #[test]
    fn skipped_bytes_are_not_delivered(
        script in script(),
        sizes in vec(1usize..300, 1..8),
        skip in 0u64..600,
    ) {
        let packets = script.packets(&sizes, true, 0);
        let mut log = Log { skip: [skip, 0], ..Log::default() };
        run(&packets, &mut log).finish(End::Cut, &mut log);
        let first = packets.iter().find(|p| p.segment.from == Side::Low && !p.payload.is_empty());
        let head = first.map_or(0, |p| p.payload.len());
        let stream: Vec<u8> = script
            .turns
            .iter()
            .filter(|(side, _)| *side == Side::Low)
            .flat_map(|(_, bytes)| bytes.clone())
            .collect();
        let from = (head + skip as usize).min(stream.len());
        let expected = [&stream[..head], &stream[from..]].concat();
        let delivered: Vec<u8> = log
            .out
            .iter()
            .filter_map(|o| match o {
                Out::Data(Side::Low, bytes) => Some(bytes.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        prop_assert_eq!(delivered, expected);
    }

    /// Arbitrary headers neither panic nor hold more than the window.
    #[test]
    fn nonsense_is_bounded(
        packets in vec((any::<bool>(), any::<u32>(), any::<u32>(), any::<u8>(), 0usize..50, any::<u16>()), 0..200),
    ) {
        let mut log = Log::default();
        let mut conversation = Conversation::default();
        // Two windows, and what each held segment takes beside its bytes.
        let most = 2 * 256 + 256 * packets.len();
        for (n, (low, seq, ack, flags, len, missing)) in packets.into_iter().enumerate() {
            let from = if low { Side::Low } else { Side::High };
            let segment = TcpSegment { missing: u32::from(missing), ..one(from, seq, ack, flags, b"").segment };
            let now = Timestamp(n as i64 * 10_000_000);
            conversation.segment(now, &segment, &vec![0; len], 256, &mut log);
            prop_assert!(conversation.memory() <= most);
        }
        conversation.finish(End::Cut, &mut log);
    }
}

pub(super) fn one(side: Side, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Packet {
    let segment = TcpSegment {
        from: side,
        seq,
        ack,
        flags,
        ttl: 0,
        timestamp: 0,
        missing: 0,
        packet: PacketRef::default(),
    };
    Packet { segment, payload: payload.to_vec() }
}

pub(super) const LOW: Side = Side::Low;
pub(super) const HIGH: Side = Side::High;

pub(super) fn data(side: Side, bytes: &[u8]) -> Out {
    Out::Data(side, bytes.to_vec())
}

#[test]
fn first_copy_wins_and_conflicts_are_counted() {
    let mut log = Log::default();
    let packets = [
        one(LOW, 0, 0, SYN, b""),
        one(LOW, 5, 0, ACK, b"FIRST"),
        one(LOW, 5, 0, ACK, b"OTHER"),
        one(LOW, 1, 0, ACK, b"abcd"),
    ];
    let mut conversation = run(&packets, &mut log);
    assert_eq!(log.out, [data(LOW, b"abcdFIRST")]);
    // O-F, T-I, H-R, E-S, R-T: all five differ.
    assert_eq!(conversation.take_stats().conflicts, 5);
}

#[test]
fn keep_alives_and_zero_window_probes_add_nothing() {
    let out = play(&[
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(LOW, 1, 101, ACK, b"hello"),
        // One byte before the window, with and without the garbage byte (RFC 9293 3.8.4)
        one(LOW, 5, 101, ACK, b""),
        one(LOW, 5, 101, ACK, b"\0"),
        one(HIGH, 101, 6, ACK, b""),
        one(LOW, 6, 101, ACK, b"!"),
        one(LOW, 6, 101, ACK, b"!"),
        one(LOW, 7, 101, FIN | ACK, b""),
        one(HIGH, 101, 8, FIN | ACK, b""),
    ]);
    assert_eq!(out, [data(LOW, b"hello!"), Out::End(LOW, End::Fin), Out::End(HIGH, End::Fin)]);
}

#[test]
fn acknowledged_missing_bytes_are_a_gap_after_the_grace_period() {
    let mut log = Log::default();
    let mut packets = vec![
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(LOW, 1, 101, ACK, b"ab"),
        one(LOW, 8, 101, ACK, b"ij"),
        one(HIGH, 101, 10, ACK, b""),
    ];
    run(&packets, &mut log);
    assert_eq!(log.out, [data(LOW, b"ab")]);
    let more = (0..GRACE_PACKETS).map(|n| one(LOW, 10 + n, 101, ACK, b"x"));
    packets.extend(more);
    let mut log = Log::default();
    run(&packets, &mut log);
    assert_eq!(log.out[..2], [data(LOW, b"ab"), Out::Gap(LOW, 5)]);
}

#[test]
fn missing_bytes_become_a_gap_with_time_too() {
    let mut log = Log::default();
    let mut conversation = run(
        &[
            one(LOW, 0, 0, SYN, b""),
            one(HIGH, 100, 1, SYN | ACK, b""),
            one(LOW, 4, 101, ACK, b"x"),
            one(HIGH, 101, 5, ACK, b""),
        ],
        &mut log,
    );
    assert!(conversation.waits());
    conversation.tick(Timestamp(0) + GRACE_TIME + Span::millis(5), &mut log);
    assert_eq!(log.out, [Out::Gap(LOW, 3), data(LOW, b"x")]);
}

#[test]
fn missing_bytes_that_were_not_acknowledged_wait_for_retransmission() {
    let mut log = Log::default();
    let packets = [one(LOW, 0, 0, SYN, b""), one(LOW, 4, 0, ACK, b"x")];
    let mut conversation = run(&packets, &mut log);
    conversation.tick(Timestamp(0) + GRACE_TIME + GRACE_TIME, &mut log);
    assert_eq!(log.out, []);
    conversation.tick(Timestamp(0) + HOLE_TIME + Span::millis(5), &mut log);
    assert_eq!(log.out, [Out::Gap(LOW, 3), data(LOW, b"x")]);
}

#[test]
fn one_direction_alone_is_read() {
    let both =
        Script { isn: [7, 9], turns: vec![(LOW, b"ping".to_vec()), (HIGH, b"pong".to_vec())] };
    for side in [LOW, HIGH] {
        let packets: Vec<Packet> =
            both.packets(&[3], true, 0).into_iter().filter(|p| p.segment.from == side).collect();
        let expected: &[u8] = if side == LOW { b"ping" } else { b"pong" };
        assert_eq!(without_ends(play(&packets)), [data(side, expected)]);
    }
}

#[test]
fn data_in_a_syn_counts() {
    let out = play(&[one(LOW, 0, 0, SYN, b"early"), one(LOW, 6, 0, ACK, b"late")]);
    assert_eq!(without_ends(out), [data(LOW, b"earlylate")]);
}

#[test]
fn bytes_cut_by_the_snap_length_are_a_gap_at_once() {
    let mut log = Log::default();
    let mut cut = one(LOW, 1, 0, ACK, b"head");
    cut.segment.missing = 6;
    run(&[one(LOW, 0, 0, SYN, b""), cut, one(LOW, 11, 0, ACK, b"next")], &mut log);
    assert_eq!(log.out, [data(LOW, b"head"), Out::Gap(LOW, 6), data(LOW, b"next")]);
}

#[test]
fn a_reset_out_of_place_is_not_believed() {
    let mut log = Log::default();
    let packets = [
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(LOW, 1, 101, ACK, b"one"),
        one(LOW, 0x4000_0000, 101, RST, b""),
        one(LOW, 4, 101, RST, b""),
        one(LOW, 4, 101, ACK, b"two"),
    ];
    let mut conversation = run(&packets, &mut log);
    assert!(!conversation.is_over(), "data went on after the reset");
    conversation.finish(End::Cut, &mut log);
    assert_eq!(without_ends(log.out), [data(LOW, b"onetwo")]);
}

#[test]
fn a_reset_ends_both_directions_after_the_grace() {
    let mut log = Log::default();
    let mut conversation = run(
        &[one(LOW, 0, 0, SYN, b""), one(LOW, 1, 0, ACK, b"x"), one(LOW, 2, 0, RST | ACK, b"bye")],
        &mut log,
    );
    assert!(conversation.is_over() && !conversation.is_ended());
    conversation.tick(Timestamp(0) + GRACE_TIME + Span::millis(5), &mut log);
    let expected = [data(LOW, b"x"), Out::End(LOW, End::Reset), Out::End(HIGH, End::Reset)];
    assert_eq!(log.out, expected);
}

#[test]
fn an_end_comes_behind_the_one_that_it_acknowledges() {
    let fin = |side, seq, ack| one(side, seq, ack, ACK | FIN, b"");
    let (low, high) = (Side::Low, Side::High);
    let ends = |mut last: Vec<Packet>, first: Side| {
        let mut packets = vec![
            one(low, 99, 0, SYN, b""),
            one(high, 499, 100, SYN | ACK, b""),
            one(low, 100, 500, ACK, b"ask"),
            one(high, 500, 103, ACK, b"answer"),
        ];
        packets.append(&mut last);
        let out: Vec<Out> = play(&packets).into_iter().skip(2).collect();
        let both = [Out::End(first, End::Fin), Out::End(first.other(), End::Fin)];
        assert_eq!(out, both);
    };
    ends(vec![fin(low, 103, 506), fin(high, 506, 104)], low);
    ends(vec![fin(high, 506, 104), fin(low, 103, 506)], low);
    ends(vec![fin(high, 506, 103), fin(low, 103, 507)], high);
    ends(vec![fin(low, 103, 507), fin(high, 506, 103)], high);
    // Only copies that were sent again: neither waits for the other for ever.
    ends(vec![fin(low, 103, 507), fin(high, 506, 104)], high);
    // Neither knew of the other's.
    ends(vec![fin(high, 506, 103), fin(low, 103, 506)], high);
}

/// The same ports again after a connection whose end was not seen: an answered SYN with another
/// number opens a new one, however near the number is. A SYN alone, or one repeated, does not.
#[test]
fn ports_used_again_without_an_end() {
    let mut log = Log::default();
    let conversation = run(
        &[
            one(LOW, 1000, 0, SYN, b""),
            one(HIGH, 5000, 1001, SYN | ACK, b""),
            one(LOW, 1001, 5001, ACK, b"hello"),
        ],
        &mut log,
    );
    let another = |packet: Packet| conversation.is_another(&packet.segment, 0);
    assert!(!another(one(HIGH, 5000, 1001, SYN | ACK, b"")), "repeated");
    assert!(!another(one(LOW, 3, 0, SYN, b"")), "not answered");
    for seq in [9, 5100] {
        assert!(another(one(HIGH, seq, 4, SYN | ACK, b"")), "{seq}");
    }
}

#[test]
fn what_is_of_no_interest_and_comes_behind_its_end_is_no_other_conversation() {
    let mut log = Log { skip: [0, u64::MAX], ..Log::default() };
    let packets = [
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(LOW, 1, 101, ACK, b"ask"),
        one(HIGH, 101, 4, ACK, b"answer"),
        one(LOW, 4, 111, ACK | FIN, b""),
        // The end of the answer overtakes the rest of it.
        one(HIGH, 111, 5, ACK | FIN, b""),
    ];
    let conversation = run(&packets, &mut log);
    assert!(conversation.is_ended());
    let late = one(HIGH, 107, 4, ACK, b"late");
    assert!(!conversation.is_another(&late.segment, 4));
    let new = one(HIGH, 112, 5, ACK, b"new");
    assert!(conversation.is_another(&new.segment, 3));
}

#[test]
fn a_new_handshake_is_another_conversation() {
    let mut log = Log::default();
    let conversation = run(
        &[
            one(LOW, 0, 0, SYN, b""),
            one(HIGH, 100, 1, SYN | ACK, b""),
            one(LOW, 1, 101, FIN | ACK, b""),
            one(HIGH, 101, 2, FIN | ACK, b""),
        ],
        &mut log,
    );
    let syn = |seq| one(LOW, seq, 0, SYN, b"").segment;
    assert!(conversation.is_another(&syn(5000), 0));
    assert!(!conversation.is_another(&syn(0), 0), "a copy of the old one");
}

#[test]
fn a_stream_that_goes_on_far_away_is_taken_up_again() {
    let mut packets = vec![one(LOW, 0, 0, SYN, b""), one(LOW, 1, 0, ACK, b"near")];
    for n in 0..20u32 {
        packets.push(one(LOW, 0x1000_0000 + n, 0, ACK, b"x"));
    }
    let out = without_ends(play(&packets));
    assert_eq!(out[0], data(LOW, b"near"));
    assert!(matches!(out[1], Out::Gap(LOW, len) if len > 0x0fff_0000));
    assert!(matches!(&out[2], Out::Data(LOW, bytes) if bytes.len() >= 12));
}

/// Counts datagrams.
struct Datagrams(u32);

impl Handler<()> for Datagrams {
    fn open(&mut self, _: &FlowHead) {}
    fn data(&mut self, _: &FlowHead, (): &mut (), _: Side, _: &[u8], _: PacketRef) -> u64 {
        0
    }
    fn gap(&mut self, _: &FlowHead, (): &mut (), _: Side, _: u64) -> u64 {
        0
    }
    fn end(&mut self, _: &FlowHead, (): &mut (), _: Side, _: End) {}
    fn datagram(&mut self, _: &FlowHead, (): &mut (), _: Side, _: &[u8]) -> bool {
        self.0 += 1;
        true
    }
    fn close(&mut self, _: &FlowHead, (): (), _: End) {}
    fn memory(&self, (): &()) -> usize {
        0
    }
}

#[test]
fn a_datagram_seen_on_two_mirror_ports_counts_once() {
    use crate::decode::{Decoded, Endpoint, FlowKey};
    let (key, from) = FlowKey::new(
        Endpoint::v4([10, 0, 0, 1], 50_000),
        Endpoint::v4([10, 0, 0, 2], 514),
        Transport::Udp,
    );
    let limits = TableLimits {
        flows: 10,
        memory: 1 << 20,
        window: WINDOW,
        tcp_idle: Span::seconds(600),
        udp_idle: Span::seconds(60),
    };
    let (mut table, mut datagrams) = (Table::new(limits), Datagrams(0));
    let mut send = |micros: i64, vlan: u16, payload: &[u8]| {
        let len = payload.len() as u32;
        let segment = Decoded {
            key,
            from,
            seq: 0,
            ack: 0,
            flags: 0,
            ttl: 0,
            options: 0,
            vlan,
            inner_vlan: 0,
            offset: 0,
            len,
            missing: 0,
        };
        let clock = Timestamp(1_772_360_102_000_000_000 + micros * 1000);
        let arrival = Arrival {
            number: 1,
            clock,
            hash: 7,
            packet: PacketRef::default(),
            segment: &segment,
            options: &[],
            payload,
        };
        table.packet(&arrival, &mut datagrams);
    };
    send(0, 1, b"<34>one");
    send(8, 2, b"<34>one");
    send(20, 1, b"<34>two");
    send(25, 2, b"<34>two");
    send(1_000_000, 1, b"<34>one");
    assert_eq!(datagrams.0, 3, "two copies left out, the later repetition not");
}
