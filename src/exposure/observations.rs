//! Hosts in a role, each reported once.

use super::types::{Asset, Event, EventId, ServiceObservation, ip};
use crate::protocol::{self, Role, Roles};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Hosts in a role remembered as reported.
pub const MAX_ASSETS: usize = 65_536;

/// What was reported.
#[derive(Default)]
pub(in crate::exposure) struct ServiceObservations {
    assets: BTreeSet<(IpAddr, Role)>,
    /// Observations passed over because a cap was reached.
    pub unreported: u64,
}

impl ServiceObservations {
    /// Reports what `sighting` shows for the first time.
    pub fn see(&mut self, key: &[u8; 32], sighting: &ServiceObservation<'_>, out: &mut Vec<Event>) {
        let flow = sighting.flow;
        let Roles { server, client } =
            protocol::roles(sighting.protocol, sighting.facts, sighting.content);
        let shown = sighting.facts.interfaces.iter().map(|i| Role::of_interface(i.kind));
        let servers = shown.chain([server]).map(|role| (flow.server.ip(), role));
        for (address, role) in servers.chain(client.map(|role| (flow.client.ip(), role))) {
            if self.assets.contains(&(address, role)) {
                continue;
            }
            if self.assets.len() >= MAX_ASSETS {
                self.unreported += 1;
                continue;
            }
            self.assets.insert((address, role));
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
