//! Whom a service answers, as one or more sensors saw it: what proves it at one sensor counts for the exposures of all.

use super::fact::ProtocolName;
use crate::exposure::{Answers, Service, same_title};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Most titles kept of a service; the lowest stay.
const MAX_TITLES: usize = 512;
/// Longest title kept, bytes: one of DICOM has at most 16 (PS3.8 9.3.2).
const MAX_TITLE: usize = 64;

/// A service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceKey {
    /// Address and port.
    pub server: SocketAddr,
    /// Protocol number of IP: 6 or 17.
    pub transport: u8,
    /// `dicom`, `http`.
    pub protocol: ProtocolName,
}

/// A title that a service accepted of a client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ClientTitle {
    /// The client.
    pub client: IpAddr,
    /// Distinguishes masked titles; 0: not masked.
    pub key: u64,
    /// The part that may be shown.
    pub shown: String,
}

/// What was seen of whom a service answers. Merging only adds to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SeenAccess {
    /// Packet time at which it had first proved to answer anyone.
    pub proven: Option<Timestamp>,
    /// Packet time at which it first refused someone.
    pub refused: Option<Timestamp>,
    /// How many titles of one client are a proof.
    pub needed: u32,
    /// Titles that it accepted, each with the packet time of the first flow.
    titles: BTreeMap<ClientTitle, Timestamp>,
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

impl SeenAccess {
    /// What a run knows of a service; none if that may never be a proof.
    pub fn of(service: &Service) -> Option<(ServiceKey, Self)> {
        let mut seen = Self { needed: service.accepted.needed, ..Self::default() };
        // Several flows together prove something with the last of them.
        let mut joint = None;
        for proof in &service.proofs {
            match proof.answers() {
                Answers::Anyone if proof.is_joint() => joint = joint.max(Some(proof.until)),
                Answers::Anyone => seen.proven = earlier(seen.proven, Some(proof.until)),
                Answers::Known => seen.refused = earlier(seen.refused, Some(proof.until)),
                Answers::Unproven => {}
            }
        }
        seen.proven = earlier(seen.proven, joint);
        for title in &service.accepted.titles {
            let of = (title.client, title.key, title.shown.clone());
            seen.accepted(ClientTitle { client: of.0, key: of.1, shown: of.2 }, title.time);
        }
        let key = ServiceKey {
            server: service.server,
            transport: service.transport.number(),
            protocol: ProtocolName::new(service.protocol)?,
        };
        seen.says_something().then_some((key, seen))
    }

    fn says_something(&self) -> bool {
        self.proven.is_some() || self.refused.is_some() || !self.titles.is_empty()
    }

    /// Notes a title. One that is too long is none.
    pub fn accepted(&mut self, title: ClientTitle, time: Timestamp) {
        if title.shown.len() > MAX_TITLE {
            return;
        }
        match self.titles.entry(title) {
            Entry::Occupied(mut known) => {
                let first = time.min(*known.get());
                known.insert(first);
            }
            Entry::Vacant(new) => {
                new.insert(time);
                if self.titles.len() > MAX_TITLES {
                    self.titles.pop_last();
                }
            }
        }
    }

    /// The titles.
    pub fn titles(&self) -> impl Iterator<Item = (&ClientTitle, Timestamp)> {
        self.titles.iter().map(|(title, time)| (title, *time))
    }

    /// Merges what two sensors, or one sensor at two times, saw.
    pub fn join(&mut self, other: &Self) {
        self.proven = earlier(self.proven, other.proven);
        self.refused = earlier(self.refused, other.refused);
        self.needed = self.needed.max(other.needed);
        for (title, time) in other.titles() {
            self.accepted(title.clone(), time);
        }
    }

    /// Packet time at which titles of one client, which several sensors may have seen, were a proof.
    fn several_titles(&self) -> Option<Timestamp> {
        let mut of_client: BTreeMap<IpAddr, Vec<(Timestamp, u64, &str)>> = BTreeMap::new();
        for (title, time) in &self.titles {
            of_client.entry(title.client).or_default().push((*time, title.key, &title.shown));
        }
        let needed = self.needed.max(2) as usize;
        let proof = |mut titles: Vec<(Timestamp, u64, &str)>| {
            titles.sort_unstable();
            let mut different: Vec<(u64, &str)> = Vec::new();
            for (time, key, shown) in titles {
                if different.iter().any(|known| same_title(*known, (key, shown))) {
                    continue;
                }
                different.push((key, shown));
                if different.len() >= needed {
                    return Some(time);
                }
            }
            None
        };
        of_client.into_values().filter_map(proof).min()
    }
}

/// The services that proved to answer anyone before they refused anyone, as one run would have seen it. Titles can be
/// compared under one key only, times and addresses under any.
pub(super) fn open<'a>(
    services: impl Iterator<Item = (&'a ServiceKey, &'a SeenAccess)>,
) -> BTreeSet<ServiceKey> {
    let mut all: BTreeMap<ServiceKey, (Option<Timestamp>, Option<Timestamp>)> = BTreeMap::new();
    for (key, seen) in services {
        let (proven, refused) = all.entry(*key).or_default();
        *proven = earlier(*proven, earlier(seen.proven, seen.several_titles()));
        *refused = earlier(*refused, seen.refused);
    }
    let is_open = |(proven, refused): (Option<Timestamp>, Option<Timestamp>)| {
        proven.is_some_and(|at| refused.is_none_or(|refused| at < refused))
    };
    all.into_iter().filter(|(_, times)| is_open(*times)).map(|(key, _)| key).collect()
}

/// Client, key and shown part of a title, and when it was accepted.
type WireTitle = (IpAddr, u64, String, i64);

/// A service as a part of a summary has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireService {
    s: SocketAddr,
    t: u8,
    p: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<i64>,
    n: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    a: Vec<WireTitle>,
}

impl WireService {
    pub(super) fn new(key: &ServiceKey, seen: &SeenAccess) -> Self {
        let title = |(title, time): (&ClientTitle, Timestamp)| {
            (title.client, title.key, title.shown.clone(), time.0)
        };
        Self {
            s: key.server,
            t: key.transport,
            p: key.protocol.as_str().to_owned(),
            o: seen.proven.map(|time| time.0),
            r: seen.refused.map(|time| time.0),
            n: seen.needed,
            a: seen.titles().map(title).collect(),
        }
    }

    pub(super) fn read(self) -> Option<(ServiceKey, SeenAccess)> {
        if !matches!(self.t, 6 | 17) || self.a.len() > MAX_TITLES {
            return None;
        }
        let key =
            ServiceKey { server: self.s, transport: self.t, protocol: ProtocolName::new(&self.p)? };
        let mut seen = SeenAccess {
            proven: self.o.map(Timestamp),
            refused: self.r.map(Timestamp),
            needed: self.n,
            ..SeenAccess::default()
        };
        for (client, key, shown, time) in self.a {
            seen.accepted(ClientTitle { client, key, shown }, Timestamp(time));
        }
        Some((key, seen))
    }
}
