//! Services that speak TLS: each is reported when first seen, and again, at most once an hour, when its
//! handshakes have shown more.

use super::inventory::{Inventory, Worth};
use super::tracker::Exposures;
use super::types::{Event, EventId, Service, ServiceObservation, socket};
use crate::flow::Transport;
use crate::protocol::ServiceFacts;
use crate::protocol::tls::is_medical_port;
use crate::time::{Span, Timestamp};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Services that are remembered; beyond it those go that were not seen for longest, medical ones last.
pub const MAX_SERVICES: usize = 8_192;
/// Bytes of heap that one takes, roughly.
const SERVICE: usize = 2 << 10;
/// Services that are remembered however short memory is.
const MIN_SERVICES: usize = 64;
/// Minimum time between reports of a service that has shown more.
const TELL_EVERY: Span = Span::seconds(3_600);
/// A certificate that expires within this time is about to.
pub const EXPIRES_SOON: Span = Span::seconds(30 * 86_400);

type Name = (SocketAddr, u8);

/// What TLS services have shown.
pub(in crate::exposure) struct Handshakes {
    seen: Inventory<Name, Seen>,
}

#[derive(Default)]
struct Seen {
    facts: Arc<ServiceFacts>,
    /// Of its first handshake.
    id: Option<EventId>,
    told: Timestamp,
    /// When it was last seen.
    last: Timestamp,
    news: bool,
}

/// Certificates of services by how long they still hold.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Certificates {
    /// They hold for longer than [`EXPIRES_SOON`].
    pub valid: u64,
    /// They do not.
    pub expiring: u64,
    /// They hold no more, or not yet.
    pub expired: u64,
    /// Nobody vouches for them.
    pub self_signed: u64,
    /// Services that spoke a version of TLS that must not be used any more.
    pub deprecated: u64,
}

impl Handshakes {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { seen: Inventory::new((memory / SERVICE).clamp(MIN_SERVICES, MAX_SERVICES)) }
    }

    fn see(
        &mut self,
        key: &[u8; 32],
        sighting: &ServiceObservation<'_>,
        medical: bool,
        out: &mut Vec<Event>,
    ) {
        let name = (sighting.flow.server, sighting.flow.transport.number());
        let worth = if medical { Worth::Medical } else { Worth::Answered };
        let Some(seen) = self.seen.see(name, worth) else { return };
        seen.last = seen.last.max(sighting.time);
        if let (Some(now), Some(before)) = (&sighting.facts.tls, &seen.facts.tls) {
            let merged = now.merged(before);
            if merged == **before {
                return;
            }
            let facts = ServiceFacts { tls: Some(Box::new(merged)), ..(**sighting.facts).clone() };
            seen.facts = Arc::new(facts);
        } else {
            seen.facts = Arc::clone(sighting.facts);
        }
        seen.news = true;
        let parts: [&[u8]; 3] = [&socket(name.0), &[name.1], b"tls"];
        let first = seen.id.is_none();
        seen.id.get_or_insert_with(|| EventId::derive(key, "service", sighting.time, &parts));
        if first || sighting.time - seen.told >= TELL_EVERY {
            out.extend(seen.tell(name, sighting.time));
        }
    }
}

impl Seen {
    fn tell(&mut self, (server, transport): Name, time: Timestamp) -> Option<Event> {
        self.told = time;
        self.news = false;
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
            figures: Default::default(),
            patients: Default::default(),
        })))
    }
}

impl Exposures {
    /// Takes what a handshake showed of a service. Those of foreign servers are not kept: anyone who browses
    /// meets thousands.
    pub fn handshake(&mut self, sighting: &ServiceObservation<'_>, out: &mut Vec<Event>) {
        self.tick(sighting.time, out);
        let server = sighting.flow.server;
        if self.settings.home.contains(server.ip()) {
            let medical = self.is_medical(server);
            self.handshakes.see(&self.settings.key, sighting, medical, out);
        }
    }

    /// Reports of TLS services what was not reported yet.
    pub(in crate::exposure) fn finish_handshakes(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        for (name, seen) in self.handshakes.seen.iter_mut().filter(|(_, seen)| seen.news) {
            out.extend(seen.tell(name, now.max(seen.last)));
        }
    }

    /// Certificates of medical services at `now`, and of others.
    pub fn certificates(&mut self, now: Timestamp) -> [Certificates; 2] {
        let mut all = [Certificates::default(); 2];
        let Self { handshakes, sightings, .. } = self;
        for ((server, _), seen) in handshakes.seen.iter_mut() {
            let medical = is_medical_port(server.port()) || sightings.is_medical(server.ip());
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
        is_medical_port(server.port()) || self.sightings.is_medical(host)
    }
}
