//! What a client may try. Real connections over loopback.

use super::tests::{ask, board, get, local};
use super::*;
use base64::Engine as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn open() -> Server {
    Server::start(local(), board(), Access::default()).expect("start")
}

/// A server that asks for [`TOKEN`].
fn closed(folder: &tempfile::TempDir) -> Server {
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    Server::start(local(), board(), Access::load(Some(&file), None).expect("a token"))
        .expect("start")
}

fn with(address: SocketAddr, path: &str, field: &str) -> (u16, String) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{field}\r\nConnection: close\r\n\r\n");
    let (status, head, _) = ask(address, &request);
    (status, head)
}

#[test]
fn silent_clients_keep_no_client_out() {
    let server = open();
    let connect = |_| TcpStream::connect(server.address()).expect("connect");
    let mut silent: Vec<TcpStream> = (0..3 * seats::MAX_CONNECTIONS).map(connect).collect();
    for stream in silent.iter_mut().step_by(2) {
        // Some have begun. Those whose seat is gone already learn it here.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ");
    }
    for path in ["/metrics", "/healthz", "/"] {
        assert_eq!(get(server.address(), path).0, 200, "{path}");
    }
}

#[test]
fn a_reader_that_stalls_keeps_no_client_out() {
    let server = open();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    let mut stalled = Vec::new();
    for _ in 0..seats::MAX_CONNECTIONS {
        let mut stream = TcpStream::connect(server.address()).expect("connect");
        // Answers that are not read, until the socket takes no more requests either.
        stream.set_write_timeout(Some(Duration::from_millis(5))).expect("timeout");
        let many = request.repeat(200);
        let _ = stream.write_all(many.as_bytes());
        stalled.push(stream);
    }
    assert_eq!(get(server.address(), "/healthz").0, 200);
    assert_eq!(get(server.address(), "/metrics").0, 200);
}

#[test]
fn a_head_that_drips_or_is_huge_is_not_waited_for() {
    let server = open();
    let huge = |field: String| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n{field}", server.address());
        let mut stream = TcpStream::connect(server.address()).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
        // The server may hang up in the middle.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = [0; 12];
        let _ = stream.read_exact(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let long = huge(format!("X: {}", "x".repeat(1 << 20)));
    assert!(long.starts_with("HTTP/1.1 431") || long.starts_with('\0'), "{long:?}");
    let many = huge("A: b\r\n".repeat(10_000));
    assert!(many.starts_with("HTTP/1.1 431") || many.starts_with('\0'), "{many:?}");
    // A head that never ends is cut off in ten seconds, and costs a seat until then.
    let mut drip = TcpStream::connect(server.address()).expect("connect");
    drip.set_read_timeout(Some(listener::HEAD * 3)).expect("timeout");
    drip.write_all(b"GET / HT").expect("send");
    let ended = drip.read(&mut [0; 64]);
    let timed_out = ended.as_ref().err().is_some_and(|e| e.kind() == ErrorKind::WouldBlock);
    assert!(!timed_out, "still open after {:?}", listener::HEAD * 3);
}

#[test]
fn what_is_not_served_is_refused() {
    let server = open();
    let at = server.address();
    let line =
        |line: &str| ask(at, &format!("{line}\r\nHost: {at}\r\nConnection: close\r\n\r\n")).0;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        assert_eq!(line(&format!("{method} /metrics HTTP/1.1")), 405, "{method}");
    }
    assert_eq!(line("HEAD /metrics HTTP/1.1"), 200);
    for path in [
        "/../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/metrics/../../etc/passwd",
        "//etc/passwd",
        "/%00",
        "/metrics%00",
        "/api/v1/exposures/..",
        "/.git/config",
    ] {
        assert_eq!(line(&format!("GET {path} HTTP/1.1")), 404, "{path}");
    }
    for garbage in ["\0\u{1}\u{2}", "GET", "GET / HTTP/9.9", "\u{16}\u{3}\u{1}\0\u{5}hello"] {
        let mut stream = TcpStream::connect(at).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
        let _ = stream.write_all(format!("{garbage}\r\n\r\n").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{garbage:?}: {answer:?}");
    }
    // A name in the target counts as one in the field.
    assert_eq!(line("GET http://evil.example/metrics HTTP/1.1"), 421);
    let twice =
        format!("GET / HTTP/1.1\r\nHost: {at}\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(ask(at, &twice).0, 421);
    let (_, head, body) = get(at, "/");
    for said in
        ["frame-ancestors 'none'", "style-src 'self'", "script-src 'self'", "x-frame-options: deny"]
    {
        assert!(head.contains(said), "{said}: {head}");
    }
    assert!(!head.contains("unsafe-inline") && !body.contains("style="), "no style in the page");
}

#[test]
fn a_token_is_asked_for_and_cannot_be_guessed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = closed(&folder);
    let at = server.address();
    let (status, head) = with(at, "/metrics", "X: y");
    assert_eq!(status, 401);
    assert!(head.contains("www-authenticate: basic realm="), "{head}");
    for path in ["/", "/api/v1/exposures", "/nothing"] {
        assert_eq!(with(at, path, "X: y").0, 401, "{path}");
    }
    assert_eq!(with(at, "/healthz", "X: y").0, 200, "a probe has no token");
    assert_eq!(with(at, "/metrics", &format!("Authorization: Bearer {TOKEN}")).0, 200);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("any:{TOKEN}"));
    assert_eq!(with(at, "/", &format!("Authorization: Basic {basic}")).0, 200);
    let guesses = [&TOKEN[..31], "", "x", "0123456789ABCDEF0123456789ABCDEF"];
    for guess in guesses.iter().cycle().take(8) {
        assert_eq!(with(at, "/metrics", &format!("Authorization: Bearer {guess}")).0, 401);
    }
    // From now on not even the right one is checked, so that a guess reveals nothing.
    let (status, head) = with(at, "/metrics", &format!("Authorization: Bearer {TOKEN}"));
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: 10"), "{head}");
    assert_eq!(with(at, "/healthz", "X: y").0, 200);
}

#[test]
fn a_short_token_and_a_bad_certificate_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let refused = |result: Result<Access, ServeError>| result.err().expect("refused").to_string();
    let short = refused(Access::load(Some(&file("short", "secret\n")), None));
    assert!(short.contains("openssl rand") && !short.contains("secret"), "{short}");
    let absent = refused(Access::load(Some(&folder.path().join("absent")), None));
    assert!(absent.contains("absent"), "{absent}");
    let (chain, key) = (file("chain", "no PEM"), file("key", "no PEM"));
    let bad = refused(Access::load(None, Some((&chain, &key))));
    assert!(bad.contains("chain") && bad.contains("PEM"), "{bad}");
}

#[test]
fn answers_come_over_tls_where_a_certificate_was_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (chain, key) = (folder.path().join("chain"), folder.path().join("key"));
    std::fs::write(&chain, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let access = Access::load(None, Some((&chain, &key))).expect("a certificate");
    let server = Server::start(local(), board(), access).expect("start");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(server.address()).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    let mut tls = rustls::StreamOwned::new(client, stream);
    tls.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("send");
    let mut answer = Vec::new();
    // The end without close_notify is an error of its own.
    let _ = tls.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));

    // In cleartext nothing is answered, and silence in the handshake keeps no other client out.
    let mut plain = TcpStream::connect(server.address()).expect("connect");
    plain.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    plain.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("send");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(4).any(|w| w == b"HTTP"), "{answer:?}");
}
