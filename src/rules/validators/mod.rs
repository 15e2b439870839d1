//! Check digits and other tests of numbers: the closed list that `validator` in
//! `rules/identifiers.toml` refers to.
//!
//! A validator gets a number in compact form: upper case, without the separators that its rule
//! allows. It does not know the current date, so any birth date that exists is accepted.

mod americas;
mod asia;
mod check;
mod north_east;
mod west;

#[cfg(test)]
mod tests;

/// Longest compact form of any number, bytes.
pub const MAX_NUMBER: usize = 24;

/// A test of numbers of one kind.
pub struct Validator {
    /// Name in rules.
    pub name: &'static str,
    /// Fewest and most characters of the compact form.
    pub length: (usize, usize),
    check: fn(&[u8]) -> bool,
}

impl Validator {
    /// The validator with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|v| v.name == name)
    }
    /// Whether `compact` passes.
    pub fn check(&self, compact: &str) -> bool {
        (self.length.0..=self.length.1).contains(&compact.len()) && (self.check)(compact.as_bytes())
    }
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validator({})", self.name)
    }
}

/// The compact form of `value`: upper case, without any of `separators`. None if it is too long.
pub fn compact(value: &str, separators: &str) -> Option<zeroize::Zeroizing<String>> {
    let mut compact = zeroize::Zeroizing::new(String::with_capacity(MAX_NUMBER + 4));
    let is_separator = |c: &char| match u8::try_from(*c) {
        Ok(byte) if byte.is_ascii() => separators.as_bytes().contains(&byte),
        _ => separators.contains(*c),
    };
    for c in value.trim().chars().filter(|c| !is_separator(c)) {
        if compact.len() + c.len_utf8() > MAX_NUMBER {
            return None;
        }
        compact.push(c.to_ascii_uppercase());
    }
    Some(compact)
}

macro_rules! validators {
    ($($name:literal $check:path, $least:literal..=$most:literal;)*) => {
        /// All validators.
        pub static ALL: &[Validator] = &[
            $(Validator { name: $name, length: ($least, $most), check: $check },)*
        ];
    };
}

validators! {
    "ar-cuit" americas::ar_cuit, 11..=11;
    "at-svnr" west::at_svnr, 10..=10;
    "au-hpi" asia::au_hpi, 16..=16;
    "au-ihi" asia::au_ihi, 16..=16;
    "au-medicare" asia::au_medicare, 10..=11;
    "au-tfn" asia::au_tfn, 8..=9;
    "be-nn" west::be_nn, 11..=11;
    "bg-egn" north_east::bg_egn, 10..=10;
    "br-cns" americas::br_cns, 15..=15;
    "br-cpf" americas::br_cpf, 11..=11;
    "ca-bc-phn" americas::ca_bc_phn, 10..=10;
    "ca-on-hcn" americas::ca_on_hcn, 10..=12;
    "ca-qc-ramq" americas::ca_qc_ramq, 12..=12;
    "ca-sin" americas::ca_sin, 9..=9;
    "ch-ahv" west::ch_ahv, 13..=13;
    "cl-rut" americas::cl_rut, 8..=9;
    "cn-ric" asia::cn_ric, 18..=18;
    "cz-rc" north_east::cz_rc, 9..=10;
    "de-idnr" west::de_idnr, 11..=11;
    "de-kvnr" west::de_kvnr, 10..=10;
    "de-lanr" west::de_lanr, 9..=9;
    "dk-cpr" north_east::dk_cpr, 10..=10;
    "do-cedula" americas::do_cedula, 11..=11;
    "ec-ci" americas::ec_ci, 10..=10;
    "ee-ik" north_east::ee_ik, 11..=11;
    "es-dni" west::es_dni, 9..=9;
    "fi-hetu" north_east::fi_hetu, 11..=11;
    "fr-nir" west::fr_nir, 15..=15;
    "gb-chi" west::gb_chi, 10..=10;
    "gb-hc" west::gb_hc, 10..=10;
    "gb-nhs" west::gb_nhs, 10..=10;
    "gb-nino" west::gb_nino, 9..=9;
    "gr-amka" west::gr_amka, 11..=11;
    "hk-hkid" asia::hk_hkid, 8..=9;
    "hr-oib" west::hr_oib, 11..=11;
    "hu-taj" north_east::hu_taj, 9..=9;
    "id-nik" asia::id_nik, 16..=16;
    "ie-pps" west::ie_pps, 8..=9;
    "il-id" asia::il_id, 5..=9;
    "in-aadhaar" asia::in_aadhaar, 12..=12;
    "is-kennitala" north_east::is_kennitala, 10..=10;
    "it-cf" west::it_cf, 16..=16;
    "jmbg" north_east::jmbg, 13..=13;
    "jp-insurer" asia::jp_insurer, 8..=8;
    "jp-my-number" asia::jp_my_number, 12..=12;
    "kr-rrn" asia::kr_rrn, 13..=13;
    "lt-ak" north_east::lt_ak, 11..=11;
    "lu-matricule" west::lu_matricule, 13..=13;
    "lv-pk" north_east::lv_pk, 11..=11;
    "mx-curp" americas::mx_curp, 18..=18;
    "my-nric" asia::my_nric, 12..=12;
    "nl-bsn" west::nl_bsn, 8..=9;
    "no-fnr" north_east::no_fnr, 11..=11;
    "nz-nhi" asia::nz_nhi, 7..=7;
    "pe-dni" americas::pe_dni, 9..=9;
    "pk-cnic" asia::pk_cnic, 13..=13;
    "pl-pesel" north_east::pl_pesel, 11..=11;
    "pt-nif" west::pt_nif, 9..=9;
    "ro-cnp" north_east::ro_cnp, 13..=13;
    "ru-inn" north_east::ru_inn, 12..=12;
    "ru-snils" north_east::ru_snils, 11..=11;
    "se-pnr" north_east::se_pnr, 10..=12;
    "sg-nric" asia::sg_nric, 9..=9;
    "th-pin" asia::th_pin, 13..=13;
    "tr-tckn" north_east::tr_tckn, 11..=11;
    "tw-id" asia::tw_id, 10..=10;
    "ua-rntrc" north_east::ua_rntrc, 10..=10;
    "us-dea" americas::us_dea, 9..=9;
    "us-itin" americas::us_itin, 9..=9;
    "us-mbi" americas::us_mbi, 11..=11;
    "us-npi" americas::us_npi, 10..=10;
    "us-ssn" americas::us_ssn, 9..=9;
    "uy-ci" americas::uy_ci, 8..=8;
    "za-id" asia::za_id, 13..=13;
}
