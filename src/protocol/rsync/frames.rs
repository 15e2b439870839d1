//! Frames of the multiplexed stream: a length of three bytes, a code, then data or a message (`io.c`, MPLEX_BASE).

use super::tokens::{Packing, Tokens};
use crate::protocol::{ContentSink, Direction, Progress};

/// Length of the header.
const HEADER: usize = 4;
/// Code of frames of data.
const DATA: u8 = 7;
/// Highest code, MSG_NO_SEND.
const LAST: u8 = 7 + 102;
/// Most bytes before the first frame: negotiation strings (vstrings).
const MAX_PROLOGUE: usize = 2048;
/// Longest frame; senders use at most 64 KiB.
const MAX_FRAME: usize = 1 << 20;

/// The frames of the direction that carries files.
#[derive(Default)]
pub(super) struct Frames {
    /// The first frame was found.
    aligned: bool,
    /// Remaining bytes of the data frame.
    left: usize,
}

fn frame(data: &[u8]) -> Option<(u8, usize)> {
    let [a, b, c, code] = *data.first_chunk::<HEADER>()?;
    let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    ((DATA..=LAST).contains(&code) && len <= MAX_FRAME).then_some((code, len))
}

/// Whether a data frame with another behind it begins at the front of `data`; `None` if more bytes are needed.
fn chain(data: &[u8]) -> Option<bool> {
    if data.len() < HEADER {
        return None;
    }
    let Some((DATA, len)) = frame(data).filter(|(_, len)| *len > 0) else { return Some(false) };
    match data.get(HEADER + len..) {
        Some(next) if next.len() >= HEADER => Some(frame(next).is_some()),
        _ => None,
    }
}

/// The first frame of data with another behind it.
pub(super) fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(DATA, data)
        .filter_map(|at| at.checked_sub(HEADER - 1))
        .find(|at| data.get(*at..).and_then(chain) == Some(true))
}

impl Frames {
    /// Reads the next frame, or the rest of one.
    pub(super) fn read(
        &mut self,
        direction: Direction,
        data: &[u8],
        packing: Packing,
        tokens: &mut Tokens,
        sink: &mut dyn ContentSink,
    ) -> Progress {
        if !self.aligned {
            return self.align(data);
        }
        if self.left > 0 {
            let len = self.left.min(data.len());
            self.left -= len;
            tokens.data(direction, data.get(..len).unwrap_or(data), packing, sink);
            return Progress::consumed(len);
        }
        if data.len() < HEADER {
            return Progress::need(0, HEADER);
        }
        match frame(data) {
            Some((DATA, len)) => {
                self.left = len;
                Progress::consumed(HEADER)
            }
            Some((_, len)) => Progress::skip(HEADER, len as u64),
            // Out of step, and nothing shows where a frame begins.
            None => {
                tokens.lose(sink);
                self.aligned = false;
                Progress::consumed(1)
            }
        }
    }

    /// Looks for the first frame.
    fn align(&mut self, data: &[u8]) -> Progress {
        let prologue = data.get(..MAX_PROLOGUE).unwrap_or(data);
        for at in memchr::memchr_iter(DATA, prologue).filter_map(|at| at.checked_sub(HEADER - 1)) {
            let rest = data.get(at..).unwrap_or_default();
            match chain(rest) {
                Some(true) => {
                    self.aligned = true;
                    return Progress::consumed(at);
                }
                Some(false) => {}
                None => {
                    let len = frame(rest).map_or(0, |(_, len)| len);
                    return Progress::need(0, at + 2 * HEADER + len);
                }
            }
        }
        if data.len() < MAX_PROLOGUE {
            return Progress::need(0, data.len() + 1);
        }
        Progress::consumed(MAX_PROLOGUE - HEADER)
    }

    /// `len` bytes are missing: whether they lie inside the data of a frame and of a file.
    pub(super) fn lose(
        &mut self,
        len: u64,
        tokens: &mut Tokens,
        sink: &mut dyn ContentSink,
    ) -> bool {
        let inside = len <= self.left as u64 && tokens.lose_inside(len, sink);
        if inside {
            self.left -= usize::try_from(len).unwrap_or(self.left);
        }
        inside
    }
}
