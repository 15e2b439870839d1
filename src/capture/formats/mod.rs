//! Capture formats of other programs, one small reader each.
//!
//! A format is recognised by its first bytes. Everything a file declares is checked; an implausible
//! length ends the capture.

mod erf;
mod netmon;
mod nettl;
mod sniffer;
mod snoop;

use super::record::{NextRecord, Record};
use super::{FaultKind, LinkType, MAX_RECORD};
use crate::time::Timestamp;

/// Nanoseconds per day.
const DAY: i64 = 86_400_000_000_000;

/// Reads the records of one file, beginning with its first byte.
pub(super) trait Records: Send {
    /// Parses the start of `rest`.
    fn step(&mut self, rest: &[u8]) -> NextRecord;

    /// Packets that the capturing host reports as lost.
    fn lost(&self) -> u64 {
        0
    }
}

/// The reader for a file that begins with `bytes`, if it has one of these formats. `ended` means
/// that the file has no more bytes.
pub(super) fn open(bytes: &[u8], ended: bool) -> Option<Box<dyn Records>> {
    if bytes.starts_with(snoop::MAGIC) {
        Some(Box::<snoop::Snoop>::default())
    } else if bytes.starts_with(netmon::MAGIC_1) || bytes.starts_with(netmon::MAGIC_2) {
        Some(Box::<netmon::Netmon>::default())
    } else if bytes.starts_with(sniffer::MAGIC) {
        Some(Box::<sniffer::Sniffer>::default())
    } else if bytes.starts_with(nettl::MAGIC) {
        Some(Box::<nettl::Nettl>::default())
    } else if erf::is_erf(bytes, ended) {
        Some(Box::new(erf::Erf))
    } else {
        None
    }
}

pub(super) use erf::is_erf;

/// Whether a file that begins like this has a known magic number.
pub(super) fn is_known(bytes: &[u8]) -> bool {
    let magics = [snoop::MAGIC, netmon::MAGIC_1, netmon::MAGIC_2, nettl::MAGIC, sniffer::MAGIC];
    // Some of the first bytes may still be missing.
    let starts = |magic: &[u8]| bytes.starts_with(magic) || magic.starts_with(bytes);
    bytes.len() >= 4 && magics.into_iter().any(starts)
}

fn bad(kind: FaultKind) -> NextRecord {
    NextRecord::Bad(Box::new(kind))
}

/// The packet of a record with `caplen` bytes at `start`, once it is complete.
fn packet(rest: &[u8], record: Record) -> NextRecord {
    let end = record.start.saturating_add(record.caplen as usize);
    if record.caplen > MAX_RECORD || end > record.size || record.size > 2 * MAX_RECORD as usize {
        return bad(FaultKind::BadLength(record.caplen));
    }
    if rest.len() < record.size {
        NextRecord::Need(record.size)
    } else {
        NextRecord::Packet(record)
    }
}

/// Link type of packets whose link layer the format does not map to a known one.
const UNKNOWN: LinkType = LinkType(u16::MAX);

fn le16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u16::from_le_bytes(*b))
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u32::from_le_bytes(*b))
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u64::from_le_bytes(*b))
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u16::from_be_bytes(*b))
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u32::from_be_bytes(*b))
}

/// Midnight of a calendar day, nanoseconds. Formats with local time do not record the zone.
fn midnight(year: i64, month: i64, day: i64) -> i64 {
    // Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
            - 1
            - 719_468;
    days.saturating_mul(DAY)
}

#[cfg(test)]
mod tests;
