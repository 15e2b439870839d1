//! Hours of traffic in seconds: memory stays constant. `scripts/soak.sh` runs a day of it.

mod common;

use common::Bounded as _;
use common::ROOT;
use std::process::{Command, Stdio};

#[test]
fn two_hours_of_the_same_traffic_need_no_more_memory_than_half_an_hour() {
    let output = Command::new("scripts/soak.sh")
        .args([env!("CARGO_BIN_EXE_phitap"), "fixtures/hospital.pcap", "2", "180"])
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .finish();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{said}");
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1).count();
    assert_eq!(rows, 40, "{text}");
    let events = text.lines().rfind(|line| line.starts_with("| "));
    let events = events.and_then(|line| line.split('|').nth(3)).expect("events");
    assert!(events.trim().parse::<u32>().expect("a number") > 10, "{text}");
}
