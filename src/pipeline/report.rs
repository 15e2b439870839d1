//! What workers send to the collector.

use super::counters::WorkerCounters;
use crate::capture::PacketRef;
use crate::exposure::{Conversation, FindingEvent, HostName};
use crate::flow::FlowInfo;
use crate::identify::{Repeated, Token};
use crate::protocol::{Activity, Object, ServiceFacts};
use crate::time::Timestamp;
use std::sync::Arc;

/// Position of an item in the order of the run, independent of its worker: the packet that caused
/// it, then the first packet of its flow, then its index within both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Order {
    /// Number of the packet.
    pub packet: u64,
    /// Number of the flow's first packet.
    pub flow: u64,
    /// Index among the items of this packet and flow.
    pub n: u32,
}

/// What a worker sends to the collector.
pub enum Item {
    /// A patient in a flow.
    Finding(Box<FindingEvent>),
    /// The activity of a flow since its last report.
    ActivityReport(Box<ActivityReport>),
    /// A flow of a known protocol has ended.
    Service(Box<Service>),
    /// The name of a host.
    HostName(Box<HostName>),
    /// The handshake of an encrypted flow is complete.
    Handshake(Box<Service>),
    /// An encrypted flow has ended.
    Encrypted(Box<Conversation>),
}

impl Item {
    /// The finding, if it is one.
    pub fn finding(&self) -> Option<&FindingEvent> {
        match self {
            Self::Finding(event) => Some(event),
            _ => None,
        }
    }
}

/// The activity of a flow.
pub struct ActivityReport {
    /// Packet time.
    pub time: Timestamp,
    /// The flow.
    pub flow: FlowInfo,
    /// Its protocol.
    pub protocol: &'static str,
    /// Its activity.
    pub activity: Activity,
    /// Objects it named, as pseudonyms.
    pub objects: Vec<(Object, Token)>,
    /// Patients whose records brought nothing new, with the number of those records.
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
    /// Facts about the service.
    pub facts: Arc<ServiceFacts>,
    /// Payload of the flow, bytes.
    pub bytes: u64,
}

/// The results of one batch.
#[derive(Default)]
pub struct Report {
    /// All packets up to this one have been processed.
    pub upto: u64,
    /// For packet `upto`: flows whose first packet is not after this one have been processed.
    pub upto_flow: u64,
    /// The latest tick processed.
    pub clock: Timestamp,
    /// In order of the run.
    pub items: Vec<(Order, Item)>,
    /// Counters since the last report.
    pub stats: WorkerCounters,
    /// The last report of its worker.
    pub last: bool,
}
