//! Hosts in a role, each reported once.

use super::ranked_map::{EvictionRank, RankedMap};
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
    assets: RankedMap<(IpAddr, Role), bool>,
}

impl ServiceObservations {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { assets: RankedMap::new((memory / ASSET).clamp(MIN_ASSETS, MAX_ASSETS)) }
    }

    /// How many were passed over, as all that are remembered are worth more.
    pub const fn unreported(&self) -> u64 {
        self.assets.refused
    }

    /// Reports what `observation` shows for the first time.
    pub fn see(
        &mut self,
        key: &[u8; 32],
        observation: &ServiceObservation<'_>,
        out: &mut Vec<Event>,
    ) {
        let flow = observation.flow;
        let Roles { server, client } =
            protocol::roles(observation.protocol, observation.facts, observation.content);
        let worth = EvictionRank::of(server, observation.facts);
        let shown = observation.facts.interfaces.iter().map(|i| Role::of_interface(i.kind));
        let servers = shown.chain([server]).map(|role| (flow.server.ip(), role));
        for (address, role) in servers.chain(client.map(|role| (flow.client.ip(), role))) {
            let Some(reported) = self.assets.see((address, role), worth) else { continue };
            if std::mem::replace(reported, true) {
                continue;
            }
            let parts: [&[u8]; 2] = [&ip(address), role.as_str().as_bytes()];
            out.push(Event::Asset(Box::new(Asset {
                id: EventId::derive(key, "asset", observation.time, &parts),
                time: observation.time,
                address,
                protocol: observation.protocol,
                role,
            })));
        }
    }
}
