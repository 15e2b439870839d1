//! Selects the packets of a request.

use super::CutError;
use crate::capture::Packet;
use crate::decode::{FlowKey, Transport};
use crate::output::community_id_of;
use crate::review::Cut;
use crate::review::source::{Evidence, Filter, Results};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Most event ids in the comment of one packet.
const MAX_IDS: usize = 16;

/// Selects part of a run's captures.
struct Selector {
    /// Captures that may hold the packets.
    files: Vec<String>,
    /// Client, service and protocol; none for flows selected by Community ID only.
    pair: Option<(IpAddr, SocketAddr, String)>,
    /// Community IDs; any flow of the pair if empty.
    flows: BTreeSet<String>,
    /// Only packets of records in these captures; all packets of the flows if none.
    records: Option<Evidence>,
    /// The event id of the packets.
    id: String,
}

/// All selectors of a request.
pub(super) struct Selectors {
    all: Vec<Selector>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Selectors {
    /// Selectors for the results that the filter and the flows leave.
    pub fn of(results: &Results, cut: &Cut) -> Result<Self, CutError> {
        let filter: &Filter = &cut.filter;
        let mut all = Vec::new();
        let flows: BTreeSet<String> = cut.flows.iter().cloned().collect();
        if !filter.tokens.is_empty() {
            of_patients(results, &flows, &mut all);
        } else {
            let seen =
                results.exposures.iter().filter(|_| flows.is_empty() || filter.asks_of_exposures());
            for e in seen {
                let Some(evidence) = &e.evidence else { continue };
                all.push(Selector {
                    files: between(results, e.run, evidence),
                    pair: Some((e.client, e.server, e.transport.clone())),
                    flows: flows.clone(),
                    records: None,
                    id: e.id.clone(),
                });
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
                    id,
                });
            }
        }
        if all.iter().all(|pick| pick.files.is_empty()) {
            return Err(CutError::Nothing("nothing selected has packets in a capture"));
        }
        Ok(Self { all, since: filter.since, until: filter.until })
    }

    /// The captures, each once.
    pub fn files(&self) -> BTreeSet<&str> {
        self.all.iter().flat_map(|pick| pick.files.iter().map(String::as_str)).collect()
    }

    /// The selected events.
    pub fn events(&self) -> BTreeSet<&str> {
        self.all.iter().map(|pick| pick.id.as_str()).collect()
    }

    /// Indexes of the selectors that match a flow of a capture.
    pub fn of_flow(&self, file: &str, key: &FlowKey) -> Vec<usize> {
        let (low, high) = (key.low.to_socket_addr(), key.high.to_socket_addr());
        let transport = key.transport;
        let name = community_id_of(low, high, transport.number());
        let of = |pick: &Selector| {
            let between = |client: IpAddr, server: SocketAddr| {
                (low.ip() == client && high == server) || (high.ip() == client && low == server)
            };
            pick.files.iter().any(|f| f == file)
                && (pick.flows.is_empty() || pick.flows.contains(&name))
                && pick.pair.as_ref().is_none_or(|(client, server, over)| {
                    between(*client, *server) && is(transport, over)
                })
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
        let of = places.iter().filter_map(|at| self.all.get(*at)).filter(|pick| {
            pick.records.as_ref().is_none_or(|span| {
                !payload
                    || span.file != span.last_file
                    || (span.first_packet..=span.last_packet).contains(&packet.number)
            })
        });
        let mut ids: Vec<&str> = of.map(|pick| pick.id.as_str()).take(MAX_IDS).collect();
        ids.dedup();
        ids
    }
}

fn is(transport: Transport, name: &str) -> bool {
    name.is_empty() || transport.as_str() == name
}

/// Adds selectors for the records of patients.
fn of_patients(results: &Results, flows: &BTreeSet<String>, all: &mut Vec<Selector>) {
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
                pair: pair.map(|e| (e.client, e.server, e.transport.clone())),
                flows: if pair.is_some() {
                    flows.clone()
                } else {
                    [seen.community_id.clone()].into()
                },
                records: Some(evidence.clone()),
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
