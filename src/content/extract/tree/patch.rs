//! Changes to a record: JSON Patch (RFC 6902) and FHIRPath Patch (FHIR R4 3.1.0.7.2). Each operation names a place
//! and the value for it; together they are read like the record that results.

use super::Tree;
use super::close::ResourceContext;
use super::fhir;
use super::frame::{Frame, Node, Value, View};
use super::names::PLAIN;
use crate::content::Scope;
use crate::content::extract::record::CandidateRecord;
use smallvec::SmallVec;

/// Values of one patch.
pub(super) const MAX_EDITS: usize = 256;

/// Names on the path to a value.
const MAX_STEPS: usize = 10;

/// Indices of lists in paths are smaller; the identity of objects of the patch itself is not.
const MAX_INDEX: u32 = 1 << 16;

/// A name on the path to a value, and the index among objects of that name.
pub(super) type Step<'a> = (&'a str, u32);
type Steps<'a> = SmallVec<[Step<'a>; 4]>;

/// A value and its place.
pub(super) struct Edit {
    steps: SmallVec<[(Box<str>, u32); 4]>,
    start: u32,
    end: u32,
}

impl Edit {
    /// A value for `place`. `below` continues from what the patch calls the value; if that is an object, the place
    /// ends with its name.
    pub(super) fn new(place: &[Step<'_>], below: &[(&str, Option<u32>)], value: &Value) -> Self {
        let object = below.first().and_then(|(_, node)| *node);
        let mut steps: Steps<'_> = place.iter().copied().collect();
        if let (Some(last), Some(node)) = (steps.last_mut(), object) {
            last.1 = last.1.max(node.saturating_add(MAX_INDEX));
        }
        steps.extend(below.iter().skip(1).map(|(name, node)| (*name, node.unwrap_or(0))));
        let steps = steps.iter().take(MAX_STEPS).map(|(name, at)| (Box::from(*name), *at));
        Self { steps: steps.collect(), start: value.start, end: value.end }
    }
}

/// Whether a member marks an object as an operation.
pub(super) fn is_operation(name: &str, value: &str) -> bool {
    name == "op" && matches!(value, "add" | "replace" | "remove" | "test" | "move" | "copy")
}

/// The FHIR type in a path: `/fhir/Patient/7`.
pub(super) fn target(path: &str) -> Option<Box<str>> {
    let path = path.split('?').next().unwrap_or(path);
    let is_type = |segment: &&str| {
        segment.starts_with(|c: char| c.is_ascii_uppercase())
            && segment.len() > 3
            && segment.bytes().all(|b| b.is_ascii_alphabetic())
    };
    path.rsplit('/').find(is_type).map(Box::from)
}

/// The place of an index in a list, above 0.
fn index(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().map(|at| at.min(MAX_INDEX - 2) + 1)
}

/// The steps of a JSON Pointer (RFC 6901): `/name/0/family`.
fn pointer(path: &str, operation: u32) -> Steps<'_> {
    let mut steps = Steps::new();
    for segment in path.split('/').skip(1).take(MAX_STEPS * 2) {
        match (index(segment), steps.last_mut()) {
            (Some(index), Some(last)) => last.1 = index,
            // Behind the last one: each operation adds another.
            (None, Some(last)) if segment == "-" => last.1 = operation.saturating_add(MAX_INDEX),
            _ => steps.push((segment, 1)),
        }
    }
    steps
}

/// The type and the steps of an element in FHIRPath: `Patient.name.where(use = 'official').family`.
pub(super) fn fhirpath(path: &str) -> (&str, Steps<'_>) {
    let mut steps = Steps::new();
    let mut depth = 0_usize;
    let dot = move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '.' && depth == 0
    };
    let mut parts = path.split(dot);
    let resource = parts.next().unwrap_or("").trim();
    for part in parts.take(MAX_STEPS * 2).filter(|part| !part.contains('(')) {
        let (name, at) = part.split_once('[').unwrap_or((part, ""));
        steps.push((name.trim(), index(at.trim_end_matches(']')).unwrap_or(1)));
    }
    (resource, steps)
}

impl Tree {
    /// Whether the innermost object may be an operation of a JSON Patch: it is in a list at the top level, or in one that
    /// a member of the top level holds (`{"patches": [...]}`).
    pub(super) fn is_operation(&self) -> bool {
        match self.frames.as_slice() {
            [list, _] | [_, list, _] => !list.object,
            _ => false,
        }
    }

    /// Adds the operations of a JSON Patch in the list `frame`.
    pub(super) fn emit_patch(&mut self, frame: &Frame, scope: &mut Scope<'_>) {
        let values = self.values.get(frame.values..).unwrap_or_default();
        let view = View { nodes: &self.nodes, names: &self.names, text: &self.text };
        let mut edits = Vec::new();
        let mut rest = values;
        while let Some(operation) = rest.first().map(|v| below_root(v.node, frame.node, &view)) {
            let own = |v: &&Value| below_root(v.node, frame.node, &view) == operation;
            let (own, behind) = rest.split_at(rest.iter().take_while(own).count().max(1));
            rest = behind;
            let is_path = |v: &&Value| v.node == operation && &*view.name(v.name).text == "path";
            let Some(path) = own.iter().find(is_path) else { continue };
            let place = pointer(view.text(path), operation);
            for value in own {
                let below = below(value, operation, &view);
                let is_value = below.first().is_some_and(|(name, _)| *name == "value");
                if is_value && !place.is_empty() && edits.len() < MAX_EDITS {
                    edits.push(Edit::new(&place, &below, value));
                }
            }
        }
        match self.target.take() {
            Some(resource) => self.apply(&resource, &edits, scope),
            None => self.apply_loosely(&edits, scope),
        }
    }

    /// Passes on the resource that results from `edits`.
    pub(super) fn apply(&mut self, resource: &str, edits: &[Edit], scope: &mut Scope<'_>) {
        // The objects along the steps; the first is the resource.
        let mut nodes = vec![Node { parent: 0, name: PLAIN }];
        let mut places: Vec<(u32, u16, u32)> = vec![(0, PLAIN, 0)];
        let mut values = Vec::new();
        for edit in edits {
            let Some((last, around)) = edit.steps.split_last() else { continue };
            let mut node = 0;
            for (name, instance) in around {
                let place = (node, self.names.find(name, scope.rules()), *instance);
                node = match places.iter().position(|known| *known == place) {
                    Some(at) => at as u32,
                    None => {
                        nodes.push(Node { parent: node, name: place.1 });
                        places.push(place);
                        nodes.len() as u32 - 1
                    }
                };
            }
            let name = self.names.find(&last.0, scope.rules());
            let (start, end) = (edit.start, edit.end);
            values.push(Value { node, name, tag: PLAIN, meaning: None, start, end });
        }
        let view = View { nodes: &nodes, names: &self.names, text: &self.text };
        // The values of one element stay together.
        values.sort_by_key(|value| below_root(value.node, 0, &view));
        let read = fhir::read(resource, 0, &values, &view, scope);
        self.pass_on(resource, read, ResourceContext::default(), scope);
    }

    /// The same, for an object whose names no standard defines.
    fn apply_loosely(&mut self, edits: &[Edit], scope: &mut Scope<'_>) {
        let mut record = CandidateRecord::default();
        for edit in edits {
            let mut steps = edit.steps.iter().rev();
            let Some((name, _)) = steps.next() else { continue };
            let parent = steps.next().map(|(parent, _)| self.names.find(parent, scope.rules()));
            let index = self.names.find(name, scope.rules());
            let under = parent.and_then(|parent| self.names.pair(parent, name, scope.rules()));
            let meaning = under.or_else(|| self.names.get(index).meaning.clone());
            record.mark(self.names.get(index).marks);
            if let (Some(meaning), Some(value)) =
                (meaning, self.text.get(edit.start as usize..edit.end as usize))
            {
                record.add(&meaning, 0, value);
            }
        }
        record.mark_from_afar(self.around);
        record.emit(self.content, scope);
    }
}

/// The outermost object around `node` inside of `root`.
fn below_root(mut node: u32, root: u32, view: &View<'_>) -> u32 {
    while let Some(parent) = view.node(node).map(|n| n.parent).filter(|p| *p < node && *p != root) {
        node = parent;
    }
    node
}

/// The names from the object `around` down to a value, with the objects below them.
pub(super) fn below<'a>(
    value: &Value,
    around: u32,
    view: &View<'a>,
) -> SmallVec<[(&'a str, Option<u32>); 4]> {
    let mut steps: SmallVec<[(&str, Option<u32>); 4]> = SmallVec::new();
    steps.push((&view.name(value.name).text, None));
    let mut node = value.node;
    while node != around && steps.len() < MAX_STEPS {
        let Some(next) = view.node(node).filter(|n| n.parent < node) else { break };
        steps.push((&view.name(next.name).text, Some(node)));
        node = next.parent;
    }
    steps.reverse();
    steps
}
