//! EDIFACT in JSON, as libraries convert it: `{"segments": [{"tag": "PNA", "elements": [["PAT"], ["77"]]}]}`, `[["PNA",
//! "PAT", ["77"]]]`, `["PNA+PAT+77"]`.

use super::Reader;
use crate::content::formats::json::is_plain_json;
use crate::content::formats::segment_lists::{SegmentLists, SegmentReader};
use crate::content::{Document, Extent, Format, Media, Scope};
use memchr::memmem;
use zeroize::Zeroizing;

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "edifact"
    }

    fn first(&self) -> &'static [u8] {
        b"{["
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        /// Segments that name a patient.
        const PARTIES: [&[u8]; 3] = [b"\"PNA\"", b"\"NAD\"", b"\"INV\""];
        const WHOLE: [&[u8]; 2] = [b"\"PNA+PAT+", b"\"NAD+PAT+"];
        if !is_plain_json(media, head) {
            return false;
        }
        let has = |mark: &[u8]| memmem::find(head, mark).is_some();
        let patient = || has(b"\"PAT\"") || has(b"\"UNH\"");
        PARTIES.iter().any(|mark| has(mark)) && patient() || WHOLE.iter().any(|mark| has(mark))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<SegmentLists<Reader>>::default()
    }
}

/// Adds a text in which nothing is a delimiter.
fn push(text: &str, to: &mut Zeroizing<String>) {
    for c in text.chars() {
        if matches!(c, '+' | ':' | '?' | '\'') {
            to.push('?');
        }
        to.push(c);
    }
}

impl SegmentReader for Reader {
    const ELEMENT: char = '+';
    const TERMINATOR: char = '\'';

    fn composite(components: &[Zeroizing<String>]) -> Zeroizing<String> {
        let mut text: Zeroizing<String> = Zeroizing::default();
        for (at, component) in components.iter().enumerate() {
            if at > 0 {
                text.push(':');
            }
            push(component, &mut text);
        }
        text
    }

    fn element(text: &str) -> Zeroizing<String> {
        // Components may be in a text as in the message.
        Zeroizing::new(text.replace('+', "?+"))
    }

    fn segment(&mut self, parts: &[&str], scope: &mut Scope<'_>) {
        let raw = Zeroizing::new(parts.join("+"));
        self.read(raw.as_bytes(), scope);
    }

    fn end(&mut self, scope: &mut Scope<'_>) {
        self.end_message(scope);
    }

    fn memory(&self) -> usize {
        self.segment.capacity()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: [&str; 3] = ["patient_id=77", "birth_date=19700131", "name=Roe^Eva"];

    #[test]
    fn segments_of_libraries() {
        for text in [
            r#"{"segments":[{"tag":"UNH","elements":[["1"],["MEDRPT","0","1"]]},{"tag":"PNA","elements":[["DR"],["9"],[""],[""],[""],["SU","Doe"]]},{"tag":"PNA","elements":[["PAT"],["77"],[""],[""],[""],["SU","Roe"],["FO","Eva"]]},{"tag":"DTM","elements":[["329","19700131","102"]]}]}"#,
            r#"[["UNH","1",["MEDRPT","0","1"]],["PNA","PAT",["77"],"","","",["SU","Roe"],["FO","Eva"]],["DTM",["329","19700131","102"]],["PDI","2"]]"#,
            r#"[["PNA","PAT","77:::","","","","SU:Roe","FO:Eva"],["DTM","329:19700131:102"]]"#,
            r#"["UNH+1+MEDRPT:0:1'","PNA+PAT+77:::+++SU:Roe+FO:Eva'","DTM+329:19700131:102'"]"#,
            r#"{"PNA":["PAT",["77"],"","","",["SU","Roe"],["FO","Eva"]],"DTM":[["329","19700131","102"]]}"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && FIELDS.iter().all(|f| got[0].contains(f)), "{text}: {got:?}");
            for end in 0..text.len() {
                records("application/json", &text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn doctors_and_descriptions_are_no_patients() {
        for text in [
            r#"[["UNH","1",["MEDRPT","0","1"]],["PNA","DR",["9"],"","","",["SU","Doe"],["FO","Max"]],["DTM",["329","19700131","102"]]]"#,
            r#"{"PNA":{"name":"Party identification","elements":[{"id":"3035","name":"Party qualifier","codes":["PAT","DR"]}]}}"#,
        ] {
            assert_eq!(records("application/json", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
