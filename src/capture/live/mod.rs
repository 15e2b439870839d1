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

/// Why an interface that is there again cannot be opened, reported once.
#[derive(Default)]
struct Refused(Option<String>);

impl Refused {
    /// A failed attempt. Returns a fault if the reason is a new one, and the interface `is_up`: it may
    /// be gone once more.
    fn again(&mut self, name: &str, reason: String, is_up: bool) -> Option<Fault> {
        if !is_up || self.0.as_ref() == Some(&reason) {
            return None;
        }
        let said = format!("it is there again, but {reason}; trying every second");
        self.0 = Some(reason);
        Some(fault(name, said))
    }
}

/// The reason in an interface's fault.
fn reason_of(fault: &Fault) -> String {
    match &fault.kind {
        FaultKind::Interface(reason) => reason.clone(),
        _ => fault.describe(),
    }
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
            "{said}; run phitap as root, or allow it with `setcap cap_net_raw=ep` on the program (for a \
             container: --cap-add NET_RAW)"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_an_interface_cannot_be_reopened_is_said_once_for_each_reason() {
        let mut refused = Refused::default();
        let mut again = |reason: &str, is_up| {
            refused.again("eth1", reason.to_owned(), is_up).map(|fault| fault.to_string())
        };
        assert_eq!(again("not permitted", false), None, "it is gone once more");
        let said = again("not permitted", true).expect("a fault");
        assert_eq!(
            said,
            "eth1: cannot capture: it is there again, but not permitted; trying every second"
        );
        assert_eq!(again("not permitted", true), None);
        assert!(again("no memory", true).is_some_and(|said| said.contains("no memory")));
    }
}
