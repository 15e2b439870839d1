//! Patterns of numbers.

use regex::bytes::{Regex, RegexBuilder};
use std::sync::OnceLock;

/// Largest compiled pattern, bytes.
const MAX_PATTERN: usize = 256 << 10;

/// The pattern of a whole number, compiled on first use, because a run meets numbers of few
/// countries.
#[derive(Debug)]
pub(super) struct NumberPattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl NumberPattern {
    /// A pattern from `text`. A faulty one matches nothing.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// Compiles the pattern now. The error says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let compiled = self.build().map_err(|e| format!("pattern: {e}"))?;
        if compiled.is_match(b"") {
            return Err("pattern: it also matches nothing at all".to_owned());
        }
        let _ = self.compiled.set(Some(compiled));
        Ok(())
    }

    /// Whether `value` matches.
    pub fn is_match(&self, value: &[u8]) -> bool {
        let compiled = self.compiled.get_or_init(|| self.build().ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(value))
    }

    fn build(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&format!("^(?:{})$", self.text))
            .unicode(false)
            .case_insensitive(true)
            .size_limit(MAX_PATTERN)
            .build()
    }
}
