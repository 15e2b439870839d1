//! A part of the rules, for one kind of content.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// Rules that have been read, or will be on first use. A run meets few kinds of content, and
/// reading all rules takes longer than a small capture.
pub struct RulePart<T> {
    here: Option<T>,
    later: OnceLock<T>,
    read: fn() -> T,
}

impl<T> RulePart<T> {
    /// Rules that `read` provides on first use.
    pub(in crate::rules) const fn when_needed(read: fn() -> T) -> Self {
        Self { here: None, later: OnceLock::new(), read }
    }

    /// Whether they have been read.
    pub fn is_read(&self) -> bool {
        self.here.is_some() || self.later.get().is_some()
    }

    /// The rules by value.
    pub(in crate::rules) fn into_inner(self) -> T {
        self.here.or_else(|| self.later.into_inner()).unwrap_or_else(self.read)
    }
}

impl<T: Default> Default for RulePart<T> {
    fn default() -> Self {
        Self { here: Some(T::default()), later: OnceLock::new(), read: T::default }
    }
}

impl<T> Deref for RulePart<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.here {
            Some(rules) => rules,
            None => self.later.get_or_init(self.read),
        }
    }
}

impl<T> DerefMut for RulePart<T> {
    fn deref_mut(&mut self) -> &mut T {
        let Self { here, later, read } = self;
        here.get_or_insert_with(|| later.take().unwrap_or_else(*read))
    }
}

impl<T: fmt::Debug> fmt::Debug for RulePart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
