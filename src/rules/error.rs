//! Errors in rules, with file, line and reason.

use super::samples::SampleFailure;
use std::path::PathBuf;

/// Why rules were refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It could not be read.
    #[error("{path}: {source}; check the path, and that you may read it", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a valid rule file.
    #[error("{file}:{line}: {reason}")]
    Faulty {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong, and how to correct it.
        reason: String,
    },
    /// Samples fail.
    #[error("{}", failures_text(.0))]
    Samples(Vec<SampleFailure>),
    /// There are no rules for a requested country.
    #[error("--regions: there are no identifiers of {region:?}{hint}; there are {known}")]
    Region {
        /// The country.
        region: String,
        /// What was probably meant.
        hint: &'static str,
        /// The countries with rules.
        known: String,
    },
}

impl LoadError {
    /// The same error at the line of the key that the reason begins with, if the entry has it.
    pub(in crate::rules) fn at_key(self, texts: &[(String, String)]) -> Self {
        let Self::Faulty { file, line, reason } = self else { return self };
        let word = reason.split(|c: char| c != '_' && !c.is_alphanumeric()).next().unwrap_or("");
        let is_key = |text: &str| {
            let key = text.split('=').next().unwrap_or("").trim();
            text.contains('=') && (key == word || key.strip_suffix('s') == Some(word))
        };
        let text = texts.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
        let own = text.lines().skip(line).take_while(|text| !text.trim_start().starts_with('['));
        let below = own.enumerate().find(|(_, text)| is_key(text)).map_or(0, |(n, _)| n + 1);
        Self::Faulty { file, line: line + below, reason }
    }
}

/// One line per sample: the position of its rule, and the failure.
fn failures_text(failures: &[SampleFailure]) -> String {
    let lines = failures.iter().map(|SampleFailure { rule, source, sample, expected }| {
        let (file, line) = source;
        let (key, wrong) =
            if *expected { ("match", "is not taken") } else { ("no_match", "is taken") };
        format!("{file}:{line}: {key} of {rule:?}: {sample:?} {wrong}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
