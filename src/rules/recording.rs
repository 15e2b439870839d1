//! `[[recording]]`: fields that identify a patient in recordings of signals (electrocardiograms,
//! electroencephalograms) and in volumes.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::flat::Part;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Kind};
use crate::syntax::recording;
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// `scp-ecg`, `mfer`, `edf`, `ishne`, `nifti`, `intellivue`.
        format: String,
        /// Field in the notation of the format: `1-0` (section and tag), `81` (tag), `patient
        /// name`.
        field: String,
        kind: Kind,
        #[serde(default)]
        part: Part,
        confidence: Option<f32>,
    }
}

/// A field with the part of the value it holds.
#[derive(Debug)]
pub struct RecordingField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// The part it holds.
    pub part: Part,
}

/// Fields by format and name.
#[derive(Debug, Default)]
pub struct RecordingRules {
    fields: HashMap<(String, String), RecordingField, foldhash::fast::FixedState>,
}

impl RecordingRules {
    /// The meaning of a field.
    pub fn field(&self, format: &str, field: &str) -> Option<&RecordingField> {
        self.fields.get(&(format.to_owned(), field.to_owned()))
    }
}

/// `[[recording]]`.
pub(in crate::rules) struct Recordings;

impl Section for Recordings {
    const NAME: &'static str = "recording";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        format!("{} {}", entry.format, entry.field)
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let subject = Self::subject(entry);
        if !recording::FIELDS.contains(&(&entry.format, &entry.field)) {
            return to.fault(format!("there is no field {subject:?}"));
        }
        to.claim(subject.clone())?;
        let rule = to.field(&entry.common, entry.kind, &subject, entry.confidence)?;
        let field = RecordingField { rule, part: entry.part };
        to.rules.recordings.fields.insert((entry.format.clone(), entry.field.clone()), field);
        Ok(())
    }
    /// A sample is a value. Dates are written as YYYYMMDD, sexes as in the format.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let document = recording::sample(&entry.format, &entry.field, sample)?;
        let content_type = match entry.format.as_str() {
            "intellivue" => "application/x-intellivue-data-export",
            _ => "application/octet-stream",
        };
        Some(with.takes(&entry.common.id, content_type, &document))
    }
}
