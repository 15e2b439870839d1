//! Receivers of a live run: it captures on while they are away, and reaches them from inside its sandbox.

use super::lab::{PATIENCE, Sensor, TestHarness, inside};
use super::{ACK, admission, finding, send, serve};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::mpsc::channel;

#[test]
fn a_sensor_in_its_sandbox_delivers_to_a_receiver_that_was_away() {
    let Some(lab) = TestHarness::new() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let spool = folder.path().join("spool").display().to_string();
    let outputs =
        ["stdout", "syslog:tcp://127.0.0.1:5140,name=siem", "syslog:tcp://127.0.0.1:5141"];
    let mut more: Vec<&str> = outputs.iter().flat_map(|output| ["--output", *output]).collect();
    more.extend(["--spool", &spool]);
    let mut sensor = Sensor::start(&lab, &["span0"], &more);
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let (_feed, _) = send(&lab, hl7, admission(77_041, "Featherstonehaugh", 400));
    let (_, first) = sensor.event(finding);
    sensor.message("output siem: ");
    sensor.counts("events wait for it", |metrics| {
        let of = |name| metrics.value(name, &[("output", "siem")]);
        of("phitap_output_failures_total") > Some(0.0)
            && of("phitap_output_backlog_bytes") > Some(500.0)
    });

    let (got, received) = channel();
    inside(&lab.server, move || {
        let listener = TcpListener::bind("127.0.0.1:5140").expect("listen");
        let (mut stream, _) = listener.accept().expect("connection");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        got.send(text).expect("sent");
    });
    sensor.message("output siem: events are delivered again");
    let (status, events, said) = sensor.stop(rustix::process::Signal::TERM);
    assert!(status.success(), "{said:#?}");
    assert!(
        said.iter()
            .any(|line| line.contains("output syslog") && line.contains("wait in the spool"))
    );
    let text = received.recv_timeout(PATIENCE).expect("messages");
    let id = first["event"]["id"].as_str().expect("an id");
    assert!(text.contains(id), "what came while it was away: {text}");
    let findings = events.iter().filter(|event| finding(event)).count();
    assert_eq!(text.matches("\"action\":\"phi-finding\"").count(), findings);
    assert_eq!(text.matches("\"action\":\"run-summary\"").count(), 1);
}

#[test]
fn a_sensor_can_connect_to_the_ports_of_its_outputs_only() {
    use phitap::sandbox::Sandbox;
    let Some(lab) = TestHarness::new() else { return };
    // In a thread: what is given up is given up by it alone.
    let tried = inside(&lab.server, || {
        let allowed = TcpListener::bind("127.0.0.1:0").expect("port");
        let refused = TcpListener::bind("127.0.0.1:0").expect("port");
        let (allowed, refused) =
            (allowed.local_addr().expect("address"), refused.local_addr().expect("address"));
        let connects = Some(vec![allowed.port()]);
        let in_force = Sandbox { connects, ..Sandbox::default() }.enter().expect("sandbox");
        let connect = |to| std::net::TcpStream::connect(to).err().map(|error| error.kind());
        (in_force, connect(allowed), connect(refused))
    });
    let (in_force, allowed, refused) = tried.join().expect("thread");
    // Their listeners are gone when they are asked for, but a port that is not allowed is not even asked.
    assert_ne!(allowed, Some(std::io::ErrorKind::PermissionDenied));
    if in_force.contains("no landlock") || !knows_ports() {
        println!("LEFT OUT: this kernel does not restrict connections");
        return;
    }
    assert_eq!(refused, Some(std::io::ErrorKind::PermissionDenied), "{in_force}");
}

/// Landlock restricts connections from Linux 6.7 on.
fn knows_ports() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("release");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(7))
}
