use super::super::recorder::{
    COMPLETE, CUT, Piece as Said, Recorder, contents, play, play_with, seen,
};
use super::super::{Authentication, DriverEvent, Position, Reason, Want};
use super::*;
use Said::{Client, ClientGap, Server, ServerGap};
use proptest::prelude::*;

const _: () = assert!(9 << 20 > crate::protocol::files::MAX_HELD);
const HANDLE: [u8; 16] = *b"persisvolatile\0\x01";
const OTHER: [u8; 16] = *b"persisvolatile\0\x02";

/// A message: its command and number, the flags beside those of an answer, and the body.
struct Smb2 {
    command: u16,
    answer: bool,
    flags: u32,
    status: u32,
    message: u64,
    body: Vec<u8>,
}

fn smb(command: u16, answer: bool, message: u64, body: &[u8]) -> Smb2 {
    Smb2 { command, answer, flags: 8, status: 0, message, body: body.to_vec() }
}

/// A session message of one or more compounded messages.
fn frame(parts: &[Smb2]) -> Vec<u8> {
    let mut all = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let mut head = vec![0; HEADER];
        head[..4].copy_from_slice(&header::SMB2);
        head[4] = 64;
        head[8..12].copy_from_slice(&part.status.to_le_bytes());
        head[12..14].copy_from_slice(&part.command.to_le_bytes());
        head[16..20].copy_from_slice(&(part.flags | u32::from(part.answer)).to_le_bytes());
        head[24..32].copy_from_slice(&part.message.to_le_bytes());
        head[36] = 5;
        head[40] = 7;
        head.extend_from_slice(&part.body);
        if i + 1 < parts.len() {
            head.resize(head.len().next_multiple_of(8), 0);
            let next = head.len() as u32;
            head[20..24].copy_from_slice(&next.to_le_bytes());
        }
        all.append(&mut head);
    }
    [&(all.len() as u32).to_be_bytes()[..], &all].concat()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn tree(message: u64, path: &str) -> Vec<u8> {
    let name = wide(path);
    let body = [&[9, 0, 0, 0, 72, 0][..], &(name.len() as u16).to_le_bytes(), &name].concat();
    frame(&[smb(header::TREE_CONNECT, false, message, &body)])
}

fn connected(message: u64, kind: u8) -> Vec<u8> {
    frame(&[smb(header::TREE_CONNECT, true, message, &[16, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0])])
}

fn create(message: u64, name: &str) -> Smb2 {
    let name = wide(name);
    let mut body = [0; 56];
    body[0] = 57;
    body[44] = 120;
    body[46..48].copy_from_slice(&(name.len() as u16).to_le_bytes());
    smb(header::CREATE, false, message, &[&body[..], &name].concat())
}

fn created(message: u64, handle: [u8; 16]) -> Smb2 {
    let mut body = [0; 88];
    body[0] = 89;
    body[64..80].copy_from_slice(&handle);
    smb(header::CREATE, true, message, &body)
}

fn write(message: u64, handle: [u8; 16], at: u64, data: &[u8]) -> Smb2 {
    let len = (data.len() as u32).to_le_bytes();
    let head = [&[49, 0, 112, 0][..], &len, &at.to_le_bytes(), &handle, &[0; 16], data].concat();
    smb(header::WRITE, false, message, &head)
}

fn read(message: u64, handle: [u8; 16], at: u64, len: u32) -> Smb2 {
    let body =
        [&[49, 0, 0, 0][..], &len.to_le_bytes(), &at.to_le_bytes(), &handle, &[0; 17]].concat();
    smb(header::READ, false, message, &body)
}

fn data(message: u64, data: &[u8]) -> Smb2 {
    let len = (data.len() as u32).to_le_bytes();
    smb(header::READ, true, message, &[&[17, 0, 80, 0][..], &len, &[0; 8], data].concat())
}

fn close(message: u64, handle: [u8; 16]) -> Smb2 {
    smb(header::CLOSE, false, message, &[&[24, 0, 0, 0, 0, 0, 0, 0][..], &handle].concat())
}

fn closed(message: u64) -> Smb2 {
    smb(header::CLOSE, true, message, &[60; 60])
}

fn related(mut part: Smb2) -> Smb2 {
    part.flags |= 4;
    part
}

fn one(part: Smb2) -> Vec<u8> {
    frame(&[part])
}

#[test]
fn a_file_is_written_in_pieces() {
    let share = tree(1, r"\\10.0.0.1\scans");
    let mut pending = smb(header::WRITE, true, 3, &[9, 0, 0, 0, 0, 0, 0, 0, 0]);
    (pending.status, pending.flags) = (header::PENDING, 2);
    let client = [
        one(create(2, r"Hansen\Robert.csv")),
        one(write(3, HANDLE, 0, b"mrn,na")),
        one(write(5, HANDLE, 10, b"12,Doe\n")),
        one(write(4, HANDLE, 6, b"me\n7")),
        one(close(6, HANDLE)),
    ];
    let server = [one(created(2, HANDLE)), one(pending), one(closed(6))];
    let (got, sink) = contents(&[
        Client(&share),
        Server(&connected(1, 1)),
        Client(&client[0]),
        Server(&server[0]),
        Client(&client[1..].concat()),
        Server(&server[1..].concat()),
    ]);
    assert_eq!(got, [seen("WRITE", b"mrn,name\n712,Doe\n", 0, COMPLETE)]);
    let path = sink.facts.files.and_then(|files| files.path);
    assert_eq!(path.as_deref(), Some("/scans/*/*.csv"));
    assert_eq!(sink.contents[0].layer, "smb");
}

#[test]
fn a_file_is_read_with_answers_in_any_order() {
    let open = one(create(2, "a.csv"));
    let ask = [read(3, HANDLE, 0, 4), read(4, HANDLE, 4, 4), read(5, HANDLE, 8, 4)].map(one);
    let answer = [one(created(2, HANDLE)), one(data(4, b"efgh")), one(data(3, b"abcd"))].concat();
    let mut end = data(5, b"");
    end.status = 0xc000_0011;
    let end = [one(end), one(closed(6))].concat();
    let stop = one(close(6, HANDLE));
    let ask = ask.concat();
    let expected = [seen("READ", b"abcdefgh", 0, COMPLETE)];
    let usual = [Client(&open), Client(&ask), Server(&answer), Client(&stop), Server(&end)];
    assert_eq!(contents(&usual).0, expected);
    // The capture may show the answers first.
    let late = [Client(&open), Server(&answer), Server(&end), Client(&ask), Client(&stop)];
    assert_eq!(contents(&late).0, expected);
}

#[test]
fn a_compound_opens_writes_and_closes() {
    let request = frame(&[
        create(1, "a.txt"),
        related(write(2, header::RELATED, 0, b"one")),
        related(close(3, header::RELATED)),
    ]);
    let reply = frame(&[created(1, HANDLE), related(closed(3))]);
    let (got, _) = contents(&[Client(&request), Server(&reply)]);
    assert_eq!(got, [seen("WRITE", b"one", 0, COMPLETE)]);
}

#[test]
fn several_files_at_once() {
    let client = [
        one(create(1, "a")),
        one(create(2, "b")),
        one(write(3, HANDLE, 0, b"aa")),
        one(write(4, OTHER, 0, b"bb")),
        one(write(5, HANDLE, 2, b"AA")),
        one(write(6, OTHER, u64::MAX, b"BB")),
    ];
    let server = [one(created(1, HANDLE)), one(created(2, OTHER))].concat();
    let opened = client[..2].concat();
    let (got, _) = contents(&[Client(&opened), Server(&server), Client(&client[2..].concat())]);
    assert_eq!(got, [seen("WRITE", b"aaAA", 0, CUT), seen("WRITE", b"bbBB", 0, CUT)]);
}

#[test]
fn midstream_and_after_gaps() {
    let client = [one(write(9, HANDLE, 70, b"tail")), one(close(10, HANDLE))].concat();
    let (got, _) = contents(&[ClientGap(9), Client(&[b"SMBxSMB", &client[..]].concat())]);
    assert_eq!(got, [seen("WRITE", b"tail", 0, COMPLETE)]);
    // One direction alone: answers in their order.
    let server =
        [one(data(1, b"ab")), one(data(2, b"cd")), one(closed(3)), one(data(4, b"x"))].concat();
    let (got, _) = contents(&[Server(&server)]);
    assert_eq!(got, [seen("READ", b"abcd", 0, CUT), seen("READ", b"x", 0, CUT)]);
    // A gap inside a piece.
    let whole = one(write(9, HANDLE, 0, b"0123456789"));
    let (first, last) = whole.split_at(whole.len() - 7);
    let after = one(write(10, HANDLE, 10, b"more"));
    let (got, _) = contents(&[Client(first), ClientGap(3), Client(&last[3..]), Client(&after)]);
    assert_eq!(got, [seen("WRITE", b"0126789more", 3, CUT)]);
    // One over the end of a message.
    let next = [one(write(11, HANDLE, 10, b"lost")), one(write(12, HANDLE, 14, b"more"))];
    let (got, _) = contents(&[
        Client(first),
        ClientGap(7 + next[0].len() as u64),
        Client(&next[1]),
        Server(&one(data(4, b"x"))),
        ServerGap(3),
    ]);
    assert_eq!(got[0], seen("WRITE", b"012more", 11, CUT));
}

#[test]
fn unwanted_data_is_skipped() {
    let image = [7; 5000];
    let client = [
        one(write(1, HANDLE, 0, &image)),
        one(write(2, HANDLE, 5000, &image)),
        one(write(3, OTHER, 0, b"text")),
    ]
    .concat();
    for size in [1, 100, 1460, 100_000] {
        let sink = Recorder {
            want: Some(|c| if c.bytes[0] == 7 { Want::NOTHING } else { Want::ALL }),
            ..Recorder::default()
        };
        let (sink, _) = play_with(&[Client(&client)], size, sink);
        assert!(sink.contents[0].bytes.len() <= 5000, "in pieces of {size}");
        assert_eq!(sink.contents[1].bytes, b"text", "in pieces of {size}");
    }
}

#[test]
fn early_data_beyond_the_cap_leaves_a_gap() {
    let open = one(create(1, "a"));
    let reply = one(created(1, HANDLE));
    let block = vec![b'x'; 1 << 20];
    let mut client = Vec::new();
    for i in 0..9 {
        client.extend(one(write(2 + i, HANDLE, 100 + (i << 20), &block)));
    }
    let mut sink = Recorder::default();
    (sink, _) = play_with(&[Client(&open), Server(&reply), Client(&client)], 1460, sink);
    assert_eq!(sink.contents[0].bytes.len(), 9 << 20);
    assert_eq!(sink.anomalies, [Reason::Limit]);
}

// --- SMB 1 -----------------------------------------------------------------------------------

/// A message of SMB 1 with its parameters and bytes.
fn old(command: u8, answer: bool, message: u16, words: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut head = [0; 32];
    head[..4].copy_from_slice(&header::SMB1);
    (head[4], head[9]) = (command, if answer { 0x80 } else { 0 });
    // Names in UTF-16; tree 5 of process 9.
    (head[11], head[24], head[26]) = (0x80, 5, 9);
    head[30..].copy_from_slice(&message.to_le_bytes());
    let len = (bytes.len() as u16).to_le_bytes();
    let all = [&head[..], &[(words.len() / 2) as u8], words, &len, bytes].concat();
    [&(all.len() as u32).to_be_bytes()[..], &all].concat()
}

fn nt_create(message: u16, name: &str) -> Vec<u8> {
    let mut words = [0; 48];
    words[0] = 0xff;
    // The name begins at an even offset.
    old(0xa2, false, message, &words, &[&[0][..], &wide(name), &[0, 0]].concat())
}

fn nt_created(message: u16, file: u16) -> Vec<u8> {
    let mut words = [0; 68];
    words[0] = 0xff;
    words[5..7].copy_from_slice(&file.to_le_bytes());
    old(0xa2, true, message, &words, &[])
}

fn write_andx(message: u16, file: u16, at: u64, data: &[u8]) -> Vec<u8> {
    let mut words = [0; 28];
    words[0] = 0xff;
    words[4..6].copy_from_slice(&file.to_le_bytes());
    words[6..10].copy_from_slice(&(at as u32).to_le_bytes());
    words[20..22].copy_from_slice(&(data.len() as u16).to_le_bytes());
    words[22] = 64;
    words[24..].copy_from_slice(&((at >> 32) as u32).to_le_bytes());
    old(0x2f, false, message, &words, &[&[0][..], data].concat())
}

fn read_andx(message: u16, file: u16, at: u32) -> Vec<u8> {
    let mut words = [0; 24];
    words[0] = 0xff;
    words[4..6].copy_from_slice(&file.to_le_bytes());
    words[6..10].copy_from_slice(&at.to_le_bytes());
    old(0x2e, false, message, &words, &[])
}

fn data_andx(message: u16, data: &[u8]) -> Vec<u8> {
    let mut words = [0; 24];
    words[0] = 0xff;
    words[10..12].copy_from_slice(&(data.len() as u16).to_le_bytes());
    words[12] = 60;
    old(0x2e, true, message, &words, &[&[0][..], data].concat())
}

fn old_close(message: u16, file: u16) -> Vec<u8> {
    old(4, false, message, &[&file.to_le_bytes()[..], &[0; 4]].concat(), &[])
}

#[test]
fn smb_1_writes_and_reads_files() {
    let path = [&[0][..], &wide(r"\\10.0.0.1\scans"), b"\0\0A:\0"].concat();
    let share = old(0x75, false, 1, &[0xff, 0, 0, 0, 0, 0, 1, 0], &path);
    let client = [
        write_andx(3, 0x4001, 0, b"mrn,na"),
        write_andx(4, 0x4001, 10, b"12,Doe\n"),
        write_andx(5, 0x4001, 6, b"me\n7"),
        read_andx(6, 0x4001, 0),
        read_andx(7, 0x4001, 4),
        old_close(8, 0x4001),
    ]
    .concat();
    let server = [data_andx(7, b"name"), data_andx(6, b"mrn,"), old(4, true, 8, &[], &[])].concat();
    let (got, sink) = contents(&[
        Client(&share),
        Server(&old(0x75, true, 1, &[0xff, 0, 0, 0, 0, 0], b"A:\0")),
        Client(&nt_create(2, r"\Hansen\Robert.csv")),
        Server(&nt_created(2, 0x4001)),
        Client(&client),
        Server(&server),
    ]);
    assert_eq!(
        got,
        [
            seen("WRITE", b"mrn,name\n712,Doe\n", 0, COMPLETE),
            seen("READ", b"mrn,name", 0, COMPLETE)
        ]
    );
    let path = sink.facts.files.and_then(|files| files.path);
    assert_eq!(path.as_deref(), Some("/scans/*/*.csv"));
}

#[test]
fn smb_1_of_dos_opens_writes_prints_and_chains() {
    // OPEN, WRITE, CLOSE; names in ASCII.
    let ascii = |mut message: Vec<u8>| {
        message[FRAME + 11] = 0;
        message
    };
    let block = |data: &[u8]| [&[1][..], &(data.len() as u16).to_le_bytes(), data].concat();
    let words = [&[7, 0, 3, 0][..], &[0; 6]].concat();
    let client = [
        ascii(old(2, false, 1, &[0; 4], b"\x04A.TXT\0")),
        ascii(old(0x0b, false, 2, &words, &block(b"one"))),
        old_close(3, 7),
        ascii(old(0xc1, false, 4, &[9, 0], &block(b"printed"))),
        ascii(old(0xc1, false, 5, &[9, 0], &block(b" on"))),
    ];
    let opened = old(2, true, 1, &[&[7][..], &[0; 13]].concat(), &[]);
    let (got, _) = contents(&[Client(&client[0]), Server(&opened), Client(&client[1..].concat())]);
    let expected = [seen("WRITE", b"one", 0, COMPLETE), seen("WRITE", b"printed on", 0, CUT)];
    assert_eq!(got, expected);
    // OPEN_ANDX with READ_ANDX behind it, and both answers in one message.
    let mut open = [0; 30];
    (open[0], open[2]) = (0x2e, 76);
    let mut ask = [0; 20];
    (ask[0], ask[4], ask[5]) = (0xff, 0xff, 0xff);
    let chained = [&b"\0a\0.\0b\0\0\0\0\0"[..], &[10], &ask, &[0, 0]].concat();
    let request = old(0x2d, false, 9, &open, &chained);
    assert_eq!(request[FRAME + 76], 10, "where the second command is");
    (open[2], open[4]) = (65, 3);
    let mut answer = [0; 24];
    (answer[0], answer[10], answer[12]) = (0xff, 4, 92);
    let reply = old(0x2d, true, 9, &open, &[&[12][..], &answer, &[5, 0], b"text"].concat());
    let (got, _) = contents(&[Client(&request), Server(&reply)]);
    assert_eq!(got, [seen("READ", b"text", 0, CUT)]);
}

#[test]
fn smb_1_tells_passwords_in_clear_and_anonymous_users() {
    let facts = |mode: u8, password: &[u8], user: &str| {
        let mut agreed = [0; 34];
        agreed[2] = mode;
        let mut setup = [0; 26];
        (setup[0], setup[14]) = (0xff, password.len() as u8);
        let pad = if password.len().is_multiple_of(2) { &[0][..] } else { &[] };
        let bytes = [password, pad, &wide(user), &[0, 0]].concat();
        let client = old(0x73, false, 2, &setup, &bytes);
        let server = old(0x73, true, 2, &[0xff, 0, 0, 0, 0, 0], &[]);
        let agreed = old(0x72, true, 1, &agreed, &[]);
        play(&[Server(&agreed), Client(&client), Server(&server)], 9).0.facts
    };
    let clear = facts(1, b"secret", "scanner");
    assert!(clear.credentials_in_clear);
    assert_eq!(clear.files.and_then(|f| f.user).as_deref(), Some("scanner"));
    let challenged = facts(3, &[7; 24], "scanner");
    assert!(!challenged.credentials_in_clear);
    assert_eq!(challenged.authentication, Authentication::UserIdentity);
    assert_eq!(facts(3, b"\0", "").authentication, Authentication::None);
}

#[test]
fn who_is_let_in() {
    let setup = |flags: u8, status| {
        let mut answer = smb(header::SESSION_SETUP, true, 1, &[9, 0, flags, 0, 72, 0, 0, 0]);
        answer.status = status;
        play(&[Server(&one(answer))], 7).0.facts.authentication
    };
    assert_eq!(setup(0, 0), Authentication::UserIdentity);
    assert_eq!(setup(1, 0), Authentication::None);
    assert_eq!(setup(2, 0), Authentication::None);
    assert_eq!(setup(0, 0xc000_0016), Authentication::None);
    // A folder that a guest is connected to is for anybody; pipes are, whoever asks.
    let connected = |flags: u8, kind: u8| {
        let setup = smb(header::SESSION_SETUP, true, 1, &[9, 0, flags, 0, 72, 0, 0, 0]);
        let tree = smb(
            header::TREE_CONNECT,
            true,
            2,
            &[16, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        );
        play(&[Server(&one(setup)), Server(&one(tree))], 7).0.facts.anonymous
    };
    assert!(connected(1, 1) && connected(2, 1));
    assert!(!connected(0, 1) && !connected(1, 2));
}

#[test]
fn what_is_not_read_is_counted() {
    let reasons = |message: &[u8]| {
        let framed = [&(message.len() as u32).to_be_bytes()[..], message].concat();
        let (sink, events) = play(&[Client(&framed)], 3);
        let opaque = events.iter().find_map(|n| match n {
            DriverEvent::Opaque("smb", reason) => Some(*reason),
            _ => None,
        });
        (opaque, sink.anomalies)
    };
    assert_eq!(reasons(&[b"\xfdSMB", &[0; 60][..]].concat()).0, Some(Reason::Encrypted));
    assert_eq!(reasons(&[b"\xffSMB\x72", &[0; 60][..]].concat()).0, None);
    let compressed = reasons(&[b"\xfcSMB", &[0; 60][..]].concat());
    assert_eq!(compressed, (None, vec![Reason::Unsupported]));
    // Pipes carry calls, not files.
    let open = [tree(1, r"\\h\IPC$"), one(create(2, "srvsvc"))].concat();
    let reply = [connected(1, 2), one(created(2, HANDLE))].concat();
    let call = one(write(3, HANDLE, 0, b"call"));
    assert_eq!(contents(&[Client(&open), Server(&reply), Client(&call)]).0, []);
}

#[test]
fn both_ends_are_recognised_from_the_start_and_midway() {
    let write = one(write(1, HANDLE, 0, b"x"));
    for len in 1..HEADER + FRAME {
        assert_eq!(Smb.probe(&write[..len], Position::Start), Probe::More, "{len} bytes");
    }
    assert_eq!(Smb.probe(&write, Position::Start), Probe::yes(Speaker::Client));
    assert_eq!(Smb.probe(&one(closed(1)), Position::Start), Probe::yes(Speaker::Server));
    assert_eq!(Smb.probe(b"\x81\0\0\x44\x20CK", Position::Start), Probe::yes(Speaker::Client));
    assert_eq!(Smb.probe(b"\0\0\0\x12\0\x03\0\0user", Position::Start), Probe::No);
    let middle = [b"xx", &write[..]].concat();
    let found = Probe::Yes { speaker: Speaker::Client, offset: 2 };
    assert_eq!(Smb.probe(&middle, Position::Midstream), found);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((0usize..900, any::<u8>()), 0..8),
        size in 1usize..200,
    ) {
        let mut client = [
            frame(&[create(1, "a"), related(write(2, header::RELATED, 0, b"one")), related(read(3, header::RELATED, 2, 9))]),
            one(write(4, HANDLE, 5, b"two")),
            one(close(5, HANDLE)),
            write_andx(6, 7, 0, b"old"),
            bytes.clone(),
        ].concat();
        let mut server = [one(created(1, HANDLE)), one(data(3, b"abc")), one(closed(5)), bytes].concat();
        for (at, byte) in flips {
            let whole = if at % 2 == 0 { &mut client } else { &mut server };
            let len = whole.len();
            whole[at % len] = byte;
        }
        play(&[Client(&client), Server(&server), ClientGap(5), Client(&server), Server(&client)], size);
    }
}
