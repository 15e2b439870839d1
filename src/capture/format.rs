//! One interface to all file formats: parsers that say what the bytes at hand begin with.

use super::pcap::{self, FILE_HEADER};
use super::pcapng::Pcapng;
use super::record::NextRecord;
use super::{FaultKind, LiveCounters, formats, sniff};

/// A capture format.
pub(super) enum Format {
    Pcap(pcap::Header),
    Pcapng(Box<Pcapng>),
    Other(Box<dyn formats::Records>),
}

impl Format {
    /// Recognises the format of a capture by its first bytes. Also returns how many of them its
    /// header takes. `None` if more are needed.
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

    /// Parses the start of `rest`.
    #[inline]
    pub fn step(&mut self, rest: &[u8]) -> NextRecord {
        match self {
            Self::Pcap(header) => header.step(rest),
            Self::Pcapng(pcapng) => pcapng.step(rest),
            Self::Other(records) => records.step(rest),
        }
    }

    /// Whether the file header was read.
    pub fn started(&self) -> bool {
        match self {
            Self::Pcap(_) | Self::Other(_) => true,
            Self::Pcapng(pcapng) => pcapng.started(),
        }
    }

    /// Packets that the capturing host reports as lost.
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
