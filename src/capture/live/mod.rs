//! Live interfaces.
//!
//! On Linux, each worker reads its own ring, filled by the kernel ([`Rings`], [`Lane`]). Elsewhere,
//! or where the kernel grants no ring, libpcap reads all interfaces in one thread ([`Live`]).

mod libpcap;
mod merge;
mod nic;
#[cfg(target_os = "linux")]
mod ring;

pub use libpcap::Live;
pub use nic::{InterfaceState, list};
#[cfg(target_os = "linux")]
pub(super) use ring::Lease;
#[cfg(target_os = "linux")]
pub use ring::{Fill, Lane, OpenError, Rings};

use super::{Fault, FaultKind};
use crate::time::Pace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::Duration;

/// How long packets may wait in the kernel before they can be read.
pub const LATENCY: Duration = Duration::from_millis(60);

/// How to capture.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Names of the interfaces.
    pub interfaces: Vec<String>,
    /// A BPF expression, applied by the kernel where possible.
    pub filter: Option<String>,
    /// Size of the ring per interface, bytes.
    pub ring: usize,
    /// Most bytes kept per packet.
    pub snaplen: u32,
    /// Whether to use the receive time of the network adapter, where it has one.
    pub hardware_time: bool,
    /// Pace of packet time.
    pub pace: Pace,
}

/// Packets lost before phitap saw them, since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LiveCounters {
    /// Dropped by the kernel because the ring was full.
    pub kernel: u64,
    /// Dropped by the interface or its driver.
    pub interface: u64,
    /// How often the kernel stopped filling a ring because it was full.
    pub freezes: u64,
}

impl LiveCounters {
    /// Adds the losses of another interface.
    pub fn add(&mut self, other: Self) {
        self.kernel = self.kernel.saturating_add(other.kernel);
        self.interface = self.interface.saturating_add(other.interface);
        self.freezes = self.freezes.saturating_add(other.freezes);
    }

    /// Sums counters.
    fn sum(all: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum.add(one));
        sum
    }
}

/// Pause after a wake-up without packets. A socket error wakes the reader until the interface is
/// checked.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Waits until one of `fds` is readable or a signal arrives, at most for `timeout`.
fn wait_readable(fds: &mut [PollFd<'_>], timeout: Duration) {
    let span = Timespec::try_from(timeout).ok();
    let woken = poll(fds, span.as_ref());
    let has = |flag: PollFlags| fds.iter().any(|fd| fd.revents().intersects(flag));
    let failing = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    if woken.is_ok_and(|n| n > 0) && has(failing) && !has(PollFlags::IN) {
        std::thread::sleep(ERROR_PAUSE.min(timeout));
    }
}

fn fault(name: &str, reason: String) -> Fault {
    Fault { name: name.to_owned(), offset: 0, unpacked: false, kind: FaultKind::Interface(reason) }
}

/// The text of a libpcap error, without libpcap's prefix.
fn text_of(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// Why an interface cannot be opened, and the remedy.
fn refusal(name: &str, said: &str) -> String {
    let exists = nic::sys(name, "ifindex").is_some() || name == "any";
    if said.contains("ermission denied") || said.contains("not permitted") {
        return format!(
            "{said}; run phitap as root, or allow it with `setcap cap_net_raw=ep` on the program"
        );
    }
    if exists {
        return format!("{said}; check its state with `ip link`");
    }
    let names: Vec<String> = pcap::Device::list()
        .unwrap_or_default()
        .into_iter()
        .map(|d| d.name)
        // libpcap also lists devices that are no network interfaces (usbmon, nflog, bluetooth).
        .filter(|n| nic::sys(n, "ifindex").is_some())
        .collect();
    if names.is_empty() {
        return format!("{said}; list the interfaces with `ip link`");
    }
    format!("there is no such interface; there are: {}", names.join(", "))
}
