//! How much may be written for what was read: else some kilobytes of compressed rows fill the disk of
//! whoever keeps the events.

use super::types::FindingEvent;
use crate::config::Detail;
use crate::identify::Finding;

/// Bytes of findings for each byte of a flow. A row of a table that is not compressed is some 40 bytes
/// long, its finding some 700.
pub const WRITTEN_PER_BYTE: u64 = 18;

/// Bytes of findings of all flows together that are written beyond that.
pub const FREE_WRITTEN: u64 = 256 << 10;

/// The same where one finding for each patient and flow is asked for: that is meant to be complete, and
/// compressed lists of patients bring less than their findings take.
pub const FREE_WRITTEN_FLOWS: u64 = 64 << 20;

/// About how long a finding is when written, and each of its identifiers.
const FINDING: u64 = 800;
const IDENTIFIER: u64 = 150;

fn len(finding: &Finding) -> u64 {
    FINDING + IDENTIFIER * finding.identifiers.len() as u64
}

/// What was written of one flow.
#[derive(Default)]
pub struct WrittenBytes(u64);

impl WrittenBytes {
    /// A finding of the flow, which has brought `bytes` so far, is to be written. Whether they pay for it.
    pub fn pays(&mut self, bytes: u64, finding: &Finding) -> bool {
        let after = self.0.saturating_add(len(finding));
        let pays = after <= bytes.saturating_mul(WRITTEN_PER_BYTE);
        if pays {
            self.0 = after;
        }
        pays
    }
}

/// What was written beyond what flows paid for. One finding that its own flow pays for is written
/// always, whatever others have used up.
pub(in crate::exposure) struct Ceiling {
    written: u64,
    free: u64,
}

impl Ceiling {
    /// For this level of detail.
    pub const fn of(detail: Detail) -> Self {
        let free = match detail {
            Detail::Flows => FREE_WRITTEN_FLOWS,
            Detail::Patients | Detail::Exposures => FREE_WRITTEN,
        };
        Self { written: 0, free }
    }

    /// Whether a finding may be written.
    pub fn admits(&self, event: &FindingEvent) -> bool {
        event.paid || self.written.saturating_add(len(&event.finding)) <= self.free
    }

    /// It was written.
    pub fn written(&mut self, event: &FindingEvent) {
        if !event.paid {
            self.written = self.written.saturating_add(len(&event.finding));
        }
    }
}
