//! What a third party can forge into a conversation, after Ptacek and Newsham ("Insertion, Evasion,
//! and Denial of Service", 1998), and what must come out of it: `docs/evasion.md` names each case.

use super::tests::{Log, Out, Packet, WINDOW, data, one, without_ends};
use super::*;
use crate::capture::PacketRef;
use crate::decode::tcp_flags::{ACK, DAMAGED, FIN, RST, SHUT, SYN};
use crate::time::{Span, Timestamp};

const LOW: Side = Side::Low;
const HIGH: Side = Side::High;
const URG: u8 = 0x20;
const TURNS: u32 = 20;

/// Questions and answers of 10 bytes each, every one acknowledged by the next.
fn conversation() -> Vec<Packet> {
    let mut packets = vec![
        one(LOW, 999, 0, SYN, b""),
        one(HIGH, 4999, 1000, SYN | ACK, b""),
        one(LOW, 1000, 5000, ACK, b""),
    ];
    for n in 0..TURNS {
        let (low, high) = (1000 + 10 * n, 5000 + 10 * n);
        packets.push(one(LOW, low, high, ACK, format!("ask {n:06}").as_bytes()));
        packets.push(one(HIGH, high, low + 10, ACK, format!("ans {n:06}").as_bytes()));
    }
    let (low, high) = (1000 + 10 * TURNS, 5000 + 10 * TURNS);
    packets.push(one(LOW, low, high, FIN | ACK, b""));
    packets.push(one(HIGH, high, low + 1, FIN | ACK, b""));
    packets.push(one(LOW, low + 1, high + 1, ACK, b""));
    packets
}

/// Position of a forger: before packet `n`, with the sequence numbers of both sides.
struct ForgedAt {
    low: u32,
    high: u32,
}

/// Reassembles the conversation with `forged` in front of each packet in turn, at several speeds;
/// gives what was counted, added up. Everything that the ends said must come out, in order.
fn survives(forged: impl Fn(&ForgedAt) -> Vec<Packet>) -> IgnoredSegments {
    let plain = conversation();
    let expected = without_ends(play(&plain, 1).0);
    let mut sum = ConversationCounters::default();
    for millis in [1, 300, 5000] {
        for n in 4..3 + 2 * TURNS as usize {
            let turn = (n as u32 - 3) / 2;
            let answered = (n as u32 - 3) % 2;
            let place = ForgedAt { low: 1000 + 10 * (turn + answered), high: 5000 + 10 * turn };
            let mut packets = plain.clone();
            packets.splice(n..n, forged(&place));
            let (out, counted) = play(&packets, millis);
            assert_eq!(without_ends(out), expected, "forged in front of {n}, {millis} ms");
            sum += counted;
        }
    }
    sum.ignored
}

fn play(packets: &[Packet], millis: i64) -> (Vec<Out>, ConversationCounters) {
    let mut log = Log::default();
    let mut conversation = Conversation::default();
    for (n, packet) in packets.iter().enumerate() {
        let now = Timestamp(0) + Span::millis(millis * n as i64);
        conversation.tick(now, &mut log);
        conversation.segment(now, &packet.segment, &packet.payload, WINDOW, &mut log);
    }
    conversation.finish(End::Cut, &mut log);
    (log.out, conversation.take_stats())
}

#[test]
fn an_old_fin_ends_nothing() {
    for (side, back) in [(LOW, 10), (HIGH, 10), (HIGH, 7)] {
        let counted = survives(|at| {
            let (seq, ack) = if side == LOW { (at.low, at.high) } else { (at.high, at.low) };
            vec![one(side, seq - back, ack, FIN | ACK, b"")]
        });
        assert!(counted.fin > 0, "{counted:?}");
    }
}

#[test]
fn a_fin_in_its_place_that_the_peer_never_got_ends_nothing() {
    for side in [LOW, HIGH] {
        let counted = survives(|at| {
            let (seq, ack) = if side == LOW { (at.low, at.high) } else { (at.high, at.low) };
            vec![one(side, seq, ack, FIN | ACK, b"")]
        });
        assert!(counted.fin > 0, "{counted:?}");
    }
}

#[test]
fn a_fin_ahead_in_the_window_ends_nothing() {
    for ahead in [5, 10, 60, 1 << 16] {
        survives_but_gaps(|at| vec![one(HIGH, at.high + ahead, at.low, FIN | ACK, b"")]);
    }
}

#[test]
fn a_reset_out_of_the_window_ends_nothing() {
    for off in [1_000_000u32, 15_u32.wrapping_neg(), 0x4000_0000, 1] {
        let counted = survives(|at| vec![one(HIGH, at.high.wrapping_add(off), 0, RST, b"")]);
        assert!(counted.rst > 0 || off == 0x4000_0000, "{off}: {counted:?}");
    }
}

#[test]
fn a_reset_in_its_place_ends_nothing_that_goes_on_at_once() {
    let plain = conversation();
    let expected = without_ends(play(&plain, 1).0);
    for n in 4..3 + 2 * TURNS as usize {
        let (turn, answered) = ((n as u32 - 3) / 2, (n as u32 - 3) % 2);
        let mut packets = plain.clone();
        packets.insert(n, one(LOW, 1000 + 10 * (turn + answered), 0, RST, b""));
        assert_eq!(without_ends(play(&packets, 10).0), expected);
    }
}

#[test]
fn a_syn_in_a_conversation_changes_nothing() {
    for flags in [SYN, SYN | ACK] {
        let counted = survives(|at| {
            vec![
                one(LOW, at.low + 4000, at.high, flags, b""),
                one(HIGH, at.high + 99, at.low, flags, b""),
            ]
        });
        assert!(counted.syn > 0, "{counted:?}");
    }
}

#[test]
fn an_acknowledgment_of_what_was_not_sent_hides_nothing() {
    for ahead in [1 << 16, 1 << 25] {
        survives_but_gaps(|at| vec![one(LOW, at.low, at.high + ahead, ACK, b"")]);
    }
}

/// As [`survives`], where a gap may be reported that was none.
fn survives_but_gaps(forged: impl Fn(&ForgedAt) -> Vec<Packet>) {
    let plain = conversation();
    let bytes = |out: Vec<Out>| {
        let mut sides = [Vec::new(), Vec::new()];
        for out in out {
            if let Out::Data(side, bytes) = out {
                sides[side.index()].extend(bytes);
            }
        }
        sides
    };
    let expected = bytes(play(&plain, 1).0);
    for millis in [1, 300, 5000] {
        for n in 4..3 + 2 * TURNS as usize {
            let (turn, answered) = ((n as u32 - 3) / 2, (n as u32 - 3) % 2);
            let place = ForgedAt { low: 1000 + 10 * (turn + answered), high: 5000 + 10 * turn };
            let mut packets = plain.clone();
            packets.splice(n..n, forged(&place));
            assert_eq!(bytes(play(&packets, millis).0), expected, "{n}, {millis} ms");
        }
    }
}

#[test]
fn data_far_away_is_not_believed_at_once() {
    let counted = survives(|at| vec![one(HIGH, at.high + (1 << 28), at.low, ACK, b"forged")]);
    assert!(counted.far > 0);
}

#[test]
fn data_behind_an_acknowledged_end_is_left_out_and_counted() {
    let mut packets = conversation();
    let (low, high) = (1000 + 10 * TURNS, 5000 + 10 * TURNS);
    packets.pop();
    packets.push(one(LOW, low + 1, high, ACK, b"forged"));
    let (out, counted) = play(&packets, 1);
    assert_eq!(without_ends(out), without_ends(play(&conversation(), 1).0));
    assert_eq!(counted.ignored.after_end, 1);
}

#[test]
fn a_half_closed_conversation_is_read_to_its_end() {
    let (out, _) = play(
        &[
            one(LOW, 0, 0, SYN, b""),
            one(HIGH, 100, 1, SYN | ACK, b""),
            one(LOW, 1, 101, FIN | ACK, b"ask"),
            one(HIGH, 101, 5, ACK, b"ans"),
            one(LOW, 5, 104, ACK, b""),
            one(HIGH, 104, 5, FIN | ACK, b"wer"),
            one(LOW, 5, 108, ACK, b""),
        ],
        5000,
    );
    assert_eq!(
        out,
        [
            data(LOW, b"ask"),
            Out::End(LOW, End::Fin),
            data(HIGH, b"answer"),
            Out::End(HIGH, End::Fin)
        ]
    );
}

#[test]
fn urgent_data_is_part_of_the_stream() {
    let packets =
        [one(LOW, 0, 0, SYN, b""), one(LOW, 1, 0, ACK | URG, b"ab!"), one(LOW, 4, 0, ACK, b"cd")];
    assert_eq!(without_ends(play(&packets, 1).0), [data(LOW, b"ab!cd")]);
}

/// The conversation as hosts with timestamps send it, one hop away.
fn stamped() -> Vec<Packet> {
    let mut packets = conversation();
    for (n, packet) in packets.iter_mut().enumerate() {
        packet.segment.ttl = 63;
        packet.segment.timestamp = 1000 + n as u32;
    }
    packets
}

/// A way to send what the peer refuses.
type Refused = (&'static str, fn(&mut TcpSegment));
const REFUSED: [Refused; 5] = [
    ("no acknowledgment", |segment| segment.flags = 0),
    ("a time to live that ends before the peer", |segment| segment.ttl = 2),
    ("an old timestamp", |segment| segment.timestamp = 1),
    ("no timestamp", |segment| segment.timestamp = 0),
    ("damage", |segment| segment.flags |= DAMAGED),
];

#[test]
fn what_the_peer_refuses_gives_way_to_what_is_sent_in_its_place() {
    let plain = stamped();
    let expected = without_ends(play(&plain, 1).0);
    for (name, refused) in REFUSED {
        let mut counted = 0;
        // The first question shows what the side is like.
        for n in 1..TURNS {
            // In the place of a question, of its length, shorter and longer; inside it; behind it.
            for (ahead, len) in [(0, 10), (0, 3), (0, 25), (4, 3), (10, 10)] {
                let at = 1000 + 10 * n + ahead;
                let mut forged = one(LOW, at, 5000 + 10 * n, ACK, &vec![b'!'; len]);
                (forged.segment.ttl, forged.segment.timestamp) = (63, 9999);
                refused(&mut forged.segment);
                let mut packets = plain.clone();
                packets.insert(3 + 2 * n as usize, forged);
                let (out, stats) = play(&packets, 1);
                assert_eq!(without_ends(out), expected, "{name}, {n}, {ahead}, {len}");
                counted += stats.ignored.unaccepted;
            }
        }
        assert!(counted > u64::from(TURNS), "{name}: {counted}");
    }
}

#[test]
fn what_was_doubted_is_read_where_the_peer_takes_it() {
    for (name, doubted) in REFUSED {
        let mut packets = stamped();
        for packet in packets.iter_mut().skip(5).filter(|packet| !packet.payload.is_empty()) {
            doubted(&mut packet.segment);
        }
        if packets[5].segment.flags == 0 {
            // Acknowledgments come apart.
            let answers = |packet: &Packet| packet.segment.flags == 0;
            packets = packets
                .into_iter()
                .flat_map(|packet| {
                    let TcpSegment { from, seq, ack, .. } = packet.segment;
                    let bare = answers(&packet).then(|| one(from, seq, ack, ACK, b""));
                    bare.into_iter().chain([packet])
                })
                .collect();
        }
        let (out, counted) = play(&packets, 1);
        assert_eq!(without_ends(out), without_ends(play(&conversation(), 1).0), "{name}");
        assert_eq!((counted.ignored.unaccepted, counted.gaps), (0, 0), "{name}");
    }
}

#[test]
fn what_is_sent_into_a_closed_window_waits_for_the_peer() {
    let shut = |mut packet: Packet| {
        packet.segment.flags |= SHUT;
        packet
    };
    let begin = [
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(LOW, 1, 101, ACK, b"ab"),
        shut(one(HIGH, 101, 3, ACK, b"")),
    ];
    let probe = |byte: &[u8]| one(LOW, 3, 101, ACK, byte);
    let open = |ack| one(HIGH, 101, ack, ACK, b"");
    let rest = one(LOW, 4, 101, ACK, b"d");
    let cases = [
        ("refused, and sent again", vec![probe(b"!"), open(3), probe(b"c"), rest.clone()]),
        ("probed twice", vec![probe(b"c"), shut(open(3)), probe(b"c"), open(4), rest.clone()]),
        ("taken", vec![probe(b"c"), shut(open(4)), probe(b"!"), open(4), rest.clone()]),
        ("opened unseen", vec![probe(b"c"), rest]),
    ];
    for (name, more) in cases {
        let (out, _) = play(&[&begin[..], &more].concat(), 1);
        assert_eq!(without_ends(out), [data(LOW, b"abcd")], "{name}");
    }
}

#[test]
fn data_in_a_syn_is_read_where_the_server_takes_it() {
    for (taken, expected) in [(true, &b"fast,rest"[..]), (false, b"slow,rest")] {
        let ack = if taken { 6 } else { 1 };
        let packets = [
            one(LOW, 0, 0, SYN, b"fast,"),
            one(HIGH, 100, ack, SYN | ACK, b""),
            one(LOW, 1, 101, ACK, b"slow,"),
            one(LOW, 6, 101, ACK, b"rest"),
        ];
        let (out, counted) = play(&packets, 1);
        assert_eq!(without_ends(out), [data(LOW, expected)]);
        assert_eq!(counted.ignored.unaccepted, u64::from(!taken));
    }
}

#[test]
fn doubts_are_bounded_and_nothing_of_them_is_lost() {
    let mut packets = vec![
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(LOW, 1, 101, ACK, b"0123456789"),
    ];
    for n in 1..300 {
        packets.push(one(LOW, 1 + 10 * n, 101, 0, b"0123456789"));
    }
    let (out, _) = play(&packets, 0);
    assert_eq!(without_ends(out), [data(LOW, &b"0123456789".repeat(300))]);
}

#[test]
fn what_the_peer_still_waits_for_is_not_given_up() {
    let ask = one(LOW, 1, 101, ACK, b"first,");
    let packets = [
        one(LOW, 0, 0, SYN, b""),
        one(HIGH, 100, 1, SYN | ACK, b""),
        one(HIGH, 101, 1, ACK, b""),
        one(LOW, 7, 101, ACK, b"second"),
        one(HIGH, 101, 1, ACK, b""),
        ask,
    ];
    // 100 seconds between the second half and the first one.
    let (out, _) = play(&packets, 50_000);
    assert_eq!(without_ends(out), [data(LOW, b"first,second")]);
}

#[test]
fn of_overlapping_copies_the_first_counts() {
    // Behind, in front, inside and around what is held.
    for (seq, forged) in [(6, &b"XX"[..]), (4, b"XX"), (5, b"XXXX"), (4, b"XXXXXX")] {
        let packets = [
            one(LOW, 0, 0, SYN, b""),
            one(LOW, 5, 0, ACK, b"efgh"),
            one(LOW, seq, 0, ACK, forged),
            one(LOW, 1, 0, ACK, b"abcd"),
        ];
        let out = without_ends(play(&packets, 1).0);
        let Some(Out::Data(LOW, bytes)) = out.first() else { panic!("{out:?}") };
        assert_eq!(bytes.get(4..8), Some(&b"efgh"[..]), "{seq}");
    }
}

/// Gathers the bytes of each side, whatever flow they came in.
#[derive(Default)]
struct Bytes([Vec<u8>; 2]);

impl Handler<()> for Bytes {
    fn open(&mut self, _: &FlowHead) {}
    fn data(&mut self, _: &FlowHead, (): &mut (), side: Side, bytes: &[u8], _: PacketRef) -> u64 {
        self.0[side.index()].extend_from_slice(bytes);
        0
    }
    fn gap(&mut self, _: &FlowHead, (): &mut (), _: Side, _: u64) -> u64 {
        0
    }
    fn end(&mut self, _: &FlowHead, (): &mut (), _: Side, _: End) {}
    fn datagram(&mut self, _: &FlowHead, (): &mut (), _: Side, _: &[u8]) -> bool {
        true
    }
    fn close(&mut self, _: &FlowHead, (): (), _: End) {}
    fn memory(&self, (): &()) -> usize {
        0
    }
}

/// Every byte that a table passes on of a conversation.
fn through_a_table(packets: &[Packet], millis: i64) -> [Vec<u8>; 2] {
    use crate::decode::{Decoded, Endpoint, FlowKey};
    let limits = TableLimits {
        flows: 100,
        memory: 1 << 24,
        window: WINDOW,
        tcp_idle: Span::seconds(600),
        udp_idle: Span::seconds(60),
    };
    let (low, high) = (Endpoint::v4([10, 0, 0, 1], 50_000), Endpoint::v4([10, 0, 0, 2], 80));
    let (key, low_side) = FlowKey::new(low, high, Transport::Tcp);
    let (mut table, mut bytes) = (Table::new(limits), Bytes::default());
    for (n, packet) in packets.iter().enumerate() {
        let TcpSegment { from, seq, ack, flags, ttl, missing, packet: reference, .. } =
            packet.segment;
        let from = if from == LOW { low_side } else { low_side.other() };
        let len = packet.payload.len() as u32;
        let segment = Decoded {
            key,
            from,
            seq,
            ack,
            flags,
            ttl,
            options: 0,
            vlan: 0,
            inner_vlan: 0,
            offset: 0,
            len,
            missing,
        };
        let clock = Timestamp(0) + Span::millis(millis * n as i64);
        table.tick(clock, &mut bytes);
        let arrival = Arrival {
            number: n as u64,
            clock,
            hash: 7,
            packet: reference,
            segment: &segment,
            options: &[],
            payload: &packet.payload,
        };
        table.packet(&arrival, &mut bytes);
    }
    table.finish(&mut bytes);
    let [a, b] = bytes.0;
    if low_side == LOW { [a, b] } else { [b, a] }
}

#[test]
fn a_forged_handshake_replaces_nothing() {
    let plain = conversation();
    let expected = through_a_table(&plain, 1);
    assert_eq!(expected[0].len(), 10 * TURNS as usize);
    for millis in [1, 300, 5000] {
        for n in 4..3 + 2 * TURNS as usize {
            for far in [0x1000_0000u32, 0x8000_0000] {
                let mut packets = plain.clone();
                let forged = [
                    one(LOW, far, 0, SYN, b""),
                    one(HIGH, far + 7, far + 1, SYN | ACK, b""),
                    one(LOW, far + 1, far + 8, ACK, b""),
                ];
                packets.splice(n..n, forged);
                assert_eq!(through_a_table(&packets, millis), expected, "{n}, {millis} ms, {far}");
            }
        }
    }
}

#[test]
fn what_goes_on_after_a_believed_reset_is_read() {
    let plain = conversation();
    let expected = through_a_table(&plain, 1);
    for n in 4..3 + 2 * TURNS as usize {
        let (turn, answered) = ((n as u32 - 3) / 2, (n as u32 - 3) % 2);
        let mut packets = plain.clone();
        packets.insert(n, one(LOW, 1000 + 10 * (turn + answered), 0, RST, b""));
        assert_eq!(through_a_table(&packets, 5000), expected, "{n}");
    }
}
