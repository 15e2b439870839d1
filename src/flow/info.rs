//! Properties of a flow as a whole.

use crate::decode::Transport;
use crate::time::Timestamp;
use std::net::SocketAddr;

/// One flow: ends, transport, start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowInfo {
    /// The end that opened it, whichever end sent data.
    pub client: SocketAddr,
    /// The end that answered.
    pub server: SocketAddr,
    /// TCP or UDP.
    pub transport: Transport,
    /// Outermost VLAN identifier, 0 for none.
    pub vlan: u16,
    /// Identifier of the VLAN inside it, 0 for none.
    pub inner_vlan: u16,
    /// Time of its first packet.
    pub started: Timestamp,
    /// Sequence number of the client's SYN, if the first packet belongs to the handshake (RFC 9293 3.5). Every sensor
    /// that sees the handshake sees the same number.
    pub initial: Option<u32>,
    /// Index of the capture interface or file (`observer.ingress`), in the order of the run.
    pub interface: u16,
}
