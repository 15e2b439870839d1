//! Data sets in JSON whose elements are objects that say which attribute they are: `[{"group": "0010", "element":
//! "0010", "value": "Doe^Jane"}]`, `[{"tag": "(0010,0010)", "keyword": "PatientName", "value": ["Doe^Jane"]}]`,
//! `{"elements": [{"tag": {"Group": 16, "Element": 16}, "rawVR": "PN", "value": ["Doe^Jane"]}]}`.

use super::described::{Described, Elements, is_tag, is_value, known};
use crate::content::formats::json::is_plain_json;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use memchr::memmem;

/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 32;
/// Levels of objects and arrays that are distinguished.
const MAX_DEPTH: usize = 64;

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "dicom"
    }

    fn first(&self) -> &'static [u8] {
        b"{["
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        is_plain_json(media, head) && describes(head)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<JsonDocument>::default()
    }
}

/// Whether a member gives a tag of a data set, or its group and its element, and another one a value.
fn describes(head: &[u8]) -> bool {
    let has = |mark: &[u8]| memmem::find(head, mark).is_some();
    if !has(b"alue\"") {
        return false;
    }
    let follows = |name: &[u8]| {
        let at = memmem::find(head, name)?;
        let behind = head.get(at + name.len()..)?.trim_ascii_start().strip_prefix(b":")?;
        Some(behind.trim_ascii_start())
    };
    // Numbers alone may be of anything.
    let typed = has(b"\"vr\"") || has(b"VR\"");
    let is_group = |value: &[u8]| match value {
        [b'"', b'0', ..] => true,
        [b'0'..=b'9', ..] => typed,
        _ => false,
    };
    let keyword = |name: &[u8]| follows(name).is_some_and(|value| value.starts_with(b"{"));
    if has(b"\"vr\"") && (keyword(b"\"PatientName\"") || keyword(b"\"PatientID\"")) {
        return true;
    }
    let grouped =
        [[&b"\"group\""[..], &b"\"element\""[..]], [&b"\"Group\""[..], &b"\"Element\""[..]]];
    grouped.iter().any(|names| names.iter().all(|name| follows(name).is_some_and(is_group)))
        || [&b"\"tag\""[..], b"\"Tag\""].iter().filter_map(|name| follows(name)).any(|value| {
            let text = value.strip_prefix(b"\"").unwrap_or_default();
            let end = memchr::memchr(b'"', text).unwrap_or(0);
            let text = std::str::from_utf8(text.get(..end).unwrap_or_default()).unwrap_or("");
            known(text).is_some()
        })
}

#[derive(Default)]
struct JsonDocument {
    tokens: Tokens,
    rows: Rows,
}

/// What an open object or array is to the one around it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Other,
    /// The values of the element around it.
    Values,
    /// Its tag.
    Tag,
}

#[derive(Default)]
struct Level {
    object: bool,
    part: Part,
    row: Described,
}

#[derive(Default)]
struct Rows {
    elements: Elements,
    open: Vec<Level>,
    /// Levels beyond those that are distinguished.
    deeper: usize,
    key: Box<str>,
}

impl Rows {
    /// The innermost object, without the last `inner` levels.
    fn object(&mut self, inner: usize) -> Option<&mut Level> {
        let outer = self.open.len().checked_sub(inner)?;
        self.open.get_mut(..outer)?.iter_mut().rev().find(|level| level.object)
    }

    fn value(&mut self, text: &str) {
        let Some(top) = self.open.last_mut() else { return };
        let owner = match (top.object, top.part) {
            // `{"Alphabetic": "Doe^Jane"}`
            (true, Part::Values) if &*self.key == "Alphabetic" => self.object(1),
            (true, _) => return top.row.member(&self.key, text),
            (false, Part::Values) => self.object(0),
            (false, _) => None,
        };
        if let Some(owner) = owner {
            owner.row.value(text);
        }
    }

    fn open(&mut self, object: bool) {
        let part = match self.open.last() {
            Some(around) if around.part == Part::Values => Part::Values,
            Some(around) if around.object && is_value(&self.key) => Part::Values,
            Some(around) if around.object && object && is_tag(&self.key) => Part::Tag,
            _ => Part::Other,
        };
        let mut row = Described::default();
        if object && part == Part::Other {
            // `{"PatientName": {"vr": "PN", "Value": ["Doe^Jane"]}}`
            row.is_named(&self.key);
        }
        self.open.push(Level { object, part, row });
    }

    fn close(&mut self, scope: &mut Scope<'_>) {
        let Some(level) = self.open.pop() else { return };
        match level.part {
            Part::Tag => {
                if let Some(around) = self.open.last_mut() {
                    around.row.take_tag(&level.row);
                }
            }
            // Elements of an item belong to another one; a list of them under a name that is no tag is a data set.
            Part::Values => {
                let item = self.object(0).is_some_and(|owner| owner.row.tag().is_some());
                if level.object && !item {
                    self.elements.described(&level.row, scope);
                }
            }
            Part::Other if level.object => self.elements.described(&level.row, scope),
            Part::Other => {}
        }
    }
}

struct Reader<'a, 'b> {
    rows: &'a mut Rows,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        if self.rows.open.len() >= MAX_DEPTH {
            self.rows.deeper += 1;
            return;
        }
        self.rows.open(object);
    }

    fn close(&mut self) {
        match self.rows.deeper.checked_sub(1) {
            Some(deeper) => self.rows.deeper = deeper,
            None => self.rows.close(self.scope),
        }
    }

    fn key(&mut self, key: &str) {
        self.rows.key = if key.len() <= MAX_KEY { key.into() } else { Box::default() };
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        if self.rows.deeper == 0 {
            self.rows.value(text);
        }
    }
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let read = self.tokens.read(bytes, &mut Reader { rows: &mut self.rows, scope });
        want_after(read, scope)
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.tokens.finish(&mut Reader { rows: &mut self.rows, scope });
        self.rows.elements.end(scope);
    }

    fn memory(&self) -> usize {
        let open = self.rows.open.len() * size_of::<Level>();
        self.tokens.memory() + open + self.rows.elements.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: &str = "name=Doe^Jane patient_id=H-77 birth_date=19700131 sex=F";

    #[test]
    fn elements_in_objects() {
        let rows = [
            ["0010", "0010", "PN", "Doe^Jane"],
            ["0010", "0020", "LO", "H-77"],
            ["0010", "0030", "DA", "19700131"],
            ["0010", "0040", "CS", "F"],
        ];
        let list = |write: fn(&[&str; 4]) -> String| {
            format!("[{}]", rows.iter().map(write).collect::<Vec<_>>().join(","))
        };
        for text in [
            list(|[g, e, vr, v]| {
                format!(r#"{{"group":"{g}","element":"{e}","vr":"{vr}","value":"{v}"}}"#)
            }),
            list(|[g, e, _, v]| {
                format!(r#"{{"Value":["{v}"],"Group":"0x{g}","Element":"0x{e}"}}"#)
            }),
            list(|[g, e, vr, v]| {
                format!(r#"{{"tag":"({g},{e})","vr":"{vr}","keyword":"x","value":["{v}"]}}"#)
            }),
            list(|[g, e, vr, v]| {
                let number = |hex: &str| u32::from_str_radix(hex, 16).unwrap_or(0);
                format!(
                    r#"{{"tag":{{"Group":{},"Element":{}}},"rawVR":"{vr}","value":["{v}"]}}"#,
                    number(g),
                    number(e)
                )
            }),
            format!(
                r#"{{"file":"a.dcm","elements":{}}}"#,
                list(|[g, e, _, v]| {
                    format!(r#"{{"tag":"{g}{e}","value":[{{"Alphabetic":"{v}"}}]}}"#)
                })
            ),
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
            for end in 0..text.len() {
                records("application/json", &text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn several_data_sets_and_items() {
        let row = |e: &str, v: &str| format!(r#"{{"tag":"0010{e}","value":"{v}"}}"#);
        let set = |id: &str, name: &str| format!("[{},{}]", row("0010", name), row("0020", id));
        let text = format!("[{},{}]", set("H-77", "Doe^Jane"), set("H-78", "Roe^Joan"));
        let got = records("application/json", text.as_bytes());
        assert!(got.len() == 2 && got[1].contains("name=Roe^Joan patient_id=H-78"), "{got:?}");
        let item = r#"[{"tag":"00100010","value":"Doe^Jane"},{"tag":"00100020","value":"H-77"},{"tag":"00400275","vr":"SQ","value":[{"tag":"00100010","value":"Roe^Joan"}]}]"#;
        let got = records("application/json", item.as_bytes());
        assert!(got.len() == 1 && !got[0].contains("Joan"), "{got:?}");
    }

    #[test]
    fn dictionaries_have_no_values() {
        let text = r#"[{"tag":"(0010,0010)","vr":"PN","name":"Patient's Name","value":"Patient's Name"},{"tag":"(0010,0020)","value":""}]"#;
        let got = records("application/json", text.as_bytes());
        assert!(got.iter().all(|record| !record.contains('=')), "{got:?}");
        let profile = r#"[{"tag":"(0010,0010)","action":"replace","value":"Doe^Jane"},{"tag":"(0010,0020)","action":"replace","value":"H-77"}]"#;
        assert_eq!(records("application/json", profile.as_bytes()), [""; 0]);
    }
}
