use super::super::tests::contents;
use super::*;
use crate::protocol::recorder::Piece::{Client, Server, ServerGap};
use crate::protocol::recorder::{COMPLETE, Piece, Recorded, Recorder, play, play_with};
use crate::protocol::{Ending, Want};

const DOCUMENT: &[u8] = b"0123456789abcdefghijABCDEFGHIJ";

fn response(start: usize, end: usize) -> Vec<u8> {
    let mut all = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: \"v1\"\r\nContent-Type: application/pdf\r\n\
         Content-Range: bytes {start}-{}/{}\r\nContent-Length: {}\r\n\r\n",
        end - 1,
        DOCUMENT.len(),
        end - start
    )
    .into_bytes();
    all.extend(&DOCUMENT[start..end]);
    all
}

/// What comes of these parts of [`DOCUMENT`], each asked for on its own.
fn parts(ranges: &[(usize, usize)]) -> Vec<String> {
    let responses: Vec<Vec<u8>> = ranges.iter().map(|(s, e)| response(*s, *e)).collect();
    let mut pieces = Vec::new();
    for response in &responses {
        pieces.push(Client(b"GET /d.pdf HTTP/1.1\r\nRange: bytes=x\r\n\r\n"));
        pieces.push(Server(response));
    }
    contents(&pieces)
}

#[test]
fn parts_in_any_order_make_one_document() {
    let whole = ["< GET [application/pdf] 0123456789abcdefghijABCDEFGHIJ"];
    for ranges in [
        &[(0, 10), (10, 20), (20, 30)][..],
        &[(20, 30), (0, 10), (10, 20)],
        &[(20, 30), (10, 20), (0, 10)],
        &[(25, 30), (0, 5), (3, 12), (10, 26)],
        &[(10, 20), (10, 20), (10, 22), (21, 30), (0, 15)],
        &[(0, 30), (10, 20), (5, 30)],
        &[(5, 6), (4, 7), (3, 8), (2, 29), (29, 30), (0, 3)],
        &[(0, 10), (0, 10), (5, 30)],
    ] {
        assert_eq!(parts(ranges), whole, "{ranges:?}");
    }
}

#[test]
fn what_never_came_leaves_a_gap() {
    assert_eq!(parts(&[(0, 10), (20, 30)]), ["< GET [application/pdf] 0123456789ABCDEFGHIJ cut"]);
    assert_eq!(parts(&[(20, 30)]), ["< GET [application/pdf] ABCDEFGHIJ cut"]);
    assert_eq!(
        parts(&[(20, 25), (10, 15)]),
        ["< GET [application/pdf] abcdeABCDE cut"],
        "in the order of the document"
    );
    let (sink, _) = play(&[Server(&response(10, 12)), Server(&response(20, 22))], 3);
    assert_eq!(sink.contents[0].gaps, 8);
}

#[test]
fn other_documents_stay_apart() {
    let a = response(0, 10);
    let b = String::from_utf8(response(10, 30)).expect("text").replace("v1", "v2");
    let got = contents(&[Server(&a), Server(b.as_bytes())]);
    assert_eq!(
        got,
        ["<  [application/pdf] 0123456789 cut", "<  [application/pdf] abcdefghijABCDEFGHIJ cut"]
    );
    // The same validator under another address.
    let (ask_1, ask_2) = (b"GET /d?id=1 HTTP/1.1\r\n\r\n", b"GET /d?id=2 HTTP/1.1\r\n\r\n");
    let got = contents(&[Client(ask_1), Server(&a), Client(ask_2), Server(&response(10, 30))]);
    let bodies: Vec<&String> = got.iter().filter(|c| c.starts_with('<')).collect();
    assert_eq!(bodies.len(), 2, "{got:?}");
}

#[test]
fn without_anything_to_go_by_a_part_is_read_alone() {
    let head = "HTTP/1.1 206 X\r\nContent-Range: bytes 5-9/*\r\nContent-Length: 5\r\n\r\nabcde";
    assert_eq!(contents(&[Server(head.as_bytes())]), ["<  [] abcde"]);
    let head = "HTTP/1.1 206 X\r\nContent-Length: 5\r\n\r\nabcde";
    assert_eq!(contents(&[Server(head.as_bytes())]), ["<  [] abcde"]);
}

#[test]
fn several_parts_in_one_body() {
    let body = "\r\n--b1\r\nContent-Type: text/csv\r\nContent-Range: bytes 20-29/30\r\n\r\nABCDEFGHIJ\
        \r\n--b1\r\nContent-Type: text/csv\r\nContent-Range: bytes 0-9/30\r\n\r\n0123456789\
        \r\n--b1\r\ncontent-range:bytes 10-19/30\r\n\r\nabcdefghij\r\n--b1--\r\n";
    for boundary in ["b1", "\"b1\""] {
        let head = format!(
            "HTTP/1.1 206 X\r\nLast-Modified: Mon\r\nContent-Type: multipart/byteranges; boundary={boundary}\r\n\
             Content-Length: {}\r\n\r\n{body}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            body.len()
        );
        let got = contents(&[
            Client(b"GET /a.csv HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
            Server(head.as_bytes()),
        ]);
        assert_eq!(
            got,
            ["< GET [text/csv] 0123456789abcdefghijABCDEFGHIJ", "< GET [] ok"],
            "{boundary}"
        );
    }
}

#[test]
fn losses_in_parts() {
    let first = response(0, 20);
    let (lost, cut) = (4, first.len() - 10);
    let got = contents(&[
        Server(&first[..cut]),
        ServerGap(lost),
        Server(&first[cut + lost as usize..]),
        Server(&response(20, 30)),
    ]);
    assert_eq!(got, ["<  [application/pdf] 0123456789efghijABCDEFGHIJ"]);
    // In one that came early: what is missing may come again.
    let early = response(10, 30);
    let cut = early.len() - 10;
    let got = contents(&[
        Server(&early[..cut]),
        ServerGap(4),
        Server(&early[cut + 4..]),
        Server(&response(0, 24)),
    ]);
    assert_eq!(got, ["<  [application/pdf] 0123456789abcdefghijABCDEFGHIJ"]);
}

#[test]
fn unwanted_bytes_are_skipped() {
    let want = |c: &Recorded| match c.bytes.len() {
        2.. if c.bytes.len() < 6 => Want { skip: 14 },
        _ => Want::ALL,
    };
    for size in [1, 2, 3, 7, 1000] {
        let sink = Recorder { want: Some(want), ..Recorder::default() };
        let all = [response(0, 10), response(15, 30), response(8, 16)];
        let pieces: Vec<Piece<'_>> = all.iter().map(|r| Server(r)).collect();
        let (sink, _) = play_with(&pieces, size, sink);
        let [content] = sink.contents.as_slice() else { panic!("{:?}", sink.contents) };
        let bytes = &content.bytes;
        assert!(bytes.starts_with(b"01") && bytes.ends_with(b"HIJ"), "{size}: {bytes:?}");
        assert_eq!(content.ending, COMPLETE, "{size}");
    }
    // The rest is unwanted: what follows is neither held nor opened again.
    let sink = Recorder { want: Some(|_| Want::NOTHING), ..Recorder::default() };
    let all = [response(20, 30), response(0, 10), response(10, 20)];
    let pieces: Vec<Piece<'_>> = all.iter().map(|r| Server(r)).collect();
    let (sink, _) = play_with(&pieces, 1000, sink);
    assert_eq!(sink.contents.len(), 1);
    assert_eq!(sink.contents[0].bytes, b"0123456789");
}

#[test]
fn what_comes_too_early_is_read_alone() {
    let total = 4 * MAX_HELD;
    let part = |start: usize, len: usize| {
        let mut all = format!(
            "HTTP/1.1 206 X\r\nETag: a\r\nContent-Range: bytes {start}-{}/{total}\r\n\
             Content-Length: {len}\r\n\r\n",
            start + len - 1
        )
        .into_bytes();
        all.extend(std::iter::repeat_n(b'x', len));
        all
    };
    let (first, second) = (part(total / 2, MAX_HELD / 2), part(total - MAX_HELD, MAX_HELD));
    let (sink, _) = play(&[Server(&first), Server(&second), Server(&part(0, 5))], 64 << 10);
    let lens: Vec<usize> = sink.contents.iter().map(|c| c.bytes.len()).collect();
    assert_eq!(lens, [MAX_HELD / 2, MAX_HELD, 5]);
    assert_eq!(sink.anomalies, [Reason::Limit]);
}

#[test]
fn memory_has_a_cap() {
    // Parts of one byte, which cost more than they hold, of more documents than are kept.
    let mut ranges = Ranges::default();
    let mut sink = Recorder::default();
    let service = Service { method: "GET", path: "/".into() };
    for n in 0..100_000u64 {
        let etag = (n % 20).to_string();
        let head = Head { etag: &etag, ..Head::default() };
        let origin = Origin::new(Direction::ServerToClient, &service, 1, &head);
        let start = 10 + n * 2;
        let range = ContentRange { start, end: start + 1, total: None };
        let Some(mut part) = ranges.part(&origin, range, &mut sink) else { panic!() };
        ranges.data(&mut part, b"x", &mut sink);
        ranges.end(part, Ending::Complete, 0, &mut sink);
        assert!(ranges.memory() <= MAX_HELD + MAX_DOCUMENTS * 1024);
    }
    ranges.close(&mut sink);
    assert_eq!(ranges.memory(), 0);
    assert!(sink.contents.iter().all(|c| c.ending.is_some()), "all are closed");
}

#[test]
fn content_range_headers_are_parsed() {
    let range = |start, end, total| Some(ContentRange { start, end, total });
    for (value, answer) in [
        ("bytes 0-499/1234", range(0, 500, Some(1234))),
        ("Bytes 7-7/*", range(7, 8, None)),
        ("bytes=1-2/3", range(1, 3, Some(3))),
        ("bytes */1234", None),
        ("bytes 5-4/10", None),
        ("bytes 0-10/10", None),
        ("bytes 0-18446744073709551615/*", None),
        ("bytes -5/10", None),
        ("bytes +1-5/10", None),
        ("items 0-5/10", None),
        ("", None),
        ("byte\u{e9}", None),
    ] {
        assert_eq!(ContentRange::parse(value), answer, "{value}");
    }
}

#[test]
fn garbage_does_no_harm() {
    let body = "--b\r\nContent-Range: bytes 0-3/9\r\n\r\n0123\r\n--b\r\nContent-Range: bytes 4-8/9\r\n\r\n45678\r\n--b--";
    let head = format!(
        "HTTP/1.1 206 X\r\nETag: a\r\nContent-Type: multipart/byteranges;boundary=b\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let sound = head.as_bytes();
    for i in 0..sound.len() {
        for byte in [0, b'\n', b'-', b'9', 0xff] {
            let mut broken = sound.to_vec();
            broken[i] = byte;
            play(&[Server(&broken)], 9);
        }
        play(&[Server(&sound[..i]), ServerGap(3), Server(&sound[i..])], 4);
        play(&[Server(&sound[..i])], 4);
    }
}
