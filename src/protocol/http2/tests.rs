use super::frame::{self, END_HEADERS, END_STREAM, PADDED};
use super::*;
use crate::protocol::driver::DriverEvent;
use crate::protocol::recorder::Piece::{self, Client, ClientGap, Server, ServerGap};
use crate::protocol::recorder::{COMPLETE, CUT, Recorded, Recorder, play, play_with};
use crate::protocol::{Authentication, Position, Reason, Speaker, Want};
use proptest::prelude::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Literals without indexing.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    block
}

fn head(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(frame::HEADERS, END_HEADERS | flags, stream, &block(fields))
}

fn ask(stream: u32, method: &str, path: &str, flags: u8) -> Vec<u8> {
    head(
        stream,
        flags,
        &[(":method", method), (":scheme", "http"), (":path", path), (":authority", "ehr:80")],
    )
}

fn answer(stream: u32, content_type: &str) -> Vec<u8> {
    head(stream, 0, &[(":status", "200"), ("content-type", content_type), ("server", "srv")])
}

fn data(stream: u32, bytes: &str) -> Vec<u8> {
    frame(frame::DATA, 0, stream, bytes.as_bytes())
}

fn last(stream: u32, bytes: &str) -> Vec<u8> {
    frame(frame::DATA, END_STREAM, stream, bytes.as_bytes())
}

/// What a client begins with.
fn preface() -> Vec<u8> {
    [PREFACE, &frame(frame::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]), &window()].concat()
}

/// What a server begins with.
fn settings() -> Vec<u8> {
    [frame(frame::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]), frame(frame::SETTINGS, 1, 0, &[])]
        .concat()
}

fn window() -> Vec<u8> {
    frame(frame::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])
}

fn lines(sink: &Recorder) -> Vec<String> {
    let line = |c: &Recorded| {
        let arrow = if c.direction == Direction::ClientToServer { '>' } else { '<' };
        let ended = match c.ending {
            COMPLETE => "",
            CUT => " cut",
            None => " open",
        };
        let (bytes, codings) = (String::from_utf8_lossy(&c.bytes), c.codings.join(","));
        format!("{arrow} {} [{}{codings}] {bytes}{ended}", c.operation, c.media)
    };
    sink.contents.iter().map(line).collect()
}

/// Plays the pieces in segments of several sizes; the same must come of each.
fn contents(pieces: &[Piece<'_>]) -> (Vec<String>, Recorder) {
    let (whole, _) = play(pieces, usize::MAX);
    for size in [1, 2, 3, 7, 10, 100, 1460] {
        let (sink, _) = play(pieces, size);
        assert_eq!(lines(&sink), lines(&whole), "in segments of {size}");
        assert_eq!(sink.facts, whole.facts, "in segments of {size}");
        assert_eq!(sink.units, whole.units, "in segments of {size}");
        assert_eq!(sink.anomalies, whole.anomalies, "in segments of {size}");
    }
    (lines(&whole), whole)
}

#[test]
fn interleaved_streams_and_facts() {
    let client = [
        preface(),
        head(
            1,
            END_STREAM,
            &[
                (":method", "GET"),
                (":path", "/fhir/Patient/77?name=Doe"),
                (":authority", "ehr:80"),
                ("cookie", "theme=dark"),
                ("cookie", "session=1"),
            ],
        ),
        ask(3, "POST", "/upload", 0),
        data(3, "he"),
        frame(frame::PING, 0, 0, &[0; 8]),
        frame(frame::DATA, PADDED, 3, b"\x03llo___"),
        last(3, "!"),
    ]
    .concat();
    let server = [
        settings(),
        head(3, 0, &[(":status", "100")]),
        head(
            1,
            0,
            &[(":status", "200"), ("content-type", "a/b"), ("content-encoding", "gzip, br")],
        ),
        answer(3, "c/d"),
        data(1, "one"),
        data(3, "three"),
        frame(0x0c, 0, 0, b"a type of no interest"),
        frame(frame::DATA, END_STREAM | PADDED, 1, b"\x01+_"),
        head(3, END_STREAM, &[("digest", "trailers")]),
    ]
    .concat();
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(
        got,
        [
            "> GET [target] /fhir/Patient/77?name=Doe",
            "> POST [] hello!",
            "< GET [a/bgzip,br] one+",
            "< POST [c/d] three"
        ]
    );
    let facts = &sink.facts;
    assert_eq!(facts.host(), Some("ehr:80"));
    assert_eq!(facts.web.as_ref().and_then(|web| web.method.as_deref()), Some("POST"));
    assert_eq!(facts.web.as_ref().and_then(|web| web.path.as_deref()), Some("/upload"));
    assert_eq!(facts.status(), Some(200));
    assert_eq!(facts.software.as_deref(), Some("srv"));
    assert_eq!(facts.application.as_deref(), Some("http/2"));
    assert_eq!(facts.authentication, Authentication::Cookie);
    assert_eq!(sink.units, ["request", "request", "response", "response"]);
    assert!(sink.anomalies.is_empty());
    assert!(sink.contents.iter().all(|c| c.layer == "http"));
}

#[test]
fn blocks_over_several_frames_and_promises() {
    let fields = block(&[(":method", "POST"), (":path", "/long")]);
    let (a, b) = fields.split_at(7);
    let padded = [&[2, 0, 0, 0, 0, 9][..], a, &[0, 0]].concat();
    let client = [
        preface(),
        frame(frame::HEADERS, PADDED | frame::PRIORITIZED, 1, &padded),
        frame(frame::CONTINUATION, 0, 1, &[]),
        frame(frame::CONTINUATION, END_HEADERS, 1, b),
        last(1, "body"),
    ]
    .concat();
    let promise =
        [&[0, 0, 0, 2][..], &block(&[(":method", "GET"), (":path", "/pushed.css")])].concat();
    let (c, d) = promise.split_at(9);
    let server = [
        settings(),
        frame(frame::PUSH_PROMISE, 0, 1, c),
        frame(frame::CONTINUATION, END_HEADERS, 1, d),
        answer(2, "text/css"),
        last(2, "p{}"),
        answer(1, "x"),
        last(1, "y"),
    ]
    .concat();
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(got, ["> POST [] body", "< GET [text/css] p{}", "< POST [x] y"]);
    assert!(sink.anomalies.is_empty());
}

#[test]
fn resets_refusals_and_one_direction() {
    let client =
        [preface(), ask(1, "GET", "/a", END_STREAM), ask(3, "HEAD", "/b", END_STREAM)].concat();
    let server = [
        settings(),
        answer(1, "x"),
        data(1, "begun"),
        frame(frame::RST_STREAM, 0, 1, &[0; 4]),
        data(1, "under way"),
        head(3, END_STREAM, &[(":status", "204")]),
        frame(frame::GOAWAY, 0, 0, &[0; 8]),
    ]
    .concat();
    let (got, _) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(got, ["< GET [x] begun cut"]);
    let (got, sink) = contents(&[Server(&server)]);
    assert_eq!(got, ["<  [x] begun cut"]);
    assert_eq!(sink.facts.authentication, Authentication::Unknown);
}

#[test]
fn upgrade_from_http_1() {
    let ask =
        b"GET /fhir/Patient/1 HTTP/1.1\r\nHost: ehr\r\nConnection: Upgrade, HTTP2-Settings\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nAuthorization: Bearer x\r\n\r\n";
    let yes = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let server = [settings(), answer(1, "a/b"), last(1, "answer")].concat();
    let more = [preface(), self::ask(3, "GET", "/two", END_STREAM)].concat();
    let two = [answer(3, "c/d"), last(3, "again")].concat();
    let in_order = [Client(ask), Server(yes), Server(&server), Client(&more), Server(&two)];
    let early = [Client(ask), Client(&more), Server(yes), Server(&server), Server(&two)];
    for pieces in [in_order, early] {
        let (got, sink) = contents(&pieces);
        assert_eq!(got, ["< GET [a/b] answer", "< GET [c/d] again"]);
        assert_eq!(sink.facts.authentication, Authentication::Bearer);
        assert_eq!(sink.facts.host(), Some("ehr:80"));
        assert_eq!(sink.facts.application.as_deref(), Some("http/2"));
        assert!(sink.anomalies.is_empty());
    }
    let no = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    let (got, sink) = contents(&[Client(ask), Server(no), Client(ask), Server(no)]);
    assert_eq!(got, ["< GET [] no", "< GET [] no"]);
    assert_eq!(sink.facts.application.as_deref(), Some("http/1.1"));
}

#[test]
fn grpc_messages_are_payloads_of_their_own() {
    let fields = |status: bool| {
        let first = if status { (":status", "200") } else { (":method", "POST") };
        [
            first,
            (":path", "/care.Ward/Watch"),
            ("content-type", "application/grpc+json"),
            ("grpc-encoding", "gzip"),
        ]
    };
    let message = |flag: u8, text: &str| {
        [&[flag][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
    };
    let client = [
        preface(),
        head(1, 0, &fields(false)),
        frame(frame::DATA, END_STREAM, 1, &message(0, "{}")),
    ]
    .concat();
    let stream =
        [message(0, "first"), message(1, "second"), message(0, ""), message(0, "third")].concat();
    let mut server = [settings(), head(1, 0, &fields(true))].concat();
    for piece in stream.chunks(4) {
        server.extend(frame(frame::DATA, 0, 1, piece));
    }
    server.extend(head(1, END_STREAM, &[("grpc-status", "0")]));
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(
        got,
        [
            "> POST [application/json] {}",
            "< POST [application/json] first",
            "< POST [application/jsongzip] second",
            "< POST [application/json] third"
        ]
    );
    assert!(sink.contents.iter().all(|c| c.layer == "http/grpc"));
}

#[test]
fn websocket_over_a_stream() {
    let connect = head(
        1,
        0,
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":path", "/feed"),
            (":authority", "h"),
        ],
    );
    let client = [preface(), connect, frame(frame::DATA, 0, 1, b"\x81\x82\0\0\0\0hi")].concat();
    let server = [
        settings(),
        head(1, 0, &[(":status", "200")]),
        frame(frame::DATA, 0, 1, b"\x81"),
        frame(frame::DATA, 0, 1, b"\x05hello\x81\x02yo"),
    ]
    .concat();
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(got, ["> CONNECT [] hi", "< CONNECT [] hello", "< CONNECT [] yo"]);
    assert_eq!(sink.facts.application.as_deref(), Some("websocket"));
    // A plain tunnel is not looked into.
    let connect = head(1, 0, &[(":method", "CONNECT"), (":authority", "h:443")]);
    let client = [preface(), connect, data(1, "tunnelled")].concat();
    let server = [settings(), head(1, 0, &[(":status", "200")]), data(1, "tunnelled")].concat();
    let (got, _) = contents(&[Client(&client), Server(&server)]);
    assert!(got.is_empty());
}

#[test]
fn unwanted_bodies_are_skipped() {
    let want = |c: &Recorded| match c.bytes.as_slice() {
        [b'i', ..] => Want::NOTHING,
        b"ab" => Want { skip: 4 },
        _ => Want::ALL,
    };
    let image = "i".repeat(10_000);
    let server = [
        settings(),
        answer(1, "image/png"),
        answer(3, "text/plain"),
        data(1, &image),
        data(3, "abcde"),
        data(1, &image),
        last(3, "fgh"),
        last(1, &image),
    ]
    .concat();
    let sink = Recorder { want: Some(want), ..Recorder::default() };
    let (sink, _) = play_with(&[Server(&server)], 1, sink);
    assert!(sink.contents[0].bytes.len() <= 2);
    assert_eq!(sink.contents[1].bytes, b"abgh");
    assert_eq!(sink.contents[1].ending, COMPLETE);
}

#[test]
fn a_gap_in_a_body_costs_only_the_bytes_lost() {
    let start = [settings(), answer(1, "x")].concat();
    let body = data(1, "0123456789");
    let rest = [last(1, "end"), window()].concat();
    let cut = |from: usize| &body[from..];
    let got = contents(&[
        Server(&start),
        Server(&body[..11]),
        ServerGap(5),
        Server(cut(16)),
        Server(&rest),
    ])
    .0;
    assert_eq!(got, ["<  [x] 01789end"]);
    let got = contents(&[Server(&start), Server(&body[..11]), ServerGap(8), Server(&rest)]).0;
    assert_eq!(got, ["<  [x] 01end"]);
    // After the frame: what follows is independent of it.
    let later = [answer(3, "y"), last(3, "sound"), window()].concat();
    let garbage: &[u8] = b"the tail of something \0\0\x04 unknown";
    let got = contents(&[
        Server(&start),
        Server(&body[..11]),
        ServerGap(99),
        Server(garbage),
        Server(&later),
    ])
    .0;
    assert_eq!(got, ["<  [x] 01 cut", "<  [y] sound"]);
    // The very last frame is found as well.
    let got = contents(&[
        Server(&start),
        ServerGap(99),
        Server(garbage),
        Server(&answer(3, "y")),
        Server(&last(3, "s")),
    ])
    .0;
    assert_eq!(got, ["<  [x]  cut", "<  [y] s"]);
    let got = contents(&[
        Client(&preface()),
        ClientGap(10),
        Client(&[ask(5, "POST", "/p", 0), last(5, "q")].concat()),
    ])
    .0;
    assert_eq!(got, ["> POST [] q"]);
}

#[test]
fn a_download_broken_off_is_resumed() {
    let len = 80_000.to_string();
    let head_of = |stream, status, extra: &[(&str, &str)]| {
        let mut fields = vec![(":status", status), ("etag", "v1"), ("content-type", "text/x")];
        fields.extend(extra);
        head(stream, END_HEADERS, &fields)
    };
    let body = "x".repeat(79_990) + "0123456789";
    let chunks = |stream, text: &str| -> Vec<u8> {
        text.as_bytes()
            .chunks(16_000)
            .flat_map(|c| data(stream, std::str::from_utf8(c).expect("ASCII")))
            .collect()
    };
    let range = "bytes 79000-79999/80000";
    let first = [
        head_of(1, "200", &[("content-length", &len)]),
        chunks(1, &body[..79_500]),
        frame(3, 0, 1, &[0, 0, 0, 8]),
    ]
    .concat();
    let second =
        [head_of(3, "206", &[("content-range", range)]), last(3, &body[79_000..])].concat();
    let (got, _) = contents(&[
        Client(&preface()),
        Server(&settings()),
        Client(&ask(1, "GET", "/d", END_HEADERS | END_STREAM)),
        Server(&first),
        Client(&ask(3, "GET", "/d", END_HEADERS | END_STREAM)),
        Server(&second),
    ]);
    assert_eq!(got.len(), 1, "{}", got.len());
    assert!(got[0].ends_with(&body), "all of it, once");
}

#[test]
fn grpc_is_read_without_its_head() {
    let message = [&[0, 0, 0, 0, 5][..], b"hello"].concat();
    let frames = [
        frame(0, 0, 5, &message),
        frame(0, 0, 5, &message),
        window(),
        frame(0, 0, 7, b"{\"a\":1}"),
        frame(0, 1, 7, b"ab"),
    ]
    .concat();
    let (got, _) = contents(&[Server(&frames)]);
    assert_eq!(got.len(), 3, "{got:?}");
    assert!(got[0].ends_with("hello") && got[1].ends_with("hello"), "{got:?}");
    assert!(got[2].ends_with("{\"a\":1}ab"), "{got:?}");
}

#[test]
fn from_the_middle() {
    let middle = [
        b"...the rest of a frame".to_vec(),
        data(7, "{\"a\":1}"),
        frame(frame::HEADERS, END_HEADERS, 9, &[0x88, 0xbe, 0x5f, 3, b'a', b'/', b'b']),
        data(9, "text"),
        window(),
        last(9, "."),
        last(7, ""),
    ]
    .concat();
    for size in [30, 1000] {
        let (sink, _) = play(&[ServerGap(100), Server(&middle)], size);
        assert_eq!(lines(&sink), ["<  [] {\"a\":1}", "<  [a/b] text."]);
    }
}

#[test]
fn prefaces_and_settings_are_recognised() {
    let yes = Probe::yes;
    let settings = settings();
    let empty = frame(frame::SETTINGS, 0, 0, &[]);
    let empty_and_more = [empty.clone(), window()].concat();
    for (data, answer) in [
        (PREFACE, yes(Speaker::Client)),
        (&PREFACE[..20], Probe::More),
        (b"PRI * HTTP/2.0\r\n\r\nXX", Probe::No),
        (&settings[..15], yes(Speaker::Server)),
        (&settings[..9], Probe::More),
        (&settings[..2], Probe::More),
        (&empty, Probe::More),
        (&empty_and_more, yes(Speaker::Server)),
        (
            &frame(frame::SETTINGS, 0, 0, &[0xfe, 3, 0, 0, 0, 1, 0, 4, 0, 0, 1, 0]),
            yes(Speaker::Server),
        ),
        (&frame(frame::SETTINGS, 0, 0, &[0xfe, 3, 0, 0, 0, 1]), Probe::More),
        (&[0; 30], Probe::No),
        (&[0, 0, 7, 4, 0, 0, 0, 0, 0, 0, 0], Probe::No),
        (b"GET / HTTP/1.1\r\n", Probe::No),
        (b"\x0bMSH|", Probe::No),
        (b"\0\0\0\x55\xff", Probe::No),
        (b"\x16\x03\x01\x02\x00\x01", Probe::No),
    ] {
        assert_eq!(probe::probe(data, Position::Start), answer, "{data:x?}");
    }
    assert_eq!(probe::probe(&[0; 4000], Position::Midstream), Probe::More);
    // From the middle, at a frame.
    let (head, body) = (answer(7, "a/b"), last(7, "some text"));
    for (data, answer) in [
        (head.clone(), yes(Speaker::Any)),
        ([&*head, &body[..12]].concat(), yes(Speaker::Any)),
        ([&*body, &*body].concat(), yes(Speaker::Any)),
        (body.clone(), Probe::More),
        ([&*body, &[0; 9]].concat(), Probe::No),
        ([&*head, b"GET / HTTP"].concat(), Probe::No),
    ] {
        assert_eq!(probe::probe(&data, Position::Start), answer, "{data:x?}");
    }
}

#[test]
fn hostile_frames_cost_only_themselves() {
    let tail = [ask(9, "POST", "/sane", 0), last(9, "sane")].concat();
    let get = |wire: &[u8]| {
        let (sink, events) = play(&[Client(&preface()), Client(wire), Client(&tail)], 1460);
        assert!(!events.iter().any(|n| matches!(n, DriverEvent::Opaque(..))));
        assert_eq!(lines(&sink).last().map(String::as_str), Some("> POST [] sane"));
        sink
    };
    // A block without end, and one that is too long for one frame.
    let mut flood = frame(frame::HEADERS, 0, 1, &[0x82]);
    for _ in 0..40 {
        flood.extend(frame(frame::CONTINUATION, 0, 1, &[0x82; 16000]));
    }
    for _ in 0..10_000 {
        flood.extend(frame(frame::CONTINUATION, 0, 1, &[]));
    }
    flood.extend(frame(frame::CONTINUATION, END_HEADERS, 1, &[]));
    assert_eq!(get(&flood).anomalies, [Reason::Limit]);
    assert_eq!(
        get(&frame(frame::HEADERS, END_HEADERS, 1, &[0x82; 70_000])).anomalies,
        [Reason::Limit; 2]
    );
    // Never ended: the next frame is read all the same.
    assert_eq!(get(&frame(frame::HEADERS, 0, 1, &[0x82])).anomalies, [Reason::Malformed]);
    assert_eq!(
        get(&frame(frame::CONTINUATION, END_HEADERS, 1, &[0x82])).anomalies,
        [Reason::Malformed]
    );
    // Padding longer than the frame.
    assert_eq!(get(&frame(frame::DATA, PADDED, 1, &[5, 0, 0])).anomalies, [Reason::Malformed]);
    // Nothing, very often; and more streams than are remembered.
    get(&frame(frame::DATA, 0, 1, &[]).repeat(10_000));
    let mut streams = Vec::new();
    for id in 0..2000 {
        streams.extend(ask(2 * id + 11, "POST", "/", 0));
        streams.extend(data(2 * id + 11, "x"));
    }
    let sink = get(&streams);
    assert!(sink.contents.iter().all(|c| c.ending.is_some()));
    // A frame that cannot be.
    let sink = get(&[frame(frame::PING, 0, 0, b"short"), window()].concat());
    assert_eq!(sink.anomalies, [Reason::Malformed]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn garbage_does_no_harm(
        noise in proptest::collection::vec(any::<u8>(), 1..300),
        at in 0usize..200,
        size in 1usize..50,
        lost in 0u64..60,
    ) {
        play(&[Client(PREFACE), Client(&noise), Server(&settings()), Server(&noise)], size);
        let mut wire = [preface(), ask(1, "POST", "/a?b", 0), data(1, "abc"), last(1, "d"), window()].concat();
        if let Some(byte) = wire.get_mut(24 + at) {
            *byte = noise[0];
        }
        let (front, back) = wire.split_at(wire.len().min(24 + at));
        play(&[Client(front), ClientGap(lost), Client(back), Server(&wire)], size);
    }
}
