//! Ways in which a client, or anyone who can send, may make a monitor read something else than the
//! server. Each is applied to a conversation that names 300 patients, and all 300 must be found
//! (`docs/evasion.md`).

use crate::payloads::admission;
use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header};
use etherparse::{TcpHeader, UdpHeader};
use phitap::capture::LinkType;
use phitap::pipeline::test_harness::{TestHarness, TestPacket};
use phitap::rules::RuleSet;
use phitap::time::Timestamp;
use std::collections::BTreeSet;

const PATIENTS: u32 = 300;
const STARTED: i64 = 1_772_360_102_000_000_000;
/// Brings the first sequence numbers of both sides close to wrapping.
const OFF: [u32; 2] = [0xffff_ff00 - 1000, 0xffff_ff80 - 5000];
const GARBAGE: &[u8] = &[b'!'; 40];

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const URG: u8 = 32;

/// A TCP segment with the IP fields that matter.
#[derive(Clone, Debug)]
struct Segment {
    /// Whether the client sent it.
    client: bool,
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    urgent: u16,
    ttl: u8,
    timestamp: u32,
    bytes: Vec<u8>,
}

impl Segment {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
    /// Whether it is a request of the client.
    fn asks(&self) -> bool {
        self.client && !self.bytes.is_empty()
    }
    /// The same segment with garbage as payload.
    fn garbage(&self) -> Self {
        Self { bytes: vec![b'!'; self.bytes.len().min(60)], ..self.clone() }
    }
    /// The server's acknowledgment without data: it expects `ack`.
    fn expects(&self, ack: u32, window: u16) -> Self {
        let (client, seq, bytes) = (false, self.ack, Vec::new());
        Self { client, seq, ack, flags: ACK, window, urgent: 0, bytes, ..self.clone() }
    }
}

/// Requests and responses; each request names a patient.
type Dialogue = fn(u32) -> [Vec<u8>; 2];

fn hl7(n: u32) -> [Vec<u8>; 2] {
    let answer = format!("\x0bMSH|^~\\&|C|D|A|B|20260301||ACK|{n}|P|2.5\rMSA|AA|{n}\r\x1c\r");
    [admission(n).into_bytes(), answer.into_bytes()]
}

fn http(n: u32) -> [Vec<u8>; 2] {
    let body =
        format!("{{\"patient_name\":\"Roe{n}, Jane\",\"mrn\":\"{n:07}\",\"dob\":\"1970-01-01\"}}");
    let len = body.len();
    let head =
        "POST /patients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length:";
    [
        format!("{head} {len}\r\n\r\n{body}").into_bytes(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
    ]
}

/// The conversation as its endpoints see it.
fn conversation(
    dialogue: Dialogue,
    patients: std::ops::Range<u32>,
    first: [u32; 2],
) -> Vec<Segment> {
    let mut next = first;
    let mut segments: Vec<Segment> = Vec::new();
    let mut send = |client: bool, flags: u8, bytes: &[u8]| {
        let (this, other) = if client { (0, 1) } else { (1, 0) };
        let opens = u32::from(flags & (SYN | FIN) != 0);
        segments.push(Segment {
            client,
            seq: next[this],
            ack: if flags & ACK != 0 { next[other] } else { 0 },
            flags,
            window: 65_000,
            urgent: 0,
            ttl: 64,
            timestamp: 0x1000 + 16 * segments.len() as u32,
            bytes: bytes.to_vec(),
        });
        next[this] = next[this].wrapping_add(bytes.len() as u32 + opens);
    };
    send(true, SYN, b"");
    send(false, SYN | ACK, b"");
    send(true, ACK, b"");
    for n in patients {
        let [question, answer] = dialogue(n);
        send(true, ACK | PSH, &question);
        send(false, ACK | PSH, &answer);
    }
    send(true, ACK | FIN, b"");
    send(false, ACK | FIN, b"");
    send(true, ACK, b"");
    segments
}

/// Inserts the segments that `forge` makes of a request before it.
fn in_front(segments: Vec<Segment>, forge: impl Fn(&Segment) -> Vec<Segment>) -> Vec<Segment> {
    let forged = |segment: &Segment| if segment.asks() { forge(segment) } else { Vec::new() };
    segments.into_iter().flat_map(|s| forged(&s).into_iter().chain([s])).collect()
}

/// Evasions that change segments.
type Evasion = (&'static str, fn(Vec<Segment>) -> Vec<Segment>);

const EVASIONS: &[Evasion] = &[
    ("nothing", |segments| segments),
    ("keep-alives with a byte of garbage", |segments| {
        in_front(segments, |s| {
            let byte = Segment { seq: s.seq.wrapping_sub(1), bytes: b"!".to_vec(), ..s.clone() };
            vec![
                byte.clone(),
                Segment { client: false, seq: s.ack.wrapping_sub(1), ack: s.seq, ..byte },
            ]
        })
    }),
    ("garbage under numbers that were read", |segments| {
        in_front(segments, |s| {
            let back = GARBAGE.len() as u32;
            vec![Segment { seq: s.seq.wrapping_sub(back), bytes: GARBAGE.to_vec(), ..s.clone() }]
        })
    }),
    ("closed windows probed with garbage", |segments| {
        in_front(segments, |s| {
            let probe = Segment { bytes: b"!".to_vec(), ..s.clone() };
            let shut = s.expects(s.seq, 0);
            vec![shut.clone(), probe.clone(), shut, probe, s.expects(s.seq, 65_000)]
        })
    }),
    ("closed windows probed with what comes next", |segments| {
        in_front(segments, |s| {
            let probe = Segment { bytes: s.bytes[..1].to_vec(), ..s.clone() };
            vec![s.expects(s.seq, 0), probe, s.expects(s.seq.wrapping_add(1), 65_000)]
        })
    }),
    ("resets with data", |segments| {
        in_front(segments, |s| {
            vec![Segment { flags: RST | ACK, bytes: GARBAGE.to_vec(), ..s.clone() }]
        })
    }),
    ("resets before and behind the window", |segments| {
        in_front(segments, |s| {
            [1 << 20, 15u32.wrapping_neg()]
                .map(|off| Segment {
                    flags: RST,
                    seq: s.seq.wrapping_add(off),
                    bytes: vec![],
                    ..s.clone()
                })
                .to_vec()
        })
    }),
    ("data in a SYN that the server refuses", |mut segments| {
        segments[0].bytes = GARBAGE.repeat(10);
        segments
    }),
    ("data in a SYN that the server takes", |mut segments| {
        // RFC 7413: the first request comes with the SYN.
        let question = segments.remove(3);
        let end = question.seq.wrapping_add(question.bytes.len() as u32);
        segments[0].bytes = question.bytes;
        (segments[1].ack, segments[2].seq) = (end, end);
        segments
    }),
    ("the SYN again, with garbage", |segments| {
        let syn = segments[0].clone();
        in_front(segments, move |s| {
            vec![Segment { bytes: GARBAGE.to_vec(), timestamp: s.timestamp, ..syn.clone() }]
        })
    }),
    ("a simultaneous open", |mut segments| {
        let (low, high) = (segments[0].clone(), segments[1].clone());
        let other = Segment { flags: SYN, ack: 0, ..high.clone() };
        let answer = Segment { flags: SYN | ACK, ack: high.seq.wrapping_add(1), ..low.clone() };
        segments.splice(1..2, [other, answer, high]);
        segments
    }),
    ("a handshake in four parts", |mut segments| {
        // The server acknowledges first, then opens its side separately (split handshake).
        let (low, high) = (segments[0].clone(), segments[1].clone());
        let bare = Segment { flags: ACK, ..high.clone() };
        let syn = Segment { flags: SYN, ack: 0, ..high.clone() };
        let answer = Segment { flags: SYN | ACK, ack: high.seq.wrapping_add(1), ..low };
        segments.splice(
            1..2,
            [bare, syn, answer, Segment { seq: high.seq.wrapping_add(1), flags: ACK, ..high }],
        );
        segments
    }),
    ("another SYN before the handshake", |mut segments| {
        let mut syn = segments[0].clone();
        syn.seq = syn.seq.wrapping_sub(7000);
        segments.insert(0, syn);
        segments
    }),
    ("urgent data", |mut segments| {
        for segment in segments.iter_mut().filter(|segment| segment.asks()) {
            segment.flags |= URG;
            segment.urgent = segment.bytes.len() as u16;
        }
        segments
    }),
    ("timestamps that wrap", |mut segments| {
        segments.iter_mut().for_each(|s| s.timestamp = s.timestamp.wrapping_add(0xffff_e000));
        segments
    }),
    ("garbage with an old timestamp", |segments| {
        in_front(segments, |s| {
            vec![Segment { timestamp: s.timestamp.wrapping_sub(1 << 30), ..s.garbage() }]
        })
    }),
    ("garbage that does not reach the server", |segments| {
        in_front(segments, |s| vec![Segment { ttl: 3, ..s.garbage() }])
    }),
    ("garbage that acknowledges nothing", |segments| {
        in_front(segments, |s| vec![Segment { flags: PSH, ack: 0, ..s.garbage() }])
    }),
    ("garbage of two kinds, out of order", |segments| {
        in_front(segments, |s| {
            let tail = Segment { seq: s.seq.wrapping_add(20), ttl: 3, ..s.garbage() };
            vec![tail, Segment { flags: PSH, ack: 0, ..s.garbage() }]
        })
    }),
    ("ends before their time, with garbage", |segments| {
        in_front(segments, |s| vec![Segment { flags: FIN | ACK, ttl: 3, ..s.garbage() }])
    }),
    ("an end in place that the server never gets", |segments| {
        in_front(segments, |s| vec![Segment { flags: FIN | ACK, bytes: vec![], ..s.clone() }])
    }),
    ("resets in place from both sides", |segments| {
        in_front(segments, |s| {
            let reset = Segment { flags: RST, bytes: vec![], ..s.clone() };
            let other = Segment { client: false, seq: s.ack, ack: 0, ..reset.clone() };
            vec![reset, other]
        })
    }),
    ("ends in place from both sides that neither gets", |segments| {
        in_front(segments, |s| {
            let end = Segment { flags: FIN | ACK, bytes: vec![], ..s.clone() };
            vec![Segment { client: false, seq: s.ack, ack: s.seq, ..end.clone() }, end]
        })
    }),
    ("a SYN-ACK of another connection", |segments| {
        in_front(segments, |s| {
            let (seq, ack) = (s.ack.wrapping_add(1 << 30), s.seq.wrapping_sub(1 << 29));
            let flags = SYN | ACK;
            vec![Segment { client: false, flags, seq, ack, bytes: vec![], ..s.clone() }]
        })
    }),
    ("every flag, and none, with garbage", |segments| {
        in_front(segments, |s| {
            let none = Segment { flags: 0, ack: 0, ..s.garbage() };
            let all = Segment { flags: SYN | FIN | RST | PSH | ACK | URG, ..s.garbage() };
            vec![none, all]
        })
    }),
    ("a SYN-ACK of the client, with garbage", |segments| {
        in_front(segments, |s| vec![Segment { flags: SYN | ACK | PSH, ..s.garbage() }])
    }),
    ("garbage behind the beginning of what comes", |segments| {
        in_front(segments, |s| {
            let at = s.bytes.len() as u32 / 2;
            vec![Segment { seq: s.seq.wrapping_add(at), ttl: 3, ..s.garbage() }]
        })
    }),
    ("acknowledgments of what was not sent", |segments| {
        in_front(segments, |s| vec![s.expects(s.seq.wrapping_add(1 << 27), 65_000)])
    }),
    ("numbers that wrap", |mut segments| {
        for segment in &mut segments {
            let (this, other) = if segment.client { (0, 1) } else { (1, 0) };
            segment.seq = segment.seq.wrapping_add(OFF[this]);
            if segment.has(ACK) {
                segment.ack = segment.ack.wrapping_add(OFF[other]);
            }
        }
        segments
    }),
    ("every segment in pieces, backwards", |segments| {
        let pieces = |s: Segment| {
            let piece = |at: usize| Segment {
                seq: s.seq.wrapping_add(at as u32),
                bytes: s.bytes[at..s.bytes.len().min(at + 10)].to_vec(),
                ..s.clone()
            };
            match s.asks() {
                true => (0..s.bytes.len()).step_by(10).rev().map(piece).collect(),
                false => vec![s],
            }
        };
        segments.into_iter().flat_map(pieces).collect()
    }),
];

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
    header.set_options_raw(&[1, 1, 8, 10, a, b, c, d, 0, 0, 0, 0]).expect("12 bytes");
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

fn evaded(name: &str, frames: impl Fn(Dialogue) -> Vec<Vec<u8>>) -> Vec<String> {
    let harness = harness();
    let mut evaded = Vec::new();
    for (protocol, dialogue) in DIALOGUES {
        for step in STEPS {
            let patients = found(&harness, frames(dialogue), step);
            println!("{name}, {protocol}, {} ms: {patients} of {PATIENTS}", step / 1_000_000);
            if patients != PATIENTS as usize {
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
