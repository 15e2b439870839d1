use crate::content::testing::records;
use flate2::write::GzEncoder;
use std::io::Write;

/// A message of attributes, each under its group (0: the one before).
fn message(code: u16, attributes: &[(u8, u8, &str, &str)]) -> Vec<u8> {
    let mut bytes = vec![2, 0];
    bytes.extend(code.to_be_bytes());
    bytes.extend(1u32.to_be_bytes());
    for (group, tag, name, value) in attributes {
        if *group > 0 {
            bytes.push(*group);
        }
        bytes.push(*tag);
        for text in [name, value] {
            bytes.extend((text.len() as u16).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    bytes.push(3);
    bytes
}

const NOTE: &[u8] = b"Patient: Roe, Jane\nMRN: H77123\nDOB: 1970-01-31\n";

#[test]
fn the_document_of_a_job() {
    let head = [
        (1, 0x47, "attributes-charset", "utf-8"),
        (0, 0x42, "requesting-user-name", "ward3"),
        (0, 0x42, "job-name", "Report MRN: 8812 Patient: Ito, Ken"),
        (0, 0x49, "document-format", "text/plain"),
        (2, 0x21, "copies", "\0\0\0\x01"),
    ];
    let plain = [message(2, &head), NOTE.to_vec()].concat();
    let job = "http>ipp:~ipp [PatientContext] patient_id=8812 name=Ito, Ken";
    let jane = "[PatientContext] name=Roe, Jane patient_id=H77123 birth_date=1970-01-31";
    assert_eq!(
        records("application/ipp", &plain),
        [job.to_owned(), format!("http>ipp>text:~text {jane}")]
    );
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(NOTE).expect("memory");
    let with = [&head[..4], &[(0, 0x44, "compression", "gzip")]].concat();
    let coded = [message(6, &with), packed.finish().expect("memory")].concat();
    assert_eq!(
        records("application/ipp", &coded),
        [job.to_owned(), format!("http>ipp>gzip>text:~text {jane}")]
    );
}

#[test]
fn the_jobs_of_a_list_are_about_different_people() {
    let list = message(
        0,
        &[
            (1, 0x47, "attributes-charset", "utf-8"),
            (2, 0x42, "job-name", "DOE_JOHN MRN: 1234567 DOB: 1950-02-03"),
            (0, 0x42, "job-originating-user-name", "anna"),
            (2, 0x42, "job-name", "MRN: 7654321 DOB: 1960-02-03"),
        ],
    );
    assert_eq!(records("application/ipp", &list).len(), 2);
}

#[test]
fn a_job_may_be_cut_anywhere() {
    let whole = message(2, &[(1, 0x42, "job-name", "Patient: Roe, Jane MRN: 77123")]);
    for end in 0..whole.len() {
        records("application/ipp", &whole[..end]);
    }
}
