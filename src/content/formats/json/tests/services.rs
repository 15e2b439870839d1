//! Records of services: health plans, registers, systems of hospitals.

use super::json;

/// Whether there is one record, of a patient, with these fields.
fn is_patient(text: &str, fields: &[&str]) -> bool {
    let got = json(text);
    let whole = got.len() == 1 && got[0].contains("[PatientContext");
    assert!(whole && fields.iter().all(|field| got[0].contains(field)), "{text}: {got:?}");
    true
}

/// Whether no record is one of a patient.
fn is_no_patient(text: &str) -> bool {
    let got = json(text);
    assert!(got.iter().all(|record| !record.contains("PatientContext")), "{text}: {got:?}");
    true
}

#[test]
fn whoever_a_health_plan_names_is_insured_there() {
    let person =
        r#""firstName":"Jane","lastName":"Roe","memberId":"W77123","dateOfBirth":"1970-01-31""#;
    let staff =
        r#""provider":{"firstName":"Otto","lastName":"Low"},"payer":{"id":"1","name":"Alpha"}"#;
    for plan in [r#""payerCode":"00001""#, r#""tradingPartnerServiceId":"77""#] {
        for role in ["subscriber", "member"] {
            let text = format!("{{{plan},{staff},\"{role}\":{{{person}}}}}");
            assert!(is_patient(&text, &[" name=Roe^Jane ", "birth_date=1970-01-31"]));
        }
        let family = format!(
            "{{{plan},\"subscriber\":{{{person}}},\"dependents\":[{{{}}}]}}",
            person.replace("Jane", "Ida")
        );
        let got = json(&family);
        assert_eq!(got.len(), 2, "{got:?}");
    }
    let pharmacy = format!("{{\"rx_bin\":\"610014\",\"pharmacist\":{{{person}}}}}");
    assert!(is_no_patient(&pharmacy));
    for club in [r#""program":"Miles""#, r#""magazine":"Gardens","renewal":"2026-05-01""#] {
        assert!(is_no_patient(&format!("{{{club},\"subscriber\":{{{person}}}}}")));
        assert!(is_no_patient(&format!("{{{club},\"members\":[{{{person}}}]}}")));
    }
}

#[test]
fn names_of_several_words_that_end_in_a_word_for_staff() {
    let person = r#""mrn":"H-77123","first_name":"Jane","last_name":"Roe","dob":"1970-01-31""#;
    for staff in ["primary_doctor", "clinicalUser", "attending_physician"] {
        let text = format!("{{\"patients\":[{{{person},\"{staff}\":{{\"name\":\"Otto Low\"}}}}]}}");
        assert!(is_patient(&text, &[" name=Roe^Jane "]));
        assert!(!json(&text).concat().contains("Otto"), "{staff}");
    }
}

#[test]
fn parts_of_a_fhir_resource_that_give_their_types() {
    let text = r#"{"resourceType":"Patient","id":"1","birthDate":"1970-01-31",
        "name":{"resourceType":"HumanName","family":"Roe","given":"Jane"},
        "contact":{"name":{"resourceType":"HumanName","family":"Low","given":"Otto"}}}"#;
    assert!(is_patient(text, &[" name=Roe^Jane", "next_of_kin_name=Low^Otto"]));
}

#[test]
fn numbers_of_patients_whose_type_is_only_referred_to() {
    let patient = |number: &str| {
        format!(
            r#"{{"patient":{{"gender":"F","birthdate":"1970-01-31","name":{{"givenName":"Jane","familyName":"Roe"}},
            "identifiers":[{{"identifier":"{number}","identifierType":{{"uuid":"66784d84-977f-11e1-8993-905e29aff6c1"}}}}]}}}}"#
        )
    };
    assert!(is_patient(&patient("MGT 508"), &["patient_id=MGT 508"]));
    assert!(!json(&patient("2.16.840.1.113883.19.5")).concat().contains("patient_id"));
}

#[test]
fn the_subject_of_an_openehr_record() {
    let status = r#"{"_type":"EHR_STATUS","name":{"value":"EHR Status"},"subject":{"external_ref":{"id":{"_type":
        "GENERIC_ID","value":"NUMBER","scheme":"x"},"namespace":"patients","type":"PERSON"}},"is_queryable":true}"#;
    assert!(is_patient(&status.replace("NUMBER", "ins77123"), &["patient_id=ins77123"]));
    assert!(!json(status).concat().contains("EHR Status"));
    // The id of a record in another system is no number of a person.
    let other = status.replace("NUMBER", "8849182c-82ad-4088-a07f-48ead4180515");
    assert_eq!(json(&other), [""; 0]);
}

#[test]
fn a_word_for_a_patient_before_a_part_of_a_name_or_a_birth_date() {
    let text =
        r#"{"patientVorname":"Jane","patient_nachname":"Roe","patient-geburtsdatum":"31.01.1970"}"#;
    assert!(is_patient(text, &["name=Roe^Jane", "birth_date=31.01.1970"]));
    let behind =
        r#"{"nomPatient":"Roe","prenomPatient":"Jane","dateNaissancePatient":"31/01/1970"}"#;
    assert!(is_patient(behind, &["birth_date=31/01/1970"]));
    let part = r#"{"PatientInfo":{"ID":"H-77123","Name":"Roe, Jane"}}"#;
    assert!(is_patient(part, &["patient_id=H-77123", "name=Roe, Jane"]));
    let question = r#"{"q3_patientName":"Jane Roe","q4_patientDob":"1970-01-31"}"#;
    assert!(is_patient(question, &["name=Jane Roe", "birth_date=1970-01-31"]));
}

#[test]
fn a_name_beside_a_family_name_is_the_given_name() {
    let text = r#"{"paciente":{"nombreCompleto":"Joaquín","apellidos":"Zurita Peña","fechaNacimiento":"31/01/1970"}}"#;
    assert!(is_patient(text, &["name=Zurita Peña^Joaquín"]));
    let whole = r#"{"patient":{"name":"JANE ROE","last_name":"Roe","dob":"1970-01-31"}}"#;
    assert!(json(whole).concat().contains("name=JANE ROE"), "{:?}", json(whole));
}

#[test]
fn properties_that_hold_their_values() {
    let page = r#"{"properties": {
        "Patient Name": {"id": "title", "type": "title", "title": [{"type": "text", "text": {"content": "Jane Roe"}, "plain_text": "Jane Roe"}]},
        "DOB": {"type": "date", "date": {"start": "1970-01-31", "end": null}},
        "MRN": {"type": "rich_text", "rich_text": [{"text": {"content": "H-77123"}, "plain_text": "H-77123"}]}}}"#;
    let got = json(page);
    assert!(got.len() == 1, "{got:?}");
    for field in ["name=Jane Roe", "birth_date=1970-01-31", "patient_id=H-77123"] {
        assert!(got[0].contains(field), "{got:?}");
    }
    let people = r#"{"properties": {"Name": {"title": [{"plain_text": "Jane Roe"}]}, "Birthday": {"date": {"start": "1970-01-31"}}}}"#;
    let got = json(people);
    assert!(!got.iter().any(|line| line.contains("PatientContext")), "{got:?}");
}

#[test]
fn answers_of_graphql_for_fhir() {
    for answer in [
        r#"{"data": {"PatientConnection": {"edges": [{"resource": {"name": [{"family": "Roe", "given": ["Jane"]}], "birthDate": "1970-01-31"}}]}}}"#,
        r#"{"data": {"ObservationList": [{"code": {"text": "HbA1c"}, "subject": {"resource": {"name": [{"family": "Roe", "given": ["Jane"]}], "birthDate": "1970-01-31"}}}]}}"#,
    ] {
        let got = json(answer);
        assert!(got.len() == 1 && got[0].contains("[PatientContext]"), "{got:?}");
        assert!(
            got[0].contains("name=Roe^Jane") && got[0].contains("birth_date=1970-01-31"),
            "{got:?}"
        );
    }
    let staff = r#"{"data": {"PractitionerList": [{"name": [{"family": "Roe", "given": ["Jane"]}], "birthDate": "1970-01-31"}]}}"#;
    let got = json(staff);
    assert!(!got.iter().any(|line| line.contains("PatientContext")), "{got:?}");
}

#[test]
fn names_with_types_and_packages_of_services() {
    let fields = ["name=Roe^Jane", "birth_date=1970-01-31", "patient_id=H-77123"];
    for text in [
        r#"{"docs": [{"mrn_s": "H-77123", "first_name_s": "Jane", "last_name_s": "Roe", "dob_dt": "1970-01-31"}]}"#,
        r#"{"records": [{"FirstName": "Jane", "LastName": "Roe", "PersonBirthdate": "1970-01-31", "HealthCloudGA__MedicalRecordNumber__c": "H-77123"}]}"#,
    ] {
        let got = json(text);
        assert!(got.len() == 1 && fields.iter().all(|field| got[0].contains(field)), "{got:?}");
    }
    // A date and a time without separators is no number of milliseconds.
    let stamp = json(r#"{"mrn": "H-77123", "dob": "194905260000"}"#);
    assert!(stamp[0].contains("birth_date=194905260000"), "{stamp:?}");
    // The texts of a program in one language.
    let texts = r#"{"patient": {"name": "Patient name", "dob": "Date of birth", "mrn": "Medical record number", "address": "Address"}}"#;
    assert_eq!(json(texts), [""; 0]);
}

#[test]
fn the_class_of_an_object_says_whose_number_it_has() {
    let line = "http>json:~json [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31";
    let text = |class: &str| {
        format!(r#"{{{class},"id":"77","name":"Jane Roe","birthDate":"1970-01-31"}}"#)
    };
    for class in [
        r#""@class":"org.clinic.model.Patient""#,
        r#""$type":"Clinic.Patient, Clinic""#,
        r#""_class":"com.example.Patient""#,
        r#""__class__":"Patient""#,
    ] {
        assert_eq!(json(&text(class)), [line], "{class}");
    }
    for class in [
        r#""@class":"org.clinic.model.Doctor""#,
        r#""@class":"org.patient.model.Doctor""#,
        r#""$type":"Clinic.PatientFactory, Patient""#,
    ] {
        let got = json(&text(class)).concat();
        assert!(!got.contains("patient_id") && !got.contains("PatientContext"), "{class}: {got}");
    }
}
