//! The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces, packets, statistics.
//!
//! Byte order and interfaces are valid for one section. Unknown blocks and options are skipped. An
//! implausible block length ends the capture, because the next block cannot be found.

use super::record::{NextRecord, Record, without_fcs};
use super::{FaultKind, LinkType, LiveCounters, MAX_RECORD, guard};
use crate::syntax::ByteOrder;
use crate::time::Timestamp;

/// Largest block accepted, bytes.
const MAX_BLOCK: usize = 16 << 20;
/// Most interfaces per section; merged captures have hundreds.
const MAX_INTERFACES: usize = 1 << 16;

/// Length of a block's type and length, bytes. The length is repeated after the body.
const BLOCK_HEAD: usize = 8;
const BLOCK_TAIL: usize = 4;

/// Block types (section 11.1 of the draft).
mod block {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const ENHANCED_PACKET: u32 = 6;

    /// Blocks without a packet that Wireshark (4.0) lists as frames: systemd journal entries,
    /// custom blocks, sysdig events.
    pub(super) const LISTED: [u32; 9] =
        [9, 0xbad, 0x4000_0bad, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222];
}

/// Option codes; their meaning depends on the block.
mod option {
    pub(super) const END: u16 = 0;
    pub(super) const PACKET_FLAGS: u16 = 2;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_FCSLEN: u16 = 13;
    pub(super) const IF_TSOFFSET: u16 = 14;
    pub(super) const ISB_IFDROP: u16 = 5;
    pub(super) const ISB_OSDROP: u16 = 7;
}

/// Lengths of the fixed parts of block bodies.
const INTERFACE_FIXED: usize = 8;
const PACKET_FIXED: usize = 20;
const STATISTICS_FIXED: usize = 12;

/// The state of a file.
#[derive(Default)]
pub(super) struct Pcapng {
    order: Order,
    started: bool,
    interfaces: Vec<Interface>,
    /// Time of the last packet that had one; a Simple Packet Block has none.
    last: Timestamp,
    /// Losses in earlier sections.
    lost: LiveCounters,
}

/// One interface of the section.
#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    unit: Unit,
    /// Offset added to all times, seconds.
    offset: i64,
    /// Length of the frame check sequence at the end of each packet, bytes.
    fcs: u8,
    /// Losses from statistics blocks, which count from the start of the capture.
    lost: LiveCounters,
    /// Losses from obsolete packet blocks, which count from packet to packet.
    drops: u64,
}

/// The unit of time stamps (if_tsresol), in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Times(u64),
    Over(u64),
    /// 2^-n seconds.
    Shift(u8),
}

impl Unit {
    const MICROSECONDS: Self = Self::Times(1000);

    /// Parses if_tsresol: a negative power of 10, or of 2 if the top bit is set.
    fn of(resolution: u8) -> Self {
        let power = resolution & 0x7f;
        if resolution & 0x80 != 0 {
            return Self::Shift(power);
        }
        match 9_u32.checked_sub(u32::from(power)) {
            Some(more) => Self::Times(10_u64.pow(more)),
            // Beyond 64 bits all times are within the first nanosecond.
            None => Self::Over(10_u64.checked_pow(u32::from(power) - 9).unwrap_or(u64::MAX)),
        }
    }

    #[inline]
    fn nanoseconds(self, units: u64) -> u128 {
        match self {
            Self::Times(n) => u128::from(units) * u128::from(n),
            Self::Over(n) => u128::from(units / n),
            // Below 2^94: no overflow.
            Self::Shift(n) => (u128::from(units) * 1_000_000_000) >> n,
        }
    }
}

impl Interface {
    #[inline]
    fn time(&self, units: u64) -> Timestamp {
        let nanos = self.unit.nanoseconds(units);
        // Times and offset are each within 2^94: no overflow.
        let nanos = nanos as i128 + i128::from(self.offset) * 1_000_000_000;
        Timestamp(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

/// Byte order of a section.
#[derive(Clone, Copy, Default)]
struct Order(ByteOrder);

impl Order {
    /// Reads a number. Callers have checked the length; beyond the end it is 0.
    #[inline]
    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let Some(&pair) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return 0 };
        self.0.u16(pair)
    }
    #[inline]
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let Some(&word) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return 0 };
        self.0.u32(word)
    }
    fn u64(self, bytes: &[u8]) -> Option<u64> {
        bytes.first_chunk().map(|long| self.0.u64(*long))
    }
    /// A time in two words, the upper one first in either byte order.
    #[inline]
    fn time(self, bytes: &[u8], at: usize) -> u64 {
        u64::from(self.u32(bytes, at)) << 32 | u64::from(self.u32(bytes, at + 4))
    }

    /// The options in `bytes`, up to the first invalid one.
    fn options(self, mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
        std::iter::from_fn(move || {
            let code = self.u16(bytes.get(..4)?, 0);
            let len = usize::from(self.u16(bytes, 2));
            let value = bytes.get(4..4 + len)?;
            if code == option::END {
                return None;
            }
            bytes = bytes.get(4 + len.next_multiple_of(4)..).unwrap_or(&[]);
            Some((code, value))
        })
    }
}

impl Pcapng {
    /// Whether a section header was read.
    pub fn started(&self) -> bool {
        self.started
    }

    /// Packets that the capturing host reports as lost.
    pub fn lost(&self) -> LiveCounters {
        let mut sum = self.lost;
        for interface in &self.interfaces {
            // If both counters exist they count the same packets.
            let LiveCounters { kernel, interface: card, .. } = interface.lost;
            let more = interface.drops.saturating_sub(kernel.saturating_add(card));
            sum.kernel = sum.kernel.saturating_add(kernel).saturating_add(more);
            sum.interface = sum.interface.saturating_add(card);
        }
        sum
    }

    /// Parses the block at the start of `rest`.
    pub fn step(&mut self, rest: &[u8]) -> NextRecord {
        let Some(head) = rest.get(..BLOCK_HEAD + BLOCK_TAIL) else {
            return NextRecord::Need(BLOCK_HEAD + BLOCK_TAIL);
        };
        // The type of a section header is a palindrome: the same in both byte orders.
        let kind = self.order.u32(head, 0);
        let mut order = self.order;
        if kind == block::SECTION {
            order.0 = match head.get(8..) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => ByteOrder::Big,
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => ByteOrder::Little,
                _ => return bad("a section header without byte-order magic"),
            };
        } else if !self.started {
            return bad("no section header");
        }
        let size = order.u32(head, 4) as usize;
        if !(BLOCK_HEAD + BLOCK_TAIL..=MAX_BLOCK).contains(&size) || !size.is_multiple_of(4) {
            return bad("a block of impossible length");
        }
        let Some(bytes) = rest.get(..size) else {
            return NextRecord::Need(size);
        };
        if order.u32(bytes, size - BLOCK_TAIL) as usize != size {
            return bad("a block whose two lengths differ");
        }
        guard::prefetch(rest);
        let body = &bytes[BLOCK_HEAD..size - BLOCK_TAIL];
        let step = match kind {
            block::ENHANCED_PACKET => self.enhanced(body),
            block::SIMPLE_PACKET => self.simple(body),
            block::OBSOLETE_PACKET => self.obsolete(body),
            block::SECTION => self.section(order, body).map(|()| None),
            block::INTERFACE => self.interface(body).map(|()| None),
            block::STATISTICS => {
                self.statistics(body);
                Ok(None)
            }
            _ if block::LISTED.contains(&kind) => return NextRecord::Other(size),
            _ => Ok(None),
        };
        match step {
            Ok(Some(record)) => {
                NextRecord::Packet(Record { start: BLOCK_HEAD + record.start, size, ..record })
            }
            Ok(None) => NextRecord::Pass(size),
            Err(kind) => NextRecord::Bad(Box::new(kind)),
        }
    }

    fn section(&mut self, order: Order, body: &[u8]) -> Result<(), FaultKind> {
        if body.len() < 16 {
            return Err(FaultKind::BadBlock("a section header of impossible length"));
        }
        let (major, minor) = (order.u16(body, 4), order.u16(body, 6));
        // 1.2 is the same (section 4.1)
        if major != 1 || !matches!(minor, 0 | 2) {
            return Err(FaultKind::UnknownVersion(major, minor));
        }
        self.lost = self.lost();
        self.order = order;
        self.started = true;
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), FaultKind> {
        const SHORT: FaultKind = FaultKind::BadBlock("an interface block of impossible length");
        let (fixed, options) = body.split_at_checked(INTERFACE_FIXED).ok_or(SHORT)?;
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(FaultKind::BadBlock("more interfaces than can be true"));
        }
        let mut interface = Interface {
            link: LinkType(self.order.u16(fixed, 0)),
            snaplen: self.order.u32(fixed, 4),
            unit: Unit::MICROSECONDS,
            offset: 0,
            fcs: 0,
            lost: LiveCounters::default(),
            drops: 0,
        };
        for (code, value) in self.order.options(options) {
            match (code, value) {
                (option::IF_TSRESOL, &[resolution, ..]) => interface.unit = Unit::of(resolution),
                (option::IF_FCSLEN, &[len, ..]) => interface.fcs = len,
                (option::IF_TSOFFSET, value) => {
                    interface.offset = self.order.u64(value).map_or(0, |v| v as i64);
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn known(&mut self, index: u32) -> Result<&mut Interface, FaultKind> {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.interfaces.get_mut(i))
            .ok_or(FaultKind::BadBlock("a packet of an interface that it does not describe"))
    }

    #[inline]
    fn enhanced(&mut self, body: &[u8]) -> Result<Option<Record>, FaultKind> {
        let index = self.order.u32(body, 0);
        self.packet(index, 0, body)
    }

    fn obsolete(&mut self, body: &[u8]) -> Result<Option<Record>, FaultKind> {
        let index = self.order.u16(body, 0);
        // 0xffff means unknown (appendix A).
        let drops = match self.order.u16(body, 2) {
            u16::MAX => 0,
            drops => u64::from(drops),
        };
        self.packet(u32::from(index), drops, body)
    }

    /// Parses the part that both kinds of packet blocks share, after their first word.
    #[inline]
    fn packet(&mut self, index: u32, drops: u64, body: &[u8]) -> Result<Option<Record>, FaultKind> {
        let order = self.order;
        if body.len() < PACKET_FIXED {
            return Err(FaultKind::BadBlock("a packet block of impossible length"));
        }
        let (caplen, len) = (order.u32(body, 12), order.u32(body, 16));
        let room = body.len() - PACKET_FIXED;
        if caplen > MAX_RECORD || caplen as usize > room {
            return Err(FaultKind::BadLength(caplen));
        }
        let interface = self.known(index)?;
        interface.drops = interface.drops.saturating_add(drops);
        let time = interface.time(order.time(body, 4));
        let (link, mut fcs) = (interface.link, interface.fcs);
        let options = PACKET_FIXED + (caplen as usize).next_multiple_of(4);
        for (code, value) in order.options(body.get(options..).unwrap_or(&[])) {
            // Bits 5 to 8: length of the frame check sequence, 0 if unknown (section 4.3.1).
            // Direction and reception type are not used.
            if code == option::PACKET_FLAGS && value.len() >= 4 {
                match (order.u32(value, 0) >> 5 & 0xf) as u8 {
                    0 => {}
                    known => fcs = known,
                }
            }
        }
        self.last = time;
        let (caplen, len) = without_fcs(caplen, len, fcs);
        Ok(Some(Record { time, start: PACKET_FIXED, caplen, len, link, size: 0 }))
    }

    fn simple(&mut self, body: &[u8]) -> Result<Option<Record>, FaultKind> {
        const FIXED: usize = 4;
        if body.len() < FIXED {
            return Err(FaultKind::BadBlock("a packet block of impossible length"));
        }
        let (len, time) = (self.order.u32(body, 0), self.last);
        // Belongs to the first interface (section 4.4). A snap length of 0 means none.
        let &mut Interface { link, snaplen, fcs, .. } = self.known(0)?;
        let room = u32::try_from(body.len() - FIXED).unwrap_or(u32::MAX);
        let caplen = if snaplen == 0 { len } else { len.min(snaplen) };
        if caplen > MAX_RECORD || caplen > room {
            return Err(FaultKind::BadLength(caplen));
        }
        let (caplen, len) = without_fcs(caplen, len, fcs);
        Ok(Some(Record { time, start: FIXED, caplen, len, link, size: 0 }))
    }

    fn statistics(&mut self, body: &[u8]) {
        let order = self.order;
        let Some(options) = body.get(STATISTICS_FIXED..) else { return };
        // Statistics of an unknown interface are ignored.
        let Ok(interface) = self.known(order.u32(body, 0)) else { return };
        for (code, value) in order.options(options) {
            let Some(count) = order.u64(value) else { continue };
            let counter = match code {
                option::ISB_IFDROP => &mut interface.lost.interface,
                option::ISB_OSDROP => &mut interface.lost.kernel,
                _ => continue,
            };
            *counter = count.max(*counter);
        }
    }
}

fn bad(reason: &'static str) -> NextRecord {
    NextRecord::Bad(Box::new(FaultKind::BadBlock(reason)))
}

#[cfg(test)]
mod tests;
