//! Frames to segments: packets of several shapes.

#![allow(missing_docs)]

mod common;

use common::NOW;
use common::packets::{ethernet, ipv4, ipv6, tcp, udp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use phitap::capture::LinkType;
use phitap::decode::{Checksums, Decoder, Outcome};
use std::hint::black_box;

/// Frames of one round: a batch of the pipeline.
const FRAMES: usize = 256;

fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let segment = tcp((40_000, 104), 1, 1, 0x10, &[7; 1448]);
    let plain = ipv4(6, [10, 0, 0, 1], [10, 0, 0, 2], &segment);
    let inner =
        [ethernet(0x0800), ipv4(6, [10, 0, 0, 1], [10, 0, 0, 2], &segment[..1400])].concat();
    let vxlan = [&[8, 0, 0, 0, 0, 0, 42, 0][..], &inner].concat();
    let gre = [&[0, 0, 0x08, 0][..], &inner[14..]].concat();
    vec![
        ("tcp_full", [ethernet(0x0800), plain.clone()].concat()),
        (
            "tcp_ack",
            [ethernet(0x0800), ipv4(6, [10, 0, 0, 1], [10, 0, 0, 2], &segment[..32])].concat(),
        ),
        ("ipv6_tcp", [ethernet(0x86dd), ipv6(6, &segment)].concat()),
        ("vlan_tcp", [ethernet(0x8100), vec![0, 5, 8, 0], plain].concat()),
        (
            "vxlan_tcp",
            [ethernet(0x0800), ipv4(17, [10, 9, 0, 1], [10, 9, 0, 2], &udp((5000, 4789), &vxlan))]
                .concat(),
        ),
        ("gre_tcp", [ethernet(0x0800), ipv4(47, [10, 9, 0, 1], [10, 9, 0, 2], &gre)].concat()),
        (
            "udp",
            [ethernet(0x0800), ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp((5353, 53), &[0; 60]))]
                .concat(),
        ),
        ("arp", [ethernet(0x0806), vec![0; 46]].concat()),
    ]
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, frame) in shapes() {
        // Each frame in memory of its own, as in a capture.
        let frames = vec![frame.clone(); FRAMES];
        let is_segment =
            |outcome: &Outcome| matches!(outcome, Outcome::Segment(_)) == (name != "arp");
        let mut decoder = Decoder::new(Checksums::Accept);
        let outcome = decoder.decode(NOW, LinkType::ETHERNET, &frame, frame.len() as u32);
        assert!(is_segment(&outcome), "{name}: {outcome:?}");
        group.throughput(Throughput::ElementsAndBytes {
            elements: FRAMES as u64,
            bytes: (FRAMES * frame.len()) as u64,
        });
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for frame in &frames {
                    let len = frame.len() as u32;
                    black_box(decoder.decode(NOW, LinkType::ETHERNET, black_box(frame), len));
                }
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = decode }
criterion_main!(benches);
