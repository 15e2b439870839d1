//! Counters of workers, as deltas that the collector adds up.

use super::kind_counters::KindCounters;
use super::shedding::Shed;
use crate::flow::{End, FlowHead, Transport};
use crate::protocol::Reason;
use crate::rules::Kind;
use std::collections::BTreeMap;

/// Counters of one worker since its last report.
#[derive(Default, Clone, Debug)]
pub struct WorkerCounters {
    /// Flows opened.
    pub flows: u64,
    /// Change of the number of active flows.
    pub active: i64,
    /// Directions recognised, by protocol.
    pub streams: BTreeMap<&'static str, u64>,
    /// Directions given up.
    pub opaque: BTreeMap<(&'static str, Reason), u64>,
    /// Bytes missing in streams.
    pub gap_bytes: u64,
    /// Of these, bytes that the snap length cut off.
    pub cut_bytes: u64,
    /// Bytes that differ from an earlier copy.
    pub conflicts: u64,
    /// TCP segments rejected as implausible, by reason.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Anomalies that parsers ignored.
    pub anomalies: BTreeMap<(&'static str, Reason), u64>,
    /// Packets left unread under overload, by class.
    pub shed: BTreeMap<Shed, u64>,
    /// Records by protocol and content.
    pub records: KindCounters<(&'static str, &'static str)>,
    /// Messages by protocol and type.
    pub messages: KindCounters<(&'static str, &'static str)>,
    /// Identifiers by kind.
    pub identifiers: BTreeMap<Kind, u64>,
    /// Flows that no protocol recognised.
    pub unrecognised_flows: u64,
    /// Captured payload of these flows, bytes.
    pub unrecognised_bytes: u64,
    /// Flows of a known protocol, with one direction that was not recognised.
    pub half_recognised_flows: u64,
    /// TCP flows with payload whose beginning was not seen.
    pub begun_before: u64,
    /// TCP flows with payload that went on when the capture ended, or were given up.
    pub unended: u64,
    /// Flows evicted at the memory ceiling.
    pub evicted_flows: u64,
    /// Encrypted flows.
    pub encrypted_flows: u64,
    /// Payload bytes of encrypted flows.
    pub encrypted_bytes: u64,
    /// Payload bytes skipped unread (pixel data, images).
    pub skipped_bytes: u64,
    /// Payload bytes left unread because the budget of their flow was exhausted.
    pub unpaid_bytes: u64,
    /// Change in memory held by flows, bytes.
    pub memory: i64,
}

impl WorkerCounters {
    /// A flow is over: whether all of it was seen.
    pub fn closed(&mut self, flow: &FlowHead, end: End) {
        if flow.key.transport == Transport::Tcp && flow.bytes > 0 {
            self.begun_before += u64::from(flow.initial.is_none());
            self.unended += u64::from(end == End::Cut);
        }
    }

    /// Counts a flow that ended unrecognised. A flow without payload had nothing to recognise.
    pub fn unrecognised(&mut self, flow: &FlowHead) {
        if flow.bytes > 0 {
            self.unrecognised_flows += 1;
            self.unrecognised_bytes += flow.bytes.saturating_sub(flow.cut);
        }
    }

    /// Adds a delta.
    pub fn add(&mut self, other: &Self) {
        self.flows += other.flows;
        self.active += other.active;
        self.gap_bytes += other.gap_bytes;
        self.cut_bytes += other.cut_bytes;
        self.conflicts += other.conflicts;
        self.unrecognised_flows += other.unrecognised_flows;
        self.unrecognised_bytes += other.unrecognised_bytes;
        self.half_recognised_flows += other.half_recognised_flows;
        self.begun_before += other.begun_before;
        self.unended += other.unended;
        self.evicted_flows += other.evicted_flows;
        self.encrypted_flows += other.encrypted_flows;
        self.encrypted_bytes += other.encrypted_bytes;
        self.skipped_bytes += other.skipped_bytes;
        self.unpaid_bytes += other.unpaid_bytes;
        self.memory += other.memory;
        merge(&mut self.streams, &other.streams);
        merge(&mut self.opaque, &other.opaque);
        merge(&mut self.ignored, &other.ignored);
        merge(&mut self.shed, &other.shed);
        merge(&mut self.anomalies, &other.anomalies);
        self.records.merge(&other.records);
        self.messages.merge(&other.messages);
        merge(&mut self.identifiers, &other.identifiers);
    }
}

fn merge<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (&key, &n) in from {
        *into.entry(key).or_default() += n;
    }
}
