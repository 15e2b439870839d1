//! The summary of a whole run.

use crate::exposure::{Count, ExposurePoints, Losses, Suppressed};
use crate::protocol::Reason;
use crate::rules::Kind;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// One input: a file, standard input or an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputReport {
    /// Its path or name.
    pub name: String,
    /// Packets read of it.
    pub packets: u64,
    /// Bytes read of it.
    pub bytes: u64,
    /// SHA-256 of the file in hexadecimal digits, where it was computed.
    pub sha256: Option<String>,
    /// Why it was unreadable from some point on: a kind and an offset.
    pub fault: Option<String>,
}

/// A replay was stopped before the end of its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interrupted {
    /// The share of the input that was read, 0 to 1, if its size is known.
    pub at: Option<f64>,
}

/// The counters of a run. The pipeline fills it in; keys are from closed sets.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    /// Packet time of the first packet.
    pub started: Option<Timestamp>,
    /// Packet time of the last packet.
    pub ended: Option<Timestamp>,
    /// How long the run took, seconds. Only for people: events must repeat.
    pub wall_seconds: f64,
    /// Every input in the order of the run.
    pub inputs: Vec<InputReport>,
    /// Packets read = decoded + skipped + dropped.
    pub packets_read: u64,
    /// Bytes of packets read, as captured.
    pub bytes_read: u64,
    /// Packets that became segments.
    pub packets_decoded: u64,
    /// Packets skipped, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Packets whose payload or headers were cut off by the snap length.
    pub packets_cut: u64,
    /// The longest of them as captured, bytes.
    pub cut_at: u32,
    /// Payload of segments as captured, bytes.
    pub payload_bytes: u64,
    /// Payload of segments that the snap length cut off, bytes.
    pub cut_payload_bytes: u64,
    /// Packets that `--filter` may have excluded because of an inner VLAN tag.
    pub filtered_tagged: u64,
    /// Whether and where a replay was stopped.
    pub interrupted: Option<Interrupted>,
    /// Whether packets came from interfaces, not from files.
    pub live: bool,
    /// Packets lost, by stage.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Packets that were on the wire and never read, by cause (`kernel`, `interface`, and `capture` if a capture file
    /// declares losses). Not in the balance of `packets_read`.
    pub lost: BTreeMap<&'static str, u64>,
    /// How often the kernel's ring was full, so that it stopped accepting packets.
    pub ring_freezes: u64,
    /// Flows seen.
    pub flows: u64,
    /// Directions recognised, by protocol.
    pub streams: BTreeMap<&'static str, u64>,
    /// Directions given up, by protocol (`unknown` where none was recognised) and reason.
    pub opaque: BTreeMap<(&'static str, Reason), u64>,
    /// Bytes missing in streams.
    pub gap_bytes: u64,
    /// Those of them that the snap length cut off.
    pub cut_bytes: u64,
    /// Segments that contradict earlier bytes at the same place.
    pub overlap_conflicts: u64,
    /// Records read, by protocol and content.
    pub records: BTreeMap<(&'static str, &'static str), u64>,
    /// Messages read, by protocol and type (`ADT^A01`).
    pub messages: BTreeMap<(&'static str, &'static str), u64>,
    /// Identifiers found, by kind.
    pub identifiers: BTreeMap<Kind, u64>,
    /// Flows that no protocol recognised.
    pub unrecognised_flows: u64,
    /// Their captured payload, bytes.
    pub unrecognised_bytes: u64,
    /// Flows of a known protocol, with one direction that was not recognised.
    pub half_recognised_flows: u64,
    /// TCP flows with payload whose beginning was not seen.
    pub begun_before: u64,
    /// TCP flows with payload that went on when the capture ended, or were given up.
    pub unended: u64,
    /// Flows given up for the memory ceiling.
    pub evicted_flows: u64,
    /// Flows that are encrypted.
    pub encrypted_flows: u64,
    /// Bytes of flows that are encrypted.
    pub encrypted_bytes: u64,
    /// Distinct patients.
    pub patients: Count,
    /// Findings, revisions not counted.
    pub findings: u64,
    /// Exposures by severity, in the order of [`crate::severity::Severity::ALL`].
    pub graded: [u64; 4],
    /// Exposures opened.
    pub exposures: u64,
    /// Points that an exposure gets for the number of its patients.
    pub points: ExposurePoints,
    /// Suppressed findings, by suppression.
    pub suppressed: Vec<Suppressed>,
    /// Losses of the exposure stage.
    pub losses: Losses,
    /// Which key made tokens and ids.
    pub key_id: String,
    /// Whether values were shown.
    pub reveal: bool,
}

impl RunSummary {
    /// Packets that could not be decoded, whatever the reason.
    pub fn packets_skipped(&self) -> u64 {
        total(&self.skipped)
    }

    /// Packets that were captured and not processed.
    pub fn packets_dropped(&self) -> u64 {
        total(&self.dropped)
    }

    /// Packets that were lost before they were captured.
    pub fn packets_lost(&self) -> u64 {
        total(&self.lost)
    }
}

fn total(counts: &BTreeMap<&'static str, u64>) -> u64 {
    counts.values().fold(0, |all, n| all.saturating_add(*n))
}
