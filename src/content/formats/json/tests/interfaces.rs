//! Answers and messages of systems with interfaces of their own.

use super::json;
use crate::content::Media;
use crate::content::testing::records_of;

/// Whether each of these parts is in the only record of `text`.
fn check(text: &str, parts: &[&str]) {
    let got = json(text);
    assert_eq!(got.len(), 1, "{text}: {got:?}");
    for part in parts {
        assert!(got[0].contains(part), "{text}: {part} in {got:?}");
    }
}

#[test]
fn patients_of_openmrs_whatever_the_path() {
    let whole = r#"{"results":[{"uuid":"8d87","display":"77123 - Jane Roe","identifiers":[{"uuid":"8d88",
        "display":"OpenMRS ID = 77123"}],"person":{"uuid":"8d89","display":"Jane Roe","gender":"F",
        "birthdate":"1970-01-31T00:00:00.000+0000","dead":false},"voided":false}]}"#;
    check(whole, &["PatientContext", "patient_id=77123", "name=Jane Roe", "birth_date=1970-01-31"]);
    let listed = |kind: &str| {
        format!(
            r#"{{"results":[{{"uuid":"8d87","display":"77123 - Jane Roe","links":[{{"rel":"self",
            "uri":"http://emr/openmrs/ws/rest/v1/{kind}/8d87"}}]}}]}}"#
        )
    };
    check(&listed("patient"), &["patient_id=77123", "name=Jane Roe"]);
    for kind in ["location", "provider", "concept"] {
        assert!(json(&listed(kind)).is_empty(), "{kind}");
    }
    let device = r#"{"identifiers":[{"display":"Serial = 4711"}],"name":"Infusion Pump"}"#;
    assert!(json(device).iter().all(|record| !record.contains("patient_id")), "{:?}", json(device));
    let staff = r#"{"results":[{"display":"Jane Roe","person":{"display":"Jane Roe","birthdate":"1970-01-31"},
        "identifier":"47123"}]}"#;
    assert!(json(staff).iter().all(|record| !record.contains("PatientContext")));
}

#[test]
fn identifiers_with_their_type_beside_them() {
    check(
        r#"{"Patient":{"Identifiers":[{"ID":"H77123","IDType":"MR"},{"ID":"e167","IDType":"EHRID"}],
        "Demographics":{"FirstName":"Jane","LastName":"Roe","DOB":"1970-01-31"}}}"#,
        &["patient_id=H77123", "name=Roe^Jane", "birth_date=1970-01-31"],
    );
}

#[test]
fn numbers_in_attributes_and_heads_of_messages() {
    let list = "<?xml version=\"1.0\"?><r><patient id=\"H77123\" lastName=\"Roe\" firstName=\"Jane\" birthDate=\"1970-01-31\"/>\
        <patient id=\"H77124\" lastName=\"Li\" firstName=\"Max\" birthDate=\"1980-02-28\"/></r>";
    let got = crate::content::testing::records("application/xml", list.as_bytes());
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(
        got.concat().contains("patient_id=H77123") && got.concat().contains("patient_id=H77124")
    );
    let text = r#"{"Meta":{"DataModel":"PatientAdmin","Source":{"ID":"7ce6","Name":"Redox Dev Tools"}},
        "Patient":{"Demographics":{"FirstName":"Jane","LastName":"Roe","DOB":"1970-01-31"}}}"#;
    assert!(json(text).concat().contains("name=Roe^Jane"));
    assert!(!json(text).concat().contains("Redox"), "{:?}", json(text));
}

#[test]
fn an_object_before_and_behind_a_change_is_one_patient() {
    let change = |entity: &str| {
        format!(
            r#"{{"entity":"{entity}","entityId":"H77123","before":{{"firstName":"Jane","lastName":"Roe",
            "dateOfBirth":"1970-01-31"}},"after":{{"firstName":"Jane","lastName":"Roe","dateOfBirth":"1970-01-31"}}}}"#
        )
    };
    let got = json(&change("Patient"));
    assert!(!got.is_empty());
    for record in &got {
        assert!(record.contains("PatientContext") && record.contains("name=Roe^Jane"), "{got:?}");
    }
    assert!(json(&change("Employee")).iter().all(|record| !record.contains("PatientContext")));
}

#[test]
fn what_a_service_answers_about_a_patient() {
    check(
        r#"{"GetPatientResult":{"Id":"H77123","FirstName":"Jane","LastName":"Roe","BirthDate":"1970-01-31"}}"#,
        &["patient_id=H77123", "name=Roe^Jane", "birth_date=1970-01-31"],
    );
    let topic = r#"{"PatientSatisfactionResult":{"Name":"Jane Roe","BirthDate":"1970-01-31"}}"#;
    assert!(json(topic).iter().all(|record| !record.contains("PatientContext")));
    let staff = r#"{"GetEmployeeResult":{"Id":"H77123","FirstName":"Jane","LastName":"Roe","BirthDate":"1970-01-31"}}"#;
    assert!(json(staff).iter().all(|record| !record.contains("PatientContext")));
}

#[test]
fn fields_that_customers_of_salesforce_added() {
    check(
        r#"{"records":[{"attributes":{"type":"Patient__c"},"MRN__c":"H77123","First_Name__c":"Jane",
        "Last_Name__c":"Roe","Date_of_Birth__c":"1970-01-31"}]}"#,
        &["patient_id=H77123", "name=Roe^Jane", "birth_date=1970-01-31"],
    );
}

#[test]
fn messages_without_brackets_or_colons() {
    check(
        r#"{"ts":"2026-04-05T10:00:01","msg":"registered patient Jane Roe, dob 1970-01-31, mrn H77123"}"#,
        &["patient_id=H77123", "name=Jane Roe", "birth_date=1970-01-31"],
    );
}

#[test]
fn the_answer_of_a_cross_reference_of_patients() {
    check(
        r#"{"resourceType":"Parameters","parameter":[{"name":"targetIdentifier","valueIdentifier":{
        "system":"urn:oid:1.3.6","value":"H77123"}},{"name":"targetId","valueReference":{"reference":"Patient/7"}}]}"#,
        &["patient_id=H77123"],
    );
}

#[test]
fn a_birth_name_alone_is_no_further_name() {
    for names in [
        r#"{"use":"maiden","family":"Quandt"},{"use":"official","family":"Roe","given":["Jane"]}"#,
        r#"{"use":"official","family":"Roe","given":["Jane"]},{"use":"maiden","family":"Quandt"}"#,
    ] {
        let text =
            format!(r#"{{"resourceType":"Patient","name":[{names}],"birthDate":"1970-01-31"}}"#);
        check(&text, &["name=Roe^Jane birth_date=1970-01-31"]);
        assert!(!json(&text).concat().contains("Quandt"), "{names}");
    }
    check(
        r#"{"resourceType":"Patient","name":[{"family":"Roe"}],"birthDate":"1970-01-31"}"#,
        &["name=Roe"],
    );
    // CDA repeats the parts of a name with their qualifiers.
    let document = "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"><recordTarget><patientRole>\
        <id root=\"1.2\" extension=\"H77123\"/><patient><name><given>Jane</given><given qualifier=\"BR\">Jane</given>\
        <family qualifier=\"BR\">Roe</family><family qualifier=\"SP\">Roe</family></name></patient></patientRole>\
        </recordTarget></ClinicalDocument>";
    let got = crate::content::testing::records("application/xml", document.as_bytes()).concat();
    assert!(got.contains("name=Roe^Jane") && !got.contains("Roe Roe"), "{got}");
}

#[test]
fn who_did_it_is_not_the_patient() {
    let text = r#"{"subject":{"mrn":"H77123","legalName":{"first":"Jane","last":"Roe"},"dob":"1970-01-31"},
        "triggeredBy":{"user":"mli","name":"Max Li"}}"#;
    check(text, &["patient_id=H77123", "name=Roe^Jane"]);
    assert!(!json(text).concat().contains("Max"));
}

#[test]
fn a_resident_is_one_who_has_a_level_of_care() {
    let of = |rest: &str| {
        json(&format!(
            r#"{{"resident":{{"residentId":"H-77123","firstName":"Jane","lastName":"Roe","dateOfBirth":"1970-01-31"{rest}}}}}"#
        ))
    };
    let got = of(r#","careLevel":"SNF""#);
    assert_eq!(got.len(), 1);
    for part in ["patient_id=H-77123", "name=Roe^Jane", "birth_date=1970-01-31"] {
        assert!(got[0].contains(part), "{got:?}");
    }
    // A resident of a house, or a doctor in training.
    assert!(!of("").concat().contains("PatientContext"), "{:?}", of(""));
}

#[test]
fn the_given_name_under_the_name_of_a_party() {
    // GNU Health over the protocol of Tryton.
    let got = json(
        r#"{"result":[{"puid":"H-77123","name.name":"Jane","lastname":"Roe","dob":{"__class__":"date","year":1970,"month":1,"day":31}}]}"#,
    );
    assert!(got.len() == 1 && got[0].contains("name=Roe^Jane"), "{got:?}");
}

#[test]
fn a_patch_inside_an_object_is_one_change() {
    let patch = r#"{"correction": true, "patches": [
        {"op": "replace", "path": "/name/0/given/0", "value": "Jane"},
        {"op": "replace", "path": "/name/0/text", "value": "Jane Roe"},
        {"op": "replace", "path": "/birthDate", "value": "1970-01-31"}]}"#;
    let media = Media::Type { content_type: "application/json", name: "/fhir/Patient/9000000009" };
    assert_eq!(
        records_of(media, &[], patch.as_bytes(), usize::MAX),
        ["http>json:fhir birth_date=1970-01-31 name=Jane Roe"]
    );
}

#[test]
fn numbers_of_a_patient_have_their_kinds_beside_them() {
    let line =
        "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31 patient_id=H-77";
    for numbers in [
        r#""PatientIDs": [{"ID": "H-77", "Type": "EPI"}]"#,
        r#""patientIdentifiers": [{"id": "H-77", "type": "MRN"}]"#,
    ] {
        let patient = format!(
            r#"{{"LastName": "Roe", "FirstName": "Jane", "DOB": "1970-01-31", {numbers}}}"#
        );
        assert_eq!(json(&patient), [line], "{patient}");
    }
    let like_cda = r#"{"patient": {"last_name": "Roe", "first_name": "Jane", "dob": "1970-01-31",
        "identifiers": [{"identifier": "2.16.840.1.113883.19.5", "extension": "H-77"}]}}"#;
    assert!(json(like_cda).iter().any(|line| line.contains("H-77")), "{:?}", json(like_cda));
}

#[test]
fn dates_and_parts_of_names_in_objects_of_their_own() {
    let line = "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31";
    for birth in [
        r#"{"date": "1970-01-31", "precision": "DAY"}"#,
        r#"{"point": {"date": "1970-01-31", "precision": "day"}}"#,
    ] {
        let patient = format!(
            r#"{{"patient": {{"name": {{"last": "Roe", "first": "Jane"}}, "dob": {birth}}}}}"#
        );
        assert_eq!(json(&patient), [line], "{patient}");
    }
    let protocol_buffers = r#"{"patient": {"name": [{"family": {"value": "Roe"}, "given": [{"value": "Jane"}]}],
        "birthDate": "1970-01-31"}}"#;
    assert_eq!(json(protocol_buffers), [line]);
}

#[test]
fn drugs_and_clinics_beside_a_patient_are_none() {
    let line = "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31";
    for beside in [r#""clinic": {"name": "Mercy West"}"#, r#""pharmacy": {"name": "Corner Drugs"}"#]
    {
        let patient = format!(
            r#"{{"patient": {{"last_name": "Roe", "first_name": "Jane", "dob": "1970-01-31", {beside}}}}}"#
        );
        assert_eq!(json(&patient), [line], "{patient}");
    }
    let prescription = r#"{"patient": {"last_name": "Roe", "first_name": "Jane", "dob": "1970-01-31"},
        "prescription": {"name": "Nexium"}}"#;
    let read = json(prescription);
    assert!(read.len() == 1 && !read[0].contains("Nexium"), "{read:?}");
}

#[test]
fn what_is_false_is_no_context() {
    let user = |is: bool| {
        format!(
            r#"{{"user": {{"first_name": "Jane", "last_name": "Roe", "dob": "1970-01-31", "is_patient": {is}}}}}"#
        )
    };
    assert_eq!(
        json(&user(true)),
        ["http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31"]
    );
    assert_eq!(json(&user(false)), [""; 0]);
}
