//! Elements that say themselves what they hold: microdata and RDFa (`itemprop="birthDate"`), ids and classes
//! (`id="lblPatientName"`, `class="patient-mrn"`), names for tests and for narrow screens (`data-testid`,
//! `data-label`), data for the program of the page (`data-mrn="77"`), and tables made of other elements (`role="row"`).

use super::super::markup::Attributes;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::extract::tree::words;
use crate::content::{Media, Scope};
use crate::rules::{About, Kind, RuleSet};
use std::borrow::Cow;

/// Longest id or class that is looked up, bytes.
const MAX_NAME: usize = 64;

/// Classes of one element that are looked up.
const MAX_CLASSES: usize = 6;

/// Values in attributes of one element.
const MAX_DATA: usize = 16;

/// In front of the names of controls, by the conventions of programmers.
const PREFIXES: [&str; 9] = ["lbl", "txt", "lit", "lab", "fld", "val", "spn", "hid", "hdn"];

/// What the attributes of one element say.
#[derive(Default)]
pub(super) struct Hints<'a> {
    /// It is a part of a table: as which element it counts.
    pub role: Option<&'static str>,
    /// Something with properties begins; whether it is a patient.
    pub item: Option<bool>,
    /// The name of what it holds.
    pub name: Option<Cow<'a, str>>,
    /// Its value as programs read it.
    pub value: Option<Cow<'a, str>>,
    /// The heading of the column in which it is a cell.
    pub column: Option<Cow<'a, str>>,
    /// Attributes with data, without `data-`.
    data: Vec<(&'a str, Cow<'a, str>)>,
    /// What its classes say of it.
    marks: Marks,
    /// It is the head of the record of a patient, which begins with the name.
    pub subject: bool,
}

/// As what an element with this ARIA role counts (WAI-ARIA 1.2 5.3.3).
fn role(role: &str) -> Option<&'static str> {
    Some(match role {
        "table" | "grid" | "treegrid" => "table",
        "row" => "tr",
        "cell" | "gridcell" => "td",
        "columnheader" | "rowheader" => "th",
        _ => return None,
    })
}

/// Whether a name of an element says enough by itself: it names something of a patient, or a birth date. A word that
/// is also that of a whole section (`patient`) does not.
fn tells(name: &str, rules: &RuleSet) -> bool {
    name.len() <= MAX_NAME
        && rules.keys.get(name).is_some_and(|key| key.patient || key.rule.kind == Kind::BirthDate)
        && rules.keys.context(name).is_none()
}

/// The part of an id or class that says what the element holds: `ctl00_Main_lblPatientName`, `patient-dob`.
fn own_name<'a>(id: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let last = id.rsplit(['_', ':', '.', '$']).next().unwrap_or(id);
    let bare = PREFIXES.iter().find_map(|prefix| {
        last.strip_prefix(prefix).filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    });
    [Some(id), Some(last), bare].into_iter().flatten().find(|name| tells(name, rules))
}

/// Whether a class is that of the head of the record of a patient: `patient-banner`, `ptHeader`.
fn is_head(class: &str) -> bool {
    const HEADS: [&str; 9] =
        ["banner", "header", "head", "info", "summary", "card", "details", "demographics", "bar"];
    let mut words = words(class);
    let first = words.next().unwrap_or("");
    let patient = ["patient", "pt"].iter().any(|word| first.eq_ignore_ascii_case(word));
    match words.last() {
        Some(last) => patient && HEADS.iter().any(|word| last.eq_ignore_ascii_case(word)),
        // `class="card patient"`
        None => first.eq_ignore_ascii_case("patient"),
    }
}

/// The last word of a type or property: `https://schema.org/Patient`, `schema:birthDate`.
fn term(text: &str) -> &str {
    text.trim().rsplit(['/', '#', ':']).next().unwrap_or(text)
}

impl<'a> Hints<'a> {
    /// Of an element with this name; `item` says that it is inside a patient of microdata.
    pub(super) fn of(
        element: &str,
        attributes: Attributes<'a>,
        item: bool,
        rules: &RuleSet,
    ) -> Self {
        let mut hints = Self::default();
        // Elements of the page's own program have attributes of their own.
        let custom = element.contains('-');
        for (name, value) in attributes.iter() {
            match name {
                "role" => hints.role = role(&value),
                "itemtype" | "typeof" => {
                    hints.item = Some(rules.keys.context(term(&value)) == Some(About::Patient));
                }
                "itemprop" | "property" if item => {
                    let own = format!("patient.{}", term(&value));
                    let known = rules.keys.get(&own).is_some();
                    hints.name =
                        Some(if known { own.into() } else { term(&value).to_owned().into() });
                }
                "content" | "datetime" => hints.value = Some(value),
                "data-label" | "data-th" | "data-title" | "data-header" => {
                    hints.column = Some(value);
                }
                "id" | "data-testid" | "data-test" | "data-cy" | "data-field" | "data-bind" => {
                    if let Some(own) = own_name(&value, rules) {
                        hints.name = Some(own.to_owned().into());
                    }
                }
                "class" => hints.classes(&value, rules),
                _ => {
                    let data = name.strip_prefix("data-").or_else(|| name.strip_prefix(':'));
                    let data = data.or(custom.then_some(name));
                    if let Some(name) = data.filter(|_| hints.data.len() < MAX_DATA) {
                        hints.data.push((name, value));
                    }
                }
            }
        }
        hints
    }

    fn classes(&mut self, classes: &str, rules: &RuleSet) {
        self.subject |= classes.split_ascii_whitespace().take(MAX_CLASSES).any(is_head);
        for class in classes.split_ascii_whitespace().take(MAX_CLASSES) {
            if self.name.is_none()
                && let Some(own) = own_name(class, rules)
            {
                self.name = Some(own.to_owned().into());
            }
            if rules.keys.context(class) == Some(About::Patient) {
                self.marks = Marks::PATIENT;
            }
        }
    }

    /// Hands on what the attributes with data say of a person; `around` is what the page is about.
    pub(super) fn read_data(&self, around: Marks, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let mut record = CandidateRecord::default();
        let mut known = 0;
        for (name, value) in &self.data {
            let value = value.trim();
            if value.starts_with("{\"") || value.starts_with("[{") {
                let media = Media::Type { content_type: "application/json", name: "" };
                scope.whole(&media, value.as_bytes());
                continue;
            }
            // A template, not a value.
            if value.is_empty() || value.contains(['{', '<', '$']) {
                continue;
            }
            if let Some(about) = rules.keys.context(name) {
                record.mark(Marks::about(about));
            }
            if let Some(key) = rules.keys.get(name) {
                known += 1;
                record.add(&Meaning::from(key), 0, value);
            }
        }
        if known >= 2 {
            record.mark(self.marks);
            record.mark_from_afar(around);
            record.emit("html", scope);
        }
    }
}
