//! One direction: frames, the message they carry, and its unread part.

use super::Service;
use super::header::{self, Header, Kind, MAX_HEADER};
use super::inflate::{InflateError, Inflater, TAIL};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::{ContentSink, Direction, Ending, Hint, Media, Progress, Reason, Resync};

/// Bytes unmasked at a time; on the stack.
const PIECE: usize = 4 << 10;

/// One direction. It consumes all bytes it is given, so that it can also read bytes that another protocol passes on
/// piece by piece.
pub(in crate::protocol) struct DirectionState {
    direction: Direction,
    state: State,
    message: Option<Message>,
    inflater: Option<Box<Inflater>>,
    /// Each message is compressed on its own (`*_no_context_takeover`).
    fresh: bool,
    /// Frames were lost: the current message may have begun in them.
    after_gap: bool,
}

#[derive(Clone, Copy)]
enum State {
    /// In a header, with this many bytes of it read.
    Header { bytes: [u8; MAX_HEADER], have: usize },
    /// In a payload. `mask` is turned to the next byte.
    Payload { left: u64, mask: [u8; 4], control: bool, last: bool },
    /// A close frame was seen: nothing follows (RFC 6455 5.5.1).
    Closed,
}

const BETWEEN: State = State::Header { bytes: [0; MAX_HEADER], have: 0 };

/// The current message.
struct Message {
    compressed: bool,
    body: Body,
}

enum Body {
    /// None of it was seen yet.
    Ahead,
    /// It is read.
    Open(ContentWriter),
    /// The rest of it is not wanted.
    Unwanted,
    /// It cannot be read.
    Dead,
}

impl DirectionState {
    pub(in crate::protocol) const fn new(direction: Direction, fresh: bool) -> Self {
        Self { direction, state: BETWEEN, message: None, inflater: None, fresh, after_gap: false }
    }

    /// Reads all of `data`. Returns how many of the following bytes to skip.
    pub(in crate::protocol) fn push(
        &mut self,
        mut data: &[u8],
        service: &Service,
        sink: &mut dyn ContentSink,
    ) -> Result<u64, Reason> {
        loop {
            match &mut self.state {
                State::Closed => return Ok(Progress::REST),
                State::Header { bytes, have } => {
                    let need = header::length(bytes.get(..*have).unwrap_or_default());
                    if *have < need {
                        let Some((first, rest)) = data.split_first() else { return Ok(0) };
                        if let Some(slot) = bytes.get_mut(*have) {
                            *slot = *first;
                        }
                        *have += 1;
                        data = rest;
                        continue;
                    }
                    let header = bytes.get(..need).and_then(header::parse);
                    self.begin(header.ok_or(Reason::Malformed)?)?;
                }
                State::Payload { left, mask, control, .. } => {
                    let (mut mask_now, control) = (*mask, *control);
                    let used = (*left).min(data.len() as u64) as usize;
                    let (piece, rest) = data.split_at(used);
                    data = rest;
                    *left -= used as u64;
                    mask.rotate_left(used % 4);
                    if !control && !piece.is_empty() {
                        self.deliver(piece, &mut mask_now, service, sink);
                    }
                    let skip = self.ahead();
                    self.end_frame(service, sink);
                    if skip > 0 {
                        return Ok(skip);
                    }
                    if data.is_empty() && matches!(self.state, State::Payload { .. }) {
                        return Ok(0);
                    }
                }
            }
        }
    }

    fn begin(&mut self, header: Header) -> Result<(), Reason> {
        let Header { kind, last, compressed, mask, len } = header;
        let control = matches!(kind, Kind::Control | Kind::Close);
        match (kind, &self.message) {
            (Kind::Message, None) => {
                self.after_gap = false;
                self.message = Some(Message { compressed, body: Body::Ahead });
            }
            (Kind::Continuation, None) if self.after_gap => {
                self.message = Some(Message { compressed: false, body: Body::Dead });
            }
            // RFC 6455 5.4: a message is complete before the next one starts.
            (Kind::Message, Some(_)) | (Kind::Continuation, None) => return Err(Reason::Malformed),
            _ => {}
        }
        self.state = match kind {
            Kind::Close => State::Closed,
            _ => State::Payload { left: len, mask, control, last },
        };
        Ok(())
    }

    /// Passes on a piece of a message.
    fn deliver(
        &mut self,
        piece: &[u8],
        mask: &mut [u8; 4],
        service: &Service,
        sink: &mut dyn ContentSink,
    ) {
        let Some(message) = &mut self.message else { return };
        let mut clear = [0u8; PIECE];
        for part in piece.chunks(PIECE) {
            let len = part.len() as u64;
            let idle = match &mut message.body {
                Body::Dead => true,
                _ if message.compressed => false,
                Body::Unwanted => true,
                Body::Ahead => false,
                Body::Open(writer) => {
                    let idle = writer.unwanted() >= len;
                    if idle {
                        writer.passed(len);
                    }
                    idle
                }
            };
            if idle {
                mask.rotate_left(part.len() % 4);
                continue;
            }
            let bytes = if *mask == [0; 4] { part } else { unmask(part, mask, &mut clear) };
            if message.compressed {
                let inflater = self.inflater.get_or_insert_with(|| Box::new(Inflater::new()));
                let mut take = |out: &[u8]| {
                    let paid = sink.spend(out.len() as u64);
                    if paid {
                        message.take(out, self.direction, service, sink);
                    }
                    paid
                };
                if let Err(trouble) = inflater.feed(bytes, &mut take) {
                    message.spoil(Some(trouble), inflater, sink);
                }
            } else {
                message.take(bytes, self.direction, service, sink);
            }
        }
    }

    /// How many of the following payload bytes to skip; they count as read.
    fn ahead(&mut self) -> u64 {
        let State::Payload { left, mask, control, .. } = &mut self.state else { return 0 };
        let skip = match &mut self.message {
            _ if *control => *left,
            Some(Message { body: Body::Dead, .. }) | None => *left,
            // Later bytes may refer to it, unless each message is compressed on its own.
            Some(Message { compressed: true, body: Body::Unwanted }) if self.fresh => *left,
            Some(Message { compressed: true, .. }) => 0,
            Some(Message { body: Body::Unwanted, .. }) => *left,
            Some(Message { body: Body::Ahead, .. }) => 0,
            Some(Message { body: Body::Open(writer), .. }) => {
                let skip = writer.unwanted().min(*left);
                writer.passed(skip);
                skip
            }
        };
        *left -= skip;
        mask.rotate_left((skip % 4) as usize);
        skip
    }

    /// Leaves a frame that was read completely.
    fn end_frame(&mut self, service: &Service, sink: &mut dyn ContentSink) {
        let State::Payload { left: 0, control, last, .. } = self.state else { return };
        self.state = BETWEEN;
        if !control && last {
            self.end_message(service, sink);
        }
    }

    fn end_message(&mut self, service: &Service, sink: &mut dyn ContentSink) {
        let Some(mut message) = self.message.take() else { return };
        sink.unit("message");
        if message.compressed
            && let Some(inflater) = &mut self.inflater
        {
            if !matches!(message.body, Body::Dead) {
                let mut take = |out: &[u8]| {
                    let paid = sink.spend(out.len() as u64);
                    if paid {
                        message.take(out, self.direction, service, sink);
                    }
                    paid
                };
                if let Err(trouble) = inflater.feed(&TAIL, &mut take) {
                    message.spoil(Some(trouble), inflater, sink);
                }
            }
            inflater.end_message(self.fresh);
        }
        if let Body::Open(writer) = message.body {
            writer.close(Ending::Complete, sink);
        }
    }

    /// `len` bytes are missing here.
    pub(in crate::protocol) fn gap(
        &mut self,
        len: u64,
        service: &Service,
        sink: &mut dyn ContentSink,
    ) -> Resync {
        let State::Payload { left, mask, control, .. } = &mut self.state else {
            return match self.state {
                State::Closed => Resync::Known { skip: Progress::REST },
                _ => Resync::Lost,
            };
        };
        if len > *left {
            return Resync::Lost;
        }
        *left -= len;
        mask.rotate_left((len % 4) as usize);
        if !*control && let Some(message) = &mut self.message {
            if message.compressed {
                if let Some(inflater) = &mut self.inflater {
                    message.spoil(None, inflater, sink);
                } else {
                    message.body = Body::Dead;
                }
            } else {
                message.gap(len, sink);
            }
        }
        let skip = self.ahead();
        self.end_frame(service, sink);
        Resync::Known { skip }
    }

    /// Frames were lost.
    pub(super) fn lose(&mut self, sink: &mut dyn ContentSink) {
        self.close(sink);
        if let Some(inflater) = &mut self.inflater {
            inflater.reset();
        }
        self.state = BETWEEN;
        self.after_gap = true;
    }

    /// The direction has ended.
    pub(in crate::protocol) fn close(&mut self, sink: &mut dyn ContentSink) {
        if let Some(Message { body: Body::Open(writer), .. }) = self.message.take() {
            writer.close(Ending::Cut, sink);
        }
        self.state = State::Closed;
    }

    pub(in crate::protocol) fn memory(&self) -> usize {
        self.inflater.as_ref().map_or(0, |_| Inflater::memory())
    }
}

impl Message {
    /// Takes bytes of the message before masking and compression.
    fn take(
        &mut self,
        bytes: &[u8],
        direction: Direction,
        service: &Service,
        sink: &mut dyn ContentSink,
    ) {
        if bytes.is_empty() {
            return;
        }
        if matches!(self.body, Body::Ahead) {
            let layer = if self.compressed { "http/websocket/deflate" } else { "http/websocket" };
            let media = Media::Type { content_type: "", name: &service.path };
            let hint = Hint { direction, media, operation: service.method, codings: &[], layer };
            self.body = Body::Open(ContentWriter::open(&hint, sink));
        }
        if let Body::Open(writer) = &mut self.body {
            writer.data(bytes, sink);
            self.settle(sink);
        }
    }

    fn gap(&mut self, len: u64, sink: &mut dyn ContentSink) {
        match &mut self.body {
            Body::Open(writer) => {
                writer.gap(len, sink);
                self.settle(sink);
            }
            // Without its first bytes its kind is unknown.
            Body::Ahead if len > 0 => self.body = Body::Dead,
            _ => {}
        }
    }

    /// Ends a payload whose reader wants nothing more.
    fn settle(&mut self, sink: &mut dyn ContentSink) {
        if matches!(&self.body, Body::Open(writer) if writer.is_done())
            && let Body::Open(writer) = std::mem::replace(&mut self.body, Body::Unwanted)
        {
            writer.close(Ending::Complete, sink);
        }
    }

    /// The rest of the message cannot be decompressed.
    fn spoil(
        &mut self,
        trouble: Option<InflateError>,
        inflater: &mut Inflater,
        sink: &mut dyn ContentSink,
    ) {
        if let Body::Open(writer) = std::mem::replace(&mut self.body, Body::Dead) {
            writer.close(Ending::Cut, sink);
        }
        match trouble {
            Some(InflateError::Bomb) => sink.anomaly(Reason::Limit),
            Some(InflateError::Malformed) => sink.anomaly(Reason::Malformed),
            Some(InflateError::Unpaid) | None => {}
        }
        inflater.reset();
    }
}

/// `part` unmasked (RFC 6455 5.3), in `clear`.
fn unmask<'a>(part: &[u8], mask: &mut [u8; 4], clear: &'a mut [u8; PIECE]) -> &'a [u8] {
    let clear = clear.get_mut(..part.len()).unwrap_or_default();
    let [a, b, c, d] = *mask;
    let key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (from, from_end) = part.as_chunks::<8>();
    let (to, to_end) = clear.as_chunks_mut::<8>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = (u64::from_ne_bytes(*from) ^ key).to_ne_bytes();
    }
    for ((to, from), key) in to_end.iter_mut().zip(from_end).zip(mask.iter().cycle()) {
        *to = from ^ key;
    }
    mask.rotate_left(part.len() % 4);
    clear
}
