//! How much may be written for what was read: else some kilobytes of compressed rows fill the disk of
//! whoever keeps the events.

use super::types::FindingEvent;

/// Bytes of findings for each byte on the wire. A row of a table that is not compressed is some 40 bytes
/// long, its finding some 700.
pub const WRITTEN_PER_BYTE: u64 = 18;

/// Bytes of findings that are written however little was read.
pub const FREE_WRITTEN: u64 = 256 << 10;

/// About how long a finding is when written, and each of its identifiers.
const FINDING: u64 = 800;
const IDENTIFIER: u64 = 150;

/// What was read and written so far.
///
/// A finding brings the bytes of its own flow. One that the wire paid for is so written always, whatever
/// others have used up.
#[derive(Default)]
pub(in crate::exposure) struct Ceiling {
    brought: u64,
    written: u64,
}

fn len(event: &FindingEvent) -> u64 {
    FINDING + IDENTIFIER * event.finding.identifiers.len() as u64
}

impl Ceiling {
    /// `bytes` came over the wire.
    pub fn bring(&mut self, bytes: u64) {
        self.brought = self.brought.saturating_add(bytes);
    }

    /// Whether a finding may be written.
    pub fn admits(&self, event: &FindingEvent) -> bool {
        let most = self.brought.saturating_mul(WRITTEN_PER_BYTE).max(FREE_WRITTEN);
        self.written.saturating_add(len(event)) <= most
    }

    /// It was written.
    pub fn written(&mut self, event: &FindingEvent) {
        self.written = self.written.saturating_add(len(event));
    }
}
