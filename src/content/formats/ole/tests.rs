use crate::content::testing::{read_as, records, records_of, with_gap_of};
use crate::content::{Media, Reason};
use proptest::prelude::*;
use std::io::Write as _;

/// Saved by LibreOffice 7.4 as Word 97 and Excel 97.
const LETTER: &[u8] = include_bytes!("../../../../fixtures/office/letter.doc");
const WARD: &[u8] = include_bytes!("../../../../fixtures/office/ward.xls");
/// The text of a presentation saved by the same, without its preview.
const ROUNDS: &[u8] = include_bytes!("../../../../fixtures/office/rounds.ppt.stream");
/// Written by xlwt 1.3: 399 rows, whose table of strings goes on over many records.
const LIST: &[u8] = include_bytes!("../../../../fixtures/office/xlwt-list.xls");

/// A compound file of these streams.
fn container(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).expect("memory");
    for (path, bytes) in streams {
        if let Some((storage, _)) = path.rsplit_once('/') {
            file.create_storage_all(storage).expect("storage");
        }
        let mut stream = file.create_stream(path).expect("stream");
        stream.write_all(bytes).expect("memory");
        stream.flush().expect("memory");
    }
    file.flush().expect("memory");
    file.into_inner().into_inner()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_letter_and_its_table() {
    assert_eq!(
        records("application/msword", LETTER),
        [
            "http>ole>doc:~doc [PatientContext] patient_id=H0190017 name=Roe, Eva birth_date=1961-04-05",
            "http>ole>doc:~doc [PatientContext] patient_id=H0190018 name=Иванова, Анна birth_date=1972-12-24",
            "http>ole>doc:~doc [PatientContext] name=Zoë Ångström patient_id=00773500 birth_date=1958-03-02",
        ]
    );
}

#[test]
fn sheets_with_dates_and_long_tables_of_strings() {
    assert_eq!(
        records("application/vnd.ms-excel", WARD),
        [
            "http>ole>xls:~xls [PatientContext] patient_id=H0200001 name=Müller^Jörg birth_date=1949-05-30",
            "http>ole>xls:~xls [PatientContext] patient_id=H0200002 name=Wang^伟 birth_date=2001-09-12",
        ]
    );
    let got = records_of(Media::Unknown, &[], LIST, 9999);
    assert_eq!(got.len(), 399);
    for (row, line) in (1..).zip(&got) {
        assert!(line.contains(&format!("patient_id=X{row:06} name=")), "{line}");
    }
    let first = "patient_id=X000001 name=Sørensen, Zoë birth_date=1950-02-01";
    assert!(got[0].contains(first), "{}", got[0]);
    let last = "patient_id=X000399 name=Иванова, Анна birth_date=1983-11-13";
    assert!(got[398].contains(last), "{}", got[398]);
}

fn atom(kind: u16, body: &[u8]) -> Vec<u8> {
    [&[0, 0][..], &kind.to_le_bytes(), &(body.len() as u32).to_le_bytes(), body].concat()
}

#[test]
fn slides_are_about_one_person_each() {
    let slide = |text: &[u8]| {
        let mut slide = atom(0x03ee, text);
        slide[0] = 0x0f;
        slide
    };
    let first = slide(&atom(0x0fa0, &wide("Tumour board\rPatient: Eva Roe\rMRN: 77")));
    let second = slide(&atom(0x0fa8, b"Patient: J\xf6rg Ott\x0bDOB: 1960-02-29"));
    let document = [atom(0x03e9, &[7; 40]), first, second].concat();
    assert_eq!(
        records("", &container(&[("PowerPoint Document", &document)])),
        [
            "http>ole>ppt:~ppt [PatientContext] name=Eva Roe patient_id=77",
            "http>ole>ppt:~ppt [PatientContext] name=Jörg Ott birth_date=1960-02-29",
        ]
    );
}

#[test]
fn a_presentation_of_two_patients() {
    assert_eq!(
        records("", &container(&[("PowerPoint Document", ROUNDS)])),
        [
            "http>ole>ppt:~ppt [PatientContext] name=Eva Roe patient_id=H0300001 birth_date=1958-03-02",
            "http>ole>ppt:~ppt [PatientContext] name=Ольга Петрова patient_id=H0300002 birth_date=1960-02-29",
        ]
    );
}

#[test]
fn mail_with_its_attachments_and_the_mail_in_it() {
    let embedded = "__attach_version1.0_#00000001/__substg1.0_3701000D";
    let file = container(&[
        ("__properties_version1.0", &[0; 32]),
        ("__substg1.0_0037001F", &wide("MRN: 77")),
        ("__substg1.0_1000001F", &wide("Patient: Eva Roe\r\nDOB: 1958-03-02\r\n")),
        ("__recip_version1.0_#00000000/__substg1.0_3001001F", &wide("Dana Quinn")),
        ("__attach_version1.0_#00000000/__substg1.0_3707001F", &wide("patients.csv")),
        (
            "__attach_version1.0_#00000000/__substg1.0_37010102",
            b"mrn,name,dob\n18,\"Doe, Ann\",1960-02-29\n",
        ),
        (&format!("{embedded}/__substg1.0_1000001E"), b"Patient: J\xf6rg Ott\nMRN: 19\n"),
    ]);
    let got = records("application/vnd.ms-outlook", &file);
    let found = [
        "name=Eva Roe birth_date=1958-03-02",
        "patient_id=18 name=Doe, Ann birth_date=1960-02-29",
        "name=Jörg Ott patient_id=19",
    ];
    for text in found {
        assert!(got.iter().any(|line| line.contains(text)), "{text}: {got:#?}");
    }
    assert!(!got.iter().any(|line| line.contains("Quinn")));
}

#[test]
fn encrypted_files_are_counted() {
    let mut locked = LETTER.to_vec();
    // The flags of the document are in its first sector.
    let at = locked.windows(2).position(|w| w == [0xec, 0xa5]).expect("a document");
    locked[at + 0x0b] |= 1;
    let (got, counters) = read_as(Media::Unknown, &[], &locked, 9999);
    assert!(got.is_empty());
    assert_eq!(counters.given_up, [(Reason::Encrypted, 1)]);
}

#[test]
fn files_that_are_cut_or_have_holes_are_read_as_far_as_they_are_there() {
    for end in (0..LETTER.len()).step_by(97) {
        records_of(Media::Unknown, &[], &LETTER[..end], 9999);
    }
    // A sector that is missing costs what lies in it; without the directory nothing can be found.
    let read = |start: usize| {
        let end = (start + 512).min(LETTER.len());
        let lost = (end - start) as u64;
        with_gap_of(Media::Unknown, &LETTER[..start], lost, &LETTER[end..]).len()
    };
    let whole = (512..LETTER.len()).step_by(512).filter(|start| read(*start) == 3).count();
    assert!(whole > 8, "{whole}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn mutations(changes in proptest::collection::vec((0usize..60_000, any::<u8>()), 1..30), end in 1usize..60_000) {
        for file in [LETTER, WARD] {
            let mut broken = file.to_vec();
            for (at, byte) in &changes {
                let at = at % broken.len();
                broken[at] = *byte;
            }
            let end = end % broken.len();
            records_of(Media::Unknown, &[], &broken, 9999);
            records_of(Media::Unknown, &[], &broken[..end], 9999);
        }
    }
}
