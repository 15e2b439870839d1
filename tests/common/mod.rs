//! Shared by tests of the whole program: fixtures, runs of the program, a key.

// Each test is a separate program that uses part of this.
#![allow(dead_code)]

pub mod conversations;
pub mod ending;
#[cfg(feature = "nats")]
pub mod nats;
pub mod packets;
pub mod ports;
#[cfg(feature = "nats")]
pub mod signing;
pub mod split;
pub mod summaries;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use ending::Bounded;

/// The checkout.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The program under test.
pub const PHITAP: &str = env!("CARGO_BIN_EXE_phitap");

/// A capture and its truth.
pub struct Case {
    pub name: String,
    pub capture: PathBuf,
    pub truth: Value,
}

/// Every capture under `fixtures/captures`, in order of name.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(ROOT).join("fixtures/captures");
    let mut cases: Vec<Case> = std::fs::read_dir(&folder)
        .expect("fixtures")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("truth");
            let truth: Value = serde_json::from_str(&text).expect("truth is JSON");
            let name = string(&truth["name"]).to_owned();
            assert_eq!(path.file_stem().and_then(|s| s.to_str()), Some(name.as_str()));
            Case { name, capture: folder.join(string(&truth["capture"])), truth }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 100, "{} cases", cases.len());
    cases
}

/// The merged hour.
pub fn hospital() -> PathBuf {
    Path::new(ROOT).join("fixtures/hospital.pcap")
}

/// Captures that make up `hospital.pcap`, as the script lists them.
pub fn plan() -> Vec<String> {
    let script = std::fs::read_to_string(Path::new(ROOT).join("fixtures/make.py")).expect("script");
    let (_, after) = script.split_once("\nPLAN = [\n").expect("PLAN");
    let (plan, _) = after.split_once("\n]\n").expect("end of PLAN");
    plan.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

/// The string in `value`.
pub fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}"))
}

/// The elements of `value`; empty if it is not a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The result of a run.
pub struct Run {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs the program with `arguments` to its end.
pub fn phitap<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    let mut command = Command::new(PHITAP);
    command.args(arguments).stdin(Stdio::null());
    command.finish().into()
}

/// A folder with a key file, so that tokens of several runs can be compared.
pub struct Key(tempfile::TempDir);

impl Key {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("key");
        let bytes: Vec<u8> = (0..32).collect();
        std::fs::write(&path, bytes).expect("key");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        Self(folder)
    }
    pub fn path(&self) -> String {
        self.0.path().join("key").display().to_string()
    }
}

/// The lines of an events file, each read as JSON.
pub fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// Whether `event` has this action.
pub fn is(event: &Value, action: &str) -> bool {
    event["event"]["action"] == action
}

/// Longer than anything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `done` returns something.
#[allow(clippy::disallowed_methods)]
pub fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `work` on every item with one thread per processor. Returns the results in the order of the
/// items.
pub fn on_all<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(threads).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let running: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        running
            .into_iter()
            .flat_map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
