//! How a number is written.

use regex::bytes::{Regex, RegexBuilder};
use std::sync::OnceLock;

/// Largest compiled pattern, bytes.
const MAX_PATTERN: usize = 256 << 10;

/// The pattern of a whole number, compiled when it is first needed: a run meets the numbers of few countries.
#[derive(Debug)]
pub(super) struct NumberPattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl NumberPattern {
    /// The pattern `text`, which may be faulty: then it matches nothing.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// Compiles it now; the error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let compiled = self.build().map_err(|e| format!("pattern: {e}"))?;
        if compiled.is_match(b"") {
            return Err("pattern: it also matches nothing at all".to_owned());
        }
        let _ = self.compiled.set(Some(compiled));
        Ok(())
    }

    /// Whether `value` is written so.
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
