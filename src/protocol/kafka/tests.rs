use super::super::recorder::{Piece, Recorder, play};
use super::super::{Authentication, DriverEvent, Position, Probe, Protocol as _};
use super::Kafka;
use Piece::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;
use std::io::Write as _;

const PATIENT: &str = r#"{"name":"Jane Roe","mrn":"17"}"#;

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as i16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn zigzag(value: i64) -> Vec<u8> {
    varint((value << 1 ^ value >> 63) as u64)
}

fn compact(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64 + 1), bytes.to_vec()].concat()
}

fn measured(bytes: &[u8]) -> Vec<u8> {
    [zigzag(bytes.len() as i64), bytes.to_vec()].concat()
}

fn sized(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn request(api: i16, version: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let mut head = [api.to_be_bytes(), version.to_be_bytes()].concat();
    head.extend(correlation.to_be_bytes());
    head.extend(string("rdkafka"));
    if super::wire::is_flexible(api, version) {
        head.push(0);
    }
    sized(&[&head, body].concat())
}

/// A record batch of these values, compressed by `codec`.
fn batch(codec: u8, values: &[&str]) -> Vec<u8> {
    let mut records = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let head = [measured(b"unit"), measured(b"3 West")].concat();
        let record = [
            vec![0],
            zigzag(0),
            zigzag(at as i64),
            zigzag(-1),
            measured(value.as_bytes()),
            if at == 0 { [zigzag(1), head].concat() } else { zigzag(0) },
        ]
        .concat();
        records.extend(measured(&record));
    }
    let records = compress(codec, &records);
    let mut body = vec![0, 0, 0, 0, 2, 1, 2, 3, 4, 0, codec];
    body.extend((values.len() as i32 - 1).to_be_bytes());
    body.extend([0; 16]);
    body.extend([0xff; 14]);
    body.extend((values.len() as i32).to_be_bytes());
    body.extend(records);
    [&[0; 8][..], &(body.len() as i32).to_be_bytes(), &body].concat()
}

fn compress(codec: u8, data: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            encoder.write_all(data).expect("memory");
            encoder.finish().expect("memory")
        }
        2 => snap::raw::Encoder::new().compress_vec(data).expect("memory"),
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(data).expect("memory");
            encoder.finish().expect("memory")
        }
        4 => ruzstd::encoding::compress_to_vec(
            data,
            ruzstd::encoding::CompressionLevel::Uncompressed,
        ),
        _ => data.to_vec(),
    }
}

/// A Produce request of version 9 for one partition.
fn produce(correlation: i32, topic: &str, records: &[u8]) -> Vec<u8> {
    let partition = [vec![0, 0, 0, 5], compact(records), vec![0]].concat();
    let topics = [vec![2], compact(topic.as_bytes()), vec![2], partition, vec![0]].concat();
    request(0, 9, correlation, &[vec![0, 0, 1, 0, 0, 0, 1], topics, vec![0]].concat())
}

fn versions(correlation: i32) -> Vec<u8> {
    request(18, 3, correlation, &[compact(b"librdkafka"), compact(b"2.3"), vec![0]].concat())
}

/// A request and its answer in version 4.
fn fetch(correlation: i32, records: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut body = correlation.to_be_bytes().to_vec();
    body.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    body.extend(string("adt.a01"));
    body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    body.extend([0; 16]);
    // One aborted transaction.
    body.extend([0, 0, 0, 1]);
    body.extend([0; 16]);
    body.extend(sized(records));
    (request(1, 4, correlation, &[0; 30]), sized(&body))
}

/// The payloads but headers.
fn values(sink: &Recorder) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = sink.contents.iter().map(|c| text(&c.bytes));
    all.filter(|text| !text.contains("3 West")).collect()
}

#[test]
fn records_are_read_in_every_compression_and_in_pieces_of_any_size() {
    for codec in 0..=4 {
        let request = produce(7, "adt.a01", &batch(codec, &[PATIENT, "{}", PATIENT]));
        for size in [1, 2, 3, 7, 60, 61, 1000] {
            let (sink, events) = play(&[Client(&versions(1)), Client(&request)], size);
            assert_eq!(values(&sink), [PATIENT, "{}", PATIENT], "codec {codec}, size {size}");
            assert_eq!(events.first(), Some(&DriverEvent::Recognised("kafka")));
            assert_eq!(sink.contents[0].bytes, br#"{"unit":"3 West"}"#);
            assert_eq!(sink.contents[0].operation, "produce");
            assert_eq!(sink.facts.authentication, Authentication::None);
            assert!(sink.anomalies.is_empty());
        }
    }
}

#[test]
fn snappy_of_the_java_client_comes_in_blocks() {
    let plain = batch(0, &[PATIENT]);
    let (head, records) = plain.split_at(super::batch::HEAD);
    let (one, two) = records.split_at(9);
    let mut packed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    packed.extend(sized(&compress(2, one)));
    packed.extend(sized(&compress(2, two)));
    let mut head = head.to_vec();
    head[22] = 2;
    head[8..12].copy_from_slice(&(packed.len() as u32 + 49).to_be_bytes());
    let (sink, _) = play(&[Client(&produce(1, "t", &[head, packed].concat()))], 50);
    assert_eq!(values(&sink), [PATIENT]);
    // The first request of the flow is not the first of its client.
    assert_eq!(sink.facts.authentication, Authentication::Unknown);
}

#[test]
fn answers_are_read_by_their_requests_and_a_cut_batch_ends_them() {
    let two = [batch(3, &[PATIENT]), batch(0, &[PATIENT])].concat();
    let (request, answer) = fetch(3, &two);
    let (sink, _) = play(&[Client(&versions(1)), Client(&request), Server(&answer)], 33);
    assert_eq!(values(&sink), [PATIENT, PATIENT]);
    assert_eq!(sink.contents[1].operation, "fetch");
    let (request, answer) = fetch(3, &two[..two.len() - 9]);
    let (_, next) = fetch(4, &two);
    let pieces =
        [Client(&versions(1)), Client(&request), Server(&answer), Client(&request), Server(&next)];
    assert_eq!(values(&play(&pieces, 20).0), [PATIENT, PATIENT, PATIENT]);
    // Of a request that was not seen, batches are looked for.
    assert_eq!(values(&play(&[Client(&versions(1)), Server(&next)], 20).0), [PATIENT, PATIENT]);
}

fn message(magic: u8, codec: u8, value: &[u8]) -> Vec<u8> {
    let time = if magic == 0 { 0 } else { 8 };
    let body = [
        vec![1, 2, 3, 4, magic, codec],
        vec![0; time],
        (-1i32).to_be_bytes().to_vec(),
        sized(value),
    ];
    [vec![0; 8], sized(&body.concat())].concat()
}

#[test]
fn message_sets_of_older_versions_are_read() {
    for magic in [0, 1] {
        for codec in [0, 1, 2] {
            let inner = [message(magic, 0, PATIENT.as_bytes()), message(magic, 0, b"{}")].concat();
            let set = match codec {
                0 => inner,
                _ => message(magic, codec, &compress(codec, &inner)),
            };
            let topics =
                [&[0, 0, 0, 1][..], &string("t"), &[0, 0, 0, 1, 0, 0, 0, 0], &sized(&set)].concat();
            let request = request(0, 2, 1, &[&[0, 1, 0, 0, 0, 9][..], &topics].concat());
            let (sink, _) = play(&[Client(&versions(0)), Client(&request)], 17);
            assert_eq!(values(&sink), [PATIENT, "{}"], "magic {magic}, codec {codec}");
        }
    }
}

#[test]
fn passwords_of_sasl_are_in_clear() {
    let plain = b"\0jroe\0secret";
    let pieces = |version: i16, token: Vec<u8>| {
        [versions(1), request(17, version, 2, &string("PLAIN")), token].concat()
    };
    let framed = request(36, 1, 3, &sized(plain));
    let compacted = request(36, 2, 3, &[compact(plain), vec![0]].concat());
    for (version, token) in [(1, framed), (1, compacted), (0, sized(plain))] {
        let (sink, _) = play(&[Client(&pieces(version, token))], 5);
        assert!(sink.facts.credentials_in_clear);
        let user = sink.facts.files.as_ref().and_then(|f| f.user.as_deref());
        assert_eq!(user, Some("jroe"), "version {version}");
    }
    let scram = request(17, 1, 2, &string("SCRAM-SHA-256"));
    let (sink, _) = play(&[Client(&versions(1)), Client(&scram)], 99);
    assert_eq!(sink.facts.authentication, Authentication::Digest);
    assert!(!sink.facts.credentials_in_clear);
}

#[test]
fn reading_goes_on_behind_a_gap_and_begins_in_the_middle() {
    let one = produce(1, "t", &batch(0, &[PATIENT]));
    let (request, answer) = fetch(9, &batch(0, &[PATIENT]));
    // Inside a message: what follows it is found.
    let cut = 40;
    let lost = (one.len() - cut - 10) as u64;
    let pieces = [
        Client(&versions(1)),
        Client(&one[..cut]),
        ClientGap(lost),
        Client(&one[one.len() - 10..]),
        Client(&one),
    ];
    assert_eq!(values(&play(&pieces, 13).0), [PATIENT]);
    // Over the end of one: the next request is found by the name of its client.
    let pieces = [Client(&versions(1)), Client(&one[..cut]), ClientGap(9999), Client(&one)];
    assert_eq!(values(&play(&pieces, 13).0), [PATIENT]);
    // The answer is found by the number of its request.
    let pieces = [
        Client(&versions(1)),
        Client(&request),
        Server(&[0, 0, 0, 9, 0]),
        ServerGap(50),
        Server(&answer),
    ];
    assert_eq!(values(&play(&pieces, 13).0), [PATIENT]);
    // Nothing but answers, from the middle of one.
    let middle = [&answer[3..], &answer, &answer].concat();
    let (sink, _) = play(&[ServerGap(1), Server(&middle)], 999);
    assert_eq!(values(&sink), [PATIENT, PATIENT, PATIENT]);
    let (sink, _) = play(&[ClientGap(1), Client(&one[5..]), Client(&one)], 999);
    assert!(!values(&sink).is_empty());
}

#[test]
fn other_protocols_are_no_kafka() {
    for other in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        // PostgreSQL, MongoDB, SMB 2, LDAP, DICOM, a Thrift call, zeros.
        b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0clinic\0\0\0\0\0",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1f\0\0\0",
        b"\0\0\0\x7c\xfeSMB@\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0",
        b"\x01\0\0\0\0\xcd\0\x01\0\0ANY-SCP         ",
        b"\0\0\0\x1c\x80\x01\0\x01\0\0\0\x04ping\0\0\0\0\0",
        // SETTINGS of HTTP/2.
        b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\0\x04\x01\0\0\0\0",
        &[0; 64],
    ] {
        assert_eq!(Kafka.probe(other, Position::Start), Probe::No, "{other:?}");
        assert_eq!(Kafka.probe(other, Position::Midstream), Probe::No, "{other:?}");
    }
}

#[test]
fn bombs_and_lies_are_bounded() {
    let bomb = batch(1, &[&" ".repeat(12 << 20)]);
    let sink = Recorder { work: Some(1 << 30), ..Recorder::default() };
    let request = produce(1, "t", &bomb);
    let (sink, _) = super::super::recorder::play_with(&[Client(&request)], 9999, sink);
    assert_eq!(sink.anomalies, [super::Reason::Limit]);
    let poor = Recorder { work: Some(9), ..Recorder::default() };
    let request = produce(1, "t", &batch(1, &[PATIENT]));
    let (sink, _) = super::super::recorder::play_with(&[Client(&request)], 9999, poor);
    assert_eq!(sink.anomalies, [super::Reason::Budget]);
    // A batch that says it is longer than its partition, and more topics than there are.
    let mut lying = batch(0, &[PATIENT]);
    lying[8..12].copy_from_slice(&[0, 0xff, 0xff, 0xff]);
    let pieces =
        [Client(&produce(1, "t", &lying)[..]), Client(&produce(2, "t", &batch(0, &["{}"])))];
    assert_eq!(values(&play(&pieces, 50).0), ["{}"]);
}

#[test]
fn a_length_beyond_its_message_does_not_hold_back_the_next() {
    let next = produce(2, "t", &batch(0, &[PATIENT]));
    // A batch of 4,000 bytes in a partition of 5,000, and the name of a topic of 9,000.
    let mut records = batch(0, &["{}"]);
    records[8..12].copy_from_slice(&4000_u32.to_be_bytes());
    let partition = [vec![2, 0, 0, 0, 5], varint(5001), records].concat();
    let head = vec![0, 0, 1, 0, 0, 0, 1, 2];
    for rest in [[compact(b"t"), partition].concat(), [varint(9001), vec![b't'; 200]].concat()] {
        let lying = request(0, 9, 1, &[head.clone(), rest].concat());
        let (sink, _) = play(&[Client(&lying), Client(&next)], 50);
        assert_eq!(values(&sink), [PATIENT]);
        assert_eq!(sink.anomalies, [super::Reason::Malformed]);
    }
}

proptest! {
    #[test]
    fn garbage_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..200, size in 1usize..40) {
        let (request, answer) = fetch(3, &batch(0, &[PATIENT]));
        let mut broken = produce(7, "t", &batch(2, &[PATIENT]));
        let at = at % broken.len();
        broken.splice(at..at, bytes.clone());
        play(&[Client(&versions(1)), Client(&broken), Client(&request), Server(&bytes), Server(&answer)], size);
        play(&[ServerGap(1), Server(&bytes), Server(&answer), ClientGap(3), Client(&broken)], size);
    }
}
