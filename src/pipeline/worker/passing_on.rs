//! Passes results to the collector: findings, activity of flows, and host names.

use super::Context;
use crate::exposure::{EventId, FindingEvent, HostName};
use crate::flow::FlowHead;
use crate::pipeline::analysis::Analysis;
use crate::pipeline::report::{ActivityReport, Item};
use crate::protocol::encrypted::Encryption;
use crate::protocol::{DriverEvent, Reason};
use crate::time::Span;

/// Most objects of a flow that wait to be passed on.
const MAX_OBJECTS: usize = 256;

/// Most patients of a flow whose repeated records wait to be passed on.
const MAX_REPEATED: usize = 256;

/// How long they wait while the flow continues, packet time.
const PASS_ON_EVERY: Span = Span::seconds(10);

impl Context {
    /// Passes on the results of a step.
    pub(super) fn settle(&mut self, flow: &FlowHead, analysis: &mut Analysis) {
        for announced in self.counters.expected.drain(..) {
            let orientation = analysis.driver.orientation();
            self.expected.announce(&flow.key, orientation, announced, self.clock);
        }
        self.hosts(flow, analysis);
        let stats = &mut self.report.stats;
        let client = analysis.driver.orientation().client;
        for event in analysis.driver.events() {
            match event {
                DriverEvent::Recognised(protocol) => {
                    *stats.streams.entry(protocol).or_default() += 1;
                }
                DriverEvent::Opaque(protocol, reason) => {
                    let info = flow.info(client);
                    tracing::debug!(client = %info.client, server = %info.server, protocol, %reason, "a direction is no longer read");
                    if reason == Reason::Encrypted {
                        analysis.encryption = Encryption::Encrypted;
                    }
                    if protocol != "unknown" {
                        analysis.half_recognised |= reason == Reason::Unrecognised;
                        analysis.activity.losses.directions += 1;
                    }
                    *stats.opaque.entry((protocol, reason)).or_default() += 1;
                }
            }
        }
        for named in self.counters.identify.objects.drain(..) {
            // The same object usually follows itself: a study has many images.
            if analysis.objects.last() != Some(&named) {
                analysis.objects.push(named);
            }
        }
        if self.counters.content.records.is_empty()
            && self.counters.content.messages.is_empty()
            && self.counters.content.given_up.is_empty()
            && self.counters.anomalies.is_empty()
            && self.findings.is_empty()
        {
            return;
        }
        let protocol = analysis.driver.protocol().unwrap_or("unknown");
        if analysis.patients.repeated() > 0 && !self.counters.content.records.is_empty() {
            analysis.recorded = analysis.arrivals.last();
        }
        for (content, n) in self.counters.content.records.drain(..) {
            analysis.content = content;
            stats.records.add((protocol, content), n);
        }
        for (kind, n) in self.counters.content.messages.drain(..) {
            stats.messages.add((protocol, kind), n);
        }
        for (reason, n) in self.counters.content.given_up.drain(..) {
            *stats.opaque.entry((protocol, reason)).or_default() += n;
        }
        for reason in self.counters.anomalies.drain(..) {
            *stats.anomalies.entry((protocol, reason)).or_default() += 1;
        }
        if self.findings.is_empty() {
            let repeated = analysis.patients.repeated();
            let waited = self.clock - analysis.handed_on >= PASS_ON_EVERY;
            if analysis.objects.len() >= MAX_OBJECTS
                || repeated >= MAX_REPEATED
                || repeated > 0 && waited
            {
                self.pass_on(flow, analysis);
            }
            return;
        }
        let info = analysis.info(flow);
        let mut findings = std::mem::take(&mut self.findings);
        for finding in findings.drain(..) {
            let order = self.order(flow);
            let event = FindingEvent {
                paid: analysis.written.pays(flow.bytes, &finding),
                announces: analysis.written.pays_exposure(flow.bytes),
                records: finding.records.into(),
                clients: 1,
                // The exposure stage assigns the id where one is needed.
                id: EventId(0),
                flow: info,
                protocol,
                finding,
                person: None,
            };
            self.report.items.push((order, Item::Finding(Box::new(event))));
        }
        self.findings = findings;
        self.pass_on(flow, analysis);
    }

    /// Passes on host names learnt in a step, as far as they may be shown.
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

    /// Passes on the flow's activity, if any.
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
            flow: analysis.info(flow),
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
