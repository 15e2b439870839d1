//! `[[xdt]]` and `[[ncpdp]]`: fields of formats in which a field has an id and stands on its own; names
//! and addresses come in parts. `[[xdt_about]]`, `[[xdt_object]]`, `[[ncpdp_about]]`: what else is
//! said of the record.

use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, Source, faulty, field_rule, info, section_entry,
};
use super::{FieldRule, Health, Kind};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        /// Field id: `3101`, `CB`.
        field: String,
        kind: Kind,
        #[serde(default)]
        part: Part,
        /// Only in these segments or objects; everywhere if there are none.
        #[serde(default)]
        within: Vec<String>,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// Fields that say what stands beside the identifiers.
    pub(in crate::rules) struct AboutEntry {
        fields: Vec<String>,
        shows: Health,
    }
}

section_entry! {
    /// An object (LDT 3), and whose data it holds.
    pub(in crate::rules) struct Object {
        object: String,
        of: Holder,
    }
}

/// Which part of a name or address a field holds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// Family name.
    Family,
    /// Given name.
    Given,
    /// Further given name.
    Middle,
    /// `Jr`, `III`.
    Suffix,
    /// Title.
    Prefix,
    /// A word before the family name that belongs to it (`von`).
    Particle,
    /// Street, with or without the number.
    Street,
    /// House number.
    House,
    /// Another line of an address.
    Line,
    /// City.
    City,
    /// State or region.
    State,
    /// Postal code.
    Postcode,
}

/// Whose data an object holds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// The patient's.
    Patient,
    /// Somebody else's.
    Other,
}

/// A field with the part of a value that it holds.
#[derive(Debug)]
pub struct FlatField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// Which part.
    pub part: Part,
    within: Vec<String>,
}

impl FlatField {
    /// Whether it means this in the segment or object `within`.
    pub fn applies(&self, within: &str) -> bool {
        self.within.is_empty() || self.is_bound_to(within)
    }
    /// Whether it names the segment or object `within`.
    pub fn is_bound_to(&self, within: &str) -> bool {
        self.within.iter().any(|w| w == within)
    }
}

/// Fields by id.
#[derive(Debug, Default)]
pub struct FlatRules {
    fields: HashMap<String, Vec<FlatField>, foldhash::fast::FixedState>,
    about: HashMap<String, Health, foldhash::fast::FixedState>,
    objects: HashMap<String, Holder, foldhash::fast::FixedState>,
}

impl FlatRules {
    /// What a field may mean.
    pub fn field(&self, id: &str) -> &[FlatField] {
        self.fields.get(id).map_or(&[], Vec::as_slice)
    }
    /// What the presence of a field says of the record.
    pub fn about(&self, id: &str) -> Option<Health> {
        self.about.get(id).copied()
    }
    /// Whose data an object holds; that of the object around it if nothing is said.
    pub fn holder(&self, object: &str) -> Option<Holder> {
        self.objects.get(object).copied()
    }
}

pub(in crate::rules) fn compile(
    [section, about_section, object_section]: [&'static str; 3],
    fields: Compiled<Entry>,
    about: Compiled<AboutEntry>,
    objects: Compiled<Object>,
    list: &mut Vec<RuleInfo>,
) -> Result<FlatRules, LoadError> {
    let mut rules = FlatRules::default();
    let mut taken = ClaimedSubjects::default();
    let checked = |id: &str, source: &Source| match id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true if !id.is_empty() => Ok(()),
        _ => Err(faulty(source, format!("field {id:?}: write letters and digits"))),
    };
    for (_, (entry, source)) in fields {
        checked(&entry.field, &source)?;
        let within = entry.within.join(",");
        taken.take(format!("{} {within}", entry.field), &entry.common.id, &source)?;
        list.push(info(section, &entry.common, Some(entry.kind), entry.field.clone(), &source));
        let rule = field_rule(&entry.common, entry.kind, &entry.field, entry.confidence, &source)?;
        let field = FlatField { rule, part: entry.part, within: entry.within };
        rules.fields.entry(entry.field).or_default().push(field);
    }
    for (_, (entry, source)) in about {
        list.push(info(about_section, &entry.common, None, entry.fields.join(", "), &source));
        for field in entry.fields {
            checked(&field, &source)?;
            taken.take(format!("about {field}"), &entry.common.id, &source)?;
            rules.about.insert(field, entry.shows);
        }
    }
    for (_, (entry, source)) in objects {
        list.push(info(object_section, &entry.common, None, entry.object.clone(), &source));
        taken.take(format!("object {}", entry.object), &entry.common.id, &source)?;
        rules.objects.insert(entry.object, entry.of);
    }
    Ok(rules)
}
