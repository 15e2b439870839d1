//! FHIR values with a label: parameters of operations (`Parameters.parameter`, FHIR R4 3.2.0) and extensions
//! (FHIR R4 2.4). The label says what the value is, `value[x]` its type.

use super::frame::{Value, View};
use super::names::is_typed_value;
use super::patch::{self, Edit, below, fhirpath};
use crate::content::Scope;
use crate::content::extract::fhir::{self, BufferedField, Parts, Resource};
use crate::content::extract::record::Marks;
use crate::rules::{About, FhirElement, FhirType, FieldRule, Key, KeyRules, Kind, NamePart};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// Groups of parameters that are kept apart.
const MAX_GROUPS: usize = 256;

/// Labelled objects inside each other.
const MAX_NESTED: usize = 8;

/// What labelled values say of one person.
#[derive(Default)]
pub(super) struct Person<'a> {
    said: Resource,
    family: Option<(Arc<FieldRule>, &'a str)>,
    given: Vec<(Arc<FieldRule>, &'a str)>,
    /// What the labels say of whom this is about.
    marks: Marks,
    /// A label says that a patient is meant.
    patient: bool,
}

/// The last word of a label that may be a URL: `https://example.org/StructureDefinition/patient-name`.
fn last(label: &str) -> &str {
    label.rsplit(['/', '#', ':', '.']).next().unwrap_or(label)
}

/// The words of a label: `patientName`, `ext-patient-name`.
pub fn words(label: &str) -> impl Iterator<Item = &str> {
    let mut rest = label;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let mut lower = false;
        let end = rest.find(|c: char| {
            let ends = !c.is_alphanumeric() || (lower && c.is_uppercase());
            lower = c.is_lowercase();
            ends
        });
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

/// Whether a label names a patient.
fn names_patient(label: &str, keys: &KeyRules) -> bool {
    // The question and the answer of IHE PIXm (ITI-83).
    const CROSS_REFERENCES: [&str; 2] = ["sourceIdentifier", "targetIdentifier"];
    CROSS_REFERENCES.contains(&label)
        || words(label).any(|word| keys.context(word) == Some(About::Patient))
}

/// What a label means: all of it, or what follows words in front (`us-core-birthsex`), where that is no name
/// of just anybody.
fn key<'r>(label: &str, around: &str, keys: &'r KeyRules) -> Option<&'r Key> {
    let whole = (!around.is_empty()).then(|| format!("{around}.{label}"));
    let found = whole.as_deref().and_then(|label| keys.get(label)).or_else(|| keys.get(label));
    let ends = || {
        let starts = label.match_indices(['-', '_']).map(|(at, _)| at + 1);
        starts.filter_map(|at| keys.get(label.get(at..)?)).find(|key| {
            let kind = key.rule.kind;
            let own = matches!(kind, Kind::BirthDate | Kind::MothersMaidenName);
            key.patient || own || kind.is_strong_id()
        })
    };
    found.or_else(ends)
}

impl<'a> Person<'a> {
    /// What a label says of whom the values are about.
    fn mark(&mut self, label: &str, keys: &KeyRules) {
        let about = words(label).chain([label]).filter_map(|word| keys.context(word));
        self.marks = about.map(Marks::about).fold(self.marks, Marks::and);
        self.patient |= names_patient(label, keys);
    }

    /// A value of the type `datatype` (`HumanName`) under `label`, which is inside `around`.
    fn add(
        &mut self,
        (around, label): (&str, &str),
        datatype: &str,
        parts: &Parts<'a>,
        accept: impl Fn(&Key, bool) -> bool,
        scope: &Scope<'_>,
    ) {
        let keys = &scope.rules().keys;
        let (label, around) = (last(label), last(around));
        let named = key(label, around, keys);
        let patient = names_patient(label, keys) || named.is_some_and(|key| key.patient);
        let other = |name: &str| keys.get(name).filter(|_| patient);
        let is = |key: &Key, id: bool| match id {
            true => key.rule.kind != Kind::Name,
            false => !key.rule.kind.is_strong_id(),
        };
        let (shape, found) = match datatype {
            "HumanName" => {
                let named = named.filter(|key| is(key, false));
                (FhirType::HumanName, named.or_else(|| other("patient_name")))
            }
            "Identifier" => {
                let named = named.filter(|key| is(key, true));
                (FhirType::Identifier, named.or_else(|| other("patient_id")))
            }
            "Reference" => return self.reference(parts, patient, scope),
            "Address" => (FhirType::Address, named),
            // It says itself whether it is a telephone or a mail address.
            "ContactPoint" => {
                let named = named.filter(|key| key.rule.kind != Kind::Email);
                (FhirType::ContactPoint, named.or_else(|| keys.get("phone")))
            }
            _ => {
                // `patient` may have a number as its value.
                let number = parts.itself().bytes().any(|b| b.is_ascii_digit());
                let named = named.filter(|key| !number || key.rule.kind != Kind::Name);
                (FhirType::Primitive, named.or_else(|| other("patient_id").filter(|_| number)))
            }
        };
        let Some(key) = found.filter(|key| accept(key, patient)) else { return };
        self.patient |= patient;
        match (shape, key.part) {
            (FhirType::Primitive, NamePart::Family) if self.family.is_none() => {
                self.family = Some((Arc::clone(&key.rule), parts.itself()));
            }
            (FhirType::Primitive, NamePart::Given) => {
                self.given.push((Arc::clone(&key.rule), parts.itself()));
            }
            (_, NamePart::Year | NamePart::Month | NamePart::Day) => {}
            (datatype, _) => {
                let element = FhirElement { rule: Arc::clone(&key.rule), datatype };
                self.said.element(&element, parts, scope);
            }
        }
    }

    /// A reference under the label of a patient.
    fn reference(&mut self, parts: &Parts<'a>, patient: bool, scope: &Scope<'_>) {
        let Some(rule) = scope.rules.fhir.reference().filter(|_| patient) else { return };
        self.patient = true;
        self.said.add(&rule.display, Kind::Name, parts.display(), "");
    }

    /// The fields, names put together.
    fn fields(mut self) -> Vec<BufferedField> {
        let rule = self.family.as_ref().or(self.given.first()).map(|(rule, _)| Arc::clone(rule));
        if let Some(rule) = rule {
            let given: Vec<&str> = self.given.iter().map(|(_, value)| *value).collect();
            let family = self.family.map_or("", |(_, value)| value);
            let mut name = zeroize::Zeroizing::new(family.to_owned());
            if !given.is_empty() {
                name.push('^');
                name.push_str(&given.join(" "));
            }
            self.said.add(&rule, Kind::Name, &name, "");
        }
        self.said.fields
    }

    /// Passes on what was said, if it is said of a patient.
    fn put(self, scope: &mut Scope<'_>) {
        let patient = self.patient || self.marks.is_patient();
        if self.marks.is_other() && !patient {
            return;
        }
        let (marks, fields) = (self.marks, self.fields());
        let has = |wanted: fn(Kind) -> bool| fields.iter().any(|f| wanted(f.kind));
        let person = has(|kind| kind == Kind::Name)
            && has(|kind| kind == Kind::BirthDate || kind.is_strong_id());
        if person || (patient && has(|kind| kind == Kind::Name || kind.is_strong_id())) {
            let marks = if patient { marks.and(Marks::PATIENT) } else { marks };
            fhir::put("fhir", marks, fields.iter(), scope);
        }
    }
}

/// How values are labelled: the element that holds one and its label.
struct Labels {
    holders: [&'static str; 2],
    label: &'static str,
}

const PARAMETERS: Labels = Labels { holders: ["parameter", "part"], label: "name" };
const EXTENSIONS: Labels = Labels { holders: ["extension", "modifierExtension"], label: "url" };

/// Whether objects with labels are below a name.
pub(super) fn is_holder(name: &str) -> bool {
    PARAMETERS.holders.contains(&name) || EXTENSIONS.holders.contains(&name)
}

/// One value, with the labelled objects around it, innermost last.
struct Item<'a> {
    holders: SmallVec<[u32; 4]>,
    /// The names from the innermost of them to the value; the first one gives the type.
    below: SmallVec<[(&'a str, Option<u32>); 4]>,
    value: &'a Value,
}

impl Item<'_> {
    /// The type that the name of the value says.
    fn datatype(&self) -> &str {
        self.below.first().and_then(|(name, _)| name.strip_prefix("value")).unwrap_or("")
    }
}

/// Finds the labelled values among `values`, and the label of each object that has one.
fn collect<'a>(
    labels: &Labels,
    root: u32,
    values: &'a [Value],
    view: &View<'a>,
) -> (Vec<Item<'a>>, HashMap<u32, &'a str>) {
    let mut items = Vec::new();
    let mut named = HashMap::new();
    let holds = |node: u32| {
        let name = view.node(node).map(|n| &*view.name(n.name).text);
        node != root && name.is_some_and(|name| labels.holders.contains(&name))
    };
    for value in values {
        let mut node = value.node;
        while !holds(node) {
            match view.node(node).map(|n| n.parent).filter(|p| *p < node) {
                Some(parent) => node = parent,
                None => break,
            }
        }
        if !holds(node) {
            continue;
        }
        let below = below(value, node, view);
        match below.as_slice() {
            [(name, None)] if *name == labels.label => {
                named.insert(node, view.text(value));
            }
            [(name, _), ..] if is_typed_value(name) => {
                let mut holders: SmallVec<[u32; 4]> = SmallVec::new();
                while holds(node) && holders.len() < MAX_NESTED {
                    holders.push(node);
                    node = view.node(node).map_or(root, |n| n.parent);
                }
                // Only labelled objects in between: no extension of a part of something else.
                if node == root {
                    holders.reverse();
                    items.push(Item { holders, below, value });
                }
            }
            _ => {}
        }
    }
    (items, named)
}

/// Adds the values of one labelled object, the first of `items`, to what is said of a person; how many there are.
fn take<'a>(
    items: &[Item<'a>],
    named: &HashMap<u32, &'a str>,
    person: &mut Person<'a>,
    accept: impl Fn(&Key, bool) -> bool,
    (view, scope): (&View<'a>, &Scope<'_>),
) -> usize {
    let Some(first) = items.first() else { return 1 };
    let same = |item: &&Item<'_>| item.holders.last() == first.holders.last();
    let mut parts = Parts::default();
    let mut len = 0;
    for item in items.iter().take_while(same) {
        parts.add(item.below.iter().skip(1).map(|(name, _)| *name), view.text(item.value));
        len += 1;
    }
    let label = |back: usize| {
        let node = first.holders.iter().rev().nth(back);
        node.and_then(|node| named.get(node)).copied().unwrap_or("")
    };
    person.add((label(1), label(0)), first.datatype(), &parts, accept, scope);
    len
}

/// Fields that the extensions of a resource give: only what their labels say of a patient.
pub(super) fn extensions(
    resource: &str,
    root: u32,
    values: &[Value],
    view: &View<'_>,
    scope: &Scope<'_>,
) -> Vec<BufferedField> {
    if !values.iter().any(|value| *view.name(value.name).text == *EXTENSIONS.label) {
        return Vec::new();
    }
    let (items, named) = collect(&EXTENSIONS, root, values, view);
    let mut person = Person::default();
    // A patient says who that is in elements of its own.
    let own = matches!(resource, "Patient" | "Person");
    let accept = |key: &Key, patient: bool| {
        let kind = key.rule.kind;
        match own {
            true => kind.is_strong_id() || matches!(kind, Kind::MothersMaidenName),
            false => patient || kind == Kind::BirthDate || kind.is_strong_id(),
        }
    };
    let mut rest = items.as_slice();
    while !rest.is_empty() {
        let len = take(rest, &named, &mut person, accept, (view, scope));
        rest = rest.get(len..).unwrap_or_default();
    }
    person.fields()
}

/// Passes on what the parameters at `root` say of patients, and gives back what they change: types of resources
/// with the new values (FHIRPath Patch, FHIR R4 3.1.0.7.2).
pub(super) fn parameters(
    root: u32,
    values: &[Value],
    view: &View<'_>,
    around: Marks,
    scope: &mut Scope<'_>,
) -> Vec<(Box<str>, Vec<Edit>)> {
    let (items, named) = collect(&PARAMETERS, root, values, view);
    // Parameters beside each other speak of one person.
    let mut people: Vec<(u32, Person<'_>)> = Vec::new();
    let mut edits: Vec<(Box<str>, Vec<Edit>)> = Vec::new();
    let label = |node: &u32| named.get(node).copied().unwrap_or("");
    let mut rest = items.as_slice();
    while let Some(item) = rest.first() {
        let outer = item.holders.split_last().map_or(&[][..], |(_, outer)| outer);
        if let [operation, behind @ ..] = item.holders.as_slice()
            && label(operation) == "operation"
        {
            if behind.first().map(label) == Some("value") {
                let of = |name: &str| {
                    let part = |i: &&Item<'_>| {
                        i.holders.first() == Some(operation)
                            && i.holders.get(1).map(label) == Some(name)
                    };
                    items.iter().find(part).map(|i| view.text(i.value))
                };
                let behind = behind.iter().skip(1).map(|node| (label(node), *node));
                edit(of("path").unwrap_or(""), of("name"), behind, item, &mut edits);
            }
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let group = outer.last().copied().unwrap_or(root);
        let at = match people.iter().position(|(node, _)| *node == group) {
            Some(at) => at,
            None if people.len() < MAX_GROUPS => {
                people.push((group, Person::default()));
                people.len() - 1
            }
            None => break,
        };
        let mut len = 1;
        if let Some((_, person)) = people.get_mut(at) {
            for node in outer {
                person.mark(label(node), &scope.rules().keys);
            }
            len = take(rest, &named, person, |_, _| true, (view, scope));
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    for (_, mut person) in people {
        person.marks = person.marks.and(around);
        person.put(scope);
    }
    edits
}

/// Notes a value of an operation of a FHIRPath Patch.
fn edit<'a>(
    path: &'a str,
    name: Option<&'a str>,
    behind: impl Iterator<Item = (&'a str, u32)>,
    item: &Item<'_>,
    edits: &mut Vec<(Box<str>, Vec<Edit>)>,
) {
    let (resource, mut place) = fhirpath(path);
    // `add` names the element that is new in what the path leads to.
    place.extend(name.map(|name| (name, item.holders.first().map_or(1, |node| node + 1))));
    place.extend(behind);
    if place.is_empty() {
        return;
    }
    let new = Edit::new(&place, &item.below, item.value);
    match edits.iter().position(|(known, _)| **known == *resource) {
        Some(at) => {
            let known = edits.get_mut(at).map(|(_, edits)| edits);
            if let Some(known) = known.filter(|known| known.len() < patch::MAX_EDITS) {
                known.push(new);
            }
        }
        None if edits.len() < MAX_GROUPS => edits.push((resource.into(), vec![new])),
        None => {}
    }
}
