//! Sections of rule files: `[[dicom]]`, `[[hl7v2]]`, `[[key]]`...
//!
//! A section is a type that implements [`Section`], and one line in the list below. It defines the
//! form of an entry, what it matches, how it is compiled and how its samples are run. Everything
//! else (ids, overriding, disabling, faults with their line) is the same for all sections.

use super::compile::Compiler;
use super::entry::SectionEntry;
use super::error::LoadError;
use super::samples::Samples;
use super::{
    Kind, RuleSet, astm, dicom, edifact, fhir, flat, health, hl7v2, identifiers, keys, placeholder,
    policy, recording, services, suppression, text, vocabulary, words, x12, xml,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::fmt;
use std::sync::Arc;

/// A section of rule files.
pub(in crate::rules) trait Section: 'static {
    /// As in `[[name]]`.
    const NAME: &'static str;
    /// An entry as written in the file.
    type Entry: SectionEntry + for<'de> Deserialize<'de> + Send + Sync + 'static;

    /// The kind of identifier, if the entry names one.
    fn kind(_entry: &Self::Entry) -> Option<Kind> {
        None
    }
    /// What it matches: a tag, a field, a path, key names.
    fn subject(entry: &Self::Entry) -> String;
    /// Checks the entry and adds it to the rules.
    fn compile(entry: &Self::Entry, to: &mut Compiler<'_>) -> Result<(), LoadError>;
    /// Called after the last entry of the section.
    fn finish(_rules: &mut RuleSet) {}
    /// Whether the entry accepts a sample, decided by the code that reads traffic. None if the
    /// sample does not have the form that this section requires.
    fn takes(entry: &Self::Entry, sample: &str, with: &Samples<'_>) -> Option<bool>;
}

/// An entry of any section.
pub(in crate::rules) trait Rule: Send + Sync {
    fn section(&self) -> &'static str;
    fn entry(&self) -> &dyn SectionEntry;
    fn kind(&self) -> Option<Kind>;
    fn subject(&self) -> String;
    fn compile(&self, to: &mut Compiler<'_>) -> Result<(), LoadError>;
    fn takes(&self, sample: &str, with: &Samples<'_>) -> Option<bool>;
}

impl fmt::Debug for dyn Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[{}]] {}", self.section(), self.entry().common().id)
    }
}

/// The entry of one section, as a [`Rule`].
struct SectionRule<S: Section>(S::Entry);

impl<S: Section> Rule for SectionRule<S> {
    fn section(&self) -> &'static str {
        S::NAME
    }
    fn entry(&self) -> &dyn SectionEntry {
        &self.0
    }
    fn kind(&self) -> Option<Kind> {
        S::kind(&self.0)
    }
    fn subject(&self) -> String {
        S::subject(&self.0)
    }
    fn compile(&self, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        S::compile(&self.0, to)
    }
    fn takes(&self, sample: &str, with: &Samples<'_>) -> Option<bool> {
        S::takes(&self.0, sample, with)
    }
}

/// An entry and the offset in its file at which it begins.
pub(in crate::rules) struct PlacedEntry {
    pub offset: usize,
    pub rule: Arc<dyn Rule>,
}

/// A rule file as written. Any section may appear in any file.
#[derive(Default)]
pub(in crate::rules) struct File {
    pub entries: Vec<PlacedEntry>,
    /// Ids of rules to disable.
    pub disable: Vec<toml::Spanned<String>>,
    pub deidentified: Option<policy::DeidentifiedEntry>,
    pub severity: Option<policy::SeverityEntry>,
    pub access: Option<policy::AccessRules>,
}

impl File {
    fn read<'de, S: Section, M: MapAccess<'de>>(&mut self, map: &mut M) -> Result<(), M::Error> {
        for entry in map.next_value::<Vec<toml::Spanned<S::Entry>>>()? {
            let offset = entry.span().start;
            let rule = Arc::new(SectionRule::<S>(entry.into_inner()));
            self.entries.push(PlacedEntry { offset, rule });
        }
        Ok(())
    }
}

/// Tables and lists of a file that are not sections.
const OTHERS: [&str; 4] = ["disable", "deidentified", "severity", "access"];

macro_rules! sections {
    ($($section:ty,)*) => {
        /// All sections in the order of compilation.
        pub(in crate::rules) const SECTIONS: &[&str] = &[$(<$section as Section>::NAME,)*];

        /// All names allowed at the top level of a file.
        const NAMES: &[&str] = &[
            $(<$section as Section>::NAME,)*
            OTHERS[0], OTHERS[1], OTHERS[2], OTHERS[3],
        ];

        impl File {
            fn section<'de, M: MapAccess<'de>>(
                &mut self,
                name: &'static str,
                map: &mut M,
            ) -> Result<(), M::Error> {
                match name {
                    $(<$section as Section>::NAME => self.read::<$section, M>(map),)*
                    "disable" => map.next_value().map(|value| self.disable = value),
                    "deidentified" => map.next_value().map(|value| self.deidentified = Some(value)),
                    "severity" => map.next_value().map(|value| self.severity = Some(value)),
                    "access" => map.next_value().map(|value| self.access = Some(value)),
                    _ => Err(M::Error::unknown_field(name, NAMES)),
                }
            }
        }

        /// Completes every section.
        pub(in crate::rules) fn finish(rules: &mut RuleSet) {
            $(<$section as Section>::finish(rules);)*
        }
    };
}

sections! {
    dicom::Attributes,
    dicom::Texts,
    dicom::HealthAttributes,
    dicom::PrivateAttributes,
    dicom::Concepts,
    text::Recognisers,
    text::Persons,
    identifiers::Identifiers,
    identifiers::Others,
    hl7v2::Fields,
    hl7v2::Texts,
    hl7v2::Sites,
    hl7v2::IdentifierTypes,
    astm::Fields,
    x12::Elements,
    x12::Entities,
    flat::Fields<flat::Xdt>,
    flat::About<flat::Xdt>,
    flat::XdtObjects,
    edifact::Fields,
    edifact::Parties,
    edifact::About,
    flat::Fields<flat::Ncpdp>,
    flat::About<flat::Ncpdp>,
    recording::Recordings,
    xml::Dialects,
    xml::Fields,
    xml::Records,
    xml::About,
    fhir::Elements,
    fhir::References,
    fhir::Systems,
    health::Segments,
    keys::Keys,
    keys::Contexts,
    placeholder::Values<placeholder::TestPatient>,
    placeholder::Values<placeholder::Placeholder>,
    placeholder::Affixes,
    placeholder::Phantoms,
    services::Services,
    services::Secrets,
    vocabulary::Words,
    words::Words,
    policy::Alerts,
    suppression::Accepted,
}

/// The name of a section or table, as a key of the file.
struct Name(&'static str);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a section")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
                let known = NAMES.iter().find(|name| **name == text);
                known.map(|name| Name(name)).ok_or_else(|| E::unknown_field(text, NAMES))
            }
        }
        from.deserialize_str(Names)
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Sections;
        impl<'de> Visitor<'de> for Sections {
            type Value = File;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sections of rules")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<File, M::Error> {
                let mut file = File::default();
                while let Some(Name(name)) = map.next_key()? {
                    file.section(name, &mut map)?;
                }
                Ok(file)
            }
        }
        from.deserialize_map(Sections)
    }
}
