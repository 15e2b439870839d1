//! `[[xml_dialect]]`: how a message of an XML dialect begins. `[[xml]]`: elements that identify a
//! patient. `[[xml_record]]`: elements that hold the data of one patient. `[[xml_about]]`: elements
//! that show what else a record holds.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::flat::Part;
use super::samples::Samples;
use super::sections::Section;
use super::{FieldRule, Health, Kind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most elements in the path of a rule.
const MAX_PATH: usize = 6;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        dialect: String,
        /// `Patient/Name/LastName`, `PT/PT.patient_id@V`: from an ancestor to the element or its
        /// attribute.
        paths: Vec<String>,
        kind: Kind,
        #[serde(default)]
        part: Part,
        confidence: Option<f32>,
    }
}

section_entry! {
    /// An element that holds the data of one patient.
    pub(in crate::rules) struct Record {
        dialect: String,
        element: String,
        /// `NAME=VALUE`: an attribute that the element must have.
        attribute: Option<String>,
        /// Where the record holds its id, if the document lists patients elsewhere.
        own_id: Option<String>,
        /// Where the document lists the records that are patients.
        named_in: Option<String>,
    }
}

section_entry! {
    /// How a message of a dialect begins.
    pub(in crate::rules) struct Start {
        dialect: String,
        /// Names of the root element without prefix; a trailing `*` matches any rest.
        elements: Vec<String>,
        /// Namespace prefixes, one of which must be declared; empty if the names are enough.
        #[serde(default)]
        namespaces: Vec<String>,
    }
}

section_entry! {
    /// Elements that show what else the record holds.
    pub(in crate::rules) struct AboutEntry {
        dialect: String,
        paths: Vec<String>,
        shows: Health,
    }
}

/// An element or attribute with the part of the value it holds.
#[derive(Debug)]
pub struct XmlField {
    /// What it means.
    pub rule: Arc<FieldRule>,
    /// The part it holds.
    pub part: Part,
}

/// The rules of one dialect.
#[derive(Debug, Default)]
pub struct XmlDialect {
    /// By element: the attribute it must have, if any.
    records: HashMap<String, Option<(String, String)>, foldhash::fast::FixedState>,
    own_ids: HashSet<String, foldhash::fast::FixedState>,
    named_in: HashSet<String, foldhash::fast::FixedState>,
    fields: HashMap<String, XmlField, foldhash::fast::FixedState>,
    about: HashMap<String, Health, foldhash::fast::FixedState>,
    /// Last parts of all paths, because most elements are in none.
    ends: HashSet<String, foldhash::fast::FixedState>,
}

impl XmlDialect {
    /// Whether an element holds the data of one patient. `has` checks for an attribute with a
    /// value.
    pub fn is_record(&self, element: &str, has: impl FnOnce(&str, &str) -> bool) -> bool {
        match self.records.get(element) {
            Some(Some((name, value))) => has(name, value),
            Some(None) => true,
            None => false,
        }
    }
    /// Whether only records that the document lists are patients.
    pub fn names_patients(&self) -> bool {
        !self.named_in.is_empty()
    }
    /// Whether a path holds the id of a record.
    pub fn is_own_id(&self, path: &str) -> bool {
        self.own_ids.contains(path)
    }
    /// Whether a path lists a record as patient.
    pub fn is_named_in(&self, path: &str) -> bool {
        self.named_in.contains(path)
    }
    /// Whether any path ends in this element or attribute.
    pub fn ends_in(&self, name: &str) -> bool {
        self.ends.contains(name)
    }
    /// The field at a path.
    pub fn field(&self, path: &str) -> Option<&XmlField> {
        self.fields.get(path)
    }
    /// What an element shows about the record.
    pub fn about(&self, path: &str) -> Option<Health> {
        self.about.get(path).copied()
    }
}

/// Dialects by name.
#[derive(Debug, Default)]
pub struct XmlRules {
    dialects: HashMap<String, XmlDialect, foldhash::fast::FixedState>,
    starts: HashMap<String, Vec<DialectStart>, foldhash::fast::FixedState>,
    /// Beginnings given by prefix.
    fronts: Vec<(String, DialectStart)>,
}

#[derive(Clone, Debug)]
struct DialectStart {
    dialect: String,
    namespaces: Vec<String>,
}

impl XmlRules {
    /// Longest path of a rule, in elements.
    pub const MAX_PATH: usize = MAX_PATH;

    /// The dialect whose messages begin with `element`. `declares` checks for a declared namespace
    /// with a prefix.
    pub fn begun(&self, element: &str, declares: impl Fn(&str) -> bool) -> Option<&str> {
        let named = self.starts.get(element).into_iter().flatten();
        let fronts = self.fronts.iter().filter(|(front, _)| element.starts_with(front.as_str()));
        let mut all = named.chain(fronts.map(|(_, start)| start));
        let declared = |start: &&DialectStart| {
            start.namespaces.is_empty() || start.namespaces.iter().any(|n| declares(n))
        };
        all.find(declared).map(|start| start.dialect.as_str())
    }

    /// The rules of a dialect.
    pub fn dialect(&self, name: &str) -> Option<&XmlDialect> {
        self.dialects.get(name)
    }
}

/// `[[xml_dialect]]`.
pub(in crate::rules) struct Dialects;

impl Section for Dialects {
    const NAME: &'static str = "xml_dialect";
    type Entry = Start;

    fn subject(entry: &Start) -> String {
        entry.elements.join(", ")
    }
    fn compile(entry: &Start, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let (dialect, namespaces) = (entry.dialect.clone(), entry.namespaces.clone());
        let start = DialectStart { dialect, namespaces };
        for element in &entry.elements {
            match element.strip_suffix('*') {
                Some(front) => to.rules.xml.fronts.push((front.to_owned(), start.clone())),
                None => {
                    let starts = to.rules.xml.starts.entry(element.clone()).or_default();
                    starts.push(start.clone());
                }
            }
        }
        Ok(())
    }
    /// A sample is the name of an element, optionally followed by a blank and a namespace.
    fn takes(entry: &Start, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (element, namespace) = sample.split_once(' ').unwrap_or((sample, ""));
        let declares = |front: &str| namespace.starts_with(front);
        Some(with.rules.xml.begun(element, declares) == Some(&entry.dialect))
    }
}

/// Dialects that need no entry to be recognised, with the messages for their samples.
const BUILT_IN: [(&str, &str, &str); 2] = [
    ("poct1a", "<OBS.R01>", "</OBS.R01>"),
    ("script", "<Message xmlns=\"http://www.ncpdp.org/schema/SCRIPT\">", "</Message>"),
];

impl XmlRules {
    /// The tags around a message of a dialect; none if the dialect has no messages.
    fn envelope(&self, dialect: &str) -> Option<(String, String)> {
        if let Some((_, begin, end)) = BUILT_IN.iter().find(|(name, ..)| *name == dialect) {
            return Some(((*begin).to_owned(), (*end).to_owned()));
        }
        let named = self.starts.iter().flat_map(|(name, all)| all.iter().map(move |s| (name, s)));
        let fronts = self.fronts.iter().map(|(front, start)| (front, start));
        // Any of them works, but always choose the same one.
        let of_dialect = named.chain(fronts).filter(|(_, start)| start.dialect == dialect);
        let (root, start) = of_dialect.min_by_key(|(name, _)| *name)?;
        let begin = match start.namespaces.first() {
            Some(namespace) => format!("<{root} xmlns=\"{namespace}\">"),
            None => format!("<{root}>"),
        };
        Some((begin, format!("</{root}>")))
    }
}

impl XmlDialect {
    /// The elements of a message with a value at `path`, inside a patient's record.
    fn body(&self, path: &str, value: &str) -> String {
        // Any record works, but always choose the same one.
        let any = self.records.keys().min().map_or("", String::as_str);
        let (mut before, mut record, mut inside) = (Vec::new(), any, path);
        let mut rest = path;
        while let Some((name, below)) = rest.split_once('/') {
            if self.records.contains_key(name) {
                (record, inside) = (name, below);
                break;
            }
            before.push(name);
            rest = below;
        }
        if inside == path {
            before.clear();
        }
        let own = |own: &String| own.split_once('/').map(|(_, below)| element(below, "1"));
        let own: String = self.own_ids.iter().filter_map(own).collect();
        let named: String = self.named_in.iter().map(|path| element(path, "1")).collect();
        let opened: String = before.iter().map(|name| format!("<{name}>")).collect();
        let closed: String = before.iter().rev().map(|name| format!("</{name}>")).collect();
        let attribute = match self.records.get(record) {
            Some(Some((name, value))) => format!(" {name}=\"{value}\""),
            _ => String::new(),
        };
        // An attribute of the record itself.
        let inside = match inside.strip_prefix(record).and_then(|i| i.strip_prefix('@')) {
            Some(name) => {
                return format!("{named}{}", record_with(record, &attribute, name, value));
            }
            None => element(inside, value),
        };
        format!("{named}{opened}<{record}{attribute}>{own}{inside}</{record}>{closed}")
    }
}

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
    /// A sample is a value. Every path must accept it.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let dialect = with.rules.xml.dialect(&entry.dialect)?;
        let Some((begin, end)) = with.rules.xml.envelope(&entry.dialect) else {
            // The dialect has no messages.
            return Some(false);
        };
        let taken = |path: &String| {
            let message = format!("{begin}{}{end}", dialect.body(path, sample));
            with.takes(&entry.common.id, "application/xml", message.as_bytes())
        };
        Some(entry.paths.iter().all(taken))
    }
}

/// A record with a value in one of its attributes.
fn record_with(record: &str, attribute: &str, name: &str, value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!("<{record}{attribute} {name}=\"{value}\"></{record}>")
}

/// `A/B`, `A/B@C` or `A/B[C=D]` as elements with a value.
fn element(path: &str, value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let (path, mut body, attribute) = match path.split_once(['@', '[']) {
        None => (path, value, String::new()),
        Some((path, condition)) => {
            match condition.strip_suffix(']').and_then(|c| c.split_once('=')) {
                Some((name, wanted)) => (path, value, format!(" {name}=\"{wanted}\"")),
                None => (path, String::new(), format!(" {condition}=\"{value}\"")),
            }
        }
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
        if entry.attribute.as_ref().is_some_and(|attribute| !attribute.contains('=')) {
            return to.fault("attribute: write NAME=VALUE".to_owned());
        }
        to.claim(format!("{} record {}", entry.dialect, entry.element))?;
        for path in entry.own_id.iter().chain(&entry.named_in) {
            let last = last(path, to)?;
            dialect(&entry.dialect, to).ends.insert(last.to_owned());
        }
        let dialect = dialect(&entry.dialect, to);
        let attribute = entry.attribute.as_ref().and_then(|a| a.split_once('='));
        let attribute = attribute.map(|(name, value)| (name.to_owned(), value.to_owned()));
        dialect.records.insert(entry.element.clone(), attribute);
        dialect.own_ids.extend(entry.own_id.clone());
        dialect.named_in.extend(entry.named_in.clone());
        Ok(())
    }
    /// A sample is the name of an element.
    fn takes(entry: &Record, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let dialect = with.rules.xml.dialect(&entry.dialect)?;
        Some(sample == entry.element && dialect.is_record(sample, |_, _| true))
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
        return to
            .fault(format!("path {path:?}: write up to {MAX_PATH} elements, A/B@C or A/B[C=D]"));
    }
    Ok(last)
}
