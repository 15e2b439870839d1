//! Reads rule files and builds the rules.

use super::compile::{ClaimedSubjects, Compiler, faulty};
use super::entry::{RuleInfo, Source};
use super::error::LoadError;
use super::identifiers::DEFAULT_REGIONS;
use super::policy::{AccessRules, DeidentifiedEntry, SeverityEntry};
use super::sections::{self, File, PlacedEntry, Rule, SECTIONS};
use super::{RulePart, RuleSet};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The shipped files, each with the parts of the rules that it alone fills. `shipped!(SHIPPED)`
/// lists the files; `shipped!(PARTS)` makes rules that read them on first use.
macro_rules! shipped {
    ($of:ident) => {
        shipped! { $of
            ("dicom.toml") => dicom;
            ("text.toml") => text;
            ("identifiers.toml") => identifiers;
            ("hl7v2.toml") => hl7v2;
            ("astm.toml") => astm;
            ("x12.toml") => x12;
            ("xdt.toml") => xdt;
            ("edifact.toml") => edifact;
            ("ncpdp.toml") => ncpdp;
            ("recordings.toml") => recordings;
            ("xml.toml" "xml_national.toml" "xml_devices.toml" "xml_registries.toml") => xml;
            ("fhir.toml" "fhir_references.toml" "hl7v3.toml") => fhir;
            ("health.toml") => health;
            ("keys.toml" "labels.toml" "records.toml" "message_fields.toml") => keys;
            ("policy.toml") => policy;
            ("placeholders.toml") => placeholders test_patients;
            ("services.toml") => services;
            ("vocabulary.toml") => vocabulary;
            ("words.toml") => words;
        }
    };
    (SHIPPED $(($($file:literal)+) => $($part:ident)+;)*) => {
        &[$($(($file, include_str!(concat!("../../rules/", $file))),)+)*]
    };
    (PARTS $($files:tt => $($part:ident)+;)*) => {
        RuleSet {
            $($($part: shipped!(PART $files $part),)+)*
            digest: digest(SHIPPED.iter().map(|(_, text)| *text)),
            ..RuleSet::default()
        }
    };
    (PART ($($file:literal)+) $part:ident) => {
        RulePart::when_needed(|| shipped_part(&[$($file),+], |rules| rules.$part))
    };
}

/// The shipped rule files: names and texts.
pub const SHIPPED: &[(&str, &str)] = shipped!(SHIPPED);

/// Largest rule file read, bytes.
const MAX_FILE: u64 = 4 << 20;

/// An entry and its position.
type Placed = (Arc<dyn Rule>, Source);

/// Everything read so far, not compiled yet.
#[derive(Default)]
struct Sources {
    /// Entries of all sections by id, so that later files override earlier ones.
    entries: BTreeMap<String, Placed>,
    disable: BTreeMap<String, Source>,
    deidentified: Option<DeidentifiedEntry>,
    severity: Option<SeverityEntry>,
    access: Option<AccessRules>,
    /// Files read, to find the lines of faults that appear only during compilation.
    texts: Vec<(String, String)>,
}

impl RuleSet {
    /// The shipped rules.
    ///
    /// # Errors
    /// A shipped file is faulty, which a test rules out.
    pub fn shipped() -> Result<Self, LoadError> {
        Self::load(None)
    }

    /// The shipped rules, each part read on first use.
    pub fn when_needed() -> Self {
        shipped!(PARTS)
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
                let file = std::fs::metadata(&path).map_err(io)?;
                // Reading a pipe would wait, and a device may never end.
                if !file.is_file() {
                    return Err(io(std::io::Error::other("it is not a regular file")));
                }
                let size = file.len();
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
        let rules = sources.compile().map_err(|error| error.at_key(&texts))?;
        Ok(Self { digest: digest(texts.iter().map(|(_, text)| text.as_str())), ..rules })
    }
}

/// Reads one part of the shipped rules from the files that fill it. A test rules out that they are
/// faulty.
fn shipped_part<T: Default>(files: &[&str], of: fn(RuleSet) -> RulePart<T>) -> T {
    let mut sources = Sources::default();
    let mut files = SHIPPED.iter().filter(|(name, _)| files.contains(name));
    let added = files.try_for_each(|(name, text)| sources.add(name, text));
    added.and_then(|()| sources.compile()).map(|rules| of(rules).into_inner()).unwrap_or_default()
}

/// The first 64 bits of a hash of the files' contents.
fn digest<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().as_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl RuleSet {
    /// The rules of one file, `text`, without the shipped ones. `file` is its name in errors.
    ///
    /// # Errors
    /// It is faulty, with line and reason.
    pub fn alone(file: &str, text: &str) -> Result<Self, LoadError> {
        let mut sources = Sources::default();
        sources.add(file, text)?;
        let texts = std::mem::take(&mut sources.texts);
        sources.compile().map_err(|error| error.at_key(&texts))
    }

    /// The rules with text searched for identifiers of these countries.
    ///
    /// # Errors
    /// A country without rules.
    pub fn in_regions(mut self, regions: &[impl AsRef<str>]) -> Result<Self, LoadError> {
        let regions: Vec<&str> = regions.iter().map(AsRef::as_ref).collect();
        if !self.identifiers.is_read() && regions == DEFAULT_REGIONS {
            // The default, already enabled.
            return Ok(self);
        }
        match self.identifiers.enable(&regions) {
            Ok(()) => Ok(self),
            Err(region) => Err(LoadError::Region {
                region: region.to_owned(),
                hint: if region.eq_ignore_ascii_case("uk") { " (the code is gb)" } else { "" },
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
        // Most entries follow the previous one, so lines are counted only once.
        let (mut at, mut line) = (0, 1);
        for PlacedEntry { offset, rule } in parsed.entries {
            line = match text.get(at..offset) {
                Some(between) => line + line_of(between, between.len()) - 1,
                None => line_of(text, offset),
            };
            at = offset;
            self.insert(rule, (file.to_owned(), line))?;
        }
        for id in parsed.disable {
            let line = line_of(text, id.span().start);
            self.disable.insert(id.into_inner(), (file.to_owned(), line));
        }
        self.texts.push((file.to_owned(), text.to_owned()));
        self.deidentified = parsed.deidentified.or(self.deidentified.take());
        self.severity = parsed.severity.or(self.severity.take());
        self.access = parsed.access.or(self.access.take());
        Ok(())
    }

    /// Adds an entry, or overrides one of an earlier file.
    fn insert(&mut self, rule: Arc<dyn Rule>, source: Source) -> Result<(), LoadError> {
        let common = rule.entry().common();
        let id = common.id.as_str();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if id.is_empty() || !id.bytes().all(allowed) {
            let reason = format!("id {id:?}: use lower-case letters, digits and dashes");
            return Err(faulty(&source, reason));
        }
        if common.title.trim().is_empty() {
            let reason = format!("{id:?} has an empty title: say what it finds");
            return Err(faulty(&source, reason));
        }
        if let Some((earlier, (file, line))) = self.entries.get(id) {
            if *file == source.0 {
                return Err(faulty(&source, format!("id {id:?} is already used in line {line}")));
            }
            let section = earlier.section();
            if section != rule.section() {
                let reason = format!(
                    "id {id:?} is already used in [[{section}]] ({file}:{line}); only an entry of \
                     the same section can override it"
                );
                return Err(faulty(&source, reason));
            }
        }
        self.entries.insert(id.to_owned(), (rule, source));
        Ok(())
    }

    /// Removes the entries that were disabled.
    fn disable(&mut self) -> Result<Vec<String>, LoadError> {
        let disabled = std::mem::take(&mut self.disable);
        for (id, source) in &disabled {
            if self.entries.remove(id).is_none() {
                let reason = format!("disable: there is no rule {id:?}; see phitap rules list");
                return Err(faulty(source, reason));
            }
        }
        Ok(disabled.into_keys().collect())
    }

    fn compile(mut self) -> Result<RuleSet, LoadError> {
        let mut rules = RuleSet { disabled: self.disable()?, ..RuleSet::default() };
        rules.policy.configure(
            self.deidentified.unwrap_or_default(),
            self.severity.unwrap_or_default(),
            self.access.unwrap_or_default(),
        );
        let mut by_section: BTreeMap<&str, Vec<&Placed>> = BTreeMap::new();
        for entry in self.entries.values() {
            by_section.entry(entry.0.section()).or_default().push(entry);
        }
        let mut claimed = ClaimedSubjects::default();
        for section in SECTIONS {
            for (rule, source) in by_section.remove(section).unwrap_or_default() {
                let id = &rule.entry().common().id;
                let mut compiler =
                    Compiler { rules: &mut rules, source, section, id, claimed: &mut claimed };
                rule.compile(&mut compiler)?;
                rules.entries.push(RuleInfo::new(rule, source));
            }
        }
        sections::finish(&mut rules);
        Ok(rules)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..offset.min(text.len())]).count()
}

/// Whether an entry comes from a shipped file, which tests have checked.
pub(in crate::rules) fn is_shipped(source: &Source) -> bool {
    SHIPPED.iter().any(|(name, _)| *name == source.0)
}
