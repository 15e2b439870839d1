use super::*;
use crate::content::testing::{Part, read_document};
use crate::protocol::ServiceFacts;

/// Reads `parts` with a gap between each two, in pieces of `size` bytes.
fn read(parts: &[&[u8]], size: usize) -> (Vec<String>, ServiceFacts) {
    let parts: Vec<_> = parts.iter().flat_map(|part| [Part::Gap(10), Part::Bytes(part)]).collect();
    let mut document = Records.open(&Media::Unknown);
    let reading = read_document(document.as_mut(), "", &parts[1..], size);
    assert!(reading.memory <= 3 * MAX_RECORD);
    (reading.records.log, reading.facts)
}

const MESSAGE: &[u8] = b"H|\\^&|||ANALYZER^1.0|||||HOST||P|LIS2-A2|20250101120000\r\
P|1|MRN0861256|L77||Example^Anna^B||20010726|F||12 Main St^Springfield^IL^62701||(555) 555-0101\\555-0102\r\
O|1|S0||^^^GLU|R\rR|1|^^^GLU|5.4|mmol/L||N||F\rR|2|^^^NA|140\r\
P|2||78||Sample&S&x^Otto|Maiden|19380323|M\rL|1|N\r";

const MESSAGE_READ: &[&str] = &[
    "record astm RESULT",
    "P-3 patient_id MRN0861256",
    "P-4 patient_id L77",
    "P-6 name Example^Anna^B",
    "P-8 birth_date 20010726",
    "P-9 sex F",
    "P-11 address 12 Main St^Springfield^IL^62701",
    "P-13 phone (555) 555-0101",
    "P-13 phone 555-0102",
    "O-3 accession_number S0",
    "mark Result",
    "end",
    "record astm PATIENT",
    "P-4 patient_id 78",
    "P-6 name Sample^x^Otto",
    "P-7 mothers_maiden_name Maiden",
    "P-8 birth_date 19380323",
    "P-9 sex M",
    "end",
];

#[test]
fn patients_of_a_message() {
    let (lines, facts) = read(&[MESSAGE], usize::MAX);
    assert_eq!(lines, MESSAGE_READ);
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").sending_application.as_deref(),
        Some("ANALYZER")
    );
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").receiving_application.as_deref(),
        Some("HOST")
    );
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").version.as_deref(),
        Some("LIS2-A2")
    );
}

#[test]
fn any_split_and_line_end_reads_the_same() {
    let lf: Vec<u8> = MESSAGE.iter().map(|b| if *b == b'\r' { b'\n' } else { *b }).collect();
    for size in 1..MESSAGE.len() {
        assert_eq!(read(&[MESSAGE], size).0, MESSAGE_READ);
        assert_eq!(read(&[&lf], size).0, MESSAGE_READ);
    }
}

#[test]
fn a_header_may_declare_other_delimiters() {
    let (lines, _) = read(&[b"H!~%$!!!A\rP!1!77~78!!!Example%An$F$na\r"], 3);
    assert_eq!(
        lines,
        [
            "record astm PATIENT",
            "P-3 patient_id 77",
            "P-3 patient_id 78",
            "P-6 name Example^An!na",
            "end"
        ]
    );
}

#[test]
fn delimiters_in_the_order_of_hl7() {
    let (lines, _) = read(&[b"H|^~\\&|x\rP|1|77|||Example^Anna~Alias||19590102\r"], 3);
    let names = ["P-6 name Example^Anna", "P-6 name Alias"];
    assert_eq!(lines[1..5], ["P-3 patient_id 77", names[0], names[1], "P-8 birth_date 19590102"]);
}

#[test]
fn the_only_number_is_that_of_the_patient() {
    let (lines, _) = read(&[b"H|\\^&\rP|1|||77|Example^Anna\rP|2|1||78|Sample^Otto\r"], 9);
    let ids: Vec<&str> = lines.iter().filter(|l| l.contains("_id")).map(String::as_str).collect();
    assert_eq!(ids, ["P-5 patient_id 77", "P-3 patient_id 1", "P-5 other_id 78"]);
}

#[test]
fn a_query_asks_for_the_patient_that_it_names() {
    let (lines, _) = read(&[b"H|\\^&\rQ|1|77^S1||^^^ALL\rQ|2|ALL\rQ|3|^S2\rL|1\r"], 4);
    assert_eq!(lines, ["record astm QUERY", "mark Query", "Q-3 patient_id 77", "end"]);
}

#[test]
fn what_is_done_names_the_operation() {
    let operation = |text: &[u8]| {
        let lines = read(&[text], 7).0;
        lines.iter().find_map(|l| l.strip_prefix("record astm ").map(str::to_owned))
    };
    for (text, expected) in [
        (&b"H|\\^&\rP|1|77\rC|1|I|note\rO|1|S26-1\rM|1\rR|1|^^^GLU|5\rL|1\r"[..], "RESULT"),
        (b"H|\\^&\rP|1|77\rO|1|S26-1||^^^GLU\rO|2|S26-2\rL|1\r", "ORDER"),
        (b"H|\\^&\rP|1|77\rL|1\r", "PATIENT"),
        (b"H|\\^&\rQ|1|77\rL|1\r", "QUERY"),
        (b"H|\\^&\rP|1|77\rO|1|S26-1", "ORDER"),
    ] {
        assert_eq!(operation(text).as_deref(), Some(expected), "{}", String::from_utf8_lossy(text));
    }
    // Many orders are bounded, and all of them are read.
    let mut text = b"H|\\^&\rP|1|77\r".to_vec();
    for n in 0..200 {
        text.extend_from_slice(format!("O|{n}|S26-{n:04}\r").as_bytes());
    }
    let lines = read(&[&text], 50).0;
    assert_eq!(lines.iter().filter(|l| l.starts_with("O-3")).count(), 200);
}

#[test]
fn gaps_and_junk_cost_one_record() {
    let (lines, _) =
        read(&[b"H|\\^&\rP|1|1|||A^B\rP|2|2||", b"cut^off\rP|3|3\rPlain text | with bars|x\r"], 5);
    assert_eq!(
        lines,
        [
            "record astm PATIENT",
            "P-3 patient_id 1",
            "P-6 name A^B",
            "end",
            "record astm PATIENT",
            "P-3 patient_id 3",
            "end"
        ]
    );
    let endless = [b"P|1|".as_slice(), &vec![b'x'; 1 << 20]].concat();
    read(&[&endless], 1000);
}

#[test]
fn the_shipped_samples_hold() {
    for entry in crate::content::testing::rules().entries.iter().filter(|e| e.section == "astm") {
        let (record, number) = entry.subject.split_once('-').expect("P-n");
        let bars = "|".repeat(number.parse::<usize>().expect("number") - 1);
        let found = |sample: &str| {
            // Orders belong to a patient.
            let patient = if record == "O" { "P|1\r" } else { "" };
            let text = format!("{patient}{record}{bars}{sample}\r");
            read(&[text.as_bytes()], 100).0.iter().filter(|l| l.starts_with(&entry.subject)).count()
        };
        for sample in &entry.matches {
            assert_eq!(found(sample), 1, "{} {sample}", entry.id);
        }
        for sample in &entry.no_matches {
            assert_eq!(found(sample), 0, "{} {sample}", entry.id);
        }
    }
}

#[test]
fn controls_are_no_patients() {
    let is_material = |patient: &str| {
        let text = format!("H|\\^&|||A\r{patient}\rO|1|S0\rR|1|^^^GLU|5.4\rL|1|N\r");
        read(&[text.as_bytes()], usize::MAX).0.contains(&"mark Phantom".to_owned())
    };
    for patient in
        ["P|1|QC1|||QC^LEVEL 1", "P|1|||CONTROL 2", "P|1||4711||CONTROL^HIGH", "P|1||QC-7"]
    {
        assert!(is_material(patient), "{patient}");
    }
    for patient in ["P|1|77|||Control^Anna||19700131|F", "P|1||77||Roe^Jane", "P|1|77"] {
        assert!(!is_material(patient), "{patient}");
    }
}
