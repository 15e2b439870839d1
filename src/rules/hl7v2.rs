//! `[[hl7v2]]`: fields that identify a patient. `[[hl7_identifier_type]]`: the meaning of CX-5
//! codes (table 0203). `[[hl7_text]]`: fields of free text. `[[hl7_site]]`: the form of values in Z
//! segments.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Kind, RuleSet};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file. ASTM records use the same data types.
    pub(in crate::rules) struct Entry {
        /// `PID-5`.
        field: String,
        /// HL7 v2 data type.
        datatype: Hl7Type,
        kind: Kind,
        confidence: Option<f32>,
        /// Whose data it is, if it may be another person's.
        #[serde(default)]
        subject: Hl7Subject,
        /// The identifier type code (CX-5) does not change the kind.
        #[serde(default)]
        fixed: bool,
        /// Only if the segment's first field (QPD-1) starts with one of these codes.
        #[serde(default)]
        first: Vec<String>,
        /// Only values with an assigning authority (CX-4).
        #[serde(default)]
        issued: bool,
        /// The field may hold the set ID of the segment (1, 2, ...) instead.
        #[serde(default)]
        counted: bool,
        /// A number without an issuer that is valid in a national register counts as such a number.
        #[serde(default)]
        registered: bool,
        /// Number of the field in records whose fields are shifted by one (ASTM); 0 if there is
        /// none.
        moved: Option<u16>,
    }
}

impl Entry {
    pub(in crate::rules) fn place(&self) -> &str {
        &self.field
    }
    pub(in crate::rules) const fn kind(&self) -> Kind {
        self.kind
    }
    pub(in crate::rules) fn compile(&self, to: &Compiler<'_>) -> Result<Hl7Field, LoadError> {
        Ok(Hl7Field {
            rule: to.field(&self.common, self.kind, &self.field, self.confidence)?,
            datatype: self.datatype,
            subject: self.subject,
            fixed: self.fixed,
            issued: self.issued,
            counted: self.counted,
            registered: self.registered,
            moved: self.moved,
            first: self.first.clone(),
        })
    }
}

section_entry! {
    /// A code of table 0203.
    pub(in crate::rules) struct IdentifierType {
        /// Code as in CX-5; a trailing `*` matches any rest.
        code: String,
        kind: Kind,
        /// Also applies to an assigning authority (CX-4) of this name, if the type code is unknown.
        #[serde(default)]
        authority: bool,
    }
}

section_entry! {
    /// A field that holds free text.
    pub(in crate::rules) struct TextField {
        /// `OBX-5`.
        field: String,
        /// Only if the segment's second field (OBX-2) is one of these; empty for all.
        #[serde(default)]
        types: Vec<String>,
    }
}

section_entry! {
    /// The form of a value in a Z segment.
    pub(in crate::rules) struct SiteShape {
        shape: Hl7Shape,
        kind: Kind,
        /// Codes required in the component that gives the use of the value.
        #[serde(default)]
        codes: Vec<String>,
        confidence: Option<f32>,
    }
}

/// Forms of values that themselves show what they are.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Hl7Shape {
    /// CX with a known type code (CX-5).
    Id,
    /// XTN with a use code (XTN-2) of the entry.
    Phone,
    /// XAD with a type (XAD-7) of the entry.
    Address,
    /// An e-mail address that contains the patient's family name.
    Email,
}

/// A form of values in Z segments.
#[derive(Debug)]
pub struct Hl7Site {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// The form.
    pub shape: Hl7Shape,
    codes: Vec<String>,
}

impl Hl7Site {
    /// Whether it applies to a value with this code.
    pub fn takes(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c == code)
    }
}

/// A field of free text.
#[derive(Debug)]
pub struct Hl7Text {
    /// The field, such as `OBX-5`.
    pub field: Arc<str>,
    /// Number of the field.
    pub number: u16,
    types: Vec<String>,
}

impl Hl7Text {
    /// Whether it holds text in a segment with `datatype` in its second field.
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
    /// Extended composite id and name: the id or the name, depending on the entry's kind.
    XCN,
}

/// Whose data a field holds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub enum Hl7Subject {
    /// The patient's.
    #[default]
    Patient,
    /// The contact's (NK1); NK1-3 is the relationship.
    Contact,
    /// The guarantor's (GT1); GT1-11 is the relationship.
    Guarantor,
    /// The insured person's (IN1, IN2); IN1-17 is the relationship.
    Insured,
}

/// A field with its data type.
#[derive(Debug)]
pub struct Hl7Field {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// Its data type.
    pub datatype: Hl7Type,
    /// Whose data it is.
    pub subject: Hl7Subject,
    /// The identifier type code (CX-5) does not change the kind.
    pub fixed: bool,
    /// Only values with an assigning authority (CX-4).
    pub issued: bool,
    /// The field may hold the set ID of the segment (1, 2, ...) instead.
    pub counted: bool,
    /// A number without an issuer that is valid in a national register counts as such a number.
    pub registered: bool,
    /// Number of the field in records whose fields are shifted by one (ASTM); 0 if there is none.
    pub moved: Option<u16>,
    first: Vec<String>,
}

impl Hl7Field {
    /// Whether it applies to a segment whose first field is `first`.
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
    /// Forms of values in Z segments.
    pub sites: Vec<Hl7Site>,
}

impl Hl7v2Rules {
    /// The identifying fields of a segment, in order of number; empty for others.
    pub fn segment(&self, name: [u8; 3]) -> &[(u16, Hl7Field)] {
        self.segments.get(&name).map_or(&[], Vec::as_slice)
    }
    /// The free-text field of a segment.
    pub fn text(&self, name: [u8; 3]) -> Option<&Hl7Text> {
        self.texts.iter().find(|(segment, _)| *segment == name).map(|(_, text)| text)
    }
    /// The kind for an identifier type code (CX-5).
    pub fn identifier_type(&self, code: &str) -> Option<Kind> {
        self.types.get(code).copied().or_else(|| {
            self.type_prefixes.iter().find(|(p, _)| code.starts_with(p.as_str())).map(|(_, k)| *k)
        })
    }
    /// The kind of numbers of the assigning authority of this name.
    pub fn authority(&self, name: &str) -> Option<Kind> {
        self.authorities.get(name).copied()
    }
}

/// `[[hl7v2]]`.
pub(in crate::rules) struct Fields;

impl Section for Fields {
    const NAME: &'static str = "hl7v2";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.field.clone()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let (segment, number) = place_of(&entry.field, to)?;
        let (first, kind) = (entry.first.join(","), entry.kind.as_str());
        let issued = if entry.issued { "issued" } else { "" };
        to.claim(format!("{} as {kind} {first}{issued}", entry.field))?;
        let field = entry.compile(to)?;
        to.rules.hl7v2.segments.entry(segment).or_default().push((number, field));
        Ok(())
    }
    fn finish(rules: &mut RuleSet) {
        for fields in rules.hl7v2.segments.values_mut() {
            fields.sort_by_key(|(number, _)| *number);
        }
    }
    /// A sample is a field in wire format. A field that may belong to another person is tested with
    /// a segment in which that person is the patient.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (segment, number) = parse_field(&entry.field)?;
        let mut fields = vec![String::new(); usize::from(number)];
        if let (Some(code), Some(first)) = (entry.first.first(), fields.first_mut()) {
            first.clone_from(code);
        }
        *fields.last_mut()? = sample.to_owned();
        let takes = |before: &str, fields: &[String]| {
            let message = message(before, segment, fields);
            with.takes(&entry.common.id, MEDIA_TYPE, message.as_bytes())
        };
        if takes("", &fields) {
            return Some(true);
        }
        let Some((_, relation)) = RELATIONS.iter().find(|(name, _)| *name == segment) else {
            return Some(entry.subject == Hl7Subject::Insured && takes(OWN_INSURANCE, &fields));
        };
        fields.resize(fields.len().max(*relation), String::new());
        fields[*relation - 1] = "SEL".to_owned();
        Some(takes("", &fields))
    }
}

/// Media type of HL7 v2 in ER7.
const MEDIA_TYPE: &str = "application/hl7-v2+er7";

/// Fields in which segments of other persons give their relationship to the patient.
const RELATIONS: [([u8; 3], usize); 4] =
    [(*b"NK1", 3), (*b"GT1", 11), (*b"IN1", 17), (*b"CON", 25)];

/// An insurance whose insured person is the patient. IN2 continues it.
const OWN_INSURANCE: &str = "IN1|1||||||||||||||||SEL\r";

/// A message of `before` and a segment with these fields.
fn message(before: &str, segment: [u8; 3], fields: &[String]) -> String {
    let segment = String::from_utf8_lossy(&segment);
    let kind = match &*segment {
        "DSP" => "DSR^Q03",
        "ZCC" => "ZPN",
        name if name.starts_with('Q') => "QBP^Q22",
        _ => "ADT^A08",
    };
    // The patient's segments precede those of others; a query has none.
    let alone = matches!(&*segment, "PID" | "QPD" | "QRD" | "QRF" | "DSP" | "ZCC");
    let patient = if alone { "" } else { "PID|1\r" };
    let head = format!("MSH|^~\\&|S|S|R|R|20260101||{kind}|1|P|2.5\r{patient}{before}");
    if segment == "DSP" {
        // A value is a line of its own; the first is the number of the patient.
        let value = |n: usize| match fields.get(n - 1).map_or("", String::as_str) {
            "" if n == 1 => "77",
            value => value,
        };
        let lines = (1..=6).map(|n| format!("DSP|{n}||{}\r", value(n)));
        return head + &lines.collect::<String>();
    }
    format!("{head}{segment}|{}\r", fields.join("|"))
}

/// `[[hl7_text]]`.
pub(in crate::rules) struct Texts;

impl Section for Texts {
    const NAME: &'static str = "hl7_text";
    type Entry = TextField;

    fn subject(entry: &TextField) -> String {
        entry.field.clone()
    }
    fn compile(entry: &TextField, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let (segment, number) = place_of(&entry.field, to)?;
        let field = entry.field.as_str().into();
        let text = Hl7Text { field, number, types: entry.types.clone() };
        to.rules.hl7v2.texts.push((segment, text));
        Ok(())
    }
    /// A sample is a data type, as in OBX-2.
    fn takes(entry: &TextField, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (segment, _) = parse_field(&entry.field)?;
        let text = with.rules.hl7v2.text(segment)?;
        Some(*text.field == *entry.field && text.applies(sample))
    }
}

/// `[[hl7_site]]`.
pub(in crate::rules) struct Sites;

impl Section for Sites {
    const NAME: &'static str = "hl7_site";
    type Entry = SiteShape;

    fn kind(entry: &SiteShape) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(_: &SiteShape) -> String {
        "Z segments".to_owned()
    }
    fn compile(entry: &SiteShape, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let rule = to.field(&entry.common, entry.kind, "Z segment", entry.confidence)?;
        let site = Hl7Site { rule, shape: entry.shape, codes: entry.codes.clone() };
        to.rules.hl7v2.sites.push(site);
        Ok(())
    }
    /// A sample is a field of a Z segment.
    fn takes(entry: &SiteShape, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let message = message("", *b"ZZZ", &["1".to_owned(), sample.to_owned()]);
        Some(with.takes(&entry.common.id, MEDIA_TYPE, message.as_bytes()))
    }
}

/// `[[hl7_identifier_type]]`.
pub(in crate::rules) struct IdentifierTypes;

impl Section for IdentifierTypes {
    const NAME: &'static str = "hl7_identifier_type";
    type Entry = IdentifierType;

    fn kind(entry: &IdentifierType) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &IdentifierType) -> String {
        entry.code.clone()
    }
    fn compile(entry: &IdentifierType, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        to.claim(format!("code {}", entry.code))?;
        if entry.authority {
            to.rules.hl7v2.authorities.insert(entry.code.clone(), entry.kind);
        }
        match entry.code.strip_suffix('*') {
            Some(prefix) => to.rules.hl7v2.type_prefixes.push((prefix.to_owned(), entry.kind)),
            None => {
                to.rules.hl7v2.types.insert(entry.code.clone(), entry.kind);
            }
        }
        Ok(())
    }
    /// A sample is a code.
    fn takes(entry: &IdentifierType, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = match entry.code.strip_suffix('*') {
            Some(prefix) => sample.starts_with(prefix),
            None => sample == entry.code,
        };
        Some(named && with.rules.hl7v2.identifier_type(sample) == Some(entry.kind))
    }
}

fn place_of(field: &str, to: &Compiler<'_>) -> Result<([u8; 3], u16), LoadError> {
    match parse_field(field) {
        Some(place) => Ok(place),
        None => to.fault(format!("field {field:?}: write SEG-n")),
    }
}

fn parse_field(text: &str) -> Option<([u8; 3], u16)> {
    let (segment, number) = text.split_once('-')?;
    let segment: [u8; 3] = segment.as_bytes().try_into().ok()?;
    let named = segment.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    Some((segment, number.parse().ok().filter(|n| named && *n > 0)?))
}
