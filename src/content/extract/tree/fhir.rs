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
    let mut joined = String::new();
    let mut at = 0;
    while let Some(value) = values.get(at) {
        let (path, nodes, len) = path(root, value, view);
        let path = path.get(..len).unwrap_or_default();
        joined.clear();
        let mut found = None;
        for (depth, name) in path.iter().enumerate() {
            if depth > 0 {
                joined.push('.');
            }
            joined.push_str(name);
            if let Some(element) = rules.fhir.element(resource, &joined) {
                found = Some((depth, element));
                break;
            }
        }
        let Some((depth, element)) = found else {
            at += 1;
            continue;
        };
        // All values of one instance of the element stand together.
        let instance = nodes.get(depth).copied().flatten();
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
            if !view.text(next).is_empty() {
                parts.add(next_path.get(depth + 1..).unwrap_or_default(), view.text(next));
            }
            of_instance += 1;
        }
        record.element(element, &parts, scope);
        at += of_instance.max(1);
    }
    record.end(scope)
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
