//! A message of another format in an XML element, as text or in base64: X12 in the envelope of CAQH CORE (2.2
//! of its connectivity rule), documents of IHE ITI-41, HL7 v2 in web services.

use crate::content::formats::chmed;
use crate::content::formats::hex;
use crate::content::formats::hl7v2::carried;
use crate::content::formats::html;
use crate::content::formats::jws;
use crate::content::stack::transfer_encoding;
use crate::content::{Ending, Media, Nested, Scope, Want};

/// Bytes needed to recognise it.
const HEAD: usize = 16;
/// Shortest base64 text that may hold a document.
const MIN_BASE64: usize = 64;

/// Beginnings of texts that are read as they are.
const PLAIN: [&[u8]; 10] =
    [b"ISA", b"MSH", b"FHS", b"BHS", b"UNA", b"UNB", b"UIB", b"<", b"%PDF-", b"{\""];

/// Beginnings of X12 and EDIFACT interchanges, and of ASTM messages, with the usual delimiters.
const INTERCHANGES: [&[u8]; 6] =
    [b"ISA*00*", b"ISA*03*", b"UNA:+", b"UNB+UNO", b"UIB+UNO", b"H|\\^&|"];

/// The reader of a value that begins with `front`, if that is the beginning of a message of HL7 v2, X12, EDIFACT or
/// ASTM, a medication plan or a token, wherever the value is.
pub fn message(front: &[u8]) -> Option<Nested> {
    if INTERCHANGES.iter().any(|begin| front.starts_with(begin)) {
        return Some(Nested::new(&Media::Unknown));
    }
    if carried::begins(front) {
        return Some(carried::nested(front));
    }
    if chmed::begins(front) {
        return Some(chmed::nested());
    }
    if begins_practice_file(front) {
        return Some(Nested::new(&Media::Unknown));
    }
    if hex::begins(front) {
        return Some(hex::nested());
    }
    jws::begins(front).then(jws::nested)
}

/// Whether a value begins like a file of a German practice (xDT): the length of its first line, and field 8000.
fn begins_practice_file(front: &[u8]) -> bool {
    matches!(front, [b'0', b'1', _, b'8', b'0', b'0', b'0', ..])
}

/// Whether a value begins like the first record of an analyser, or the first line of a file of a practice, whose further
/// ones may be the next values of a list.
pub fn begins_list(front: &[u8]) -> bool {
    let framed = is_framed(front).then(|| {
        let text = front.trim_ascii_start();
        let text = text.strip_prefix(b"\x05").unwrap_or(text);
        text.get(2..).unwrap_or_default()
    });
    let begins = |begin: &&[u8]| framed.unwrap_or(front).starts_with(begin);
    [&b"H|\\^&"[..], b"H|~^\\&", b"H|^~\\&"].iter().any(begins) || begins_practice_file(front)
}

/// Whether a value begins with the framing of analysers: ENQ, or STX.
pub fn is_framed(front: &[u8]) -> bool {
    matches!(front, [0x02 | 0x05, ..])
}

/// Whether a value of a list may be a further one: `P|1|`, `0133000`.
pub fn continues_list(front: &[u8]) -> bool {
    match front {
        [kind, b'|', ..] => kind.is_ascii_uppercase(),
        _ if is_framed(front) => true,
        _ => front.len() >= 7 && front.iter().take(7).all(u8::is_ascii_digit),
    }
}

/// The text of an element.
#[derive(Default)]
pub struct Payload {
    head: Vec<u8>,
    nested: Option<Nested>,
    /// Coming bytes to skip.
    unwanted: u64,
}

impl Payload {
    /// Whether an element of this name may hold one.
    pub fn may_be_inside(element: &str) -> bool {
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

    /// Whether the text of any other element begins like one, as it is written there; `ends`: it is complete.
    pub fn begins(text: &[u8], ends: bool) -> bool {
        /// Also with character references for markup characters.
        const STARTS: [&[u8]; 16] = [
            b"&lt;?",
            b"&lt;!",
            b"&#60;?",
            b"&#x3c;?",
            b"&#x3C;?",
            b"<?xml",
            b"<!DOCTYPE",
            b"ISA*",
            b"MSH|",
            b"FHS|",
            b"BHS|",
            b"UNA:",
            b"UNB+",
            b"%PDF-",
            b"{\"",
            b"{&quot;",
        ];
        let text = text.trim_ascii_start();
        // An element: its name, and the characters that may follow it.
        let element = [&b"&lt;"[..], b"<"].iter().any(|open| {
            let Some(name) = text.strip_prefix(*open) else { return false };
            let len = name.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b':').count();
            let follows = name.get(len);
            len > 0
                && (follows.is_none() && !ends
                    || matches!(follows, Some(b'>' | b'&' | b' ' | b'\r' | b'\n' | b'/')))
        });
        let cut = !ends && text.len() < MIN_BASE64;
        let letters = || text.iter().take(MIN_BASE64).all(|b| is_base64(*b));
        element
            || STARTS.iter().any(|s| text.starts_with(s) || cut && s.starts_with(text))
            || (cut || text.len() >= MIN_BASE64)
                && letters()
                && (is_encoded(text) || text.len() < HEAD)
    }

    /// The next bytes. False if it is ordinary text.
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

    /// The bytes kept, if it is ordinary text after all.
    pub fn text(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.head)
    }

    /// The element ends. False if it is ordinary text.
    pub fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) -> bool {
        if self.nested.is_none() && !(self.may_be() && self.decide(scope)) {
            return false;
        }
        if let Some(mut nested) = self.nested.take() {
            nested.end(ending, scope);
        }
        true
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.head.capacity() + self.nested.as_ref().map_or(0, Nested::memory)
    }

    /// Whether it may still be one.
    fn may_be(&self) -> bool {
        PLAIN.iter().any(|p| self.head.starts_with(p) || p.starts_with(&self.head))
            || jws::begins(&self.head)
            || self.head.iter().all(|b| is_base64(*b))
    }

    fn decide(&mut self, scope: &mut Scope<'_>) -> bool {
        let nested = if let Some(nested) = message(&self.head) {
            nested
        } else if is_element(&self.head) {
            Nested::new(&XML)
        } else if PLAIN.iter().any(|p| self.head.starts_with(p)) {
            Nested::new(&Media::Unknown)
        } else if self.head.len() >= HEAD && self.may_be() && is_encoded(&self.head) {
            let element = is_encoded_element(&self.head);
            transfer_encoding::undo("base64", if element { &XML } else { &Media::Unknown })
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

/// Whether base64 text begins like a document: `<`, `%PDF`, `ISA`, `MSH`, `UN`, a byte order mark, ZIP, gzip. A word
/// of prose may have the same letters.
fn is_encoded(head: &[u8]) -> bool {
    const STARTS: [&[u8]; 12] = [
        b"PD", b"JVBERi", b"SVNB", b"TVNI", b"VU5", b"VUlC", b"77u/", b"UEsDB", b"H4sI", b"PEN",
        b"eyJ", b"RElDT",
    ];
    STARTS.iter().any(|s| head.starts_with(s)) || is_measured_gzip(head) || is_encoded_element(head)
}

/// How a document is read that begins with an element of no namespace.
pub const XML: Media<'static> = Media::Type { content_type: "text/xml", name: "" };

/// Whether base64 begins with an element of XML: `<`, and a name.
pub fn is_encoded_element(head: &[u8]) -> bool {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let Some(front) = head.get(..8).filter(|head| head.first() == Some(&b'P')) else {
        return false;
    };
    is_element(&engine.decode(front).unwrap_or_default())
}

/// Whether a text begins with an element of XML, which is none of HTML.
pub fn is_element(head: &[u8]) -> bool {
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':' | b'.');
    let [b'<', first, rest @ ..] = head else { return false };
    let end = rest.iter().position(|b| !name(b)).unwrap_or(rest.len());
    let follows = rest.get(end).is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
    first.is_ascii_alphabetic() && follows && !html::is_fragment(head)
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n')
}

/// Whether base64 begins with gzip behind a length of two bytes, or offsets of eight, as files of German health cards
/// do (gemSpec_eGK_Fach_VSDM 2.2).
pub fn is_measured_gzip(text: &[u8]) -> bool {
    [3, 11].iter().any(|at| text.get(*at..at + 4) == Some(b"fiwg"))
}

/// Length of the JSON object at the front of `text`. `None` if it does not end.
pub fn object_len(text: &[u8]) -> Option<usize> {
    let mut scan = ObjectScan::default();
    scan.end(text)
}

/// Finds the end of a JSON object in pieces.
#[derive(Default)]
pub struct ObjectScan {
    depth: u32,
    string: bool,
    escape: bool,
}

impl ObjectScan {
    /// Offset in the next `bytes` at which the object ends.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if std::mem::take(&mut self.escape) {
                continue;
            }
            match (byte, self.string) {
                (b'\\', true) => self.escape = true,
                (b'"', _) => self.string = !self.string,
                (b'{' | b'[', false) => self.depth = self.depth.saturating_add(1),
                (b'}' | b']', false) => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}
