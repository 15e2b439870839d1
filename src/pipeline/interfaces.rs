//! The list of interfaces that `phitap live` prints without `-i`.

use crate::capture::{InterfaceState, list_interfaces};
use crate::output::clock::stopwatch;
use std::fmt::Write as _;
use std::time::Duration;

/// How long packet rates are measured.
const MEASURED: Duration = Duration::from_secs(1);

/// A table of all interfaces: name, link type, state and current packet rate.
pub fn interfaces_table() -> String {
    let (before, started) = (list_interfaces(), stopwatch());
    std::thread::sleep(MEASURED);
    table(&before, &list_interfaces(), started.elapsed().as_secs_f64())
}

/// Columns as wide as what is in them, the numbers to the right.
fn table(before: &[InterfaceState], now: &[InterfaceState], seconds: f64) -> String {
    let mut rows =
        vec![["interface", "link type", "state", "packets/s", "Mbit/s"].map(str::to_owned)];
    rows.extend(now.iter().map(|interface| {
        let earlier = before.iter().find(|i| i.name == interface.name).unwrap_or(interface);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let packets = rate(interface.packets, earlier.packets);
        let megabits = rate(interface.bytes, earlier.bytes) * 8.0 / 1e6;
        let (name, link, state) = (&interface.name, interface.link, &interface.state);
        [
            name.clone(),
            link.into(),
            state.clone(),
            format!("{packets:.0}"),
            format!("{megabits:.1}"),
        ]
    }));
    let width =
        |at: usize| rows.iter().map(|row| row.get(at).map_or(0, String::len)).max().unwrap_or(0);
    let [a, b, c, d, e] = std::array::from_fn(width);
    let mut out = String::new();
    for [name, link, state, packets, megabits] in &rows {
        let _ = writeln!(out, "{name:a$}  {link:b$}  {state:c$}  {packets:>d$}  {megabits:>e$}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_came_in_the_meantime() {
        let of = |packets, bytes| InterfaceState {
            name: "eth1".into(),
            link: "Ethernet",
            state: "up".into(),
            packets,
            bytes,
        };
        let text = table(&[of(100, 0)], &[of(1100, 5_000_000)], 2.0);
        let words: Vec<&str> = text.lines().nth(1).expect("a row").split_whitespace().collect();
        assert_eq!(words, ["eth1", "Ethernet", "up", "500", "20.0"]);
        assert!(text.lines().all(|line| line.len() <= 60), "{text}");
    }
}
