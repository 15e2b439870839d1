//! One member of an archive, while its bytes arrive.

use super::office::Office;
use super::prose::Prose;
use super::workbook::Part;
use crate::content::{Ending, Nested, Scope, Want};

/// The reader of a member.
pub(super) enum Member {
    /// None.
    Passed,
    /// A payload, and how many of its next bytes to skip.
    Content(Box<Nested>, u64),
    /// A text of an office document, and its layer.
    Prose(Box<Prose>, Option<&'static str>),
    /// A part of a workbook.
    Workbook(Box<Part>),
}

impl Member {
    pub(super) const fn is_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// The next bytes.
    pub(super) fn data(&mut self, bytes: &[u8], office: &mut Office, scope: &mut Scope<'_>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Passed => {}
            Self::Content(nested, skip) => {
                let hidden = (*skip).min(bytes.len() as u64);
                *skip -= hidden;
                scope.skipped(hidden);
                let bytes = bytes.get(hidden as usize..).unwrap_or_default();
                if bytes.is_empty() {
                    return;
                }
                let want = nested.data(bytes, scope);
                *skip = want.skip;
                if want == Want::NOTHING {
                    *self = Self::Passed;
                }
            }
            Self::Prose(prose, None) => prose.data(bytes, scope),
            Self::Prose(prose, Some(layer)) => scope.within(layer, |s| prose.data(bytes, s)),
            Self::Workbook(part) => part.data(bytes, office, scope),
        }
    }

    /// The end of the member.
    pub(super) fn end(&mut self, ending: Ending, office: &mut Office, scope: &mut Scope<'_>) {
        match self {
            Self::Passed => {}
            Self::Content(nested, _) => nested.end(ending, scope),
            Self::Prose(prose, None) => prose.end(scope),
            Self::Prose(prose, Some(layer)) => scope.within(layer, |s| prose.end(s)),
            Self::Workbook(part) => part.end(office, scope),
        }
        *self = Self::Passed;
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Passed => 0,
            Self::Content(nested, _) => nested.memory(),
            Self::Prose(prose, _) => prose.memory(),
            Self::Workbook(part) => part.memory(),
        }
    }
}
