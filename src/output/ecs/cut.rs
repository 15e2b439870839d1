//! Shortens events.

use crate::protocol::service::Fact;

/// Limits of lists and texts. Longer texts are left out completely: a cut word would not belong to its closed set,
/// and two cut texts might become equal.
#[derive(Clone, Copy)]
pub struct Cut {
    /// Entries of a list.
    pub list: usize,
    /// Bytes of a text.
    pub text: usize,
}

impl Cut {
    /// Everything.
    pub const NONE: Self = Self { list: usize::MAX, text: usize::MAX };

    /// The first entries of a list.
    pub fn list<T>(self, all: &[T]) -> &[T] {
        all.get(..self.list).unwrap_or(all)
    }

    /// Whether a text is short enough.
    pub const fn fits(self, text: &str) -> bool {
        text.len() <= self.text
    }

    /// The first short enough texts of a list.
    pub fn texts<'a>(
        self,
        all: impl Iterator<Item = &'a str> + 'a,
    ) -> impl Iterator<Item = &'a str> + 'a {
        all.filter(move |text| self.fits(text)).take(self.list)
    }

    /// Whether anything is left of a fact.
    pub fn leaves(self, fact: &Fact<'_>) -> bool {
        match fact {
            Fact::Text(text) => self.fits(text),
            Fact::List(list) => self.list > 0 && list.iter().any(|text| self.fits(text)),
            Fact::Words(_) => self.list > 0,
            Fact::Counts(counts) => self.list > 0 && counts.iter().any(|(text, _)| self.fits(text)),
            Fact::Group(list) => list.iter().any(|(_, fact)| self.leaves(fact)),
            Fact::Number(_) | Fact::Flag(_) => true,
        }
    }
}
