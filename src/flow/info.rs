//! What is known of a flow as a whole.

use crate::time::Timestamp;
use std::net::SocketAddr;

/// Transport of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// As `network.transport` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
    /// IANA protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// One flow: ends, transport, start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowInfo {
    /// The end that opened it, whoever sent data.
    pub client: SocketAddr,
    /// The end that answered.
    pub server: SocketAddr,
    /// TCP or UDP.
    pub transport: Transport,
    /// Outermost VLAN identifier, 0 for none.
    pub vlan: u16,
    /// Time of its first packet.
    pub started: Timestamp,
    /// Index of the capture interface or file (`observer.ingress`), in the order of the run.
    pub interface: u16,
}
