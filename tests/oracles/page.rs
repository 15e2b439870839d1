//! The report and the page of a running sensor in a headless Chromium, judged by axe-core (WCAG 2.2 A and AA).

use super::common::Bounded as _;
use crate::common::packets::{ethernet, pcap_header, push_record, tcp};
use crate::common::{self, PHITAP};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

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
fn a_report_without_an_exposure_is_no_all_clear() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (store, both, report) = (at("runs.db"), at("both.html"), at("report.html"));
    let capture = common::hospital().display().to_string();
    let shared = ["replay", "--quiet", "--filter", "tcp port 9", "--store", &store];
    for _ in 0..2 {
        let told = common::phitap([&shared[..], &["--report", &report, &capture]].concat());
        assert_eq!(told.status, Some(3), "{}", told.err);
    }
    let told = common::phitap(["report", &store, "--output", &both]);
    assert_eq!(told.status, Some(3), "{}", told.err);
    let of = |id: &str| json!({"eval": format!("document.getElementById('{id}').textContent")});
    let ids = ["headline", "coverage-line", "v-todo", "v-coverage", "v-law"];
    let mut steps: Vec<Value> = ids.into_iter().map(of).collect();
    steps.push(json!({"axe": true}));
    for page in [report, both] {
        let address = format!("file://{page}");
        let Some(told) = browse(&python, &address, &json!(steps)) else { return };
        no_faults(&told);
        let values = told["values"].as_array().expect("a list");
        let text = |at: usize| values[at].as_str().expect("a text");
        assert_eq!(text(0), "Nothing was read: nothing can be said");
        assert!(text(1).contains("--filter matched none of") && !text(1).contains('%'), "{told:#}");
        assert!(text(2).contains("no all-clear") && text(2).contains("--filter"), "{told:#}");
        assert!(text(3).contains("--filter matched none of"), "{told:#}");
        assert_eq!(text(4).matches("ot applicable: nothing was judged").count(), 3, "{told:#}");
        for wrong in ["home networks", "No: the data", "none needed"] {
            assert!(!text(4).contains(wrong), "{wrong}: {told:#}");
        }
    }
}

/// Events that were damaged may have been the first finding: the headline, the coverage block and the facts for the
/// privacy officer say what is missing.
#[test]
fn a_report_of_damaged_events_says_what_is_missing() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let capture = Path::new(common::ROOT).join("fixtures/captures/hl7-adt-a01.pcap");
    let capture = capture.display().to_string();
    let told = common::phitap(["replay", "--quiet", "--format", "json", &capture]);
    let summary = told.out.lines().last().expect("a summary").to_owned();
    let (damaged, page) = (at("damaged.json"), at("page.html"));
    std::fs::write(&damaged, format!("{{\"event\":{{\"act\n{summary}\n")).expect("written");
    let of = |id: &str| json!({"eval": format!("document.getElementById('{id}').textContent")});
    let ids = ["headline", "coverage-line", "v-todo", "v-coverage", "v-law"];
    let mut steps: Vec<Value> = ids.into_iter().map(of).collect();
    steps.push(json!({"axe": true}));
    let told = common::phitap(["report", &damaged, "--output", &page]);
    assert_eq!(told.status, Some(3), "{}", told.err);
    let Some(told) = browse(&python, &format!("file://{page}"), &json!(steps)) else { return };
    no_faults(&told);
    let values = told["values"].as_array().expect("a list");
    let text = |at: usize| values[at].as_str().expect("a text");
    assert_eq!(text(0), "No patient data seen in what could be judged");
    for part in 1..5 {
        assert!(text(part).contains("1 entry: no event of phitap, or damaged"), "{told:#}");
        assert!(!text(part).contains("Nothing to do"), "{told:#}");
    }
    // With findings the number is a lower bound.
    let told = common::phitap(["replay", "--quiet", "--format", "json", &capture]);
    std::fs::write(&damaged, format!("no event\n{}", told.out)).expect("written");
    let told = common::phitap(["report", &damaged, "--output", &page]);
    assert_eq!(told.status, Some(3), "{}", told.err);
    let told = browse(&python, &format!("file://{page}"), &json!(steps)).expect("as before");
    no_faults(&told);
    let values = told["values"].as_array().expect("a list");
    let text = |at: usize| values[at].as_str().expect("a text");
    assert!(text(0).starts_with("At least 1 patient in cleartext: 1 exposure"), "{told:#}");
    assert!(
        text(1).contains("1 entry: no event of phitap") && text(4).contains("there may be more")
    );
}

/// The labels of the timeline do not overlap, however short the time and however narrow the window.
#[test]
fn the_labels_of_the_timeline_stay_apart() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let captures = Path::new(common::ROOT).join("fixtures/captures");
    let apart = "(() => {
        const all = [...document.querySelectorAll('#v-timeline text.axis[text-anchor]')]
            .filter(e => e.getAttribute('y') > 140).map(e => e.getBoundingClientRect());
        const sorted = all.sort((a, b) => a.left - b.left);
        return sorted.length && sorted.every((r, i) => !i || r.left > sorted[i - 1].right);
    })()";
    let one = captures.join("hl7-adt-a01.pcap");
    for capture in [one, common::hospital()] {
        let page = folder.path().join("page.html");
        let told = common::phitap([
            "replay".as_ref(),
            "--quiet".as_ref(),
            "--report".as_ref(),
            page.as_os_str(),
            capture.as_os_str(),
        ]);
        assert_eq!(told.status, Some(0), "{}", told.err);
        let mut steps = Vec::new();
        for width in [320, 400, 700, 1280] {
            steps.push(json!({"size": [width, 800]}));
            steps.push(json!({"wait": "Number(document.querySelector('#v-timeline svg').getAttribute('width')) > 0"}));
            steps.push(json!({"eval": apart}));
        }
        let address = format!("file://{}", page.display());
        let Some(told) = browse(&python, &address, &json!(steps)) else { return };
        assert_eq!(told["values"], json!([true, true, true, true]), "{}", capture.display());
    }
}

/// A program that follows `capture` and serves its page.
struct Sensor {
    program: Child,
    address: String,
}

impl Sensor {
    fn following(capture: &Path, more: &[&str]) -> Self {
        let mut program = Command::new(PHITAP)
            .args(["replay", "--follow", "--metrics", "127.0.0.1:0", "--no-progress"])
            .args(["--format", "csv", "--output", "/dev/null"])
            .args(more)
            .arg(capture)
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .start();
        let mut said = BufReader::new(program.stderr.take().expect("standard error"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(said.read_line(&mut line).expect("a line") > 0, "it says where it serves");
            if let Some(at) = line.split_whitespace().find_map(|word| word.split_once("http://")) {
                break format!("http://{}/", at.1.trim_end_matches(['/', '.', ',', ';']));
            }
        };
        // What it says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { program, address }
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn a_sensor_shows_what_it_finds_while_it_runs() {
    let Some(python) = crate::python() else { return };
    let sensor = Sensor::following(&common::hospital(), &[]);
    let steps = json!([
        {"wait": "document.querySelectorAll('details.exposure').length >= 25"},
        {"wait": "document.querySelector('.dot.on') !== null"},
        {"wait": "document.getElementById('status').textContent.includes('Packets 1,709')"},
        {"wait": "document.getElementById('status').textContent.startsWith('ready')"},
        {"axe": true},
        {"eval": "document.getElementById('status').textContent"},
        {"eval": "document.querySelector('details.exposure summary').click()"},
        {"wait": "document.getElementById('coverage-line').textContent.startsWith('Not judged so far: ')"},
        {"wait": "document.getElementById('coverage-line').textContent.includes('B missing in streams')"},
        {"wait": "document.querySelector('details.exposure[open] .body').textContent.includes('Evidence (masked)')"},
        {"size": [400, 800]},
        {"eval": "document.documentElement.scrollWidth"},
        {"axe": true},
    ]);
    let Some(told) = browse(&python, &sensor.address, &steps) else { return };
    no_faults(&told);
    let values = told["values"].as_array().expect("a list");
    let status = values[0].as_str().expect("a text");
    assert!(status.starts_with("ready") && status.contains("Packets 1,709"), "{status}");
    assert_eq!(values[2], 400, "nothing is wider than a phone");
    let host = sensor.address.trim_end_matches('/');
    let requests = told["requests"].as_array().expect("a list");
    assert!(
        requests.iter().all(|r| r.as_str().is_some_and(|r| r.starts_with(host))),
        "{requests:?}"
    );
}

/// Sets a filter; what the page then says of the exposures it shows.
fn filtered(id: &str, value: &str, event: &str) -> Value {
    json!({"eval": format!(
        "(() => {{ const f = document.getElementById('{id}'); f.value = '{value}';
         f.dispatchEvent(new Event('{event}', {{bubbles: true}}));
         return document.getElementById('shown').textContent }})()"
    )})
}

#[test]
fn the_page_of_a_sensor_has_filters_a_search_history_and_an_address_for_each_exposure() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let store = folder.path().join("s.db").display().to_string();
    let earlier = Path::new(common::ROOT).join("fixtures/captures/other-ftp-upload.pcap");
    let earlier = earlier.display().to_string();
    let run = common::phitap(["replay", "--quiet", "--store", &store, &earlier]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let sensor = Sensor::following(&common::hospital(), &["--store", &store]);
    let steps = json!([
        {"wait": "document.querySelectorAll('details.exposure').length === 34"},
        {"wait": "document.getElementById('status').textContent.includes('Packets 1,709')"},
        {"wait": "document.getElementById('headline').textContent.includes('33 exposures')"},
        {"eval": "document.getElementById('headline').textContent"},
        {"eval": "[...document.querySelectorAll('details.exposure summary')].filter(e => e.textContent.includes('earlier run')).length"},
        filtered("f-text", "dicom", "input"),
        filtered("f-text", "", "input"),
        filtered("f-severity", "critical", "change"),
        filtered("f-severity", "", "change"),
        filtered("f-protocol", "ftp", "change"),
        {"dark": true}, {"axe": true}, {"dark": false},
        // The address of an exposure shows it, whatever the filters leave.
        {"eval": "document.querySelector('details.exposure').id"},
        filtered("f-protocol", "hl7", "change"),
        {"eval": "location.hash = document.querySelector('details.exposure').id; location.hash"},
        {"wait": "document.querySelectorAll('details.exposure[open]').length === 1"},
        {"eval": "document.querySelector('details.exposure[open]').id"},
    ]);
    let Some(told) = browse(&python, &sensor.address, &steps) else { return };
    no_faults(&told);
    let values = told["values"].as_array().expect("a list");
    assert_eq!(
        values[0],
        "229 patients in cleartext: 33 exposures of 33 services; 1 exposure of earlier runs"
    );
    assert_eq!(values[1], 1);
    let found = |at: usize| values[at].as_str().expect("a text").split(' ').next();
    assert_eq!(found(2), Some("13"), "{}", values[2]);
    assert!(values[3].as_str().is_some_and(|t| t.starts_with("34 exposures")), "{}", values[3]);
    assert_eq!(found(4), Some("3"), "{}", values[4]);
    assert_eq!(found(6), Some("1"), "{}", values[6]);
    assert_eq!(values[9].as_str().map(|hash| &hash[1..]), values[10].as_str());
    // The same by a link, in a browser that was never there.
    let link = format!("{}#{}", sensor.address, values[7].as_str().expect("an id"));
    let steps = json!([
        {"wait": "document.querySelectorAll('details.exposure[open]').length === 1"},
        {"eval": "document.querySelector('details.exposure[open]').id"},
    ]);
    let told = browse(&python, &link, &steps).expect("as before");
    no_faults(&told);
    assert_eq!(told["values"][0], values[7]);
}

#[test]
fn a_patient_who_is_named_like_a_script_runs_none() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let evil = "<script>window.pwned=1</script>";
    let text = format!(
        "\x0bMSH|^~\\&|<img src=x onerror=window.pwned=1>|{evil}|ENGINE|MAIN|20260301101502||ADT^A01|1|P|2.5\r\
         PID|1||MRN000815^^^{evil}^MR||{evil}^Bobby||19520412|F|||{evil}^^Springfield^IL^62701\r\x1c\r"
    );
    let mut bytes = pcap_header(1);
    let ends = (([10, 1, 0, 9], 40_000).into(), ([10, 1, 2, 3], 2575).into());
    push_record(
        &mut bytes,
        1_772_360_102,
        0,
        &ethernet(&tcp(ends.0, ends.1, 1, 1, 0x18, text.as_bytes())),
    );
    std::fs::write(at("evil.pcap"), bytes).expect("written");
    let report = at("report.html");
    let run = common::phitap([
        "replay".as_ref(),
        "--report".as_ref(),
        report.as_os_str(),
        at("evil.pcap").as_os_str(),
    ]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let steps = json!([
        {"eval": "document.querySelector('details.exposure summary').click()"},
        {"wait": "document.querySelector('details.exposure[open] .body').textContent.includes('Evidence')"},
        {"eval": "document.getElementById('headline').textContent"},
        {"eval": "typeof window.pwned"},
        {"eval": "document.querySelectorAll('img, script[src], .body script').length"},
    ]);
    let address = format!("file://{}", report.display());
    let Some(told) = browse(&python, &address, &steps) else { return };
    no_faults(&told);
    assert_eq!(told["requests"], json!([]));
    assert_eq!(told["values"][1], "1 patient in cleartext: 1 exposure of 1 service");
    assert_eq!((&told["values"][2], &told["values"][3]), (&json!("undefined"), &json!(0)));
}

/// Patients that come in a second, and seconds.
const RATE: usize = 1_000;
const SECONDS: usize = 8;
/// Longest time that the page may be behind, on a machine that has other work.
const MAX_LAG: Duration = Duration::from_secs(90);

/// What one of many wards sends: a patient whom no earlier message named.
fn admission(n: usize) -> Vec<u8> {
    let text = format!(
        "MSH|^~\\&|ADT|WARD|ENGINE|MAIN|20260301101502||ADT^A01^ADT_A01|{n}|P|2.5\r\
         PID|1||MRN{n:06}^^^WARD^MR||Testmann^Anna{n}||19{:02}{:02}{:02}|F|||\
         {n} Elm Street^^Springfield^IL^62701||(217)555-{:04}\r",
        30 + n % 60,
        1 + n % 12,
        1 + n % 28,
        n % 10_000,
    );
    [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()
}

/// A packet for each patient from `first` on, from fifty clients in turn.
fn admissions(first: usize, count: usize, sent: &mut [u32; 50]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in first..first + count {
        let client = n % sent.len();
        let from = ([10, 1, 0, client as u8], 40_000).into();
        let to = ([10, 1, 2, (client % 5) as u8], 2575).into();
        let message = admission(n);
        let frame = ethernet(&tcp(from, to, sent[client], 1, 0x18, &message));
        sent[client] += message.len() as u32;
        let (second, micros) = (n / RATE, n % RATE * (1_000_000 / RATE));
        push_record(&mut bytes, 1_772_360_102 + second as u32, micros as u32, &frame);
    }
    bytes
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how far the page is behind is what is tested")]
fn the_page_keeps_up_with_a_thousand_patients_a_second() {
    let Some(python) = crate::python() else { return };
    let folder = tempfile::tempdir().expect("folder");
    let capture = folder.path().join("busy.pcap");
    let mut sent = [1; 50];
    let mut file = std::fs::File::create(&capture).expect("a file");
    file.write_all(&pcap_header(1)).expect("written");
    file.write_all(&admissions(0, RATE, &mut sent)).expect("written");
    let sensor = Sensor::following(&capture, &[]);
    let steps = json!([
        {"wait": "document.querySelectorAll('details.exposure').length === 50"},
        {"eval": "(() => { window.longest = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) =>
            window.longest = Math.max(window.longest, e.duration))).observe({type: 'longtask'}) })()"},
        {"eval": "document.querySelector('details.exposure summary').click()"},
        {"wait": "document.getElementById('status').textContent.includes('Findings 8,000')"},
        {"eval": "Date.now()"},
        {"wait": "document.getElementById('headline').textContent.startsWith('8,000 patients')"},
        // Exposures are announced once a minute; what the page counts is of now.
        {"wait": "[...document.querySelectorAll('.tiles div')].some(e => /^Records8,000/.test(e.textContent))"},
        {"eval": "window.longest"},
        {"eval": "document.querySelectorAll('details.exposure[open]').length"},
        {"eval": "document.querySelectorAll('*').length"},
    ]);
    // The rest comes while the page is open.
    let writer = std::thread::spawn(move || {
        for second in 1..SECONDS {
            std::thread::sleep(Duration::from_secs(1));
            let more = admissions(second * RATE, RATE, &mut sent);
            file.write_all(&more).expect("written");
        }
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time")
    });
    let told = browse(&python, &sensor.address, &steps);
    let written = writer.join().expect("written");
    let Some(told) = told else { return };
    no_faults(&told);
    let values = told["values"].as_array().expect("a list");
    let shown = Duration::from_millis(values[2].as_u64().expect("a time"));
    let lag = shown.saturating_sub(written);
    println!("behind by {lag:?}, longest task {} ms, {} elements", values[3], values[5]);
    assert!(lag < MAX_LAG, "{lag:?}");
    assert_eq!(values[4], 1, "what was opened stays open");
    assert!(values[5].as_u64().is_some_and(|n| n < 10_000), "{} elements", values[5]);
}
