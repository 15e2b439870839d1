//! Limits how much is written in proportion to what was read. Without it, a few kilobytes of compressed rows could
//! fill the disk that receives the events.

use super::types::FindingEvent;
use crate::config::Detail;
use crate::identify::Finding;
use crate::time::{Span, Timestamp};

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

/// Approximate length of a written exposure.
const EXPOSURE: u64 = 1400;

/// Exposures that nothing pays for and that are announced at once, and the packet time for which this counts.
const FREE_EXPOSURES: u32 = 256;
const PER: Span = Span::seconds(60);

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

    /// Whether it pays for the first event of an exposure as well.
    pub const fn pays_exposure(&self, bytes: u64) -> bool {
        self.0.saturating_add(EXPOSURE) <= bytes.saturating_mul(WRITTEN_PER_BYTE)
    }
}

/// Bytes written beyond what flows paid for. A finding that its own flow pays for is always written, whatever others
/// used up. The first event of an exposure for which nothing pays waits for its first update, if there are many such
/// exposures at once: a datagram from each of thousands of invented addresses.
pub(in crate::exposure) struct Ceiling {
    written: u64,
    free: u64,
    /// Exposures that nothing paid for, and since when they are counted.
    exposures: u32,
    since: Option<Timestamp>,
}

impl Ceiling {
    /// For this level of detail.
    pub const fn of(detail: Detail) -> Self {
        let free = match detail {
            Detail::Flows => FREE_WRITTEN_FLOWS,
            Detail::Patients | Detail::Exposures => FREE_WRITTEN,
        };
        Self { written: 0, free, exposures: 0, since: None }
    }

    /// Whether a finding may be written.
    pub fn admits(&self, event: &FindingEvent) -> bool {
        event.paid || self.written.saturating_add(len(&event.finding)) <= self.free
    }

    /// Whether the exposure that a finding opens is announced at once.
    pub fn announces(&mut self, event: &FindingEvent) -> bool {
        let now = event.finding.time;
        if self.since.is_none_or(|since| now - since >= PER) {
            (self.since, self.exposures) = (Some(now), 0);
        }
        self.exposures = self.exposures.saturating_add(u32::from(!event.announces));
        event.announces || self.exposures <= FREE_EXPOSURES
    }

    /// Notes that it was written.
    pub fn written(&mut self, event: &FindingEvent) {
        if !event.paid {
            self.written = self.written.saturating_add(len(&event.finding));
        }
    }
}
