use crate::content::testing::{records, records_of};
use crate::content::{Media, testing};
use proptest::prelude::*;

/// Lines with their lengths, as the standard has them.
fn lines(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, value) in fields {
        out.extend(format!("{:03}{id}", value.len() + 9).into_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out
}

const GDT: &[(&str, &[u8])] = &[
    ("8000", b"6310"),
    ("8100", b"00120"),
    ("8315", b"PRAXIS"),
    ("8316", b"EKG"),
    ("9206", b"2"),
    ("9218", b"02.10"),
    ("3000", b"4711"),
    ("3100", b"von"),
    ("3101", b"M\x81ller"),
    ("3102", b"Jutta"),
    ("3103", b"02111959"),
    ("3104", b"Dr."),
    ("3106", b"14469 Potsdam"),
    ("3107", b"Habichtweg 5"),
    ("3110", b"2"),
    ("3622", b"168"),
    ("8410", b"RR"),
    ("8420", b"120"),
];

#[test]
fn a_record_of_a_device_is_read_with_any_line_ends() {
    let expected = ["http>xdt:xdt patient_id=4711 birth_date=02111959 sex=2 [Result] \
         name=Müller^Jutta^^von^Dr. address=Habichtweg 5^^14469 Potsdam"];
    assert_eq!(records("", &lines(GDT)), expected);
    assert_eq!(records("application/octet-stream", &lines(GDT)), expected);
    // Line ends of other systems.
    for end in ["\n", "\r"] {
        let text: Vec<u8> = lines(GDT).split(|b| *b == b'\r').fold(Vec::new(), |mut all, line| {
            all.extend(line.strip_prefix(b"\n").unwrap_or(line));
            all.extend(end.as_bytes());
            all
        });
        assert_eq!(records("", &text), expected, "{end:?}");
    }
}

#[test]
fn several_patients_and_staff() {
    let bdt = lines(&[
        ("8000", b"0020"),
        ("9106", b"3"),
        ("8000", b"0010"),
        ("0201", b"721111100"),
        ("0203", b"Dr. Anna Arzt"),
        ("0205", b"Gasse 1"),
        ("8000", b"6100"),
        ("3000", b"1"),
        ("3101", b"Gr\xFCn"),
        ("3102", b"Ida"),
        ("3105", b"H329268036"),
        ("3112", b"14469"),
        ("3113", b"Potsdam"),
        ("3107", b"Weg"),
        ("3109", b"7a"),
        ("8000", b"6200"),
        ("3000", b"2"),
        ("6205", b"Grippe"),
        ("8000", b"con9"),
        ("9203", b"3"),
    ]);
    assert_eq!(
        records("text/plain", &bdt),
        [
            "http>xdt:xdt patient_id=1 insurance_number=H329268036 name=Grün^Ida \
             address=Weg 7a^^Potsdam^^14469",
            "http>xdt:xdt patient_id=2 [Diagnosis]",
        ]
    );
}

#[test]
fn objects_of_ldt_say_whose_fields_they_hold() {
    let person = |family: &'static [u8]| {
        [
            (b"8147".as_slice(), b"Person".as_slice()),
            (b"8002", b"Obj_0047"),
            (b"3120", b"van"),
            (b"3101", family),
            (b"3102", b"Ida"),
            (b"8228", b"Wohnanschrift"),
            (b"8002", b"Obj_0007"),
            (b"3113", b"Ulm"),
            (b"8003", b"Obj_0007"),
            (b"8003", b"Obj_0047"),
        ]
    };
    let mut all: Vec<(&[u8], &[u8])> = vec![(b"8000", b"8205"), (b"8002", b"Obj_0017")];
    all.extend([(b"8310".as_slice(), b"A-7".as_slice()), (b"8003", b"Obj_0017")]);
    all.push((b"8002", b"Obj_0014"));
    all.extend(person(b"Arzt"));
    all.push((b"8003", b"Obj_0014"));
    all.push((b"8002", b"Obj_0045"));
    all.extend(person(b"Berg"));
    all.extend([(b"3119".as_slice(), b"A123456780".as_slice()), (b"8003", b"Obj_0045")]);
    all.push((b"8001", b"8205"));
    let all: Vec<(&str, &[u8])> =
        all.iter().map(|(id, v)| (std::str::from_utf8(id).expect("digits"), *v)).collect();
    assert_eq!(
        records("", &lines(&all)),
        [
            "http>xdt:xdt accession_number=A-7 insurance_number=A123456780 name=van Berg^Ida address=^^Ulm"
        ]
    );
}

#[test]
fn what_is_none() {
    for text in ["0138000", "01380006301", "0148000631\r\n", "2198000abcd\r\n", "013800x6301\r\n"] {
        let got = records("", text.as_bytes());
        assert!(got.is_empty(), "{text:?}: {got:?}");
        assert!(!crate::content::Format::probe(
            &super::Xdt,
            &Media::Unknown,
            text.as_bytes(),
            crate::content::Extent::Whole
        ));
    }
    // A header without a patient.
    assert!(
        records("", &lines(&[("8000", b"8220"), ("8300", b"Labor"), ("0203", b"A")])).is_empty()
    );
}

#[test]
fn cut_and_overlong() {
    let whole = lines(GDT);
    for end in 0..whole.len() {
        records_of(Media::Unknown, &[], &whole[..end], 7);
    }
    let mut long = whole.clone();
    long.extend(b"9993101".iter().chain(&[b'x'; 70_000]));
    long.extend(b"\r\n0113101Zz\r\n");
    assert_eq!(records_of(Media::Unknown, &[], &long, 99).len(), 1);
}

#[test]
fn a_gap_ends_the_record() {
    let (mut first, second) = (lines(&GDT[..9]), lines(GDT));
    first.extend(b"0143102");
    let mut document = crate::content::Format::open(&super::Xdt, &Media::Unknown);
    let lines = testing::with_gap(document.as_mut(), &first, &second[3..]);
    // The rest of the line, and of the record, is about no person.
    assert_eq!(lines, ["test:xdt patient_id=4711 name=Müller^^^von"]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
        let mut text = lines(GDT);
        text.extend(bytes);
        records_of(Media::Unknown, &[], &text, size);
    }
}
