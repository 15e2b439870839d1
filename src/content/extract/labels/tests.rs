//! Lines of text as reports, letters and forms have them.

use super::Labels;
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
