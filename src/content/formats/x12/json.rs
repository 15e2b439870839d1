//! X12 in JSON, as libraries convert it.

use super::{Loops, Segment};
use crate::content::formats::json::is_plain_json;
use crate::content::formats::segment_lists::{SegmentLists, SegmentReader};
use crate::content::{Document, Extent, Format, Media, Scope};
use memchr::memmem;
use zeroize::Zeroizing;

/// The format.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "x12"
    }

    fn first(&self) -> &'static [u8] {
        b"{["
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        if !is_plain_json(media, head) {
            return false;
        }
        let has = |mark: &[u8]| memmem::find(head, mark).is_some();
        // The name of a person or an organisation, and who it is.
        let person = || [&b"\"IL\""[..], b"\"QC\"", b"\"DMG\""].iter().any(|mark| has(mark));
        has(b"\"NM101\"") || has(b"\"NM1*") || has(b"\"NM1\"") && person()
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<SegmentLists<Loops>>::default()
    }
}

impl SegmentReader for Loops {
    const ELEMENT: char = '*';
    const TERMINATOR: char = '~';

    fn composite(components: &[Zeroizing<String>]) -> Zeroizing<String> {
        let parts: Vec<&str> = components.iter().map(|part| part.as_str()).collect();
        Zeroizing::new(parts.join(":"))
    }

    fn element(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    fn segment(&mut self, parts: &[&str], scope: &mut Scope<'_>) {
        self.segment(&Segment(parts), scope);
    }

    fn end(&mut self, scope: &mut Scope<'_>) {
        self.settle(scope);
        self.start(false, scope);
    }

    fn memory(&self) -> usize {
        self.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: &str = "name=ROE^EVA insurance_number=H77 birth_date=19700131 sex=F";

    #[test]
    fn segments_of_libraries() {
        for text in [
            r#"{"segments":[{"name":"ST","elements":["271","0001"]},{"name":"NM1","elements":["PR","2","ABC"]},{"name":"NM1","elements":["IL","1","ROE","EVA","","","","MI","H77"]},{"name":"DMG","elements":["D8","19700131","F"]}]}"#,
            r#"[["ST","271"],["NM1","IL","1","ROE","EVA","",null,"","MI","H77"],["DMG","D8","19700131","F"]]"#,
            r#"{"loops":[{"NM1":["IL","1","ROE","EVA","","","","MI","H77"],"DMG":["D8","19700131","F"]}]}"#,
            r#"{"subscriber":{"NM1":{"NM101":"IL","NM102":"1","NM103":"ROE","NM104":"EVA","NM108":"MI","NM109":"H77"},"DMG":{"DMG01":"D8","DMG02":"19700131","DMG03":"F"}},"provider":{"NM1":{"NM101":"1P","NM102":"1","NM103":"DOE"}}}"#,
            r#"{"Lines":[{"Code":"NM101","Value":"IL"},{"Code":"NM102","Value":"1"},{"Code":"NM103","Value":"ROE"},{"Code":"NM104","Value":"EVA"},{"Code":"NM108","Value":"MI"},{"Code":"NM109","Value":"H77","Line":1},{"Code":"DMG01","Value":"D8"},{"Code":"DMG02","Value":"19700131"},{"Code":"DMG03","Value":"F"}]}"#,
            r#"{"segments":["ST*271*0001","NM1*IL*1*ROE*EVA****MI*H77","DMG*D8*19700131*F~"]}"#,
            r#"[{"elements":["IL","1","ROE","EVA","","","","MI","H77"],"id":"NM1"},{"elements":["D8","19700131","F"],"id":"DMG"}]"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
            for end in 0..text.len() {
                records("application/json", &text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn providers_and_descriptions_are_no_patients() {
        for text in [
            r#"[["NM1","85","1","DOE","MAX"],["DMG","D8","19700131","F"]]"#,
            r#"{"NM1":{"name":"Individual or organizational name","elements":[{"id":"NM101","name":"Entity"},{"id":"NM103","name":"Last name"}]},"x":"IL"}"#,
        ] {
            assert_eq!(records("application/json", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
