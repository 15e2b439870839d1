//! Selects the packets of a request.

use super::CutError;
use crate::capture::Packet;
use crate::decode::{FlowKey, Transport};
use crate::output::community_id_of;
use crate::protocol::announces_flows;
use crate::review::Cut;
use crate::review::source::{Evidence, Exposure, Filter, Results, Service, time};
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// Proofs taken of one service.
const MAX_PROOFS: usize = 16;

/// Selects part of a run's captures.
struct Selector {
    /// Captures that may hold the packets.
    files: Vec<String>,
    /// Client and service; none for flows selected by Community ID only.
    pair: Option<Pair>,
    /// Community IDs; any flow of the pair if empty.
    flows: BTreeSet<String>,
    /// Only packets of records in these captures; all packets of the flows if none.
    records: Option<Evidence>,
    /// Only packets until this time.
    until: Option<Timestamp>,
    /// The event id of the packets.
    id: String,
}

/// A flow of another client that showed whom a service answers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Proof {
    /// `event.id` of the service.
    pub service: String,
    /// What the flow showed.
    pub evidence: String,
    pub community_id: String,
    file: String,
    pub until: Timestamp,
}

/// A service, and one of its clients or all.
struct Pair {
    client: Option<IpAddr>,
    server: SocketAddr,
    transport: String,
    /// It announces flows at other ports: all flows of the two hosts, but those of these other services.
    other_services: Option<BTreeSet<SocketAddr>>,
}

impl Pair {
    fn of(e: &Exposure, others: &BTreeSet<SocketAddr>) -> Self {
        let announces = announces_flows(&e.protocol);
        Self {
            client: Some(e.client),
            server: e.server,
            transport: e.transport.clone(),
            other_services: announces.then(|| others.clone()),
        }
    }

    /// Whether a flow between these ends belongs to it.
    fn takes(&self, low: SocketAddr, high: SocketAddr, transport: Transport) -> bool {
        let between = |client: SocketAddr, server: SocketAddr| {
            self.client.is_none_or(|of| of == client.ip())
                && match &self.other_services {
                    None => server == self.server,
                    Some(others) => {
                        server.ip() == self.server.ip()
                            && !others.contains(&server)
                            && !others.contains(&client)
                    }
                }
        };
        (self.transport.is_empty() || transport.as_str() == self.transport)
            && (between(low, high) || between(high, low))
    }
}

/// All selectors of a request.
pub(super) struct Selectors {
    all: Vec<Selector>,
    proofs: BTreeSet<Proof>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Selectors {
    /// Selectors for the results that the filter and the flows leave.
    pub fn of(
        results: &Results,
        cut: &Cut,
        other_services: &BTreeSet<SocketAddr>,
    ) -> Result<Self, CutError> {
        let filter: &Filter = &cut.filter;
        let mut all = Vec::new();
        let mut proofs = BTreeSet::new();
        let flows: BTreeSet<String> = cut.flows.iter().cloned().collect();
        if !filter.tokens.is_empty() {
            of_patients(results, &flows, other_services, &mut all);
        } else {
            let seen =
                results.exposures.iter().filter(|_| flows.is_empty() || filter.asks_of_exposures());
            for e in seen {
                let Some(evidence) = &e.evidence else { continue };
                all.push(Selector {
                    files: between(results, e.run, evidence),
                    pair: Some(Pair::of(e, other_services)),
                    flows: flows.clone(),
                    records: None,
                    until: None,
                    id: e.id.clone(),
                });
            }
            if !all.is_empty() && filter.asks_of_services() {
                of_services(results, &flows, &mut all);
            } else if flows.is_empty() {
                let services = by_address(results);
                let of = results.exposures.iter().flat_map(|e| proofs_of(&services, e));
                proofs = of.collect();
                all.extend(proofs.iter().map(Proof::selector));
            }
            if all.is_empty() && !flows.is_empty() {
                let files = results.runs.iter().flat_map(|run| run.files.iter().cloned());
                let files: BTreeSet<String> = files.collect();
                let id = flows.iter().cloned().collect::<Vec<_>>().join(" ");
                all.push(Selector {
                    files: files.into_iter().collect(),
                    pair: None,
                    flows,
                    records: None,
                    until: None,
                    id,
                });
            }
        }
        if all.iter().all(|pick| pick.files.is_empty()) {
            return Err(CutError::Nothing("nothing selected has packets in a capture"));
        }
        Ok(Self { all, proofs, since: filter.since, until: filter.until })
    }

    /// Whether the flows of one client were picked where a service answers anyone, which flows that are not known may
    /// have shown: the results are of an older version.
    pub fn is_proven_elsewhere(&self, results: &Results) -> bool {
        let alone = |e: &Exposure| {
            let of = |pick: &Selector| {
                pick.pair
                    .as_ref()
                    .is_some_and(|pair| pair.client.is_none() && pair.server == e.server)
            };
            !self.all.iter().any(of)
        };
        let clients = |e: &Exposure| e.event.pointer("/phi/service/access/clients")?.as_u64();
        let whole = self.all.iter().all(|pick| pick.records.is_none());
        let shared = |e: &Exposure| clients(e).is_some_and(|n| n > 1);
        let services = by_address(results);
        let unproven = |e: &Exposure| proofs_of(&services, e).is_empty();
        whole && results.exposures.iter().any(|e| e.open && shared(e) && alone(e) && unproven(e))
    }

    /// The flows that were picked because they showed whom a service answers.
    pub const fn proofs(&self) -> &BTreeSet<Proof> {
        &self.proofs
    }

    /// The captures, each once.
    pub fn files(&self) -> BTreeSet<&str> {
        self.all.iter().flat_map(|pick| pick.files.iter().map(String::as_str)).collect()
    }

    /// The selected events.
    pub fn events(&self) -> BTreeSet<&str> {
        let of = self.all.iter().filter(|pick| pick.until.is_none());
        of.map(|pick| pick.id.as_str()).collect()
    }

    /// Indexes of the selectors that match a flow of a capture.
    pub fn of_flow(&self, file: &str, key: &FlowKey) -> Vec<usize> {
        let (low, high) = (key.low.to_socket_addr(), key.high.to_socket_addr());
        let transport = key.transport;
        let name = community_id_of(low, high, transport.number());
        let of = |pick: &Selector| {
            pick.files.iter().any(|f| f == file)
                && (pick.flows.is_empty() || pick.flows.contains(&name))
                && pick.pair.as_ref().is_none_or(|pair| pair.takes(low, high, transport))
        };
        let places = self.all.iter().enumerate().filter(|(_, pick)| of(pick));
        places.map(|(at, _)| at).collect()
    }

    /// The events that a packet of a flow belongs to. `payload`: whether the packet has any.
    pub fn ids(&self, places: &[usize], packet: &Packet, payload: bool) -> Vec<&str> {
        let out_of_time = self.since.is_some_and(|since| packet.time < since)
            || self.until.is_some_and(|until| packet.time >= until);
        if out_of_time {
            return Vec::new();
        }
        let of = places.iter().filter_map(|at| self.all.get(*at));
        let of = of.filter(|pick| pick.until.is_none_or(|until| packet.time <= until));
        let of = of.filter(|pick| {
            pick.records.as_ref().is_none_or(|span| {
                !payload
                    || span.file != span.last_file
                    || (span.first_packet..=span.last_packet).contains(&packet.number)
            })
        });
        of.map(|pick| pick.id.as_str()).collect()
    }
}

impl Proof {
    fn selector(&self) -> Selector {
        Selector {
            files: vec![self.file.clone()],
            pair: None,
            flows: [self.community_id.clone()].into(),
            records: None,
            until: Some(self.until),
            id: self.service.clone(),
        }
    }
}

/// Services by run and address.
type ServicesByAddress<'a> = HashMap<(usize, SocketAddr), Vec<&'a Service>>;

fn by_address(results: &Results) -> ServicesByAddress<'_> {
    let mut all = ServicesByAddress::new();
    for service in &results.services {
        all.entry((service.run, service.server)).or_default().push(service);
    }
    all
}

/// The flows that showed whom the service of an exposure answers: without them, it would be another exposure. Those of
/// its own client are among them.
fn proofs_of(services: &ServicesByAddress<'_>, e: &Exposure) -> Vec<Proof> {
    if e.event.pointer("/phi/service/access").is_none() {
        return Vec::new();
    }
    let is_it = |s: &&&Service| s.protocol == e.protocol && s.transport == e.transport;
    let at_address = services.get(&(e.run, e.server));
    let mut found = Vec::new();
    for service in at_address.into_iter().flatten().filter(is_it) {
        let list = service.event.pointer("/phi/proofs").and_then(Value::as_array);
        for proof in list.into_iter().flatten().take(MAX_PROOFS) {
            let text = |name: &str| proof[name].as_str().map(str::to_owned);
            let (Some(evidence), Some(community_id), Some(file), Some(until)) = (
                text("evidence"),
                text("community_id"),
                text("file"),
                proof["until"].as_str().and_then(time),
            ) else {
                continue;
            };
            let service = service.id.clone();
            found.push(Proof { service, evidence, community_id, file, until });
        }
    }
    found
}

/// Adds selectors for all flows of the exposed services: those without a finding may have shown that a service is open.
fn of_services(results: &Results, flows: &BTreeSet<String>, all: &mut Vec<Selector>) {
    let exposed: BTreeSet<(usize, SocketAddr)> =
        results.exposures.iter().map(|e| (e.run, e.server)).collect();
    for service in results.services.iter().filter(|s| exposed.contains(&(s.run, s.server))) {
        all.push(Selector {
            files: results.runs.get(service.run).map(|run| run.files.clone()).unwrap_or_default(),
            pair: Some(Pair {
                client: None,
                server: service.server,
                transport: service.transport.clone(),
                other_services: None,
            }),
            flows: flows.clone(),
            records: None,
            until: None,
            id: service.id.clone(),
        });
    }
}

/// Adds selectors for the records of patients.
fn of_patients(
    results: &Results,
    flows: &BTreeSet<String>,
    other_services: &BTreeSet<SocketAddr>,
    all: &mut Vec<Selector>,
) {
    for patient in &results.patients {
        for seen in &patient.seen {
            let Some(evidence) = &seen.evidence else { continue };
            if !flows.is_empty() && !flows.contains(&seen.community_id) {
                continue;
            }
            let pair = seen.exposure.and_then(|at| results.exposures.get(at));
            // A patient in several flows of an exposure has only the first one's id, so all flows
            // are selected.
            all.push(Selector {
                files: between(results, patient.run, evidence),
                pair: pair.map(|e| Pair::of(e, other_services)),
                flows: if pair.is_some() {
                    flows.clone()
                } else {
                    [seen.community_id.clone()].into()
                },
                records: Some(evidence.clone()),
                until: None,
                id: seen.id.clone(),
            });
        }
    }
}

/// The captures of a run between the first and the last packet of an entry.
fn between(results: &Results, run: usize, evidence: &Evidence) -> Vec<String> {
    let files = results.runs.get(run).map_or(&[][..], |run| &run.files);
    let place = |name: &str| files.iter().position(|file| file == name);
    match (place(&evidence.file), place(&evidence.last_file)) {
        (Some(first), Some(last)) if first != last => {
            let (low, high) = (first.min(last), first.max(last));
            files.get(low..=high).unwrap_or_default().to_vec()
        }
        _ => vec![evidence.file.clone()],
    }
}
