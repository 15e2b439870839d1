use super::*;
use crate::content::testing::{records, records_of};

fn form(text: &str) -> Vec<String> {
    records("application/x-www-form-urlencoded", text.as_bytes())
}

fn target(text: &str) -> Vec<String> {
    let whole = records_of(Media::Target, &[], text.as_bytes(), usize::MAX);
    assert_eq!(records_of(Media::Target, &[], text.as_bytes(), 3), whole);
    whole
}

#[test]
fn a_registration_in_spanish() {
    let got = form(
        "apellido=Gonz%C3%A1lez&nombre=Ver%C3%B3nica&dob=1936-03-01&mrn=H0740840&phone=%2B34+912&x=%zz",
    );
    assert_eq!(
        got,
        ["http>form:~form [PatientContext] name=González^Verónica birth_date=1936-03-01 \
         patient_id=H0740840 phone=+34 912",]
    );
    assert_eq!(
        form("patient%5Bfirst_name%5D=J&patient%5Blast_name%5D=D%F6&patient[dob]=1970-01-01"),
        ["http>form:~form [PatientContext] name=Dö^J birth_date=1970-01-01",]
    );
}

#[test]
fn names_of_components_and_texts_of_messages() {
    let fields = "patient_id=H77123 name=Roe^Jane birth_date=1970-01-31";
    for text in [
        "form%3ApatientNo=H77123&form%3ApatientSurname=Roe&form%3ApatientForename=Jane&form%3ApatientDob=1970-01-31&javax.faces.ViewState=1",
        "ctl00%24Main%24PatientID=H77123&ctl00%24Main%24LastName=Roe&ctl00%24Main%24FirstName=Jane&ctl00%24Main%24DOB=1970-01-31",
    ] {
        assert_eq!(form(text), [format!("http>form:~form [PatientContext] {fields}")], "{text}");
    }
    let message =
        form("To=%2B15550143&Body=Chart+of+Jane+Roe+%28MRN+H77123%2C+DOB+1970-01-31%29+is+open")
            .concat();
    assert!(
        message.contains("patient_id=H77123") && message.contains("name=Jane Roe"),
        "{message}"
    );
}

#[test]
fn a_search_of_fhir_is_a_question_for_a_patient() {
    assert_eq!(
        target("/fhir/Patient?family:exact=Moran&given=Jon&birthdate=ge1970-02-23"),
        ["http>target:~target [Query] [PatientContext] name=Moran^Jon birth_date=1970-02-23",]
    );
    assert_eq!(
        target("/fhir/Patient?identifier=urn:oid:1.2%7CH-17&name=x"),
        ["http>target:~target [Query] [PatientContext] patient_id=H-17 name=x",]
    );
    assert_eq!(
        target("/dicom-web/studies?PatientName=Doe*&PatientID=7"),
        ["http>target:~target [Query] [PatientContext] name=Doe patient_id=7",]
    );
}

#[test]
fn queries_without_patients_give_none() {
    for text in [
        "/search?q=name&page=2",
        "/shop?name=lamp&order_id=5&phone=5551234",
        "/fhir/Patient?_summary=count",
        "/?",
        "/dicom-web/studies?includefield=00100010&includefield=00100030",
        "/a?first_name=&last_name=&dob=",
    ] {
        assert_eq!(target(text), Vec::<String>::new(), "{text}");
    }
    // Clients send anything under this type.
    assert_eq!(form("{\"patient_name\":\"x=y\",\"mrn\":1}").len(), 1);
    assert!(form("name=lamp&sku=7&email=a@b.c").is_empty());
}

#[test]
fn identifiers_in_paths_are_read() {
    for (path, fields) in [
        ("/api/patients/MRN0012345/labs", "patient_id=MRN0012345"),
        (
            "/patients/H-77123;dob=1970-01-31/notes?name=Jane+Roe",
            "birth_date=1970-01-31 patient_id=H-77123 name=Jane Roe",
        ),
        ("/mrn/0077123/dob/1970-01-31", "patient_id=0077123 birth_date=1970-01-31"),
        ("/patient/Jane%20Roe/birthdate/1970-01-31", "name=Jane Roe birth_date=1970-01-31"),
        ("/patients/last_name=Roe;mrn=0077123/x", "name=Roe patient_id=0077123"),
    ] {
        let line = format!("http>target:~target [Query] [PatientContext] {fields}");
        assert_eq!(target(path), [line], "{path}");
    }
    for path in [
        "/fhir/Patient/1234567",
        "/patients/search",
        "/patients/6f1e5c2a-1b2c-4d3e-8f90-123456789abc/labs",
        "/patients/2026-03-01/list",
        "/patient/Search/Results",
        "/name/lamp/id/12345",
        "/static/js/patient/main.1234.js",
        "/mrn/search",
        "/users/12345/email/a@b.c",
    ] {
        assert_eq!(target(path), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn other_character_sets() {
    let declared = records(
        "application/x-www-form-urlencoded; charset=windows-1251",
        b"patient_name=%C8%E2%E0%ED%EE%E2&mrn=7",
    );
    assert_eq!(declared, ["http>form:~form [PatientContext] name=Иванов patient_id=7"]);
    let own = form("patient_name=%8ER%93c%91%BE%98Y&mrn=7&_charset_=Shift_JIS");
    assert_eq!(own, ["http>form:~form [PatientContext] name=山田太郎 patient_id=7"]);
    let guessed =
        form("patient_name=%C8%E2%E0%ED%EE%E2+%CF%E5%F2%F0+%D1%E5%F0%E3%E5%E5%E2%E8%F7&mrn=7");
    assert_eq!(
        guessed,
        ["http>form:~form [PatientContext] name=Иванов Петр Сергеевич patient_id=7"]
    );
}

#[test]
fn the_type_of_a_reference_is_no_name() {
    for (target_, number) in [
        ("/Observation?subject:Patient=example", "example"),
        ("/Encounter?subject:Patient=77123&date=ge2026-01-01", "77123"),
        ("/Appointment?actor:Practitioner=house", "house"),
        ("/AuditEvent?agent:RelatedPerson=ann", "ann"),
    ] {
        let got = target(target_);
        let named = format!("name={number}");
        assert!(got.iter().all(|record| !record.contains(&named)), "{target_}: {got:?}");
    }
}

#[test]
fn members_under_somebody_else_are_not_the_patients() {
    let line = "http>form:~form [PatientContext] name=Roe^Jane birth_date=1970-01-31";
    for text in [
        "Patient.LastName=Roe&Patient.FirstName=Jane&Patient.DateOfBirth=1970-01-31&Provider.LastName=Poe",
        "patient%5Blast_name%5D=Roe&patient%5Bfirst_name%5D=Jane&patient%5Bdob%5D=1970-01-31&user%5Bname%5D=Alan+Poe",
    ] {
        assert_eq!(form(text), [line], "{text}");
    }
    assert_eq!(
        form("user%5Blast_name%5D=Roe&user%5Bfirst_name%5D=Jane&user%5Bdob%5D=1970-01-31"),
        [""; 0]
    );
}

#[test]
fn lists_of_people_and_members_of_rails() {
    let people = [
        "http>form:~form [PatientContext] name=Roe^Jane birth_date=1970-01-31",
        "http>form:~form [PatientContext] name=Doe^Max birth_date=1961-04-12",
    ];
    for list in ["Patients[0].{}", "model.Patients[0].{}", "patients[0][{}]"] {
        let text: Vec<String> = [(0, "Jane", "Roe", "1970-01-31"), (1, "Max", "Doe", "1961-04-12")]
            .iter()
            .flat_map(|(row, given, family, born)| {
                let name = |own: &str| list.replace('0', &row.to_string()).replace("{}", own);
                [
                    format!("{}={given}", name("FirstName")),
                    format!("{}={family}", name("LastName")),
                    format!("{}={born}", name("patientDob")),
                ]
            })
            .collect();
        assert_eq!(form(&text.join("&")), people, "{list}");
    }
    let set = "form-TOTAL_FORMS=2&form-0-patient_name=Jane+Roe&form-0-dob=1970-01-31&form-1-patient_name=Max+Doe&form-1-dob=1961-04-12";
    let got = form(set);
    assert!(got.len() == 2 && got[1].contains("name=Max Doe birth_date=1961-04-12"), "{got:?}");
    // The names and numbers of one person.
    assert_eq!(
        form("names[0].givenName=Jane&names[0].familyName=Roe&patient.birthdate=1970-01-31"),
        ["http>form:~form [PatientContext] birth_date=1970-01-31 name=Roe^Jane"]
    );
    let nested = "visit[patient_attributes][first_name]=Jane&visit[patient_attributes][last_name]=Roe&visit[patient_attributes][dob(1i)]=1970&visit[patient_attributes][dob(2i)]=1&visit[patient_attributes][dob(3i)]=31&visit[guardian_attributes][first_name]=Ann&visit[guardian_attributes][last_name]=Doe";
    assert_eq!(form(nested), people[..1]);
    for other in [
        "order[customer_attributes][first_name]=Jane&order[customer_attributes][last_name]=Roe&order[ward]=3",
        "Users[0].FirstName=Jane&Users[0].LastName=Roe&Users[0].DateOfBirth=1970-01-31&Users[1].FirstName=Max&Users[1].LastName=Doe",
        "List[0].Name=Jane Roe&List[0].Quantity=3&List[1].Name=Max Doe&List[1].Quantity=1",
    ] {
        let got = form(other);
        assert!(!got.iter().any(|line| line.contains("PatientContext")), "{other}: {got:?}");
    }
}

#[test]
fn short_names_and_those_of_readers() {
    assert_eq!(
        form("pname=Jane+Roe&pdob=1970-01-31&pgender=F"),
        ["http>form:~form [PatientContext] name=Jane Roe birth_date=1970-01-31 sex=F"]
    );
    assert_eq!(form("pname=Jane+Roe&product=7"), [""; 0]);
    assert_eq!(
        form("your-name=Jane+Roe&your-dob=1970-01-31&symptoms=cough"),
        ["http>form:~form [PatientContext] name=Jane Roe birth_date=1970-01-31"]
    );
    let raw = r#"rawRequest={"q3_patientName":{"first":"Jane","last":"Roe"},"q4_dateOfBirth":{"month":"01","day":"31","year":"1970"}}"#;
    let got = form(raw);
    assert!(got.len() == 1 && got[0].contains("name=Roe^Jane birth_date=1970-01-31"), "{got:?}");
}
