//! HL7 v2 in JSON as a list of segments whose fields have no names: `[["MSH", "|", "^~\\&"], ["PID", "1", "", "77"]]`,
//! `{"segments": [{"name": "PID", "fields": ["1", "", "77"]}]}`, `{"PID": ["1", "", "77"]}`. A field is text in ER7, or
//! an array of its components or repetitions, or an object with its value. Segments may also be texts: `["MSH|^~\\&|A", "PID|1||77"]`.

use super::json::may_be_hl7;
use super::message::Message;
use super::names;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::formats::json::{is_among, is_plain_json};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use memchr::memmem;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_SEGMENT: usize = 64 << 10;
/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 16;

/// Members with the name of a segment, and with its fields.
const NAMES: [&str; 6] = ["name", "segment", "segmentName", "segmentId", "id", "type"];
const FIELDS: [&str; 4] = ["fields", "values", "elements", "data"];
/// Members of a field that is an object: its number, its value, and its parts.
const POSITIONS: [&str; 6] = ["position", "index", "number", "fieldNumber", "sequence", "seq"];
const VALUE: [&str; 4] = ["value", "text", "raw", "content"];
const PARTS: [&str; 3] = ["components", "parts", "subcomponents"];
/// Highest number of a field.
const MAX_FIELD: usize = 255;
/// Highest number of a component.
const MAX_COMPONENT: usize = 32;
/// Names of PID that are looked at in a document.
const MAX_LOOKS: usize = 8;

/// The format.
pub struct JsonSegments;

impl Format for JsonSegments {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memmem::find(head, mark).is_some();
        // MSH-2, with the backslash escaped, and the name of its segment; or whole segments.
        let whole = || has(br#""MSH|^~\\&"#) && has(b"\"PID|");
        may_be_hl7(media, head) && (has(b"\"MSH\"") && has(br"^~\\") || whole())
            || is_plain_json(media, head) && has_patient_row(head)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<SegmentDocument>::default()
    }
}

#[derive(Default)]
struct SegmentDocument {
    tokens: Tokens,
    rows: Rows,
}

/// The position among objects and arrays, and the segment that is read.
#[derive(Default)]
struct Rows {
    message: Message,
    open: Vec<Level>,
    /// The name of the next member.
    key: Box<str>,
    row: Option<Row>,
    /// Fields of an object that has not named its segment yet, and the number of levels that are open around them.
    pending: Option<(usize, Row)>,
}

/// An open object or array outside of segments.
#[derive(Default)]
struct Level {
    object: bool,
    /// The segment that an object names.
    name: Option<[u8; 3]>,
    /// An array has an item already.
    started: bool,
    /// What began in it last was its first item.
    first: bool,
    /// Fields that are members with their numbers (`field_3`), and their length.
    fields: BTreeMap<usize, Zeroizing<String>>,
    length: usize,
}

impl Level {
    fn number(&mut self, number: usize, text: &str) {
        if self.length + text.len() < MAX_SEGMENT {
            self.length += text.len();
            self.fields.insert(number, Zeroizing::new(text.to_owned()));
        }
    }

    /// The fields as a row.
    fn row(&mut self) -> Option<Row> {
        let name = self.name.filter(|_| !self.fields.is_empty())?;
        let mut row = Row::of(Some(name));
        for (number, text) in std::mem::take(&mut self.fields) {
            let count = row.fields.matches('|').count();
            row.fields.extend(std::iter::repeat_n('|', number.saturating_sub(count + 1)));
            row.item(&text);
        }
        Some(row)
    }
}

/// The number of a field that a member has in its name: `field_3`, `field3`, `f3`.
fn numbered(key: &str) -> Option<usize> {
    let digits =
        ["field_", "field", "Field", "f"].iter().find_map(|name| key.strip_prefix(name))?;
    digits.parse().ok().filter(|number| (1..=MAX_FIELD).contains(number))
}

/// The number of a component that is a member: `{"1": "Roe", "2": "Eva"}`, `{"XPN.1": "Roe"}`.
fn component(key: &str) -> Option<usize> {
    names::number(key)?.parse().ok().filter(|number| (1..=MAX_COMPONENT).contains(number))
}

/// The fields of a segment, in ER7.
#[derive(Default)]
struct Row {
    name: Option<[u8; 3]>,
    fields: Zeroizing<String>,
    /// Arrays open within a field.
    depth: usize,
    /// Nothing has been written since the last array began.
    fresh: bool,
    /// Objects and arrays open within an object that holds a field.
    skipped: usize,
    /// What the object says: the number of the field, its value, and how many parts that has; a value of the whole
    /// field outweighs its parts.
    position: Option<usize>,
    held: Zeroizing<String>,
    parts: usize,
    whole: bool,
    cut: bool,
}

/// Whether an array begins with the name of the segment PID: `["PID", 1, null, 77]`. Descriptions have texts behind it.
fn has_patient_row(head: &[u8]) -> bool {
    memmem::find_iter(head, b"\"PID\"").take(MAX_LOOKS).any(|at| {
        let before = head.get(..at).unwrap_or_default().trim_ascii_end();
        let behind = head.get(at + b"\"PID\"".len()..).unwrap_or_default();
        let next = behind.trim_ascii_start().strip_prefix(b",").map(<[u8]>::trim_ascii_start);
        let number =
            |b: &[u8]| matches!(b, [b'1', b',', ..] | [b'"', b'1', b'"', ..] | [b'"', b'"', ..]);
        before.ends_with(b"[") && next.is_some_and(number)
    })
}

/// The name of a segment.
fn segment(text: &str) -> Option<[u8; 3]> {
    let name: [u8; 3] = text.as_bytes().try_into().ok()?;
    let rest = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (name[0].is_ascii_uppercase() && name.iter().all(rest)).then_some(name)
}

/// Whether a text is a whole segment, or begins with one: `PID|1||77`.
fn is_whole(text: &str) -> bool {
    text.get(..3).and_then(segment).is_some() && text.get(3..4) == Some("|")
}

impl Row {
    fn of(name: Option<[u8; 3]>) -> Self {
        Self { name, ..Self::default() }
    }

    /// Begins a field, a repetition, a component or a subcomponent; a repetition is one of several components.
    fn separate(&mut self, of_components: bool) {
        match self.depth {
            0 => self.fields.push('|'),
            _ if self.fresh => {}
            1 => self.fields.push(if of_components { '~' } else { '^' }),
            2 => self.fields.push('^'),
            _ => self.fields.push('&'),
        }
        self.fresh = false;
    }

    fn item(&mut self, text: &str) {
        if self.fields.len() + text.len() >= MAX_SEGMENT {
            self.cut = true;
            return;
        }
        self.separate(text.contains('^'));
        self.fill(text);
    }

    /// Writes text behind what the field has.
    fn fill(&mut self, text: &str) {
        if self.fields.len() + text.len() >= MAX_SEGMENT {
            self.cut = true;
            return;
        }
        for c in text.chars() {
            match c {
                '|' => self.fields.push_str("\\F\\"),
                c if c.is_control() => self.fields.push(' '),
                c => self.fields.push(c),
            }
        }
    }

    /// A value in an object of a field.
    fn member(&mut self, key: &str, text: &str) {
        if self.skipped == 1 && is_among(&POSITIONS, key) {
            self.position = text.parse().ok().filter(|number| *number <= MAX_FIELD);
        } else if let Some(number) = (self.skipped == 1).then(|| component(key)).flatten() {
            if self.whole || self.held.len() + text.len() >= MAX_SEGMENT {
                return;
            }
            let signs = number.saturating_sub(self.parts.max(1));
            self.held.extend(std::iter::repeat_n('^', signs));
            self.held.push_str(text);
            self.parts = number.max(self.parts);
        } else if is_among(&VALUE, key) || is_among(&PARTS, key) {
            let whole = self.skipped == 1 && is_among(&VALUE, key);
            if self.whole || self.held.len() + text.len() >= MAX_SEGMENT {
                return;
            }
            if whole {
                self.held.clear();
            } else if self.parts > 0 {
                self.held.push('^');
            }
            self.held.push_str(text);
            self.parts += 1;
            self.whole = whole;
        }
    }

    /// The object of a field ends.
    fn end_object(&mut self) {
        let held = Zeroizing::new(std::mem::take(&mut *self.held));
        if let Some(position) = self.position.take().filter(|_| self.depth == 0) {
            let count = self.fields.matches('|').count();
            self.fields.extend(std::iter::repeat_n('|', position.saturating_sub(count + 1)));
        }
        (self.parts, self.whole) = (0, false);
        self.item(&held);
    }

    fn open(&mut self) {
        if self.fields.len() < MAX_SEGMENT {
            self.separate(true);
        }
        self.depth += 1;
        self.fresh = true;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.fresh = false;
    }
}

impl Rows {
    /// The array of fields ends.
    fn finish(&mut self, row: Row, scope: &mut Scope<'_>) {
        match row.name {
            Some(name) => self.emit(name, &row, scope),
            None => self.pending = Some((self.open.len(), row)),
        }
    }

    fn emit(&mut self, name: [u8; 3], row: &Row, scope: &mut Scope<'_>) {
        let text = std::str::from_utf8(&name).unwrap_or("");
        let mut fields = row.fields.as_str();
        // Some repeat the name of the segment before its fields.
        let own = fields.strip_prefix('|').and_then(|rest| rest.strip_prefix(text));
        fields = own.filter(|rest| rest.starts_with('|')).unwrap_or(fields);
        if name == *b"MSH" {
            // MSH-1 is the separator.
            fields = fields.strip_prefix("|\\F\\").unwrap_or(fields);
        }
        self.message.begins(name, scope);
        if self.message.wants(name, scope.rules) {
            let raw = Zeroizing::new([text, fields].concat());
            self.message.segment(raw.as_bytes(), scope);
        }
        if row.cut {
            scope.give_up(Reason::Limit);
        }
    }

    fn memory(&self) -> usize {
        let rows = self.row.iter().chain(self.pending.as_ref().map(|(_, row)| row));
        let held = rows.map(|row| row.fields.capacity()).sum::<usize>();
        self.message.memory() + held + self.open.len() * size_of::<Level>()
    }
}

struct Reader<'a, 'b> {
    rows: &'a mut Rows,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        let rows = &mut *self.rows;
        if let Some(row) = &mut rows.row {
            if object || row.skipped > 0 {
                row.skipped += 1;
            } else {
                row.open();
            }
            return;
        }
        let mut member = false;
        if let Some(around) = rows.open.last_mut() {
            around.first = !around.started;
            around.started = true;
            member = around.object;
        }
        if member && !object {
            let name = segment(&rows.key);
            if name.is_some() || is_among(&FIELDS, &rows.key) {
                rows.row = Some(Row::of(name));
            }
        }
        rows.open.push(Level { object, started: rows.row.is_some(), ..Level::default() });
    }

    fn close(&mut self) {
        let rows = &mut *self.rows;
        if let Some(row) = &mut rows.row {
            if row.skipped > 0 {
                row.skipped -= 1;
                if row.skipped == 0 {
                    row.end_object();
                }
                return;
            }
            if row.depth > 0 {
                row.close();
                return;
            }
        }
        let mut level = rows.open.pop();
        if let Some(row) = level.as_mut().and_then(Level::row).filter(|_| rows.row.is_none()) {
            rows.finish(row, self.scope);
            return;
        }
        if let Some(row) = rows.row.take() {
            // `[["PID"], ["1"], ...]`: the name is an array of its own.
            let alone = row.name.is_some() && row.fields.is_empty();
            if alone && rows.open.last().is_some_and(|around| !around.object && around.first) {
                rows.row = Some(Row::of(row.name));
                return;
            }
            rows.finish(row, self.scope);
            return;
        }
        let depth = rows.open.len() + 1;
        if let Some((_, row)) = rows.pending.take_if(|(at, _)| *at >= depth)
            && let Some(name) = level.and_then(|level| level.name)
        {
            rows.emit(name, &row, self.scope);
        }
    }

    fn key(&mut self, key: &str) {
        self.rows.key = if key.len() <= MAX_KEY { key.into() } else { Box::default() };
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        let rows = &mut *self.rows;
        if let Some(row) = &mut rows.row {
            match row.skipped {
                0 => row.item(text),
                _ => row.member(&rows.key, text),
            }
            return;
        }
        if is_whole(text) {
            for line in text.split(['\r', '\n']).filter(|line| is_whole(line)) {
                let Some(name) = line.get(..3).and_then(segment) else { continue };
                rows.message.begins(name, self.scope);
                if rows.message.wants(name, self.scope.rules) {
                    rows.message.segment(line.as_bytes(), self.scope);
                }
            }
            return;
        }
        let Some(level) = rows.open.last_mut() else { return };
        if level.object {
            if is_among(&NAMES, &rows.key) {
                level.name = segment(text).or(level.name);
            } else if let Some(number) = numbered(&rows.key) {
                level.number(number, text);
            }
        } else if !std::mem::replace(&mut level.started, true) {
            rows.row = segment(text).map(|name| Row::of(Some(name)));
        }
    }

    fn passed(&mut self) {
        self.null();
    }

    fn prose(&mut self, text: &str) {
        self.value(text);
    }

    fn null(&mut self) {
        // It has a place among the fields.
        if self.rows.row.is_some() {
            self.value("");
        }
    }
}

impl Document for SegmentDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let read = self.tokens.read(bytes, &mut Reader { rows: &mut self.rows, scope });
        want_after(read, scope)
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.tokens.finish(&mut Reader { rows: &mut self.rows, scope });
        self.rows.message.end(scope);
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + self.rows.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";

    #[test]
    fn segments_as_arrays_as_objects_and_by_name() {
        for text in [
            r#"[["MSH","|","^~\\&","APP"],["PID","1","","H-77","","Roe^Jane","","19700131","F"],["OBX","1"]]"#,
            r#"[["MSH","^~\\&","APP"],["PID",1,null,["H-77"],null,["Roe","Jane"],null,19700131,"F"]]"#,
            r#"[["PID",1,null,"H-77",null,{"1":"Roe","2":"Jane"},null,19700131,"F"]]"#,
            r#"[["MSH","^~\\&","APP"],["PID","1","",[["H-77"]],{"x":["y"]},[["Roe","Jane"]],"","19700131","F"]]"#,
            r#"{"segments":[{"name":"MSH","fields":["|","^~\\&","A"]},{"name":"PID","fields":["1","","H-77","","Roe^Jane","","19700131","F"]}]}"#,
            r#"[{"fields":["MSH","|","^~\\&"],"segment":"MSH"},{"fields":["PID","1","","H-77","","Roe^Jane","","19700131","F"],"segment":"PID"}]"#,
            r#"{"message":["MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5","EVN|A01","PID|1||H-77||Roe^Jane||19700131|F"]}"#,
            r#"{"segments":{"MSH":"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5","PID":"PID|1||H-77||Roe^Jane||19700131|F"}}"#,
            r#"[[["MSH"],["|"],["^~\\&"]],[["PID"],["1"],[""],[[["H-77"],["H"]]],[""],[[["Roe"],["Jane"]]],[""],["19700131"],["F"]]]"#,
            r#"[{"segment":"MSH","field_1":"^~\\&"},{"segment":"PID","field_1":"1","field_3":"H-77","field_5":"Roe^Jane","field_7":"19700131","field_8":"F"}]"#,
            r#"[{"type":"MSH","fields":[{"position":1,"value":"^~\\&"}]},{"type":"PID","fields":[{"position":3,"value":"H-77"},{"position":5,"value":"Roe^Jane"},{"position":7,"value":"19700131"},{"position":8,"value":"F"}]}]"#,
            r#"{"segments":[{"name":"MSH","fields":[{"value":"|"},{"value":"^~\\&"}]},{"name":"PID","fields":[{"repetitions":[{"components":[{"value":"1"}]}]},{},{"repetitions":[{"components":[{"value":"H-77"}]}]},{},{"repetitions":[{"components":[{"value":"Roe"},{"value":"Jane"}]}]},{},{"repetitions":[{"components":[{"value":"19700131"}]}]},{"components":["F"]}]}]}"#,
            r#"{"MSH":["|","^~\\&","A"],"PID":["1","","H-77","","Roe^Jane","","19700131","F"]}"#,
            r#"{"Segments":[{"Name":"MSH","Fields":[{"Value":"|"},{"Value":"^~\\&"}]},{"Name":"PID","Fields":[{"Value":"1"},{"Value":""},{"Value":"H-77"},{"Value":""},{"Value":"Roe^Jane","Repeats":0},{},{"Value":"19700131"},{"Value":"F"}]}]}"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
        }
    }

    #[test]
    fn each_patient_is_one_record() {
        let pid = |id: &str, name: &str| {
            format!(r#"["PID","1","","{id}","","{name}","","19700131","F"]"#)
        };
        let text = format!(
            r#"[["MSH","|","^~\\&"],{},{}]"#,
            pid("H-77", "Roe^Jane"),
            pid("H-78", "Roe^Joan")
        );
        let got = records("application/json", text.as_bytes());
        assert!(got.len() == 2 && got[1].contains("patient_id=H-78 name=Roe^Joan"), "{got:?}");
    }

    #[test]
    fn cuts_and_other_documents() {
        let whole = br#"{"a":[{"fields":["MSH","^~\\&",["a|b",["c",["d",[{"e":[1]}]]]]],"segment":"MSH"}],"PID":["1",[],{}],"fields":[["x"]],"name":"PID"}"#;
        for end in 0..whole.len() {
            records("application/json", &whole[..end]);
        }
        let staff = br#"[["MSH","|","^~\\&"],["STF","1","H-77","Roe^Jane","","F","19700131"]]"#;
        let got = records("application/json", staff);
        assert!(!got.iter().any(|record| record.contains("patient_id")), "{got:?}");
    }
}
