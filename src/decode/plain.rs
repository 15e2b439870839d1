//! The shape that nearly all packets have: TCP behind a plain Ethernet header, perhaps with the tag of a VLAN,
//! and a plain IP header. It is read here in one step; whatever else a packet is, the walk from header to header reads it. Both give the same
//! answer where both give one.

use super::key::{Endpoint, FlowKey, Side, Transport};
use super::{Decoded, tcp_flags};

/// Length of an Ethernet header without tags, bytes.
const ETHERNET: usize = 14;
/// Length of the tag of a VLAN with the EtherType behind it (IEEE 802.1Q 9.6), bytes.
const TAG: usize = 4;
/// Lengths of IP headers without options and extensions, bytes.
const IPV4: usize = 20;
const IPV6: usize = 40;
/// Length of a TCP header without options, bytes.
const TCP: usize = 20;
/// Protocol number of TCP.
const PROTOCOL_TCP: u8 = 6;

/// Decodes a packet of this form; `cut` bytes were on the wire behind `bytes`.
#[inline]
pub(super) fn decode(bytes: &[u8], cut: usize) -> Option<Decoded> {
    let (ethernet, rest) = bytes.split_first_chunk::<ETHERNET>()?;
    match [ethernet[12], ethernet[13]] {
        [0x81, 0x00] => {
            let &[high, low, kind, of_kind] = rest.first_chunk::<TAG>()?;
            let vlan = u16::from_be_bytes([high, low]) & 0x0fff;
            let decoded = ip(bytes, ETHERNET + TAG, [kind, of_kind], cut)?;
            Some(Decoded { vlan, ..decoded })
        }
        ether_type => ip(bytes, ETHERNET, ether_type, cut),
    }
}

/// Decodes the packet behind the Ethernet header, at `at`.
#[inline]
fn ip(bytes: &[u8], at: usize, ether_type: [u8; 2], cut: usize) -> Option<Decoded> {
    let ip = bytes.get(at..)?;
    match ether_type {
        [0x08, 0x00] => {
            let head = ip.first_chunk::<IPV4>()?;
            let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
            // Version 4 without options; neither a fragment nor left to the interface.
            let plain = head[0] == 0x45 && (head[6] & 0x3f) | head[7] == 0 && total >= IPV4;
            if !plain || head[9] != PROTOCOL_TCP {
                return None;
            }
            let address = |at: usize| word(head, at);
            tcp(bytes, at + IPV4, total - IPV4, cut, head[8], |source, destination| {
                FlowKey::v4((address(12), source), (address(16), destination), Transport::Tcp)
            })
        }
        [0x86, 0xdd] => {
            let head = ip.first_chunk::<IPV6>()?;
            let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
            if head[0] >> 4 != 6 || len == 0 || head[6] != PROTOCOL_TCP {
                return None;
            }
            let address = |at: usize| std::array::from_fn(|i| head[at + i]);
            tcp(bytes, at + IPV6, len, cut, head[7], |source, destination| {
                let source = Endpoint::v6(address(8), source);
                FlowKey::new(source, Endpoint::v6(address(24), destination), Transport::Tcp)
            })
        }
        _ => None,
    }
}

/// The 32 bits at `at`.
#[inline]
fn word<const N: usize>(head: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// Decodes the segment at `at`, which is `len` bytes long by the IP header. `key` makes its key from its ports.
#[inline]
fn tcp(
    bytes: &[u8],
    at: usize,
    len: usize,
    cut: usize,
    ttl: u8,
    key: impl FnOnce(u16, u16) -> (FlowKey, Side),
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
    let (key, from) = key(port(0), port(2));
    let flags = head[13] & (tcp_flags::FIN | tcp_flags::SYN | tcp_flags::RST | tcp_flags::ACK);
    let shut = if head[14] | head[15] == 0 { tcp_flags::SHUT } else { 0 };
    Some(Decoded {
        key,
        from,
        seq: word(head, 4),
        ack: word(head, 8),
        flags: tcp_flags::counting(flags) | shut,
        ttl,
        // A header has at most 60 bytes.
        options: (header - TCP) as u8,
        vlan: 0,
        inner_vlan: 0,
        // Packets are far smaller than 4 GiB: the capture stage rejects larger records.
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
    fn frame(v6: bool, tag: Option<u16>, payload: usize) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        if let Some(tag) = tag {
            bytes.extend([0x81, 0x00]);
            bytes.extend(tag.to_be_bytes());
        }
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
        for (v6, tag) in [(false, None), (true, None), (false, Some(0x600a)), (true, Some(0))] {
            let bytes = frame(v6, tag, 30);
            let decoded = decode(&bytes, 0).expect("of the shape");
            assert_eq!((decoded.len, decoded.seq, decoded.ack), (30, 0x102, 0x304));
            assert_eq!(decoded.vlan, tag.unwrap_or(0) & 0xfff);
            assert_eq!(Some(decoded), walked(&bytes, 0));
        }
    }

    proptest! {
        /// Wherever it has an answer, it is that of the walk.
        #[test]
        fn the_walk_says_the_same(
            v6: bool,
            tag: Option<u16>,
            payload in 0usize..80,
            length in 0usize..180,
            cut in 0usize..90,
            changes in prop::collection::vec((12usize..90, any::<u8>()), 0..4),
            padding in 0usize..8,
        ) {
            let mut bytes = frame(v6, tag, payload);
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
