//! Messages inside XML: in SOAP, as text or in base64, and the metadata of documents.

use super::super::Xml;
use crate::content::testing::{records, records_of};
use crate::content::{Extent, Format as _, Media};
use base64::Engine as _;
use proptest::prelude::*;

const CLAIM: &str = "ISA*00*          *00*          *ZZ*S              *ZZ*R              *250301*1200*^*00501*000000001*0*P*:~\
    GS*HS*S*R*20250301*1200*1*X*005010X279A1~ST*270*1~HL*3*2*22*0~NM1*IL*1*ROE*EVA****MI*W100200300~DMG*D8*19710506*F~SE*4*1~\
    GE*1*1~IEA*1*000000001~";
const EVA: &str = "xml>x12:x12 name=ROE^EVA insurance_number=W100200300 birth_date=19710506 sex=F";

fn soap(body: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Body>{body}</soap:Body></soap:Envelope>"
    )
}

fn xml(text: &str) -> Vec<String> {
    let got = records("application/soap+xml", text.as_bytes());
    assert_eq!(records("", text.as_bytes()), got, "recognised without being declared");
    got.into_iter().map(|l| l.trim_start_matches("http>").to_owned()).collect()
}

#[test]
fn interchanges_as_text() {
    let core = |payload: &str| {
        soap(&format!(
            "<c:COREEnvelopeRealTimeRequest xmlns:c=\"x\"><PayloadType>X12_270</PayloadType><SenderID>A</SenderID>\
             <Payload>{payload}</Payload></c:COREEnvelopeRealTimeRequest>"
        ))
    };
    assert_eq!(xml(&core(&format!("<![CDATA[{CLAIM}]]>"))), [EVA]);
    assert_eq!(xml(&core(&format!("\n  {CLAIM}\n"))), [EVA]);
    let encoded = base64::engine::general_purpose::STANDARD.encode(CLAIM);
    assert_eq!(xml(&core(&encoded)), [EVA.replacen("xml>", "xml>base64>", 1)]);
    // Many of them, far longer than any text that is kept.
    assert_eq!(xml(&core(&CLAIM.repeat(30))).len(), 30);
    // HL7 in a web service, with references for its line ends.
    let hl7 = "MSH|^~\\&amp;|A|B|C|D|20260302||ADT^A04|1|P|2.5.1&#13;PID|1||77^^^H^MR||Roe^Eva||19710506|F&#xD;";
    let got = xml(&soap(&format!(
        "<submitSingleMessage><hl7Message>{hl7}</hl7Message></submitSingleMessage>"
    )));
    assert_eq!(got, ["xml>text>hl7v2:hl7v2 patient_id=77 name=Roe^Eva birth_date=19710506 sex=F"]);
    // A document as text.
    let inner = "&lt;ClinicalDocument xmlns=\"urn:hl7-org:v3\"&gt;&lt;recordTarget&gt;&lt;patientRole&gt;&lt;id root=\"1.2\" extension=\"7\"/&gt;\
        &lt;/patientRole&gt;&lt;/recordTarget&gt;&lt;/ClinicalDocument&gt;";
    assert_eq!(xml(&soap(&format!("<return>{inner}</return>"))), ["xml>xml:ccda patient_id=7"]);
}

#[test]
fn ordinary_text_stays_text() {
    let text = "<patients xmlns='x'><patient><data>Jane Roe</data><name>Jane Roe</name><dob>1970-01-01</dob><body>PD</body></patient></patients>";
    let got = xml(text);
    assert_eq!(got, ["xml:~xml [PatientContext] name=Jane Roe birth_date=1970-01-01"]);
    assert!(
        xml(&soap("<message>ISA is a name, and so is MSH</message><content>Portable</content>"))
            .is_empty()
    );
}

#[test]
fn questions_and_answers_of_version_3() {
    let query = soap(
        "<PRPA_IN201305UV02 xmlns='urn:hl7-org:v3' ITSVersion='XML_1.0'><id root='1.2'/><controlActProcess><queryByParameter>\
         <parameterList><livingSubjectAdministrativeGender><value code='F'/></livingSubjectAdministrativeGender>\
         <livingSubjectBirthTime><value value='19710506'/></livingSubjectBirthTime>\
         <livingSubjectId><value root='2.16.840.1.113883.4.1' extension='536904399'/></livingSubjectId>\
         <livingSubjectName><value><given>Eva</given><family>Roe</family></value></livingSubjectName></parameterList>\
         </queryByParameter></controlActProcess></PRPA_IN201305UV02>",
    );
    assert_eq!(
        xml(&query),
        ["xml:hl7v3 [Query] sex=F birth_date=19710506 ssn=536904399 name=Roe^Eva"]
    );
    let merge = soap(
        "<PRPA_IN201304UV02 xmlns='urn:hl7-org:v3'><controlActProcess><subject><registrationEvent><subject1><patient>\
         <id root='1.2.3' extension='77'/><patientPerson><name><family>Roe</family></name></patientPerson></patient></subject1>\
         <replacementOf><priorRegistration><subject1><priorRegisteredRole><id root='1.2.3' extension='78'/></priorRegisteredRole>\
         </subject1></priorRegistration></replacementOf></registrationEvent></subject></controlActProcess></PRPA_IN201304UV02>",
    );
    assert_eq!(xml(&merge), ["xml:hl7v3 patient_id=77 name=Roe patient_id=78"]);
    // Messages of other domains.
    let patient = "<id root='1.2.3' extension='77'/><{p}><name><given>Eva</given><family>Roe</family></name><birthTime value='19710506'/></{p}>";
    let of = |person: &str| patient.replace("{p}", person);
    for (around, role, person) in [
        ("recordTarget", "patient", "patientPerson"),
        ("recordTarget1", "patient1", "patientPerson"),
        ("subject", "patientRole", "patientPatient"),
    ] {
        let text = soap(&format!(
            "<POLB_IN224200UV01 xmlns='urn:hl7-org:v3'><controlActEvent><subject><observationReport><{around}><{role}>{}</{role}></{around}>\
             <author><assignedEntity><assignedPerson><name><family>House</family></name></assignedPerson></assignedEntity></author>\
             </observationReport></subject></controlActEvent></POLB_IN224200UV01>",
            of(person)
        ));
        let got = xml(&text);
        assert_eq!(got.len(), 1, "{around}: {got:?}");
        let patient = "patient_id=77 name=Roe^Eva birth_date=19710506";
        assert!(got[0].starts_with("xml:hl7v3 ") && got[0].ends_with(patient), "{around}: {got:?}");
    }
    // A document about two.
    let target = |id: u32, name: &str| {
        format!(
            "<recordTarget><patientRole><id root='1' extension='{id}'/><patient><name><family>{name}</family></name></patient></patientRole></recordTarget>"
        )
    };
    let two = format!(
        "<ClinicalDocument xmlns='urn:hl7-org:v3'>{}{}</ClinicalDocument>",
        target(77, "Roe"),
        target(78, "Li")
    );
    let got = xml(&two);
    assert_eq!(got.len(), 2, "{got:?}");
    for patient in ["patient_id=77 name=Roe", "patient_id=78 name=Li"] {
        assert!(got.iter().any(|line| line.ends_with(patient)), "{got:?}");
    }
    let accepted = soap(
        "<MCCI_IN000002UV01 xmlns='urn:hl7-org:v3'><acknowledgement><typeCode code='CA'/></acknowledgement></MCCI_IN000002UV01>",
    );
    assert!(xml(&accepted).is_empty());
}

#[test]
fn guardians_and_informants() {
    let got = xml(
        "<ClinicalDocument xmlns='urn:hl7-org:v3' xmlns:sdtc='urn:hl7-org:sdtc'><recordTarget><patientRole><id root='1' extension='7'/>\
         <patient><name><given>Eva</given><family>Roe</family></name><sdtc:deceasedTime value='20260131'/>\
         <guardian><telecom value='tel:5550101'/><guardianPerson><name><given>Ulf</given><family>Roe</family></name></guardianPerson></guardian>\
         </patient></patientRole></recordTarget><author><assignedAuthor><assignedPerson><name><family>House</family></name></assignedPerson>\
         </assignedAuthor></author><informant><relatedEntity classCode='PRS'><relatedPerson><name><family>Roe</family><given>Ida</given></name>\
         </relatedPerson></relatedEntity></informant><informant><assignedEntity><assignedPerson><name><family>House</family></name>\
         </assignedPerson></assignedEntity></informant><component><structuredBody><component><section><text>Dr. House</text></section>\
         </component></structuredBody></component></ClinicalDocument>",
    );
    assert_eq!(
        got,
        ["xml:ccda patient_id=7 name=Roe^Eva death_date=20260131 next_of_kin_phone=5550101 \
          next_of_kin_name=Roe^Ulf next_of_kin_name=Roe^Ida"]
    );
}

/// ITI-41, with the document in base64 rather than as an attachment.
fn provide() -> String {
    let document = "<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'><recordTarget><patientRole><id root='1' extension='77'/>\
        <patient><name><family>Roe</family></name></patient></patientRole></recordTarget></ClinicalDocument>";
    let document = base64::engine::general_purpose::STANDARD.encode(document);
    soap(&format!(
        "<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb='urn:ihe:iti:xds-b:2007'>\
         <lcm:SubmitObjectsRequest xmlns:lcm='urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0' xmlns:rim='urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0'>\
         <rim:RegistryObjectList><rim:ExtrinsicObject id='Document01' mimeType='text/xml'>\
         <rim:Slot name='sourcePatientId'><rim:ValueList><rim:Value>77^^^&amp;1.2.3&amp;ISO</rim:Value></rim:ValueList></rim:Slot>\
         <rim:Slot name='sourcePatientInfo'><rim:ValueList><rim:Value>PID-3|77^^^&amp;1.2.3&amp;ISO</rim:Value>\
         <rim:Value>PID-5|Roe^Eva^^^</rim:Value><rim:Value>PID-7|19710506</rim:Value><rim:Value>PID-8|F</rim:Value>\
         <rim:Value>PID-11|1 Main St^^Salem^OR^97301^USA</rim:Value></rim:ValueList></rim:Slot>\
         <rim:Classification><rim:Slot name='authorPerson'><rim:ValueList><rim:Value>^House^Gregory</rim:Value></rim:ValueList></rim:Slot>\
         </rim:Classification><rim:ExternalIdentifier identificationScheme='urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427' \
         value='SEL9^^^&amp;1.3.6&amp;ISO'><rim:Name/></rim:ExternalIdentifier></rim:ExtrinsicObject></rim:RegistryObjectList>\
         </lcm:SubmitObjectsRequest><xdsb:Document id='Document01'>{document}</xdsb:Document></xdsb:ProvideAndRegisterDocumentSetRequest>"
    ))
}

#[test]
fn documents_with_metadata() {
    let got = xml(&provide());
    assert_eq!(got.len(), 2, "{got:?}");
    let eva = "patient_id=77 patient_id=77 patient_id=SEL9 name=Roe^Eva birth_date=19710506 sex=F address=1 Main St^^Salem^OR^97301";
    assert_eq!(got[0], format!("xml>hl7v2:hl7v2 {eva}"));
    assert_eq!(got[1], "xml>base64>xml:ccda patient_id=77 name=Roe");
    let question = soap(
        "<query:AdhocQueryRequest xmlns:query='urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0'><AdhocQuery \
         xmlns='urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0'><Slot name='$XDSDocumentEntryPatientId'><ValueList><Value>'SEL9^^^&amp;1.3.6&amp;ISO'</Value>\
         </ValueList></Slot><Slot name='$XDSDocumentEntryStatus'><ValueList><Value>('urn:x')</Value></ValueList></Slot></AdhocQuery></query:AdhocQueryRequest>",
    );
    assert_eq!(xml(&question), ["xml>hl7v2:hl7v2 patient_id=SEL9"]);
}

#[test]
fn fhir_needs_no_declaration() {
    let patient = "<Patient xmlns=\"http://hl7.org/fhir\"><identifier><value value=\"77\"/></identifier><name><family value=\"Roe\"/>\
        <given value=\"Eva\"/></name><birthDate value=\"1971-05-06\"/></Patient>";
    // As messages of queues, caches and bare connections come: nothing says what they are.
    let got = records_of(Media::Unknown, &[], patient.as_bytes(), 40);
    assert_eq!(
        got,
        ["http>xml:fhir [PatientContext] patient_id=77 name=Roe^Eva birth_date=1971-05-06"]
    );
    let rows = "{\"resourceType\":\"Patient\",\"id\":\"a\",\"birthDate\":\"1971-05-06\",\"name\":[{\"family\":\"Roe\"}]}\n".repeat(3);
    assert_eq!(records_of(Media::Unknown, &[], rows.as_bytes(), 40).len(), 3);
}

#[test]
fn an_envelope_cut_off_anywhere_stops_nothing() {
    let text = provide();
    for end in (0..text.len()).step_by(3).filter(|end| text.is_char_boundary(*end)) {
        records_of(
            Media::Type { content_type: "text/xml", name: "" },
            &[],
            &text.as_bytes()[..end],
            101,
        );
    }
    assert!(!Xml.probe(&Media::Unknown, b"<a>b</a>", Extent::Whole));
    assert!(!Xml.probe(
        &Media::Unknown,
        b"<html xmlns='http://www.w3.org/1999/xhtml'>",
        Extent::Whole
    ));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..2500, size in 1usize..50) {
        let mut text = provide().into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        records_of(Media::Unknown, &[], &text, size);
    }
}
