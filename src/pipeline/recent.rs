//! `live --evidence`: keeps recent packets, and passes those of exposures to the thread that writes
//! them.
//!
//! The packets that prove an exposure come before it is known. Each reading thread therefore keeps
//! the latest packets of each flow for a while. When an exposure opens, it passes on the packets
//! kept of its flows, then the following ones as they arrive.

use crate::capture::{Batch, Packet};
use crate::flow::FlowKey;
use crate::output::evidence::{Ends, Evidence, Recorded};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Bytes of recent packets kept per reading thread.
const RING: usize = 16 << 20;
/// Packets kept per reading thread.
const MAX_PACKETS: usize = 65_536;
/// Bytes kept per flow, so that a long transfer does not displace all others.
const MAX_FLOW: usize = 256 << 10;

/// The recent packets of one reading thread.
pub(super) struct Recorder {
    to: Evidence,
    /// The version of the wanted exposures when they were last checked.
    version: u64,
    wanted: HashMap<Ends, u64, RandomState>,
    flows: HashMap<FlowKey, Recent, RandomState>,
    /// The flow of each packet kept, in order of arrival; may name packets already dropped.
    order: VecDeque<FlowKey>,
    bytes: usize,
}

#[derive(Default)]
struct Recent {
    packets: VecDeque<Recorded>,
    bytes: usize,
}

impl Recorder {
    /// Passes packets to `to`.
    pub fn new(to: Evidence) -> Self {
        Self {
            to,
            version: 0,
            wanted: HashMap::default(),
            flows: HashMap::default(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes a packet of a flow.
    pub fn packet(&mut self, key: &FlowKey, packet: &Packet, batch: &Batch) {
        let bytes = batch.bytes(packet);
        if let Some(exposure) = self.exposure(key) {
            self.to.record(exposure, Recorded::new(packet, bytes));
            return;
        }
        if bytes.len() > MAX_FLOW {
            return;
        }
        let recent = self.flows.entry(*key).or_default();
        recent.bytes += bytes.len();
        self.bytes += bytes.len();
        recent.packets.push_back(Recorded::new(packet, bytes));
        while recent.bytes > MAX_FLOW {
            let Some(first) = recent.packets.pop_front() else { break };
            recent.bytes -= first.bytes.len();
            self.bytes -= first.bytes.len();
        }
        self.order.push_back(*key);
        while self.bytes > RING || self.order.len() > MAX_PACKETS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget_one(&oldest);
        }
    }

    /// Checks for newly wanted exposures, and passes on the packets kept of their flows.
    pub fn check_wanted(&mut self) {
        let version = self.to.version();
        if version == self.version {
            return;
        }
        self.version = version;
        self.wanted = self.to.wanted().into_iter().collect();
        let of_wanted = |key: &&FlowKey| Ends::of(key).iter().any(|e| self.wanted.contains_key(e));
        let flows: Vec<FlowKey> = self.flows.keys().filter(of_wanted).copied().collect();
        let mut all: Vec<(u64, Recorded)> = Vec::new();
        for key in flows {
            let (Some(exposure), Some(recent)) = (self.exposure(&key), self.flows.remove(&key))
            else {
                continue;
            };
            self.bytes -= recent.bytes;
            all.extend(recent.packets.into_iter().map(|packet| (exposure, packet)));
        }
        // In the order of the interface, across flows.
        all.sort_by_key(|(exposure, packet)| (*exposure, packet.time()));
        all.into_iter().for_each(|(exposure, packet)| self.to.record(exposure, packet));
    }

    fn exposure(&self, key: &FlowKey) -> Option<u64> {
        if self.wanted.is_empty() {
            return None;
        }
        Ends::of(key).iter().find_map(|ends| self.wanted.get(ends).copied())
    }

    fn forget_one(&mut self, key: &FlowKey) {
        let Some(recent) = self.flows.get_mut(key) else { return };
        if let Some(first) = recent.packets.pop_front() {
            recent.bytes -= first.bytes.len();
            self.bytes -= first.bytes.len();
        }
        if recent.packets.is_empty() {
            self.flows.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Block, LinkType};
    use crate::flow::{Endpoint, Transport};
    use crate::time::Timestamp;

    fn key(client: u16, server: u16) -> FlowKey {
        let end = |host: u8, port: u16| Endpoint::v4([10, 0, 0, host], port);
        FlowKey::new(end(1, client), end(2, server), Transport::Tcp).0
    }

    fn arrive(recorder: &mut Recorder, key: &FlowKey, number: u64, len: usize) {
        let packet = Packet {
            time: Timestamp(number as i64),
            offset: 0,
            caplen: len as u32,
            len: len as u32,
            block: 0,
            number,
            interface: 0,
            link: LinkType(1),
        };
        let batch = Batch { blocks: vec![Block::owned(vec![7; len])], packets: vec![packet] };
        recorder.packet(key, &batch.packets[0], &batch);
    }

    #[test]
    fn what_came_before_an_exposure_opened_is_handed_on_with_what_comes() {
        let (evidence, inbox) = Evidence::unwritten(100);
        let mut recorder = Recorder::new(evidence.clone());
        let (of_exposure, other) = (key(4000, 104), key(4000, 80));
        for number in 1..4 {
            arrive(&mut recorder, &of_exposure, number, 60);
            arrive(&mut recorder, &other, 10 + number, 60);
        }
        recorder.check_wanted();
        assert_eq!(inbox.try_iter().count(), 0, "nothing is wanted yet");
        let ends = Ends::of(&of_exposure);
        evidence.want(ends[1], 9);
        recorder.check_wanted();
        arrive(&mut recorder, &of_exposure, 4, 60);
        arrive(&mut recorder, &other, 14, 60);
        let numbers: Vec<(u64, u64)> =
            inbox.try_iter().filter_map(|order| order.packet()).collect();
        assert_eq!(numbers, [(9, 1), (9, 2), (9, 3), (9, 4)]);
        evidence.want_no_more(9);
        recorder.check_wanted();
        arrive(&mut recorder, &of_exposure, 5, 60);
        assert_eq!(inbox.try_iter().count(), 0, "it has had enough");
    }

    #[test]
    fn what_is_kept_has_a_ceiling_and_a_long_flow_drives_out_no_other() {
        let (evidence, inbox) = Evidence::unwritten(1 << 17);
        let mut recorder = Recorder::new(evidence.clone());
        let short = key(4000, 104);
        arrive(&mut recorder, &short, 1, 60);
        for number in 2..30_000 {
            arrive(&mut recorder, &key(4001, 80), number, 1_400);
        }
        assert!(recorder.bytes <= MAX_FLOW + 60 && recorder.order.len() <= MAX_PACKETS);
        Ends::of(&short).into_iter().for_each(|ends| evidence.want(ends, 1));
        recorder.check_wanted();
        assert_eq!(inbox.try_iter().count(), 1, "the short one is still there");
        for number in 0..200_000_u64 {
            arrive(&mut recorder, &key((number % 60_000) as u16, 443), number, 100);
        }
        assert!(recorder.bytes <= RING && recorder.order.len() <= MAX_PACKETS);
        let held: usize = recorder.flows.values().map(|recent| recent.packets.len()).sum();
        assert!(held <= MAX_PACKETS, "{held}");
    }
}
