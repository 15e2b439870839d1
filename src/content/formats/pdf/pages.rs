//! The pages of a document, its form fields, notes and attached files.

use super::encoding::text_string;
use super::file::File;
use super::object::{Dict, Object};
use std::collections::HashSet;
use std::rc::Rc;

/// Pages that are read.
const MAX_PAGES: usize = 5_000;

/// Levels of the page tree above a page, and of form fields above a field.
const MAX_LEVELS: usize = 32;

/// Decoded content of one page, bytes.
const MAX_CONTENT: usize = 16 << 20;

/// Form fields that are read.
const MAX_FIELDS: usize = 10_000;

/// Entries read of the document information dictionary.
const MAX_ENTRIES: usize = 64;

/// Longest label before the value of a form field, bytes.
const MAX_LABEL: usize = 64;

/// Longest value of a form field or note, bytes.
const MAX_VALUE: usize = 4096;

type Seen = HashSet<u32, foldhash::fast::FixedState>;

/// A page with the resources that it has or inherits.
pub(super) struct PageRef {
    number: u32,
    inherited: Rc<Object>,
}

/// The pages in the order of the page tree (7.7.3), then those that it does not contain.
pub(super) fn pages(file: &File<'_>) -> Vec<PageRef> {
    let mut found = Vec::new();
    let mut seen = Seen::default();
    let root = file.root().unwrap_or_default();
    // Nodes left to visit, the next one at the end.
    let mut left = vec![(root.get(b"Pages").clone(), Rc::new(Object::Null), 0)];
    while let Some((object, inherited, depth)) = left.pop() {
        let Object::Reference(number) = object else { continue };
        if found.len() >= MAX_PAGES || !seen.insert(number) {
            continue;
        }
        let Some(node) = file.dict(&object) else { continue };
        if !node.has(b"Kids") {
            found.push(PageRef { number, inherited });
            continue;
        }
        if depth >= MAX_LEVELS {
            continue;
        }
        let inherited = match node.get(b"Resources") {
            Object::Null => inherited,
            own => Rc::new(own.clone()),
        };
        let kids = file.array(node.get(b"Kids"));
        left.extend(kids.into_iter().rev().map(|kid| (kid, Rc::clone(&inherited), depth + 1)));
    }
    for &number in file.loose_pages() {
        if found.len() < MAX_PAGES && seen.insert(number) {
            found.push(PageRef { number, inherited: Rc::new(inherited_by(file, number)) });
        }
    }
    found
}

/// Resources of the nodes above a page.
fn inherited_by(file: &File<'_>, page: u32) -> Object {
    let mut node = file.dict(&Object::Reference(page));
    for _ in 0..MAX_LEVELS {
        let Some(dict) = node else { break };
        if dict.has(b"Resources") {
            return dict.get(b"Resources").clone();
        }
        node = file.dict(dict.get(b"Parent"));
    }
    file.loose_resources()
}

impl PageRef {
    /// The page's content and resources; its streams are added to `used`.
    pub(super) fn content(&self, file: &File<'_>, used: &mut Seen) -> Option<(Vec<u8>, Dict)> {
        let page = file.dict(&Object::Reference(self.number))?;
        let resources = match page.get(b"Resources") {
            Object::Null => file.dict(&self.inherited),
            own => file.dict(own),
        };
        let mut content = Vec::new();
        for part in file.array(page.get(b"Contents")) {
            let Object::Reference(number) = part else { continue };
            used.insert(number);
            if content.len() < MAX_CONTENT
                && let Some((_, data)) = file.stream(number)
            {
                content.extend_from_slice(&data);
                content.push(b'\n');
            }
        }
        Some((content, resources.unwrap_or_default()))
    }

    /// The text of annotations (12.5.6).
    pub(super) fn notes(&self, file: &File<'_>, out: &mut String) {
        let Some(page) = file.dict(&Object::Reference(self.number)) else { return };
        for note in file.array(page.get(b"Annots")) {
            let Some(note) = file.dict(&note) else { continue };
            if let Object::String(text) = file.value(note.get(b"Contents")) {
                push_text(&text, out);
                out.push('\n');
            }
        }
    }
}

/// Streams that may be page content, but belong to no known page.
pub(super) fn orphans(file: &File<'_>, used: &Seen) -> Vec<(Vec<u8>, Dict)> {
    let mut found = Vec::new();
    let mut total = 0;
    for &number in file.streams() {
        if used.contains(&number) || total > MAX_CONTENT {
            continue;
        }
        let Some(dict) = file.dict(&Object::Reference(number)) else { continue };
        // Content streams have no type; fonts, profiles and images have these.
        let other = [&b"Type"[..], b"Subtype", b"Length1", b"Width", b"N", b"FunctionType"];
        if other.iter().any(|key| dict.has(key)) {
            continue;
        }
        if let Some((_, data)) = file.stream(number)
            && memchr::memmem::find(&data, b"BT").is_some()
            && memchr::memmem::find(&data, b"Tf").is_some()
        {
            total += data.len();
            let resources = file.dict(&file.loose_resources()).unwrap_or_default();
            found.push((data, resources));
        }
    }
    found
}

/// Document information (14.3.3): title, subject and keywords, and entries that a producer added. The author is left
/// out.
pub(super) fn about(file: &File<'_>, out: &mut String) {
    const OTHERS: [&[u8]; 6] =
        [b"Author", b"Creator", b"Producer", b"CreationDate", b"ModDate", b"Trapped"];
    let Some(info) = file.info() else { return };
    for (key, value) in info.entries().take(MAX_ENTRIES) {
        let Object::String(text) = file.value(value) else { continue };
        if OTHERS.contains(&key) || text.is_empty() {
            continue;
        }
        if !matches!(key, b"Title" | b"Subject" | b"Keywords") {
            let name = label(key);
            if name.is_empty() || name.len() > MAX_LABEL {
                continue;
            }
            out.push_str(&name);
            out.push_str(": ");
        }
        push_text(&text, out);
        out.push('\n');
    }
}

/// The values of the form (12.7), each behind its name: `patient_name: ...`.
pub(super) fn fields(file: &File<'_>, out: &mut String) {
    let root = file.root().unwrap_or_default();
    let form = file.dict(root.get(b"AcroForm")).unwrap_or_default();
    let mut seen = Seen::default();
    let mut left = Vec::new();
    let fields = file.array(form.get(b"Fields"));
    left.extend(fields.into_iter().rev().map(|field| (field, Rc::<str>::from(""), 0)));
    let mut count = 0;
    while let Some((object, above, depth)) = left.pop() {
        if let Object::Reference(number) = object
            && !seen.insert(number)
        {
            continue;
        }
        count += 1;
        if count > MAX_FIELDS {
            return;
        }
        let Some(field) = file.dict(&object) else { continue };
        let name = match file.value(field.get(b"T")) {
            Object::String(name) => qualified(&above, &label(&name)),
            _ => above,
        };
        if let Object::String(title) = file.value(field.get(b"TU")) {
            let title = label(&title);
            if *title != *name {
                line(file, &field, &title, out);
            }
        }
        line(file, &field, &name, out);
        if depth < MAX_LEVELS {
            let kids = file.array(field.get(b"Kids"));
            left.extend(kids.into_iter().rev().map(|kid| (kid, Rc::clone(&name), depth + 1)));
        }
    }
}

/// A field's name behind those of the fields above it (12.7.3.2): `patient name`.
fn qualified(above: &str, own: &str) -> Rc<str> {
    if above.is_empty() || above.len() + own.len() >= MAX_LABEL {
        return Rc::from(own);
    }
    Rc::from(format!("{above} {own}"))
}

fn line(file: &File<'_>, field: &Dict, name: &str, out: &mut String) {
    if name.is_empty() || name.len() > MAX_LABEL {
        return;
    }
    let value = match file.value(field.get(b"V")) {
        Object::String(text) => text,
        // A list box with one choice, or the state of a button.
        Object::Array(items) => match items.into_iter().next() {
            Some(Object::String(text)) => text,
            _ => return,
        },
        Object::Name(name) if name != b"Off" => name,
        _ => return,
    };
    if !value.is_empty() {
        out.push_str(name);
        out.push_str(": ");
        push_text(&value, out);
        out.push('\n');
    }
}

/// A field's name as a label: `form1[0].PatientName[0]` is `PatientName`.
fn label(name: &[u8]) -> String {
    let name = text_string(name);
    let last = name.rsplit('.').next().unwrap_or("");
    let bare = last.split('[').next().unwrap_or("");
    bare.chars().filter(|c| !c.is_control() && *c != ':').collect()
}

fn push_text(text: &[u8], out: &mut String) {
    let text = text_string(text.get(..MAX_VALUE).unwrap_or(text));
    // Lines of a value stay together.
    out.extend(text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }));
}

/// The attached files (7.11.4) and metadata in XMP (14.3.2): media type and bytes.
pub(super) fn attachments(file: &File<'_>, mut each: impl FnMut(&str, &[u8])) {
    for &number in file.streams() {
        let Some(dict) = file.dict(&Object::Reference(number)) else { continue };
        let kind = dict.get(b"Type").name();
        if !matches!(kind, b"EmbeddedFile" | b"Metadata") {
            continue;
        }
        if let Some((dict, data)) = file.stream(number) {
            let declared = std::str::from_utf8(dict.get(b"Subtype").name()).unwrap_or("");
            each(if kind == b"Metadata" { "application/rdf+xml" } else { declared }, &data);
        }
    }
}
