//! Results for recent pieces of documents: repetitions of HL7 fields. A feed sends the same patients again and again,
//! in messages whose times and numbers differ, so that whole messages never repeat.
//!
//! No raw value is kept, only its place in the piece.

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

/// Approximate bytes per piece: most have one field.
pub(super) const PIECE: usize =
    size_of::<u64>() + size_of::<Slot>() + 2 * size_of::<usize>() + size_of::<PieceField>();

/// A field from a piece.
pub(super) struct PieceField {
    /// Meaning of the field in the content stage, with evidence and confidence.
    pub kind: Kind,
    pub evidence: Evidence,
    pub confidence: f32,
    /// Place of its text in the piece.
    pub at: Range<usize>,
    pub place: Arc<Place>,
    /// The evaluated value; `None` if it is not plausible.
    pub evaluated: Option<Arc<EvaluatedValue>>,
}

/// The fields of a piece; `None` if they are not literal parts of it.
type Slot = Option<Arc<[PieceField]>>;

/// Recent pieces of one worker, and the current one.
pub(super) struct Pieces {
    known: Recent<Slot>,
    /// The tag of the current piece; 0: none.
    tag: u64,
    piece: Zeroizing<String>,
    fields: Vec<PieceField>,
    spoilt: bool,
}

impl Pieces {
    /// At most this many, a power of two.
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

    /// The fields of a piece. If it is unknown, its fields are noted until [`Pieces::end`].
    pub fn get(&mut self, tag: u64, piece: &str) -> Option<Arc<[PieceField]>> {
        if let Some(known) = self.known.get(tag) {
            return known.clone();
        }
        self.stop();
        self.tag = tag;
        self.piece.push_str(piece);
        None
    }

    /// A field of the current piece, if there is one.
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

    /// The fields depend on more than the piece.
    pub const fn spoil(&mut self) {
        self.spoilt = true;
    }

    /// The piece was read.
    pub fn end(&mut self) {
        if self.tag != 0 {
            let fields = (!self.spoilt).then(|| self.fields.drain(..).collect());
            self.known.keep(self.tag, fields);
        }
        self.stop();
    }

    /// Nothing more is noted.
    fn stop(&mut self) {
        self.tag = 0;
        self.piece.as_mut_str().zeroize();
        self.piece.clear();
        self.fields.clear();
        self.spoilt = false;
    }
}
