use crate::content::testing::{records, records_of};
use crate::content::{Extent, Format as _, Media};
use proptest::prelude::*;

const RESULT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<OBS.R01>
  <HDR><HDR.control_id V="10007"/><HDR.version_id V="POCT1"/></HDR>
  <SVC><SVC.role_cd V="OBS"/>
    <PT>
      <PT.patient_id V="MRN-77"/><PT.location V="ICU"/>
      <PT.name V="Roe^Eva"><GIV V="Eva"/><FAM V="Roe"/></PT.name>
      <PT.birth_date V="1971-05-06"/><PT.gender_cd V="F"/>
      <OBS><OBS.observation_id V="2339-0" SN="LN" DN="Glucose"/><OBS.value V="97" U="mg/dL"/></OBS>
    </PT>
    <OPR><OPR.operator_id V="nurse7"/><OPR.name V="Nightingale^F"/></OPR>
  </SVC>
</OBS.R01>"#;

#[test]
fn results_of_devices_name_the_patient() {
    let eva = "patient_id=MRN-77 name=Roe^Eva birth_date=1971-05-06 sex=F [Result] name=Roe^Eva";
    let got = records("application/xml", RESULT.as_bytes());
    assert_eq!(got, [format!("http>poct1a:poct1a {eva}")]);
    assert_eq!(records("", RESULT.as_bytes()), got, "recognised without being declared");
    // In a stream, without a declaration; a list of patients; values as text.
    let stream = [
        "<HEL.R01><HDR><HDR.control_id V=\"1\"/></HDR><DEV><DEV.device_id V=\"MAC-1\"/></DEV></HEL.R01>\n",
        RESULT,
        "<PTL.R01><HDR/><PT><PT.patient_id>7</PT.patient_id><PT.name><FAM>A</FAM></PT.name></PT>\
         <PT><PT.patient_id V='8'/></PT></PTL.R01><EOT.R01><EOT><EOT.topic_cd V='PTL'/></EOT></EOT.R01>",
    ]
    .concat();
    let got = records("application/xml", stream.as_bytes());
    let (seven, eight) = ("patient_id=7 name=A", "patient_id=8");
    let expected = [eva, seven, eight].map(|r| format!("http>poct1a:poct1a {r}"));
    assert_eq!(got, expected);
}

#[test]
fn messages_about_operators_and_controls_have_no_patient() {
    for text in [
        "<ACK.R01><HDR><HDR.control_id V=\"7\"/></HDR><ACK><ACK.type_cd V=\"AA\"/></ACK></ACK.R01>",
        "<OPL.R01><HDR/><OPR><OPR.operator_id V=\"nurse7\"/><OPR.name V=\"Nightingale^F\"/></OPR></OPL.R01>",
        "<OBS.R02><SVC><CTC><CTC.name V=\"Control high\"/><CTC.lot_number V=\"77\"/></CTC></SVC></OBS.R02>",
    ] {
        assert_eq!(records("application/xml", text.as_bytes()), Vec::<String>::new(), "{text}");
    }
}

/// A message of SCRIPT 2017071.
const NEW_RX: &str = r#"<?xml version="1.0"?><Message DatatypesVersion="20170715" TransportVersion="20170715"
 TransactionDomain="SCRIPT" TransactionVersion="20170715"><Header><To Qualifier="P">7701630</To></Header>
 <Body><NewRx><BenefitsCoordination><CardholderID>W100200300</CardholderID></BenefitsCoordination>
 <Patient><HumanPatient><Identification><SocialSecurity>536904399</SocialSecurity></Identification>
 <Name><LastName>Roe</LastName><FirstName>Eva</FirstName><Suffix>Jr</Suffix></Name><Gender>F</Gender>
 <DateOfBirth><Date>1971-05-06</Date></DateOfBirth><Address><AddressLine1>1 Main St</AddressLine1>
 <City>Salem</City><StateProvince>OR</StateProvince><PostalCode>97301</PostalCode></Address>
 <CommunicationNumbers><PrimaryTelephone><Number>5035550101</Number></PrimaryTelephone>
 <ElectronicMail>eva@example.org</ElectronicMail></CommunicationNumbers></HumanPatient></Patient>
 <Pharmacy><BusinessName>Corner</BusinessName></Pharmacy>
 <Prescriber><NonVeterinarian><Name><LastName>House</LastName><FirstName>G</FirstName></Name></NonVeterinarian></Prescriber>
 <MedicationPrescribed><DrugDescription>X</DrugDescription><Diagnosis/></MedicationPrescribed></NewRx></Body></Message>"#;

#[test]
fn a_prescription_names_the_patient_and_the_medication() {
    let fields = "insurance_number=W100200300 ssn=536904399 sex=F birth_date=1971-05-06 phone=5035550101 \
        email=eva@example.org [Medication] [Diagnosis] name=Roe^Eva^^Jr address=1 Main St^^Salem^OR^97301";
    assert_eq!(
        records("application/xml", NEW_RX.as_bytes()),
        [format!("http>script:script {fields}")]
    );
    // In SOAP.
    let message = NEW_RX.split_once("?>").expect("declaration").1;
    let soap = format!("<s:Envelope xmlns:s=\"x\"><s:Body><m>{message}</m></s:Body></s:Envelope>");
    assert_eq!(records("text/xml", soap.as_bytes()), [format!("http>xml:script {fields}")]);
    // Version 10.6, with prefixes.
    let old = "<x:Message xmlns:x='http://www.ncpdp.org/schema/SCRIPT' version='010' release='006'><x:Body>\
        <x:RefillRequest><x:Patient><x:Name><x:LastName>Roe</x:LastName><x:FirstName>Eva</x:FirstName></x:Name>\
        <x:DateOfBirth><x:Date>19710506</x:Date></x:DateOfBirth><x:CommunicationNumbers><x:Communication>\
        <x:Number>5035550101</x:Number><x:Qualifier>TE</x:Qualifier></x:Communication></x:CommunicationNumbers>\
        </x:Patient></x:RefillRequest></x:Body></x:Message>";
    assert_eq!(
        records("application/xml", old.as_bytes()),
        ["http>script:script birth_date=19710506 phone=5035550101 name=Roe^Eva"]
    );
    let status = "<Message TransactionDomain=\"SCRIPT\"><Header/><Body><Status><Code>010</Code></Status></Body></Message>";
    assert!(records("application/xml", status.as_bytes()).is_empty());
}

#[test]
fn a_message_cut_off_anywhere_stops_nothing() {
    for text in [RESULT, NEW_RX] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            records_of(Media::Unknown, &[], &text.as_bytes()[..end], 64);
        }
    }
    // An end tag is missing, and there are too many levels.
    let got = records("", b"<OBS.R01><PT><PT.patient_id V='7'><PT.name V='A B'/></PT></OBS.R01>");
    assert_eq!(got, ["http>poct1a:poct1a patient_id=7"]);
    let deep = format!("<OBS.R01><PT><PT.patient_id V='7'/>{}", "<a>".repeat(9000));
    assert_eq!(records("", deep.as_bytes()), ["http>poct1a:poct1a patient_id=7"]);
    assert!(!super::POCT1A.probe(&Media::Unknown, b"<OBS.R01", Extent::Whole));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..600, size in 1usize..50) {
        let mut text = RESULT.as_bytes().to_vec();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        records_of(Media::Unknown, &[], &text, size);
    }
}

#[test]
fn names_in_several_scripts_are_names_of_one_person() {
    let name = |code: &str, family: &str, given: &str| {
        format!(
            "<mmlNm:Name mmlNm:repCode=\"{code}\"><mmlNm:family>{family}</mmlNm:family><mmlNm:given>{given}</mmlNm:given></mmlNm:Name>"
        )
    };
    let id = "<mmlCm:Id mmlCm:type=\"facility\">00770</mmlCm:Id>";
    let mml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Mml version=\"3.0\" xmlns:mmlPi=\"http://www.medxml.net/MML/ContentModule/PatientInfo/1.0\">\
         <MmlHeader><mmlCi:CreatorInfo><mmlPsi:PersonalizedInfo><mmlCm:Id>D7</mmlCm:Id><mmlPsi:personName>{doctor}</mmlPsi:personName></mmlPsi:PersonalizedInfo></mmlCi:CreatorInfo><masterId>{id}</masterId></MmlHeader>\
         <MmlBody><MmlModuleItem><docInfo contentModuleType=\"patientInfo\"/><content><mmlPi:PatientModule><mmlPi:uniqueInfo><mmlPi:masterId>{id}</mmlPi:masterId></mmlPi:uniqueInfo>\
         <mmlPi:personName>{kanji}{kana}</mmlPi:personName><mmlPi:birthday>1962-08-06</mmlPi:birthday><mmlPi:sex>male</mmlPi:sex></mmlPi:PatientModule></content></MmlModuleItem></MmlBody></Mml>",
        doctor = name("I", "山本", "一郎"),
        kanji = name("I", "渡邉", "宗一郎"),
        kana = name("P", "わたなべ", "そういちろう"),
    );
    let names = "name=渡邉^宗一郎 name=わたなべ^そういちろう";
    assert_eq!(
        records("application/xml", mml.as_bytes()),
        [
            "http>xml:mml patient_id=00770".to_owned(),
            format!("http>xml:mml patient_id=00770 birth_date=1962-08-06 sex=male {names}"),
        ]
    );
}

#[test]
fn registries_name_their_patients() {
    for (text, fields) in [
        (
            "<NaaccrData xmlns=\"http://naaccr.org/naaccrxml\"><Item naaccrId=\"registryId\">1</Item><Patient>\
             <Item naaccrId=\"nameLast\">ROE</Item><Item naaccrId=\"nameFirst\">JANE</Item>\
             <Item naaccrId=\"dateOfBirth\">19700131</Item><Tumor/></Patient></NaaccrData>",
            "http>xml:naaccr birth_date=19700131 [Diagnosis] name=ROE^JANE",
        ),
        (
            "<levelone xmlns=\"urn::hl7-org/cda\"><clinical_document_header><provider><person><person_name><nm>\
             <GIV V=\"Otto\"/><FAM V=\"Low\"/></nm></person_name></person></provider><patient><person>\
             <id EX=\"H-77\" RT=\"1\"/><person_name><nm><GIV V=\"Jane\"/><FAM V=\"Roe\"/></nm></person_name></person>\
             <birth_dttm V=\"1970-01-31\"/></patient></clinical_document_header></levelone>",
            "http>xml:edmp patient_id=H-77 birth_date=1970-01-31 name=Roe^Jane",
        ),
    ] {
        let text = format!("<?xml version=\"1.0\"?>{text}");
        assert_eq!(records("application/xml", text.as_bytes()), [fields]);
    }
}
