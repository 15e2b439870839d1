//! Connects the stages of one flow: protocol to content to identify.

use super::arrivals::Arrivals;
use super::hosts::Hosts;
use crate::capture::PacketSpan;
use crate::config::Limits;
use crate::content::{self, Contents, Env};
use crate::flow::Side;
use crate::identify::{self, Collector, Finding, Key, Patients, UnitTable, ValueCache};
use crate::protocol::expected::ExpectedFlow;
use crate::protocol::{
    Activity, ContentId, ContentSink, Ending, Hint, Object, Reason, ServiceFacts, Want,
};
use crate::rules::RuleSet;
use crate::time::Timestamp;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The active rules, which a reload replaces.
pub struct ActiveRules {
    /// Incremented by each reload, so that readers detect a change without a lock.
    generation: AtomicU64,
    rules: Mutex<Arc<RuleSet>>,
}

impl ActiveRules {
    /// Starts with these rules.
    pub fn new(rules: RuleSet) -> Self {
        let rules = lean(rules);
        Self { generation: AtomicU64::new(0), rules: Mutex::new(Arc::new(rules)) }
    }
    /// The current rules.
    pub fn current(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// Updates `held` if a reload has replaced it.
    pub fn refresh(&self, held: &mut Arc<RuleSet>, generation: &mut u64) -> bool {
        let now = self.generation.load(Ordering::Acquire);
        if now == *generation {
            return false;
        }
        *generation = now;
        *held = self.current();
        true
    }
    /// Replaces the rules.
    pub fn replace(&self, rules: RuleSet) {
        let generation = self.generation.load(Ordering::Acquire) + 1;
        let rules = Arc::new(RuleSet { generation, ..lean(rules) });
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// Drops what only `phitap rules` shows: titles, references and samples.
fn lean(rules: RuleSet) -> RuleSet {
    RuleSet { entries: Vec::new(), ..rules }
}

/// State shared by all workers.
pub struct Shared {
    /// The active rules.
    pub rules: ActiveRules,
    /// Key and limits of `identify`.
    pub identify: identify::Settings,
    /// Key for event ids.
    pub event_key: [u8; 32],
    /// Results of table rows that any worker has read.
    pub units: Arc<UnitTable>,
}

impl Shared {
    /// Combines `rules` and `key` with the caps of `limits`. `reveal` is the command-line option.
    pub fn new(rules: RuleSet, key: Key, reveal: bool, limits: &Limits) -> Self {
        let memory = usize::try_from(limits.flow_memory()).unwrap_or(usize::MAX);
        Self {
            units: Arc::new(UnitTable::within(memory)),
            event_key: key.derive("phitap event id", &[]),
            identify: identify::Settings {
                key,
                reveal,
                patients_per_flow: limits.patients_per_flow,
                identifiers_per_patient: limits.identifiers_per_patient,
            },
            rules: ActiveRules::new(rules),
        }
    }
}

/// Counters of the stages after the protocol; drained after each step of a flow.
#[derive(Default)]
pub struct StageCounters {
    /// Counters of payloads.
    pub content: content::ContentCounters,
    /// Counters of `identify`.
    pub identify: identify::IdentifyCounters,
    /// Flows that parsers announced.
    pub expected: Vec<ExpectedFlow>,
    /// Anomalies that parsers ignored.
    pub anomalies: Vec<Reason>,
    /// Host names.
    pub hosts: Hosts,
}

/// The sink of one flow's parser, for one step.
pub struct FlowSink<'a> {
    /// Shared by all workers.
    pub shared: &'a Shared,
    /// The rules under which the flow is read.
    pub rules: &'a RuleSet,
    /// The flow's open payloads.
    pub contents: &'a mut Contents,
    /// The flow's patients.
    pub patients: &'a mut Patients,
    /// Cached results for the values this worker saw last.
    pub values: &'a mut ValueCache,
    /// Facts about the service.
    pub facts: &'a mut ServiceFacts,
    /// What the flow did since the last report.
    pub activity: &'a mut Activity,
    /// Receives the findings.
    pub findings: &'a mut Vec<Finding>,
    /// Receives the counters.
    pub counters: &'a mut StageCounters,
    /// The packets that carried the flow's bytes.
    pub arrivals: &'a mut Arrivals,
    /// Packet time.
    pub now: Timestamp,
}

impl FlowSink<'_> {
    fn with<R>(&mut self, id: ContentId, run: impl FnOnce(&mut Contents, &mut Env<'_>) -> R) -> R {
        let carried = self.arrivals.of(id);
        let mut sink = Collector {
            settings: &self.shared.identify,
            rules: self.rules,
            now: self.now,
            packets: carried.packets,
            since: carried.since,
            patients: self.patients,
            values: self.values,
            out: self.findings,
            counters: &mut self.counters.identify,
        };
        let mut env = Env {
            rules: self.rules,
            sink: &mut sink,
            facts: self.facts,
            counters: &mut self.counters.content,
        };
        let result = run(self.contents, &mut env);
        let since = sink.since;
        self.arrivals.read(id, since);
        result
    }

    /// Ends the payloads and records that are still open at the end of the flow.
    pub fn finish(&mut self) {
        for id in self.contents.all() {
            self.close(id, Ending::Cut);
        }
        let mut collector = Collector {
            settings: &self.shared.identify,
            rules: self.rules,
            now: self.now,
            packets: PacketSpan::of(self.arrivals.last()),
            since: self.arrivals.last(),
            patients: self.patients,
            values: self.values,
            out: self.findings,
            counters: &mut self.counters.identify,
        };
        collector.finish(self.facts);
    }
}

impl ContentSink for FlowSink<'_> {
    fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        self.contents.open(hint)
    }
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        self.arrivals.content(id, bytes);
        self.with(id, |contents, env| contents.data(id, bytes, env))
    }
    fn gap(&mut self, id: ContentId, len: u64) -> Want {
        self.with(id, |contents, env| contents.gap(id, len, env))
    }
    fn close(&mut self, id: ContentId, ending: Ending) {
        self.with(id, |contents, env| contents.close(id, ending, env));
        self.arrivals.close(id);
    }
    fn facts(&mut self) -> &mut ServiceFacts {
        self.facts
    }
    fn activity(&mut self) -> &mut Activity {
        self.activity
    }
    fn host_name(&mut self, host: IpAddr, name: &str) {
        self.counters.hosts.add(host, name, self.now);
    }
    fn object(&mut self, object: Object, uid: &str) {
        self.counters.identify.object(&self.shared.identify.key, object, uid);
    }
    fn unit(&mut self, kind: &'static str) {
        self.counters.content.record(kind);
    }
    fn spend(&mut self, work: u64) -> bool {
        self.contents.spend(work, &mut self.counters.content)
    }
    fn reread(&mut self, work: u64) -> bool {
        self.contents.pay(work, &mut self.counters.content)
    }
    fn anomaly(&mut self, reason: Reason) {
        self.counters.anomalies.push(reason);
    }
    fn expect(&mut self, flow: ExpectedFlow) {
        self.counters.expected.push(flow);
    }
    fn reading(&mut self, side: Side, bytes: &[u8]) {
        self.arrivals.reading(side, bytes);
    }
    fn now(&self) -> Timestamp {
        self.now
    }
}
