//! One direction of a stream: what its DATA frames carry.

use super::grpc::Grpc;
use crate::protocol::websocket::{self, Service};
use crate::protocol::{ContentId, Direction, Hint, Host, Media, Progress, Resync, Want};

/// What the DATA frames of one direction carry.
pub(super) struct Body {
    kind: Kind,
    /// Bytes that nobody wants.
    skip: u64,
}

enum Kind {
    /// Nothing is known of it; its bytes tell.
    Unknown,
    Content(ContentId),
    Grpc(Box<Grpc>),
    WebSocket(Box<websocket::Half>),
    Ignored,
}

impl Default for Body {
    fn default() -> Self {
        Self { kind: Kind::Unknown, skip: 0 }
    }
}

impl Body {
    pub(super) fn content(id: ContentId) -> Self {
        Self { kind: Kind::Content(id), skip: 0 }
    }
    pub(super) fn grpc(grpc: Grpc) -> Self {
        Self { kind: Kind::Grpc(Box::new(grpc)), skip: 0 }
    }
    pub(super) fn websocket(half: websocket::Half) -> Self {
        Self { kind: Kind::WebSocket(Box::new(half)), skip: 0 }
    }
    pub(super) fn ignored() -> Self {
        Self { kind: Kind::Ignored, skip: Progress::REST }
    }

    /// Whether nothing is lost with it.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.kind, Kind::Unknown | Kind::Ignored)
    }

    /// Takes all of `bytes`.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        direction: Direction,
        service: &Service,
        host: &mut dyn Host,
    ) {
        let hidden = self.hide(bytes.len() as u64);
        let bytes = bytes.get(hidden as usize..).unwrap_or_default();
        if bytes.is_empty() {
            return;
        }
        if let Kind::Unknown = self.kind {
            self.kind = Kind::Content(host.open(&Hint {
                direction,
                media: Media::Type { content_type: "", name: &service.path },
                operation: service.method,
                codings: &[],
                layer: "http",
            }));
        }
        self.skip = match &mut self.kind {
            Kind::Unknown | Kind::Ignored => Progress::REST,
            Kind::Content(id) => {
                let (id, want) = (*id, host.data(*id, bytes));
                self.wants(id, want, host)
            }
            Kind::Grpc(grpc) => grpc.push(bytes, direction, service, host),
            Kind::WebSocket(half) => match half.push(bytes, service, host) {
                Ok(skip) => skip,
                Err(reason) => {
                    host.anomaly(reason);
                    half.close(host);
                    Progress::REST
                }
            },
        };
    }

    /// How many of the `left` bytes ahead nobody wants; they count as read.
    pub(super) fn ahead(&mut self, left: u64) -> u64 {
        self.hide(left)
    }

    fn hide(&mut self, len: u64) -> u64 {
        let hidden = self.skip.min(len);
        if self.skip != Progress::REST {
            self.skip -= hidden;
        }
        hidden
    }

    /// `len` bytes are missing.
    pub(super) fn gap(&mut self, len: u64, service: &Service, host: &mut dyn Host) {
        let len = len - self.hide(len);
        if len == 0 {
            return;
        }
        self.skip = match &mut self.kind {
            // Without its first bytes nobody knows what it is.
            Kind::Unknown | Kind::Ignored => Progress::REST,
            Kind::Content(id) => {
                let (id, want) = (*id, host.gap(*id, len));
                self.wants(id, want, host)
            }
            Kind::Grpc(grpc) => grpc.gap(len, host),
            Kind::WebSocket(half) => match half.gap(len, service, host) {
                Resync::Known { skip } => skip,
                _ => {
                    half.close(host);
                    Progress::REST
                }
            },
        };
    }

    fn wants(&mut self, id: ContentId, want: Want, host: &mut dyn Host) -> u64 {
        if want == Want::NOTHING {
            host.close(id, true);
            self.kind = Kind::Ignored;
        }
        want.skip
    }

    /// Ends it.
    pub(super) fn close(&mut self, complete: bool, host: &mut dyn Host) {
        match &mut self.kind {
            Kind::Content(id) => host.close(*id, complete),
            Kind::Grpc(grpc) => grpc.close(host),
            Kind::WebSocket(half) => half.close(host),
            Kind::Unknown | Kind::Ignored => {}
        }
        *self = Self::ignored();
    }

    pub(super) fn memory(&self) -> usize {
        match &self.kind {
            Kind::Grpc(_) => size_of::<Grpc>(),
            Kind::WebSocket(half) => size_of::<websocket::Half>() + half.memory(),
            _ => 0,
        }
    }
}
