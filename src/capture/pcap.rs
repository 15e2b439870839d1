//! The classic pcap format, in both byte orders, with micro- and nanoseconds
//! (draft-ietf-opsawg-pcap).

use super::{FaultKind, LinkType, MAX_RECORD};
use crate::time::Timestamp;

/// Length of the file header, bytes.
pub(super) const FILE_HEADER: usize = 24;
/// Length of a record header, bytes.
pub(super) const RECORD_HEADER: usize = 16;

/// What the file header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    big_endian: bool,
    nanoseconds: bool,
    pub link: LinkType,
    /// Bytes of a frame check sequence at the end of each packet.
    pub fcs: u8,
}

/// A record header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub time: Timestamp,
    pub caplen: u32,
    pub len: u32,
}

impl Header {
    /// Reads the file header; `bytes` are the first of the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, FaultKind> {
        let Some(&magic) = bytes.first_chunk::<4>() else {
            return Err(if bytes.is_empty() {
                FaultKind::Empty
            } else {
                FaultKind::TruncatedHeader
            });
        };
        let (big_endian, nanoseconds) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, false),
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, false),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, true),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, true),
            other => return Err(FaultKind::NotACapture(other)),
        };
        let head = bytes.first_chunk::<FILE_HEADER>().ok_or(FaultKind::TruncatedHeader)?;
        let word = |at: usize| word(head, at, big_endian);
        let half = |at: usize| {
            let pair = [head[at], head[at + 1]];
            if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        if half(4) != 2 {
            return Err(FaultKind::UnknownVersion(half(4), half(6)));
        }
        // Upper half of the link type field: FCS length in 16-bit units behind a flag bit
        let link = word(20);
        let fcs = if link & 0x0400_0000 != 0 { (link >> 28) as u8 * 2 } else { 0 };
        let link = LinkType((link & 0xffff) as u16);
        if link.name().is_none() {
            return Err(FaultKind::UnknownLink(link.0));
        }
        Ok(Self { big_endian, nanoseconds, link, fcs })
    }

    /// Reads a record header.
    #[inline]
    pub fn record(&self, head: &[u8; RECORD_HEADER]) -> Result<Record, FaultKind> {
        let word = |at: usize| word(head, at, self.big_endian);
        let caplen = word(8);
        if caplen > MAX_RECORD {
            return Err(FaultKind::BadLength(caplen));
        }
        let fraction = word(4);
        let nanos = if self.nanoseconds { fraction } else { fraction.saturating_mul(1000) };
        Ok(Record {
            time: Timestamp::new(i64::from(word(0)), nanos),
            caplen,
            // Some writers leave the wire length smaller or zero.
            len: word(12).max(caplen),
        })
    }
}

#[inline]
fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}
