//! Hosts and services seen so far.

use crate::exposure::{Answers, Conversation, Count, Event, Exposure, Service};
use crate::output::shares::Shares;
use crate::protocol::{ServiceFacts, TlsFacts};
use crate::severity::Severity;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Most hosts, and most services; the sensor itself remembers no more.
const MAX_LISTED: usize = 65_536;
/// Peers and names held per entry.
const MAX_OF_ONE: usize = 64;

/// A host.
#[derive(Default)]
pub(super) struct Host {
    /// Its roles.
    pub roles: BTreeSet<&'static str>,
    /// Its protocols.
    pub protocols: BTreeSet<&'static str>,
    /// Its names: titles, applications.
    pub names: BTreeSet<String>,
    /// Its peers.
    pub peers: BTreeSet<IpAddr>,
    /// Packet times of the first and the last observation.
    pub seen: Option<(Timestamp, Timestamp)>,
}

/// A service.
pub(super) struct Listed {
    /// `tcp` or `udp`.
    pub transport: &'static str,
    /// Packet times of the first and the last observation.
    pub seen: (Timestamp, Timestamp),
    /// Server software, as it names itself.
    pub software: Option<String>,
    /// Its names.
    pub names: BTreeSet<String>,
    /// How clients authenticate.
    pub authentication: &'static str,
    /// Whether secrets crossed in cleartext.
    pub credentials_in_clear: bool,
    /// Which clients it accepts, if proven.
    pub answers: Option<&'static str>,
    /// What it shows of itself without a login.
    pub open: BTreeSet<String>,
    /// Clients.
    pub clients: BTreeSet<IpAddr>,
    /// Patients of its worst exposure; those of several may be the same.
    pub patients: Count,
    /// The highest score of its exposures.
    pub score: u8,
}

/// An exposure as an edge between hosts.
pub(super) struct Edge {
    /// Distinct patients.
    pub patients: u64,
    /// Records.
    pub records: u64,
    /// The score.
    pub score: u8,
}

/// An encrypted service.
#[derive(Clone, Copy, Default)]
pub(super) struct Encrypted<'a> {
    /// Its flows that have ended.
    pub flows: u64,
    /// The protocol that its port is registered for.
    pub port_of: Option<&'static str>,
    /// Facts from its handshakes.
    pub tls: Option<&'a TlsFacts>,
}

/// Hosts, services and exposures by their addresses.
#[derive(Default)]
pub(super) struct Inventory {
    /// Hosts.
    pub hosts: BTreeMap<IpAddr, Host>,
    /// Services.
    pub services: BTreeMap<(SocketAddr, &'static str), Listed>,
    /// Exposures.
    pub edges: BTreeMap<(IpAddr, SocketAddr, &'static str), Edge>,
    /// Flows in cleartext and encrypted.
    pub shares: Shares,
    /// What handshakes of encrypted services show.
    pub handshakes: BTreeMap<SocketAddr, TlsFacts>,
    /// Names of hosts, not all of which are in `hosts`.
    named: BTreeMap<IpAddr, BTreeSet<String>>,
    /// Entries that found no room.
    pub left: u64,
}

impl Listed {
    /// In words; `None` if no exposure was seen.
    pub fn severity(&self) -> Option<&'static str> {
        (self.score > 0).then(|| Severity::of(self.score).as_str())
    }

    fn learn(&mut self, facts: &ServiceFacts, at: Timestamp) {
        self.seen = (self.seen.0.min(at), self.seen.1.max(at));
        if let Some(software) = facts.software() {
            self.software = Some(software.to_owned());
        }
        self.authentication = facts.authentication.as_str();
        self.credentials_in_clear |= facts.credentials_in_clear;
        for name in facts.families().filter_map(|family| family.ends().server) {
            name_it(&mut self.names, name.1);
        }
        for shown in facts.interfaces.iter().filter(|i| i.open) {
            if self.open.len() < MAX_OF_ONE {
                self.open.insert(format!("{} ({})", shown.kind.as_str(), shown.product));
            }
        }
    }
}

fn name_it(names: &mut BTreeSet<String>, name: &str) {
    if names.len() < MAX_OF_ONE && !names.contains(name) {
        names.insert(name.to_owned());
    }
}

impl Inventory {
    /// Takes the hosts and services of an event.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Asset(a) => {
                for name in &a.names {
                    self.named(a.address, name);
                }
                if let Some(host) = self.host(a.address, a.time) {
                    host.roles.insert(a.role.as_str());
                    host.protocols.insert(a.protocol);
                }
            }
            Event::Service(s) => match &s.facts.tls {
                Some(tls) => self.handshake(s, tls),
                None => self.service(s),
            },
            Event::Exposure(e) => self.exposure(e),
            Event::Finding { .. } | Event::Patients(_) => {}
        }
    }

    /// Takes a name of a host.
    pub fn named(&mut self, host: IpAddr, name: &str) {
        if self.named.len() < MAX_LISTED || self.named.contains_key(&host) {
            name_it(self.named.entry(host).or_default(), name);
        }
    }

    /// Gives hosts their names; other named hosts were only looked up.
    pub fn name_hosts(&mut self) {
        for (address, names) in &self.named {
            if let Some(host) = self.hosts.get_mut(address) {
                names.iter().for_each(|name| name_it(&mut host.names, name));
            }
        }
    }

    /// Takes a flow that has ended: its ends, and whether it is encrypted.
    pub fn conversation(&mut self, of: &Conversation) {
        self.shares.take(of);
        let (client, service) = of.flow.parties();
        let (client, server) = (client.ip(), service.ip());
        for (address, peer) in [(client, server), (server, client)] {
            for at in [of.flow.started, of.time] {
                let Some(host) = self.host(address, at) else { continue };
                if host.peers.len() < MAX_OF_ONE {
                    host.peers.insert(peer);
                }
            }
        }
        if let Some(protocol) = of.protocol {
            let key = (service, protocol);
            if let Some(listed) = self.services.get_mut(&key) {
                let seen = &mut listed.seen;
                *seen = (seen.0.min(of.flow.started), seen.1.max(of.time));
                if listed.clients.len() < MAX_OF_ONE {
                    listed.clients.insert(client);
                }
            }
        }
    }

    fn host(&mut self, address: IpAddr, at: Timestamp) -> Option<&mut Host> {
        if self.hosts.len() >= MAX_LISTED && !self.hosts.contains_key(&address) {
            self.left += 1;
            return None;
        }
        let host = self.hosts.entry(address).or_default();
        let (first, last) = host.seen.unwrap_or((at, at));
        host.seen = Some((first.min(at), last.max(at)));
        Some(host)
    }

    fn listed(
        &mut self,
        server: SocketAddr,
        transport: &'static str,
        protocol: &'static str,
        at: Timestamp,
    ) -> Option<&mut Listed> {
        let key = (server, protocol);
        if self.services.len() >= MAX_LISTED && !self.services.contains_key(&key) {
            self.left += 1;
            return None;
        }
        Some(self.services.entry(key).or_insert_with(|| Listed {
            transport,
            seen: (at, at),
            software: None,
            names: BTreeSet::new(),
            authentication: "unknown",
            credentials_in_clear: false,
            answers: None,
            open: BTreeSet::new(),
            clients: BTreeSet::new(),
            patients: Count::default(),
            score: 0,
        }))
    }

    fn handshake(&mut self, s: &Service, tls: &TlsFacts) {
        if let Some(host) = self.host(s.server.ip(), s.time) {
            host.protocols.insert(s.protocol);
            tls.server_names.iter().for_each(|name| name_it(&mut host.names, name));
        }
        if self.handshakes.len() < MAX_LISTED || self.handshakes.contains_key(&s.server) {
            // One port may have TLS over TCP and QUIC over UDP.
            let known = self.handshakes.entry(s.server).or_default();
            *known = tls.merged(known);
        } else {
            self.left += 1;
        }
    }

    /// Every encrypted service, with its flows, the protocol that its port is for, and its handshakes.
    pub fn encrypted(&self) -> BTreeMap<SocketAddr, Encrypted<'_>> {
        let mut all = BTreeMap::new();
        for (server, flows, port_of) in self.shares.encrypted() {
            all.insert(server, Encrypted { flows, port_of, tls: None });
        }
        for (server, tls) in &self.handshakes {
            all.entry(*server).or_default().tls = Some(tls);
        }
        all
    }

    fn service(&mut self, s: &Service) {
        if let Some(host) = self.host(s.server.ip(), s.time) {
            host.protocols.insert(s.protocol);
            for name in s.facts.families().filter_map(|family| family.ends().server) {
                name_it(&mut host.names, name.1);
            }
        }
        if let Some(listed) = self.listed(s.server, s.transport.as_str(), s.protocol, s.time) {
            listed.learn(&s.facts, s.time);
            let answers = s.access.answers();
            listed.answers = (answers != Answers::Unproven).then(|| answers.as_str());
        }
    }

    fn exposure(&mut self, e: &Exposure) {
        for (address, peer) in [(e.client, e.server.ip()), (e.server.ip(), e.client)] {
            for at in [e.first, e.last] {
                let Some(host) = self.host(address, at) else { continue };
                host.protocols.insert(e.protocol);
                if host.peers.len() < MAX_OF_ONE {
                    host.peers.insert(peer);
                }
            }
        }
        let named = e.facts.families().filter_map(|family| family.ends().client);
        for name in named {
            if let Some(host) = self.hosts.get_mut(&e.client) {
                name_it(&mut host.names, name.1);
            }
        }
        if let Some(listed) = self.listed(e.server, e.transport.as_str(), e.protocol, e.first) {
            listed.learn(&e.facts, e.first);
            listed.learn(&e.facts, e.last);
            listed.score = listed.score.max(e.severity);
            listed.patients = listed.patients.max(e.patients);
            if listed.clients.len() < MAX_OF_ONE {
                listed.clients.insert(e.client);
            }
        }
        let key = (e.client, e.server, e.protocol);
        if self.edges.len() < MAX_LISTED || self.edges.contains_key(&key) {
            let edge = Edge { patients: e.patients.value, records: e.records, score: e.severity };
            self.edges.insert(key, edge);
        } else {
            self.left += 1;
        }
    }
}
