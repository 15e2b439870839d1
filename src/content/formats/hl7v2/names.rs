//! The names that the standard gives the fields of PID (chapter 3.4.2) and the components of their data types
//! (chapter 2A), as libraries write them: `patientIdentifierList`, `patient_name`, `FamilyName`.

use smallvec::SmallVec;

/// Longest name that is compared, bytes.
const MAX_NAME: usize = 48;

/// Which names of fields are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// All of a segment that is known.
    All,
    /// Those that tell what they are by themselves.
    Distinct,
}

/// Fields of PID by their names, without signs between the words; those that only PID has come first.
const DISTINCT: [(&str, u16); 16] = [
    ("patientidentifierlist", 3),
    ("patientname", 5),
    ("mothersmaidenname", 6),
    ("mothermaidenname", 6),
    ("datetimeofbirth", 7),
    ("datetimebirth", 7),
    ("patientbirthdate", 7),
    ("administrativesex", 8),
    ("patientadministrativesex", 8),
    ("patientalias", 9),
    ("patientaddress", 11),
    ("phonenumberhome", 13),
    ("phonenumberbusiness", 14),
    ("patientaccountnumber", 18),
    ("ssnnumberpatient", 19),
    ("driverslicensenumberpatient", 20),
];
const OTHERS: [(&str, u16); 12] = [
    ("patientid", 2),
    ("patientidexternalid", 2),
    ("patientidinternalid", 3),
    ("patientidlist", 3),
    ("alternatepatientid", 4),
    ("name", 5),
    ("dateofbirth", 7),
    ("birthdate", 7),
    ("sex", 8),
    ("gender", 8),
    ("address", 11),
    ("ssnnumber", 19),
];

/// Components of CX, XPN, TS and XAD.
const ID: [(&str, u16); 4] =
    [("id", 1), ("idnumber", 1), ("assigningauthority", 4), ("identifiertypecode", 5)];
const NAME: [(&str, u16); 9] = [
    ("familyname", 1),
    ("lastname", 1),
    ("surname", 1),
    ("givenname", 2),
    ("firstname", 2),
    ("middlename", 3),
    ("suffix", 4),
    ("prefix", 5),
    ("nametypecode", 7),
];
const TIME: [(&str, u16); 3] = [("time", 1), ("datetime", 1), ("timeofanevent", 1)];
const ADDRESS: [(&str, u16); 7] = [
    ("streetaddress", 1),
    ("otherdesignation", 2),
    ("city", 3),
    ("stateorprovince", 4),
    ("ziporpostalcode", 5),
    ("country", 6),
    ("streetormailingaddress", 1),
];
/// Subcomponents of FN and HD.
const PARTS: [(&str, u16); 5] = [
    ("surname", 1),
    ("familyname", 1),
    ("namespaceid", 1),
    ("universalid", 2),
    ("universalidtype", 3),
];

/// A name in small letters, without signs.
fn plain(name: &str) -> Option<SmallVec<[u8; MAX_NAME]>> {
    let letters = || name.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase());
    (name.len() <= MAX_NAME).then(|| letters().collect())
}

fn find(name: &[u8], among: &[(&str, u16)]) -> Option<u16> {
    among.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, number)| *number)
}

/// Whether a member is the segment PID by its name: `patientIdentification`, `PID_PatientIdentification`.
pub fn is_patient_segment(name: &str) -> bool {
    plain(name).is_some_and(|name| {
        let name = name.strip_prefix(b"pid").unwrap_or(&name);
        matches!(name, b"patientidentification" | b"patientidentificationsegment")
    })
}

/// The field of PID with this name; libraries add the segment to some (`setIdPid`).
pub fn field(name: &str, which: Names) -> Option<u16> {
    let name = plain(name)?;
    let own = name.strip_suffix(b"pid").filter(|own| own.len() > 2).unwrap_or(&name);
    let others = || (which == Names::All).then(|| find(own, &OTHERS)).flatten();
    find(own, &DISTINCT).or_else(others)
}

/// The component (`depth` 1) or subcomponent of a field of PID with this name.
pub fn part(field: u16, depth: usize, name: &str) -> Option<u16> {
    let name = plain(name)?;
    if depth > 1 {
        return find(&name, &PARTS);
    }
    let among: &[_] = match field {
        2 | 3 | 4 | 18 => &ID,
        5 | 6 | 9 => &NAME,
        7 => &TIME,
        11 => &ADDRESS,
        _ => &[],
    };
    let more = || (matches!(field, 5 | 6 | 9) && name.starts_with(b"second")).then_some(3);
    find(&name, among).or_else(more)
}

/// The digits behind the short name of a segment or a data type: `pid5`, `CX.1`, `xpn_2`.
pub fn number(name: &str) -> Option<&str> {
    /// Letters of the longest such name.
    const MAX_LETTERS: usize = 3;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let front = name.strip_suffix(digits)?.trim_end_matches(['.', '_', '-']);
    let fits = front.len() <= MAX_LETTERS && front.bytes().all(|b| b.is_ascii_alphanumeric());
    (fits && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_and_parts() {
        for name in ["patientIdentifierList", "PatientIdentifierList", "patient_identifier_list"] {
            assert_eq!(field(name, Names::Distinct), Some(3), "{name}");
        }
        assert_eq!(field("sex", Names::All), Some(8));
        assert_eq!(field("sex", Names::Distinct), None);
        assert_eq!(field("patientIdPid", Names::All), Some(2));
        assert_eq!(part(5, 1, "FamilyName"), Some(1));
        assert_eq!(part(5, 1, "second_and_further_given_names"), Some(3));
        assert_eq!(part(5, 2, "surname"), Some(1));
        assert_eq!(part(8, 1, "familyName"), None);
        assert!(is_patient_segment("PID_PatientIdentification"));
    }

    #[test]
    fn numbers_of_short_names() {
        for (name, expected) in [("pid5", "5"), ("CX.1", "1"), ("fn1", "1"), ("7", "7")] {
            assert_eq!(number(name), Some(expected), "{name}");
        }
        for name in ["phone1", "pid", "", "pid5x", "5.1"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
