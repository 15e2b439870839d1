//! The classic pcap format, in both byte orders, with micro- and nanoseconds
//! (draft-ietf-opsawg-pcap).

use super::record::{NextRecord, Record, without_fcs};
use super::{FaultKind, LinkType, MAX_RECORD, guard};
use crate::syntax::ByteOrder;
use crate::time::Timestamp;

/// Length of the file header, bytes.
pub(super) const FILE_HEADER: usize = 24;
/// Length of a record header, bytes.
pub(super) const RECORD_HEADER: usize = 16;

/// A parsed file header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    order: ByteOrder,
    nanoseconds: bool,
    link: LinkType,
    /// Length of the frame check sequence at the end of each packet, bytes.
    fcs: u8,
}

impl Header {
    /// Parses the file header at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, FaultKind> {
        let Some(&magic) = bytes.first_chunk::<4>() else {
            return Err(if bytes.is_empty() {
                FaultKind::Empty
            } else {
                FaultKind::TruncatedHeader
            });
        };
        let (order, nanoseconds) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (ByteOrder::Big, false),
            [0xd4, 0xc3, 0xb2, 0xa1] => (ByteOrder::Little, false),
            [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, true),
            [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, true),
            other => return Err(FaultKind::NotACapture(other)),
        };
        let head = bytes.first_chunk::<FILE_HEADER>().ok_or(FaultKind::TruncatedHeader)?;
        let word = |at: usize| word(head, at, order);
        let half = |at: usize| order.u16([head[at], head[at + 1]]);
        if half(4) != 2 {
            return Err(FaultKind::UnknownVersion(half(4), half(6)));
        }
        // Upper half of the link type field: FCS length in 16-bit units after a flag bit.
        let link = word(20);
        let fcs = if link & 0x0400_0000 != 0 { (link >> 28) as u8 * 2 } else { 0 };
        let link = LinkType((link & 0xffff) as u16);
        if link.name().is_none() {
            return Err(FaultKind::UnknownLink(link.0));
        }
        Ok(Self { order, nanoseconds, link, fcs })
    }

    /// Parses the record at the start of `rest`, if it is complete.
    #[inline]
    pub fn record(&self, rest: &[u8]) -> Option<Record> {
        let [seconds, fraction, caplen, len] = self.words(rest.first_chunk()?);
        let size = RECORD_HEADER + caplen as usize;
        if caplen > MAX_RECORD || rest.len() < size {
            return None;
        }
        guard::prefetch(rest);
        let nanos = if self.nanoseconds { fraction } else { fraction.saturating_mul(1000) };
        let (caplen, len) = without_fcs(caplen, len, self.fcs);
        Some(Record {
            time: Timestamp::new(i64::from(seconds), nanos),
            start: RECORD_HEADER,
            caplen,
            len,
            link: self.link,
            size,
        })
    }

    /// Parses the start of `rest`.
    #[inline]
    pub fn step(&self, rest: &[u8]) -> NextRecord {
        if let Some(record) = self.record(rest) {
            return NextRecord::Packet(record);
        }
        let Some(head) = rest.first_chunk() else { return NextRecord::Need(RECORD_HEADER) };
        match self.words(head)[2] {
            caplen if caplen > MAX_RECORD => {
                NextRecord::Bad(Box::new(FaultKind::BadLength(caplen)))
            }
            caplen => NextRecord::Need(RECORD_HEADER + caplen as usize),
        }
    }

    /// The fields of a record header: seconds, fraction, captured length, wire length.
    #[inline]
    fn words(&self, head: &[u8; RECORD_HEADER]) -> [u32; 4] {
        let word = |at: usize| word(head, at, self.order);
        [word(0), word(4), word(8), word(12)]
    }
}

#[inline]
fn word(bytes: &[u8], at: usize, order: ByteOrder) -> u32 {
    order.u32([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
