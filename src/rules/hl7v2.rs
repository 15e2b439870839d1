//! `[[hl7v2]]`: fields that identify a patient; `[[hl7_identifier_type]]`: what a CX-5 code (table
//! 0203) says of an id; `[[hl7_text]]`: fields of free text; `[[hl7_site]]`: what values in segments of
//! the site look like.

use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, Source, faulty, field_rule, info, section_entry,
};
use super::{FieldRule, Kind};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written. ASTM records are put together from the same data types.
    pub(in crate::rules) struct Entry {
        /// `PID-5`.
        field: String,
        /// HL7 v2 data type, which says how the value is put together.
        datatype: Hl7Type,
        kind: Kind,
        confidence: Option<f32>,
        /// Whose data it is, where it may be another person's.
        #[serde(default)]
        subject: Hl7Subject,
        /// The identifier type code (CX-5) does not change the kind.
        #[serde(default)]
        fixed: bool,
        /// Only where the segment's first field starts with one of these codes (QPD-1).
        #[serde(default)]
        first: Vec<String>,
        /// Only values that name their assigning authority (CX-4).
        #[serde(default)]
        issued: bool,
        /// The field may hold the segment's own number (1, 2, ...) instead.
        #[serde(default)]
        counted: bool,
        /// Where the value is in records that have the name one field early (ASTM); 0 for nowhere.
        moved: Option<u16>,
    }
}

impl Entry {
    pub(in crate::rules) fn field(&self) -> &str {
        &self.field
    }
    pub(in crate::rules) const fn kind(&self) -> Kind {
        self.kind
    }
    pub(in crate::rules) fn into_field(self, source: &Source) -> Result<Hl7Field, LoadError> {
        Ok(Hl7Field {
            rule: field_rule(&self.common, self.kind, &self.field, self.confidence, source)?,
            datatype: self.datatype,
            subject: self.subject,
            fixed: self.fixed,
            issued: self.issued,
            counted: self.counted,
            moved: self.moved,
            first: self.first,
        })
    }
}

section_entry! {
    /// A code of table 0203.
    pub(in crate::rules) struct IdentifierType {
        /// As in CX-5; ends in `*` for all codes that start so.
        code: String,
        kind: Kind,
        /// The same as the name of an assigning authority (CX-4), where no type code is known.
        #[serde(default)]
        authority: bool,
    }
}

section_entry! {
    /// A field that holds free text.
    pub(in crate::rules) struct TextField {
        /// `OBX-5`.
        field: String,
        /// Only where the segment's second field (OBX-2) is one of these; empty for all.
        #[serde(default)]
        types: Vec<String>,
    }
}

section_entry! {
    /// What a value in a segment of the site (`Z..`) looks like.
    pub(in crate::rules) struct SiteShape {
        shape: Hl7Shape,
        kind: Kind,
        /// Codes that must stand in the component that says what the value is for.
        #[serde(default)]
        codes: Vec<String>,
        confidence: Option<f32>,
    }
}

/// Shapes of values that say by themselves whose they are, and what.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Hl7Shape {
    /// CX whose type code (CX-5) is known.
    Id,
    /// XTN whose use code (XTN-2) is one of the entry's.
    Phone,
    /// XAD whose type (XAD-7) is one of the entry's.
    Address,
    /// An e-mail address that holds the patient's family name.
    Email,
}

/// A shape of values in segments of the site.
#[derive(Debug)]
pub struct Hl7Site {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// What it looks like.
    pub shape: Hl7Shape,
    codes: Vec<String>,
}

impl Hl7Site {
    /// Whether a value with this code in it is meant.
    pub fn takes(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c == code)
    }
}

/// A field of free text.
#[derive(Debug)]
pub struct Hl7Text {
    /// As in `OBX-5`.
    pub field: Arc<str>,
    /// Its number.
    pub number: u16,
    types: Vec<String>,
}

impl Hl7Text {
    /// Whether it holds text in a segment whose second field is `datatype`.
    pub fn applies(&self, datatype: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|t| t == datatype)
    }
}

/// HL7 v2 data types of identifying fields (chapter 2A).
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hl7Type {
    /// Extended composite id with check digit.
    CX,
    /// Extended person name.
    XPN,
    /// Extended address.
    XAD,
    /// Extended telecommunication number.
    XTN,
    /// Time stamp or date.
    TS,
    /// Driver's licence number.
    DLN,
    /// Coded or plain string: the first component.
    ST,
    /// Extended organisation name: the first component.
    XON,
    /// Extended composite id and name: the id, or the name, as the entry's kind asks.
    XCN,
}

/// Whose data a field holds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub enum Hl7Subject {
    /// The patient's.
    #[default]
    Patient,
    /// The contact's (NK1); NK1-3 says how they are related.
    Contact,
    /// The guarantor's (GT1); GT1-11 says how they are related.
    Guarantor,
    /// The insured person's (IN1, IN2); IN1-17 says how they are related.
    Insured,
}

/// A field with the shape of its value.
#[derive(Debug)]
pub struct Hl7Field {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// How it is put together.
    pub datatype: Hl7Type,
    /// Whose it is.
    pub subject: Hl7Subject,
    /// The identifier type code (CX-5) does not change the kind.
    pub fixed: bool,
    /// Only values that name their assigning authority (CX-4).
    pub issued: bool,
    /// The field may hold the segment's own number (1, 2, ...) instead.
    pub counted: bool,
    /// Where the value is in records that have the name one field early (ASTM); 0 for nowhere.
    pub moved: Option<u16>,
    first: Vec<String>,
}

impl Hl7Field {
    /// Whether it means this in a segment whose first field is `first`.
    pub fn applies(&self, first: &str) -> bool {
        self.first.is_empty() || self.first.iter().any(|f| first.starts_with(f.as_str()))
    }
}

/// Fields by segment and number, identifier types by code.
#[derive(Debug, Default)]
pub struct Hl7v2Rules {
    segments: HashMap<[u8; 3], Vec<(u16, Hl7Field)>, foldhash::fast::FixedState>,
    types: HashMap<String, Kind, foldhash::fast::FixedState>,
    type_prefixes: Vec<(String, Kind)>,
    authorities: HashMap<String, Kind, foldhash::fast::FixedState>,
    texts: Vec<([u8; 3], Hl7Text)>,
    /// Shapes of values in segments of the site.
    pub sites: Vec<Hl7Site>,
}

impl Hl7v2Rules {
    /// The identifying fields of a segment, in order of number; empty for others.
    pub fn segment(&self, name: [u8; 3]) -> &[(u16, Hl7Field)] {
        self.segments.get(&name).map_or(&[], Vec::as_slice)
    }
    /// The free text of a segment.
    pub fn text(&self, name: [u8; 3]) -> Option<&Hl7Text> {
        self.texts.iter().find(|(segment, _)| *segment == name).map(|(_, text)| text)
    }
    /// What an identifier type code (CX-5) stands for.
    pub fn identifier_type(&self, code: &str) -> Option<Kind> {
        self.types.get(code).copied().or_else(|| {
            self.type_prefixes.iter().find(|(p, _)| code.starts_with(p.as_str())).map(|(_, k)| *k)
        })
    }
    /// What the numbers of an assigning authority of this name are.
    pub fn authority(&self, name: &str) -> Option<Kind> {
        self.authorities.get(name).copied()
    }
}

pub(in crate::rules) fn compile(
    fields: Compiled<Entry>,
    types: Compiled<IdentifierType>,
    texts: Compiled<TextField>,
    sites: Compiled<SiteShape>,
    list: &mut Vec<RuleInfo>,
) -> Result<Hl7v2Rules, LoadError> {
    let mut rules = Hl7v2Rules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in fields {
        let (segment, number) = parse_field(&entry.field)
            .ok_or_else(|| faulty(&source, format!("field {:?}: write SEG-n", entry.field)))?;
        list.push(info("hl7v2", &entry.common, Some(entry.kind), entry.field.clone(), &source));
        taken.take(
            format!(
                "{} as {} {}{}",
                entry.field,
                entry.kind.as_str(),
                entry.first.join(","),
                if entry.issued { "issued" } else { "" }
            ),
            &entry.common.id,
            &source,
        )?;
        let field = entry.into_field(&source)?;
        rules.segments.entry(segment).or_default().push((number, field));
    }
    for fields in rules.segments.values_mut() {
        fields.sort_by_key(|(number, _)| *number);
    }
    for (_, (entry, source)) in texts {
        let (segment, number) = parse_field(&entry.field)
            .ok_or_else(|| faulty(&source, format!("field {:?}: write SEG-n", entry.field)))?;
        list.push(info("hl7_text", &entry.common, None, entry.field.clone(), &source));
        let text = Hl7Text { field: entry.field.as_str().into(), number, types: entry.types };
        rules.texts.push((segment, text));
    }
    for (_, (entry, source)) in sites {
        list.push(info("hl7_site", &entry.common, Some(entry.kind), "Z segments".into(), &source));
        let rule = field_rule(&entry.common, entry.kind, "Z segment", entry.confidence, &source)?;
        rules.sites.push(Hl7Site { rule, shape: entry.shape, codes: entry.codes });
    }
    for (_, (entry, source)) in types {
        list.push(info(
            "hl7_identifier_type",
            &entry.common,
            Some(entry.kind),
            entry.code.clone(),
            &source,
        ));
        taken.take(format!("code {}", entry.code), &entry.common.id, &source)?;
        if entry.authority {
            rules.authorities.insert(entry.code.clone(), entry.kind);
        }
        match entry.code.strip_suffix('*') {
            Some(prefix) => rules.type_prefixes.push((prefix.to_owned(), entry.kind)),
            None => {
                rules.types.insert(entry.code, entry.kind);
            }
        }
    }
    Ok(rules)
}

fn parse_field(text: &str) -> Option<([u8; 3], u16)> {
    let (segment, number) = text.split_once('-')?;
    let segment: [u8; 3] = segment.as_bytes().try_into().ok()?;
    let named = segment.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    Some((segment, number.parse().ok().filter(|n| named && *n > 0)?))
}
