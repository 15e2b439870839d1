//! The reading side: decodes packets and sends each segment to the worker of its flow.

use super::clock::{ClockSteps, RunClock};
use super::recent::Recorder;
use super::work::{BATCH_WORK, Segment, Work, WorkBatch};
use crate::capture::{Batch, Block, Packet};
use crate::decode::{Decoded, Decoder, FlowKey, Outcome, Skip};
use crate::output::metrics::Metrics;
use crate::time::{Span, Timestamp};
use foldhash::fast::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// Packet time between two ticks.
const TICK: Span = Span::seconds(1);
/// Captured batches after which partial work batches are sent. Bounds the delay of events.
const FLUSH_EVERY: u32 = 16;

/// Receives full batches.
pub trait Route {
    /// Number of workers.
    fn workers(&self) -> usize;
    /// Sends a batch to a worker. Returns false if it was dropped.
    fn send(&mut self, worker: usize, batch: WorkBatch) -> bool;
    /// An empty batch, reusing the memory of a processed one if there is one.
    fn spare(&mut self) -> WorkBatch {
        WorkBatch::new()
    }
    /// Whether an output failed.
    fn failed(&self) -> bool;
}

/// Counters of packets by outcome.
#[derive(Clone, Debug)]
pub struct PacketCounters {
    /// Packets read.
    pub packets: u64,
    /// Captured bytes.
    pub bytes: u64,
    /// Skipped packets, by [`Skip::index`].
    pub skipped: Vec<u64>,
    /// Fragments of datagrams that stayed incomplete.
    pub lost_fragments: u64,
    /// Payload of segments as captured, bytes.
    pub payload: u64,
    /// Payload of segments that the snap length cut off, bytes.
    pub cut_payload: u64,
    /// Packets whose payload or headers were cut off by the snap length.
    pub cut_packets: u64,
    /// The longest of these packets as captured, bytes.
    pub cut_at: u32,
    /// Packets in batches that a full channel refused (live only).
    pub queue_full: u64,
    /// Jumps of the clock (live only).
    pub steps: ClockSteps,
    /// Time of the first packet.
    pub first: Option<Timestamp>,
    /// Time of the last packet.
    pub last: Option<Timestamp>,
}

impl Default for PacketCounters {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            skipped: vec![0; Skip::ALL.len()],
            lost_fragments: 0,
            payload: 0,
            cut_payload: 0,
            cut_packets: 0,
            cut_at: 0,
            queue_full: 0,
            steps: ClockSteps::default(),
            first: None,
            last: None,
        }
    }
}

impl PacketCounters {
    /// Adds the counters of another reader of the same run.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        for (sum, n) in self.skipped.iter_mut().zip(&other.skipped) {
            *sum += n;
        }
        self.lost_fragments += other.lost_fragments;
        self.payload += other.payload;
        self.cut_payload += other.cut_payload;
        self.cut_packets += other.cut_packets;
        self.cut_at = self.cut_at.max(other.cut_at);
        self.queue_full += other.queue_full;
        self.steps.add(other.steps);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
    }
}

/// How packets are numbered, which orders the results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbering {
    /// From 1, for a single reader.
    Count,
    /// By time, so that independent readers agree.
    Time,
}

/// Decodes packets and distributes them to workers.
pub struct Shards<R> {
    route: R,
    decoder: Decoder,
    hasher: RandomState,
    filling: Vec<WorkBatch>,
    clock: RunClock,
    ticked: Timestamp,
    /// Time of the last step of any worker.
    dealt: Timestamp,
    numbering: Numbering,
    number: u64,
    batches: u32,
    counts: PacketCounters,
    published: PacketCounters,
    metrics: Arc<Metrics>,
    /// Recent packets, kept for `--evidence`.
    recorder: Option<Box<Recorder>>,
}

impl<R: Route> Shards<R> {
    /// Creates shards that send to `route`.
    pub fn new(
        route: R,
        decoder: Decoder,
        metrics: Arc<Metrics>,
        clock: RunClock,
        numbering: Numbering,
    ) -> Self {
        let filling = (0..route.workers()).map(|_| WorkBatch::default()).collect();
        Self {
            route,
            decoder,
            hasher: RandomState::default(),
            filling,
            clock,
            ticked: Timestamp(i64::MIN),
            dealt: Timestamp::default(),
            numbering,
            number: 0,
            batches: 0,
            counts: PacketCounters::default(),
            published: PacketCounters::default(),
            metrics,
            recorder: None,
        }
    }

    /// Keeps recent packets in `recorder`.
    pub fn record(&mut self, recorder: Option<Recorder>) {
        self.recorder = recorder.map(Box::new);
    }

    /// Takes the recorder, which is needed until the last result.
    pub const fn take_recorder(&mut self) -> Option<Box<Recorder>> {
        self.recorder.take()
    }

    /// Processes a captured batch.
    pub fn batch(&mut self, batch: &Batch) {
        if let Some(recorder) = &mut self.recorder {
            recorder.check_wanted();
        }
        for packet in &batch.packets {
            let bytes = batch.bytes(packet);
            self.counts.packets += 1;
            self.counts.bytes += u64::from(packet.caplen);
            self.counts.first.get_or_insert(packet.time);
            self.counts.last = self.counts.last.max(Some(packet.time));
            self.advance(packet.time);
            self.number = self.next_number();
            let block = &batch.blocks[usize::from(packet.block)];
            let outcome = self.decoder.decode(packet.time, packet.link, bytes, packet.len);
            if let (Some(recorder), Outcome::Segment(of) | Outcome::Whole(of, _)) =
                (&mut self.recorder, &outcome)
            {
                recorder.packet(&of.key, packet, batch);
            }
            if let Some(skip) = self.outcome(outcome, packet, block) {
                self.counts.skipped[skip.index()] += 1;
                if packet.caplen < packet.len && skip.is_truncated() {
                    self.cut(packet, 0);
                }
            }
            // Further subframes do not count as packets.
            while let Some(outcome) = self.decoder.next_subframe(packet.time, bytes) {
                self.outcome(outcome, packet, block);
            }
        }
        self.batches += 1;
        if self.batches >= FLUSH_EVERY {
            self.flush();
        }
        self.publish();
    }

    #[inline]
    fn outcome(&mut self, outcome: Outcome, packet: &Packet, block: &Block) -> Option<Skip> {
        match outcome {
            Outcome::Segment(decoded) => self.deal(decoded, packet, packet.offset, block),
            Outcome::Whole(decoded, payload) => {
                self.deal(decoded, packet, 0, &Block::owned(payload));
            }
            Outcome::Held => {}
            Outcome::Skipped(skip) => return Some(skip),
        }
        None
    }

    /// Counts packets that `--filter` excludes.
    pub fn filtered(&mut self, packets: u64, bytes: u64) {
        self.counts.packets += packets;
        self.counts.bytes += bytes;
        self.counts.skipped[Skip::Filtered.index()] += packets;
        self.number = self.next_number();
    }

    /// The number of the current packet.
    #[inline]
    fn next_number(&self) -> u64 {
        match self.numbering {
            Numbering::Count => self.counts.packets,
            Numbering::Time => (self.number + 1).max(self.clock.number()),
        }
    }

    /// Advances packet time to `time`.
    #[inline]
    fn advance(&mut self, time: Timestamp) {
        self.clock.advance(time);
        let clock = self.clock.at();
        if self.ticked.0 == i64::MIN {
            self.ticked = clock;
        }
        if clock - self.ticked >= TICK {
            self.ticked = clock;
            self.dealt = self.clock.latest();
            let tick = Work::Tick { number: self.number, clock, time: self.dealt };
            for worker in 0..self.filling.len() {
                self.push(worker, tick);
            }
        }
    }

    /// Counts a packet of which the snap length cut off `missing` bytes of payload, or a header.
    #[cold]
    fn cut(&mut self, packet: &Packet, missing: u32) {
        self.counts.cut_packets += 1;
        self.counts.cut_payload += u64::from(missing);
        self.counts.cut_at = self.counts.cut_at.max(packet.caplen);
    }

    /// Sends a segment of `packet`, at `base` of `block`, to its worker.
    #[inline]
    fn deal(&mut self, decoded: Decoded, packet: &Packet, base: usize, block: &Block) {
        self.counts.payload += u64::from(decoded.len);
        if decoded.missing > 0 {
            self.cut(packet, decoded.missing);
        }
        let hash = decoded.key.hash_by(&self.hasher);
        let worker = self.worker(&decoded.key);
        let segment = Segment {
            number: self.number,
            packet: packet.reference(),
            clock: self.clock.at(),
            hash,
            base,
            block: self.filling[worker].block(block),
            decoded,
        };
        self.filling[worker].packets += 1;
        self.dealt = segment.packet.time;
        self.push(worker, Work::Segment(segment));
    }

    /// The worker of a flow, chosen by the two addresses alone. Related flows (a control connection
    /// and its data connections) meet at one worker, in capture order.
    #[inline]
    fn worker(&self, key: &FlowKey) -> usize {
        if self.filling.len() == 1 {
            return 0;
        }
        let (low, high, _) = key.numbers();
        let hash = self.hasher.hash_one((low, high));
        ((hash >> 32) as usize * self.filling.len()) >> 32
    }

    #[inline]
    fn push(&mut self, worker: usize, work: Work) {
        let filling = &mut self.filling[worker];
        filling.work.push(work);
        if filling.work.len() >= BATCH_WORK {
            // The current packet may bring more segments.
            self.send(worker, self.number.saturating_sub(1), false);
        }
    }

    /// Sends a worker its batch, which covers everything up to packet `upto`.
    fn send(&mut self, worker: usize, upto: u64, last: bool) {
        let next = self.route.spare();
        let mut batch = std::mem::replace(&mut self.filling[worker], next);
        batch.upto = upto;
        batch.last = last;
        batch.now = self.dealt;
        let packets = batch.packets;
        if !self.route.send(worker, batch) {
            self.counts.queue_full += u64::from(packets);
        }
    }

    /// Sends partial batches. Called between packets only, so that results of the last packet need
    /// not wait for the next one.
    pub fn flush(&mut self) {
        self.batches = 0;
        for worker in 0..self.filling.len() {
            self.send(worker, self.number, false);
        }
    }

    /// Advances time to `now` without a packet.
    pub fn idle(&mut self, now: Timestamp) {
        if let Some(recorder) = &mut self.recorder {
            recorder.check_wanted();
        }
        self.advance(now);
        if self.numbering == Numbering::Time {
            self.number = self.number.max(self.clock.number());
        }
        self.flush();
        self.publish();
    }

    /// Ends the input.
    pub fn finish(mut self) -> (R, PacketCounters) {
        self.decoder.finish();
        self.publish();
        for worker in 0..self.filling.len() {
            self.send(worker, self.number, true);
        }
        (self.route, self.counts)
    }

    /// Adds the counts since the last call to the metrics.
    fn publish(&mut self) {
        self.counts.lost_fragments += self.decoder.take_lost_fragments();
        self.counts.steps = self.clock.steps();
        let (now, before) = (&self.counts, &self.published);
        self.metrics.packets(now.packets - before.packets, now.bytes - before.bytes);
        self.metrics.packets_cut(now.cut_packets - before.cut_packets);
        for skip in Skip::ALL {
            let n = now.skipped[skip.index()] - before.skipped[skip.index()];
            if n > 0 {
                self.metrics.skipped(skip.as_str(), n);
            }
        }
        for (stage, n) in [
            ("defragment", now.lost_fragments - before.lost_fragments),
            ("queue", now.queue_full - before.queue_full),
        ] {
            if n > 0 {
                self.metrics.dropped(stage, n);
            }
        }
        for (direction, n) in now.steps.since(before.steps) {
            if n > 0 {
                self.metrics.clock_steps(direction, n);
            }
        }
        self.published.clone_from(&self.counts);
    }

    /// Counters so far.
    pub const fn counts(&self) -> &PacketCounters {
        &self.counts
    }

    /// The route, mutable.
    pub const fn route_mut(&mut self) -> &mut R {
        &mut self.route
    }

    /// The route.
    pub const fn route(&self) -> &R {
        &self.route
    }
}
