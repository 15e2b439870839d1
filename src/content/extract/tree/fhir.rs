//! FHIR resources, and CDA documents, which are read by the same rules.

use super::subjects::{Claim, Subject};
use super::{Value, View, labelled};
use crate::content::Scope;
use crate::content::extract::fhir::{Parts, Resource};
use crate::rules::{FhirPath, FhirReference};
use smallvec::SmallVec;

/// Deepest element of a rule (`Patient.contact.name`), with what is below it.
const MAX_PATH: usize = 10;

/// References of one resource to patients that are kept separately.
const MAX_CLAIMS: usize = 256;

/// Content of a resource: its own fields, its patient, and references to other patients.
pub(super) struct Read {
    /// Fields of the resource, and those of the reference to its subject.
    pub own: Resource,
    /// Its patient.
    pub subject: Subject,
    /// Other patients that it names.
    pub others: Vec<Claim>,
    /// Other records of the same patient (`Patient.link.other`).
    pub same: Vec<u64>,
}

/// Reads the resource at `root`.
pub(super) fn read(
    resource: &str,
    root: u32,
    values: &[Value],
    view: &View<'_>,
    scope: &Scope<'_>,
) -> Read {
    let mut read = Read {
        own: Resource::default(),
        subject: Subject::Unsaid,
        others: Vec::new(),
        same: Vec::new(),
    };
    let rules = &scope.rules.fhir;
    // Types without rules have references too.
    let Some(top) = rules.resource(resource).or_else(|| rules.other_resource()) else {
        return read;
    };
    read.own.fields = labelled::extensions(resource, root, values, view, scope);
    let mut path = Path::default();
    let mut rest = values;
    path.lead_to(rest.first(), root, view);
    let mut way = Way::default();
    while !rest.is_empty() {
        way.lead(top, &path);
        let found = way.find(path.steps());
        let Some(depth) = found.map(|(depth, _)| depth).or_else(|| referring(path.steps())) else {
            rest = rest.get(1..).unwrap_or_default();
            path.lead_to(rest.first(), root, view);
            continue;
        };
        let element = found.and_then(|(_, place)| place.element());
        // All values of one instance of the element are adjacent.
        let instance = path.steps().get(depth).and_then(|step| step.node);
        let linked = matches!(path.steps(), [link, other, _] if link.name == "link" && other.name == "other");
        let mut reference = Reference::default();
        let mut parts = Parts::default();
        while let Some((value, behind)) = rest.split_first() {
            let text = view.text(value);
            if !text.is_empty() {
                let below = path.steps().get(depth + 1..).unwrap_or_default();
                let below = below.iter().map(|step| step.name);
                match element {
                    Some(_) => parts.add(below, text),
                    None => reference.add(below, text),
                }
            }
            rest = behind;
            path.lead_to(rest.first(), root, view);
            let next = path.steps().get(depth).and_then(|step| step.node);
            if instance.is_none() || next != instance {
                break;
            }
        }
        match (element, found.and_then(|(_, place)| place.reference())) {
            (Some(element), _) => read.own.element(element, &parts, scope),
            (None, Some(rule)) => read.subject(&reference, rule, scope),
            (None, None) => {
                read.reference(linked && resource == "Patient", &reference, scope);
            }
        }
    }
    read
}

impl Read {
    /// A reference to the subject of the resource.
    fn subject(&mut self, reference: &Reference<'_>, rule: &FhirReference, scope: &Scope<'_>) {
        let subject = reference.subject();
        if subject == Subject::Other {
            if self.subject == Subject::Unsaid {
                self.subject = subject;
            }
            return;
        }
        let first = matches!(self.subject, Subject::Unsaid | Subject::Other);
        if first || self.subject == subject {
            if subject != Subject::Unsaid || self.subject == Subject::Other {
                self.subject = subject;
            }
            reference.fields(rule, &mut self.own, scope);
        } else {
            self.other(subject, reference, rule, scope);
        }
    }

    /// Any other reference; only its own content shows that it points to a patient.
    fn reference(&mut self, linked: bool, reference: &Reference<'_>, scope: &Scope<'_>) {
        if !reference.is_patient() {
            return;
        }
        let subject = reference.subject();
        if let (true, Subject::Named(name)) = (linked, subject) {
            self.same.push(name.hash());
            return;
        }
        if let Some(rule) = scope.rules.fhir.reference() {
            self.other(subject, reference, rule, scope);
        }
    }

    fn other(
        &mut self,
        subject: Subject,
        reference: &Reference<'_>,
        rule: &FhirReference,
        scope: &Scope<'_>,
    ) {
        let mut said = Resource::default();
        reference.fields(rule, &mut said, scope);
        let same = |c: &&mut Claim| subject != Subject::Unsaid && c.subject == subject;
        if let Some(claim) = self.others.iter_mut().find(same) {
            let new = said.fields.into_iter().filter(|f| !claim.fields.iter().any(|k| k.same(f)));
            let new: Vec<_> = new.collect();
            claim.fields.extend(new);
        } else if self.others.len() < MAX_CLAIMS && !said.fields.is_empty() {
            self.others.push(Claim { subject, fields: said.fields });
        }
    }
}

/// The object of a path that is written like a reference.
fn referring(path: &[Step<'_>]) -> Option<usize> {
    match path.last()?.name {
        "reference" | "display" => path.len().checked_sub(2),
        // `type` of a reference, or the code of an identifier's.
        _ => match path.iter().position(|step| step.name == "identifier") {
            Some(at) => at.checked_sub(1),
            None if path.last()?.name == "type" => path.len().checked_sub(2),
            None => None,
        },
    }
}

/// A Reference (FHIR R4 2.3).
#[derive(Default)]
struct Reference<'a> {
    reference: &'a str,
    target: &'a str,
    display: &'a str,
    identifier: Parts<'a>,
}

impl<'a> Reference<'a> {
    fn add<'b>(&mut self, mut path: impl Iterator<Item = &'b str> + Clone, value: &'a str) {
        let Some(first) = path.next() else { return };
        let last = path.clone().next().is_none();
        match first {
            "reference" if last => self.reference = value,
            "type" if last => self.target = value,
            "display" if last => self.display = value,
            "identifier" => self.identifier.add(path, value),
            _ => {}
        }
    }

    /// Whether it declares itself that it points to a patient.
    fn is_patient(&self) -> bool {
        self.target.rsplit('/').next() == Some("Patient") || Subject::is_patient(self.reference)
    }

    fn subject(&self) -> Subject {
        let typed = !self.target.is_empty() && self.target.rsplit('/').next() != Some("Patient");
        if typed { Subject::Other } else { Subject::of(self.reference) }
    }

    fn fields(&self, rule: &FhirReference, to: &mut Resource, scope: &Scope<'_>) {
        to.identifier(&rule.identifier, &self.identifier, scope);
        // A conditional reference: `Patient?identifier=system|value` (FHIR R4 3.1.0.11.2).
        if memchr::memchr(b'?', self.reference.as_bytes()).is_some()
            && let Some((_, asked)) = self.reference.split_once("Patient?")
            && let Some(token) = asked.split('&').find_map(|p| p.strip_prefix("identifier="))
        {
            let (system, value) = token.split_once('|').unwrap_or(("", token));
            let mut parts = Parts::default();
            parts.add(std::iter::once("system"), system);
            parts.add(std::iter::once("value"), value);
            to.identifier(&rule.identifier, &parts, scope);
        }
        to.add(&rule.display, rule.display.kind, self.display, "");
    }
}

/// Where the names around a value lead in the rules.
#[derive(Default)]
struct Way<'r> {
    /// The object whose names these are.
    node: Option<u32>,
    /// The place of the object; `None` if the rules have none.
    place: Option<&'r FhirPath>,
    /// That of an element or a reference: the number of names that lead there, less one.
    found: Option<(usize, &'r FhirPath)>,
}

impl<'r> Way<'r> {
    /// Leads to the object of the value that `path` leads to.
    fn lead(&mut self, top: &'r FhirPath, path: &Path<'_>) {
        if self.node == path.node {
            return;
        }
        (self.node, self.place, self.found) = (path.node, Some(top), None);
        let around = path.steps().split_last().map_or(&[][..], |(_, around)| around);
        for (depth, step) in around.iter().enumerate() {
            self.place = self.place.and_then(|place| place.child(step.name));
            let Some(place) = self.place else { return };
            if is_field(place) {
                self.found = Some((depth, place));
                return;
            }
        }
    }

    /// The element or reference to which the value belongs, and the number of names that lead there, less one.
    fn find(&self, steps: &[Step<'_>]) -> Option<(usize, &'r FhirPath)> {
        let last = || {
            let place = self.place?.child(steps.last()?.name)?;
            is_field(place).then_some((steps.len() - 1, place))
        };
        self.found.or_else(last)
    }
}

/// Whether a rule names an element or a reference at this place.
const fn is_field(place: &FhirPath) -> bool {
    place.element().is_some() || place.reference().is_some()
}

/// A name on the way from the resource to a value, and the object below it.
#[derive(Clone, Copy, Default)]
struct Step<'a> {
    name: &'a str,
    node: Option<u32>,
}

/// The names from the resource down to a value.
#[derive(Default)]
struct Path<'a> {
    steps: SmallVec<[Step<'a>; MAX_PATH]>,
    /// The object of the value.
    node: Option<u32>,
}

impl<'a> Path<'a> {
    /// Leads to `value` from now on.
    fn lead_to(&mut self, value: Option<&Value>, root: u32, view: &View<'a>) {
        let Some(value) = value else { return self.steps.clear() };
        let own = Step { name: &view.name(value.name).text, node: None };
        // Values of one object mostly follow each other.
        if self.node == Some(value.node)
            && let Some(last) = self.steps.last_mut()
        {
            *last = own;
            return;
        }
        self.node = Some(value.node);
        self.steps.clear();
        self.steps.push(own);
        let mut node = value.node;
        while node != root && self.steps.len() < MAX_PATH {
            let Some(next) = view.node(node).filter(|n| n.parent < node) else { break };
            self.steps.push(Step { name: &view.name(next.name).text, node: Some(node) });
            node = next.parent;
        }
        self.steps.reverse();
    }

    fn steps(&self) -> &[Step<'a>] {
        &self.steps
    }
}
