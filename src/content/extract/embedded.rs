//! A message of another format that stands in an element of XML as text or in base64: X12 in the envelope
//! of CAQH CORE (2.2 of its connectivity rule), documents of IHE ITI-41, HL7 v2 in web services.

use crate::content::formats::hl7v2::carried;
use crate::content::stack::transfer_encoding;
use crate::content::{Media, Nested, Scope, Want};

/// Bytes that tell what it is.
const HEAD: usize = 12;

/// What texts begin with that are read as they are.
const PLAIN: [&[u8]; 10] =
    [b"ISA", b"MSH", b"FHS", b"BHS", b"UNA", b"UNB", b"UIB", b"<", b"%PDF-", b"{\""];

/// The text of an element.
#[derive(Default)]
pub struct Payload {
    head: Vec<u8>,
    nested: Option<Nested>,
    /// Bytes to come that nobody wants.
    unwanted: u64,
}

impl Payload {
    /// Whether an element of this name may hold one.
    pub fn may_stand_in(element: &str) -> bool {
        const NAMES: [&str; 10] = [
            "payload",
            "document",
            "hl7message",
            "hl7",
            "message",
            "content",
            "data",
            "return",
            "arg0",
            "body",
        ];
        NAMES.iter().any(|n| n.eq_ignore_ascii_case(element))
    }

    /// The next bytes. False: it is ordinary text.
    pub fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> bool {
        if self.nested.is_none() {
            let blank =
                if self.head.is_empty() { bytes.len() - bytes.trim_ascii_start().len() } else { 0 };
            self.head.extend_from_slice(bytes.get(blank..).unwrap_or(&[]));
            if self.head.len() < HEAD {
                return self.may_be();
            }
            return self.decide(scope);
        }
        self.feed(bytes, scope);
        true
    }

    /// What was kept, if it is ordinary text after all.
    pub fn text(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.head)
    }

    /// The element ends. False: it is ordinary text.
    pub fn end(&mut self, complete: bool, scope: &mut Scope<'_>) -> bool {
        if self.nested.is_none() && !(self.may_be() && self.decide(scope)) {
            return false;
        }
        if let Some(mut nested) = self.nested.take() {
            nested.end(complete, scope);
        }
        true
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.head.capacity() + self.nested.as_ref().map_or(0, Nested::memory)
    }

    /// Whether it may still be one.
    fn may_be(&self) -> bool {
        let base64 =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\r' | b'\n');
        PLAIN.iter().any(|p| self.head.starts_with(p) || p.starts_with(&self.head))
            || self.head.iter().all(base64)
    }

    fn decide(&mut self, scope: &mut Scope<'_>) -> bool {
        let nested = if carried::begins(&self.head) {
            carried::nested(&self.head)
        } else if PLAIN.iter().any(|p| self.head.starts_with(p)) {
            Nested::new(&Media::Unknown)
        } else if self.head.len() >= HEAD && self.may_be() && is_encoded(&self.head) {
            transfer_encoding::undo("base64", &Media::Unknown)
        } else {
            return false;
        };
        self.nested = Some(nested);
        let head = std::mem::take(&mut self.head);
        self.feed(&head, scope);
        true
    }

    fn feed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let Some(nested) = &mut self.nested else { return };
        let wanted = Want::behind(&mut self.unwanted, bytes);
        if !wanted.is_empty() {
            self.unwanted = nested.data(wanted, scope).skip;
        }
    }
}

/// Whether text in the letters of base64 begins like a document in it: `<`, `%PDF`, `ISA`, `MSH`, `UN`, a
/// byte order mark, ZIP, gzip. A word of prose may have the same letters.
fn is_encoded(head: &[u8]) -> bool {
    const STARTS: [&[u8]; 12] = [
        b"PD", b"JVBERi", b"SVNB", b"TVNI", b"VU5", b"VUlC", b"77u/", b"UEsDB", b"H4sI", b"PEN",
        b"eyJ", b"RElDT",
    ];
    STARTS.iter().any(|s| head.starts_with(s))
}
