//! The content of a body: a payload, a part of one, messages of gRPC or WebSocket.

use super::grpc::{self, Grpc, GrpcText};
use super::ranges::{ByteRanges, Part, Ranges};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::websocket::{self, Service};
use crate::protocol::{ContentSink, Direction, Ending, Hint, Media, Progress, Resync};

/// One direction of an exchange.
pub(in crate::protocol) struct Body {
    kind: Kind,
    /// Bytes to skip.
    skip: u64,
}

enum Kind {
    /// Its head was not captured, so its first bytes decide. This many are available.
    Unknown {
        first: [u8; grpc::PREFIX],
        have: usize,
    },
    Content(ContentWriter),
    Part(Box<Part>),
    Parts(Box<ByteRanges>),
    Grpc(Box<Grpc>),
    GrpcText(Box<GrpcText>),
    WebSocket(Box<websocket::DirectionState>),
    Ignored,
}

/// What reading a body needs beside its bytes.
pub(in crate::protocol) struct BodyContext<'a> {
    pub(in crate::protocol) direction: Direction,
    pub(in crate::protocol) service: &'a Service,
    /// Partial documents of this connection.
    pub(in crate::protocol) ranges: &'a mut Ranges,
    pub(in crate::protocol) sink: &'a mut dyn ContentSink,
}

impl Default for Body {
    fn default() -> Self {
        Self::of(Kind::Unknown { first: [0; grpc::PREFIX], have: 0 })
    }
}

impl Body {
    const fn of(kind: Kind) -> Self {
        Self { kind, skip: 0 }
    }
    pub(in crate::protocol) const fn content(writer: ContentWriter) -> Self {
        Self::of(Kind::Content(writer))
    }
    pub(in crate::protocol) fn part(part: Part) -> Self {
        Self::of(Kind::Part(Box::new(part)))
    }
    pub(in crate::protocol) fn parts(parts: ByteRanges) -> Self {
        Self::of(Kind::Parts(Box::new(parts)))
    }
    pub(in crate::protocol) fn grpc(grpc: Grpc) -> Self {
        Self::of(Kind::Grpc(Box::new(grpc)))
    }
    pub(in crate::protocol) fn grpc_text(grpc: Grpc) -> Self {
        Self::of(Kind::GrpcText(Box::new(GrpcText::new(grpc))))
    }
    pub(in crate::protocol) fn websocket(side: websocket::DirectionState) -> Self {
        Self::of(Kind::WebSocket(Box::new(side)))
    }
    pub(in crate::protocol) const fn ignored() -> Self {
        Self { kind: Kind::Ignored, skip: Progress::REST }
    }

    /// Whether nothing is lost with it.
    pub(in crate::protocol) const fn is_idle(&self) -> bool {
        matches!(self.kind, Kind::Unknown { have: 0, .. } | Kind::Ignored)
    }

    /// Reads all of `bytes`.
    pub(in crate::protocol) fn push(&mut self, bytes: &[u8], around: &mut BodyContext<'_>) {
        let mut bytes = self.wanted(bytes);
        if let Kind::Unknown { first, have } = &mut self.kind {
            let Some(room) = first.get_mut(*have..) else { return };
            let (now, rest) = bytes.split_at(bytes.len().min(room.len()));
            for (slot, byte) in room.iter_mut().zip(now) {
                *slot = *byte;
            }
            *have += now.len();
            if *have < grpc::PREFIX {
                return;
            }
            self.decide(around);
            bytes = self.wanted(rest);
        }
        self.give(bytes, around);
    }

    /// The part of `bytes` that is wanted.
    fn wanted<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let hidden = self.hide(bytes.len() as u64);
        bytes.get(hidden as usize..).unwrap_or_default()
    }

    /// The first bytes of a body without a head decide its kind.
    fn decide(&mut self, around: &mut BodyContext<'_>) {
        let Kind::Unknown { first, have } = self.kind else { return };
        self.kind = if have == first.len() && grpc::begins(&first) {
            Kind::Grpc(Box::new(Grpc::unknown()))
        } else {
            let hint = Hint {
                direction: around.direction,
                media: Media::Type { content_type: "", name: &around.service.path },
                operation: around.service.method,
                codings: &[],
                layer: "http",
            };
            Kind::Content(ContentWriter::open(&hint, around.sink))
        };
        self.give(first.get(..have).unwrap_or_default(), around);
    }

    fn give(&mut self, bytes: &[u8], around: &mut BodyContext<'_>) {
        if bytes.is_empty() {
            return;
        }
        let BodyContext { direction, service, ranges, sink } = around;
        self.skip = match &mut self.kind {
            Kind::Unknown { .. } | Kind::Ignored => Progress::REST,
            Kind::Content(writer) => {
                writer.data(bytes, *sink);
                writer.take_unwanted()
            }
            Kind::Part(part) => ranges.data(part, bytes, *sink),
            Kind::Parts(parts) => parts.push(bytes, ranges, *sink),
            Kind::Grpc(grpc) => grpc.push(bytes, *direction, service, *sink),
            Kind::GrpcText(text) => text.push(bytes, *direction, service, *sink),
            Kind::WebSocket(side) => match side.push(bytes, service, *sink) {
                Ok(skip) => skip,
                Err(reason) => {
                    sink.anomaly(reason);
                    side.close(*sink);
                    Progress::REST
                }
            },
        };
        self.settle(around.sink);
    }

    /// How many of the `left` bytes ahead to skip; they count as read.
    pub(in crate::protocol) fn ahead(&mut self, left: u64) -> u64 {
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
    pub(in crate::protocol) fn gap(&mut self, len: u64, around: &mut BodyContext<'_>) {
        let len = len - self.hide(len);
        if len == 0 {
            return;
        }
        let BodyContext { service, ranges, sink, .. } = around;
        self.skip = match &mut self.kind {
            // Without its first bytes its kind is unknown.
            Kind::Unknown { .. } | Kind::Ignored => Progress::REST,
            Kind::Content(writer) => {
                writer.gap(len, *sink);
                writer.take_unwanted()
            }
            Kind::Part(part) => ranges.gap(part, len, *sink),
            Kind::Parts(parts) => parts.gap(len, ranges, *sink),
            Kind::Grpc(grpc) => grpc.gap(len, *sink),
            Kind::GrpcText(text) => text.gap(*sink),
            Kind::WebSocket(side) => match side.gap(len, service, *sink) {
                Resync::Known { skip } => skip,
                _ => {
                    side.close(*sink);
                    Progress::REST
                }
            },
        };
        self.settle(around.sink);
    }

    /// Ends a payload whose reader wants nothing more.
    fn settle(&mut self, sink: &mut dyn ContentSink) {
        if matches!(&self.kind, Kind::Content(writer) if writer.is_done())
            && let Kind::Content(writer) = std::mem::replace(&mut self.kind, Kind::Ignored)
        {
            writer.close(Ending::Complete, sink);
        }
    }

    /// Ends it.
    pub(in crate::protocol) fn close(&mut self, ending: Ending, around: &mut BodyContext<'_>) {
        if let Kind::Unknown { have: 1.., .. } = self.kind {
            self.decide(around);
        }
        let BodyContext { ranges, sink, .. } = around;
        match std::mem::replace(&mut self.kind, Kind::Ignored) {
            Kind::Content(writer) => writer.close(ending, *sink),
            Kind::Part(part) => ranges.end(*part, ending, self.skip, *sink),
            Kind::Parts(parts) => parts.close(ranges, *sink),
            Kind::Grpc(mut grpc) => grpc.close(*sink),
            Kind::GrpcText(mut text) => text.close(*sink),
            Kind::WebSocket(mut side) => side.close(*sink),
            Kind::Unknown { .. } | Kind::Ignored => {}
        }
        self.skip = Progress::REST;
    }

    pub(in crate::protocol) fn memory(&self) -> usize {
        match &self.kind {
            Kind::Part(_) => size_of::<Part>(),
            Kind::Parts(parts) => parts.memory(),
            Kind::Grpc(_) => size_of::<Grpc>(),
            Kind::GrpcText(_) => size_of::<GrpcText>(),
            Kind::WebSocket(side) => size_of::<websocket::DirectionState>() + side.memory(),
            _ => 0,
        }
    }
}
