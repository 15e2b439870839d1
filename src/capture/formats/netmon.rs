//! Microsoft Network Monitor 1.x (`RTSS`) and 2.x (`GMBU`, also written by version 3).
//!
//! Frames follow one another up to the table of their offsets, which is not needed. Times are the
//! capturing host's local time, without its zone.

use super::{
    FaultKind, LinkType, MAX_RECORD, NextRecord, Record, Records, Timestamp, UNKNOWN, bad, le16,
    le32, le64, midnight, packet,
};

pub(super) const MAGIC_1: &[u8] = b"RTSS";
pub(super) const MAGIC_2: &[u8] = b"GMBU";

const FILE_HEADER: usize = 128;

/// The file header, once read.
#[derive(Default)]
pub(super) struct Netmon {
    head: Option<Head>,
    /// Offset in the file, bytes.
    at: u64,
}

#[derive(Clone, Copy)]
struct Head {
    version: (u8, u8),
    network: u16,
    /// Start of the capture, nanoseconds.
    start: i64,
    /// Offset of the table, where the frames end.
    table: u64,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let field = |n: usize| i64::from(le16(bytes, 8 + 2 * n));
        let clock = (field(4) * 60 + field(5)) * 60 + field(6);
        let nanos = (clock * 1000 + field(7)) * 1_000_000;
        Self {
            version: (bytes[5], bytes[4]),
            network: le16(bytes, 6),
            // Field 2 is the day of the week.
            start: midnight(field(0), field(1), field(3)).saturating_add(nanos),
            table: le32(bytes, 24).into(),
        }
    }

    /// Length of the trailer of a frame: network (2.1), process (2.2), UTC time and zone (2.3).
    const fn trailer(self) -> usize {
        match self.version {
            (0 | 1, _) | (2, 0) => 0,
            (2, 1) => 2,
            (2, 2) => 6,
            _ => 15,
        }
    }
}

/// The link type of a network number: NDIS, or libpcap's from 0xe000 on. `None` for frames that
/// Network Monitor uses for its own metadata.
fn link(network: u16) -> Option<LinkType> {
    match network {
        1 => Some(LinkType::ETHERNET),
        2 => Some(LinkType::IEEE802_5),
        3 => Some(LinkType::FDDI),
        6 => Some(LinkType::IEEE802_11),
        // Tunnels, wireless WAN, raw IP.
        7..=9 => Some(LinkType::RAW),
        0xe000..=0xefff => Some(LinkType(network & 0x0fff)),
        0xf000.. => None,
        _ => Some(UNKNOWN),
    }
}

impl Records for Netmon {
    fn step(&mut self, rest: &[u8]) -> NextRecord {
        let Some(head) = self.head else {
            if rest.len() < FILE_HEADER {
                return NextRecord::Need(FILE_HEADER);
            }
            let head = Head::of(rest);
            if !matches!(head.version, (1 | 2, _)) {
                let (major, minor) = head.version;
                return bad(FaultKind::UnknownVersion(major.into(), minor.into()));
            }
            self.head = Some(head);
            self.at = FILE_HEADER as u64;
            return NextRecord::Pass(FILE_HEADER);
        };
        if self.at >= head.table && head.table > 0 {
            return if rest.is_empty() {
                NextRecord::Need(1)
            } else {
                NextRecord::Pass(rest.len())
            };
        }
        let long = head.version.0 >= 2;
        let header = if long { 16 } else { 8 };
        if rest.len() < header {
            return NextRecord::Need(header);
        }
        // Since the start: milliseconds in 1.x, microseconds in 2.x.
        let (passed, len, caplen) = if long {
            (le64(rest, 0).saturating_mul(1000), le32(rest, 8), le32(rest, 12))
        } else {
            let millis = u64::from(le32(rest, 0));
            (millis * 1_000_000, le16(rest, 4).into(), le16(rest, 6).into())
        };
        if caplen > MAX_RECORD {
            return bad(FaultKind::BadLength(caplen));
        }
        let end = header + caplen as usize;
        let size = end + head.trailer();
        if rest.len() < size {
            return NextRecord::Need(size);
        }
        self.at += size as u64;
        let network = if head.trailer() > 0 { le16(rest, end) } else { head.network };
        let Some(link) = link(network) else { return NextRecord::Pass(size) };
        // 802.11 frames have a metadata header: a version, then its length.
        let own = if network == 6 { usize::from(le16(rest, header + 1)) } else { 0 };
        let own = own.min(caplen as usize);
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let record = Record {
            time: Timestamp(head.start.saturating_add(passed)),
            start: header + own,
            caplen: caplen - own as u32,
            len: len.max(caplen) - own as u32,
            link,
            size,
        };
        packet(rest, record)
    }
}
