//! XML messages of standards with their own vocabularies: POCT1-A (point-of-care devices), NCPDP SCRIPT (electronic
//! prescriptions), ASTM CCR and national formats. Elements that identify a patient are looked up by path.

#[cfg(test)]
mod tests;

use super::markup::{Attributes, MAX_TEXT, Markup, Receiver};
use crate::content::extract::person::Person;
use crate::content::{
    Document, Ending, Extent, Field, Format, Media, Reason, Scope, ServiceFacts, Want,
};
use crate::rules::{Kind, XmlDialect, XmlRules};
use crate::syntax::poct1a::is_message;
use memchr::memmem;
use std::hash::BuildHasher;
use zeroize::Zeroizing;

/// Deepest nesting of elements that is distinguished.
const MAX_NESTING: usize = 64;
/// Longest path of open elements, bytes.
const MAX_PATH_BYTES: usize = 4 << 10;

/// Records of one message that are declared to be patients.
const MAX_NAMED: usize = 64;

/// POCT1-A, messages of devices at the point of care.
pub const POCT1A: Dialect = Dialect { name: "poct1a" };

/// NCPDP SCRIPT, electronic prescriptions.
pub const SCRIPT: Dialect = Dialect { name: "script" };

/// BMP, the German medication plan: the text of its barcode.
pub const BMP: Dialect = Dialect { name: "bmp" };

/// Vocabularies that `[[xml_dialect]]` of the rules distinguishes from other XML.
const NATIONAL: [Dialect; 23] = [
    Dialect { name: "audit" },
    BMP,
    Dialect { name: "cardiosoft" },
    Dialect { name: "ccr" },
    Dialect { name: "cosd" },
    Dialect { name: "dasta" },
    Dialect { name: "edmp" },
    Dialect { name: "enabiz" },
    Dialect { name: "hprim-xml" },
    Dialect { name: "kith" },
    Dialect { name: "kmehr" },
    Dialect { name: "medcom-xml" },
    Dialect { name: "mml" },
    Dialect { name: "mortara" },
    Dialect { name: "muse" },
    Dialect { name: "naaccr" },
    Dialect { name: "nemsis" },
    Dialect { name: "philips-ecg" },
    Dialect { name: "omd" },
    Dialect { name: "riv-ta" },
    Dialect { name: "screening" },
    Dialect { name: "sdc" },
    Dialect { name: "tiss" },
];

/// A vocabulary of XML.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    name: &'static str,
}

/// Namespaces that a document has declared so far.
#[derive(Default)]
pub struct Namespaces(Vec<Box<str>>);

impl Namespaces {
    /// Namespaces remembered, and the longest one, bytes.
    const MAX: usize = 32;
    const MAX_LENGTH: usize = 256;

    /// Notes one.
    pub fn add(&mut self, namespace: &str) {
        let known = self.0.iter().any(|n| **n == *namespace);
        if !known && self.0.len() < Self::MAX && namespace.len() <= Self::MAX_LENGTH {
            self.0.push(namespace.into());
        }
    }

    /// Whether a namespace begins like this.
    fn declare(&self, front: &str) -> bool {
        self.0.iter().any(|n| n.starts_with(front))
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.0.iter().map(|n| size_of::<Box<str>>() + n.len()).sum()
    }
}

impl Dialect {
    /// The dialect whose messages begin with this element, in a document with these namespaces.
    pub fn of(
        name: &str,
        attributes: Attributes<'_>,
        namespaces: &Namespaces,
        rules: &XmlRules,
    ) -> Option<Self> {
        if let Some(begun) = rules.begun(name, |front| namespaces.declare(front)) {
            return NATIONAL.into_iter().find(|dialect| dialect.name == begun);
        }
        if is_message(name.as_bytes()) {
            return Some(POCT1A);
        }
        let is_script = |(name, value): (&str, std::borrow::Cow<'_, str>)| {
            (name == "TransactionDomain" && value.eq_ignore_ascii_case("SCRIPT"))
                || name == "DatatypesVersion"
                || value.contains("ncpdp.org/schema/SCRIPT")
        };
        (name == "Message" && attributes.iter().any(is_script)).then_some(SCRIPT)
    }
}

impl Format for Dialect {
    fn name(&self) -> &'static str {
        self.name
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let declared = matches!(media, Media::Type { .. } | Media::Unknown);
        declared
            && root(head).is_some_and(|root| {
                if *self == POCT1A {
                    return is_message(root);
                }
                if *self == BMP {
                    let attributes = [&b" v="[..], b" U="];
                    return root == b"MP"
                        && attributes.iter().all(|a| memmem::find(head, a).is_some());
                }
                let marks = [
                    &b"ncpdp.org/schema/SCRIPT"[..],
                    b"TransactionDomain=\"SCRIPT",
                    b" DatatypesVersion=",
                ];
                root == b"Message" && marks.iter().any(|m| memmem::find(head, m).is_some())
            })
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(DialectDocument { markup: Markup::default(), message: Message::new(*self) })
    }
}

/// The name of the root element, without its prefix.
fn root(head: &[u8]) -> Option<&[u8]> {
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    loop {
        rest = rest.strip_prefix(b"<")?;
        if rest.first()?.is_ascii_alphabetic() {
            let end =
                rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'))?;
            let name = rest.get(..end)?;
            return name.rsplit(|b| *b == b':').next();
        }
        // A declaration, a comment or a document type.
        let end = memchr::memchr(b'<', rest)?;
        rest = rest.get(end..)?;
    }
}

struct DialectDocument {
    markup: Markup,
    message: Message,
}

impl Document for DialectDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.markup.read(bytes, &mut TokenHandler { message: &mut self.message, scope });
        if self.message.failed {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.message.finish(scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory() + self.message.memory()
    }
}

struct TokenHandler<'a, 'b> {
    message: &'a mut Message,
    scope: &'a mut Scope<'b>,
}

impl Receiver for TokenHandler<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        self.message.start(name, attributes, closed, self.scope);
    }
    fn end(&mut self, name: &str) {
        self.message.end(name, self.scope);
    }
    fn text(&mut self, text: &str) {
        self.message.text(text);
    }
}

/// Reads messages of a dialect, one after the other.
pub struct Message {
    dialect: Dialect,
    /// Names of the open elements, each behind a `/`.
    path: String,
    /// Offset of each.
    starts: Vec<usize>,
    /// The text of the innermost element.
    text: Zeroizing<String>,
    /// Attributes of the innermost element, as `id[S=LOCAL]`.
    qualified: Vec<String>,
    /// The dialect declares some records to be patients.
    names: bool,
    /// Records that are patients, as the document declares.
    named: Vec<u64>,
    /// The open record is not known to be a patient's.
    unnamed: bool,
    /// Number of open elements down to the one that holds a patient.
    record: Option<usize>,
    person: Person,
    failed: bool,
}

/// The name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

impl Message {
    /// A reader of messages of this dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            path: String::new(),
            starts: Vec::new(),
            text: Zeroizing::default(),
            qualified: Vec::new(),
            names: false,
            named: Vec::new(),
            unnamed: false,
            record: None,
            person: Person::default(),
            failed: false,
        }
    }

    /// Whether all elements are closed.
    pub fn is_over(&self) -> bool {
        self.starts.is_empty() || self.failed
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.path.capacity() + self.text.capacity() + self.named.capacity() * size_of::<u64>()
    }

    /// An element begins.
    pub fn start(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
        closed: bool,
        scope: &mut Scope<'_>,
    ) {
        let name = local(name);
        if self.starts.len() >= MAX_NESTING || self.path.len() + name.len() > MAX_PATH_BYTES {
            self.failed = true;
            self.person.end(scope);
            return;
        }
        self.text.clear();
        let parent = self.starts.last().and_then(|at| self.path.get(at + 1..)).unwrap_or("");
        let titles = if self.dialect == SCRIPT { parent == "Body" } else { self.starts.is_empty() };
        self.starts.push(self.path.len());
        self.path.push('/');
        self.path.push_str(name);
        if titles {
            title(name, scope);
        }
        let rules = scope.rules;
        if let Some(dialect) = rules.xml.dialect(self.dialect.name) {
            self.names = dialect.names_patients();
            let has = |name: &str, value: &str| {
                // The type of an element (`xsi:type`) may have a prefix.
                let is = |v: &str| v == value || local(v) == value;
                attributes.iter().any(|(attribute, v)| local(attribute) == name && is(&v))
            };
            if self.record.is_none() && dialect.is_record(name, has) {
                self.record = Some(self.starts.len());
                self.unnamed = dialect.names_patients();
            }
            self.qualified.clear();
            if self.record.is_some() {
                if let Some(about) = self.find(dialect, name, name, |d, p| d.about(p)) {
                    self.person.mark(about, scope);
                }
                for (attribute, value) in attributes.iter() {
                    let attribute = local(attribute);
                    self.value(dialect, name, &format!("{name}@{attribute}"), &value, scope);
                    let qualified = format!("{name}[{attribute}={value}]");
                    if dialect.ends_in(&qualified) {
                        self.qualified.push(qualified);
                    }
                }
            }
        }
        if closed {
            self.end(name, scope);
        }
    }

    /// An element ends. An unclosed one ends with its parent.
    pub fn end(&mut self, name: &str, scope: &mut Scope<'_>) {
        let name = local(name);
        let open = |at: &usize| {
            let rest = self.path.get(at + 1..).unwrap_or("");
            rest.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        let Some(depth) = self.starts.iter().rposition(open) else { return };
        if depth + 1 == self.starts.len() {
            let text = std::mem::take(&mut self.text);
            if let Some(dialect) = scope.rules.xml.dialect(self.dialect.name) {
                self.name(dialect, name, &text);
                if self.record.is_some() {
                    let qualified = std::mem::take(&mut self.qualified);
                    let as_is = std::iter::once(name);
                    let mut steps = qualified.iter().map(String::as_str).chain(as_is);
                    steps.any(|step| self.value(dialect, name, step, &text, scope));
                }
            }
        }
        self.text.clear();
        self.qualified.clear();
        if self.record.is_some_and(|record| depth < record) {
            self.record = None;
            self.person.end(scope);
        }
        if let Some(at) = self.starts.get(depth) {
            self.path.truncate(*at);
        }
        self.starts.truncate(depth);
    }

    /// Text of the innermost element.
    pub fn text(&mut self, text: &str) {
        let wanted = self.record.is_some() || self.names;
        if wanted && self.text.len() + text.len() <= MAX_TEXT {
            self.text.push_str(text);
        }
    }

    /// No more will come.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        self.person.end(scope);
        (self.record, self.path, self.starts) = (None, String::new(), Vec::new());
    }

    /// Which records of the document are patients.
    fn name(&mut self, dialect: &XmlDialect, name: &str, text: &str) {
        let text = text.trim();
        if !dialect.names_patients() || text.is_empty() {
            return;
        }
        let hash = foldhash::fast::FixedState::default().hash_one(text);
        if self.find(dialect, name, name, |d, p| d.is_named_in(p).then_some(())).is_some() {
            if self.named.len() < MAX_NAMED {
                self.named.push(hash);
            }
        } else if self.find(dialect, name, name, |d, p| d.is_own_id(p).then_some(())).is_some() {
            self.unnamed &= !self.named.contains(&hash);
        }
    }

    /// A value of the innermost element `name` or of its attribute, under the last `step` of its path;
    /// whether it is a field.
    fn value(
        &mut self,
        dialect: &XmlDialect,
        name: &str,
        step: &str,
        value: &str,
        scope: &mut Scope<'_>,
    ) -> bool {
        let value = value.trim();
        if value.is_empty() || self.unnamed {
            return false;
        }
        let Some(field) = self.find(dialect, name, step, |d, p| d.field(p)) else { return false };
        // A communication number may be of any kind, also a URI (`tel:`, `mailto:`).
        let (scheme, bare) = match (field.rule.kind, value.split_once(':')) {
            (Kind::Phone, Some((scheme @ ("tel" | "mailto" | "fax"), bare))) => (scheme, bare),
            _ => ("", value),
        };
        let kind = match (field.rule.kind, scheme) {
            (Kind::Phone, "fax") => Kind::Fax,
            (Kind::Phone, _) if value.contains('@') => Kind::Email,
            (kind, _) => kind,
        };
        if kind == Kind::PatientId
            && let Some((id, rest)) = bare.split_once("^^^")
        {
            // With its authority, as HL7 v2 has it (CX, PS3.15 A.5.2): `7^^^GOOD HEALTH&1.2.3&ISO`.
            let issuer = rest.split(['^', '&']).next().unwrap_or_default();
            let id = Field::declared(&field.rule, id.trim()).with_issuer(issuer);
            self.person.add_field(self.dialect.name, id, scope);
        } else {
            self.person.add_as(self.dialect.name, kind, &field.rule, field.part, bare, scope);
        }
        true
    }

    /// Context from the end of the path with its last `step` in this form, the longest path first.
    fn find<'r, T>(
        &self,
        dialect: &'r XmlDialect,
        name: &str,
        step: &str,
        get: impl Fn(&'r XmlDialect, &str) -> Option<T>,
    ) -> Option<T> {
        if !dialect.ends_in(step) {
            return None;
        }
        let first = self.starts.len().saturating_sub(XmlRules::MAX_PATH);
        self.starts.get(first..)?.iter().find_map(|at| {
            let path = self.path.get(at + 1..)?;
            match path.strip_suffix(name).filter(|_| step != name) {
                Some(front) => get(dialect, &format!("{front}{step}")),
                None => get(dialect, path),
            }
        })
    }
}

/// The kind of message.
fn title(name: &str, scope: &mut Scope<'_>) {
    /// Longest name of a message.
    const MAX_TITLE: usize = 40;
    if name.len() <= MAX_TITLE && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
        scope.set_operation(name);
        ServiceFacts::add_shared(&mut scope.facts().messages().types, name);
        if name.starts_with("ACK.") {
            scope.facts().messages().acknowledged = Some(true);
        }
    }
}
