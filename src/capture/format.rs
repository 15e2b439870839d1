//! The file formats behind one face: a parser over the bytes at hand that says what comes next.

use super::pcap::{self, FILE_HEADER};
use super::pcapng::Pcapng;
use super::{FaultKind, LinkType, LiveCounters, formats, sniff};
use crate::time::Timestamp;

/// A packet record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub time: Timestamp,
    /// Where the packet starts, from the start of the record.
    pub start: usize,
    /// Captured length without a frame check sequence.
    pub caplen: u32,
    /// Length on the wire without it.
    pub len: u32,
    pub link: LinkType,
    /// Length of the whole record.
    pub size: usize,
}

/// What is at the start of the bytes.
#[derive(Debug)]
pub(super) enum NextRecord {
    Packet(Record),
    /// Nothing for the user in so many bytes.
    Pass(usize),
    /// The same, but Wireshark shows it as a frame with a number.
    Other(usize),
    /// This many bytes are needed to decide.
    Need(usize),
    Bad(Box<FaultKind>),
}

/// A capture format.
pub(super) enum Format {
    Pcap(pcap::Header),
    Pcapng(Box<Pcapng>),
    Other(Box<dyn formats::Records>),
}

impl Format {
    /// Recognises the format by the first bytes of a capture, and how many of them it has used. None
    /// if more are needed.
    pub fn open(bytes: &[u8], ended: bool) -> Result<Option<(Self, usize)>, FaultKind> {
        if bytes.len() < 4 && !ended {
            return Ok(None);
        }
        if sniff::is_pcapng(bytes) {
            return Ok(Some((Self::Pcapng(Box::default()), 0)));
        }
        match pcap::Header::parse(bytes) {
            Ok(header) => Ok(Some((Self::Pcap(header), FILE_HEADER))),
            Err(FaultKind::NotACapture(_)) if bytes.len() < FILE_HEADER && !ended => Ok(None),
            Err(kind @ FaultKind::NotACapture(_)) => match formats::open(bytes, ended) {
                Some(records) => Ok(Some((Self::Other(records), 0))),
                None => Err(kind),
            },
            Err(FaultKind::TruncatedHeader) if !ended => Ok(None),
            Err(kind) => Err(kind),
        }
    }

    /// Looks at what comes next; `rest` starts there.
    #[inline]
    pub fn step(&mut self, rest: &[u8]) -> NextRecord {
        match self {
            Self::Pcap(header) => header.step(rest),
            Self::Pcapng(pcapng) => pcapng.step(rest),
            Self::Other(records) => records.step(rest),
        }
    }

    /// Whether the header of the file was read.
    pub fn started(&self) -> bool {
        match self {
            Self::Pcap(_) | Self::Other(_) => true,
            Self::Pcapng(pcapng) => pcapng.started(),
        }
    }

    /// Packets that the capturing host says it lost.
    pub fn lost(&self) -> LiveCounters {
        match self {
            Self::Pcap(_) => LiveCounters::default(),
            Self::Pcapng(pcapng) => pcapng.lost(),
            Self::Other(records) => {
                LiveCounters { kernel: records.lost(), ..LiveCounters::default() }
            }
        }
    }
}

/// The captured and the wire length without a frame check sequence of `fcs` bytes at the end of the
/// frame; what the snap length cut off is cut from it first.
#[inline]
pub(super) fn without_fcs(caplen: u32, len: u32, fcs: u8) -> (u32, u32) {
    // Some writers leave the wire length smaller or zero.
    let (len, fcs) = (len.max(caplen), u32::from(fcs));
    let cut = (len - caplen).min(fcs);
    (caplen.saturating_sub(fcs - cut), len.saturating_sub(fcs))
}
