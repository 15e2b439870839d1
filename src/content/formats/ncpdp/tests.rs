use crate::content::Format as _;
use crate::content::Media;
use crate::content::testing::{records, records_of, with_gap};
use proptest::prelude::*;

/// A claim: header and segments, `|` for the field, `/` for the segment and `%` for the group
/// separator.
fn wire(text: &str) -> Vec<u8> {
    text.bytes()
        .map(|b| match b {
            b'|' => 0x1C,
            b'/' => 0x1E,
            b'%' => 0x1D,
            b'<' => 0x02,
            b'>' => 0x03,
            other => other,
        })
        .collect()
}

const HEAD: &str = "610066D0B1ACMEPCN   1011234567893     20260302SW00000001";
const PATIENT: &str = "/|AM01|CX01|CY536904399|C419620927|C52|CAEVA|CBROE|CM1 MAIN ST|CNSALEM|COOR|CP97301|CQ5035550101";
const CLAIM: &str = "%/|AM07|EM1|D2123456|E103|D700002073234%/|AM07|EM1|D2123457";
const EVA: &str = "http>ncpdp:ncpdp ssn=536904399 birth_date=19620927 sex=2 phone=5035550101";

#[test]
fn a_claim_names_the_patient_and_the_medication() {
    let insured = "/|AM04|C2W100200300|CCEVA|CDROE|C1GRP1|C61";
    let expected = [format!(
        "{EVA} insurance_number=W100200300 accession_number=123456 [Medication] accession_number=123457 \
         name=ROE^EVA address=1 MAIN ST^^SALEM^OR^97301"
    )];
    let claim = format!("{HEAD}{PATIENT}{insured}{CLAIM}");
    assert_eq!(records("application/octet-stream", &wire(&claim)), expected);
    assert_eq!(records("text/plain", &wire(&format!("<{claim}>"))), expected);
    // Two in a row, and their responses.
    let both = wire(&format!("<{claim}><{claim}>"));
    assert_eq!(records("", &both), [&expected[..], &expected[..]].concat());
}

#[test]
fn a_cardholder_is_the_patient_only_if_the_relationship_says_so() {
    let of = |relationship: &str, patient: &str| {
        let text =
            format!("{HEAD}{patient}/|AM04|C2W100200300|CCULF|CDROE{relationship}%/|AM07|EM1");
        records("", &wire(&text)).concat()
    };
    // The spouse's card; the patient's own; an inquiry that names no other person.
    assert!(
        of("|C62", PATIENT).ends_with("address=1 MAIN ST^^SALEM^OR^97301 next_of_kin_name=ROE^ULF")
    );
    assert!(!of("|C61", PATIENT).contains("ULF"));
    assert_eq!(of("", ""), "http>ncpdp:ncpdp insurance_number=W100200300 name=ROE^ULF");
}

#[test]
fn responses_and_staff() {
    let response = "D0B11A011234567893     20260302/|AM20|F4PAID/|AM25|C1GRP1/|AM29|CAEVA|CBROE|C419620927%/|AM21|ANP";
    assert_eq!(records("", &wire(response)), ["http>ncpdp:ncpdp birth_date=19620927 name=ROE^EVA"]);
    let rejected = "D0B11R011234567893     20260302%/|AM21|ANR|FA1|FB70";
    assert!(records("", &wire(rejected)).is_empty());
    let prescriber = format!("{HEAD}%/|AM03|EZ01|DB1234567893|DRQUIMBY|PM5035550199|2JELLA");
    assert!(records("", &wire(&prescriber)).is_empty());
}

#[test]
fn a_claim_cut_off_anywhere_stops_nothing() {
    let claim = wire(&format!("<{HEAD}{PATIENT}{CLAIM}>"));
    for end in 0..claim.len() {
        records_of(Media::Unknown, &[], &claim[..end], 5);
    }
    let mut long = claim.clone();
    long.extend([b'x'; 9000]);
    assert_eq!(records_of(Media::Unknown, &[], &long, 100).len(), 1);
    let mut document = super::Telecom.open(&Media::Unknown);
    let found = with_gap(document.as_mut(), &claim[..claim.len() / 2], &wire("OE|CBROE|CAULF"));
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("ULF"), "what stands behind a gap is not of this transmission");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        let mut text = wire(&format!("{HEAD}{PATIENT}"));
        text.extend(bytes);
        records_of(Media::Unknown, &[], &text, size);
    }
}
