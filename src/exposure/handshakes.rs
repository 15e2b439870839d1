//! Services that speak TLS: each is reported when first seen, and again, at most once an hour, when its handshakes
//! have shown more.

use super::ranked_map::{EvictionRank, RankedMap};
use super::tracker::Exposures;
use super::types::{Event, EventId, Service, ServiceObservation, socket};
use crate::flow::Transport;
use crate::protocol::ServiceFacts;
use crate::protocol::tls::is_medical_port;
use crate::time::{Span, Timestamp};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Services remembered; beyond it those seen least recently are dropped, medical ones last.
pub const MAX_SERVICES: usize = 8_192;
/// Bytes of heap that one takes, roughly.
const SERVICE: usize = 2 << 10;
/// Services that are remembered even where memory is short.
const MIN_SERVICES: usize = 64;
/// Minimum time between reports of a service that has shown more.
const REPORT_EVERY: Span = Span::seconds(3_600);
/// A certificate that expires within this time counts as expiring soon.
pub const EXPIRES_SOON: Span = Span::seconds(30 * 86_400);

type Name = (SocketAddr, u8);

/// TLS services and what their handshakes showed.
pub(in crate::exposure) struct Handshakes {
    seen: RankedMap<Name, Seen>,
}

#[derive(Default)]
struct Seen {
    facts: Arc<ServiceFacts>,
    /// Time of its first handshake.
    id: Option<EventId>,
    reported: Timestamp,
    /// Time of its last handshake.
    last: Timestamp,
    changed: bool,
}

/// Certificates of services by remaining validity.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Certificates {
    /// Valid for longer than [`EXPIRES_SOON`].
    pub valid: u64,
    /// Expiring within [`EXPIRES_SOON`].
    pub expiring: u64,
    /// Expired, or not valid yet.
    pub expired: u64,
    /// Self-signed.
    pub self_signed: u64,
    /// Services that spoke a deprecated version of TLS.
    pub deprecated: u64,
}

impl Handshakes {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { seen: RankedMap::new((memory / SERVICE).clamp(MIN_SERVICES, MAX_SERVICES)) }
    }

    fn see(
        &mut self,
        key: &[u8; 32],
        observation: &ServiceObservation<'_>,
        medical: bool,
        out: &mut Vec<Event>,
    ) {
        let name = (observation.flow.server, observation.flow.transport.number());
        let worth = if medical { EvictionRank::Medical } else { EvictionRank::Answered };
        let Some(seen) = self.seen.see(name, worth) else { return };
        seen.last = seen.last.max(observation.time);
        if let (Some(now), Some(before)) = (&observation.facts.tls, &seen.facts.tls) {
            let merged = now.merged(before);
            if merged == **before {
                return;
            }
            let facts =
                ServiceFacts { tls: Some(Box::new(merged)), ..(**observation.facts).clone() };
            seen.facts = Arc::new(facts);
        } else {
            seen.facts = Arc::clone(observation.facts);
        }
        seen.changed = true;
        let parts: [&[u8]; 3] = [&socket(name.0), &[name.1], b"tls"];
        let first = seen.id.is_none();
        seen.id.get_or_insert_with(|| EventId::derive(key, "service", observation.time, &parts));
        if first || observation.time - seen.reported >= REPORT_EVERY {
            out.extend(seen.report(name, observation.time));
        }
    }
}

impl Seen {
    fn report(&mut self, (server, transport): Name, time: Timestamp) -> Option<Event> {
        self.reported = time;
        self.changed = false;
        Some(Event::Service(Box::new(Service {
            id: self.id?,
            time,
            server,
            transport: if transport == Transport::Udp.number() {
                Transport::Udp
            } else {
                Transport::Tcp
            },
            protocol: "tls",
            facts: Arc::clone(&self.facts),
            access: Default::default(),
            titles: Vec::new(),
            refused_titles: Vec::new(),
            proofs: Vec::new(),
            accepted: Default::default(),
            figures: Default::default(),
            patients: Default::default(),
        })))
    }
}

impl Exposures {
    /// Notes a handshake of a service. Those of foreign servers are not kept: every browsing user meets thousands.
    pub fn handshake(&mut self, observation: &ServiceObservation<'_>, out: &mut Vec<Event>) {
        self.tick(observation.time, out);
        let server = observation.flow.server;
        if self.settings.home.contains(server.ip()) {
            let medical = self.is_medical(server);
            self.handshakes.see(&self.settings.key, observation, medical, out);
        }
    }

    /// Reports the TLS services that changed since their last report.
    pub(in crate::exposure) fn finish_handshakes(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        for (name, seen) in self.handshakes.seen.iter_mut().filter(|(_, seen)| seen.changed) {
            out.extend(seen.report(name, now.max(seen.last)));
        }
    }

    /// Certificates of medical services at `now`, and of others.
    pub fn certificates(&mut self, now: Timestamp) -> [Certificates; 2] {
        let mut all = [Certificates::default(); 2];
        let Self { handshakes, service_observations, .. } = self;
        for ((server, _), seen) in handshakes.seen.iter_mut() {
            let medical =
                is_medical_port(server.port()) || service_observations.is_medical(server.ip());
            let [of_medical, of_others] = &mut all;
            let of = if medical { of_medical } else { of_others };
            let Some(tls) = &seen.facts.tls else { continue };
            of.deprecated += u64::from(tls.versions.iter().any(|version| version.is_deprecated()));
            let Some(certificate) = &tls.certificate else { continue };
            of.self_signed += u64::from(certificate.self_signed);
            match certificate.expires - now {
                left if left < Span(0) => of.expired += 1,
                left if left < EXPIRES_SOON => of.expiring += 1,
                _ => of.valid += 1,
            }
        }
        all
    }

    fn is_medical(&self, server: SocketAddr) -> bool {
        let host: IpAddr = server.ip();
        is_medical_port(server.port()) || self.service_observations.is_medical(host)
    }
}
