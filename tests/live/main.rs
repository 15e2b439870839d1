//! Live captures on a veth pair: timely alerts, metrics, signals, interfaces that come and go, and
//! every packet accounted for.

// The tests use the system clock, and must report what was skipped.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

#[path = "../common/ending.rs"]
mod ending;
#[path = "../common/exposition.rs"]
mod exposition;
mod lab;
// Other test programs use the rest.
#[cfg(feature = "nats")]
#[allow(dead_code)]
#[path = "../common/nats.rs"]
mod nats;
mod outputs;
#[cfg(feature = "nats")]
#[allow(dead_code)]
#[path = "../common/ports.rs"]
mod ports;
mod rates;
mod receivers;
mod rings;
mod sensor;
mod wire;

use ending::{Bounded as _, client};
/// The root of the project.
#[cfg(feature = "nats")]
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

use lab::{PATIENCE, PHITAP, Sensor, TestHarness, inside};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest time from the last byte of a record to its alert: a second normally, much more on a busy
/// machine. The alert must not wait for the end of the flow or of the run.
const ALERT_WITHIN: Duration = Duration::from_secs(60);
/// Longest time that a run takes to end here. Users' builds have a limit of five seconds; without a
/// limit it would take for ever.
const END_WITHIN: Duration = Duration::from_secs(120);
/// Largest difference between the clocks of events and test, seconds.
const APART: f64 = 120.0;

/// An HL7 v2 message of an invented patient, in MLLP.
fn admission(id: u32, family: &str, notes: usize) -> Vec<u8> {
    let mut message = format!(
        "\x0bMSH|^~\\&|WARD|NORTH|EHR|NORTH|20260301101502||ADT^A01|M{id}|P|2.5\r\
         EVN|A01|20260301101502\r\
         PID|1||{id}^^^NORTH^MR||{family}^Ottilie||19620718|F|||12 Linden Way^^Farfield^^4711\r\
         PV1|1|I|3E^12^A\r"
    );
    for line in 0..notes {
        message
            .push_str(&format!("NTE|{line}|L|resting comfortably, no change since last round\r"));
    }
    message.push_str("\x1c\r");
    message.into_bytes()
}

const ACK: &[u8] =
    b"\x0bMSH|^~\\&|EHR|NORTH|WARD|NORTH|20260301101503||ACK|A1|P|2.5\rMSA|AA|M1\r\x1c\r";

/// A FHIR patient as a server's response.
fn patient() -> String {
    let body = r#"{"resourceType":"Patient","id":"p7","identifier":[{"system":"urn:oid:1.2.36.1","value":"884-2210"}],"name":[{"family":"Quillfeather","given":["Bram"]}],"gender":"male","birthDate":"1971-11-30"}"#;
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Serves one connection on `port` of the server. It answers `answer` after a request that ends
/// with `end`, and keeps the connection open until the client closes it.
fn serve(
    lab: &TestHarness,
    host: &str,
    port: u16,
    end: &'static [u8],
    answer: Vec<u8>,
) -> SocketAddr {
    let address: SocketAddr = format!("{host}:{port}").parse().expect("address");
    let (ready, listens) = channel();
    inside(&lab.server, move || {
        let listener = TcpListener::bind(address).expect("listen");
        ready.send(()).expect("ready");
        let mut stream = client(&listener);
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let (mut request, mut piece) = (Vec::new(), [0; 65536]);
        loop {
            let n = stream.read(&mut piece).unwrap_or(0);
            if n == 0 {
                break;
            }
            request.extend_from_slice(&piece[..n]);
            if request.ends_with(end) {
                stream.write_all(&answer).expect("answer");
                request.clear();
            }
        }
    });
    listens.recv_timeout(PATIENCE).expect("server listens");
    address
}

/// Sends `request` from the client. Returns the connection and when the last byte was sent.
fn send(lab: &TestHarness, to: SocketAddr, request: Vec<u8>) -> (TcpStream, Instant) {
    let work = move || {
        let mut stream = TcpStream::connect(to).expect("connect");
        stream.write_all(&request).expect("request");
        (stream, Instant::now())
    };
    inside(&lab.client, work).join().expect("client")
}

fn finding(event: &Value) -> bool {
    event["event"]["action"] == "phi-finding"
}

/// A count, or the sum of counts.
pub fn count(value: &Value) -> u64 {
    match value {
        Value::Number(n) => n.as_u64().expect("a count"),
        Value::Object(map) => map.values().map(count).sum(),
        Value::Null => 0,
        other => panic!("no count: {other}"),
    }
}

/// The last event, checked: every packet accounted for.
pub fn summary(events: &[Value]) -> &Value {
    let last = events.last().expect("events");
    assert_eq!(last["event"]["action"], "run-summary", "{last}");
    let packets = &last["phi"]["run"]["packets"];
    let known =
        count(&packets["decoded"]) + count(&packets["skipped"]) + count(&packets["dropped"]);
    assert_eq!(count(&packets["read"]), known, "{packets}");
    &last["phi"]["run"]
}

#[test]
fn alerts_come_while_it_runs_and_the_end_is_orderly() {
    let Some(lab) = TestHarness::new() else { return };
    let mut sensor = Sensor::start(&lab, &["span0"], &[]);

    // A long message, so that offloaded segments arrive in pieces of up to 64 KiB.
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let (feed, sent) = send(&lab, hl7, admission(77_041, "Featherstonehaugh", 4000));
    let (came, alert) = sensor.event(finding);
    assert!(came.duration_since(sent) < ALERT_WITHIN, "{:?}", came.duration_since(sent));
    assert_eq!(alert["network"]["protocol"], "hl7", "{alert}");
    assert_eq!(alert["server"]["port"], 2575);
    assert_eq!(alert["client"]["ip"], "198.51.0.2");
    assert_eq!(alert["observer"]["ingress"]["interface"]["name"], "span0");
    assert!(!alert.to_string().contains("Featherstonehaugh"));
    assert!(seconds_ago(&alert).abs() < APART, "packet time is the clock's: {alert}");

    let http = serve(&lab, "198.51.0.1", 8080, b"\r\n\r\n", patient().into_bytes());
    let request = b"GET /fhir/Patient/p7 HTTP/1.1\r\nHost: ehr\r\n\r\n".to_vec();
    let (page, sent) = send(&lab, http, request);
    let (came, alert) = sensor.event(|e| finding(e) && e["network"]["protocol"] == "http");
    assert!(came.duration_since(sent) < ALERT_WITHIN, "{:?}", came.duration_since(sent));
    assert_eq!(alert["phi"]["direction"], "server_to_client", "{alert}");

    let (status, health) = sensor.get("/healthz");
    assert_eq!(status, 200, "{health}");
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert!(health["last_packet_age_seconds"].as_f64().expect("packets came") < APART, "{health}");
    sensor.counts("what was found", |metrics| {
        metrics.sum("phitap_packets_total") > 10.0 && metrics.sum("phitap_findings_total") >= 2.0
    });
    let (status, text) = sensor.get("/metrics");
    assert_eq!(status, 200);
    exposition::promtool(&text);
    let metrics = exposition::parse(&text);
    for stage in ["kernel", "interface", "queue"] {
        let dropped = metrics.value("phitap_packets_dropped_total", &[("stage", stage)]);
        assert_eq!(dropped, Some(0.0), "{stage}: {text}");
    }

    // Packets must not end up in a core file.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", sensor.id())).expect("limits");
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).expect("core limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");

    let (status, events, said) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    let run = summary(&events);
    assert_eq!(count(&run["findings"]), 2, "{run}");
    let exposures = |state: &str| {
        let is = |e: &&Value| e["phi"]["exposure"]["state"] == state;
        let mut ids: Vec<&str> =
            events.iter().filter(is).filter_map(|e| e["event"]["id"].as_str()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(exposures("open").len(), 2);
    assert_eq!(exposures("open"), exposures("ended"), "each exposure ends once");
    drop((feed, page));
}

/// How long ago an event says it was.
fn seconds_ago(event: &Value) -> f64 {
    let stamp = event["@timestamp"].as_str().expect("time");
    let (date, clock) = stamp.trim_end_matches('Z').split_once('T').expect("RFC 3339");
    let date: Vec<u16> = date.split('-').map(|n| n.parse().expect("number")).collect();
    let clock: Vec<f64> = clock.split(':').map(|n| n.parse().expect("number")).collect();
    let ordinal = time::Date::from_calendar_date(
        i32::from(date[0]),
        u8::try_from(date[1]).ok().and_then(|m| m.try_into().ok()).expect("month"),
        u8::try_from(date[2]).expect("day"),
    );
    let days = ordinal.expect("date").to_julian_day() - 2_440_588;
    let stamp = f64::from(days) * 86_400.0 + clock[0] * 3600.0 + clock[1] * 60.0 + clock[2];
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64() - stamp
}

#[test]
fn what_came_before_a_signal_is_still_reported() {
    let Some(lab) = TestHarness::new() else { return };
    let sensor = Sensor::start(&lab, &["span0"], &[]);
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let (feed, _) = send(&lab, hl7, admission(5_120, "Umber", 0));
    // The packets are now in the kernel's ring, mostly unread.
    let (status, events, said) = sensor.stop(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert_eq!(count(&summary(&events)["findings"]), 1, "{events:#?}");
    drop(feed);
}

/// A thread that parses may make few system calls, and the kernel chooses the thread that handles a signal.
#[test]
fn a_signal_that_a_parsing_thread_handles_ends_the_run_too() {
    for signal in [Signal::INT, Signal::TERM] {
        let Some(lab) = TestHarness::new() else { return };
        let sensor =
            Sensor::start(&lab, &["span0"], &["--workers", "2", "--filter", "udp port 9999"]);
        sensor.signal_thread("worker-1", signal);
        let (status, _, said) = sensor.end();
        // 3: there were no packets.
        assert_eq!(status.code(), Some(3), "{signal:?}: {said:#?}");
    }
}

#[test]
fn a_run_without_packets_ends_today_and_is_no_all_clear() {
    let Some(lab) = TestHarness::new() else { return };
    let sensor = Sensor::start(&lab, &["span0"], &["--filter", "tcp port 1"]);
    let (status, events, _) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(3));
    assert_eq!(count(&summary(&events)["packets"]["read"]), 0);
    assert!(seconds_ago(events.last().expect("summary")).abs() < APART, "{events:?}");
}

#[test]
fn every_interface_is_read_and_events_name_it() {
    let Some(lab) = TestHarness::new() else { return };
    lab.plug(1);
    let mut sensor = Sensor::start(&lab, &["span0", "span1"], &[]);
    let mut open = Vec::new();
    for (n, id) in [(1, 301), (0, 300)] {
        let host = format!("198.51.{n}.1");
        let hl7 = serve(&lab, &host, 2575, b"\x1c\r", ACK.to_vec());
        open.push(send(&lab, hl7, admission(id, "Vermilion", 0)));
        let (_, alert) = sensor.event(finding);
        assert_eq!(alert["server"]["ip"], host, "{alert}");
        assert_eq!(alert["observer"]["ingress"]["interface"]["name"], format!("span{n}"));
    }
    let (status, events, _) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(0));
    assert_eq!(summary(&events)["inputs"]["total"], 2);
}

#[test]
fn an_interface_that_goes_is_said_once_and_read_again_when_it_is_back() {
    let Some(lab) = TestHarness::new() else { return };
    let mut sensor = Sensor::start(&lab, &["span0"], &[]);
    lab::ip(&["-n", &lab.client, "link", "set", "far0", "down"]);
    sensor.message("it has no link");
    lab::ip(&["-n", &lab.client, "link", "set", "far0", "up"]);
    sensor.message("span0 has a link again");
    lab.pull(0);
    sensor.message("waiting for it to come back");
    // Time enough to repeat the message, which it must not.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(sensor.get("/healthz").0, 200);
    lab.plug(0);
    sensor.message("span0 is back");
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let (feed, _) = send(&lab, hl7, admission(62, "Cerulean", 0));
    sensor.event(finding);
    let (status, events, said) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(0));
    assert_eq!(said.iter().filter(|l| l.contains("waiting for it")).count(), 1, "{said:#?}");
    summary(&events);
    drop(feed);
}

/// Datagrams of a flood; more than the ring and the queues hold.
const FLOOD: u64 = 400_000;

/// Sends `FLOOD` datagrams of `size` bytes to port 9999 at full speed. Returns how many were sent.
fn flood(lab: &TestHarness, size: usize) -> u64 {
    let work = move || {
        let socket = UdpSocket::bind("198.51.0.2:0").expect("socket");
        socket.connect("198.51.0.1:9999").expect("address");
        // No program listens, so some sends fail with an ICMP error.
        (0..FLOOD).filter(|_| socket.send(&vec![7; size]).is_ok()).count() as u64
    };
    inside(&lab.client, work).join().expect("flood")
}

#[test]
fn what_the_kernel_loses_is_counted_and_no_packet_is_unaccounted_for() {
    let Some(lab) = TestHarness::new() else { return };
    let sensor = Sensor::start(&lab, &["span0"], &["--filter", "udp port 9999"]);
    // While it is paused, the kernel's ring overflows.
    sensor.signal(Signal::STOP);
    let sent = flood(&lab, 400);
    sensor.signal(Signal::CONT);
    let (status, events, said) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    let packets = &summary(&events)["packets"];
    assert!(count(&packets["lost"]["kernel"]) > 0, "{sent} sent: {packets}");
    let known = count(&packets["read"]) + count(&packets["lost"]);
    // A send that failed with an earlier one's error was not sent.
    assert!((sent..=FLOOD).contains(&known), "{sent} sent: {packets}");
}

/// Requests `/readyz` until its status is `status`. Returns the answer.
fn readiness(sensor: &Sensor, status: u16) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let (now, body) = sensor.get("/readyz");
        if now == status {
            return serde_json::from_str(&body).expect("JSON");
        }
        assert!(Instant::now() < until, "{now}: {body}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until `/readyz` names a problem of this kind, and returns it.
fn problem(sensor: &Sensor, check: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, body) = sensor.get("/readyz");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let problems = answer["problems"].as_array().into_iter().flatten();
        if let Some(found) = problems.into_iter().find(|problem| problem["check"] == check) {
            assert_eq!(status, 503, "{body}");
            return found.clone();
        }
        assert!(Instant::now() < until, "no problem of {check}: {body}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stalled_reader_stops_no_detection_and_is_reported() {
    let Some(lab) = TestHarness::new() else { return };
    let mut sensor = Sensor::start_unread(&lab, &["span0"], &["--filter", "port 2575"]);
    readiness(&sensor, 200);
    // More events than a pipe holds.
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let family = |n: u32| format!("Tester{}", char::from(b'a' + (n % 26) as u8));
    const PATIENTS: u32 = 400;
    let feed = (0..PATIENTS).flat_map(|n| admission(10_000 + n * 7, &family(n), 0)).collect();
    let (feed, _) = send(&lab, hl7, feed);
    problem(&sensor, "output");
    assert_eq!(sensor.get("/healthz").0, 200, "it is alive");
    sensor.counts("detection goes on", |metrics| {
        let waiting = metrics.value("phitap_output_backlog_bytes", &[("output", "ecs")]);
        metrics.value("phitap_ready", &[]) == Some(0.0)
            && waiting > Some(0.0)
            && metrics.sum("phitap_findings_total") == f64::from(PATIENTS)
    });
    let metrics = exposition::parse(&sensor.get("/metrics").1);
    assert_eq!(metrics.sum("phitap_packets_dropped_total"), 0.0);
    sensor.message("not ready: output ecs");
    sensor.read();
    readiness(&sensor, 200);
    let (status, events, said) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    let findings = events.iter().filter(|e| finding(e)).count();
    assert_eq!(findings, PATIENTS as usize, "each is written once it can be");
    drop(feed);
}

#[test]
fn a_reader_that_never_reads_does_not_hold_up_the_end() {
    let Some(lab) = TestHarness::new() else { return };
    let sensor = Sensor::start_unread(&lab, &["span0"], &["--filter", "port 2575"]);
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let feed = (0..400).flat_map(|n| admission(10_000 + n * 7, "Testerling", 0)).collect();
    let (feed, _) = send(&lab, hl7, feed);
    // More than a pipe holds.
    sensor.counts("events wait", |metrics| {
        metrics.value("phitap_output_backlog_bytes", &[("output", "ecs")]) > Some(0.0)
    });
    let before = Instant::now();
    let (status, said) = sensor.stop_unread(Signal::TERM);
    assert!(before.elapsed() < END_WITHIN, "{:?}", before.elapsed());
    assert_eq!(status.code(), Some(1), "{said:#?}");
    let lost = said.iter().any(|l| l.contains("its reader does not read"));
    assert!(lost, "{said:#?}");
    drop(feed);
}

#[test]
fn a_sensor_says_how_it_is_and_a_pulled_cable_makes_it_unready() {
    let Some(lab) = TestHarness::new() else { return };
    lab.plug(1);
    let more = ["--status-every", "1s", "--max-silence", "2s"];
    let mut sensor = Sensor::start(&lab, &["span0", "span1"], &more);
    let status = |event: &Value| event["event"]["action"] == "sensor-status";
    readiness(&sensor, 200);
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let (feed, _) = send(&lab, hl7, admission(77, "Viridian", 0));
    // Interface counters follow within a second.
    let counted = |e: &Value| count(&e["phi"]["sensor"]["interfaces"][0]["packets"]) > 0;
    let (_, healthy) =
        sensor.event(|e| status(e) && count(&e["phi"]["run"]["findings"]) == 1 && counted(e));
    let of = &healthy["phi"]["sensor"];
    assert_eq!(of["interfaces"][0]["name"], "span0", "{of}");
    assert!(count(&of["resident_bytes"]) > 1 << 20, "{of}");
    assert!(seconds_ago(&healthy).abs() < APART, "{healthy}");
    // Silence on an interface that had traffic.
    let silent = problem(&sensor, "packets");
    assert_eq!(silent["subject"], "span0", "not one that never had any: {silent}");
    sensor.message("not ready: packets span0");
    lab::ip(&["-n", &lab.client, "link", "set", "far1", "down"]);
    let (_, unready) = sensor.event(|e| {
        let problems = e["phi"]["sensor"]["problems"].as_array();
        problems.is_some_and(|p| p.iter().any(|p| p["check"] == "interface"))
    });
    assert_eq!(unready["phi"]["sensor"]["ready"], false);
    assert_eq!(sensor.get("/healthz").0, 200, "it is alive");
    // Interface counters follow those of the pipeline within a second.
    let until = Instant::now() + PATIENCE;
    loop {
        let metrics = exposition::parse(&sensor.get("/metrics").1);
        let up = |name| metrics.value("phitap_interface_up", &[("interface", name)]);
        assert_eq!((up("span0"), up("span1")), (Some(1.0), Some(0.0)));
        let read = |name| metrics.value("phitap_interface_packets_total", &[("interface", name)]);
        let read = (read("span0").unwrap_or(0.0), read("span1").unwrap_or(0.0));
        let all = metrics.value("phitap_packets_total", &[]).expect("packets");
        if read.0 > 0.0 && read.0 + read.1 == all {
            break;
        }
        assert!(Instant::now() < until, "{read:?} is not {all}");
        std::thread::sleep(Duration::from_millis(200));
    }
    lab::ip(&["-n", &lab.client, "link", "set", "far1", "up"]);
    sensor.message("span1 has a link again");
    let (status, ..) = sensor.stop(Signal::INT);
    assert_eq!(status.code(), Some(0));
    drop(feed);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let Some(lab) = TestHarness::new() else { return };
    let output = Command::new("ip")
        .args(["netns", "exec", &lab.server, PHITAP, "live", "-i", "span0", "-i", "nope7"])
        .stdin(Stdio::null())
        .finish();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nope7: cannot capture: there is no such interface"), "{said}");
    assert!(said.contains("span0"), "it names those that are there: {said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn without_permission_it_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    // Other users may have no access to the build folder.
    let folder = tempfile::tempdir().expect("folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open.clone()).expect("mode");
    let copy = folder.path().join("phitap");
    std::fs::copy(PHITAP, &copy).expect("copy");
    std::fs::set_permissions(&copy, open).expect("mode");
    let mut command = Command::new(copy);
    if rustix::process::geteuid().is_root() {
        const NOBODY: u32 = 65_534;
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.args(["live", "-i", "lo"]).stdin(Stdio::null()).finish();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("lo: cannot capture"), "{said}");
    assert!(said.contains("setcap cap_net_raw"), "{said}");
}

/// Events of one kind in a sensor's log, once there are `n`. Every line must be complete.
fn logged(log: &std::path::Path, n: usize) -> Vec<Value> {
    let until = Instant::now() + lab::PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|l| l.ends_with('\n'));
        let events: Vec<Value> =
            lines.map(|l| serde_json::from_str(l).expect("whole lines")).collect();
        let opened = events.iter().filter(|e| e["phi"]["exposure"]["state"] == "open");
        if opened.count() >= n {
            return events;
        }
        assert!(Instant::now() < until, "{n} exposures in {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_event_log_outlives_kills_restarts_and_rotation() {
    let Some(lab) = TestHarness::new() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let log = folder.path().join("events.json");
    let output = ["--output", log.to_str().expect("UTF-8")];
    let feed = |port| {
        let hl7 = serve(&lab, "198.51.0.1", port, b"\x1c\r", ACK.to_vec());
        send(&lab, hl7, admission(u32::from(port), "Featherstonehaugh", 0)).0
    };

    let sensor = Sensor::start(&lab, &["span0"], &output);
    let _open = feed(2575);
    logged(&log, 1);
    let killed = sensor.stop(Signal::KILL);
    assert_eq!(killed.0.code(), None);

    // The partial line that a kill may leave.
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).expect("log");
    std::io::Write::write_all(&mut file, b"{\"@timestamp\":\"2026-").expect("written");
    let sensor = Sensor::start(&lab, &["span0"], &output);
    let _second = feed(2576);
    logged(&log, 2);

    let old = folder.path().join("events.json.1");
    std::fs::rename(&log, &old).expect("renamed");
    let _third = feed(2577);
    let after = logged(&log, 1);
    assert!(after.iter().all(|e| e["server"]["port"] != 2576), "it is in the old file");
    let (status, ..) = sensor.stop(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    assert_eq!(logged(&log, 1).last().expect("summary")["event"]["action"], "run-summary");
    logged(&old, 2);
}
