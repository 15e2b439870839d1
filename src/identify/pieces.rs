//! What came of the pieces of documents seen last: repetitions of HL7 fields. A feed sends the same patients
//! again and again, in messages that differ in their times and numbers, so that no whole of one repeats.
//!
//! No raw value is kept, only where in the piece it is.

use super::recent::Recent;
use super::record::{EvaluatedValue, Place};
use crate::content::Evidence;
use crate::rules::Kind;
use memchr::memmem;
use std::ops::Range;
use std::sync::Arc;
use zeroize::{Zeroize as _, Zeroizing};

/// Longest piece that is remembered, bytes.
pub(super) const MAX_PIECE: usize = 512;

/// Fields of one piece; one with more is not remembered.
const MAX_FIELDS: usize = 8;

/// Bytes that a piece takes, roughly: most have one field.
pub(super) const PIECE: usize =
    size_of::<u64>() + size_of::<Slot>() + 2 * size_of::<usize>() + size_of::<PieceField>();

/// A field that came of a piece.
pub(super) struct PieceField {
    /// What content said of it, and the evidence and confidence of that.
    pub kind: Kind,
    pub evidence: Evidence,
    pub confidence: f32,
    /// Where its text is in the piece.
    pub at: Range<usize>,
    pub place: Arc<Place>,
    /// What it is; nothing if it is not plausible.
    pub evaluated: Option<Arc<EvaluatedValue>>,
}

/// The fields that came of a piece; none if they are not part of it as they are.
type Slot = Option<Arc<[PieceField]>>;

/// The pieces seen last by one worker, and the one that is being read.
pub(super) struct Pieces {
    known: Recent<Slot>,
    /// The tag of the piece that is being read; 0: none.
    tag: u64,
    piece: Zeroizing<String>,
    fields: Vec<PieceField>,
    spoilt: bool,
}

impl Pieces {
    /// At most so many, a power of two.
    pub fn within(most: usize) -> Self {
        Self {
            known: Recent::within(most),
            tag: 0,
            piece: Zeroizing::default(),
            fields: Vec::new(),
            spoilt: false,
        }
    }

    /// The rules were replaced.
    pub fn forget(&mut self) {
        self.known.clear();
        self.stop();
    }

    /// What came of a piece. If it is not known, what comes of it is noted until [`Pieces::end`].
    pub fn get(&mut self, tag: u64, piece: &str) -> Option<Arc<[PieceField]>> {
        if let Some(known) = self.known.get(tag) {
            return known.clone();
        }
        self.stop();
        self.tag = tag;
        self.piece.push_str(piece);
        None
    }

    /// A field came of the piece that is being read, if one is.
    pub fn note(&mut self, value: &str, field: impl FnOnce(Range<usize>) -> PieceField) {
        if self.tag == 0 {
            return;
        }
        match memmem::find(self.piece.as_bytes(), value.as_bytes()) {
            Some(start) if self.fields.len() < MAX_FIELDS => {
                self.fields.push(field(start..start + value.len()));
            }
            _ => self.spoilt = true,
        }
    }

    /// What came of the piece depends on more than the piece.
    pub const fn spoil(&mut self) {
        self.spoilt = true;
    }

    /// The piece has been read.
    pub fn end(&mut self) {
        if self.tag != 0 {
            let fields = (!self.spoilt).then(|| self.fields.drain(..).collect());
            self.known.keep(self.tag, fields);
        }
        self.stop();
    }

    /// Nothing is noted any more.
    fn stop(&mut self) {
        self.tag = 0;
        self.piece.as_mut_str().zeroize();
        self.piece.clear();
        self.fields.clear();
        self.spoilt = false;
    }
}
