//! Ties the stages of one flow together: protocol to content to identify.

use crate::config::Limits;
use crate::content::{self, Contents, Env};
use crate::identify::{self, Collector, Finding, Key, Patients};
use crate::protocol::{Activity, ContentId, Hint, Host, Object, Reason, ServiceFacts, Want};
use crate::rules::RuleSet;
use crate::time::Timestamp;

/// What all workers share.
pub struct Shared {
    /// The rules in force.
    pub rules: RuleSet,
    /// Key and caps of identify.
    pub identify: identify::Settings,
    /// Keys event ids.
    pub event_key: [u8; 32],
}

impl Shared {
    /// Under `rules` and `key`, with the caps of `limits`; `reveal` as on the command line.
    pub fn new(rules: RuleSet, key: Key, reveal: bool, limits: &Limits) -> Self {
        Self {
            event_key: key.derive("phitap event id", &[]),
            identify: identify::Settings {
                key,
                reveal,
                patients_per_flow: limits.patients_per_flow,
                identifiers_per_patient: limits.identifiers_per_patient,
            },
            rules,
        }
    }
}

/// What stages count below the protocol; drained after each step of a flow.
#[derive(Default)]
pub struct Tallies {
    /// Contents.
    pub content: content::Tally,
    /// Identify.
    pub identify: identify::Tally,
    /// Oddities that parsers passed over.
    pub anomalies: Vec<Reason>,
}

/// The host of one flow's parser, for one step.
pub struct FlowHost<'a> {
    /// Shared by all workers.
    pub shared: &'a Shared,
    /// The flow's open contents.
    pub contents: &'a mut Contents,
    /// The flow's patients.
    pub patients: &'a mut Patients,
    /// What is known of the service.
    pub facts: &'a mut ServiceFacts,
    /// What the flow did since this was last handed on.
    pub activity: &'a mut Activity,
    /// Takes what is found.
    pub findings: &'a mut Vec<Finding>,
    /// Takes what is counted.
    pub tallies: &'a mut Tallies,
    /// Packet time.
    pub now: Timestamp,
}

impl FlowHost<'_> {
    fn with<R>(&mut self, run: impl FnOnce(&mut Contents, &mut Env<'_>) -> R) -> R {
        let mut sink = Collector {
            settings: &self.shared.identify,
            rules: &self.shared.rules,
            now: self.now,
            patients: self.patients,
            out: self.findings,
            tally: &mut self.tallies.identify,
        };
        let mut env = Env {
            rules: &self.shared.rules,
            sink: &mut sink,
            facts: self.facts,
            tally: &mut self.tallies.content,
        };
        run(self.contents, &mut env)
    }

    /// The flow has ended: ends contents and records that are still open.
    pub fn finish(&mut self) {
        self.with(|contents, env| contents.close_all(env));
        let Shared { rules, identify, .. } = self.shared;
        self.patients.finish(identify, rules, self.now, self.findings, &mut self.tallies.identify);
    }
}

impl Host for FlowHost<'_> {
    fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        self.contents.open(hint)
    }
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        self.with(|contents, env| contents.data(id, bytes, env))
    }
    fn gap(&mut self, id: ContentId, len: u64) -> Want {
        self.with(|contents, env| contents.gap(id, len, env))
    }
    fn close(&mut self, id: ContentId, complete: bool) {
        self.with(|contents, env| contents.close(id, complete, env));
    }
    fn facts(&mut self) -> &mut ServiceFacts {
        self.facts
    }
    fn activity(&mut self) -> &mut Activity {
        self.activity
    }
    fn object(&mut self, object: Object, uid: &str) {
        self.tallies.identify.object(&self.shared.identify.key, object, uid);
    }
    fn unit(&mut self, kind: &'static str) {
        self.tallies.content.record(kind);
    }
    fn anomaly(&mut self, reason: Reason) {
        self.tallies.anomalies.push(reason);
    }
    fn now(&self) -> Timestamp {
        self.now
    }
}
