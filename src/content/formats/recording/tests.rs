use super::*;
use crate::content::testing::{Part, read_document, rules};
use crate::rules::Kind;
use proptest::prelude::*;

const ALL: [Recording; 5] = [SCP_ECG, MFER, EDF, ISHNE, NIFTI];

fn format(name: &str) -> Recording {
    ALL.into_iter().find(|f| f.name == name).expect("format")
}

/// What comes of a file, in pieces of any size.
fn lines(name: &str, file: &[u8]) -> Vec<String> {
    let format = format(name);
    let media = Media::Unknown;
    assert!(format.probe(&media, file, Extent::Whole), "{name} is recognised");
    let of = |size| {
        let mut document = format.open(&media);
        read_document(&mut *document, "GET", &[Part::Bytes(file)], size).records.lines
    };
    let whole = of(usize::MAX);
    for size in [1, 2, 3, 7, 64, 300] {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn scp_ecg_names_the_patient_in_section_1() {
    let one = recording::sample("scp-ecg", "1-0", "Schäfer").expect("a sample");
    assert_eq!(lines("scp-ecg", &one), ["test:scp-ecg [Result] name=Schäfer"]);
    // All tags; the record as it is carved out of a stream.
    let mut tags = Vec::new();
    for (tag, value) in [
        (0u8, &b"Hartman\0"[..]),
        (1, b"Jason\0"),
        (2, b"MRN-4711\0"),
        (5, &[0xa7, 7, 11, 2]),
        (8, &[1]),
        (14, &[0; 40]),
        (255, b""),
    ] {
        tags.push(tag);
        tags.extend((value.len() as u16).to_le_bytes());
        tags.extend(value);
    }
    let mut file = recording::sample("scp-ecg", "1-0", "").expect("a sample");
    file.truncate(6 + 136 + 16);
    file.extend(&tags);
    // The length of section 1 in its pointer.
    let len = (16 + tags.len() as u32).to_le_bytes();
    file[6 + 16 + 10 + 2..6 + 16 + 10 + 6].copy_from_slice(&len);
    let expected =
        "test:scp-ecg patient_id=MRN-4711 birth_date=19591102 sex=M name=Hartman^Jason [Result]";
    let sorted = |line: &str| {
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        words.sort();
        words
    };
    for file in [&file[..], &file[recording::SCP_NAME..]] {
        let got = lines("scp-ecg", file);
        assert_eq!(got.len(), 1);
        assert_eq!(sorted(&got[0]), sorted(expected));
    }
}

#[test]
fn mfer_names_the_patient_in_its_character_set() {
    let mut file = recording::sample("mfer", "82", "P-100200").expect("a sample");
    file.truncate(file.len() - 2);
    // Shift JIS, a channel attribute, long lengths, then signals that are not wanted.
    file.extend(b"\x03\x04SJIS");
    file.extend(b"\x3f\x01\x02ab");
    file.extend([0x81, 0x82, 0, 8, 0x8e, 0x52, 0x93, 0x63, b'^', 0x91, 0xbe, 0x98]);
    file.extend([0x83, 7, 66, 0, 0, 7, 0xa7, 11, 2]);
    file.extend([0x84, 1, 2]);
    file.extend([0x1e, 0x84, 0x7f, 0, 0, 0]);
    file.extend([9; 5000]);
    let got = lines("mfer", &file);
    assert!(got[0].contains("patient_id=P-100200"), "{got:?}");
    assert!(got[0].contains("name=山田"), "{got:?}");
    assert!(got[0].contains("birth_date=19591102 sex=F"), "{got:?}");
}

#[test]
fn edf_plus_has_fields_and_edf_has_a_line() {
    let with = |patient: &str, plus: bool| {
        let mut file = recording::sample("edf", "patient name", "X").expect("a sample");
        file[8..88].fill(b' ');
        file[8..8 + patient.len()].copy_from_slice(patient.as_bytes());
        if !plus {
            file[192..236].fill(b' ');
        }
        let lines = lines("edf", &file);
        lines.into_iter().next().unwrap_or_default()
    };
    let expected = "test:edf patient_id=MCH-0234567 sex=F birth_date=19510502 name=Haagse Harry";
    for (patient, plus) in [
        ("MCH-0234567 F 02-MAY-1951 Haagse_Harry", true),
        ("MCH-0234567 F 02-MAY-1951 Haagse_Harry", false),
        ("MCH-0234567 Haagse Harry F 02.05.1951", false),
    ] {
        let got = with(patient, plus);
        assert_eq!(got.replace(" [Result]", ""), expected, "{patient}");
    }
    for (patient, plus) in [
        ("X X X X", true),
        ("X X X X", false),
        ("X F X X", true),
        ("S001 run 2", false),
        ("", true),
        ("anonymous", false),
    ] {
        let got = with(patient, plus);
        assert!(!got.contains("name=") && !got.contains("patient_id="), "{patient}: {got}");
    }
}

#[test]
fn ishne_and_analyze_have_fields_at_fixed_places() {
    let mut file = recording::sample("ishne", "first name", "Jason").expect("a sample");
    for field in
        [("last name", "Hartman"), ("id", "H-99"), ("sex", "1"), ("birth date", "19591102")]
    {
        let other = recording::sample("ishne", field.0, field.1).expect("a sample");
        for (at, byte) in other.into_iter().enumerate().filter(|(_, b)| *b != 0) {
            file[at] = byte;
        }
    }
    let got = lines("ishne", &file);
    for part in ["name=Hartman^Jason", "patient_id=H-99", "sex=M", "birth_date=19591102"] {
        assert!(got[0].contains(part), "{got:?}");
    }
    let file = recording::sample("nifti", "patient_id", "N-4711").expect("a sample");
    assert!(lines("nifti", &file)[0].contains("patient_id=N-4711"));
    let file = recording::sample("nifti", "db_name", "Hartman^Jason").expect("a sample");
    assert!(lines("nifti", &file)[0].contains("name=Hartman^Jason"));
}

#[test]
fn every_field_of_the_formats_has_a_rule() {
    for (format, field) in recording::FIELDS {
        let rule = rules().recordings.field(format, field);
        assert!(rule.is_some_and(|f| f.rule.kind != Kind::Url), "{format} {field}");
    }
}

proptest! {
    #[test]
    fn garbage(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        which in 0usize..22,
        flips in proptest::collection::vec((0usize..400, any::<u8>()), 0..8),
        size in 1usize..200,
    ) {
        let (name, field) = recording::FIELDS[which];
        let mut file = recording::sample(name, field, "19591102").expect("a sample");
        file.extend(bytes);
        for (at, byte) in flips {
            let len = file.len();
            file[at % len] = byte;
        }
        let mut document = format(name).open(&Media::Unknown);
        let parts = [Part::Bytes(&file), Part::Gap(9), Part::Bytes(&file)];
        let reading = read_document(&mut *document, "GET", &parts, size);
        prop_assert!(reading.memory <= 2 * MAX_HEAD);
    }
}
