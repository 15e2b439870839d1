//! `phitap cut` over every kind of traffic: what is cut for an exposure, replayed alone, gives that exposure.
#![cfg(feature = "store")]

mod common;

use common::packets::begun_later;
use common::{Key, ROOT, cases, events, hospital, is, on_all, phitap};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Exposures by id, without what is not of the exposure itself: packets of the capture, the time of the event, and the
/// other exposures that C-MOVE ties it to.
fn exposures(key: &str, capture: &Path, more: &[&str]) -> BTreeMap<String, Value> {
    let path = capture.display().to_string();
    let given = ["replay", "-q", "--format", "json", "--detail", "exposures", "--key-file", key];
    let run = phitap(given.iter().chain(more).chain(&[path.as_str()]));
    assert!(matches!(run.status, Some(0 | 3)), "{path}: {}", run.err);
    let ended = |e: &Value| is(e, "phi-exposure") && e["phi"]["exposure"]["state"] == "ended";
    let all = events(&run.out).into_iter().filter(ended).map(|mut e| {
        let id = e["event"]["id"].as_str().expect("an id").to_owned();
        let remove = |of: Option<&mut Value>, names: &[&str]| {
            if let Some(Value::Object(map)) = of {
                names.iter().for_each(|name| drop(map.remove(*name)));
            }
        };
        remove(Some(&mut e), &["@timestamp", "observer"]);
        remove(e.pointer_mut("/phi"), &["evidence"]);
        remove(e.pointer_mut("/phi/dicom"), &["moved_to", "moved_for"]);
        if e.pointer("/phi/dicom").is_some_and(|of| *of == serde_json::json!({})) {
            remove(e.pointer_mut("/phi"), &["dicom"]);
        }
        (id, e)
    });
    all.collect()
}

/// Cuts each exposure of a capture and replays it alone. Returns the protocols of the exposures.
fn cut_each(key: &str, capture: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let store = at("s.db");
    let known = exposures(key, capture, &["--store", &store]);
    let mut protocols = Vec::new();
    for (id, whole) in &known {
        let place = format!("{} {id}", capture.display());
        let file = at(&format!("{id}.pcapng"));
        let out = phitap(["cut", &store, "--exposure", id, "--output", &file]);
        assert_eq!((out.status, out.err.as_str()), (Some(0), ""), "{place}");
        let alone = exposures(key, Path::new(&file), &[]);
        assert_eq!(alone.get(id), Some(whole), "{place}");
        for other in alone.values() {
            for end in ["client", "server"] {
                assert_eq!(other[end]["ip"], whole[end]["ip"], "{place}: others are in it");
            }
        }
        protocols.push(whole["network"]["protocol"].as_str().expect("a protocol").to_owned());
    }
    protocols
}

/// For each protocol in the truths, the first capture that shows patients in it.
fn one_of_each_protocol() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for case in cases() {
        for flow in common::list(&case.truth["flows"]) {
            if flow["alert_expected"] == true && flow["encrypted"] != true {
                let protocol = common::string(&flow["protocol"]).to_owned();
                found.entry(protocol).or_insert_with(|| case.capture.clone());
            }
        }
    }
    found
}

#[test]
fn an_exposure_of_any_protocol_is_cut_whole() {
    let key = Key::new();
    let captures = one_of_each_protocol();
    let files: Vec<PathBuf> =
        captures.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let path = key.path();
    let seen: BTreeSet<String> =
        on_all(&files, |file| cut_each(&path, file)).into_iter().flatten().collect();
    let known_as = |protocol: &str| match protocol {
        "http2" | "websocket" => "http".to_owned(),
        "smb2" => "smb".to_owned(),
        other => other.to_owned(),
    };
    let missing: Vec<&String> = captures.keys().filter(|p| !seen.contains(&known_as(p))).collect();
    assert!(missing.is_empty(), "{missing:?} of {seen:?}");
    assert!(seen.len() >= 30, "{seen:?}");
}

#[test]
fn fragments_and_tunnels_are_cut_whole() {
    let key = Key::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["fixtures/links", "fixtures/captures"] {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let is_kind =
                ["fragments", "vxlan", "gre-", "gre.", "erspan", "6in4", "capwap", "amsdu"]
                    .iter()
                    .any(|kind| name.contains(kind));
            if is_kind && !name.ends_with(".json") {
                files.push(path);
            }
        }
    }
    files.sort();
    let path = key.path();
    let found = on_all(&files, |file| cut_each(&path, file).len());
    let fragments = |file: &&PathBuf| file.to_string_lossy().contains("fragments");
    assert!(files.iter().filter(fragments).count() >= 6, "{files:?}");
    for (file, n) in files.iter().zip(found) {
        assert!(n > 0, "{}: nothing was exposed", file.display());
    }
}

#[test]
fn exposures_whose_beginning_was_not_captured_are_cut_whole() {
    let key = Key::new();
    let folder = tempfile::tempdir().expect("folder");
    let captures: BTreeSet<PathBuf> = one_of_each_protocol().into_values().collect();
    let late: Vec<PathBuf> = captures
        .iter()
        .filter_map(|capture| {
            let to = folder.path().join(capture.file_name()?);
            let late = begun_later(&std::fs::read(capture).expect("a capture"), 6)?;
            std::fs::write(&to, late).expect("written");
            Some(to)
        })
        .collect();
    let path = key.path();
    let found: usize = on_all(&late, |file| cut_each(&path, file).len()).into_iter().sum();
    assert!(found >= 25, "{found} exposures in {} captures", late.len());
}

/// Files cross at ports of their own: they belong to the service that announced them, in the exposure and in the cut.
#[test]
fn files_at_other_ports_belong_to_the_service_that_announced_them() {
    let key = Key::new();
    for (name, port, files) in [("other-ftp-upload", 21, 1), ("other-tftp", 69, 2)] {
        let capture = Path::new(ROOT).join(format!("fixtures/captures/{name}.pcap"));
        let all = exposures(&key.path(), &capture, &[]);
        assert_eq!(all.len(), 1, "{name}: one client and one service");
        let exposure = all.values().next().expect("one");
        assert_eq!(exposure["server"]["port"], port, "{name}");
        assert_eq!(exposure["phi"]["exposure"]["flows"], files, "{name}");
    }
}

/// What one client showed of a service raises the exposures of others, or lowers them: the flows that showed it are in
/// the cut of each of them.
#[test]
fn the_cut_of_an_exposure_has_what_showed_whom_its_service_answers() {
    let key = Key::new();
    let mut captures: Vec<PathBuf> = std::fs::read_dir(Path::new(ROOT).join("fixtures/services"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|of| of == "pcap"))
        .collect();
    captures.push(hospital());
    let path = key.path();
    let found = on_all(&captures, |capture| cut_with_proofs(&path, capture));
    let (raised, of_others) = found.iter().fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
    assert!(raised >= 6, "{raised} exposures of services that answer anyone");
    assert!(of_others >= 2, "{of_others} of them were shown by another client");
}

/// Cuts each exposure of a capture of whose service it is known whom it answers, and replays it alone. Returns how many
/// there are, and how many needed flows of other clients.
fn cut_with_proofs(key: &str, capture: &Path) -> (usize, usize) {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let store = at("s.db");
    let known = exposures(key, capture, &["--store", &store]);
    let (mut all, mut of_others) = (0, 0);
    for (id, whole) in &known {
        let access = &whole["phi"]["service"]["access"];
        if access.is_null() {
            continue;
        }
        all += 1;
        let place = format!("{} {id}", capture.display());
        let file = at(&format!("{id}.pcapng"));
        let out = phitap(["cut", &store, "--exposure", id, "--output", &file]);
        assert_eq!(out.status, Some(0), "{place}: {}", out.err);
        let alone = exposures(key, Path::new(&file), &[]);
        let cut = &alone[id];
        for pointer in [
            "/event/severity",
            "/event/reason",
            "/phi/exposure",
            "/phi/service/access/answers",
            "/phi/service/access/evidence",
        ] {
            assert_eq!(cut.pointer(pointer), whole.pointer(pointer), "{place}: {pointer}");
        }
        let manifest = std::fs::read_to_string(format!("{file}.json")).expect("a manifest");
        let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
        let proofs = common::list(&manifest["proofs"]);
        assert!(!proofs.is_empty(), "{place}");
        let named: BTreeSet<&str> =
            proofs.iter().map(|proof| common::string(&proof["evidence"])).collect();
        for evidence in common::list(&access["evidence"]) {
            assert!(named.contains(common::string(evidence)), "{place}: {evidence} of {named:?}");
        }
        of_others += usize::from(out.err.contains("of other clients"));
    }
    (all, of_others)
}

/// The cut of a service has all of its clients.
#[test]
fn the_cut_of_a_service_has_all_of_its_clients() {
    let key = Key::new();
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (store, all) = (at("s.db"), at("all.pcapng"));
    let capture = Path::new(ROOT).join("fixtures/services/dicom.pcap");
    let known = exposures(&key.path(), &capture, &["--store", &store]);
    let shared =
        |e: &&Value| e["phi"]["service"]["access"]["clients"].as_u64().is_some_and(|n| n > 1);
    let of: Vec<&Value> = known.values().filter(shared).collect();
    let server = &of[0]["server"];
    let (ip, port) = (server["ip"].as_str().expect("an address"), server["port"].to_string());
    let out = phitap(["cut", &store, "--server", ip, "--port", &port, "--output", &all]);
    assert_eq!((out.status, out.err.as_str()), (Some(0), ""));
    let alone = exposures(&key.path(), Path::new(&all), &[]);
    assert!(of.len() >= 2 && alone.len() >= of.len(), "{} {}", of.len(), alone.len());
    for exposure in of.iter().filter(|e| e["server"] == *server) {
        let id = exposure["event"]["id"].as_str().expect("an id");
        assert_eq!(alone.get(id), Some(*exposure));
    }
}

#[test]
fn what_events_name_is_read_only_if_it_is_a_regular_file() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let key = Key::new();
    let capture = format!("{ROOT}/fixtures/captures/hl7-astm.pcap");
    let run = phitap(["replay", "-q", "--format", "json", "--key-file", &key.path(), &capture]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let pipe = at("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    for file in [pipe.as_str(), "/dev/zero", "/dev"] {
        let forged = at("forged.json");
        std::fs::write(&forged, run.out.replace(&capture, file)).expect("written");
        let out = phitap(["cut", &forged, "--severity", "low", "--output", &at("cut.pcapng")]);
        assert_eq!(out.status, Some(1), "{file}: {}", out.err);
        assert!(out.err.contains("not a regular file"), "{file}: {}", out.err);
        assert!(!Path::new(&at("cut.pcapng")).exists());
    }
}
