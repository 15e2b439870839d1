//! What a worker hands to the collector beside findings: what flows did, and names of hosts.

use super::Context;
use crate::exposure::HostName;
use crate::flow::FlowHead;
use crate::pipeline::analysis::Analysis;
use crate::pipeline::report::{ActivityReport, Item};

impl Context {
    /// Passes on names of hosts that a step brought, as far as they may be shown.
    pub(super) fn hosts(&mut self, flow: &FlowHead, analysis: &mut Analysis) {
        if self.counters.hosts.is_empty() {
            return;
        }
        let rules = analysis.rules.as_deref().unwrap_or(&self.rules);
        let mut all = Vec::new();
        for (host, name) in self.counters.hosts.take() {
            let settings = &self.shared.identify;
            let name = analysis.patients.shown_name(&name, settings, rules, &mut self.values);
            all.push(HostName { time: self.now, host, name });
        }
        for name in all {
            let order = self.order(flow);
            self.report.items.push((order, Item::HostName(Box::new(name))));
        }
    }

    /// Passes on what the flow did, if anything.
    pub(super) fn pass_on(&mut self, flow: &FlowHead, analysis: &mut Analysis) {
        analysis.handed_on = self.clock;
        let records = analysis.patients.take_records();
        let losses = &mut analysis.activity.losses;
        losses.cut_bytes += flow.cut - analysis.cut;
        analysis.cut = flow.cut;
        if losses.is_empty()
            && analysis.activity.is_empty()
            && analysis.objects.is_empty()
            && records.is_empty()
        {
            return;
        }
        let performance = ActivityReport {
            time: self.now,
            flow: flow.info(analysis.driver.orientation().client),
            protocol: analysis.driver.protocol().unwrap_or("unknown"),
            activity: std::mem::take(&mut analysis.activity),
            objects: std::mem::take(&mut analysis.objects),
            records,
            repeated: analysis.recorded,
        };
        let order = self.order(flow);
        self.report.items.push((order, Item::ActivityReport(Box::new(performance))));
    }
}
