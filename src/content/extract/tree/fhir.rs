//! FHIR resources, and CDA documents, which are read by the same rules.

use super::{Value, View};
use crate::content::Scope;
use crate::content::extract::fhir::{Element, Kept, Parts};
use crate::content::extract::record::Marks;
use smallvec::SmallVec;

/// Deepest element of a rule (`Patient.contact.name`), with what stands below it.
const MAX_PATH: usize = 8;

/// Hands on the resource at `root`; by what a patient is recognised.
pub(super) fn emit(
    resource: &str,
    root: u32,
    values: &[Value],
    marks: Marks,
    view: &View<'_>,
    scope: &mut Scope<'_>,
) -> Vec<Kept> {
    let rules = scope.rules;
    let mut record = Element::resource(resource, marks);
    let Some(top) = rules.fhir.resource(resource) else { return record.end(scope) };
    let mut path = Path::default();
    let mut rest = values;
    path.lead_to(rest.first(), root, view);
    while !rest.is_empty() {
        let mut place = top;
        let mut found = None;
        for (depth, step) in path.steps().iter().enumerate() {
            let Some(below) = place.child(step.name) else { break };
            if let Some(element) = below.element() {
                found = Some((depth, step.node, element));
                break;
            }
            place = below;
        }
        let Some((depth, instance, element)) = found else {
            rest = rest.get(1..).unwrap_or_default();
            path.lead_to(rest.first(), root, view);
            continue;
        };
        // All values of one instance of the element stand together.
        let mut parts = Parts::default();
        while let Some((value, behind)) = rest.split_first() {
            let text = view.text(value);
            if !text.is_empty() {
                let below = path.steps().get(depth + 1..).unwrap_or_default();
                parts.add(below.iter().map(|step| step.name), text);
            }
            rest = behind;
            path.lead_to(rest.first(), root, view);
            let next = path.steps().get(depth).and_then(|step| step.node);
            if instance.is_none() || next != instance {
                break;
            }
        }
        record.element(element, &parts, scope);
    }
    record.end(scope)
}

/// A name on the way from the resource to a value, and the object that stands under it.
#[derive(Clone, Copy, Default)]
struct Step<'a> {
    name: &'a str,
    node: Option<u32>,
}

/// The names from the resource down to a value.
#[derive(Default)]
struct Path<'a> {
    steps: SmallVec<[Step<'a>; MAX_PATH]>,
}

impl<'a> Path<'a> {
    /// Leads to `value` from now on.
    fn lead_to(&mut self, value: Option<&Value>, root: u32, view: &View<'a>) {
        self.steps.clear();
        let Some(value) = value else { return };
        self.steps.push(Step { name: &view.name(value.name).text, node: None });
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
