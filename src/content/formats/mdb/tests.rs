use crate::content::Media;
use crate::content::testing::{records, records_of, with_gap_of};
use proptest::prelude::*;

/// Put together by the layout of Jet 4, and read back with mdbtools 1.0 and access-parser 0.0.6: patients on two pages,
/// orders on one.
const CLINIC: &[u8] = include_bytes!("../../../../fixtures/office/clinic.mdb");

fn line(id: &str, name: &str, birth: &str) -> String {
    let birth = if birth.is_empty() { String::new() } else { format!(" birth_date={birth}") };
    format!("patient_id={id}{birth}|{name}")
}

/// The identifiers of each record, in one order.
fn people(lines: &[String]) -> Vec<String> {
    let value = |line: &str, kind: &str| {
        // The last of a kind: the number of the row comes before that of the patient.
        let (_, rest) = line.rsplit_once(&format!(" {kind}="))?;
        let end = rest.find(" patient_id=").or(rest.find(" birth_date=")).unwrap_or(rest.len());
        let end = end.min(rest.find(" name=").unwrap_or(rest.len()));
        Some(rest[..end].trim().to_owned())
    };
    let of = |l: &String| {
        assert!(l.starts_with("http>mdb:~mdb [PatientContext]"), "{l}");
        let get = |kind| value(l, kind).unwrap_or_default();
        line(&get("patient_id"), &get("name"), &get("birth_date"))
    };
    lines.iter().map(of).collect()
}

fn all() -> Vec<String> {
    vec![
        line("H0400001", "Roe^Eva", "1958-03-02"),
        line("H0400002", "Ångström^Zoë", "1961-12-24"),
        line("H0400003", "Иванова^Анна", "1972-06-15"),
        line("H0400004", "Ott^Jan", ""),
    ]
}

#[test]
fn rows_of_user_tables_are_read_under_their_columns() {
    assert_eq!(people(&records("application/x-msaccess", CLINIC)), all());
}

#[test]
fn pages_that_are_missing_cost_their_rows() {
    let page = 4096;
    let hole = |at: usize| {
        let (front, back) = (&CLINIC[..at * page], &CLINIC[(at + 1) * page..]);
        people(&with_gap_of(Media::Unknown, front, page as u64, back))
    };
    assert_eq!(hole(6), all()[2..]);
    assert_eq!(hole(9), all());
    assert!(hole(4).is_empty(), "without its definition a table says nothing");
    for end in (0..CLINIC.len()).step_by(531) {
        records_of(Media::Unknown, &[], &CLINIC[..end], 9999);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn mutations(changes in proptest::collection::vec((20usize..45_000, any::<u8>()), 1..40), jet3: bool) {
        let mut broken = CLINIC.to_vec();
        for (at, byte) in changes {
            let at = 20 + at % (broken.len() - 20);
            broken[at] = byte;
        }
        broken[0x14] = if jet3 { 0 } else { 1 };
        records_of(Media::Unknown, &[], &broken, 9999);
    }
}
