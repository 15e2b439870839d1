//! The pieces of answers, separated by `^`, as columns (VistA Integration Control Registrations; CPRS Technical
//! Manual: patient selection). Dates are those of FileMan: years from 1700, month, day.

use crate::protocol::sql::write_cell;
use zeroize::Zeroizing;

/// Procedures by the beginnings of their names, and the columns of their lines; empty names are of no interest.
const PROCEDURES: &[(&str, &[&str])] = &[
    (
        "ORWPT SELECT",
        &["patient_name", "sex", "date_of_birth", "ssn", "", "", "", "", "", "", "", "", "", "icn"],
    ),
    ("ORWPT ID INFO", &["ssn", "date_of_birth", "sex", "", "", "", "", "patient_name"]),
    ("ORWPT16 ID INFO", &["ssn", "date_of_birth", "sex", "", "", "", "", "patient_name"]),
    ("ORWPT LAST5", &["patient_id", "patient_name", "date_of_birth", "ssn"]),
    ("ORWPT FULLSSN", &["patient_id", "patient_name", "date_of_birth", "ssn"]),
    ("ORWPT LIST ALL", &["patient_id", "patient_name"]),
    ("ORWPT TOP", &["patient_id", "patient_name"]),
    ("ORQPT WARD PATIENTS", &["patient_id", "patient_name"]),
    ("ORQPT CLINIC PATIENTS", &["patient_id", "patient_name"]),
    ("ORQPT TEAM PATIENTS", &["patient_id", "patient_name"]),
    ("ORQPT PROVIDER PATIENTS", &["patient_id", "patient_name"]),
    ("ORQPT DEFAULT PATIENT LIST", &["patient_id", "patient_name"]),
    ("SCMC PATIENT INFO", &["patient_id", "patient_name", "ssn", "date_of_birth", "", "sex"]),
    ("DG SENSITIVE RECORD ACCESS", &[]),
];

/// The columns in the answer of a procedure.
pub(super) fn columns(procedure: &str) -> Option<&'static [&'static str]> {
    let found = PROCEDURES.iter().find(|(name, _)| procedure.starts_with(name));
    found.map(|(_, columns)| *columns).filter(|columns| !columns.is_empty())
}

/// The names of the columns as a line of CSV.
pub(super) fn heading(columns: &[&str]) -> Vec<u8> {
    let mut line = Vec::new();
    for (at, name) in columns.iter().enumerate() {
        write_cell(name.as_bytes(), at == 0, &mut line);
    }
    line.push(b'\n');
    line
}

/// A line of an answer as a line of CSV.
pub(super) fn row(line: &[u8], columns: &[&str]) -> Zeroizing<Vec<u8>> {
    let mut row = Zeroizing::new(Vec::new());
    let mut pieces = line.strip_suffix(b"\r").unwrap_or(line).split(|b| *b == b'^');
    for (at, name) in columns.iter().enumerate() {
        let piece = pieces.next().unwrap_or_default();
        let day = if *name == "date_of_birth" { fileman(piece) } else { None };
        let value = day.as_ref().map_or(piece, |day| day.as_bytes());
        write_cell(if name.is_empty() { b"" } else { value }, at == 0, &mut row);
    }
    row.push(b'\n');
    row
}

/// `2600229` as `1960-02-29`.
fn fileman(date: &[u8]) -> Option<Zeroizing<String>> {
    let whole = date.split(|b| *b == b'.').next()?;
    let number = std::str::from_utf8(whole).ok().filter(|text| text.len() == 7)?;
    let number: u32 = number.parse().ok()?;
    let (year, month, day) = (1700 + number / 10_000, number / 100 % 100, number % 100);
    (month <= 12 && day <= 31)
        .then(|| Zeroizing::new(format!("{year:04}-{:02}-{:02}", month.max(1), day.max(1))))
}
