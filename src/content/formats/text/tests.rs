use crate::content::testing::records;

fn text(text: &str) -> Vec<String> {
    records("text/plain; charset=utf-8", text.as_bytes())
}

#[test]
fn a_clinical_note_gives_one_patient() {
    let got = text(
        "PROGRESS NOTE\nPatient: Laura Daugherty\nMRN: H0931558\r\nDOB: 02/01/1957\n\
        Address: 2644 Roy Station, Anthonyland 11090\nPhone: (827) 555-0122\n\n\
        HPI: Daugherty is seen at 10:15 for follow-up. Home BP 150/92.\nPlan: increase lisinopril.",
    );
    assert_eq!(
        got,
        [
            "http>text:~text [PatientContext] name=Laura Daugherty patient_id=H0931558 birth_date=02/01/1957 \
         address=2644 Roy Station, Anthonyland 11090 phone=(827) 555-0122",
        ]
    );
}

#[test]
fn tables_with_both_characters_at_the_end_of_a_line() {
    let table = "| MRN | Name | DOB |\n|---|---|---|\n| 77 | Jane Roe | 1970-01-31 |\n| 78 | Otto Penn | 1951-04-12 |\n";
    let turned =
        "| Name | Jane Roe | Otto Penn |\n| DOB | 1970-01-31 | 1951-04-12 |\n| MRN | 77 | 78 |\n";
    for table in [table, turned] {
        let got = text(table);
        assert_eq!(got.len(), 2, "{got:?}");
        assert_eq!(text(&table.replace('\n', "\r\n")), got);
    }
}

#[test]
fn patients_in_lines_of_logs() {
    let log = |line: &str| {
        text(&format!(
            "10:15:01 INFO start\n2026-03-01 10:15:02,123 INFO [exec-3] {line}\n10:15:03 INFO done\n"
        ))
    };
    for line in [
        "Loaded patient Jane Roe (MRN H-77123)",
        "Found patient Jane Roe with MRN H-77123",
        "Creating patient Jane Roe MRN=H-77123",
        "Opened patient Jane Roe [H-77123]",
        "Patient Jane Roe (ID H-77123) admitted",
    ] {
        assert_eq!(
            log(line),
            ["http>text:~text [PatientContext] name=Jane Roe patient_id=H-77123"],
            "{line}"
        );
    }
    for line in [
        "Loaded patient module version 3.2 (build 4711)",
        "Patient Monitor Driver (MRN 47110)",
        "User Jane Roe (ID 47110) logged in",
    ] {
        let got = log(line);
        assert!(got.iter().all(|record| !record.contains("name=")), "{line}: {got:?}");
    }
}

#[test]
fn a_patient_segment_alone() {
    let got =
        text("10:15:02 DEBUG got PID|1||77^^^H^MR||Roe^Jane||19700131|F\n10:15:03 DEBUG ok\n");
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("patient_id=77") && got[0].contains("name=Roe^Jane"), "{got:?}");
    assert_eq!(text("10:15:02 DEBUG PID|started|by|root\n"), [""; 0]);
}

#[test]
fn messages_in_logs_and_between_remarks() {
    let message = "MSH|^~\\&|A|B|C|D|20260315||ADT^A01|7|P|2.5\rPID|1||H-77^^^H^MR||Roe^Jane||19700131|F\rPV1|1|I|W^1|||D7^House^Greg\r";
    for file in [
        format!("# export of today\n\n{}# end\n", message.replace('\r', "\r\n")),
        format!(
            "10:15:00 INFO [mllp-7] Received: {}\n10:15:01 INFO ack\n",
            message.replace('\r', "\\r")
        ),
        format!("10:15:00 DEBUG msg={}\nMRN: none\n", message.replace('\r', "<CR>")),
        format!("10:15:00 in:\n{}\n10:15:01 done", message.replace('\r', "\n")),
    ] {
        let read = text(&file);
        assert_eq!(read.len(), 1, "{file}: {read:?}");
        assert!(read[0].contains("hl7v2") && read[0].contains("name=Roe^Jane"), "{read:?}");
        assert!(read[0].contains("patient_id=H-77") && !read[0].contains("House"), "{read:?}");
    }
    // A program or a manual shows messages that are examples.
    let named = crate::content::Media::Type { content_type: "text/plain", name: "parser.py" };
    let program = format!("example = (\n{})\n", message.replace('\r', "\n"));
    let read = crate::content::testing::records_of(named, &[], program.as_bytes(), 64);
    assert_eq!(read, [""; 0]);
}

#[test]
fn several_labels_in_a_line_and_several_people() {
    let got = text(
        "Station 3\nName: Meier, Jürgen   Geburtsdatum: 01.02.1950  Patienten-ID: 77\n\
         Name: Schulz, Eva, geb: 03.04.1960, Patienten-ID: 78 Diagnose: I10\n",
    );
    assert_eq!(
        got,
        [
            "http>text:~text [PatientContext] name=Meier, Jürgen birth_date=01.02.1950 patient_id=77",
            "http>text:~text [PatientContext] [Diagnosis] name=Schulz, Eva birth_date=03.04.1960 patient_id=78",
        ]
    );
    assert_eq!(
        text("Patient name\nJane Roe\nDate of birth:\n1 May 1970\n"),
        ["http>text:~text [PatientContext] birth_date=1 May 1970",]
    );
}

#[test]
fn objects_in_the_lines_of_a_log() {
    let log = "[2026-03-01 10:15:02] production.INFO: saved {\"mrn\":\"77\",\"patient_name\":\"Jane } Roe\",\"dob\":\"1970-01-31\"} []\n\
        10:15:03 saved {\"mrn\": \"78\", \"patient_name\": \"Max Li\", \"dob\": \"1980-02-01\"}\n";
    let line = "http>text>json:~json [PatientContext] patient_id=";
    assert_eq!(
        text(log),
        [
            format!("{line}77 name=Jane }} Roe birth_date=1970-01-31"),
            format!("{line}78 name=Max Li birth_date=1980-02-01"),
        ]
    );
}

#[test]
fn tables_drawn_with_characters_are_read() {
    let line = "http>text:~text [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31";
    for table in [
        "# Ward 3\n\n| MRN | Name | DOB |\n|-----|:----:|----:|\n| 77 | Jane Roe | 1970-01-31 |\n\nText\n",
        "+-----+----------+------------+\n| mrn | name     | dob        |\n+-----+----------+------------+\n|  77 | Jane Roe | 1970-01-31 |\n+-----+----------+------------+\n1 row in set\n",
        " mrn |   name   |    dob     \n-----+----------+------------\n 77  | Jane Roe | 1970-01-31\n(1 row)\n",
    ] {
        assert_eq!(text(table), [line], "{table}");
    }
    assert!(
        text("| Option | Name | Type |\n|---|---|---|\n| dob | Date of birth | date |\n")
            .is_empty()
    );
}

#[test]
fn letters_name_whom_they_are_about_beside_the_birth_date() {
    let line = "http>text:~text [PatientContext]";
    for (letter, fields) in [
        (
            "Re: Mr. Arthur Penn, DOB: 02/03/1955, MRN: 7781234\n",
            "name=Arthur Penn birth_date=02/03/1955 patient_id=7781234",
        ),
        (
            "Arztbrief\n\nwir berichten über\nHerrn Otto Roe, geb. am 12.04.1951, wohnhaft Hamburg,\n",
            "name=Otto Roe birth_date=12.04.1951",
        ),
        ("Betr.: Patient Roe, Erika, geb. 03.05.1948\n", "name=Roe, Erika birth_date=03.05.1948"),
        ("Pacjent: ROE ANNA, data ur. 12.03.1950, nr 7\n", "name=ROE ANNA birth_date=12.03.1950"),
        (
            "PATIENT: ROE,JANE   ID: 123987   DOB: 01 Oct 1924\n",
            "name=ROE,JANE patient_id=123987 birth_date=01 Oct 1924",
        ),
        ("Patient: Jane Roe\nID: 123987\n", "name=Jane Roe patient_id=123987"),
        ("Patient name\tJane Roe\nDOB\t1970-01-31\n", "name=Jane Roe birth_date=1970-01-31"),
        (
            "Patient:                 Referring physician:\nJane Roe                 Dr. Greg House\nDOB: 1970-01-31\n",
            "name=Jane Roe birth_date=1970-01-31",
        ),
        ("Patient|Jane Roe\nDOB|1970-01-31\n", "name=Jane Roe birth_date=1970-01-31"),
    ] {
        assert_eq!(text(letter), [format!("{line} {fields}")], "{letter}");
    }
    // Neither the doctor nor the heading is.
    for letter in [
        "Patient seen by Dr. Greg House, DOB: 02/03/1955, MRN: 77\n",
        "Laboratory Report  DOB: 02/03/1955  MRN: 77\n",
    ] {
        let got = text(letter);
        assert!(got.iter().all(|line| !line.contains(" name=")), "{got:?}");
    }
}

#[test]
fn lists_in_columns() {
    let got = text(
        "WARD LIST 3N\n\nBed  Name                 DOB         MRN\n1    Roe, Jane            01/02/1940  100201\n\
         2    Li, Max              02/03/1941  100202\n3    Penn, Arthur         03/04/1942  100203\n",
    );
    assert_eq!(got.len(), 3, "{got:?}");
    assert!(got[1].contains("name=Li, Max birth_date=02/03/1941 patient_id=100202"), "{got:?}");
}

#[test]
fn statements_elements_and_pairs_in_one_line() {
    for line in [
        "2026-04-05 10:00:00 UTC [77] LOG:  statement: INSERT INTO patients (mrn, first_name, last_name, dob) VALUES ('H77123', 'Jane', 'Roe', '1970-01-31')\n",
        "2026-04-05 10:00:00 DEBUG sent <Patient mrn=\"H77123\" lastName=\"Roe\" firstName=\"Jane\" dob=\"1970-01-31\"/>\n",
        "Patient Name|Roe, Jane|MRN|H77123|DOB|1970-01-31|Sex|F\n",
        "[Patient]\nID=H77123\nName=Roe, Jane\nDOB=1970-01-31\n",
        "Paziente: Roe Jane  Data di nascita: 1970-01-31  ID: H77123\n",
    ] {
        let got = text(line);
        assert_eq!(got.len(), 1, "{line}: {got:?}");
        for part in ["Roe", "Jane", "birth_date=1970-01-31", "patient_id=H77123"] {
            assert!(got[0].contains(part), "{line}: {got:?}");
        }
    }
    for line in [
        "LOG: statement: INSERT INTO products (sku, name) VALUES ('77', 'Lamp')\n",
        "DEBUG sent <Lamp sku=\"77\" name=\"Lamp\"/>\n",
        "Mail from Jane Roe <jane@example.org>\n",
    ] {
        assert!(text(line).is_empty(), "{line}");
    }
}

#[test]
fn requests_in_the_log_of_a_web_server() {
    let got = text(
        "10.1.1.7 - li [05/Apr/2026:10:00:00 +0000] \"GET /patients?lastName=Roe&firstName=Jane&dob=1970-01-31&mrn=H77123 HTTP/1.1\" 200 512\n\
         10.1.1.7 - li [05/Apr/2026:10:00:01 +0000] \"GET /search?q=Jane+Roe&sort=name HTTP/1.1\" 200 9\n",
    );
    assert_eq!(got.len(), 1, "{got:?}");
    for part in ["name=Roe^Jane", "birth_date=1970-01-31", "patient_id=H77123"] {
        assert!(got[0].contains(part), "{got:?}");
    }
    for beside in ["\"GET /x?y=1 HTTP/1.1\"", "<Lamp sku=\"1\"/>"] {
        let got = text(&format!("Patient: Roe, Jane MRN: 77 {beside}\n"));
        assert!(got.len() == 1 && got[0].contains("name=Roe, Jane patient_id=77"), "{got:?}");
    }
    let got = text("\"GET /x?y=1 HTTP/1.1\" 200 Patient: Roe, Jane MRN: 77\n");
    assert!(got.len() == 1 && got[0].contains("name=Roe, Jane patient_id=77"), "{got:?}");
}

#[test]
fn prose_has_no_patient() {
    for prose in [
        "Backup share of ward 3B. Do not publish.\n",
        "Usage: tool --name NAME\nName: tool\nVersion: 1.2\n",
        "GET http://example.org/a?name=b\n",
        "The patient: who is it? See PID-5 for the name: a field.\n",
    ] {
        assert_eq!(text(prose), Vec::<String>::new(), "{prose}");
    }
}

#[test]
fn messages_in_strings_of_programs_and_in_cells() {
    let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    let escaped =
        r"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\rPID|1||H-77^^^H^MR||Roe^Jane||19700131|F\r";
    let plain =
        "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\nPID|1||H-77^^^H^MR||Roe^Jane||19700131|F\n";
    for (media, text) in [
        ("text/plain", format!("2026-05-17T08:15:30Z DEBUG hl7: \"{escaped}\"\n")),
        ("text/plain", format!("{{'message': '{escaped}', 'status': 'ok'}}\n")),
        ("text/csv", format!("id,received,message\n1,2026-05-17,\"{plain}\"\n")),
        ("application/sql", format!("INSERT INTO queue (id, raw) VALUES (7, '{plain}');\n")),
        (
            "application/json",
            format!("{{\"records\":[{{\"key\":\"a\",\"value\":\"{escaped}\"}}]}}"),
        ),
    ] {
        let got = records(media, text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
    }
}

#[test]
fn interchanges_between_lines_of_text() {
    let isa = "ISA*00*          *00*          *ZZ*S              *ZZ*R              *260517*1230*^*00501*000000905*0*P*:~";
    let body = "GS*HS*S*R*20260517*1230*1*X*005010X279A1~ST*270*1*005010X279A1~HL*3*2*22*0~NM1*IL*1*ROE*EVA****MI*H77~DMG*D8*19700131*F~EQ*30~SE*1*1~GE*1*1~IEA*1*000000905~";
    let lines = format!("{isa}{body}").replace('~', "~\n");
    for around in [
        format!("Hello,\n\nthis one was rejected:\n\n{lines}\nDOB of the other: 1 May\nRegards\n"),
        format!("2026-05-17 08:15:30 INFO outbound {isa}{body}\n2026-05-17 08:15:31 INFO done\n"),
    ] {
        let got = text(&around);
        let fields = "name=ROE^EVA insurance_number=H77 birth_date=19700131 sex=F";
        assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
    }
}

#[test]
fn hashes_of_ruby_in_logs() {
    let log = "Processing by PatientsController#create as HTML\n  Parameters: {\"utf8\"=>\"x\", \"patient\"=>{\"first_name\"=>\"Jane\", \"last_name\"=>\"Roe\", \"mrn\"=>\"H-77\", \"ward\"=>nil}}\n";
    let got = text(log);
    assert!(got.len() == 1 && got[0].contains("name=Roe^Jane patient_id=H-77"), "{got:?}");
}

#[test]
fn values_in_the_marks_of_chats() {
    for message in [
        r#"{"text":"*Patient:* Jane Roe\n*Phone:* 555 0143 77"}"#,
        r#"{"body":"**Patient name:** ```Jane Roe```\n**DOB:** ```1970-01-31```"}"#,
    ] {
        let got = records("application/json", message.as_bytes());
        assert!(got.len() == 1 && got[0].contains("name=Jane Roe"), "{message}: {got:?}");
    }
}

#[test]
fn values_that_programs_print() {
    for line in [
        "INFO saved {'mrn': 'H-77123', 'first_name': 'Jane', 'last_name': 'Roe', 'dob': datetime.date(1970, 1, 31)}",
        "DEBUG Patient(mrn='H-77123', first_name='Jane', last_name='Roe', dob=datetime.date(1970, 1, 31))",
        "bad patient {'resourceType': 'Patient', 'identifier': [{'value': 'H-77123'}], 'name': [{'family': 'Roe', 'given': ['Jane']}], 'birthDate': '1970-01-31'}",
        "Array\n(\n    [mrn] => H-77123\n    [fname] => Jane\n    [lname] => Roe\n    [DOB] => 1970-01-31\n)",
    ] {
        let got = text(line);
        assert!(got.len() == 1, "{line}: {got:?}");
        for field in ["patient_id=H-77123", "name=Roe^Jane", "birth_date=1970-01-31"] {
            assert!(got[0].contains(field), "{line}: {got:?}");
        }
    }
    for line in [
        "INFO login {'user_id': 12, 'first_name': 'Jane', 'last_name': 'Roe', 'is_staff': True}",
        "{'title': 'Release', 'date': datetime.date(2026, 3, 2), 'owner': 'Jane Roe'}",
    ] {
        let got = text(line);
        assert!(!got.iter().any(|line| line.contains("PatientContext")), "{line}: {got:?}");
    }
}

#[test]
fn objects_that_programs_print() {
    for object in [
        "Patient(id=H-77123, lastName=Roe, firstName=Jane, birthDate=1970-01-31)",
        "Patient{id='H-77123', lastName='Roe', firstName='Jane', birthDate=1970-01-31}",
        "org.clinic.Patient@5e91993f[id=H-77123,lastName=Roe,firstName=Jane,birthDate=1970-01-31]",
        r#"Patient { id: Some("H-77123"), last_name: "Roe", first_name: "Jane", birth_date: Some("1970-01-31"), ward: None }"#,
        r##"#<Patient id: "H-77123", last_name: "Roe", first_name: "Jane", birth_date: "1970-01-31">"##,
        r##"#<Patient:0x00007f8a @id="H-77123", @last_name="Roe", @first_name="Jane", @birth_date="1970-01-31">"##,
        r#"main.Patient{ID:"H-77123", LastName:"Roe", FirstName:"Jane", DOB:"1970-01-31"}"#,
        "[Patient(id=H-77123, lastName=Roe, firstName=Jane, birthDate=1970-01-31)]",
        "Visit(patient=Patient(id=H-77123, lastName=Roe, firstName=Jane, birthDate=1970-01-31), room=Room(name=Max Li))",
        "Optional[Patient(id=H-77123, lastName=Roe, firstName=Jane, birthDate=1970-01-31)]",
    ] {
        // Other people and places have values of their own.
        for line in [
            format!("10:00:00 INFO saved {object}"),
            format!("Doctor(id=44, name=Anna Berg, birthDate=1960-02-03) {object}"),
            format!("{object} by Nurse(id=9, name=Tom Hill) at Hospital(id=3, name=St Mary)"),
        ] {
            let got = text(&line).concat();
            for field in ["patient_id=H-77123", "name=Roe^Jane", "birth_date=1970-01-31"] {
                assert!(got.contains(field), "{line}: {got:?}");
            }
            for other in ["Berg", "1960", "Hill", "Mary", "Li", "patient_id=44", "patient_id=9"] {
                assert!(
                    !got.contains(other) || got.contains("name=Anna Berg birth"),
                    "{line}: {got:?}"
                );
            }
        }
    }
    for line in [
        "Server(host=localhost, port=8080, name=Jane Roe)",
        "Doctor(id=44, name=Anna Berg, birthDate=1960-02-03)",
        "PatientService(id=1, name=Jane Roe)",
        "Patient(id=null, name=null, birthDate=null)",
        "Meeting with Anna Berg (DOB: 1960-02-03, room: 5)",
    ] {
        let got = text(line).concat();
        assert!(!got.contains("PatientContext"), "{line}: {got:?}");
    }
    // Names with commas, brackets in values, lists.
    let line =
        "Patient(mrn=H-77123, name=Roe, Jane, phones=[555 1234, 555 9999], note=fine (so far))";
    let got = text(line).concat();
    for field in ["patient_id=H-77123", "name=Roe, Jane", "phone=555 1234", "phone=555 9999"] {
        assert!(got.contains(field), "{got:?}");
    }
    for deep in ["A(b=".repeat(2000), "Ab(c=[".repeat(1300), "Ab(c=Some(".repeat(800)] {
        assert!(text(&deep).is_empty());
    }
}

#[test]
fn objects_over_several_lines() {
    for object in [
        "Patient {\n    id: Some(\n        \"H-77123\",\n    ),\n    last_name: \"Roe\",\n    first_name: \"Jane\",\n    birth_date: 1970-01-31,\n    ward: None,\n}",
        "{\n  \"patient\": {\n    \"id\": \"H-77123\",\n    \"lastName\": \"Roe\",\n    \"firstName\": \"Jane\",\n    \"birthDate\": \"1970-01-31\"\n  },\n  \"doctor\": {\n    \"name\": \"Anna Berg\"\n  }\n}",
        "{\n  mrn: 'H-77123',\n  lastName: 'Roe',\n  firstName: 'Jane',\n  birthDate: '1970-01-31'\n}",
        "array (\n  'mrn' => 'H-77123',\n  'last_name' => 'Roe',\n  'first_name' => 'Jane',\n  'birth_date' => '1970-01-31',\n  0 => NULL,\n)",
        "\\Clinic\\Patient::__set_state(array(\n   'mrn' => 'H-77123',\n   'last_name' => 'Roe',\n   'first_name' => 'Jane',\n   'birth_date' => '1970-01-31',\n))",
        "object(App\\Patient)#3 (4) {\n  [\"mrn\":\"App\\Patient\":private]=>\n  string(7) \"H-77123\"\n  [\"lastName\":protected]=>\n  string(3) \"Roe\"\n  [\"firstName\"]=>\n  string(4) \"Jane\"\n  [\"birthDate\"]=>\n  string(10) \"1970-01-31\"\n}",
    ] {
        for front in ["", "10:00:00 DEBUG Saved "] {
            let log = format!("10:00:00 INFO begin\n{front}{object}\n10:00:01 INFO end\n");
            let got = text(&log);
            assert_eq!(got.len(), 1, "{log}: {got:#?}");
            for field in ["patient_id=H-77123", "name=Roe^Jane", "birth_date=1970-01-31"] {
                assert!(got[0].contains(field), "{log}: {got:?}");
            }
            for end in 0..log.len() {
                text(&log[..end]);
            }
        }
    }
    // What is no object is read line by line.
    let letter = "Results (see below) {\nPatient: Jane Roe\nMRN: H-77123\nDOB: 1970-01-31\n";
    for letter in [letter.to_owned(), format!("{letter}}}\n"), format!("List (\n{letter}")] {
        let got = text(&letter).concat();
        assert!(got.contains("patient_id=H-77123") && got.contains("Jane Roe"), "{letter}: {got}");
    }
}

#[test]
fn two_columns_with_the_same_label() {
    let sheet = "PATIENT INFORMATION              GUARANTOR INFORMATION\nName: Roe, Jane                  Name: Doe, Max\nDOB: 01/31/1970                  Relation: Spouse\n";
    let got = text(sheet);
    assert!(got.len() == 1 && got[0].contains("name=Roe, Jane birth_date=01/31/1970"), "{got:?}");
}
