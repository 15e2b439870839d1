//! Every way a body is framed, and what breaks framing.

use crate::protocol::http::head::MAX_HEAD;
use super::contents;
use crate::protocol::Authentication;
use crate::protocol::driver::DriverEvent;
use crate::protocol::recorder::Piece::{Client, Server, ServerGap};
use crate::protocol::recorder::{COMPLETE, play};
use crate::protocol::{Direction, Reason};
use crate::rules::Secret;

#[test]
fn pipelined_beyond_what_is_remembered() {
    let asks = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(300);
    let answers = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".repeat(300);
    let (sink, _) = play(&[Client(asks.as_bytes()), Server(answers.as_bytes())], 1460);
    assert_eq!(sink.contents.len(), 300);
    assert!(sink.contents.iter().all(|c| c.bytes == b"ok" && c.ending == COMPLETE));
    assert_eq!(sink.anomalies, [Reason::Limit]);
}

#[test]
fn answers_without_body() {
    // What they say of a length is that of another answer (RFC 9110 8.6).
    let got = contents(&[
        Client(b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nDELETE /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Server(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        Server(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nd"),
    ]);
    assert_eq!(got, ["< GET [] d"]);
}

#[test]
fn interim_answers_come_in_any_number() {
    let got = contents(&[
        Client(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
        Server(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        Server(b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n"),
        Server(b"Content-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"),
    ]);
    assert_eq!(got, ["< GET [] a", "< GET [] b"]);
}

#[test]
fn both_framings_at_once() {
    // The chunks win, as RFC 9112 6.3 has it; what follows them is the next request.
    for head in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding : chunked\r\nContent-Length: 3",
        "Transfer-Encoding:\r\n chunked\r\nContent-Length: 3",
        "Transfer-Encoding:\tchunked\r\nContent-Length: +3",
        "transfer-encoding: identity\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3",
    ] {
        let ask = format!(
            "POST /a HTTP/1.1\r\n{head}\r\n\r\n1\r\na\r\n0\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nb"
        );
        assert_eq!(contents(&[Client(ask.as_bytes())]), ["> POST [] a", "> POST [] b"], "{head}");
        let (sink, _) = play(&[Client(ask.as_bytes())], 7);
        assert_eq!(sink.anomalies, [Reason::Malformed], "{head}");
    }
}

#[test]
fn lengths_that_contradict() {
    for (lengths, body) in [
        ("Content-Length: 1\r\nContent-Length: 1", 1),
        ("Content-Length: 1, 1", 1),
        ("Content-Length: 2\r\nContent-Length: 1", 2),
        ("Content-Length: 2,1", 2),
        ("Content-Length: abc\r\nContent-Length: 1", 1),
        ("Content-Length: 99999999999999999999999\r\nContent-Length: 1", 1),
    ] {
        let ask = format!("POST /a HTTP/1.1\r\n{lengths}\r\n\r\nabGET / HTTP/1.1\r\n\r\n");
        let (sink, _) = play(&[Client(ask.as_bytes())], 5);
        assert_eq!(sink.contents[0].bytes, &b"ab"[..body], "{lengths}");
        assert_eq!(sink.units, ["request", "request"], "{lengths}");
    }
}

#[test]
fn unknown_codings_are_not_decoded() {
    // A server that does not know the coding goes by the length.
    let got = contents(&[Client(
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\nokPOST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nb",
    )]);
    assert_eq!(got, ["> POST [xchunked] ok", "> POST [] b"]);
    let got = contents(&[Client(
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\n\r\n",
    )]);
    assert_eq!(got, ["> POST [] ok"]);
    // Of an answer the rest of the connection is the body.
    let got =
        contents(&[Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nxyz")]);
    assert_eq!(got, ["<  [chunked,gzip] xyz"]);
    let got = contents(&[Server(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n",
    )]);
    assert_eq!(got, ["<  [gzip] xy"]);
}

#[test]
fn sizes_of_chunks() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let next = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nn";
    for chunks in [
        "2\r\nab\r\n0\r\n\r\n",
        "002 \r\nab\r\n000\r\n\r\n",
        "2;a=b;c=\"d;\\\"e\"\r\nab\r\n0;last\r\nX: y\r\n z\r\n\r\n",
        "2\nab\n0\n\n",
        "1\r\na\r\n1\r\nb\r\n0\r\nETag: x\r\n\r\n",
    ] {
        let all = format!("{head}{chunks}{next}");
        assert_eq!(contents(&[Server(all.as_bytes())]), ["<  [] ab", "<  [] n"], "{chunks}");
    }
    // 2^63 and 2^64 - 1: as long as the connection lasts, and nothing is kept for it.
    for size in ["8000000000000000", "ffffffffffffffff"] {
        let all = format!("{head}{size}\r\nabc");
        assert_eq!(contents(&[Server(all.as_bytes())]), ["<  [] abc cut"], "{size}");
        let (sink, _) = play(&[Server(all.as_bytes()), ServerGap(1 << 40), Server(b"def")], 9);
        assert_eq!(sink.contents[0].bytes, b"abcdef", "{size}");
    }
    // Beyond that, and what is no size: the connection goes on with the next message.
    for chunks in
        ["10000000000000000\r\nabc", "-1\r\nabc", "xyz\r\nabc", "0x2\r\nab", "2\r\nabXX\r\n"]
    {
        let all = format!("{head}{chunks}\r\n{next}");
        let got = contents(&[Server(all.as_bytes())]);
        assert_eq!(got.last().map(String::as_str), Some("<  [] n"), "{chunks}: {got:?}");
    }
    let endless = format!("{head}1;{}", "x".repeat(100_000));
    let (_, events) = play(&[Server(endless.as_bytes()), Server(next.as_bytes())], 1460);
    assert!(events.iter().all(|n| matches!(n, DriverEvent::Recognised(_))), "{events:?}");
}

#[test]
fn too_many_trailers_cost_only_their_message() {
    let mut all = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n".to_vec();
    for n in 0..20_000 {
        all.extend(format!("X-{n}: y\r\n").bytes());
    }
    all.extend(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nn");
    let (sink, _) = play(&[Server(&all)], 1460);
    assert_eq!(sink.contents.last().map(|c| &*c.bytes), Some(&b"n"[..]));
}

#[test]
fn heads_up_to_the_limit() {
    let mut head = b"GET /a HTTP/1.1\r\n".to_vec();
    while head.len() < MAX_HEAD - 100 {
        head.extend(b"X-Header: some value\r\n");
    }
    head.extend(b"\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok");
    let (sink, _) = play(&[Client(&head)], 1460);
    assert_eq!(sink.contents.len(), 1);
    // One line that is longer hides nothing behind it; one without end is not read for ever.
    let line = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 2 * MAX_HEAD]].concat();
    let behind = b"\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok";
    let (sink, _) = play(&[Client(&[&line, behind.as_slice()].concat())], 1460);
    assert_eq!(sink.contents.last().map(|c| &*c.bytes), Some(&b"ok"[..]));
    let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 4 << 20]].concat();
    let (_, events) = play(&[Client(&endless)], 1460);
    assert!(events.contains(&DriverEvent::Opaque("http", Reason::Malformed)), "{events:?}");
}

#[test]
fn lines_as_lenient_servers_take_them() {
    for (head, body) in [
        ("POST /a HTTP/1.1\nContent-Length: 2\n\n", "ok"),
        ("POST /a HTTP/1.1\r\nContent-Length: 2\n\r\n", "ok"),
        (
            "POST /a HTTP/1.1\r\nX: a\r\n  b\r\n\tContent-Length: 9\r\nContent-Length: 2\r\n\r\n",
            "ok",
        ),
        ("POST /a HTTP/1.1\r\n: empty\r\nno colon\r\nContent-Length:2\r\n\r\n", "ok"),
        ("POST /a HTTP/1.1\r\nX: \x00\x7f\r\nContent-Length: 2\r\n\r\n", "ok"),
        ("\r\n\r\nPOST /a HTTP/1.1\r\ncontent-length:   2   \r\n\r\n", "ok"),
    ] {
        let all = format!("{head}{body}GET /next HTTP/1.1\r\n\r\n");
        assert_eq!(contents(&[Client(all.as_bytes())]), ["> POST [] ok"], "{head:?}");
    }
    let latin = b"POST /\xe4 HTTP/1.1\r\nX: \xfc\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(contents(&[Client(latin)]), ["> POST [] ok"]);
    for status in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 200 OK", "HTTP/1.1 200 \u{e9}t\u{e9}"]
    {
        let all = format!("{status}\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(contents(&[Server(all.as_bytes())]), ["<  [] ok"], "{status}");
    }
}

#[test]
fn through_a_proxy() {
    let (sink, _) = play(
        &[
            Client(b"GET http://u:pw@ehr.example:8080/fhir/Patient/7?x=1 HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n"),
            Server(b"HTTP/1.1 200 OK\r\nServer: HAPI\r\nContent-Length: 2\r\n\r\nok"),
            Client(b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n"),
        ],
        11,
    );
    assert_eq!(sink.facts.host(), Some("other.example"));
    assert_eq!(sink.facts.credentials, [Secret::UrlPassword, Secret::ProxyPassword]);
    assert_eq!(sink.facts.authentication, Authentication::None, "of the service, not of the proxy");
    assert!(!format!("{:?}", sink.facts).contains("pw"));
    assert_eq!(sink.contents[1].bytes, b"ok");
}

#[test]
fn what_a_tunnel_carries_is_read_once_the_proxy_agrees() {
    let connect = b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";
    // Refused: the connection goes on, and the refusal has a body.
    let got = contents(&[
        Client(connect),
        Server(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"),
        Client(connect),
        Server(b"HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n"),
        Client(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"),
    ]);
    assert_eq!(got, ["< CONNECT [] no", "> POST [] ok", "< POST [] yes"]);
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\x03";
    let (sink, events) = play(
        &[Client(connect), Server(b"HTTP/1.0 200 OK\r\n\r\n"), Client(hello), Server(hello)],
        1460,
    );
    assert!(sink.contents.is_empty());
    let encrypted = |n: &&DriverEvent| matches!(n, DriverEvent::Opaque(_, Reason::Encrypted));
    assert_eq!(events.iter().filter(encrypted).count(), 2, "{events:?}");
}

#[test]
fn one_side_only() {
    // Responses whose requests were not captured: with and without body, as what follows shows.
    let got = contents(&[
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\n\r\nto the end"),
    ]);
    assert_eq!(got, ["<  []  cut", "<  [] ok", "<  [] to the end"]);
    let got = contents(&[Client(
        b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nokPUT /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nb",
    )]);
    assert_eq!(got, ["> POST [] ok", "> PUT [] b"]);
}

#[test]
fn who_the_client_is() {
    for (header, authentication, credentials) in [
        ("Authorization: Basic eDp5", Authentication::Basic, &[Secret::Basic][..]),
        ("authorization: bearer abc", Authentication::Bearer, &[Secret::Bearer]),
        ("Authorization: Digest username=\"x\"", Authentication::Digest, &[]),
        ("Authorization: ApiKey eDp5", Authentication::ApiKey, &[Secret::ApiKey]),
        ("Authorization: Token 1234", Authentication::ApiKey, &[Secret::ApiKey]),
        ("X-Api-Key: 1234", Authentication::ApiKey, &[Secret::ApiKey]),
        ("X-API-Key:", Authentication::None, &[]),
        ("Authorization: AWS4-HMAC-SHA256 Credential=x", Authentication::Unknown, &[]),
        ("Authorization: Negotiate YII", Authentication::Unknown, &[]),
        ("Cookie: JSESSIONID=1; _ga=2", Authentication::Cookie, &[Secret::SessionCookie]),
        ("Cookie: _ga=2", Authentication::None, &[]),
        ("Accept: */*", Authentication::None, &[]),
    ] {
        let ask = format!("GET / HTTP/1.1\r\n{header}\r\n\r\n");
        let (sink, _) = play(&[Client(ask.as_bytes())], 9);
        assert_eq!(sink.facts.authentication, authentication, "{header}");
        assert_eq!(sink.facts.credentials, credentials, "{header}");
        let clear = credentials.iter().any(|c| *c != Secret::SessionCookie);
        assert_eq!(sink.facts.credentials_in_clear, clear, "{header}");
    }
}

#[test]
fn grpc_over_http_1() {
    let message =
        |flags: u8, text: &[u8]| [&[flags], &(text.len() as u32).to_be_bytes()[..], text].concat();
    let body =
        [message(0, b"one"), message(1, b"two"), message(0x80, b"grpc-status: 0\r\n")].concat();
    let text: String = {
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        // Each message with padding of its own.
        [encode(&body[..8]), encode(&body[8..16]), encode(&body[16..])].concat()
    };
    for (media, body) in [
        ("application/grpc-web+proto", body.clone()),
        ("application/grpc-web", body.clone()),
        ("application/grpc-web-text+proto", text.clone().into_bytes()),
        ("application/grpc-web-text", text.into_bytes()),
    ] {
        let mut all = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\ngrpc-encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        all.extend(&body);
        all.extend(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nn");
        let got =
            contents(&[Client(b"POST /s/M HTTP/1.1\r\n\r\nGET /n HTTP/1.1\r\n\r\n"), Server(&all)]);
        assert_eq!(
            got,
            [
                "< POST [application/protobuf] one",
                "< POST [application/protobufgzip] two",
                "< GET [] n"
            ],
            "{media}"
        );
    }
    let end = message(2, b"{}");
    let mut all = b"HTTP/1.1 200 OK\r\nContent-Type: application/connect+json\r\n\r\n".to_vec();
    all.extend([message(0, b"{\"a\":1}"), end].concat());
    let got = contents(&[Server(&all)]);
    assert_eq!(got, ["<  [application/json] {\"a\":1}"]);
    let (sink, _) = play(&[Server(&all)], 3);
    assert_eq!(sink.contents[0].direction, Direction::ServerToClient);
}
