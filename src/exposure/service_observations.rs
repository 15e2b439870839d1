//! Hosts in a role, each reported once.

use super::names::HostNames;
use super::ranked_map::{EvictionRank, RankedMap};
use super::types::{Asset, Event, EventId, HostName, ServiceObservation, ip};
use crate::protocol::{self, Role, Roles};
use crate::time::Timestamp;
use std::net::IpAddr;

/// Hosts in a role remembered as reported.
pub const MAX_ASSETS: usize = 65_536;

/// Bytes of heap that one takes, roughly.
const ASSET: usize = 256;

/// Hosts in a role that are remembered even where memory is short.
const MIN_ASSETS: usize = 64;

/// What was reported.
pub(in crate::exposure) struct ServiceObservations {
    /// When it was first reported, and for which protocol.
    assets: RankedMap<(IpAddr, Role), Option<(Timestamp, &'static str)>>,
}

impl ServiceObservations {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { assets: RankedMap::new((memory / ASSET).clamp(MIN_ASSETS, MAX_ASSETS)) }
    }

    /// Entries that found no room because all others are more valuable.
    pub const fn unreported(&self) -> u64 {
        self.assets.refused
    }

    /// Whether a host was seen in a role that only medical systems have.
    pub fn is_medical(&self, host: IpAddr) -> bool {
        let mut medical = Role::ALL.into_iter().filter(|role| role.is_medical());
        medical.any(|role| self.assets.get(&(host, role)).is_some())
    }

    /// Reports what `observation` shows for the first time.
    pub fn see(
        &mut self,
        key: &[u8; 32],
        observation: &ServiceObservation<'_>,
        names: &HostNames,
        out: &mut Vec<Event>,
    ) {
        let (of_client, of_server) = observation.flow.parties();
        let Roles { server, client } =
            protocol::roles(observation.protocol, observation.facts, observation.content);
        let worth = EvictionRank::of(server, observation.facts);
        let shown = observation.facts.interfaces.iter().map(|i| Role::of_interface(i.kind));
        let servers = shown.chain([server]).map(|role| (of_server.ip(), role));
        for (address, role) in servers.chain(client.map(|role| (of_client.ip(), role))) {
            let Some(reported) = self.assets.see((address, role), worth) else { continue };
            if reported.is_some() {
                continue;
            }
            let (time, protocol) = *reported.insert((observation.time, observation.protocol));
            let names = names.of(address, time);
            out.push(asset(key, (address, role), time, protocol, names));
        }
    }

    /// Reports a host again, in every role in which it was reported, because it has a new name.
    pub fn named(&self, key: &[u8; 32], of: &HostName, names: &[String], out: &mut Vec<Event>) {
        for role in Role::ALL {
            let place = (of.host, role);
            if let Some(&Some((time, protocol))) = self.assets.get(&place) {
                out.push(asset(key, place, time, protocol, names.to_vec()));
            }
        }
    }
}

fn asset(
    key: &[u8; 32],
    (address, role): (IpAddr, Role),
    time: Timestamp,
    protocol: &'static str,
    names: Vec<String>,
) -> Event {
    let parts: [&[u8]; 2] = [&ip(address), role.as_str().as_bytes()];
    let id = EventId::derive(key, "asset", time, &parts);
    Event::Asset(Box::new(Asset { id, time, address, protocol, role, names }))
}
