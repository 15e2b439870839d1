//! What the host reports about its interfaces and clock, as far as it affects captures: offloads
//! that merge packets before they are captured, receive rings, and clock synchronisation.

#![allow(unsafe_code)]

use std::io;

/// Offloads that change packets before they are captured (ethtool(8)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offloads {
    /// The kernel merges received segments (GRO).
    pub generic_receive: bool,
    /// The adapter merges received segments (LRO).
    pub large_receive: bool,
    /// The adapter splits sent segments, so a capture on the sending host sees them whole (TSO).
    pub segmentation: bool,
}

/// Size of an adapter's receive ring, packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceiveRing {
    /// Current size.
    pub size: u32,
    /// Largest size.
    pub most: u32,
}

/// Clock synchronisation as the kernel reports it (adjtimex(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Whether the clock is synchronised.
    pub synchronized: bool,
    /// Estimated error, microseconds.
    pub error: i64,
}

/// Reads the offloads of an interface.
///
/// # Errors
/// There is no such interface, or its driver does not support the request.
pub fn offloads(interface: &str) -> io::Result<Offloads> {
    sys::offloads(interface)
}

/// Reads the size of an interface's receive ring.
///
/// # Errors
/// There is no such interface, or its driver has no ring.
pub fn receive_ring(interface: &str) -> io::Result<ReceiveRing> {
    sys::receive_ring(interface)
}

/// Reads the state of the clock.
///
/// # Errors
/// The system call failed.
pub fn clock() -> io::Result<Clock> {
    sys::clock()
}

#[cfg(target_os = "linux")]
mod sys {
    use super::{Clock, Offloads, ReceiveRing};
    use rustix::net::{AddressFamily, SocketType, socket};
    use std::io;
    use std::os::fd::AsRawFd as _;

    // Commands and flags of <linux/ethtool.h>.
    const ETHTOOL_GRINGPARAM: u32 = 0x10;
    const ETHTOOL_GTSO: u32 = 0x1e;
    const ETHTOOL_GFLAGS: u32 = 0x25;
    const ETHTOOL_GGRO: u32 = 0x2b;
    const ETH_FLAG_LRO: u32 = 1 << 15;
    /// `STA_UNSYNC` of <linux/timex.h>.
    const UNSYNCHRONIZED: i32 = 0x40;
    /// `TIME_ERROR` of <linux/timex.h>.
    const TIME_ERROR: i32 = 5;

    /// Sends an ethtool command and returns its answer as words. No command used here answers with
    /// more than nine.
    fn ethtool(interface: &str, command: u32) -> io::Result<[u32; 9]> {
        let mut words = [command, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: `ifreq` is a plain C struct, for which all zeroes is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let room = request.ifr_name.len() - 1;
        if interface.is_empty() || interface.len() > room || interface.contains(['\0', '/']) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        // SAFETY: the socket is open; `request` is a whole `ifreq` whose name ends with a zero byte, and its
        // data points to `words`, which lives on and has room for all that these commands write: two
        // words for a value, nine for `ethtool_ringparam`.
        let answer =
            unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &mut request) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(words) }
    }

    pub(super) fn offloads(interface: &str) -> io::Result<Offloads> {
        let value = |command| ethtool(interface, command).map(|words| words[1]);
        Ok(Offloads {
            generic_receive: value(ETHTOOL_GGRO)? != 0,
            // Not every driver supports the other requests.
            large_receive: value(ETHTOOL_GFLAGS).unwrap_or(0) & ETH_FLAG_LRO != 0,
            segmentation: value(ETHTOOL_GTSO).unwrap_or(0) != 0,
        })
    }

    pub(super) fn receive_ring(interface: &str) -> io::Result<ReceiveRing> {
        let [_, most, _, _, _, size, ..] = ethtool(interface, ETHTOOL_GRINGPARAM)?;
        Ok(ReceiveRing { size, most })
    }

    pub(super) fn clock() -> io::Result<Clock> {
        // SAFETY: `timex` is a plain C struct, for which all zeroes is a value: it asks and sets nothing.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        // SAFETY: `timex` is a whole struct of the caller's, which the kernel fills in.
        let state = unsafe { libc::adjtimex(&mut timex) };
        if state < 0 {
            return Err(io::Error::last_os_error());
        }
        let synchronized = state != TIME_ERROR && timex.status & UNSYNCHRONIZED == 0;
        Ok(Clock { synchronized, error: timex.esterror })
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use super::{Clock, Offloads, ReceiveRing};
    use std::io;

    pub(super) fn offloads(_: &str) -> io::Result<Offloads> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(super) fn receive_ring(_: &str) -> io::Result<ReceiveRing> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(super) fn clock() -> io::Result<Clock> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_says_what_it_does_and_others_are_refused() {
        // The kernel merges segments on loopback too, unless that was switched off.
        offloads("lo").expect("it says");
        assert_eq!(
            receive_ring("lo").err().map(|e| e.raw_os_error()),
            Some(Some(libc::EOPNOTSUPP))
        );
        for name in ["", "nope7", "../lo", "a-name-that-is-longer-than-any", "l\0o"] {
            assert!(offloads(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_kernel_says_whether_its_clock_is_kept_right() {
        assert!(clock().expect("it says").error >= 0);
    }
}
