//! State shared by sections while entries are compiled: the position of the current entry, and
//! lookup tables.

use super::entry::{Common, Source};
use super::error::LoadError;
use super::{FieldRule, Kind, RuleSet};
use std::collections::HashMap;
use std::sync::Arc;

/// The rules so far, and the current entry.
pub(in crate::rules) struct Compiler<'a> {
    /// The rules being built.
    pub rules: &'a mut RuleSet,
    /// File and line of the entry.
    pub source: &'a Source,
    pub(in crate::rules) section: &'static str,
    pub(in crate::rules) id: &'a str,
    pub(in crate::rules) claimed: &'a mut ClaimedSubjects,
}

impl Compiler<'_> {
    /// Returns a fault in the current entry.
    pub fn fault<T>(&self, reason: impl Into<String>) -> Result<T, LoadError> {
        Err(faulty(self.source, reason))
    }

    /// Claims a subject (a tag, a field, a key name) for the entry within its section. Two entries
    /// for one subject are refused, because only one of them could apply.
    pub fn claim(&mut self, subject: String) -> Result<(), LoadError> {
        let owner = self.claimed.0.entry((self.section, subject));
        let subject = owner.key().1.clone();
        let (other, (file, line)) =
            owner.or_insert_with(|| (self.id.to_owned(), self.source.clone()));
        if *other == self.id {
            return Ok(());
        }
        let reason = format!(
            "{subject:?} is already taken by {other:?} ({file}:{line}); to override that entry give \
             this one the same id"
        );
        self.fault(reason)
    }

    /// The field rule of an entry.
    pub fn field(
        &self,
        common: &Common,
        kind: Kind,
        field: &str,
        confidence: Option<f32>,
    ) -> Result<Arc<FieldRule>, LoadError> {
        let confidence = confidence.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&confidence) {
            return self.fault(format!("confidence {confidence}: write a number from 0 to 1"));
        }
        Ok(Arc::new(FieldRule {
            id: common.id.as_str().into(),
            title: common.title.clone(),
            reference: common.reference.clone(),
            kind,
            field: field.into(),
            confidence,
        }))
    }
}

/// The entry that claimed each subject of each section.
#[derive(Default)]
pub(in crate::rules) struct ClaimedSubjects(HashMap<(&'static str, String), (String, Source)>);

/// A fault in an entry.
pub(in crate::rules) fn faulty(source: &Source, reason: impl Into<String>) -> LoadError {
    LoadError::Faulty { file: source.0.clone(), line: source.1, reason: reason.into() }
}
