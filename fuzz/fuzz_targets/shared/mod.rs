//! What targets share: a flow in memory, a content alone, and the frames of an association (PS3.8 9.3).

#![allow(dead_code)]

pub mod contents;

use etherparse::PacketBuilder;
use phitap::capture::LinkType;
use phitap::pipeline::test_harness::{TestHarness, TestPacket};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::sync::LazyLock;

pub static LAB: LazyLock<TestHarness> = LazyLock::new(|| {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), false).expect("random bytes")
});

/// Transfer syntaxes, of which an input chooses by number.
pub const SYNTAXES: [&str; 6] = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
    "",
];

const SEGMENT: usize = 1400;

/// One TCP conversation.
#[derive(Default)]
pub struct Flow {
    sent: [u32; 2],
    packets: Vec<TestPacket>,
}

impl Flow {
    pub fn say(&mut self, server: bool, bytes: &[u8]) {
        if self.packets.is_empty() {
            self.segment(true, true, b"");
        }
        for payload in bytes.chunks(SEGMENT) {
            self.segment(server, false, payload);
        }
    }

    /// `len` bytes that nobody captured.
    pub fn lose(&mut self, server: bool, len: u32) {
        let sent = &mut self.sent[usize::from(server)];
        *sent = sent.wrapping_add(len);
    }

    fn segment(&mut self, server: bool, syn: bool, payload: &[u8]) {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let (source, destination, from, to) =
            if server { (b, a, 11_112, 40_000) } else { (a, b, 40_000, 11_112) };
        let (this, other) = (usize::from(server), usize::from(!server));
        let sequence = self.sent[this].wrapping_add(u32::from(!syn));
        let acknowledged = self.sent[other].wrapping_add(1);
        let mut tcp = PacketBuilder::ipv4(source, destination, 64)
            .tcp(from, to, sequence, 65_535)
            .ack(acknowledged);
        if syn {
            tcp = tcp.syn();
        }
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload).expect("a valid packet");
        self.sent[this] = self.sent[this].wrapping_add(payload.len() as u32);
        self.packets.push(TestPacket {
            time: Timestamp::new(1_772_360_102, 1000 * self.packets.len() as u32),
            link: LinkType::RAW,
            len: bytes.len() as u32,
            bytes,
        });
    }

    pub fn run(self) {
        LAB.run(&self.packets);
    }
}

/// Plays a list of records: how (bit 0: the server speaks, bit 1: bytes are lost before it, bit 2: the
/// record goes through `wrap`, else it is raw), length (two bytes), then the bytes.
pub fn records(flow: &mut Flow, mut rest: &[u8], wrap: impl Fn(bool, &[u8]) -> Vec<u8>) {
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, after) = tail.split_at(len.min(tail.len()));
        let server = how & 1 == 1;
        if how & 2 != 0 {
            flow.lose(server, u32::from(*how) * 7);
        }
        match how & 4 {
            0 => flow.say(server, bytes),
            _ => flow.say(server, &wrap(server, bytes)),
        }
        rest = after;
    }
}

pub fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// An association in which context 2n+1 has the n-th transfer syntax.
pub fn association(flow: &mut Flow) {
    let mut fixed = vec![0, 1, 0, 0];
    fixed.extend(b"ARCHIVE         CT01            ");
    fixed.extend([0; 32]);
    fixed.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    let (mut request, mut accept) = (fixed.clone(), fixed);
    for (n, uid) in SYNTAXES.iter().enumerate() {
        let id = 2 * n as u8 + 1;
        let syntax = item(0x40, uid.as_bytes());
        let class = item(0x30, b"1.2.840.10008.5.1.4.1.1.7");
        request.extend(item(0x20, &[&[id, 0, 0, 0][..], &class, &syntax].concat()));
        accept.extend(item(0x21, &[&[id, 0, 0, 0][..], &syntax].concat()));
    }
    let user = item(0x50, &item(0x51, &16_384u32.to_be_bytes()));
    request.extend(&user);
    accept.extend(&user);
    flow.say(false, &pdu(1, &request));
    flow.say(true, &pdu(2, &accept));
}

/// A fragment of a command (`control` 1) or a data set (0), with 2 added if it is the last.
pub fn fragment(context: u8, control: u8, value: &[u8]) -> Vec<u8> {
    let len = (value.len() as u32 + 2).to_be_bytes();
    pdu(4, &[&len[..], &[context, control], value].concat())
}
