//! People beside a patient: what is below `guardian` or `emergencyContact` are names and telephone numbers of next of kin,
//! and nothing else of them identifies the patient.

use super::Tree;
use crate::content::extract::record::Meaning;
use crate::rules::{KeyRules, Kind, NamePart};

impl Tree {
    /// Whether an object or array of this name is about people beside a patient, or inside one that is. Records of
    /// standards have rules of their own for them.
    pub(super) fn begins_kin(&self, name: u16) -> bool {
        let inside = self.frames.last().is_some_and(|top| top.kin);
        let name = self.names.get(name);
        let patient = || name.mother && self.frames.iter().any(|f| self.names.get(f.name).birth);
        inside || name.kin && !self.frames.iter().any(|frame| frame.standard) && !patient()
    }
}

/// What a name means below one of people beside a patient.
pub(super) fn of(meaning: Option<Meaning>, keys: &KeyRules) -> Option<Meaning> {
    let meaning = meaning?;
    let name = match (meaning.rule.kind, meaning.part) {
        (Kind::NextOfKinName | Kind::NextOfKinPhone, _) => return Some(meaning),
        (Kind::Name, NamePart::Whole) => "next_of_kin.name",
        (Kind::Name, NamePart::Family) => "next_of_kin.last_name",
        (Kind::Name, NamePart::Given) => "next_of_kin.first_name",
        (Kind::Phone, _) => "next_of_kin.phone",
        _ => return None,
    };
    keys.get(name).map(Meaning::from)
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    fn read(text: &str) -> Vec<String> {
        records("application/json", text.as_bytes())
    }

    #[test]
    fn a_mother_is_a_patient_where_a_birth_is_recorded() {
        let mother = r#""mother": {"mrn": "H-77", "firstName": "Jane", "lastName": "Roe", "birthDate": "1990-01-31"}"#;
        for text in [
            format!(r#"{{"delivery": {{{mother}, "baby": {{"weight": 3200, "apgar": [8, 9]}}}}}}"#),
            format!(
                r#"{{"birthRecord": {{"father": {{"firstName": "Max", "lastName": "Doe"}}, {mother}}}}}"#
            ),
        ] {
            let got = read(&text);
            let fits =
                |got: &String| got.contains("patient_id=H-77 name=Roe^Jane birth_date=1990-01-31");
            assert!(got.iter().any(fits), "{text}: {got:?}");
            assert!(!got.iter().any(|got| got.contains(" name=Doe^Max")), "{got:?}");
        }
        let child = format!(
            r#"{{"patient": {{"mrn": "H-78", "firstName": "Ann", "lastName": "Roe", {mother}}}}}"#
        );
        let got = read(&child);
        assert!(got.len() == 1 && got[0].contains("next_of_kin_name=Roe^Jane"), "{got:?}");
    }

    #[test]
    fn relatives_with_numbers_of_their_own_are_no_patients() {
        for name in ["father", "parents", "spouse", "next_of_kin", "relatedPerson", "madre"] {
            let text = format!(
                r#"{{"patient": {{"mrn": "H-78", "firstName": "Ann", "lastName": "Roe", "{name}": {{"mrn": "H-9", "firstName": "Max", "lastName": "Doe", "birthDate": "1960-01-31"}}}}}}"#
            );
            let got = read(&text);
            assert!(
                got.len() == 1 && !got[0].contains("H-9") && !got[0].contains("1960"),
                "{text}: {got:?}"
            );
        }
    }

    #[test]
    fn a_guardian_is_beside_the_patient() {
        let parts = r#"{"demographics": {"name": {"given": ["Jane"], "family": "Roe"}, "dob": "1970-01-31",
            "guardian": {"name": {"given": ["Ann"], "family": "Doe"}, "birthDate": "1940-02-02",
            "phone": {"home": "+1 503 555 0199"}}}}"#;
        assert_eq!(
            read(parts),
            [
                "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31 next_of_kin_name=Doe^Ann next_of_kin_phone=+1 503 555 0199"
            ]
        );
        let flat = r#"{"guardian": {"first_name": "Ann", "last_name": "Doe"}, "patient": {"first_name": "Jane",
            "last_name": "Roe", "dob": "1970-01-31"}}"#;
        assert_eq!(
            read(flat),
            [
                "http>json:~json [PatientContext] next_of_kin_name=Doe^Ann name=Roe^Jane birth_date=1970-01-31"
            ]
        );
    }

    #[test]
    fn a_list_of_contacts_is_no_list_of_patients() {
        let list = r#"{"mrn": "H-77123", "name": "Jane Roe", "emergencyContacts": [
            {"firstName": "Ann", "lastName": "Doe"}, {"firstName": "Max", "lastName": "Doe"}]}"#;
        let read = read(list);
        assert_eq!(read.len(), 1, "{read:?}");
        assert!(read.iter().all(|line| line.contains("name=Jane Roe")), "{read:?}");
    }

    #[test]
    fn contacts_alone_are_nobody() {
        let alone =
            r#"{"guardian": {"firstName": "Ann", "lastName": "Doe", "phone": "+1 503 555 0199"}}"#;
        assert!(read(alone).is_empty(), "{:?}", read(alone));
    }
}
