//! DICOMweb (PS3.18): data sets as JSON, as XML, in multipart bodies, and asked for in targets.

use super::{Build, DEFLATED, EXPLICIT, Syntax};
use crate::content::Media;
use crate::content::testing::{records, records_of};

fn json(text: &str) -> Vec<String> {
    records("application/dicom+json", text.as_bytes())
}

fn xml(attributes: &str) -> Vec<String> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><NativeDicomModel xml:space=\"preserve\">{attributes}\
         </NativeDicomModel>"
    );
    records("application/dicom+xml", text.as_bytes())
}

#[test]
fn answers_to_qido_rs_each_a_patient() {
    let got = json(
        r#"[{"00080005":{"vr":"CS","Value":["ISO_IR 144"]},"00080050":{"vr":"SH","Value":["A1"]},
        "00100010":{"vr":"PN","Value":[{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}]},
        "00100020":{"vr":"LO","Value":["H-1"]},"00100021":{"vr":"LO","Value":["NORTH"]},
        "00100030":{"vr":"DA","Value":["19591102"]},"00100040":{"vr":"CS","Value":["F"]},
        "00080090":{"vr":"PN","Value":[{"Alphabetic":"Quincy^Harriet"}]},
        "00100050":{"vr":"SQ","Value":[]},"00201206":{"vr":"IS","Value":[1]}},
        {"00100010":{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane"}]},"00100020":{"vr":"LO","Value":["H-2"]}},
        {"0020000D":{"vr":"UI","Value":["1.2.3"]}}]"#,
    );
    assert_eq!(
        got,
        [
            "http>json:dicom accession_number=A1 name=Yamada^Tarou=山田^太郎=やまだ^たろう patient_id=H-1 \
             birth_date=19591102 sex=F",
            "http>json:dicom name=Doe^Jane patient_id=H-2",
        ]
    );
}

#[test]
fn metadata_is_read_like_a_data_set() {
    let got = json(
        r#"[{"00081110":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2"]}}]},
        "00100010":{"vr":"PN","Value":[{"Phonetic":"x"}]},
        "00100020":{"vr":"LO","Value":["H-1"]},
        "00101000":{"vr":"LO","Value":["A-1","B-2"]},
        "00101002":{"vr":"SQ","Value":[
            {"00100020":{"vr":"LO","Value":["X7"]},"00100021":{"vr":"LO","Value":["OTHER"]}},
            {"00100020":{"vr":"LO","Value":["839-19-4906"]},"00100021":{"vr":"LO","Value":["SSA"]}}]},
        "00120062":{"vr":"CS","Value":["YES"]},
        "00280301":{"vr":"CS","Value":["YES"]},
        "00104000":{"vr":"LT","Value":["Patient Name: Anna Beispiel; tel 030 901820-11"]},
        "00110010":{"vr":"LO","Value":["SIEMENS ISI"]},"00111004":{"vr":"LO","Value":["S-9"]},
        "0040A730":{"vr":"SQ","Value":[
            {"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["121029"]},"00080102":{"vr":"SH","Value":["DCM"]}}]},
             "0040A123":{"vr":"PN","Value":[{"Alphabetic":"Hartman^Jason"}]}},
            {"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["121008"]},"00080102":{"vr":"SH","Value":["DCM"]}}]},
             "0040A123":{"vr":"PN","Value":[{"Alphabetic":"Quincy^Harriet"}]}}]}}]"#,
    );
    assert_eq!(
        got,
        [
            "http>json:dicom name===x patient_id=H-1 other_id=A-1 other_id=B-2 other_id=X7 ssn=839-19-4906 \
             [Deidentified] [BurnedIn] other_id=S-9 [Result] name=Hartman^Jason name=Anna Beispiel \
             phone=030 901820-11"
        ]
    );
}

#[test]
fn the_native_model() {
    let got = xml(
        r#"<DicomAttribute tag="00080005" vr="CS" keyword="SpecificCharacterSet"><Value number="1">ISO_IR 100</Value></DicomAttribute>
        <DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1">
        <Alphabetic><FamilyName>Doe</FamilyName><GivenName>Jane</GivenName><NameSuffix>III</NameSuffix></Alphabetic>
        <Ideographic><FamilyName>山田</FamilyName></Ideographic></PersonName></DicomAttribute>
        <DicomAttribute tag="00100020" vr="LO" keyword="PatientID"><Value number="1">H-1</Value></DicomAttribute>
        <DicomAttribute tag="00101001" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>Roe</FamilyName></Alphabetic></PersonName>
        <PersonName number="2"><Alphabetic><FamilyName>Poe</FamilyName><GivenName>E</GivenName></Alphabetic></PersonName></DicomAttribute>
        <DicomAttribute tag="00101002" vr="SQ"><Item number="1"><DicomAttribute tag="00100020" vr="LO"><Value number="1">X7</Value>
        </DicomAttribute></Item></DicomAttribute>"#,
    );
    assert_eq!(
        got,
        ["http>xml:dicom name=Doe^Jane^^^III=山田 patient_id=H-1 name=Roe name=Poe^E other_id=X7"]
    );
}

#[test]
fn sequences_in_sequences_to_any_depth() {
    let mut text = r#"{"00100020":{"vr":"LO","Value":["X7"]}}"#.to_owned();
    for _ in 0..20 {
        text = format!("{{\"00400275\":{{\"vr\":\"SQ\",\"Value\":[{text}]}}}}");
    }
    assert_eq!(json(&text), ["http>json:dicom patient_id=X7"]);
}

fn part10(syntax: Syntax, uid: &str, body: &[u8]) -> Vec<u8> {
    let meta = Build::new(Syntax::ExplicitLe)
        .text(0x0002_0002, "UI", "1.2.840.10008.5.1.4.1.1.2")
        .text(0x0002_0010, "UI", uid)
        .bytes;
    let length = Build::new(Syntax::ExplicitLe)
        .bytes(0x0002_0000, "UL", &(meta.len() as u32).to_le_bytes())
        .bytes;
    let _ = syntax;
    [&[0; 128][..], b"DICM", &length, &meta, body].concat()
}

#[test]
fn multipart_bodies_of_wado_rs_and_stow_rs() {
    let explicit = Build::new(Syntax::ExplicitLe).patient().pixels(3000).bytes;
    let plain = part10(Syntax::ExplicitLe, EXPLICIT, &explicit);
    let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut deflater, &explicit).expect("memory");
    let deflated = deflater.finish().expect("memory");
    let deflated = part10(Syntax::ExplicitLe, DEFLATED, &deflated);
    for declared in [
        "multipart/related; type=\"application/dicom\"; boundary=xx",
        "multipart/related;boundary=\"xx\";type=application/dicom",
    ] {
        let mut body = Vec::new();
        for file in [&plain, &deflated] {
            body.extend(
                b"--xx\r\nContent-Type: application/dicom\r\nContent-Location: /i/1\r\n\r\n",
            );
            body.extend(file);
            body.extend(b"\r\n");
        }
        body.extend(b"--xx--\r\n");
        let got = records(declared, &body);
        assert_eq!(got.len(), 2);
        assert!(got.iter().all(|r| r.contains("name=Müller^Jörg patient_id=00912033")), "{got:?}");
    }
    // Metadata beside bulk data (PS3.18 10.5.1.1.2).
    let body = format!(
        "--xx\r\nContent-Type: application/dicom+json\r\n\r\n[{}]\r\n--xx\r\nContent-Type: \
         application/octet-stream\r\nContent-Location: bulk/1\r\n\r\n{}\r\n--xx--\r\n",
        r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane"}]}}"#,
        "\u{1}".repeat(700)
    );
    let got =
        records("multipart/related; type=\"application/dicom+json\"; boundary=xx", body.as_bytes());
    assert_eq!(got, ["http>multipart>json:dicom name=Doe^Jane"]);
    let body = "--xx\r\nContent-Type: application/dicom+xml\r\n\r\n<?xml version=\"1.0\"?><NativeDicomModel>\
                <DicomAttribute tag=\"00100020\" vr=\"LO\"><Value number=\"1\">H-1</Value></DicomAttribute>\
                </NativeDicomModel>\r\n--xx--\r\n";
    let got =
        records("multipart/related; type=\"application/dicom+xml\"; boundary=xx", body.as_bytes());
    assert_eq!(got, ["http>multipart>xml:dicom patient_id=H-1"]);
}

#[test]
fn a_single_object_of_wado_uri() {
    let body = Build::new(Syntax::ImplicitLe).patient().pixels(3000).bytes;
    let file = part10(Syntax::ImplicitLe, super::IMPLICIT, &body);
    let got = records("application/dicom", &file);
    assert_eq!(got.len(), 1);
    assert!(got[0].contains("name=Müller^Jörg patient_id=00912033"), "{got:?}");
}

#[test]
fn searches_by_tag_keyword_and_path() {
    let target = |text: &str| records_of(Media::Target, &[], text.as_bytes(), 7);
    for (query, fields) in [
        ("00100010=Doe%5EJane&00100020=7", " name=Doe^Jane patient_id=7"),
        ("PatientName=Doe%5EJane&OtherPatientIDs=7", " name=Doe^Jane other_id=7"),
        ("PatientID=7&00101002.00100020=8", " patient_id=7 other_id=8"),
        ("PatientID=7&OtherPatientIDsSequence.PatientID=8", " patient_id=7 other_id=8"),
    ] {
        let got = target(&format!("/dicom-web/studies?limit=5&{query}&includefield=00081030"));
        assert_eq!(got.len(), 1, "{query}: {got:?}");
        assert!(got[0].ends_with(fields) && got[0].contains("[Query]"), "{got:?}");
    }
    // Keywords that are words of other trades.
    assert!(target("/tasks?ResponsiblePerson=Doe,+Jane&ContainerIdentifier=7").is_empty());
    let task = r#"{"Name":"Move","ResponsiblePerson":"Jane Doe","ContainerIdentifier":"C-7","Occupation":"Cook"}"#;
    assert!(records("application/json", task.as_bytes()).is_empty());
    assert!(target("/dicom-web/studies?0020000D=1.2.3&Modality=CT").is_empty());
}

#[test]
fn attributes_by_tag_with_plain_values() {
    let fields = "name=Doe^Jane patient_id=H-77 birth_date=19700131 sex=F";
    for text in [
        r#"{"(0008,0090)":"Roe^Max","(0010,0020)":"H-77","(0010,0010)":"Doe^Jane","(0010,0030)":"19700131","(0010,0040)":"F"}"#,
        r#"{"elements":{"x00100020":"H-77","x00100010":"Doe^Jane","x00100030":"19700131","x00100040":"F"}}"#,
        r#"[{"0010,0020":"H-77","0010,0010":"Doe^Jane","0010,0030":"19700131","0010,0040":"F"}]"#,
        r#"{"(0010,0020)":{"vr":"LO","value":"H-77"},"(0010,0010)":{"vr":"PN","value":"Doe^Jane"},"(0010,0030)":{"vr":"DA","value":"19700131"},"(0010,0040)":{"vr":"CS","value":"F"}}"#,
    ] {
        let got = crate::content::testing::records("application/json", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
    }
}

#[test]
fn files_without_their_preamble() {
    let element = |tag: [u8; 4], vr: &[u8; 2], value: &[u8]| {
        let len = u16::try_from(value.len()).expect("short").to_le_bytes();
        [&tag[..], vr, &len, value].concat()
    };
    let file = [
        b"DICM".to_vec(),
        element([2, 0, 0, 0], b"UL", &28u32.to_le_bytes()),
        element([2, 0, 16, 0], b"UI", b"1.2.840.10008.1.2.1\0"),
        element([8, 0, 0x60, 0], b"CS", b"CT"),
        element([16, 0, 16, 0], b"PN", b"Doe^Jane"),
        element([16, 0, 0x20, 0], b"LO", b"H-77"),
    ]
    .concat();
    let got = crate::content::testing::records("application/octet-stream", &file);
    assert!(got.len() == 1 && got[0].contains("name=Doe^Jane patient_id=H-77"), "{got:?}");
}
