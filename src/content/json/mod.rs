//! JSON: FHIR resources, DICOM data sets (PS3.18 annex F), and objects of any other kind.

pub mod tokens;

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
            path: media::path(media),
        })
    }
}

struct JsonDocument {
    tokens: Tokens,
    tree: Tree,
    /// Where it was asked for, until it is known what that says.
    path: Option<Box<str>>,
}

struct Reader<'a, 'b> {
    tree: &'a mut Tree,
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
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.tree.around = media::about(&path, scope);
        }
        let mut reader = Reader { tree: &mut self.tree, scope };
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
        let mut reader = Reader { tree: &mut self.tree, scope };
        self.tokens.finish(&mut reader);
        self.tree.finish(scope);
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + self.tree.memory()
    }
}

#[cfg(test)]
mod tests;
