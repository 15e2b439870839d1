//! Messages of gRPC (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>): a flag, a
//! length of four bytes, the message.

use crate::protocol::websocket::Service;
use crate::protocol::{ContentId, Direction, Hint, Host, Media, Progress, Want};

/// Length of what stands before a message, bytes.
const PREFIX: usize = 5;

/// Longest name of a coding kept, bytes.
const MAX_CODING: usize = 16;

/// The messages of one direction of a call.
pub(super) struct Grpc {
    media: &'static str,
    /// `grpc-encoding`
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
        id: Option<ContentId>,
        skip: u64,
    },
    /// Where the next message begins is not known.
    Lost,
}

const BETWEEN: State = State::Prefix { bytes: [0; PREFIX], have: 0 };

impl Grpc {
    /// The reader for a body of this type; `None`: it is not gRPC, or gRPC in base64.
    pub(super) fn new(content_type: &str, coding: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let rest = essence.get(16..).filter(|_| {
            essence.get(..16).is_some_and(|t| t.eq_ignore_ascii_case("application/grpc"))
        })?;
        let media = match rest.trim_start_matches("-web") {
            "" | "+proto" => "application/protobuf",
            "+json" => "application/json",
            rest if rest.starts_with('+') => "",
            _ => return None,
        };
        let coding = coding.get(..coding.len().min(MAX_CODING)).unwrap_or("").into();
        Some(Self { media, coding, state: BETWEEN })
    }

    /// Reads all of `bytes`; how many bytes behind them nobody wants.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        direction: Direction,
        service: &Service,
        host: &mut dyn Host,
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
                    if flags & 0x7e != 0 {
                        self.state = State::Lost;
                        continue;
                    }
                    // The highest bit marks trailers (gRPC-Web).
                    let id = (left > 0 && flags & 0x80 == 0).then(|| {
                        let codings = [&*self.coding];
                        host.open(&Hint {
                            direction,
                            media: Media::Type { content_type: self.media, name: &service.path },
                            operation: service.method,
                            codings: codings.get(..usize::from(flags & 1)).unwrap_or_default(),
                            layer: "http/grpc",
                        })
                    });
                    host.unit("message");
                    self.state = State::Message { left, id, skip: 0 };
                }
                State::Message { left, id, skip } => {
                    let used = (*left).min(bytes.len() as u64) as usize;
                    let (piece, rest) = bytes.split_at(used);
                    bytes = rest;
                    *left -= used as u64;
                    let hidden = (*skip).min(used as u64);
                    *skip -= hidden;
                    let piece = piece.get(hidden as usize..).unwrap_or_default();
                    if let (Some(open), false) = (*id, piece.is_empty()) {
                        let want = host.data(open, piece);
                        wants(want, id, skip, host);
                    }
                    let ahead = self.ahead(host);
                    if ahead > 0 || bytes.is_empty() {
                        return ahead;
                    }
                }
            }
        }
    }

    /// How many bytes of the message ahead nobody wants; they count as read. Ends a message of which
    /// all was read.
    fn ahead(&mut self, host: &mut dyn Host) -> u64 {
        let State::Message { left, id, skip } = &mut self.state else { return 0 };
        let ahead = if id.is_some() { (*skip).min(*left) } else { *left };
        *skip = skip.saturating_sub(ahead);
        *left -= ahead;
        if *left == 0 {
            if let Some(id) = id {
                host.close(*id, true);
            }
            self.state = BETWEEN;
        }
        ahead
    }

    /// `len` bytes are missing; how many bytes behind them nobody wants.
    pub(super) fn gap(&mut self, len: u64, host: &mut dyn Host) -> u64 {
        match &mut self.state {
            State::Message { left, id, skip } if len <= *left => {
                *left -= len;
                let hidden = (*skip).min(len);
                *skip -= hidden;
                if let (Some(open), true) = (*id, len > hidden) {
                    let want = host.gap(open, len - hidden);
                    wants(want, id, skip, host);
                }
                self.ahead(host)
            }
            _ => {
                self.close(host);
                Progress::REST
            }
        }
    }

    /// The call has ended, or cannot be read on.
    pub(super) fn close(&mut self, host: &mut dyn Host) {
        if let State::Message { id: Some(id), .. } = self.state {
            host.close(id, false);
        }
        self.state = State::Lost;
    }
}

fn wants(want: Want, id: &mut Option<ContentId>, skip: &mut u64, host: &mut dyn Host) {
    *skip = want.skip;
    if want == Want::NOTHING
        && let Some(id) = id.take()
    {
        host.close(id, true);
    }
}
