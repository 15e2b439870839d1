//! TIFF files: their front and the surroundings of the first directory are kept.

use super::{Words, exif};
use crate::content::{Scope, Want};
use zeroize::Zeroizing;

/// Bytes kept of the front of a file.
const MAX_FRONT: usize = 128 << 10;

/// Bytes kept before and after the first directory, if it lies further back.
const BEFORE: u64 = 32 << 10;
const BEHIND: usize = 96 << 10;

/// The file so far.
#[derive(Default)]
pub(super) struct Tiff {
    front: Zeroizing<Vec<u8>>,
    back: Zeroizing<Vec<u8>>,
    /// Offset of `back` in the file.
    at: u64,
}

impl Tiff {
    pub(super) fn data(&mut self, bytes: &[u8]) -> Want {
        let room = MAX_FRONT.saturating_sub(self.front.len()).min(bytes.len());
        let (front, rest) = bytes.split_at(room);
        self.front.extend_from_slice(front);
        if self.front.len() < MAX_FRONT {
            return Want::ALL;
        }
        let directory = exif::first_directory(&self.front).unwrap_or(0);
        let start = directory.saturating_sub(BEFORE);
        let mut rest = rest;
        if self.at == 0 {
            if directory < MAX_FRONT as u64 {
                return Want::NOTHING;
            }
            self.at = start.max(MAX_FRONT as u64);
            let skip = self.at - MAX_FRONT as u64;
            match usize::try_from(skip).ok().and_then(|skip| rest.get(skip..)) {
                Some(behind) => rest = behind,
                None => return Want { skip: skip - rest.len() as u64 },
            }
        }
        let room = BEHIND.saturating_add(BEFORE as usize).saturating_sub(self.back.len());
        self.back.extend_from_slice(rest.get(..room).unwrap_or(rest));
        if rest.len() >= room { Want::NOTHING } else { Want::ALL }
    }

    pub(super) fn read(&self, words: &mut Words, scope: &mut Scope<'_>) {
        exif::read(&exif::Windows::two(&self.front, self.at, &self.back), words, scope);
    }

    pub(super) fn memory(&self) -> usize {
        self.front.capacity() + self.back.capacity()
    }
}
