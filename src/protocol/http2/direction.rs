//! One direction of a connection: frames, and header blocks that span several of them.

use super::fields::Fields;
use super::frame::{self, DEFAULT_MAX, END_HEADERS, END_STREAM, HEADER, Header, PADDED};
use super::hpack::Decoder;
use super::probe::PREFACE;
use super::streams::Streams;
use crate::protocol::{ContentSink, Direction, Progress, Reason, Resync};
use crate::syntax::Search;

/// Longest incomplete frame of fields or settings that is waited for, bytes. Servers accept 8 to 64 KiB.
const MAX_FRAME: u32 = 64 << 10;

/// The work of each byte of a field that a block names by its place in the table.
const REREADING: u64 = 4;
/// Longest header block over all its frames, bytes.
const MAX_BLOCK: usize = 256 << 10;

/// Consecutive frames that count as found again after a loss.
const ROW: usize = 2;

/// Bytes that fit nothing before a direction is given up.
const MAX_GARBAGE: u64 = 1 << 20;

/// `SETTINGS_MAX_FRAME_SIZE` (RFC 9113 6.5.2).
const MAX_FRAME_SIZE: u16 = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At a frame's header, or at the preface.
    Header,
    /// In a DATA frame: this many bytes of data, and of padding behind them.
    Data { stream: u32, left: u64, padding: u64, end: bool },
    /// Searching for the next frame; this many bytes were passed over.
    Search { garbage: u64 },
}

/// An incomplete header block.
struct Block {
    /// The stream its frames name.
    stream: u32,
    end: bool,
    /// The stream it promises (RFC 9113 6.6).
    promised: Option<u32>,
    /// Part of it was too long to be kept.
    has_gap: bool,
}

/// One direction.
pub(super) struct DirectionState {
    direction: Direction,
    state: State,
    decoder: Decoder,
    block: Option<Block>,
    /// The block so far, if it has several frames.
    pieces: Vec<u8>,
    fields: Fields,
}

impl DirectionState {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            state: State::Header,
            decoder: Decoder::default(),
            block: None,
            pieces: Vec::new(),
            fields: Fields::default(),
        }
    }

    /// Continues with `data`, which is not empty.
    pub(super) fn read(
        &mut self,
        data: &[u8],
        streams: &mut Streams,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        match self.state {
            State::Header => self.frame(data, streams, sink),
            State::Data { stream, left, .. } => {
                let used = left.min(data.len() as u64) as usize;
                let bytes = data.get(..used).unwrap_or_default();
                streams.data(self.direction, stream, bytes, sink);
                Ok(Progress::skip(used, self.advance(used as u64, streams, sink)))
            }
            State::Search { garbage } => self.search(data, garbage, streams.max_frame, false),
        }
    }

    /// Counts `len` bytes of a DATA frame as done. Returns how many of the following bytes to skip.
    fn advance(&mut self, len: u64, streams: &mut Streams, sink: &mut dyn ContentSink) -> u64 {
        let State::Data { stream, left, padding, end } = &mut self.state else { return 0 };
        *left -= len.min(*left);
        let skip = streams.ahead(self.direction, *stream, *left);
        *left -= skip;
        if *left > 0 {
            return skip;
        }
        let (stream, end, skip) = (*stream, *end, skip + *padding);
        self.state = State::Header;
        if end {
            streams.end(self.direction, stream, sink);
        }
        skip
    }

    fn frame(
        &mut self,
        data: &[u8],
        streams: &mut Streams,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        // RFC 9113 3.4; no frame begins like this.
        if data.starts_with(PREFACE) {
            return Ok(Progress::consumed(PREFACE.len()));
        }
        if PREFACE.starts_with(data.get(..PREFACE.len()).unwrap_or(data)) {
            return Ok(Progress::need(0, PREFACE.len()));
        }
        let Some(header) = Header::read(data) else {
            return Ok(Progress::need(0, HEADER));
        };
        if !header.is_sound() {
            sink.anomaly(Reason::Malformed);
            self.lose(streams, sink);
            // The first byte is the one that did not fit.
            return Ok(Progress::consumed(1));
        }
        if let Some(block) = &self.block
            && (header.kind != frame::CONTINUATION || header.stream != block.stream)
        {
            // RFC 9113 6.10: nothing comes between the frames of a block.
            sink.anomaly(Reason::Malformed);
            self.drop_block();
        }
        let Header { len, kind, stream, .. } = header;
        match kind {
            frame::DATA => {
                let padded = header.has(PADDED);
                let Some(padding) = data.get(HEADER).filter(|_| padded).or((!padded).then_some(&0))
                else {
                    return Ok(Progress::need(0, HEADER + 1));
                };
                let prefix = u32::from(padded);
                let Some(left) = len.checked_sub(prefix + u32::from(*padding)) else {
                    sink.anomaly(Reason::Malformed);
                    return Ok(Progress::skip(HEADER, u64::from(len)));
                };
                let (left, padding) = (u64::from(left), u64::from(*padding));
                let end = header.has(END_STREAM);
                self.state = State::Data { stream, left, padding, end };
                Ok(Progress::skip(HEADER + prefix as usize, self.advance(0, streams, sink)))
            }
            frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION if len > MAX_FRAME => {
                sink.anomaly(Reason::Limit);
                if kind != frame::CONTINUATION {
                    self.block = Some(Block {
                        stream,
                        end: header.has(END_STREAM) && kind == frame::HEADERS,
                        promised: None,
                        has_gap: true,
                    });
                } else if let Some(block) = &mut self.block {
                    block.has_gap = true;
                }
                if header.has(END_HEADERS) {
                    self.end_block(&[], streams, sink);
                }
                Ok(Progress::skip(HEADER, u64::from(len)))
            }
            frame::HEADERS | frame::PUSH_PROMISE | frame::CONTINUATION | frame::SETTINGS
                if len <= MAX_FRAME =>
            {
                let whole = HEADER + len as usize;
                let Some(payload) = data.get(HEADER..whole) else {
                    return Ok(Progress::need(0, whole));
                };
                if kind == frame::SETTINGS {
                    Self::settings(payload, streams);
                } else if self.fragment(header, payload, streams, sink).is_none() {
                    sink.anomaly(Reason::Malformed);
                    self.drop_block();
                }
                Ok(Progress::consumed(whole))
            }
            frame::RST_STREAM => {
                streams.reset(stream, sink);
                Ok(Progress::skip(HEADER, u64::from(len)))
            }
            _ => Ok(Progress::skip(HEADER, u64::from(len))),
        }
    }

    /// The limit of a receiver is what the other end may send; as a rule both ends allow the same.
    fn settings(payload: &[u8], streams: &mut Streams) {
        for setting in payload.chunks_exact(6) {
            if let &[a, b, c, d, e, f] = setting
                && u16::from_be_bytes([a, b]) == MAX_FRAME_SIZE
            {
                let max = u32::from_be_bytes([c, d, e, f]).clamp(DEFAULT_MAX, MAX_FRAME);
                streams.max_frame = streams.max_frame.max(max);
            }
        }
    }

    /// A frame of a block; `None` if it is malformed.
    fn fragment(
        &mut self,
        header: Header,
        mut payload: &[u8],
        streams: &mut Streams,
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        if header.kind == frame::CONTINUATION {
            self.block.as_ref()?;
        } else {
            if header.has(PADDED) {
                let (padding, rest) = payload.split_first()?;
                payload = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
            }
            let push = header.kind == frame::PUSH_PROMISE;
            if !push && header.has(frame::PRIORITIZED) {
                payload = payload.get(5..)?;
            }
            let promised = if push {
                let (id, rest) = payload.split_first_chunk::<4>()?;
                payload = rest;
                Some(u32::from_be_bytes(*id) & 0x7fff_ffff)
            } else {
                None
            };
            self.pieces.clear();
            let end = !push && header.has(END_STREAM);
            self.block = Some(Block { stream: header.stream, end, promised, has_gap: false });
        }
        if header.has(END_HEADERS) {
            self.end_block(payload, streams, sink);
        } else if let Some(block) = &mut self.block {
            if self.pieces.len() + payload.len() > MAX_BLOCK {
                block.has_gap = true;
                self.pieces = Vec::new();
            } else if !block.has_gap {
                self.pieces.extend_from_slice(payload);
            }
        }
        Some(())
    }

    /// The block is complete with `last`.
    fn end_block(&mut self, last: &[u8], streams: &mut Streams, sink: &mut dyn ContentSink) {
        let Some(block) = self.block.take() else { return };
        if block.has_gap || self.pieces.len() + last.len() > MAX_BLOCK {
            sink.anomaly(Reason::Limit);
            self.drop_block();
            if block.end {
                streams.end(self.direction, block.stream, sink);
            }
            return;
        }
        let whole = if self.pieces.is_empty() {
            last
        } else {
            self.pieces.extend_from_slice(last);
            &self.pieces
        };
        self.fields.clear();
        let fields = &mut self.fields;
        if self.decoder.decode(whole, &mut |name, value| fields.take(name, value)).is_err() {
            sink.anomaly(Reason::Malformed);
        }
        // A byte of a block may name any field of the table (RFC 7541 6.1): what is longer than the block is paid for.
        let indexed = self.fields.len().saturating_sub(whole.len()) as u64;
        if !sink.reread(REREADING * indexed) {
            self.fields.drop_long();
        }
        self.pieces.clear();
        match block.promised {
            Some(stream) => streams.promised(stream, &self.fields, sink),
            None => streams.head(self.direction, block.stream, &self.fields, block.end, sink),
        }
    }

    /// What the block would have added to the table is unknown.
    fn drop_block(&mut self) {
        self.block = None;
        self.pieces = Vec::new();
        self.decoder.forget();
    }

    /// The next bytes fit nothing.
    fn lose(&mut self, streams: &mut Streams, sink: &mut dyn ContentSink) {
        self.drop_block();
        streams.lose(self.direction, sink);
        self.state = State::Search { garbage: 0 };
    }

    fn search(
        &mut self,
        data: &[u8],
        garbage: u64,
        max: u32,
        last: bool,
    ) -> Result<Progress, Reason> {
        let (passed, need) = match frame::find(Some(self.direction), data, max, ROW, last) {
            Search::Found(at, ()) => {
                self.state = State::Header;
                return Ok(Progress::consumed(at));
            }
            Search::Perhaps { at, need } => (at, need),
            Search::None => (data.len(), 0),
        };
        let garbage = garbage + passed as u64;
        if garbage > MAX_GARBAGE {
            return Err(Reason::Malformed);
        }
        self.state = State::Search { garbage };
        // Another run of frames may begin before the expected one is complete.
        Ok(Progress::need(passed, need.min(data.len() - passed + data.len() / 4 + 1)))
    }

    /// `len` bytes are missing.
    pub(super) fn gap(
        &mut self,
        len: u64,
        streams: &mut Streams,
        sink: &mut dyn ContentSink,
    ) -> Resync {
        if let State::Data { stream, left, .. } = self.state
            && len <= left
        {
            streams.gap(self.direction, stream, len, sink);
            return Resync::Known { skip: self.advance(len, streams, sink) };
        }
        self.lose(streams, sink);
        // The parser searches itself, since it knows which frames may follow.
        Resync::Known { skip: 0 }
    }

    /// Where frames begin in `data`, behind a loss.
    pub(super) fn resync(&mut self, data: &[u8], streams: &Streams) -> Option<usize> {
        match frame::find(Some(self.direction), data, streams.max_frame, ROW, false) {
            Search::Found(at, ()) => {
                self.state = State::Header;
                Some(at)
            }
            Search::Perhaps { .. } | Search::None => None,
        }
    }

    /// The last bytes of the direction, in which a run of frames may end.
    pub(super) fn last(&mut self, rest: &[u8], streams: &Streams) -> Option<usize> {
        let State::Search { .. } = self.state else { return None };
        let progress = self.search(rest, 0, streams.max_frame, true).ok()?;
        progress.continues().then_some(progress.consumed)
    }

    pub(super) fn memory(&self) -> usize {
        self.decoder.memory() + self.pieces.capacity() + self.fields.memory()
    }
}
