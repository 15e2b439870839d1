use crate::content::Media;
use crate::content::testing::{records, records_of};

#[test]
fn names_behind_that_of_their_table() {
    for table in ["patients_", "kis.patients.", "tbl_7_", "patient_"] {
        let header = ["mrn", "achternaam", "geboortedatum"].map(|name| format!("{table}{name}"));
        let text = format!("{}\n77,Roe,1970-01-31\n", header.join(","));
        let got = records("text/csv", text.as_bytes());
        assert!(
            got.len() == 1 && got[0].contains("patient_id=77") && got[0].contains("name=Roe"),
            "{got:?}"
        );
    }
    assert_eq!(records("text/csv", b"row_a,row_b,row_c\n77,Roe,1970-01-31\n"), [""; 0]);
}

#[test]
fn rows_are_records() {
    let text = "mrn,last_name,first_name,dob,diagnosis\r\n1,\"Wal\"\"lace, Jr\",Ryan,1942-07-10,I10\n\n2,Petty,\"Ga\nbi\",1948-06-07,\n3,Cut";
    assert_eq!(
        records("text/csv", text.as_bytes()),
        [
            "http>csv:~csv [PatientContext] [Diagnosis] patient_id=1 name=Wal\"lace, Jr^Ryan birth_date=1942-07-10",
            "http>csv:~csv [PatientContext] patient_id=2 name=Petty^Ga\nbi birth_date=1948-06-07",
            "http>csv:~csv [PatientContext] patient_id=3 name=Cut",
        ]
    );
}

#[test]
fn a_column_for_each_patient() {
    let text =
        "Name;Jane Roe;Otto Penn\nDate of birth;1970-01-31;1951-04-12\nMRN;77;78\nWard;3;3\n";
    assert_eq!(
        records("text/csv", text.as_bytes()),
        [
            "http>csv:~csv [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=77",
            "http>csv:~csv [PatientContext] name=Otto Penn birth_date=1951-04-12 patient_id=78",
        ]
    );
    // The first column names things.
    let things = "name,price,stock\nLamp,10,7\nDesk,200,8\nBed,300,9\n";
    assert_eq!(records("text/csv", things.as_bytes()), [""; 0]);
}

#[test]
fn other_separators_and_charsets() {
    let text =
        b"\xef\xbb\xbfPatienten-ID;Nachname;Vorname;Geburtsdatum\n7;M\xfcller;J\xf6rg;01.02.1970\n";
    assert_eq!(
        records("", text),
        ["http>csv:~csv [PatientContext] patient_id=7 name=Müller^Jörg birth_date=01.02.1970",]
    );
    assert_eq!(records("text/plain", b"name\tdob\tward\nA B\t1970-01-01\t3\n").len(), 1);
}

/// Names of columns in many languages.
#[test]
fn columns_are_known_in_many_languages() {
    for header in [
        "Patientenname;Geburtsdatum;Patientennummer;Geschlecht",
        "Nom du patient;Date de naissance;Numéro de dossier;Sexe",
        "Nombre del paciente;Fecha de nacimiento;Historia clínica;Sexo",
        "Nome do paciente;Data de nascimento;Prontuário;Sexo",
        "Nome paziente;Data di nascita;Numero cartella;Sesso",
        "Naam patiënt;Geboortedatum;Patiëntnummer;Geslacht",
        "Patientens namn;Födelsedatum;Journalnummer;Kön",
        "Pasientens navn;Fødselsdato;Pasientnummer;Kjønn",
        "Patientens navn;Fødselsdag;Patientnummer;Køn",
        "Potilaan nimi;Syntymäaika;Potilasnumero;Sukupuoli",
        "Imię i nazwisko pacjenta;Data urodzenia;Numer pacjenta;Płeć",
        "Jméno pacienta;Datum narození;Číslo pacienta;Pohlaví",
        "Hasta adı soyadı;Doğum tarihi;Hasta no;Cinsiyet",
        "ФИО пациента;Дата рождения;Номер карты;Пол",
        "患者姓名;出生日期;病历号;性别",
        "患者氏名;生年月日;患者番号;性別",
        "환자명;생년월일;환자번호;성별",
        "اسم المريض;تاريخ الميلاد;رقم المريض;الجنس",
        "रोगी का नाम;जन्म तिथि;रोगी संख्या;लिंग",
    ] {
        let text = format!("{header}\nJane Roe;1970-01-31;H-77;F\n");
        let line = "http>csv:~csv [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=H-77 sex=F";
        assert_eq!(records("text/csv", text.as_bytes()), [line], "{header}");
    }
}

#[test]
fn titles_and_rows_without_a_header() {
    let titled = "Patientenliste Station 3;;;\r\nStand: 01.03.2026;;;\r\n;;;\r\nNr;Name;Geb.;Zimmer\r\n7;Roe, Jane;01.02.1970;12\r\n";
    assert_eq!(
        records("text/csv", titled.as_bytes()),
        ["http>csv:~csv [PatientContext] name=Roe, Jane birth_date=01.02.1970"]
    );
    let plain = "MRN0012345,Roe,Jane,1970-01-31,F\nMRN0012346,Li,Max,1980-02-01,M\n";
    assert_eq!(
        records("text/csv", plain.as_bytes()),
        [
            "http>csv:~csv [PatientContext] patient_id=MRN0012345 name=Roe Jane birth_date=1970-01-31 sex=F",
            "http>csv:~csv [PatientContext] patient_id=MRN0012346 name=Li Max birth_date=1980-02-01 sex=M",
        ]
    );
    // Of a path about patients, with dates as the country writes them.
    let named = crate::content::Media::Type { content_type: "text/csv", name: "/patients.csv" };
    let table = b"\"7712345\",\"Roe\",\"Jane\",\"F\",\"01/31/1970\"\n7712346;Li;Max;M;28.02.1980\n";
    let got = crate::content::testing::records_of(named, &[], table, 64);
    assert!(got[0].contains("patient_id=7712345 name=Roe Jane birth_date=01/31/1970"), "{got:?}");
    assert!(got[1].contains("patient_id=7712346 name=Li Max birth_date=28.02.1980"), "{got:?}");
    let staff = "E-00123,Roe,Jane,1970-01-31,Sales\n".repeat(40);
    assert!(records("text/csv", staff.as_bytes()).is_empty());
}

#[test]
fn the_number_of_a_row_is_that_of_the_patient_in_a_table_of_patients() {
    let table = b"Id,BIRTHDATE,FIRST,LAST\nP-77,1970-01-31,Jane,Roe\n";
    let named = |name| crate::content::Media::Type { content_type: "text/csv", name };
    let read = |name| crate::content::testing::records_of(named(name), &[], table, 64).concat();
    assert!(read("/export/patients.csv").contains("patient_id=P-77"));
    assert!(!read("/export/list.csv").contains("patient_id"));
    let study = |event: &str| {
        let table =
            format!("record_id,{event},first_name,last_name,dob\nP-77,a,Jane,Roe,1970-01-31\n");
        records("text/csv", table.as_bytes()).concat()
    };
    assert!(study("redcap_event_name").contains("patient_id=P-77"));
    assert!(!study("event").contains("patient_id"));
}

#[test]
fn tables_without_patients_give_none() {
    for text in [
        "order_no,sku,name,phone\n1,2,Lamp,555123\n",
        "Dear all, this is a letter, not a table, with commas.\nIt has, as it were, no columns, none.\n",
        "a,b,c\n1,2,3\n",
        "id,name,email,user_id\n1,A B,a@b.c,7\n",
    ] {
        assert_eq!(records("text/csv", text.as_bytes()), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn headers_in_two_lines_and_with_explanations() {
    let row = "http>csv:~csv [PatientContext] name=Roe^Jane birth_date=01/31/1970 patient_id=H-77";
    let two = "Patient,,,,Visit\nLast Name,First Name,DOB,MRN,Date\nRoe,Jane,01/31/1970,H-77,01/02/2026\n";
    assert_eq!(records("text/csv", two.as_bytes()), [row]);
    let explained = "\"Subject Name (Last, First)\",Birth Date (MM/DD/YYYY),Hospital Record #\n\"Roe, Jane\",01/31/1970,H-77\n";
    let got = records("text/csv", explained.as_bytes()).concat();
    assert!(got.contains("patient_id=H-77") && got.contains("name=Roe, Jane"), "{got}");
    let carets = "MRN^PatientName^DateOfBirth\nH-77^Roe, Jane^01/31/1970\n";
    assert!(records("text/csv", carets.as_bytes()).concat().contains("name=Roe, Jane"));
}

#[test]
fn labels_beside_their_values() {
    let form = "Patient Name,Jane Roe\nDate of Birth,01/31/1970\nMRN,H-77\nGlucose,92\n";
    assert_eq!(
        records("text/csv", form.as_bytes()),
        [
            "http>csv:~csv [PatientContext] [Result] name=Jane Roe birth_date=01/31/1970 patient_id=H-77"
        ]
    );
    assert_eq!(records("text/csv", b"name,price\nLamp,10\nDesk,20\n"), [""; 0]);
}

#[test]
fn a_name_at_birth_that_is_still_in_use_is_read_once() {
    let table = "N\u{b0} dossier;Nom usuel;Nom de naissance;Pr\u{e9}nom\n77123;Roe;ROE;Anne\n";
    let got = records("text/csv", table.as_bytes()).concat();
    assert!(got.contains("name=Roe^Anne"), "{got}");
}

#[test]
fn cells_in_single_quotes_and_lists_without_names() {
    assert_eq!(
        records("text/csv", b"'PatientID','LastName','DOB'\n'H-77','Roe','1970-01-31'\n"),
        ["http>csv:~csv [PatientContext] patient_id=H-77 name=Roe birth_date=1970-01-31"]
    );
    let list = "H-77123\tJane Roe\t01/31/1970\tAsthma\nH-77124\tMax Doe\t04/12/1961\tGout\n";
    let read = |name| {
        let media = Media::Type { content_type: "application/octet-stream", name };
        records_of(media, &[], list.as_bytes(), usize::MAX)
    };
    let got = read("/in/patient_list.txt");
    assert!(got.len() == 2 && got[0].contains("patient_id=H-77123 name=Jane Roe"), "{got:?}");
    assert!(!read("/in/members.txt").iter().any(|line| line.contains("PatientContext")));
}

#[test]
fn fields_of_xdt_and_segments_of_x12_in_rows() {
    let xdt = "Feld;Wert\n8000;6310\n3000;H77\n3101;Roe\n3102;Jane\n3103;31011970\n3000;H78\n3101;Li\n3102;Max\n3103;01021980\n";
    let got = records("text/csv", xdt.as_bytes());
    assert!(got.len() == 2 && got[0].contains("H77") && got[1].contains("Li"), "{got:?}");
    let x12 = "segment,e1,e2,e3,e4,e5,e6,e7,e8,e9\nNM1,IL,1,ROE,JANE,,,,MI,H77\nDMG,D8,19700131,F,,,,,,\n";
    let got = records("text/csv", x12.as_bytes());
    let fields = "name=ROE^JANE insurance_number=H77 birth_date=19700131 sex=F";
    assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
    for text in [
        "3000;Bern;CH\n3101;Muri;CH\n3103;Gerzensee;CH\n8000;Zurich;CH\n",
        "Feldkennung;Bezeichnung\n3000;Patientennummer\n3101;Name des Patienten\n3102;Vorname des Patienten\n3103;Geburtsdatum\n",
    ] {
        assert_eq!(records("text/csv", text.as_bytes()), [""; 0], "{text}");
    }
}
