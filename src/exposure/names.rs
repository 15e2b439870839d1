//! Names of hosts, from DNS, DHCP and NetBIOS.
//!
//! Names change hands, so each is kept only for a while. Answers can be forged: a name is a hint for people and
//! decides nothing.

use super::ranked_map::{EvictionRank, RankedMap};
use super::tracker::Exposures;
use super::types::{Event, HostName};
use crate::time::{Span, Timestamp};
use std::net::IpAddr;

/// Hosts whose names are kept; beyond it those named least recently are dropped, hosts of the home networks last.
pub const MAX_HOSTS: usize = 16_384;
/// Bytes of heap that one takes, roughly.
const HOST: usize = 512;
/// Hosts whose names are kept even where memory is short.
const MIN_HOSTS: usize = 64;
/// Names of one host.
const MAX_NAMES: usize = 4;
/// How long a name is kept without being seen again.
const KEEP: Span = Span::seconds(86_400);
/// A host with more names than are kept is one address for many sites. It is reported with others of its names
/// this often, and not with each of thousands.
const RENAME_EVERY: Span = Span::seconds(3_600);

/// Names of hosts.
pub(in crate::exposure) struct HostNames {
    hosts: RankedMap<IpAddr, Names>,
}

/// The names of one host.
#[derive(Default)]
struct Names {
    /// The one that was learnt last is last.
    names: Vec<(String, Timestamp)>,
    /// When one had to go for another, and that was reported.
    renamed: Option<Timestamp>,
}

impl HostNames {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { hosts: RankedMap::new((memory / HOST).clamp(MIN_HOSTS, MAX_HOSTS)) }
    }

    /// Notes a name. Returns whether it is new and worth a report.
    fn see(&mut self, of: &HostName, worth: EvictionRank) -> bool {
        let Some(Names { names, renamed }) = self.hosts.see(of.host, worth) else { return false };
        names.retain(|(_, last)| of.time - *last < KEEP);
        if let Some((_, last)) = names.iter_mut().find(|(name, _)| *name == of.name) {
            *last = of.time.max(*last);
            return false;
        }
        let full = names.len() >= MAX_NAMES;
        if full {
            names.remove(0);
        }
        names.push((of.name.clone(), of.time));
        if full && renamed.is_some_and(|at| of.time - at < RENAME_EVERY) {
            return false;
        }
        if full {
            *renamed = Some(of.time);
        }
        true
    }

    /// The names of a host, the most recent first.
    pub fn of(&self, host: IpAddr, now: Timestamp) -> Vec<String> {
        let names = self.hosts.get(&host).into_iter().flat_map(|host| &host.names).rev();
        names.filter(|(_, last)| now - *last < KEEP).map(|(name, _)| name.clone()).collect()
    }
}

impl Exposures {
    /// Takes a name of a host. A host that was reported in a role is reported again with its name.
    pub fn named(&mut self, of: &HostName, out: &mut Vec<Event>) {
        let home = self.settings.home.contains(of.host);
        let worth = if home { EvictionRank::Answered } else { EvictionRank::Asked };
        if self.names.see(of, worth) {
            let names = self.names.of(of.host, of.time);
            self.service_observations.named(&self.settings.key, of, &names, out);
        }
    }
}
