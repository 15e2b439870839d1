//! TCP conversations of the fixtures, to be sent again in other packets.

// Each test is a separate program that uses part of this.
#![allow(dead_code)]

use super::packets::tcp;
use phitap::capture::{Batch, LinkType, Source as _, Status, Timeline};
use phitap::decode::{Decoder, FlowKey, Outcome, Side, Transport};
use phitap::pipeline::test_harness::TestPacket;
use phitap::time::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longer conversations are skipped in favour of smaller ones of their kind.
const MAX_BYTES: usize = 60_000;

/// The turns of a TCP conversation: speaker and bytes, in order of delivery.
pub struct Conversation {
    pub name: String,
    pub key: FlowKey,
    pub client: Side,
    pub turns: Vec<(Side, Vec<u8>)>,
}

/// The conversations of a capture without losses and reordering.
pub fn conversations(path: &Path) -> Vec<Conversation> {
    let mut source = Timeline::open(&[path]);
    let (mut batch, mut decoder) = (Batch::default(), Decoder::default());
    let mut found: BTreeMap<String, (Conversation, [Option<u32>; 2], bool)> = BTreeMap::new();
    loop {
        batch.clear();
        if source.fill(&mut batch) != Status::More {
            break;
        }
        for packet in &batch.packets {
            let bytes = batch.bytes(packet);
            let Outcome::Segment(d) = decoder.decode(packet.time, packet.link, bytes, packet.len)
            else {
                continue;
            };
            if d.key.transport != Transport::Tcp {
                continue;
            }
            let name = format!("{} {:?}", path.display(), d.key);
            let syn = d.flags & 2 != 0;
            let (conversation, next, good) = found.entry(name.clone()).or_insert_with(|| {
                let start = Conversation { name, key: d.key, client: d.from, turns: Vec::new() };
                (start, [None; 2], syn)
            });
            let side = d.from.index();
            if syn {
                *good &= next[side].is_none();
                next[side] = Some(d.seq.wrapping_add(1));
            }
            if d.len == 0 {
                continue;
            }
            *good &= next[side] == Some(d.seq) && d.missing == 0;
            next[side] = Some(d.seq.wrapping_add(d.len));
            let payload = &bytes[d.offset as usize..(d.offset + d.len) as usize];
            match conversation.turns.last_mut() {
                Some((last, bytes)) if *last == d.from => bytes.extend_from_slice(payload),
                _ => conversation.turns.push((d.from, payload.to_vec())),
            }
        }
    }
    let size = |c: &Conversation| c.turns.iter().map(|(_, b)| b.len()).sum::<usize>();
    found
        .into_values()
        .filter(|(c, _, good)| *good && !c.turns.is_empty() && size(c) <= MAX_BYTES)
        .map(|(c, ..)| c)
        .collect()
}

/// A segment of a conversation.
pub struct Sent {
    pub from: Side,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub payload: Vec<u8>,
}

impl Conversation {
    /// The IP packet of a segment.
    pub fn packet(&self, sent: &Sent) -> Vec<u8> {
        let [from, to] = [sent.from, sent.from.other()].map(|s| self.key.end(s).to_socket_addr());
        tcp(from, to, sent.seq, sent.ack, sent.flags, &sent.payload)
    }

    pub fn packets(&self, sent: &[Sent]) -> Vec<TestPacket> {
        let packet = |(n, sent): (usize, &Sent)| {
            let bytes = self.packet(sent);
            TestPacket {
                time: Timestamp::new(1_772_360_102, 10_000 * n as u32),
                link: LinkType::RAW,
                len: bytes.len() as u32,
                bytes,
            }
        };
        sent.iter().enumerate().map(packet).collect()
    }
}

/// The captures of the fixtures, in order of name.
pub fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut paths: Vec<PathBuf> = ["captures", "services"]
        .into_iter()
        .flat_map(|name| std::fs::read_dir(folder.join(name)).expect("fixtures"))
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "pcap"))
        .collect();
    paths.sort();
    paths
}
