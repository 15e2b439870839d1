//! Packet sources.
//!
//! A [`Source`] fills batches of packets that share reference-counted blocks of bytes, such as a
//! read buffer or a block of copied live packets. Replay copies no packet. `unsafe` is allowed only
//! in this module, each block with its reason.

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
mod record;
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
pub use file::STDIN_NAME;
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

/// Most packets per batch.
pub const BATCH_PACKETS: usize = 256;

/// Largest packet record accepted, bytes. libpcap's limit for most link types is 256 KiB.
pub const MAX_RECORD: u32 = 1 << 20;

/// A captured packet: the place of its bytes, and what the capture declares about it.
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
    /// Its number in its capture, from 1, as in Wireshark.
    pub number: u64,
    /// Input or interface, in the order of the run.
    pub interface: u16,
    /// Link type.
    pub link: LinkType,
}

/// Packets and the blocks that hold them.
#[derive(Default)]
pub struct Batch {
    /// Blocks that hold the packets' bytes.
    pub blocks: Vec<Block>,
    /// In the order of the timeline.
    pub packets: Vec<Packet>,
}

impl Packet {
    /// Reference to a packet for reports.
    #[inline]
    pub const fn reference(&self) -> PacketRef {
        PacketRef { number: self.number, time: self.time, interface: self.interface }
    }
}

impl Batch {
    /// Removes all packets and blocks.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.packets.clear();
    }
    /// The index of `block`, which is added unless it is the last one.
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

/// The result of asking an input for the next item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pull<T = ()> {
    /// The item.
    Ready(T),
    /// Nothing yet; perhaps later.
    Waiting,
    /// The end of the input.
    End,
}

/// The state of a source after a fill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The batch was filled, at least partly.
    More,
    /// Nothing now; perhaps later (live, pipes, growing files).
    Idle,
    /// The end of the input.
    End,
}

/// A source of packets.
pub trait Source {
    /// Adds packets to an empty batch.
    fn fill(&mut self, batch: &mut Batch) -> Status;

    /// Takes the faults since the last call.
    fn take_faults(&mut self) -> Vec<Fault>;

    /// Bytes of input read so far.
    fn position(&self) -> u64;

    /// Counters of each input so far.
    fn inputs(&self) -> Vec<Input>;
}

/// Counters of one input.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// A file name or an interface name.
    pub name: String,
    /// Packets read.
    pub packets: u64,
    /// Bytes of captured packets.
    pub bytes: u64,
    /// Packets that the capturing host reports as lost.
    pub dropped: LiveCounters,
    /// The fault that ended it early, as text.
    pub fault: Option<String>,
    /// Whether it is an interface without link.
    pub down: bool,
}
