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
    /// The service that it belongs to, if another flow announced it.
    pub announced_by: Option<Announcer>,
}

/// The service whose flow announced another one between the same hosts, as FTP announces its data connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcer {
    /// Port of the service.
    pub port: u16,
    /// The host of the service opened the announced flow, as FTP does in active mode (RFC 959 3.2).
    pub opened: bool,
}

impl FlowInfo {
    /// The client and the service that the flow belongs to: its ends or, if another flow announced it, the end at the
    /// client of that flow and the address of that service. Ports of announced flows change with every file.
    pub const fn parties(&self) -> (SocketAddr, SocketAddr) {
        match self.announced_by {
            None => (self.client, self.server),
            Some(Announcer { port, opened: false }) => {
                (self.client, SocketAddr::new(self.server.ip(), port))
            }
            Some(Announcer { port, opened: true }) => {
                (self.server, SocketAddr::new(self.client.ip(), port))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_flow_belongs_to_the_service_that_announced_it_whoever_opened_it() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        let own = FlowInfo {
            client: at("10.0.0.9:40001"),
            server: at("10.0.0.1:50001"),
            transport: Transport::Tcp,
            vlan: 0,
            inner_vlan: 0,
            started: Timestamp(0),
            initial: None,
            interface: 0,
            announced_by: None,
        };
        assert_eq!(own.parties(), (own.client, own.server));
        let passive = Some(Announcer { port: 21, opened: false });
        assert_eq!(
            FlowInfo { announced_by: passive, ..own }.parties(),
            (own.client, at("10.0.0.1:21"))
        );
        let (client, server) = (at("10.0.0.1:20"), at("10.0.0.9:40001"));
        let active = Some(Announcer { port: 21, opened: true });
        assert_eq!(
            FlowInfo { client, server, announced_by: active, ..own }.parties(),
            (server, at("10.0.0.1:21"))
        );
    }
}
