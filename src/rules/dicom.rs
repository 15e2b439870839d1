//! `[[dicom]]`: DICOM attributes that identify a patient (PS3.15 table E.1-1).

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

/// Attributes by tag.
#[derive(Debug, Default)]
pub struct DicomRules {
    by_tag: HashMap<u32, Arc<FieldRule>, foldhash::fast::FixedState>,
    last: u32,
}

impl DicomRules {
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
