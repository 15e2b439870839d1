//! How much memory results may take. A file of events may be compressed, rows of a store may share their
//! pages, and an event that lists thousands of patients may repeat a long text for each of them.

use super::model::PatientObservation;
use crate::output::{MAX_WEIGHT, weight};

/// Memory for everything, and for what exceeds the usual sizes, bytes.
const MAX_ALL: usize = 2 << 30;
const MAX_EXCESS: usize = 256 << 20;
/// Usual sizes, bytes: of an exposure, a service or an asset in memory, of a finding, of the texts of a sighting, and
/// of the name of a sensor or a capture file.
const USUAL_ENTRY: usize = 32 << 10;
pub(super) const USUAL_FINDING: usize = 2 << 10;
pub(super) const USUAL_SIGHTING: usize = 512;
pub(super) const USUAL_NAME: usize = 512;
/// Longest event, bytes. Summaries are longer: they list the files of a run, or numbers.
pub(super) const MAX_EVENT: usize = 64 << 10;
/// Kinds of identifiers of one patient that are kept, and the longest name of one, bytes.
const MAX_KINDS: usize = 64;
const MAX_KIND: usize = 64;
/// A member of an identifier in memory, bytes.
const MEMBER: usize = 48;

/// What is left of the memory.
pub(super) struct Grant {
    all: usize,
    excess: usize,
}

impl Default for Grant {
    fn default() -> Self {
        Self::of(MAX_EXCESS)
    }
}

impl Grant {
    /// With so many bytes for what exceeds the usual sizes.
    pub(super) const fn of(excess: usize) -> Self {
        Self { all: MAX_ALL, excess }
    }

    /// Whether there is room for `bytes`, of which `usual` are no excess.
    pub(super) fn fits(&mut self, bytes: usize, usual: usize) -> bool {
        let all = self.all.checked_sub(bytes);
        let excess = self.excess.checked_sub(bytes.saturating_sub(usual));
        let (Some(all), Some(excess)) = (all, excess) else { return false };
        *self = Self { all, excess };
        true
    }

    /// Whether there is room for an exposure, a service or an asset.
    pub(super) fn fits_entry(&mut self, text: &[u8]) -> bool {
        let bytes = weight(text);
        bytes <= MAX_WEIGHT && self.fits(bytes, USUAL_ENTRY)
    }
}

/// Bytes that a list of identifiers takes in memory, roughly.
pub(super) fn identifiers(text: &[u8]) -> usize {
    text.len() + MEMBER * memchr::memchr2_iter(b',', b':', text).count()
}

/// Bytes of the texts of a sighting.
pub(super) fn texts(seen: &PatientObservation) -> usize {
    let files = seen.evidence.as_ref().map_or(0, |at| at.file.len() + at.last_file.len());
    let layers: usize = seen.carrier.iter().map(|layer| layer.len() + size_of::<String>()).sum();
    let texts = [&seen.id, &seen.rule, &seen.operation, &seen.direction, &seen.community_id];
    texts.iter().map(|text| text.len()).sum::<usize>() + layers + files
}

/// Adds a kind of identifier that is not in `kinds` yet, if it may be one.
pub(super) fn note_kind(kinds: &mut Vec<String>, kind: &str) {
    let known = || kinds.iter().any(|known| known == kind);
    if kinds.len() < MAX_KINDS && kind.len() <= MAX_KIND && !known() {
        kinds.push(kind.to_owned());
    }
}
