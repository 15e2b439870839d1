//! xDT in JSON, as libraries convert it: `{"8000": "6310", "3101": "Roe"}`, `[{"fieldId": "3101", "content": "Roe"}]`. Each
//! field is read like a line of a file.

use super::Reader as Lines;
use super::rows::Rows;
use crate::content::formats::json::is_plain_json;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use zeroize::Zeroizing;

/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 32;
/// Longest content of a field, bytes.
const MAX_CONTENT: usize = 4 << 10;

/// Members with the id of a field, and with its content.
const IDS: [&str; 12] = [
    "fieldid",
    "id",
    "field",
    "code",
    "feldkennung",
    "fk",
    "identifier",
    "fieldidentifier",
    "key",
    "kennung",
    "type",
    "feld",
];
const CONTENTS: [&str; 7] = ["content", "value", "inhalt", "data", "text", "fieldcontent", "wert"];

/// Ids of the character set, in which JSON is not.
const CHARSETS: [&str; 2] = ["9106", "9206"];

/// The number and the family name of a patient.
const PATIENTS: [&str; 2] = ["3000", "3101"];

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "xdt"
    }

    fn first(&self) -> &'static [u8] {
        b"{["
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memchr::memmem::find(head, mark).is_some();
        // The family name, and the given name, the birth date, or the type of the record.
        is_plain_json(media, head)
            && has(b"\"3101\"")
            && (has(b"\"3102\"") || has(b"\"3103\"") || has(b"\"8000\""))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<JsonDocument>::default()
    }
}

#[derive(Default)]
struct JsonDocument {
    tokens: Tokens,
    fields: Fields,
}

#[derive(Default)]
pub(super) struct Fields {
    lines: Lines,
    key: Box<str>,
    /// The id and the content of the field that the object at hand describes.
    id: Box<str>,
    content: Option<Zeroizing<String>>,
    /// Which of [`PATIENTS`] the patient at hand has.
    seen: [bool; 2],
    /// Holds fields until they show a person, where the numbers may be those of other things.
    doubted: Option<Box<Rows>>,
}

/// Whether a text is the id of a field.
fn is_id(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_among(list: &[&str], key: &str) -> bool {
    let folded = || key.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase());
    list.iter().any(|name| folded().eq(name.bytes()))
}

impl Fields {
    /// Fields in a document of which only the numbers say that it is xDT.
    pub fn doubted() -> Self {
        Self { doubted: Some(Box::default()), ..Self::default() }
    }

    /// The document ends.
    pub fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(rows) = &mut self.doubted {
            rows.end(scope);
        }
        self.lines.end(ending, scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.lines.memory() + self.doubted.as_ref().map_or(0, |rows| rows.memory())
    }

    /// A field and its content.
    pub fn line(&mut self, id: &str, content: &str, scope: &mut Scope<'_>) {
        if CHARSETS.contains(&id) || content.len() > MAX_CONTENT {
            return;
        }
        if let Some(rows) = &mut self.doubted {
            rows.row(&[id, content], scope);
            return;
        }
        // The next patient, of whom a number or a family name comes again.
        if let Some(at) = PATIENTS.iter().position(|known| *known == id) {
            if self.seen.get(at) == Some(&true) {
                self.lines.end(Ending::Complete, scope);
                (self.lines, self.seen) = (Lines::default(), [false; 2]);
            }
            if let Some(seen) = self.seen.get_mut(at) {
                *seen = true;
            }
        }
        // Lengths are not needed.
        let line = Zeroizing::new(format!("000{id}{}\r\n", content.replace(['\r', '\n'], " ")));
        self.lines.data(line.as_bytes(), scope);
    }

    fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        if is_id(&self.key) {
            let id = std::mem::take(&mut self.key);
            self.line(&id, text, scope);
            self.key = id;
        } else if is_among(&IDS, &self.key) && is_id(text) {
            self.id = text.into();
        } else if is_among(&CONTENTS, &self.key) {
            self.content = Some(Zeroizing::new(text.to_owned()));
        }
    }

    fn close(&mut self, scope: &mut Scope<'_>) {
        let (id, content) = (std::mem::take(&mut self.id), self.content.take());
        if let Some(content) = content.filter(|_| !id.is_empty()) {
            self.line(&id, &content, scope);
        }
    }
}

pub(super) struct Reader<'a, 'b> {
    pub fields: &'a mut Fields,
    pub scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        if object {
            self.fields.close(self.scope);
        }
    }

    fn close(&mut self) {
        self.fields.close(self.scope);
    }

    fn key(&mut self, key: &str) {
        // `F3101`
        let bare = key.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
        let key = if is_id(bare) { bare } else { key };
        self.fields.key = if key.len() <= MAX_KEY { key.into() } else { Box::default() };
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        self.fields.value(text, self.scope);
    }
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let read = self.tokens.read(bytes, &mut Reader { fields: &mut self.fields, scope });
        want_after(read, scope)
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.tokens.finish(&mut Reader { fields: &mut self.fields, scope });
        self.fields.end(ending, scope);
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + self.fields.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn fields_as_members_and_as_objects() {
        for text in [
            r#"{"8000":"6310","9218":"02.10","3000":"H77","3101":"Roe","3102":"Jane","3103":"31011970"}"#,
            r#"[{"8000":"6310"},{"3000":"H77","3101":"Roe","3102":"Jane","3103":"31011970"}]"#,
            r#"{"records":[{"3000":"H77","3101":"Roe","3102":["Jane"],"3103":"31011970"}]}"#,
            r#"[{"length":17,"fieldId":"8000","content":"6310"},{"fieldId":"3000","content":"H77"},{"content":"Roe","fieldId":"3101"},{"fieldId":"3102","content":"Jane"},{"fieldId":"3103","content":"31011970"}]"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains("H77") && got[0].contains("Roe"), "{got:?}");
            for end in 0..text.len() {
                records("application/json", &text.as_bytes()[..end]);
            }
        }
    }
}
