//! Running text inside a structured document: the narrative of a FHIR resource, notes, messages of
//! errors, the sections of a CDA document, questions and their answers.
//!
//! What a structured format says about a person in its own fields outranks its prose, which usually repeats
//! it. So texts are kept until the document ends, and read only if its fields named no person.

use super::objects;
use super::record::Marks;
use super::signs::{COLON, FOREIGN, LIST, MARKUP, SEPARATOR, Signs};
use super::table::Sheet;
use crate::content::stack::transfer_encoding;
use crate::content::{Ending, Media, Scope};
use zeroize::Zeroizing;

/// Texts kept of one document.
const MAX_TEXTS: usize = 1024;

/// Bytes of them.
const MAX_BYTES: usize = 256 << 10;

/// Cells of a row.
const MAX_CELLS: usize = 64;

/// Shortest text with a label and a value, bytes (`MRN: 12`).
const MIN_TEXT: usize = 7;

/// Shortest text in base64, and how much of it decides whether it is base64, bytes.
const MIN_BASE64: usize = 24;
const BASE64_HEAD: usize = 96;

/// What is kept of one document.
#[derive(Default)]
pub struct Texts {
    items: Vec<Item>,
    bytes: usize,
    /// The cells of the row that is open.
    row: Option<Vec<Zeroizing<String>>>,
    /// How many people fields had named when the document began.
    before: Option<u64>,
}

enum Item {
    Text(Zeroizing<String>),
    Row(Vec<Zeroizing<String>>),
    Answer(Zeroizing<String>, Zeroizing<String>),
}

impl Texts {
    /// A document, or a row of one, begins.
    pub fn begin(&mut self, scope: &Scope<'_>) {
        self.before.get_or_insert(scope.counters.people);
    }

    /// A string of the document.
    pub fn text(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.signed(text, Signs::of(text), scope);
    }

    /// The same with the signs in it.
    pub fn signed(&mut self, text: &str, signs: Signs, scope: &mut Scope<'_>) {
        if let Some(row) = &mut self.row {
            self.bytes += text.len();
            if let Some(cell) = row.last_mut().filter(|_| self.bytes <= MAX_BYTES) {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(text.trim());
            }
        } else if informs(text, signs) {
            self.keep(text.len(), || Item::Text(Zeroizing::new(text.to_owned())));
        } else if !signs.has(COLON | LIST | MARKUP | SEPARATOR | FOREIGN) && is_encoded_text(text) {
            let mut nested = transfer_encoding::undo("base64", &Media::Unknown);
            nested.data(text.as_bytes(), scope);
            nested.end(Ending::Complete, scope);
        }
    }

    /// The answer to a question of a form.
    pub fn answer(&mut self, question: &str, answer: &str) {
        let pair = || {
            let keep = |text: &str| Zeroizing::new(text.to_owned());
            Item::Answer(keep(question), keep(answer))
        };
        self.keep(question.len() + answer.len(), pair);
    }

    /// A row of a table begins.
    pub fn open_row(&mut self) {
        self.close_row();
        self.row = Some(Vec::new());
    }

    /// A cell of it begins.
    pub fn open_cell(&mut self) {
        if let Some(row) = self.row.as_mut().filter(|row| row.len() < MAX_CELLS) {
            row.push(Zeroizing::default());
        }
    }

    /// The row ends.
    pub fn close_row(&mut self) {
        if let Some(row) = self.row.take() {
            self.keep(0, || Item::Row(row));
        }
    }

    fn keep(&mut self, bytes: usize, item: impl FnOnce() -> Item) {
        if self.items.len() < MAX_TEXTS && self.bytes + bytes <= MAX_BYTES {
            self.bytes += bytes;
            self.items.push(item());
        }
    }

    /// Ends the document: reads its texts if its fields named no person.
    pub fn end(&mut self, content: &'static str, around: Marks, scope: &mut Scope<'_>) {
        self.close_row();
        let kept = std::mem::take(self);
        if kept.items.is_empty() || kept.before.is_some_and(|before| before < scope.counters.people)
        {
            return;
        }
        let mut sheet = Sheet::new(content);
        sheet.mark(around);
        for item in kept.items {
            match item {
                Item::Text(text) if text.trim_start().starts_with('<') => {
                    let media = Media::Type { content_type: "text/html; charset=utf-8", name: "" };
                    scope.whole(&media, text.as_bytes());
                }
                Item::Text(text) => {
                    sheet.end_table(scope);
                    for line in text.lines() {
                        let around = objects::read(line, scope);
                        sheet.line(around.as_ref().map_or(line, |around| around.as_str()), scope);
                    }
                }
                Item::Row(row) => {
                    sheet.row(&row.iter().map(|cell| cell.as_str()).collect::<Vec<_>>(), scope);
                }
                // Those who fill in forms of FHIR are cared for.
                Item::Answer(question, answer) => {
                    sheet.mark(Marks::CARE);
                    sheet.pair(&question, &answer, scope);
                }
            }
        }
        sheet.end(scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.bytes + self.items.capacity() * size_of::<Item>()
    }
}

/// Whether a text may hold labels with their values: a sign behind a word, and no address (`urn:oid:1.2`,
/// `http://`).
pub fn is_informative(text: &str) -> bool {
    informs(text, Signs::of(text))
}

fn informs(text: &str, signs: Signs) -> bool {
    let bytes = text.as_bytes();
    if text.len() < MIN_TEXT || !signs.may(COLON | FOREIGN | MARKUP | LIST) {
        return false;
    }
    let label = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + 1);
        before.is_some_and(|b| b.is_ascii_alphabetic() || !b.is_ascii() || b" .)*#>".contains(b))
            && after.is_none_or(|b| {
                b.is_ascii_whitespace() || b.is_ascii_digit() || b"<*_`".contains(b)
            })
    };
    // Most values have no sign, and most signs are in addresses.
    let labelled = || memchr::memchr_iter(b':', bytes).any(label);
    (signs.may(COLON) && labelled() && text.contains(char::is_whitespace))
        || (signs.may(FOREIGN) && text.contains('：'))
        || (signs.may(MARKUP) && text.trim_start().starts_with('<') && text.contains('>'))
        || (signs.may(LIST) && mentions_patient(text))
}

/// Whether a string may be a message of a program about a patient: `Loaded patient Jane Roe (MRN 77)`.
fn mentions_patient(text: &str) -> bool {
    const WORDS: [&str; 8] = ["atient", "acient", "azient", "MRN", "DOB", "UHID", "NHS", "No. RM"];
    memchr::memchr3(b'(', b'[', b',', text.as_bytes()).is_some()
        && text.bytes().any(|b| b.is_ascii_digit())
        && WORDS.iter().any(|word| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some())
}

/// Whether a string is base64 of text: a report, a table.
fn is_encoded_text(text: &str) -> bool {
    if text.len() < MIN_BASE64 {
        return false;
    }
    let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let bytes = text.trim_end_matches(['=', '\n', '\r']).as_bytes();
    if bytes.len() < MIN_BASE64 || !bytes.iter().all(|b| letter(b) || matches!(b, b'\n' | b'\r')) {
        return false;
    }
    let head: Vec<u8> = bytes.iter().copied().filter(letter).take(BASE64_HEAD).collect();
    let whole = head.len() / 4 * 4;
    let Some(decoded) = decode(head.get(..whole).unwrap_or_default()) else { return false };
    let shown = |b: &&u8| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t' | 0x80..);
    let blank = decoded.iter().any(|b| matches!(b, b' ' | b'\n' | b',' | b';' | b'\t'));
    let high = decoded.iter().filter(|b| !b.is_ascii()).count();
    blank && decoded.iter().filter(shown).count() == decoded.len() && high * 5 < decoded.len()
}

fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_labels() {
        for text in ["MRN: 12", "Seen today\nPatient: Jane Roe", "Né(e) le: 1", "患者氏名：山田"]
        {
            assert!(is_informative(text), "{text}");
        }
        for text in ["urn:oid:1.2.3", "https://example.org/a", "2026-03-02T10:15:00Z", "a: b"] {
            assert!(!is_informative(text), "{text}");
        }
    }

    #[test]
    fn what_holds_no_label_has_none_of_the_signs_or_has_them_elsewhere() {
        let loaded = "Loaded patient Jane Roe (MRN 77)";
        assert!(is_informative(loaded));
        for sign in ['(', '[', ','] {
            assert!(is_informative(&format!("patient 77{sign}")), "{sign}");
        }
        assert!(!is_informative(&loaded.replace(['(', ')'], " ")));
        assert!(is_informative("  <p>Jane</p>") && !is_informative("1 < 2 and 3"));
        assert!(!is_informative("2024-06-03T06:00:00 x"), "no word before the sign");
    }

    #[test]
    fn what_is_base64_of_text() {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        assert!(is_encoded_text(&engine.encode("Patient: Jane Roe\nDOB: 1970-01-31\n")));
        assert!(!is_encoded_text(&engine.encode([0, 159, 7, 200, 13, 91, 18, 240].repeat(8))));
        assert!(!is_encoded_text("AcknowledgementOfReceiptOfGoods"));
    }
}
