//! Exposures known from an earlier run, or that ended because there were too many. They keep their ids, so that a SOC
//! does not see the same client and service as new after each restart.

use super::open::{Open, Pair};
use super::tracker::Exposures;
use super::types::{Event, EventId, ExposureState, PatientKey};
use crate::flow::Transport;
use crate::protocol::PROTOCOLS;
use crate::time::{Span, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Exposures kept from before; beyond it those that were quiet for longest are dropped.
pub const MAX_KNOWN: usize = 16_384;
/// Patients of one exposure that are kept one by one. Beyond them only the number is kept.
pub const MAX_PATIENTS: usize = 1_024;
/// The same for all exposures together.
pub const MAX_ALL_PATIENTS: usize = 131_072;

/// An exposure that comes back after this long is announced at once.
pub const RETURN_AFTER: Span = Span::seconds(86_400);

/// The persistent part of an exposure. It names hosts and counts, and refers to people by pseudonyms.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownExposure {
    /// Its id.
    pub id: EventId,
    /// The client.
    pub client: IpAddr,
    /// The service.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: Transport,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// First finding, packet time.
    pub first: Timestamp,
    /// Last finding.
    pub last: Timestamp,
    /// 0 to 100, the highest so far.
    pub severity: u8,
    /// Flows with findings.
    pub flows: u64,
    /// Findings.
    pub findings: u64,
    /// Records.
    pub records: u64,
    /// Distinct patients.
    pub patients: u64,
    /// Their pseudonyms, to a cap.
    pub tokens: Vec<PatientKey>,
    /// Patients by identifier kind, in the order of [`crate::rules::Kind::ALL`].
    pub kinds: Vec<u64>,
    /// Operations, in the order of appearance.
    pub operations: Vec<Box<str>>,
}

impl KnownExposure {
    fn pair(&self) -> Pair {
        let Self { client, server, transport, protocol, .. } = *self;
        Pair { client, server, transport, protocol }
    }

    /// The name of a protocol as exposures use it, if it exists.
    pub fn protocol_named(name: &str) -> Option<&'static str> {
        let names = PROTOCOLS.iter().map(|p| p.name()).chain(["unknown"]);
        { names }.find(|known| *known == name)
    }
}

/// Bytes of heap that one takes, roughly.
const KNOWN: usize = 1 << 10;
/// Share of the memory for them.
const SHARE: usize = 8;
/// Those that are kept even where memory is short.
const MIN_KNOWN: usize = 256;

/// Exposures to which no finding of this run belongs yet.
pub(in crate::exposure) struct KnownExposures {
    all: HashMap<Pair, KnownExposure, RandomState>,
    /// Most that are kept. Up to twice as many are held for a while.
    most: usize,
}

impl KnownExposures {
    /// None, with room for as many as so many bytes allow.
    pub fn within(memory: usize) -> Self {
        let most = (memory / SHARE / KNOWN / 2).clamp(MIN_KNOWN, MAX_KNOWN);
        Self { all: HashMap::default(), most }
    }

    /// Adds one.
    pub fn keep(&mut self, known: KnownExposure) {
        self.all.insert(known.pair(), known);
        if self.all.len() >= 2 * self.most {
            let mut ages: Vec<Timestamp> = self.all.values().map(|k| k.last).collect();
            let (_, &mut oldest, _) = ages.select_nth_unstable(self.most);
            self.all.retain(|_, known| known.last > oldest);
        }
    }

    /// Removes the one between `pair`, if it had a finding after `since`.
    pub fn take(&mut self, pair: &Pair, since: Timestamp) -> Option<KnownExposure> {
        self.all.remove(pair).filter(|known| known.last > since)
    }

    /// Forgets the one between `pair`.
    pub fn forget(&mut self, pair: &Pair) {
        self.all.remove(pair);
    }
}

impl Open {
    /// Its persistent part, with at most `patients` patients one by one.
    pub(in crate::exposure) fn known(&self, patients: usize) -> KnownExposure {
        let exposure = &self.exposure;
        let few = self.patients.held() <= patients;
        KnownExposure {
            id: exposure.id,
            client: exposure.client,
            server: exposure.server,
            transport: exposure.transport,
            protocol: exposure.protocol,
            first: exposure.first,
            last: exposure.last,
            severity: exposure.severity,
            flows: exposure.flows,
            findings: exposure.findings,
            records: exposure.records,
            patients: self.patients().value,
            tokens: if few { self.patients.tokens().collect() } else { Vec::new() },
            kinds: self.kinds.to_vec(),
            operations: exposure.operations.clone(),
        }
    }

    /// Continues where `known` ended. `room`: how many tokens may be held.
    pub(in crate::exposure) fn resume(&mut self, known: KnownExposure, room: usize) {
        for (at, token) in known.tokens.into_iter().enumerate() {
            self.patients.insert(token, at < room);
        }
        self.floor = known.patients;
        self.exposure.patients.value = known.patients;
        for (count, before) in self.kinds.iter_mut().zip(known.kinds) {
            *count += before;
        }
        self.severity_before(known.severity);
        let exposure = &mut self.exposure;
        exposure.id = known.id;
        exposure.first = known.first;
        exposure.flows += known.flows;
        exposure.findings += known.findings;
        exposure.records += known.records;
        exposure.operations = known.operations;
        exposure.operations.truncate(super::open::MAX_OPERATIONS);
    }
}

/// The relation of a finding to its exposure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::exposure) enum Opening {
    /// It opens the exposure.
    New,
    /// It is the first of this run in an exposure of an earlier run.
    Resumed,
    /// The exposure exists.
    Known,
    /// The exposure exists, and had no finding for [`RETURN_AFTER`].
    Returns,
}

impl Opening {
    /// Why it is announced at once, if it is.
    pub const fn state(self, worse: bool) -> Option<ExposureState> {
        match (self, worse) {
            (Self::New, _) => Some(ExposureState::Open),
            (Self::Returns, _) => Some(ExposureState::Returned),
            (Self::Known | Self::Resumed, true) => Some(ExposureState::Update),
            (Self::Known | Self::Resumed, false) => None,
        }
    }
}

impl Exposures {
    /// Ends exposures that had no finding for so long that the next one counts as new.
    pub(in crate::exposure) fn forget(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        // In the order in which they became quiet, which is nearly that of their last findings.
        while let Some(entry) = self.quiet.first_entry() {
            let pair = *entry.get();
            match self.open.get(&pair) {
                Some(open) if open.exposure.last + self.settings.forget > now => break,
                Some(_) => self.end(pair, now, out),
                None => {
                    entry.remove();
                }
            }
        }
    }

    /// The whole exposure is accepted: what follows counts as new.
    pub(in crate::exposure) fn acknowledge(
        &mut self,
        pair: Pair,
        now: Timestamp,
        out: &mut Vec<Event>,
    ) {
        self.end(pair, now, out);
        self.known.forget(&pair);
    }

    /// Restores what an earlier run knew.
    pub fn resume(&mut self, known: Vec<KnownExposure>) {
        known.into_iter().for_each(|known| self.known.keep(known));
    }

    /// What a later run must know, the latest first.
    pub fn known(&self, now: Timestamp) -> Vec<KnownExposure> {
        let since = now - self.settings.forget;
        let mut all: Vec<KnownExposure> =
            self.open.values().map(|o| o.known(MAX_PATIENTS)).collect();
        all.extend(self.known.all.values().cloned());
        all.retain(|known| known.last > since);
        all.sort_unstable_by_key(|known| (std::cmp::Reverse(known.last), known.id));
        all.truncate(MAX_KNOWN);
        let mut left = MAX_ALL_PATIENTS;
        for known in &mut all {
            if known.tokens.len() > left {
                known.tokens.clear();
            }
            left -= known.tokens.len();
            known.tokens.sort_unstable();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_keeps_the_latest_few() {
        let mut known = KnownExposures::within(1 << 20);
        for n in 0..10_000_u32 {
            let client = IpAddr::from(n.to_be_bytes());
            known.keep(KnownExposure {
                id: EventId(n.into()),
                client,
                server: SocketAddr::from(([10, 0, 0, 1], 2575)),
                transport: Transport::Udp,
                protocol: "hl7",
                first: Timestamp(n.into()),
                last: Timestamp(n.into()),
                severity: 50,
                flows: 1,
                findings: 1,
                records: 1,
                patients: 1,
                tokens: Vec::new(),
                kinds: Vec::new(),
                operations: Vec::new(),
            });
            assert!(known.all.len() <= 2 * MIN_KNOWN, "{n}");
        }
        let latest = known.all.values().map(|known| known.last.0).max();
        assert!(latest == Some(9_999) && known.all.len() >= MIN_KNOWN, "{}", known.all.len());
    }
}
