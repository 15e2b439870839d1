//! Records of analysers in JSON as lists of their fields, as libraries decode them: `[["H", [[null], [null, "&"]]], ["P",
//! "1", null, null, "77", ["Roe", "Eva"]]]`. A field is a text, or an array of its components, or of repetitions.

use super::Records;
use crate::content::formats::json::is_plain_json;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};
use zeroize::Zeroizing;

/// Longest record that is read, bytes.
const MAX_RECORD: usize = 16 << 10;
/// Fewest fields of the first record of a patient. Lists of other things have such names, too.
const MIN_FIELDS: usize = 3;
/// Bytes around the name of a record that are looked at.
const MAX_AROUND: usize = 64;

/// The header that the records get.
const HEADER: &[u8] = b"H|\\^&\r";

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "astm"
    }

    fn first(&self) -> &'static [u8] {
        b"{["
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        is_plain_json(media, head)
            && (has_record(head, b"\"H\"") && has_record(head, b"\"P\"") || has_objects(head))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<JsonDocument>::default()
    }
}

/// Whether an array begins with this name, and has more items.
fn has_record(head: &[u8], name: &[u8]) -> bool {
    memchr::memmem::find_iter(head, name).take(MAX_AROUND).any(|at| {
        let before = head.get(at.saturating_sub(MAX_AROUND)..at).unwrap_or_default();
        let behind = head.get(at + name.len()..).unwrap_or_default();
        before.trim_ascii_end().ends_with(b"[") && behind.trim_ascii_start().starts_with(b",")
    })
}

/// Whether objects name a record and have its fields: `{"record_type": "P", "fields": [...]}`.
fn has_objects(head: &[u8]) -> bool {
    let has = |mark: &[u8]| memchr::memmem::find(head, mark).is_some();
    let named = |name: &[u8]| {
        memchr::memmem::find_iter(head, name).take(MAX_AROUND).any(|at| {
            let before = head.get(at.saturating_sub(MAX_AROUND)..at).unwrap_or_default();
            before.trim_ascii_end().ends_with(b":")
        })
    };
    has(b"\"fields\"") && named(b"\"H\"") && named(b"\"P\"")
}

#[derive(Default)]
struct JsonDocument {
    tokens: Tokens,
    lists: Lists,
}

/// The position among the arrays.
#[derive(Default)]
struct Lists {
    nested: Option<Nested>,
    /// Open objects and arrays outside records: whether an array has an item already.
    open: Vec<bool>,
    /// The name of the next member, and the record that the object at hand names.
    key: Box<str>,
    named: Option<Box<str>>,
    record: Zeroizing<String>,
    /// Arrays open within the record, and whether the innermost has no item yet.
    depth: usize,
    fresh: bool,
    /// Objects and arrays open within an object in the record.
    skipped: usize,
}

impl Lists {
    fn in_record(&self) -> bool {
        !self.record.is_empty()
    }

    /// Begins a field, a component or a repetition; a repetition is one of several components.
    fn separate(&mut self, array: bool) {
        match self.depth {
            0 => self.record.push('|'),
            _ if self.fresh => {}
            1 => self.record.push(if array { '\\' } else { '^' }),
            _ => self.record.push('^'),
        }
        self.fresh = false;
    }

    fn item(&mut self, text: &str) {
        if self.record.len() + text.len() >= MAX_RECORD || self.skipped > 0 {
            return;
        }
        self.separate(false);
        let plain = |c: char| if c == '|' || c.is_control() { ' ' } else { c };
        self.record.extend(text.chars().map(plain));
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut record = Zeroizing::new(std::mem::take(&mut *self.record));
        let patient = record.starts_with("P|") && record.matches('|').count() >= MIN_FIELDS;
        if self.nested.is_none() && !patient {
            return;
        }
        record.push('\r');
        let nested = self.nested.get_or_insert_with(|| {
            let mut nested = Nested::reading("text", Records.open(&Media::Unknown));
            nested.data(HEADER, scope);
            nested
        });
        // Its delimiters are those written here.
        if !record.starts_with('H') {
            nested.data(record.as_bytes(), scope);
        }
    }
}

/// Whether a text is the name of a record.
fn is_record(text: &str) -> bool {
    matches!(text, "H" | "P" | "O" | "R" | "C" | "Q" | "M" | "S" | "L")
}

struct Reader<'a, 'b> {
    lists: &'a mut Lists,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        let lists = &mut *self.lists;
        if !lists.in_record() {
            if let Some(around) = lists.open.last_mut() {
                *around = true;
            }
            let fields = !object && &*lists.key == "fields";
            if let Some(name) = lists.named.take().filter(|_| fields) {
                lists.record.push_str(&name);
                (lists.depth, lists.skipped) = (0, 0);
            }
            // Members of an object begin no record.
            lists.open.push(object || fields);
            return;
        }
        if object || lists.skipped > 0 {
            lists.item("");
            lists.skipped += 1;
            return;
        }
        lists.separate(true);
        lists.depth += 1;
        lists.fresh = true;
    }

    fn close(&mut self) {
        let lists = &mut *self.lists;
        if lists.in_record() {
            if lists.skipped > 0 {
                lists.skipped -= 1;
                return;
            }
            if lists.depth > 0 {
                lists.depth -= 1;
                lists.fresh = false;
                return;
            }
            lists.finish(self.scope);
        }
        lists.open.pop();
    }

    fn key(&mut self, key: &str) {
        self.lists.key = if key.len() <= MAX_AROUND { key.into() } else { Box::default() };
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        let lists = &mut *self.lists;
        if lists.in_record() {
            lists.item(text);
            return;
        }
        const NAMES: [&str; 5] = ["record_type", "recordType", "type", "record", "name"];
        if NAMES.contains(&&*lists.key) && is_record(text) {
            lists.named = Some(text.into());
        }
        let Some(started) = lists.open.last_mut() else { return };
        if !std::mem::replace(started, true) && is_record(text) {
            lists.record.push_str(text);
            (lists.depth, lists.skipped) = (0, 0);
        }
    }

    fn prose(&mut self, text: &str) {
        self.value(text);
    }

    fn null(&mut self) {
        // It has a place among the fields.
        if self.lists.in_record() {
            self.lists.item("");
        }
    }

    fn passed(&mut self) {
        self.null();
    }
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let read = self.tokens.read(bytes, &mut Reader { lists: &mut self.lists, scope });
        want_after(read, scope)
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.tokens.finish(&mut Reader { lists: &mut self.lists, scope });
        if let Some(mut nested) = self.lists.nested.take() {
            nested.end(ending, scope);
        }
    }

    fn memory(&self) -> usize {
        let nested = self.lists.nested.as_ref().map_or(0, Nested::memory);
        self.tokens.memory() + nested + self.lists.record.capacity() + self.lists.open.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[track_caller]
    fn check(media: &str, text: &str) {
        let got = records(media, text.as_bytes());
        let wanted = ["H-77", "Roe^Jane", "birth_date=19700131 sex=F"];
        let all = |record: &String| wanted.iter().all(|part| record.contains(part));
        assert!(got.len() == 1 && all(&got[0]) && !got[0].contains("Doe"), "{text}: {got:?}");
    }

    #[test]
    fn lists_of_libraries() {
        for text in [
            r#"[["H",[[null],[null,"&"]],null,null,["H550"]],["P","1",null,null,"H-77",["Roe","Jane"],null,"19700131","F",null,null,null,null,["7","Doe"]],["O","1","S"],["L","1","N"]]"#,
            r#"[{"record_type":"H","fields":["\\^&"]},{"record_type":"P","fields":["1","H-77","","","Roe^Jane","","19700131","F"]},{"record_type":"L","fields":["1"]}]"#,
            r#"{"records":[["H","\\^&"],["P",1,"H-77",null,null,[["Roe","Jane"]],null,"19700131","F"],["L","1"]]}"#,
        ] {
            check("application/json", text);
            for end in 0..text.len() {
                records("application/json", &text.as_bytes()[..end]);
            }
        }
        for text in [
            "x = [['H', [[None], [None, '&']]], ['P', '1', None, None, 'H-77', ['Roe', 'Jane'], None, '19700131', 'F'], ['L', '1', 'N']]\n",
            "[[u'H', u'\\\\^&'],\n [u'P', 1, u'H-77', None, None, (u'Roe', u'Jane'), None, u'19700131', u'F'],\n [u'L', 1]]\n",
        ] {
            check("text/plain", text);
        }
    }

    #[test]
    fn other_lists_are_no_records() {
        for text in [r#"[["H","water"],["P","phosphorus"],["O","oxygen"]]"#, r#"{"H":["P","x"]}"#] {
            assert_eq!(records("application/json", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
