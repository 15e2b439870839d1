use super::super::Want;
use super::super::recorder::{
    COMPLETE, CUT, Piece as Said, Recorder, contents, play, play_with, seen,
};
use super::*;
use Said::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

fn word(n: u32) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

fn opaque(bytes: &[u8]) -> Vec<u8> {
    let mut all = [&word(bytes.len() as u32)[..], bytes].concat();
    all.resize(all.len().next_multiple_of(4), 0);
    all
}

/// A record in one fragment.
fn record(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&word(0x8000_0000 | body.len() as u32)[..], &body].concat()
}

/// A call by AUTH_SYS, without its mark.
fn call_body(xid: u32, version: u32, procedure: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let head = [xid, 0, 2, rpc::NFS, version, procedure, 1].map(u32::to_be_bytes).concat();
    let credentials = opaque(&[&word(0)[..], &opaque(b"ward7"), &[0; 12]].concat());
    [&head[..], &credentials, &[0; 8], &arguments.concat()].concat()
}

fn asks(xid: u32, version: u32, procedure: u32, arguments: &[&[u8]]) -> Vec<u8> {
    record(&[&call_body(xid, version, procedure, arguments)])
}

fn reply_body(xid: u32, results: &[&[u8]]) -> Vec<u8> {
    [&word(xid)[..], REPLY, &results.concat()].concat()
}

fn answers(xid: u32, results: &[&[u8]]) -> Vec<u8> {
    record(&[&reply_body(xid, results)])
}

const FILE: &[u8] = b"\x01\0\x07\x81 a handle of some length";
const OTHER: &[u8] = b"\x01\0\x07\x81 another";

fn lookup(xid: u32, name: &str) -> Vec<u8> {
    asks(xid, 3, 3, &[&opaque(b"folder"), &opaque(name.as_bytes())])
}

fn found(xid: u32, handle: &[u8]) -> Vec<u8> {
    answers(xid, &[&word(0), &opaque(handle), &word(0), &word(0)])
}

fn read(xid: u32, handle: &[u8], at: u64, len: u32) -> Vec<u8> {
    asks(xid, 3, 6, &[&opaque(handle), &at.to_be_bytes(), &word(len)])
}

/// Attributes of a regular file.
fn attributes() -> Vec<u8> {
    [&word(1)[..], &word(1), &[9; 80]].concat()
}

fn data(xid: u32, bytes: &[u8], end: bool) -> Vec<u8> {
    let (len, end) = (word(bytes.len() as u32), word(end.into()));
    answers(xid, &[&word(0), &attributes(), &len, &end, &opaque(bytes)])
}

fn write(xid: u32, handle: &[u8], at: u64, bytes: &[u8]) -> Vec<u8> {
    let len = word(bytes.len() as u32);
    asks(xid, 3, 7, &[&opaque(handle), &at.to_be_bytes(), &len, &word(0), &opaque(bytes)])
}

fn commit(xid: u32, handle: &[u8]) -> Vec<u8> {
    asks(xid, 3, 21, &[&opaque(handle), &[0; 12]])
}

#[test]
fn a_file_is_read_in_pieces_and_ends_where_the_server_says() {
    let client = [lookup(1, "Doe Jane.csv"), read(2, FILE, 0, 4), read(3, FILE, 4, 4)].concat();
    let server = [found(1, FILE), data(3, b"efg", true), data(2, b"abcd", false)].concat();
    let expected = [seen("READ", b"abcdefg", 0, COMPLETE)];
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(got, expected);
    assert_eq!(sink.contents[0].layer, "nfs");
    let path = sink.facts.files.and_then(|files| files.path);
    assert_eq!(path.as_deref(), Some("/*.csv"));
    // In turns, and with bytes that come again.
    let client = [lookup(1, "a"), read(2, FILE, 0, 4), read(3, FILE, 0, 4), read(4, FILE, 4, 4)];
    let server = [data(2, b"abcd", false), data(3, b"abcd", false), data(4, b"efg", true)];
    let (got, _) = contents(&[
        Client(&client[0]),
        Server(&found(1, FILE)),
        Client(&client[1]),
        Server(&server[0]),
        Client(&client[2..].concat()),
        Server(&server[1..].concat()),
    ]);
    assert_eq!(got, expected);
}

#[test]
fn what_was_committed_is_whole() {
    let client = [
        asks(1, 3, 8, &[&opaque(b"folder"), &opaque(b"a.csv"), &[0; 28]]),
        write(2, FILE, 3, b",name\n"),
        write(3, FILE, 0, b"mrn"),
        write(4, FILE, 9, b"712,Doe\n"),
        commit(5, FILE),
        write(6, OTHER, 0, b"more"),
    ];
    let created = answers(1, &[&word(0), &word(1), &opaque(FILE), &word(0), &[0; 8]]);
    let (got, _) = contents(&[Client(&client[0]), Server(&created), Client(&client[1..].concat())]);
    assert_eq!(
        got,
        [seen("WRITE", b"mrn,name\n712,Doe\n", 0, COMPLETE), seen("WRITE", b"more", 0, CUT)]
    );
}

#[test]
fn version_2_reads_and_writes() {
    let handle = [7; 32];
    let client = [
        asks(1, 2, 4, &[&[8; 32], &opaque(b"a.csv")]),
        asks(2, 2, 6, &[&handle, &word(0), &word(8192), &word(0)]),
        asks(3, 2, 8, &[&handle, &word(0), &word(2), &word(3), &opaque(b"two")]),
    ]
    .concat();
    let server = [
        answers(1, &[&word(0), &handle, &[0; 68]]),
        answers(2, &[&word(0), &[0; 68], &opaque(b"one")]),
        answers(3, &[&word(0), &[0; 68]]),
    ]
    .concat();
    let (mut got, _) = contents(&[Client(&client), Server(&server)]);
    got.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(got, [seen("READ", b"one", 0, CUT), seen("WRITE", b"two", 0, CUT)]);
}

/// A compound of NFS 4.1: its operations behind SEQUENCE.
fn compound(xid: u32, operations: &[&[u8]]) -> Vec<u8> {
    let count = word(1 + operations.len() as u32);
    let sequence = [&word(53)[..], &[0; 32]].concat();
    asks(xid, 4, 1, &[&word(0), &word(1), &count, &sequence, &operations.concat()])
}

fn results(xid: u32, operations: &[&[u8]]) -> Vec<u8> {
    let count = word(1 + operations.len() as u32);
    let sequence = [&word(53)[..], &[0; 40]].concat();
    answers(xid, &[&word(0), &word(0), &count, &sequence, &operations.concat()])
}

fn put(handle: &[u8]) -> Vec<u8> {
    [word(22), opaque(handle)].concat()
}

#[test]
fn version_4_opens_writes_reads_and_closes() {
    let open = [
        &word(18)[..],
        &[0; 20],
        &opaque(b"owner"),
        // Created unchecked, with a mode; by name.
        &word(1),
        &word(0),
        &word(2),
        &[0; 8],
        &opaque(b"mode"),
        &word(0),
        &opaque(b"Doe.csv"),
    ]
    .concat();
    let opened =
        [&word(18)[..], &[0; 4], &[0; 40], &word(1), &[0; 4], &word(3), &word(1), &word(0)];
    let write = [&word(38)[..], &[0; 16], &0u64.to_be_bytes(), &word(2), &opaque(b"mrn,name\n")];
    let read = [&word(25)[..], &[0; 16], &0u64.to_be_bytes(), &word(4096)].concat();
    let close = [&word(4)[..], &[0; 20]].concat();
    let get = word(10);
    let client = [
        compound(1, &[&put(OTHER), &open, &[word(3), word(0x1f)].concat(), &get]),
        compound(2, &[&put(FILE), &write.concat()]),
        compound(3, &[&put(FILE), &read]),
        compound(4, &[&put(FILE), &close]),
    ];
    let server = [
        results(
            1,
            &[
                &[word(22), word(0)].concat(),
                &opened.concat(),
                &[&word(3)[..], &[0; 12]].concat(),
                &[&word(10)[..], &word(0), &opaque(FILE)].concat(),
            ],
        ),
        results(2, &[&[word(22), word(0)].concat(), &[&word(38)[..], &[0; 20]].concat()]),
        results(
            3,
            &[
                &[word(22), word(0)].concat(),
                &[&word(25)[..], &word(0), &word(1), &opaque(b"mrn,name\n")].concat(),
            ],
        ),
    ];
    let (got, sink) = contents(&[
        Client(&client[0]),
        Server(&server[0]),
        Client(&client[1..].concat()),
        Server(&server[1..].concat()),
    ]);
    assert_eq!(
        got,
        [seen("WRITE", b"mrn,name\n", 0, COMPLETE), seen("READ", b"mrn,name\n", 0, COMPLETE)]
    );
    let path = sink.facts.files.and_then(|files| files.path);
    assert_eq!(path.as_deref(), Some("/*.csv"));
}

#[test]
fn records_in_fragments_of_any_size() {
    let client = [lookup(1, "a"), write(2, FILE, 0, b"one two three")];
    for size in 1..60 {
        let mut all = Vec::new();
        for record in &client {
            let mut pieces = record[MARK..].chunks(size).peekable();
            while let Some(piece) = pieces.next() {
                let last = if pieces.peek().is_none() { 0x8000_0000 } else { 0 };
                all.extend(word(last | piece.len() as u32));
                all.extend(piece);
            }
        }
        let mut parser = Nfs.open();
        let mut sink = Recorder::default();
        let mut at = 0;
        while at < all.len() {
            let progress =
                parser.data(Direction::ClientToServer, &all[at..], &mut sink).expect("reads");
            let passed = progress.consumed + progress.skip as usize;
            assert!(passed > 0, "fragments of {size}: no progress at {at}");
            at += passed;
        }
        assert_eq!(sink.contents[0].bytes, b"one two three", "fragments of {size}");
    }
}

#[test]
fn datagrams_are_read_like_records() {
    let body = |record: Vec<u8>| record[MARK..].to_vec();
    let mut frames = [Vec::new(), Vec::new()];
    assert!(Nfs.datagram(&body(lookup(1, "a.csv")), &mut frames[0]));
    frame_datagram(&body(read(2, FILE, 0, 100)), &mut frames[0]);
    frame_datagram(&body(found(1, FILE)), &mut frames[1]);
    frame_datagram(&body(data(2, b"mrn,name", true)), &mut frames[1]);
    let (sink, _) = play(&[Client(&frames[0]), Server(&frames[1])], usize::MAX);
    assert_eq!(sink.contents[0].bytes, b"mrn,name");
    assert_eq!(sink.contents[0].ending, COMPLETE);
    assert!(!Nfs.datagram(&body(found(1, FILE)), &mut Vec::new()), "a reply of any program");
    assert!(!Nfs.datagram(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www", &mut Vec::new()));
}

#[test]
fn from_the_middle_and_after_holes() {
    let client = [write(9, FILE, 70, b"tail"), commit(10, FILE), lookup(11, "b")].concat();
    let (got, _) = contents(&[ClientGap(9), Client(&[b"xx\0\x80", &client[..]].concat())]);
    assert_eq!(got, [seen("WRITE", b"tail", 0, COMPLETE)]);
    // One direction alone: replies in their order.
    let server = [data(1, b"ab", false), data(2, b"cd", false)].concat();
    let (got, _) = contents(&[Server(&server)]);
    assert_eq!(got, [seen("READ", b"abcd", 0, CUT)]);
    // A gap inside a piece, and one over the end of a record.
    let whole = write(9, FILE, 0, b"0123456789ab");
    let (first, last) = whole.split_at(whole.len() - 7);
    let after = [write(10, FILE, 12, b"lost"), write(11, FILE, 16, b"more")];
    let (got, _) = contents(&[Client(first), ClientGap(3), Client(&last[3..]), Client(&after[0])]);
    assert_eq!(got, [seen("WRITE", b"0123489ablost", 3, CUT)]);
    let lost = 7 + after[0].len() as u64;
    let (got, _) = contents(&[
        Client(first),
        ClientGap(lost),
        Client(&after[1]),
        Server(&found(7, OTHER)),
        ServerGap(3),
    ]);
    assert_eq!(got[0].1, b"01234more");
}

#[test]
fn what_nobody_wants_is_passed_over() {
    let image = [7; 5000];
    let client =
        [write(1, FILE, 0, &image), write(2, FILE, 5000, &image), write(3, OTHER, 0, b"text")];
    for size in [1, 100, 1460, 100_000] {
        let sink = Recorder {
            want: Some(|c| if c.bytes[0] == 7 { Want::NOTHING } else { Want::ALL }),
            ..Recorder::default()
        };
        let (sink, _) = play_with(&[Client(&client.concat())], size, sink);
        assert!(sink.contents[0].bytes.len() <= 5000, "in pieces of {size}");
        assert_eq!(sink.contents[1].bytes, b"text", "in pieces of {size}");
    }
}

/// A call with Kerberos credentials for this service.
fn kerberos(service: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let head = [5, 0, 2, rpc::NFS, 3, 7, 6].map(u32::to_be_bytes).concat();
    let credentials = [1, 0, 77, service].map(u32::to_be_bytes).concat();
    let credentials = opaque(&[&credentials[..], &opaque(b"context")].concat());
    record(&[&head, &credentials, &word(6), &opaque(b"checksum"), &arguments.concat()])
}

#[test]
fn kerberos_proves_who_it_is_and_may_encrypt() {
    let arguments =
        [&opaque(FILE)[..], &0u64.to_be_bytes(), &word(3), &word(0), &opaque(b"abc")].concat();
    let (got, sink) = contents(&[Client(&kerberos(1, &[&arguments]))]);
    assert_eq!(got, [seen("WRITE", b"abc", 0, CUT)]);
    assert_eq!(sink.facts.authentication, Authentication::UserIdentity);
    let wrapped = [&word(4 + arguments.len() as u32)[..], &word(77), &arguments, &opaque(b"mic")];
    let (got, _) = contents(&[Client(&kerberos(2, &wrapped))]);
    assert_eq!(got, [seen("WRITE", b"abc", 0, CUT)]);
    let (got, sink) = contents(&[Client(&kerberos(3, &[&opaque(&[0x5a; 80])]).repeat(2))]);
    assert_eq!((got, sink.anomalies), (vec![], vec![Reason::Encrypted]));
}

#[test]
fn a_server_whose_files_are_read_without_kerberos_is_open() {
    let open = |client: &[u8], server: &[u8]| {
        play(&[Client(client), Server(server)], 100).0.facts.anonymous
    };
    assert!(open(&read(1, FILE, 0, 100), &data(1, b"mrn,name", true)));
    let proven = [7, 0, 2, rpc::NFS, 3, 6, 6].map(u32::to_be_bytes).concat();
    let context = [1, 0, 77, 1].map(u32::to_be_bytes).concat();
    let context = opaque(&[&context[..], &opaque(b"context")].concat());
    let reads = [&opaque(FILE)[..], &[0; 8], &word(100)].concat();
    let proven = record(&[&proven, &context, &word(6), &opaque(b"checksum"), &reads]);
    assert!(!open(&proven, &data(7, b"mrn,name", true)), "by Kerberos");
    assert!(!open(&lookup(1, "a.csv"), &found(1, FILE)), "no file was read");
    assert!(!open(&read(1, FILE, 0, 100), &answers(1, &[&word(13), &word(0)])), "refused");
}

#[test]
fn calls_are_recognised_and_other_programs_are_not() {
    let call = lookup(1, "a");
    for len in 1..MARK + CALL {
        assert_eq!(Nfs.probe(&call[..len], Position::Start), Probe::More, "{len} bytes");
    }
    assert_eq!(Nfs.probe(&call, Position::Start), Probe::yes(Speaker::Client));
    assert_eq!(Nfs.probe(&data(1, b"x", false), Position::Start), Probe::yes(Speaker::Server));
    assert_eq!(Nfs.probe(&found(1, FILE), Position::Start), Probe::No, "of any program");
    let mut other = call.clone();
    other[MARK + 15] = 0xa0;
    assert_eq!(Nfs.probe(&other, Position::Start), Probe::No, "portmapper");
    assert_eq!(Nfs.probe(b"\x16\x03\x01\x02\0", Position::Start), Probe::No);
}

#[test]
fn lengths_that_lie_are_counted_and_passed_over() {
    let lie = asks(1, 3, 3, &[&word(90_000), b"xx"]);
    let good = write(2, FILE, 0, b"good");
    let (sink, _) = play(&[Client(&[lie, good].concat())], usize::MAX);
    assert_eq!(sink.anomalies, [Reason::Malformed]);
    assert_eq!(sink.contents[0].bytes, b"good");
    // More bytes of a file than the record has.
    let mut long = write(3, FILE, 0, b"abcd");
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&word(400));
    let (sink, _) = play(&[Client(&[long, write(4, FILE, 4, b"next")].concat())], 7);
    assert_eq!(sink.contents[0].bytes, b"abcd");
    assert_eq!(sink.contents[0].ending, CUT);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((0usize..900, any::<u8>()), 0..8),
        size in 1usize..200,
    ) {
        let mut client = [
            lookup(1, "a"), read(2, FILE, 0, 9), write(3, FILE, 5, b"two"),
            compound(4, &[&put(FILE), &word(4), &[0; 20]]), bytes.clone(),
        ].concat();
        let mut server = [found(1, FILE), data(2, b"abc", true), bytes].concat();
        for (at, byte) in flips {
            let whole = if at % 2 == 0 { &mut client } else { &mut server };
            let len = whole.len();
            whole[at % len] = byte;
        }
        play(&[Client(&client), Server(&server), ClientGap(5), Client(&server), Server(&client)], size);
    }
}
