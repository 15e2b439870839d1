//! Where packets come from.
//!
//! A [`Source`] fills batches of packets that share reference-counted blocks of bytes: a read
//! buffer, a block of copied live packets. Replay copies no packet. `unsafe` is
//! allowed only here, each block with its reason.

mod block;
mod fault;
mod file;
mod filter;
mod format;
mod formats;
mod guard;
mod host;
mod inputs;
mod k12;
mod link;
mod live;
mod origin;
mod packet_ref;
mod pcap;
mod pcapng;
mod sniff;
mod stream;
#[cfg(test)]
mod testing;
mod timeline;
mod unpack;
#[cfg(target_os = "linux")]
mod window;

pub use block::Block;
pub use fault::{Fault, FaultKind};
pub use filter::{Filter, FilterError};
pub use host::{Clock, Offloads, ReceiveRing, clock, offloads, receive_ring};
pub use inputs::expand;
pub use link::LinkType;
#[cfg(target_os = "linux")]
pub use live::{Fill, Lane, OpenError, Rings};
pub use live::{InterfaceState, LATENCY, Live, LiveCounters, LiveOptions, list as list_interfaces};
pub use packet_ref::{PacketRef, PacketSpan};
pub use sniff::is_capture;
pub use timeline::Timeline;

use crate::time::Timestamp;

/// Packets of one batch at most.
pub const BATCH_PACKETS: usize = 256;

/// Largest packet record believed, bytes. libpcap's own limit for most link types is 256 KiB.
pub const MAX_RECORD: u32 = 1 << 20;

/// One captured packet: where its bytes are, and what the capture says of it.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// When it was captured.
    pub time: Timestamp,
    /// Offset in its block, bytes.
    pub offset: usize,
    /// Captured length, bytes.
    pub caplen: u32,
    /// Length on the wire, bytes.
    pub len: u32,
    /// Index in [`Batch::blocks`].
    pub block: u16,
    /// Its number in its capture, from 1, as Wireshark counts.
    pub number: u64,
    /// Input or interface, in the order of the run.
    pub interface: u16,
    /// Link type.
    pub link: LinkType,
}

/// Some packets and the blocks that hold them.
#[derive(Default)]
pub struct Batch {
    /// Each packet is in one of these.
    pub blocks: Vec<Block>,
    /// In the order of the timeline.
    pub packets: Vec<Packet>,
}

impl Packet {
    /// What names it.
    #[inline]
    pub const fn reference(&self) -> PacketRef {
        PacketRef { number: self.number, time: self.time, interface: self.interface }
    }
}

impl Batch {
    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.packets.clear();
    }
    /// The index of `block`, added if it is not the last one.
    #[inline]
    pub fn block(&mut self, block: &Block) -> u16 {
        block.place_in(&mut self.blocks)
    }
    /// The bytes of a packet.
    #[inline]
    pub fn bytes(&self, packet: &Packet) -> &[u8] {
        self.blocks
            .get(usize::from(packet.block))
            .and_then(|b| b.bytes().get(packet.offset..packet.offset + packet.caplen as usize))
            .unwrap_or(&[])
    }
}

/// Whether more is to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The batch was filled, wholly or partly.
    More,
    /// Nothing now; later perhaps (live, pipes, files that grow).
    Idle,
    /// That was all.
    End,
}

/// A source of packets.
pub trait Source {
    /// Adds packets to an empty batch.
    fn fill(&mut self, batch: &mut Batch) -> Status;

    /// What could not be read so far; taken once.
    fn take_faults(&mut self) -> Vec<Fault>;

    /// Bytes of input behind what was read so far.
    fn position(&self) -> u64;

    /// What each input gave so far.
    fn inputs(&self) -> Vec<Input>;
}

/// What one input gave.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// A file name or an interface name.
    pub name: String,
    /// Packets read.
    pub packets: u64,
    /// Bytes of captured packets.
    pub bytes: u64,
    /// Packets that the capturing host lost before they were written, as it says.
    pub dropped: LiveCounters,
    /// What ended it early, in words.
    pub fault: Option<String>,
    /// An interface that is there and has no link.
    pub down: bool,
}
