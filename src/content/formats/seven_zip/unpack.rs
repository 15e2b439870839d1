//! The methods that unpack a folder.

use super::header::Folder;
use crate::content::Reason;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader};
use std::cell::Cell;
use std::io::Read;

/// Largest dictionaries of a folder together, bytes: as for xz files. One that is larger than what comes out is not
/// needed whole.
const MAX_DICTIONARY: u64 = 16 << 20;
/// Smallest dictionary of LZMA, bytes.
const MIN_DICTIONARY: u64 = 4096;

/// IDs of methods (Methods.txt of the LZMA SDK).
mod method {
    pub const COPY: u64 = 0x00;
    pub const DELTA: u64 = 0x03;
    pub const BCJ_X86: u64 = 0x04;
    pub const ARM64: u64 = 0x0a;
    pub const LZMA2: u64 = 0x21;
    pub const LZMA: u64 = 0x03_01_01;
    pub const X86: u64 = 0x03_03_01_03;
    pub const DEFLATE: u64 = 0x04_01_08;
    pub const BZIP2: u64 = 0x04_02_02;
    pub const AES: u64 = 0x06_f1_07_01;
}

/// The work that a folder may still cause. A method pays for what comes out of it, also if only the next method reads
/// that: otherwise a chain of methods would work for hours on nothing that anyone sees.
#[derive(Default)]
pub(super) struct Work(Cell<u64>);

impl Work {
    /// So much is allowed from now on.
    pub fn allow(&self, work: u64) {
        self.0.set(work);
    }

    /// What is left of it.
    pub fn left(&self) -> u64 {
        self.0.get()
    }
}

/// What a byte costs that another method unpacks further: that may set up its tables for every few of them.
const PACKED_BYTE: u64 = 4;

/// A reader that pays for each byte.
struct Paid<'a> {
    inner: Box<dyn Read + 'a>,
    work: &'a Work,
    /// The work of each byte.
    cost: u64,
}

impl Read for Paid<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let left = self.work.left();
        if left == 0 {
            return Err(std::io::ErrorKind::QuotaExceeded.into());
        }
        let most = usize::try_from(left.div_ceil(self.cost)).unwrap_or(usize::MAX).min(room.len());
        let made = self.inner.read(room.get_mut(..most).unwrap_or_default())?;
        self.work.allow(self.work.left().saturating_sub(made as u64 * self.cost));
        Ok(made)
    }
}

/// What comes out of a folder, read in order, as far as `work` goes.
///
/// # Errors
/// Why it cannot be unpacked: it is encrypted, or a method or its dictionary is not supported.
pub(super) fn unpack<'a>(
    folder: &Folder<'a>,
    work: &'a Work,
) -> Result<Box<dyn Read + 'a>, Reason> {
    if folder.methods.is_empty() {
        return Err(Reason::Unsupported);
    }
    let mut reader: Box<dyn Read + 'a> = Box::new(folder.packed);
    let mut room = MAX_DICTIONARY;
    for (at, of) in folder.methods.iter().enumerate() {
        let mut window = |declared: u64| {
            let needed = declared.min(of.unpacked).max(MIN_DICTIONARY);
            room = room.checked_sub(needed).ok_or(Reason::Limit)?;
            u32::try_from(needed).map_err(|_| Reason::Limit)
        };
        reader = match (of.id, of.properties) {
            (method::COPY, _) => reader,
            (method::LZMA2, [bits, ..]) => {
                Box::new(Lzma2Reader::new(reader, window(dictionary(*bits))?, None))
            }
            (method::LZMA, [properties, a, b, c, d, ..]) => {
                let declared = u32::from_le_bytes([*a, *b, *c, *d]);
                let window = window(u64::from(declared))?;
                let lzma =
                    LzmaReader::new_with_props(reader, of.unpacked, *properties, window, None);
                Box::new(lzma.map_err(|_| Reason::Malformed)?)
            }
            (method::DEFLATE, _) => Box::new(flate2::read::DeflateDecoder::new(reader)),
            (method::BZIP2, _) => Box::new(bzip2::read::BzDecoder::new(reader)),
            (method::BCJ_X86 | method::X86, _) => Box::new(BcjReader::new_x86(reader, 0)),
            (method::ARM64, _) => Box::new(BcjReader::new_arm64(reader, 0)),
            (method::DELTA, [distance, ..]) => {
                Box::new(DeltaReader::new(reader, usize::from(*distance) + 1))
            }
            (method::AES, _) => return Err(Reason::Encrypted),
            _ => return Err(Reason::Unsupported),
        };
        let cost = if at + 1 == folder.methods.len() { 1 } else { PACKED_BYTE };
        reader = Box::new(Paid { inner: reader, work, cost });
    }
    Ok(reader)
}

/// The size of the dictionary of LZMA2: a mantissa of 2 or 3 and an exponent.
fn dictionary(bits: u8) -> u64 {
    match bits & 0x3f {
        bits @ 0..40 => u64::from(2 | bits & 1) << (bits / 2 + 11),
        _ => u64::from(u32::MAX),
    }
}
