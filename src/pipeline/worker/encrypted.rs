//! Encrypted flows: counts them, and passes on what their handshakes show.

use super::Context;
use crate::exposure::Conversation;
use crate::flow::{FlowHead, FlowInfo};
use crate::pipeline::analysis::Analysis;
use crate::pipeline::report::{Item, Service};
use crate::protocol::ServiceFacts;

impl Context {
    /// Counts an encrypted flow that has ended, and passes it on.
    pub(super) fn encrypted(&mut self, flow: &FlowHead, info: FlowInfo) {
        self.report.stats.encrypted_flows += 1;
        self.report.stats.encrypted_bytes += flow.bytes;
        // The end time of a flow that timed out is unknown, and must not depend on other flows.
        let ended =
            Conversation { time: flow.started, flow: info, protocol: None, bytes: flow.bytes };
        let order = self.order(flow);
        self.report.items.push((order, Item::Encrypted(Box::new(ended))));
    }

    /// Passes on the facts of a handshake, once.
    pub(super) fn handshake(&mut self, flow: &FlowHead, analysis: &mut Analysis) {
        let Some(tls) = analysis.facts.tls.take() else { return };
        let authentication = analysis.facts.authentication;
        let facts = ServiceFacts { tls: Some(tls), authentication, ..ServiceFacts::default() };
        let rules = analysis.rules.as_deref().unwrap_or(&self.rules);
        let facts =
            analysis.patients.settled_facts(facts, &self.shared.identify, rules, &mut self.values);
        let service = Service {
            // The start time, so that the event does not depend on when the flow was found to have
            // ended.
            time: flow.started,
            flow: analysis.info(flow),
            protocol: "tls",
            content: "",
            facts,
            bytes: 0,
        };
        let order = self.order(flow);
        self.report.items.push((order, Item::Handshake(Box::new(service))));
    }
}
