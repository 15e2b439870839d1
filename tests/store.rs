//! `--store` as its users see it: equal to the events at any level of detail, and safe across a
//! kill, a full disk and a second run.

mod common;

use common::Bounded as _;
use common::ROOT;
use phitap::review::source::{Filter, Results, read};
use std::path::Path;
use std::process::Command;

fn phitap(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_phitap")).args(args).current_dir(ROOT).finish()
}

const CAPTURE: &str = "fixtures/hospital.pcap";

/// A key file in `folder`.
fn key(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("key");
    std::fs::write(&path, (1..33).collect::<Vec<u8>>()).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    path.display().to_string()
}

/// The patients of each exposure, with number of records and kinds.
fn patients(results: &Results) -> Vec<(String, String, Vec<String>)> {
    let mut all = Vec::new();
    for patient in &results.patients {
        for seen in &patient.seen {
            let exposure = seen.exposure.and_then(|at| results.exposures.get(at));
            let exposure = exposure.map(|e| e.id.clone()).unwrap_or_default();
            let mut kinds = patient.kinds.clone();
            kinds.sort();
            all.push((patient.token.clone(), exposure, kinds));
        }
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_store_and_the_events_of_the_same_run_say_the_same() {
    let dir = tempfile::tempdir().expect("folder");
    let (events, key) = (dir.path().join("events.json"), key(dir.path()));
    let mut stores = Vec::new();
    for detail in ["flows", "exposures"] {
        let store = dir.path().join(format!("{detail}.db"));
        let out = phitap(&[
            "replay",
            "--key-file",
            &key,
            "--detail",
            detail,
            "--format",
            "json",
            "--output",
            &events.with_extension(detail).display().to_string(),
            "--store",
            &store.display().to_string(),
            CAPTURE,
        ]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        stores.push(read(&store, &Filter::default()).expect("reads"));
    }
    let [store, terse] = &stores[..] else { panic!() };
    let lines = read(&events.with_extension("flows"), &Filter::default()).expect("reads");
    assert!(store.losses.none() && lines.losses.none(), "{:?} {:?}", store.losses, lines.losses);
    assert_eq!(store.exposures.len(), 33);
    let all = |r: &Results| {
        let mut all: Vec<_> =
            r.exposures.iter().map(|e| (e.id.clone(), e.fingerprint.clone(), e.patients)).collect();
        all.sort();
        all
    };
    assert_eq!(all(store), all(&lines));
    assert_eq!(store.services.len(), lines.services.len());
    assert_eq!(store.assets.len(), lines.assets.len());
    assert_eq!(store.patients.len(), 229);
    assert_eq!(patients(store), patients(&lines));
    assert_eq!(patients(terse), patients(store), "the level of detail changes nothing");
    // An exposure's number of patients is the number of patients seen with it.
    for (at, exposure) in store.exposures.iter().enumerate() {
        let seen =
            |p: &&phitap::review::source::Patient| p.seen.iter().any(|s| s.exposure == Some(at));
        assert_eq!(store.patients.iter().filter(seen).count() as u64, exposure.patients);
        let evidence = exposure.evidence.as_ref().expect("a file");
        assert_eq!(evidence.file, CAPTURE);
    }
    let [run] = &store.runs[..] else { panic!() };
    assert!(run.ended && !run.live && run.files == [CAPTURE] && run.rules.len() == 16);
}

#[test]
fn a_second_run_under_the_same_key_has_the_same_fingerprints() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, key) = (dir.path().join("s.db").display().to_string(), key(dir.path()));
    for sensor in ["one", "two"] {
        let args = [
            "replay",
            "--quiet",
            "--key-file",
            &key,
            "--sensor",
            sensor,
            "--store",
            &store,
            CAPTURE,
        ];
        assert!(phitap(&args).status.success());
    }
    let results = read(Path::new(&store), &Filter::default()).expect("reads");
    let of = |run: usize| {
        let mut all: Vec<_> = results
            .exposures
            .iter()
            .filter(|e| e.run == run)
            .map(|e| e.fingerprint.clone().expect("has one"))
            .collect();
        all.sort();
        all
    };
    let one = of(0);
    assert_eq!(one.len(), 33);
    assert!(one.windows(2).all(|w| w[0] != w[1]), "each its own");
    assert_eq!(one, of(1));
    let filter = Filter { sensors: vec!["two".into()], ..Filter::default() };
    let two = read(Path::new(&store), &filter).expect("reads");
    assert_eq!((two.runs.len(), two.exposures.len(), two.patients.len()), (1, 33, 229));
}

#[test]
fn a_killed_run_leaves_a_whole_store_with_what_it_had_written() {
    let dir = tempfile::tempdir().expect("folder");
    let store = dir.path().join("s.db");
    // A followed file, so that the run does not end.
    let args = ["replay", "--quiet", "--follow", "--store"];
    for _ in 0..2 {
        let before = read(&store, &Filter::default()).map_or(0, |r| r.exposures.len());
        let mut child = Command::new(env!("CARGO_BIN_EXE_phitap"))
            .args(args)
            .arg(&store)
            .arg(CAPTURE)
            .current_dir(ROOT)
            .stdout(std::process::Stdio::null())
            .start();
        let mut seen = 0;
        for _ in 0..3600 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            // Reading works while another process writes.
            seen = read(&store, &Filter::default()).map_or(0, |r| r.exposures.len()) - before;
            if seen >= 10 {
                break;
            }
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("ended");
        assert!(seen >= 10, "{seen}");
    }
    let results = read(&store, &Filter::default()).expect("reads");
    assert!(results.losses.none());
    assert_eq!(results.runs.iter().map(|run| run.ended).collect::<Vec<_>>(), [false, false]);
    for patient in &results.patients {
        assert!(patient.seen.iter().all(|seen| seen.exposure.is_some()));
    }
    let check = phitap(&["replay", "--quiet", "--store", &store.display().to_string(), CAPTURE]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// RLIMIT_FSIZE acts like a full disk for one process.
#[test]
fn a_full_disk_ends_a_replay_with_its_name_and_leaves_what_was_there() {
    let dir = tempfile::tempdir().expect("folder");
    let store = dir.path().join("s.db").display().to_string();
    assert!(phitap(&["replay", "--quiet", "--store", &store, CAPTURE]).status.success());
    let before = read(Path::new(&store), &Filter::default()).expect("reads").patients.len();
    let blocks = std::fs::metadata(&store).expect("file").len() / 1024 + 8;
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec {} replay --quiet --store {store} {CAPTURE}",
        env!("CARGO_BIN_EXE_phitap")
    );
    let out = Command::new("bash").args(["-c", &script]).current_dir(ROOT).finish();
    let message = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{message}");
    assert!(message.contains("s.db") && message.lines().count() == 1, "{message}");
    let after = read(Path::new(&store), &Filter::default()).expect("still reads");
    let first = after.patients.iter().filter(|p| p.run == 0).count();
    assert_eq!((first, after.losses.none()), (before, true));
}

#[test]
fn a_store_holds_no_values_and_none_are_asked_of_it() {
    let dir = tempfile::tempdir().expect("folder");
    let store = dir.path().join("s.db").display().to_string();
    let out = phitap(&["replay", "--quiet", "--reveal", "--store", &store, CAPTURE]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--reveal"));
    assert!(phitap(&["replay", "--quiet", "--store", &store, CAPTURE]).status.success());
    let revealed = dir.path().join("revealed.json").display().to_string();
    let args = ["replay", "--reveal", "--format", "json", "--output", &revealed, CAPTURE];
    assert!(phitap(&args).status.success());
    let bytes = std::fs::read(&store).expect("store");
    let mut searched = 0;
    for line in std::fs::read_to_string(&revealed).expect("events").lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let list = event.pointer("/phi/patient/identifiers").and_then(|l| l.as_array());
        for identifier in list.into_iter().flatten() {
            let value = identifier["value"].as_str().expect("value");
            let telling = matches!(
                identifier["kind"].as_str(),
                Some("name" | "patient_id" | "ssn" | "phone")
            );
            if telling && value.len() > 6 {
                let found = memchr::memmem::find(&bytes, value.as_bytes());
                assert!(found.is_none(), "a {}", identifier["kind"]);
                searched += 1;
            }
        }
    }
    assert!(searched > 500, "{searched}");
}

/// A page of a table that refers to `child` as often as there is room.
fn interior(size: usize, child: u32) -> Vec<u8> {
    // SQLite's file format, 1.6: type, cells, start of cells, right-most child; then an array of their places.
    const CELL: usize = 5;
    let cells = (size - 12) / (CELL + 2) - 1;
    let start = size - cells * CELL;
    let mut page = vec![5, 0, 0];
    page.extend((cells as u16).to_be_bytes());
    page.extend((start as u16).to_be_bytes());
    page.push(0);
    page.extend(child.to_be_bytes());
    page.extend((0..cells).flat_map(|n| ((start + n * CELL) as u16).to_be_bytes()));
    page.resize(start, 0);
    for n in 0..cells {
        page.extend(child.to_be_bytes());
        page.push(n.min(127) as u8);
    }
    page
}

/// Puts five levels of such pages above the rows of `table`.
fn forge(path: &Path, table: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    let number = |query: &str, of: &[&str]| -> usize {
        let params = rusqlite::params_from_iter(of);
        connection.query_row(query, params, |row| row.get::<_, u32>(0)).expect("a number") as usize
    };
    let size = number("PRAGMA page_size", &[]);
    let root = number("SELECT rootpage FROM sqlite_schema WHERE name = ?1", &[table]);
    drop(connection);
    let mut file = std::fs::read(path).expect("a store");
    let mut pages = file.len() / size;
    let rows = file[(root - 1) * size..root * size].to_vec();
    file.extend(rows);
    for _ in 0..4 {
        pages += 1;
        file.extend(interior(size, pages as u32));
    }
    file[(root - 1) * size..root * size].copy_from_slice(&interior(size, pages as u32 + 1));
    let pages = (file.len() / size) as u32;
    file[28..32].copy_from_slice(&pages.to_be_bytes());
    std::fs::write(path, file).expect("written");
}

#[test]
fn a_store_whose_pages_refer_to_one_another_for_ever_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, key) = (dir.path().join("s.db").display().to_string(), key(dir.path()));
    let out = phitap(&["replay", "-q", "--key-file", &key, "--store", &store, CAPTURE]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for table in ["runs", "exposures", "findings"] {
        let forged = dir.path().join(format!("{table}.db"));
        std::fs::copy(&store, &forged).expect("copied");
        forge(&forged, table);
        let forged = forged.display().to_string();
        let out = phitap(&["query", &forged, "patients"]);
        let error = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{table}: {error}");
        assert!(error.contains("is damaged"), "{table}: {error}");
    }
    let out = phitap(&["query", &store, "patients"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
}
