//! The parts of the walker's position that change the meaning of an attribute: the blocks of private attributes, and
//! the concept of a content item.

use super::walker::Element;
use crate::rules::{DicomRules, FieldRule};
use smallvec::SmallVec;
use std::sync::Arc;

/// Blocks that are remembered.
const MAX_BLOCKS: usize = 64;
/// Longest code, scheme or meaning kept, bytes (PS3.5: LO has 64 characters).
const MAX_CODE: usize = 192;

const CODE_VALUE: u32 = 0x0008_0100;
const CODING_SCHEME: u32 = 0x0008_0102;
const CODE_MEANING: u32 = 0x0008_0104;
const CONCEPT_NAME_CODE_SEQUENCE: u32 = 0x0040_A043;
const DATE: u32 = 0x0040_A121;
const PERSON_NAME: u32 = 0x0040_A123;
const TEXT_VALUE: u32 = 0x0040_A160;

/// Whether an attribute is private, and not a private creator (PS3.5 7.8.1).
pub(super) const fn is_private(tag: u32) -> bool {
    tag >> 16 & 1 == 1 && tag & 0xFFFF > 0xFF
}

/// Whether an attribute is the concept of a content item, or its value.
pub(super) const fn belongs_to_content_item(tag: u32) -> bool {
    matches!(tag, CODE_VALUE | CODING_SCHEME | CODE_MEANING | DATE | PERSON_NAME | TEXT_VALUE)
}

/// Whether an attribute is a private creator.
pub(super) const fn is_creator(tag: u32) -> bool {
    tag >> 16 & 1 == 1 && matches!(tag & 0xFFFF, 0x10..=0xFF)
}

/// Blocks of private attributes whose creators have rules.
#[derive(Default)]
pub(super) struct Blocks {
    /// Items around it, group and block in the form of a tag (gggg,00bb), and the creator.
    known: SmallVec<[(usize, u32, u16); 4]>,
}

impl Blocks {
    /// `name` has reserved the block that `element` selects.
    pub fn reserve(&mut self, element: &Element, name: &str, rules: &DicomRules) {
        let same = |b: &(usize, u32, u16)| b.0 == element.depth && b.1 == element.tag;
        self.known.retain(|b| !same(b));
        if let Some(creator) = rules.creator(name)
            && self.known.len() < MAX_BLOCKS
        {
            self.known.push((element.depth, element.tag, creator));
        }
    }

    /// The rule for a private attribute.
    pub fn rule<'r>(&self, element: &Element, rules: &'r DicomRules) -> Option<&'r Arc<FieldRule>> {
        let block = element.tag & 0xFFFF_0000 | element.tag >> 8 & 0xFF;
        let known = |b: &&(usize, u32, u16)| b.0 == element.depth && b.1 == block;
        let (.., creator) = self.known.iter().find(known).filter(|_| is_private(element.tag))?;
        rules.private(*creator, element.tag)
    }

    /// `depth` enclosing items are left.
    pub fn leave(&mut self, depth: usize) {
        self.known.retain(|b| b.0 <= depth);
    }
}

/// The concept of the current content item (PS3.3 C.17.3.2).
#[derive(Default)]
pub(super) struct Concept {
    depth: Option<usize>,
    code: String,
    scheme: String,
    meaning: String,
}

impl Concept {
    /// An element is read.
    pub fn element(&mut self, element: &Element) {
        if element.tag == CONCEPT_NAME_CODE_SEQUENCE {
            *self = Self { depth: Some(element.depth), ..Self::default() };
        }
    }

    /// Whether an element belongs to the concept.
    pub fn wants(&self, element: &Element) -> bool {
        element.sequence == CONCEPT_NAME_CODE_SEQUENCE
            && matches!(element.tag, CODE_VALUE | CODING_SCHEME | CODE_MEANING)
            && self.depth.is_some_and(|depth| element.depth == depth + 1)
    }

    /// The value of a wanted element.
    pub fn value(&mut self, element: &Element, text: &str) {
        let slot = match element.tag {
            CODE_VALUE => &mut self.code,
            CODING_SCHEME => &mut self.scheme,
            _ => &mut self.meaning,
        };
        if slot.is_empty() && text.len() <= MAX_CODE {
            slot.push_str(text);
        }
    }

    /// The rule for the value of a content item.
    pub fn rule<'r>(&self, element: &Element, rules: &'r DicomRules) -> Option<&'r Arc<FieldRule>> {
        let value = matches!(element.tag, DATE | PERSON_NAME | TEXT_VALUE);
        (value && self.depth == Some(element.depth))
            .then(|| rules.concept(&self.scheme, &self.code, &self.meaning))
            .flatten()
    }

    /// `depth` enclosing items are left.
    pub fn leave(&mut self, depth: usize) {
        if self.depth.is_some_and(|d| d > depth) {
            self.depth = None;
        }
    }
}
