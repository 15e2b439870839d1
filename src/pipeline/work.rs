//! What travels from the reader to the workers.

use crate::capture::{Block, PacketRef};
use crate::decode::Decoded;
use crate::time::Timestamp;

/// Most entries of one batch.
pub const BATCH_WORK: usize = 256;

/// Packets whose flows are looked up together.
pub const WARM: usize = 16;

/// A decoded packet, by value. Its payload stays in a block of the batch.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Number of the packet in the run, from 1.
    pub number: u64,
    /// The packet's number in its capture, and its time.
    pub packet: PacketRef,
    /// The latest time of the run so far, which time-outs follow.
    pub clock: Timestamp,
    /// Hash of the flow key, the same in both directions.
    pub hash: u64,
    /// Offset of the packet in its block, bytes.
    pub base: usize,
    /// Index in [`WorkBatch::blocks`].
    pub block: u16,
    /// Its headers.
    pub decoded: Decoded,
}

/// One step of a worker.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// A packet.
    Segment(Segment),
    /// Packet time has reached `clock`. All workers get the same ticks, so that time-outs do not
    /// depend on their number.
    Tick {
        /// Number of the packet that caused the tick.
        number: u64,
        /// The time that time-outs follow.
        clock: Timestamp,
        /// The time that events carry.
        time: Timestamp,
    },
}

impl Work {
    /// The flow hash of a packet.
    #[inline]
    pub const fn hash(&self) -> Option<u64> {
        match self {
            Self::Segment(segment) => Some(segment.hash),
            Self::Tick { .. } => None,
        }
    }
}

/// Whether more batches are queued after the current one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backlog {
    /// The next batch is already queued.
    Queued,
    /// Nothing is queued yet.
    Empty,
}

/// Steps in order, and the blocks they refer to.
#[derive(Default)]
pub struct WorkBatch {
    /// The blocks that hold the payloads.
    pub blocks: Vec<Block>,
    /// Steps in the order of the capture.
    pub work: Vec<Work>,
    /// How many of the steps are packets.
    pub packets: u32,
    /// The reader's position: this worker receives no lower packet number after this batch.
    pub upto: u64,
    /// The last batch of the run.
    pub last: bool,
    /// Of the last batch: packet time of the last step of any worker, at which flows end that are still open.
    pub now: Timestamp,
}

impl WorkBatch {
    /// Reserves room for [`BATCH_WORK`] steps.
    pub fn new() -> Self {
        Self { work: Vec::with_capacity(BATCH_WORK), ..Self::default() }
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.work.clear();
        (self.packets, self.upto, self.last) = (0, 0, false);
        self.now = Timestamp::default();
    }

    /// The index of `block`, which is added unless it is the last one.
    #[inline]
    pub fn block(&mut self, block: &Block) -> u16 {
        block.place_in(&mut self.blocks)
    }

    /// The flow hashes of [`WARM`] steps from `n` on.
    #[inline]
    pub fn hashes(&self, n: usize) -> impl Iterator<Item = u64> {
        self.work.iter().skip(n).take(WARM).filter_map(Work::hash)
    }

    /// The options of the TCP header of a segment.
    #[inline]
    pub fn options(&self, segment: &Segment) -> &[u8] {
        let end = segment.base + segment.decoded.offset as usize;
        let start = end - usize::from(segment.decoded.options);
        self.blocks
            .get(usize::from(segment.block))
            .and_then(|b| b.bytes().get(start..end))
            .unwrap_or(&[])
    }

    /// The payload of a segment.
    #[inline]
    pub fn payload(&self, segment: &Segment) -> &[u8] {
        let start = segment.base + segment.decoded.offset as usize;
        self.blocks
            .get(usize::from(segment.block))
            .and_then(|b| b.bytes().get(start..start + segment.decoded.len as usize))
            .unwrap_or(&[])
    }
}
