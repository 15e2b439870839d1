//! Connections that switch to another protocol (RFC 9110 7.8): WebSocket, HTTP/2.

use super::head::Head;
use crate::protocol::http2::{self, Connection};
use crate::protocol::websocket::{self, Service, WebSocket};
use crate::protocol::{Direction, Parser, ServiceFacts};

/// The switch of a connection.
#[derive(Default)]
pub(super) struct Upgrade {
    /// The client asked for it, and was not refused yet.
    offer: Option<UpgradeRequest>,
    next: Option<Box<dyn Parser>>,
    /// The answer was seen: the server's bytes from here on belong to `next`.
    answered: bool,
}

/// The protocol that a client asks for.
struct UpgradeRequest {
    what: UpgradeProtocol,
    method: &'static str,
    path: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UpgradeProtocol {
    WebSocket,
    /// RFC 7540 3.2
    Http2,
}

impl Upgrade {
    /// A request's head was read.
    pub(super) fn asked(&mut self, head: &Head<'_>, method: &'static str, path: &str) {
        self.offer =
            what(head.upgrade).map(|what| UpgradeRequest { what, method, path: path.to_owned() });
    }

    /// A final response other than 101 was read.
    pub(super) fn refused(&mut self) {
        self.offer = None;
    }

    /// The server switches. False if that protocol is not read.
    pub(super) fn answered(
        &mut self,
        head: &Head<'_>,
        method: &'static str,
        path: &str,
        facts: &mut ServiceFacts,
    ) -> bool {
        self.offer = None;
        self.answered = true;
        let Some(what) = what(head.upgrade) else { return false };
        ServiceFacts::set(&mut facts.application, what.name());
        if self.next.is_none() {
            self.next = Some(what.open(method, path, head.extensions));
        }
        true
    }

    /// Whether the client is waiting for the answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.offer.is_some()
    }

    /// Whether `data`, which is no request, may be what a client sends after the switch.
    pub(super) fn take_for_granted(&mut self, data: &[u8]) -> bool {
        let fits = |offer: &mut UpgradeRequest| offer.what.begins(data);
        let Some(offer) = self.offer.take_if(fits) else { return false };
        self.next = Some(offer.what.open(offer.method, &offer.path, ""));
        true
    }

    /// The parser of this direction; `between`: it is not inside a body.
    pub(super) fn next(
        &mut self,
        direction: Direction,
        between: bool,
    ) -> Option<&mut Box<dyn Parser>> {
        let over = match direction {
            Direction::ClientToServer => between,
            Direction::ServerToClient => self.answered,
        };
        self.next.as_mut().filter(|_| over)
    }

    pub(super) fn memory(&self) -> usize {
        self.next.as_ref().map_or(0, |n| n.memory())
            + self.offer.as_ref().map_or(0, |o| o.path.capacity())
    }
}

/// The first protocol of an `Upgrade` that is read.
fn what(upgrade: &str) -> Option<UpgradeProtocol> {
    upgrade.split(',').map(str::trim).find_map(|name| {
        if name.eq_ignore_ascii_case("websocket") {
            Some(UpgradeProtocol::WebSocket)
        } else {
            name.eq_ignore_ascii_case("h2c").then_some(UpgradeProtocol::Http2)
        }
    })
}

impl UpgradeProtocol {
    /// As in `network.application`.
    const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Http2 => "http/2",
        }
    }

    fn open(self, method: &'static str, path: &str, extensions: &str) -> Box<dyn Parser> {
        let service = Service { method, path: path.into() };
        match self {
            Self::WebSocket => Box::new(WebSocket::new(service, extensions)),
            Self::Http2 => Box::new(Connection::upgraded(service)),
        }
    }

    /// Whether a client's first bytes after the switch may look like this.
    fn begins(self, data: &[u8]) -> bool {
        match self {
            Self::WebSocket => websocket::is_client_frame(data),
            Self::Http2 => data.starts_with(http2::PREFACE),
        }
    }
}
