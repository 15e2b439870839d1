//! Segments to streams, through the flow table: in order, out of order, and many flows at a time.

#![allow(missing_docs)]

mod common;

use common::packets::frames;
use common::{Conversation, NOW, Numbers, SEGMENT};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phitap::capture::{LinkType, PacketRef};
use phitap::config::Limits;
use phitap::decode::{Checksums, Decoded, Decoder, Outcome};
use phitap::flow::{Arrival, End, FlowHead, Handler, Side, Table, TableLimits};
use std::hash::BuildHasher as _;
use std::hint::black_box;

/// Counts the output. It wants all bytes, or only the first ones of each side.
#[derive(Default)]
struct Counter {
    bytes: u64,
    skips: u64,
}

impl Handler<()> for Counter {
    fn open(&mut self, _: &FlowHead) {}
    fn data(&mut self, _: &FlowHead, (): &mut (), _: Side, bytes: &[u8], _: PacketRef) -> u64 {
        self.bytes += black_box(bytes).len() as u64;
        self.skips
    }
    fn gap(&mut self, _: &FlowHead, (): &mut (), _: Side, _: u64) -> u64 {
        0
    }
    fn end(&mut self, _: &FlowHead, (): &mut (), _: Side, _: End) {}
    fn datagram(&mut self, _: &FlowHead, (): &mut (), _: Side, _: &[u8]) -> bool {
        false
    }
    fn close(&mut self, _: &FlowHead, (): (), _: End) {}
    fn memory(&self, (): &()) -> usize {
        0
    }
}

/// A frame, decoded, with the hash of its flow.
struct Packet {
    frame: Vec<u8>,
    decoded: Decoded,
    hash: u64,
}

fn decoded(frames: Vec<Vec<u8>>) -> Vec<Packet> {
    let mut decoder = Decoder::new(Checksums::Accept);
    let hasher = foldhash::fast::FixedState::default();
    let packet = |frame: Vec<u8>| match decoder.decode(
        NOW,
        LinkType::ETHERNET,
        &frame,
        frame.len() as u32,
    ) {
        Outcome::Segment(decoded) => Packet { hash: hasher.hash_one(decoded.key), decoded, frame },
        other => panic!("{other:?}"),
    };
    frames.into_iter().map(packet).collect()
}

/// Runs all packets through a new table. Returns the bytes delivered; after each delivery a side skips `skips`
/// ones.
fn run(packets: &[Packet], skips: u64) -> u64 {
    let limits = Limits::default();
    let mut table = Table::new(TableLimits {
        flows: limits.flows,
        memory: usize::try_from(limits.memory).unwrap_or(usize::MAX),
        window: limits.window,
        tcp_idle: limits.tcp_idle,
        udp_idle: limits.udp_idle,
    });
    let mut counter = Counter { bytes: 0, skips };
    for (number, packet) in packets.iter().enumerate() {
        let start = packet.decoded.offset as usize;
        let arrival = Arrival {
            number: number as u64 + 1,
            clock: NOW,
            hash: packet.hash,
            packet: PacketRef::default(),
            segment: &packet.decoded,
            options: &[],
            payload: &packet.frame[start..start + packet.decoded.len as usize],
        };
        table.packet(&arrival, &mut counter);
    }
    table.finish(&mut counter);
    counter.bytes
}

/// One direction of `segments` full segments.
fn upload(segments: usize) -> Conversation {
    Conversation(vec![(true, Numbers::new(1).bytes(segments * SEGMENT))])
}

/// Swaps places within groups of `window` frames; handshake and end stay in place.
fn shuffle(frames: &mut [Vec<u8>], window: usize) {
    let mut numbers = Numbers::new(9);
    let last = frames.len().saturating_sub(3);
    for group in frames[3..last].chunks_mut(window) {
        for n in (1..group.len()).rev() {
            group.swap(n, numbers.below(n + 1));
        }
    }
}

fn reassembly(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reassembly");
    let mut bench = |name: BenchmarkId, frames: Vec<Vec<u8>>, payload: u64, skips: u64| {
        let packets = decoded(frames);
        let delivered = if skips > 0 { SEGMENT as u64 } else { payload };
        assert_eq!(run(&packets, skips), delivered, "everything that is wanted is delivered");
        group.throughput(Throughput::ElementsAndBytes {
            elements: packets.len() as u64,
            bytes: payload,
        });
        group.bench_function(name, |bencher| bencher.iter(|| run(black_box(&packets), skips)));
    };
    let one = upload(4096);
    bench(BenchmarkId::from_parameter("in_order"), frames(&one, 1, 80), one.bytes(), 0);
    bench(BenchmarkId::from_parameter("skipped"), frames(&one, 1, 80), one.bytes(), u64::MAX);
    for window in [4, 64] {
        let mut shuffled = frames(&one, 1, 80);
        shuffle(&mut shuffled, window);
        bench(BenchmarkId::new("out_of_order", window), shuffled, one.bytes(), 0);
    }
    for flows in [1_000, 20_000] {
        let each = upload(2);
        let all: Vec<Vec<Vec<u8>>> = (0..flows).map(|n| frames(&each, n, 80)).collect();
        // One packet of each flow in turn, the worst case for caches.
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        let turn = |n: usize| all.iter().filter_map(move |flow| flow.get(n).cloned());
        let mixed = (0..longest).flat_map(turn).collect();
        bench(BenchmarkId::new("flows", flows), mixed, each.bytes() * flows as u64, 0);
    }
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = reassembly }
criterion_main!(benches);
