//! Masks: the part of a value that may be shown.
//!
//! | kind | shown |
//! |---|---|
//! | names | the first letter of each word of two letters or more, and the structure: `D**^J***`; of names in ideographs or syllables that of the first word only: `山*^**` |
//! | birth and death date | the year; `90+` for those over 89 (45 CFR 164.514(b)(2)(i)(C)) |
//! | numbers and codes | length, separators, and what is a letter (`x`); the last two digits where there are six or more |
//! | phone, fax | the same |
//! | e-mail | first letter and top-level domain |
//! | sex, age, ethnicity, religion, occupation, picture, biometric | nothing, not even the length |
//! | address, employer, url, ip | length, separators, and what is a letter |

use super::date::Date;
use crate::rules::Kind;
use crate::time::Timestamp;

/// Longest masked text, characters.
const MAX_MASKED: usize = 96;

/// Fewest digits of a number whose last two may be shown.
const LONG_NUMBER: usize = 6;

/// The mask of `value`, seen at `now`.
pub(super) fn mask(kind: Kind, value: &str, now: Timestamp) -> String {
    let value = cut(value);
    match kind {
        Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => name(value),
        Kind::BirthDate => match Date::parse(value, now) {
            Some(date) if date.month > 0 => match date.age(now) {
                Some(0..=89) => year(value, date.year),
                Some(_) => "90+".to_owned(),
                // If the clock of the capture is implausible, so is any age.
                None => structure(value),
            },
            _ => structure(value),
        },
        Kind::DeathDate => match Date::parse(value, now) {
            Some(date) if date.month > 0 => year(value, date.year),
            _ => structure(value),
        },
        Kind::Sex
        | Kind::Photo
        | Kind::Biometric
        | Kind::Age
        | Kind::Ethnicity
        | Kind::Religion
        | Kind::Occupation => "*".to_owned(),
        Kind::Email => email(value),
        Kind::Address | Kind::Employer | Kind::Url | Kind::Ip => structure(value),
        Kind::Phone
        | Kind::NextOfKinPhone
        | Kind::Fax
        | Kind::PatientId
        | Kind::Ssn
        | Kind::NationalId
        | Kind::InsuranceNumber
        | Kind::AccountNumber
        | Kind::EncounterId
        | Kind::AccessionNumber
        | Kind::DriversLicence
        | Kind::PassportNumber
        | Kind::DeviceId
        | Kind::OtherId => number(value),
    }
}

/// At most [`MAX_MASKED`] characters of `value`.
fn cut(value: &str) -> &str {
    if value.len() <= MAX_MASKED {
        return value;
    }
    value.char_indices().nth(MAX_MASKED).map_or(value, |(end, _)| &value[..end])
}

/// Characters that show the structure of a value and nothing of its content.
const fn is_structure(c: char) -> bool {
    matches!(
        c,
        '^' | ','
            | ' '
            | '='
            | '-'
            | '.'
            | '/'
            | ':'
            | '('
            | ')'
            | '&'
            | '~'
            | '@'
            | ';'
            | '+'
            | '#'
    )
}

const fn star(c: char) -> char {
    if is_structure(c) { c } else { '*' }
}

/// The same, but letters and digits have different masks.
fn class(c: char) -> char {
    if c.is_alphabetic() { 'x' } else { star(c) }
}

fn structure(value: &str) -> String {
    mapped(value, class)
}

/// Replaces each character as `to` says. A mask is never longer than its value.
fn mapped(value: &str, mut to: impl FnMut(char) -> char) -> String {
    if value.is_ascii() {
        let mut masked = Vec::with_capacity(value.len());
        for byte in value.bytes() {
            masked.push(to(char::from(byte)) as u8);
        }
        // Characters of a mask are those of the value, or ASCII.
        return String::from_utf8(masked).unwrap_or_default();
    }
    let mut masked = String::with_capacity(value.len());
    masked.extend(value.chars().map(to));
    masked
}

/// First letters of words. A word of one letter would be shown completely, and a word in ideographs or syllables
/// nearly so: of these only the first word shows its first letter.
fn name(value: &str) -> String {
    let separates = |c: char| matches!(c, '^' | ',' | ' ' | '=');
    let mut masked = String::with_capacity(value.len());
    let (mut start, mut first) = (true, true);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if separates(c) {
            masked.push(c);
            // Ideographic and phonetic forms of a DICOM name (PS3.5 6.2.1) are separate names.
            first |= c == '=';
            start = true;
            continue;
        }
        let second = || chars.clone().take_while(|c| !separates(*c)).any(char::is_alphabetic);
        let alphabet = c < '\u{1100}' || matches!(c, '\u{1E00}'..='\u{1FFF}');
        let shown = start && (alphabet || first) && c.is_alphabetic() && second();
        masked.push(if shown { c } else { '*' });
        (start, first) = (false, false);
    }
    masked
}

/// Keeps the year if the text contains it literally, and masks everything else.
fn year(value: &str, year: u16) -> String {
    let digits = year.to_string();
    // It mostly comes first.
    let parts = match value.strip_prefix(digits.as_str()) {
        Some(after) => Some(("", after)),
        None => value.split_once(digits.as_str()),
    };
    match parts {
        Some((before, after)) => structure(before) + &digits + &structure(after),
        None => structure(value),
    }
}

/// The last two digits of six or more.
fn number(value: &str) -> String {
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    let hidden = if digits >= LONG_NUMBER { digits - 2 } else { digits };
    let mut seen = 0;
    let mask = |c: char| {
        seen += usize::from(c.is_numeric());
        if c.is_numeric() && seen > hidden { c } else { class(c) }
    };
    mapped(value, mask)
}

/// The first letter of the mailbox and the top-level domain, if there is more on either side.
fn email(value: &str) -> String {
    let Some((local, domain)) = value.split_once('@') else { return structure(value) };
    let (name, tld) = match domain.rsplit_once('.') {
        Some((name, tld)) if tld.chars().all(|c| c.is_ascii_alphabetic()) => (name, tld),
        _ => (domain, ""),
    };
    if !local.contains(char::is_alphanumeric) || !name.contains(char::is_alphanumeric) {
        return structure(value);
    }
    let mut masked = String::with_capacity(value.len());
    for (i, c) in local.chars().enumerate() {
        let shown = i == 0 && c.is_alphanumeric() && local.chars().nth(1).is_some();
        masked.push(if shown { c } else { star(c) });
    }
    masked.push('@');
    masked.extend(name.chars().map(star));
    if !tld.is_empty() {
        masked.push('.');
        masked.push_str(tld);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000); // 2026-03-01

    #[test]
    fn each_kind_has_its_own_mask() {
        for (kind, value, masked) in [
            (Kind::Name, "Doe^Jane", "D**^J***"),
            (Kind::Name, "Hartman, Jason Q", "H******, J**** *"),
            (Kind::Name, "Le Gall^Célina", "L* G***^C*****"),
            (Kind::Name, "Éva Ö", "É** *"),
            (Kind::Name, "Yamada^Tarou=山田^太郎=やまだ^たろう", "Y*****^T****=山*^**=や**^***"),
            (Kind::Name, "김^지원", "*^**"),
            (Kind::Name, "王小明", "王**"),
            (Kind::Name, "Петров^Иван", "П*****^И***"),
            (Kind::Name, "محمد علي", "م*** ع**"),
            (Kind::Name, "Nguyễn^Ảnh", "N*****^Ả**"),
            (Kind::Name, "Anne-Marie O", "A********* *"),
            (Kind::NextOfKinName, "Doe^John", "D**^J***"),
            (Kind::MothersMaidenName, "Ash", "A**"),
            (Kind::Name, "E\u{301}va", "E***"),
            (Kind::Name, "O'Brien^Mary", "O******^M***"),
            (Kind::BirthDate, "19591102", "1959****"),
            (Kind::BirthDate, "1959-11-02", "1959-**-**"),
            (Kind::BirthDate, "02.11.1959", "**.**.1959"),
            (Kind::BirthDate, "19591102081500+0100", "1959**********+****"),
            (Kind::BirthDate, "02.11.59", "**.**.**"),
            (Kind::BirthDate, "19340120", "90+"),
            (Kind::BirthDate, "1934", "****"),
            (Kind::BirthDate, "1936-03-01", "90+"),
            (Kind::BirthDate, "1936-03-03", "1936-**-**"),
            (Kind::BirthDate, "03/01/1901", "90+"),
            (Kind::BirthDate, "Nov 2, 1959", "xxx *, 1959"),
            (Kind::BirthDate, "garbage 1959 x", "xxxxxxx **** x"),
            (Kind::DeathDate, "20200105", "2020****"),
            (Kind::Ssn, "029-29-0854", "***-**-**54"),
            (Kind::PatientId, "H0709380", "x*****80"),
            (Kind::PatientId, "12345", "*****"),
            (Kind::PatientId, "743285-7", "*****5-7"),
            (Kind::DriversLicence, "54362315K", "******15x"),
            (Kind::NationalId, "AB123456C", "xx****56x"),
            (Kind::PassportNumber, "C01X00T47", "x**x**x47"),
            (Kind::InsuranceNumber, "1EG4-TE5-MK73", "*xx*-xx*-xx**"),
            (Kind::AccountNumber, "٠١٢٣٤٥٦", "*****٥٦"),
            (Kind::AccessionNumber, "ACC-42", "xxx-**"),
            (Kind::DeviceId, "SN 00-1234", "xx **-**34"),
            (Kind::Ip, "10.1.2.3", "**.*.*.*"),
            (Kind::Url, "https://a.example/p/1", "xxxxx://x.xxxxxxx/x/*"),
            (Kind::Employer, "Acme Ltd", "xxxx xxx"),
            (Kind::Biometric, "AAECAw==", "*"),
            (Kind::Fax, "+1 475 555 0132", "+* *** *** **32"),
            (Kind::Phone, "(475) 555-0132", "(***) ***-**32"),
            (Kind::Phone, "55501", "*****"),
            (Kind::Email, "wendy.decker@example.org", "w****.******@*******.org"),
            (Kind::Email, "w@x.org", "*@*.org"),
            (Kind::Address, "12 Main St^^Springfield", "** xxxx xx^^xxxxxxxxxxx"),
            (Kind::Sex, "Female", "*"),
            (Kind::Photo, "iVBORw0KGgo", "*"),
        ] {
            assert_eq!(mask(kind, value, NOW), masked, "{kind:?} {value}");
        }
    }

    #[test]
    fn an_unset_clock_shows_no_year() {
        assert_eq!(mask(Kind::BirthDate, "19591102", Timestamp(0)), "********");
    }

    /// Letters and digits that are shown, as runs.
    fn runs(masked: &str) -> Vec<&str> {
        masked.split(|c: char| !c.is_alphanumeric() || c == 'x').filter(|r| !r.is_empty()).collect()
    }

    proptest! {
        #[test]
        fn the_value_never_shows(value in "\\PC{1,60}", which in 0..Kind::ALL.len()) {
            // A mask may look like what was nothing but an x.
            prop_assume!(value.chars().any(|c| c.is_alphanumeric() && c != 'x'));
            let kind = Kind::ALL[which];
            let masked = mask(kind, &value, NOW);
            prop_assert!(!masked.contains(value.trim()), "{kind:?}");
        }

        #[test]
        fn ascii_is_masked_like_any_text(value in "[ -~\t]{0,40}") {
            let plain = |value: &str| value.chars().map(class).collect::<String>();
            prop_assert_eq!(structure(&value), plain(&value));
            prop_assert_eq!(structure(&format!("é{value}")), plain("é") + &plain(&value));
        }

        #[test]
        fn names_show_single_letters(value in "[A-Za-zÀ-ÿ山田太郎'^,= -]{1,60}") {
            prop_assert!(runs(&mask(Kind::Name, &value, NOW)).iter().all(|r| r.chars().count() == 1));
        }

        #[test]
        fn numbers_show_two_digits_at_most(value in "[A-Z]{0,3}[0-9-]{1,30}[A-Z]{0,2}") {
            for kind in [Kind::PatientId, Kind::Ssn, Kind::Phone, Kind::AccountNumber] {
                let masked = mask(kind, &value, NOW);
                let shown = masked.chars().filter(|c| c.is_alphanumeric() && *c != 'x').count();
                let digits = value.chars().filter(|c| c.is_numeric()).count();
                let allowed = if digits >= 6 { 2 } else { 0 };
                prop_assert!(shown <= allowed);
            }
        }

        #[test]
        fn dates_show_the_year_at_most(year in 1937u16..2026, month in 1u8..=12, day in 1u8..=28) {
            for value in [
                format!("{year}{month:02}{day:02}"),
                format!("{year}-{month:02}-{day:02}"),
                format!("{day:02}.{month:02}.{year}"),
                format!("{month:02}/{day:02}/{year}"),
            ] {
                let masked = mask(Kind::BirthDate, &value, NOW);
                prop_assert_eq!(runs(&masked), vec![year.to_string()]);
            }
        }
    }
}
