//! `--report`, `phitap report` and `--assets` as their users run them.

mod common;

use common::Bounded as _;
use common::{hospital, phitap};
use serde_json::Value;
use std::path::Path;

/// The model of a page.
fn model(page: &str) -> Value {
    let (_, from) = page.split_once("id=\"data\">").expect("a model");
    let (model, _) = from.split_once("</script>").expect("its end");
    serde_json::from_str(model).expect("JSON")
}

fn run(arguments: &[&str], status: i32) -> String {
    let run = phitap(arguments);
    assert_eq!(run.status, Some(status), "{arguments:?}: {}", run.err);
    run.out
}

/// Exposures as client, service and figures.
fn exposures(model: &Value) -> Vec<String> {
    let list = model["exposures"].as_array().expect("a list").iter();
    let mut all: Vec<String> = list
        .map(|e| {
            let x = &e["phi"]["exposure"];
            format!(
                "{} {} {} {} {}",
                e["client"], e["server"], x["patients"], x["records"], e["event"]["reason"]
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_report_of_a_run_of_its_events_and_of_its_store_say_the_same() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (report, events, store) = (at("report.html"), at("events.json"), at("phitap.db"));
    let capture = hospital().display().to_string();
    let mut arguments = vec!["replay", "--format", "json", "--output", &events];
    arguments.extend(["--report", &report, "--store", &store, &capture]);
    run(&arguments, 0);
    let of_run = model(&std::fs::read_to_string(&report).expect("a report"));
    let of_events = model(&run(&["report", &events], 0));
    let of_store = model(&run(&["report", &store], 0));
    assert_eq!(exposures(&of_run).len(), 33);
    for (name, other) in [("events", &of_events), ("store", &of_store)] {
        assert_eq!(exposures(&of_run), exposures(other), "{name}");
        let run = of_run["run"]["phi"]["run"].as_object().expect("a run");
        assert!(run.len() > 10);
        for (field, value) in run {
            assert_eq!(value, &other["run"]["phi"]["run"][field], "{name}: {field}");
        }
        let services = |m: &Value| m["services"].as_array().map(Vec::len);
        assert_eq!(services(&of_run), services(other), "{name}");
        let shown = other["findings"].as_object().expect("findings");
        assert_eq!(shown.len(), 33, "{name}: each exposure has evidence");
    }
    // Inputs have the hash that other programs compute.
    let sum = std::process::Command::new("sha256sum").arg(&capture).finish();
    let sum = String::from_utf8(sum.stdout).expect("text");
    assert_eq!(of_run["inputs"][0]["sha256"].as_str(), sum.split_whitespace().next());
    let of_findings = |m: &Value| m["timeline"]["counts"].as_array().map(Vec::len);
    assert!(of_findings(&of_run).is_some_and(|bars| bars > 20));
}

#[test]
fn garbage_in_a_file_of_events_is_counted_and_named() {
    let folder = tempfile::tempdir().expect("folder");
    let events = folder.path().join("events.json");
    let capture = hospital().display().to_string();
    let whole = run(&["replay", "--format", "json", &capture], 0);
    let mut text = String::from("not JSON\n{\"event\":{\"action\":\"phi-exposure\"}}\n\u{0}\n");
    text.push_str(&whole);
    std::fs::write(&events, text).expect("written");
    let path = events.display().to_string();
    let run = phitap(["report", path.as_str()]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    assert!(run.err.contains("3 entries: no event"), "{}", run.err);
    assert_eq!(exposures(&model(&run.out)).len(), 33);
    std::fs::write(&events, "nothing of ours\n").expect("written");
    let run = phitap(["report", path.as_str()]);
    assert_eq!(run.status, Some(1), "{}", run.err);
    assert!(run.out.is_empty() && run.err.contains(&path), "{}", run.err);
}

#[test]
fn a_revealed_file_of_events_gives_a_report_without_values() {
    let folder = tempfile::tempdir().expect("folder");
    let events = folder.path().join("revealed.json").display().to_string();
    let capture = hospital().display().to_string();
    run(&["replay", "--reveal", "--format", "json", "--output", &events, &capture], 0);
    let text = std::fs::read_to_string(&events).expect("events");
    let values: Vec<String> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .flat_map(|e| e["phi"]["patient"]["identifiers"].as_array().cloned().unwrap_or_default())
        .filter(|i| i["kind"] == "name" || i["kind"] == "ssn")
        .filter_map(|i| Some(i["value"].as_str()?.to_owned()))
        .filter(|value| value.len() > 8)
        .collect();
    assert!(values.len() > 100, "{}", values.len());
    let page = run(&["report", &events], 0);
    let shown: Vec<&String> = values.iter().filter(|v| page.contains(v.as_str())).collect();
    assert!(shown.is_empty(), "{} of {} values", shown.len(), values.len());
}

#[test]
fn hosts_and_services_are_written_by_the_ending_of_the_file() {
    let folder = tempfile::tempdir().expect("folder");
    let capture = hospital().display().to_string();
    let written = |name: &str| {
        let file = folder.path().join(name).display().to_string();
        run(&["replay", "--quiet", "--assets", &file, &capture], 0);
        std::fs::read_to_string(&file).expect("written")
    };
    let all: Value = serde_json::from_str(&written("a.json")).expect("JSON");
    let services = all["services"].as_array().expect("a list");
    assert!(services.len() >= 40, "{}", services.len());
    let archive = services.iter().find(|s| s["ip"] == "10.113.183.245").expect("a service");
    assert_eq!((&archive["port"], &archive["protocol"]), (&11112.into(), &"dicom".into()));
    assert_eq!((&archive["names"][0], &archive["severity"]), (&"HOSPPACS".into(), &"high".into()));
    let table = written("a.csv");
    assert!(table.starts_with("ip,port,") && table.lines().count() > services.len());
    let graph = written("a.graphml");
    assert_eq!(graph.matches("<edge ").count(), 33);
    let run = phitap(["replay", "--assets", "a.txt", capture.as_str()]);
    assert_eq!(run.status, Some(2));
    assert!(run.err.contains(".graphml"), "{}", run.err);
    assert!(!Path::new("a.txt").exists());
}

/// The exposures on the page of a sensor that follows a capture, when they are as wanted.
fn exposures_of_sensor(
    capture: &Path,
    options: &[&str],
    wanted: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    use std::io::{BufRead as _, Read as _, Write as _};
    let mut sensor = std::process::Command::new(common::PHITAP)
        .args(["replay", "--follow", "--no-progress", "--metrics", "127.0.0.1:0"])
        .args(options)
        .arg(capture)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .start();
    let mut said = std::io::BufReader::new(sensor.stderr.take().expect("standard error"));
    let mut line = String::new();
    while !line.contains("http://") {
        line.clear();
        assert!(said.read_line(&mut line).expect("a line") > 0, "it says where it serves");
    }
    let address =
        line.split("http://").nth(1).and_then(|at| at.split('/').next()).expect("address");
    let request =
        format!("GET /api/v1/page HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    // The server answers before the store is read.
    let mut exposures = Vec::new();
    for _ in 0..1800 {
        let mut stream = std::net::TcpStream::connect(address).expect("connect");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let model: Value = serde_json::from_str(body).expect("JSON");
        exposures.clone_from(model["exposures"].as_array().expect("a list"));
        if wanted(&exposures) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    sensor.kill().expect("killed");
    sensor.wait().expect("ended");
    exposures
}

/// The merged hour of the day before.
fn hospital_a_day_before(folder: &Path) -> std::path::PathBuf {
    let mut capture = std::fs::read(hospital()).expect("a capture");
    let mut at = 24;
    while at + 16 <= capture.len() {
        let word = |at: usize| <[u8; 4]>::try_from(&capture[at..at + 4]).expect("four bytes");
        let (seconds, length) = (u32::from_le_bytes(word(at)), u32::from_le_bytes(word(at + 8)));
        capture[at..at + 4].copy_from_slice(&(seconds - 86_400).to_le_bytes());
        at += 16 + length as usize;
    }
    let path = folder.join("before.pcap");
    std::fs::write(&path, capture).expect("written");
    path
}

#[test]
fn a_sensor_with_a_store_shows_what_earlier_runs_found() {
    let (folder, key) = (tempfile::tempdir().expect("folder"), common::Key::new());
    let (key, store) = (key.path(), folder.path().join("phitap.db").display().to_string());
    let with_store = ["--store", store.as_str(), "--key-file", &key];
    let before = hospital_a_day_before(folder.path()).display().to_string();
    run(&[&["replay", "--quiet"], &with_store[..], &[&before]].concat(), 0);
    // A capture without findings, which is followed.
    let capture = std::fs::read(hospital()).expect("a capture");
    let empty = folder.path().join("empty.pcap");
    std::fs::write(&empty, &capture[..24]).expect("written");
    let exposures = exposures_of_sensor(&empty, &with_store, |all| !all.is_empty());
    assert_eq!(exposures.len(), 33);
    assert!(exposures.iter().all(|e| e["earlier"] == true));
    // The same exposures a day later are no further rows.
    let again = |all: &[Value]| !all.is_empty() && all.iter().all(|e| e["earlier"].is_null());
    let exposures = exposures_of_sensor(&hospital(), &with_store, again);
    assert_eq!(exposures.len(), 33);
    for e in &exposures {
        let (first, records) = (&e["before"]["first"], &e["before"]["records"]);
        assert!(first.as_str().is_some_and(|first| first.starts_with("2026-03-01T08:")), "{e}");
        assert_eq!(records, &e["phi"]["exposure"]["records"], "{e}");
    }
}

#[test]
fn encrypted_services_show_versions_names_and_certificates() {
    let folder = tempfile::tempdir().expect("folder");
    let capture = |name: &str| {
        std::path::Path::new(common::ROOT)
            .join("fixtures/captures")
            .join(name)
            .display()
            .to_string()
    };
    let (file, table) = (folder.path().join("a.json"), folder.path().join("a.csv"));
    let captures = [capture("http-neg-https.pcap"), capture("dicom-tls-dcmtk.pcap")];
    for assets in [&file, &table] {
        let assets = assets.display().to_string();
        run(&["replay", "--quiet", "--assets", &assets, &captures[0], &captures[1]], 0);
    }
    let all = std::fs::read_to_string(&file).expect("written");
    let all: Value = serde_json::from_str(&all).expect("JSON");
    let encrypted = all["encrypted_services"].as_array().expect("a list");
    // As read by tshark: one over TLS 1.2 with its certificate, the other over TLS 1.3 without.
    let web =
        encrypted.iter().find(|s| s["tls"]["versions"] == serde_json::json!(["1.2"])).expect("one");
    let certificate = &web["tls"]["certificate"];
    assert_eq!(
        (&certificate["subject"], &certificate["self_signed"]),
        (&"server.example.org".into(), &true.into())
    );
    let sealed =
        encrypted.iter().find(|s| s["tls"]["versions"] == serde_json::json!(["1.3"])).expect("one");
    assert!(sealed["tls"]["certificate"].is_null());
    let table = std::fs::read_to_string(&table).expect("written");
    assert!(table.contains("server.example.org"), "{table}");
}

#[test]
fn handshakes_over_udp_show_versions_hosts_and_certificates() {
    let folder = tempfile::tempdir().expect("folder");
    let capture = |name: &str| format!("{}/fixtures/captures/{name}", common::ROOT);
    let captures = [capture("other-neg-quic.pcap"), capture("other-neg-dtls.pcap")];
    let assets = folder.path().join("assets.json").display().to_string();
    run(&["replay", "--quiet", "--assets", &assets, &captures[0], &captures[1]], 0);
    let all: Value =
        serde_json::from_str(&std::fs::read_to_string(&assets).expect("written")).expect("JSON");
    let encrypted = all["encrypted_services"].as_array().expect("a list");
    // As read by tshark.
    for (port, versions, host) in [
        (443, serde_json::json!(["1.3", "quic1"]), "fhir.riverbend.example"),
        (8443, serde_json::json!(["1.3", "quic2"]), "fhir.riverbend.example"),
        (6514, serde_json::json!(["dtls1.2"]), "syslog.riverbend.example"),
    ] {
        let at = |s: &&Value| s["port"] == port;
        let service = encrypted.iter().find(at).unwrap_or_else(|| panic!("{port}: {all}"));
        assert_eq!(service["tls"]["versions"], versions);
        assert_eq!(service["tls"]["server_names"], serde_json::json!([host]));
        let subject = &service["tls"]["certificate"]["subject"];
        assert_eq!(subject == "fhir.riverbend.example", port == 6514, "{service}");
        assert_eq!(service["flows"], 1);
    }
}

#[test]
fn recordings_of_services_without_a_login_say_that_they_are_open() {
    const OPEN: [&str; 10] = [
        "other-redis-hash",
        "other-mqtt-json",
        "other-ftp-upload",
        "other-smb2-put-csv",
        "other-postgres-select",
        "other-ldap-directory",
        "other-nats",
        "other-kafka",
        "other-cassandra",
        "other-rsync",
    ];
    let open = |name: &str| -> Vec<bool> {
        let capture = format!("{}/fixtures/captures/{name}.pcap", common::ROOT);
        let run = common::phitap(["replay", "--quiet", "--format", "ecs", &capture]);
        let all = common::events(&run.out);
        let ended = all.iter().filter(|e| e["phi"]["exposure"]["state"] == "ended");
        let anyone = |e: &Value| {
            let access = &e["phi"]["service"]["access"];
            let evidence = common::list(&access["evidence"]);
            access["answers"] == "anyone" && evidence.iter().any(|e| e == "served-without-login")
        };
        ended.map(anyone).collect()
    };
    for name in OPEN {
        let all = open(name);
        assert!(!all.is_empty() && all.iter().all(|open| *open), "{name}: {all:?}");
    }
    for name in ["other-mysql-results", "other-mailbox", "other-amqp", "other-stomp"] {
        let all = open(name);
        assert!(!all.is_empty() && all.iter().all(|open| !*open), "{name}: {all:?}");
    }
}

/// A login before the capture was not seen: it is not known that there was none.
#[test]
fn services_that_were_joined_behind_their_login_are_not_called_open() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut seen, mut unknown) = (0, 0);
    for name in ["other-stomp", "other-mailbox", "other-amqp", "other-xmpp", "other-mysql-results"]
    {
        let capture = format!("{}/fixtures/captures/{name}.pcap", common::ROOT);
        let capture = std::fs::read(capture).expect("a capture");
        let place = folder.path().join("late.pcap");
        for packets in 4..24 {
            let Some(late) = common::packets::begun_later(&capture, packets) else { break };
            std::fs::write(&place, late).expect("written");
            let run = phitap([
                "replay".as_ref(),
                "--quiet".as_ref(),
                "--format".as_ref(),
                "ecs".as_ref(),
                place.as_os_str(),
            ]);
            for event in common::events(&run.out) {
                let service = &event["phi"]["service"];
                let protocol = event["network"]["protocol"].as_str().unwrap_or_default();
                if event["phi"]["exposure"]["state"] != "ended"
                    || !name.contains(protocol) && name != "other-mailbox"
                {
                    continue;
                }
                let place = format!("{name} from packet {packets}: {service}");
                assert_ne!(service["authentication"], "none", "{place}");
                assert_ne!(service["access"]["answers"], "anyone", "{place}");
                let software = service["software"].as_str().unwrap_or_default();
                assert!(!software.contains("messages") && !software.contains("in."), "{place}");
                seen += 1;
                unknown += u32::from(service["authentication"] == "unknown");
            }
        }
    }
    assert!(seen > 40 && unknown > 10, "{unknown} of {seen}");
}

/// An Ethernet frame with a UDP datagram over IPv4, without checksums.
fn datagram(from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let (udp, ip) = (8 + payload.len() as u16, 28 + payload.len() as u16);
    let mut frame = [&[2; 6][..], &[4; 6], &[8, 0, 0x45, 0], &ip.to_be_bytes()].concat();
    frame.extend([0, 1, 0, 0, 64, 17, 0, 0]);
    frame.extend(from.0);
    frame.extend(to.0);
    for number in [from.1, to.1, udp, 0] {
        frame.extend(number.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

#[test]
fn hosts_have_the_names_that_dns_and_dhcp_give_them() {
    let folder = tempfile::tempdir().expect("folder");
    let (client, server, archive) = ([10, 1, 7, 20], [10, 1, 0, 53], [10, 1, 2, 3]);
    let mut answer =
        b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x04pacs\x08hospital\0\0\x01\0\x01".to_vec();
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04");
    answer.extend(archive);
    let mut request = vec![0; 236];
    request[..3].copy_from_slice(&[1, 1, 6]);
    request[12..16].copy_from_slice(&client);
    request.extend(b"\x63\x82\x53\x63\x35\x01\x03\x0c\x0aCT-CONSOLE\xff");
    let frames = [
        datagram((server, 53), (client, 40_000), &answer),
        datagram((client, 68), (server, 67), &request),
        datagram(
            (client, 40_001),
            (archive, 514),
            b"<14>1 2026-03-01T10:15:02Z ws9 app 1 - - started",
        ),
    ];
    let mut bytes = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0".to_vec();
    for (n, frame) in frames.iter().enumerate() {
        for number in [1_772_360_000 + n as u32, 0, frame.len() as u32, frame.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(frame);
    }
    let (capture, assets) = (folder.path().join("names.pcap"), folder.path().join("a.json"));
    std::fs::write(&capture, bytes).expect("written");
    let (capture, file) = (capture.display().to_string(), assets.display().to_string());
    let events = run(&["replay", "--format", "json", "--assets", &file, &capture], 0);
    let last: Value = serde_json::from_str(events.lines().last().expect("events")).expect("JSON");
    let recognised = &last["phi"]["run"]["streams"]["recognised"];
    assert_eq!((&recognised["dns"], &recognised["dhcp"]), (&1.into(), &1.into()), "{last}");
    let all: Value =
        serde_json::from_str(&std::fs::read_to_string(assets).expect("written")).expect("JSON");
    let names = |ip: &str| {
        let hosts = all["hosts"].as_array().expect("a list");
        hosts.iter().find(|host| host["ip"] == ip).map_or(Value::Null, |host| host["names"].clone())
    };
    assert_eq!(names("10.1.2.3"), serde_json::json!(["pacs.hospital"]));
    assert_eq!(names("10.1.7.20"), serde_json::json!(["ct-console"]));
    let of_names = |line: &str| line.contains("\"protocol\":\"dns\"") && line.contains("-seen");
    assert!(!events.lines().any(of_names), "it is no service of a host");
    let of_archive = |line: &&str| line.contains("asset-seen") && line.contains("10.1.2.3");
    let asset = events.lines().find(of_archive).expect("a host");
    assert!(asset.contains("\"name\":\"pacs.hospital\""), "{asset}");
}

/// A capture in which a filter of `replay` matches nothing, as events or a store.
fn run_without_packets(target: &[&str]) {
    let capture = hospital().display().to_string();
    run(&[&["replay", "--quiet", "--filter", "tcp port 9"], target, &[&capture]].concat(), 3);
}

#[cfg(feature = "store")]
#[test]
fn a_report_of_several_runs_says_what_each_could_judge() {
    let folder = tempfile::tempdir().expect("folder");
    let store = folder.path().join("two.db").display().to_string();
    let empty = folder.path().join("empty.pcap");
    std::fs::write(&empty, common::packets::pcap_header(1)).expect("written");
    run(&["replay", "--quiet", "--store", &store, &empty.display().to_string()], 3);
    run_without_packets(&["--store", &store]);
    let told = phitap(["report", store.as_str()]);
    assert_eq!(told.status, Some(3), "{}", told.err);
    assert!(told.err.contains("run 1 could not") && told.err.contains("run 2"), "{}", told.err);
    let runs = &model(&told.out)["runs"];
    let figures = (&runs["total"], &runs["unended"], &runs["incomplete"], &runs["verdict"]);
    assert_eq!(figures, (&2.into(), &0.into(), &2.into(), &"nothing_read".into()), "{runs:#}");
    assert_eq!(runs["list"][1]["verdict"], "nothing_matched", "{runs:#}");
    let causes = runs["causes"].to_string();
    assert!(causes.contains("no packet") && causes.contains("--filter matched none"), "{causes}");
    // Lists without a row say the same.
    for listing in ["exposures", "patients"] {
        let told = phitap(["query", store.as_str(), listing]);
        assert_eq!(told.status, Some(0), "{listing}: {}", told.err);
        assert!(told.err.contains("run 2 could not judge everything"), "{}", told.err);
    }
    // A third run finds something, which is no word on the others.
    run(&["replay", "--quiet", "--store", &store, &hospital().display().to_string()], 0);
    let told = phitap(["report", store.as_str()]);
    assert_eq!(told.status, Some(3), "{}", told.err);
    assert!(!told.err.contains("run 3"), "{}", told.err);
    assert_eq!(model(&told.out)["runs"]["verdict"], "incomplete");
    let told = phitap(["query", store.as_str(), "exposures"]);
    assert_eq!(told.status, Some(0), "{}", told.err);
    assert!(told.err.contains("run 1 could not") && !told.err.contains("run 3"), "{}", told.err);
}

#[test]
fn a_report_of_a_run_that_did_not_end_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let events = folder.path().join("killed.json").display().to_string();
    let capture = hospital().display().to_string();
    let all = run(&["replay", "--format", "json", &capture], 0);
    let killed: Vec<&str> = all.lines().filter(|line| !line.contains("run-summary")).collect();
    assert!(killed.len() < all.lines().count());
    std::fs::write(&events, killed.join("\n")).expect("written");
    let told = phitap(["report", events.as_str()]);
    assert_eq!(told.status, Some(3), "{}", told.err);
    assert!(told.err.contains("run 1 did not end"), "{}", told.err);
    let model = model(&told.out);
    assert_eq!((&model["run"], &model["runs"]["unended"]), (&Value::Null, &1.into()));
    assert_eq!(model["runs"]["verdict"], "unknown");
}
