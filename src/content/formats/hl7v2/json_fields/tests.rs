use super::*;
use crate::content::testing::records;

const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";

#[test]
fn fields_by_their_names() {
    for text in [
        r#"{"MSH-9":"ADT^A01","PID-3":"H-77","PID-5.1":"Roe","PID-5.2":"Jane","PID-7":"19700131","PID-8":"F","PV1-2":"I"}"#,
        r#"{"fields":{"MSH-9":"ADT^A01","PID-3":"H-77","PID-5":"Roe^Jane","PID-7":"19700131","PID-8":"F"}}"#,
        r#"{"segments":{"MSH":{"MSH_9":"ADT^A01"},"PID":{"PID_3":"H-77^^^H^MR","PID_5":"Roe^Jane","PID_7":19700131,"PID_8":"F"}}}"#,
        r#"{"PID.3.1":"H-77","PID.5.1.1":"Roe","PID.5.2":"Jane","PID.7":"19700131","PID.8":"F"}"#,
        r#"{"parsedData":{"segments":[{"segmentId":"MSH","fields":{"8.1":"ADT","0":"MSH","1":"^~\\\\&","8.2":"A01"}},{"segmentId":"PID","setId":"1","fields":{"0":"PID","3[0].1":"H-77","3[0].4":"H","5[0].1":"Roe","5[0].2":"Jane","7":"19700131","8":"F"}}]}}"#,
        r#"[{"fields":{"3[0].1":"H-77","5[0].1":"Roe","5[0].2":"Jane","7":"19700131","8":"F"},"segmentId":"PID"}]"#,
        r#"{"/MSH-9-1":"ADT","/PATIENT/PID-3-1":"H-77","/.PID-5-1":"Roe","/PID-5-2":"Jane","/PID-7":"19700131","/PID-8":"F"}"#,
        r#"[{"field":"PID.3","name":"List","value":"H-77"},{"field":"PID.5","value":"Roe^Jane"},{"field":"PID.7","value":"19700131"},{"field":"PID.8","value":"F"},{"field":"PV1.7","value":"7^Doe^Max"}]"#,
    ] {
        let got = records("application/json", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
    }
}

#[test]
fn fields_in_objects() {
    for text in [
        r#"{"MSH":{"9":{"1":"ADT"}},"PID":{"1":"1","3":[{"1":"H-77","4":{"1":"H"}}],"5":{"1":{"1":"Roe"},"2":"Jane"},"7":"19700131","8":"F"},"PV1":{"7":{"2":"Doe"}}}"#,
        r#"{"name":"ADT_A01","msh":{"msh9":{"msg1":"ADT"}},"pid":{"pid3":[{"cx1":"H-77","cx4":{"hd1":"H"}}],"pid5":[{"xpn1":{"fn1":"Roe"},"xpn2":"Jane"}],"pid7":{"ts1":"19700131"},"pid8":"F"}}"#,
        r#"{"pid":{"set_id_pid":"1","patient_identifier_list":{"id_number":"H-77"},"patient_name":{"family_name":{"surname":"Roe"},"given_name":"Jane"},"date_time_of_birth":{"time":"19700131"},"administrative_sex":"F"},"pv1":{"attending_doctor":{"family_name":"Doe"}}}"#,
        r#"{"patientIdentification":{"patientIdentifierList":[{"idNumber":"H-77"}],"patientName":[{"familyName":"Roe","givenName":"Jane"}],"dateTimeOfBirth":"19700131","administrativeSex":"F"},"nextOfKin":[{"name":[{"familyName":"Doe"}]}]}"#,
        r#"{"patient":{"patientIdentifierList":"H-77^^^H","patientName":"Roe^Jane","dateTimeBirth":"19700131","administrativeSex":"F"}}"#,
        r#"{"Message":"A04","Params":{"PatientIdentifierList":"H-77","PatientName":"Roe^Jane","PatientBirthDate":"19700131","PatientAdministrativeSex":"F"}}"#,
        r#"{"PID":{"f3":{"c1":"H-77"},"f5":{"c1":"Roe","c2":"Jane"},"f7":"19700131","f8":"F"}}"#,
        r#"{"segments":[{"name":"PID","fields":[{"index":3,"value":"H-77"},{"index":5,"value":"Roe^Jane"},{"index":7,"value":"19700131"},{"index":8,"value":"F"}]},{"name":"NK1","fields":[{"index":2,"value":"Doe^Ann"}]}]}"#,
        r#"{"s":[{"segment":"PID","fields":[{"number":3,"components":[{"number":1,"text":"H-77"}]},{"number":5,"components":[{"number":1,"text":"Roe"},{"number":2,"text":"Jane"}]},{"number":7,"text":"19700131"},{"number":8,"text":"F"}]}]}"#,
        r#"[{"path":"PID-3.1","val":"H-77"},{"path":"PID-5.1","val":"Roe"},{"path":"PID-5.2","val":"Jane"},{"path":"PID-7","val":"19700131"},{"path":"PID-8","val":"F"},{"path":"NK1-2.1","val":"Doe"}]"#,
        r#"{"segments":[{"segment":"PID","fields":[{"id":"PID-3","value":{"id":"H-77"}},{"id":"PID-5","name":"patient_name","value":{"family_name":"Roe","given_name":"Jane"}},{"id":"PID-7","value":"19700131"},{"id":"PID-8","value":"F"}]}]}"#,
    ] {
        let got = records("application/json", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
    }
    let two = r#"{"x":[{"patientIdentifierList":"H-77","patientName":"Roe^Jane"},{"patientIdentifierList":"H-78","patientName":"Roe^Joan"}]}"#;
    assert_eq!(records("application/json", two.as_bytes()).len(), 2);
}

#[test]
fn descriptions_and_mappings_have_no_patient() {
    for text in [
        r#"{"PID-3":"Patient Identifier List","PID-5":"Patient Name","PID-7":"Date/Time of Birth","PID-8":"Administrative Sex"}"#,
        r#"{"PID-3.1":"patient.identifier.0","PID-5.1":"patient.name.family","PID-7":"patient.birthDate"}"#,
        r#"{"patientIdentifierList":{"type":"CX","required":true},"patientName":{"type":"XPN"},"dateTimeOfBirth":{"type":"TS"}}"#,
        r#"{"segments":[{"name":"PID","fields":[{"index":3,"value":"Patient Identifier List"},{"index":5,"value":"Patient Name"},{"index":7,"value":"Date of birth"}]}]}"#,
        r#"[{"position":3,"name":"patientIdentifierList","type":"CX"},{"position":5,"name":"patientName","type":"XPN"}]"#,
    ] {
        let got = records("application/json", text.as_bytes());
        assert_eq!(got, [""; 0], "{text}");
    }
}

#[test]
fn places_of_members() {
    assert_eq!(place("3[1].4.2"), Some([3, 2, 4, 2]));
    assert_eq!(field("PID_5_2"), Some((*b"PID", [5, 1, 2, 1])));
    for no in ["", "x", "0", "3[", "3[a]", "3.1.2.4", "999", "3[65535]"] {
        assert_eq!(place(no), None, "{no}");
    }
}

#[test]
fn cuts_and_nesting() {
    let whole = br#"{"a":[{"fields":{"3[0].1":"H-77","7":[1,{"x":{}}]},"segmentId":"PID"}],"PID-3":"7","PID-5":{"a":1},"PID_7":null}"#;
    for end in 0..whole.len() {
        records("application/json", &whole[..end]);
    }
    let deep = [r#"{"PID-3":"7","PID-5":"#, &"[".repeat(200), &"]".repeat(200), "}"].concat();
    records("application/json", deep.as_bytes());
}
