mod envelope;

use super::Xml;
use crate::content::testing::records;
use crate::content::{Extent, Format as _, Media};

fn xml(text: &str) -> Vec<String> {
    records("application/xml; charset=utf-8", text.as_bytes())
}

#[test]
fn a_fhir_resource_in_xml_is_a_record() {
    let patient = r#"<Patient xmlns="http://hl7.org/fhir"><!-- a > b --><id value="x"/><identifier><type><coding>
        <code value="MR"/></coding></type><system value="urn:oid:1.2"/><value value="H-17"/></identifier>
        <name><use value="official"/><family value="K&#246;nig"/><given value="John"/></name>
        <telecom><system value="phone"/><value value="555 0177"/></telecom><gender value="male"/>
        <birthDate value="1992-04-28"/><address><line value="7 Crest"/><city value="G"/></address></Patient>"#;
    let fields = "http>xml:fhir [PatientContext] patient_id=H-17 name=König^John phone=555 0177 sex=male \
        birth_date=1992-04-28 address=7 Crest, G";
    assert_eq!(xml(patient), [fields]);
    let bundle = format!(
        "<?xml version='1.0'?>\n<Bundle xmlns=\"http://hl7.org/fhir\"><entry><resource>{patient}</resource></entry>\
        <entry><resource><Practitioner><name><family value=\"No\"/></name><birthDate value=\"1950-01-01\"/>\
        </Practitioner></resource></entry></Bundle>"
    );
    assert_eq!(xml(&bundle), [fields]);
}

#[test]
fn attribute_text_and_child_are_three_things() {
    // Extensions of a primitive are not its value.
    let extended = r#"<Patient xmlns="http://hl7.org/fhir"><identifier><value value="H-17"/></identifier><name>
        <family value="Roe"><extension url="x"><valueString value="of Roe"/></extension></family><given value="Eva"/></name>
        <birthDate value="1971-05-06"><extension url="y"><valueDateTime value="1971-05-06T03:00:00Z"/></extension></birthDate>
        </Patient>"#;
    let fields =
        "http>xml:fhir [PatientContext] patient_id=H-17 name=Roe^Eva birth_date=1971-05-06";
    assert_eq!(xml(extended), [fields]);
    // An attribute gives the kind of the text.
    for attribute in ["type", "S", "system", "kind", "source"] {
        let patient = format!(
            "<patient><id {attribute}='LOCAL'>H-17</id><firstname>Eva</firstname><lastname>Roe</lastname></patient>"
        );
        let got = xml(&patient);
        assert_eq!(got.len(), 1, "{attribute}");
        assert!(got[0].contains("patient_id=H-17") && !got[0].contains("LOCAL"), "{got:?}");
    }
}

#[test]
fn the_record_target_of_a_clinical_document_is_a_record() {
    let got = xml(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><title>CCD</title><recordTarget><patientRole>
        <id root="2.16.840.1.113883.19.5" extension="H071"/><id root="2.16.840.1.113883.4.1" extension="446-48-5624"/>
        <addr use="HP"><streetAddressLine>598 Ville</streetAddressLine><city>S</city></addr><telecom value="tel:(366) 555-0133"/>
        <telecom use="HP" value="mailto:a@b.org"/>
        <patient><name use="L"><given>Sean</given><family>Price</family></name><administrativeGenderCode code="M"/>
        <birthTime value="19621004"/></patient></patientRole></recordTarget>
        <author><assignedAuthor><id root="1" extension="2"/><assignedPerson><name><family>No</family></name></assignedPerson>
        </assignedAuthor></author></ClinicalDocument>"#,
    );
    assert_eq!(
        got,
        [
            "http>xml:ccda patient_id=H071 ssn=446-48-5624 address=598 Ville, S phone=(366) 555-0133 \
         email=a@b.org name=Price^Sean sex=M birth_date=19621004",
        ]
    );
}

#[test]
fn sections_of_a_cda_document() {
    let document = |sections: &str| {
        let got = xml(&format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'><code code='34133-9'/><recordTarget><patientRole><id root='1' extension='7'/>\
             </patientRole></recordTarget><component><structuredBody>{sections}</structuredBody></component></ClinicalDocument>"
        ));
        got.join(" | ")
    };
    let section = |code: &str, inside: &str| {
        format!(
            "<component><section{inside}><templateId root='2.16.840'/><code code='{code}' codeSystem='2.16.840.1.113883.6.1'/>\
             <title>x</title><text>free</text><entry><act><code code='48765-2'/></act></entry></section></component>"
        )
    };
    for (code, mark) in [
        ("11450-4", " [Diagnosis]"),
        ("30954-2", " [Result]"),
        ("10160-0", " [Medication]"),
        ("48765-2", " [Allergy]"),
        ("47519-4", " [Procedure]"),
        // Plan of treatment.
        ("18776-5", ""),
    ] {
        let expected = format!("http>xml:ccda{mark} patient_id=7");
        assert_eq!(document(&section(code, "")), expected, "{code}");
        assert_eq!(document(&section(code, " nullFlavor='NI'")), "http>xml:ccda patient_id=7");
    }
    let all = ["11450-4", "30954-2", "10160-0", "48765-2", "47519-4"];
    let all: String = all.iter().map(|code| section(code, "")).collect();
    let marks = "[Diagnosis] [Result] [Medication] [Allergy] [Procedure]";
    assert_eq!(document(&all), format!("http>xml:ccda {marks} patient_id=7"));
}

#[test]
fn a_native_dicom_model_is_a_record() {
    let got = xml(
        r#"<?xml version="1.0"?><NativeDicomModel><DicomAttribute tag="00100010" vr="PN"><PersonName number="1">
        <Alphabetic><FamilyName>Doe</FamilyName><GivenName>Jane</GivenName></Alphabetic></PersonName></DicomAttribute>
        <DicomAttribute tag="00100020" vr="LO"><Value number="1">H-1</Value></DicomAttribute></NativeDicomModel>"#,
    );
    assert_eq!(got, ["http>xml:dicom name=Doe^Jane patient_id=H-1"]);
}

#[test]
fn elements_in_an_element_need_no_declaration() {
    let patient = "<patient id=\"1\"><mrn>H7704</mrn><lastName>Roe</lastName><firstName>Jane</firstName>\
        <birthDate>1970-01-31</birthDate></patient>";
    for text in [patient.to_owned(), format!("<patients>\n  {patient}\n</patients>")] {
        let got = records("", text.as_bytes());
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(got[0].starts_with("http>xml:") && got[0].contains("patient_id=H7704"), "{got:?}");
    }
    let xml = |text: &str| Xml.probe(&Media::Unknown, text.as_bytes(), Extent::Whole);
    for text in [
        "<div><p>",
        "<tr>\n<td>",
        "<patient>Roe",
        "<patient/><a1>",
        "<a b><c1>",
        "<patient",
        "< a1><b1>",
        "a < b",
        "<name> <",
        "<custom-tag><div>",
        "<1a><b1>",
    ] {
        assert!(!xml(text), "{text}");
    }
}

#[test]
fn xml_without_a_schema_is_read_by_its_names() {
    let got = xml("<export><patients><patient><name>A B</name><dob>1970-01-01</dob></patient>\
        <patient><name>C D</name><mrn>7</mrn></patient></patients></export>");
    assert_eq!(got.len(), 2);
    assert!(got.iter().any(|l| l.ends_with("name=A B birth_date=1970-01-01")), "{got:?}");
    assert!(got.iter().any(|l| l.ends_with("name=C D patient_id=7")), "{got:?}");
    assert_eq!(
        xml("<row mrn='7' last_name='A&amp;B' dob='1970-01-01'/>"),
        ["http>xml:~xml [PatientContext] patient_id=7 name=A&B birth_date=1970-01-01",]
    );
    assert!(xml("<order><name>Lamp</name><sku>1</sku><phone>5551234</phone></order>").is_empty());
    assert!(xml(&"<a>".repeat(1000)).is_empty());
}

#[test]
fn types_of_xml_schema_make_no_object_of_a_text() {
    let typed = r#"<SendEvent xmlns="urn:clinic" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Patient xsi:type="s:Patient">
        <Surname xsi:type="s:String">Roe</Surname><GivenName xsi:type="s:String">Jane</GivenName>
        <DateOfBirth xsi:type="s:Date">1970-01-31</DateOfBirth><Address xsi:nil="true"/></Patient></SendEvent>"#;
    assert_eq!(xml(typed), ["http>xml:~xml [PatientContext] name=Roe^Jane birth_date=1970-01-31"]);
}

#[test]
fn a_name_of_cda_may_be_text() {
    let document = r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><id root="1.2" extension="H-77"/>
        <patient><name use="L">Jane Roe</name><birthTime value="19700131"/></patient></patientRole></recordTarget>
        </ClinicalDocument>"#;
    assert_eq!(xml(document), ["http>xml:ccda patient_id=H-77 name=Jane Roe birth_date=19700131"]);
}

#[test]
fn base64_of_an_element_is_a_document() {
    use base64::Engine as _;
    let inner = "<Record><PatientId>H-77</PatientId><PatientName>Jane Roe</PatientName><DOB>1970-01-31</DOB></Record>";
    let outer = format!(
        "<Files><File><Kind>XML1</Kind><Content64>{}</Content64></File></Files>",
        base64::engine::general_purpose::STANDARD.encode(inner)
    );
    let read = xml(&outer);
    assert!(read.len() == 1 && read[0].contains("name=Jane Roe birth_date=1970-01-31"), "{read:?}");
}
