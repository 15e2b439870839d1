//! The shape that nearly all packets have: TCP behind a plain Ethernet and IP header. It is read here in
//! one step; whatever else a packet is, the walk from header to header reads it. Both give the same
//! answer where both give one.

use super::key::{Endpoint, FlowKey, Transport};
use super::{Decoded, options, tcp_flags};

/// Length of an Ethernet header without tags, bytes.
const ETHERNET: usize = 14;
/// Lengths of IP headers without options and extensions, bytes.
const IPV4: usize = 20;
const IPV6: usize = 40;
/// Length of a TCP header without options, bytes.
const TCP: usize = 20;
/// Protocol number of TCP.
const PROTOCOL_TCP: u8 = 6;

/// Decodes a packet of that shape; `cut` bytes were on the wire behind `bytes`.
#[inline]
pub(super) fn decode(bytes: &[u8], cut: usize) -> Option<Decoded> {
    let (ethernet, ip) = bytes.split_first_chunk::<ETHERNET>()?;
    match (ethernet[12], ethernet[13]) {
        (0x08, 0x00) => {
            let head = ip.first_chunk::<IPV4>()?;
            let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
            // Version 4 without options; neither a fragment nor left to the interface.
            let plain = head[0] == 0x45 && (head[6] & 0x3f) | head[7] == 0 && total >= IPV4;
            if !plain || head[9] != PROTOCOL_TCP {
                return None;
            }
            let address = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
            let ends = (Endpoint::v4(address(12), 0), Endpoint::v4(address(16), 0));
            tcp(bytes, ETHERNET + IPV4, total - IPV4, cut, head[8], ends)
        }
        (0x86, 0xdd) => {
            let head = ip.first_chunk::<IPV6>()?;
            let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
            if head[0] >> 4 != 6 || len == 0 || head[6] != PROTOCOL_TCP {
                return None;
            }
            let address = |at: usize| std::array::from_fn(|i| head[at + i]);
            let ends = (Endpoint::v6(address(8), 0), Endpoint::v6(address(24), 0));
            tcp(bytes, ETHERNET + IPV6, len, cut, head[7], ends)
        }
        _ => None,
    }
}

/// Decodes the segment at `at`, which is `len` bytes long by the IP header.
#[inline]
fn tcp(
    bytes: &[u8],
    at: usize,
    len: usize,
    cut: usize,
    ttl: u8,
    (source, destination): (Endpoint, Endpoint),
) -> Option<Decoded> {
    let have = bytes.len() - at;
    let (end, missing) =
        if len <= have { (at + len, 0) } else { (bytes.len(), cut.min(len - have)) };
    let head = bytes.get(at..end)?.first_chunk::<TCP>()?;
    let header = usize::from(head[12] >> 4) * 4;
    let payload = at + header;
    if header < TCP || payload > end {
        return None;
    }
    let port = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let source = Endpoint { port: port(0), ..source };
    let destination = Endpoint { port: port(2), ..destination };
    let (key, from) = FlowKey::new(source, destination, Transport::Tcp);
    let flags = head[13] & (tcp_flags::FIN | tcp_flags::SYN | tcp_flags::RST | tcp_flags::ACK);
    Some(Decoded {
        key,
        from,
        seq: number(4),
        ack: number(8),
        flags: flags | if head[14] | head[15] == 0 { tcp_flags::SHUT } else { 0 },
        ttl,
        timestamp: options::timestamp(bytes.get(at + TCP..payload)?),
        vlan: 0,
        inner_vlan: 0,
        // Packets are far smaller than 4 GiB: the capture stage refuses larger records.
        offset: payload as u32,
        len: (end - payload) as u32,
        missing: u32::try_from(missing).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Checksums, Decoder, Outcome, walk::Walk};
    use super::*;
    use crate::capture::LinkType;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    /// A frame of the shape, or nearly.
    fn frame(v6: bool, payload: usize) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        if v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, (TCP + payload) as u8, 6, 64]);
            bytes.extend((0..32).map(|n| n * 7));
        } else {
            bytes.extend([
                8,
                0,
                0x45,
                0,
                0,
                (IPV4 + TCP + payload) as u8,
                1,
                2,
                0x40,
                0,
                64,
                6,
                0,
                0,
            ]);
            bytes.extend([10, 0, 0, 9, 10, 0, 0, 2]);
        }
        bytes.extend([0x1f, 0x90, 0xc0, 1, 0, 0, 1, 2, 0, 0, 3, 4, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        bytes.extend(std::iter::repeat_n(b'x', payload));
        bytes
    }

    /// What the walk makes of a frame.
    fn walked(bytes: &[u8], cut: usize) -> Option<Decoded> {
        let walk = Walk::new(bytes, cut, Checksums::Accept);
        match Decoder::default().from(Timestamp(0), walk, LinkType::ETHERNET.first_layer()) {
            Outcome::Segment(decoded) => Some(decoded),
            _ => None,
        }
    }

    #[test]
    fn plain_packets_are_read_at_once() {
        for v6 in [false, true] {
            let bytes = frame(v6, 30);
            let decoded = decode(&bytes, 0).expect("of the shape");
            assert_eq!((decoded.len, decoded.seq, decoded.ack), (30, 0x102, 0x304));
            assert_eq!(Some(decoded), walked(&bytes, 0));
        }
    }

    proptest! {
        /// Wherever it has an answer, it is that of the walk.
        #[test]
        fn the_walk_says_the_same(
            v6: bool,
            payload in 0usize..80,
            length in 0usize..180,
            cut in 0usize..90,
            changes in prop::collection::vec((12usize..90, any::<u8>()), 0..4),
            padding in 0usize..8,
        ) {
            let mut bytes = frame(v6, payload);
            bytes.extend(std::iter::repeat_n(0, padding));
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes.truncate(length.max(8));
            if let Some(decoded) = decode(&bytes, cut) {
                prop_assert_eq!(Some(decoded), walked(&bytes, cut));
            }
        }
    }
}
