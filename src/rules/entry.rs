//! What all entries of rule files have in common.

use super::Kind;
use super::sections::Rule;
use std::sync::Arc;

/// The common part of an entry, for lists and sample tests.
#[derive(Clone, Debug)]
pub struct RuleInfo {
    /// Unique id.
    pub id: String,
    /// A title for people.
    pub title: String,
    /// Section of the file: `dicom`, `hl7v2`, `fhir`, `key`, `alert`...
    pub section: &'static str,
    /// The kind of identifier, if the entry names one.
    pub kind: Option<Kind>,
    /// Where it looks: a tag, a field, a path, key names.
    pub subject: String,
    /// The standard it comes from.
    pub reference: String,
    /// Samples that it must take.
    pub matches: Vec<String>,
    /// Samples that it must not take.
    pub no_matches: Vec<String>,
    /// File and line.
    pub source: (String, usize),
    /// The entry, which runs its samples.
    pub(in crate::rules) rule: Arc<dyn Rule>,
}

impl RuleInfo {
    pub(in crate::rules) fn new(rule: &Arc<dyn Rule>, source: &Source) -> Self {
        let common = rule.entry().common();
        Self {
            id: common.id.clone(),
            title: common.title.clone(),
            section: rule.section(),
            kind: rule.kind(),
            subject: rule.subject(),
            reference: common.reference.clone(),
            matches: common.matches.clone(),
            no_matches: common.no_matches.clone(),
            source: source.clone(),
            rule: Arc::clone(rule),
        }
    }
}

/// File and line of an entry.
pub(in crate::rules) type Source = (String, usize);

/// The keys that entries of all sections have.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Common {
    pub id: String,
    pub title: String,
    pub reference: String,
    pub matches: Vec<String>,
    pub no_matches: Vec<String>,
}

/// An entry of a section.
pub(in crate::rules) trait SectionEntry {
    /// The keys that it shares with all entries.
    fn common(&self) -> &Common;
}

/// Defines an entry of a section: the given fields beside the [`Common`] ones, and no others.
/// `serde(flatten)` would do this too, but cannot refuse unknown keys.
macro_rules! section_entry {
    ($(#[doc = $doc:literal])* $vis:vis struct $name:ident {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $doc])*
        $vis struct $name {
            pub(in crate::rules) common: $crate::rules::entry::Common,
            $($field: $type,)*
        }

        impl $crate::rules::entry::SectionEntry for $name {
            fn common(&self) -> &$crate::rules::entry::Common {
                &self.common
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct EntryKeys {
                    id: String,
                    title: String,
                    #[serde(default)]
                    reference: String,
                    #[serde(default, rename = "match")]
                    matches: Vec<String>,
                    #[serde(default, rename = "no_match")]
                    no_matches: Vec<String>,
                    $($(#[$meta])* $field: $type,)*
                }
                let written = EntryKeys::deserialize(from)?;
                Ok(Self {
                    common: $crate::rules::entry::Common {
                        id: written.id,
                        title: written.title,
                        reference: written.reference,
                        matches: written.matches,
                        no_matches: written.no_matches,
                    },
                    $($field: written.$field,)*
                })
            }
        }
    };
}
pub(in crate::rules) use section_entry;
