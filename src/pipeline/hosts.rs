//! Host names learnt from the flows of a worker.

use crate::time::{Span, Timestamp};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

/// Most names remembered as passed on. Resolvers repeat the same answers.
const MAX_KNOWN: usize = 8_192;
/// How long a name is not passed on again, packet time.
const HAND_ON_EVERY: Span = Span::seconds(3_600);
/// Most names waiting after one step of a flow.
const MAX_WAITING: usize = 256;

/// Host names.
#[derive(Default)]
pub struct Hosts {
    waiting: Vec<(IpAddr, String)>,
    known: HashMap<u64, Timestamp, FixedState>,
}

impl Hosts {
    /// Adds the name of a host.
    pub fn add(&mut self, host: IpAddr, name: &str, now: Timestamp) {
        let hash = FixedState::default().hash_one((host, name));
        let fresh = |at: &Timestamp| now - *at < HAND_ON_EVERY && now >= *at;
        if self.waiting.len() >= MAX_WAITING || self.known.get(&hash).is_some_and(fresh) {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(hash, now);
        self.waiting.push((host, name.to_owned()));
    }

    /// Whether no name waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the names that wait.
    pub fn take(&mut self) -> Vec<(IpAddr, String)> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_handed_on_once_an_hour() {
        let mut hosts = Hosts::default();
        let host: IpAddr = "10.1.2.3".parse().expect("address");
        let at = |second| Timestamp(0) + Span::seconds(second);
        for second in [0, 1, 3_000] {
            hosts.add(host, "pacs", at(second));
        }
        hosts.add(host, "archive", at(1));
        assert_eq!(hosts.take().len(), 2);
        hosts.add(host, "pacs", at(3_600));
        assert_eq!(hosts.take(), [(host, "pacs".to_owned())]);
        for n in 0..100_000u32 {
            hosts.add(IpAddr::from(n.to_be_bytes()), "x", at(4_000));
        }
        assert!(hosts.waiting.len() <= MAX_WAITING && hosts.known.len() <= MAX_KNOWN);
    }
}
