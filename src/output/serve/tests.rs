//! Real requests over loopback.

use super::*;
use crate::exposure::samples::{KEY, hl7, http};
use crate::exposure::{Exposures, Settings};
use crate::output::Output as _;
use crate::output::dashboard::MAX_ROWS;
use crate::output::metrics::Metrics;
use crate::protocol::Interface;
use crate::rules::ServiceKind;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

const PACS: &str = ServiceKind::Pacs.as_str();

fn board() -> Arc<Dashboard> {
    let mut board = Arc::new(Dashboard::new(Arc::new(Metrics::new().expect("metrics"))));
    board.metrics().packets(1234, 56_789);
    let mut exposures = Exposures::new(Settings {
        home: Default::default(),
        idle: crate::time::Span::seconds(60),
        key: KEY,
        severity: Default::default(),
        suppressions: Default::default(),
        access: Default::default(),
        detail: crate::config::Detail::Flows,
        memory: 1 << 20,
        sightings: false,
    });
    let mut events = Vec::new();
    exposures.finding(hl7(1).build(), &mut events);
    let mut portal = http(2);
    let shown = Interface { kind: ServiceKind::Pacs, product: "<own> archive".into(), open: true };
    portal.facts.interfaces.push(shown);
    exposures.finding(portal.build(), &mut events);
    for event in &events {
        board.event(event).expect("memory");
    }
    board
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().expect("address")
}

/// Status, head and body.
fn ask(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("receive");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
    (status, head.to_lowercase(), body.to_owned())
}

fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    ask(address, &request)
}

#[test]
fn serves_metrics_health_page_and_api() {
    let board = board();
    let server = Server::start(local(), Arc::clone(&board)).expect("start");
    let at = server.address();

    let (status, head, body) = get(at, "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("phitap_packets_total 1234\n"), "{body}");

    let (status, _, body) = get(at, "/healthz");
    let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &health["status"]), (200, &"ok".into()));
    assert!(health["last_packet_age_seconds"].is_null() && health["uptime_seconds"].is_number());
    board.packets_seen();
    let health: serde_json::Value = serde_json::from_str(&get(at, "/healthz").2).expect("JSON");
    assert!(health["last_packet_age_seconds"].as_f64().is_some_and(|age| age < 10.0));

    let (status, head, body) = get(at, "/api/v1/exposures");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    let rows: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let rows = rows["exposures"].as_array().expect("list");
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["client"], &rows[0]["score"]), (&"203.0.113.9".into(), &100.into()));
    assert_eq!(rows[1]["credentials_in_clear"], true);
    assert_eq!(rows[1]["open"], serde_json::json!([format!("{PACS} (<own> archive)")]));

    let (status, head, body) = get(at, "/");
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(body.contains("203.0.113.9") && body.contains("10.1.2.9:2575"), "{body}");
    assert!(body.contains(&format!("{PACS} (&lt;own&gt; archive)")), "{body}");
    // Nothing from the wire but addresses: no names of applications or hosts, no masked values.
    for text in ["REGADT", "portal.example", "/patients", "M***", "p_", "i_"] {
        assert!(!body.contains(text), "{text}");
    }

    assert_eq!(get(at, "/nothing").0, 404);
    let post = format!("POST /metrics HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    assert_eq!(ask(at, &post).0, 405);

    board.stopping();
    let (status, _, body) = get(at, "/healthz");
    assert_eq!(status, 503);
    assert!(body.contains("stopping"), "{body}");

    server.stop();
    assert!(TcpStream::connect(at).is_err(), "nobody listens any more");
}

#[test]
fn a_name_that_was_pointed_here_is_refused() {
    let server = Server::start(local(), board()).expect("start");
    let with = |host: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        ask(server.address(), &request).0
    };
    assert_eq!(with("evil.example:9187"), 421);
    assert_eq!(with("localhost:9187"), 200);
    assert_eq!(with("[::1]:9187"), 200);
}

#[test]
fn a_port_in_use_is_told_with_the_remedy() {
    let server = Server::start(local(), board()).expect("start");
    let error = Server::start(server.address(), board()).err().expect("in use").to_string();
    assert!(error.contains(&server.address().to_string()), "{error}");
    assert!(error.contains("choose another port"), "{error}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn stopping_does_not_wait_for_a_silent_client() {
    let server = Server::start(local(), board()).expect("start");
    let mut silent = TcpStream::connect(server.address()).expect("connect");
    silent.write_all(b"GET /metr").expect("send");
    // An answer on another connection says that the first was accepted too.
    assert_eq!(get(server.address(), "/healthz").0, 200);
    let before = Instant::now();
    server.stop();
    assert!(before.elapsed() < GRACE * 3, "{:?}", before.elapsed());
}

#[test]
fn the_table_is_capped_and_ended_exposures_go_first() {
    let mut board = board();
    let mut exposures = Exposures::new(Settings {
        home: Default::default(),
        idle: crate::time::Span::seconds(60),
        key: KEY,
        severity: Default::default(),
        suppressions: Default::default(),
        access: Default::default(),
        detail: crate::config::Detail::Flows,
        memory: 1 << 20,
        sightings: false,
    });
    let mut events = Vec::new();
    let servers: Vec<String> =
        (0..MAX_ROWS).map(|n| format!("10.9.{}.{}:104", n / 250, n % 250)).collect();
    for server in servers {
        let mut d = crate::exposure::samples::Sample::default().build();
        d.flow.server = server.parse().expect("address");
        exposures.finding(d, &mut events);
        exposures.finish(crate::exposure::samples::T0, &mut events);
    }
    for event in &events {
        board.event(event).expect("memory");
    }
    let rows = board.rows();
    assert_eq!(rows.len(), MAX_ROWS);
    assert_eq!(rows.iter().filter(|r| r.state == "open").count(), 2, "the open ones stay");
}
