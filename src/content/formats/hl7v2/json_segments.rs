//! HL7 v2 in JSON as a list of segments whose fields have no names: `[["MSH", "|", "^~\\&"], ["PID", "1", "", "77"]]`,
//! `{"segments": [{"name": "PID", "fields": ["1", "", "77"]}]}`, `{"PID": ["1", "", "77"]}`. A field is text in ER7, or
//! an array of its components or repetitions, or an object with its value. Segments may also be texts: `["MSH|^~\\&|A", "PID|1||77"]`.

use super::json::may_be_hl7;
use super::message::Message;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_SEGMENT: usize = 64 << 10;
/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 16;

/// Members with the name of a segment, and with its fields.
const NAMES: [&str; 6] = ["name", "segment", "segmentName", "segmentId", "id", "type"];
const FIELDS: [&str; 4] = ["fields", "values", "elements", "data"];
/// The member with the value of a field that is an object.
const VALUE: &str = "value";

fn is_among(list: &[&str], key: &str) -> bool {
    list.iter().any(|name| name.eq_ignore_ascii_case(key))
}

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
struct Level {
    object: bool,
    /// The segment that an object names.
    name: Option<[u8; 3]>,
    /// An array has an item already.
    started: bool,
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
    /// Objects and arrays open within an object, which is no field.
    skipped: usize,
    cut: bool,
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
                if row.skipped == 0 {
                    row.item("");
                }
                row.skipped += 1;
            } else {
                row.open();
            }
            return;
        }
        let mut member = false;
        if let Some(around) = rows.open.last_mut() {
            around.started = true;
            member = around.object;
        }
        if member && !object {
            let name = segment(&rows.key);
            if name.is_some() || is_among(&FIELDS, &rows.key) {
                rows.row = Some(Row::of(name));
            }
        }
        rows.open.push(Level { object, name: None, started: rows.row.is_some() });
    }

    fn close(&mut self) {
        let rows = &mut *self.rows;
        if let Some(row) = &mut rows.row {
            if row.skipped > 0 {
                row.skipped -= 1;
                return;
            }
            if row.depth > 0 {
                row.close();
                return;
            }
        }
        let level = rows.open.pop();
        if let Some(row) = rows.row.take() {
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
                1 if rows.key.eq_ignore_ascii_case(VALUE) => row.fill(text),
                _ => {}
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
            r#"[["MSH","^~\\&","APP"],["PID","1","",[["H-77"]],{"x":["y"]},[["Roe","Jane"]],"","19700131","F"]]"#,
            r#"{"segments":[{"name":"MSH","fields":["|","^~\\&","A"]},{"name":"PID","fields":["1","","H-77","","Roe^Jane","","19700131","F"]}]}"#,
            r#"[{"fields":["MSH","|","^~\\&"],"segment":"MSH"},{"fields":["PID","1","","H-77","","Roe^Jane","","19700131","F"],"segment":"PID"}]"#,
            r#"{"message":["MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5","EVN|A01","PID|1||H-77||Roe^Jane||19700131|F"]}"#,
            r#"{"segments":{"MSH":"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5","PID":"PID|1||H-77||Roe^Jane||19700131|F"}}"#,
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
