use super::super::testing::records;

fn json(text: &str) -> Vec<String> {
    records("application/json", text.as_bytes())
}

#[test]
fn fhir_patient_whatever_the_order_of_keys() {
    let patient = r#"{"id":"x","active":true,"identifier":[{"use":"usual","type":{"coding":[{"code":"MR"}]},
        "system":"urn:oid:1.2.3","value":"H-17"},{"system":"http://hl7.org/fhir/sid/us-ssn","value":"609-01-6296"}],
        "name":[{"use":"official","family":"King","given":["John","Q."]}],
        "telecom":[{"system":"phone","value":"(298) 555-0177"},{"system":"email","value":"j@example.org"}],
        "gender":"male","birthDate":"1992-04-28","address":[{"line":["7 Crest"],"city":"G","postalCode":"87229"}],
        "contact":[{"name":{"family":"King","given":["Ann"]},"telecom":[{"system":"phone","value":"5550178"}]}]"#;
    let fields = "http>json:fhir [PatientContext] patient_id=H-17 ssn=609-01-6296 name=King^John Q. \
        phone=(298) 555-0177 email=j@example.org sex=male birth_date=1992-04-28 \
        address=7 Crest, G, 87229 next_of_kin_name=King^Ann next_of_kin_phone=5550178";
    let late = format!("{patient},\"resourceType\":\"Patient\"}}");
    let early = format!("{{\"resourceType\" : \"Patient\" ,{}}}", &patient[1..]);
    assert_eq!(json(&late), [fields]);
    assert_eq!(json(&early), [fields]);
    let bundle = format!(
        r#"{{"resourceType":"Bundle","entry":[{{"resource":{late}}},{{"resource":{early}}}]}}"#
    );
    assert_eq!(json(&bundle), [fields, fields]);
    let ndjson = format!("{}\n{}\n", late.replace('\n', ""), early.replace('\n', ""));
    assert_eq!(json(&ndjson), [fields, fields]);
}

#[test]
fn fhir_resources_about_a_patient() {
    let got = json(
        r#"{"resourceType":"Observation","subject":{"reference":"Patient/1","display":"Jane Roe"},
        "performer":[{"display":"Dr. No"}],"code":{"text":"Glucose"}}"#,
    );
    assert_eq!(got, ["http>json:fhir [Result] name=Jane Roe"]);
    assert!(
        json(
            r#"{"resourceType":"Practitioner","name":[{"family":"No"}],"birthDate":"1950-01-01"}"#
        )
        .is_empty()
    );
    assert!(json(r#"{"resourceType":"CapabilityStatement","name":"x","rest":[{"resource":[{"type":"Patient"}]}]}"#).is_empty());
    assert!(json(r#"{"resourceType": "Bundle", "type": "searchset", "total": 0}"#).is_empty());
}

#[test]
fn wrappers_and_lists() {
    let got = json(
        r#"{"hits":{"hits":[{"_index":"patients","_id":"0","_source":{"patient_name":"Ann Lee","mrn":"12","dob":"1985-02-01","diagnosis":["E11.9"]}},
        {"_id":"1","_source":{"patient_name":"Bo Li","mrn":13}}]}}"#,
    );
    assert_eq!(
        got,
        [
            "http>json:~json [PatientContext] [Diagnosis] name=Ann Lee patient_id=12 birth_date=1985-02-01",
            "http>json:~json [PatientContext] name=Bo Li patient_id=13",
        ]
    );
    let got = json(
        r#"{"data":{"patients":[{"name":"A B","id":1},{"firstName":"C","lastName":"D","birthDate":"1970-01-01"}]}}"#,
    );
    assert_eq!(
        got,
        [
            "http>json:~json [PatientContext] name=A B patient_id=1",
            "http>json:~json [PatientContext] name=D^C birth_date=1970-01-01",
        ]
    );
}

#[test]
fn parts_of_one_person() {
    let got = json(
        r#"{"mrn":"77","patient":{"name":{"first":"Zoë","last":"Ü"},"address":{"street":"1 Way","city":"T"},
        "emergency_contact":{"name":"Max","phone":"555123"}},"doctor":{"name":"Dr. X","phone":"1"}}"#,
    );
    assert_eq!(
        got,
        ["http>json:~json [PatientContext] patient_id=77 name=Ü^Zoë address=1 Way, T \
         next_of_kin_name=Max next_of_kin_phone=555123",]
    );
    // Two people under one roof.
    let got =
        json(r#"{"1":{"name":"A B","dob":"1970-01-01"},"2":{"name":"C D","dob":"1971-01-01"}}"#);
    assert_eq!(
        got,
        [
            "http>json:~json name=C D birth_date=1971-01-01",
            "http>json:~json name=A B birth_date=1970-01-01",
        ]
    );
}

#[test]
fn nobody() {
    for text in [
        r#"{"orders":[{"order_no":"638-11-6231","sku":"555-196-1354","name":"Lamp","phone":"5551234"}]}"#,
        r#"{"users":[{"name":"Ann","email":"a@example.org"}]}"#,
        r#"{"name":"left-pad","version":"1","author":{"name":"A","email":"a@b.c"}}"#,
        r#"{"openapi":"3","paths":{},"components":{"schemas":{"Patient":{"properties":{"dob":{"type":"string"}}}}}}"#,
        r#"{"title":"t","name":"just a name"}"#,
        "[]",
        "{}",
        r#"[1,2,3]"#,
    ] {
        assert_eq!(json(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn escapes_numbers_and_limits() {
    let got =
        json(r#"{"patient_n\u0061me":"J\u00fcrgen \ud83d\ude00 \"Q\" \\","mrn":10e2,"dob":null}"#);
    assert_eq!(got, ["http>json:~json [PatientContext] name=Jürgen 😀 \"Q\" \\ patient_id=10e2"]);
    let long = "x".repeat(tokens::MAX_VALUE + 1);
    assert!(json(&format!(r#"{{"patient_name":"{long}"}}"#)).is_empty());
    let deep = "[".repeat(100_000);
    assert!(json(&deep).is_empty());
    // A cut document gives what was there.
    let got = json(r#"{"patients":[{"patient_name":"Ann Lee","mrn":"12""#);
    assert_eq!(got, ["http>json:~json [PatientContext] name=Ann Lee patient_id=12"]);
}

#[test]
fn any_cut_and_any_broken_byte() {
    let text = br#"{"resourceType":"Patient","name":[{"family":"K\u00e9"}],"a":[1,{"b":null}]}"#;
    for i in 0..text.len() {
        records("application/json", &text[..i]);
        for byte in [b'"', b'\\', b'{', b']', 0, 0xff] {
            let mut broken = text.to_vec();
            broken[i] = byte;
            records("application/json", &broken);
        }
    }
}

use super::tokens;
