//! Documents in results, and messages in XML.

use super::*;

#[test]
fn documents_in_results() {
    // A message within a message represents any readable format.
    let inner = b"MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||99||Inner^Eve\rPV1|1\r";
    let base64 = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(inner)
    };
    let hex: String = inner.iter().map(|b| format!("{b:02X}")).collect();
    let broken: String = base64
        .as_bytes()
        .chunks(20)
        .map(|c| std::str::from_utf8(c).expect("ASCII"))
        .collect::<Vec<_>>()
        .join("\\.br\\");
    let escaped = |text: &[u8]| {
        let mut out = String::new();
        for &byte in text {
            match byte {
                b'|' => out.push_str("\\F\\"),
                b'^' => out.push_str("\\S\\"),
                b'~' => out.push_str("\\R\\"),
                b'\\' => out.push_str("\\E\\"),
                b'&' => out.push_str("\\T\\"),
                b'\r' => out.push_str("\\X0D\\"),
                byte => out.push(char::from(byte)),
            }
        }
        out
    };
    let lines_of = |ed: &str| {
        format!(
            "MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||7||Outer^Ann\rOBX|1|NM|x||1\r\
             OBX|2|ED|11502-2^REPORT||{ed}||||||F\rDG1|1\r"
        )
    };
    let line_broken = base64
        .as_bytes()
        .chunks(24)
        .map(|c| std::str::from_utf8(c).expect("ASCII"))
        .collect::<Vec<_>>()
        .join("\r\n");
    for ed in [
        format!("LAB^Application^HL7-V2^Base64^{base64}"),
        format!("^AP^octet-stream^base64^{base64}"),
        format!("^application^x^Base64^{broken}"),
        format!("^application^x^Base64^{line_broken}"),
        format!("^TEXT^PLAIN^Hex^{hex}"),
        format!("^TEXT^PLAIN^A^{}", escaped(inner)),
    ] {
        let text = lines_of(&ed);
        let found = fields(text.as_bytes());
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(
                read_parts(&[Part::Bytes(text.as_bytes())], size).records.log,
                found,
                "{ed} {size}"
            );
        }
        assert!(found.contains(&"PID-5 name Inner^Eve".to_owned()), "{ed}: {found:?}");
        assert!(found.contains(&"PID-5 name Outer^Ann".to_owned()));
        assert_eq!(found[found.len() - 2..], ["mark Diagnosis", "end"], "{ed}: {found:?}");
    }
}

#[test]
fn documents_that_never_end() {
    let text = [
        b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||7||A^B\rOBX|1|ED|x||^IM^JPEG^Base64^/9j/4AAQ"
            .as_slice(),
        &vec![b'A'; 1 << 20],
    ]
    .concat();
    // A PDF is kept until its end, once.
    assert!(read_parts(&[Part::Bytes(&text)], 1000).memory < 2 << 20);
    for ed in [
        "^^^^^^^^",
        "^AP^PDF^Base64",
        "^AP^PDF^Rot13^x",
        "",
        "~",
        "^AP^PDF^Base64^=A=",
        "^AP^PDF^Hex^0",
    ] {
        let text =
            format!("MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||7||A^B\rOBX|1|ED|x||{ed}\rOBX|2|ED\r");
        assert_eq!(fields(text.as_bytes()).last().map(String::as_str), Some("end"));
    }
}

#[test]
fn messages_in_xml() {
    use crate::content::testing::records;
    let message = |root: &str, prefix: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"urn:hl7-org:v2xml\">\
             <MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.3><HD.1>LAB</HD.1></MSH.3>\
             <MSH.9><MSG.1>ORU</MSG.1><MSG.2>R01</MSG.2></MSH.9><MSH.11><PT.1>P</PT.1></MSH.11></MSH>\
             <ORU_R01.PATIENT><PID>\n  <PID.3><CX.1>77</CX.1><CX.4><HD.1>N</HD.1><HD.2>1.2</HD.2></CX.4><CX.5>MR</CX.5></PID.3>\
             <PID.3><CX.1>078-05-1120</CX.1><CX.5>SS</CX.5></PID.3>\
             <PID.5><XPN.1><FN.1>O&apos;Exämple &amp; Co</FN.1></XPN.1><XPN.2>Anna</XPN.2></PID.5>\
             <PID.7>19591102</PID.7><PID.8/></PID></ORU_R01.PATIENT>\
             <OBX><OBX.5>text|with^pipes</OBX.5></OBX></{root}>"
        )
        .replace("<PID>", &format!("<{prefix}PID>"))
        .replace("</PID>", &format!("</{prefix}PID>"))
    };
    for text in [message("ORU_R01", ""), message("h:ORU_R01", "h:")] {
        assert_eq!(
            records("application/xml", text.as_bytes()),
            [
                "http>hl7v2:hl7v2 patient_id=77 ssn=078-05-1120 name=O'Exämple & Co^Anna birth_date=19591102 [Result]"
            ]
        );
        for cut in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            records("application/xml", &text.as_bytes()[..cut]);
        }
    }
    // Numbers out of all bounds, and elements that never end.
    let odd = "<a xmlns=\"urn:hl7-org:v2xml\"><PID><PID.99999999><CX.0>x</CX.0></PID.99999999><PID.3><CX.77777>y<b><c><d>";
    assert_eq!(records("text/xml", odd.as_bytes()), ["http>hl7v2:hl7v2"]);
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A message whose text makes it long enough to be cut anywhere.
fn inner() -> Vec<u8> {
    let mut text = b"MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||99||Inner^Eve\r".to_vec();
    for n in 0..40 {
        text.extend_from_slice(format!("PV1|{n}|I\r").as_bytes());
    }
    text.extend_from_slice(b"NK1|1|Inner^Adam|SPO\r");
    text
}

/// Reads a message with these results in pieces of several sizes; whether the document in them was
/// read to its end.
#[track_caller]
fn has_inner(results: &str) {
    let text = format!("MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||7||Outer^Ann\r{results}\rDG1|1\r");
    for size in [usize::MAX, 1, 7, 100] {
        let lines = read_parts(&[Part::Bytes(text.as_bytes())], size).records.log;
        for line in ["PID-5 name Inner^Eve", "NK1-2 next_of_kin_name Inner^Adam"] {
            assert_eq!(
                lines.iter().filter(|l| *l == line).count(),
                1,
                "{line} in pieces of {size}: {lines:?}\n{results}"
            );
        }
    }
}

#[test]
fn documents_under_other_types() {
    let base64 = base64_of(&inner());
    let hex: String = inner().iter().map(|b| format!("{b:02x}")).collect();
    for kind in ["ST", "TX", "FT", "", "RP"] {
        has_inner(&format!("OBX|1|{kind}|R^Report||{base64}||||||F"));
        has_inner(&format!("OBX|1|{kind}|R^Report||{hex}||||||F"));
        has_inner(&format!("OBX|1|{kind}|R^Report||LAB^AP^x^Base64^{base64}||||||F"));
    }
    // ED without an encoding, or with a wrong one.
    has_inner(&format!("OBX|1|ED|R^Report||^AP^x^^{base64}||||||F"));
    has_inner(&format!("OBX|1|ED|R^Report||^AP^x^A^{base64}||||||F"));
    has_inner(&format!("OBX|1|ED|R^Report||^AP^x^PDF^{hex}||||||F"));
}

#[test]
fn documents_over_several_results_and_repetitions() {
    let base64 = base64_of(&inner());
    let parts: Vec<&str> =
        base64.as_bytes().chunks(76).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
    // Encoded on its own, each part.
    let inner = inner();
    let padded: Vec<String> = inner.chunks(50).map(base64_of).collect();
    let results = |head: &str, parts: &[&str]| {
        let lines = parts.iter().enumerate();
        lines.map(|(n, p)| format!("OBX|{n}|{head}{p}||||||F")).collect::<Vec<_>>().join("\r")
    };
    let padded: Vec<&str> = padded.iter().map(String::as_str).collect();
    for parts in [&parts, &padded] {
        has_inner(&results("TX|R^Report||", parts));
        has_inner(&results("ED|R^Report||^AP^x^Base64^", parts));
        has_inner(&format!("OBX|1|TX|R||{}||||||F", parts.join("~")));
        let repeated = parts.iter().map(|p| format!("^AP^x^Base64^{p}")).collect::<Vec<_>>();
        has_inner(&format!("OBX|1|ED|R||{}||||||F", repeated.join("~")));
    }
    // Two documents stay two.
    let two = format!("OBX|1|ED|R||^AP^x^Base64^{base64}\rOBX|2|ED|R||^AP^x^Base64^{base64}");
    let text = format!("MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||7||Outer^Ann\r{two}\r");
    let found = fields(text.as_bytes());
    assert_eq!(found.iter().filter(|l| *l == "PID-5 name Inner^Eve").count(), 2);
}

#[test]
fn large_documents_are_not_held() {
    let mut text = b"MSH|^~\\&|||||||MDM^T02|1|P|2.5\rPID|1||7||Outer^Ann\rOBX|1|ED|x||^IM^JPEG^Base64^/9j/4AAQ".to_vec();
    for _ in 0..4000 {
        text.extend_from_slice(&[b'A'; 1000]);
        text.extend_from_slice(b"\\.br\\");
    }
    text.extend_from_slice(b"\rPID|2||8||Other^Ben\r");
    let read = read_parts(&[Part::Bytes(&text)], 1460);
    assert!(read.memory < 256 << 10, "{}", read.memory);
    assert!(read.records.log.contains(&"PID-5 name Other^Ben".to_owned()));
    assert_eq!(read.counters.given_up, []);
}

#[test]
fn long_documents_in_xml() {
    use crate::content::testing::records_of;
    let mut long = inner();
    for n in 0..900 {
        long.extend_from_slice(format!("PV2|{n}|text that makes it longer\r").as_bytes());
    }
    long.extend_from_slice(b"GT1|1||Inner^Otto\r");
    let base64 = base64_of(&long);
    let broken: Vec<&str> =
        base64.as_bytes().chunks(76).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
    let value = |data: &str| {
        format!(
            "<?xml version=\"1.0\"?><ORU_R01 xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.9><MSG.1>ORU</MSG.1></MSH.9></MSH>\
             <PID><PID.3><CX.1>7</CX.1></PID.3></PID><OBX><OBX.1>1</OBX.1><OBX.2>ED</OBX.2><OBX.5><ED.2>AP</ED.2>\
             <ED.3>x</ED.3><ED.4>Base64</ED.4><ED.5>{data}</ED.5></OBX.5></OBX></ORU_R01>"
        )
    };
    for data in [base64.clone(), broken.join("\n"), format!("<![CDATA[{base64}]]>")] {
        let text = value(&data);
        let media = Media::Type { content_type: "text/xml", name: "" };
        for size in [text.len(), 1460, 77] {
            let got = records_of(media, &[], text.as_bytes(), size).join("\n");
            assert!(got.contains("name=Inner^Eve"), "in pieces of {size}: {got}");
            assert!(got.contains("next_of_kin_name=Inner^Otto"), "in pieces of {size}: {got}");
        }
    }
}

#[test]
fn answers_for_display_have_a_patient_by_line() {
    let message = |lines: &[&str]| {
        let mut text = String::from("MSH|^~\\&|LIS|||||||DSR^Q03|2|P|2.3.1\rMSA|AA|2\rQAK|SR|OK\r");
        text = text.replace("|||||||DSR", "||||20260517||DSR");
        for (number, line) in (1..).zip(lines) {
            text.push_str(&format!("DSP|{number}||{line}|||\r"));
        }
        fields(text.as_bytes())
    };
    let got = message(&["1212", "27", "Roe Jane", "19700131000000", "F", "O", ""]);
    for line in ["DSP-1 patient_id 1212", "DSP-3 name Roe Jane", "DSP-4 birth_date 19700131000000"]
    {
        assert!(got.iter().any(|l| l == line), "{got:?}");
    }
    // Other systems display prose, and a line less moves none.
    for lines in [
        &["Patient: Jane Roe", "Ward 7", "Results of Monday", "", "", "Hb 13.2", ""][..],
        &["1212", "27", "Roe Jane", "no date", "F", "O", ""],
        &["1212", "27", "Roe Jane"],
    ] {
        assert!(!message(lines).iter().any(|l| l.starts_with("DSP")), "{lines:?}");
    }
}

#[test]
fn pharmacy_claims_without_a_patient_segment() {
    let claim = |zcc: &str| {
        let text = format!(
            "MSH|^~\\&|DESKTOP|EMR|PNP|PP|20260517|u:10.1.1.1|ZPN|7|P|2.1||\rZCA|1|70|00|MA|01|\rZCB|LDJQQ|140715|7\r{zcc}\r"
        );
        fields(text.as_bytes())
    };
    let got = claim("ZCC|||||19700131|||Jane|Roe|0009876543210|F");
    for line in ["ZCC-5 birth_date 19700131", "ZCC-9 name Roe^Jane", "ZCC-11 sex F"] {
        assert!(got.iter().any(|l| l == line), "{got:?}");
    }
    assert!(claim("ZCC||||||||||0009876543210|").iter().any(|l| l.contains("0009876543210")));
    assert!(!claim("ZCC|||||||||||").iter().any(|l| l.starts_with("ZCC")));
    // A segment of this name in the message of another vendor is its own.
    let own = "MSH|^~\\&|A|B|C|D|20260517||ADT^A01|1|P|2.5\rPID|1||77||Roe^Jane\rZCC|||||19990101|||Max|Doe\r";
    assert!(!fields(own.as_bytes()).iter().any(|l| l.starts_with("ZCC")));
}

#[test]
fn an_analyser_asks_for_a_specimen() {
    let query = |what: &str| {
        let text = format!(
            "MSH|^~\\&|BS|||LIS|20260517||QRY^Q02|1|P|2.3.1\rQRD|20260517|R|D|1|||RD|34567743|{what}|||T|\r"
        );
        fields(text.as_bytes())
    };
    assert!(query("DEM").iter().any(|l| l.contains("34567743")));
    assert!(!query("OTH").iter().any(|l| l.contains("34567743")));
}

#[test]
fn messages_as_biztalk_writes_them() {
    let text = br#"<ns0:ADT_A04_231_GLO_DEF xmlns:ns0="http://microsoft.com/HealthCare/HL7/2X"><EVN_EventType><EVN_1_EventTypeCode>A04</EVN_1_EventTypeCode></EVN_EventType><PID_PatientIdentification><PID_3_PatientIdentifierList><CX_0_ID>H-77</CX_0_ID><CX_4_TypeCode>MR</CX_4_TypeCode></PID_3_PatientIdentifierList><PID_5_PatientName><XPN_0_FamilyLastName><XPN_0_0_FamilyName>Roe</XPN_0_0_FamilyName></XPN_0_FamilyLastName><XPN_1_GivenName>Jane</XPN_1_GivenName></PID_5_PatientName><PID_7_DateTimeOfBirth><TS_0_Time>19700131</TS_0_Time></PID_7_DateTimeOfBirth><PID_8_Sex>F</PID_8_Sex></PID_PatientIdentification><PV1_PatientVisit><PV1_7_AttendingDoctor><XCN_1_FamilyName>Doe</XCN_1_FamilyName></PV1_7_AttendingDoctor></PV1_PatientVisit></ns0:ADT_A04_231_GLO_DEF>"#;
    let got = crate::content::testing::records("text/xml", text);
    let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    assert!(got.len() == 1 && got[0].contains(fields) && !got[0].contains("Doe"), "{got:?}");
}

#[test]
fn segments_in_xml_of_engines() {
    let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    for text in [
        "<message><PID><PIDf3>H-77</PIDf3><PIDf5><PIDf5c0>Roe</PIDf5c0><PIDf5c1>Jane</PIDf5c1></PIDf5><PIDf7>19700131</PIDf7><PIDf8>F</PIDf8></PID></message>",
        "<m><Segment Name=\"PID\"><Field Number=\"3\"><Component Number=\"1\">H-77</Component></Field><Field Number=\"5\"><Component Number=\"1\">Roe</Component><Component Number=\"2\">Jane</Component></Field><Field Number=\"7\">19700131</Field><Field Number=\"8\">F</Field></Segment><Segment Name=\"PV1\"><Field Number=\"7\">Doe</Field></Segment></m>",
        "<PID><PID.3-PatientIdentifierList><CX.1-ID>H-77</CX.1-ID></PID.3-PatientIdentifierList><PID.5-PatientName><XPN.1-FamilyName>Roe</XPN.1-FamilyName><XPN.2-GivenName>Jane</XPN.2-GivenName></PID.5-PatientName><PID.7-DateTimeOfBirth>19700131</PID.7-DateTimeOfBirth><PID.8-Sex>F</PID.8-Sex></PID>",
    ] {
        let got = crate::content::testing::records("application/xml", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
        for end in 0..text.len() {
            crate::content::testing::records("application/xml", &text.as_bytes()[..end]);
        }
    }
}
