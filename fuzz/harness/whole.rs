//! All stages, over packets in memory.

use super::turns::{self, Turn};
use etherparse::PacketBuilder;
use phitap::capture::LinkType;
use phitap::exposure::FindingEvent;
use phitap::pipeline::test_harness::{TestHarness, TestPacket};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static HARNESS: LazyLock<TestHarness> = LazyLock::new(|| {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), false).expect("random bytes")
});

pub(super) const LINKS: [u16; 24] = [
    0, 1, 6, 7, 9, 50, 51, 101, 104, 105, 107, 108, 113, 119, 127, 129, 149, 163, 192, 197, 228,
    229, 249, 276,
];
const START: i64 = 1_772_360_102_000_000_000;
const TENTH: i64 = 100_000_000;

/// Frames: link type (one byte), length (two), time since the last one (one, tenths of a second), bytes.
pub fn frames(input: &[u8]) {
    let (mut packets, mut rest, mut time) = (Vec::new(), input, START);
    while let [link, high, low, step, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (frame, after) = tail.split_at(len);
        time += i64::from(*step) * TENTH;
        packets.push(TestPacket {
            time: Timestamp(time),
            link: LinkType(LINKS[usize::from(*link) % LINKS.len()]),
            bytes: frame.to_vec(),
            len: frame.len() as u32,
        });
        rest = after;
    }
    HARNESS.run(&packets);
}

/// The packets of a conversation in segments of at most `size` bytes.
fn packets(turns: &[Turn], size: usize) -> Vec<TestPacket> {
    let mut sent = [0u32; 2];
    let mut packets: Vec<TestPacket> = Vec::new();
    let mut segment = |server: bool, flags: u8, payload: &[u8], sent: &mut [u32; 2]| {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let (source, destination, from, to) =
            if server { (b, a, 4321, 40_000) } else { (a, b, 40_000, 4321) };
        let (this, other) = (usize::from(server), usize::from(!server));
        let mut tcp =
            PacketBuilder::ipv4(source, destination, 64).tcp(from, to, sent[this], 65_535);
        if flags & 0x10 != 0 {
            tcp = tcp.ack(sent[other]);
        }
        if flags & 2 != 0 {
            tcp = tcp.syn();
        }
        if flags & 1 != 0 {
            tcp = tcp.fin();
        }
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload).expect("a valid packet");
        let counts = payload.len() as u32 + u32::from(flags & 3 != 0);
        sent[this] = sent[this].wrapping_add(counts);
        packets.push(TestPacket {
            time: Timestamp(START + 1_000 * packets.len() as i64),
            link: LinkType::RAW,
            len: bytes.len() as u32,
            bytes,
        });
    };
    segment(false, 2, b"", &mut sent);
    segment(true, 0x12, b"", &mut sent);
    for turn in turns {
        let this = usize::from(turn.server);
        sent[this] = sent[this].wrapping_add(turn.lost as u32);
        for payload in turn.bytes.chunks(size) {
            segment(turn.server, 0x10, payload, &mut sent);
        }
    }
    segment(false, 0x11, b"", &mut sent);
    segment(true, 0x11, b"", &mut sent);
    packets
}

/// The final state of each patient: identifiers by kind, field and token, and records.
fn patients(events: Vec<FindingEvent>) -> BTreeMap<u32, String> {
    let mut known = BTreeMap::new();
    for event in events {
        let finding = &event.finding;
        let mut lines: Vec<String> = finding
            .identifiers
            .iter()
            .map(|i| format!("{:?} {:?} {:?}", i.kind, i.evidence, i.token.bytes()))
            .collect();
        lines.sort();
        let text = format!("{} {} {}", event.protocol, finding.records, lines.join(", "));
        known.insert(finding.ordinal, text);
    }
    known
}

/// A conversation; the first byte is the size of segments for the second run. Both must find the
/// same.
pub fn streams(input: &[u8]) {
    let [size, rest @ ..] = input else { return };
    let turns = turns::parse(rest);
    let (whole, fits) = HARNESS.run_counted(&packets(&turns, 1400));
    let size = usize::from(*size) + 1;
    let (pieces, fit) = HARNESS.run_counted(&packets(&turns, size));
    // After garbage, a parser searches in the bytes it has.
    if fits && fit {
        assert_eq!(patients(whole), patients(pieces), "in segments of {size}");
    }
}
