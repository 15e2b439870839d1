//! `[[dicom]]`: DICOM attributes that identify a patient (PS3.15 table E.1-1); `[[dicom_text]]`:
//! those whose free text may; `[[dicom_health]]`: those that tell of somebody's health;
//! `[[dicom_private]]`: private attributes of known makers; `[[dicom_concept]]`: what content items
//! of structured reports say of their subject.

use super::health::Health;
use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, Source, faulty, field_rule, info, section_entry,
};
use super::{FieldRule, Kind, fold};
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

section_entry! {
    /// An attribute that tells of somebody's health.
    pub(in crate::rules) struct HealthEntry {
        /// `(gggg,eeee)` in hexadecimal.
        tag: String,
        tells: Health,
    }
}

section_entry! {
    /// A private attribute of a known maker.
    pub(in crate::rules) struct PrivateEntry {
        /// Who reserved the block (PS3.5 7.8.1).
        creator: String,
        /// `(gggg,xxee)` in hexadecimal: the block is chosen by the writer.
        tag: String,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// A concept whose content item says something of the patient.
    pub(in crate::rules) struct ConceptEntry {
        /// Code value, if it has one.
        #[serde(default)]
        code: String,
        /// Coding scheme of the code.
        #[serde(default)]
        scheme: String,
        /// Code meanings, compared after folding: for codes that sites make up.
        #[serde(default)]
        meanings: Vec<String>,
        kind: Kind,
        confidence: Option<f32>,
    }
}

/// The sections that [`compile`] takes.
pub(in crate::rules) struct Sections {
    pub attributes: Compiled<Entry>,
    pub texts: Compiled<TextEntry>,
    pub health: Compiled<HealthEntry>,
    pub private: Compiled<PrivateEntry>,
    pub concepts: Compiled<ConceptEntry>,
}

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Attributes by tag.
#[derive(Debug, Default)]
pub struct DicomRules {
    by_tag: Map<u32, Arc<FieldRule>>,
    last: u32,
    texts: Map<u32, Arc<str>>,
    private_texts: Option<Arc<str>>,
    private_text_rule: Option<Arc<str>>,
    health: Map<u32, Health>,
    creators: Vec<Box<str>>,
    /// By creator, group and the lower byte of the element.
    private: Map<(u16, u16, u8), Arc<FieldRule>>,
    /// By coding scheme and code value.
    codes: Map<(Box<str>, Box<str>), Arc<FieldRule>>,
    meanings: Map<Box<str>, Arc<FieldRule>>,
}

impl DicomRules {
    /// As what the text of a tag is to be searched, if at all.
    pub fn text(&self, tag: u32) -> Option<&Arc<str>> {
        // Odd groups are private; their elements 0010 to 00FF name who reserved them (PS3.5 7.8).
        if tag >> 16 & 1 == 1 {
            return self.private_texts.as_ref().filter(|_| tag & 0xFFFF > 0xFF);
        }
        self.texts.get(&repeating(tag))
    }
    /// The id of the rule about texts of private attributes.
    pub fn private_text_rule(&self) -> Option<&Arc<str>> {
        self.private_text_rule.as_ref()
    }
    /// The rule for a tag, group in the upper 16 bits.
    pub fn get(&self, tag: u32) -> Option<&Arc<FieldRule>> {
        self.by_tag.get(&repeating(tag))
    }
    /// The highest tag with a rule: no need to read on behind it at the top level.
    pub const fn last_tag(&self) -> u32 {
        self.last
    }
    /// What an attribute tells of somebody's health.
    pub fn health(&self, tag: u32) -> Option<Health> {
        self.health.get(&tag).copied()
    }
    /// The number of a creator whose private attributes are known.
    pub fn creator(&self, name: &str) -> Option<u16> {
        let at = self.creators.iter().position(|c| c.eq_ignore_ascii_case(name))?;
        u16::try_from(at).ok()
    }
    /// The rule for a private attribute: in the block of a creator, whatever block that is.
    pub fn private(&self, creator: u16, tag: u32) -> Option<&Arc<FieldRule>> {
        self.private.get(&(creator, (tag >> 16) as u16, tag as u8))
    }
    /// The rule for a content item: by the code of its concept, else by the code's meaning.
    pub fn concept(&self, scheme: &str, code: &str, meaning: &str) -> Option<&Arc<FieldRule>> {
        let by_code = self.codes.get(&(scheme.into(), code.into()));
        by_code.or_else(|| self.meanings.get(fold(meaning).as_str()))
    }
}

/// Curves and overlays are groups that repeat, 5000 to 501E and 6000 to 601E (PS3.5 7.6): the first
/// stands for all.
const fn repeating(tag: u32) -> u32 {
    match tag >> 24 {
        0x50 | 0x60 if tag >> 16 & 0xFF < 0x20 => tag & 0xFF00_FFFF,
        _ => tag,
    }
}

pub(in crate::rules) fn compile(
    sections: Sections,
    list: &mut Vec<RuleInfo>,
) -> Result<DicomRules, LoadError> {
    let mut rules = DicomRules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in sections.attributes {
        let tag = tag_of(&entry.tag, "write (gggg,eeee) in hexadecimal", &source)?;
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
    for (_, (entry, source)) in sections.texts {
        list.push(info("dicom_text", &entry.common, None, entry.tag.clone(), &source));
        if entry.tag == "private" {
            rules.private_texts = Some(entry.tag.as_str().into());
            rules.private_text_rule = Some(entry.common.id.into());
            continue;
        }
        let tag = tag_of(&entry.tag, "write (gggg,eeee) or private", &source)?;
        rules.last = rules.last.max(tag);
        rules.texts.insert(tag, entry.tag.as_str().into());
    }
    for (_, (entry, source)) in sections.health {
        let tag = tag_of(&entry.tag, "write (gggg,eeee) in hexadecimal", &source)?;
        list.push(info("dicom_health", &entry.common, None, entry.tag.clone(), &source));
        rules.health.insert(tag, entry.tells);
    }
    for (_, (entry, source)) in sections.private {
        let creator = entry.creator.trim();
        let Some((tag, true)) = parse_private(&entry.tag).map(|t| (t, !creator.is_empty())) else {
            let reason = format!("tag {:?}: write a creator and (gggg,xxee), gggg odd", entry.tag);
            return Err(faulty(&source, reason));
        };
        let subject = format!("{} of {creator}", entry.tag);
        list.push(info("dicom_private", &entry.common, Some(entry.kind), subject.clone(), &source));
        taken.take(subject.to_lowercase(), &entry.common.id, &source)?;
        if rules.creator(creator).is_none() {
            rules.creators.push(creator.into());
        }
        let number = rules.creator(creator).unwrap_or_default();
        let rule = field_rule(&entry.common, entry.kind, &subject, entry.confidence, &source)?;
        rules.private.insert((number, tag.0, tag.1), rule);
    }
    for (_, (entry, source)) in sections.concepts {
        if entry.code.is_empty() && entry.meanings.is_empty() {
            return Err(faulty(&source, "write a code with its scheme, or meanings"));
        }
        let subject = format!("(0040,A730) {} {}", entry.scheme, entry.code);
        let subject = subject.trim_end();
        list.push(info(
            "dicom_concept",
            &entry.common,
            Some(entry.kind),
            subject.to_owned(),
            &source,
        ));
        let rule = field_rule(&entry.common, entry.kind, subject, entry.confidence, &source)?;
        if !entry.code.is_empty() {
            taken.take(subject.to_owned(), &entry.common.id, &source)?;
            rules.codes.insert((entry.scheme.into(), entry.code.into()), Arc::clone(&rule));
        }
        for meaning in &entry.meanings {
            rules.meanings.insert(fold(meaning).into(), Arc::clone(&rule));
        }
    }
    Ok(rules)
}

fn tag_of(text: &str, remedy: &str, source: &Source) -> Result<u32, LoadError> {
    parse_tag(text).ok_or_else(|| faulty(source, format!("tag {text:?}: {remedy}")))
}

fn parse_tag(text: &str) -> Option<u32> {
    let (group, element) = halves(text)?;
    let group = match group.strip_suffix("xx") {
        Some("50") => 0x5000,
        Some("60") => 0x6000,
        _ => hex(group)?,
    };
    Some(u32::from(group) << 16 | u32::from(hex(element)?))
}

/// Group and lower byte of the element.
fn parse_private(text: &str) -> Option<(u16, u8)> {
    let (group, element) = halves(text)?;
    let group = hex(group).filter(|g| g & 1 == 1)?;
    let element =
        element.strip_prefix("xx").filter(|e| e.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((group, u8::from_str_radix(element, 16).ok()?))
}

fn halves(text: &str) -> Option<(&str, &str)> {
    let (group, element) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    (group.len() == 4 && element.len() == 4).then_some((group, element))
}

fn hex(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_hexdigit());
    u16::from_str_radix(text, 16).ok().filter(|_| digits)
}
