//! Encapsulated documents (PS3.3 C.24.2), read as they arrive.

use crate::content::{Ending, Media, Nested, Scope, Want};
use zeroize::Zeroizing;

/// Bytes that identify a document, as its media type, (0042,0012), follows it.
const LEAD: usize = 64;

/// The current document.
pub(super) struct Encapsulated {
    lead: Zeroizing<Vec<u8>>,
    nested: Option<Nested>,
}

impl Encapsulated {
    pub fn new() -> Self {
        Self { lead: Zeroizing::new(Vec::new()), nested: None }
    }

    /// The next bytes; false if the rest is not wanted.
    pub fn part(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> bool {
        if let Some(nested) = &mut self.nested {
            return nested.data(bytes, scope) == Want::ALL;
        }
        let (lead, rest) = bytes.split_at(bytes.len().min(LEAD - self.lead.len().min(LEAD)));
        self.lead.extend_from_slice(lead);
        if self.lead.len() < LEAD {
            return true;
        }
        self.begin(scope) && (rest.is_empty() || self.part(rest, scope))
    }

    /// The end.
    pub fn end(mut self, ending: Ending, scope: &mut Scope<'_>) {
        if self.nested.is_none() {
            self.begin(scope);
        }
        if let Some(mut nested) = self.nested {
            nested.end(ending, scope);
        }
    }

    /// Recognises the document by its first bytes.
    fn begin(&mut self, scope: &mut Scope<'_>) -> bool {
        let content_type = match self.lead.trim_ascii_start() {
            [b'%', b'P', b'D', b'F', ..] => "application/pdf",
            [b'<', ..] | [0xEF, 0xBB, 0xBF, b'<', ..] => "application/xml",
            // Solids and their materials (PS3.3 A.85) contain no names of people.
            _ => return false,
        };
        let nested = self.nested.insert(Nested::new(&Media::Type { content_type, name: "" }));
        nested.data(&self.lead, scope) == Want::ALL
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.lead.capacity() + self.nested.as_ref().map_or(0, Nested::memory)
    }
}
