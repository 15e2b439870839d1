//! Flows that cannot be read: they are counted.

use super::Context;
use crate::exposure::Conversation;
use crate::flow::{FlowHead, FlowInfo};
use crate::pipeline::report::Item;

impl Context {
    /// Counts an encrypted flow that has ended, and passes it on.
    pub(super) fn encrypted(&mut self, flow: &FlowHead, info: FlowInfo) {
        self.report.stats.encrypted_flows += 1;
        self.report.stats.encrypted_bytes += flow.bytes;
        // When a flow that timed out was last heard of is not known, and must not depend on other flows.
        let ended =
            Conversation { time: flow.started, flow: info, protocol: None, bytes: flow.bytes };
        let order = self.order(flow);
        self.report.items.push((order, Item::Encrypted(Box::new(ended))));
    }
}
