//! `[[dicom]]`: DICOM attributes that identify a patient (PS3.15 table E.1-1); `[[dicom_text]]`:
//! those whose free text may.

use super::load::{Compiled, LoadError, RuleInfo, Taken, faulty, field_rule, info, section_entry};
use super::{FieldRule, Kind};
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// `(gggg,eeee)` in hexadecimal.
        tag: String,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// An attribute whose text is searched by the recognisers.
    pub(in crate::rules) struct TextEntry {
        /// `(gggg,eeee)` in hexadecimal, or `private` for the text of all private attributes.
        tag: String,
    }
}

/// Attributes by tag.
#[derive(Debug, Default)]
pub struct DicomRules {
    by_tag: HashMap<u32, Arc<FieldRule>, foldhash::fast::FixedState>,
    last: u32,
    texts: HashMap<u32, Arc<str>, foldhash::fast::FixedState>,
    private_texts: Option<Arc<str>>,
}

impl DicomRules {
    /// As what the text of a tag is to be searched, if at all.
    pub fn text(&self, tag: u32) -> Option<&Arc<str>> {
        // Odd groups are private; their elements 0010 to 00FF name who reserved them (PS3.5 7.8).
        if tag >> 16 & 1 == 1 {
            return self.private_texts.as_ref().filter(|_| tag & 0xFFFF > 0xFF);
        }
        self.texts.get(&tag)
    }
    /// The rule for a tag, group in the upper 16 bits.
    pub fn get(&self, tag: u32) -> Option<&Arc<FieldRule>> {
        self.by_tag.get(&tag)
    }
    /// The highest tag with a rule: no need to read on behind it at the top level.
    pub const fn last_tag(&self) -> u32 {
        self.last
    }
}

pub(in crate::rules) fn compile(
    section: Compiled<Entry>,
    texts: Compiled<TextEntry>,
    list: &mut Vec<RuleInfo>,
) -> Result<DicomRules, LoadError> {
    let mut rules = DicomRules::default();
    let mut taken = Taken::default();
    for (_, (entry, source)) in section {
        let tag = parse_tag(&entry.tag).ok_or_else(|| {
            faulty(&source, format!("tag {:?}: write (gggg,eeee) in hexadecimal", entry.tag))
        })?;
        list.push(info("dicom", &entry.common, Some(entry.kind), entry.tag.clone(), &source));
        taken.take(
            format!("({:04X},{:04X})", tag >> 16, tag & 0xFFFF),
            &entry.common.id,
            &source,
        )?;
        rules.last = rules.last.max(tag);
        let rule = field_rule(&entry.common, entry.kind, &entry.tag, entry.confidence, &source)?;
        rules.by_tag.insert(tag, rule);
    }
    for (_, (entry, source)) in texts {
        list.push(info("dicom_text", &entry.common, None, entry.tag.clone(), &source));
        if entry.tag == "private" {
            rules.private_texts = Some(entry.tag.as_str().into());
            continue;
        }
        let tag = parse_tag(&entry.tag).ok_or_else(|| {
            faulty(&source, format!("tag {:?}: write (gggg,eeee) or private", entry.tag))
        })?;
        rules.last = rules.last.max(tag);
        rules.texts.insert(tag, entry.tag.as_str().into());
    }
    Ok(rules)
}

fn parse_tag(text: &str) -> Option<u32> {
    let (group, element) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    if group.len() != 4 || element.len() != 4 {
        return None;
    }
    let group = u32::from(u16::from_str_radix(group, 16).ok()?);
    let element = u32::from(u16::from_str_radix(element, 16).ok()?);
    Some(group << 16 | element)
}
