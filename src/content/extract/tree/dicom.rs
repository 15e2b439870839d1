//! The DICOM JSON model (PS3.18 annex F) and the native XML model (PS3.19 A.1): QIDO-RS responses, metadata,
//! worklists. They are read like the elements of a data set.

use super::names::{PLAIN, group_of_name, part_of_name};
use super::{Tree, Value, View};
use crate::content::Scope;
use crate::content::formats::dicom::model::Model;
use smallvec::SmallVec;

/// Enclosing objects of a value that are examined.
const MAX_CLIMB: usize = 256;

/// An element around another one: its node, its tag, and the item that contains the other.
#[derive(Clone, Copy, PartialEq, Eq)]
struct EnclosingItem {
    element: u32,
    tag: u32,
    item: u32,
}

/// Position of a value.
#[derive(Default)]
struct ElementPath {
    /// The element it belongs to.
    element: u32,
    tag: u32,
    /// Sequences around the element, outermost first.
    around: SmallVec<[EnclosingItem; 8]>,
}

/// Passes on the data set that `values` belong to.
pub(super) fn emit(values: &[Value], view: &View<'_>, scope: &mut Scope<'_>) {
    let identifies = |value: &Value| {
        let tag = view.name(value.tag).dicom_tag;
        tag.is_some_and(|tag| scope.rules().dicom.get(tag).is_some())
    };
    if !values.iter().any(identifies) {
        return;
    }
    let mut model = Model::begin(scope);
    let mut around: SmallVec<[EnclosingItem; 8]> = SmallVec::new();
    let mut text = zeroize::Zeroizing::new(String::new());
    let mut rest = values;
    while let Some(first) = rest.first() {
        let Some(place) = place(first, view) else {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        let same = |v: &&Value| element_of(v, view) == Some(place.element);
        let len = rest.iter().take_while(same).count().max(1);
        let (own, behind) = rest.split_at(len);
        rest = behind;
        // Items that have ended, then sequences that begin.
        let kept = around.iter().zip(&place.around).take_while(|(a, b)| a == b).count();
        if around.len() > kept {
            model.leave(kept, scope);
        }
        for (depth, one) in place.around.iter().enumerate().skip(kept) {
            let begun = around.get(depth).is_some_and(|a| a.element == one.element);
            if !begun {
                let outer = depth.checked_sub(1).and_then(|d| place.around.get(d));
                model.sequence(one.tag, depth, outer.map_or(0, |o| o.tag), scope);
            }
        }
        let sequence = place.around.last().map_or(0, |o| o.tag);
        text.clear();
        let name = join(own, view, &mut text);
        model.element((place.tag, name), place.around.len(), sequence, &text, scope);
        around = place.around;
    }
    model.end(scope);
}

/// The element that a value belongs to.
fn element_of(value: &Value, view: &View<'_>) -> Option<u32> {
    bare(value, view).or_else(|| climb(value.node, view)).map(|(element, _)| element)
}

/// The element that a value is without an object around it: `"(0010,0020)": "77"`.
fn bare(value: &Value, view: &View<'_>) -> Option<(u32, u32)> {
    /// Apart from the numbers of nodes.
    const BARE: u32 = 1 << 31;
    let tag = view.name(value.name).dicom_tag?;
    Some((BARE | u32::from(value.name), tag))
}

/// The innermost element at or around `node`.
fn climb(mut node: u32, view: &View<'_>) -> Option<(u32, u32)> {
    for _ in 0..MAX_CLIMB {
        let here = view.node(node)?;
        if let Some(tag) = view.name(here.name).dicom_tag {
            return Some((node, tag));
        }
        if here.parent >= node {
            return None;
        }
        node = here.parent;
    }
    None
}

fn place(value: &Value, view: &View<'_>) -> Option<ElementPath> {
    let parent = |inner: u32| view.node(inner).map(|n| n.parent).filter(|parent| *parent < inner);
    let (element, tag, mut outer) = match bare(value, view) {
        Some((element, tag)) => (element, tag, Some(value.node)),
        None => {
            let (element, tag) = climb(value.node, view)?;
            (element, tag, parent(element))
        }
    };
    let mut around: SmallVec<[EnclosingItem; 8]> = SmallVec::new();
    // Each item is inside the enclosing element.
    while let Some(item) = outer {
        let Some((element, tag)) = climb(item, view).filter(|_| around.len() < MAX_CLIMB) else {
            break;
        };
        around.push(EnclosingItem { element, tag, item });
        outer = parent(element);
    }
    around.reverse();
    Some(ElementPath { element, tag, around })
}

/// Joins the values of one element; whether they are names. XML separates the parts of a name (PS3.19 A.1.6), both
/// models its up to three representations (PS3.18 F.2.2).
fn join(values: &[Value], view: &View<'_>, text: &mut String) -> bool {
    let mut last = None;
    let (mut group, mut part) = (0, 0);
    let mut name = false;
    for (at, value) in values.iter().enumerate() {
        let own = &view.name(value.name).text;
        let place = part_of_name(own);
        // The representation, and the one that contains the whole name.
        let (representation, instance) = match (group_of_name(own), view.node(value.node)) {
            (Some(group), _) => (Some(group), value.node),
            (None, Some(node)) if place.is_some() => {
                (group_of_name(&view.name(node.name).text), node.parent)
            }
            _ => (None, u32::MAX),
        };
        name |= representation.is_some();
        if at > 0 && (representation.is_none() || last != Some(instance)) {
            text.push('\\');
            (group, part) = (0, 0);
        }
        last = Some(instance);
        while group < representation.unwrap_or_default() {
            text.push('=');
            group += 1;
            part = 0;
        }
        while part < place.unwrap_or_default() {
            text.push('^');
            part += 1;
        }
        text.push_str(view.text(value));
    }
    name
}

impl Tree {
    /// The DICOM element that the next value belongs to: the one around it, or one that has it without an object.
    pub(super) fn tag_of_value(&self) -> Option<u16> {
        let top = self.frames.last()?;
        let name = self.names.get(top.next);
        let own = top.object && name.dicom_tag.is_some();
        let small = || name.small_value && self.names.get(top.name).dicom_tag.is_some();
        let around = top.tag != PLAIN && (name.tag_value || small());
        own.then_some(top.next).or(around.then_some(top.tag))
    }
}
