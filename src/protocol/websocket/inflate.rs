//! Decompresses permessage-deflate (RFC 7692 7.2.2).

use crate::protocol::bomb::is_bomb;
use flate2::{Decompress, FlushDecompress, Status};

/// Bytes that a sender omits at the end of each message.
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Bytes decompressed at a time; on the stack.
const PIECE: usize = 16 << 10;

/// Why a message cannot be decompressed further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InflateError {
    /// It is no deflate data, or refers to bytes that were lost.
    Malformed,
    /// Its output is too large.
    Bomb,
    /// Its output exceeds the flow's budget; this was counted.
    Unpaid,
}

/// One direction's decoder. Its window is always the largest (32 KiB) and is kept between messages, which works with
/// any negotiated window and context takeover (RFC 7692 7.1).
pub struct Inflater {
    state: Decompress,
    taken: u64,
    given: u64,
    /// The message's deflate data has ended (BFINAL, RFC 7692 7.2.3.4).
    ended: bool,
}

impl Inflater {
    /// A decoder with an empty window.
    pub fn new() -> Self {
        Self { state: Decompress::new(false), taken: 0, given: 0, ended: false }
    }

    /// Decompresses `input`, and passes the output to `take`, which returns whether to continue.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), InflateError> {
        self.taken += input.len() as u64;
        let mut piece = [0u8; PIECE];
        while !self.ended {
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(input, &mut piece, FlushDecompress::Sync);
            let used = (self.state.total_in() - before_in) as usize;
            let made = (self.state.total_out() - before_out) as usize;
            input = input.get(used..).unwrap_or_default();
            self.given += made as u64;
            if made > 0 && !take(piece.get(..made).unwrap_or_default()) {
                return Err(InflateError::Unpaid);
            }
            if is_bomb(self.taken, self.given) {
                return Err(InflateError::Bomb);
            }
            // Output in front of the fault was taken, so pieces of any size give the same.
            self.ended = status.map_err(|_| InflateError::Malformed)? == Status::StreamEnd;
            // After a full piece there may be more.
            if made < PIECE && (input.is_empty() || used == 0) {
                break;
            }
        }
        Ok(())
    }

    /// A message has ended. `fresh`: the next one uses nothing of it.
    pub fn end_message(&mut self, fresh: bool) {
        self.taken = 0;
        self.given = 0;
        if fresh || self.ended {
            self.reset();
        }
    }

    /// Discards the state. A message that does not refer to earlier ones can still be read; one that does is
    /// detected by a distance beyond the window.
    pub fn reset(&mut self) {
        self.state.reset(false);
        self.taken = 0;
        self.given = 0;
        self.ended = false;
    }

    /// Bytes of heap held, roughly: the window and the tables.
    pub const fn memory() -> usize {
        48 << 10
    }
}
