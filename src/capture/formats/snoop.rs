//! Snoop (RFC 1761), as Solaris writes it.

use super::{FaultKind, LinkType, NextRecord, Record, Records, Timestamp, UNKNOWN, be32, packet};

/// The identification pattern (clause "File Format").
pub(super) const MAGIC: &[u8] = b"snoop\0\0\0";

const FILE_HEADER: usize = 16;
const RECORD_HEADER: usize = 24;

/// The file header, once read.
#[derive(Default)]
pub(super) struct Snoop {
    link: Option<LinkType>,
    /// Packets lost so far, from the last record.
    lost: u64,
}

impl Records for Snoop {
    fn step(&mut self, rest: &[u8]) -> NextRecord {
        let Some(link) = self.link else {
            if rest.len() < FILE_HEADER {
                return NextRecord::Need(FILE_HEADER);
            }
            let version = be32(rest, 8);
            if version != 2 {
                let version = u16::try_from(version).unwrap_or(u16::MAX);
                return super::bad(FaultKind::UnknownVersion(version, 0));
            }
            self.link = Some(match be32(rest, 12) {
                // IEEE 802.3 and Ethernet differ in the type field, whose value decides.
                0 | 4 => LinkType::ETHERNET,
                2 => LinkType::IEEE802_5,
                8 => LinkType::FDDI,
                _ => UNKNOWN,
            });
            return NextRecord::Pass(FILE_HEADER);
        };
        if rest.len() < RECORD_HEADER {
            return NextRecord::Need(RECORD_HEADER);
        }
        let [len, caplen, size, drops, seconds, micros] =
            std::array::from_fn(|n| be32(rest, 4 * n));
        self.lost = self.lost.max(drops.into());
        let time = Timestamp::new(seconds.into(), micros.saturating_mul(1000));
        let record = Record {
            time,
            start: RECORD_HEADER,
            caplen,
            len: len.max(caplen),
            link,
            size: size as usize,
        };
        packet(rest, record)
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}
