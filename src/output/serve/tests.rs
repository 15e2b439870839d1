//! Real requests over loopback.

use super::*;
use crate::exposure::samples::{KEY, hl7, http};
use crate::exposure::{Exposures, Settings};
use crate::output::Output as _;
use crate::output::SensorHealth;
use crate::output::dashboard::MAX_ROWS;
use crate::output::metrics::Metrics;
use crate::protocol::Interface;
use crate::rules::ServiceKind;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

const PACS: &str = ServiceKind::Pacs.as_str();

fn tracker(observe_patients: bool) -> Exposures {
    Exposures::new(Settings {
        home: Default::default(),
        idle: crate::time::Span::seconds(60),
        update: crate::time::Span::seconds(60),
        forget: crate::time::Span::seconds(30 * 86_400),
        key: KEY,
        severity: Default::default(),
        suppressions: Default::default(),
        access: Default::default(),
        detail: crate::config::Detail::Flows,
        memory: 1 << 20,
        observe_patients,
    })
}

pub(super) fn dashboard() -> Arc<Dashboard> {
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let mut dashboard = Arc::new(Dashboard::new(metrics, Arc::new(SensorHealth::new(None))));
    dashboard.metrics().packets(1234, 56_789);
    let mut exposures = tracker(true);
    let mut events = Vec::new();
    exposures.finding(hl7(1).build(), &mut events);
    let mut portal = http(2);
    let shown = Interface { kind: ServiceKind::Pacs, product: "<own> archive".into(), open: true };
    portal.facts.interfaces.push(shown);
    exposures.finding(portal.build(), &mut events);
    for event in &events {
        dashboard.event(event).expect("memory");
    }
    for observation in exposures.take_observations() {
        dashboard.observation(&observation).expect("memory");
    }
    dashboard
}

pub(super) fn local() -> SocketAddr {
    "127.0.0.1:0".parse().expect("address")
}

/// Status, head and body.
pub(super) fn ask(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("timeout");
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("receive");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
    (status, head.to_lowercase(), body.to_owned())
}

pub(super) fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    ask(address, &request)
}

#[test]
fn serves_metrics_health_page_and_api() {
    let dashboard = dashboard();
    let server = Server::start(local(), Arc::clone(&dashboard), Access::default()).expect("start");
    let at = server.address();

    let (status, head, body) = get(at, "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("phitap_packets_total 1234\n"), "{body}");

    let (status, _, body) = get(at, "/healthz");
    let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &health["status"]), (200, &"ok".into()));
    assert!(health["last_packet_age_seconds"].is_null() && health["uptime_seconds"].is_number());
    dashboard.packets_seen();
    let health: serde_json::Value = serde_json::from_str(&get(at, "/healthz").2).expect("JSON");
    assert!(health["last_packet_age_seconds"].as_f64().is_some_and(|age| age < 10.0));

    let (status, _, body) = get(at, "/readyz");
    let readiness: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &readiness["status"]), (503, &"not ready".into()));
    assert_eq!(readiness["problems"][0]["check"], "start", "{body}");
    dashboard.sensor().capturing();
    assert_eq!(get(at, "/readyz").2, r#"{"status":"ready","problems":[]}"#);
    assert_eq!(get(at, "/readyz").0, 200);

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
    assert!(
        head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
        "{head}"
    );
    assert!(!head.contains("unsafe-inline"), "{head}");
    // The page itself is the same whatever was seen; it asks for the model.
    assert!(!body.contains("203.0.113.9") && body.contains("app.js"), "{body}");
    for (path, kind) in [("/app.js", "text/javascript"), ("/app.css", "text/css")] {
        let (status, head, body) = get(at, path);
        assert_eq!(status, 200);
        assert!(head.contains(kind) && body.len() > 1_000, "{head}");
    }
    let model: serde_json::Value = serde_json::from_str(&get(at, "/api/v1/page").2).expect("JSON");
    let exposures = model["exposures"].as_array().expect("list");
    assert_eq!((exposures.len(), &model["live"]["packets"]), (2, &1234.into()));
    assert!(model.get("findings").is_none() && model["until"].is_u64());
    let id = exposures[0]["phi"]["exposure"]["id"].as_str().expect("an id");
    let shown: serde_json::Value =
        serde_json::from_str(&get(at, &format!("/api/v1/findings/{id}")).2).expect("JSON");
    let finding = &shown["findings"][0];
    assert!(finding["identifiers"][0]["value"].as_str().is_some_and(|v| v.contains('*')));
    let none = get(at, "/api/v1/findings/%3Cscript%3E").2;
    assert_eq!(none, r#"{"findings":[]}"#);

    assert_eq!(get(at, "/nothing").0, 404);
    let post = format!("POST /metrics HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    assert_eq!(ask(at, &post).0, 405);

    dashboard.stopping();
    let (status, _, body) = get(at, "/healthz");
    assert_eq!(status, 503);
    assert!(body.contains("stopping"), "{body}");

    server.stop();
    assert!(TcpStream::connect(at).is_err(), "nobody listens any more");
}

#[test]
fn a_name_that_was_pointed_here_is_refused() {
    let server = Server::start(local(), dashboard(), Access::default()).expect("start");
    let with = |host: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        ask(server.address(), &request).0
    };
    assert_eq!(with("evil.example:9187"), 421);
    assert_eq!(with("localhost:9187"), 200);
    assert_eq!(with("[::1]:9187"), 200);
}

#[test]
fn a_port_in_use_is_reported_with_the_remedy() {
    let server = Server::start(local(), dashboard(), Access::default()).expect("start");
    let error = Server::start(server.address(), dashboard(), Access::default())
        .err()
        .expect("in use")
        .to_string();
    assert!(error.contains(&server.address().to_string()), "{error}");
    assert!(error.contains("choose another port"), "{error}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn stopping_does_not_wait_for_a_silent_client() {
    let server = Server::start(local(), dashboard(), Access::default()).expect("start");
    let mut silent = TcpStream::connect(server.address()).expect("connect");
    silent.write_all(b"GET /metr").expect("send");
    // An answer on another connection says that the first was accepted too.
    assert_eq!(get(server.address(), "/healthz").0, 200);
    let before = Instant::now();
    server.stop();
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
}

#[test]
fn the_table_is_capped_and_ended_exposures_go_first() {
    let mut dashboard = dashboard();
    let mut exposures = tracker(false);
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
        dashboard.event(event).expect("memory");
    }
    let rows = dashboard.rows();
    assert_eq!(rows.len(), MAX_ROWS);
    assert_eq!(rows.iter().filter(|r| r.state == "open").count(), 2, "the open ones stay");
}

/// The next message of a stream.
fn message(stream: &mut impl std::io::BufRead) -> serde_json::Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).expect("a line") > 0, "the stream has ended");
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str(data).expect("JSON");
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a_stream_sends_what_changed_once_a_second_however_much_that_is() {
    let mut dashboard = dashboard();
    let server = Server::start(local(), Arc::clone(&dashboard), Access::default()).expect("start");
    let at = server.address();
    let mut stream = TcpStream::connect(at).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("timeout");
    let request = format!("GET /api/v1/stream?since=0 HTTP/1.1\r\nHost: {at}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("send");
    let mut stream = std::io::BufReader::new(stream);
    let first = message(&mut stream);
    assert_eq!(first["exposures"].as_array().map(Vec::len), Some(2));
    let findings = first["live"]["findings"].as_u64().expect("a count");

    // A burst of findings is one message.
    let mut events = Vec::new();
    let mut exposures = Exposures::new(Settings {
        home: Default::default(),
        idle: crate::time::Span::seconds(60),
        update: crate::time::Span::seconds(60),
        forget: crate::time::Span::seconds(86_400),
        key: KEY,
        severity: Default::default(),
        suppressions: Default::default(),
        access: Default::default(),
        detail: crate::config::Detail::Flows,
        memory: 1 << 24,
        observe_patients: true,
    });
    for patient in 100..3_100 {
        exposures.finding(hl7(patient).build(), &mut events);
    }
    let begun = Instant::now();
    for event in &events {
        dashboard.event(event).expect("memory");
    }
    for observation in exposures.take_observations() {
        dashboard.observation(&observation).expect("memory");
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "keeps up with findings");
    let mut seen = 0;
    for _ in 0..10 {
        seen = message(&mut stream)["live"]["findings"].as_u64().expect("a count");
        if seen == findings + 3_000 {
            break;
        }
    }
    assert_eq!(seen, findings + 3_000);
    dashboard.stopping();
    while message(&mut stream)["live"]["status"] != "stopping" {}
    server.stop();
}
