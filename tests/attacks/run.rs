//! Runs the program over an attack and a hospital's traffic, and measures it.

use super::common::Bounded as _;
use crate::common::{Key, PHITAP, ROOT, events, is};
use crate::packets::Capture;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much slower the tested program is than a release build.
pub const SLOWER: f64 = if cfg!(debug_assertions) { 30.0 } else { 2.5 };

/// CPU seconds that [`control`] takes on a quiet core of the machine for which the limits were set.
const CONTROL: f64 = 0.026;
/// Most that limits are raised on slower or busy machines.
const MAX_SLOWNESS: f64 = 4.0;

/// Attempts at a measurement, because even CPU time grows with other load.
pub const ATTEMPTS: usize = 4;

/// How much slower this machine was, at its slowest so far, than the one for which the limits were set.
pub fn slowness() -> f64 {
    // Positive numbers are ordered as their bits are.
    static SLOWEST: AtomicU64 = AtomicU64::new(0);
    let now = (control() / CONTROL).clamp(1.0, MAX_SLOWNESS);
    now.max(f64::from_bits(SLOWEST.fetch_max(now.to_bits(), Ordering::Relaxed)))
}

/// Whether a measurement of CPU seconds keeps its limit on this machine.
pub fn affordable(cpu: f64, granted: f64) -> bool {
    cpu <= granted || cpu <= granted * slowness()
}

/// A run that takes at most `granted` CPU seconds, or the last of several attempts at one.
pub fn within(granted: f64, run: impl Fn() -> Measured) -> Measured {
    let mut last = run();
    for _ in 1..ATTEMPTS {
        if affordable(last.cpu, granted) {
            break;
        }
        last = run();
    }
    last
}

/// CPU seconds of work that is always the same, compiled as the program is.
fn control() -> f64 {
    const ROUNDS: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let spent = || {
        // Nanoseconds on a processor (Linux, Documentation/scheduler/sched-stats).
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
        text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("nanoseconds") / 1e9
    };
    let (before, mut digits) = (spent(), BTreeMap::<usize, usize>::new());
    for n in 0..ROUNDS {
        let word = format!("{:x}", n.wrapping_mul(2_654_435_761));
        *digits.entry(word.len()).or_default() += word.bytes().filter(u8::is_ascii_digit).count();
    }
    assert!(digits.len() > 1);
    spent() - before
}

/// CPU time allowed per byte of an attack, and the fixed allowance.
pub const SECONDS_PER_BYTE: f64 = 100e-9;
pub const GRANTED: f64 = 0.05;

/// Captures whose findings must be complete: a conversation of HL7, of DICOM and of FHIR.
const HOSPITAL: [&str; 3] =
    ["hl7-adt-a08-persistent", "dicom-cfind-patient-pynetdicom", "http-fhir-patient-json"];

/// `--memory` of an attack; resident memory may exceed it by a fifth.
pub const MEMORY_MIB: u64 = 128;

pub struct Attack {
    name: &'static str,
    capture: Capture,
    first: bool,
    memory_mib: u64,
    cpu: f64,
}

impl Attack {
    /// Under `--memory 128MiB`.
    pub fn new(name: &'static str, capture: Capture) -> Self {
        Self { name, capture, first: false, memory_mib: MEMORY_MIB, cpu: 1.0 }
    }
    /// Sends all of it before the hospital's traffic.
    pub fn first(self) -> Self {
        Self { first: true, ..self }
    }
    /// Sets `--memory`, which resident memory may exceed by a fifth.
    pub fn memory_mib(self, memory_mib: u64) -> Self {
        Self { memory_mib, ..self }
    }
    /// Multiplies the CPU allowance, for what the attack carries.
    pub fn cpu_factor(self, cpu: f64) -> Self {
        Self { cpu, ..self }
    }
}

pub struct Outcome {
    /// Bytes of events, without those of the hospital.
    pub written: usize,
    /// Reported services of the hospital.
    pub services: usize,
}

/// The output and the measurements of a run.
pub struct Measured {
    pub out: String,
    pub err: String,
    /// None if a signal ended it.
    pub status: Option<i32>,
    /// Seconds.
    pub cpu: f64,
    /// Bytes.
    pub memory: u64,
}

/// Resident memory allowed with `--memory` of `memory_mib` MiB.
fn most(memory_mib: u64) -> u64 {
    // The code of an unoptimised program is larger by this much.
    let code = if cfg!(debug_assertions) { 40 << 20 } else { 0 };
    (memory_mib << 20) / 5 * 6 + code
}

fn measure(arguments: &[String]) -> Measured {
    measure_with(arguments, |_| Ok(()))
}

/// The same, with `feed` writing to standard input in a separate thread.
fn measure_with(
    arguments: &[String],
    feed: impl FnOnce(&mut ChildStdin) -> std::io::Result<()> + Send,
) -> Measured {
    let replay = ["replay", "--format=ecs", "--no-progress", "-q", "--workers=1"];
    let replay = replay.into_iter().chain(arguments.iter().map(String::as_str));
    let run = watched(replay, feed);
    assert_eq!(run.status, Some(0), "{}", run.err);
    run
}

/// Runs the program with these arguments.
pub fn watched<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    feed: impl FnOnce(&mut ChildStdin) -> std::io::Result<()> + Send,
) -> Measured {
    let mut child = Command::new(PHITAP)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start();
    let mut input = child.stdin.take().expect("piped");
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    let (peak, mut out, mut err) = (AtomicU64::new(0), String::new(), String::new());
    let (done, mut pipe) = (AtomicU64::new(0), child.stdout.take().expect("piped"));
    let mut errors = child.stderr.take().expect("piped");
    std::thread::scope(|scope| {
        scope.spawn(move || feed(&mut input).expect("the program reads to the end"));
        scope.spawn(|| errors.read_to_string(&mut err).expect("the program writes UTF-8"));
        scope.spawn(|| {
            while done.load(Ordering::Relaxed) == 0 {
                if let Some(now) = peak_memory(&folder) {
                    peak.fetch_max(now, Ordering::Relaxed);
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        pipe.read_to_string(&mut out).expect("the program writes UTF-8");
        done.store(1, Ordering::Relaxed);
    });
    // The times of an ended process can be read until it is waited for.
    while !stat(&folder).starts_with('Z') {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let fields = stat(&folder);
    let ticks: f64 =
        fields.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().expect("ticks")).sum();
    let status = child.wait().expect("ends").code();
    Measured { out, err, status, cpu: ticks / 100.0, memory: peak.into_inner() }
}

/// `/proc/PID/stat` from the state on (proc_pid_stat(5)).
fn stat(folder: &Path) -> String {
    let text =
        std::fs::read_to_string(folder.join("stat")).expect("a process that was not waited for");
    text.rsplit_once(") ").expect("name in brackets").1.to_owned()
}

fn peak_memory(folder: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
}

pub fn hospital() -> Vec<String> {
    let path = |name| format!("{ROOT}/fixtures/captures/{name}.pcap");
    HOSPITAL.map(path).to_vec()
}

/// The patients seen at each service.
fn findings(events: &[Value]) -> BTreeSet<String> {
    let seen = events.iter().filter(|event| is(event, "phi-finding"));
    seen.map(|event| {
        let (server, patient) = (&event["server"], &event["phi"]["patient"]);
        let identifiers = patient["identifiers"].as_array().map_or(0, Vec::len);
        format!("{}:{} {} {identifiers}", server["ip"], server["port"], patient["token"])
    })
    .collect()
}

fn services(events: &[Value]) -> BTreeSet<String> {
    let seen = events.iter().filter(|event| is(event, "service-seen"));
    seen.map(|event| format!("{}:{}", event["server"]["ip"], event["server"]["port"])).collect()
}

/// The hospital's traffic alone, and the key it was read with.
fn alone() -> &'static (Key, Measured) {
    static ALONE: OnceLock<(Key, Measured)> = OnceLock::new();
    ALONE.get_or_init(|| {
        let key = Key::new();
        let arguments = [vec!["--key-file".to_owned(), key.path()], hospital()].concat();
        let measured = measure(&arguments);
        (key, measured)
    })
}

/// Runs an attack beside the hospital's traffic, and checks the common requirements.
pub fn withstood(attack: &Attack) -> Outcome {
    let (key, alone) = alone();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("attack.pcap");
    let first = std::fs::read(&hospital()[0]).expect("capture");
    let second = u32::from_le_bytes(first[24..28].try_into().expect("4 bytes"));
    let second = if attack.first { second - 100 } else { second };
    let size = attack.capture.len();
    std::fs::write(&path, attack.capture.bytes_at(second)).expect("capture");
    let mut arguments = vec!["--key-file".to_owned(), key.path()];
    arguments.push(format!("--memory={}MiB", attack.memory_mib));
    arguments.push(path.display().to_string());
    arguments.extend(hospital());
    let granted = (size as f64 * SECONDS_PER_BYTE).max(GRANTED) * attack.cpu * SLOWER;
    let run = within(granted, || {
        let run = measure(&arguments);
        Measured { cpu: run.cpu - alone.cpu, ..run }
    });

    let (name, cpu) = (attack.name, run.cpu);
    println!("{name}: {size} bytes, {cpu:.2} s, {} MiB", run.memory >> 20);
    assert!(affordable(cpu, granted), "{name}: {cpu} s for {size} bytes");
    assert!(run.memory <= most(attack.memory_mib), "{name}: {} MiB", run.memory >> 20);
    let (before, after) = (events(&alone.out), events(&run.out));
    let (expected, found) = (findings(&before), findings(&after));
    let missing: Vec<&String> = expected.difference(&found).collect();
    assert!(!expected.is_empty() && missing.is_empty(), "{name}: {missing:?}");
    Outcome {
        written: run.out.len().saturating_sub(alone.out.len()),
        services: services(&before).intersection(&services(&after)).count(),
    }
}

/// The events of a capture that `feed` writes piece by piece, which may be longer than memory.
pub fn streamed(
    name: &str,
    feed: impl FnOnce(&mut ChildStdin) -> std::io::Result<()> + Send,
) -> Vec<Value> {
    let arguments = [format!("--memory={MEMORY_MIB}MiB"), "-".to_owned()];
    let run = measure_with(&arguments, feed);
    println!("{name}: {:.2} s, {} MiB", run.cpu, run.memory >> 20);
    assert!(run.memory <= most(MEMORY_MIB), "{name}: {} MiB", run.memory >> 20);
    events(&run.out)
}
