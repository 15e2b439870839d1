//! Receivers of a live run: it keeps capturing while they are away, and reaches them from inside
//! its sandbox.

use super::ending::client;
use super::exposition::Exposition;
use super::lab::{PATIENCE, Sensor, TestHarness, inside};
#[cfg(feature = "nats")]
use super::nats::Nats;
use super::receivers::{Certificate, HOST, NameServer, Receiver, Speaks};
use super::{ACK, admission, finding, send, serve};
use serde_json::Value;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// User and group `nobody`.
const NOBODY: u32 = 65_534;

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
        let mut stream = client(&listener);
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
    // In a thread, because only this thread drops privileges.
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
    // Their listeners are gone, but a forbidden port fails without being tried.
    assert_ne!(allowed, Some(std::io::ErrorKind::PermissionDenied));
    let offers = phitap::sandbox::LandlockSupport::of_kernel();
    assert_eq!(!in_force.contains("no landlock"), offers.files, "{in_force}");
    if !offers.ports {
        println!("LEFT OUT: this kernel does not restrict connections");
        return;
    }
    assert_eq!(refused, Some(std::io::ErrorKind::PermissionDenied), "{in_force}");
}

#[test]
fn an_event_log_whose_folder_is_made_anew_needs_a_restart_and_loses_nothing_until_then() {
    let Some(lab) = TestHarness::new() else { return };
    let home = tempfile::tempdir().expect("folder");
    let (folder, other) = (home.path().join("log"), home.path().join("other"));
    for new in [&folder, &other] {
        std::fs::create_dir(new).expect("folder");
    }
    let log = folder.join("events.json");
    let options = ["--output", log.to_str().expect("UTF-8"), "--status-every", "1s"];
    let mut sensor = Sensor::start(&lab, &["span0"], &options);
    let is_written = || std::fs::metadata(&log).is_ok_and(|of| of.len() > 0);
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        let until = Instant::now() + PATIENCE;
        while !is() {
            assert!(Instant::now() < until, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("a first event", &is_written);
    // The path leads to a folder at any time.
    let exchange = || {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, &folder, CWD, &other, RenameFlags::EXCHANGE).expect("exchanged");
    };
    exchange();
    if sensor.said.iter().any(|line| line.contains("no landlock")) {
        wait("an event in the new folder", &is_written);
        return;
    }
    let said = sensor.message("cannot write ");
    assert!(said.contains("if the folder was made anew, restart phitap"), "{said}");
    // What the sandbox allows is the folder and not its name.
    exchange();
    let said = sensor.message("written again");
    assert!(said.contains("0 events lost"), "{said}");
    let (status, ..) = sensor.stop(rustix::process::Signal::TERM);
    assert!(matches!(status.code(), Some(0 | 3)), "{status}");
    let text = std::fs::read_to_string(&log).expect("events");
    assert_eq!(text.matches("\"action\":\"run-summary\"").count(), 1, "{text}");
}

/// Metrics of an output: events delivered, attempts that failed.
fn delivered(metrics: &Exposition, output: &str) -> (f64, f64) {
    let of = |name| metrics.value(name, &[("output", output)]).unwrap_or_default();
    (of("phitap_output_delivered_total"), of("phitap_output_failures_total"))
}

/// Whether the receivers of all outputs have everything.
fn is_all_there(metrics: &Exposition, outputs: &[&str]) -> bool {
    outputs.iter().all(|output| {
        let written = metrics.value("phitap_events_written_total", &[("output", output)]);
        let (delivered, _) = delivered(metrics, output);
        delivered > 0.0 && written == Some(delivered)
    })
}

/// A NATS server with TLS in the sensor's namespace, and a stream there.
#[cfg(feature = "nats")]
fn broker(lab: &TestHarness, certificate: &Certificate) -> Option<Nats> {
    if super::nats::left_out() {
        return None;
    }
    let (pem, key) = (certificate.certificate.clone(), certificate.key.clone());
    let start = move || {
        let files = [&pem, &key].map(|path| path.display().to_string());
        let tls = format!(
            "tls {{ cert_file: \"{0}\", key_file: \"{1}\", ca_file: \"{0}\", verify: true }}",
            files[0], files[1]
        );
        let nats = Nats::with(&tls);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("runtime").block_on(async {
            let options = async_nats::ConnectOptions::new()
                .add_root_certificates(pem.clone())
                .add_client_certificate(pem, key);
            let server = format!("tls://127.0.0.1:{}", nats.port());
            let client = options.connect(server).await.expect("connected");
            let stream = async_nats::jetstream::stream::Config {
                name: "phitap".to_owned(),
                subjects: vec!["phitap.>".to_owned()],
                ..Default::default()
            };
            let context = async_nats::jetstream::new(client);
            context.create_stream(stream).await.expect("stream");
        });
        nats
    };
    Some(inside(&lab.server, start).join().expect("broker"))
}

/// The sensor's user cannot enter the folder of the TLS files, which are read at the start. Names
/// are resolved inside the sandbox for each connection.
#[test]
fn receivers_over_tls_are_reached_from_inside_the_sandbox_also_after_they_restart() {
    let Some(lab) = TestHarness::new() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let certificate = Certificate::new(&folder.path().join("private"));
    let names = NameServer::start(&lab);
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).expect("spool");
    std::os::unix::fs::chown(&spool, Some(NOBODY), Some(NOBODY)).expect("owner");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).expect("mode");
    let (siem, hook) = (Arc::default(), Arc::default());
    let start = || {
        [(6514, Speaks::Syslog, &siem), (8443, Speaks::Http, &hook)]
            .map(|(port, speaks, text)| Receiver::start(&lab, port, &certificate, speaks, text))
    };
    let running = start();
    let (pem, key) = (certificate.certificate.display(), certificate.key.display());
    let tls = format!("ca={pem},cert={pem},key={key}");
    let mut outputs = vec![
        "stdout".to_owned(),
        format!("syslog:tls://{HOST},name=siem,{tls}"),
        format!("https://{HOST}:8443/hook,name=hook,{tls}"),
    ];
    let mut named = vec!["siem", "hook"];
    #[cfg(feature = "nats")]
    let mut nats = broker(&lab, &certificate);
    #[cfg(feature = "nats")]
    if let Some(nats) = &nats {
        outputs.push(format!("nats:tls://{HOST}:{},name=bus,{tls}", nats.port()));
        named.push("bus");
    }
    let mut more: Vec<&str> = outputs.iter().flat_map(|output| ["--output", output]).collect();
    let (user, spool) = (format!("{NOBODY}:{NOBODY}"), spool.display().to_string());
    more.extend(["--spool", &spool, "--user", &user]);
    let mut sensor = Sensor::start(&lab, &["span0"], &more);
    let sandbox = sensor.said.iter().find(|line| line.contains("sandbox: ")).expect("sandbox");
    assert!(sandbox.contains(&user) && sandbox.contains("no new privileges"), "{sandbox}");
    let feed = |port, id| {
        let hl7 = serve(&lab, "198.51.0.1", port, b"\x1c\r", ACK.to_vec());
        send(&lab, hl7, admission(id, "Featherstonehaugh", 40)).0
    };
    let id = |event: &Value| event["event"]["id"].as_str().expect("an id").to_owned();

    let _first = feed(2575, 77_041);
    let first = id(&sensor.event(finding).1);
    sensor.counts("each receiver has everything", |metrics| is_all_there(metrics, &named));
    let before = names.asked.load(Ordering::Relaxed);
    assert!(before > 0, "no name was looked up");

    running.into_iter().for_each(Receiver::stop);
    #[cfg(feature = "nats")]
    nats.iter_mut().for_each(Nats::kill);
    let _second = feed(2576, 77_042);
    let second = id(&sensor.event(|event| finding(event) && id(event) != first).1);
    sensor.counts("each receiver is missed", |metrics| {
        named.iter().all(|output| delivered(metrics, output).1 > 0.0)
    });
    let _running = start();
    #[cfg(feature = "nats")]
    let _broker = nats.map(|mut nats| {
        let again = move || {
            nats.restart();
            nats
        };
        inside(&lab.server, again).join().expect("broker")
    });
    sensor.counts("each receiver has everything again", |metrics| is_all_there(metrics, &named));
    assert!(names.asked.load(Ordering::Relaxed) > before, "names were looked up again");

    let (status, _, said) = sensor.stop(rustix::process::Signal::TERM);
    assert!(status.success(), "{said:#?}");
    for text in [&siem, &hook] {
        let text: &Mutex<String> = text;
        let text = text.lock().expect("lock");
        assert!(text.contains(&first) && text.contains(&second), "{text}\n{said:#?}");
    }
}
