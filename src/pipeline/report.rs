//! What workers send to the collector.

use super::counters::WorkerCounters;
use crate::capture::PacketRef;
use crate::exposure::{Conversation, FindingEvent, HostName};
use crate::flow::FlowInfo;
use crate::identify::{Repeated, Token};
use crate::protocol::{Activity, Object, ServiceFacts};
use crate::time::Timestamp;
use std::sync::Arc;

/// Position of an item in the order of the run, whatever worker it came from: by the packet that
/// caused it, then by the first packet of its flow, then by its position in the flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Order {
    /// Number of the packet.
    pub packet: u64,
    /// Number of the flow's first packet.
    pub flow: u64,
    /// Counts up within both.
    pub n: u32,
}

/// What a worker sends to the collector.
pub enum Item {
    /// A patient in a flow.
    Finding(Box<FindingEvent>),
    /// What a flow did since the last report.
    ActivityReport(Box<ActivityReport>),
    /// A flow that spoke a known protocol has ended.
    Service(Box<Service>),
    /// A host has a name.
    HostName(Box<HostName>),
    /// A handshake of a flow that is encrypted is over.
    Handshake(Box<Service>),
    /// A flow that is encrypted has ended.
    Encrypted(Box<Conversation>),
}

/// What a flow did.
pub struct ActivityReport {
    /// Packet time.
    pub time: Timestamp,
    /// The flow.
    pub flow: FlowInfo,
    /// Its protocol.
    pub protocol: &'static str,
    /// What it did.
    pub activity: Activity,
    /// Objects it named, by their pseudonyms.
    pub objects: Vec<(Object, Token)>,
    /// Patients whose records brought nothing new, and how many records.
    pub records: Vec<Repeated>,
    /// The last packet of these records.
    pub repeated: PacketRef,
}

/// A service that a flow proved.
pub struct Service {
    /// Packet time.
    pub time: Timestamp,
    /// The flow.
    pub flow: FlowInfo,
    /// Its protocol.
    pub protocol: &'static str,
    /// The last content read.
    pub content: &'static str,
    /// What is known of the service.
    pub facts: Arc<ServiceFacts>,
    /// Payload of the flow, bytes.
    pub bytes: u64,
}

/// The results of a batch.
#[derive(Default)]
pub struct Report {
    /// Everything up to this packet has been processed.
    pub upto: u64,
    /// Of the results of packet `upto`, those of flows whose first packet is not after this one.
    pub upto_flow: u64,
    /// The latest tick that was processed.
    pub clock: Timestamp,
    /// In order.
    pub items: Vec<(Order, Item)>,
    /// What was counted.
    pub stats: WorkerCounters,
    /// That was the last one.
    pub last: bool,
}
