//! Suppressed findings that are remembered, so that their further records are not counted.

use super::open::Pair;
use super::types::{FindingEvent, PatientKey};
use crate::flow::FlowInfo;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashSet;

/// Suppressed flows and patients remembered.
const MAX_WITHHELD: usize = 65_536;

/// Suppressed findings, as far as later records and findings depend on them.
#[derive(Default)]
pub(in crate::exposure) struct Withheld {
    patients: HashSet<(Pair, PatientKey), RandomState>,
    /// Flows whose first finding was suppressed.
    flows: HashSet<(Pair, FlowKey), RandomState>,
}

/// Distinguishes the flows of one pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct FlowKey {
    started: Timestamp,
    port: u16,
    vlans: (u16, u16),
}

impl FlowKey {
    fn of(flow: &FlowInfo) -> Self {
        let vlans = (flow.vlan, flow.inner_vlan);
        Self { started: flow.started, port: flow.client.port(), vlans }
    }
}

impl Withheld {
    pub fn add(&mut self, pair: Pair, event: &FindingEvent) {
        if self.patients.len() < MAX_WITHHELD {
            self.patients.insert((pair, event.finding.patient));
        }
        if starts_flow(event) && self.flows.len() < MAX_WITHHELD {
            self.flows.insert((pair, FlowKey::of(&event.flow)));
        }
    }

    /// Whether a finding that was not suppressed is the first of its flow.
    pub fn starts_flow(&mut self, pair: Pair, event: &FindingEvent) -> bool {
        starts_flow(event)
            || !self.flows.is_empty() && self.flows.remove(&(pair, FlowKey::of(&event.flow)))
    }
}

/// Whether no finding of the flow came before.
const fn starts_flow(event: &FindingEvent) -> bool {
    event.finding.ordinal == 0 && !event.finding.update
}

impl Withheld {
    /// Whether the records of a patient are not counted.
    pub fn holds(&self, pair: Pair, patient: PatientKey) -> bool {
        !self.patients.is_empty() && self.patients.contains(&(pair, patient))
    }
}
