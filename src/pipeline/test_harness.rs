//! Runs all stages over packets in memory, without files, threads or outputs. Tests, benches and
//! fuzz targets use it, and so run the same code as a capture. A [`Conversation`] builds the
//! packets.

use super::clock::RunClock;
use super::content_sink::Shared;
use super::report::Item;
use super::shard::{Numbering, Route, Shards};
use super::work::{Backlog, WorkBatch};
use super::worker::Worker;
use crate::capture::{BATCH_PACKETS, Batch, Block, LinkType, Packet};
use crate::config::Limits;
use crate::decode::{Checksums, Decoder};
use crate::exposure::FindingEvent;
use crate::flow::Direction;
use crate::identify::{Key, KeyError};
use crate::output::metrics::Metrics;
use crate::rules::RuleSet;
use crate::time::Timestamp;
use etherparse::PacketBuilder;
use std::sync::Arc;

/// The stages with one key and one set of rules, ready for several runs.
pub struct TestHarness {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    limits: Limits,
}

/// An input packet of a [`TestHarness`].
#[derive(Clone, Debug)]
pub struct TestPacket {
    /// When it was captured.
    pub time: Timestamp,
    /// Its link type.
    pub link: LinkType,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its length on the wire, bytes.
    pub len: u32,
}

/// Runs the worker for each batch and collects its findings.
struct Gather {
    worker: Worker,
    items: Vec<Item>,
    whole: bool,
}

impl Route for Gather {
    fn workers(&self) -> usize {
        1
    }
    fn send(&mut self, _worker: usize, batch: WorkBatch) -> bool {
        let Self { worker, items, whole } = self;
        worker.run(&batch, Backlog::Empty, &mut |report| {
            let stats = &report.stats;
            *whole &= stats.anomalies.is_empty() && stats.opaque.is_empty() && stats.gap_bytes == 0;
            items.extend(report.items.into_iter().map(|(_, item)| item));
        });
        true
    }
    fn failed(&self) -> bool {
        false
    }
}

impl TestHarness {
    /// Uses `rules`, the default limits and a fresh key. `reveal` is the command-line option.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(rules: RuleSet, reveal: bool) -> Result<Self, KeyError> {
        let limits = Limits::default();
        let key = Key::generate()?;
        // Fails only for a defect in the metrics, which the tests of `output` rule out.
        let metrics = Arc::new(Metrics::new().unwrap_or_else(|e| panic!("metrics: {e}")));
        Ok(Self { shared: Arc::new(Shared::new(rules, key, reveal, &limits)), metrics, limits })
    }

    /// All findings of a capture in order, revisions included.
    pub fn run(&self, packets: &[TestPacket]) -> Vec<FindingEvent> {
        self.run_counted(packets).0
    }

    /// The findings, and whether nothing was missing or malformed.
    pub fn run_counted(&self, packets: &[TestPacket]) -> (Vec<FindingEvent>, bool) {
        let worker = Worker::new(Arc::clone(&self.shared), &self.limits, 1);
        let route = Gather { worker, items: Vec::new(), whole: true };
        let mut shards = Shards::new(
            route,
            Decoder::new(Checksums::Accept),
            Arc::clone(&self.metrics),
            RunClock::replay(),
            Numbering::Count,
        );
        let (mut batch, mut number) = (Batch::default(), 0);
        for chunk in packets.chunks(BATCH_PACKETS) {
            batch.clear();
            let mut bytes = Vec::new();
            for packet in chunk {
                number += 1;
                batch.packets.push(Packet {
                    time: packet.time,
                    offset: bytes.len(),
                    caplen: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
                    len: packet.len,
                    block: 0,
                    number,
                    interface: 0,
                    link: packet.link,
                });
                bytes.extend_from_slice(&packet.bytes);
            }
            batch.blocks.push(Block::owned(bytes));
            shards.batch(&batch);
        }
        let (route, _) = shards.finish();
        let whole = route.whole;
        let findings = route.items.into_iter().filter_map(|item| match item {
            Item::Finding(event) => Some(*event),
            Item::ActivityReport(_)
            | Item::Service(_)
            | Item::Handshake(_)
            | Item::HostName(_)
            | Item::Encrypted(_) => None,
        });
        (findings.collect(), whole)
    }
}

/// Address and port of one end of a connection.
pub type Endpoint = ([u8; 4], u16);

/// Builds the packets of one TCP connection over IPv4, from its handshake on.
pub struct Conversation {
    /// The client, then the server.
    ends: [Endpoint; 2],
    segment: usize,
    /// The next sequence number of each direction.
    next: [u32; 2],
    packets: Vec<TestPacket>,
}

impl Conversation {
    /// Time of the first packet, seconds since 1970; the others follow 10 microseconds apart.
    const STARTED: i64 = 1_772_360_102;

    /// Opens a connection whose segments hold at most `segment` bytes.
    pub fn new(client: Endpoint, server: Endpoint, segment: usize) -> Self {
        let mut conversation =
            Self { ends: [client, server], segment, next: [0; 2], packets: Vec::new() };
        conversation.send(Direction::ClientToServer, Flags { syn: true, ..Flags::default() }, b"");
        conversation.send(Direction::ServerToClient, Flags { syn: true, ..Flags::default() }, b"");
        conversation
    }

    /// Sends `bytes` from one end.
    pub fn say(&mut self, direction: Direction, bytes: &[u8]) {
        for piece in bytes.chunks(self.segment.max(1)) {
            self.send(direction, Flags::default(), piece);
        }
    }

    /// Sends `len` bytes from one end that are not captured.
    pub fn lose(&mut self, direction: Direction, len: u32) {
        let next = &mut self.next[direction.index()];
        *next = next.wrapping_add(len);
    }

    /// Closes the connection from both ends.
    pub fn close(&mut self) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            self.send(direction, Flags { fin: true, ..Flags::default() }, b"");
        }
    }

    /// All packets.
    pub fn packets(self) -> Vec<TestPacket> {
        self.packets
    }

    fn send(&mut self, direction: Direction, flags: Flags, payload: &[u8]) {
        let (this, other) = (direction.index(), direction.reverse().index());
        let (from, to) = (self.ends[this], self.ends[other]);
        let mut tcp =
            PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, self.next[this], 65_535);
        if flags.syn {
            tcp = tcp.syn();
        }
        if flags.fin {
            tcp = tcp.fin();
        }
        if !self.packets.is_empty() {
            tcp = tcp.ack(self.next[other]);
        }
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload).expect("a segment fits into a packet");
        let counted = payload.len() as u32 + u32::from(flags.syn || flags.fin);
        self.next[this] = self.next[this].wrapping_add(counted);
        self.packets.push(TestPacket {
            time: Timestamp::new(Self::STARTED, 10_000 * self.packets.len() as u32),
            link: LinkType::RAW,
            len: bytes.len() as u32,
            bytes,
        });
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    fin: bool,
}
