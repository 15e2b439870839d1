//! Whose record is it: which two records are of one patient.

use super::*;
use Kind::{BirthDate, InsuranceNumber, Name, PatientId, Ssn};

type Record = &'static [(Kind, &'static str, &'static str)];

/// Two records (kind, value, issuer), and whether they are of one patient.
const PAIRS: &[(&str, Record, Record, bool)] = &[
    ("same id", &[(PatientId, "17", "")], &[(PatientId, "0017", ""), (Name, "A^B", "")], true),
    ("same id, other issuer", &[(PatientId, "17", "X")], &[(PatientId, "17", "Y")], false),
    (
        "same id, issuer in another case",
        &[(PatientId, "17", "Hosp A")],
        &[(PatientId, "17", "HOSP-A")],
        true,
    ),
    (
        "issuer by name and OID, and by OID",
        &[(PatientId, "17", "X&1.2.3")],
        &[(PatientId, "17", "urn:oid:1.2.3")],
        true,
    ),
    (
        "issuer by name and OID, and by name",
        &[(PatientId, "17", "X&1.2.3")],
        &[(PatientId, "17", "x")],
        true,
    ),
    (
        "issuer by two names and one OID",
        &[(PatientId, "17", "X&1.2.3")],
        &[(PatientId, "17", "Y&1.2.3")],
        true,
    ),
    (
        "issuer by one name and two OIDs",
        &[(PatientId, "17", "X&1.2.3")],
        &[(PatientId, "17", "X&1.2.4")],
        false,
    ),
    (
        "issuer by a name, and by an OID",
        &[(PatientId, "17", "X")],
        &[(PatientId, "17", "1.2.3")],
        false,
    ),
    ("same id, one issuer", &[(PatientId, "17", "X")], &[(PatientId, "17", "")], true),
    (
        "same id, married",
        &[(PatientId, "17", ""), (Name, "Ash^Eve", ""), (BirthDate, "19590101", "")],
        &[(PatientId, "17", ""), (Name, "Oak^Eve", ""), (BirthDate, "19590101", "")],
        true,
    ),
    (
        "same id, all else other",
        &[(PatientId, "17", ""), (Name, "Ash^Eve", ""), (BirthDate, "19590101", "")],
        &[(PatientId, "17", ""), (Name, "Oak^Tom", ""), (BirthDate, "19770101", "")],
        false,
    ),
    (
        "other id, same ssn",
        &[(PatientId, "17", ""), (Ssn, "536-90-4399", "")],
        &[(PatientId, "18", ""), (Ssn, "536904399", "")],
        true,
    ),
    (
        "other id, same name and birth date",
        &[(PatientId, "17", ""), (Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        &[(PatientId, "18", ""), (Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        false,
    ),
    (
        "other id of another issuer, same name and birth date",
        &[(PatientId, "17", "X"), (Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        &[(PatientId, "18", "Y"), (Name, "ASH^EVE^M", ""), (BirthDate, "1959-01-02", "")],
        true,
    ),
    (
        "same name, an id here and a birth date there",
        &[(PatientId, "17", ""), (Name, "Ash^Eve", "")],
        &[(Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        true,
    ),
    (
        "same name and nothing else",
        &[(PatientId, "17", ""), (Name, "Ash^Eve", "")],
        &[(Name, "Ash^Eve", "")],
        true,
    ),
    (
        "other id of another issuer, same name only",
        &[(PatientId, "17", "X"), (Name, "Ash^Eve", "")],
        &[(PatientId, "18", "Y"), (Name, "Ash^Eve", "")],
        false,
    ),
    ("same name", &[(Name, "Ash^Eve", "")], &[(Name, "Eve Ash", ""), (PatientId, "17", "")], true),
    (
        "same name, other birth date",
        &[(Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        &[(Name, "Ash^Eve", ""), (BirthDate, "19600102", "")],
        false,
    ),
    (
        "other name, same birth date",
        &[(Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        &[(Name, "Oak^Eve", ""), (BirthDate, "19590102", "")],
        false,
    ),
    (
        "family's number, other name",
        &[(InsuranceNumber, "P4711", ""), (Name, "Ash^Eve", "")],
        &[(InsuranceNumber, "P4711", ""), (Name, "Ash^Tom", "")],
        false,
    ),
    (
        "family's number, other id",
        &[(InsuranceNumber, "P4711", ""), (PatientId, "17", "")],
        &[(InsuranceNumber, "P4711", ""), (PatientId, "18", "")],
        false,
    ),
    (
        "family's number, same name",
        &[(InsuranceNumber, "P4711", ""), (Name, "Ash^Eve", "")],
        &[(InsuranceNumber, "P4711", ""), (Name, "Ash^Eve", "")],
        true,
    ),
    (
        "given name alone",
        &[(Name, "Ash", ""), (Name, "Eve", "")],
        &[(Name, "Oak", ""), (Name, "Eve", "")],
        false,
    ),
    (
        "family and given name apart",
        &[(Name, "Ash", ""), (Name, "Eve", "")],
        &[(Name, "Ash", ""), (Name, "Eve", "")],
        true,
    ),
    (
        "a search by parts of the name and the birth date",
        &[(Name, "Ash", ""), (Name, "Eve", ""), (BirthDate, "19590102", "")],
        &[(Name, "Ash^Eve^M", ""), (BirthDate, "1959-01-02", ""), (PatientId, "17", "")],
        true,
    ),
    (
        "a search by family name and birth date",
        &[(Name, "Ash", ""), (BirthDate, "19590102", "")],
        &[(Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        true,
    ),
    (
        "given name and birth date alone",
        &[(Name, "Ash", ""), (Name, "Eve", ""), (BirthDate, "19590102", "")],
        &[(Name, "Oak^Eve", ""), (BirthDate, "19590102", "")],
        false,
    ),
    (
        "twins",
        &[(Name, "Ash^Eve", ""), (BirthDate, "19590102", "")],
        &[(Name, "Ash^Tom", ""), (BirthDate, "19590102", "")],
        false,
    ),
    (
        "family name alone, same id",
        &[(Name, "Ash", ""), (PatientId, "17", "")],
        &[(Name, "Ash^Eve", ""), (PatientId, "17", "")],
        true,
    ),
    (
        "one of several ids",
        &[(PatientId, "17", ""), (PatientId, "18", "")],
        &[(PatientId, "18", ""), (PatientId, "19", "")],
        true,
    ),
];

#[test]
fn two_records_join_by_what_one_person_has_alone() {
    for (case, a, b, same) in PAIRS {
        for (first, second) in [(a, b), (b, a)] {
            let mut flow = Flow::new();
            flow.issued(first);
            flow.issued(second);
            assert_eq!(flow.patients.len(), if *same { 1 } else { 2 }, "{case}");
        }
    }
}
