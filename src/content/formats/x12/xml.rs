//! X12 in XML, as libraries convert it: `<NM1><NM101>IL</NM101></NM1>`, `<segment Id="NM1"><element Id="NM101">`,
//! `<seg id="NM1"><ele id="NM101">`, `<NM1 NM101="IL"/>`. Each segment is read like one of an interchange.

use super::{Loops, MAX_ELEMENTS, MAX_SEGMENT, Segment};
use crate::content::formats::markup::{Attributes, Markup, Receiver};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest name of a segment.
const MAX_NAME: usize = 3;

/// The format.
pub struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "x12"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        const MARKS: [&[u8]; 6] =
            [b"<ISA01>", b"<NM101>", b" NM101=", b"\"ANSI X.12\"", b"<x12simple", b"\"ISA01\""];
        let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        matches!(media, Media::Type { .. } | Media::Unknown)
            && head.starts_with(b"<")
            && MARKS.iter().any(|mark| memmem::find(head, mark).is_some())
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(XmlDocument { markup: Markup::in_pieces(), segments: Segments::default() })
    }
}

struct XmlDocument {
    markup: Markup,
    segments: Segments,
}

/// The segment at hand.
#[derive(Default)]
struct Segments {
    loops: Loops,
    name: String,
    /// Elements by number; 0 is unused.
    elements: Vec<Zeroizing<String>>,
    bytes: usize,
    cut: bool,
    /// The element that is open, and the number of XML elements open within it.
    open: Option<(usize, usize)>,
}

struct Reader<'a, 'b> {
    segments: &'a mut Segments,
    scope: &'a mut Scope<'b>,
}

/// The number of an element of a segment: 1 of `NM101` in `NM1`.
fn number(of: &str, name: &str) -> Option<usize> {
    let digits = name.strip_prefix(of).filter(|rest| !of.is_empty() && rest.len() == 2)?;
    digits.parse().ok().filter(|number| (1..=MAX_ELEMENTS).contains(number))
}

fn is_segment(name: &str) -> bool {
    let mut bytes = name.bytes();
    (2..=MAX_NAME).contains(&name.len())
        && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

impl Segments {
    /// Text of an element.
    fn add(&mut self, number: usize, text: &str) {
        if self.bytes + text.len() > MAX_SEGMENT {
            self.cut = true;
            return;
        }
        if self.elements.len() <= number {
            self.elements.resize(number + 1, Zeroizing::default());
        }
        if let Some(element) = self.elements.get_mut(number) {
            element.push_str(text);
            self.bytes += text.len();
        }
    }

    /// The segment is complete.
    fn flush(&mut self, scope: &mut Scope<'_>) {
        self.open = None;
        if self.name.is_empty() {
            return;
        }
        let name = std::mem::take(&mut self.name);
        let elements = std::mem::take(&mut self.elements);
        let behind = elements.iter().skip(1).map(|element| element.trim());
        let parts: Vec<&str> = std::iter::once(name.as_str()).chain(behind).collect();
        self.loops.segment(&Segment(&parts), scope);
        self.bytes = 0;
        if std::mem::take(&mut self.cut) {
            scope.give_up(Reason::Limit);
        }
    }
}

impl Receiver for Reader<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let s = &mut *self.segments;
        if let Some((_, inside)) = &mut s.open {
            *inside += usize::from(!closed);
            return;
        }
        let named = ["segment", "seg", "element", "ele"].contains(&name);
        let id = if named { attributes.get("id") } else { None };
        let id = id.as_deref().unwrap_or(name);
        if let Some(number) = number(&s.name, id) {
            s.open = (!closed).then_some((number, 0));
        } else if is_segment(id) {
            s.flush(self.scope);
            id.clone_into(&mut s.name);
            for (attribute, value) in attributes.iter().take(MAX_ELEMENTS) {
                if let Some(number) = number(&s.name, attribute) {
                    s.add(number, &value);
                }
            }
        }
    }

    fn end(&mut self, _name: &str) {
        match &mut self.segments.open {
            Some((_, 0)) => self.segments.open = None,
            Some((_, inside)) => *inside -= 1,
            None => {}
        }
    }

    fn text(&mut self, text: &str) {
        let s = &mut *self.segments;
        let Some((number, _)) = s.open else { return };
        s.add(number, text);
    }
}

impl Document for XmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.markup.read(bytes, &mut Reader { segments: &mut self.segments, scope });
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.markup.finish(&mut Reader { segments: &mut self.segments, scope });
        self.segments.flush(scope);
        self.segments.loops.settle(scope);
        self.segments.loops.start(false, scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory() + self.segments.bytes + self.segments.loops.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn segments_of_three_libraries() {
        let fields = "name=ROE^EVA insurance_number=H77 birth_date=19700131 sex=F";
        for text in [
            "<Interchange><ISA><ISA01>00</ISA01></ISA><Transaction><NM1><NM101>85<!--Provider--></NM101><NM102>1</NM102><NM103>DOE</NM103></NM1><HierarchicalLoop><HL><HL01>2</HL01><HL03>22</HL03><HL04>0</HL04></HL><Loop><NM1><NM101>IL<!--Insured--></NM101><NM102>1</NM102><NM103>ROE</NM103><NM104>EVA</NM104><NM108>MI</NM108><NM109>H77</NM109></NM1><DMG><DMG01>D8</DMG01><DMG02>19700131</DMG02><DMG03>F</DMG03></DMG></Loop></HierarchicalLoop></Transaction></Interchange>",
            "<ediroot><interchange Standard=\"ANSI X.12\"><loop Id=\"2010BA\"><segment Id=\"HL\"><element Id=\"HL03\">22</element><element Id=\"HL04\">0</element></segment><segment Id=\"NM1\"><element Id=\"NM101\">IL</element><element Id=\"NM102\">1</element><element Id=\"NM103\">ROE</element><element Id=\"NM104\">EVA</element><element Id=\"NM108\">MI</element><element Id=\"NM109\">H77</element></segment><segment Id=\"DMG\"><element Id=\"DMG01\">D8</element><element Id=\"DMG02\">19700131</element><element Id=\"DMG03\">F</element></segment></loop></interchange></ediroot>",
            "<x12simple><loop id=\"2010BA\"><seg id=\"NM1\"><ele id=\"NM101\">IL</ele><ele id=\"NM102\">1</ele><ele id=\"NM103\">ROE</ele><ele id=\"NM104\">EVA</ele><ele id=\"NM108\">MI</ele><ele id=\"NM109\">H77</ele></seg><seg id=\"DMG\"><ele id=\"DMG01\">D8</ele><ele id=\"DMG02\">19700131</ele><ele id=\"DMG03\">F</ele></seg></loop></x12simple>",
        ] {
            let got = records("application/xml", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
            for end in 0..text.len() {
                records("application/xml", &text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn elements_in_attributes() {
        let text = r#"<x><ST ST01="271"/><NM1 NM101="1P" NM102="1" NM103="DOE"/><NM1 NM101="IL" NM102="1" NM103="ROE" NM104="EVA" NM108="MI" NM109="H77"/><DMG DMG01="D8" DMG02="19700131" DMG03="F"/></x>"#;
        let got = records("application/xml", text.as_bytes());
        let fields = "name=ROE^EVA insurance_number=H77 birth_date=19700131 sex=F";
        assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
    }

    #[test]
    fn providers_are_no_patients() {
        let text = "<Interchange><ISA><ISA01>00</ISA01></ISA><NM1><NM101>85</NM101><NM102>1</NM102><NM103>DOE</NM103><NM104>MAX</NM104></NM1></Interchange>";
        assert_eq!(records("application/xml", text.as_bytes()), [""; 0]);
    }
}
