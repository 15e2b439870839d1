//! Records of capture files, as the formats find them.

use super::{FaultKind, LinkType};
use crate::time::Timestamp;

/// A packet record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub time: Timestamp,
    /// Offset of the packet from the start of the record.
    pub start: usize,
    /// Captured length without the frame check sequence, bytes.
    pub caplen: u32,
    /// Length on the wire without the frame check sequence, bytes.
    pub len: u32,
    pub link: LinkType,
    /// Length of the whole record, bytes.
    pub size: usize,
}

/// What some bytes begin with.
#[derive(Debug)]
pub(super) enum NextRecord {
    Packet(Record),
    /// This many bytes without a packet.
    Pass(usize),
    /// The same, but Wireshark counts them as a frame.
    Other(usize),
    /// This many bytes are needed to decide.
    Need(usize),
    Bad(Box<FaultKind>),
}

/// Captured and wire length without a frame check sequence of `fcs` bytes. The snap length cuts the
/// frame check sequence first.
#[inline]
pub(super) fn without_fcs(caplen: u32, len: u32, fcs: u8) -> (u32, u32) {
    // Some writers set a wire length that is too small or zero.
    let (len, fcs) = (len.max(caplen), u32::from(fcs));
    let cut = (len - caplen).min(fcs);
    (caplen.saturating_sub(fcs - cut), len.saturating_sub(fcs))
}
