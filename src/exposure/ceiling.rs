//! Limits how much is written in proportion to what was read. Without it, a few kilobytes of compressed rows could
//! fill the disk that receives the events.

use super::types::FindingEvent;
use crate::config::Detail;
use crate::identify::Finding;

/// Bytes of findings for each byte of a flow. A row of an uncompressed table is some 40 bytes long, its finding some
/// 700.
pub const WRITTEN_PER_BYTE: u64 = 18;

/// Bytes of findings that all flows together may write beyond that.
pub const FREE_WRITTEN: u64 = 256 << 10;

/// The same where one finding for each patient and flow is asked for: that output is meant to be complete, and
/// compressed lists of patients have fewer bytes than their findings.
pub const FREE_WRITTEN_FLOWS: u64 = 64 << 20;

/// Approximate length of a written finding, and of each of its identifiers.
const FINDING: u64 = 800;
const IDENTIFIER: u64 = 150;

fn len(finding: &Finding) -> u64 {
    FINDING + IDENTIFIER * finding.identifiers.len() as u64
}

/// Bytes written for one flow.
#[derive(Default)]
pub struct WrittenBytes(u64);

impl WrittenBytes {
    /// Whether the flow, which has brought `bytes` so far, pays for another finding, which is about to be written.
    pub fn pays(&mut self, bytes: u64, finding: &Finding) -> bool {
        let after = self.0.saturating_add(len(finding));
        let pays = after <= bytes.saturating_mul(WRITTEN_PER_BYTE);
        if pays {
            self.0 = after;
        }
        pays
    }
}

/// Bytes written beyond what flows paid for. A finding that its own flow pays for is always written, whatever others
/// used up.
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

    /// Notes that it was written.
    pub fn written(&mut self, event: &FindingEvent) {
        if !event.paid {
            self.written = self.written.saturating_add(len(&event.finding));
        }
    }
}
