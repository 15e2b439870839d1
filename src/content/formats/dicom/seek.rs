//! Finds the next element after a loss that took headers with it.

use super::element::{Header, UNDEFINED, decode};
use super::syntax::{Syntax, dictionary_vr};
use crate::syntax::{ElementError, Match};
use zeroize::Zeroizing;

/// Consecutive elements needed before they are accepted.
const CHAIN: usize = 3;
/// Longest value among them, bytes.
const MAX_VALUE: u32 = 1 << 10;
/// New bytes that make a search worth while.
const STEP: usize = 1 << 10;
/// Bytes searched before the rest is given up: identifying elements are near the start.
const MAX_SEARCHED: usize = 64 << 10;

/// A search in progress.
pub(super) struct Seek {
    syntax: Syntax,
    /// The last tag before the loss: tags ascend (PS3.5 7.1).
    after: u32,
    held: Zeroizing<Vec<u8>>,
    /// Bytes of `held` at the last search.
    searched: usize,
    passed: usize,
}

impl Seek {
    pub fn new(syntax: Syntax, after: u32) -> Self {
        Self { syntax, after, held: Zeroizing::new(Vec::new()), searched: 0, passed: 0 }
    }

    /// The syntax of the data set.
    pub const fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// Searches the next bytes. Returns the bytes from the place where elements begin again, or no match when the
    /// search is given up. `last`: no more bytes will come.
    pub fn feed(&mut self, bytes: &[u8], last: bool) -> Match<Zeroizing<Vec<u8>>> {
        let room = MAX_SEARCHED.saturating_sub(self.passed + self.held.len());
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let full = bytes.len() >= room;
        if self.held.len() < self.searched + STEP && !last && !full {
            return Match::More;
        }
        // Whatever the pieces are, the first valid place is taken: one that needs more bytes is waited for before a
        // later one is examined.
        let done = last || full;
        let place = (0..self.held.len()).find_map(|at| {
            match chain(self.syntax, &self.held, at, self.after) {
                Match::Yes(()) => Some((at, true)),
                Match::More if !done => Some((at, false)),
                Match::More | Match::No => None,
            }
        });
        if let Some((at, true)) = place {
            let mut found = std::mem::take(&mut self.held);
            found.drain(..at);
            found.extend_from_slice(bytes.get(room..).unwrap_or(&[]));
            return Match::Yes(found);
        }
        if done {
            return Match::No;
        }
        let surplus = place.map_or(self.held.len(), |(at, _)| at);
        self.held.drain(..surplus);
        self.passed += surplus;
        self.searched = self.held.len();
        Match::More
    }

    /// Another loss: the held bytes do not join the next ones.
    pub fn gap(&mut self) {
        self.held.clear();
        self.searched = 0;
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.held.capacity()
    }
}

/// Whether consecutive elements begin at `at`.
fn chain(syntax: Syntax, data: &[u8], mut at: usize, mut after: u32) -> Match {
    for _ in 0..CHAIN {
        let rest = data.get(at..).unwrap_or(&[]);
        let Some(head) = rest.first_chunk::<8>() else {
            return Match::More;
        };
        // Most positions are rejected here: a VR has two capitals, a short length two zeros.
        let likely = match syntax {
            Syntax::ImplicitLe => head[6] == 0 && head[7] == 0,
            _ => head[4].is_ascii_uppercase() && head[5].is_ascii_uppercase(),
        };
        if !likely {
            return Match::No;
        }
        let Header { tag, vr, len, size } = match decode(rest, syntax) {
            Ok(header) => header,
            Err(ElementError::Need(_)) => return Match::More,
            Err(ElementError::Malformed) => return Match::No,
        };
        let known = dictionary_vr(tag);
        let named = known.is_some() && (syntax == Syntax::ImplicitLe || vr == known);
        if !named || tag <= after || tag >> 16 >= 0x7FE0 || len == UNDEFINED || len > MAX_VALUE {
            return Match::No;
        }
        after = tag;
        at += size + len as usize;
    }
    // The last value must be there as well.
    if at <= data.len() { Match::Yes(()) } else { Match::More }
}
