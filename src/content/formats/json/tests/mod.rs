mod interfaces;
mod services;

use crate::content::testing::records;

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
fn members_beside_a_patient_are_the_patients() {
    let patient = |id: &str, name: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{name}"}}],"gender":"female"}}"#
        )
    };
    let about = |kind: &str, element: &str, reference: &str| {
        format!(
            r#"{{"resourceType":"{kind}","id":"9","{element}":{{"reference":"{reference}"}},"code":{{"text":"x"}}}}"#
        )
    };
    let bundle = |entries: &[(&str, &str)]| {
        let entries: Vec<String> = entries
            .iter()
            .map(|(url, resource)| format!(r#"{{"fullUrl":"{url}","resource":{resource}}}"#))
            .collect();
        json(&format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, entries.join(",")))
    };
    let (roe, doe) = (patient("1", "Roe"), patient("2", "Doe"));
    let condition = about("Condition", "subject", "Patient/1");
    let allergy =
        about("AllergyIntolerance", "patient", "http://other.example/fhir/Patient/1/_history/3");
    let (known, later) = ("name=Roe sex=female", "name=Roe");
    let head = "http>json:fhir";
    // The reference before the patient, and behind; each kind once.
    assert_eq!(
        bundle(&[("", &condition), ("", &allergy), ("", &roe), ("", &condition), ("", &doe)]),
        [
            format!("{head} [PatientContext] [Diagnosis] [Allergy] {known}"),
            format!("{head} [PatientContext] name=Doe sex=female"),
        ]
    );
    for (kind, element, mark) in [
        ("Condition", "subject", "Diagnosis"),
        ("Observation", "subject", "Result"),
        ("MedicationRequest", "subject", "Medication"),
        ("AllergyIntolerance", "patient", "Allergy"),
        ("Procedure", "subject", "Procedure"),
    ] {
        let of_roe = about(kind, element, "Patient/1");
        let expected = [
            format!("{head} [PatientContext] {known}"),
            format!("{head} [PatientContext] name=Doe sex=female"),
            format!("{head} [{mark}] {later}"),
        ];
        assert_eq!(bundle(&[("", &roe), ("", &doe), ("", &of_roe), ("", &of_roe)]), expected);
    }
    // By the URL of the entry.
    let url = "urn:uuid:88F151C0-a954-468a-88bd-5ae15c08e059";
    let by_url = about("Observation", "subject", &url.to_lowercase());
    assert_eq!(
        bundle(&[(url, &roe), ("", &doe), ("", &by_url)])[2],
        format!("{head} [Result] {later}")
    );
    // Without a reference, or by a search, only where there is one patient; a search names one itself.
    let bare = r#"{"resourceType":"Procedure","id":"9"}"#;
    let search = about("Condition", "subject", "Patient?identifier=7");
    let both = [("", bare), ("", search.as_str())];
    assert_eq!(
        bundle(&[both[0], ("", &roe), both[1]])[1],
        format!("{head} [Diagnosis] [Procedure] {later}")
    );
    let asked = bundle(&[both[0], ("", &roe), both[1], ("", &doe)]);
    assert_eq!(asked[2], format!("{head} [PatientContext] [Diagnosis] patient_id=7"));
    // About another person, a group, no person of this document.
    for other in ["Patient/3", "Group/1", "urn:uuid:7"] {
        let resource = about("Condition", "subject", other);
        assert_eq!(
            bundle(&[("", &resource), ("", &roe)]),
            [format!("{head} [PatientContext] {known}")]
        );
    }
    assert!(bundle(&[("", &condition), ("", &allergy)]).is_empty());
    // Another document of the same stream.
    assert_eq!(
        json(&format!("{roe}\n{condition}\n")),
        [format!("{head} [PatientContext] {known}")]
    );
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
fn objects_without_patients_give_none() {
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

/// Rows that wait for names of columns that never come, or are those of something else.
#[test]
fn rows_without_columns_have_no_patient() {
    for text in [
        r#"{"rows":[["77","Jane Roe","1970-01-31"]],"meta":["a","b"]}"#,
        r#"{"a":{"rows":[["77","Jane Roe","1970-01-31"]]},"columns":["mrn","patient_name","dob"]}"#,
        r#"{"geometry":{"coordinates":[[1.5,2.5],[3.5,4.5]]},"columns":["mrn","patient_name"]}"#,
    ] {
        assert_eq!(json(text), [""; 0], "{text}");
    }
}

#[test]
fn labelled_values_of_several_records_in_one_list() {
    let value = |record: u32, name: &str, value: &str| {
        format!(r#"{{"record":"{record}","field_name":"{name}","value":"{value}"}}"#)
    };
    let mut values = Vec::new();
    for (record, given, birth) in [(1, "Jane", "1970-01-31"), (2, "Max", "1980-02-01")] {
        values.push(value(record, "first_name", given));
        values.push(value(record, "last_name", "Roe"));
        values.push(value(record, "dob", birth));
    }
    let got = json(&format!("[{}]", values.join(",")));
    assert_eq!(
        got,
        [
            "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31",
            "http>json:~json [PatientContext] name=Roe^Max birth_date=1980-02-01",
        ]
    );
}

#[test]
fn what_a_database_calls_a_document_is_no_number_of_a_patient() {
    let patient = |id: &str| {
        json(&format!(r#"{{"patient":{{"_id":"{id}","name":"Jane Roe","dob":"1970-01-31"}}}}"#))
    };
    let jane = "http>json:~json [PatientContext] name=Jane Roe birth_date=1970-01-31";
    assert_eq!(patient("64b7f0c2a1b2c3d4e5f60718"), [jane]);
    assert!(patient("H-1200")[0].contains("patient_id=H-1200"));
}

#[test]
fn answers_of_a_questionnaire_are_known_by_their_link() {
    let item = |link: &str, value: &str| {
        format!(r#"{{"linkId":"{link}","answer":[{{"valueString":"{value}"}}]}}"#)
    };
    let items = [
        item("patient-last-name", "Roe"),
        item("patient-first-name", "Jane"),
        item("patient-birth-date", "1970-01-31"),
    ];
    let form = format!(
        r#"{{"resourceType":"QuestionnaireResponse","status":"completed","item":[{}]}}"#,
        items.join(",")
    );
    let got = json(&form);
    assert!(got.len() == 1 && got[0].contains("name=Roe^Jane birth_date=1970-01-31"), "{got:?}");
}

#[test]
fn the_names_of_one_person_are_a_list() {
    let person = |names: &str| {
        json(&format!(r#"{{"patient":{{"names":[{names}],"birthdate":"1970-01-31"}}}}"#))
    };
    let jane = r#"{"givenName":"Jane","familyName":"Roe"}"#;
    assert_eq!(
        person(jane),
        ["http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31"]
    );
    let two = person(&format!(r#"{jane},{{"givenName":"Max","familyName":"Li"}}"#));
    assert!(two.iter().any(|line| line.contains("Roe^Jane birth_date")), "{two:?}");
    assert!(!two.iter().any(|line| line.contains("Li") && line.contains("Roe")), "{two:?}");
}

/// Columns first, rows of cells below: as databases and data frames write tables.
#[test]
fn columns_apart_from_rows_are_a_table() {
    let rows = [
        "http>json:~json [PatientContext] [Diagnosis] patient_id=77 name=Jane Roe birth_date=1970-01-31",
        "http>json:~json [PatientContext] [Diagnosis] patient_id=78 name=Max Li birth_date=1980-02-01",
    ];
    for text in [
        // Trino, InfluxDB, pandas (`split`), Elasticsearch SQL.
        r#"{"columns":["mrn","patient_name","dob","diagnosis"],"rows":[[77,"Jane Roe","1970-01-31","I10"],["78","Max Li","1980-02-01",null]]}"#,
        r#"{"results":[{"series":[{"name":"visits","columns":["time","mrn","patient_name","dob","diagnosis"],"values":[[1,77,"Jane Roe","1970-01-31","I10"],[2,78,"Max Li","1980-02-01",null]]}]}]}"#,
        r#"{"columns":[{"name":"mrn","type":"text"},{"name":"x"},{"name":"patient_name","type":"text"},{"type":"date","name":"p.dob"},{"name":"diagnosis"}],
            "rows":[["77",{"a":["b"]},"Jane Roe","1970-01-31","I10"],["78",["mrn","dob"],"Max Li","1980-02-01","I11"]]}"#,
        // BigQuery, Google's visualisation format.
        r#"{"kind":"x","schema":{"fields":[{"name":"mrn","type":"STRING"},{"name":"patient_name"},{"name":"dob"},{"name":"diagnosis"}]},
            "rows":[{"f":[{"v":"77"},{"v":"Jane Roe"},{"v":"1970-01-31"},{"v":null}]},{"f":[{"v":"78"},{"v":"Max Li"},{"v":"1980-02-01"},{"v":"I10"}]}]}"#,
        r#"{"table":{"cols":[{"id":"A","label":"mrn"},{"id":"B","label":"patient_name"},{"id":"C","label":"dob"},{"id":"D","label":"diagnosis"}],
            "rows":[{"c":[{"v":77,"f":"77.0"},{"v":"Jane Roe"},{"v":"1970-01-31"},null]},{"c":[{"v":78},{"v":"Max Li"},{"v":"1980-02-01"},{}]}]}}"#,
        // Google Sheets: the first row names the columns.
        r#"{"range":"A1:D3","values":[["MRN","Patient name","Date of birth","Diagnosis"],["77","Jane Roe","1970-01-31",""],["78","Max Li","1980-02-01"]]}"#,
        r#"[["mrn","patient_name","dob","diagnosis"],[77,"Jane Roe","1970-01-31",true],[78,"Max Li","1980-02-01"]]"#,
        // Rows before their columns: members of an object have no order.
        r#"{"rows":[[77,"Jane Roe","1970-01-31","I10"],["78","Max Li","1980-02-01",null]],"columns":["mrn","patient_name","dob","diagnosis"]}"#,
        r#"{"height":2,"rows":[[77,"Jane Roe","1970-01-31","I10"],["78","Max Li","1980-02-01",null]],
            "headers":[{"name":"mrn"},{"name":"patient_name"},{"name":"dob"},{"name":"diagnosis"}]}"#,
    ] {
        assert_eq!(json(text), rows, "{text}");
    }
    let plain = [
        "http>json:~json [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31",
        "http>json:~json [PatientContext] patient_id=78 name=Max Li birth_date=1980-02-01",
    ];
    for text in [
        // Lists beside each other; pandas (`columns`).
        r#"{"mrn":[77,78],"patient_name":["Jane Roe","Max Li"],"dob":["1970-01-31","1980-02-01"]}"#,
        r#"{"mrn":{"0":"77","1":"78"},"patient_name":{"0":"Jane Roe","1":"Max Li"},"dob":{"0":"1970-01-31","1":"1980-02-01"}}"#,
    ] {
        assert_eq!(json(text), plain, "{text}");
    }
    let flat = r#"{"table":"patients","fields":["mrn","last_name","first_name","birth_date"],"values":["77","Roe","Jane","1970-01-31"]}"#;
    let got = json(flat);
    assert!(got.len() == 1 && got[0].contains("patient_id=77 name=Roe^Jane"), "{got:?}");
    let more = r#"{"columns":["mrn","patient_name"],"data":["77","Jane Roe","78","Max Li"]}"#;
    assert_eq!(json(more), [""; 0]);
    let objects =
        r#"{"columns":["mrn","patient_name"],"data":[{"mrn":"77","patient_name":"Jane Roe"}]}"#;
    assert_eq!(json(objects).len(), 1, "{:?}", json(objects));
    let gaps = r#"{"mrn":[77,78,79],"patient_name":["A B",null,"C D"],"dob":[null,"1980-02-01","1981-02-01"]}"#;
    assert_eq!(
        json(gaps),
        [
            "http>json:~json [PatientContext] patient_id=77 name=A B",
            "http>json:~json [PatientContext] patient_id=78 birth_date=1980-02-01",
            "http>json:~json [PatientContext] patient_id=79 name=C D birth_date=1981-02-01",
        ]
    );
    // Tables of something else, and lists of lists that are no tables.
    for text in [
        r#"{"columns":["sku","name","price"],"rows":[["1","Lamp","5"]]}"#,
        r#"{"languages":{"phn":"Phoenician","pl":"Polish"},"territories":{"ad":"Andorra"},"zones":{"Bogota":{"city":"Bogota"}}}"#,
        r#"{"territories":{"ad":"Andorra","hn":"Honduras","cz":"Czechia"},"zones":{"Bogota":{"city":"Bogota"}}}"#,
        r#"{"type":"Polygon","coordinates":[[[1.5,2.5],[3.5,4.5]]]}"#,
        r#"{"columns":["user","email","name"],"rows":[["a","a@b.c","A B"]]}"#,
    ] {
        assert_eq!(json(text), Vec::<String>::new(), "{text}");
    }
    let nested = r#"[[{"patient_name":"Jane Roe","mrn":77}],[{"patient_name":"Max Li","mrn":78}]]"#;
    assert_eq!(json(nested).len(), 2);
}

#[test]
fn values_in_wrappers() {
    let line = "http>json:~json [PatientContext] name=Jane Roe patient_id=77 birth_date=1970-01-31";
    for text in [
        // MongoDB, Firestore, DynamoDB, milliseconds and ASP.NET's dates.
        r#"{"_id":{"$oid":"507f1f77bcf86cd799439011"},"patient_name":"Jane Roe","mrn":{"$numberLong":"77"},"dob":{"$date":"1970-01-31"}}"#,
        r#"{"patient_name":"Jane Roe","mrn":77,"dob":{"$date":{"$numberLong":"318211200000"}}}"#,
        r#"{"documents":[{"name":"projects/x/documents/y","fields":{"patient_name":{"stringValue":"Jane Roe"},"mrn":{"integerValue":"77"},"dob":{"timestampValue":"1970-01-31"}}}]}"#,
        r#"{"Items":[{"patient_name":{"S":"Jane Roe"},"mrn":{"N":"77"},"dob":{"S":"1970-01-31"}}]}"#,
        r#"{"patient_name":"Jane Roe","mrn":77,"dob":"/Date(318211200000+0100)/"}"#,
        r#"{"patient_name":"Jane Roe","mrn":77,"dob":2600000}"#,
        r#"{"patient_name":"Jane Roe","mrn":77,"birthDate":{"year":1970,"month":1,"day":31}}"#,
        r#"{"patient_name":"Jane Roe","mrn":77,"dob_day":"31","dob_month":"January","dob_year":"1970"}"#,
        // Names and values as data.
        r#"{"form":"x","answers":[{"question":"Patient name","answer":"Jane Roe"},{"question":"MRN","answer":77},{"question":"Date of birth","answer":"1970-01-31"},{"question":"Pain?","answer":"no"}]}"#,
        r#"[[{"name":"patient_name","value":"Jane Roe"},{"name":"mrn","value":"77"},{"name":"dob","value":"1970-01-31"}]]"#,
    ] {
        // Seven digits may be anything.
        let expected = match text {
            _ if text.contains(":2600000}") => line.replace("1970-01-31", "2600000"),
            _ if text.contains("318211200000") => line.replace("1970-01-31", "1980-02-01"),
            _ => line.to_owned(),
        };
        assert_eq!(json(text), [expected], "{text}");
    }
    let typed =
        r#"{"data":{"node":{"__typename":"Patient","name":"Jane Roe","born":"1970-01-31"}}}"#;
    assert_eq!(
        json(typed),
        ["http>json:~json [PatientContext] name=Jane Roe birth_date=1970-01-31"]
    );
    let hit = r#"{"hits":{"hits":[{"_index":"patients","_source":{"name":"Jane Roe","born":"1970-01-31"}}]}}"#;
    assert_eq!(json(hit), ["http>json:~json [PatientContext] name=Jane Roe birth_date=1970-01-31"]);
    assert!(
        json(r#"{"name":"A","birthDate":{"year":1970}}"#).iter().all(|l| !l.contains("birth_date"))
    );
}

/// Documents in strings: JSON in JSON, XML, messages, and files in base64.
#[test]
fn documents_in_strings() {
    use base64::Engine;
    let base64 = |text: &[u8]| base64::engine::general_purpose::STANDARD.encode(text);
    let row = "~json [PatientContext] name=Jörg \"J\" Roe patient_id=77";
    let inner = r#"{"patient_name":"J\u00f6rg \"J\" Roe","mrn":"77"}"#;
    let string = |text: &str| serde_json::to_string(text).expect("a string");
    let twice = format!(r#"{{"level":"info","message":{}}}"#, string(inner));
    assert_eq!(json(&twice), [format!("http>json>json:{row}")]);
    // In JSON in JSON in JSON.
    let thrice = format!(r#"{{"x":[{}]}}"#, string(&twice));
    assert_eq!(json(&thrice), [format!("http>json>json>json:{row}")]);
    let coded = format!(r#"{{"resourceType":"Binary","data":"{}"}}"#, base64(inner.as_bytes()));
    assert_eq!(json(&coded), [format!("http>json>base64>json:{row}")]);
    let xml =
        "<?xml version=\"1.0\"?><p><mrn>77</mrn><name>Jane Roe</name><dob>1970-01-31</dob></p>";
    let got = json(&format!(r#"{{"payload":{},"mrn":"5","patient_name":"A B"}}"#, string(xml)));
    assert_eq!(
        got,
        [
            "http>json>xml:~xml [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31",
            "http>json:~json [PatientContext] patient_id=5 name=A B",
        ]
    );
    let message =
        "MSH|^~\\&|A|B|C|D|20260301||ADT^A01|1|P|2.5\rPID|1||H-77^^^X^MR||Roe^Jane||19700131|F\r";
    let hl7 = json(&format!(r#"{{"hl7":{}}}"#, string(message)));
    assert!(matches!(&*hl7, [one] if one.contains("name=Roe^Jane")), "{hl7:?}");
    let pdf = include_bytes!("../../../../../fixtures/pdf/reportlab.pdf");
    let got = json(&format!(r#"{{"content":[{{"attachment":{{"data":"{}"}}}}]}}"#, base64(pdf)));
    assert!(
        got.iter().any(|l| l.starts_with("http>json>base64>pdf:") && l.contains("Shane Compton"))
    );
    // Strings that only begin so, tokens, and broken ones.
    for text in [
        r#"{"a":"{\"b\":1","c":"<b>bold","d":"eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.x","e":"Mixed","f":"{","g":"\u007bmrn: 7"}"#,
        r#"{"a":"JVBERi0xLjQK","b":"/9j/4AAQSkZJRg==","c":"Hello","d":"\n\n","e":"{{name}} has \"x\""}"#,
    ] {
        assert_eq!(json(text), Vec::<String>::new(), "{text}");
    }
    // Strings in strings to any depth.
    let mut deep = inner.to_owned();
    for _ in 0..12 {
        deep = format!(r#"{{"a":{}}}"#, string(&deep));
    }
    assert!(json(&deep).is_empty());
}

#[test]
fn wrapped_and_labelled_values_and_lists_of_people() {
    let jane = "patient_id=H-77 name=Roe^Jane birth_date=1970-01-31";
    for text in [
        r#"{"documents":[{"name":"p/patients/1","fields":{"mrn":{"stringValue":"H-77"},"surname":{"stringValue":"Roe"},"forename":{"stringValue":"Jane"},"dob":{"stringValue":"1970-01-31"}}}]}"#,
        r#"{"fields":[{"label":"MRN","value":"H-77"},{"label":"Last name","value":"Roe"},{"label":"First name","value":"Jane"},{"label":"Date of birth","value":"1970-01-31"}]}"#,
        r#"{"patient":{"identifiers":[{"type":"MRN","value":"H-77"}],"names":[{"family":"Roe","given":"Jane"}],"birthDate":"1970-01-31"}}"#,
        r#"{"Patient":{"PatientID":"H-77","PatientName":{"Alphabetic":"Roe^Jane"},"PatientBirthDate":"1970-01-31"}}"#,
    ] {
        let read = json(text);
        assert!(read.len() == 1 && read[0].ends_with(jane), "{text}: {read:?}");
    }
    let two = r#"{"@odata.context":"x$metadata#Patients","value":[{"mrn":"H-77","last_name":"Roe","first_name":"Jane","dob":"1970-01-31"},{"mrn":"H-78","last_name":"Li","first_name":"Max","dob":"1980-02-01"}]}"#;
    assert_eq!(json(two).len(), 2);
    let linked = r#"{"@context":"https://schema.org","@type":"Patient","name":"Jane Roe","birthDate":"1970-01-31","identifier":"H-77"}"#;
    assert!(json(linked)[0].contains("patient_id=H-77"), "{:?}", json(linked));
}

#[test]
fn an_entry_of_identifiers_has_an_id_of_its_own() {
    for entry in [
        r#""type":"MRN","value":"77123","id":"9f3c-11""#,
        r#""id":"9f3c-11","type":"MRN","value":"77123""#,
        r#""type":"MRN","number":"77123","id":"9f3c-11""#,
        r#""id":"9f3c-11","type":"MRN","number":"77123""#,
        r#""value":"77123","type":"MRN","identifier":"9f3c-11""#,
        r#""type":"MRN","id":"77123""#,
    ] {
        let text = format!(
            r#"{{"patient":{{"identifiers":[{{{entry}}}],"names":[{{"family":"Roe","given":"Jane"}}],"birthDate":"1970-01-31"}}}}"#
        );
        let got = json(&text);
        assert!(got.len() == 1 && got[0].contains("patient_id=77123"), "{entry}: {got:?}");
        assert!(!got[0].contains("9f3c"), "{entry}: {got:?}");
    }
}

#[test]
fn animals_are_nobody() {
    for text in [
        r#"{"patient":{"name":"Bello","species":"dog","birthDate":"1970-01-31","mrn":"77"},"owner":{"name":"Jane Roe"}}"#,
        r#"{"patientId":"77","patientName":"Bello Roe","breed":"Poodle","dob":"1970-01-31"}"#,
        r#"{"patient":{"id":"77","name":"Minka","type":"cat","dob":"1970-01-31"}}"#,
    ] {
        assert_eq!(json(text), [""; 0], "{text}");
    }
    for text in [
        r#"{"patient":{"mrn":"77","patient_name":"Jane Roe","dob":"1970-01-31","species":"Homo sapiens"}}"#,
        r#"{"patient":{"mrn":"77","patient_name":"Jane Roe","dob":"1970-01-31","allergies":[{"name":"Hair","type":"cat"}]}}"#,
    ] {
        assert_eq!(json(text).len(), 1, "{text}");
    }
}

#[test]
fn attributes_under_tags_with_commas() {
    let tags = r#"{"0008,0005":{"Name":"SpecificCharacterSet","Type":"String","Value":"ISO_IR 100"},"0010,0010":{"Name":"PatientName","Type":"String","Value":"Roe^Jane"},"0010,0020":{"Name":"PatientID","Type":"String","Value":"H-77"},"0010,0030":{"Name":"PatientBirthDate","Type":"String","Value":"19700131"},"0008,0090":{"Name":"ReferringPhysicianName","Type":"String","Value":"House^Greg"}}"#;
    let read = records("application/json", tags.as_bytes());
    assert_eq!(read.len(), 1, "{read:?}");
    for said in ["name=Roe^Jane", "patient_id=H-77", "birth_date=19700131"] {
        assert!(read[0].contains(said), "{said} in {read:?}");
    }
    assert!(!read[0].contains("House"), "{read:?}");
}

#[test]
fn changes_name_their_fields() {
    let audit = r#"{"resource":"patient","changes":[{"field":"firstName","old":null,"new":"Jane"},{"field":"lastName","old":"Li","new":"Roe"},{"field":"birthDate","old":null,"new":"1970-01-31"}],"mrn":"H-77"}"#;
    let read = records("application/json", audit.as_bytes()).concat();
    for said in ["Jane", "Roe", "birth_date=1970-01-31", "patient_id=H-77"] {
        assert!(read.contains(said), "{said} in {read}");
    }
}

#[test]
fn interchanges_in_strings() {
    let x12 = "ISA*00*          *00*          *ZZ*SENDERID       *ZZ*RECEIVERID     *250601*1200*^*00501*000000001*0*P*:~GS*HS*S*R*20250601*1200*1*X*005010X279A1~ST*270*0001*005010X279A1~BHT*0022*13*1*20250601*1200~HL*1**20*1~NM1*PR*2*ABC*****PI*84~HL*2*1*21*1~NM1*1P*2*CLINIC*****XX*1234567893~HL*3*2*22*0~NM1*IL*1*ROE*JANE****MI*W77012345~DMG*D8*19700131*F~SE*10*0001~GE*1*1~IEA*1*000000001~";
    let read = records("application/json", format!("{{\"edi\":\"{x12}\"}}").as_bytes());
    assert_eq!(read.len(), 1, "{read:?}");
    assert!(read[0].contains("x12") && read[0].contains("name=ROE^JANE"), "{read:?}");
    let word = r#"{"a":"ISAAC","b":"UNABLE to","c":"ISA* and UNA: are how they begin"}"#;
    assert_eq!(records("application/json", word.as_bytes()), [""; 0]);
}

/// Behind a gap, objects with a known beginning are read.
#[test]
fn behind_a_gap_it_goes_on_at_the_next_object() {
    use crate::content::Media;
    use crate::content::testing::with_gap_of;
    let media = |content_type| Media::Type { content_type, name: "" };
    let patient = |n: u32| format!(r#"{{"patient_name":"Ann Lee{n}","mrn":"12{n}"}}"#);
    let shown =
        |n: u32| format!("http>json:~json [PatientContext] name=Ann Lee{n} patient_id=12{n}");
    // The layer in front is not of interest.
    let names = |text: Vec<String>| -> Vec<String> {
        text.iter()
            .filter_map(|line| line.split_once(' ').map(|(_, rest)| rest.to_owned()))
            .collect()
    };
    let expected = |ns: &[u32]| names(ns.iter().map(|n| shown(*n)).collect());
    for (content_type, open, between, end) in [
        ("application/x-ndjson", "", "\n", "\n"),
        ("application/json", "[", ",\n  ", "]"),
        ("application/json", r#"{"total":4,"results":["#, ",", r#"],"next":null}"#),
    ] {
        let before =
            format!("{open}{}{between}{}{between}{{\"patient_name\":\"Jo", patient(1), patient(2));
        let after = format!(
            "12\",\"x\":{{\"mrn\":\"9\"}}}}{between}{}{between}{}{end}",
            patient(3),
            patient(4)
        );
        let got = with_gap_of(media(content_type), before.as_bytes(), 9, after.as_bytes());
        let got: Vec<String> =
            names(got).into_iter().filter(|line| !line.contains("name=Jo")).collect();
        assert_eq!(got, expected(&[1, 2, 3, 4]), "{content_type} {open}");
    }
    // Resources of a bundle, whatever the entries before were.
    let resource = |n: u32| {
        format!(
            r#"{{"resource" : {{ "resourceType":"Patient","id":"{n}","name":[{{"family":"Lee{n}"}}],"birthDate":"1980-02-0{n}"}}}}"#
        )
    };
    let before = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic","text":"#;
    let after = format!(r#"x {{ \"resourceType\":1 }}"}}}},{},{}]}}"#, resource(3), resource(4));
    let got = with_gap_of(media("application/fhir+json"), before.as_bytes(), 9, after.as_bytes());
    let found =
        |n: u32| got.iter().any(|line| line.contains(&format!("Lee{n} birth_date=1980-02-0{n}")));
    assert!(found(3) && found(4), "{got:?}");
    assert_eq!(got.len(), 2, "{got:?}");
    // No end of objects costs no depth of calls.
    let many = "{\"resourceType\":\"Basic\"},".repeat(50_000);
    with_gap_of(media("application/json"), b"[", 9, many.as_bytes());
}
