//! `[[xml]]`: elements of XML messages that identify a patient, by dialect; `[[xml_record]]`: which
//! element holds the data of one patient; `[[xml_about]]`: elements that say what else is there.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::flat::Part;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Health, Kind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Elements in the longest path of a rule.
const MAX_PATH: usize = 6;

section_entry! {
    /// An entry as written.
    pub(in crate::rules) struct Entry {
        dialect: String,
        /// `Patient/Name/LastName`, `PT/PT.patient_id@V`: from an ancestor down to the element or
        /// its attribute.
        paths: Vec<String>,
        kind: Kind,
        #[serde(default)]
        part: Part,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// The element that holds the data of one patient.
    pub(in crate::rules) struct Record {
        dialect: String,
        element: String,
    }
}

section_entry! {
    /// Elements that say what stands beside the identifiers.
    pub(in crate::rules) struct AboutEntry {
        dialect: String,
        paths: Vec<String>,
        shows: Health,
    }
}

/// An element or attribute with the part of a value that it holds.
#[derive(Debug)]
pub struct XmlField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// Which part.
    pub part: Part,
}

/// What is known of one dialect.
#[derive(Debug, Default)]
pub struct XmlDialect {
    records: HashSet<String, foldhash::fast::FixedState>,
    fields: HashMap<String, XmlField, foldhash::fast::FixedState>,
    about: HashMap<String, Health, foldhash::fast::FixedState>,
    /// Last parts of all paths: most elements are in none.
    ends: HashSet<String, foldhash::fast::FixedState>,
}

impl XmlDialect {
    /// Whether an element holds the data of one patient.
    pub fn is_record(&self, element: &str) -> bool {
        self.records.contains(element)
    }
    /// Whether any path ends in this element or attribute.
    pub fn ends_in(&self, name: &str) -> bool {
        self.ends.contains(name)
    }
    /// The field at a path.
    pub fn field(&self, path: &str) -> Option<&XmlField> {
        self.fields.get(path)
    }
    /// What the presence of an element says.
    pub fn about(&self, path: &str) -> Option<Health> {
        self.about.get(path).copied()
    }
}

/// Dialects by name.
#[derive(Debug, Default)]
pub struct XmlRules {
    dialects: HashMap<String, XmlDialect, foldhash::fast::FixedState>,
}

impl XmlRules {
    /// Longest path of a rule, in elements.
    pub const MAX_PATH: usize = MAX_PATH;

    /// What is known of a dialect.
    pub fn dialect(&self, name: &str) -> Option<&XmlDialect> {
        self.dialects.get(name)
    }
}

/// Dialects that are read, and the messages in which their samples stand.
const DIALECTS: [(&str, &str, &str); 2] = [
    ("poct1a", "<OBS.R01>", "</OBS.R01>"),
    ("script", "<Message xmlns=\"http://www.ncpdp.org/schema/SCRIPT\">", "</Message>"),
];

/// `[[xml]]`.
pub(in crate::rules) struct Fields;

impl Section for Fields {
    const NAME: &'static str = "xml";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind)
    }
    fn subject(entry: &Entry) -> String {
        entry.paths.join(", ")
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for path in &entry.paths {
            to.claim(format!("{} {path}", entry.dialect))?;
            let rule = to.field(&entry.common, entry.kind, path, entry.confidence)?;
            let last = last(path, to)?;
            let dialect = dialect(&entry.dialect, to);
            dialect.ends.insert(last.to_owned());
            dialect.fields.insert(path.clone(), XmlField { rule, part: entry.part });
        }
        Ok(())
    }
    /// A sample is a value. Each path must take it.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let Some((_, begin, end)) = DIALECTS.iter().find(|(name, ..)| *name == entry.dialect)
        else {
            // No message is in this dialect.
            return Some(false);
        };
        let records = &with.rules.xml.dialect(&entry.dialect)?.records;
        let taken = |path: &String| {
            let mut body = element(path, sample);
            if !path.split('/').any(|name| records.contains(name)) {
                // Any record will do: always the same one.
                let record = records.iter().min().map_or("", String::as_str);
                body = format!("<{record}>{body}</{record}>");
            }
            let message = format!("{begin}{body}{end}");
            with.takes_from(&entry.common.id, path, "application/xml", message.as_bytes())
        };
        Some(entry.paths.iter().all(taken))
    }
}

/// `A/B@C` as elements with a value.
fn element(path: &str, value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let (path, mut body, attribute) = match path.split_once('@') {
        Some((path, name)) => (path, String::new(), format!(" {name}=\"{value}\"")),
        None => (path, value, String::new()),
    };
    for (at, name) in path.rsplit('/').enumerate() {
        let attribute = if at == 0 { &*attribute } else { "" };
        body = format!("<{name}{attribute}>{body}</{name}>");
    }
    body
}

/// `[[xml_record]]`.
pub(in crate::rules) struct Records;

impl Section for Records {
    const NAME: &'static str = "xml_record";
    type Entry = Record;

    fn subject(entry: &Record) -> String {
        entry.element.clone()
    }
    fn compile(entry: &Record, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        to.claim(format!("{} record {}", entry.dialect, entry.element))?;
        dialect(&entry.dialect, to).records.insert(entry.element.clone());
        Ok(())
    }
    /// A sample is the name of an element.
    fn takes(entry: &Record, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let dialect = with.rules.xml.dialect(&entry.dialect)?;
        Some(sample == entry.element && dialect.is_record(sample))
    }
}

/// `[[xml_about]]`.
pub(in crate::rules) struct About;

impl Section for About {
    const NAME: &'static str = "xml_about";
    type Entry = AboutEntry;

    fn subject(entry: &AboutEntry) -> String {
        entry.paths.join(", ")
    }
    fn compile(entry: &AboutEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for path in &entry.paths {
            to.claim(format!("{} about {path}", entry.dialect))?;
            let last = last(path, to)?;
            let dialect = dialect(&entry.dialect, to);
            dialect.ends.insert(last.to_owned());
            dialect.about.insert(path.clone(), entry.shows);
        }
        Ok(())
    }
    /// A sample is a path.
    fn takes(entry: &AboutEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let dialect = with.rules.xml.dialect(&entry.dialect)?;
        let named = entry.paths.iter().any(|path| path == sample);
        Some(named && dialect.about(sample) == Some(entry.shows))
    }
}

/// The rules of a dialect.
fn dialect<'r>(name: &str, to: &'r mut Compiler<'_>) -> &'r mut XmlDialect {
    to.rules.xml.dialects.entry(name.to_owned()).or_default()
}

/// The last part of a path.
fn last<'p>(path: &'p str, to: &Compiler<'_>) -> Result<&'p str, LoadError> {
    let parts = path.split('/').count();
    let last = path.rsplit('/').next().unwrap_or("");
    if last.is_empty() || path.starts_with('/') || parts > MAX_PATH {
        return to.fault(format!("path {path:?}: write up to {MAX_PATH} elements, A/B@C"));
    }
    Ok(last)
}
