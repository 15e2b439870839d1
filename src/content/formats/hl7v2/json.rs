//! HL7 v2 in JSON, as libraries and integration engines convert it from its XML: `{"PID": {"PID.3": {"CX.1":
//! "77"}}}`, `{"PID": [{"PID.5": [{"XPN.1": [{"FN.1": ["Roe"]}]}]}]}`. A member is an element, and each item of an
//! array a repetition of it.

use super::xml::{Segments, TokenHandler};
use crate::content::formats::json::is_plain_json;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::formats::markup::{Attributes, Receiver as _};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};

/// Longest name of an element that is compared, bytes (`ORU_R01.ORDER_OBSERVATION` is one).
const MAX_NAME: usize = 64;

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memchr::memmem::find(head, mark).is_some();
        may_be_hl7(media, head)
            && (has(b"\"MSH.") && has(b"\"MSH\"") || has(b"\"PID.") && has(b"\"PID\""))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<JsonDocument>::default()
    }
}

/// Whether a document may be HL7 v2 in JSON, by its media type, its first byte, and the names of segments in it.
pub(super) fn may_be_hl7(media: &Media<'_>, head: &[u8]) -> bool {
    is_plain_json(media, head) && names_segment(head)
}

/// Whether `"MSH` or `"PID` is in a text. Two formats need one of them, and nearly all documents have neither.
fn names_segment(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'M', b'P', text).any(|at| {
        let name = at.checked_sub(1).and_then(|at| text.get(at..at + 4));
        matches!(name, Some(b"\"MSH" | b"\"PID"))
    })
}

#[derive(Default)]
struct JsonDocument {
    tokens: Tokens,
    position: Position,
    segments: Segments,
}

/// Position among the members.
#[derive(Default)]
struct Position {
    /// Open objects and arrays: whether it is an object, and the name of its items.
    open: Vec<(bool, Box<str>)>,
    /// The name of the next member.
    key: Box<str>,
}

impl Position {
    /// The name of the next value.
    fn name(&self) -> Box<str> {
        match self.open.last() {
            Some((false, name)) => name.clone(),
            _ => self.key.clone(),
        }
    }
}

struct Reader<'a, 'b> {
    position: &'a mut Position,
    segments: &'a mut Segments,
    scope: &'a mut Scope<'b>,
}

impl Reader<'_, '_> {
    fn start(&mut self, name: &str) {
        TokenHandler::new(self.segments, self.scope).start(name, Attributes::none(), false);
    }
    fn end(&mut self, name: &str) {
        TokenHandler::new(self.segments, self.scope).end(name);
    }
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        let name = self.position.name();
        if object && !name.is_empty() {
            self.start(&name);
        }
        self.position.open.push((object, name));
    }
    fn close(&mut self) {
        if let Some((true, name)) = self.position.open.pop()
            && !name.is_empty()
        {
            self.end(&name);
        }
    }
    fn key(&mut self, key: &str) {
        self.position.key = if key.len() <= MAX_NAME { key.into() } else { Box::default() };
    }
    fn wants(&mut self) -> bool {
        true
    }
    fn value(&mut self, text: &str) {
        let name = self.position.name();
        // A whole segment or message is no member of one.
        if !name.contains('.') {
            return;
        }
        self.start(&name);
        TokenHandler::new(self.segments, self.scope).text(text);
        self.end(&name);
    }
    fn prose(&mut self, text: &str) {
        self.value(text);
    }
}

impl Document for JsonDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let (position, segments) = (&mut self.position, &mut self.segments);
        let read = self.tokens.read(bytes, &mut Reader { position, segments, scope });
        want_after(read, scope)
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let (position, segments) = (&mut self.position, &mut self.segments);
        self.tokens.finish(&mut Reader { position, segments, scope });
        self.segments.end(scope);
    }

    fn memory(&self) -> usize {
        let names = self.position.open.iter().map(|(_, name)| 32 + name.len()).sum::<usize>();
        self.tokens.memory() + self.segments.memory() + names
    }
}

#[cfg(test)]
mod tests {
    use super::names_segment;
    use crate::content::testing::records;

    #[test]
    fn messages_of_libraries_and_engines() {
        let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
        for text in [
            r#"{"HL7Message":{"MSH":{"MSH.9":{"MSH.9.1":"ADT","MSH.9.2":"A08"}},"PID":{"PID.3":{"PID.3.1":"H-77"},"PID.5":{"PID.5.1":"Roe","PID.5.2":"Jane"},"PID.7":{"PID.7.1":"19700131"},"PID.8":"F"}}}"#,
            r#"{"ORU_R01":{"MSH":[{"MSH.1":["|"],"MSH.2":["^~\\&"],"MSH.9":[{"MSG.1":["ORU"],"MSG.2":["R01"]}]}],"ORU_R01.PATIENT_RESULT":[{"ORU_R01.PATIENT":[{"PID":[{"PID.3":[{"CX.1":["H-77"],"CX.4":[{"HD.1":["HOSP"]}]}],"PID.5":[{"XPN.1":[{"FN.1":["Roe"]}],"XPN.2":["Jane"]}],"PID.7":[{"TS.1":[19700131]}],"PID.8":["F"]}]}]}]}}"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
        }
    }

    #[test]
    fn segments_that_were_taken_for_fields_of_the_header() {
        let text = r#"{"ADT_A04":{"MSH":[{"MSH.1":["|"],"MSH.2":["^~\\&"],"MSH.9":[{"MSG.1":["ADT"]}],"MSH.12":["2.3"],"MSH.21":[{"EI.1":["A"],"EI.4":["ISO\nPID"]}],"MSH.22":["1"],"MSH.24":["H-77"],"MSH.26":[{"UNKNOWN.1":["Roe"],"UNKNOWN.2":["Jane"]}],"MSH.28":["19700131"],"MSH.29":["F"],"MSH.60":["\nPV1"],"MSH.67":[{"UNKNOWN.2":["Doe"],"UNKNOWN.3":["Max"]}]}]}}"#;
        let got = records("application/json", text.as_bytes());
        let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
        assert!(got.len() == 1 && got[0].contains(fields) && !got[0].contains("Doe"), "{got:?}");
    }

    #[test]
    fn names_of_segments_are_found_wherever_they_are() {
        let text = br#"PID MSH "M" "PI "PIDX":1,"MSH|^~":{"P":"MS"}}"#;
        for from in 0..text.len() {
            for to in from..=text.len() {
                let part = &text[from..to];
                let expected = part.windows(4).any(|w| w == b"\"MSH" || w == b"\"PID");
                assert_eq!(names_segment(part), expected, "{from}..{to}");
            }
        }
    }

    #[test]
    fn other_objects_and_cuts() {
        let whole = br#"{"MSH":{"MSH.9":"ADT"},"PID":{"PID.3":{"CX.1":"H-77"},"PID.5":["a",{"b":[{"c":{}}]}],"PID.x":1,"":{"PID.8":null}}}"#;
        for end in 0..whole.len() {
            records("application/json", &whole[..end]);
        }
        let config = br#"{"PID":1234,"PID.file":"/run/x.pid","name":"Jane Roe"}"#;
        assert_eq!(records("application/json", config), [""; 0]);
    }
}
