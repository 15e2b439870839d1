//! Hosts in a role, each reported once.

use super::inventory::{Inventory, Worth};
use super::types::{Asset, Event, EventId, ServiceObservation, ip};
use crate::protocol::{self, Role, Roles};
use std::net::IpAddr;

/// Hosts in a role remembered as reported.
pub const MAX_ASSETS: usize = 65_536;

/// Bytes of heap that one takes, roughly.
const ASSET: usize = 256;

/// Hosts in a role that are remembered however short memory is.
const MIN_ASSETS: usize = 64;

/// What was reported.
pub(in crate::exposure) struct ServiceObservations {
    /// Whether it was reported.
    assets: Inventory<(IpAddr, Role), bool>,
}

impl ServiceObservations {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { assets: Inventory::new((memory / ASSET).clamp(MIN_ASSETS, MAX_ASSETS)) }
    }

    /// How many were passed over, as all that are remembered are worth more.
    pub const fn unreported(&self) -> u64 {
        self.assets.refused
    }

    /// Whether a host was seen in a role that only systems of medicine have.
    pub fn is_medical(&self, host: IpAddr) -> bool {
        let mut medical = Role::ALL.into_iter().filter(|role| role.is_medical());
        medical.any(|role| self.assets.get(&(host, role)).is_some())
    }

    /// Reports what `sighting` shows for the first time.
    pub fn see(&mut self, key: &[u8; 32], sighting: &ServiceObservation<'_>, out: &mut Vec<Event>) {
        let flow = sighting.flow;
        let Roles { server, client } =
            protocol::roles(sighting.protocol, sighting.facts, sighting.content);
        let worth = Worth::of(server, sighting.facts);
        let shown = sighting.facts.interfaces.iter().map(|i| Role::of_interface(i.kind));
        let servers = shown.chain([server]).map(|role| (flow.server.ip(), role));
        for (address, role) in servers.chain(client.map(|role| (flow.client.ip(), role))) {
            let Some(reported) = self.assets.see((address, role), worth) else { continue };
            if std::mem::replace(reported, true) {
                continue;
            }
            let parts: [&[u8]; 2] = [&ip(address), role.as_str().as_bytes()];
            out.push(Event::Asset(Box::new(Asset {
                id: EventId::derive(key, "asset", sighting.time, &parts),
                time: sighting.time,
                address,
                protocol: sighting.protocol,
                role,
            })));
        }
    }
}
