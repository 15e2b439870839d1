use super::*;
use crate::protocol::recorder::Piece::{Client, ClientGap, Server, ServerGap};
use crate::protocol::recorder::{COMPLETE, CUT, Piece, Recorded, Recorder, play, play_with};
use crate::protocol::{Authentication, Position, Speaker, Want};

/// Plays the pieces in segments of several sizes; the result must be the same. One line per payload:
/// direction, media type, operation, bytes, and how it ended.
pub(super) fn contents(pieces: &[Piece<'_>]) -> Vec<String> {
    let lines = |sink: &Recorder| -> Vec<String> {
        let ended = |c: &Recorded| match c.ending {
            COMPLETE => "",
            CUT => " cut",
            None => " open",
        };
        let line = |c: &Recorded| {
            let arrow = if c.direction == Direction::ClientToServer { '>' } else { '<' };
            let bytes = String::from_utf8_lossy(&c.bytes);
            let codings = c.codings.join(",");
            format!("{arrow} {} [{}{codings}] {bytes}{}", c.operation, c.media, ended(c))
        };
        sink.contents.iter().map(line).collect()
    };
    let (whole, _) = play(pieces, usize::MAX);
    for size in [1, 2, 3, 7, 100, 1460] {
        let (sink, _) = play(pieces, size);
        assert_eq!(lines(&sink), lines(&whole), "in segments of {size}");
        assert_eq!(sink.facts, whole.facts, "in segments of {size}");
        assert_eq!(sink.units, whole.units, "in segments of {size}");
        assert_eq!(sink.anomalies, whole.anomalies, "in segments of {size}");
    }
    lines(&whole)
}

#[test]
fn keep_alive_and_pipelining() {
    let got = contents(&[
        Client(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n"),
        Client(b"POST /c HTTP/1.1\r\nContent-Type: text/x\r\nContent-Length: 3\r\n\r\nabc"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: t\r\n\r\nhello"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
        Server(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Nope\r\nContent-Length: 0\r\n\r\n"),
    ]);
    assert_eq!(got, ["> POST [text/x] abc", "< GET [t] hello"]);
}

#[test]
fn chunks_with_extensions_and_trailers() {
    let got = contents(&[
        Client(b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n"),
        Client(b"0a\r\n0123456789\r\n0\r\nDigest: x\r\nOther: y\r\n\r\n"),
        Client(b"POST /d HTTP/1.1\nTransfer-Encoding: gzip, chunked\nContent-Encoding: br\n\n1\nz\n0\n\n"),
        Client(b"GET /e HTTP/1.1\r\n\r\n"),
    ]);
    assert_eq!(got, ["> PUT [] abc0123456789", "> POST [br,gzip] z"]);
}

#[test]
fn a_response_without_length_ends_with_the_connection() {
    let got = contents(&[
        Client(b"GET / HTTP/1.0\r\n\r\n"),
        Server(b"HTTP/1.0 200 OK\r\nContent-type: text/plain\r\n\r\nall of\nit"),
    ]);
    assert_eq!(got, ["< GET [text/plain] all of\nit"]);
}

#[test]
fn only_one_direction() {
    let got = contents(&[
        Server(b"HTTP/1.1 200\r\nContent-Length: 500\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 304 Same\r\n\r\n"),
    ]);
    assert_eq!(got, ["<  []  cut", "<  [] ok"]);
    let (sink, _) = play(&[Server(b"HTTP/1.1 304 Same\r\n\r\n")], 100);
    assert_eq!(sink.facts.authentication, Authentication::Unknown);
    let got = contents(&[Client(
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\n\r\n",
    )]);
    assert_eq!(got, ["> POST [] ok"]);
}

#[test]
fn interim_responses_and_refused_bodies() {
    let got = contents(&[
        Client(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        Server(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Client(b"ok"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
        Client(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 200\r\n\r\n"),
        Server(b"HTTP/1.1 417 No\r\nContent-Length: 1\r\n\r\n2"),
        Client(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nno"),
    ]);
    assert_eq!(
        got,
        ["> POST [] ok", "< POST [] 1", "> POST []  cut", "< POST [] 2", "> POST [] no"]
    );
}

#[test]
fn lengths_that_contradict_each_other() {
    let (sink, _) = play(
        &[
            Client(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Client(b"1\r\na\r\n0\r\n\r\n"),
            Client(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nabc"),
            Client(b"POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"),
        ],
        1460,
    );
    let bytes: Vec<&[u8]> = sink.contents.iter().map(|c| c.bytes.as_slice()).collect();
    assert_eq!(bytes, [b"a".as_slice(), b"abc", b"abc"]);
    assert_eq!(sink.anomalies, [Reason::Malformed, Reason::Malformed]);
    assert_eq!(sink.units, ["request"; 4]);
}

#[test]
fn heads_are_read_as_servers_read_them() {
    let got = contents(&[
        Client(b"\r\n\nPOST  /x y  HTTP/1.1\r\nContent-Type : text/\r\n plain\r\ncontent-LENGTH:2\r\n\r\nok"),
        Client(b"GET http://h:80/p?name=x HTTP/1.1\n\n"),
    ]);
    assert_eq!(got[0], "> POST [text/\r\n plain] ok");
    assert_eq!(got[1], "> GET [target] http://h:80/p?name=x");
}

#[test]
fn facts_of_the_service() {
    let (sink, _) = play(
        &[
            Client(b"GET /fhir/Patient/77?name=secret HTTP/1.1\r\nHost: ehr:80\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"),
            Server(b"HTTP/1.1 401 No\r\nServer: HAPI\r\nContent-Length: 0\r\n\r\n"),
            Client(b"GET /b HTTP/1.1\r\nCookie: JSESSIONID=1\r\n\r\n"),
        ],
        50,
    );
    let facts = &sink.facts;
    assert_eq!(facts.host(), Some("ehr:80"));
    assert_eq!(facts.web.as_ref().and_then(|web| web.path.as_deref()), Some("/b"));
    assert_eq!(facts.status(), Some(401));
    assert_eq!(facts.software.as_deref(), Some("HAPI"));
    assert_eq!(facts.application.as_deref(), Some("http/1.1"));
    assert_eq!(facts.authentication, Authentication::Basic);
    assert!(facts.credentials_in_clear);
    assert!(!format!("{facts:?}").contains("secret"));
    assert!(!format!("{facts:?}").contains("c2Vj"));
}

#[test]
fn unwanted_bodies_are_skipped() {
    let mut image = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
    image.extend(vec![b'i'; 100_000]);
    let next =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n";
    let want = |c: &Recorded| match c.bytes.as_slice() {
        [b'i', ..] => Want::NOTHING,
        b"ab" => Want { skip: 4 },
        _ => Want::ALL,
    };
    let sink = Recorder { want: Some(want), ..Recorder::default() };
    let (sink, _) = play_with(&[Server(&image), ServerGap(0), Server(next)], 2, sink);
    assert!(sink.contents[0].bytes.len() <= 2);
    assert_eq!(sink.contents[1].bytes, b"abgh");
    assert_eq!(sink.contents[1].ending, COMPLETE);
}

#[test]
fn a_gap_in_a_body_costs_only_the_bytes_lost() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12";
    let got = contents(&[Server(head), ServerGap(5), Server(b"890"), Server(head), ServerGap(8)]);
    assert_eq!(got, ["<  [] 12890", "<  [] 12"]);
    // Beyond the body: the next status line is searched.
    let got = contents(&[
        Server(head),
        ServerGap(100),
        Server(b"rest of something\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    ]);
    assert_eq!(got, ["<  [] 12 cut", "<  [] x"]);
    let got = contents(&[
        Client(b"POST / HTTP/1.1\r\nContent-Le"),
        ClientGap(3),
        Client(b"th: 5\r\n\r\n{..}GET /x?a=b HTTP/1.1\r\n\r\n"),
    ]);
    assert_eq!(got, ["> GET [target] /x?a=b"]);
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12";
    let got = contents(&[Server(chunked), ServerGap(6), Server(b"\r\n1\r\nx\r\n0\r\n\r\n")]);
    assert_eq!(got, ["<  [] 12x"]);
}

#[test]
fn another_protocol_after_connect_or_upgrade() {
    let (sink, events) = play(
        &[
            Client(b"CONNECT h:443 HTTP/1.1\r\n\r\n"),
            Server(b"HTTP/1.1 200 Established\r\n\r\n"),
            Client(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"),
        ],
        1460,
    );
    assert_eq!(sink.contents[0].bytes, b"ok");
    assert_eq!(events.len(), 3, "both directions, and the client again after CONNECT");
    let (_, events) = play(
        &[
            Client(b"POST /attach HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n"),
            Server(b"HTTP/1.1 101 Switching\r\nUpgrade: tcp\r\n\r\n\x81\x05hello"),
        ],
        1460,
    );
    assert!(format!("{events:?}").contains("Unsupported"));
}

#[test]
fn start_lines_are_recognised_and_what_looks_like_them_is_not() {
    let yes = Probe::yes;
    for (data, answer) in [
        (&b"GET / HTTP/1.1\r\n"[..], yes(Speaker::Client)),
        (b"PROPFIND /dav HTTP/1.1\n", yes(Speaker::Client)),
        (b"HTTP/1.1 200 OK\r\n", yes(Speaker::Server)),
        (b"HTTP/1.0 404\r\n", yes(Speaker::Server)),
        (b"G", Probe::More),
        (b"HTT", Probe::More),
        (b"GET /a", Probe::More),
        (b"INVITE sip:bob@example.org SIP/2.0\r\n", Probe::No),
        (b"GET key\r\n", Probe::No),
        (b"SELECT 1;\n", Probe::No),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Probe::No),
        (b"RTSP/1.0 200 OK\r\n", Probe::No),
        (b"ICY 200 OK\r\n", Probe::No),
        (b"\x16\x03\x01", Probe::No),
        (b"EHLO me\r\n", Probe::No),
        (b"+OK ready\r\n", Probe::No),
    ] {
        assert_eq!(
            probe::probe(data, Position::Start),
            answer,
            "{:?}",
            String::from_utf8_lossy(data)
        );
    }
    let middle = b"...tail of a body\r\n}GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(
        probe::probe(middle, Position::Midstream),
        Probe::Yes { speaker: Speaker::Client, offset: 20 }
    );
    let middle = b"xxHTTP/1.1 20\0 nothttp HTTP/1.1 200 OK\r\n";
    assert_eq!(
        probe::probe(middle, Position::Midstream),
        Probe::Yes { speaker: Speaker::Server, offset: 23 }
    );
    assert_eq!(probe::probe(b"no such thing", Position::Midstream), Probe::More);
}

#[test]
fn garbage_and_cuts_do_no_harm() {
    let sound: &[u8] = b"POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    for i in 0..sound.len() {
        for byte in [0, b'\n', b' ', b':', 0xff] {
            let mut broken = sound.to_vec();
            broken[i] = byte;
            play(&[Client(&broken), Server(&broken)], 9);
        }
        play(&[Client(&sound[..i])], 4);
    }
}

#[test]
fn a_head_without_end_is_passed_over() {
    let mut endless = b"GET / HTTP/1.1\r\n".to_vec();
    while endless.len() <= MAX_HEAD + 10 {
        endless.extend(b"X-Header: some value\r\n");
    }
    let (sink, _) = play(&[Client(&endless)], 1460);
    assert!(sink.anomalies.contains(&Reason::Malformed), "{:?}", sink.anomalies);
    assert_eq!(sink.contents.len(), 0);
}

#[test]
fn garbage_does_not_silence_what_follows() {
    let message: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd";
    for garbage in [&b"\r\nnot a request at all\r\n\r\n"[..], b"\0\xff\xfe\r\n\r\n", b"GET\r\n\r\n"]
    {
        let client = [message, garbage, message, garbage, message].concat();
        for size in [1, 7, 100, usize::MAX] {
            let (seen, _) = play(&[Client(&client)], size);
            let bodies: Vec<&[u8]> = seen.contents.iter().map(|c| &c.bytes[..]).collect();
            let bodies = bodies.iter().filter(|b| **b == b"abcd").count();
            assert_eq!(bodies, 3, "{garbage:?} in pieces of {size}");
            assert!(!seen.anomalies.is_empty());
        }
    }
}
