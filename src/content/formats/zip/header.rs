//! Local file headers (APPNOTE 4.3.7).

use crate::protocol::encrypted::Encryption;

/// Bytes of a header before the name.
pub(super) const FIXED: usize = 30;

/// Extra field that holds sizes of eight bytes (4.5.3).
const ZIP64: u16 = 0x0001;

/// Compression of a member (4.4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Stored,
    Deflated,
    /// By another coding that is supported.
    Coded(&'static str),
    /// Deflate64, LZMA and older ones: not supported.
    Other,
}

/// A member's local header.
pub(super) struct Header {
    pub(super) name: String,
    pub(super) method: Method,
    /// Flag bit 0, and the method number of AES.
    pub(super) encryption: Encryption,
    /// Bytes in the archive; `None` if the size follows the data (flag bit 3).
    pub(super) size: Option<u64>,
}

/// Meaning of the bytes at a signature.
pub(super) enum Parsed {
    /// A header of this length.
    Header(Header, usize),
    /// More bytes are needed.
    Short,
    /// The central directory or a later part: no member follows.
    End,
    /// None of these.
    Nothing,
}

pub(super) fn parse(data: &[u8]) -> Parsed {
    match data {
        [b'P', b'K', 3, 4, ..] => {}
        [b'P', b'K', 1 | 5 | 6, 2 | 5 | 6, ..] => return Parsed::End,
        _ if data.len() < 4 => return Parsed::Short,
        _ => return Parsed::Nothing,
    }
    let two = |at: usize| match data.get(at..at + 2) {
        Some(&[a, b]) => u16::from_le_bytes([a, b]),
        _ => 0,
    };
    if data.len() < FIXED {
        return Parsed::Short;
    }
    let (flags, method) = (two(6), two(8));
    let four = |at: usize| u64::from(two(at)) | u64::from(two(at + 2)) << 16;
    let (name_end, end) = {
        let name_end = FIXED + usize::from(two(26));
        (name_end, name_end + usize::from(two(28)))
    };
    let (Some(name), Some(extra)) = (data.get(FIXED..name_end), data.get(name_end..end)) else {
        return Parsed::Short;
    };
    let mut size = Some(four(18));
    if size == Some(u64::from(u32::MAX)) {
        size = long_size(extra);
    }
    if flags & 8 != 0 && matches!(size, Some(0)) {
        size = None;
    }
    let header = Header {
        name: String::from_utf8_lossy(name).into_owned(),
        method: match method {
            0 => Method::Stored,
            8 => Method::Deflated,
            12 => Method::Coded("bzip2"),
            93 => Method::Coded("zstd"),
            95 => Method::Coded("xz"),
            _ => Method::Other,
        },
        encryption: match flags & 1 != 0 || method == 99 {
            true => Encryption::Encrypted,
            false => Encryption::Clear,
        },
        size,
    };
    Parsed::Header(header, end)
}

/// The size in the archive from the extra fields.
fn long_size(mut extra: &[u8]) -> Option<u64> {
    while let [a, b, c, d, rest @ ..] = extra {
        let len = usize::from(u16::from_le_bytes([*c, *d]));
        let field = rest.get(..len)?;
        if u16::from_le_bytes([*a, *b]) == ZIP64 {
            // The original size comes first, in a local header always.
            return field.get(8..16)?.try_into().ok().map(u64::from_le_bytes);
        }
        extra = rest.get(len..)?;
    }
    None
}
