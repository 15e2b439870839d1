//! The report and the page of a running sensor in a headless Chromium, judged by axe-core (WCAG 2.2 A and AA).

use super::common::Bounded as _;
use crate::common::{self, PHITAP};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Longest time until a report is drawn, on a busy machine.
const MAX_LOAD_MS: u64 = 60_000;
/// Largest report of the hospital's hour, bytes.
const MAX_REPORT: u64 = 2_000_000;

fn browse(python: &Path, address: &str, steps: &Value) -> Option<Value> {
    if std::env::var_os("PHITAP_NO_BROWSER").is_some_and(|v| v == "1") {
        println!("LEFT OUT: PHITAP_NO_BROWSER is set");
        return None;
    }
    let told = crate::oracle(python, "page.py", &[address, &steps.to_string()]);
    Some(serde_json::from_str(&told).expect("JSON"))
}

fn no_faults(told: &Value) {
    assert_eq!(told["errors"], json!([]), "{told:#}");
    for violations in told["axe"].as_array().expect("a list") {
        assert_eq!(violations, &json!([]), "{violations:#}");
    }
}

#[test]
fn a_report_opens_without_a_network_and_anyone_can_read_it() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let report = folder.path().join("report.html");
    let run = common::phitap([
        "replay".as_ref(),
        "--report".as_ref(),
        report.as_os_str(),
        common::hospital().as_os_str(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(std::fs::metadata(&report).expect("a report").len() < MAX_REPORT);
    let pdf = folder.path().join("report.pdf");
    let opened = "document.querySelectorAll('details.exposure[open]').length";
    let steps = json!([
        {"axe": true},
        {"eval": "document.getElementById('headline').textContent"},
        {"eval": "document.querySelectorAll('details.exposure').length"},
        // By keyboard and by its own URL.
        {"eval": "document.querySelector('details.exposure summary').click()"},
        {"wait": format!("{opened} === 1")},
        {"eval": "document.querySelector('details.exposure[open] .body').textContent"},
        {"eval": "location.hash = document.querySelectorAll('details.exposure')[7].id; 1"},
        {"wait": format!("{opened} === 2")},
        {"axe": true},
        // Filters.
        {"eval": "(() => { const f = document.getElementById('f-text'); f.value = 'dicom';
            f.dispatchEvent(new Event('input')); return document.querySelectorAll('details.exposure').length })()"},
        {"eval": "document.getElementById('shown').textContent"},
        {"dark": true}, {"axe": true}, {"dark": false},
        {"size": [400, 800]},
        {"eval": "document.documentElement.scrollWidth"},
        {"axe": true},
        {"pdf": pdf},
    ]);
    let address = format!("file://{}", report.display());
    let Some(told) = browse(&python, &address, &steps) else { return };
    no_faults(&told);
    assert_eq!(told["requests"], json!([]), "a report asks for nothing");
    assert!(told["load"].as_u64().is_some_and(|ms| ms < MAX_LOAD_MS), "{} ms", told["load"]);
    let values = told["values"].as_array().expect("a list");
    assert_eq!(values[0], "229 patients in cleartext: 33 exposures of 33 services");
    assert_eq!(values[1], 33);
    let body = values[3].as_str().expect("a text");
    for part in ["What to do", "Facts", "Evidence (masked)", "frame.number"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let of_dicom = values[5].as_u64().expect("a number");
    assert!((10..33).contains(&of_dicom), "{of_dicom}");
    assert_eq!(values[6], format!("{of_dicom} of 33 exposures match."));
    assert_eq!(values[7], 400, "nothing is wider than a phone");
    let printed = std::fs::read(&pdf).expect("a PDF");
    assert!(printed.starts_with(b"%PDF") && printed.len() > 50_000, "{}", printed.len());
}

#[test]
fn a_sensor_shows_what_it_finds_while_it_runs() {
    let Some(python) = crate::python() else { return };
    let mut sensor = Command::new(PHITAP)
        .args([
            "replay",
            "--follow",
            "--metrics",
            "127.0.0.1:0",
            "--no-progress",
            "--format",
            "csv",
        ])
        .args(["--output", "/dev/null"])
        .arg(common::hospital())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .start();
    let mut said = BufReader::new(sensor.stderr.take().expect("standard error"));
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(said.read_line(&mut line).expect("a line") > 0, "it says where it serves");
        if let Some(at) = line.split_whitespace().find_map(|word| word.split_once("http://")) {
            break format!("http://{}/", at.1.trim_end_matches(['/', '.', ',', ';']));
        }
    };
    let steps = json!([
        {"wait": "document.querySelectorAll('details.exposure').length >= 25"},
        {"wait": "document.querySelector('.dot.on') !== null"},
        {"wait": "document.getElementById('status').textContent.includes('Packets 1,709')"},
        {"wait": "document.getElementById('status').textContent.startsWith('ready')"},
        {"axe": true},
        {"eval": "document.getElementById('status').textContent"},
        {"eval": "document.querySelector('details.exposure summary').click()"},
        {"wait": "document.querySelector('details.exposure[open] .body').textContent.includes('Evidence (masked)')"},
        {"size": [400, 800]},
        {"eval": "document.documentElement.scrollWidth"},
        {"axe": true},
    ]);
    let told = browse(&python, &address, &steps);
    sensor.kill().expect("killed");
    sensor.wait().expect("ended");
    let Some(told) = told else { return };
    no_faults(&told);
    let values = told["values"].as_array().expect("a list");
    let status = values[0].as_str().expect("a text");
    assert!(status.starts_with("ready") && status.contains("Packets 1,709"), "{status}");
    assert_eq!(values[2], 400, "nothing is wider than a phone");
    let host = address.trim_end_matches('/');
    let requests = told["requests"].as_array().expect("a list");
    assert!(
        requests.iter().all(|r| r.as_str().is_some_and(|r| r.starts_with(host))),
        "{requests:?}"
    );
}
