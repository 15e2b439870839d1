//! Messages; documents in them, and messages in XML, are in [`documents`].

mod documents;

use super::*;
use crate::content::Extent;
use crate::content::testing::{Part, Reading, read_document};

fn read_parts(parts: &[Part<'_>], size: usize) -> Reading {
    read_document(Er7.open(&Media::Hl7v2).as_mut(), "", parts, size)
}

fn read(bytes: &[u8]) -> Reading {
    read_parts(&[Part::Bytes(bytes)], usize::MAX)
}

/// A segment with these fields, by number.
fn segment(name: &str, fields: &[(usize, &str)]) -> String {
    let last = fields.iter().map(|(n, _)| *n).max().unwrap_or(0);
    let mut out = name.to_owned();
    for n in 1..=last {
        out.push('|');
        out.push_str(fields.iter().find(|(m, _)| *m == n).map_or("", |(_, value)| value));
    }
    out + "\r"
}

fn fields(bytes: &[u8]) -> Vec<String> {
    read(bytes).records.log
}

const ADMISSION: &[u8] = b"MSH|^~\\&|ADMIS|NORTH|HIS|SOUTH|20250414172700||ADT^A01^ADT_A01|M1|P|2.5\r\
EVN|A01|20251203144300\r\
PID|1||600001-7^^^NORTH^MR~078-05-1120^^^SSA^SS||Example^Anna^B^^Dr.||19591102|F|||32 Main St^Apt 2^Springfield^IL^62701^US||(555) 555-0130^PRN^PH~^NET^Internet^anna@example.org|||||ACC0304|078-05-1120\r\
NK1|1|Example^Otto|SPO||(555) 555-0131\r\
PV1|1|I|2000^2012^01||||004777^Doctor^Harriet||||||||||||V4711^^^NORTH^VN\r\
DG1|1||I10\rOBX|1|NM|718-7||13.4\rOBX|2|NM|718-8||1\r";

const ADMISSION_READ: &[&str] = &[
    "record hl7v2 ADT^A01",
    "PID-3 patient_id 600001-7 @NORTH",
    "PID-3 ssn 078-05-1120 @SSA",
    "PID-5 name Example^Anna^B^^Dr.",
    "PID-7 birth_date 19591102",
    "PID-8 sex F",
    "PID-11 address 32 Main St^Apt 2^Springfield^IL^62701",
    "PID-13 phone (555) 555-0130",
    "PID-13 email anna@example.org",
    "PID-18 account_number ACC0304",
    "PID-19 ssn 078-05-1120",
    "NK1-2 next_of_kin_name Example^Otto",
    "NK1-5 next_of_kin_phone (555) 555-0131",
    "PV1-19 encounter_id V4711 @NORTH",
    "mark Diagnosis",
    "mark Result",
    "end",
];

#[test]
fn reads_an_admission() {
    let read = read(ADMISSION);
    assert_eq!(read.records.log, ADMISSION_READ);
    let facts = read.facts;
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").sending_application.as_deref(),
        Some("ADMIS")
    );
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").sending_facility.as_deref(),
        Some("NORTH")
    );
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").receiving_application.as_deref(),
        Some("HIS")
    );
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").receiving_facility.as_deref(),
        Some("SOUTH")
    );
    assert_eq!(facts.messages.as_ref().expect("facts of messages").version.as_deref(), Some("2.5"));
    assert_eq!(
        facts.messages.as_ref().expect("facts of messages").processing_id.as_deref(),
        Some("P")
    );
    assert_eq!(*facts.messages.as_ref().expect("facts of messages").types, ["ADT^A01"]);
    assert_eq!(read.counters.records, [("hl7v2", 1)]);
}

#[test]
fn any_split_reads_the_same() {
    for size in 1..ADMISSION.len() {
        assert_eq!(
            read_parts(&[Part::Bytes(ADMISSION)], size).records.log,
            ADMISSION_READ,
            "{size}"
        );
    }
    for at in 0..ADMISSION.len() {
        let parts = [Part::Bytes(&ADMISSION[..at]), Part::Bytes(&ADMISSION[at..])];
        assert_eq!(read_parts(&parts, usize::MAX).records.log, ADMISSION_READ, "split at {at}");
    }
}

#[test]
fn line_ends_of_every_kind() {
    for end in ["\n", "\r\n", "\n\n", "\r\r\n"] {
        let text = std::str::from_utf8(ADMISSION).expect("ASCII").replace('\r', end);
        for size in [1, 7, usize::MAX] {
            let lines = read_parts(&[Part::Bytes(text.as_bytes())], size).records.log;
            assert_eq!(lines, ADMISSION_READ, "{end:?} {size}");
        }
    }
}

#[test]
fn a_line_end_within_text_does_not_end_the_segment() {
    let lines = fields(b"MSH|^~\\&|A|B|C|D|||ADT^A08|1|P|2.3\rPID|1||77||Example^Anna||19591102|F|||12 Main St\nApt 4^^Town\r\nNTE\rPV1|1\r");
    assert!(lines.contains(&"PID-11 address 12 Main St Apt 4^^Town".to_owned()), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("end"));
}

#[test]
fn a_message_may_declare_other_delimiters() {
    let lines = fields(b"MSH#:+%;#LAB#NORTH#HIS#SOUTH#2025##ORU:R01#M4#P#2.3.1\rPID#1##54-7:::NORTH;1.2.3;ISO:MR+078-05-1120:::SSA:SS##Example:An%T%na##19960723#M\rOBX#1\r");
    assert_eq!(
        lines,
        [
            "record hl7v2 ORU^R01",
            "PID-3 patient_id 54-7 @NORTH",
            "PID-3 ssn 078-05-1120 @SSA",
            "PID-5 name Example^An;na",
            "PID-7 birth_date 19960723",
            "PID-8 sex M",
            "mark Result",
            "end"
        ]
    );
}

#[test]
fn delimiters_that_cannot_be() {
    // Letters and repeated characters fall back to the recommended ones.
    for encoding in ["", "^", "^^^^", "ab12", "^~\\&amp;", "|"] {
        let text =
            format!("MSH|{encoding}|A|B|C|D|||ADT^A08|1|P|2.3\rPID|1||77^^^N^MR||Example^Anna\r");
        let lines = fields(text.as_bytes());
        assert!(lines.contains(&"PID-5 name Example^Anna".to_owned()), "{encoding}: {lines:?}");
        assert!(lines.contains(&"PID-3 patient_id 77 @N".to_owned()), "{encoding}: {lines:?}");
    }
    // A letter cannot separate fields: no header, no record.
    assert_eq!(fields(b"MSHA^~\\&AAABPIDA1\r"), Vec::<String>::new());
}

#[test]
fn escapes_are_undone() {
    let name = |raw: &str| {
        let text = format!("MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||||{raw}\r");
        let lines = fields(text.as_bytes());
        lines
            .iter()
            .find_map(|l| l.strip_prefix("PID-5 name ").map(str::to_owned))
            .unwrap_or_default()
    };
    assert_eq!(name("Smith\\T\\Sons^Ren\\XE9\\"), "Smith&Sons^René");
    assert_eq!(name("M\\XC3\\\\XBC\\ller"), "Müller");
    assert_eq!(name("M\\XC3BC\\ller"), "Müller");
    assert_eq!(name("a\\F\\b\\S\\c\\R\\d\\E\\e"), "a|b^c~d\\e");
    assert_eq!(name("\\H\\Bold\\N\\ and\\.br\\line\\.sp2\\two"), "Bold and line two");
    assert_eq!(name("C:\\dir\\file"), "C:\\dir\\file");
    assert_eq!(name("open\\F"), "open\\F");
    assert_eq!(name("\\XZZ\\"), "\\XZZ\\");
    assert_eq!(name("a\\Zlocal\\b"), "ab");
    assert_eq!(name("tab\\X09\\b"), "tab b");
}

#[test]
fn nulls_blanks_and_pseudonyms_are_nothing() {
    let lines = fields(b"MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1|\"\"|\"\"^^^N^MR~^^^N^MR||Anon^Y^^^^^S||00000000|\"\"|||^^^IL^^US||^NET^Internet|\r");
    assert_eq!(lines, ["record hl7v2 ADT^A08", "end"]);
}

#[test]
fn identifier_types_say_what_an_id_is() {
    let lines = fields(b"MSH|^~\\&|||||||ADT^A31|1|P|2.5\rPID|1||H07^^^N^MR~D50^^^CA^DL~TEV43^^^BLUE^HC~9434765919^^^NHS^NH~X1^^^FR^NNFRA~V1^^^N^VN~Q^^^N^EPI\r");
    assert_eq!(
        lines[1..8],
        [
            "PID-3 patient_id H07 @N",
            "PID-3 drivers_licence D50 @CA",
            "PID-3 insurance_number TEV43 @BLUE",
            "PID-3 national_id 9434765919 @NHS",
            "PID-3 national_id X1 @FR",
            "PID-3 encounter_id V1 @N",
            "PID-3 patient_id Q @N",
        ]
    );
}

#[test]
fn a_number_that_is_no_ssn() {
    let lines =
        fields(b"MSH|^~\\&|||||||ADT^A31|1|P|2.5\rPID|1||1||A^B||||||||||||||44051401359\r");
    assert!(lines.contains(&"PID-19 national_id 44051401359".to_owned()), "{lines:?}");
}

#[test]
fn parts_of_a_telephone_number_are_put_together() {
    let phone = |raw: &str| {
        let text = format!("MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||||||||||||{raw}\r");
        fields(text.as_bytes())
            .iter()
            .filter_map(|l| l.strip_prefix("PID-13 ").map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(phone("555-0101"), ["phone 555-0101"]);
    assert_eq!(phone("^PRN^PH^^1^555^5550101"), ["phone 1 555 5550101"]);
    assert_eq!(phone("^PRN^CP^^^^^^^^^+15555550101"), ["phone +15555550101"]);
    assert_eq!(phone("555-0102^WPN^FX"), ["fax 555-0102"]);
    assert_eq!(phone("anna@example.org^NET"), ["email anna@example.org"]);
    assert_eq!(
        phone("555-0101^PRN^PH^anna@example.org"),
        ["email anna@example.org", "phone 555-0101"]
    );
    assert_eq!(phone("^NET^X.400^"), Vec::<String>::new());
}

#[test]
fn several_patients_of_a_batch_are_separate() {
    let lines = fields(b"FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|||||||ADT^A17|1|P|2.5\rPID|1||1^^^N^MR||A^A\rPV1|1|I\rPID|2||2^^^N^MR||B^B\rMSH|^~\\&|||||||ADT^A28|1|T|2.5\rPID|1||3^^^N^MR||C^C\rBTS|2\rFTS|1\r");
    assert_eq!(
        lines,
        [
            "record hl7v2 ADT^A17",
            "PID-3 patient_id 1 @N",
            "PID-5 name A^A",
            "end",
            "record hl7v2 ADT^A17",
            "PID-3 patient_id 2 @N",
            "PID-5 name B^B",
            "end",
            "record hl7v2 ADT^A28",
            "mark Test",
            "PID-3 patient_id 3 @N",
            "PID-5 name C^C",
            "end"
        ]
    );
}

#[test]
fn messages_without_patients() {
    let acknowledgment =
        read(b"MSH|^~\\&|HIS|SOUTH|ADMIS|NORTH|2025||ACK^A01^ACK|1|P|2.5\rMSA|AA|M1\r");
    assert_eq!(acknowledgment.records.log, Vec::<String>::new());
    assert_eq!(
        acknowledgment.facts.messages.as_ref().expect("facts of messages").acknowledged,
        Some(true)
    );
    for text in [
        &b"MSH|^~\\&|NET|N|||2025||NMD^N02|1|P|2.5\rNST|Y|1.2|SRV\r"[..],
        b"MSH|^~\\&|LAB|N|||2025||ESU^U01|1|P|2.5\rEQU|A1|2025|OP\r",
        b"MSH|^~\\&|HR|N|||2025||MFN^M02|1|P|2.5\rMFE|MAD\rSTF|S1|1|Doctor^Harriet||F|19700101\r",
        b"NK1|1|Example^Otto\rGT1|1|G1|Example^Otto\r",
    ] {
        assert_eq!(fields(text), Vec::<String>::new());
    }
}

#[test]
fn parameters_of_a_query_are_a_question_for_a_patient() {
    let demographics = fields(b"MSH|^~\\&|||||||QBP^Q22^QBP_Q21|1|P|2.5\rQPD|IHE PDQ Query|Q1|@PID.5.1^EXAMPLE~@PID.5.2^ANNA~@PID.7^19591102~@PID.3.1^77\rRCP|I\r");
    assert_eq!(
        demographics,
        [
            "record hl7v2 QBP^Q22",
            "mark Query",
            "PID-5 name EXAMPLE^ANNA",
            "PID-7 birth_date 19591102",
            "PID-3 patient_id 77",
            "end"
        ]
    );
    let cross =
        fields(b"MSH|^~\\&|||||||QBP^Q23|1|P|2.5\rQPD|IHE PIX Query|Q1|77^^^N^PI|^^^M\rRCP|I\r");
    assert_eq!(cross, ["record hl7v2 QBP^Q23", "mark Query", "QPD-3 patient_id 77 @N", "end"]);
    let immunization = fields(b"MSH|^~\\&|||||||QBP^Q11|1|P|2.5.1\rQPD|Z34^Request|Q1||Example^Anna|Sample^M|20150102|F\rRCP|I\r");
    assert_eq!(
        immunization[2..],
        [
            "QPD-4 name Example^Anna",
            "QPD-5 mothers_maiden_name Sample^M",
            "QPD-6 birth_date 20150102",
            "QPD-7 sex F",
            "end"
        ]
    );
    let old = fields(
        b"MSH|^~\\&|||||||QRY^A19|1|P|2.3\rQRD|2025|R|I|Q1|||1|77^Example^Anna|DEM\rQRF|X\r",
    );
    assert_eq!(
        old,
        [
            "record hl7v2 QRY^A19",
            "mark Query",
            "QRD-8 patient_id 77",
            "QRD-8 name Example^Anna",
            "end"
        ]
    );
    assert_eq!(
        fields(b"MSH|^~\\&|||||||QBP^Q22|1|P|2.5\rQPD|Find things|Q1|\rRCP|I\r"),
        Vec::<String>::new()
    );
    let pattern = fields(b"MSH|^~\\&|||||||QBP^Q22|1|P|2.5\rQPD|Q22|Q1|@PID.5.1^EX*~@PID.8^F\r");
    assert!(!pattern.iter().any(|l| l.contains("name")), "{pattern:?}");
    // The answer repeats the question, then names the patients.
    let answer = fields(b"MSH|^~\\&|||||||RSP^K22|1|P|2.5\rMSA|AA|1\rQPD|Q22|Q1|@PID.5.1^EX\rPID|1||7||Ex^A\rPID|2||8||Ex^B\r");
    assert_eq!(answer.iter().filter(|l| l.starts_with("record")).count(), 2);
    assert_eq!(answer.iter().filter(|l| *l == "mark Query").count(), 0);
}

#[test]
fn relatives_are_not_the_patient() {
    let insured = |patient: &str, relation: &str, guarantor: &str| {
        let gt1 = segment(
            "GT1",
            &[
                (2, "G1"),
                (3, "Example^Otto"),
                (5, "1 Rd^^Town"),
                (6, "555-0101"),
                (8, "19300101"),
                (11, guarantor),
                (12, "078-05-1120"),
            ],
        );
        let in1 = segment(
            "IN1",
            &[
                (2, "P"),
                (16, "Example^Otto"),
                (17, relation),
                (18, "19300101"),
                (19, "1 Rd^^Town"),
                (36, "POL1"),
            ],
        );
        let text = format!(
            "MSH|^~\\&|||||||ADT^A04|1|P|2.5\rPID|1||7||{patient}\r{gt1}{in1}IN2|E1|078-05-1120\r"
        );
        fields(text.as_bytes())[3..].to_vec()
    };
    assert_eq!(
        insured("Example^Anna", "SPO", "SPO"),
        [
            "GT1-3 next_of_kin_name Example^Otto",
            "GT1-6 next_of_kin_phone 555-0101",
            "GT1-12 other_id 078-05-1120",
            "IN1-16 next_of_kin_name Example^Otto",
            "IN1-36 insurance_number POL1",
            "IN2-2 other_id 078-05-1120",
            "end"
        ]
    );
    // "Self" is not trusted for a person of another name.
    assert_eq!(insured("Example^Anna", "18", "SEL"), insured("Example^Anna", "SPO", "SPO"),);
    // By name and birth date the insured is the patient, whatever the relation.
    let same = insured("Example^Otto||19300101", "SPO", "");
    assert!(same.contains(&"IN1-19 address 1 Rd^^Town".to_owned()), "{same:?}");
    let own = insured("Example^Otto", "18", "SEL");
    for line in [
        "GT1-3 name Example^Otto",
        "GT1-12 ssn 078-05-1120",
        "IN1-18 birth_date 19300101",
        "IN2-2 ssn 078-05-1120",
    ] {
        assert!(own.contains(&line.to_owned()), "{line}: {own:?}");
    }
}

#[test]
fn declared_character_sets_are_decoded() {
    let name = |set: &str, raw: &[u8]| {
        let mut text =
            format!("MSH|^~\\&|||||||ADT^A08|1|P|2.5||||||{set}\rPID|1||||").into_bytes();
        text.extend_from_slice(raw);
        text.extend_from_slice(b"||19590101\r");
        let lines = fields(&text);
        assert!(lines.contains(&"PID-7 birth_date 19590101".to_owned()), "{set}: {lines:?}");
        lines
            .iter()
            .find_map(|l| l.strip_prefix("PID-5 name ").map(str::to_owned))
            .unwrap_or_default()
    };
    assert_eq!(name("8859/1", b"L\xF8ken^Ren\xE9"), "Løken^René");
    assert_eq!(name("UNICODE UTF-8", "橋本^舞".as_bytes()), "橋本^舞");
    assert_eq!(name("~ISO IR87", b"\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B"), "山田^太郎");
    // The second byte of a character may look like a delimiter.
    assert_eq!(name("BIG-5", b"\xB3\x5C^\xA5\x5C"), "許^功");
    assert_eq!(name("GB 18030-2000", b"\x81\x7C^\xC1\xAA"), "亅^联");
    assert_eq!(name("", b"M\xFCller"), "Müller");
}

#[test]
fn a_gap_costs_only_what_it_hides() {
    let tail = &b"T^EXT\rNK1|1|Stranger^X\rMSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||8||B^B\r"[..];
    let head = &b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||7||A^A\rOBX|1|TX|tex"[..];
    let lines = read_parts(&[Part::Bytes(head), Part::Gap(100), Part::Bytes(tail)], 5).records.log;
    assert_eq!(
        lines,
        [
            "record hl7v2 ORU^R01",
            "PID-3 patient_id 7",
            "PID-5 name A^A",
            "mark Result",
            "end",
            "record hl7v2 ADT^A08",
            "PID-3 patient_id 8",
            "PID-5 name B^B",
            "end"
        ]
    );
    // A patient whose own segment was hit is not invented.
    let lines = read_parts(
        &[
            Part::Bytes(b"MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||7||Exam"),
            Part::Gap(1),
            Part::Bytes(b"le^Anna\rPV1|1\r"),
        ],
        3,
    )
    .records
    .log;
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn memory_is_bounded() {
    let mut text = b"MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||7||".to_vec();
    text.extend(std::iter::repeat_n(b'~', 1 << 20));
    text.extend_from_slice(b"\rPID|2||8||B^B\r");
    let read = read_parts(&[Part::Bytes(&text)], 1460);
    assert!(read.memory <= 2 * MAX_SEGMENT, "{}", read.memory);
    assert_eq!(read.counters.given_up, [(Reason::Limit, 1)]);
    assert!(read.records.log.contains(&"PID-5 name B^B".to_owned()));
    // Without any line end.
    let endless = [b"MSH|^~\\&|".as_slice(), &vec![0x80; 1 << 20]].concat();
    assert!(read_parts(&[Part::Bytes(&endless)], 1000).memory <= 2 * MAX_SEGMENT);
}

#[test]
fn repetitions_and_fields_are_bounded() {
    let mut text = b"MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1||".to_vec();
    for _ in 0..5000 {
        text.extend_from_slice(b"7^^^N^MR~");
    }
    text.push(b'\r');
    for _ in 0..5000 {
        text.extend_from_slice(b"NK1|1|A^B|SPO\r");
    }
    let lines = fields(&text);
    assert_eq!(lines.iter().filter(|l| l.starts_with("PID-3")).count(), value::MAX_REPETITIONS);
    assert!(lines.len() < 600, "{}", lines.len());
}

#[test]
fn garbage_does_not_panic() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..400 {
        let mut text = ADMISSION.to_vec();
        for _ in 0..20 {
            let at = (next() % text.len() as u64) as usize;
            text[at] = next() as u8;
        }
        let whole = fields(&text);
        assert_eq!(read_parts(&[Part::Bytes(&text)], 3).records.log, whole);
        text.truncate((next() % text.len() as u64) as usize);
        read(&text);
    }
}

#[test]
fn recognises_the_format() {
    let media = |content_type| Media::Type { content_type, name: "" };
    let probe = |m: &Media<'_>, head: &[u8]| Er7.probe(m, head, Extent::Whole);
    assert!(probe(&Media::Hl7v2, b"MSH"));
    assert!(probe(&media("application/hl7-v2"), ADMISSION));
    assert!(probe(&media("x-application/hl7-v2+er7; charset=utf-8"), b"\x0bMSH|^~\\&|"));
    assert!(probe(&media("text/plain"), ADMISSION));
    assert!(probe(&Media::Unknown, b"\xEF\xBB\xBFFHS|^~\\&|A\r"));
    assert!(!probe(&media("text/plain"), b"MSH is an abbreviation"));
    assert!(!probe(&media("application/json"), b"{}"));
    assert!(!probe(&Media::Unknown, b"MSH||||"));
    assert!(!probe(&Media::Unknown, b""));
}

#[test]
fn a_trigger_event_from_evn() {
    let message = b"MSH|^~\\&|A|B|C|D|2025||ADT|1|P|2.1\rEVN|A01|2025\rPID|1||7||A^B\r";
    assert_eq!(read(message).records.log[0], "record hl7v2 ADT^A01");
}

/// Found by fuzzing: a document that ended within its segment was text only where it came in one piece.
#[test]
fn fuzz_hl7v2_min() {
    let lines = b"|7|\rOBX|1|ED|||^a^PDF^Base64^JVBERi0xLjQKJeLj\r\
        OBX|2|TX|||QkNERUZHSElKS0xNTk9Q\xFE\x00 078-05-1120^";
    let whole =
        read_parts(&[Part::Gap(9), Part::Bytes(b"PID|1|"), Part::Bytes(lines)], 1000).records.log;
    for size in [1, 2, 7, 30, 60, 80] {
        let parts = [Part::Gap(9), Part::Bytes(b"PID|1|"), Part::Bytes(lines)];
        assert_eq!(read_parts(&parts, size).records.log, whole, "{size}");
    }
    let head = b"MSH|^~\\&|A|B|C|D|||ORU^R01|1|P|2.5\rPID|1|";
    let whole = read_parts(&[Part::Bytes(head), Part::Bytes(lines)], 1000).records.log;
    assert!(whole.iter().any(|line| line.contains("PID-3")), "{whole:?}");
    for size in 1..90 {
        let parts = [Part::Bytes(head), Part::Bytes(lines)];
        assert_eq!(read_parts(&parts, size).records.log, whole, "{size}");
    }
}

#[test]
fn controls_calibrators_and_units_of_blood_are_no_patients() {
    let is_material = |pid: &str, more: &str| {
        let text = format!("MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5\r{pid}\r{more}OBX|1|NM|GLU||5.1\r");
        fields(text.as_bytes()).contains(&"mark Phantom".to_owned())
    };
    for name in ["QC^LEVEL 1", "CONTROL", "Calibrator^2", "KONTROLLE^NIVEAU 2", "BLOOD BANK^UNIT"] {
        assert!(is_material(&format!("PID|1||4711||{name}"), ""), "{name}");
    }
    assert!(is_material("PID|1||QC-LEVEL1", ""));
    assert!(is_material("PID|1||QC 2||QC^LEVEL 2||19000101", ""));
    assert!(is_material("PID|1||4711", "SPM|1|7||SER|||||||Q^Control\r"));
    for person in [
        "PID|1||4711||Control^Anna||19700131",
        "PID|1||4711||Control||19700131",
        "PID|1||QC77||Roe^Jane",
        "PID|1||4711||QC^Nguyen",
        "PID|1||4711||QC^LEVEL 1~Roe^Jane",
        "PID|1||4711",
    ] {
        assert!(!is_material(person, ""), "{person}");
    }
    assert!(!is_material("PID|1||4711||Roe^Jane||19700131", "SPM|1|7||SER|||||||Q\r"));
    assert!(!is_material("PID|1||4711", "SPM|1|7||SER|||||||P\r"));
}

#[test]
fn a_name_asked_for_alone_is_a_search_term() {
    for question in
        ["QPD|IHE PDQ Query|Q1|@PID.5.1^EXAMPLE~@PID.8^F", "QRD|2025|R|I|Q1|||1|^Example^Anna|DEM"]
    {
        let text = format!("MSH|^~\\&|||||||QBP^Q22|1|P|2.5\r{question}\r");
        let read = fields(text.as_bytes());
        assert!(read.iter().all(|line| !line.contains("name")), "{read:?}");
    }
}

#[test]
fn a_display_name_adds_nothing_to_the_legal_one() {
    let names = |field: &str| {
        let text = format!("MSH|^~\\&|||||||ADT^A01|1|P|2.5\rPID|||77||{field}\r");
        let names = fields(text.as_bytes()).into_iter().filter(|line| line.contains(" name "));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("Roe^Jane^^^^^L~Roe^^^^Frau^^D"), ["PID-5 name Roe^Jane"]);
    assert_eq!(
        names("Roe^Jane^^^^^L~Penn^Jane^^^^^D"),
        ["PID-5 name Roe^Jane", "PID-5 name Penn^Jane"]
    );
    assert_eq!(names("Roe^^^^Frau^^D"), ["PID-5 name Roe^^^^Frau"]);
}

#[test]
fn a_national_number_where_that_of_another_hospital_is_due() {
    let ids = |id: &str| {
        let text = format!("MSH|^~\\&|||||||ADT^A01|1|P|2.3\rPID||{id}|77||Roe^Jane\r");
        let ids = fields(text.as_bytes()).into_iter().filter(|line| line.starts_with("PID-2"));
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("44051401359"), ["PID-2 national_id 44051401359"]);
    assert_eq!(ids("44051401358"), ["PID-2 patient_id 44051401358"]);
    assert_eq!(ids("44051401359^^^EXT"), ["PID-2 patient_id 44051401359 @EXT"]);
}

#[test]
fn a_health_number_is_asked_for() {
    let text = b"MSH|^~\\&|HR|X|RAIGET|Y|1999||E45|7|D|2.4\rQPD|E45^^HNET|1|^^1^^^CANBC^XX^MOH|^^9735353315^^^CANBC^JHN^MOH|2026\rRCP|I\r";
    let got = fields(text);
    assert!(got.iter().any(|field| field.contains("9735353315")), "{got:?}");
    assert_eq!(got.iter().filter(|field| field.starts_with("QPD")).count(), 1, "{got:?}");
}
