//! A capture divided over several sensors.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// Length of the header of a pcap file, and of that of a packet, bytes.
const HEADER: usize = 24;
const RECORD: usize = 16;

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

/// The two addresses of a packet, whatever their order; the packet itself if it has none.
fn ends(frame: &[u8]) -> Vec<u8> {
    let mut at = 12;
    while matches!(frame.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    let (from, len) = match frame.get(at..at + 2) {
        Some([8, 0]) => (at + 14, 4),
        Some([0x86, 0xdd]) => (at + 10, 16),
        _ => return frame.to_vec(),
    };
    let Some(both) = frame.get(from..from + 2 * len) else { return frame.to_vec() };
    let (source, destination) = both.split_at(len);
    let mut ends = [source, destination];
    ends.sort_unstable();
    ends.concat()
}

/// Writes the packets of `capture` (pcap, little-endian, Ethernet) to `sensors` files in `folder`. Packets of two
/// hosts stay together; those of one pair of hosts in three go to two sensors.
pub fn over_sensors(capture: &Path, sensors: usize, folder: &Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(capture).expect("capture");
    assert_eq!(bytes.get(..4), Some(&[0xd4, 0xc3, 0xb2, 0xa1][..]), "a pcap file");
    let mut parts = vec![bytes[..HEADER].to_vec(); sensors];
    let mut at = HEADER;
    while at + RECORD <= bytes.len() {
        let end = at + RECORD + number(&bytes, at + 8);
        let record = &bytes[at..end.min(bytes.len())];
        let hash = blake3::hash(&ends(&record[RECORD..]));
        let [first, twice, ..] = *hash.as_bytes();
        let first = usize::from(first) % sensors;
        parts[first].extend_from_slice(record);
        if twice % 3 == 0 {
            parts[(first + 1) % sensors].extend_from_slice(record);
        }
        at = end;
    }
    let write = |(n, part): (usize, Vec<u8>)| {
        let path = folder.join(format!("sensor-{n}.pcap"));
        std::fs::write(&path, part).expect("written");
        path
    };
    parts.into_iter().enumerate().map(write).collect()
}
