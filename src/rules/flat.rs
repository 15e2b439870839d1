//! `[[xdt]]` and `[[ncpdp]]`: fields of formats in which every field has an ID. Names and addresses
//! come in parts. `[[xdt_about]]`, `[[xdt_object]]` and `[[ncpdp_about]]`: what else a record
//! holds.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Health, Kind, RuleSet};
use serde::Deserialize;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// Field id: `3101`, `CB`.
        field: String,
        kind: Kind,
        #[serde(default)]
        part: Part,
        /// Only in these segments or objects; empty for all.
        #[serde(default)]
        within: Vec<String>,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// Fields that show what else the record holds.
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

/// The part of a name or address that a field holds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The whole value.
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
    /// The patient.
    Patient,
    /// Someone else.
    Other,
}

/// A field with the part of the value it holds.
#[derive(Debug)]
pub struct FlatField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// The part it holds.
    pub part: Part,
    within: Vec<String>,
}

impl FlatField {
    /// Whether it applies in the segment or object `within`.
    pub fn applies(&self, within: &str) -> bool {
        self.within.is_empty() || self.is_bound_to(within)
    }
    /// Whether it is limited to the segment or object `within`.
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
    /// The possible meanings of a field.
    pub fn field(&self, id: &str) -> &[FlatField] {
        self.fields.get(id).map_or(&[], Vec::as_slice)
    }
    /// What a field shows about the record.
    pub fn about(&self, id: &str) -> Option<Health> {
        self.about.get(id).copied()
    }
    /// Whose data an object holds; none if it is the same as for the enclosing object.
    pub fn holder(&self, object: &str) -> Option<Holder> {
        self.objects.get(object).copied()
    }
}

impl Entry {
    fn compile(&self, to: &mut Compiler<'_>) -> Result<FlatField, LoadError> {
        checked(&self.field, to)?;
        to.claim(format!("{} {}", self.field, self.within.join(",")))?;
        let rule = to.field(&self.common, self.kind, &self.field, self.confidence)?;
        Ok(FlatField { rule, part: self.part, within: self.within.clone() })
    }
}

impl AboutEntry {
    fn compile(&self, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for field in &self.fields {
            checked(field, to)?;
            to.claim(field.clone())?;
        }
        Ok(())
    }
    fn takes(&self, sample: &str, rules: &FlatRules) -> bool {
        self.fields.iter().any(|f| f == sample) && rules.about(sample) == Some(self.shows)
    }
}

fn checked(id: &str, to: &Compiler<'_>) -> Result<(), LoadError> {
    match !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => to.fault(format!("field {id:?}: write letters and digits")),
    }
}

/// A format whose fields all have an id.
pub(in crate::rules) trait FlatFormat: 'static {
    /// Name of the section for its fields.
    const FIELDS: &'static str;
    /// Name of the section for what its fields show about the record.
    const ABOUT: &'static str;

    fn rules(all: &RuleSet) -> &FlatRules;
    fn rules_mut(all: &mut RuleSet) -> &mut FlatRules;
    /// A message in which the field of `entry` has the value `sample`.
    fn message(entry: &Entry, sample: &str) -> Vec<u8>;
}

/// xDT (GDT, LDT, BDT), the interfaces of German practices.
pub(in crate::rules) struct Xdt;

impl FlatFormat for Xdt {
    const FIELDS: &'static str = "xdt";
    const ABOUT: &'static str = "xdt_about";

    fn rules(all: &RuleSet) -> &FlatRules {
        &all.xdt
    }
    fn rules_mut(all: &mut RuleSet) -> &mut FlatRules {
        &mut all.xdt
    }
    fn message(entry: &Entry, sample: &str) -> Vec<u8> {
        let line = |field: &str, value: &str| format!("{:03}{field}{value}\r\n", value.len() + 9);
        let object = entry.within.first().map(|object| line("8002", object));
        let record = [line("8000", "6310"), object.unwrap_or_default(), line(&entry.field, sample)];
        record.concat().into_bytes()
    }
}

/// NCPDP Telecommunication, for pharmacy claims.
pub(in crate::rules) struct Ncpdp;

impl FlatFormat for Ncpdp {
    const FIELDS: &'static str = "ncpdp";
    const ABOUT: &'static str = "ncpdp_about";

    fn rules(all: &RuleSet) -> &FlatRules {
        &all.ncpdp
    }
    fn rules_mut(all: &mut RuleSet) -> &mut FlatRules {
        &mut all.ncpdp
    }
    /// A claim whose patient is not the cardholder (306-C6), in version D.0.
    fn message(entry: &Entry, sample: &str) -> Vec<u8> {
        let header = format!("610279D0B1{:10}1{:17}20260101{:10}", "PCN", "011234567893", "S");
        let (segment, qualifier) = match entry.within.first() {
            Some(within) => match within.strip_prefix("CX") {
                Some(qualifier) => ("01", format!("\u{1C}CX{qualifier}")),
                None => (within.as_str(), String::new()),
            },
            None => ("01", String::new()),
        };
        let fields = format!("\u{1C}C62{qualifier}\u{1C}{}{sample}", entry.field);
        format!("{header}\u{1E}\u{1C}AM{segment}{fields}\u{1C}").into_bytes()
    }
}

/// `[[xdt]]` and `[[ncpdp]]`.
pub(in crate::rules) struct Fields<F>(PhantomData<F>);

impl<F: FlatFormat> Section for Fields<F> {
    const NAME: &'static str = F::FIELDS;
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.field.clone()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let field = entry.compile(to)?;
        F::rules_mut(to.rules).fields.entry(entry.field.clone()).or_default().push(field);
        Ok(())
    }
    /// A sample is a value.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(with.takes(&entry.common.id, "text/plain", &F::message(entry, sample)))
    }
}

/// `[[xdt_about]]` and `[[ncpdp_about]]`.
pub(in crate::rules) struct About<F>(PhantomData<F>);

impl<F: FlatFormat> Section for About<F> {
    const NAME: &'static str = F::ABOUT;
    type Entry = AboutEntry;

    fn subject(entry: &AboutEntry) -> String {
        entry.fields.join(", ")
    }
    fn compile(entry: &AboutEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        entry.compile(to)?;
        let fields = entry.fields.iter().cloned();
        F::rules_mut(to.rules).about.extend(fields.map(|field| (field, entry.shows)));
        Ok(())
    }
    /// A sample is the id of a field.
    fn takes(entry: &AboutEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(entry.takes(sample, F::rules(with.rules)))
    }
}

/// `[[xdt_object]]`.
pub(in crate::rules) struct XdtObjects;

impl Section for XdtObjects {
    const NAME: &'static str = "xdt_object";
    type Entry = Object;

    fn subject(entry: &Object) -> String {
        entry.object.clone()
    }
    fn compile(entry: &Object, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        to.claim(format!("object {}", entry.object))?;
        to.rules.xdt.objects.insert(entry.object.clone(), entry.of);
        Ok(())
    }
    /// A sample is the name of an object.
    fn takes(entry: &Object, sample: &str, with: &Samples<'_>) -> Option<bool> {
        Some(sample == entry.object && with.rules.xdt.holder(sample) == Some(entry.of))
    }
}
