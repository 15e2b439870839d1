//! `[[xml_dialect]]`: how a message of a dialect of XML begins; `[[xml]]`: its elements that identify a
//! patient; `[[xml_record]]`: which element holds the data of one patient; `[[xml_about]]`: elements
//! that say what else is there.

use super::flat::Part;
use super::load::{
    ClaimedSubjects, Compiled, LoadError, RuleInfo, Source, faulty, field_rule, info, section_entry,
};
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
        /// Where the record holds its own id, if the document says elsewhere which ones are patients.
        own_id: Option<String>,
        /// Where the document names the records that are patients.
        named_in: Option<String>,
    }
}

section_entry! {
    /// How a message of a dialect begins.
    pub(in crate::rules) struct Start {
        dialect: String,
        /// Names of the element, without prefix; one that ends in `*` is the front of it.
        elements: Vec<String>,
        /// Fronts of the namespaces of which one must be declared; none if the names are enough.
        #[serde(default)]
        namespaces: Vec<String>,
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
    own_ids: HashSet<String, foldhash::fast::FixedState>,
    named_in: HashSet<String, foldhash::fast::FixedState>,
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
    /// Whether only those records are patients that the document names as such.
    pub fn names_patients(&self) -> bool {
        !self.named_in.is_empty()
    }
    /// Whether a path holds the id of a record.
    pub fn is_own_id(&self, path: &str) -> bool {
        self.own_ids.contains(path)
    }
    /// Whether a path names a record that is a patient.
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
    /// What the presence of an element says.
    pub fn about(&self, path: &str) -> Option<Health> {
        self.about.get(path).copied()
    }
}

/// Dialects by name.
#[derive(Debug, Default)]
pub struct XmlRules {
    dialects: HashMap<String, XmlDialect, foldhash::fast::FixedState>,
    starts: HashMap<String, Vec<DialectStart>, foldhash::fast::FixedState>,
    /// Starts of which only the front is given.
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

    /// The dialect of which a message begins with `element`; `declares` says whether a namespace with
    /// this front was declared.
    pub fn begun(&self, element: &str, declares: impl Fn(&str) -> bool) -> Option<&str> {
        let named = self.starts.get(element).into_iter().flatten();
        let fronts = self.fronts.iter().filter(|(front, _)| element.starts_with(front.as_str()));
        let mut all = named.chain(fronts.map(|(_, start)| start));
        let declared = |start: &&DialectStart| {
            start.namespaces.is_empty() || start.namespaces.iter().any(|n| declares(n))
        };
        all.find(declared).map(|start| start.dialect.as_str())
    }

    /// What is known of a dialect.
    pub fn dialect(&self, name: &str) -> Option<&XmlDialect> {
        self.dialects.get(name)
    }
}

pub(in crate::rules) fn compile(
    starts: Compiled<Start>,
    fields: Compiled<Entry>,
    records: Compiled<Record>,
    about: Compiled<AboutEntry>,
    list: &mut Vec<RuleInfo>,
) -> Result<XmlRules, LoadError> {
    let mut rules = XmlRules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in starts {
        let subject = entry.elements.join(", ");
        list.push(info("xml_dialect", &entry.common, None, subject, &source));
        let start = DialectStart { dialect: entry.dialect, namespaces: entry.namespaces };
        for element in entry.elements {
            match element.strip_suffix('*') {
                Some(front) => rules.fronts.push((front.to_owned(), start.clone())),
                None => rules.starts.entry(element).or_default().push(start.clone()),
            }
        }
    }
    for (_, (entry, source)) in fields {
        let subject = entry.paths.join(", ");
        list.push(info("xml", &entry.common, Some(entry.kind), subject, &source));
        for path in entry.paths {
            taken.take(format!("{} {path}", entry.dialect), &entry.common.id, &source)?;
            let rule = field_rule(&entry.common, entry.kind, &path, entry.confidence, &source)?;
            let dialect = rules.dialects.entry(entry.dialect.clone()).or_default();
            dialect.ends.insert(last(&path, &source)?.to_owned());
            dialect.fields.insert(path, XmlField { rule, part: entry.part });
        }
    }
    for (_, (entry, source)) in records {
        list.push(info("xml_record", &entry.common, None, entry.element.clone(), &source));
        let subject = format!("{} record {}", entry.dialect, entry.element);
        taken.take(subject, &entry.common.id, &source)?;
        let dialect = rules.dialects.entry(entry.dialect).or_default();
        dialect.records.insert(entry.element);
        for (path, paths) in
            [(entry.own_id, &mut dialect.own_ids), (entry.named_in, &mut dialect.named_in)]
        {
            if let Some(path) = path {
                dialect.ends.insert(last(&path, &source)?.to_owned());
                paths.insert(path);
            }
        }
    }
    for (_, (entry, source)) in about {
        list.push(info("xml_about", &entry.common, None, entry.paths.join(", "), &source));
        for path in entry.paths {
            taken.take(format!("{} about {path}", entry.dialect), &entry.common.id, &source)?;
            let dialect = rules.dialects.entry(entry.dialect.clone()).or_default();
            dialect.ends.insert(last(&path, &source)?.to_owned());
            dialect.about.insert(path, entry.shows);
        }
    }
    Ok(rules)
}

/// The last part of a path.
fn last<'p>(path: &'p str, source: &Source) -> Result<&'p str, LoadError> {
    let parts = path.split('/').count();
    let last = path.rsplit('/').next().unwrap_or("");
    if last.is_empty() || path.starts_with('/') || parts > MAX_PATH {
        return Err(faulty(
            source,
            format!("path {path:?}: write up to {MAX_PATH} elements, A/B@C or A/B[C=D]"),
        ));
    }
    Ok(last)
}
