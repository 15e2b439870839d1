//! Measures the highest rate without loss, beside dumpcap. Not a check: a shared machine has no steady speed.
//!
//! ```text
//! PHITAP_PROGRAM=target/release/phitap PHITAP_RECORDING=mix.pcap \
//!     cargo test --test live -- --ignored --nocapture rates
//! ```

use crate::ending::Bounded as _;
use crate::lab::{Sensor, TestHarness};
use crate::wire::{Recording, Sending, Sent, send_recording};
use crate::{count, summary};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Duration of each rate, seconds.
const SECONDS: f64 = 4.0;
/// Rates, Mbit/s.
const RATES: [u64; 8] = [100, 200, 400, 700, 1000, 1500, 2200, 3000];

fn send(lab: &TestHarness, recording: &Arc<Recording>, megabits: u64, split: bool) -> Sent {
    let bits = recording.bytes as f64 * 8.0;
    let times = (megabits as f64 * 1e6 * SECONDS / bits).ceil().max(1.0) as u32;
    let how = Sending { rate: Some(megabits * 1_000_000), split, times };
    send_recording(lab, recording, how)
}

/// Packets that dumpcap received, and those it lost.
fn dumpcap(lab: &TestHarness, recording: &Arc<Recording>, megabits: u64) -> (Sent, u64, u64) {
    let mut child = Command::new("ip")
        .args(["netns", "exec", &lab.server, "dumpcap", "-q", "-i", "span0", "-w", "/dev/null"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .start();
    std::thread::sleep(Duration::from_millis(800));
    let sent = send(lab, recording, megabits, false);
    std::thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::INT).expect("signal");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    child.wait().expect("status");
    // Packets received/dropped on interface 'span0': 1000/0 (...)
    let counts = said.split("'span0': ").nth(1).expect(&said);
    let mut numbers = counts.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    let mut next = || numbers.next().and_then(|n| n.parse().ok()).expect("count");
    (sent, next(), next())
}

#[test]
#[ignore = "measures, and takes minutes"]
fn loss_at_rising_rates_is_measured() {
    let Some(lab) = TestHarness::new() else { return };
    lab.plug(1);
    let path = std::env::var_os("PHITAP_RECORDING").map(PathBuf::from);
    let path = path.unwrap_or_else(|| crate::rings::fixture("hospital.pcap"));
    let recording = Recording::of(&path);
    println!("| Mbit/s asked | reader | sent Mbit/s | sent | read | kernel | shed |");
    println!("|---|---|---|---|---|---|---|");
    let row = |asked: u64, reader: &str, sent: Sent, counts: [u64; 3]| {
        let rate = sent.bytes as f64 * 8.0 / sent.seconds / 1e6;
        let [read, lost, shed] = counts;
        println!(
            "| {asked} | {reader} | {rate:.0} | {} | {read} | {lost} | {shed} |",
            sent.packets
        );
    };
    for rate in RATES {
        let (sent, read, lost) = dumpcap(&lab, &recording, rate);
        row(rate, "dumpcap", sent, [read, lost, 0]);
        for (interfaces, backend) in
            [(&["span0"][..], "ring"), (&["span0", "span1"][..], "ring"), (&["span0"][..], "pcap")]
        {
            let split = interfaces.len() > 1;
            let options = ["--backend", backend, "--detail", "exposures"];
            let sensor = Sensor::start(&lab, interfaces, &options);
            let sent = send(&lab, &recording, rate, split);
            std::thread::sleep(Duration::from_millis(500));
            let (_, events, _) = sensor.stop(Signal::TERM);
            let packets = &summary(&events)["packets"];
            let counts = [&packets["read"], &packets["lost"], &packets["dropped"]].map(count);
            let name = format!("phitap {backend}{}", if split { ", two interfaces" } else { "" });
            row(rate, &name, sent, counts);
            assert_eq!(counts[0] + counts[1], sent.packets, "{packets}");
        }
    }
}
