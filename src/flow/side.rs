//! Directions of a flow, and how a direction ends.

use crate::decode::Side;

/// Direction of bytes, once it is known which end opened the flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// From the end that opened the flow.
    ClientToServer,
    /// From the end that answered.
    ServerToClient,
}

impl Direction {
    /// The opposite direction.
    pub const fn reverse(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }
    /// 0 for client to server, 1 for server to client.
    pub const fn index(self) -> usize {
        self as usize
    }
    /// As `phi.direction` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientToServer => "client_to_server",
            Self::ServerToClient => "server_to_client",
        }
    }
}

/// Which end opened the flow, as far as the transport shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Orientation {
    /// The client.
    pub client: Side,
    /// A handshake proved it; otherwise it is a guess that recognition may correct.
    pub sure: bool,
}

/// How one direction of a flow ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// FIN, everything before it delivered.
    Fin,
    /// RST.
    Reset,
    /// Nothing seen for longer than the time-out.
    Timeout,
    /// The capture ended, or the flow was evicted.
    Cut,
}
