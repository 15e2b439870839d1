//! Undoing permessage-deflate (RFC 7692 7.2.2).

use flate2::{Decompress, FlushDecompress, Status};

/// What a sender leaves out at the end of each message.
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What is inflated at a time; lies on the stack.
const PIECE: usize = 16 << 10;

/// Bytes that one message may inflate to.
const MAX_OUTPUT: u64 = 256 << 20;

/// Output for each byte of input from which a message counts as a bomb, once [`FREE_OUTPUT`] is
/// used up. Messages that repeat the one before reach far higher ratios than files do.
const MAX_RATIO: u64 = 512;

/// Output before the ratio matters, bytes.
const FREE_OUTPUT: u64 = 4 << 20;

/// Why a message cannot be inflated further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InflateError {
    /// It is no deflate data, or refers to bytes that were lost.
    Malformed,
    /// It inflates to too much.
    Bomb,
    /// It inflates to more than the flow's bytes pay for; this was counted.
    Unpaid,
}

/// One direction's decoder. Its window is always the largest (32 KiB) and is kept from message to
/// message: that reads whatever window and takeover was negotiated (RFC 7692 7.1).
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

    /// Inflates `input`, and hands what comes of it to `take`, which says whether to go on.
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
            let bomb = self.given > FREE_OUTPUT && self.given / MAX_RATIO > self.taken;
            if bomb || self.given > MAX_OUTPUT {
                return Err(InflateError::Bomb);
            }
            // What came before the fault was taken: the same in pieces of any size.
            self.ended = status.map_err(|_| InflateError::Malformed)? == Status::StreamEnd;
            // A full piece may have left more inside.
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
