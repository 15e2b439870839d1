//! Parses the packets of a ring block (TPACKET_V3, `struct tpacket3_hdr`).

use crate::time::{Pace, Timestamp};

/// Offset of the packet count in a block header.
const COUNT: usize = 12;
/// Offset of the first packet's offset in a block header.
const FIRST: usize = 16;
/// Length of the part of a packet header that is read, bytes.
const HEADER: usize = 40;
/// Offset of the packet's direction, in the address after its header.
const KIND: usize = 48 + 10;
/// A packet that this host sent (`PACKET_OUTGOING`).
const OUTGOING: u8 = 4;

// `tp_status`: the two VLAN fields are valid.
const VLAN_VALID: u32 = 1 << 4;
const TPID_VALID: u32 = 1 << 6;

/// Length of a VLAN tag (IEEE 802.1Q 9.3), bytes. The kernel leaves this much room before each
/// packet.
pub(super) const TAG: usize = 4;
/// Length of two MAC addresses, before the tag.
const ADDRESSES: usize = 12;
/// Most packets of a block.
const MAX_FRAMES: usize = 1 << 16;

/// A packet of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub time: Timestamp,
    /// Offset in the block, bytes.
    pub offset: u32,
    pub caplen: u32,
    pub len: u32,
}

/// How to parse packets.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Ethernet: removed tags are put back.
    pub ethernet: bool,
    /// Loopback, where each packet appears twice: when sent and when received.
    pub loopback: bool,
    /// Pace of packet time.
    pub pace: Pace,
}

/// Finds the packets of `block`. An invalid header ends the block.
pub(super) fn frames(block: &mut [u8], reading: Reading, found: &mut Vec<Frame>) {
    found.clear();
    let count = u32_at(block, COUNT).unwrap_or(0) as usize;
    let mut at = u32_at(block, FIRST).unwrap_or(0) as usize;
    for _ in 0..count.min(MAX_FRAMES) {
        let Some(header) = at.checked_add(HEADER).and_then(|end| block.get(at..end)) else { break };
        let word = |offset| u32_at(header, offset).unwrap_or(0);
        let (next, status) = (word(0), word(20));
        let mut frame = Frame {
            time: reading.pace.of(Timestamp::new(i64::from(word(4)), word(8))),
            offset: 0,
            caplen: word(12),
            len: word(16),
        };
        let start = at + usize::from(u16::from_ne_bytes([header[24], header[25]]));
        let tci = (word(32) & 0xffff) as u16;
        let vlan = u16::from_ne_bytes([header[36], header[37]]);
        let outgoing = block.get(at + KIND) == Some(&OUTGOING);
        let end = start.checked_add(frame.caplen as usize);
        let Some(end) = end.filter(|&end| end <= block.len() && start > at) else { break };
        frame.offset = start as u32;
        if reading.ethernet
            && status & VLAN_VALID != 0
            && end - start >= ADDRESSES
            && start >= at + HEADER + TAG
        {
            let tpid = if status & TPID_VALID != 0 { vlan } else { 0x8100 };
            tag(&mut block[start - TAG..end], tpid, tci);
            frame.offset -= TAG as u32;
            frame.caplen += TAG as u32;
            frame.len = frame.len.saturating_add(TAG as u32);
        }
        if !(reading.loopback && outgoing) {
            found.push(frame);
        }
        if next == 0 {
            break;
        }
        let Some(behind) = at.checked_add(next as usize) else { break };
        at = behind;
    }
}

/// Puts a tag back: moves the addresses into the room before them.
fn tag(packet: &mut [u8], tpid: u16, tci: u16) {
    packet.copy_within(TAG..TAG + ADDRESSES, 0);
    packet[ADDRESSES..ADDRESSES + 2].copy_from_slice(&tpid.to_be_bytes());
    packet[ADDRESSES + 2..ADDRESSES + TAG].copy_from_slice(&tci.to_be_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    word.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Reading = Reading { ethernet: true, loopback: false, pace: Pace::REAL };

    /// A packet: bytes, VLAN type and tag, direction.
    type Given<'a> = (&'a [u8], Option<(u16, u16)>, u8);

    /// A block of `packets`.
    fn block(packets: &[Given<'_>]) -> Vec<u8> {
        let mut block = vec![0; 48];
        block[COUNT..COUNT + 4].copy_from_slice(&(packets.len() as u32).to_ne_bytes());
        block[FIRST..FIRST + 4].copy_from_slice(&48u32.to_ne_bytes());
        for (n, (bytes, vlan, kind)) in packets.iter().enumerate() {
            let mut header = vec![0u8; 68 + TAG];
            let next = if n + 1 == packets.len() { 0 } else { header.len() + bytes.len() };
            let mut put = |at: usize, value: u32| {
                header[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            };
            put(0, next as u32);
            put(4, 1000 + n as u32);
            put(8, 5);
            put(12, bytes.len() as u32);
            put(16, bytes.len() as u32 + 100);
            if let Some((tpid, tci)) = vlan {
                put(20, VLAN_VALID | TPID_VALID);
                put(32, (*tci).into());
                let tpid = tpid.to_ne_bytes();
                put(36, u32::from_ne_bytes([tpid[0], tpid[1], 0, 0]));
            }
            let mac = (68 + TAG as u16).to_ne_bytes();
            header[24..26].copy_from_slice(&mac);
            header[KIND] = *kind;
            block.extend(header);
            block.extend_from_slice(bytes);
        }
        block
    }

    fn read(block: &mut [u8], reading: Reading) -> Vec<(i64, Vec<u8>, u32)> {
        let mut found = Vec::new();
        frames(block, reading, &mut found);
        let bytes = |f: &Frame| block[f.offset as usize..(f.offset + f.caplen) as usize].to_vec();
        found.iter().map(|f| (f.time.0, bytes(f), f.len)).collect()
    }

    #[test]
    fn packets_come_in_order_with_time_and_lengths() {
        let read = read(&mut block(&[(&[1; 60], None, 0), (&[2; 99], None, 4)]), PLAIN);
        let at = |second: i64| second * 1_000_000_000 + 5;
        assert_eq!(read, [(at(1000), vec![1; 60], 160), (at(1001), vec![2; 99], 199)]);
    }

    #[test]
    fn a_tag_is_put_back_where_it_was_on_the_wire() {
        let packet: Vec<u8> = (0..60).collect();
        let read = read(&mut block(&[(&packet, Some((0x88a8, 0x2007)), 0)]), PLAIN);
        let mut wire = packet;
        wire.splice(12..12, [0x88, 0xa8, 0x20, 0x07]);
        assert_eq!(read[0].1, wire);
        assert_eq!(read[0].2, 164);
    }

    #[test]
    fn loopback_shows_each_packet_once() {
        let mut block = block(&[(&[1; 60], None, OUTGOING), (&[1; 60], None, 0)]);
        assert_eq!(read(&mut block, Reading { loopback: true, ..PLAIN }).len(), 1);
    }

    #[test]
    fn a_block_of_anything_is_read_within_its_bounds() {
        let good = block(&[(&[1; 60], Some((0x8100, 7)), 0), (&[2; 60], None, 0)]);
        let mut seed = 0x1234_5678_u32;
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..4 {
                seed ^= seed << 13;
                seed ^= seed >> 17;
                seed ^= seed << 5;
                let at = seed as usize % bytes.len();
                bytes[at] = (seed >> 16) as u8;
            }
            read(&mut bytes, PLAIN);
        }
        for len in 0..good.len() {
            read(&mut good[..len].to_vec(), PLAIN);
        }
    }
}
