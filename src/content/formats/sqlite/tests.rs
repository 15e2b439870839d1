use crate::content::testing::{read_as, records, records_of, with_gap_of};
use crate::content::{Media, Reason};
use proptest::prelude::*;

/// Made by SQLite 3.40 (`fixtures/office/clinic.sqlite`): tables of patients over several pages, of which
/// one row is longer than a page, with and without a number of the row, and one of orders.
const CLINIC: &[u8] = include_bytes!("../../../../fixtures/office/clinic.sqlite");
/// The same in UTF-16, with patients only.
const WIDE: &[u8] = include_bytes!("../../../../fixtures/office/clinic-utf16.sqlite");

#[test]
fn rows_of_every_table_are_read_under_their_columns() {
    let got = records_of(Media::Unknown, &[], CLINIC, 4096);
    let has = |text: &str| got.iter().any(|line| line.contains(text));
    assert_eq!(got.iter().filter(|line| line.contains("~sqlite")).count(), 122, "{got:#?}");
    assert!(has("name=Person-A, Nora") && has("name=Person-ZZ, Nora") || has("patient_id=M000119"));
    assert!(has("patient_id=M000000") && has("patient_id=M000119"));
    // A row longer than a page, a table without numbers of rows, and a resource in a column.
    assert!(has("name=Mirela Long patient_id=LONG1") || has("patient_id=LONG1"));
    assert!(has("patient_id=KEYED7"));
    assert!(has("http>sqlite>json:fhir") && has("birth_date=1961-05-04"));
    assert!(!has("Lamp"));
    assert_eq!(
        records("", WIDE),
        [
            "http>sqlite:~sqlite [PatientContext] patient_id=17 name=Zoë Ångström birth_date=1958-03-02"
        ]
    );
}

#[test]
fn pages_that_are_missing_cost_their_rows() {
    let all = records_of(Media::Unknown, &[], CLINIC, 9999).len();
    let hole = with_gap_of(Media::Unknown, &CLINIC[..3072], 1024, &CLINIC[4096..]).len();
    assert!(hole > 60 && hole <= all, "{hole} of {all}");
    let cut = records_of(Media::Unknown, &[], &CLINIC[..CLINIC.len() / 2], 9999).len();
    assert!(cut > 20 && cut < all, "{cut} of {all}");
    assert!(records_of(Media::Unknown, &[], &CLINIC[..99], 9999).is_empty());
}

#[test]
fn circles_of_pages_end() {
    // The first page says that it is an interior page whose children are itself and all others.
    let mut circle = CLINIC.to_vec();
    circle[100] = 5;
    circle[108..112].copy_from_slice(&[0, 0, 0, 1]);
    assert!(records_of(Media::Unknown, &[], &circle, 9999).is_empty());
    // Rows of pages that lead to each other are paid for.
    let (_, counters) = read_as(Media::Unknown, &[], CLINIC, 9999);
    assert!(counters.given_up.iter().all(|(reason, _)| *reason != Reason::Budget));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn mutations(changes in proptest::collection::vec((100usize..30_000, any::<u8>()), 1..40), end in 100usize..30_000) {
        let mut broken = CLINIC.to_vec();
        for (at, byte) in changes {
            let at = at % broken.len();
            broken[at] = byte;
        }
        let end = end % broken.len();
        records_of(Media::Unknown, &[], &broken, 9999);
        records_of(Media::Unknown, &[], &broken[..end], 9999);
    }
}
