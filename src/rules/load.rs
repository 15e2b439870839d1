//! Reading rule files.

pub use super::error::LoadError;
use super::{
    Kind, RuleSet, astm, dicom, edifact, fhir, flat, health, hl7v2, identifiers, keys, placeholder,
    policy, services, suppression, text, x12, xml,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The rule files that ship with the binary.
pub const SHIPPED: &[(&str, &str)] = &[
    ("dicom.toml", include_str!("../../rules/dicom.toml")),
    ("text.toml", include_str!("../../rules/text.toml")),
    ("identifiers.toml", include_str!("../../rules/identifiers.toml")),
    ("hl7v2.toml", include_str!("../../rules/hl7v2.toml")),
    ("astm.toml", include_str!("../../rules/astm.toml")),
    ("x12.toml", include_str!("../../rules/x12.toml")),
    ("xdt.toml", include_str!("../../rules/xdt.toml")),
    ("edifact.toml", include_str!("../../rules/edifact.toml")),
    ("ncpdp.toml", include_str!("../../rules/ncpdp.toml")),
    ("xml.toml", include_str!("../../rules/xml.toml")),
    ("xml_national.toml", include_str!("../../rules/xml_national.toml")),
    ("fhir.toml", include_str!("../../rules/fhir.toml")),
    ("fhir_references.toml", include_str!("../../rules/fhir_references.toml")),
    ("hl7v3.toml", include_str!("../../rules/hl7v3.toml")),
    ("health.toml", include_str!("../../rules/health.toml")),
    ("keys.toml", include_str!("../../rules/keys.toml")),
    ("labels.toml", include_str!("../../rules/labels.toml")),
    ("policy.toml", include_str!("../../rules/policy.toml")),
    ("services.toml", include_str!("../../rules/services.toml")),
];

/// Largest rule file read, bytes.
const MAX_FILE: u64 = 4 << 20;

/// What every entry has, for lists and sample tests.
#[derive(Clone, Debug)]
pub struct RuleInfo {
    /// Unique id.
    pub id: String,
    /// For people.
    pub title: String,
    /// Section of the file: `dicom`, `hl7v2`, `fhir`, `key`, `alert`...
    pub section: &'static str,
    /// What it identifies by, where it names a kind.
    pub kind: Option<Kind>,
    /// Where it looks: a tag, a field, a path, key names.
    pub subject: String,
    /// The standard it comes from.
    pub reference: String,
    /// Samples that it must take.
    pub matches: Vec<String>,
    /// Samples that it must not take.
    pub no_matches: Vec<String>,
    /// File and line, for messages.
    pub source: (String, usize),
}

/// A rule file as it is written. Every section may stand in any file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    dicom: Vec<toml::Spanned<dicom::Entry>>,
    #[serde(default)]
    dicom_text: Vec<toml::Spanned<dicom::TextEntry>>,
    #[serde(default)]
    dicom_health: Vec<toml::Spanned<dicom::HealthEntry>>,
    #[serde(default)]
    dicom_private: Vec<toml::Spanned<dicom::PrivateEntry>>,
    #[serde(default)]
    dicom_concept: Vec<toml::Spanned<dicom::ConceptEntry>>,
    #[serde(default)]
    recogniser: Vec<toml::Spanned<text::Entry>>,
    #[serde(default)]
    identifier: Vec<toml::Spanned<identifiers::Entry>>,
    #[serde(default)]
    not_identifier: Vec<toml::Spanned<identifiers::NotEntry>>,
    #[serde(default)]
    hl7v2: Vec<toml::Spanned<hl7v2::Entry>>,
    #[serde(default)]
    hl7_identifier_type: Vec<toml::Spanned<hl7v2::IdentifierType>>,
    #[serde(default)]
    hl7_text: Vec<toml::Spanned<hl7v2::TextField>>,
    #[serde(default)]
    hl7_site: Vec<toml::Spanned<hl7v2::SiteShape>>,
    #[serde(default)]
    text_person: Vec<toml::Spanned<text::PersonWords>>,
    #[serde(default)]
    astm: Vec<toml::Spanned<hl7v2::Entry>>,
    #[serde(default)]
    x12: Vec<toml::Spanned<x12::Entry>>,
    #[serde(default)]
    x12_entity: Vec<toml::Spanned<x12::Entity>>,
    #[serde(default)]
    xdt: Vec<toml::Spanned<flat::Entry>>,
    #[serde(default)]
    xdt_about: Vec<toml::Spanned<flat::AboutEntry>>,
    #[serde(default)]
    xdt_object: Vec<toml::Spanned<flat::Object>>,
    #[serde(default)]
    edifact: Vec<toml::Spanned<edifact::Entry>>,
    #[serde(default)]
    edifact_party: Vec<toml::Spanned<edifact::Party>>,
    #[serde(default)]
    edifact_about: Vec<toml::Spanned<edifact::AboutEntry>>,
    #[serde(default)]
    ncpdp: Vec<toml::Spanned<flat::Entry>>,
    #[serde(default)]
    ncpdp_about: Vec<toml::Spanned<flat::AboutEntry>>,
    #[serde(default)]
    xml_dialect: Vec<toml::Spanned<xml::Start>>,
    #[serde(default)]
    xml: Vec<toml::Spanned<xml::Entry>>,
    #[serde(default)]
    xml_record: Vec<toml::Spanned<xml::Record>>,
    #[serde(default)]
    xml_about: Vec<toml::Spanned<xml::AboutEntry>>,
    #[serde(default)]
    fhir: Vec<toml::Spanned<fhir::Entry>>,
    #[serde(default)]
    fhir_reference: Vec<toml::Spanned<fhir::ReferenceEntry>>,
    #[serde(default)]
    identifier_system: Vec<toml::Spanned<fhir::IdentifierSystem>>,
    #[serde(default)]
    health: Vec<toml::Spanned<health::Entry>>,
    #[serde(default)]
    key: Vec<toml::Spanned<keys::Entry>>,
    #[serde(default)]
    key_context: Vec<toml::Spanned<keys::Context>>,
    #[serde(default)]
    phantom: Vec<toml::Spanned<placeholder::Phantom>>,
    #[serde(default)]
    placeholder: Vec<toml::Spanned<placeholder::Entry>>,
    #[serde(default)]
    test_patient: Vec<toml::Spanned<placeholder::Entry>>,
    #[serde(default)]
    name_affix: Vec<toml::Spanned<placeholder::Affix>>,
    #[serde(default)]
    alert: Vec<toml::Spanned<policy::Entry>>,
    #[serde(default)]
    service: Vec<toml::Spanned<services::Entry>>,
    #[serde(default)]
    secret: Vec<toml::Spanned<services::SecretEntry>>,
    #[serde(default)]
    suppression: Vec<toml::Spanned<suppression::Entry>>,
    /// Ids of rules that do not apply here.
    #[serde(default)]
    disable: Vec<toml::Spanned<String>>,
    deidentified: Option<policy::DeidentifiedEntry>,
    severity: Option<policy::SeverityEntry>,
    access: Option<policy::AccessRules>,
}

/// What every entry shares.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Common {
    pub id: String,
    pub title: String,
    pub reference: String,
    pub matches: Vec<String>,
    pub no_matches: Vec<String>,
}

/// Defines an entry of a section: the given fields beside the [`Common`] ones, and no others.
/// (`serde(flatten)` would do it, but then unknown keys can no longer be refused.)
macro_rules! section_entry {
    ($(#[doc = $doc:literal])* $vis:vis struct $name:ident {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $doc])*
        $vis struct $name {
            pub(in crate::rules) common: $crate::rules::load::Common,
            $($field: $type,)*
        }

        impl $crate::rules::load::SectionEntry for $name {
            fn common(&self) -> &$crate::rules::load::Common {
                &self.common
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Written {
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
                let written = Written::deserialize(from)?;
                Ok(Self {
                    common: $crate::rules::load::Common {
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

/// File and line of an entry.
pub(in crate::rules) type Source = (String, usize);

/// Entries of one section by id, so that a later file overrides an earlier one; in order of id.
type Section<T> = BTreeMap<String, (T, Source)>;

/// An entry of a section.
pub(in crate::rules) trait SectionEntry {
    /// What it shares with all entries.
    fn common(&self) -> &Common;
}

/// Everything read so far, not yet compiled.
#[derive(Default)]
struct Sources {
    dicom: Section<dicom::Entry>,
    dicom_text: Section<dicom::TextEntry>,
    dicom_health: Section<dicom::HealthEntry>,
    dicom_private: Section<dicom::PrivateEntry>,
    dicom_concept: Section<dicom::ConceptEntry>,
    recogniser: Section<text::Entry>,
    identifier: Section<identifiers::Entry>,
    not_identifier: Section<identifiers::NotEntry>,
    hl7v2: Section<hl7v2::Entry>,
    hl7_identifier_type: Section<hl7v2::IdentifierType>,
    hl7_text: Section<hl7v2::TextField>,
    hl7_site: Section<hl7v2::SiteShape>,
    text_person: Section<text::PersonWords>,
    astm: Section<hl7v2::Entry>,
    x12: Section<x12::Entry>,
    x12_entity: Section<x12::Entity>,
    xdt: Section<flat::Entry>,
    xdt_about: Section<flat::AboutEntry>,
    xdt_object: Section<flat::Object>,
    edifact: Section<edifact::Entry>,
    edifact_party: Section<edifact::Party>,
    edifact_about: Section<edifact::AboutEntry>,
    ncpdp: Section<flat::Entry>,
    ncpdp_about: Section<flat::AboutEntry>,
    xml_dialect: Section<xml::Start>,
    xml: Section<xml::Entry>,
    xml_record: Section<xml::Record>,
    xml_about: Section<xml::AboutEntry>,
    fhir: Section<fhir::Entry>,
    fhir_reference: Section<fhir::ReferenceEntry>,
    identifier_system: Section<fhir::IdentifierSystem>,
    health: Section<health::Entry>,
    key: Section<keys::Entry>,
    key_context: Section<keys::Context>,
    placeholder: Section<placeholder::Entry>,
    phantom: Section<placeholder::Phantom>,
    test_patient: Section<placeholder::Entry>,
    name_affix: Section<placeholder::Affix>,
    alert: Section<policy::Entry>,
    service: Section<services::Entry>,
    secret: Section<services::SecretEntry>,
    suppression: Section<suppression::Entry>,
    disable: BTreeMap<String, Source>,
    deidentified: Option<policy::DeidentifiedEntry>,
    /// Section and place of every id: one namespace over all sections.
    ids: HashMap<String, (&'static str, Source)>,
    severity: Option<policy::SeverityEntry>,
    access: Option<policy::AccessRules>,
    /// Files read, for the lines of faults that show only when entries are compiled.
    texts: Vec<(String, String)>,
}

impl RuleSet {
    /// The shipped rules.
    ///
    /// # Errors
    /// Only if a shipped file is faulty, which a test rules out.
    pub fn shipped() -> Result<Self, LoadError> {
        Self::load(None)
    }

    /// The shipped rules, extended and overridden by the `*.toml` files of `dir` in order of name.
    ///
    /// # Errors
    /// The first file that cannot be read or is faulty, with line and reason.
    pub fn load(dir: Option<&Path>) -> Result<Self, LoadError> {
        let mut sources = Sources::default();
        for (name, text) in SHIPPED {
            sources.add(name, text)?;
        }
        if let Some(dir) = dir {
            for path in toml_files(dir)? {
                let io = |source| LoadError::Io { path: path.clone(), source };
                let size = std::fs::metadata(&path).map_err(io)?.len();
                if size > MAX_FILE {
                    return Err(LoadError::Faulty {
                        file: path.display().to_string(),
                        line: 1,
                        reason: format!("{size} bytes; a rule file has at most {MAX_FILE}"),
                    });
                }
                let text = std::fs::read_to_string(&path).map_err(io)?;
                sources.add(&path.display().to_string(), &text)?;
            }
        }
        let texts = std::mem::take(&mut sources.texts);
        sources.compile().map_err(|error| error.at_key(&texts))
    }
}

impl RuleSet {
    /// The same, looking for identifiers of these countries in running text.
    ///
    /// # Errors
    /// A country without rules.
    pub fn in_regions(mut self, regions: &[impl AsRef<str>]) -> Result<Self, LoadError> {
        let regions: Vec<&str> = regions.iter().map(AsRef::as_ref).collect();
        match self.identifiers.enable(&regions) {
            Ok(()) => Ok(self),
            Err(region) => Err(LoadError::Region {
                region: region.to_owned(),
                known: self.identifiers.regions().collect::<Vec<_>>().join(" "),
            }),
        }
    }
}

fn toml_files(dir: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let io = |source| LoadError::Io { path: dir.to_path_buf(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Sources {
    fn add(&mut self, file: &str, text: &str) -> Result<(), LoadError> {
        let parsed: File = toml::from_str(text).map_err(|e| LoadError::Faulty {
            file: file.to_owned(),
            line: e.span().map_or(1, |s| line_of(text, s.start)),
            reason: e.message().to_owned(),
        })?;
        let mut at = Place { file, text, ids: &mut self.ids };
        at.merge("dicom", &mut self.dicom, parsed.dicom)?;
        at.merge("dicom_text", &mut self.dicom_text, parsed.dicom_text)?;
        at.merge("dicom_health", &mut self.dicom_health, parsed.dicom_health)?;
        at.merge("dicom_private", &mut self.dicom_private, parsed.dicom_private)?;
        at.merge("dicom_concept", &mut self.dicom_concept, parsed.dicom_concept)?;
        at.merge("recogniser", &mut self.recogniser, parsed.recogniser)?;
        at.merge("identifier", &mut self.identifier, parsed.identifier)?;
        at.merge("not_identifier", &mut self.not_identifier, parsed.not_identifier)?;
        at.merge("hl7v2", &mut self.hl7v2, parsed.hl7v2)?;
        at.merge("hl7_identifier_type", &mut self.hl7_identifier_type, parsed.hl7_identifier_type)?;
        at.merge("astm", &mut self.astm, parsed.astm)?;
        at.merge("x12", &mut self.x12, parsed.x12)?;
        at.merge("x12_entity", &mut self.x12_entity, parsed.x12_entity)?;
        at.merge("xdt", &mut self.xdt, parsed.xdt)?;
        at.merge("xdt_about", &mut self.xdt_about, parsed.xdt_about)?;
        at.merge("xdt_object", &mut self.xdt_object, parsed.xdt_object)?;
        at.merge("edifact", &mut self.edifact, parsed.edifact)?;
        at.merge("edifact_party", &mut self.edifact_party, parsed.edifact_party)?;
        at.merge("edifact_about", &mut self.edifact_about, parsed.edifact_about)?;
        at.merge("ncpdp", &mut self.ncpdp, parsed.ncpdp)?;
        at.merge("ncpdp_about", &mut self.ncpdp_about, parsed.ncpdp_about)?;
        at.merge("xml", &mut self.xml, parsed.xml)?;
        at.merge("xml_dialect", &mut self.xml_dialect, parsed.xml_dialect)?;
        at.merge("xml_record", &mut self.xml_record, parsed.xml_record)?;
        at.merge("xml_about", &mut self.xml_about, parsed.xml_about)?;
        at.merge("fhir", &mut self.fhir, parsed.fhir)?;
        at.merge("fhir_reference", &mut self.fhir_reference, parsed.fhir_reference)?;
        at.merge("identifier_system", &mut self.identifier_system, parsed.identifier_system)?;
        at.merge("hl7_text", &mut self.hl7_text, parsed.hl7_text)?;
        at.merge("hl7_site", &mut self.hl7_site, parsed.hl7_site)?;
        at.merge("text_person", &mut self.text_person, parsed.text_person)?;
        at.merge("health", &mut self.health, parsed.health)?;
        at.merge("key", &mut self.key, parsed.key)?;
        at.merge("key_context", &mut self.key_context, parsed.key_context)?;
        at.merge("placeholder", &mut self.placeholder, parsed.placeholder)?;
        at.merge("phantom", &mut self.phantom, parsed.phantom)?;
        at.merge("test_patient", &mut self.test_patient, parsed.test_patient)?;
        at.merge("name_affix", &mut self.name_affix, parsed.name_affix)?;
        at.merge("alert", &mut self.alert, parsed.alert)?;
        at.merge("service", &mut self.service, parsed.service)?;
        at.merge("secret", &mut self.secret, parsed.secret)?;
        at.merge("suppression", &mut self.suppression, parsed.suppression)?;
        for id in parsed.disable {
            let line = line_of(text, id.span().start);
            self.disable.insert(id.into_inner(), (file.to_owned(), line));
        }
        self.texts.push((file.to_owned(), text.to_owned()));
        if parsed.deidentified.is_some() {
            self.deidentified = parsed.deidentified;
        }
        if parsed.severity.is_some() {
            self.severity = parsed.severity;
        }
        if parsed.access.is_some() {
            self.access = parsed.access;
        }
        Ok(())
    }

    /// Takes out what was switched off.
    fn disable(&mut self) -> Result<Vec<String>, LoadError> {
        let disabled = std::mem::take(&mut self.disable);
        for (id, source) in &disabled {
            if !self.ids.contains_key(id) {
                let reason = format!("disable: there is no rule {id:?}; see phitap rules list");
                return Err(faulty(source, reason));
            }
            // An id is in one section only.
            self.dicom.remove(id);
            self.dicom_text.remove(id);
            self.recogniser.remove(id);
            self.identifier.remove(id);
            self.not_identifier.remove(id);
            self.hl7v2.remove(id);
            self.hl7_identifier_type.remove(id);
            self.astm.remove(id);
            self.x12.remove(id);
            self.x12_entity.remove(id);
            self.fhir.remove(id);
            self.fhir_reference.remove(id);
            self.identifier_system.remove(id);
            self.key.remove(id);
            self.key_context.remove(id);
            self.placeholder.remove(id);
            self.name_affix.remove(id);
            self.alert.remove(id);
            self.suppression.remove(id);
            self.dicom_health.remove(id);
            self.dicom_private.remove(id);
            self.dicom_concept.remove(id);
            self.hl7_text.remove(id);
            self.hl7_site.remove(id);
            self.text_person.remove(id);
            self.xdt.remove(id);
            self.xdt_about.remove(id);
            self.xdt_object.remove(id);
            self.edifact.remove(id);
            self.edifact_party.remove(id);
            self.edifact_about.remove(id);
            self.ncpdp.remove(id);
            self.ncpdp_about.remove(id);
            self.xml.remove(id);
            self.xml_dialect.remove(id);
            self.xml_record.remove(id);
            self.xml_about.remove(id);
            self.health.remove(id);
            self.phantom.remove(id);
            self.test_patient.remove(id);
            self.service.remove(id);
            self.secret.remove(id);
        }
        Ok(disabled.into_keys().collect())
    }

    fn compile(mut self) -> Result<RuleSet, LoadError> {
        let disabled = self.disable()?;
        let mut entries = Vec::new();
        let severity = self.severity.unwrap_or_default();
        let deidentified = self.deidentified.unwrap_or_default();
        let access = self.access.unwrap_or_default();
        Ok(RuleSet {
            dicom: dicom::compile(
                dicom::Sections {
                    attributes: self.dicom,
                    texts: self.dicom_text,
                    health: self.dicom_health,
                    private: self.dicom_private,
                    concepts: self.dicom_concept,
                },
                &mut entries,
            )?,
            text: text::compile(self.recogniser, self.text_person, &mut entries)?,
            identifiers: identifiers::compile(self.identifier, self.not_identifier, &mut entries)?,
            hl7v2: hl7v2::compile(
                self.hl7v2,
                self.hl7_identifier_type,
                self.hl7_text,
                self.hl7_site,
                &mut entries,
            )?,
            astm: astm::compile(self.astm, &mut entries)?,
            x12: x12::compile(self.x12, self.x12_entity, &mut entries)?,
            xdt: flat::compile(
                ["xdt", "xdt_about", "xdt_object"],
                self.xdt,
                self.xdt_about,
                self.xdt_object,
                &mut entries,
            )?,
            edifact: edifact::compile(
                self.edifact,
                self.edifact_party,
                self.edifact_about,
                &mut entries,
            )?,
            ncpdp: flat::compile(
                ["ncpdp", "ncpdp_about", ""],
                self.ncpdp,
                self.ncpdp_about,
                Section::new(),
                &mut entries,
            )?,
            xml: xml::compile(
                self.xml_dialect,
                self.xml,
                self.xml_record,
                self.xml_about,
                &mut entries,
            )?,
            fhir: fhir::compile(
                self.fhir,
                self.fhir_reference,
                self.identifier_system,
                &mut entries,
            )?,
            health: health::compile(self.health, &mut entries)?,
            keys: keys::compile(self.key, self.key_context, &mut entries)?,
            test_patients: placeholder::compile_values(
                "test_patient",
                self.test_patient,
                &mut entries,
            )?,
            placeholders: placeholder::compile(
                self.placeholder,
                self.name_affix,
                self.phantom,
                &mut entries,
            )?,
            services: services::compile(self.service, self.secret, &mut entries)?,
            policy: policy::compile(self.alert, deidentified, severity, access, &mut entries)?,
            suppressions: suppression::compile(self.suppression, &mut entries)?.into(),
            disabled,
            entries,
        })
    }
}

/// A file being read, for messages.
struct Place<'a> {
    file: &'a str,
    text: &'a str,
    ids: &'a mut HashMap<String, (&'static str, Source)>,
}

impl Place<'_> {
    fn merge<T: SectionEntry>(
        &mut self,
        name: &'static str,
        section: &mut Section<T>,
        entries: Vec<toml::Spanned<T>>,
    ) -> Result<(), LoadError> {
        for entry in entries {
            let line = line_of(self.text, entry.span().start);
            let entry = entry.into_inner();
            let id = entry.common().id.clone();
            let faulty =
                |reason| Err(LoadError::Faulty { file: self.file.to_owned(), line, reason });
            if id.is_empty()
                || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                return faulty(format!("id {id:?}: use lower-case letters, digits and dashes"));
            }
            if entry.common().title.trim().is_empty() {
                return faulty(format!("{id:?} has an empty title: say what it finds"));
            }
            if let Some((section, (file, at))) = self.ids.get(&id) {
                if file == self.file {
                    return faulty(format!("id {id:?} is already used in line {at}"));
                }
                if *section != name {
                    return faulty(format!(
                        "id {id:?} is already used in [[{section}]] ({file}:{at}); only an entry \
                         of the same section can override it"
                    ));
                }
            }
            let source = (self.file.to_owned(), line);
            self.ids.insert(id.clone(), (name, source.clone()));
            section.insert(id, (entry, source));
        }
        Ok(())
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..offset.min(text.len())]).count()
}

/// Whether an entry stands in a file that ships with the binary, which tests have checked.
pub(in crate::rules) fn is_shipped(source: &Source) -> bool {
    SHIPPED.iter().any(|(name, _)| *name == source.0)
}

/// A fault in a compiled entry.
pub(in crate::rules) fn faulty(source: &Source, reason: impl Into<String>) -> LoadError {
    LoadError::Faulty { file: source.0.clone(), line: source.1, reason: reason.into() }
}

/// The list entry of a rule.
pub(in crate::rules) fn info(
    section: &'static str,
    common: &Common,
    kind: Option<Kind>,
    subject: String,
    source: &Source,
) -> RuleInfo {
    RuleInfo {
        id: common.id.clone(),
        title: common.title.clone(),
        section,
        kind,
        subject,
        reference: common.reference.clone(),
        matches: common.matches.clone(),
        no_matches: common.no_matches.clone(),
        source: source.clone(),
    }
}

/// Compiles the field of an entry.
pub(in crate::rules) fn field_rule(
    common: &Common,
    kind: Kind,
    field: &str,
    confidence: Option<f32>,
    source: &Source,
) -> Result<std::sync::Arc<super::FieldRule>, LoadError> {
    let confidence = confidence.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&confidence) {
        return Err(faulty(source, format!("confidence {confidence}: write a number from 0 to 1")));
    }
    Ok(std::sync::Arc::new(super::FieldRule {
        id: common.id.as_str().into(),
        title: common.title.clone(),
        reference: common.reference.clone(),
        kind,
        field: field.into(),
        confidence,
    }))
}

pub(in crate::rules) type Compiled<T> = BTreeMap<String, (T, Source)>;

/// Who has taken which subject (a tag, a field, a key name): two entries for one subject would
/// leave it to chance which of them holds.
#[derive(Default)]
pub(in crate::rules) struct ClaimedSubjects(HashMap<String, (String, Source)>);

impl ClaimedSubjects {
    /// Takes `subject` for the entry `id`.
    pub fn take(&mut self, subject: String, id: &str, source: &Source) -> Result<(), LoadError> {
        if let Some((other, (file, line))) = self.0.get(&subject)
            && other != id
        {
            return Err(faulty(
                source,
                format!(
                    "{subject:?} is already taken by {other:?} ({file}:{line}); to override that \
                     entry give this one the same id"
                ),
            ));
        }
        self.0.insert(subject, (id.to_owned(), source.clone()));
        Ok(())
    }
}
