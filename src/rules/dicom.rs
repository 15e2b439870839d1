//! `[[dicom]]`: DICOM attributes that identify a patient (PS3.15 table E.1-1). `[[dicom_text]]`:
//! attributes whose free text may do so. `[[dicom_health]]`: attributes about a person's health.
//! `[[dicom_private]]`: private attributes of known manufacturers. `[[dicom_concept]]`: what
//! content items of structured reports say about their subject.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::health::Health;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Kind, fold};
use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom_core::header::Tag;
use dicom_dictionary_std::StandardDataDictionary;
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
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
    /// An attribute about a person's health.
    pub(in crate::rules) struct HealthEntry {
        /// `(gggg,eeee)` in hexadecimal.
        tag: String,
        shows: Health,
    }
}

section_entry! {
    /// A private attribute of a known manufacturer.
    pub(in crate::rules) struct PrivateEntry {
        /// Private creator, which reserves the block (PS3.5 7.8.1).
        creator: String,
        /// `(gggg,xxee)` in hexadecimal; the writer chooses the block `xx`.
        tag: String,
        kind: Kind,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// A concept whose content items describe the patient.
    pub(in crate::rules) struct ConceptEntry {
        /// Code value, if there is one.
        #[serde(default)]
        code: String,
        /// Coding scheme of the code.
        #[serde(default)]
        scheme: String,
        /// Code meanings, compared after folding, for local codes.
        #[serde(default)]
        meanings: Vec<String>,
        kind: Kind,
        confidence: Option<f32>,
    }
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
    /// The kind of text search that applies to a tag, if any.
    pub fn text(&self, tag: u32) -> Option<&Arc<str>> {
        // Odd groups are private; their elements 0010 to 00FF hold private creators (PS3.5 7.8).
        if tag >> 16 & 1 == 1 {
            return self.private_texts.as_ref().filter(|_| tag & 0xFFFF > 0xFF);
        }
        self.texts.get(&repeating(tag))
    }
    /// The id of the rule for text in private attributes.
    pub fn private_text_rule(&self) -> Option<&Arc<str>> {
        self.private_text_rule.as_ref()
    }
    /// The rule for a tag, group in the upper 16 bits.
    pub fn get(&self, tag: u32) -> Option<&Arc<FieldRule>> {
        self.by_tag.get(&repeating(tag))
    }
    /// The highest tag with a rule. Top-level elements after it need not be read.
    pub const fn last_tag(&self) -> u32 {
        self.last
    }
    /// What an attribute shows about a person's health.
    pub fn health(&self, tag: u32) -> Option<Health> {
        self.health.get(&tag).copied()
    }
    /// The number of a known private creator.
    pub fn creator(&self, name: &str) -> Option<u16> {
        let at = self.creators.iter().position(|c| c.eq_ignore_ascii_case(name))?;
        u16::try_from(at).ok()
    }
    /// The rule for a private attribute in a block of this creator.
    pub fn private(&self, creator: u16, tag: u32) -> Option<&Arc<FieldRule>> {
        self.private.get(&(creator, (tag >> 16) as u16, tag as u8))
    }
    /// The rule for a content item: by the code of its concept, or else by the code's meaning.
    pub fn concept(&self, scheme: &str, code: &str, meaning: &str) -> Option<&Arc<FieldRule>> {
        let by_code = self.codes.get(&(scheme.into(), code.into()));
        by_code.or_else(|| self.meanings.get(fold(meaning).as_str()))
    }
}

/// Maps repeating groups (curves 5000 to 501E, overlays 6000 to 601E; PS3.5 7.6) to the first one.
const fn repeating(tag: u32) -> u32 {
    match tag >> 24 {
        0x50 | 0x60 if tag >> 16 & 0xFF < 0x20 => tag & 0xFF00_FFFF,
        _ => tag,
    }
}

/// `[[dicom]]`.
pub(in crate::rules) struct Attributes;

impl Section for Attributes {
    const NAME: &'static str = "dicom";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.tag.clone()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let tag = tag_of(&entry.tag, "write (gggg,eeee) in hexadecimal", to)?;
        to.claim(format!("({:04X},{:04X})", tag >> 16, tag & 0xFFFF))?;
        let rule = to.field(&entry.common, entry.kind, &entry.tag, entry.confidence)?;
        to.rules.dicom.last = to.rules.dicom.last.max(tag);
        to.rules.dicom.by_tag.insert(tag, rule);
        Ok(())
    }
    /// A sample is a value; for a sequence, it is the patient ID in an item.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let tag = parse_tag(&entry.tag)?;
        let known = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16));
        let file = match known.is_some_and(|entry| entry.vr().relaxed() == VR::SQ) {
            true => Part10::implicit().sequence(tag, &Part10::item().text(0x0010_0020, sample)),
            false => Part10::implicit().text(tag, sample),
        };
        let taken = with.reader.read(with.rules, MEDIA_TYPE, &file.finish());
        Some(taken.iter().any(|t| t.rule == entry.common.id || t.field == entry.tag))
    }
}

/// `[[dicom_text]]`.
pub(in crate::rules) struct Texts;

impl Section for Texts {
    const NAME: &'static str = "dicom_text";
    type Entry = TextEntry;

    fn subject(entry: &TextEntry) -> String {
        entry.tag.clone()
    }
    fn compile(entry: &TextEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        if entry.tag == PRIVATE {
            to.rules.dicom.private_texts = Some(entry.tag.as_str().into());
            to.rules.dicom.private_text_rule = Some(entry.common.id.as_str().into());
            return Ok(());
        }
        let tag = tag_of(&entry.tag, "write (gggg,eeee) or private", to)?;
        to.rules.dicom.last = to.rules.dicom.last.max(tag);
        to.rules.dicom.texts.insert(tag, entry.tag.as_str().into());
        Ok(())
    }
    /// A sample is a tag.
    fn takes(entry: &TextEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let text = with.rules.dicom.text(parse_tag(sample)?);
        Some(text.is_some_and(|text| **text == *entry.tag))
    }
}

/// `[[dicom_health]]`.
pub(in crate::rules) struct HealthAttributes;

impl Section for HealthAttributes {
    const NAME: &'static str = "dicom_health";
    type Entry = HealthEntry;

    fn subject(entry: &HealthEntry) -> String {
        entry.tag.clone()
    }
    fn compile(entry: &HealthEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let tag = tag_of(&entry.tag, "write (gggg,eeee) in hexadecimal", to)?;
        to.rules.dicom.health.insert(tag, entry.shows);
        Ok(())
    }
    /// A sample is a tag.
    fn takes(entry: &HealthEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let tag = parse_tag(sample)?;
        Some(
            Some(tag) == parse_tag(&entry.tag) && with.rules.dicom.health(tag) == Some(entry.shows),
        )
    }
}

/// `[[dicom_private]]`.
pub(in crate::rules) struct PrivateAttributes;

impl Section for PrivateAttributes {
    const NAME: &'static str = "dicom_private";
    type Entry = PrivateEntry;

    fn kind(entry: &PrivateEntry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &PrivateEntry) -> String {
        format!("{} of {}", entry.tag, entry.creator.trim())
    }
    fn compile(entry: &PrivateEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let creator = entry.creator.trim();
        let Some((tag, true)) = parse_private(&entry.tag).map(|t| (t, !creator.is_empty())) else {
            let reason = format!("tag {:?}: write a creator and (gggg,xxee), gggg odd", entry.tag);
            return to.fault(reason);
        };
        let subject = Self::subject(entry);
        to.claim(subject.to_lowercase())?;
        let rule = to.field(&entry.common, entry.kind, &subject, entry.confidence)?;
        let rules = &mut *to.rules.dicom;
        if rules.creator(creator).is_none() {
            rules.creators.push(creator.into());
        }
        let number = rules.creator(creator).unwrap_or_default();
        rules.private.insert((number, tag.0, tag.1), rule);
        Ok(())
    }
    /// A sample is a value.
    fn takes(entry: &PrivateEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (group, element) = parse_private(&entry.tag)?;
        let block = u32::from(group) << 16;
        let file = Part10::explicit()
            .text(block | 0x10, entry.creator.trim())
            .text(block | 0x1000 | u32::from(element), sample)
            .finish();
        Some(with.takes(&entry.common.id, MEDIA_TYPE, &file))
    }
}

/// `[[dicom_concept]]`.
pub(in crate::rules) struct Concepts;

impl Section for Concepts {
    const NAME: &'static str = "dicom_concept";
    type Entry = ConceptEntry;

    fn kind(entry: &ConceptEntry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &ConceptEntry) -> String {
        let subject = format!("(0040,A730) {} {}", entry.scheme, entry.code);
        subject.trim_end().to_owned()
    }
    fn compile(entry: &ConceptEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        if entry.code.is_empty() && entry.meanings.is_empty() {
            return to.fault("write a code with its scheme, or meanings");
        }
        let subject = Self::subject(entry);
        let rule = to.field(&entry.common, entry.kind, &subject, entry.confidence)?;
        if !entry.code.is_empty() {
            to.claim(subject)?;
            let concept = (entry.scheme.as_str().into(), entry.code.as_str().into());
            to.rules.dicom.codes.insert(concept, Arc::clone(&rule));
        }
        for meaning in &entry.meanings {
            to.rules.dicom.meanings.insert(fold(meaning).into(), Arc::clone(&rule));
        }
        Ok(())
    }
    /// A sample is the value of a content item (PS3.3 C.17.3).
    fn takes(entry: &ConceptEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let meaning = entry.meanings.first().map_or("concept", String::as_str);
        let (scheme, code) = match entry.code.is_empty() {
            true => ("99SITE", "1"),
            false => (entry.scheme.as_str(), entry.code.as_str()),
        };
        let concept = Part10::item()
            .text(0x0008_0100, code)
            .text(0x0008_0102, scheme)
            .text(0x0008_0104, meaning);
        let (value_type, tag) = match entry.kind {
            Kind::Name => ("PNAME", 0x0040_A123),
            Kind::BirthDate => ("DATE", 0x0040_A121),
            _ => ("TEXT", 0x0040_A160),
        };
        let item = Part10::item()
            .text(0x0040_A010, "HAS OBS CONTEXT")
            .text(0x0040_A040, value_type)
            .sequence(0x0040_A043, &concept)
            .text(tag, sample);
        let file = Part10::implicit().sequence(0x0040_A730, &item).finish();
        Some(with.takes(&entry.common.id, MEDIA_TYPE, &file))
    }
}

/// Represents all private attributes.
const PRIVATE: &str = "private";

/// Media type of Part 10 files (PS3.18 8.7.3).
const MEDIA_TYPE: &str = "application/dicom";

/// Builds a Part 10 file (PS3.10 7.1) with a sample, or one item of a sequence in it.
struct Part10 {
    explicit: bool,
    bytes: Vec<u8>,
}

impl Part10 {
    fn implicit() -> Self {
        Self::file("1.2.840.10008.1.2", false)
    }
    fn explicit() -> Self {
        Self::file("1.2.840.10008.1.2.1", true)
    }
    fn item() -> Self {
        Self { explicit: false, bytes: Vec::new() }
    }
    /// Preamble, file meta information and the start of a UTF-8 data set.
    fn file(syntax: &str, explicit: bool) -> Self {
        let mut meta = Self { explicit: true, bytes: Vec::new() };
        meta.element(0x0002_0010, *b"UI", padded(syntax, 0));
        let mut file = Self { explicit: true, bytes: vec![0; 128] };
        file.bytes.extend(b"DICM");
        let length = u32::try_from(meta.bytes.len()).unwrap_or_default();
        file.element(0x0002_0000, *b"UL", length.to_le_bytes().to_vec());
        file.bytes.extend(meta.bytes);
        file.explicit = explicit;
        file.element(0x0008_0005, *b"CS", padded("ISO_IR 192", b' '));
        file
    }
    fn text(mut self, tag: u32, value: &str) -> Self {
        self.element(tag, *b"LO", padded(value, b' '));
        self
    }
    fn sequence(mut self, tag: u32, item: &Self) -> Self {
        let mut value = vec![0xFE, 0xFF, 0x00, 0xE0];
        value.extend(u32::try_from(item.bytes.len()).unwrap_or_default().to_le_bytes());
        value.extend(&item.bytes);
        self.element(tag, *b"SQ", value);
        self
    }
    /// Keeps elements in the order of their tags.
    fn element(&mut self, tag: u32, vr: [u8; 2], value: Vec<u8>) {
        self.bytes.extend(((tag >> 16) as u16).to_le_bytes());
        self.bytes.extend((tag as u16).to_le_bytes());
        let length = u32::try_from(value.len()).unwrap_or_default();
        if self.explicit {
            self.bytes.extend(vr);
            self.bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        } else {
            self.bytes.extend(length.to_le_bytes());
        }
        self.bytes.extend(value);
    }
    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A value padded to even length (PS3.5 7.1.1).
fn padded(value: &str, padding: u8) -> Vec<u8> {
    let mut bytes = value.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(padding);
    }
    bytes
}

fn tag_of(text: &str, remedy: &str, to: &Compiler<'_>) -> Result<u32, LoadError> {
    match parse_tag(text) {
        Some(tag) => Ok(tag),
        None => to.fault(format!("tag {text:?}: {remedy}")),
    }
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
