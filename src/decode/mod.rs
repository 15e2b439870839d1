//! From a captured frame to a transport segment: link layers, tags, tunnels, IP.
//!
//! Decoding walks from header to header. Each step either names the next layer or the reason why
//! the packet is passed over; nothing a packet says can do more than skip that packet. Lengths come
//! from the headers, bounded by what was captured: a frame cut short by the snap length keeps its
//! transport header, and what is missing is a gap of known length.

mod defrag;
mod ether;
mod ip;
mod key;
mod link;
mod options;
mod plain;
mod skip;
mod tags;
#[cfg(test)]
mod tests;
mod tunnel;
mod walk;
mod wan;
mod wifi;

pub use defrag::{Defragmenter, MAX_DATAGRAM};
pub use key::{Endpoint, FlowKey, Side, Transport};
pub use options::timestamp;
pub use skip::Skip;

use crate::capture::LinkType;
pub use crate::config::Checksums;
use crate::time::Timestamp;
use walk::{Layer, Walk};

/// Most headers before the transport header, tunnels included.
pub const MAX_LAYERS: u8 = 24;

/// TCP flags (RFC 9293 3.1).
pub mod tcp_flags {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Acknowledgment field is significant.
    pub const ACK: u8 = 0x10;
    /// Our own flag, in the bit of CWR: the sender accepts no more data (its window is zero).
    pub const SHUT: u8 = 0x80;
    /// Our own flag, in the bit of ECE: reassembled from fragments that contradict each other or do not match the
    /// checksum of the whole.
    pub const DAMAGED: u8 = 0x40;

    /// The flags that an endpoint follows: RST counts before SYN, and SYN before FIN (RFC 9293 3.10.7).
    pub const fn counting(flags: u8) -> u8 {
        match (flags & RST != 0, flags & SYN != 0) {
            (true, _) => flags & !(SYN | FIN),
            (false, true) => flags & !FIN,
            (false, false) => flags,
        }
    }
}

/// Payload of a packet above IP. `Copy`, without bytes: they stay in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// The flow.
    pub key: FlowKey,
    /// Which side sent it.
    pub from: Side,
    /// TCP sequence number; 0 for UDP.
    pub seq: u32,
    /// TCP acknowledgment number; 0 for UDP.
    pub ack: u32,
    /// [`tcp_flags`]; 0 for UDP.
    pub flags: u8,
    /// Time to live or hop limit, 0 if unknown.
    pub ttl: u8,
    /// Length of the options in the TCP header, bytes; they end where the payload begins. 0 for UDP.
    pub options: u8,
    /// Outermost VLAN identifier, 0 for none.
    pub vlan: u16,
    /// Identifier of the VLAN tag behind it (IEEE 802.1ad), 0 for none.
    pub inner_vlan: u16,
    /// Offset of the payload in the packet, bytes.
    pub offset: u32,
    /// Captured length of the payload, bytes.
    pub len: u32,
    /// Bytes of the payload that were on the wire behind the captured ones.
    pub missing: u32,
}

/// Result of decoding a packet.
#[derive(Debug)]
pub enum Outcome {
    /// A segment of the packet itself.
    Segment(Decoded),
    /// The last fragment of a datagram: a segment of the reassembled bytes.
    Whole(Decoded, Vec<u8>),
    /// A fragment that waits for others.
    Held,
    /// Skipped.
    Skipped(Skip),
}

/// Decodes packets; holds the fragments of incomplete datagrams.
#[derive(Default)]
pub struct Decoder {
    checksums: Checksums,
    defragmenter: Defragmenter,
    wifi: wifi::Wifi,
}

impl Decoder {
    /// A decoder.
    pub fn new(checksums: Checksums) -> Self {
        Self { checksums, ..Self::default() }
    }

    /// The same with at most `bytes` bytes of fragments.
    pub fn with_fragment_memory(self, bytes: usize) -> Self {
        Self { defragmenter: Defragmenter::within(bytes), ..self }
    }

    /// Decodes one captured packet. `wire_len` is its length on the wire.
    #[inline]
    pub fn decode(
        &mut self,
        time: Timestamp,
        link: LinkType,
        bytes: &[u8],
        wire_len: u32,
    ) -> Outcome {
        let cut = (wire_len as usize).saturating_sub(bytes.len());
        if link == LinkType::ETHERNET
            && self.checksums == Checksums::Accept
            && let Some(decoded) = plain::decode(bytes, cut)
        {
            return Outcome::Segment(decoded);
        }
        self.from(time, Walk::new(bytes, cut, self.checksums), link.first_layer())
    }

    /// The next subframe of the last decoded packet, if that was an aggregate of several (802.11 A-MSDU). `bytes` are
    /// those of the packet.
    #[inline]
    pub fn next_subframe(&mut self, time: Timestamp, bytes: &[u8]) -> Option<Outcome> {
        let (start, end) = self.wifi.take_subframe()?;
        let mut walk = Walk::new(bytes.get(..end)?, 0, self.checksums);
        walk.pass(start, Skip::TruncatedLink).ok()?;
        Some(self.from(time, walk, Layer::Llc))
    }

    fn from(&mut self, time: Timestamp, mut walk: Walk<'_>, layer: Layer) -> Outcome {
        match self.run(&mut walk, layer) {
            Ok(Layer::Done(decoded)) => Outcome::Segment(decoded),
            Ok(Layer::Fragment(fragment)) => match self.defragmenter.add(time, &walk, fragment) {
                Some(datagram) => self.whole(datagram),
                None => Outcome::Held,
            },
            Ok(_) => Outcome::Skipped(Skip::NotIp),
            Err(skip) => Outcome::Skipped(skip),
        }
    }

    /// Number of the datagram to which the last fragment belongs, from 1 in order of their first fragments; 0 if the
    /// fragment was not taken.
    pub const fn datagram(&self) -> u64 {
        self.defragmenter.last()
    }

    /// Fragments that were given up since the last call.
    pub fn take_lost_fragments(&mut self) -> u64 {
        self.defragmenter.take_lost()
    }

    /// The run has ended: every fragment still held is lost.
    pub fn finish(&mut self) {
        self.defragmenter.clear();
    }

    fn run<'a>(&mut self, walk: &mut Walk<'a>, mut layer: Layer) -> Result<Layer, Skip> {
        loop {
            walk.step()?;
            layer = match layer {
                Layer::Link(link) => link::decode(walk, link)?,
                Layer::Wifi => wifi::decode(walk, &mut self.wifi)?,
                Layer::Ethernet => ether::ethernet(walk)?,
                Layer::EtherType(ether_type) => ether::ether_type(walk, ether_type)?,
                Layer::Llc => ether::llc(walk)?,
                Layer::Mpls => ether::mpls(walk)?,
                Layer::Ppp => ether::ppp(walk)?,
                Layer::Ip => ip::ip(walk)?,
                Layer::Protocol(number) => ip::protocol(walk, number)?,
                done @ (Layer::Done(_) | Layer::Fragment(_)) => return Ok(done),
            };
        }
    }

    /// A reassembled datagram is decoded from its transport header on.
    fn whole(&mut self, datagram: defrag::Datagram) -> Outcome {
        let mut walk = Walk::new(&datagram.payload, 0, self.checksums);
        walk.addresses(datagram.source, datagram.destination);
        (walk.vlan, walk.inner_vlan) = datagram.vlans;
        let sound = ip::has_checksum(&walk, datagram.protocol);
        match self.run(&mut walk, Layer::Protocol(datagram.protocol)) {
            Ok(Layer::Done(mut decoded)) => {
                if decoded.key.transport == Transport::Tcp && (datagram.contradicted || !sound) {
                    decoded.flags |= tcp_flags::DAMAGED;
                }
                Outcome::Whole(decoded, datagram.payload)
            }
            Ok(_) => Outcome::Skipped(Skip::NestedFragments),
            Err(skip) => Outcome::Skipped(skip),
        }
    }
}
