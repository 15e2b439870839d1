//! FHIR resources, and CDA documents, which are read by the same rules.

use super::subjects::{Claim, Subject};
use super::{Value, View};
use crate::content::Scope;
use crate::content::extract::fhir::{Parts, Resource};
use crate::rules::FhirReference;

/// Deepest element of a rule (`Patient.contact.name`), with what stands below it.
const MAX_PATH: usize = 10;

/// References of one resource to patients that are told apart.
const MAX_CLAIMS: usize = 256;

/// What a resource says: its own fields, whose it is, and what it says of other patients.
pub(super) struct Read {
    /// Fields of the resource, and those of the reference to whom it is about.
    pub own: Resource,
    /// Whose it is.
    pub subject: Subject,
    /// Other patients it names, or more of them.
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
    let rules = scope.rules;
    let mut read = Read {
        own: Resource::default(),
        subject: Subject::Unsaid,
        others: Vec::new(),
        same: Vec::new(),
    };
    let mut joined = String::new();
    let mut at = 0;
    while let Some(value) = values.get(at) {
        let (path, nodes, len) = path(root, value, view);
        let path = path.get(..len).unwrap_or_default();
        joined.clear();
        let mut found = None;
        let mut subject = None;
        for (depth, name) in path.iter().enumerate() {
            if depth > 0 {
                joined.push('.');
            }
            joined.push_str(name);
            if let Some(element) = rules.fhir.element(resource, &joined) {
                found = Some((depth, element));
                break;
            }
            if let Some(reference) = rules.fhir.subject(resource, &joined) {
                subject = Some((depth, reference));
                break;
            }
        }
        let Some(depth) = found.map(|f| f.0).or(subject.map(|s| s.0)).or_else(|| referring(path))
        else {
            at += 1;
            continue;
        };
        // All values of one instance of the element stand together.
        let instance = nodes.get(depth).copied().flatten();
        let mut reference = Reference::default();
        let mut parts = Parts::default();
        let mut of_instance = 0;
        while let Some(next) = values.get(at + of_instance) {
            let (next_path, next_nodes, next_len) = self::path(root, next, view);
            let next_path = next_path.get(..next_len).unwrap_or_default();
            let same = match instance {
                Some(_) => next_nodes.get(depth).copied().flatten() == instance,
                None => of_instance == 0,
            };
            if !same {
                break;
            }
            let text = view.text(next);
            if !text.is_empty() {
                let below = next_path.get(depth + 1..).unwrap_or_default();
                match found {
                    Some(_) => parts.add(below, text),
                    None => reference.add(below, text),
                }
            }
            of_instance += 1;
        }
        match (found, subject) {
            (Some((_, element)), _) => read.own.element(element, &parts, scope),
            (None, Some((_, rule))) => read.subject(&reference, rule, scope),
            (None, None) => read.reference(resource, path, &reference, scope),
        }
        at += of_instance.max(1);
    }
    read
}

impl Read {
    /// A reference to whom the resource is about.
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

    /// Any other reference; only what it says itself tells that it points to a patient.
    fn reference(
        &mut self,
        resource: &str,
        path: &[&str],
        reference: &Reference<'_>,
        scope: &Scope<'_>,
    ) {
        if !reference.is_patient() {
            return;
        }
        let subject = reference.subject();
        if let (("Patient", [.., "link", "other", _]), Subject::Named(name)) =
            ((resource, path), subject)
        {
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
fn referring(path: &[&str]) -> Option<usize> {
    match path {
        [.., "reference" | "display" | "type"] => path.len().checked_sub(2),
        _ => path.iter().position(|name| *name == "identifier")?.checked_sub(1),
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
    fn add(&mut self, path: &[&str], value: &'a str) {
        match path {
            ["reference"] => self.reference = value,
            ["type"] => self.target = value,
            ["display"] => self.display = value,
            ["identifier", rest @ ..] => self.identifier.add(rest, value),
            _ => {}
        }
    }

    /// Whether it says itself that it points to a patient.
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
        if let Some((_, asked)) = self.reference.split_once("Patient?")
            && let Some(token) = asked.split('&').find_map(|p| p.strip_prefix("identifier="))
        {
            let (system, value) = token.split_once('|').unwrap_or(("", token));
            let mut parts = Parts::default();
            parts.add(&["system"], system);
            parts.add(&["value"], value);
            to.identifier(&rule.identifier, &parts, scope);
        }
        to.add(&rule.display, rule.display.kind, self.display, "");
    }
}

/// The names from the resource down to a value, and the objects that stand under them.
fn path<'a>(
    root: u32,
    value: &Value,
    view: &View<'a>,
) -> ([&'a str; MAX_PATH], [Option<u32>; MAX_PATH], usize) {
    let (mut names, mut nodes) = ([""; MAX_PATH], [None; MAX_PATH]);
    let mut len = 0;
    let mut push = |name: u16, node: Option<u32>| {
        if let (Some(n), Some(o)) = (names.get_mut(len), nodes.get_mut(len)) {
            *n = view.name(name).text.as_ref();
            *o = node;
            len += 1;
        }
    };
    push(value.name, None);
    let mut node = value.node;
    while node != root {
        let Some(next) = view.node(node).filter(|n| n.parent < node) else { break };
        push(next.name, Some(node));
        node = next.parent;
    }
    if let (Some(names), Some(nodes)) = (names.get_mut(..len), nodes.get_mut(..len)) {
        names.reverse();
        nodes.reverse();
    }
    (names, nodes, len)
}
