//! XML as objects with members, for the readers of messages that are written in JSON as well: `<Field
//! id="PID.5">Roe</Field>` becomes `"Field": {"id": "PID.5", "value": "Roe"}`, and `<F5>Roe</F5>` becomes `"F5": "Roe"`.

use super::json::tokens::Receiver as Objects;
use super::markup::{Attributes, Receiver};
use zeroize::Zeroizing;

/// Levels of elements.
const MAX_DEPTH: usize = 64;
/// Longest text of an element, bytes.
const MAX_TEXT: usize = 64 << 10;
/// Attributes of an element.
const MAX_ATTRIBUTES: usize = 64;
/// The member with the text of an element that has attributes.
const VALUE: &str = "value";

/// Whether a document is XML, and no page.
pub fn is_xml(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let page = |front: &[u8]| {
        head.get(..front.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(front))
    };
    head.starts_with(b"<") && !page(b"<!DOCTYPE") && !page(b"<html")
}

/// The open elements.
#[derive(Default)]
pub struct Members {
    open: Vec<Element>,
    /// Levels beyond those that are distinguished.
    deeper: usize,
    text: Zeroizing<String>,
    begun: bool,
}

struct Element {
    name: Box<str>,
    /// It is an object.
    object: bool,
}

/// Takes the elements of a document.
pub struct XmlMembers<'a, R> {
    /// The open elements.
    pub members: &'a mut Members,
    /// The reader of the objects.
    pub to: &'a mut R,
}

impl Members {
    /// The document ends.
    pub fn finish(&mut self, to: &mut impl Objects) {
        for element in self.open.drain(..).rev() {
            if element.object {
                to.close();
            }
        }
        if std::mem::take(&mut self.begun) {
            to.close();
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.text.capacity() + self.open.len() * (size_of::<Element>() + 16)
    }

    fn end(&mut self, to: &mut impl Objects) {
        let Some(element) = self.open.pop() else { return };
        let text = Zeroizing::new(std::mem::take(&mut *self.text));
        let text = text.trim();
        if !element.object {
            to.key(&element.name);
            to.value(text);
            return;
        }
        if !text.is_empty() {
            to.key(VALUE);
            to.value(text);
        }
        to.close();
    }
}

impl<R: Objects> Receiver for XmlMembers<'_, R> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let members = &mut *self.members;
        if members.open.len() >= MAX_DEPTH {
            members.deeper += usize::from(!closed);
            return;
        }
        if !std::mem::replace(&mut members.begun, true) {
            self.to.open(true);
        }
        if let Some(around) = members.open.last_mut().filter(|around| !around.object) {
            around.object = true;
            self.to.key(&around.name);
            self.to.open(true);
        }
        members.text.clear();
        let name = name.rsplit(':').next().unwrap_or(name);
        let mut object = false;
        let own = attributes.iter().filter(|(name, _)| !name.starts_with("xml"));
        for (attribute, value) in own.take(MAX_ATTRIBUTES) {
            if !std::mem::replace(&mut object, true) {
                self.to.key(name);
                self.to.open(true);
            }
            self.to.key(attribute);
            self.to.value(&value);
        }
        members.open.push(Element { name: name.into(), object });
        if closed {
            members.end(self.to);
        }
    }

    fn end(&mut self, _name: &str) {
        match self.members.deeper.checked_sub(1) {
            Some(deeper) => self.members.deeper = deeper,
            None => self.members.end(self.to),
        }
    }

    fn text(&mut self, text: &str) {
        if self.members.text.len() + text.len() <= MAX_TEXT {
            self.members.text.push_str(text);
        }
    }
}
