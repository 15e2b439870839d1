//! Ways in which a client, or anyone who can send, may make a monitor read something else than the
//! server. Each is applied to a conversation that names 300 patients, and all 300 must be found
//! (`docs/evasion.md`).

use crate::segments::{
    ACK, Dialogue, EVASIONS, Evade, FIN, GARBAGE, PATIENTS, PSH, RST, SYN, Segment, URG,
    conversation, hl7, http,
};
use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header};
use etherparse::{TcpHeader, UdpHeader};
use phitap::capture::LinkType;
use phitap::pipeline::test_harness::{TestHarness, TestPacket};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::collections::BTreeSet;

const STARTED: i64 = 1_772_360_102_000_000_000;

const CLIENT: [u8; 4] = [10, 1, 0, 9];
const SERVER: [u8; 4] = [10, 1, 0, 2];

fn v6(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
}

/// Source and destination address of a segment.
fn ends(segment: &Segment) -> ([u8; 4], [u8; 4]) {
    if segment.client { (CLIENT, SERVER) } else { (SERVER, CLIENT) }
}

/// Its TCP header and payload, with the checksum for IPv4 or IPv6.
fn tcp(segment: &Segment, over_v6: bool) -> Vec<u8> {
    let (from, to) = if segment.client { (40_000, 8080) } else { (8080, 40_000) };
    let mut header = TcpHeader::new(from, to, segment.seq, segment.window);
    header.acknowledgment_number = segment.ack;
    header.fin = segment.has(FIN);
    header.syn = segment.has(SYN);
    header.rst = segment.has(RST);
    header.psh = segment.has(PSH);
    header.ack = segment.has(ACK);
    header.urg = segment.has(URG);
    header.urgent_pointer = segment.urgent;
    let [a, b, c, d] = segment.timestamp.to_be_bytes();
    if segment.timestamp != 0 {
        header.set_options_raw(&[1, 1, 8, 10, a, b, c, d, 0, 0, 0, 0]).expect("12 bytes");
    }
    let (source, destination) = ends(segment);
    let sum = match over_v6 {
        true => header.calc_checksum_ipv6_raw(v6(source), v6(destination), &segment.bytes),
        false => header.calc_checksum_ipv4_raw(source, destination, &segment.bytes),
    };
    header.checksum = sum.expect("a short payload");
    [&header.to_bytes()[..], &segment.bytes].concat()
}

fn ipv4(segment: &Segment) -> Vec<u8> {
    let payload = tcp(segment, false);
    let (source, destination) = ends(segment);
    let header =
        Ipv4Header::new(payload.len() as u16, segment.ttl, IpNumber::TCP, source, destination);
    [&header.expect("a short payload").to_bytes()[..], &payload].concat()
}

/// Fragments of `payload` over IPv4 or IPv6; each is its offset, whether more follow, and its
/// bytes.
fn fragment(
    segment: &Segment,
    over_v6: bool,
    id: u32,
    (at, more, bytes): (usize, bool, &[u8]),
) -> Vec<u8> {
    let (source, destination) = ends(segment);
    let offset = IpFragOffset::try_new((at / 8) as u16).expect("an offset");
    if over_v6 {
        // RFC 8200 4.5: the first fragment alone names the protocol.
        let next = if at == 0 { IpNumber::TCP } else { IpNumber::UDP };
        let part = Ipv6FragmentHeader::new(next, offset, more, id);
        let header = Ipv6Header {
            payload_length: (8 + bytes.len()) as u16,
            next_header: IpNumber::IPV6_FRAGMENTATION_HEADER,
            hop_limit: 64,
            source: v6(source),
            destination: v6(destination),
            ..Ipv6Header::default()
        };
        [&header.to_bytes()[..], &part.to_bytes(), bytes].concat()
    } else {
        let mut header =
            Ipv4Header::new(bytes.len() as u16, 64, IpNumber::TCP, source, destination)
                .expect("a short payload");
        header.identification = id as u16;
        header.dont_fragment = false;
        header.fragment_offset = offset;
        header.more_fragments = more;
        [&header.to_bytes()[..], bytes].concat()
    }
}

/// Every segment in fragments of 32 bytes, in reverse order. Before each request come two forged
/// datagrams: one with a contradicting fragment in its middle, which no host reassembles, and one
/// whose middle was replaced.
fn fragmented(segments: &[Segment], over_v6: bool) -> Vec<Vec<u8>> {
    let (mut frames, mut id) = (Vec::new(), 0);
    for segment in segments {
        let whole = tcp(segment, over_v6);
        let parts: Vec<(usize, bool, &[u8])> = (0..whole.len())
            .step_by(32)
            .map(|at| (at, at + 32 < whole.len(), &whole[at..whole.len().min(at + 32)]))
            .collect();
        if segment.asks() {
            for contradicted in [true, false] {
                id += 1;
                for part in &parts {
                    let exchanged = (part.0, part.1, &GARBAGE[..part.2.len()]);
                    let middle = part.0 == 64;
                    if middle {
                        frames.push(fragment(segment, over_v6, id, exchanged));
                    }
                    if !middle || contradicted {
                        frames.push(fragment(segment, over_v6, id, *part));
                    }
                }
            }
        }
        id += 1;
        frames.extend(parts.iter().rev().map(|part| fragment(segment, over_v6, id, *part)));
    }
    frames
}

/// Encapsulates in VXLAN (RFC 7348) with this network.
fn vxlan(packet: &[u8], network: u8) -> Vec<u8> {
    let inner = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], packet].concat();
    let head = [8, 0, 0, 0, 0, 0, network, 0];
    let udp = UdpHeader {
        source_port: 50_000 + u16::from(network),
        destination_port: 4789,
        length: (8 + head.len() + inner.len()) as u16,
        checksum: 0,
    };
    let payload = [&udp.to_bytes()[..], &head, &inner].concat();
    let header =
        Ipv4Header::new(payload.len() as u16, 64, IpNumber::UDP, [172, 16, 0, 1], [172, 16, 0, 2]);
    [&header.expect("a short payload").to_bytes()[..], &payload].concat()
}

/// Encapsulates in GRE (RFC 2890) with this key.
fn gre(packet: &[u8], key: u8) -> Vec<u8> {
    let payload = [&[0x20, 0, 8, 0, 0, 0, 0, key][..], packet].concat();
    let header =
        Ipv4Header::new(payload.len() as u16, 64, IpNumber::GRE, [172, 16, 0, 1], [172, 16, 0, 2]);
    [&header.expect("a short payload").to_bytes()[..], &payload].concat()
}

/// Number of patients found in these packets.
fn found(harness: &TestHarness, frames: Vec<Vec<u8>>, step: i64) -> usize {
    let packets: Vec<TestPacket> = frames
        .into_iter()
        .enumerate()
        .map(|(n, bytes)| TestPacket {
            time: Timestamp(STARTED + step * n as i64),
            link: LinkType::RAW,
            len: bytes.len() as u32,
            bytes,
        })
        .collect();
    let findings = harness.run(&packets);
    let ids = findings.iter().flat_map(|event| event.finding.identifiers.iter());
    let tokens = ids.filter(|id| id.kind.as_str() == "patient_id").map(|id| id.token.bytes());
    tokens.collect::<BTreeSet<_>>().len()
}

fn harness() -> TestHarness {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), false).expect("random bytes")
}

const DIALOGUES: [(&str, Dialogue); 2] = [("hl7", hl7), ("http", http)];
/// Time between packets, nanoseconds.
const STEPS: [i64; 2] = [1_000_000, 700_000_000];
const FIRST: [u32; 2] = [1000, 5000];

/// Evasions that change the handshake, or of which nothing is left without it.
const OF_THE_HANDSHAKE: &[&str] = &[
    "data in a SYN that the server refuses",
    "data in a SYN that the server takes",
    "a simultaneous open",
    "a handshake in four parts",
    "another SYN before the handshake",
    // What is left (docs/evasion.md).
    "a SYN-ACK of another connection",
    "a SYN-ACK of the client, with garbage",
    "ends before their time, with garbage",
    "what was read again with other bytes, and some beyond",
];

/// The names of dialogues in which not all patients were found.
fn evaded(name: &str, frames: impl Fn(Dialogue) -> Vec<Vec<u8>>) -> Vec<String> {
    evaded_to(PATIENTS as usize, name, frames)
}

/// The same for fewer than `least`.
fn evaded_to(least: usize, name: &str, frames: impl Fn(Dialogue) -> Vec<Vec<u8>>) -> Vec<String> {
    let harness = harness();
    let mut evaded = Vec::new();
    for (protocol, dialogue) in DIALOGUES {
        for step in STEPS {
            let patients = found(&harness, frames(dialogue), step);
            println!("{name}, {protocol}, {} ms: {patients} of {PATIENTS}", step / 1_000_000);
            if !(least..=PATIENTS as usize).contains(&patients) {
                evaded.push(format!("{name}, {protocol}, {} ms: {patients}", step / 1_000_000));
            }
        }
    }
    evaded
}

#[test]
fn no_segments_hide_a_patient() {
    let mut all = Vec::new();
    for (name, evade) in EVASIONS {
        all.extend(evaded(name, |dialogue| {
            let segments = evade(conversation(dialogue, 1..PATIENTS + 1, FIRST));
            segments.iter().map(ipv4).collect()
        }));
    }
    assert!(all.is_empty(), "{all:#?}");
}

/// The same where the capture began after the handshake. Before the first request was seen, nothing shows what was
/// forged, so that its patient may be missing.
#[test]
fn no_segments_of_a_conversation_joined_in_its_middle_hide_a_patient() {
    let least = PATIENTS as usize - 1;
    let mut all = Vec::new();
    for (name, evade) in EVASIONS.iter().filter(|(name, _)| !OF_THE_HANDSHAKE.contains(name)) {
        all.extend(evaded_to(least, name, |dialogue| joined_in_the_middle(dialogue, *evade)));
    }
    assert!(all.is_empty(), "{all:#?}");
}

fn joined_in_the_middle(dialogue: Dialogue, evade: Evade) -> Vec<Vec<u8>> {
    const HANDSHAKE: usize = 3;
    let segments = evade(conversation(dialogue, 1..PATIENTS + 1, FIRST));
    segments.iter().skip(HANDSHAKE).map(ipv4).collect()
}

#[test]
fn no_fragments_hide_a_patient() {
    for over_v6 in [false, true] {
        let name = if over_v6 { "fragments of IPv6" } else { "fragments of IPv4" };
        let all = evaded(name, |dialogue| {
            fragmented(&conversation(dialogue, 1..PATIENTS + 1, FIRST), over_v6)
        });
        assert!(all.is_empty(), "{all:#?}");
    }
}

/// Two networks that use the same addresses and ports at the same time.
#[test]
fn no_tunnels_hide_a_patient() {
    type Tunnel = fn(&[u8], u8) -> Vec<u8>;
    let tunnels: [(&str, Tunnel); 2] = [("VXLAN", vxlan), ("GRE", gre)];
    for (name, tunnel) in tunnels {
        let all = evaded(name, |dialogue| {
            let half = PATIENTS / 2;
            let one = conversation(dialogue, 1..half + 1, FIRST);
            let two = conversation(dialogue, half + 1..PATIENTS + 1, [0x5000_0000, 0xa000_0000]);
            let pairs = one.iter().zip(&two);
            pairs.flat_map(|(a, b)| [tunnel(&ipv4(a), 1), tunnel(&ipv4(b), 2)]).collect()
        });
        assert!(all.is_empty(), "{all:#?}");
    }
}

/// Reuses the ports for one connection per patient, each opened just after the last has ended.
#[test]
fn ports_used_again_and_again_hide_no_patient() {
    let all = evaded("ports used again", |dialogue| {
        let each =
            |n: u32| conversation(dialogue, n..n + 1, [1000 + n * 64_000, 5000 + n * 48_000]);
        (1..PATIENTS + 1).flat_map(each).map(|segment| ipv4(&segment)).collect()
    });
    assert!(all.is_empty(), "{all:#?}");
}
