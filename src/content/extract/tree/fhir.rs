//! FHIR resources, and CDA documents, which are read by the same rules.

use super::{Value, View};
use crate::content::Scope;
use crate::content::extract::fhir::{Element, Kept, Parts};
use crate::content::extract::record::Marks;

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
    let mut rest = values;
    let mut path = values.first().map(|first| Path::new(root, first, view));
    while let Some(Path { steps, len }) = path {
        let steps = steps.get(..len).unwrap_or_default();
        let mut place = top;
        let mut found = None;
        for (depth, step) in steps.iter().enumerate() {
            let Some(below) = place.child(step.name) else { break };
            if let Some(element) = below.element() {
                found = Some((depth, element));
                break;
            }
            place = below;
        }
        let Some((depth, element)) = found else {
            rest = rest.get(1..).unwrap_or_default();
            path = rest.first().map(|next| Path::new(root, next, view));
            continue;
        };
        // All values of one instance of the element stand together.
        let instance = steps.get(depth).and_then(|step| step.node);
        let mut parts = Parts::default();
        while let (Some(Path { steps, len }), Some(value)) = (path, rest.first()) {
            let steps = steps.get(..len).unwrap_or_default();
            let text = view.text(value);
            if !text.is_empty() {
                parts.add(steps.get(depth + 1..).unwrap_or_default().iter().map(|s| s.name), text);
            }
            rest = rest.get(1..).unwrap_or_default();
            path = rest.first().map(|next| Path::new(root, next, view));
            let next = path.and_then(|p| p.steps.get(..p.len)?.get(depth)?.node);
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
#[derive(Clone, Copy)]
struct Path<'a> {
    steps: [Step<'a>; MAX_PATH],
    len: usize,
}

impl<'a> Path<'a> {
    fn new(root: u32, value: &Value, view: &View<'a>) -> Self {
        let mut steps = [Step::default(); MAX_PATH];
        let mut len = 0;
        let mut push = |name: u16, node: Option<u32>| {
            if let Some(step) = steps.get_mut(len) {
                *step = Step { name: view.name(name).text.as_ref(), node };
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
        if let Some(steps) = steps.get_mut(..len) {
            steps.reverse();
        }
        Self { steps, len }
    }
}
