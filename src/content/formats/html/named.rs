//! Elements that say themselves what they hold: microdata and RDFa (`itemprop="birthDate"`), ids and classes
//! (`id="lblPatientName"`, `class="patient-mrn"`), names for tests and for narrow screens (`data-testid`,
//! `data-label`), data for the program of the page (`data-mrn="77"`), and tables made of other elements (`role="row"`).

use super::super::markup::Attributes;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::extract::texts;
use crate::content::extract::tree::words;
use crate::content::formats::literal;
use crate::content::{Media, Scope};
use crate::rules::{About, Kind, NamePart, RuleSet};
use std::borrow::Cow;

/// Longest id or class that is looked up, bytes.
const MAX_NAME: usize = 64;

/// Classes of one element that are read.
const MAX_CLASSES: usize = 6;

/// Values in attributes of one element.
const MAX_DATA: usize = 16;

/// Prefixes of control names, by programming conventions.
const PREFIXES: [&str; 9] = ["lbl", "txt", "lit", "lab", "fld", "val", "spn", "hid", "hdn"];

/// Meaning of the attributes of one element.
#[derive(Default)]
pub(super) struct Hints<'a> {
    /// It is a part of a table, and counts as this element.
    pub role: Option<&'static str>,
    /// An item with properties begins; whether it is a patient.
    pub item: Option<bool>,
    /// The name of its value.
    pub name: Option<Cow<'a, str>>,
    /// Its machine-readable value.
    pub value: Option<Cow<'a, str>>,
    /// The heading of its column.
    pub column: Option<Cow<'a, str>>,
    /// Data attributes, without `data-`.
    data: Vec<(&'a str, Cow<'a, str>)>,
    /// Context from its classes.
    marks: Marks,
    /// It is the header of a patient's record, which begins with the name.
    pub subject: bool,
    /// A text that is shown when the pointer is over it, if it may name a patient.
    tip: Option<Cow<'a, str>>,
}

/// The element that an ARIA role is equivalent to (WAI-ARIA 1.2 5.3.3).
fn role(role: &str) -> Option<&'static str> {
    Some(match role {
        "table" | "grid" | "treegrid" => "table",
        "row" => "tr",
        "cell" | "gridcell" => "td",
        "columnheader" | "rowheader" => "th",
        _ => return None,
    })
}

/// Whether a name of an element suffices by itself: it names a patient's value, or a birth date. A word that also
/// names a whole section (`patient`) does not.
fn tells(name: &str, rules: &RuleSet) -> bool {
    name.len() <= MAX_NAME
        && rules.keys.get(name).is_some_and(|key| key.patient || key.rule.kind == Kind::BirthDate)
        && rules.keys.context(name).is_none()
}

/// The meaning of a name inside the header of a patient's record, if it is that of a part of a name, or of a number
/// of a person.
fn named_inside(name: &str, rules: &RuleSet) -> Option<Cow<'static, str>> {
    let key = rules.keys.get(name).filter(|_| name.len() <= MAX_NAME)?;
    let part = matches!(key.part, NamePart::Family | NamePart::Given);
    match key.rule.kind {
        Kind::Name if part => Some(Cow::Owned(format!("patient_{name}"))),
        kind if kind.is_strong_id() => Some(Cow::Owned(name.to_owned())),
        _ => None,
    }
}

/// The meaning of an element of a block about a patient, as classes are written in the BEM notation:
/// `patient-banner__name`.
fn of_block(class: &str, rules: &RuleSet) -> Option<Cow<'static, str>> {
    let (block, element) = class.split_once("__")?;
    let first = words(block).next().unwrap_or("");
    let patient =
        first.eq_ignore_ascii_case("pt") || rules.keys.context(first) == Some(About::Patient);
    let element = element.split("--").next().filter(|_| patient)?;
    let name = format!("patient.{element}");
    rules.keys.get(&name).is_some().then_some(Cow::Owned(name))
}

/// The part of an id or class that names the value: `ctl00_Main_lblPatientName`, `patient-dob`.
fn own_name<'a>(id: &'a str, rules: &RuleSet) -> Option<&'a str> {
    let last = id.rsplit(['_', ':', '.', '$']).next().unwrap_or(id);
    let bare = PREFIXES.iter().find_map(|prefix| {
        last.strip_prefix(prefix).filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    });
    // `bed-dob`, `row-birthdate`: the last word of a class.
    let word = id.rsplit('-').next().filter(|word| word.len() < id.len());
    let word =
        word.filter(|word| rules.keys.get(word).is_some_and(|k| k.rule.kind == Kind::BirthDate));
    [Some(id), Some(last), bare, word].into_iter().flatten().find(|name| tells(name, rules))
}

/// Whether a class is that of the header of a patient's record: `patient-banner`, `ptHeader`.
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
    /// For an element with this name; `item`: it is inside a patient of microdata; `inside`: it is among the first
    /// elements in the header of a patient's record.
    pub(super) fn of(
        element: &str,
        attributes: Attributes<'a>,
        item: bool,
        inside: bool,
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
                "class" => hints.classes(&value, inside, rules),
                "title" | "data-tooltip" | "data-original-title" | "data-bs-title"
                    if texts::is_informative(&value) =>
                {
                    hints.tip = Some(value);
                }
                _ => {
                    let data = name.strip_prefix("data-").or_else(|| name.strip_prefix(':'));
                    let data = data.or(custom.then_some(name));
                    let data = data.or(matches!(name, "x-data" | "ng-init").then_some(name));
                    if let Some(name) = data.filter(|_| hints.data.len() < MAX_DATA) {
                        hints.data.push((name, value));
                    }
                }
            }
        }
        hints
    }

    fn classes(&mut self, classes: &str, inside: bool, rules: &RuleSet) {
        self.subject |= classes.split_ascii_whitespace().take(MAX_CLASSES).any(is_head);
        for class in classes.split_ascii_whitespace().take(MAX_CLASSES) {
            if self.name.is_none()
                && let Some(own) = own_name(class, rules)
            {
                self.name = Some(own.to_owned().into());
            }
            if self.name.is_none() {
                let own = || named_inside(class, rules).filter(|_| inside);
                self.name = of_block(class, rules).or_else(own);
            }
            if rules.keys.context(class) == Some(About::Patient) {
                self.marks = Marks::PATIENT;
                self.subject = true;
            }
        }
    }

    /// Passes on the values in data attributes and the text of a tooltip; `around`: context of the page.
    pub(super) fn read_data(&self, around: Marks, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        if let Some(tip) = &self.tip {
            let media = Media::Type { content_type: "text/plain; charset=utf-8", name: "" };
            scope.whole(&media, tip.as_bytes());
        }
        let mut record = CandidateRecord::default();
        let mut known = 0;
        for (name, value) in &self.data {
            let value = value.trim();
            if value.starts_with("{\"") || value.starts_with("[{") {
                let media = Media::Type { content_type: "application/json", name: "" };
                scope.whole(&media, value.as_bytes());
                continue;
            }
            // `ng-init="patient={ mrn: '77' }"`, `x-data="{ patient: { mrn: '77' } }"`
            if let Some(json) = literal::assigned(value, rules) {
                let media = Media::Type { content_type: "application/json", name: "" };
                scope.whole(&media, &json);
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
