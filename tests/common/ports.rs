//! Loopback ports that stay free between their choice and their use.

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports for programs that bind by themselves, below those that the kernel assigns.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port that is taken although nothing listens on it: connections are refused until
/// [`ReservedPort::listen`].
pub struct ReservedPort {
    socket: OwnedFd,
    port: u16,
}

impl ReservedPort {
    pub fn new() -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("port");
        let address = SocketAddrV4::try_from(getsockname(&socket).expect("address"));
        Self { socket, port: address.expect("IPv4").port() }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts accepting connections.
    pub fn listen(self) -> TcpListener {
        listen(&self.socket, 16).expect("listen");
        TcpListener::from(self.socket)
    }
}

/// A port for a program that binds by itself, which the kernel will not assign to another
/// connection meanwhile.
pub fn port_for_a_program() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        // Several test programs run at the same time.
        let port = FIRST + (std::process::id().wrapping_mul(67) + n) % COUNT;
        let port = u16::try_from(port).expect("a port");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
