//! A conversation that names 300 patients, segment by segment, and what an evasion makes of it.

use crate::payloads::admission;

pub const PATIENTS: u32 = 300;
/// Brings the first sequence numbers of both sides close to wrapping.
const OFF: [u32; 2] = [0xffff_ff00 - 1000, 0xffff_ff80 - 5000];
pub const GARBAGE: &[u8] = &[b'!'; 40];

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;
pub const URG: u8 = 32;

/// A TCP segment with the IP fields that matter.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Whether the client sent it.
    pub client: bool,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub ttl: u8,
    pub timestamp: u32,
    pub bytes: Vec<u8>,
}

impl Segment {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
    /// Whether it is a request of the client.
    pub fn asks(&self) -> bool {
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
pub type Dialogue = fn(u32) -> [Vec<u8>; 2];

pub fn hl7(n: u32) -> [Vec<u8>; 2] {
    let answer = format!("\x0bMSH|^~\\&|C|D|A|B|20260301||ACK|{n}|P|2.5\rMSA|AA|{n}\r\x1c\r");
    [admission(n).into_bytes(), answer.into_bytes()]
}

pub fn http(n: u32) -> [Vec<u8>; 2] {
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
pub fn conversation(
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

/// What an evasion makes of a conversation.
pub type Evade = fn(Vec<Segment>) -> Vec<Segment>;
type Evasion = (&'static str, Evade);

pub const EVASIONS: &[Evasion] = &[
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
    ("every segment in overlapping pieces, backwards", |segments| {
        let piece = |s: &Segment, at: usize| Segment {
            seq: s.seq.wrapping_add(at as u32),
            bytes: s.bytes[at..s.bytes.len().min(at + 25)].to_vec(),
            ..s.clone()
        };
        let pieces = |s: Segment| match s.asks() {
            true => (0..s.bytes.len()).step_by(10).rev().map(|at| piece(&s, at)).collect(),
            false => vec![s],
        };
        segments.into_iter().flat_map(pieces).collect()
    }),
    ("what was read again with other bytes, and some beyond", |segments| {
        in_front(segments, |s| {
            let back = 20;
            let again =
                Segment { seq: s.seq.wrapping_sub(back), bytes: GARBAGE.to_vec(), ..s.clone() };
            vec![Segment { ttl: 3, ..again.clone() }, Segment { flags: PSH, ack: 0, ..again }]
        })
    }),
    ("what was acknowledged again with other bytes, much later", |segments| {
        let first = segments[3].clone();
        in_front(segments, move |s| match s.seq == first.seq {
            true => Vec::new(),
            false => vec![Segment { ack: s.ack, timestamp: s.timestamp, ..first.garbage() }],
        })
    }),
    ("garbage without a timestamp", |segments| {
        // RFC 7323 3.2: without the option that was agreed on, a receiver drops it.
        in_front(segments, |s| vec![Segment { timestamp: 0, ..s.garbage() }])
    }),
    ("urgent data that ends before, behind and far from its segment", |mut segments| {
        let asks = segments.iter_mut().filter(|segment| segment.asks());
        for (n, segment) in asks.enumerate() {
            segment.flags |= URG;
            segment.urgent = [0, 1, 40_000, u16::MAX][n % 4];
        }
        segments
    }),
    ("a server that closes its side at once", |segments| {
        // RFC 9293 3.6: the other side may send for as long as it likes.
        let end = Segment { client: false, flags: FIN | ACK, ..segments[2].clone() };
        let end = Segment { seq: segments[2].ack, ack: segments[2].seq, ..end };
        let silent = end.seq.wrapping_add(1);
        let (mut out, mut rest) = (segments, Vec::new());
        for segment in out.split_off(3).into_iter().filter(|segment| segment.client) {
            let next = segment.seq.wrapping_add(segment.bytes.len() as u32);
            let request = Segment { ack: silent, ..segment };
            let answer = request.asks().then(|| request.expects(next, 65_000));
            rest.push(request);
            rest.extend(answer);
        }
        out.push(end);
        out.extend(rest);
        out
    }),
    ("ends in place and ahead, again and again", |segments| {
        in_front(segments, |s| {
            let end = Segment { flags: FIN | ACK, bytes: vec![], ttl: 3, ..s.clone() };
            vec![end.clone(), Segment { seq: s.seq.wrapping_add(5), ..end }]
        })
    }),
];
