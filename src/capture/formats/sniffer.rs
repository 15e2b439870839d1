//! Network General Sniffer for DOS, not compressed (`.enc`, `.trc`, `.cap`).

use super::{
    FaultKind, LinkType, NextRecord, Record, Records, Timestamp, UNKNOWN, bad, le16, midnight,
    packet,
};

pub(super) const MAGIC: &[u8] = b"TRSNIFF data    \x1a";

/// Length of a record header, bytes: type, length, two reserved bytes.
const RECORD_HEADER: usize = 6;
/// Length of the header of a LAN frame, bytes.
const FRAME_HEADER: usize = 14;

/// Record types.
const VERSION: u16 = 1;
const END: u16 = 3;
const FRAME: u16 = 4;

#[derive(Default)]
pub(super) struct Sniffer {
    started: bool,
    link: Option<LinkType>,
    /// Midnight of the first day, nanoseconds.
    day: i64,
    /// Unit of time, picoseconds.
    unit: u64,
    ended: bool,
}

impl Sniffer {
    /// Parses the version record: network, date and unit of time.
    fn version(&mut self, body: &[u8]) -> Result<(), FaultKind> {
        let [_, network, format, unit] = *body
            .get(8..)
            .and_then(<[u8]>::first_chunk)
            .ok_or(FaultKind::BadBlock("a version record of impossible length"))?;
        if format != 1 {
            return Err(FaultKind::UnknownVersion(format.into(), 0));
        }
        self.link = Some(match network {
            0 => LinkType::IEEE802_5,
            1 => LinkType::ETHERNET,
            9 => LinkType::FDDI,
            _ => UNKNOWN,
        });
        self.unit = match unit {
            0 | 2 => 15_000_000,
            1 => 838_096,
            3 => 500_000,
            4 => 2_000_000,
            6 => 100_000,
            _ => 1_000_000,
        };
        // A DOS date: years since 1980 in 7 bits, month in 4, day in 5.
        let date = i64::from(le16(body, 6));
        self.day = midnight(1980 + (date >> 9), date >> 5 & 15, date & 31);
        Ok(())
    }

    fn frame(&self, rest: &[u8], body: usize, size: usize) -> NextRecord {
        let frame = rest.get(RECORD_HEADER..).unwrap_or(&[]);
        let low = u64::from(le16(frame, 0)) | u64::from(le16(frame, 2)) << 16;
        let units = low | frame.get(4).map_or(0, |high| u64::from(*high) << 32);
        let days = frame.get(5).map_or(0, |day| i64::from(*day));
        // Below 2^40 units of at most 2^24 ps each.
        let nanos = units.saturating_mul(self.unit) / 1000;
        let time = self.day + days * super::DAY + nanos as i64;
        let caplen = u32::try_from(body - FRAME_HEADER).unwrap_or(u32::MAX);
        let len = match le16(frame, 10) {
            0 => le16(frame, 6),
            cut => cut,
        };
        let start = RECORD_HEADER + FRAME_HEADER;
        let link = self.link.unwrap_or(UNKNOWN);
        let len = u32::from(len).max(caplen);
        packet(rest, Record { time: Timestamp(time), start, caplen, len, link, size })
    }
}

impl Records for Sniffer {
    fn step(&mut self, rest: &[u8]) -> NextRecord {
        if !self.started {
            if rest.len() < MAGIC.len() {
                return NextRecord::Need(MAGIC.len());
            }
            self.started = true;
            return NextRecord::Pass(MAGIC.len());
        }
        if self.ended {
            return if rest.is_empty() {
                NextRecord::Need(1)
            } else {
                NextRecord::Pass(rest.len())
            };
        }
        if rest.len() < RECORD_HEADER {
            return NextRecord::Need(RECORD_HEADER);
        }
        let (kind, body) = (le16(rest, 0), usize::from(le16(rest, 2)));
        let size = RECORD_HEADER + body;
        let Some(bytes) = rest.get(RECORD_HEADER..size) else { return NextRecord::Need(size) };
        match kind {
            VERSION => match self.version(bytes) {
                Ok(()) => NextRecord::Pass(size),
                Err(kind) => bad(kind),
            },
            FRAME if body >= FRAME_HEADER => self.frame(rest, body, size),
            FRAME => bad(FaultKind::BadBlock("a frame of impossible length")),
            END => {
                self.ended = true;
                NextRecord::Pass(size)
            }
            _ => NextRecord::Pass(size),
        }
    }
}
