//! Divides a capture among several sensors.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// Length of the header of a pcap file, and of that of a packet, bytes.
pub const HEADER: usize = 24;
const RECORD: usize = 16;

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

/// The two addresses of a packet in either order; the packet itself if it has none.
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

/// The header of a capture (pcap, little-endian, Ethernet), and its packets with their headers.
fn packets(capture: &[u8]) -> (&[u8], Vec<&[u8]>) {
    assert_eq!(capture.get(..4), Some(&[0xd4, 0xc3, 0xb2, 0xa1][..]), "a pcap file");
    let (header, mut rest) = capture.split_at(HEADER);
    let mut all = Vec::new();
    while rest.len() >= RECORD {
        let (packet, behind) = rest.split_at((RECORD + number(rest, 8)).min(rest.len()));
        all.push(packet);
        rest = behind;
    }
    (header, all)
}

/// Writes the packets of `capture` to `sensors` files in `folder`. `seen_by` chooses the files from
/// the pair of hosts.
fn divide(
    capture: &Path,
    names: &[String],
    folder: &Path,
    seen_by: impl Fn([u8; 32]) -> Vec<usize>,
) -> Vec<PathBuf> {
    let bytes = std::fs::read(capture).expect("capture");
    let (header, packets) = packets(&bytes);
    let mut parts = vec![header.to_vec(); names.len()];
    for packet in packets {
        for sensor in seen_by(*blake3::hash(&ends(&packet[RECORD..])).as_bytes()) {
            parts[sensor].extend_from_slice(packet);
        }
    }
    write(&parts, names, folder)
}

fn write(parts: &[Vec<u8>], names: &[String], folder: &Path) -> Vec<PathBuf> {
    let write = |(part, name): (&Vec<u8>, &String)| {
        let path = folder.join(name);
        std::fs::write(&path, part).expect("written");
        path
    };
    parts.iter().zip(names).map(write).collect()
}

/// Writes the packets of `capture` to `sensors` files in `folder`. Packets of two hosts stay
/// together; one pair of hosts in three goes to two sensors.
pub fn over_sensors(capture: &Path, sensors: usize, folder: &Path) -> Vec<PathBuf> {
    let names: Vec<String> = (0..sensors).map(|n| format!("sensor-{n}.pcap")).collect();
    divide(capture, &names, folder, |[first, twice, ..]| {
        let first = usize::from(first) % sensors;
        let also = (twice % 3 == 0).then_some((first + 1) % sensors);
        [first].into_iter().chain(also).collect()
    })
}

/// Like [`over_sensors`], but `seed` decides which sensors see a pair of hosts.
pub fn at_random(capture: &Path, sensors: usize, seed: u64, folder: &Path) -> Vec<PathBuf> {
    let names: Vec<String> = (0..sensors).map(|n| format!("round-{seed}-{n}.pcap")).collect();
    divide(capture, &names, folder, |pair| {
        let hash = blake3::hash(&[&seed.to_le_bytes()[..], &pair].concat());
        let [one, others @ ..] = *hash.as_bytes();
        let one = usize::from(one) % sensors;
        (0..sensors).filter(|n| *n == one || others[*n] < 80).collect()
    })
}

/// Writes the packets of `capture` to these files in `folder`, one after the other, like a rotating
/// capture.
pub fn over_time(capture: &Path, names: &[&str], folder: &Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(capture).expect("capture");
    let (header, packets) = packets(&bytes);
    let of = |part: &[&[u8]]| [header, &part.concat()].concat();
    let parts: Vec<Vec<u8>> = packets.chunks(packets.len().div_ceil(names.len())).map(of).collect();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    write(&parts, &names, folder)
}
