//! `[[edifact]]`: elements of EDIFACT segments that identify a patient. `[[edifact_party]]`:
//! segments that name a person, with the person's role. `[[edifact_about]]`: segments that show
//! what else the message holds.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::flat::{Holder, Part};
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Health, Kind, RuleSet};
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// `PNA-2.1`: segment, element, component. `PNA-6+.2`: this element and all after it.
        /// `PID-1.*`: all components of the element.
        field: String,
        kind: Kind,
        #[serde(default)]
        part: Part,
        /// Only if the segment's first component is one of these.
        #[serde(default)]
        qualifier: Vec<String>,
        /// Only if the component before it is one of these.
        #[serde(default)]
        behind: Vec<String>,
        /// Only if the component after it is one of these.
        #[serde(default)]
        before: Vec<String>,
        /// Only if the element's fourth component, the code list, is one of these.
        #[serde(default)]
        list: Vec<String>,
        /// Only values with this prefix, which is removed.
        #[serde(default)]
        prefix: String,
        /// Only in messages of these types.
        #[serde(default)]
        message: Vec<String>,
        /// Applies to the person named last, whoever that is.
        #[serde(default)]
        anybody: bool,
        /// Only if these elements of the segment are empty.
        #[serde(default)]
        without: Vec<usize>,
        /// Only if these elements of the segment are not empty.
        #[serde(default)]
        with: Vec<usize>,
        /// Only values without digits.
        #[serde(default)]
        letters: bool,
        /// Only values of digits.
        #[serde(default)]
        digits: bool,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// A segment that names a person.
    pub(in crate::rules) struct Party {
        segment: String,
        /// Only if its first component is one of these.
        #[serde(default)]
        qualifier: Vec<String>,
        /// Only in messages of these types.
        #[serde(default)]
        message: Vec<String>,
        of: Holder,
    }
}

section_entry! {
    /// Segments that show what else the record holds.
    pub(in crate::rules) struct AboutEntry {
        segments: Vec<String>,
        shows: Health,
    }
}

/// In `before`: any component that no other entry names there.
const ANY: &str = "*";

/// An identifying element with its conditions.
#[derive(Debug)]
pub struct EdifactField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// The part of the value it holds.
    pub part: Part,
    /// Element, from 1.
    pub element: usize,
    /// Also applies to the elements after it.
    pub onwards: bool,
    /// Component, from 1; 0 for all of them.
    pub component: usize,
    /// Applies to the person named last, whoever that is.
    pub anybody: bool,
    /// Elements of the segment that must be empty.
    pub without: Vec<usize>,
    /// Elements of the segment that must not be empty.
    pub with: Vec<usize>,
    /// Its value must not contain digits.
    pub letters: bool,
    /// Its value must consist of digits.
    digits: bool,
    qualifier: Vec<String>,
    behind: Vec<String>,
    before: Vec<String>,
    list: Vec<String>,
    prefix: String,
    message: Vec<String>,
}

impl EdifactField {
    /// Whether it applies to a segment with this first component in this type of message.
    pub fn applies(&self, qualifier: &str, message: &str) -> bool {
        allows(&self.qualifier, qualifier) && allows(&self.message, message)
    }
    /// Whether it applies between these components. `*` is any component that no other entry of the
    /// `segment` names.
    pub fn stands_between(&self, before: &str, behind: &str, segment: &[Self]) -> bool {
        let other = || {
            self.before.iter().any(|b| b == ANY)
                && !segment.iter().any(|field| {
                    (field.element, field.component) == (self.element, self.component)
                        && field.before.iter().any(|b| b == behind)
                })
        };
        allows(&self.behind, before) && (allows(&self.before, behind) || other())
    }
    /// Whether it applies to this code list.
    pub fn is_of_list(&self, list: &str) -> bool {
        self.list.iter().any(|l| l == list)
    }
    /// Whether it is limited to certain code lists.
    pub const fn has_list(&self) -> bool {
        !self.list.is_empty()
    }
    /// The value without the prefix; none if the prefix is missing.
    pub fn value<'v>(&self, value: &'v str) -> Option<&'v str> {
        let value = value.strip_prefix(self.prefix.as_str())?;
        let letters = !self.letters || !value.contains(char::is_numeric);
        let digits = !self.digits || value.bytes().all(|b| b.is_ascii_digit());
        (letters && digits).then_some(value)
    }
}

fn allows(list: &[String], value: &str) -> bool {
    list.is_empty() || list.iter().any(|v| v == value)
}

/// The role of the person a segment names, and the conditions.
#[derive(Debug)]
struct Named {
    qualifier: Vec<String>,
    message: Vec<String>,
    of: Holder,
}

/// Identifying elements, parties and health data, by segment.
#[derive(Debug, Default)]
pub struct EdifactRules {
    fields: HashMap<String, Vec<EdifactField>, foldhash::fast::FixedState>,
    parties: HashMap<String, Vec<Named>, foldhash::fast::FixedState>,
    about: HashMap<String, Health, foldhash::fast::FixedState>,
}

impl EdifactRules {
    /// The identifying elements of a segment.
    pub fn segment(&self, name: &str) -> &[EdifactField] {
        self.fields.get(name).map_or(&[], Vec::as_slice)
    }
    /// The person a segment names, if any. A segment that can name a patient, but does not here,
    /// names another person.
    pub fn party(&self, segment: &str, qualifier: &str, message: &str) -> Option<Holder> {
        let parties = self.parties.get(segment)?;
        let fits = |p: &&Named| allows(&p.qualifier, qualifier) && allows(&p.message, message);
        Some(parties.iter().find(fits).map_or(Holder::Other, |p| p.of))
    }
    /// What a segment shows about the record.
    pub fn about(&self, segment: &str) -> Option<Health> {
        self.about.get(segment).copied()
    }
}

/// `[[edifact]]`.
pub(in crate::rules) struct Fields;

impl Section for Fields {
    const NAME: &'static str = "edifact";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.field.clone()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let Some((segment, element, onwards, component)) = parse(&entry.field) else {
            return to.fault(format!("field {:?}: write SEG-2.1", entry.field));
        };
        let conditions =
            [&entry.qualifier, &entry.behind, &entry.before, &entry.list, &entry.message];
        let around = (&entry.without, &entry.with, entry.letters, entry.digits);
        to.claim(format!("{} {conditions:?} {} {around:?}", entry.field, entry.prefix))?;
        let field = EdifactField {
            rule: to.field(&entry.common, entry.kind, &entry.field, entry.confidence)?,
            part: entry.part,
            element,
            onwards,
            component,
            anybody: entry.anybody,
            without: entry.without.clone(),
            with: entry.with.clone(),
            letters: entry.letters,
            digits: entry.digits,
            qualifier: entry.qualifier.clone(),
            behind: entry.behind.clone(),
            before: entry.before.clone(),
            list: entry.list.clone(),
            prefix: entry.prefix.clone(),
            message: entry.message.clone(),
        };
        to.rules.edifact.fields.entry(segment.to_owned()).or_default().push(field);
        Ok(())
    }
    fn finish(rules: &mut RuleSet) {
        for fields in rules.edifact.fields.values_mut() {
            fields.sort_by_key(|f| (f.element, f.component));
        }
    }
    /// A sample is a component in wire format.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (segment, element, _, component) = parse(&entry.field)?;
        let first = |list: &[String]| list.first().cloned().unwrap_or_default();
        let mut elements = vec![vec![String::new()]; element];
        *elements.last_mut()? = entry.components(component, sample);
        // The qualifier is in the first element.
        if element > 1 {
            elements.first_mut()?[0] = first(&entry.qualifier);
        }
        let elements: Vec<String> = elements.iter().map(|c| c.join(":")).collect();
        let segment = format!("{segment}+{}", elements.join("+"));
        let interchange = with.rules.edifact.interchange(&first(&entry.message), &segment);
        Some(with.takes(&entry.common.id, "text/plain", interchange.as_bytes()))
    }
}

/// The component that holds the code list of an identifier (C206, C082).
const LIST: usize = 4;

impl Entry {
    /// The components of an element, with a sample in one of them.
    fn components(&self, component: usize, sample: &str) -> Vec<String> {
        let sample = format!("{}{sample}", self.prefix).replace(['?', '+', ':', '\''], " ");
        let Some(at) = Some(component).filter(|component| *component > 0) else {
            // All components of the element form one value.
            return vec![sample];
        };
        let mut components = vec![String::new(); at.max(LIST) + 1];
        components[at - 1] = sample;
        let stands = [(at.checked_sub(2), &self.behind), (Some(at), &self.before)];
        for (place, texts) in stands.into_iter().chain([(Some(LIST - 1), &self.list)]) {
            if let (Some(place), Some(text)) = (place, texts.first()) {
                components[place].clone_from(text);
            }
        }
        components
    }
}

impl EdifactRules {
    /// An interchange of this message type (if it matters), in which `segment` follows one that
    /// names the patient.
    fn interchange(&self, message: &str, segment: &str) -> String {
        let of_patient = |named: &&Named| {
            named.of == Holder::Patient && (message.is_empty() || allows(&named.message, message))
        };
        let mut parties: Vec<(&String, &Named)> = self
            .parties
            .iter()
            .filter_map(|(name, all)| Some((name, all.iter().find(of_patient)?)))
            .filter(|(name, _)| !segment.starts_with(name.as_str()))
            .collect();
        // Any of them works, but always choose the same one.
        parties.sort_unstable_by_key(|(name, named)| (named.message.len(), *name));
        let first = |list: &[String]| list.first().cloned().unwrap_or_default();
        let (party, kind) = parties.first().map_or_else(Default::default, |(name, named)| {
            (format!("{name}+{}'", first(&named.qualifier)), first(&named.message))
        });
        let kind = [message, &kind, "MEDRPT"].into_iter().find(|kind| !kind.is_empty());
        let kind = kind.unwrap_or_default();
        format!("UNB+UNOY:4+S+R+260101:0000+1'UNH+1+{kind}:0:1:XX'{party}{segment}'UNT+3+1'")
    }
}

/// `[[edifact_party]]`.
pub(in crate::rules) struct Parties;

impl Section for Parties {
    const NAME: &'static str = "edifact_party";
    type Entry = Party;

    fn subject(entry: &Party) -> String {
        entry.segment.clone()
    }
    fn compile(entry: &Party, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let segment = checked(&entry.segment, to)?;
        let (qualifier, message) = (entry.qualifier.clone(), entry.message.clone());
        let named = Named { qualifier, message, of: entry.of };
        to.rules.edifact.parties.entry(segment).or_default().push(named);
        Ok(())
    }
    /// A sample is a segment with its qualifier, `PNA+PAT`, optionally with the message type, `NAD
    /// in AUFN`.
    fn takes(entry: &Party, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (segment, message) = sample.split_once(" in ").unwrap_or((sample, ""));
        let (segment, qualifier) = segment.split_once('+').unwrap_or((segment, ""));
        let applies = allows(&entry.qualifier, qualifier) && allows(&entry.message, message);
        let found = with.rules.edifact.party(segment, qualifier, message) == Some(entry.of);
        Some(segment == entry.segment && applies && found)
    }
}

/// `[[edifact_about]]`.
pub(in crate::rules) struct About;

impl Section for About {
    const NAME: &'static str = "edifact_about";
    type Entry = AboutEntry;

    fn subject(entry: &AboutEntry) -> String {
        entry.segments.join(", ")
    }
    fn compile(entry: &AboutEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for segment in &entry.segments {
            to.claim(format!("about {segment}"))?;
            let segment = checked(segment, to)?;
            to.rules.edifact.about.insert(segment, entry.shows);
        }
        Ok(())
    }
    /// A sample is the name of a segment.
    fn takes(entry: &AboutEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = entry.segments.iter().any(|s| s == sample);
        Some(named && with.rules.edifact.about(sample) == Some(entry.shows))
    }
}

fn checked(segment: &str, to: &Compiler<'_>) -> Result<String, LoadError> {
    match segment.len() == 3 && segment.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(segment.to_owned()),
        false => to.fault(format!("segment {segment:?}: write three letters")),
    }
}

/// `PNA-6+.2`, `PID-1.*`.
fn parse(text: &str) -> Option<(&str, usize, bool, usize)> {
    let (segment, place) = text.split_once('-')?;
    let (element, component) = place.split_once('.')?;
    let (element, onwards) = match element.strip_suffix('+') {
        Some(element) => (element, true),
        None => (element, false),
    };
    let number = |n: &str| n.parse::<usize>().ok().filter(|n| (1..=99).contains(n));
    let named = segment.len() == 3 && segment.bytes().all(|b| b.is_ascii_alphanumeric());
    let component = if component == "*" { 0 } else { number(component)? };
    named.then_some((segment, number(element)?, onwards, component))
}
