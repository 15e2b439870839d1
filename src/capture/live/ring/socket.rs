//! Packet sockets (packet(7)): system calls that neither the standard library nor `rustix` has.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// An instruction of a classic BPF program (`struct sock_filter`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Instruction {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// `SOF_TIMESTAMPING_RAW_HARDWARE` of <linux/net_tstamp.h>.
const RAW_HARDWARE: libc::c_int = 1 << 6;
/// `HWTSTAMP_FILTER_ALL` of <linux/net_tstamp.h>.
const FILTER_ALL: libc::c_int = 1;

/// A packet socket.
pub(super) struct PacketSocket(OwnedFd);

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Counters of a socket.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Statistics {
    pub drops: u64,
    pub freezes: u64,
}

impl PacketSocket {
    /// A socket that does not receive yet.
    pub fn new() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the descriptor was just created and has no other owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Some descriptor, for tests without privileges.
    #[cfg(test)]
    pub fn without_packets() -> io::Result<Self> {
        Ok(Self(std::fs::File::open("/dev/null")?.into()))
    }

    fn set<T: Copy>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
        let len = size_of::<T>() as libc::socklen_t;
        let value = std::ptr::from_ref(value).cast();
        // SAFETY: `value` points to `len` initialised bytes, which the call only reads. A `sock_fprog`
        // among them points to instructions that outlive the call (`program`).
        check(unsafe { libc::setsockopt(self.0.as_raw_fd(), level, name, value, len) }).map(drop)
    }

    fn option(&self, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        self.set(libc::SOL_PACKET, name, &value)
    }

    fn get<T: Copy>(&self, level: libc::c_int, name: libc::c_int, mut value: T) -> io::Result<T> {
        let mut len = size_of::<T>() as libc::socklen_t;
        let to = std::ptr::from_mut(&mut value).cast();
        // SAFETY: `to` points to `len` writable bytes; every caller asks for a plain struct of integers.
        check(unsafe { libc::getsockopt(self.0.as_raw_fd(), level, name, to, &mut len) })?;
        Ok(value)
    }

    fn program(
        &self,
        level: libc::c_int,
        name: libc::c_int,
        program: &[Instruction],
    ) -> io::Result<()> {
        let mut code: Vec<libc::sock_filter> = program
            .iter()
            .map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k })
            .collect();
        let len = u16::try_from(code.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.set(level, name, &libc::sock_fprog { len, filter: code.as_mut_ptr() })
    }

    /// Sets the filter, which also gives the number of bytes kept per packet.
    pub fn filter(&self, program: &[Instruction]) -> io::Result<()> {
        self.program(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
    }

    /// Requests a ring of `blocks` blocks of `block` bytes, with `reserve` bytes free before each
    /// packet.
    pub fn ring(&self, blocks: u32, block: u32, reserve: u32, retire_ms: u32) -> io::Result<()> {
        self.option(libc::PACKET_VERSION, libc::tpacket_versions::TPACKET_V3 as libc::c_int)?;
        self.option(libc::PACKET_RESERVE, reserve as libc::c_int)?;
        // In version 3 frames have any length, so these two only have to agree.
        let frame = 2048;
        let request = libc::tpacket_req3 {
            tp_block_size: block,
            tp_block_nr: blocks,
            tp_frame_size: frame,
            tp_frame_nr: block / frame * blocks,
            tp_retire_blk_tov: retire_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
    }

    /// Uses the adapter's time stamps where it has them.
    pub fn hardware_time(&self, name: &str) -> io::Result<()> {
        /// `struct hwtstamp_config` of <linux/net_tstamp.h>.
        #[repr(C)]
        struct Stamping {
            flags: libc::c_int,
            sent: libc::c_int,
            filter: libc::c_int,
        }
        let mut stamping = Stamping { flags: 0, sent: 0, filter: FILTER_ALL };
        // SAFETY: `ifreq` is a plain struct of integers and a union of such, for which zeros are valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut stamping).cast();
        let to = std::ptr::from_mut(&mut request);
        // SAFETY: SIOCSHWTSTAMP reads the name and, through `ifru_data`, writes a `hwtstamp_config`; both
        // live until the call returns.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCSHWTSTAMP as _, to) })?;
        self.option(libc::PACKET_TIMESTAMP, RAW_HARDWARE)
    }

    /// Starts receiving every packet of the interface.
    pub fn bind(&self, index: i32) -> io::Result<()> {
        // SAFETY: `sockaddr_ll` is a plain struct of integers, for which zeros are valid.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        let address = std::ptr::from_ref(&address).cast();
        // SAFETY: `address` points to `len` initialised bytes, which the call only reads.
        check(unsafe { libc::bind(self.0.as_raw_fd(), address, len) }).map(drop)
    }

    /// Makes the interface promiscuous until the socket is closed, however the program ends.
    pub fn promiscuous(&self, index: i32) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    /// Creates a fanout group and returns its number.
    pub fn found_group(&self) -> io::Result<u16> {
        let kind = (libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16;
        self.option(libc::PACKET_FANOUT, kind as libc::c_int)?;
        let group: libc::c_int = self.get(libc::SOL_PACKET, libc::PACKET_FANOUT, 0)?;
        Ok(group as u16)
    }

    /// Joins a fanout group.
    pub fn join_group(&self, group: u16) -> io::Result<()> {
        let kind = libc::PACKET_FANOUT_CBPF << 16 | libc::c_uint::from(group);
        self.option(libc::PACKET_FANOUT, kind as libc::c_int)
    }

    /// Sets the program that chooses a packet's ring in the group.
    pub fn divide_group(&self, program: &[Instruction]) -> io::Result<()> {
        self.program(libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)
    }

    /// Reads the counters, which resets them.
    pub fn statistics(&self) -> io::Result<Statistics> {
        let zero = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let now = self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS, zero)?;
        Ok(Statistics { drops: now.tp_drops.into(), freezes: now.tp_freeze_q_cnt.into() })
    }

    /// Takes the pending error of the socket, if any.
    pub fn take_error(&self) -> Option<io::Error> {
        match self.get::<libc::c_int>(libc::SOL_SOCKET, libc::SO_ERROR, 0) {
            Ok(0) => None,
            Ok(error) => Some(io::Error::from_raw_os_error(error)),
            Err(error) => Some(error),
        }
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
