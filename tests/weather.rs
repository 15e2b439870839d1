//! Invariant 1 of the architecture on real conversations: the findings do not depend on how a
//! conversation is cut into segments, reordered within 64 packets, duplicated and overlapped.
//!
//! Each round takes the two byte streams of a fixture's conversation, sends them again in other
//! packets, and compares everything except the times. `PHITAP_WEATHER` sets the rounds per
//! conversation.

mod common;

use common::conversations::{Conversation, Sent, captures, conversations};
use phitap::decode::Side;
use phitap::exposure::FindingEvent;
use phitap::pipeline::test_harness::TestHarness;
use phitap::rules::RuleSet;
use std::fmt::Write as _;

/// Default rounds per conversation.
const ROUNDS: u32 = 20;
/// How far a packet may be moved.
const REACH: u64 = 64;

/// A pseudo-random generator with a seed, which a failure prints (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Conversation {
    /// The conversation as packets, cut and overlapped at random.
    fn send(&self, random: &mut Random) -> Vec<Sent> {
        let isn = [random.next() as u32, u32::MAX - random.below(2000) as u32];
        let mut next = isn.map(|i| i.wrapping_add(1));
        let (c, s) = (self.client, self.client.other());
        let sent = |from: Side, seq, ack, flags, payload: &[u8]| Sent {
            from,
            seq,
            ack,
            flags,
            payload: payload.to_vec(),
        };
        let mut packets = vec![
            sent(c, isn[c.index()], 0, 0x02, b""),
            sent(s, isn[s.index()], next[c.index()], 0x12, b""),
            sent(c, next[c.index()], next[s.index()], 0x10, b""),
        ];
        let largest = [1, 3, 17, 100, 536, 1460, 9000][random.below(7) as usize];
        for (side, bytes) in &self.turns {
            let (this, other) = (side.index(), side.other().index());
            // Single bytes for all of a large conversation would only take long.
            let largest = if bytes.len() > 4000 { largest.max(100) } else { largest };
            let mut at = 0;
            while at < bytes.len() {
                let len = (1 + random.below(largest) as usize).min(bytes.len() - at);
                let back = if random.chance(10) { at.min(random.below(60) as usize) } else { 0 };
                let seq = next[this].wrapping_sub(back as u32);
                packets.push(sent(*side, seq, next[other], 0x18, &bytes[at - back..at + len]));
                next[this] = next[this].wrapping_add(len as u32);
                at += len;
            }
        }
        packets.push(sent(c, next[c.index()], next[s.index()], 0x11, b""));
        packets.push(sent(s, next[s.index()], next[c.index()].wrapping_add(1), 0x11, b""));
        packets
    }
}

/// Duplicates some packets, and moves all by less than the reach.
fn weather(sent: Vec<Sent>, random: &mut Random) -> Vec<Sent> {
    let twice = [0, 5, 100][random.below(3) as usize];
    let reach = [1, 4, REACH][random.below(3) as usize];
    let mut keyed: Vec<(u64, u64, Sent)> = Vec::new();
    for sent in sent {
        let copies = 1 + u64::from(random.chance(twice));
        for _ in 0..copies {
            let n = keyed.len() as u64;
            let copy = Sent { payload: sent.payload.clone(), ..sent };
            keyed.push((n + random.below(reach), n, copy));
        }
    }
    keyed.sort_by_key(|(key, n, _)| (*key, *n));
    keyed.into_iter().map(|(_, _, sent)| sent).collect()
}

/// Everything in a finding except its times.
fn describe(findings: &[FindingEvent]) -> String {
    let mut text = String::new();
    for d in findings {
        let f = &d.finding;
        let _ = writeln!(
            text,
            "{} {}->{} {} {:?} {} {:?} {:?} update={} records={} patient={} rule={} {:?}",
            d.protocol,
            d.flow.client,
            d.flow.server,
            f.operation,
            f.carrier,
            f.ordinal,
            f.direction,
            f.marks,
            f.update,
            f.records,
            f.patient,
            f.alert.id,
            f.facts
        );
        for i in f.identifiers.iter() {
            let _ = writeln!(
                text,
                "  {} {} {} {} {}",
                i.kind.as_str(),
                i.shown.text(),
                i.token,
                i.field,
                i.confidence
            );
        }
    }
    text
}

#[test]
fn the_same_in_all_weathers() {
    let rounds: u32 = match std::env::var("PHITAP_WEATHER") {
        Ok(text) => text.parse().expect("PHITAP_WEATHER is a number of rounds"),
        Err(_) => ROUNDS,
    };
    let lab =
        TestHarness::new(RuleSet::shipped().expect("shipped rules"), true).expect("random bytes");
    let (mut tried, mut speaking, mut failed) = (0u32, 0u32, String::new());
    for path in captures() {
        for conversation in conversations(&path) {
            let calm = conversation.send(&mut Random(1));
            let expected = describe(&lab.run(&conversation.packets(&calm)));
            tried += 1;
            speaking += u32::from(!expected.is_empty());
            for round in 0..rounds {
                let seed = (u64::from(tried) << 32 | u64::from(round)) * 2 + 1;
                let mut random = Random(seed);
                let sent = weather(conversation.send(&mut random), &mut random);
                let got = describe(&lab.run(&conversation.packets(&sent)));
                if got != expected {
                    let _ = writeln!(
                        failed,
                        "{} round {round} (seed {seed}), {} packets\n--- expected\n{expected}\n--- got\n{got}",
                        conversation.name,
                        sent.len()
                    );
                    break;
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(tried >= 60 && speaking >= 40, "{tried} conversations, {speaking} with findings");
}
