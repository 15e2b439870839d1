//! What the benches share: invented people, conversations about them, packets of conversations, and a
//! way to play a conversation through the stages without packets.

// Each bench is a program of its own and uses its part of this.
#![allow(dead_code, clippy::unwrap_used)]

pub mod dicom;
pub mod packets;
pub mod text;

use criterion::Criterion;
use phitap::config::Limits;
use phitap::flow::{End, Orientation, Side};
use phitap::identify::{Key, Patients, ValueCache};
use phitap::pipeline::{FlowSink, Shared, StageCounters};
use phitap::protocol::{Driver, DriverLimits, ServiceFacts};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::sync::OnceLock;
use std::time::Duration;

/// Payload of a full TCP segment on Ethernet with timestamps.
pub const SEGMENT: usize = 1448;

/// Packet time of everything here.
pub const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000);

/// Short runs: all benches together take a few minutes on two cores.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
}

/// Numbers that look random and are the same on every run (SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..n.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(n);
        bytes
    }
}

/// Somebody who does not exist.
pub struct Person {
    pub family: &'static str,
    pub given: &'static str,
    pub id: String,
    pub birth: (u16, u8, u8),
    pub sex: char,
}

/// Person number `n`.
pub fn person(n: usize) -> Person {
    const FAMILY: [&str; 12] = [
        "Abernethy",
        "Birkenau",
        "Castellan",
        "Dunmore",
        "Eastwick",
        "Fairbairn",
        "Grimaldi",
        "Holloway",
        "Ivanovic",
        "Jorgensen",
        "Kirkbride",
        "Lindqvist",
    ];
    const GIVEN: [&str; 10] =
        ["Agnes", "Bruno", "Clara", "Dmitri", "Esther", "Felix", "Greta", "Hugo", "Irene", "Jonas"];
    let mut numbers = Numbers::new(n as u64);
    Person {
        family: FAMILY[numbers.below(FAMILY.len())],
        given: GIVEN[numbers.below(GIVEN.len())],
        id: format!("{:07}", 1_000_000 + n * 7919 % 8_999_999),
        birth: (
            1930 + numbers.below(80) as u16,
            1 + numbers.below(12) as u8,
            1 + numbers.below(28) as u8,
        ),
        sex: if numbers.below(2) == 0 { 'F' } else { 'M' },
    }
}

/// What two ends say, in turn. True: the client.
#[derive(Clone, Default)]
pub struct Conversation(pub Vec<(bool, Vec<u8>)>);

impl Conversation {
    pub fn client(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.push((true, bytes.into()));
    }
    pub fn server(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.push((false, bytes.into()));
    }
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }
}

/// What all flows share, with the rules as shipped.
pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (rules, key) = (RuleSet::shipped().unwrap(), Key::generate().unwrap());
        Shared::new(rules, key, false, &Limits::default())
    })
}

/// Plays a conversation through protocol, content and identify, in segments. Patients found.
pub fn play(conversation: &Conversation) -> usize {
    let limits = Limits::default();
    let limits = DriverLimits { buffer: limits.parser_buffer, recognise: limits.recognise };
    let client = Side::Low;
    let mut driver = Driver::new(limits, Orientation { client, sure: true });
    let (mut contents, mut patients) = (Default::default(), Patients::default());
    let mut values = ValueCache::default();
    let (mut facts, mut findings) = (ServiceFacts::default(), Vec::new());
    let (mut activity, mut counters) = (Default::default(), StageCounters::default());
    let mut arrivals = Default::default();
    let rules = shared().rules.current();
    let mut host = FlowSink {
        shared: shared(),
        rules: &rules,
        contents: &mut contents,
        patients: &mut patients,
        values: &mut values,
        facts: &mut facts,
        activity: &mut activity,
        findings: &mut findings,
        counters: &mut counters,
        arrivals: &mut arrivals,
        now: NOW,
    };
    let mut skip = [0u64; 2];
    for (from_client, bytes) in &conversation.0 {
        let side = if *from_client { client } else { client.other() };
        for segment in bytes.chunks(SEGMENT) {
            // As the flow table does: unwanted bytes are not delivered.
            let unwanted = skip[side.index()].min(segment.len() as u64) as usize;
            skip[side.index()] -= unwanted as u64;
            if unwanted < segment.len() {
                skip[side.index()] = driver.data(side, &segment[unwanted..], &mut host);
            }
        }
    }
    driver.finish(End::Fin, &mut host);
    host.finish();
    findings.iter().filter(|finding| !finding.update).count()
}
