//! The state of one flow in a worker.

use super::arrivals::Arrivals;
use crate::capture::PacketRef;
use crate::content::Contents;
use crate::exposure::WrittenBytes;
use crate::flow::{Announcer, FlowHead, FlowInfo};
use crate::identify::{Patients, Token};
use crate::protocol::datagrams::frame_datagram;
use crate::protocol::encrypted::Encryption;
use crate::protocol::unknown::DatagramCarver;
use crate::protocol::{Activity, Driver, DriverLimits, Object, ServiceFacts};
use crate::rules::RuleSet;
use crate::time::Timestamp;
use std::sync::Arc;

/// Approximate heap size of a flow's facts, its redacted facts and its parser, bytes.
const RECOGNISED: usize = 2 << 10;

/// The state of one flow.
pub(super) enum State {
    /// TCP without payload so far: most idle connections never send any.
    Silent,
    /// TCP, or UDP of a known protocol, that is read.
    Reading(Box<Analysis>),
    /// UDP: the number of datagrams probed so far, and whether the flow is encrypted.
    Datagrams { looks: u8, encryption: Encryption },
    /// TCP of no known protocol, no longer read.
    PassedOver(Encryption),
    /// Given up after a panic.
    Broken,
}

impl State {
    /// Checks whether a datagram of an unclaimed flow holds a payload. If it does, writes the
    /// payload to `frame` and starts searching the flow that `reading` opens.
    pub fn carve(
        &mut self,
        reading: impl FnOnce() -> Self,
        datagram: &[u8],
        frame: &mut Vec<u8>,
    ) -> bool {
        if !matches!(self, Self::Datagrams { .. }) {
            return false;
        }
        let Some(carver) = DatagramCarver::of(datagram) else { return false };
        *self = reading();
        if let Self::Reading(analysis) = self {
            analysis.driver.carve_datagrams(carver);
        }
        frame_datagram(datagram, frame);
        true
    }
}

pub(super) struct Analysis {
    /// The rules under which the current payload or record began. Between payloads a flow holds no
    /// rules, so that old ones are freed soon after a reload.
    pub rules: Option<Arc<RuleSet>>,
    pub driver: Driver,
    pub contents: Contents,
    pub patients: Patients,
    pub facts: ServiceFacts,
    pub activity: Activity,
    pub objects: Vec<(Object, Token)>,
    pub arrivals: Arrivals,
    pub encryption: Encryption,
    /// One direction of a known protocol was not recognised.
    pub half_recognised: bool,
    /// Payload bytes that the snap length cut off and that were reported as such.
    pub cut: u64,
    pub content: &'static str,
    /// The packet with which a record last ended.
    pub recorded: PacketRef,
    /// When the activity of the flow was last reported.
    pub handed_on: Timestamp,
    /// Bytes of findings written for this flow.
    pub written: WrittenBytes,
    /// When a datagram was last read. The end of such a flow depends on this time alone: the time
    /// at the end of the run depends on what else a worker has read.
    pub datagram: Option<Timestamp>,
}

impl Analysis {
    /// The flow as events describe it.
    pub fn info(&self, flow: &FlowHead) -> FlowInfo {
        let client = self.driver.orientation().client;
        let by = |(side, port)| Announcer { port, opened: side == client };
        FlowInfo { announced_by: self.driver.announced_by().map(by), ..flow.info(client) }
    }

    /// Starts reading a flow at `now`.
    pub fn new(flow: &FlowHead, limits: DriverLimits, now: Timestamp) -> Self {
        Self {
            rules: None,
            driver: Driver::new(limits, flow.orientation),
            contents: Contents::default(),
            patients: Patients::of_flow(ends(flow), flow.started),
            facts: ServiceFacts::default(),
            activity: Activity::default(),
            objects: Vec::new(),
            arrivals: Arrivals::default(),
            encryption: Encryption::Clear,
            half_recognised: false,
            cut: 0,
            content: "",
            recorded: PacketRef::default(),
            handed_on: now,
            written: WrittenBytes::default(),
            datagram: None,
        }
    }

    /// Approximate heap size, bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.driver.memory()
            + self.contents.memory()
            + self.patients.memory()
            + self.activity.memory()
            + self.arrivals.memory()
            + self.objects.capacity() * size_of::<(Object, Token)>()
            + if self.driver.protocol().is_some() { RECOGNISED } else { 0 }
    }

    /// Whether no protocol was found or can still be found, and nothing waits to be reported. Such
    /// a flow is only checked for encryption.
    pub fn is_passed_over(&self) -> bool {
        self.driver.protocol().is_none()
            && self.driver.is_opaque()
            && self.contents.is_idle()
            && self.patients.is_idle()
            && self.activity.is_empty()
            && self.objects.is_empty()
            && self.datagram.is_none()
    }
}

/// Identifies the two ends of a flow, in either order.
fn ends(flow: &FlowHead) -> u128 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let state = foldhash::quality::FixedState::default();
    let hash = |seed: u8| {
        let mut hasher = state.build_hasher();
        hasher.write_u8(seed);
        std::hash::Hash::hash(&flow.key, &mut hasher);
        hasher.finish()
    };
    u128::from(hash(0)) << 64 | u128::from(hash(1))
}
