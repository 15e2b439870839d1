//! XML: FHIR resources, CDA documents, the native DICOM model (PS3.19 A.1), and any other elements, read like the
//! objects of JSON.

use super::dialect::{Dialect, Message, Namespaces};
use super::html::is_element;
use super::markup::{Attributes, Markup, Receiver};
use crate::content::extract::embedded::{self, Payload};
use crate::content::extract::record::Marks;
use crate::content::extract::rows::Rows;
use crate::content::extract::texts::Texts;
use crate::content::extract::tree::Tree;
use crate::content::extract::xds::{EBXML, Metadata};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};
use crate::rules::About;

mod dump;
mod members;

use dump::{Dump, Part};
use members::Members;

/// Shortest value of an attribute that may be a message, bytes.
const MIN_MESSAGE: usize = 32;
/// Levels of nested elements.
const MAX_NESTING: usize = 128;

/// Namespace of FHIR resources (FHIR R4, XML representation).
const FHIR: &str = "http://hl7.org/fhir";

/// The root of a CDA document, and the element for each patient whom it is about.
const DOCUMENT: &str = "ClinicalDocument";
const RECORD_TARGET: &str = "recordTarget";

/// Namespace of workbooks in SpreadsheetML 2003.
const WORKBOOK: &str = "urn:schemas-microsoft-com:office:spreadsheet";

/// Namespace of HL7 version 3 and CDA.
const CDA: &str = "urn:hl7-org:v3";

/// Longest first tag of XML without a declaration, bytes.
const MAX_TAG: usize = 512;

/// XML.
pub struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let Some(rest) = head.strip_prefix(b"<") else { return false };
        let html = memchr::memmem::find(head, b"<html").is_some();
        let tag = rest.get(..5).unwrap_or(rest);
        if tag.eq_ignore_ascii_case(b"?xml ") {
            // XHTML is read as HTML.
            return !media::says(media, "html", &[]) && !html;
        }
        let begins = rest
            .first()
            .is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'!' | b'?' | 0x80..));
        let declared = media::says(media, "xml", &["xml"]);
        // Without a declaration: an element in a namespace, or with another one in it.
        let plain = matches!(media, Media::Type { .. } | Media::Unknown) && !html;
        let named = plain && memchr::memmem::find(head, b" xmlns").is_some();
        begins && (declared || named || plain && is_nested(rest))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(XmlDocument {
            markup: Markup::in_pieces(),
            reader: Reader {
                tree: Tree::new("xml"),
                open: Vec::new(),
                attribute_value: false,
                leaf: false,
                inside_primitive: 0,
                text: zeroize::Zeroizing::default(),
                bare_value: false,
                carried: None,
                fhir: false,
                cda: false,
                workbook: false,
                targets: None,
                section: None,
                failed: false,
                message: None,
                payload: None,
                metadata: None,
                texts: Texts::default(),
                namespaces: Namespaces::default(),
                dump: Dump::default(),
                rows: Rows::default(),
                members: Members::default(),
            },
            path: media::path(media),
        })
    }
}

struct XmlDocument {
    markup: Markup,
    reader: Reader,
    path: Option<Box<str>>,
}

struct Reader {
    tree: Tree,
    /// For each open element, whether it is an object: it has children, or attributes that matter.
    open: Vec<bool>,
    /// The innermost element has its value in an attribute; its children only add to it.
    attribute_value: bool,
    /// The innermost element has no children so far: its text is its value.
    leaf: bool,
    /// Open elements inside a FHIR primitive, which are its extensions.
    inside_primitive: usize,
    /// The text of the innermost element.
    text: zeroize::Zeroizing<String>,
    /// The innermost element is an attribute of DICOM whose value has no element of its own.
    bare_value: bool,
    /// A message in the text of the innermost element.
    carried: Option<Nested>,
    fhir: bool,
    cda: bool,
    workbook: bool,
    /// Number of patients so far in a CDA document.
    targets: Option<u32>,
    /// Depth of the elements of the innermost section of a CDA document.
    section: Option<usize>,
    failed: bool,
    /// A message of a dialect inside this document (SOAP).
    message: Option<Box<Message>>,
    /// A message of another format that is the text of the innermost element.
    payload: Option<Box<Payload>>,
    /// Metadata of documents, once their namespace was seen.
    metadata: Option<Box<Metadata>>,
    /// Running text.
    texts: Texts,
    namespaces: Namespaces,
    dump: Dump,
    rows: Rows,
    members: Members,
}

/// The name of an element without its prefix, and without the template name that HL7 version 3 messages of some
/// countries put in front of it (`COCT_MT000203UK02.PartOfWhole`).
fn local(name: &str) -> &str {
    let name = name.rsplit(':').next().unwrap_or(name);
    match name.rsplit_once('.') {
        Some((template, own)) if template.contains("_MT") && !own.is_empty() => own,
        _ => name,
    }
}

/// Whether an attribute gives the type or the absence of a value in the terms of XML Schema (part 1, 2.6), whatever the
/// prefix of its namespace is.
fn is_schema_type(attribute: &str) -> bool {
    matches!(attribute.split_once(':'), Some((_, "type" | "nil" | "schemaLocation")))
}

struct TokenHandler<'a, 'b> {
    reader: &'a mut Reader,
    scope: &'a mut Scope<'b>,
}

impl TokenHandler<'_, '_> {
    /// The innermost element has children: it is an object.
    fn hold(&mut self) {
        if let Some(holds) = self.reader.open.last_mut()
            && !std::mem::replace(holds, true)
        {
            self.reader.tree.open(true);
        }
    }

    /// Whether the element that begins is inside a FHIR primitive: it is an extension of it, or part of one
    /// (FHIR R4 2.6.1).
    fn begins_extension(&self) -> bool {
        let primitive = self.reader.fhir && self.reader.attribute_value;
        primitive || self.reader.inside_primitive > 0
    }

    /// The code of a CDA section gives its content.
    fn section(&mut self, name: &str, attributes: Attributes<'_>) {
        if !self.reader.cda {
            return;
        }
        let depth = self.reader.open.len();
        if name == "section" {
            // NI: no information.
            self.reader.section = attributes.get("nullFlavor").is_none().then_some(depth + 1);
        } else if name == "code" && self.reader.section == Some(depth) {
            let code = attributes.get("code");
            if let Some(health) = code.and_then(|code| self.scope.rules().health.cda(&code)) {
                self.reader.tree.mark_person(Marks::of_health(health));
            }
        }
    }

    fn value(&mut self, text: &str) {
        if self.reader.tree.wants() {
            self.reader.tree.value(text, self.scope);
        } else {
            self.reader.tree.number(text.trim(), self.scope);
        }
    }

    /// The text of the element was no message: it is text.
    fn drop_payload(&mut self) {
        let text = self.reader.payload.take().map(|mut p| p.text()).unwrap_or_default();
        self.text(&String::from_utf8_lossy(&text));
    }

    /// The text of the element is complete.
    fn end_payload(&mut self) {
        if let Some(payload) = &mut self.reader.payload {
            if payload.end(Ending::Complete, self.scope) {
                self.reader.payload = None;
            } else {
                self.drop_payload();
            }
        }
    }

    fn close(&mut self) {
        if let Some(mut carried) = self.reader.carried.take() {
            carried.end(Ending::Complete, self.scope);
        }
        let text = std::mem::take(&mut self.reader.text);
        match self.reader.open.pop() {
            Some(true) => self.reader.tree.close(self.scope),
            Some(false) if !text.trim().is_empty() => {
                self.reader.texts.text(text.trim(), self.scope);
                self.value(text.trim());
            }
            _ => {}
        }
    }
}

impl TokenHandler<'_, '_> {
    /// Whether an element of HL7 version 3 is a record of its own. A document is one as a whole, but for a second
    /// patient (CDA R2 4.2.2.11 allows several).
    fn is_record(&mut self, name: &str) -> bool {
        if name == DOCUMENT {
            self.reader.targets = Some(0);
        } else if let Some(targets) = &mut self.reader.targets {
            let target = name == RECORD_TARGET;
            *targets += u32::from(target);
            return target && *targets > 1;
        }
        self.scope.rules().fhir.is_version_3(name)
    }

    /// Context from the namespaces that an element declares.
    fn namespaces(&mut self, attributes: Attributes<'_>) {
        for (_, namespace) in attributes.iter().filter(|(n, _)| n.starts_with("xmlns")) {
            self.reader.fhir |= namespace == FHIR;
            self.reader.cda |= namespace == CDA;
            self.reader.workbook |= namespace == WORKBOOK;
            if EBXML.iter().any(|e| namespace.starts_with(e)) && self.reader.metadata.is_none() {
                self.reader.metadata = Some(Box::default());
            }
            self.reader.namespaces.add(&namespace);
        }
    }

    /// Takes an element that is a row of one of several tables. Returns whether it belongs to a person.
    fn row(&mut self, name: &str, attributes: Attributes<'_>) -> bool {
        if self.reader.open.len() != 1 || self.reader.fhir || self.reader.cda {
            return false;
        }
        let columns: Vec<_> = attributes.iter().collect();
        let columns: Vec<_> = columns.iter().map(|(name, value)| (*name, &**value)).collect();
        self.reader.rows.row(name, &columns, self.scope)
    }

    /// Role of the new element in a database dump. Returns whether its attributes have no other meaning.
    fn part_of_dump(&mut self, name: &str, attributes: Attributes<'_>) -> bool {
        let part = self.reader.dump.start(name, attributes, self.reader.open.len());
        if matches!(part, Part::Table | Part::TableRow) {
            self.reader.tree.in_table(&self.reader.dump.path(), self.scope);
        }
        if matches!(part, Part::Row | Part::TableRow) {
            self.reader.tree.begin_row();
        }
        matches!(part, Part::Table | Part::TableRow)
    }

    /// The attributes of an element; those of a tag (`tagged`) say nothing else.
    fn attributes(&mut self, attributes: Attributes<'_>, tagged: bool) {
        for (attribute, value) in attributes.iter() {
            if value.len() > MIN_MESSAGE
                && let Some(mut message) = embedded::message(value.as_bytes())
            {
                message.data(value.as_bytes(), self.scope);
                message.end(Ending::Complete, self.scope);
                continue;
            }
            match attribute {
                // FHIR and CDA have values in attributes.
                "value" => {
                    self.reader.attribute_value = true;
                    *self.reader.text = value.into_owned();
                }
                _ if attribute.starts_with("xmlns") || value.is_empty() || tagged => {}
                // The types of XML Schema make no object of a text (`<Name xsi:type="s:String">`).
                _ if is_schema_type(attribute)
                    && !self.reader.cda
                    && self.scope.rules().keys.context(local(&value)) != Some(About::Patient) => {}
                _ => {
                    let attribute = attribute.rsplit(':').next().unwrap_or(attribute);
                    if self.reader.tree.knows_attribute(attribute, self.scope) {
                        let text = std::mem::take(&mut self.reader.text);
                        self.hold();
                        self.reader.tree.key(attribute, self.scope);
                        self.value(&value);
                        self.reader.text = text;
                    }
                }
            }
        }
    }
}

impl Receiver for TokenHandler<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        if let Some(message) = &mut self.reader.message {
            return message.start(name, attributes, closed, self.scope);
        }
        if self.reader.open.len() >= MAX_NESTING {
            self.reader.failed = true;
            return;
        }
        let name = local(name);
        self.end_payload();
        self.namespaces(attributes);
        let xml = &self.scope.rules.xml;
        let dialect = Dialect::of(name, attributes, &self.reader.namespaces, xml);
        if let Some(dialect) = dialect.filter(|_| !closed) {
            let message = self.reader.message.insert(Box::new(Message::new(dialect)));
            return message.start(name, attributes, closed, self.scope);
        }
        if self.begins_extension() {
            self.reader.inside_primitive += usize::from(!closed);
            return;
        }
        let root = self.reader.open.is_empty();
        if !root && self.reader.members.is_transparent(name) {
            return;
        }
        if root {
            self.reader.members.root(name);
            self.reader.texts.begin(self.scope);
            self.reader.tree.open(true);
        }
        self.hold();
        if closed && self.row(name, attributes) {
            return;
        }
        // A value in an attribute stays that of its element, whatever its children contain.
        if self.reader.attribute_value && !self.reader.text.trim().is_empty() {
            let text = std::mem::take(&mut self.reader.text);
            self.reader.tree.key("value", self.scope);
            self.value(text.trim());
        }
        self.reader.attribute_value = false;
        self.reader.leaf = true;
        self.section(name, attributes);
        self.reader.text.clear();
        // The tables of narratives (CDA R2 4.3.5, FHIR R4 Narrative).
        if self.reader.cda || self.reader.fhir || self.reader.workbook {
            match name {
                // Pages, and workbooks in SpreadsheetML 2003.
                "tr" | "Row" => self.reader.texts.open_row(),
                "td" | "th" | "Cell" => self.reader.texts.open_cell(),
                _ => {}
            }
        }
        // PS3.19 A.1.5: the element's tag is an attribute. The XML of DICOM toolkits is the same in
        // this (`<element tag="0010,0010" vr="PN">`, `<attr tag="00100010" vr="PN">`).
        let tag = attributes
            .get("tag")
            .filter(|_| name == "DicomAttribute" || attributes.get("vr").is_some())
            .map(|tag| tag.replacen(',', "", 1));
        let named = self.reader.members.take(name);
        let key = named.as_ref().map(|name| name.as_str()).or(tag.as_deref());
        self.reader.tree.key(key.unwrap_or(name), self.scope);
        self.reader.open.push(false);
        self.reader.bare_value = tag.is_some() && name != "DicomAttribute";
        if let Some(metadata) = &mut self.reader.metadata {
            metadata.start(name, attributes);
        }
        if !closed && Payload::may_be_inside(name) {
            self.reader.payload = Some(Box::default());
        }
        // Elsewhere, `Patient` is a name like any other.
        let person = self.reader.cda && self.is_record(name);
        let resource =
            (self.reader.fhir && name.starts_with(|c: char| c.is_ascii_uppercase())) || person;
        if resource {
            self.hold();
            self.reader.tree.key("resourceType", self.scope);
            self.value(name);
        }
        let named = !closed && self.part_of_dump(name, attributes);
        self.attributes(attributes, tag.is_some() || named);
        if closed {
            self.end(name);
        }
    }

    fn end(&mut self, name: &str) {
        if name == DOCUMENT {
            self.reader.targets = None;
        }
        if let Some(message) = &mut self.reader.message {
            message.end(name, self.scope);
            if message.is_over() {
                message.finish(self.scope);
                self.reader.message = None;
            }
            return;
        }
        if self.reader.inside_primitive > 0 {
            self.reader.inside_primitive -= 1;
            return;
        }
        if self.reader.members.is_transparent(name) {
            return;
        }
        self.end_payload();
        if self.reader.members.is_name(name) && self.reader.open.last() == Some(&false) {
            let text = std::mem::take(&mut self.reader.text);
            self.reader.members.set(text);
            self.reader.open.pop();
            self.reader.leaf = false;
            return;
        }
        if let Some(metadata) = &mut self.reader.metadata {
            let name = name.rsplit(':').next().unwrap_or(name);
            metadata.end(name, &self.reader.text, self.scope);
        }
        let root = self.reader.open.len() == 1;
        // Toolkits write no `<Value>` around the values of an attribute of DICOM.
        if std::mem::take(&mut self.reader.bare_value) && !self.reader.text.trim().is_empty() {
            let text = std::mem::take(&mut self.reader.text);
            self.hold();
            self.reader.tree.key("Value", self.scope);
            self.value(text.trim());
        }
        // An element with both attributes and a value (`<telecom use="HP" value="tel:..."/>`).
        if self.reader.open.last() == Some(&true) && !self.reader.text.trim().is_empty() {
            let text = std::mem::take(&mut self.reader.text);
            self.reader.tree.key("value", self.scope);
            self.value(text.trim());
        }
        self.close();
        if self.reader.dump.end(self.reader.open.len() + 1) {
            self.reader.tree.in_table(&self.reader.dump.path(), self.scope);
        }
        self.reader.leaf = false;
        self.reader.attribute_value = false;
        if matches!(name.rsplit(':').next(), Some("tr" | "Row")) {
            self.reader.texts.close_row();
        }
        if root {
            self.reader.tree.close(self.scope);
        }
    }

    /// Whatever the element is called, its text may be a document.
    fn streams(&mut self, text: &[u8], ends: bool) -> bool {
        let reader = &mut *self.reader;
        if reader.payload.is_none()
            && !text.is_empty()
            && reader.message.is_none()
            && reader.carried.is_none()
            && !reader.open.is_empty()
            && Payload::begins(text, ends)
            && reader.text.trim().is_empty()
        {
            reader.payload = Some(Box::default());
        }
        reader.payload.is_some()
    }

    fn piece(&mut self, bytes: &[u8]) {
        if let Some(payload) = &mut self.reader.payload
            && !payload.data(bytes, self.scope)
        {
            self.drop_payload();
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(message) = &mut self.reader.message {
            return message.text(text);
        }
        if let Some(carried) = &mut self.reader.carried {
            carried.data(text.as_bytes(), self.scope);
            return;
        }
        if self.reader.open.last() == Some(&false)
            && self.reader.text.trim_start().is_empty()
            && let Some(mut carried) = embedded::message(text.trim_start().as_bytes())
        {
            carried.data(text.trim_start().as_bytes(), self.scope);
            self.reader.carried = Some(carried);
            return;
        }
        if self.reader.leaf
            && self.reader.inside_primitive == 0
            && !self.reader.attribute_value
            && self.reader.text.len() < super::markup::MAX_TEXT
        {
            self.reader.text.push_str(text);
        }
    }
}

/// Whether a tag of XML, behind its `<`, is followed by another one, as in `<patient><name>`. Those of pages are not.
fn is_nested(text: &[u8]) -> bool {
    let name = |text: &[u8]| {
        let part =
            |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | 0x80..);
        let len = text.iter().take(MAX_TAG).take_while(part).count();
        let first =
            text.first().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | 0x80..));
        (first && !is_element(text.get(..len).unwrap_or_default())).then_some(len)
    };
    let Some(len) = name(text) else { return false };
    let tag = text.get(..MAX_TAG).unwrap_or(text);
    let Some(end) = memchr::memchr(b'>', tag) else { return false };
    let attributes = tag.get(len..end).unwrap_or_default();
    // `<name a="b">`; in text, `<` is followed by something else.
    let whole = attributes.is_empty()
        || attributes.first().is_some_and(u8::is_ascii_whitespace)
            && memchr::memmem::find(attributes, b"=\"").is_some();
    let inner = text.get(end + 1..).unwrap_or_default().trim_ascii_start();
    whole
        && !attributes.ends_with(b"/")
        && inner.strip_prefix(b"<").is_some_and(|t| name(t).is_some())
}

impl Document for XmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.reader.tree.set_path(&path, scope);
        }
        self.markup.read(bytes, &mut TokenHandler { reader: &mut self.reader, scope });
        if self.reader.failed {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if let Some(message) = &mut self.reader.message {
            message.finish(scope);
        }
        if let Some(mut carried) = self.reader.carried.take() {
            carried.end(Ending::Cut, scope);
        }
        if let Some(payload) = &mut self.reader.payload {
            payload.end(Ending::Cut, scope);
        }
        if let Some(metadata) = &mut self.reader.metadata {
            metadata.finish(scope);
        }
        self.reader.tree.finish(scope);
        self.reader.rows.finish("xml", self.reader.tree.around, scope);
        self.reader.texts.end("xml", self.reader.tree.around, scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory()
            + self.reader.tree.memory()
            + self.reader.text.capacity()
            + self.reader.texts.memory()
            + self.reader.namespaces.memory()
            + self.reader.rows.memory()
            + self.reader.carried.as_ref().map_or(0, Nested::memory)
            + self.reader.payload.as_ref().map_or(0, |p| p.memory())
    }
}

#[cfg(test)]
mod tests;
