//! Kinds of identifiers: the closed set of `phi.patient.identifiers[].kind`.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $letter:literal;)*) => {
        /// What an identifier identifies by.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind { $($(#[doc = $doc])* $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As events and metric labels write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The letter of HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i); `-` where none applies.
            pub const fn safe_harbor(self) -> char {
                match self { $(Self::$variant => $letter,)* }
            }
        }
    };
}

kinds! {
    /// Name of the patient.
    Name = "name", 'A';
    /// Medical record number or another id of the patient within one organisation.
    PatientId = "patient_id", 'H';
    /// Date of birth.
    BirthDate = "birth_date", 'C';
    /// Administrative sex: no identifier alone, but part of the picture.
    Sex = "sex", '-';
    /// Postal address or a part of it below the state.
    Address = "address", 'B';
    /// Telephone number.
    Phone = "phone", 'D';
    /// Fax number.
    Fax = "fax", 'E';
    /// E-mail address.
    Email = "email", 'F';
    /// US social security number.
    Ssn = "ssn", 'G';
    /// National person or health number of any country.
    NationalId = "national_id", 'R';
    /// Health plan beneficiary number.
    InsuranceNumber = "insurance_number", 'I';
    /// Account number.
    AccountNumber = "account_number", 'J';
    /// Visit or encounter number.
    EncounterId = "encounter_id", 'R';
    /// Accession number of an order.
    AccessionNumber = "accession_number", 'R';
    /// Driver's licence.
    DriversLicence = "drivers_licence", 'K';
    /// Passport number.
    PassportNumber = "passport_number", 'K';
    /// Device identifier or serial number.
    DeviceId = "device_id", 'M';
    /// Any other id of the person.
    OtherId = "other_id", 'R';
    /// Name of a relative or contact.
    NextOfKinName = "next_of_kin_name", 'A';
    /// Telephone of a relative or contact.
    NextOfKinPhone = "next_of_kin_phone", 'D';
    /// Mother's maiden or birth name.
    MothersMaidenName = "mothers_maiden_name", 'A';
    /// Date of death.
    DeathDate = "death_date", 'C';
    /// Full-face photograph.
    Photo = "photo", 'Q';
    /// A web address of the person.
    Url = "url", 'N';
    /// An IP address of the person.
    Ip = "ip", 'O';
    /// Biometric identifier.
    Biometric = "biometric", 'P';
    /// Employer.
    Employer = "employer", 'R';
    /// Age: over 89 it identifies (45 CFR 164.514(b)(2)(i)(C)), else it is part of the picture.
    Age = "age", 'C';
    /// Ethnic group, no identifier alone.
    Ethnicity = "ethnicity", '-';
    /// Religion, no identifier alone.
    Religion = "religion", '-';
    /// Occupation or military rank, no identifier alone.
    Occupation = "occupation", '-';
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct KindSet(u64);

const _: () = assert!(Kind::ALL.len() <= u64::BITS as usize, "KindSet has a bit for each kind");

impl KindSet {
    /// Adds a kind.
    pub const fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u32;
    }
    /// Whether a kind is in it.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
    /// Whether no kind is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The kinds of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// The kinds that `other` does not have.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Every kind in it, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

impl Kind {
    /// Whether a value of this kind, with its issuer, stands for one person on its own.
    pub const fn is_strong_id(self) -> bool {
        matches!(
            self,
            Self::PatientId
                | Self::Ssn
                | Self::NationalId
                | Self::InsuranceNumber
                | Self::DriversLicence
                | Self::PassportNumber
        )
    }
    /// Whether it is only part of the picture: it counts for nothing where evidence must come together.
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Sex | Self::Age | Self::Ethnicity | Self::Religion | Self::Occupation)
    }
    /// Whether a pseudonym may stand in its place.
    pub const fn is_number_or_name(self) -> bool {
        self.is_strong_id()
            || matches!(
                self,
                Self::Name
                    | Self::OtherId
                    | Self::AccountNumber
                    | Self::EncounterId
                    | Self::AccessionNumber
                    | Self::DeviceId
            )
    }
    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_as_str_agree() {
        for &kind in Kind::ALL {
            let json = serde_json::to_string(&kind).expect("unit variant");
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
    }
}
