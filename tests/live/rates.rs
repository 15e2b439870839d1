//! Measures the highest rate without loss, beside dumpcap. Not a check: a shared machine has no steady speed.
//!
//! ```text
//! PHITAP_PROGRAM=target/release/phitap PHITAP_RECORDING=mix.pcap \
//!     cargo test --test live -- --ignored --nocapture rates
//! ```
//!
//! The recording is sent once unless more seconds are asked for. To phitap, a repetition is retransmitted data,
//! which it does not parse again: it measures the way of the packets alone.
//!
//! The readers take turns at each rate. Of several takes, the one with the least loss is printed: what
//! other programs of the machine take away is not the reader's doing.

use crate::ending::Bounded as _;
use crate::lab::{Sensor, TestHarness};
use crate::wire::{Recording, Sending, Sent, send_recording};
use crate::{count, summary};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Rates in Mbit/s, separated by commas; 0 is as fast as the sender can.
const RATES: (&str, &str) = ("PHITAP_RATES", "400,700,1000,1500,2200,3000,0");
/// Duration of each rate, seconds; at least one recording.
const SECONDS: (&str, &str) = ("PHITAP_SECONDS", "0.1");
/// Takes of each reader at each rate.
const TAKES: (&str, &str) = ("PHITAP_TAKES", "1");
/// Readers; with 2 on two interfaces, with one direction each.
const READERS: (&str, &str) = ("PHITAP_READERS", "dumpcap,ring,dumpcap2,ring2,pcap");
/// Further options of phitap, separated by spaces.
const OPTIONS: (&str, &str) = ("PHITAP_OPTIONS", "--detail exposures");
/// Rate assumed for the number of repetitions when there is no limit, Mbit/s.
const UNLIMITED: u64 = 4000;

fn setting((name, default): (&str, &str)) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn list<T: FromStr>(of: (&str, &str)) -> Vec<T> {
    let values = setting(of);
    let parsed = values.split(',').map(|value| value.parse().ok());
    parsed.collect::<Option<_>>().unwrap_or_else(|| panic!("{}={values}", of.0))
}

/// What a reader made of what was sent.
struct Take {
    sent: Sent,
    read: u64,
    lost: u64,
    shed: u64,
    /// CPU time of the reader, and how long its threads waited for a core, seconds.
    cpu: (f64, f64),
}

impl Take {
    const fn missing(&self) -> u64 {
        self.lost + self.shed
    }
}

/// The CPU time of a process so far, and how long its threads waited for a core, seconds.
fn cpu_of(process: u32) -> (f64, f64) {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process");
    let mut sum = (0.0, 0.0);
    for thread in threads.flatten() {
        // Nanoseconds running and waiting, and the number of turns (proc(5)).
        let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(|n| n.parse::<f64>().unwrap_or(0.0) / 1e9);
        sum.0 += numbers.next().unwrap_or(0.0);
        sum.1 += numbers.next().unwrap_or(0.0);
    }
    sum
}

fn since(before: (f64, f64), process: u32) -> (f64, f64) {
    let now = cpu_of(process);
    (now.0 - before.0, now.1 - before.1)
}

fn send(lab: &TestHarness, recording: &Arc<Recording>, megabits: u64, split: bool) -> Sent {
    let seconds: f64 = setting(SECONDS).parse().expect("seconds");
    let rate = if megabits == 0 { UNLIMITED } else { megabits };
    let bits = recording.bytes as f64 * 8.0;
    let times = (rate as f64 * 1e6 * seconds / bits).ceil().max(1.0) as u32;
    let rate = (megabits > 0).then_some(megabits * 1_000_000);
    send_recording(lab, recording, Sending { rate, split, times })
}

/// dumpcap as it comes: 2 MiB of buffer for each interface, nothing parsed, nothing written.
fn dumpcap(lab: &TestHarness, recording: &Arc<Recording>, megabits: u64, split: bool) -> Take {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.server, "dumpcap", "-q", "-i", "span0"]);
    if split {
        command.args(["-i", "span1"]);
    }
    command.args(["-w", "/dev/null"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.start();
    std::thread::sleep(Duration::from_millis(800));
    let before = cpu_of(child.id());
    let sent = send(lab, recording, megabits, split);
    std::thread::sleep(Duration::from_millis(500));
    let cpu = since(before, child.id());
    kill_process(Pid::from_child(&child), Signal::INT).expect("signal");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    child.wait().expect("status");
    let (mut read, mut lost) = (0, 0);
    // Packets received/dropped on interface 'span0': 1000/0 (...)
    for counts in said.split("dropped on interface 'span").skip(1) {
        let counts = counts.split("': ").nth(1).unwrap_or_else(|| panic!("{said}"));
        let mut numbers = counts.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
        let mut next = || numbers.next().and_then(|n| n.parse::<u64>().ok()).expect("count");
        read += next();
        lost += next();
    }
    assert!(read > 0, "{said}");
    Take { sent, read, lost, shed: 0, cpu }
}

fn phitap(
    lab: &TestHarness,
    recording: &Arc<Recording>,
    megabits: u64,
    (backend, split): (&str, bool),
) -> Take {
    let interfaces: &[&str] = if split { &["span0", "span1"] } else { &["span0"] };
    let options = setting(OPTIONS);
    let mut options: Vec<&str> = options.split_whitespace().collect();
    options.extend(["--backend", backend]);
    let sensor = Sensor::start(lab, interfaces, &options);
    let before = cpu_of(sensor.id());
    let sent = send(lab, recording, megabits, split);
    std::thread::sleep(Duration::from_millis(500));
    let cpu = since(before, sensor.id());
    let (_, events, _) = sensor.stop(Signal::TERM);
    let packets = &summary(&events)["packets"];
    let [read, lost, shed] = [&packets["read"], &packets["lost"], &packets["dropped"]].map(count);
    assert_eq!(read + lost, sent.packets, "{packets}");
    Take { sent, read, lost, shed, cpu }
}

#[test]
#[ignore = "measures, and takes minutes"]
fn loss_at_rising_rates_is_measured() {
    let Some(lab) = TestHarness::new() else { return };
    lab.plug(1);
    let path = std::env::var_os("PHITAP_RECORDING").map(PathBuf::from);
    let path = path.unwrap_or_else(|| crate::rings::fixture("hospital.pcap"));
    let recording = Recording::of(&path);
    println!(
        "| asked | reader | sent Mbit/s | sent | read | lost | shed | CPU s/Gbit | waited s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let takes: usize = setting(TAKES).parse().expect("takes");
    for asked in list::<u64>(RATES) {
        for reader in list::<String>(READERS) {
            let split = reader.ends_with('2');
            let take = |_| match reader.trim_end_matches('2') {
                "dumpcap" => dumpcap(&lab, &recording, asked, split),
                backend => phitap(&lab, &recording, asked, (backend, split)),
            };
            let best = (0..takes).map(take).min_by_key(Take::missing).expect("takes");
            let Take { sent, read, lost, shed, cpu: (cpu, waited) } = best;
            let megabits = sent.bytes as f64 * 8.0 / 1e6;
            let mut row = format!("| {asked} | {reader} | {:.0} ", megabits / sent.seconds);
            let _ = write!(row, "| {} | {read} | {lost} | {shed} ", sent.packets);
            println!("{row}| {:.3} | {waited:.2} |", cpu * 1e3 / megabits);
        }
    }
}
