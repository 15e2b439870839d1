//! Without `--reveal`, no output contains an identifier value. The tests search every output of
//! every fixture, the most verbose log, the pages of a running sensor, and messages about broken
//! input and panics, for every identifier and password of the truth in any usual spelling.

mod common;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use common::Bounded as _;
use common::{Case, PHITAP, cases, hospital, list, on_all, phitap, plan, string};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// Shorter values and words are too common to search for, characters.
const SHORTEST: usize = 4;

/// Words of outputs that are also names in fixtures. They appear for any patient.
const ALSO_WORDS: &[(&str, &str)] =
    &[("ward", "the path /ward/*"), ("cassandra", "a protocol, in the metrics")];

/// Values that must not appear.
#[derive(Default)]
struct Secrets {
    /// Anywhere, in any case.
    parts: BTreeSet<String>,
    /// Anywhere, in this case.
    exact: BTreeSet<String>,
    /// As whole words, in any case.
    words: BTreeSet<String>,
}

impl Secrets {
    fn of(truth: &Value) -> Self {
        let mut secrets = Self::default();
        for flow in list(&truth["flows"]) {
            for patient in list(&flow["patients"]) {
                for (key, value) in patient.as_object().into_iter().flatten() {
                    match value {
                        _ if key == "recoverable" => {}
                        // Family and given name, date of birth in ISO 8601
                        Value::Object(normal) => {
                            for (key, value) in normal {
                                secrets.add(key, value);
                            }
                        }
                        value => secrets.add(key, value),
                    }
                }
            }
            let credentials = &flow["service_facts"]["credentials_in_clear"];
            for value in credentials.as_object().into_iter().flat_map(|c| c.values()) {
                secrets.add("credential", value);
            }
        }
        secrets
    }

    fn add(&mut self, key: &str, value: &Value) {
        for one in list(value) {
            self.add(key, one);
        }
        let Some(text) = value.as_str() else { return };
        let name = ["name", "family", "given"].iter().any(|part| key.contains(part));
        if name || key == "sex" || key == "credential" {
            // Names in XML are listed with their tags.
            let text = text.split('<').map(|part| part.rsplit('>').next().unwrap_or(part));
            self.words.extend(text.flat_map(words).filter(|w| letters(w) >= SHORTEST));
        }
        if text.chars().count() < SHORTEST || (name && !text.contains(|c: char| !c.is_alphabetic()))
        {
            return;
        }
        if key == "sex" || key == "credential" {
            return;
        }
        self.whole(text);
        if key.contains("birth_date") {
            self.whole(&text.replace('-', ""));
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 7 {
            self.parts.insert(digits);
        }
    }

    fn whole(&mut self, text: &str) {
        self.parts.insert(text.to_lowercase());
        for text in [text.to_owned(), text.to_uppercase(), text.to_lowercase()] {
            let bytes = text.as_bytes();
            self.parts.insert(bytes.iter().map(|b| format!("{b:02x}")).collect());
            self.parts.insert(bytes.iter().map(|b| format!("{b:02x} ")).collect());
            self.parts.insert(escaped(&text, "%20").to_lowercase());
            self.parts.insert(escaped(&text, "+").to_lowercase());
            // As JSON may escape it.
            let units = text.encode_utf16();
            self.parts.insert(units.map(|u| format!("\\u{u:04x}")).collect());
            // UTF-16 in either byte order, as far as it is also UTF-8.
            let characters: Vec<String> = text.chars().map(String::from).collect();
            self.parts.insert(characters.join("\0").to_lowercase());
            if text.chars().filter(|c| c.is_alphabetic()).count() >= 8 {
                self.parts.insert(text.chars().rev().collect::<String>().to_lowercase());
            }
            // Base64 of a value depends on its offset modulo 3, and its ends on the neighbouring
            // bytes.
            for offset in 0..3 {
                let mut padded = vec![b' '; offset];
                padded.extend_from_slice(bytes);
                let coded = STANDARD_NO_PAD.encode(&padded);
                let from = (offset * 8).div_ceil(6);
                let to = padded.len() * 8 / 6;
                if to - from >= 6 {
                    self.exact.insert(coded[from..to].to_owned());
                }
            }
        }
    }

    /// Prepares a search.
    fn search(&self) -> Search<'_> {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        let exact: Vec<&str> = self.exact.iter().map(String::as_str).collect();
        let automaton = |of: &[&str]| AhoCorasick::new(of).expect("automaton");
        Search { in_parts: automaton(&parts), in_exact: automaton(&exact), parts, exact, all: self }
    }
}

/// A search for secrets.
struct Search<'a> {
    all: &'a Secrets,
    parts: Vec<&'a str>,
    exact: Vec<&'a str>,
    in_parts: AhoCorasick,
    in_exact: AhoCorasick,
}

impl Search<'_> {
    /// The secrets in `output`.
    fn found_in(&self, output: &str) -> BTreeSet<&str> {
        let lower = output.to_lowercase();
        let there: HashSet<String> = words(output).collect();
        let parts = self.in_parts.find_overlapping_iter(&lower).map(|m| self.parts[m.pattern()]);
        let exact = self.in_exact.find_overlapping_iter(output).map(|m| self.exact[m.pattern()]);
        let known = |word: &&String| ALSO_WORDS.iter().any(|(known, _)| known == word);
        let words = self.all.words.iter().filter(|word| there.contains(*word) && !known(word));
        parts.chain(exact).chain(words.map(String::as_str)).collect()
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

fn letters(word: &str) -> usize {
    // Three characters of a Japanese name are as distinctive as four letters.
    if word.is_ascii() { word.len() } else { word.len().max(word.chars().count()) }
}

/// Percent-encodes; blanks become `space`.
fn escaped(text: &str, space: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b' ' => space.to_owned(),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// Metrics of the run itself: memory and times, which may have the digits of a number by chance.
const MEASURED: [&str; 3] =
    ["process_", "phitap_worker_busy_ratio", "phitap_rules_loaded_timestamp_seconds"];

/// Everything the program writes about a capture, by output.
fn outputs(case: &Case, more: &[&str]) -> Vec<(String, String)> {
    let capture = case.capture.display().to_string();
    let mut outputs = Vec::new();
    for format in phitap::output::FORMATS {
        let folder = tempfile::tempdir().expect("folder");
        let metrics = folder.path().join("metrics.prom").display().to_string();
        let report = folder.path().join("report.html").display().to_string();
        let assets = folder.path().join("assets.json").display().to_string();
        let mut arguments = vec!["replay", "-vvv", "--format", format.name];
        arguments.extend(["--metrics-file", &metrics]);
        // Independent of the format.
        let pages = format.name == "ecs";
        if pages {
            arguments.extend(["--report", &report, "--assets", &assets]);
        }
        arguments.extend(more);
        arguments.push(&capture);
        let run = phitap(&arguments);
        assert!(matches!(run.status, Some(0 | 3)), "{}: {:?}", case.name, run.status);
        assert!(!run.out.is_empty(), "{}: no output", case.name);
        outputs.push((format.name.to_owned(), run.out));
        outputs.push((format!("{}, standard error", format.name), run.err));
        let metrics = std::fs::read_to_string(&metrics).expect("metrics");
        assert!(metrics.contains("phitap_packets_total"), "{}", case.name);
        let measured = |line: &&str| MEASURED.iter().any(|name| line.starts_with(name));
        let metrics = metrics.lines().filter(|line| !measured(line));
        let metrics = metrics.collect::<Vec<_>>().join("\n");
        outputs.push((format!("{}, metrics", format.name), metrics));
        if pages {
            // The rest of the page is the same in every report.
            let page = std::fs::read_to_string(&report).expect("a report");
            let (_, model) = page.split_once("id=\"data\">").expect("a model");
            let (model, _) = model.split_once("</script>").expect("its end");
            outputs.push(("report".to_owned(), model.to_owned()));
            outputs.push(("assets".to_owned(), std::fs::read_to_string(&assets).expect("assets")));
        }
    }
    outputs
}

#[test]
fn no_output_holds_an_identifier_or_a_password() {
    let cases = cases();
    let leaks: Vec<String> = on_all(&cases, |case| {
        let secrets = Secrets::of(&case.truth);
        let (search, outputs) = (secrets.search(), outputs(case, &[]));
        let found = outputs.iter().filter_map(|(place, output)| {
            let found = search.found_in(output);
            (!found.is_empty()).then(|| format!("{}, {place}: {found:?}", case.name))
        });
        found.collect::<Vec<_>>()
    })
    .concat();
    assert!(leaks.is_empty(), "\n{}", leaks.join("\n"));
}

/// Everything that the merged hour must not show.
fn secrets_of_the_hour() -> Secrets {
    let mut secrets = Secrets::default();
    let plan = plan();
    for case in cases().iter().filter(|c| plan.contains(&c.name)) {
        let mut own = Secrets::of(&case.truth);
        secrets.parts.append(&mut own.parts);
        secrets.exact.append(&mut own.exact);
        secrets.words.append(&mut own.words);
    }
    secrets
}

#[test]
fn the_merged_hour_shows_no_identifier() {
    let secrets = secrets_of_the_hour();
    let case = Case { name: "hospital".into(), capture: hospital(), truth: Value::Null };
    let search = secrets.search();
    for (place, output) in outputs(&case, &[]) {
        let found = search.found_in(&output);
        assert!(found.is_empty(), "{place}: {found:?}");
    }
}

/// Checks that the searches find something: with `--reveal` they do, in every event format.
#[test]
fn the_search_finds_what_reveal_shows() {
    let cases = cases();
    let case = cases.iter().find(|c| c.name == "hl7-adt-a08-persistent").expect("case");
    let secrets = Secrets::of(&case.truth);
    let search = secrets.search();
    let patients = list(&case.truth["flows"][0]["patients"]);
    let ids: Vec<&str> = patients.iter().map(|p| string(&p["patient_id"])).collect();
    let mut shown = 0;
    for (place, output) in outputs(case, &["--reveal"]) {
        let found = search.found_in(&output);
        if found.is_empty() {
            continue;
        }
        shown += 1;
        let all = ids.iter().all(|id| found.contains(&id.to_lowercase().as_str()));
        assert!(all, "{place} shows {} values, but not every id", found.len());
        assert!(found.len() > 5 * ids.len(), "{place}: {}", found.len());
    }
    assert!(shown >= 1, "no output shows values with --reveal");
    let mut name = Secrets::default();
    name.add("name", &Value::from("Hartman^Jason"));
    let search = name.search();
    let found =
        |text: &str| search.found_in(text).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found("x SGFydG1hbl5KYXNvbg== y"), ["SGFydG1hbl5KYXNvb"]);
    assert_eq!(found("486172746d616e5e4a61736f6e"), ["486172746d616e5e4a61736f6e"]);
    assert_eq!(found("HARTMAN, J"), ["hartman"]);
    assert_eq!(found("?q=hartman%5Ejason&"), ["hartman", "hartman%5ejason"]);
    assert!(found("Hartmann J. 48617274 %48").is_empty());

    // Each spelling is found on its own.
    let mut secrets = Secrets::default();
    secrets.whole("Jörg^Canary 4711");
    let search = secrets.search();
    let text = "Jörg^Canary 4711";
    let hex = |upper: bool| -> String {
        let byte = |b: u8| if upper { format!("{b:02X}") } else { format!("{b:02x}") };
        text.bytes().map(byte).collect()
    };
    let mut spellings = vec![
        text.to_owned(),
        text.to_uppercase(),
        hex(false),
        hex(true),
        text.bytes().map(|b| format!("{b:02x} ")).collect(),
        escaped(text, "%20"),
        escaped(text, "+"),
        text.encode_utf16().map(|u| format!("\\u{u:04X}")).collect(),
        text.chars().rev().collect(),
        text.chars().map(|c| format!("{c}\0")).collect(),
        text.chars().map(|c| format!("\0{c}")).collect(),
    ];
    for before in ["", "a", "ab"] {
        spellings.push(STANDARD_NO_PAD.encode(format!("{before}{text}{before}")));
    }
    for spelling in spellings {
        let found = search.found_in(&format!("x{spelling}y"));
        assert!(!found.is_empty(), "not found: {spelling:?}");
    }
    assert!(search.found_in("Jorg Canary 471").is_empty());
}

/// The pages of a running sensor hold no value, even if its events do.
#[test]
fn the_pages_of_a_running_sensor_show_no_identifier() {
    use std::io::{BufRead as _, Read as _, Write as _};
    let secrets = secrets_of_the_hour();
    let search = secrets.search();
    let folder = tempfile::tempdir().expect("folder");
    let revealed = folder.path().join("revealed.json");
    let mut child = std::process::Command::new(PHITAP)
        .args(["replay", "--follow", "-vvv", "--metrics", "127.0.0.1:0"])
        .args(["--format", "json", "--reveal", "--output"])
        .args([&revealed, &hospital()])
        .stderr(std::process::Stdio::piped())
        .start();
    let mut said = std::io::BufReader::new(child.stderr.take().expect("piped")).lines();
    let serving = said
        .find_map(|line| Some(line.ok()?.split_once("http://")?.1.to_owned()))
        .expect("an address");
    let address = serving.trim_end_matches('/').to_owned();
    let rest = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>());
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(&address).expect("connect");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        answer
    };
    // All patients of the hour.
    common::wait_for("everything is found", || {
        let metrics = get("/metrics");
        metrics.lines().any(|line| line == "phitap_patients_distinct 229").then_some(())
    });
    for path in
        ["/", "/metrics", "/healthz", "/api/v1/exposures", "/api/v1/page", "/nothing?name=x"]
    {
        let answer = get(path);
        assert!(answer.starts_with("HTTP/1.1 "), "{path}: {answer}");
        let found = search.found_in(&answer);
        assert!(found.is_empty(), "{path}: {found:?}");
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("signal");
    assert!(child.wait().expect("status").success());
    let said = rest.join().expect("standard error").join("\n");
    let found = search.found_in(&said);
    assert!(found.is_empty(), "standard error: {found:?}");
    // Values existed that could have been shown.
    let events = std::fs::read_to_string(&revealed).expect("events");
    assert!(search.found_in(&events).len() > 200);
}

/// Messages about input that is broken anywhere do not quote it.
#[test]
fn messages_about_broken_input_show_no_identifier() {
    let all = cases();
    let some: Vec<&Case> = all.iter().step_by(4).collect();
    let leaks = on_all(&some, |case| {
        let secrets = Secrets::of(&case.truth);
        let search = secrets.search();
        let whole = std::fs::read(&case.capture).expect("capture");
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("broken.pcap");
        let mut leaks = Vec::new();
        for seed in 1..4usize {
            let mut bytes = whole.clone();
            // After the file header; one byte in every few hundred, so that most can still be read.
            let mut at = 24 + seed * 97;
            while let Some(byte) = bytes.get_mut(at) {
                *byte = byte.wrapping_add(seed as u8 * 31);
                at += 211 + (at * seed) % 389;
            }
            bytes.truncate(whole.len() - whole.len() / (5 + seed));
            std::fs::write(&path, &bytes).expect("capture");
            let run = phitap(["replay".as_ref(), "-vvv".as_ref(), path.as_os_str()]);
            assert!(matches!(run.status, Some(0 | 1 | 3)), "{}: {:?}", case.name, run.status);
            for (place, text) in [("standard output", &run.out), ("standard error", &run.err)] {
                let found = search.found_in(text);
                if !found.is_empty() {
                    leaks.push(format!("{} {seed}, {place}: {found:?}", case.name));
                }
            }
        }
        leaks
    })
    .concat();
    assert!(leaks.is_empty(), "\n{}", leaks.join("\n"));
}

const CANARY: &str = "Canary^Penelope 19340120";

/// Run by the test below in a separate process.
#[test]
#[ignore = "it panics on purpose, for the test below"]
fn a_panic_with_a_value_in_it() {
    phitap::guard::install();
    let quoting = || {
        let broken: Result<(), String> = std::hint::black_box(Err(CANARY.to_owned()));
        assert!(broken.is_ok(), "{broken:?}");
    };
    assert!(std::panic::catch_unwind(quoting).is_err());
    assert!(
        std::thread::Builder::new()
            .name(CANARY.into())
            .spawn(quoting)
            .expect("thread")
            .join()
            .is_err()
    );
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).expect("line");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let filter = std::fs::read_to_string("/proc/self/coredump_filter").expect("filter");
    assert_eq!(u32::from_str_radix(filter.trim(), 16), Ok(0));
}

#[test]
fn panics_say_where_and_not_what() {
    let own = std::env::current_exe().expect("this program");
    let run = std::process::Command::new(own)
        .args(["--exact", "a_panic_with_a_value_in_it", "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "full")
        .finish();
    let said =
        format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert_eq!(said.matches("phitap: internal error at ").count(), 2, "{said}");
    let mut secrets = Secrets::default();
    secrets.whole(CANARY);
    secrets.add("name", &Value::from(CANARY));
    assert!(secrets.search().found_in(&said).is_empty(), "{said}");
}

/// Does not compile for a type with the trait, because `_` is then ambiguous.
macro_rules! lacks {
    ($type:ty: $($trait:path),*) => {$(
        const _: () = {
            struct Has;
            trait Ambiguous<A> {
                const OK: () = ();
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
            let () = <$type as Ambiguous<_>>::OK;
        };
    )*};
}

lacks!(phitap::phi::Phi<'static>: std::fmt::Debug, std::fmt::Display, serde::Serialize, AsRef<str>);
lacks!(phitap::phi::PhiBuf: std::fmt::Debug, std::fmt::Display, serde::Serialize, AsRef<str>);
lacks!(phitap::identify::DisplayValue: std::fmt::Debug, std::fmt::Display, serde::Serialize, AsRef<str>);
lacks!(phitap::identify::Key: std::fmt::Debug, std::fmt::Display, serde::Serialize, AsRef<[u8]>);
lacks!(phitap::content::Field<'static>: std::fmt::Debug, std::fmt::Display, serde::Serialize);
