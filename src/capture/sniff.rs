//! Recognises files by their first bytes. File names are ignored.

use super::{formats, k12};

/// Bytes needed to decide.
pub(super) const SNIFF: usize = 6;

/// A compression format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    Xz,
    Lz4,
    Bzip2,
    /// Not compressed, but also converted to other bytes.
    K12,
    /// A skippable frame, which zstd and lz4 share (RFC 8878 3.1.2); the next frame decides.
    Skippable,
}

impl Packing {
    /// Recognises compressed data.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // RFC 1952 2.3.1; 8 is the only method.
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Some(Self::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            bytes if bytes.starts_with(k12::RULE) => Some(Self::K12),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Skippable),
            _ => None,
        }
    }

    /// The usual name of the format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
            Self::Bzip2 => "bzip2",
            Self::K12 => "K12 text",
            Self::Skippable => "zstd or lz4",
        }
    }
}

/// Whether it begins like a capture whose format has a magic number.
pub fn is_capture(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xa1, 0xb2, 0xc3, 0xd4, ..]
            | [0xd4, 0xc3, 0xb2, 0xa1, ..]
            | [0xa1, 0xb2, 0x3c, 0x4d, ..]
            | [0x4d, 0x3c, 0xb2, 0xa1, ..]
    ) || is_pcapng(bytes)
        || formats::is_known(bytes)
}

/// Whether it begins like pcapng.
pub(super) fn is_pcapng(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a])
}

/// The remedy for a known kind of file that is not a supported capture.
pub(super) fn remedy(magic: [u8; 4]) -> &'static str {
    match magic {
        [b'P', b'K', ..] => "a ZIP archive: unpack it first",
        [b'7', b'z', 0xbc, 0xaf] => "a 7-Zip archive: unpack it first",
        [0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1] => {
            "a capture in Kuznetzov's variant of pcap: convert it with editcap -F pcap"
        }
        [b'X', b'C', b'P', 0] => "a Sniffer file of Windows: convert it with editcap -F pcap",
        [0, 0, 2, 0] => "perhaps a K12 file (.rf5): convert it with editcap -F pcap",
        _ => "give a pcap or pcapng file",
    }
}
