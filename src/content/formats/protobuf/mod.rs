//! Protocol buffers without their schema: messages of gRPC and of web interfaces. Fields have numbers, not names, so
//! a value counts only if it describes itself, if a map gives it a name, or if a patient's record cannot be anything
//! else.

mod wire;

use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::extract::schemaless;
use crate::content::extract::schemaless::Node;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::rules::About;

use wire::{Value, Wire};
use zeroize::Zeroizing;

/// Levels of nested messages.
const MAX_NESTING: usize = 12;

/// Longest field of the outermost message that is kept, bytes. Longer ones are files.
const MAX_FIELD: usize = 256 << 10;

/// Longest text that may be a value.
const MAX_VALUE: usize = 128;

/// Shortest text that may be a document itself.
const MIN_DOCUMENT: usize = 16;

/// `application/protobuf` and its other names.
pub struct Protobuf;

impl Format for Protobuf {
    fn name(&self) -> &'static str {
        "protobuf"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], extent: Extent) -> bool {
        let essence = media::essence(media);
        let declared = media::says(media, "protobuf", &["pb", "binpb", "protobuf"])
            || essence.eq_ignore_ascii_case("application/x-google-protobuf");
        // Text format and JSON are sent under this type too.
        declared && Wire::new(head).all_fields(extent)
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Message {
            held: Zeroizing::default(),
            need: 0,
            root: Node::default(),
            path: media::path(media),
            marks: Marks::default(),
            broken: false,
        })
    }
}

struct Message {
    /// The incomplete outermost field.
    held: Zeroizing<Vec<u8>>,
    /// Its length, if known.
    need: usize,
    /// Values of the outermost message itself.
    root: Node,
    path: Option<Box<str>>,
    /// Context from the names of the service and its method.
    marks: Marks,
    broken: bool,
}

impl Document for Message {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.marks = about(&path, scope);
        }
        let joined;
        let mut rest = bytes;
        if !self.held.is_empty() {
            self.held.extend_from_slice(bytes);
            if self.held.len() < self.need {
                return Want::ALL;
            }
            joined = std::mem::take(&mut self.held);
            rest = &joined;
        }
        loop {
            let mut wire = Wire::new(rest);
            match wire.next() {
                Some(Ok((number, value))) => {
                    let taken = wire.taken();
                    field(number, &value, &mut self.root, 0, self.marks, scope);
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Some(Err(wire::Fault::Short { front, len })) => {
                    if len > MAX_FIELD as u64 {
                        let missing = len.saturating_sub((rest.len() - front) as u64);
                        scope.skipped(len);
                        return Want { skip: missing };
                    }
                    self.held.extend_from_slice(rest);
                    self.need = front + len as usize;
                    return Want::ALL;
                }
                Some(Err(wire::Fault::Malformed)) => {
                    self.broken = true;
                    scope.give_up(Reason::Malformed);
                    return Want::NOTHING;
                }
                None => return Want::ALL,
            }
        }
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if !self.broken {
            emit(&mut self.root, self.marks, scope);
        }
    }

    fn memory(&self) -> usize {
        self.held.capacity() + self.root.memory()
    }
}

/// Reads a field of a message at `depth` into what is known of the message.
fn field(
    number: u32,
    value: &Value<'_>,
    node: &mut Node,
    depth: usize,
    marks: Marks,
    scope: &mut Scope<'_>,
) {
    let bytes = match *value {
        Value::Number(n) => {
            node.number(number, n);
            return;
        }
        Value::Bytes(bytes) => bytes,
    };
    let text = schemaless::text(bytes);
    // Short texts are valid messages surprisingly often, so readable text counts as text.
    if let Some(text) = text {
        if is_document(bytes) || text.contains('\n') {
            document(text, scope);
        } else if text.len() <= MAX_VALUE {
            node.text(number, text);
        } else if text.contains(':') {
            document(text, scope);
        }
        return;
    }
    if is_document(bytes) {
        scope.whole(&Media::Unknown, bytes);
        return;
    }
    if depth >= MAX_NESTING || !Wire::new(bytes).all_fields(Extent::Whole) {
        return;
    }
    let mut inner = Node::default();
    for (number, value) in Wire::new(bytes).flatten() {
        field(number, &value, &mut inner, depth + 1, marks, scope);
    }
    if let Some((name, value)) = inner.pair() {
        // An entry of a map.
        if let Some(about) = scope.rules().keys.context(name) {
            node.mark(Marks::about(about));
        }
        if let Some(key) = scope.rules().keys.get(name) {
            node.labelled(Meaning::from(key), value);
        }
    } else if !emit(&mut inner, marks, scope) {
        node.select_protocol(number, inner);
    }
}

/// Passes on the record of a message, if its values suffice. Returns whether they did.
fn emit(node: &mut Node, marks: Marks, scope: &mut Scope<'_>) -> bool {
    let mut record = CandidateRecord::default();
    if !node.person(marks, &mut record, scope.rules()) {
        return false;
    }
    record.emit("protobuf", scope);
    true
}

/// A nested document: JSON, XML, an HL7 message, a note.
fn document(text: &str, scope: &mut Scope<'_>) {
    if text.len() >= MIN_DOCUMENT {
        scope.whole(&Media::Unknown, text.as_bytes());
    }
}

/// Whether a field begins like a document.
fn is_document(bytes: &[u8]) -> bool {
    bytes.len() >= MIN_DOCUMENT
        && (matches!(
            bytes,
            [b'{', b'"' | b' ' | b'\n', ..] | [b'[', b'{', ..] | [b'<', b'?' | b'a'..=b'z' | b'A'..=b'Z', ..]
        ) || bytes.starts_with(b"MSH|")
            || bytes.starts_with(b"%PDF-")
            || bytes.starts_with(b"PK\x03\x04")
            || bytes.starts_with(b"\x1f\x8b")
            || bytes.get(128..132) == Some(b"DICM"))
}

/// Context from the names of a service and its method: `/clinic.v1.PatientService/GetPatient`.
fn about(path: &str, scope: &Scope<'_>) -> Marks {
    let keys = &scope.rules().keys;
    let mut marks = Marks::default();
    let mut say = |word: &str| {
        if let Some(about) = keys.scope_of(word).map(crate::rules::ContextScope::ahead) {
            marks = marks.and(match about {
                About::Other | About::Elsewhere => Marks::default(),
                about => Marks::about(about).ahead(),
            });
        }
    };
    for part in path.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()) {
        let mut start = 0;
        for (at, c) in part.char_indices().skip(1) {
            if c.is_uppercase() {
                say(part.get(start..at).unwrap_or(""));
                start = at;
            }
        }
        say(part.get(start..).unwrap_or(""));
    }
    marks
}

#[cfg(test)]
mod tests;
