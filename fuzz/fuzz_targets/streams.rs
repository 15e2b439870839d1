//! Conversations through all stages: one generic target for every protocol and content. The input is
//! cut at the marker; the byte behind it says who speaks (bit 0), and whether a gap of that many
//! bytes comes first (bit 1).
#![no_main]

use etherparse::PacketBuilder;
use libfuzzer_sys::fuzz_target;
use phitap::capture::LinkType;
use phitap::pipeline::test_harness::{TestHarness, TestPacket};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::sync::LazyLock;

static LAB: LazyLock<TestHarness> = LazyLock::new(|| {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), false).expect("random bytes")
});

const MARKER: &[u8] = b"\xf0\x9f\x9a\x91";
/// Largest payload of a segment.
const SEGMENT: usize = 1400;

fuzz_target!(|data: &[u8]| {
    let mut next = [1u32, 1];
    let mut packets = Vec::new();
    let mut send = |server: bool, seq: u32, ack: u32, syn: bool, payload: &[u8]| {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let (source, destination, from, to) =
            if server { (b, a, 4321, 40_000) } else { (a, b, 40_000, 4321) };
        let mut tcp =
            PacketBuilder::ipv4(source, destination, 64).tcp(from, to, seq, 65_535).ack(ack);
        if syn {
            tcp = tcp.syn();
        }
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload).expect("a valid packet");
        packets.push(TestPacket {
            time: Timestamp::new(1_772_360_102, 1000 * packets.len() as u32),
            link: LinkType::RAW,
            len: bytes.len() as u32,
            bytes,
        });
    };
    send(true, 0, 1, true, b"");
    let mut at = 0;
    while at < data.len() {
        let end = data[at..]
            .windows(MARKER.len())
            .position(|w| w == MARKER)
            .map_or(data.len(), |n| at + n);
        if let [how, chunk @ ..] = &data[at..end] {
            let server = how & 1 == 1;
            let (this, other) = (usize::from(server), usize::from(!server));
            if how & 2 != 0 {
                next[this] = next[this].wrapping_add(u32::from(*how));
            }
            for payload in chunk.chunks(SEGMENT) {
                send(server, next[this], next[other], false, payload);
                next[this] = next[this].wrapping_add(payload.len() as u32);
            }
        }
        at = end + MARKER.len();
    }
    LAB.run(&packets);
});
