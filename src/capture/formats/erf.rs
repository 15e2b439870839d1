//! Endace's Extensible Record Format. It has no file header and no magic number, so a file is
//! recognised by plausible first records.

use super::{FaultKind, LinkType, NextRecord, Record, Records, Timestamp, bad, be16, le64, packet};

/// Length of a record header, bytes: time, type, flags, lengths, loss counter and wire length.
const HEADER: usize = 16;
/// Length of an extension header, bytes. The top bit of the preceding type announces it.
const EXTENSION: usize = 8;
/// Most extension headers.
const MAX_EXTENSIONS: usize = 16;
/// Plausible records that make a file ERF.
const TOLD_BY: usize = 3;
/// Most bytes by which a record exceeds its packet: padding to 64 bits, and two bytes before
/// Ethernet.
const MAX_PADDING: usize = 16;

/// Record type for provenance metadata (ERF 27), without a packet.
const META: u8 = 27;

pub(super) struct Erf;

/// The lengths of a record.
struct Lengths {
    /// Length of the whole record.
    record: usize,
    /// Length of header and extensions.
    headers: usize,
    /// Length of the packet on the wire.
    wire: usize,
}

/// Reads the lengths; `None` if they are implausible or incomplete.
fn lengths(bytes: &[u8]) -> Option<Lengths> {
    let head = bytes.first_chunk::<HEADER>()?;
    let (record, wire) = (usize::from(be16(head, 10)), usize::from(be16(head, 14)));
    let mut headers = HEADER;
    let mut more = head[8] & 0x80 != 0;
    for _ in 0..MAX_EXTENSIONS {
        if !more {
            break;
        }
        more = bytes.get(headers)? & 0x80 != 0;
        headers += EXTENSION;
    }
    (!more && record >= headers).then_some(Lengths { record, headers, wire })
}

/// Whether the first records are plausible.
pub(in crate::capture) fn is_erf(bytes: &[u8], ended: bool) -> bool {
    let (mut rest, mut before) = (bytes, 0);
    for n in 0..TOLD_BY {
        let Some(found) = lengths(rest) else {
            return n > 0 && rest.is_empty() && ended;
        };
        let kind = rest.get(8).map_or(0, |kind| kind & 0x7f);
        let seconds = le64(rest, 0) >> 32;
        let is_meta = kind == META;
        let true_time = is_meta || seconds.abs_diff(before) < 86_400 || before == 0 && seconds > 0;
        let room = found.headers + found.wire + MAX_PADDING;
        if !(1..=48).contains(&kind) || !true_time || found.wire == 0 || found.record > room {
            return false;
        }
        before = if is_meta { before } else { seconds };
        let Some(next) = rest.get(found.record..) else { return n > 0 };
        rest = next;
    }
    true
}

impl Records for Erf {
    fn step(&mut self, rest: &[u8]) -> NextRecord {
        if rest.len() < HEADER {
            return NextRecord::Need(HEADER);
        }
        let size = usize::from(be16(rest, 10));
        if size < HEADER {
            return bad(FaultKind::BadLength(size as u32));
        }
        if rest.len() < size {
            return NextRecord::Need(size);
        }
        let Some(found) = lengths(rest) else {
            return bad(FaultKind::BadBlock("a record of impossible length"));
        };
        if rest[8] & 0x7f == META {
            return NextRecord::Pass(size);
        }
        // Seconds and binary fraction in one 64-bit number.
        let time = le64(rest, 0);
        let nanos = ((time & 0xffff_ffff) * 1_000_000_000) >> 32;
        // The decoder parses the record itself, as it does for ERF inside pcap.
        let record = Record {
            time: Timestamp::new((time >> 32) as i64, nanos as u32),
            start: 0,
            caplen: size as u32,
            len: (found.headers + found.wire).max(size) as u32,
            link: LinkType::ERF,
            size,
        };
        packet(rest, record)
    }
}
