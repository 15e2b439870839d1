//! JSON: FHIR resources, DICOM data sets (PS3.18 annex F), and objects of any other kind.

pub mod tokens;

use super::hl7v2::carried::{self, Carried};
use super::tree::Tree;
use super::{Document, Format, Media, Reason, Scope, Want, media};
use tokens::{Fault, Receiver, Tokens};

/// JSON, and rows of it (NDJSON).
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _whole: bool) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let Some((&first, rest)) = head.split_first() else { return false };
        let next = rest.trim_ascii_start().first();
        match first {
            // Declared as such, anything that can begin is good enough.
            b'{' | b'[' | 0x1e if media::says(media, "json", &["json", "ndjson", "jsonl"]) => true,
            b'{' => matches!(next, Some(b'"' | b'}')),
            b'[' => matches!(next, Some(b'{' | b'[' | b'"' | b']')),
            _ => false,
        }
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(JsonDocument {
            tokens: Tokens::default(),
            tree: Tree::new("json"),
            carried: None,
            path: media::path(media),
        })
    }
}

struct JsonDocument {
    tokens: Tokens,
    tree: Tree,
    /// A message in the string at hand.
    carried: Option<Carried>,
    /// Where it was asked for, until it is known what that says.
    path: Option<Box<str>>,
}

struct Reader<'a, 'b> {
    tree: &'a mut Tree,
    carried: &'a mut Option<Carried>,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        self.tree.open(object);
    }
    fn close(&mut self) {
        self.tree.close(self.scope);
    }
    fn key(&mut self, key: &str) {
        self.tree.key(key, self.scope);
    }
    fn wants(&mut self) -> bool {
        self.tree.wants()
    }
    fn value(&mut self, text: &str) {
        self.tree.value(text, self.scope);
    }
    fn passed(&mut self) {
        self.tree.passed();
    }
    fn carries(&mut self, head: &[u8]) -> bool {
        let begins = carried::begins(head);
        *self.carried = begins.then(|| Carried::new(head));
        begins
    }
    fn piece(&mut self, bytes: &[u8]) {
        if let Some(carried) = self.carried {
            carried.data(bytes, self.scope);
        }
    }
    fn piece_end(&mut self) {
        self.tree.passed();
        if let Some(mut carried) = self.carried.take() {
            carried.end(self.scope);
        }
    }
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.tree.around = media::about(&path, scope);
        }
        let mut reader = Reader { tree: &mut self.tree, carried: &mut self.carried, scope };
        match self.tokens.read(bytes, &mut reader) {
            Ok(()) => Want::ALL,
            Err(fault) => {
                scope.give_up(match fault {
                    Fault::Malformed => Reason::Malformed,
                    Fault::Limit => Reason::Limit,
                });
                Want::NOTHING
            }
        }
    }

    fn end(&mut self, _complete: bool, scope: &mut Scope<'_>) {
        let mut reader = Reader { tree: &mut self.tree, carried: &mut self.carried, scope };
        self.tokens.finish(&mut reader);
        if let Some(mut carried) = self.carried.take() {
            carried.end(scope);
        }
        self.tree.finish(scope);
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + self.tree.memory() + self.carried.as_ref().map_or(0, Carried::memory)
    }
}

#[cfg(test)]
mod tests;
