//! Evidence kept by a sensor, the cost of a restart under load, and two interfaces through libpcap.

use super::*;
use crate::ending::Bounded as _;
use crate::exposition::Exposition;
use crate::wire::{Recording, Sending, send_recording};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Packets of an exposure, read again by `phitap replay`.
fn replayed(file: &std::path::Path) -> Vec<Value> {
    let run =
        Command::new(PHITAP).args(["replay", "--quiet", "--format", "json"]).arg(file).finish();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_evidence_of_an_exposure_replayed_alone_shows_it() {
    for backend in ["ring", "pcap"] {
        let Some(lab) = TestHarness::new() else { return };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().to_str().expect("UTF-8");
        let more = ["--evidence", path, "--backend", backend];
        let mut sensor = Sensor::start(&lab, &["span0"], &more);
        let warned = sensor.said.iter().any(|line| line.contains("its files hold patient data"));
        assert!(warned, "{:#?}", sensor.said);
        // Other traffic leaves no trace.
        let web = serve(&lab, "198.51.0.1", 8080, b"\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n".to_vec());
        let (page, _) = send(&lab, web, b"GET / HTTP/1.1\r\nHost: ehr\r\n\r\n".to_vec());
        let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
        let (feed, _) = send(&lab, hl7, admission(77_041, "Featherstonehaugh", 200));
        let (_, opened) = sensor.event(|e| e["event"]["action"] == "phi-exposure");
        let id = opened["event"]["id"].as_str().expect("an id").to_owned();
        drop((page, feed));
        let (status, events, said) = sensor.stop(Signal::TERM);
        assert_eq!(status.code(), Some(0), "{said:#?}");
        assert_eq!(count(&summary(&events)["findings"]), 1);
        let files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(files.len(), 1, "{backend}: {files:?}");
        let again = replayed(&folder.path().join(format!("{id}.pcapng")));
        let exposures: Vec<&Value> =
            again.iter().filter(|e| e["event"]["action"] == "phi-exposure").collect();
        assert_eq!(exposures.len(), 2, "{backend}: it opens and ends");
        assert_eq!(exposures[0]["server"], opened["server"]);
        assert_eq!(exposures[1]["phi"]["exposure"]["patients"], 1);
        // From the first packet of the connection on, before anything was found.
        let run = &again.last().expect("a summary")["phi"]["run"];
        assert_eq!(count(&run["streams"]["gap_bytes"]), 0, "{backend}: {run}");
    }
}

#[test]
fn evidence_goes_to_a_folder_that_is_there_and_only_live_keeps_it() {
    let refused = |arguments: &[&str], text: &str| {
        let run = Command::new(PHITAP).args(arguments).finish();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(text), "{said}");
    };
    refused(&["live", "-i", "lo", "--evidence", "/nowhere"], "there is no such folder");
    refused(&["replay", "a.pcap", "--evidence", "/tmp"], "phitap cut");
    refused(&["live", "-i", "lo", "--evidence-limit", "5m"], "name a folder");
    refused(&["live", "-i", "lo", "--evidence", "/tmp", "--encrypt-to", "age1x"], "--encrypt-to");
}

/// Findings that each of two runs must reach.
const ENOUGH: f64 = 300.0;

/// Sends messages over one connection until `stop` is set, and counts them.
fn feed(to: SocketAddr, sent: &AtomicU32, stop: &AtomicBool) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("connect");
    let mut answers = stream.try_clone().expect("the same connection");
    std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    while !stop.load(Ordering::Relaxed) {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        let family = format!("Tester{}", char::from(b'a' + (n % 26) as u8));
        stream.write_all(&admission(10_000 + n * 7, &family, 2)).expect("request");
        std::thread::sleep(Duration::from_millis(1));
    }
    stream
}

#[test]
fn a_restart_under_load_loses_what_came_in_between_and_no_packet_goes_unaccounted() {
    let Some(lab) = TestHarness::new() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let log = folder.path().join("events.json");
    let log = log.to_str().expect("UTF-8");
    let more = ["--output", log, "--filter", "port 2575"];
    let sensor = Sensor::start_unread(&lab, &["span0"], &more);
    readiness(&sensor, 200);
    let hl7 = serve(&lab, "198.51.0.1", 2575, b"\x1c\r", ACK.to_vec());
    let (sent, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let shared = (Arc::clone(&sent), Arc::clone(&stop));
    let sender = inside(&lab.client, move || feed(hl7, &shared.0, &shared.1));
    let enough = |metrics: &Exposition| metrics.sum("phitap_findings_total") >= ENOUGH;
    sensor.counts("findings of the first", enough);
    let (status, said) = sensor.stop_unread(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    // Some arrive while no sensor runs.
    let before = sent.load(Ordering::Relaxed);
    while sent.load(Ordering::Relaxed) < before + 50 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = Sensor::start_unread(&lab, &["span0"], &more);
    second.counts("findings of the second", enough);
    stop.store(true, Ordering::Relaxed);
    let stream = sender.join().expect("sent");
    let (status, said) = second.stop_unread(Signal::TERM);
    assert_eq!(status.code(), Some(0), "{said:#?}");
    drop(stream);

    let text = std::fs::read_to_string(log).expect("events");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a whole line")).collect();
    let runs: Vec<&Value> =
        events.iter().filter(|e| e["event"]["action"] == "run-summary").collect();
    assert_eq!(runs.len(), 2);
    let mut found = 0;
    for run in runs {
        let packets = &run["phi"]["run"]["packets"];
        assert_eq!(count(&packets["lost"]), 0, "nothing was lost while it ran: {packets}");
        assert_eq!(count(&packets["dropped"]), 0, "{packets}");
        let known = count(&packets["decoded"]) + count(&packets["skipped"]);
        assert_eq!(count(&packets["read"]), known, "{packets}");
        assert_eq!(count(&run["phi"]["run"]["streams"]["gap_bytes"]), 0, "{run}");
        found += count(&run["phi"]["run"]["findings"]);
    }
    // Each run's findings are consecutive: the second continues after the first, apart from what
    // came in between.
    let ids = |e: &Value| e["phi"]["patient"]["identifiers"].as_array().map(Vec::len);
    let findings = events.iter().filter(|e| finding(e)).filter(|e| ids(e).is_some()).count() as u64;
    assert_eq!(findings, found);
    let sent = u64::from(sent.load(Ordering::Relaxed));
    assert!(found >= 2 * ENOUGH as u64 && found < sent, "{found} of {sent}");
}

#[test]
fn two_interfaces_through_libpcap_are_one_timeline() {
    let Some(lab) = TestHarness::new() else { return };
    lab.plug(1);
    let hospital = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hospital.pcap");
    let recording = Recording::of(&hospital);
    let mut of_file = None;
    for split in [false, true] {
        let interfaces: &[&str] = if split { &["span0", "span1"] } else { &["span0"] };
        let sensor = Sensor::start(&lab, interfaces, &["--backend", "pcap"]);
        readiness(&sensor, 200);
        let rate = Some(20_000_000);
        let sent = send_recording(&lab, &recording, Sending { rate, split, ..Sending::ONCE });
        sensor.has_read(sent.packets);
        let (status, events, said) = sensor.stop(Signal::INT);
        assert!(matches!(status.code(), Some(0 | 3)), "{said:#?}");
        let run = summary(&events);
        assert_eq!(count(&run["packets"]["lost"]), 0, "{run}");
        let figures = [&run["patients"], &run["exposures"], &run["findings"], &run["records"]]
            .map(Value::to_string);
        let of_file = of_file.get_or_insert_with(|| figures.clone());
        assert_eq!(of_file, &figures, "split: {split}");
    }
}

/// The container image grants the capability as permitted, not as effective (`setcap
/// cap_net_raw=p`).
#[test]
fn the_program_of_the_image_captures_as_anybody_where_it_may_and_starts_where_it_may_not() {
    let Some(lab) = TestHarness::new() else { return };
    let folder = tempfile::tempdir().expect("folder");
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("mode");
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/Dockerfile");
    let image = std::fs::read_to_string(image).expect("Dockerfile");
    assert!(image.contains("setcap cap_net_raw=p /usr/bin/phitap"), "{image}");
    let program = folder.path().join("phitap");
    std::fs::copy(PHITAP, &program).expect("copied");
    // struct vfs_cap_data of revision 2 (capabilities(7)): CAP_NET_RAW is permitted.
    let granted = [0x0200_0000u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat();
    rustix::fs::setxattr(
        &program,
        "security.capability",
        &granted,
        rustix::fs::XattrFlags::empty(),
    )
    .expect("the file system keeps capabilities of files");
    let program = program.display().to_string();
    let run = |bounding: &str, more: &[&str]| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &lab.server, "setpriv", "--reuid=65534", "--regid=65534"]);
        command.args(["--clear-groups", "--inh-caps=-all", bounding]).args(more);
        command.stdin(Stdio::null()).output().expect("setpriv (package util-linux)")
    };
    let doctor = [program.as_str(), "doctor", "-i", "span0", "--format", "json"];
    let verdict = |bounding: &str| {
        let checks = run(bounding, &doctor).stdout;
        let checks: Value = serde_json::from_slice(&checks).expect("JSON");
        let all = checks["checks"].as_array().expect("checks");
        let of =
            |name| all.iter().find(|of| of["check"] == name).expect("a check")["verdict"].clone();
        let rings = all.iter().find(|of| of["check"] == "kernel-ring");
        (of("interface"), of("rights"), rings.map(|of| of["verdict"].clone()))
    };
    // An interface without traffic may give advice, but it can be opened.
    let (interface, rights, rings) = verdict("--bounding-set=-all,+net_raw");
    assert!(interface != "fault" && rights == "ok", "{interface} {rights}");
    assert_eq!(rings, Some("ok".into()));
    assert_eq!(verdict("--bounding-set=-all").0, "fault");
    // Hubs and workers have neither the capability nor a way to get it.
    let version = run("--bounding-set=-all", &["--no-new-privs", program.as_str(), "--version"]);
    assert!(version.status.success(), "{}", String::from_utf8_lossy(&version.stderr));
}
