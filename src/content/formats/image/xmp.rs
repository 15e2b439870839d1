//! XMP packets (ISO 16684-1): texts of elements and attributes, except those about the image's author.

use super::Words;
use crate::content::Scope;
use crate::content::formats::markup::{Attributes, Markup, Receiver};
use zeroize::Zeroizing;

/// Deepest nesting of elements.
const MAX_NESTING: usize = 32;

/// About the author, the rights and the software (Dublin Core, Photoshop and XMP schemas).
const OTHERS: [&str; 14] = [
    "creator",
    "rights",
    "publisher",
    "contributor",
    "Credit",
    "AuthorsPosition",
    "CaptionWriter",
    "Owner",
    "CreatorTool",
    "DerivedFrom",
    "History",
    "Ingredients",
    "source",
    "toolkit",
];

/// Attributes that hold running text.
const TEXTS: [&str; 5] = ["description", "title", "UserComment", "ImageDescription", "Headline"];

struct Packet<'a, 'b, 'c> {
    words: &'a mut Words,
    scope: &'a mut Scope<'b>,
    open: &'c mut Vec<Element>,
}

/// An open element.
struct Element {
    name: Box<str>,
    /// It, or an enclosing element, is about others.
    other: bool,
    text: Zeroizing<String>,
}

pub(super) fn read(packet: &[u8], words: &mut Words, scope: &mut Scope<'_>) {
    let mut open = Vec::new();
    let mut receiver = Packet { words, scope, open: &mut open };
    let mut markup = Markup::default();
    markup.read(packet, &mut receiver);
    markup.finish(&mut receiver);
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

impl Receiver for Packet<'_, '_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let name = local(name);
        let around = self.open.last().is_some_and(|e| e.other);
        let other = around || OTHERS.contains(&name);
        for (attribute, value) in attributes.iter() {
            let attribute = local(attribute);
            let keys = &self.scope.rules().keys;
            let known = keys.get(attribute).is_some() || keys.context(attribute).is_some();
            if !other && (known || TEXTS.contains(&attribute)) {
                self.words.named(attribute, &value, self.scope);
            }
        }
        if !closed && self.open.len() < MAX_NESTING {
            self.open.push(Element { name: name.into(), other, text: Zeroizing::default() });
        }
    }

    fn end(&mut self, name: &str) {
        let name = local(name);
        if self.open.last().is_none_or(|e| *e.name != *name) {
            return;
        }
        let Some(element) = self.open.pop().filter(|e| !e.other) else { return };
        // A list item has the list's name.
        let listed = matches!(name, "li" | "Alt" | "Bag" | "Seq");
        let name = match self.open.iter().rev().find(|e| !matches!(&*e.name, "Alt" | "Bag" | "Seq"))
        {
            Some(around) if listed => &around.name,
            _ => name,
        };
        if !element.text.trim().is_empty() {
            self.words.named(name, &element.text, self.scope);
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut().filter(|e| !e.other && e.text.len() < 4096) {
            element.text.push_str(text);
        }
    }
}
