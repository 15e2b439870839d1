//! The written capture, block by block.

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
