//! Live interfaces.
//!
//! On Linux each worker reads a ring of its own that the kernel fills ([`Rings`], [`Lane`]). Elsewhere,
//! and where the kernel grants no ring, libpcap reads the interfaces in one thread ([`Live`]).

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
    /// Interfaces by name.
    pub interfaces: Vec<String>,
    /// A BPF expression for the kernel.
    pub filter: Option<String>,
    /// Bytes of the kernel's ring, for each interface.
    pub ring: usize,
    /// Bytes kept of each packet.
    pub snaplen: u32,
    /// Whether packets carry the receive time of the network adapter, where it provides one.
    pub hardware_time: bool,
    /// How fast packet time passes.
    pub pace: Pace,
}

/// Packets that were lost before phitap saw them, since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LiveCounters {
    /// Dropped by the kernel: the ring was full.
    pub kernel: u64,
    /// Dropped by the interface or its driver.
    pub interface: u64,
    /// How often the kernel stopped filling a ring because it was full.
    pub freezes: u64,
}

impl LiveCounters {
    /// Adds what another lost.
    pub fn add(&mut self, other: Self) {
        self.kernel = self.kernel.saturating_add(other.kernel);
        self.interface = self.interface.saturating_add(other.interface);
        self.freezes = self.freezes.saturating_add(other.freezes);
    }

    /// The sum of several.
    fn sum(all: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum.add(one));
        sum
    }
}

/// Pause after a wake without packets, caused by an error on a socket: it is signalled until
/// the interface is maintained.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Waits until one of `fds` can be read, a signal comes, or `timeout` has passed.
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

/// The message of a libpcap error, without its own name in front.
fn said(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// Why an interface cannot be opened, and what to do about it.
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
        // What libpcap lists beside network interfaces (usbmon, nflog, bluetooth) is not read.
        .filter(|n| nic::sys(n, "ifindex").is_some())
        .collect();
    if names.is_empty() {
        return format!("{said}; list the interfaces with `ip link`");
    }
    format!("there is no such interface; there are: {}", names.join(", "))
}
