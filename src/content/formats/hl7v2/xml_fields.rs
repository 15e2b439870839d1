//! HL7 v2 in XML whose elements or attributes name the fields otherwise than HL7 v2.xml does: `<Field id="PID.5">Roe^Eva
//! </Field>`, `<PID><F5>Roe^Eva</F5></PID>`, `<PatientName><FamilyName>Roe</FamilyName></PatientName>`.

use super::json_fields::{FieldTree, has_names};
use crate::content::formats::json::tokens::Receiver;
use crate::content::formats::markup::Markup;
use crate::content::formats::xml_members::{Members, XmlMembers, is_xml};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use memchr::memmem;

/// Attributes that name a field of PID.
const ATTRIBUTES: [&[u8]; 6] =
    [b"\"PID.3", b"\"PID-3", b"\"PID_3", b"\"PID.5", b"\"PID-5", b"\"PID_5"];
/// Attributes of the element PID.
const OF_PID: [&[u8]; 4] = [b" PID.5=", b" PID-5=", b" PID_5=", b" PID5="];
/// Elements below PID that name a field by its number.
const ELEMENTS: [&[u8]; 6] = [b"<F3>", b"<F5>", b"<f3>", b"<f5>", b"<Field3>", b"<field3>"];
/// Attributes with the number of a field.
const NUMBERS: [&[u8]; 6] = [
    b" no=\"3\"",
    b" number=\"3\"",
    b" index=\"3\"",
    b" num=\"3\"",
    b" position=\"3\"",
    b" seq=\"3\"",
];

/// The format.
pub struct XmlFields;

impl Format for XmlFields {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memmem::find(head, mark).is_some();
        let declared = matches!(media, Media::Type { .. } | Media::Unknown);
        declared
            && is_xml(head)
            && (has(b"=\"PID") && ATTRIBUTES.iter().any(|mark| has(mark))
                || has(b"<PID ") && OF_PID.iter().any(|mark| has(mark))
                || has(b"<PID>") && ELEMENTS.iter().any(|mark| has(mark))
                || has(b"=\"PID\"") && NUMBERS.iter().any(|mark| has(mark))
                || has_names(head))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<XmlDocument>::default()
    }
}

#[derive(Default)]
struct XmlDocument {
    markup: Markup,
    members: Members,
    fields: FieldTree,
}

struct FieldsOf<'a, 'b> {
    fields: &'a mut FieldTree,
    scope: &'a mut Scope<'b>,
}

impl Receiver for FieldsOf<'_, '_> {
    fn open(&mut self, object: bool) {
        self.fields.open(object);
    }
    fn close(&mut self) {
        self.fields.close(self.scope);
    }
    fn key(&mut self, key: &str) {
        self.fields.key(key);
    }
    fn wants(&mut self) -> bool {
        true
    }
    fn value(&mut self, text: &str) {
        self.fields.value(text, self.scope);
    }
}

impl Document for XmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut to = FieldsOf { fields: &mut self.fields, scope };
        self.markup.read(bytes, &mut XmlMembers { members: &mut self.members, to: &mut to });
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let mut to = FieldsOf { fields: &mut self.fields, scope };
        self.markup.finish(&mut XmlMembers { members: &mut self.members, to: &mut to });
        self.members.finish(&mut to);
        self.fields.finish(scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory() + self.members.memory() + self.fields.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";

    #[test]
    fn fields_in_elements_and_attributes() {
        for text in [
            r#"<Message><Segment name="PID"><Field id="PID.3">H-77</Field><Field id="PID.5">Roe^Jane</Field><Field id="PID.7">19700131</Field><Field id="PID.8">F</Field></Segment><Segment name="PV1"><Field id="PV1.7">9^Doe</Field></Segment></Message>"#,
            r#"<m><f name="PID-3.1" value="H-77"/><f name="PID-5.1" value="Roe"/><f name="PID-5.2" value="Jane"/><f name="PID-7" value="19700131"/><f name="PID-8" value="F"/></m>"#,
            r#"<m><PID PID.3="H-77" PID.5="Roe^Jane" PID.7="19700131" PID.8="F"/></m>"#,
            r#"<msg><segment name="PID"><field no="3">H-77</field><field no="5"><component no="1">Roe</component><component no="2">Jane</component></field><field no="7">19700131</field><field no="8">F</field></segment><segment name="NK1"><field no="2">Doe^Ann</field></segment></msg>"#,
            "<HL7><PID><F3>H-77</F3><F5>Roe^Jane</F5><F7>19700131</F7><F8>F</F8></PID><NK1><F2>Doe^Ann</F2></NK1></HL7>",
            "<ADT><PID><PatientIdentifierList><IDNumber>H-77</IDNumber></PatientIdentifierList><PatientName><FamilyName>Roe</FamilyName><GivenName>Jane</GivenName></PatientName><DateTimeOfBirth>19700131</DateTimeOfBirth><AdministrativeSex>F</AdministrativeSex></PID></ADT>",
        ] {
            let got = records("application/xml", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
            for end in 0..text.len() {
                records("application/xml", &text.as_bytes()[..end]);
            }
        }
        let described = r#"<m><Field id="PID.3">Patient Identifier List</Field><Field id="PID.5">Patient Name</Field></m>"#;
        assert_eq!(records("application/xml", described.as_bytes()), [""; 0]);
    }
}
