//! `[[edifact]]`: elements of EDIFACT segments that identify a patient; `[[edifact_party]]`: segments that
//! name somebody, and who that is; `[[edifact_about]]`: segments that say what else is there.

use super::flat::{Holder, Part};
use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, Source, faulty, field_rule, info, section_entry,
};
use super::{FieldRule, Health, Kind};
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// `PNA-2.1`: segment, element, component; `PNA-6+.2`: this element and those behind it;
        /// `PID-1.*`: all components of the element.
        field: String,
        kind: Kind,
        #[serde(default)]
        part: Part,
        /// Only where the segment's first component is one of these.
        #[serde(default)]
        qualifier: Vec<String>,
        /// Only where the component before it is one of these.
        #[serde(default)]
        behind: Vec<String>,
        /// Only where the component behind it is one of these.
        #[serde(default)]
        before: Vec<String>,
        /// Only where the element's fourth component, the code list, is one of these.
        #[serde(default)]
        list: Vec<String>,
        /// Only values that begin with this, which is no part of them.
        #[serde(default)]
        prefix: String,
        /// Only in messages of these types.
        #[serde(default)]
        message: Vec<String>,
        /// Whoever was named last.
        #[serde(default)]
        anybody: bool,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// A segment that names somebody.
    pub(in crate::rules) struct Party {
        segment: String,
        /// Only where its first component is one of these.
        #[serde(default)]
        qualifier: Vec<String>,
        /// Only in messages of these types.
        #[serde(default)]
        message: Vec<String>,
        of: Holder,
    }
}

section_entry! {
    /// Segments that say what stands beside the identifiers.
    pub(in crate::rules) struct AboutEntry {
        segments: Vec<String>,
        shows: Health,
    }
}

/// An element with what it depends on.
#[derive(Debug)]
pub struct EdifactField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// Which part.
    pub part: Part,
    /// Element, from 1.
    pub element: usize,
    /// Elements behind it, too.
    pub onwards: bool,
    /// Component, from 1; 0 for all of them.
    pub component: usize,
    /// Whoever was named last.
    pub anybody: bool,
    qualifier: Vec<String>,
    behind: Vec<String>,
    before: Vec<String>,
    list: Vec<String>,
    prefix: String,
    message: Vec<String>,
}

impl EdifactField {
    /// Whether it means this in a segment with this first component, in this message.
    pub fn applies(&self, qualifier: &str, message: &str) -> bool {
        allows(&self.qualifier, qualifier) && allows(&self.message, message)
    }
    /// Whether it means this between these components.
    pub fn stands_between(&self, before: &str, behind: &str) -> bool {
        allows(&self.behind, before) && allows(&self.before, behind)
    }
    /// Whether this code list is one that the entry is about.
    pub fn is_of_list(&self, list: &str) -> bool {
        self.list.iter().any(|l| l == list)
    }
    /// Whether the entry is about certain code lists only.
    pub const fn has_list(&self) -> bool {
        !self.list.is_empty()
    }
    /// The value without its prefix, if it has that.
    pub fn value<'v>(&self, value: &'v str) -> Option<&'v str> {
        value.strip_prefix(self.prefix.as_str())
    }
}

fn allows(list: &[String], value: &str) -> bool {
    list.is_empty() || list.iter().any(|v| v == value)
}

/// Whom a segment names, and where.
#[derive(Debug)]
struct Named {
    qualifier: Vec<String>,
    message: Vec<String>,
    of: Holder,
}

/// Elements, parties and what is said, by segment.
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
    /// Whom a segment names; nothing if it names nobody. A segment that may name a patient and does
    /// not here names another.
    pub fn party(&self, segment: &str, qualifier: &str, message: &str) -> Option<Holder> {
        let parties = self.parties.get(segment)?;
        let fits = |p: &&Named| allows(&p.qualifier, qualifier) && allows(&p.message, message);
        Some(parties.iter().find(fits).map_or(Holder::Other, |p| p.of))
    }
    /// What the presence of a segment says of the record.
    pub fn about(&self, segment: &str) -> Option<Health> {
        self.about.get(segment).copied()
    }
}

pub(in crate::rules) fn compile(
    fields: Compiled<Entry>,
    parties: Compiled<Party>,
    about: Compiled<AboutEntry>,
    list: &mut Vec<RuleInfo>,
) -> Result<EdifactRules, LoadError> {
    let mut rules = EdifactRules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in fields {
        let place = parse(&entry.field)
            .ok_or_else(|| faulty(&source, format!("field {:?}: write SEG-2.1", entry.field)))?;
        let (segment, element, onwards, component) = place;
        list.push(info("edifact", &entry.common, Some(entry.kind), entry.field.clone(), &source));
        let conditions =
            [&entry.qualifier, &entry.behind, &entry.before, &entry.list, &entry.message];
        let subject = format!("{} {conditions:?} {}", entry.field, entry.prefix);
        taken.take(subject, &entry.common.id, &source)?;
        let rule = field_rule(&entry.common, entry.kind, &entry.field, entry.confidence, &source)?;
        rules.fields.entry(segment.to_owned()).or_default().push(EdifactField {
            rule,
            part: entry.part,
            element,
            onwards,
            component,
            anybody: entry.anybody,
            qualifier: entry.qualifier,
            behind: entry.behind,
            before: entry.before,
            list: entry.list,
            prefix: entry.prefix,
            message: entry.message,
        });
    }
    for fields in rules.fields.values_mut() {
        fields.sort_by_key(|f| (f.element, f.component));
    }
    for (_, (party, source)) in parties {
        let segment = checked(&party.segment, &source)?;
        list.push(info("edifact_party", &party.common, None, party.segment.clone(), &source));
        let Party { qualifier, message, of, .. } = party;
        rules.parties.entry(segment).or_default().push(Named { qualifier, message, of });
    }
    for (_, (entry, source)) in about {
        list.push(info("edifact_about", &entry.common, None, entry.segments.join(", "), &source));
        for segment in entry.segments {
            taken.take(format!("about {segment}"), &entry.common.id, &source)?;
            rules.about.insert(checked(&segment, &source)?, entry.shows);
        }
    }
    Ok(rules)
}

fn checked(segment: &str, source: &Source) -> Result<String, LoadError> {
    match segment.len() == 3 && segment.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(segment.to_owned()),
        false => Err(faulty(source, format!("segment {segment:?}: write three letters"))),
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
