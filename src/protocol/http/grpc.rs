//! Messages of gRPC (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>): a flag, a length of four
//! bytes, the message. gRPC-Web, also in base64, and the streams of Connect (<https://connectrpc.com/docs/protocol>)
//! have the same form, over any version of HTTP.

use crate::protocol::content_writer::ContentWriter;
use crate::protocol::websocket::Service;
use crate::protocol::{ContentSink, Direction, Ending, Hint, Media, Progress, Reason};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Length of the message header, bytes.
pub(super) const PREFIX: usize = 5;

/// Longest message that is assumed where no head declares gRPC, bytes; servers accept 4 MiB.
const MAX_GUESSED: u32 = 4 << 20;

/// Longest name of a coding kept, bytes.
const MAX_CODING: usize = 16;

/// The messages of one direction of a call.
pub(in crate::protocol) struct Grpc {
    media: &'static str,
    connect: bool,
    /// `grpc-encoding`, `connect-content-encoding`
    coding: Box<str>,
    state: State,
}

enum State {
    Prefix {
        bytes: [u8; PREFIX],
        have: usize,
    },
    Message {
        left: u64,
        /// `None` for a message that is skipped.
        writer: Option<ContentWriter>,
    },
    /// Where the next message begins is unknown.
    Lost,
}

const BETWEEN: State = State::Prefix { bytes: [0; PREFIX], have: 0 };

impl Grpc {
    /// The reader for a body of this type, and whether it is in base64; `None` if it is not gRPC.
    pub(in crate::protocol) fn new(content_type: &str, coding: &str) -> Option<(Self, bool)> {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let after = |prefix: &str| {
            let (front, rest) = essence.split_at_checked(prefix.len())?;
            front.eq_ignore_ascii_case(prefix).then_some(rest)
        };
        let connect = after("application/connect").filter(|rest| rest.starts_with('+'));
        let web = after("application/grpc-web");
        let rest = connect.or(web).or_else(|| after("application/grpc"))?;
        let text = web.and_then(|rest| rest.strip_prefix("-text"));
        let media = match text.unwrap_or(rest) {
            "" | "+proto" => "application/protobuf",
            "+json" => "application/json",
            rest if rest.starts_with('+') => "",
            _ => return None,
        };
        Some((Self::of(media, connect.is_some(), coding), text.is_some()))
    }

    /// For a body whose head was not seen, and that [`begins`] like gRPC.
    pub(super) fn unknown() -> Self {
        // Other codings are rare.
        Self::of("application/protobuf", false, "gzip")
    }

    fn of(media: &'static str, connect: bool, coding: &str) -> Self {
        let end = (0..=coding.len().min(MAX_CODING)).rev().find(|i| coding.is_char_boundary(*i));
        let coding = coding.get(..end.unwrap_or(0)).unwrap_or("").into();
        Self { media, connect, coding, state: BETWEEN }
    }

    /// Reads all of `bytes`. Returns how many of the following bytes to skip.
    pub(in crate::protocol) fn push(
        &mut self,
        mut bytes: &[u8],
        direction: Direction,
        service: &Service,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        loop {
            match &mut self.state {
                State::Lost => return Progress::REST,
                State::Prefix { bytes: prefix, have } => {
                    if *have < PREFIX {
                        let Some((first, rest)) = bytes.split_first() else { return 0 };
                        if let Some(slot) = prefix.get_mut(*have) {
                            *slot = *first;
                        }
                        *have += 1;
                        bytes = rest;
                        continue;
                    }
                    let [flags, a, b, c, d] = *prefix;
                    let left = u64::from(u32::from_be_bytes([a, b, c, d]));
                    // The highest bit marks trailers (gRPC-Web), the second the end (Connect).
                    let trailers = if self.connect { 0x02 } else { 0x80 };
                    if flags & !(trailers | 1) != 0 {
                        self.state = State::Lost;
                        continue;
                    }
                    let writer = (left > 0 && flags & trailers == 0).then(|| {
                        let codings = [&*self.coding];
                        let hint = Hint {
                            direction,
                            media: Media::Type { content_type: self.media, name: &service.path },
                            operation: service.method,
                            codings: codings.get(..usize::from(flags & 1)).unwrap_or_default(),
                            layer: "http/grpc",
                        };
                        ContentWriter::open(&hint, sink)
                    });
                    sink.unit("message");
                    self.state = State::Message { left, writer };
                }
                State::Message { left, writer } => {
                    let used = (*left).min(bytes.len() as u64) as usize;
                    let (piece, rest) = bytes.split_at(used);
                    bytes = rest;
                    *left -= used as u64;
                    if let Some(open) = writer {
                        open.data(piece, sink);
                        close_if_done(writer, sink);
                    }
                    let ahead = self.ahead(sink);
                    if ahead > 0 || bytes.is_empty() {
                        return ahead;
                    }
                }
            }
        }
    }

    /// How many bytes of the current message to skip; they count as read. Closes a message that was read completely.
    fn ahead(&mut self, sink: &mut dyn ContentSink) -> u64 {
        let State::Message { left, writer } = &mut self.state else { return 0 };
        let ahead = writer.as_ref().map_or(*left, |writer| writer.unwanted().min(*left));
        *left -= ahead;
        if let Some(writer) = writer {
            writer.passed(ahead);
        }
        if *left == 0 {
            if let Some(writer) = writer.take() {
                writer.close(Ending::Complete, sink);
            }
            self.state = BETWEEN;
        }
        ahead
    }

    /// `len` bytes are missing. Returns how many of the following bytes to skip.
    pub(super) fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) -> u64 {
        match &mut self.state {
            State::Message { left, writer } if len <= *left => {
                *left -= len;
                if let Some(open) = writer {
                    open.gap(len, sink);
                    close_if_done(writer, sink);
                }
                self.ahead(sink)
            }
            _ => {
                self.close(sink);
                Progress::REST
            }
        }
    }

    /// The call has ended, or cannot be read on.
    pub(super) fn close(&mut self, sink: &mut dyn ContentSink) {
        if let State::Message { writer: Some(writer), .. } =
            std::mem::replace(&mut self.state, State::Lost)
        {
            writer.close(Ending::Cut, sink);
        }
    }
}

/// Closes a message whose reader wants nothing more.
fn close_if_done(writer: &mut Option<ContentWriter>, sink: &mut dyn ContentSink) {
    if let Some(writer) = writer.take_if(|writer| writer.is_done()) {
        writer.close(Ending::Complete, sink);
    }
}

/// Whether a body without head that begins like this may be gRPC: no other content that is read begins with two
/// zeros, or a one and a zero, and a length that is not zero.
pub(super) fn begins(first: &[u8; PREFIX]) -> bool {
    let [flags, a, b, c, d] = *first;
    flags <= 1 && (1..=MAX_GUESSED).contains(&u32::from_be_bytes([a, b, c, d]))
}

/// gRPC-Web in base64 (`application/grpc-web-text`): consecutive texts, each with its padding.
pub(super) struct GrpcText {
    grpc: Grpc,
    /// Characters of an incomplete group of four.
    four: [u8; 4],
    have: usize,
    /// Decoded bytes to skip.
    skip: u64,
}

/// Bytes decoded at a time.
const PIECE: usize = 3 << 10;

impl GrpcText {
    pub(super) const fn new(grpc: Grpc) -> Self {
        Self { grpc, four: [0; 4], have: 0, skip: 0 }
    }

    /// Reads all of `bytes`. Returns how many of the following bytes to skip.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        direction: Direction,
        service: &Service,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let mut clear = [0u8; PIECE];
        let mut len = 0;
        for byte in bytes.iter().filter(|b| !b.is_ascii_whitespace()) {
            if let Some(slot) = self.four.get_mut(self.have) {
                *slot = *byte;
            }
            self.have += 1;
            if self.have < self.four.len() {
                continue;
            }
            self.have = 0;
            let Some(room) = clear.get_mut(len..).and_then(|r| r.first_chunk_mut::<3>()) else {
                return Progress::REST;
            };
            let Ok(made) = STANDARD.decode_slice(self.four, room) else {
                sink.anomaly(Reason::Malformed);
                self.close(sink);
                return Progress::REST;
            };
            len += made;
            if len + 3 > PIECE {
                self.give(clear.get(..len).unwrap_or_default(), direction, service, sink);
                len = 0;
            }
        }
        self.give(clear.get(..len).unwrap_or_default(), direction, service, sink);
        if self.skip == Progress::REST { Progress::REST } else { 0 }
    }

    fn give(
        &mut self,
        bytes: &[u8],
        direction: Direction,
        service: &Service,
        sink: &mut dyn ContentSink,
    ) {
        let hidden = self.skip.min(bytes.len() as u64);
        if self.skip != Progress::REST {
            self.skip -= hidden;
        }
        if let Some(bytes @ [_, ..]) = bytes.get(hidden as usize..) {
            self.skip = self.grpc.push(bytes, direction, service, sink);
        }
    }

    /// Bytes are missing: it is unknown where four characters begin.
    pub(super) fn gap(&mut self, sink: &mut dyn ContentSink) -> u64 {
        self.close(sink);
        Progress::REST
    }

    pub(super) fn close(&mut self, sink: &mut dyn ContentSink) {
        self.grpc.close(sink);
        self.skip = Progress::REST;
    }
}
