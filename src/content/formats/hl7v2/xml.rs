//! HL7 v2 in XML (HL7 v2.xml): `<PID><PID.3><CX.1>77</CX.1></PID.3></PID>`, and as engines write it otherwise:
//! `<PID.3-PatientIdentifierList>`, `<PIDf3><PIDf3c0>`, `<Segment Name="PID"><Field Number="3"><Component Number="1">`.
//! Each segment is written back as ER7 and read like any other.

use super::embedded::Embedded;
use super::joined;
use super::message::Message;
use super::value::Delimiters;
use crate::content::formats::markup::{Attributes, Markup, Receiver};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use std::fmt::Write;
use zeroize::Zeroizing;

/// Highest field number that is read.
const MAX_FIELD: usize = 255;
/// Highest component and subcomponent number that is read.
const MAX_PART: usize = 32;
/// Longest converted segment, bytes.
const MAX_SEGMENT: usize = 64 << 10;
/// Deepest nesting within a segment that is distinguished.
const MAX_NESTING: usize = 64;

/// Beginning of the namespaces of BizTalk, which writes `<PID_PatientIdentification>`, `<PID_3_PatientIdentifierList>`
/// and `<CX_0_Id>`: fields are counted from one, their parts from zero.
const BIZTALK: &[u8] = b"microsoft.com/HealthCare/HL7";

/// What only such documents have.
const MARKS: [&[u8]; 6] =
    [b"urn:hl7-org:v2xml", b"<MSH.1>", b"<PID.5>", b"<PID.5-", b"<PIDf5>", BIZTALK];

/// Fields with their numbers in attributes.
const NUMBERED: [&[u8]; 8] = [
    b"<Field Number=\"",
    b"<field number=\"",
    b"<Field Id=\"",
    b"<field id=\"",
    b"<Field Index=\"",
    b"<field index=\"",
    b"<Field Seq=\"",
    b"<field seq=\"",
];

/// Attributes with the name of a segment, and with the number of a field or a part of one.
const NAMES: [&str; 4] = ["Name", "name", "Id", "id"];
const NUMBERS: [&str; 8] = ["Number", "number", "Id", "id", "Index", "index", "Seq", "seq"];

/// The format.
pub struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let declared = matches!(media, Media::Type { .. } | Media::Unknown);
        declared
            && head
                .strip_prefix(b"\xEF\xBB\xBF")
                .unwrap_or(head)
                .trim_ascii_start()
                .starts_with(b"<")
            && {
                let has = |mark: &[u8]| memchr::memmem::find(head, mark).is_some();
                let numbered = || has(b"=\"PID\"") && NUMBERED.iter().any(|mark| has(mark));
                MARKS.iter().any(|mark| has(mark)) || numbered()
            }
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(XmlDocument { markup: Markup::in_pieces(), segments: Segments::default() })
    }
}

#[derive(Default)]
struct XmlDocument {
    markup: Markup,
    segments: Segments,
}

/// The current segment.
#[derive(Default)]
pub(super) struct Segments {
    message: Message,
    name: Option<[u8; 3]>,
    /// The segment is named in an attribute of its element.
    by_attribute: bool,
    /// Fields by number, in ER7; 0 is unused.
    fields: Vec<Zeroizing<String>>,
    length: usize,
    cut: bool,
    /// Open elements within the segment: field, component, subcomponent, and deeper ones.
    depth: usize,
    field: usize,
    /// Components of the repetition, in ER7.
    parts: Vec<Zeroizing<String>>,
    part: usize,
    sub: usize,
    /// The document of a result, or of several.
    embedded: Option<Embedded>,
    /// Components of OBX-5 that it already has.
    given: usize,
}

/// Takes the elements of a message.
pub(super) struct TokenHandler<'a, 'b> {
    segments: &'a mut Segments,
    scope: &'a mut Scope<'b>,
}

impl<'a, 'b> TokenHandler<'a, 'b> {
    pub(super) const fn new(segments: &'a mut Segments, scope: &'a mut Scope<'b>) -> Self {
        Self { segments, scope }
    }
}

impl Document for XmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.markup.read(bytes, &mut TokenHandler { segments: &mut self.segments, scope });
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.markup.finish(&mut TokenHandler { segments: &mut self.segments, scope });
        self.segments.end(scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory() + self.segments.memory()
    }
}

/// The name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The number behind the dot of `PID.3`, `CX.1`; of BizTalk's names, the field of `PID_3_PatientIdentifierList`, and
/// the part of `CX_0_Id`.
fn number(name: &str, max: usize) -> Option<usize> {
    let found = match name.rsplit_once('.') {
        // `PID.3-PatientIdentifierList`.
        Some((_, number)) => number.split('-').next().and_then(|number| number.parse().ok()),
        None if name.get(3..4) == Some("f") => {
            // `PIDf5`, and from zero `PIDf5c0`.
            let (field, part) = name.get(4..)?.split_once('c').map_or_else(
                || (name.get(4..).unwrap_or(""), None),
                |(field, part)| (field, Some(part)),
            );
            let from_zero = |part: &str| Some(part.parse::<usize>().ok()?.saturating_add(1));
            part.map_or_else(|| field.parse().ok(), from_zero)
        }
        None => {
            let mut words = name.split('_');
            let of_segment = words.next().is_some_and(|word| word.len() == 3);
            let number = words.take_while(|w| w.bytes().all(|b| b.is_ascii_digit())).last()?;
            let number = number.parse::<usize>().ok();
            // Names of data types may have three letters, too (`XPN_1_GivenName`).
            let is_part = !of_segment || PARTS.iter().any(|part| name.starts_with(part));
            number.map(|n| n.saturating_add(usize::from(is_part)))
        }
    };
    found.filter(|n| (1..=max).contains(n))
}

/// Data types with names of three letters.
const PARTS: [&str; 8] = ["XPN_", "XAD_", "XTN_", "XCN_", "XON_", "MSG_", "DTM_", "CWE_"];

/// The segment that an element is: `PID`, `PID_PatientIdentification`.
fn segment_of(name: &str) -> Option<[u8; 3]> {
    let own = match name.split_once('_') {
        Some((own, title)) => {
            let mut title = title.bytes();
            let word = title.next().is_some_and(|b| b.is_ascii_uppercase())
                && title.next().is_some_and(|b| b.is_ascii_lowercase());
            word.then_some(own)?
        }
        None => name,
    };
    let is_segment = own.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_segment.then(|| own.as_bytes().try_into().ok()).flatten()
}

/// Fewest fields of a header before the name of another segment.
const MIN_JOINED: usize = 13;

/// What is before the name of a known segment at the end of a field, behind a line feed or nothing, and that name.
fn next(field: &str) -> Option<(&str, [u8; 3])> {
    let at = field.len().checked_sub(3)?;
    let (before, name) = field.split_at_checked(at)?;
    let name: [u8; 3] = name.as_bytes().try_into().ok()?;
    let before = if before.is_empty() { before } else { before.strip_suffix("\\.br\\")? };
    joined::is_known(name).then_some((before, name))
}

/// Writes text in ER7.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '&' => out.push_str("\\T\\"),
            '~' => out.push_str("\\R\\"),
            '\\' => out.push_str("\\E\\"),
            '\n' => out.push_str("\\.br\\"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}

/// The value of the first of these attributes.
fn attribute<'a>(attributes: Attributes<'a>, names: &[&str]) -> Option<std::borrow::Cow<'a, str>> {
    names.iter().find_map(|name| attributes.get(name))
}

impl Receiver for TokenHandler<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let name = local(name);
        let s = &mut *self.segments;
        if s.name.is_none() {
            let named = name.eq_ignore_ascii_case("segment");
            let own = if named { attribute(attributes, &NAMES) } else { None };
            if !closed && let Some(segment) = segment_of(own.as_deref().unwrap_or(name)) {
                (s.name, s.by_attribute) = (Some(segment), own.is_some());
                (s.depth, s.length) = (0, 0);
            }
            return;
        }
        let numbered = if s.by_attribute { attribute(attributes, &NUMBERS) } else { None };
        let number = |name: &str, max| {
            let own = numbered.as_deref().map(|number| number.trim().parse().ok());
            own.unwrap_or_else(|| number(name, max)).filter(|n| (1..=max).contains(n))
        };
        if closed {
            return;
        }
        s.depth = (s.depth + 1).min(MAX_NESTING);
        match s.depth {
            1 => {
                s.field = number(name, MAX_FIELD).unwrap_or(0);
                if s.name == Some(*b"OBX") && s.field == 5 {
                    s.begin_value(self.scope);
                }
                (s.part, s.sub) = (1, 1);
                s.parts.clear();
            }
            2 => (s.part, s.sub) = (number(name, MAX_PART).unwrap_or(0), 1),
            3 => s.sub = number(name, MAX_PART).unwrap_or(0),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        let s = &mut *self.segments;
        match s.depth {
            0 if s.by_attribute || s.name.is_some_and(|n| segment_of(local(name)) == Some(n)) => {
                s.flush(self.scope);
            }
            0 => {}
            1 => {
                s.close_field();
                s.depth = 0;
            }
            2 => (s.depth, s.part, s.sub) = (1, 1, 1),
            3 => (s.depth, s.sub) = (2, 1),
            _ => s.depth -= 1,
        }
    }

    fn text(&mut self, text: &str) {
        let s = &mut *self.segments;
        if s.name.is_some() && s.depth > 0 && s.field > 0 && s.part > 0 && s.sub > 0 {
            if s.name == Some(*b"OBX") && s.field == 5 && s.embed(text, self.scope) {
                return;
            }
            s.push(text);
        }
    }
}

impl Segments {
    /// The message ends.
    pub(super) fn end(&mut self, scope: &mut Scope<'_>) {
        self.flush(scope);
        self.close_embedded(scope);
        self.message.end(scope);
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        let embedded = self.embedded.as_ref().map_or(0, Embedded::memory);
        self.length + self.message.memory() + embedded
    }

    /// A repetition of OBX-5 begins: it may contain a document, which is read as it arrives, like that of a segment
    /// in ER7.
    fn begin_value(&mut self, scope: &mut Scope<'_>) {
        let syntax = self.message.syntax();
        self.given = 1;
        let again = self.fields.get(5).is_some_and(|f| !f.is_empty());
        let embedded = self.embedded.get_or_insert_with(Embedded::new);
        if again {
            embedded.data(b"~", &syntax, scope);
            return;
        }
        embedded.begin();
        embedded.data(b"|", &syntax, scope);
        if let Some(datatype) = self.fields.get(2) {
            embedded.data(datatype.as_bytes(), &syntax, scope);
        }
        embedded.data(b"|||", &syntax, scope);
    }

    /// Text of OBX-5; whether it belongs to a document.
    fn embed(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let syntax = self.message.syntax();
        let Some(embedded) = &mut self.embedded else { return false };
        while self.given < self.part {
            embedded.data(b"^", &syntax, scope);
            self.given += 1;
        }
        // Base64 contains none of these, and they are escaped nowhere else.
        let mut escaped = Zeroizing::new(String::with_capacity(text.len()));
        escape(text, &mut escaped);
        embedded.data(escaped.as_bytes(), &syntax, scope);
        embedded.is_document()
    }

    fn close_embedded(&mut self, scope: &mut Scope<'_>) {
        if let Some(mut embedded) = self.embedded.take() {
            embedded.end(Ending::Complete, &self.message.syntax(), scope);
        }
    }

    /// Adds text at the current component and subcomponent.
    fn push(&mut self, text: &str) {
        if self.length + text.len() > MAX_SEGMENT {
            self.cut = true;
            return;
        }
        if self.parts.len() < self.part {
            self.parts.resize(self.part, Zeroizing::default());
        }
        let d = Delimiters::default();
        let Some(part) = self.parts.get_mut(self.part - 1) else { return };
        let before = part.len();
        // Of long text this is a piece, whose blanks count.
        let text = if before == 0 { text.trim_start() } else { text };
        let subs = part.matches(d.subcomponent).count() + 1;
        part.extend(std::iter::repeat_n(d.subcomponent, self.sub.saturating_sub(subs)));
        escape(text, part);
        self.length += part.len() - before;
    }

    /// A repetition of a field is complete.
    fn close_field(&mut self) {
        if self.field == 0 {
            return;
        }
        if self.fields.len() <= self.field {
            self.fields.resize(self.field + 1, Zeroizing::default());
        }
        if let Some(field) = self.fields.get_mut(self.field) {
            if !field.is_empty() {
                field.push('~');
            }
            for (at, part) in self.parts.iter().enumerate() {
                if at > 0 {
                    field.push('^');
                }
                field.push_str(part);
            }
        }
        self.parts.clear();
    }

    /// The segment is complete.
    fn flush(&mut self, scope: &mut Scope<'_>) {
        let Some(name) = self.name.take() else { return };
        if self.depth > 0 {
            self.close_field();
            self.depth = 0;
        }
        if name == *b"OBX" {
            let syntax = self.message.syntax();
            if let Some(embedded) = &mut self.embedded {
                embedded.end_segment(&syntax, scope);
            }
        } else {
            self.close_embedded(scope);
        }
        self.message.begins(name, scope);
        if self.message.wants(name, scope.rules) {
            let mut raw = Zeroizing::new(String::with_capacity(self.length + 64));
            raw.push_str(std::str::from_utf8(&name).unwrap_or(""));
            // MSH-1 is the separator, MSH-2 the others: those that were used here.
            let from = if name == *b"MSH" {
                raw.push_str("|^~\\&");
                3
            } else {
                1
            };
            for (number, field) in self.fields.iter().enumerate().skip(from) {
                // Libraries that end segments at CR alone take a message with line feeds for one header, whose fields
                // end with the names of the next segments.
                let next = if name == *b"MSH" && number >= MIN_JOINED { next(field) } else { None };
                let Some((before, next)) = next else {
                    // Writing to a string cannot fail.
                    let _ = write!(raw, "|{}", field.as_str());
                    continue;
                };
                let _ = write!(raw, "|{before}");
                let own: [u8; 3] = raw.as_bytes().first_chunk().copied().unwrap_or(name);
                if self.message.wants(own, scope.rules) {
                    self.message.segment(raw.as_bytes(), scope);
                }
                raw.clear();
                raw.push_str(std::str::from_utf8(&next).unwrap_or(""));
                self.message.begins(next, scope);
            }
            let own: [u8; 3] = raw.as_bytes().first_chunk().copied().unwrap_or(name);
            if self.message.wants(own, scope.rules) {
                self.message.segment(raw.as_bytes(), scope);
            }
        }
        self.fields.clear();
        self.parts.clear();
        if std::mem::take(&mut self.cut) {
            scope.give_up(Reason::Limit);
        }
    }
}
