use crate::content::testing::records;

const JANE: &str =
    "http>yaml:~yaml [PatientContext] patient_id=H-77 name=Roe^Jane birth_date=1970-01-31";
const MAX: &str =
    "http>yaml:~yaml [PatientContext] patient_id=H-78 name=Li^Max birth_date=1980-02-01";

fn read(text: &str) -> Vec<String> {
    records("text/plain; charset=utf-8", text.as_bytes())
}

#[test]
fn records_of_patients() {
    for text in [
        "patients:\n  - mrn: H-77\n    name:\n      family: Roe\n      given: [Jane]\n    birthDate: 1970-01-31\n  - mrn: 'H-78'\n    name: {family: Li, given: [Max]}\n    birthDate: \"1980-02-01\"\n",
        "---\npatients:\n- mrn: H-77 # number\n  name:\n    family: \"\\x52oe\"\n    given:\n    - Jane\n  birthDate: 1970-01-31\n- &two\n  mrn: H-78\n  name:\n    family: !!str Li\n    given:\n    - Max\n  birthDate: 1980-02-01\n",
        "patients: [{mrn: H-77, last_name: Roe, first_name: 'Jane', dob: 1970-01-31},\n  {mrn: H-78, last_name: Li, first_name: Max, dob: 1980-02-01}]\nversion: 1\nnext:\n  page: 2\n",
        "---\nmrn: H-77\nlast_name: Roe\nfirst_name: Jane\ndob: 1970-01-31\n---\nmrn: H-78\nlast_name: Li\nfirst_name: Max\ndob: 1980-02-01\n...\n",
    ] {
        assert_eq!(read(text), [JANE, MAX], "{text}");
    }
}

#[test]
fn labelled_text_in_a_block() {
    let text = "report:\n  title: CT\n  body: |\n    Patient: Jane Roe\n    MRN: H-77\n    DOB: 1970-01-31\n  page: 1\n";
    let line =
        "http>yaml:~yaml [PatientContext] name=Jane Roe patient_id=H-77 birth_date=1970-01-31";
    assert_eq!(read(text), [line]);
}

#[test]
fn descriptions_and_notes_are_no_records() {
    for text in [
        "openapi: 3.0.0\ncomponents:\n  schemas:\n    Patient:\n      example:\n        mrn: H-77\n        name: Jane Roe\n        birthDate: 1970-01-31\n",
        "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_USER: patient\n",
        "name: Jane Roe\nversion: 1.0\nauthor:\n  email: a@b.example\n",
        "a: *alias\nb:\n  - {\n  c: [\n",
    ] {
        assert_eq!(read(text), [""; 0], "{text}");
    }
    // A letter stays text.
    let letter = read("Patient: Jane Roe\nDOB: 1970-01-31\nMRN: H-77\n");
    assert!(letter[0].contains("~text"), "{letter:?}");
}

#[test]
fn fields_of_messages_by_their_names() {
    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    for text in [
        "payload:\n  - 'MSH|^~\\&|LAB|K|E|K|2026||ADT^A01|1|P|2.5'\n  - 'PID|1||H-77||Roe^Jane||19700131|F'\n  - 'NK1|1|Doe^Ann|SPO'\n",
        "segments:\n- name: PID\n  fields:\n  - ''\n  - '1'\n  - ''\n  - H-77^^^K^MR\n  - ''\n  - Roe^Jane\n  - ''\n  - '19700131'\n  - F\n",
        "MSH:\n  MSH.9: ADT\nPID:\n  PID.3:\n    PID.3.1: H-77\n  PID.5:\n    PID.5.1: Roe\n    PID.5.2: Jane\n  PID.7: 19700131\n  PID.8: F\n",
        "segments:\n- name: PID\n  fields:\n    3: H-77\n    5: Roe^Jane\n    7: 19700131\n    8: F\n- name: PV1\n  fields:\n    7: 9^Doe\n",
        "message:\n  PID-3: H-77\n  PID-5: Roe^Jane\n  PID-7: '19700131'\n  PID-8: F\n",
    ] {
        let got = records("application/yaml", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
    }
    let described = "PID:\n  PID.3: Patient Identifier List\n  PID.5: Patient Name\n";
    assert_eq!(records("application/yaml", described.as_bytes()), [""; 0]);
}
