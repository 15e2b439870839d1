//! Data sets in models other than the binary one, DICOM JSON (PS3.18 annex F) and native XML (PS3.19 A.1): their
//! readers give the position of a value, and the same [`Record`] takes it.

use super::element::UNDEFINED;
use super::record::{Record, Recording};
use super::syntax::dictionary_vr;
use super::tags::{SOP_INSTANCE_UID, SPECIFIC_CHARACTER_SET, is_structural};
use super::walker::{Element, Interest, Visitor};
use crate::content::Scope;
use crate::rules::{DicomRules, FieldRule};
use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use std::sync::Arc;

/// Whether values of an attribute are used. These models are in UTF-8, whatever character set the data set had
/// (PS3.18 F.2, PS3.19 A.1).
pub fn is_wanted(tag: u32, rules: &DicomRules) -> bool {
    // A description of an instance does not transfer it.
    if matches!(tag, SPECIFIC_CHARACTER_SET | SOP_INSTANCE_UID) {
        return false;
    }
    rules.get(tag).is_some()
        || rules.text(tag).is_some()
        || rules.health(tag).is_some()
        || is_structural(tag)
}

/// The attribute that a search parameter names: by tag, keyword, or as the last one of a path (`00101002.00100020`,
/// PS3.18 8.3.4.1).
pub fn named<'r>(name: &str, rules: &'r DicomRules) -> Option<&'r Arc<FieldRule>> {
    let mut parts = name.rsplit('.').map(tag_of);
    let tag = parts.next()??;
    let sequence = parts.next().flatten().and_then(|sequence| rules.get(sequence));
    sequence.or_else(|| rules.get(tag))
}

fn tag_of(name: &str) -> Option<u32> {
    if name.len() == 8 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return u32::from_str_radix(name, 16).ok();
    }
    // Other keywords are also used outside DICOM (`ResponsiblePerson`, `ContainerIdentifier`).
    if !name.contains("Patient") {
        return None;
    }
    let tag = StandardDataDictionary.by_name(name)?.tag();
    Some(u32::from(tag.0) << 16 | u32::from(tag.1))
}

/// The current data set.
pub struct Model {
    record: Record,
}

impl Model {
    /// Starts one.
    pub fn begin(scope: &mut Scope<'_>) -> Self {
        let mut record = Record::of_text();
        record.begin(scope);
        Self { record }
    }

    /// A sequence begins, with `depth` items around it.
    pub fn sequence(&mut self, tag: u32, depth: usize, around: u32, scope: &mut Scope<'_>) {
        let element = Element { tag, vr: Some(VR::SQ), len: UNDEFINED, depth, sequence: around };
        Recording::new(&mut self.record, scope).element(&element);
    }

    /// The values of an element: several with backslashes between them, names in the notation of
    /// PS3.5 6.2.1.
    pub fn element(
        &mut self,
        (tag, name): (u32, bool),
        depth: usize,
        around: u32,
        text: &str,
        scope: &mut Scope<'_>,
    ) {
        let vr = if name { Some(VR::PN) } else { dictionary_vr(tag).or(Some(VR::LO)) };
        let len = u32::try_from(text.len()).unwrap_or(UNDEFINED - 1);
        let element = Element { tag, vr, len, depth, sequence: around };
        let mut recording = Recording::new(&mut self.record, scope);
        if let Interest::Keep(most) = recording.element(&element) {
            let mut end = text.len().min(most);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            recording.value(&element, text.get(..end).unwrap_or_default().as_bytes());
        }
    }

    /// Items have ended; `depth` enclosing ones are left.
    pub fn leave(&mut self, depth: usize, scope: &mut Scope<'_>) {
        Recording::new(&mut self.record, scope).item_end(depth);
    }

    /// The end.
    pub fn end(mut self, scope: &mut Scope<'_>) {
        self.record.finish(scope);
    }
}
