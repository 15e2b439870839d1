//! The streams of a connection: requests and their responses (RFC 9113 8.1).

use super::fields::Fields;
use super::frame::DEFAULT_MAX;
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::http::{self, Body, BodyContext, ContentRange, Origin, Ranges, head};
use crate::protocol::websocket::{self, Service};
use crate::protocol::{Authentication, ContentSink, Direction, Ending, Hint, Media, ServiceFacts};
use std::collections::BTreeMap;

/// Streams remembered at the same time; servers allow 100 to 250.
const MAX_STREAMS: usize = 256;

/// Longest path kept, bytes.
const MAX_PATH: usize = 256;

/// Length from which a document is kept open when its stream is reset, bytes: viewers abort a download and request
/// the rest in parts.
const RESUMED: u64 = 64 << 10;

/// Oldest streams searched for an idle one when there is no room. Searching all of them for each new one would cost
/// more than the streams themselves.
const MAX_LOOKS: usize = 16;

/// The streams of a connection.
pub(super) struct Streams {
    open: BTreeMap<u32, Stream>,
    /// A request was seen.
    asked: bool,
    /// Partial documents.
    ranges: Ranges,
    /// The largest frame that either end allows.
    pub(super) max_frame: u32,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            asked: false,
            ranges: Ranges::default(),
            max_frame: DEFAULT_MAX,
        }
    }
}

struct Stream {
    service: Service,
    /// The final head of a direction was read; a further one is trailers.
    headed: [bool; 2],
    ended: [bool; 2],
    bodies: [Body; 2],
    websocket: bool,
    connect: bool,
    /// Distinguishes documents.
    target: u64,
}

impl Stream {
    fn new() -> Self {
        Self {
            service: Service { method: "", path: "".into() },
            target: 0,
            headed: [false; 2],
            ended: [false; 2],
            bodies: [Body::default(), Body::default()],
            websocket: false,
            connect: false,
        }
    }

    fn is_idle(&self) -> bool {
        self.bodies.iter().all(Body::is_idle)
    }

    fn close(&mut self, ranges: &mut Ranges, sink: &mut dyn ContentSink) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            self.close_body(direction, Ending::Cut, ranges, sink);
        }
    }

    fn close_body(
        &mut self,
        direction: Direction,
        ending: Ending,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) {
        let Self { service, bodies, .. } = self;
        let around = &mut BodyContext { direction, service, ranges, sink };
        bodies[direction.index()].close(ending, around);
    }
}

impl Streams {
    /// Stream 1 carries the response to the request that asked for the upgrade (RFC 7540 3.2).
    pub(super) fn upgraded(service: Service) -> Self {
        let mut first = Stream::new();
        first.service = service;
        first.headed[Direction::ClientToServer.index()] = true;
        first.ended[Direction::ClientToServer.index()] = true;
        Self {
            open: BTreeMap::from([(1, first)]),
            asked: true,
            ranges: Ranges::default(),
            max_frame: DEFAULT_MAX,
        }
    }

    fn stream(&mut self, id: u32, sink: &mut dyn ContentSink) -> (&mut Stream, &mut Ranges) {
        if self.open.len() >= MAX_STREAMS && !self.open.contains_key(&id) {
            // Streams whose other half is never seen, or was answered by a reset.
            let idle =
                self.open.iter().take(MAX_LOOKS).find(|(_, s)| s.is_idle()).map(|(id, _)| *id);
            let victim = idle.or_else(|| self.open.keys().next().copied());
            if let Some(mut stream) = victim.and_then(|v| self.open.remove(&v)) {
                stream.close(&mut self.ranges, sink);
            }
        }
        (self.open.entry(id).or_insert_with(Stream::new), &mut self.ranges)
    }

    /// A header block was read on a stream.
    pub(super) fn head(
        &mut self,
        direction: Direction,
        id: u32,
        fields: &Fields,
        end: bool,
        sink: &mut dyn ContentSink,
    ) {
        let asked = self.asked;
        let (stream, ranges) = self.stream(id, sink);
        if !stream.headed[direction.index()] {
            match direction {
                Direction::ClientToServer => stream.request(fields, end, ranges, sink),
                Direction::ServerToClient => stream.response(fields, end, asked, ranges, sink),
            }
        }
        self.asked |= direction == Direction::ClientToServer;
        if end {
            self.end(direction, id, sink);
        }
    }

    /// A server promises a response to a request that was not sent (RFC 9113 8.4).
    pub(super) fn promised(&mut self, id: u32, fields: &Fields, sink: &mut dyn ContentSink) {
        let (stream, _) = self.stream(id, sink);
        let (path, _) = head::split_target(&fields.path);
        stream.service =
            Service { method: head::method_name(fields.method.as_bytes()), path: cut(path).into() };
        stream.headed[Direction::ClientToServer.index()] = true;
        stream.ended[Direction::ClientToServer.index()] = true;
    }

    /// Bytes of a DATA frame.
    pub(super) fn data(
        &mut self,
        direction: Direction,
        id: u32,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) {
        if bytes.is_empty() {
            return;
        }
        let (stream, ranges) = self.stream(id, sink);
        let around = &mut BodyContext { direction, service: &stream.service, ranges, sink };
        stream.bodies[direction.index()].push(bytes, around);
    }

    /// How many of the `left` bytes ahead to skip; they count as read.
    pub(super) fn ahead(&mut self, direction: Direction, id: u32, left: u64) -> u64 {
        self.open.get_mut(&id).map_or(0, |s| s.bodies[direction.index()].ahead(left))
    }

    /// `len` bytes of a DATA frame are missing.
    pub(super) fn gap(
        &mut self,
        direction: Direction,
        id: u32,
        len: u64,
        sink: &mut dyn ContentSink,
    ) {
        let (stream, ranges) = self.stream(id, sink);
        let around = &mut BodyContext { direction, service: &stream.service, ranges, sink };
        stream.bodies[direction.index()].gap(len, around);
    }

    /// A direction of a stream has ended.
    pub(super) fn end(&mut self, direction: Direction, id: u32, sink: &mut dyn ContentSink) {
        let Some(stream) = self.open.get_mut(&id) else { return };
        stream.close_body(direction, Ending::Complete, &mut self.ranges, sink);
        stream.ended[direction.index()] = true;
        if stream.ended == [true; 2] {
            self.open.remove(&id);
        }
    }

    /// A stream was reset: its incomplete payloads are of no use.
    pub(super) fn reset(&mut self, id: u32, sink: &mut dyn ContentSink) {
        if let Some(stream) = self.open.get_mut(&id) {
            stream.close(&mut self.ranges, sink);
        }
    }

    /// Frames of a direction were lost: which frames belong together is unknown.
    pub(super) fn lose(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        for stream in self.open.values_mut() {
            if !stream.bodies[direction.index()].is_idle() {
                stream.close_body(direction, Ending::Cut, &mut self.ranges, sink);
                stream.bodies[direction.index()] = Body::default();
            }
            stream.headed[direction.index()] = false;
        }
    }

    /// The direction has ended.
    pub(super) fn close(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        for stream in self.open.values_mut() {
            stream.close_body(direction, Ending::Cut, &mut self.ranges, sink);
        }
        if direction == Direction::ServerToClient {
            self.ranges.close(sink);
        }
    }

    pub(super) fn memory(&self) -> usize {
        let stream = |s: &Stream| {
            size_of::<Stream>()
                + s.service.path.len()
                + s.bodies.iter().map(Body::memory).sum::<usize>()
        };
        self.ranges.memory() + self.open.values().map(stream).sum::<usize>()
    }
}

impl Stream {
    fn request(
        &mut self,
        fields: &Fields,
        end: bool,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) {
        if fields.method.is_empty() {
            // Trailers of a request whose head was lost, or a head behind lost blocks.
            return self.open(Direction::ClientToServer, fields, end, ranges, sink);
        }
        sink.unit("request");
        let method = head::method_name(fields.method.as_bytes());
        let (path, query) = head::split_target(&fields.path);
        let facts = sink.facts();
        let web = facts.web();
        ServiceFacts::set(&mut web.method, method);
        ServiceFacts::set(&mut web.host, fields.host());
        ServiceFacts::set(&mut web.path, &http::mask_path(path));
        ServiceFacts::set(&mut facts.application, "http/2");
        http::authenticate(facts, &fields.head());
        self.service = Service { method, path: cut(path).into() };
        self.target = http::target(fields.path.as_bytes());
        self.connect = method == "CONNECT";
        self.websocket = self.connect && fields.protocol.eq_ignore_ascii_case("websocket");
        if !query.is_empty() {
            let (direction, media) = (Direction::ClientToServer, Media::Target);
            let hint = Hint { direction, media, operation: method, codings: &[], layer: "http" };
            ContentWriter::whole(&hint, fields.path.as_bytes(), sink);
        }
        http::tokens(method, &fields.head(), sink);
        self.open(Direction::ClientToServer, fields, end, ranges, sink);
    }

    fn response(
        &mut self,
        fields: &Fields,
        end: bool,
        asked: bool,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) {
        let status = fields.status.parse::<u16>().unwrap_or(0);
        if (100..200).contains(&status) {
            return;
        }
        if status == 0 {
            return self.open(Direction::ServerToClient, fields, end, ranges, sink);
        }
        sink.unit("response");
        let facts = sink.facts();
        facts.web().status = Some(status);
        ServiceFacts::set(&mut facts.software, &fields.server);
        let websocket = self.websocket && (200..300).contains(&status);
        ServiceFacts::set(&mut facts.application, if websocket { "websocket" } else { "http/2" });
        if !asked && facts.authentication == Authentication::None {
            facts.authentication = Authentication::Unknown;
        }
        self.connect &= (200..300).contains(&status);
        self.websocket = websocket;
        self.open(Direction::ServerToClient, fields, end, ranges, sink);
    }

    /// Processes the bytes behind a head.
    fn open(
        &mut self,
        direction: Direction,
        fields: &Fields,
        end: bool,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) {
        self.headed[direction.index()] = true;
        if end || !self.bodies[direction.index()].is_idle() {
            return;
        }
        self.bodies[direction.index()] = if self.websocket {
            let fresh = websocket::fresh(&fields.extensions);
            Body::websocket(websocket::DirectionState::new(direction, fresh[direction.index()]))
        } else if self.connect {
            // A tunnel, whose content is unknown.
            Body::ignored()
        } else {
            let head = fields.head();
            let part = match (direction, &*fields.status) {
                (Direction::ServerToClient, "206") => {
                    http::part(&self.service, self.target, &head, ranges, sink)
                }
                (Direction::ServerToClient, "200") => self.resumable(fields, ranges, sink),
                _ => None,
            };
            part.unwrap_or_else(|| http::reader(direction, &self.service, &head, sink))
        };
    }

    /// A document whose rest may be requested again.
    fn resumable(
        &self,
        fields: &Fields,
        ranges: &mut Ranges,
        sink: &mut dyn ContentSink,
    ) -> Option<Body> {
        let len = fields.content_length.parse().ok().filter(|len| *len >= RESUMED)?;
        let head = fields.head();
        if head.etag.is_empty() && head.last_modified.is_empty() {
            return None;
        }
        let origin = Origin::new(Direction::ServerToClient, &self.service, self.target, &head);
        ranges.part(&origin, ContentRange::whole(len), sink).map(Body::part)
    }
}

fn cut(path: &str) -> &str {
    let end = (0..=path.len().min(MAX_PATH)).rev().find(|i| path.is_char_boundary(*i));
    path.get(..end.unwrap_or(0)).unwrap_or("")
}
