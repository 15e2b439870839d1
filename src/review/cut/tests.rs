//! The written capture, block by block.

use super::fragments::{Incomplete, MAX_OF_ONE, MAX_WAITING};
use crate::capture::{Batch, LinkType, Packet, Source as _, Status, Timeline};
use crate::output::pcapng::Writer;
use crate::time::Timestamp;

#[test]
fn what_is_written_is_read_back_with_its_clock_link_type_and_lengths() {
    let packet = |number, nanos: i64, caplen: usize, len, link| Packet {
        time: Timestamp(1_772_360_102_000_000_000 + nanos),
        offset: 0,
        caplen: caplen as u32,
        len,
        block: 0,
        number,
        interface: 0,
        link,
    };
    let all = [
        (packet(7, 1, 5, 90, LinkType::ETHERNET), &b"hello"[..], "a.pcap"),
        (packet(9, 123_456_789, 4, 4, LinkType(113)), &b"1234"[..], "a.pcap"),
        (packet(1, 999_999_999, 3, 3, LinkType::ETHERNET), &b"xyz"[..], "b.pcap"),
    ];
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("cut.pcapng");
    let mut bytes = Vec::new();
    let mut writer = Writer::begin(&mut bytes).expect("memory");
    for (packet, data, file) in &all {
        writer.packet(file, packet, data, &["01A", "01B"]).expect("memory");
    }
    writer.flush().expect("memory");
    assert!(memchr::memmem::find(&bytes, b"frame 9 01A 01B").is_some());
    std::fs::write(&path, &bytes).expect("written");
    let mut timeline = Timeline::open(&[&path]);
    while !timeline.settle() {}
    let (mut read, mut batch) = (Vec::new(), Batch::default());
    while timeline.fill(&mut batch) == Status::More {
        for p in &batch.packets {
            read.push((p.time, p.len, p.link, batch.bytes(p).to_vec()));
        }
        batch.clear();
    }
    let expected: Vec<_> =
        all.iter().map(|(p, data, _)| (p.time, p.len, p.link, data.to_vec())).collect();
    assert_eq!(read, expected);
    assert!(timeline.take_faults().is_empty());
}

#[test]
fn fragments_beyond_the_limits_are_counted_with_their_datagram() {
    let mut waiting = Incomplete::default();
    for n in 0..MAX_OF_ONE as u64 + 3 {
        waiting.add(1, (0, n));
    }
    waiting.add(2, (0, 9_000));
    let (places, missing) = waiting.take(1);
    assert_eq!((places.len(), missing), (MAX_OF_ONE, 3));
    assert_eq!(waiting.take(2), (vec![(0, 9_000)], 0));
    // A datagram of one fragment that is whole at once.
    assert_eq!(waiting.take(3), (Vec::new(), 0));
    // One more than there is room for in all: the oldest gives way, and what it lacks shows.
    let last = 10 + MAX_WAITING as u64;
    for datagram in 10..=last {
        waiting.add(datagram, (1, datagram));
    }
    waiting.add(10, (1, 10));
    assert_eq!(waiting.take(10), (Vec::new(), 1));
    assert_eq!(waiting.take(11), (vec![(1, 11)], 0));
    assert_eq!(waiting.take(last), (vec![(1, last)], 0));
    // More fragments of a datagram that was dropped.
    waiting.add(10, (1, 12));
    assert_eq!(waiting.take(10), (vec![(1, 12)], 1));
}
