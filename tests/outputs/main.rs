//! Outputs to real receivers: syslog over UDP, TCP and TLS, HTTP servers, sockets, NATS. The
//! receivers may be away, slow, full, or refuse, and runs are killed. `PHITAP_NO_NATS=1` skips the
//! tests with a NATS server, `PHITAP_NO_RSYSLOG=1` those with rsyslog.

// The tests wait for receivers, and must report what was skipped.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

#[cfg(feature = "nats")]
mod away;
#[path = "../common/mod.rs"]
mod common;
mod receivers;
mod spooled;
#[cfg(feature = "nats")]
mod to_nats;
mod to_rsyslog;

use common::ending::next_client;
use common::{Key, Run, hospital, phitap};
use receivers::{
    Certificate, Server, datagrams, listener, message_text, octet_counted, read_once, secret,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How long a datagram receiver waits before it checks whether the run has ended.
const NEXT_WITHIN: Duration = Duration::from_millis(200);

/// Arguments of a replay of the merged hour to `outputs` and to a file.
fn arguments(key: &Key, file: &Path, outputs: &[String], further: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> =
        vec!["replay".into(), "--key-file".into(), key.path(), "--no-progress".into()];
    arguments.extend(["--format", "ecs", "--output"].map(str::to_owned));
    arguments.push(format!("file:{}", file.display()));
    for output in outputs {
        arguments.extend(["--output".to_owned(), output.clone()]);
    }
    arguments.extend(further.iter().map(|text| (*text).to_owned()));
    arguments.push(hospital().display().to_string());
    arguments
}

/// Replays the merged hour to `outputs` and to a file. Returns the run and the lines of the file.
fn replay(folder: &Path, outputs: &[String], further: &[&str]) -> (Run, Vec<String>) {
    let file = folder.join("events.json");
    let run = phitap(arguments(&Key::new(), &file, outputs, further));
    let text = std::fs::read_to_string(&file).expect("the file is written");
    (run, text.lines().map(str::to_owned).collect())
}

fn done(run: &Run) {
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{}", run.out);
    assert_eq!(run.out, "", "no output is standard output");
}

#[test]
fn syslog_over_tcp_tls_and_udp_brings_each_event_in_a_message_of_rfc_5424() {
    let folder = tempfile::tempdir().expect("folder");
    let certificate = Certificate::new(folder.path(), "ca");
    let ((over_tcp, tcp), (over_tls, tls)) = (listener(), listener());
    let (over_tcp, over_tls) = (read_once(over_tcp, None), read_once(over_tls, Some(&certificate)));
    let udp = UdpSocket::bind("127.0.0.1:0").expect("port");
    let over_udp = udp.local_addr().expect("address").port();
    udp.set_read_timeout(Some(NEXT_WITHIN)).expect("time-out");
    let over = Arc::new(AtomicBool::new(false));
    let listen = datagrams(&over, move |buffer| udp.recv(buffer));
    let ca = certificate.certificate.display();
    let outputs = [
        format!("syslog:tcp://127.0.0.1:{tcp}"),
        format!("syslog:tls://localhost:{tls},ca={ca},name=siem,format=cef,facility=4"),
        format!("syslog:udp://127.0.0.1:{over_udp}"),
    ];
    let (run, lines) = replay(folder.path(), &outputs, &["--sensor", "ward 3"]);
    over.store(true, Ordering::Release);
    done(&run);
    assert!(lines.len() > 250, "{}", lines.len());
    let messages = octet_counted(&over_tcp.join().expect("receiver"));
    let texts: Vec<&str> = messages.iter().map(|message| message_text(message)).collect();
    assert_eq!(texts, lines);
    assert!(messages.iter().all(|message| message.contains(" ward_3 phitap ")));
    let levels: BTreeSet<&str> = messages.iter().filter_map(|m| m.split('>').next()).collect();
    // local0: critical, error, warning, notice and informational.
    assert!(levels.contains("<130") && levels.contains("<134"), "{levels:?}");
    let cef = octet_counted(&over_tls.join().expect("receiver"));
    assert!(cef.iter().all(|message| message_text(message).starts_with("CEF:0|")));
    assert!(cef.iter().all(|message| message.starts_with("<3")), "facility 4");
    assert!(cef.len() > 250, "{}", cef.len());
    // Datagrams may be lost, even here, but none is changed.
    let datagrams = listen.join().expect("receiver");
    let sent: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    assert!(datagrams.len() > 10, "{}", datagrams.len());
    assert!(datagrams.iter().all(|message| sent.contains(message_text(message))));
}

#[test]
fn tls_with_an_unknown_ca_is_said_in_one_line_and_nothing_is_sent() {
    let folder = tempfile::tempdir().expect("folder");
    let (server, other) =
        (Certificate::new(folder.path(), "server"), Certificate::new(folder.path(), "other"));
    let (listener, port) = listener();
    let received = read_once(listener, Some(&server));
    let spool = folder.path().join("spool").display().to_string();
    let ca = other.certificate.display();
    let output = format!("syslog:tls://localhost:{port},ca={ca}");
    let (run, lines) = replay(folder.path(), &[output], &["--spool", &spool]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(run.err.contains("unknown CA") && run.err.lines().count() == 2, "{}", run.err);
    assert!(run.err.contains(&format!("{} events wait in the spool", lines.len())), "{}", run.err);
    assert_eq!(received.join().expect("receiver"), b"");
}

#[test]
fn a_socket_of_this_machine_gets_lines_or_datagrams() {
    let folder = tempfile::tempdir().expect("folder");
    let (stream, datagrams) = (folder.path().join("stream"), folder.path().join("datagrams"));
    let listener = UnixListener::bind(&stream).expect("socket");
    let reader = std::thread::spawn(move || {
        listener.set_nonblocking(true).expect("listener");
        let (mut peer, _) = next_client(|| listener.accept());
        peer.set_nonblocking(false).expect("stream");
        let mut text = String::new();
        peer.read_to_string(&mut text).expect("text");
        text
    });
    let socket = UnixDatagram::bind(&datagrams).expect("socket");
    socket.set_read_timeout(Some(NEXT_WITHIN)).expect("time-out");
    let over = Arc::new(AtomicBool::new(false));
    let receiver = self::datagrams(&over, move |buffer| socket.recv(buffer));
    let outputs =
        [format!("unix:{}", stream.display()), format!("unix:{},format=ecs", datagrams.display())];
    let (run, lines) = replay(folder.path(), &outputs, &[]);
    over.store(true, Ordering::Release);
    done(&run);
    assert_eq!(reader.join().expect("reader").lines().collect::<Vec<_>>(), lines);
    assert_eq!(receiver.join().expect("receiver"), lines);
}

#[test]
fn a_webhook_gets_lines_over_tls_with_its_token() {
    let folder = tempfile::tempdir().expect("folder");
    let certificate = Certificate::new(folder.path(), "ca");
    // The first answer asks to wait.
    let answer =
        |before: usize, _: &receivers::Got| (if before == 0 { 503 } else { 200 }, String::new());
    let server = Server::start(0, Some(&certificate), answer);
    let token = secret(folder.path(), "token", "the-token\n");
    let output = format!(
        "https://localhost:{}/hook?source=a,batch=50,ca={},credentials={}",
        server.port,
        certificate.certificate.display(),
        token.display()
    );
    let (run, lines) = replay(folder.path(), &[output], &[]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(run.err.contains("503") && run.err.contains("delivered again"), "{}", run.err);
    assert!(!run.err.contains("the-token"));
    let got = server.got();
    assert!(got.iter().all(|got| got.path == "/hook?source=a"));
    let lower = got[0].headers.to_ascii_lowercase();
    assert!(lower.contains("authorization: bearer the-token"), "{lower}");
    assert!(lower.contains("content-type: application/x-ndjson"), "{lower}");
    let taken: Vec<&str> = got[1..].iter().flat_map(|got| got.body.lines()).collect();
    assert_eq!(taken, lines);
    assert!(got.iter().all(|got| got.body.lines().count() <= 50));
}

/// Answers like `_bulk`: one event is refused for now, another has a field that does not fit.
fn bulk() -> impl Fn(usize, &receivers::Got) -> receivers::Answer {
    let seen = AtomicUsize::new(0);
    move |_, got| {
        let actions = got.body.lines().step_by(2);
        let items: Vec<Value> = actions
            .map(|action| {
                let action: Value = serde_json::from_str(action).expect("an action");
                let id = action["index"]["_id"].clone();
                let (status, kind) = match seen.fetch_add(1, Ordering::Relaxed) {
                    3 => (429, Some("es_rejected_execution_exception")),
                    5 => (400, Some("mapper_parsing_exception")),
                    7 => (409, Some("version_conflict_engine_exception")),
                    _ => (201, None),
                };
                let mut item = serde_json::json!({"_id": id, "status": status});
                if let Some(kind) = kind {
                    item["error"] = serde_json::json!({"type": kind, "reason": "secret reason"});
                }
                serde_json::json!({"index": item})
            })
            .collect();
        (200, serde_json::json!({"took": 1, "errors": true, "items": items}).to_string())
    }
}

#[test]
fn bulk_errors_of_single_events_are_sent_again_or_counted_each_for_itself() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(0, None, bulk());
    let credentials = secret(folder.path(), "credentials", "elastic\nchangeme\n");
    let metrics = folder.path().join("metrics.prom").display().to_string();
    let output = format!(
        "http://127.0.0.1:{}/base/,api=elasticsearch,index=phitap-a,name=search,batch=100,credentials={}",
        server.port,
        credentials.display()
    );
    let (run, lines) = replay(folder.path(), &[output], &["--metrics-file", &metrics]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(!run.err.contains("secret reason") && !run.err.contains("changeme"), "{}", run.err);
    let got = server.got();
    assert!(got.iter().all(|got| got.path == "/base/_bulk"));
    assert!(got[0].headers.contains("Basic ZWxhc3RpYzpjaGFuZ2VtZQ=="), "{}", got[0].headers);
    let documents: Vec<&str> =
        got.iter().flat_map(|got| got.body.lines().skip(1).step_by(2)).collect();
    // One was sent twice; the refused one is never sent again.
    assert_eq!(documents.len(), lines.len() + 1);
    assert_eq!(documents.iter().filter(|line| **line == lines[3]).count(), 2);
    assert_eq!(
        documents.iter().collect::<BTreeSet<_>>().len(),
        lines.iter().collect::<BTreeSet<_>>().len()
    );
    let mut exposures = 0;
    for (action, document) in got.iter().flat_map(|got| {
        let lines: Vec<&str> = got.body.lines().collect();
        lines.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect::<Vec<_>>()
    }) {
        let action: Value = serde_json::from_str(&action).expect("action");
        let event: Value = serde_json::from_str(&document).expect("event");
        assert_eq!(action["index"]["_index"], "phitap-a");
        if event["event"]["action"] == "phi-exposure" {
            assert_eq!(action["index"]["_id"], event["event"]["id"]);
            exposures += 1;
        }
    }
    assert!(exposures > 0, "each update of an exposure replaces the one before");
    let text = std::fs::read_to_string(&metrics).expect("metrics");
    let has = |line: String| assert!(text.lines().any(|of| of == line), "{line}\n{text}");
    has("phitap_events_dropped_total{output=\"search\",reason=\"refused\"} 1".to_owned());
    has(format!("phitap_output_delivered_total{{output=\"search\"}} {}", lines.len() - 1));
    has("phitap_output_failures_total{output=\"search\"} 1".to_owned());
    has(format!("phitap_events_written_total{{output=\"search\"}} {}", lines.len() - 1));
}

#[test]
fn a_server_that_refuses_every_event_is_said_once_and_in_sum() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(0, None, |_, _| (413, String::new()));
    let output = format!("http://127.0.0.1:{}/x,batch=1", server.port);
    let (run, lines) = replay(folder.path(), &[output], &[]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let said: Vec<&str> =
        run.err.lines().filter(|line| line.contains("refused for good")).collect();
    assert!(said[0].contains("1 event refused for good") && said[0].contains("413"), "{said:?}");
    let said: Vec<usize> = said
        .iter()
        .filter_map(|line| line.split_once("http: ")?.1.split(' ').next()?.parse().ok())
        .collect();
    assert!(said.len() < 10 && said.iter().sum::<usize>() == lines.len(), "{said:?}");
}

#[test]
fn splunk_gets_each_event_in_its_envelope_and_one_that_it_refuses_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("folder");
    let refuses = |_: usize, got: &receivers::Got| match got.body.contains("run-summary") {
        true => (400, "{\"text\":\"Invalid data format\",\"code\":6}".to_owned()),
        false => (200, "{\"text\":\"Success\",\"code\":0}".to_owned()),
    };
    let server = Server::start(0, None, refuses);
    let token = secret(folder.path(), "token", "hec-token\n");
    let output = format!(
        "http://127.0.0.1:{},api=splunk,index=phi,credentials={}",
        server.port,
        token.display()
    );
    let (run, lines) = replay(folder.path(), &[output], &["--sensor", "ward-3"]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(run.err.contains("1 event refused for good"), "{}", run.err);
    let mut taken = Vec::new();
    for got in server.got() {
        assert_eq!(got.path, "/services/collector/event");
        assert!(got.headers.contains("Splunk hec-token"), "{}", got.headers);
        if got.body.contains("run-summary") {
            continue;
        }
        for envelope in serde_json::Deserializer::from_str(&got.body).into_iter::<Value>() {
            let envelope = envelope.expect("JSON");
            assert_eq!((&envelope["host"], &envelope["index"]), (&"ward-3".into(), &"phi".into()));
            assert!(envelope["time"].as_f64().is_some_and(|time| time > 1e9));
            taken.push(envelope["event"].clone());
        }
    }
    let sent: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect("event")).collect();
    assert_eq!(taken, sent[..sent.len() - 1]);
}

#[test]
fn refused_credentials_are_said_in_one_line_without_them() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(0, None, |_, _| (401, String::new()));
    let token = secret(folder.path(), "token", "hidden-token\n");
    let spool = folder.path().join("spool").display().to_string();
    let output = format!("http://127.0.0.1:{}/x,credentials={}", server.port, token.display());
    let (run, _) = replay(folder.path(), &[output], &["--spool", &spool]);
    assert!(run.err.contains("refused the credentials"), "{}", run.err);
    assert!(!run.err.contains("hidden-token") && run.err.lines().count() == 2, "{}", run.err);
}

#[test]
fn a_file_is_rotated_by_size_and_closed_files_are_compressed_and_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let rotated = folder.path().join("rotated.json");
    let output = format!("file:{},rotate=64KiB", rotated.display());
    let (run, lines) = replay(folder.path(), &[output], &[]);
    done(&run);
    let mut parts: Vec<_> = std::fs::read_dir(folder.path())
        .expect("list")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.display().to_string().contains("rotated.json"))
        .collect();
    parts.sort_by_key(|path| (path.extension().is_none_or(|e| e != "gz"), path.clone()));
    assert!(parts.len() > 1, "{parts:?}");
    let mut all = Vec::new();
    for part in &parts {
        let file = std::fs::File::open(part).expect("open");
        let text = match part.extension().is_some_and(|e| e == "gz") {
            true => std::io::read_to_string(flate2::read::GzDecoder::new(file)).expect("gzip"),
            false => std::io::read_to_string(file).expect("text"),
        };
        assert!(text.ends_with('\n') || text.is_empty(), "{part:?}");
        all.extend(text.lines().map(str::to_owned));
    }
    assert_eq!(all, lines);
    // Another run appends.
    let before = std::fs::metadata(&rotated).map_or(0, |of| of.len());
    let output = format!("file:{},rotate=1GiB", rotated.display());
    replay(folder.path(), &[output], &[]);
    assert!(std::fs::metadata(&rotated).expect("file").len() > before + 64 * 1024);
}

#[test]
fn a_replay_that_is_stopped_does_not_wait_for_its_receivers() {
    use common::Bounded as _;
    let (folder, key) = (tempfile::tempdir().expect("folder"), Key::new());
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    let mut run = std::process::Command::new(common::PHITAP);
    run.args(arguments(&key, &folder.path().join("events.json"), &[nobody], &[]));
    let mut run = run.stderr(std::process::Stdio::piped()).start();
    let mut said = std::io::BufReader::new(run.stderr.take().expect("standard error"));
    let mut line = String::new();
    // Its receiver is down. Without a signal it would wait for a minute.
    std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
    assert!(line.contains("events wait in memory"), "{line}");
    let since = std::time::Instant::now();
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    said.read_to_string(&mut line).expect("the rest");
    let status = run.wait().expect("status");
    assert!(since.elapsed() < Duration::from_secs(40), "{:?}", since.elapsed());
    assert_eq!(status.code(), Some(1), "{line}");
    assert!(line.contains("events could not be delivered"), "{line}");
}

#[test]
fn wrong_outputs_are_named_with_what_to_write_instead() {
    for (outputs, expected) in [
        (&["syslog:host"][..], "syslog:udp://"),
        (&["syslog:tcp://h:1,credentials=f"], "no credentials"),
        (&["syslog:udp://h,ca=f"], "need TLS"),
        (&["nats://me:secret@h"], "credentials=FILE"),
        (&["https://me:secret@h/"], "credentials=FILE"),
        (&["http://h/,credentials=f"], "cleartext"),
        (&["http://h/,api=none"], "choose one of"),
        (&["nats://h,subject=a.>"], "subject"),
        (&["nats://h,format=summary"], "format of lines"),
        (&["file:a,colour=red"], "no parameter"),
        (&["a,rotate=0"], "more than 0"),
        (&["a,rotate=1"], "rotate=100MiB"),
        (&["a,keep=3"], "rotate"),
        (&["stdout", "-"], "once"),
        (&["unix:/a,name=x", "unix:/b,name=x"], "taken"),
        (&["unix:/a,name=Ward 3"], "a-z"),
        (&["unix:/a,cert=x"], "no parameter"),
        (&["https://h/,cert=x"], "cert and key"),
    ] {
        let mut arguments = vec!["replay"];
        outputs.iter().for_each(|output| arguments.extend(["--output", output]));
        arguments.push("x.pcap");
        let run = phitap(&arguments);
        assert_eq!(run.status, Some(2), "{outputs:?}: {}", run.err);
        assert!(run.err.contains(expected), "{outputs:?}: {}", run.err);
        assert!(!run.err.contains("secret"), "{}", run.err);
    }
    let run = phitap(["replay", "--reveal", "--output", "unix:/a", "x.pcap"]);
    assert!(run.status == Some(2) && run.err.contains("--reveal"), "{}", run.err);
    let run = phitap(["replay", "--spool", "/tmp/x", "x.pcap"]);
    assert!(run.status == Some(2) && run.err.contains("name one with --output"), "{}", run.err);
}
