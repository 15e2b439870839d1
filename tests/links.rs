//! One conversation in every link type and encapsulation gives the same finding, and
//! `docs/links.md` lists exactly what is proved here.

mod common;

use common::{Key, ROOT, events, is, on_all, phitap};
use phitap::capture::LinkType;
use phitap::decode::Skip;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The recorded conversation.
const BASE: &str = "fixtures/captures/hl7-adt-a01.pcap";

fn folder() -> PathBuf {
    Path::new(ROOT).join("fixtures/links")
}

/// The names of the fixtures.
fn names() -> BTreeSet<String> {
    names_in(&folder())
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).expect("folder").map(|e| e.expect("entry").path());
    files
        .map(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).expect("name");
            name.strip_suffix(".pcap").unwrap_or_else(|| panic!("{name}")).to_owned()
        })
        .collect()
}

/// The findings without addresses, times and link; and the run's figures.
fn found(capture: &Path, key: &str, options: &[&str]) -> (Vec<Value>, Value) {
    let capture = capture.display().to_string();
    let arguments = ["replay", "--format", "json", "--workers", "1", "--key-file", key, &capture];
    let run = phitap(arguments.iter().chain(options));
    let cut = capture.ends_with("snaplen.pcap");
    assert_eq!(run.status, Some(if cut { 3 } else { 0 }), "{capture}: {}", run.err);
    let events = events(&run.out);
    let findings = events.iter().filter(|e| is(e, "phi-finding")).map(|e| {
        let ports = ["client", "server"].map(|end| e[end]["port"].clone());
        let mut phi = e["phi"].clone();
        // Its id depends on addresses and time, its packets on the file.
        for other in ["exposure", "evidence"] {
            phi.as_object_mut().expect("object").remove(other).expect(other);
        }
        json!([ports, e["network"]["transport"], e["network"]["protocol"], e["rule"], phi])
    });
    (findings.collect(), events.last().expect("summary")["phi"]["run"].clone())
}

#[test]
fn the_same_patient_is_found_in_every_encapsulation() {
    let key = Key::new();
    let (base, _) = found(&Path::new(ROOT).join(BASE), &key.path(), &[]);
    assert_eq!(base.len(), 1, "one message with one patient");
    let patient = &base[0][4]["patient"];
    let listed = |field: &str| patient[field].as_array().map_or(0, Vec::len);
    // Kinds whose masks hide everything are listed without values.
    let kinds = listed("identifiers") + listed("kinds");
    assert!(kinds >= 8, "{patient}");
    let (_, plain) = found(&folder().join("ethernet.pcap"), &key.path(), &[]);
    let names: Vec<String> = names().into_iter().collect();
    assert!(names.len() > 100, "{}", names.len());
    let wrong = on_all(&names, |name| {
        let capture = folder().join(format!("{name}.pcap"));
        let mut wrong = Vec::new();
        for options in [&[][..], &["--checksums", "strict"]] {
            let (findings, run) = found(&capture, &key.path(), options);
            if findings != base {
                wrong.push(format!("{name} {options:?}: {} findings differ", findings.len()));
            }
            if run["flows"]["total"] != 1 {
                wrong.push(format!("{name} {options:?}: flows {}", run["flows"]["total"]));
            }
            // These two have other times.
            let timed = !["time-backwards", "wifi-amsdu-several"].contains(&name.as_str());
            if timed && ["started", "ended"].iter().any(|at| run[*at] != plain[*at]) {
                wrong.push(format!("{name} {options:?}: {} to {}", run["started"], run["ended"]));
            }
            // Nothing is skipped except the deliberate copies.
            let skipped = run["packets"]["skipped"].as_object().expect("skipped");
            if skipped.keys().any(|reason| name != "wifi-retries" || reason != "wifi_retry") {
                wrong.push(format!("{name} {options:?}: {skipped:?}"));
            }
        }
        wrong
    });
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_fixtures_are_what_the_script_makes() {
    let made = tempfile::tempdir().expect("folder");
    let status = Command::new("python3")
        .arg(Path::new(ROOT).join("fixtures/wrap.py"))
        .arg(made.path())
        .status()
        .expect("fixtures/wrap.py needs python3: install it");
    assert!(status.success());
    assert_eq!(names_in(made.path()), names(), "run fixtures/wrap.py and commit fixtures/links");
    for name in names() {
        let file = format!("{name}.pcap");
        let (made, committed) =
            (std::fs::read(made.path().join(&file)), std::fs::read(folder().join(&file)));
        let (made, committed) = (made.expect("made"), committed.expect("committed"));
        assert!(made.len() < 8192, "{name} is large: {} bytes", made.len());
        // Not assert_eq, which would print both.
        assert!(made == committed, "{name}: run fixtures/wrap.py and commit fixtures/links");
    }
}

/// The rows of the tables of `docs/links.md` with their headings, without table heads.
fn rows() -> Vec<(String, Vec<String>)> {
    let text =
        std::fs::read_to_string(Path::new(ROOT).join("docs/links.md")).expect("docs/links.md");
    let (mut heading, mut rows, mut head) = (String::new(), Vec::new(), true);
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_owned();
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |")) else {
            // The rule below a table's head, or the end of the table.
            head = !line.starts_with("|---");
            continue;
        };
        if !head {
            rows.push((heading.clone(), cells.split(" | ").map(|c| c.trim().to_owned()).collect()));
        }
    }
    rows
}

/// The words in backquotes of a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_table_names_every_fixture_and_only_such() {
    let (names, mut named) = (names(), BTreeSet::new());
    let mut read = 0;
    for (heading, cells) in rows() {
        if heading == "What is skipped" {
            continue;
        }
        read += 1;
        let fixtures = cells.last().expect("cells");
        assert!(quoted(fixtures).next().is_some(), "no fixture proves {cells:?}");
        for name in quoted(fixtures) {
            assert!(names.contains(name), "{cells:?}: there is no fixture {name}");
            assert!(named.insert(name.to_owned()), "{name} stands in the table twice");
        }
    }
    assert!(read > 40, "{read} rows");
    let missing: Vec<_> = names.difference(&named).collect();
    assert!(missing.is_empty(), "docs/links.md does not name {missing:?}");
}

#[test]
fn the_table_names_every_link_type_with_a_fixture_of_it() {
    let (mut documented, mut read) = (BTreeSet::new(), BTreeSet::new());
    for (heading, cells) in rows() {
        if heading != "Link types" {
            continue;
        }
        let number: u16 = cells[0].split(' ').next().and_then(|n| n.parse().ok()).expect("number");
        assert!(documented.insert(number), "{number} stands there twice");
        for name in quoted(&cells[2]) {
            let file = std::fs::read(folder().join(format!("{name}.pcap"))).expect("fixture");
            assert_eq!(file[20..24], u32::from(number).to_le_bytes(), "link type of {name}");
        }
    }
    read.extend((0..=u16::MAX).filter(|&n| LinkType(n).name().is_some()));
    assert_eq!(documented, read);
}

#[test]
fn the_table_names_every_reason() {
    let rows = rows();
    let passed = rows.iter().filter(|(heading, _)| heading == "What is skipped");
    let documented: Vec<&str> = passed.flat_map(|(_, cells)| quoted(&cells[0])).collect();
    let reasons: Vec<&str> = Skip::ALL.iter().map(|skip| skip.as_str()).collect();
    assert_eq!(documented, reasons);
}
