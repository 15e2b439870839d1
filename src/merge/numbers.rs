//! Computes the numbers of a set of facts. They depend on the set alone.

use super::CLOCK_TOLERANCE;
use super::access::{self, ServiceKey};
use super::fact::{FactKey, FlowId, Pair, Seen};
use super::sketch::HashedSet;
use super::summary::{Form, RunKey, RunNumbers, Section, Sketched, Summary};
use crate::exposure::Count;
use crate::identify::{People, Token, Traits};
use crate::rules::Kind;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

/// The numbers of one exposure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExposureNumbers {
    /// The client and the service.
    pub pair: Pair,
    /// Packet time of the first record.
    pub first: Timestamp,
    /// Packet time of the last record.
    pub last: Timestamp,
    /// Severity as of one run that saw everything, 0 to 100.
    pub severity: u8,
    /// Whether any sensor saw the service answer any client.
    pub open: bool,
    /// Highest score of findings from before that.
    unproven: u8,
    /// Distinct people.
    pub patients: Count,
    /// Findings: patients per flow.
    pub findings: Count,
    /// Records.
    pub records: Count,
    /// Flows with findings.
    pub flows: Count,
    /// Kinds of identifiers, with the number of findings that show each.
    pub kinds: Vec<(Kind, u64)>,
}

/// The numbers under one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyNumbers {
    /// `phi.key_id`.
    pub key_id: String,
    /// Distinct people; an estimate counts pseudonyms.
    pub patients: Count,
    /// Findings: patients per flow.
    pub findings: Count,
    /// Records.
    pub records: Count,
    /// Ordered by client, service and protocol.
    pub exposures: Vec<ExposureNumbers>,
}

/// All numbers of a summary.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// By key, because people of different keys cannot be compared.
    pub keys: Vec<KeyNumbers>,
    /// How much each run read. A packet that two sensors saw counts twice.
    pub runs: Vec<(RunKey, RunNumbers)>,
}

impl Numbers {
    /// Number of exposures across keys; client and service are comparable under any key.
    pub fn exposures(&self) -> usize {
        let pairs = self.keys.iter().flat_map(|key| key.exposures.iter().map(|e| e.pair));
        pairs.collect::<BTreeSet<Pair>>().len()
    }
}

impl From<&Summary> for Numbers {
    fn from(summary: &Summary) -> Self {
        let keys = summary.keys.iter().filter(|(_, section)| !section.is_empty());
        let mut keys: Vec<KeyNumbers> =
            keys.map(|(key_id, section)| section.numbers(key_id)).collect();
        let points = summary.points();
        // Addresses are the same under any key.
        let service = |of: &ExposureNumbers| {
            let Pair { server, transport, protocol, .. } = of.pair;
            ServiceKey { server, transport, protocol }
        };
        let mut open = access::open(summary.services.iter().map(|((_, key), seen)| (key, seen)));
        let all = keys.iter().flat_map(|key| &key.exposures);
        open.extend(all.filter(|of| of.open).map(service));
        for of in keys.iter_mut().flat_map(|key| &mut key.exposures) {
            of.open = open.contains(&service(of));
            let raised = if of.open && of.unproven > 0 { points.proven(of.unproven) } else { 0 };
            of.severity = points.score(of.severity.max(raised), of.patients);
        }
        Self { keys, runs: summary.runs.iter().map(|(run, of)| (run.clone(), *of)).collect() }
    }
}

impl Section {
    fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Facts(facts) => facts.is_empty(),
            Form::Sketches(sketches) => sketches.is_empty(),
        }
    }

    /// The numbers, with the severity and the proof of each exposure alone.
    fn numbers(&self, key_id: &str) -> KeyNumbers {
        match &self.0 {
            Form::Facts(facts) => of_facts(key_id, facts),
            Form::Sketches(sketches) => of_sketches(key_id, sketches),
        }
    }
}

const fn exact(value: u64) -> Count {
    Count { value, estimate: false }
}

/// A patient of a flow, from all sensors that saw it.
struct Finding {
    pair: Pair,
    /// Number of the flow.
    flow: usize,
    patient: Token,
    seen: Seen,
}

/// Running totals of an exposure.
struct Counting {
    first: Timestamp,
    last: Timestamp,
    severity: u8,
    unproven: u8,
    open: bool,
    patients: BTreeSet<Token>,
    flows: BTreeSet<usize>,
    findings: u64,
    records: u64,
    kinds: BTreeMap<Kind, u64>,
}

fn of_facts(key_id: &str, facts: &BTreeMap<FactKey, Seen>) -> KeyNumbers {
    let mut findings = findings(facts);
    findings.sort_by_key(|f| (f.seen.first, f.seen.last, f.pair, f.flow, f.patient));
    let mut people = People::within(usize::MAX);
    for finding in &findings {
        people.recognise(finding.patient, &Traits::from(&finding.seen.traits));
    }
    let mut exposures: BTreeMap<Pair, Counting> = BTreeMap::new();
    let mut patients: BTreeSet<Token> = BTreeSet::new();
    let mut records = 0;
    for Finding { pair, flow, patient, seen } in &findings {
        let person = people.person(*patient);
        patients.insert(person);
        records += u64::from(seen.records);
        let of = exposures.entry(*pair).or_insert_with(|| Counting {
            first: seen.first,
            last: seen.last,
            severity: 0,
            unproven: 0,
            open: false,
            patients: BTreeSet::new(),
            flows: BTreeSet::new(),
            findings: 0,
            records: 0,
            kinds: BTreeMap::new(),
        });
        of.first = of.first.min(seen.first);
        of.last = of.last.max(seen.last);
        of.severity = of.severity.max(seen.severity);
        of.unproven = of.unproven.max(seen.unproven);
        of.open |= seen.proven;
        of.patients.insert(person);
        of.flows.insert(*flow);
        of.findings += 1;
        of.records += u64::from(seen.records);
        for kind in seen.kinds.iter() {
            *of.kinds.entry(kind).or_default() += 1;
        }
    }
    let exposure = |(pair, of): (Pair, Counting)| ExposureNumbers {
        pair,
        first: of.first,
        last: of.last,
        severity: of.severity,
        open: of.open,
        unproven: of.unproven,
        patients: exact(of.patients.len() as u64),
        findings: exact(of.findings),
        records: exact(of.records),
        flows: exact(of.flows.len() as u64),
        kinds: of.kinds.into_iter().collect(),
    };
    KeyNumbers {
        key_id: key_id.to_owned(),
        patients: exact(patients.len() as u64),
        findings: exact(findings.len() as u64),
        records: exact(records),
        exposures: exposures.into_iter().map(exposure).collect(),
    }
}

/// The protocol and the two ports that flows have in common.
type Ends = (crate::merge::ProtocolName, SocketAddr, SocketAddr, u8);

fn ends(key: &FactKey) -> Ends {
    (key.protocol, key.flow.client, key.flow.server, key.flow.transport)
}

/// Combines the facts of each flow and patient.
fn findings(facts: &BTreeMap<FactKey, Seen>) -> Vec<Finding> {
    let mut found = Vec::with_capacity(facts.len());
    let mut flows = 0;
    let mut facts = facts.iter().peekable();
    // Keys are sorted by protocol and ends.
    while let Some(first) = facts.next() {
        let mut group = vec![first];
        while let Some(next) = facts.next_if(|(key, _)| ends(key) == ends(first.0)) {
            group.push(next);
        }
        let numbers = same_flows(&group);
        let mut joined: BTreeMap<(usize, Token), Seen> = BTreeMap::new();
        for (key, seen) in group {
            let number = flows + numbers.get(&key.flow).copied().unwrap_or(0);
            match joined.get_mut(&(number, key.patient)) {
                Some(known) => known.join(seen),
                None => {
                    joined.insert((number, key.patient), seen.clone());
                }
            }
        }
        flows += numbers.len();
        let pair = first.0.pair();
        let finding = |((flow, patient), seen)| Finding { pair, flow, patient, seen };
        found.extend(joined.into_iter().map(finding));
    }
    found
}

/// A flow that later ones may be equal to.
struct Known {
    number: usize,
    /// The time covered by all equal flows.
    time: Time,
}

/// The time of a flow, as far as its records show it.
#[derive(Clone, Copy)]
struct Time {
    from: i64,
    to: i64,
}

impl Time {
    const fn overlaps(self, other: Self) -> bool {
        self.from.saturating_sub(CLOCK_TOLERANCE.0) <= other.to
            && other.from.saturating_sub(CLOCK_TOLERANCE.0) <= self.to
    }
}

/// Most flows of the same ports that a further flow is compared with: the latest ones that began
/// before it ends. Real connections of the same ports follow each other, so an equal flow is among
/// the last ones, however many an attacker invents.
const MAX_COMPARED: usize = 256;

/// Finds equal flows of one pair of ports. Maps each to the number of the first of them.
fn same_flows(group: &[(&FactKey, &Seen)]) -> BTreeMap<FlowId, usize> {
    let mut times: BTreeMap<(i64, FlowId), i64> = BTreeMap::new();
    for (key, seen) in group {
        let last = times.entry((key.flow.started.0, key.flow)).or_insert(seen.last.0);
        *last = (*last).max(seen.last.0);
    }
    let mut numbers = BTreeMap::new();
    if let ([_], Some(((_, flow), _))) =
        (&*times.keys().collect::<Vec<_>>(), times.first_key_value())
    {
        numbers.insert(*flow, 0);
        return numbers;
    }
    let mut count = 0;
    // Flows with a handshake come first. A flow without one is part of one of them, or a flow of
    // its own.
    let mut shaken: Vec<Known> = Vec::new();
    let mut latest: HashMap<u32, usize> = HashMap::new();
    for (&(from, flow), &to) in &times {
        let Some(initial) = flow.initial else { continue };
        // Of two flows with this number compare with the later one; it began no later than this
        // one.
        let same = latest.get(&initial).and_then(|at| shaken.get_mut(*at));
        match same.filter(|known| from.saturating_sub(known.time.from) <= CLOCK_TOLERANCE.0) {
            Some(known) => {
                known.time.to = known.time.to.max(to);
                numbers.insert(flow, known.number);
            }
            None => {
                latest.insert(initial, shaken.len());
                shaken.push(Known { number: count, time: Time { from, to: to.max(from) } });
                numbers.insert(flow, count);
                count += 1;
            }
        }
    }
    let mut others: Vec<Known> = Vec::new();
    for (&(from, flow), &to) in times.iter().filter(|((_, flow), _)| flow.initial.is_none()) {
        let time = Time { from, to: to.max(from) };
        // The latest that fits: of two connections of the same ports, the one that continues.
        let overlaps = |known: &&mut Known| known.time.overlaps(time);
        if let Some(known) = others.iter_mut().rev().take(MAX_COMPARED).find(overlaps) {
            known.time.to = known.time.to.max(time.to);
            numbers.insert(flow, known.number);
            continue;
        }
        // A flow without handshake must not link two others, so it does not extend their times.
        let until = time.to.saturating_add(CLOCK_TOLERANCE.0);
        let begun = shaken.partition_point(|known| known.time.from <= until);
        let before = shaken.get(..begun).unwrap_or_default().iter().rev().take(MAX_COMPARED);
        let number = match before.into_iter().find(|known| known.time.overlaps(time)) {
            Some(known) => known.number,
            None => {
                others.push(Known { number: count, time });
                count += 1;
                count - 1
            }
        };
        numbers.insert(flow, number);
    }
    numbers
}

fn of_sketches(key_id: &str, sketches: &BTreeMap<Pair, Sketched>) -> KeyNumbers {
    let (mut patients, mut findings, mut records) =
        (HashedSet::default(), HashedSet::default(), HashedSet::default());
    let exposures = sketches.iter().map(|(pair, of)| {
        patients.union(&of.patients);
        findings.union(&of.findings);
        records.union(&of.records);
        ExposureNumbers {
            pair: *pair,
            first: of.first,
            last: of.last,
            severity: of.severity,
            open: of.proven,
            unproven: of.unproven,
            patients: of.patients.count(),
            findings: of.findings.count(),
            records: of.records.count(),
            flows: of.flows.count(),
            kinds: of.kinds.iter().map(|(kind, set)| (*kind, set.count().value)).collect(),
        }
    });
    let exposures = exposures.collect();
    KeyNumbers {
        key_id: key_id.to_owned(),
        patients: patients.count(),
        findings: findings.count(),
        records: records.count(),
        exposures,
    }
}
