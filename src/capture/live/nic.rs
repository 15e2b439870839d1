//! What the system reports about network interfaces (sysfs-class-net, sysfs-class-net-statistics).

/// An interface's state, known without capturing.
#[derive(Clone, Debug, Default)]
pub struct InterfaceState {
    /// Its name.
    pub name: String,
    /// The kind of its frames: the name of its ARPHRD_ number.
    pub link: &'static str,
    /// RFC 2863 ifOperStatus in words: `up`, `down`, ...
    pub state: String,
    /// Packets received since the interface was created.
    pub packets: u64,
    /// Bytes received since the interface was created.
    pub bytes: u64,
}

/// Most interfaces listed.
const MAX_LISTED: usize = 1024;

/// Every network interface, in order of name.
pub fn list() -> Vec<InterfaceState> {
    let Ok(folder) = std::fs::read_dir("/sys/class/net") else { return Vec::new() };
    let names = folder.take(MAX_LISTED).filter_map(|e| e.ok()?.file_name().into_string().ok());
    // Some entries are no interfaces (bonding_masters).
    let mut names: Vec<String> = names.filter(|n| sys(n, "ifindex").is_some()).collect();
    names.sort();
    let state = |name: String| InterfaceState {
        link: link(&name),
        state: sys(&name, "operstate").unwrap_or_default().trim().to_owned(),
        packets: number(&name, "statistics/rx_packets"),
        bytes: number(&name, "statistics/rx_bytes"),
        name,
    };
    names.into_iter().map(state).collect()
}

fn link(name: &str) -> &'static str {
    match number(name, "type") {
        1 => "Ethernet",
        32 => "InfiniBand",
        512 => "PPP",
        768 | 769 | 776 | 778 => "IP tunnel",
        772 => "loopback",
        801 => "IEEE 802.11",
        803 => "802.11 with radiotap",
        65_534 => "raw IP",
        _ => "other",
    }
}

/// An attribute of an interface; `None` if it has none.
pub(super) fn sys(name: &str, of: &str) -> Option<String> {
    // `..` or a slash would leave the folder.
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return None;
    }
    std::fs::read_to_string(format!("/sys/class/net/{name}/{of}")).ok()
}

fn number(name: &str, of: &str) -> u64 {
    sys(name, of).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The index of an interface in the kernel; it changes when the interface is created again.
pub(super) fn index(name: &str) -> Option<i32> {
    sys(name, "ifindex").and_then(|text| text.trim().parse().ok())
}

/// `IFF_UP` of <linux/if.h>.
const IFF_UP: u32 = 1;

/// Whether the interface exists and is switched on.
pub(super) fn is_up(name: &str) -> bool {
    let flags = sys(name, "flags");
    let flags = flags.and_then(|f| u32::from_str_radix(f.trim().trim_start_matches("0x"), 16).ok());
    flags.is_some_and(|flags| flags & IFF_UP != 0)
}

/// Whether the link is down, so that no packet can arrive.
pub(super) fn is_down(name: &str) -> bool {
    sys(name, "operstate").is_some_and(|state| {
        matches!(state.trim(), "down" | "lowerlayerdown" | "notpresent" | "dormant")
    })
}

/// Packets lost by the adapter, from counters of its driver, which may be reset.
///
/// `rx_missed_errors` counts packets without a host buffer, `rx_fifo_errors` overruns inside the
/// adapter. `rx_dropped` is left out, because it counts packets that no protocol wanted.
#[derive(Clone, Copy, Default)]
pub(super) struct Losses {
    last: [u64; 2],
    lost: u64,
}

impl Losses {
    const COUNTERS: [&str; 2] = ["statistics/rx_missed_errors", "statistics/rx_fifo_errors"];

    /// Counts from now on.
    pub fn of(name: &str) -> Self {
        Self { last: Self::COUNTERS.map(|counter| number(name, counter)), lost: 0 }
    }

    /// Total losses so far.
    pub fn read(&mut self, name: &str) -> u64 {
        self.take(Self::COUNTERS.map(|counter| number(name, counter)))
    }

    /// Restarts the counters at zero for a new interface of the same name.
    pub fn restart(&mut self, name: &str) {
        self.last = Self::COUNTERS.map(|counter| number(name, counter));
    }

    fn take(&mut self, now: [u64; 2]) -> u64 {
        for (last, now) in self.last.iter_mut().zip(now) {
            // A smaller value means the counter was reset, so all of it is new.
            self.lost += now.checked_sub(*last).unwrap_or(now);
            *last = now;
        }
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_starts_anew_loses_nothing_and_counts_nothing_twice() {
        let mut losses = Losses { last: [100, 0], lost: 0 };
        assert_eq!(losses.take([130, 2]), 32);
        assert_eq!(losses.take([5, 2]), 37);
        assert_eq!(losses.take([5, 2]), 37);
    }

    #[test]
    fn names_do_not_leave_the_folder() {
        for name in ["", ".", "..", "../../proc/self", "a/b"] {
            assert!(sys(name, "ifindex").is_none(), "{name}");
        }
        assert!(list().iter().any(|i| i.name == "lo" && i.link == "loopback"), "{:?}", list());
    }
}
