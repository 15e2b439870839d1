//! Frames of any link type.

use phitap::capture::LinkType;
use phitap::pipeline::test_harness::{TestHarness, TestPacket};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::sync::LazyLock;

/// All stages with the shipped rules.
pub static HARNESS: LazyLock<TestHarness> = LazyLock::new(|| {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), false).expect("random bytes")
});

/// Link types, of which an input chooses by number.
const LINKS: [u16; 12] = [0, 1, 9, 51, 101, 104, 105, 108, 113, 127, 192, 276];

/// Frames through all stages. The input is a list of records: link type (1 byte), length (1 byte, times
/// four), time step (1 byte, tenths of a second), then the frame.
pub fn frames(data: &[u8]) {
    let (mut packets, mut rest, mut time) = (Vec::new(), data, 1_772_360_102_000_000_000_i64);
    while let [link, len, step, tail @ ..] = rest {
        let (frame, after) = tail.split_at((usize::from(*len) * 4).min(tail.len()));
        time += i64::from(*step) * 100_000_000;
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
