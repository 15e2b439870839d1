//! Kinds of identifiers: the closed set of `phi.patient.identifiers[].kind`.

use crate::closed_set::closed_set;
use serde::{Deserialize, Serialize};

closed_set! {
    /// What kind of identifier a value is.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Kind {
        /// Name of the patient.
        Name = "name",
        /// Medical record number or another id of the patient within one organisation.
        PatientId = "patient_id",
        /// Date of birth.
        BirthDate = "birth_date",
        /// Administrative sex; no identifier alone, but adds to others.
        Sex = "sex",
        /// Postal address or a part of it below the state.
        Address = "address",
        /// Telephone number.
        Phone = "phone",
        /// Fax number.
        Fax = "fax",
        /// E-mail address.
        Email = "email",
        /// US social security number.
        Ssn = "ssn",
        /// National person or health number of any country.
        NationalId = "national_id",
        /// Health plan beneficiary number.
        InsuranceNumber = "insurance_number",
        /// Account number.
        AccountNumber = "account_number",
        /// Visit or encounter number.
        EncounterId = "encounter_id",
        /// Accession number of an order.
        AccessionNumber = "accession_number",
        /// Driver's licence.
        DriversLicence = "drivers_licence",
        /// Passport number.
        PassportNumber = "passport_number",
        /// Device identifier or serial number.
        DeviceId = "device_id",
        /// Any other id of the person.
        OtherId = "other_id",
        /// Name of a relative or contact.
        NextOfKinName = "next_of_kin_name",
        /// Telephone of a relative or contact.
        NextOfKinPhone = "next_of_kin_phone",
        /// Mother's maiden or birth name.
        MothersMaidenName = "mothers_maiden_name",
        /// Date of death.
        DeathDate = "death_date",
        /// Full-face photograph.
        Photo = "photo",
        /// A web address of the person.
        Url = "url",
        /// An IP address of the person.
        Ip = "ip",
        /// Biometric identifier.
        Biometric = "biometric",
        /// Employer.
        Employer = "employer",
        /// Age; identifies over 89 (45 CFR 164.514(b)(2)(i)(C)), otherwise only adds to others.
        Age = "age",
        /// Ethnic group; no identifier alone.
        Ethnicity = "ethnicity",
        /// Religion; no identifier alone.
        Religion = "religion",
        /// Occupation or military rank; no identifier alone.
        Occupation = "occupation",
    }
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct KindSet(u64);

const _: () = {
    assert!(Kind::ALL.len() <= u64::BITS as usize, "KindSet has a bit for each kind");
    let mut n = 0;
    while n < Kind::ALL.len() {
        assert!(Kind::ALL[n] as usize == n, "bits are in the order of the kinds");
        n += 1;
    }
};

impl KindSet {
    /// Adds a kind.
    pub const fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u32;
    }
    /// Whether the set contains a kind.
    #[inline]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The union of both sets.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// The kinds that are not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// The kinds in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let kind = Kind::ALL.get(left.trailing_zeros() as usize).copied();
            left &= left.wrapping_sub(1);
            kind
        })
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
    /// The letter in HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i); `-` if it has none.
    pub const fn safe_harbor(self) -> char {
        match self {
            Self::Name | Self::NextOfKinName | Self::MothersMaidenName => 'A',
            Self::Address => 'B',
            Self::BirthDate | Self::DeathDate | Self::Age => 'C',
            Self::Phone | Self::NextOfKinPhone => 'D',
            Self::Fax => 'E',
            Self::Email => 'F',
            Self::Ssn => 'G',
            Self::PatientId => 'H',
            Self::InsuranceNumber => 'I',
            Self::AccountNumber => 'J',
            Self::DriversLicence | Self::PassportNumber => 'K',
            Self::DeviceId => 'M',
            Self::Url => 'N',
            Self::Ip => 'O',
            Self::Biometric => 'P',
            Self::Photo => 'Q',
            Self::NationalId
            | Self::EncounterId
            | Self::AccessionNumber
            | Self::OtherId
            | Self::Employer => 'R',
            Self::Sex | Self::Ethnicity | Self::Religion | Self::Occupation => '-',
        }
    }
    /// Whether a value with its issuer identifies one person by itself.
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
    /// Whether it is a number used to open accounts.
    pub const fn opens_accounts(self) -> bool {
        matches!(
            self,
            Self::Ssn
                | Self::NationalId
                | Self::InsuranceNumber
                | Self::DriversLicence
                | Self::PassportNumber
        )
    }
    /// Whether it only adds to other identifiers, and does not count where evidence must be
    /// combined.
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Sex | Self::Age | Self::Ethnicity | Self::Religion | Self::Occupation)
    }
    /// Whether a pseudonym may replace its value.
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
        Self::ALL.into_iter().find(|k| k.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_as_str_agree() {
        for kind in Kind::ALL {
            let json = serde_json::to_string(&kind).expect("unit variant");
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_set_gives_its_kinds_in_their_order() {
        assert!(KindSet::from_iter(Kind::ALL).iter().eq(Kind::ALL));
        for (n, kind) in Kind::ALL.into_iter().enumerate() {
            assert!(KindSet::from_iter([kind]).iter().eq([kind]));
            let third = |other: &Kind| (*other as usize) % 3 == n % 3;
            let some = Kind::ALL.into_iter().filter(third);
            assert!(KindSet::from_iter(some.clone()).iter().eq(some));
        }
        assert_eq!(KindSet::default().iter().next(), None);
    }
}
