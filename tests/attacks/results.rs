//! Forged results: files of events and stores that anyone may have written. Whatever they hold, each question about
//! them has an answer or an error, at a cost in proportion to their size, and nothing in them steers a terminal or
//! becomes a formula of a spreadsheet.

use crate::common::{events, is};
use crate::many;
use crate::run::{GRANTED, SECONDS_PER_BYTE, SLOWER, affordable, hospital, watched, within};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is asked: FILE is the forged one, GENUINE the results that it was made from, PAGE a file to write.
const QUESTIONS: [&[&str]; 12] = [
    &["query", "FILE", "exposures", "--format", "table"],
    &["query", "FILE", "exposures", "--format", "csv"],
    &["query", "FILE", "patients", "--format", "table"],
    &["query", "FILE", "patients", "--format", "csv"],
    &["query", "FILE", "services", "--format", "csv"],
    &["query", "FILE", "assets", "--format", "table"],
    &["query", "FILE", "runs", "--format", "csv"],
    &["report", "FILE", "-o", "PAGE"],
    &["diff", "FILE", "GENUINE"],
    &["diff", "GENUINE", "FILE"],
    &["merge", "FILE"],
    &["explain", "01J00000000000000000000007", "FILE"],
];

/// Resident memory allowed beside that of the file, and for each of its bytes: an event is held as a value of JSON.
const MEMORY: u64 = if cfg!(debug_assertions) { 120 << 20 } else { 64 << 20 };
const MEMORY_PER_BYTE: u64 = 40;

/// Results of a run, to be forged.
struct Genuine {
    folder: tempfile::TempDir,
    events: Vec<Value>,
}

impl Genuine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let store = folder.path().join("store.db").display().to_string();
        let options =
            ["replay", "--format=ecs", "--no-progress", "-q", "--summaries", "--store", &store];
        let captures = hospital();
        let run =
            watched(options.into_iter().chain(captures.iter().map(String::as_str)), |_| Ok(()));
        std::fs::write(folder.path().join("events.json"), &run.out).expect("written");
        Self { folder, events: events(&run.out) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The last event with this action.
    fn last(&self, action: &str) -> &Value {
        self.events.iter().rfind(|event| is(event, action)).expect("one")
    }

    /// So many events like the last one with this action, each with an id and a client of its own.
    fn many(&self, action: &str, number: u32, change: impl Fn(&mut Value)) -> String {
        let mut event = self.last(action).clone();
        change(&mut event);
        let mut text = String::new();
        for n in 0..number {
            event["event"]["id"] = json!(format!("01J{n:023}"));
            if event["phi"]["patient"]["token"].is_string() {
                event["phi"]["patient"]["token"] = json!(format!("p_{n:020}"));
            }
            if event["client"]["ip"].is_string() {
                event["client"]["ip"] =
                    json!(format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255));
            }
            text += &format!("{event}\n");
        }
        text
    }
}

/// Replaces members of JSON.
fn replaced(value: &Value, at: &str, with: &impl Fn(&str, &Value) -> Option<Value>) -> Value {
    match value {
        Value::Object(members) => {
            let each = members
                .iter()
                .map(|(name, of)| (name.clone(), replaced(of, &format!("{at}/{name}"), with)));
            Value::Object(each.collect())
        }
        Value::Array(items) => items.iter().map(|item| replaced(item, at, with)).collect(),
        other => with(at, other).unwrap_or_else(|| other.clone()),
    }
}

/// Steers a terminal, a spreadsheet, a page, and the direction of writing.
const EVIL: &str =
    "=cmd|' /C calc'!A0\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\r\n\t<script>alert(1)</script>\u{7}\0";

/// Without these, nothing else of an event is read.
const NEEDED: [&str; 4] = ["/@timestamp", "/event/action", "/event/dataset", "/observer/product"];

/// The texts of every kind of event replaced, one at a time and all at once.
fn evil(genuine: &Genuine) -> String {
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut text = String::new();
    for event in &genuine.events {
        let mut places = Vec::new();
        texts(event, "", &mut |at| places.push(at.to_owned()));
        places.retain(|at| !NEEDED.contains(&at.as_str()));
        let of = event["event"]["action"].to_string();
        let new = places.iter().filter(|at| seen.insert((of.clone(), at.to_string())));
        for place in new.collect::<Vec<_>>() {
            let one = replaced(event, "", &|at, _| (at == place).then(|| json!(EVIL)));
            text += &format!("{one}\n");
        }
        let all = replaced(event, "", &|at, value| {
            (value.is_string() && !NEEDED.contains(&at)).then(|| json!(EVIL))
        });
        text += &format!("{all}\n");
    }
    text
}

/// The places of all texts.
fn texts(value: &Value, at: &str, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, of)| texts(of, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, at, found)),
        Value::String(_) => found(at),
        _ => {}
    }
}

/// Every number and time of every event replaced by extremes.
fn extremes(genuine: &Genuine) -> String {
    let numbers =
        [json!(-1), json!(i64::MAX), json!(u64::MAX), json!(1e308), json!(null), json!([])];
    let times = [
        "9999-12-31T23:59:59.999999999Z",
        "0000-01-01T00:00:00Z",
        "1677-09-21T00:12:43.145224192Z",
        "2262-04-11T23:47:16.854775807Z",
        "2262-04-11T23:47:16.854775808Z",
    ];
    let is_time = |of: &Value| of.as_str().is_some_and(|text| text.get(10..11) == Some("T"));
    let mut text = String::new();
    for event in &genuine.events {
        for number in &numbers {
            let with = |at: &str, of: &Value| {
                (of.is_number() && !at.ends_with("/port")).then(|| number.clone())
            };
            text += &format!("{}\n", replaced(event, "", &with));
        }
        for time in times {
            text +=
                &format!("{}\n", replaced(event, "", &|_, of| is_time(of).then(|| json!(time))));
        }
    }
    text
}

/// Levels of JSON far beyond what is read.
fn deep() -> String {
    let head =
        "{\"@timestamp\":\"2026-03-01T10:15:02Z\",\"event\":{\"action\":\"phi-exposure\"},\"phi\":";
    let levels = many(100_000) as usize;
    [
        "[".repeat(4 * levels),
        "{\"a\":".repeat(levels),
        format!("{head}{}", "{\"run\":".repeat(levels)),
        format!("{head}{}", "[".repeat(levels)),
    ]
    .join("\n")
}

/// Objects of one member without a name: seven bytes each, and a hundred times as many in memory.
fn objects(event: &mut Value) {
    event["padding"] = vec![json!({"": 0}); 8000].into();
}

/// Asks everything about a file, and checks the common requirements.
fn asked(name: &str, genuine: &Genuine, file: &Path) {
    let size = std::fs::metadata(file).expect("a file").len();
    let granted = (size as f64 * SECONDS_PER_BYTE).max(GRANTED);
    let (page, events) = (genuine.path("page.html"), genuine.path("events.json"));
    for question in QUESTIONS {
        let arguments: Vec<String> = question
            .iter()
            .map(|argument| match *argument {
                "FILE" => file.display().to_string(),
                "GENUINE" => events.display().to_string(),
                "PAGE" => page.display().to_string(),
                other => other.to_owned(),
            })
            .collect();
        let granted = granted * SLOWER;
        let run = within(granted, || watched(arguments.iter().map(String::as_str), |_| Ok(())));
        let what = format!("{name}: {}", question.join(" "));
        println!("{what}: {size} bytes, {:.2} s, {} MiB", run.cpu, run.memory >> 20);
        assert!(matches!(run.status, Some(0 | 1 | 3 | 10)), "{what}: {:?} {}", run.status, run.err);
        assert!(!run.err.contains("panicked"), "{what}: {}", run.err);
        assert!(affordable(run.cpu, granted), "{what}: {} s for {size} bytes", run.cpu);
        let most = MEMORY + MEMORY_PER_BYTE * size;
        assert!(run.memory <= most, "{what}: {} MiB for {size} bytes", run.memory >> 20);
        let steers = |c: char| {
            c.is_control() && !matches!(c, '\n' | '\r') || matches!(c, '\u{202e}' | '\u{2028}')
        };
        assert!(!run.out.contains(steers) && !run.err.contains(steers), "{what}");
        if question.contains(&"csv") {
            let formula =
                |cell: &String| cell.trim_start_matches(['"', ' ']).starts_with(['=', '@']);
            assert_eq!(run.out.lines().flat_map(cells).find(formula), None, "{what}");
        }
        if question.contains(&"PAGE") {
            let shown = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(!shown.contains("<script>alert"), "{what}");
        }
    }
}

#[test]
fn forged_events_are_answered_or_refused_in_proportion_to_their_size() {
    let genuine = Genuine::new();
    let file = genuine.path("forged.json");
    let nothing = |_: &mut Value| {};
    let exposure = genuine.last("phi-exposure").to_string();
    let forged = [
        ("texts", evil(&genuine)),
        ("extremes", extremes(&genuine)),
        ("levels", deep()),
        ("one line", format!("{{\"a\":\"{}", "x".repeat(16 << 20))),
        ("lines of nothing", "{}\n".repeat(many(2 << 20) as usize)),
        ("exposures", genuine.many("phi-exposure", many(12_000), nothing)),
        ("findings", exposure + "\n" + &genuine.many("phi-finding", many(12_000), nothing)),
        ("services", genuine.many("service-seen", many(12_000), nothing)),
        ("runs", genuine.many("run-summary", many(4_000), nothing)),
        ("objects", genuine.many("phi-exposure", many(300), objects)),
        ("objects of services", genuine.many("service-seen", many(300), objects)),
    ];
    for (name, text) in forged {
        std::fs::write(&file, text).expect("written");
        asked(name, &genuine, &file);
    }
}

/// The same of stores: rows with other texts, types and sizes, and pages that were exchanged.
#[test]
fn forged_stores_are_answered_or_refused_in_proportion_to_their_size() {
    let genuine = Genuine::new();
    let file = genuine.path("forged.db");
    let whole = std::fs::read(genuine.path("store.db")).expect("a store");
    let objects = vec!["{\"\":0}"; many(1 << 18) as usize].join(",");
    let (objects, long) = (format!("{{\"padding\":[{objects}]}}"), "k ".repeat(1 << 20));
    let forged: [(&str, &str, &[&str]); 5] = [
        ("texts", "UPDATE findings SET rule = ?1, operation = ?1, community_id = ?1", &[EVIL]),
        (
            "names",
            "UPDATE runs SET sensor = ?1, version = ?1, key_id = ?1, files = ?2",
            &[EVIL, "[1"],
        ),
        (
            "numbers",
            "UPDATE findings SET first = 9223372036854775807, last = -9223372036854775808, \
          records = -5, severity = 99999",
            &[],
        ),
        ("long lists", "UPDATE findings SET kinds = ?1, carrier = ?1", &[&long]),
        ("objects", "UPDATE runs SET event = ?1", &[&objects]),
    ];
    for (name, change, values) in forged {
        std::fs::write(&file, &whole).expect("written");
        let store = rusqlite::Connection::open(&file).expect("a store");
        store.execute(change, rusqlite::params_from_iter(values)).expect("changed");
        drop(store);
        asked(name, &genuine, &file);
    }
    // Damage that does not end at a page.
    for n in 0..many(24) as usize {
        let mut bytes = whole.clone();
        let pages = bytes.len() / 4096;
        let (from, to) = (n * 7 % pages * 4096, (n * 5 + 1) % pages * 4096);
        let begin = if to == 0 { 100 } else { 0 };
        bytes.copy_within(from + begin..from + 4096, to + begin);
        for at in (0..16).map(|at| to + begin + (n * 31 + at * 97) % 3900) {
            bytes[at] ^= 0x55;
        }
        std::fs::write(&file, bytes).expect("written");
        asked("pages exchanged", &genuine, &file);
    }
}

/// The cells of a row (RFC 4180 2): commas in quotes are part of a cell.
fn cells(row: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in row.chars() {
        quoted ^= c == '"';
        match (c, cells.last_mut()) {
            (',', _) if !quoted => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
    }
    cells
}
