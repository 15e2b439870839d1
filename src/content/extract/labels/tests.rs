//! Lines of text as reports, letters and forms have them.

use super::Labels;
use crate::content::Scope;
use crate::content::testing::with_scope;

/// The records of some lines.
fn read(lines: &str) -> Vec<String> {
    with_scope(|scope| {
        let mut labels = Labels::new("text");
        lines.lines().for_each(|line| labels.line(line, scope));
        labels.emit(scope);
    })
}

/// The same as one record of a patient.
fn record(fields: &str) -> Vec<String> {
    vec![format!("test:~text [PatientContext] {fields}")]
}

#[test]
fn a_value_ends_where_the_next_thing_begins() {
    let fields = "name=Jane Roe birth_date=1970-01-31 patient_id=H-77";
    for line in [
        "Patient: Jane Roe, DOB: 1970-01-31, MRN: H-77",
        "Patient: Jane Roe; DOB: 1970-01-31; MRN: H-77",
        "Patient: Jane Roe | DOB: 1970-01-31 | MRN: H-77",
        "Patient: Jane Roe\tDOB: 1970-01-31\tMRN: H-77",
        "Patient: Jane Roe (DOB: 1970-01-31, MRN: H-77)",
        "Patient：Jane Roe  DOB：1970-01-31  MRN：H-77",
        "Patient: Jane Roe, female, aged 56; DOB: 1970-01-31; MRN: H-77, seen twice",
        "Patient Name: Jane Roe [DOB: 1970-01-31] [MRN: H-77]",
    ] {
        assert_eq!(read(line), record(fields), "{line}");
    }
}

#[test]
fn messages_to_pagers() {
    let got = read("Rm 412 Pt: Jane Roe DOB: 1970-01-31 MRN: 7712345 K+ 6.1 critical");
    assert_eq!(got, record("name=Jane Roe birth_date=1970-01-31 patient_id=7712345"));
    assert!(!read("INR 2.1, PT: 14 s, MRN: 7712345").concat().contains("name="));
}

#[test]
fn a_number_and_a_birth_date_in_one_bracket_are_those_of_the_name_before_it() {
    for line in [
        "Reminder for Jane Roe (MRN H-77123, DOB 1970-01-31): appointment tomorrow",
        "INFO Patient merged: Jane Roe (MRN: H-77123, DOB: 1970-01-31)",
        "Chart of Jane Roe [MRN H-77123; DOB 1970-01-31] opened",
    ] {
        let got = read(line);
        assert_eq!(got.len(), 1, "{line}: {got:?}");
        for part in ["name=Jane Roe", "patient_id=H-77123", "birth_date=1970-01-31"] {
            assert!(got[0].contains(part), "{line}: {got:?}");
        }
    }
    let announced = read("Service - Patient merged: Jane Roe (MRN 6251443/26)").concat();
    assert!(announced.contains("name=Jane Roe"), "{announced}");
    // One of the two alone may be that of a user or a document.
    assert!(!read("Closed by Jane Roe (MRN H-77123)").concat().contains("Jane"));
}

#[test]
fn labels_with_an_abbreviation_in_brackets() {
    let fields = "name=Jane Roe patient_id=7712345";
    let cells = with_scope(|scope| {
        let mut labels = Labels::new("text");
        labels.cells(&["Patient name", "Jane Roe", "เลขที่ผู้ป่วย (HN)", "7712345"], scope);
        labels.emit(scope);
    });
    assert_eq!(cells, record(fields));
    for line in [
        "Patient: Jane Roe  Registration (UHID): 7712345",
        "Patient: Jane Roe  เลขที่ผู้ป่วย (HN): 7712345",
    ] {
        assert_eq!(read(line), record(fields), "{line}");
    }
    let other = read("Patient: Jane Roe  Telephone (UK): 7712345").concat();
    assert!(!other.contains("patient_id"), "{other}");
}

#[test]
fn a_patient_may_be_abbreviated_and_a_test_is_none() {
    let fields = "name=Roe, Jane patient_id=H-77123";
    assert_eq!(read("PT: Roe, Jane\nMRN: H-77123"), record(fields));
    for line in ["PT: 12.5 sec\nMRN: H-77123", "PT: normal\nMRN: H-77123"] {
        assert!(!read(line).concat().contains("name="), "{line}");
    }
}

#[test]
fn labels_with_a_dash_and_titles_behind_names() {
    let lines = "Name - Jane Roe\nDOB - 1970-01-31\nMRN - H-77123";
    assert_eq!(read(lines), record("name=Jane Roe birth_date=1970-01-31 patient_id=H-77123"));
    let lines = "患者氏名：佐久間 良子　殿\n患者ID：7712345";
    assert_eq!(read(lines), record("name=佐久間 良子 patient_id=7712345"));
}

#[test]
fn letters_about_a_person_are_about_a_patient() {
    for (line, name) in [
        ("wir berichten über Herrn Götz Roe, geb. am 07.11.1983, wohnhaft in Ulm", "Götz Roe"),
        ("Je vous adresse Madame Colette Roe, née le 07/11/1983", "Colette Roe"),
        ("si dimette la Sig.ra Nunzia Degli Roe, nata il 07/11/1983", "Nunzia Degli Roe"),
    ] {
        let got = read(line).concat();
        assert!(got.contains("PatientContext") && got.contains(&format!("name={name} ")), "{got}");
    }
    let got = read("Die Rechnung geht an Herrn Götz Roe, geb. am 07.11.1983").concat();
    assert!(!got.contains("PatientContext"), "{got}");
}

#[test]
fn two_people_of_one_name_in_a_list() {
    let list = "Room  Patient name      MRN        DOB\n\
                1     Roe, Jane         H-77123    1970-01-31\n\
                2     Roe, Jane         H-77124    1981-02-03\n";
    let got = read(list);
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got.iter().all(|record| record.contains("name=Roe, Jane")), "{got:?}");
}

#[test]
fn a_number_ends_before_the_words_of_an_unknown_label() {
    let got = read("Patient: Jane Roe  MRN: H7712345 Ordering: Dr. Li").concat();
    assert!(got.contains("patient_id=H7712345"), "{got}");
    assert!(!got.contains("Ordering"), "{got}");
}

#[test]
fn versions_and_quoted_options_are_no_numbers_of_patients() {
    for line in [
        "Support for IPP 1.1 and -o phone=12345\" to supply a number.",
        "IPP: 2.0  Phone: 12345\" to dial",
        "MRN: 1.10.2",
    ] {
        assert_eq!(read(line), [""; 0], "{line}");
    }
    assert_eq!(read("Patient: Jane Roe  MRN: 10.234"), record("name=Jane Roe patient_id=10.234"));
}

#[test]
fn an_empty_label_takes_no_neighbour() {
    let fields = "name=Jane Roe birth_date=1970-01-31";
    for lines in [
        "Patient: Jane Roe\nDOB: 1970-01-31\nMRN:\nPrinted on: 16 May 2021",
        "Patient: Jane Roe\nMRN:\nDOB: 1970-01-31",
        "Name: Jane Roe\nDOB: 1970-01-31\nMRN: Specimen ID: 77",
        "Patient: Jane Roe\nDOB:\n1970-01-31",
    ] {
        let got = read(lines);
        assert!(
            got == record(fields) || got == [format!("test:~text {fields}")],
            "{lines}: {got:?}"
        );
    }
    // The label of something else ends in a word that is one by itself.
    assert_eq!(read("Image Position Patient: Supine Left\nPixel Spacing: 0.5"), [""; 0]);
}

#[test]
fn comparisons_and_sentences_are_no_labelled_numbers() {
    let news = "- Last: File \"test.py\", line 7\n- now requires NSS >= 3.12 and for\n- NSS: 4.5 years since then\n";
    assert_eq!(read(news), [""; 0]);
}

#[test]
fn labels_above_their_values() {
    let fields = "name=Roe,Jane birth_date=1970-01-31";
    for lines in [
        "Patient               DR.\nRoe,Jane              MAX LI\nDate of birth: 1970-01-31     Elm House 12",
        "Patient name          Physician\nRoe,Jane              Max Li\nDOB                   Ward\n1970-01-31            7",
    ] {
        assert_eq!(read(lines), record(fields), "{lines}");
    }
}

#[test]
fn a_line_of_colons_is_read_once() {
    for unit in [":", "a:", "a b c d e f:", "Patient:", "name: ", "((:", "é：", "x,y;z|:"] {
        let line = unit.repeat(1 << 12);
        read(&line);
    }
}

#[test]
fn names_without_a_label_above_and_beside_a_birth_date() {
    for (lines, fields) in [
        (
            "ROE, Jane\nDOB: 1970-01-31  Sex: F\nMRN: 77",
            "name=ROE, Jane birth_date=1970-01-31 sex=F patient_id=77",
        ),
        (
            "Mrs Jane Roe\nDate of birth: 1970-01-31\nHospital number: 77",
            "name=Jane Roe birth_date=1970-01-31 patient_id=77",
        ),
        (
            "Re: Roe, Jane\nDOB: 1970-01-31\nMRN: 77",
            "name=Roe, Jane birth_date=1970-01-31 patient_id=77",
        ),
        (
            "Patient: Roe, Jane (*31.01.1970), PatID 77",
            "name=Roe, Jane birth_date=31.01.1970 patient_id=77",
        ),
        (
            "Patient: von Quast, Jane\nDOB: 1970-01-31\nMRN: 77",
            "name=von Quast, Jane birth_date=1970-01-31 patient_id=77",
        ),
    ] {
        assert_eq!(read(lines), record(fields), "{lines}");
    }
    // A list has stars, too, and a signature is on a line of its own.
    assert_eq!(read("* 31.01.1970\n* 01.02.1980"), [""; 0]);
    let report = read("Laboratory Report\nDOB: 1970-01-31\nMRN: 77");
    assert!(!report[0].contains("name="), "{report:?}");
}

#[test]
fn animals_are_nobody() {
    for lines in [
        "Patient: Bello\nSpecies: Dog\nDOB: 1970-01-31\nMRN: 77",
        "Patient name: Minka Roe\nBreed: Persian\nDOB: 1970-01-31",
    ] {
        assert_eq!(read(lines), [""; 0], "{lines}");
    }
    let human = "Patient: Jane Roe\nSpecies: Homo sapiens\nDOB: 1970-01-31\nMRN: 77";
    assert_eq!(read(human), record("name=Jane Roe birth_date=1970-01-31 patient_id=77"));
}

#[test]
fn a_letter_that_is_short_for_born() {
    let fields = "name=Väinö Korhonen birth_date=26.04.2003 patient_id=1422900";
    for line in [
        "Potilas: Väinö Korhonen, s. 26.04.2003, potilasnumero 1422900",
        "Patient: Väinö Korhonen, f. 26.04.2003, MRN: 1422900",
        "Paziente: Väinö Korhonen (n. 26.04.2003), MRN: 1422900",
    ] {
        assert_eq!(read(line), record(fields), "{line}");
    }
    assert_eq!(read("Katso raportti, s. 26, ja liite, s. 4.2003"), [""; 0]);
}

#[test]
fn sentences_are_no_addresses() {
    for lines in [
        "Patient: Jane Roe\nZip: file, and for the other platform the default package",
        "Patient: Jane Roe\nAddress: This behavior has also been backported to earlier versions",
        "Patient: Jane Roe\nFirst: CADR(args)",
    ] {
        assert!(!read(lines).concat().contains("address"), "{lines}");
    }
    let fields = "name=Jane Roe address=rue de la Paix 5, Paris";
    assert_eq!(read("Patient: Jane Roe\nAddress: rue de la Paix 5, Paris"), record(fields));
}

#[test]
fn a_number_sign_is_the_word_and_a_year_is_no_number() {
    let fields = "name=Jane Roe birth_date=1970-01-31 patient_id=H-77";
    for lines in [
        "Patient: Jane Roe  DOB: 1970-01-31  MR#: H-77",
        "Hospital  2026\nPatient: Jane Roe  DOB: 1970-01-31  Hospital no. H-77",
        "Patient: Jane Roe | DOB: 1970-01-31 | MR # H-77",
    ] {
        assert_eq!(read(lines), record(fields), "{lines}");
    }
    let beside = read("Roe, Jane | F | DOB 1970-01-31 | MRN H-77");
    assert_eq!(beside, record(&fields.replace("Jane Roe", "Roe, Jane")));
}

#[test]
fn sections_of_settings_are_about_patients() {
    let ini = "[PATIENT]\nName=Roe^Jane\nID=H-77\nBirthDate=19700131\n[STUDY]\nID=99\nModality=CR";
    let read = read(ini);
    assert_eq!(read.len(), 1, "{read:?}");
    assert!(read[0].contains("patient_id=H-77") && !read[0].contains("99"), "{read:?}");
}

#[test]
fn a_message_that_greets_its_patient_names_them() {
    let line = "Hi Jane Roe, your appointment (MRN H-77123, DOB 1970-01-31) is confirmed.";
    let fields = "name=Jane Roe patient_id=H-77123 birth_date=1970-01-31";
    assert_eq!(read(line), record(fields));
    let staff = "Hi Jane Roe, your patient (MRN H-77123, DOB 1970-01-31) is here.";
    assert!(!read(staff).concat().contains("Jane Roe"), "{:?}", read(staff));
}

#[test]
fn the_number_of_a_case_is_left_out_beside_that_of_the_patient() {
    let head = "Hasta Adı Soyadı: Jane Roe\nDoğum Tarihi: 31.01.1970\n";
    for both in ["Protokol No: 656\nHasta No: H-77", "Hasta No: H-77\nProtokol No: 656"] {
        let fields = "name=Jane Roe birth_date=31.01.1970 patient_id=H-77";
        assert_eq!(read(&format!("{head}{both}")), record(fields));
    }
    let fields = "name=Jane Roe birth_date=31.01.1970 patient_id=656";
    assert_eq!(read(&format!("{head}Protokol No: 656")), record(fields));
}

/// Whether one record is read, with these fields.
fn is_read(text: &str, fields: &[&str]) -> bool {
    let read = read(text);
    let one = read.len() == 1 && fields.iter().all(|field| read[0].contains(field));
    assert!(one, "{text}: {read:?}");
    true
}

#[test]
fn sentences_that_introduce_a_patient() {
    let fields = ["name=Jane Roe", "patient_id=H-77123"];
    for text in [
        "Jane Roe is a 54-year-old female (DOB 02/21/1970, MRN H-77123) who presents with chest pain.",
        "The patient's name is Jane Roe, born on September 4, 1961. Medical record number: H-77123.",
        "CBC report for Jane Roe (MRN: H-77123) issued 3 March",
        "dimettiamo il/la Sig./Sig.ra Jane Roe, nato/a il 31/01/1970, cartella clinica n. H-77123",
    ] {
        assert!(is_read(text, &fields));
    }
    for text in [
        "The clinic is a 54-year-old building (MRN H-77123)",
        "Tickets for Jane Roe (MRN: H-77123)",
    ] {
        assert!(!read(text).concat().contains("Jane Roe"), "{:?}", read(text));
    }
}

#[test]
fn dates_of_birth_with_the_month_in_letters_or_a_sign_behind() {
    for (text, date) in [
        ("Patient: Jane Roe, né(e) le 7 août 1970, IPP H-77123", "birth_date=7 août 1970"),
        (
            "Patient Jane Roe, born on September 4, 1961, MRN H-77123",
            "birth_date=September 4, 1961",
        ),
        ("Пациент: Воробьёва Раиса, 19.02.1974 г.р.", "birth_date=19.02.1974"),
    ] {
        assert!(is_read(text, &[date]));
    }
    assert!(
        !read("Patient Jane Roe, born on a farm in 1961, MRN H-77123")
            .concat()
            .contains("birth_date")
    );
}

#[test]
fn abbreviations_and_explanations_around_a_name() {
    let czech = "Pacient: Jana Nováková, r.č. 800101/1238, nar. 21.04.1965";
    assert!(is_read(czech, &["name=Jana Nováková ", "birth_date=21.04.1965"]));
    let claim = "2. PATIENT'S NAME (Last Name, First Name, Middle Initial): Roe, Jane\n3. PATIENT'S BIRTH DATE: 01/31/1970";
    assert!(is_read(claim, &["name=Roe, Jane", "birth_date=01/31/1970"]));
    let dutch = "Betreft: dhr. Hendrik van 't Veer, geb. 14-06-1998, patiëntnr. 2462214";
    assert!(is_read(dutch, &["name=Hendrik van 't Veer", "birth_date=14-06-1998"]));
}

#[test]
fn a_topic_of_care_makes_no_patient() {
    let cv = "Curriculum Vitae\nName: Jane Roe\nDate of birth: 2 January 1970\nPosition: Consultant in patient safety";
    assert!(!read(cv).concat().contains("PatientContext"), "{:?}", read(cv));
}

#[test]
fn signs_that_end_a_value() {
    let audit = "AUDIT action=VIEW patient=\"Jane Roe\" mrn=H-77123 dob=1970-01-31 result=OK";
    assert!(is_read(audit, &["name=Jane Roe", "patient_id=H-77123", "birth_date=1970-01-31"]));
    let born = "Pat.: Böttcher, Wendelin, *27.01.1933";
    assert!(is_read(born, &["name=Böttcher, Wendelin ", "birth_date=27.01.1933"]));
    for line in [
        "Roe, Jane - DOB 01/31/1970 - MRN H-77123",
        "Bed 1: Roe, Jane | DOB 01/31/1970 | MRN H-77123 | RN: Low, O",
    ] {
        assert!(is_read(line, &["name=Roe, Jane ", "birth_date=01/31/1970", "patient_id=H-77123"]));
    }
}

#[test]
fn a_line_that_said_nothing_says_the_same_when_it_comes_again() {
    let lines = [
        "Jane Roe",
        "MRN: H-77",
        "DOB: 1970-01-31",
        "Roe, Jane",
        "",
        "See the next page",
        "Female, 56 y.o., 01/31/1970",
        "Patient",
        "Name   Physician   Ward",
        "Roe, Jane   Max Li   3",
        "Status: final",
        "ID: 4711",
        "[PATIENT]",
        "Name=Jane Roe",
        "Order 60021",
        "Patient name:",
        "Patient safety",
        "Species: cat",
        "Dear Mrs Roe,",
        "536-90-4399",
    ];
    // Each line before each other, with both read before and without.
    let mut found = 0;
    for first in lines {
        for second in lines {
            let read = |labels: &mut Labels, scope: &mut Scope<'_>| {
                [first, second, first, second].iter().for_each(|line| labels.line(line, scope));
                labels.emit(scope);
            };
            let fresh = with_scope(|scope| read(&mut Labels::new("text"), scope));
            let again = with_scope(|scope| {
                lines.iter().for_each(|line| Labels::new("text").line(line, scope));
                read(&mut Labels::new("text"), scope);
            });
            assert_eq!(again, fresh, "{first:?}, {second:?}");
            found += fresh.len();
        }
    }
    assert!(found > 10, "{found} records");
}

#[test]
fn a_cell_that_said_nothing_says_the_same_when_it_comes_again() {
    let cells =
        ["Home", "Jane Roe", "MRN", "H-77", "Species", "cat", "Provider", "Born 1970-01-31"];
    for first in cells {
        for second in cells {
            for third in cells {
                let row = [first, second, third];
                let read = |labels: &mut Labels, scope: &mut Scope<'_>| {
                    row.iter().for_each(|cell| labels.cell(cell, scope));
                    labels.cells(&row, scope);
                    labels.emit(scope);
                };
                let fresh = with_scope(|scope| read(&mut Labels::new("html"), scope));
                let again = with_scope(|scope| {
                    cells.iter().for_each(|cell| Labels::new("html").cell(cell, scope));
                    read(&mut Labels::new("html"), scope);
                });
                assert_eq!(again, fresh, "{row:?}");
            }
        }
    }
}

/// Whether the only record of some lines is about a patient and has these fields.
fn one(lines: &str, fields: &[&str]) {
    let got = read(lines);
    let fits = got.len() == 1 && fields.iter().all(|field| got[0].contains(field));
    assert!(fits && got[0].contains("PatientContext"), "{lines}: {got:?}");
}

#[test]
fn a_value_ends_at_a_label_that_no_rule_knows() {
    let fields = ["name=Jane Roe", "patient_id=H-77123"];
    for line in [
        "Patient Name: Jane Roe Age: 33 Gender: F MRN: H-77123",
        "Patient Name: Jane Roe Date of Service: 01/02/2026 MRN: H-77123",
        "Patient: Jane Roe Room No: 12 MRN: H-77123",
        "Patient: Jane Roe, Ocupación: maestra, MRN: H-77123",
    ] {
        one(line, &fields);
    }
    one("Patient: Truus van den Berg Leeftijd: 44 MRN: H-77123", &["name=Truus van den Berg "]);
}

#[test]
fn certificates_name_a_patient_in_a_sentence() {
    one(
        "CERTIFICADO MÉDICO\ncertifico que el paciente Ana Ruiz Gil con C.I. 1712, historia clínica H-77123, fue atendido",
        &["name=Ana Ruiz Gil", "patient_id=H-77123"],
    );
    one(
        "CERTIFICATO MEDICO\nSi certifica che il Sig. Aldo Roe, nato a Bari il 28/05/1949, necessita di riposo",
        &["name=Aldo Roe", "birth_date=28/05/1949"],
    );
    one(
        "CERTIFICAT MÉDICAL\ncertifie avoir examiné ce jour M. Rémi Roe, né le 02/10/1991, et atteste",
        &["name=Rémi Roe", "birth_date=02/10/1991"],
    );
    one(
        "ADEVERINȚĂ MEDICALĂ\nSe adeverește că Traian Pop, născut(ă) la data de 19.01.1931, este în evidența noastră",
        &["name=Traian Pop", "birth_date=19.01.1931"],
    );
    one(
        "Медицинская справка\nДана Роу Анне, 15.04.1961 года рождения, в том, что находилась на лечении",
        &["name=Роу Анне", "birth_date=15.04.1961"],
    );
    one("CONSENT FOR SURGERY\nI, Jane Roe, (DOB: 01/31/1970), agree", &["name=Jane Roe "]);
    for text in [
        "Certifico que Ana Ruiz Gil, nacida en Bilbao el 02/01/1970, trabaja en esta empresa",
        "Si certifica che la Sig.ra Ada Roe, nata a Bari il 02/01/1970, è residente",
        "СПРАВКА\nДана Роу Анне, 15.04.2010 года рождения, в том, что она обучается в школе",
    ] {
        assert!(!read(text).concat().contains("PatientContext"), "{text}");
    }
}

#[test]
fn messages_to_patients() {
    let fields = ["name=Jane Roe", "patient_id=H-77123"];
    for text in [
        "Dear Jane Roe,\n\nYour appointment with Dr. Max Li is on March 3.\nPatient no.: H-77123",
        "Dear Jane Roe, your lab report (UHID H-77123) is ready. North Diagnostics",
        "Hello Jane Roe,\n\nA test result is available in your Patient Portal.\n\nPatient ID: H-77123",
        "Sehr geehrte Frau Jane Roe,\nIhr Termin in unserer Praxis ist am 03.03.2026.\nPatientennummer: H-77123",
        "New admit: Jane Roe, MRN H-77123, DOB 01/31/1970 to bed 7",
        "Can you look at pt Jane Roe (MRN: H-77123) in 312?",
        "Yth. Bapak/Ibu Jane Roe, No. RM H-77123, jadwal kontrol Anda",
    ] {
        one(text, &fields);
    }
    for text in [
        "Dear Jane Roe,\n\nYour appointment with the bank is on March 3.\nReference: H-77123",
        "Dear Dr. Jane Roe,\n\nYour patient list for the clinic is attached.\nMRN: H-77123",
        "Attending: Jane Roe, MRN H-77123, DOB 01/31/1970",
    ] {
        assert!(!read(text).concat().contains("Jane"), "{text}: {:?}", read(text));
    }
}

#[test]
fn logs_that_say_what_was_done_with_a_patient() {
    let log = "INFO PatientService - Patient created: id=H-77123, name=Jane Roe, birthDate=1970-01-31\n\
               INFO PatientService - Patient created: id=H-77124, name=Max Li, birthDate=1971-02-28";
    let got = read(log);
    assert_eq!(got.len(), 2, "{got:?}");
    for (record, fields) in got.iter().zip(["name=Jane Roe", "name=Max Li"]) {
        assert!(record.contains("PatientContext") && record.contains(fields), "{got:?}");
    }
    let user = read("INFO User created: id=H-77123, name=Jane Roe, birthDate=1970-01-31").concat();
    assert!(!user.contains("PatientContext"), "{user}");
    let columns = "PATNO     NAME                 BIRTHDATE   SEX\n\
                   HN7498830 Roe, Jane            01/31/1970  F\n\
                   UH-5252565Li, Max              02/28/1971  M";
    let got = read(columns);
    assert!(got.len() == 2 && got[1].contains("name=Li, Max"), "{got:?}");
}

#[test]
fn staff_in_a_line_above_a_birth_date_is_none() {
    let text = "Senior Software Engineer\nBorn: 2 January 1970\nExperience: patient portal, HL7";
    assert!(!read(text).concat().contains("name="), "{:?}", read(text));
    let life = "CURRICULUM VITAE\nName: Jane Roe\nDate of birth: 2 January 1970\nMedical report writer\nDischarge summary coding";
    assert_eq!(read(life), [""; 0]);
    let pupils = "The student details are as follows: -\nName: Jane Roe\nDate of admission: 01/02/2026\nDate of birth: 01/31/2010";
    assert_eq!(read(pupils), [""; 0]);
}
