use super::super::Want;
use super::super::recorder::{CUT, Piece as Said, Recorder, play, play_with, texts};
use super::*;
use Said::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

fn frame(version: u8, stream: u16, opcode: u8, body: &[u8]) -> Vec<u8> {
    flagged(version, 0, stream, opcode, body)
}

fn flagged(version: u8, flags: u8, stream: u16, opcode: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = stream.to_be_bytes();
    let head = [version, flags, high, low, opcode];
    [&head[..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text].concat()
}

fn startup(version: u8, compression: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend([string(b"CQL_VERSION"), string(b"3.4.5")].concat());
    if !compression.is_empty() {
        body[1] = 2;
        body.extend([string(b"COMPRESSION"), string(compression)].concat());
    }
    frame(version, 0, 1, &body)
}

fn query(version: u8, stream: u16, statement: &str) -> Vec<u8> {
    let rest = if version == 5 { &[0, 1, 0, 0, 0, 0][..] } else { &[0, 1, 0] };
    frame(version, stream, 7, &[&long(statement.as_bytes())[..], rest].concat())
}

/// Columns of one table: name and type.
fn columns(all: &[(&str, u16)]) -> Vec<u8> {
    let mut body = [1, all.len() as u32].map(u32::to_be_bytes).concat();
    body.extend([string(b"ward"), string(b"patients")].concat());
    for (name, kind) in all {
        body.extend(string(name.as_bytes()));
        body.extend(kind.to_be_bytes());
    }
    body
}

const PEOPLE: [(&str, u16); 3] = [("mrn", 9), ("name", 0x0d), ("birth", 0x11)];

/// 1960-02-29, and days behind it.
fn day(more: u32) -> [u8; 4] {
    ((1u32 << 31) - 3594 + more).to_be_bytes()
}

fn people(count: u32) -> Vec<u8> {
    let mut rows = count.to_be_bytes().to_vec();
    for n in 0..count {
        rows.extend(long(&(4711 + n).to_be_bytes()));
        rows.extend(long(b"Doe^Jane"));
        rows.extend(long(&day(n)));
    }
    rows
}

fn rows(version: u8, stream: u16, count: u32) -> Vec<u8> {
    let body = [&ROWS.to_be_bytes()[..], &columns(&PEOPLE), &people(count)].concat();
    frame(0x80 | version, stream, 8, &body)
}

const TABLE: &str = "\"mrn\",\"name\",\"birth\"\n\"4711\",\"Doe^Jane\",\"1960-02-29\"\n";

fn table() -> (String, Option<Ending>) {
    (TABLE.to_owned(), Some(Ending::Complete))
}

#[test]
fn rows_come_with_the_names_of_their_columns() {
    for version in [3, 4] {
        let client =
            [startup(version, b""), query(version, 1, "SELECT * FROM patients WHERE mrn = 4711")];
        let server = [frame(0x80 | version, 0, 2, b""), rows(version, 1, 1)].concat();
        let got = texts(&[Client(&client.concat()), Server(&server)]);
        assert_eq!(got, [("\"mrn\"\n\"4711\"\n".to_owned(), Some(Ending::Complete)), table()]);
    }
}

#[test]
fn prepared_statements_bind_values_and_leave_columns_out() {
    let statement = b"INSERT INTO patients (mrn, name, birth) VALUES (?, ?, ?)";
    let id = string(b"id of the statement");
    let values = [long(&4711u32.to_be_bytes()), long(b"Doe^Jane"), long(&day(0))].concat();
    let client = [
        startup(4, b""),
        frame(4, 1, 9, &long(statement)),
        frame(4, 2, 0x0a, &[&id[..], &[0, 1, 3, 0, 3], &values].concat()),
        // A batch of the same, and of a statement with text.
        frame(
            4,
            3,
            0x0d,
            &[
                &[0, 0, 2, 1][..],
                &id,
                &[0, 3],
                &values,
                &[0],
                &long(b"UPDATE patients SET name = 'Roe' WHERE mrn = 7"),
                &[0, 0, 0, 1, 0],
            ]
            .concat(),
        ),
    ];
    // Placeholders, of which none is part of the key; then the columns of the result.
    let bound = columns(&PEOPLE);
    let (head, rest) = bound.split_at(8);
    let prepared = [&PREPARED.to_be_bytes()[..], &id, head, &[0; 4], rest, &bound].concat();
    let nameless = [4, 3].map(u32::to_be_bytes).concat();
    let server = [
        frame(0x84, 0, 2, b""),
        frame(0x84, 1, 8, &prepared),
        frame(0x84, 2, 8, &[&ROWS.to_be_bytes()[..], &nameless, &people(1)].concat()),
    ];
    let got = texts(&[
        Client(&client[..2].concat()),
        Server(&server[..2].concat()),
        Client(&client[2]),
        Server(&server[2]),
        Client(&client[3]),
    ]);
    let update = "\"name\",\"mrn\"\n\"Roe\",\"7\"\n".to_owned();
    assert_eq!(got[..3], [table(), table(), table()]);
    assert_eq!(got[3].0, update);
}

#[test]
fn bodies_are_unpacked() {
    let body = rows(4, 1, 1)[HEADER..].to_vec();
    let lz4 = lz4_flex::block::compress(&body);
    let lz4 = [&(body.len() as u32).to_be_bytes()[..], &lz4].concat();
    let snappy = snap::raw::Encoder::new().compress_vec(&body).expect("compresses");
    for (name, packed) in [(&b"lz4"[..], &lz4), (b"snappy", &snappy)] {
        let server = [frame(0x84, 0, 2, b""), flagged(0x84, 1, 1, 8, packed)].concat();
        let got = texts(&[Client(&startup(4, name)), Server(&server)]);
        assert_eq!(got, [table()]);
        // The same without the beginning of the connection.
        let server = [rows(4, 1, 1), flagged(0x84, 1, 1, 8, packed)].concat();
        assert_eq!(texts(&[ServerGap(9), Server(&server)]), [table(), table()]);
    }
    // A length that lies costs nothing.
    let bomb = [&u32::MAX.to_be_bytes()[..], &lz4[4..]].concat();
    let server = [frame(0x84, 0, 2, b""), flagged(0x84, 1, 1, 8, &bomb), rows(4, 1, 1)].concat();
    let (sink, _) = play(&[Client(&startup(4, b"lz4")), Server(&server)], 99);
    assert_eq!(sink.anomalies, [Reason::Limit]);
    assert_eq!(sink.contents.len(), 1);
}

/// A segment of version 5 around `payload`.
fn segment(payload: &[u8], whole: bool, compressed: bool) -> Vec<u8> {
    let packed = lz4_flex::block::compress(payload);
    let (bits, len, bytes): (u64, usize, &[u8]) = if compressed {
        let bits = packed.len() as u64 | (payload.len() as u64) << 17 | u64::from(whole) << 34;
        (bits, 5, &packed)
    } else {
        (payload.len() as u64 | u64::from(whole) << 17, 3, payload)
    };
    let head = &bits.to_le_bytes()[..len];
    // By the definition, bit by bit.
    let mut crc = 0x0087_5060_u32;
    for byte in head {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0197_4f0b;
            }
        }
    }
    [head, &crc.to_le_bytes()[..3], bytes, b"crc4"].concat()
}

#[test]
fn version_5_comes_in_segments() {
    for compressed in [false, true] {
        let name = if compressed { &b"lz4"[..] } else { b"" };
        let select = query(5, 1, "SELECT * FROM patients WHERE mrn = 4711");
        let client = [startup(5, name), segment(&select, true, compressed)].concat();
        let result = rows(5, 1, 1);
        let (first, second) = result.split_at(40);
        let server = [
            frame(0x85, 0, 2, b""),
            // Two frames in one segment, then one frame in two.
            segment(&[rows(5, 1, 1), rows(5, 2, 1)].concat(), true, compressed),
            segment(first, false, compressed),
            segment(second, false, compressed),
        ];
        let got = texts(&[Client(&client), Server(&server.concat())]);
        let asked = ("\"mrn\"\n\"4711\"\n".to_owned(), Some(Ending::Complete));
        assert_eq!(got, [asked.clone(), table(), table(), table()]);
        // A lost segment costs what was in it.
        let lost = server[1].len() as u64;
        let got = texts(&[
            Client(&client),
            Server(&server[0]),
            ServerGap(lost),
            Server(&[&b"\x17\x03"[..], &server[1]].concat()),
        ]);
        assert_eq!(got, [asked, table(), table()]);
    }
}

#[test]
fn a_large_result_is_read_as_it_comes() {
    let result = rows(4, 1, 4000);
    assert!(result.len() > MAX_HEAD);
    let server = [frame(0x84, 0, 2, b""), result, rows(4, 2, 1)].concat();
    for size in [1, 700, 1460, usize::MAX] {
        let (sink, _) = play(&[Client(&startup(4, b"")), Server(&server)], size);
        assert_eq!(sink.contents.len(), 2, "in pieces of {size}");
        assert_eq!(sink.contents[0].bytes.iter().filter(|b| **b == b'\n').count(), 4001);
    }
    // Of no interest after the first row.
    let sink = Recorder {
        want: Some(|c| if c.bytes.len() > 60 { Want::NOTHING } else { Want::ALL }),
        ..Recorder::default()
    };
    let (sink, _) = play_with(&[Client(&startup(4, b"")), Server(&server)], 1460, sink);
    assert_eq!(sink.contents.len(), 2);
    // Broken off, and gone on with behind a hole.
    let (first, rest) = server.split_at(30_000);
    let pieces =
        [Client(&startup(4, b"")), Server(first), ServerGap(50_000), Server(&rest[50_000..])];
    let (sink, _) = play(&pieces, 1460);
    assert_eq!(sink.contents[0].ending, CUT);
    assert_eq!(sink.contents[1].bytes, TABLE.as_bytes());
}

#[test]
fn collections_and_types_are_written_as_text() {
    use types::Kind;
    let write = |kind: Kind, value: &[u8]| {
        let mut text = Vec::new();
        kind.write(value, &mut text);
        String::from_utf8(text).expect("UTF-8")
    };
    let list = [&2u32.to_be_bytes()[..], &long(b"Jane"), &long(b"Eva")].concat();
    assert_eq!(write(Kind::List(Box::new(Kind::Text)), &list), "Jane, Eva");
    let map = [&1u32.to_be_bytes()[..], &long(b"city"), &long(b"Ulm")].concat();
    let kind = Kind::Map(Box::new(Kind::Text), Box::new(Kind::Text));
    assert_eq!(write(kind, &map), "city: Ulm");
    assert_eq!(write(Kind::Timestamp, &(-310_521_600_000i64).to_be_bytes()), "1960-02-29");
    assert_eq!(write(Kind::Integer, &(-7i16).to_be_bytes()), "-7");
    assert_eq!(write(Kind::Uuid, &[0x12; 16]), "12121212-1212-1212-1212-121212121212");
    assert_eq!(write(Kind::Address, &[10, 0, 0, 1]), "10.0.0.1");
    assert_eq!(write(Kind::Opaque, b"blob"), "");
}

#[test]
fn passwords_in_clear_are_told() {
    let client = [startup(4, b""), frame(4, 1, 0x0f, &long(b"\0ward\0secret"))].concat();
    let server = frame(0x84, 0, 3, &string(b"org.apache.cassandra.auth.PasswordAuthenticator"));
    let (sink, _) = play(&[Client(&client), Server(&server)], 9);
    assert!(sink.facts.credentials_in_clear);
}

#[test]
fn both_ends_are_recognised_from_the_start_and_midway() {
    let start = startup(4, b"lz4");
    for len in 1..start.len() {
        assert_eq!(Cassandra.probe(&start[..len], Position::Start), Probe::More, "{len} bytes");
    }
    assert_eq!(Cassandra.probe(&start, Position::Start), Probe::yes(Speaker::Client));
    let ready = frame(0x84, 0, 2, b"");
    assert_eq!(Cassandra.probe(&ready, Position::Start), Probe::yes(Speaker::Server));
    let middle = [&b"xyz"[..], &query(4, 1, "SELECT now() FROM system.local")].concat();
    let found = Probe::Yes { speaker: Speaker::Client, offset: 3 };
    assert_eq!(Cassandra.probe(&middle, Position::Midstream), found);
    for other in
        [&b"\x05\x01\0"[..], b"\x03\0\0\x13\x0e\xe0\0\0\0", b"\x04\x01\0\x50\x0a\0\0\x01\0"]
    {
        // SOCKS, X.224; the first is too short to tell.
        assert!(!matches!(Cassandra.probe(other, Position::Start), Probe::Yes { .. }));
    }
}

#[test]
fn counts_that_lie_are_bounded() {
    let mut lie = rows(4, 1, 1);
    let at = lie.len() - 4 - 8 - 4 - 4 - 8 - 4;
    lie[at - 4..at].copy_from_slice(&u32::MAX.to_be_bytes());
    let server = [frame(0x84, 0, 2, b""), lie, rows(4, 2, 1)].concat();
    let (sink, _) = play(&[Client(&startup(4, b"")), Server(&server)], 50);
    assert_eq!(sink.contents.last().map(|c| c.bytes.clone()), Some(TABLE.into()));
    assert_eq!(sink.anomalies, [Reason::Malformed]);
}

/// They take no bytes, so that four thousand million of them fit into a frame.
#[test]
fn rows_of_no_columns_are_not_read_one_by_one() {
    let body = [&ROWS.to_be_bytes()[..], b"\0\0\0\x01\0\0\0\0\0\x02ks\0\x01p", &[0xff; 4]].concat();
    let server = [frame(0x84, 0, 2, b""), frame(0x84, 1, 8, &body), rows(4, 2, 1)].concat();
    let (sink, _) = play(&[Client(&startup(4, b"")), Server(&server)], 50);
    assert_eq!(sink.contents.last().map(|c| c.bytes.clone()), Some(TABLE.into()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((0usize..900, any::<u8>()), 0..8),
        size in 1usize..200,
        version in 4u8..=5,
    ) {
        let mut client = [startup(version, b"lz4"), query(version, 1, "SELECT a FROM b"), bytes.clone()].concat();
        let mut server = [
            frame(0x80 | version, 0, 2, b""), rows(version, 1, 3),
            segment(&rows(5, 1, 2), true, true), bytes,
        ].concat();
        for (at, byte) in flips {
            let whole = if at % 2 == 0 { &mut client } else { &mut server };
            let len = whole.len();
            whole[at % len] = byte;
        }
        play(&[Client(&client), Server(&server), ClientGap(5), Client(&server), Server(&client)], size);
    }
}
