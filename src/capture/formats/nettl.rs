//! HP-UX network tracing (nettl), version 10 and later.
//!
//! A record names one of about a hundred traced subsystems. The first bytes of its data show
//! whether it is a LAN frame or an IP packet.

use super::{LinkType, NextRecord, Record, Records, Timestamp, UNKNOWN, be16, be32, packet};

/// "TR" and the version of HP-UX in binary.
pub(super) const MAGIC: &[u8] = b"TR\0d\0";

const FILE_HEADER: usize = 128;
/// Length of the part of a record header that is read, bytes.
const RECORD_HEADER: usize = 48;

#[derive(Default)]
pub(super) struct Nettl {
    started: bool,
}

/// The link type that a record's bytes suggest.
fn link(bytes: &[u8]) -> LinkType {
    let version = bytes.first().map_or(0, |b| b >> 4);
    let whole = match version {
        4 => usize::from(be16(bytes, 2)),
        6 => usize::from(be16(bytes, 4)) + 40,
        _ => 0,
    };
    // A MAC address may look like an IP header, but the length will not match.
    if whole > 0 && whole.abs_diff(bytes.len()) < 4 {
        return LinkType::RAW;
    }
    match be16(bytes, 12) {
        0x0800 | 0x0806 | 0x86dd | 0x8100 | 0x88a8 | 0x8847 | 0x8848 | 0x8863 | 0x8864 => {
            LinkType::ETHERNET
        }
        len if usize::from(len) <= bytes.len() => LinkType::ETHERNET,
        _ => UNKNOWN,
    }
}

impl Records for Nettl {
    fn step(&mut self, rest: &[u8]) -> NextRecord {
        if !self.started {
            if rest.len() < FILE_HEADER {
                return NextRecord::Need(FILE_HEADER);
            }
            self.started = true;
            return NextRecord::Pass(FILE_HEADER);
        }
        if rest.len() < RECORD_HEADER {
            return NextRecord::Need(RECORD_HEADER);
        }
        let start = usize::from(be16(rest, 0));
        let (len, caplen) = (be32(rest, 32), be32(rest, 36));
        let time = Timestamp::new(be32(rest, 40).into(), be32(rest, 44).saturating_mul(1000));
        let size = start.saturating_add(caplen as usize);
        let bytes = rest.get(start..size).unwrap_or(&[]);
        let link = link(bytes);
        let size = size.max(RECORD_HEADER);
        packet(rest, Record { time, start, caplen, len: len.max(caplen), link, size })
    }
}
