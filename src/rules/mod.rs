//! Rules that define what identifies a person: the compiled form of `rules/*.toml`.
//!
//! The shipped files are embedded. Files of `--rules DIR` extend them, or override entries with the
//! same id; `disable = ["id"]` switches rules off. A faulty file is refused as a whole, with line
//! and reason.
//!
//! A section (`[[dicom]]`, `[[key]]`) is a type that implements `Section`, and one line in
//! `sections.rs`. It defines the form of an entry, how it is compiled, and how its samples are run.

mod astm;
mod compile;
mod dicom;
mod edifact;
mod entry;
mod error;
mod fhir;
mod flat;
mod health;
mod hl7v2;
mod identifiers;
mod keys;
mod kind;
mod load;
mod part;
mod placeholder;
mod policy;
mod recording;
mod samples;
mod sections;
mod services;
mod show;
mod suppression;
mod text;
pub mod validators;
mod vocabulary;
mod words;
mod x12;
mod xml;

#[cfg(test)]
mod annex_e;
#[cfg(test)]
mod tests;

pub use astm::AstmRules;
pub use dicom::DicomRules;
pub use edifact::{EdifactField, EdifactRules};
pub use entry::RuleInfo;
pub use error::LoadError;
pub use fhir::{FhirElement, FhirPath, FhirReference, FhirRules, FhirType};
pub use flat::{FlatField, FlatRules, Holder, Part};
pub use health::{Health, HealthRules};
pub use hl7v2::{Hl7Field, Hl7Shape, Hl7Site, Hl7Subject, Hl7Text, Hl7Type, Hl7v2Rules};
pub use identifiers::{
    ALL_REGIONS, DEFAULT_REGIONS, Hit, IdentifierRule, IdentifierRules, Verdict,
};
pub use keys::{About, ContextScope, Key, KeyRules, NamePart, fold, plain_letters, push_letters};
pub use kind::{Kind, KindSet};
pub use load::SHIPPED;
pub use part::RulePart;
pub use placeholder::Placeholders;
pub use policy::{AccessRules, AlertRule, Deidentified, Policy, RecordEvidence, SeverityEntry};
pub use recording::{RecordingField, RecordingRules};
pub use samples::{SampleFailure, SampleField, SampleReader};
pub use services::{Answer, Secret, ServiceKind, ServiceRule, ServiceRules};
pub use show::{Details, check_text, details, list_table};
pub use suppression::{Day, Suppression, SuppressionQuery, Suppressions};
pub use text::{Person, Recogniser, TextRules};
pub use vocabulary::{Vocabulary, words};
pub use words::{TextWords, WordMeaning};
pub use x12::{X12Element, X12Rules};
pub use xml::{XmlDialect, XmlField, XmlRules};

use std::sync::Arc;

/// A field that identifies a person, in any format.
#[derive(Debug)]
pub struct FieldRule {
    /// Id, unique across sections: `dicom-patient-name`.
    pub id: Arc<str>,
    /// Title, for people.
    pub title: String,
    /// The standard and clause it comes from.
    pub reference: String,
    /// The kind of identifier.
    pub kind: Kind,
    /// The field in the format's notation, as events show it.
    pub field: Arc<str>,
    /// Confidence, 0 to 1.
    pub confidence: f32,
}

/// All active rules. Immutable; a reload creates a new set.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// DICOM attributes.
    pub dicom: RulePart<DicomRules>,
    /// HL7 v2 fields and identifier types.
    pub hl7v2: RulePart<Hl7v2Rules>,
    /// ASTM E1394 fields.
    pub astm: RulePart<AstmRules>,
    /// X12 elements and entities.
    pub x12: RulePart<X12Rules>,
    /// xDT fields and objects.
    pub xdt: RulePart<FlatRules>,
    /// EDIFACT elements and parties.
    pub edifact: RulePart<EdifactRules>,
    /// Fields of NCPDP Telecommunication.
    pub ncpdp: RulePart<FlatRules>,
    /// Fields of recordings of signals and volumes.
    pub recordings: RulePart<RecordingRules>,
    /// Elements of XML messages.
    pub xml: RulePart<XmlRules>,
    /// FHIR elements and identifier systems.
    pub fhir: RulePart<FhirRules>,
    /// Health data in segments, records and sections.
    pub health: RulePart<HealthRules>,
    /// Key names of JSON, forms, CSV and HTML.
    pub keys: RulePart<KeyRules>,
    /// Values that name test patients.
    pub test_patients: RulePart<Placeholders>,
    /// Values that identify no person.
    pub placeholders: RulePart<Placeholders>,
    /// Patterns of identifiers in free text.
    pub text: RulePart<TextRules>,
    /// Numbers of national registers and health systems.
    pub identifiers: RulePart<IdentifierRules>,
    /// What responses show about web services.
    pub services: RulePart<ServiceRules>,
    /// Words that are not part of names.
    pub vocabulary: RulePart<Vocabulary>,
    /// Words of running text.
    pub words: RulePart<TextWords>,
    /// Which evidence raises an alert, and with which severity.
    pub policy: RulePart<Policy>,
    /// Suppressions: findings that are known and accepted.
    pub suppressions: Arc<Suppressions>,
    /// Ids of disabled rules, for `phitap rules check`.
    pub disabled: Vec<String>,
    /// Every entry, for `phitap rules list` and `test`.
    pub entries: Vec<RuleInfo>,
    /// Number of the reload that brought them; 0 at the start of a run.
    pub generation: u64,
    /// Hash of the rule files' contents, 16 hexadecimal digits.
    pub digest: String,
}
