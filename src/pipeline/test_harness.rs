//! All stages over packets in memory, without files, threads or outputs: for tests, benches and
//! fuzz targets, which so run what a capture would.

use super::clock::RunClock;
use super::content_host::Shared;
use super::report::Item;
use super::shard::{Numbering, Route, Shards};
use super::work::WorkBatch;
use super::worker::Worker;
use crate::capture::{BATCH_PACKETS, Batch, Block, LinkType, Packet};
use crate::config::Limits;
use crate::decode::{Checksums, Decoder};
use crate::exposure::FindingEvent;
use crate::identify::{Key, KeyError};
use crate::output::metrics::Metrics;
use crate::rules::RuleSet;
use crate::time::Timestamp;
use std::sync::Arc;

/// A set-up of the stages that is used again and again: the same key, the same rules.
pub struct TestHarness {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    limits: Limits,
}

/// A packet of a [`TestHarness`] run.
#[derive(Clone, Debug)]
pub struct TestPacket {
    /// When it was captured.
    pub time: Timestamp,
    /// Its link type.
    pub link: LinkType,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its length on the wire.
    pub len: u32,
}

/// Runs its worker at once and keeps what comes.
struct Gather {
    worker: Worker,
    items: Vec<Item>,
}

impl Route for Gather {
    fn workers(&self) -> usize {
        1
    }
    fn send(&mut self, _worker: usize, batch: WorkBatch) -> bool {
        let Self { worker, items } = self;
        worker.run(&batch, &mut |report| {
            items.extend(report.items.into_iter().map(|(_, item)| item));
        });
        true
    }
    fn failed(&self) -> bool {
        false
    }
}

impl TestHarness {
    /// With `rules`, the default limits and a fresh key. `reveal` as on the command line.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new(rules: RuleSet, reveal: bool) -> Result<Self, KeyError> {
        let limits = Limits::default();
        let key = Key::generate()?;
        // Only a defect in the metrics themselves could fail here; the tests of `output` rule it out.
        let metrics = Arc::new(Metrics::new().unwrap_or_else(|e| panic!("metrics: {e}")));
        Ok(Self { shared: Arc::new(Shared::new(rules, key, reveal, &limits)), metrics, limits })
    }

    /// Every finding of a capture, in order, revisions included.
    pub fn run(&self, packets: &[TestPacket]) -> Vec<FindingEvent> {
        let worker = Worker::new(Arc::clone(&self.shared), &self.limits, 1);
        let route = Gather { worker, items: Vec::new() };
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
        let findings = route.items.into_iter().filter_map(|item| match item {
            Item::Finding(event) => Some(*event),
            Item::ActivityReport(_) | Item::Service(_) => None,
        });
        findings.collect()
    }
}
