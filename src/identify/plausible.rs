//! Values that are no identifiers: empty ones, placeholders, templates, impossible dates and numbers.

use super::date::Date;
use super::normalise::{phone_digits, sex};
use crate::phi::{WipedString, wipe};
use crate::rules::{Kind, RuleSet};
use crate::time::Timestamp;

/// Fewest digits of a phone number.
const MIN_PHONE: usize = 5;

/// Most digits of a phone number: fifteen (E.164), an international prefix and an extension.
const MAX_PHONE: usize = 24;

/// Digits of a date with year, month and day.
const FULL_DATE: usize = 8;

/// Most equal consecutive digits of a real number (`9999`).
const MIN_REPEATED: usize = 4;

/// Whether an ID with a known issuer is plausible: a register also assigns `5555`. All zeros and all nines
/// mean "unknown" everywhere.
pub(super) fn is_issued_number(kind: Kind, value: &str, rules: &RuleSet) -> bool {
    let value = value.trim();
    let folded = WipedString::new(value.to_lowercase());
    matches!(kind, Kind::PatientId | Kind::OtherId)
        && value.bytes().all(|b| b.is_ascii_digit())
        && value.contains(|c: char| !matches!(c, '0' | '9'))
        && !rules.placeholders.contains(kind, &folded)
}

/// Whether `value` can be an identifier of this kind, seen at `now`.
pub fn plausible(kind: Kind, value: &str, rules: &RuleSet, now: Timestamp) -> bool {
    let value = value.trim();
    // `""` (HL7: delete the value), `*` and `?` (match anything), dashes, dots.
    if !value.contains(char::is_alphanumeric) {
        return false;
    }
    let is_name = matches!(kind, Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName);
    let may_be = with_lower(value, |folded| {
        !rules.placeholders.contains(kind, folded) && (!is_name || name(folded))
    });
    if !may_be {
        return false;
    }
    match kind {
        Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => true,
        Kind::BirthDate | Kind::DeathDate => {
            // A year alone identifies no one (45 CFR 164.514(b)(2)(i)(C)). Zeros for month and day mean that
            // a birth date was asked for and this is what is known of it.
            let whole = digits(value) >= FULL_DATE;
            Date::parse(value, now).is_some_and(|d| (d.month > 0 || whole) && d.is_past(now))
                || other_calendar(value)
        }
        Kind::Sex => sex(value).is_some(),
        Kind::Ssn => ssn(value),
        Kind::Phone | Kind::NextOfKinPhone | Kind::Fax => {
            let digits = phone_digits(value).count();
            (MIN_PHONE..=MAX_PHONE).contains(&digits) && !repeated(phone_digits(value))
        }
        Kind::Email => email(value),
        Kind::Address => letters_and_digits(value) >= 3 && !network_address(value),
        Kind::Ip => value.parse::<std::net::IpAddr>().is_ok_and(|a| !a.is_unspecified()),
        Kind::PatientId | Kind::AccessionNumber | Kind::OtherId | Kind::DeviceId => id(value, 1),
        Kind::AccountNumber | Kind::EncounterId => id(value, 1) && has_digit(value),
        Kind::InsuranceNumber | Kind::DriversLicence | Kind::PassportNumber => {
            id(value, 4) && has_digit(value)
        }
        Kind::NationalId => id(value, 5) && has_digit(value),
        Kind::Age => has_digit(value),
        Kind::Ethnicity | Kind::Religion | Kind::Occupation => letters_and_digits(value) >= 1,
        Kind::Photo | Kind::Url | Kind::Biometric | Kind::Employer => true,
    }
}

/// Longest value that is folded without memory of the heap, bytes.
const MAX_LOWER: usize = 64;

/// Calls `then` with the value in lower case.
fn with_lower<T>(value: &str, then: impl FnOnce(&str) -> T) -> T {
    let mut room = [0; MAX_LOWER];
    let Some(lower) = room.get_mut(..value.len()).filter(|_| value.is_ascii()) else {
        return then(&WipedString::new(value.to_lowercase()));
    };
    lower.copy_from_slice(value.as_bytes());
    lower.make_ascii_lowercase();
    let result = then(std::str::from_utf8(lower).unwrap_or_default());
    wipe(lower);
    result
}

/// The real kind of a value declared as `kind`. HL7 PID-19 and similar fields are called "social security number" and
/// contain whatever number the country uses.
pub(super) fn actual_kind(kind: Kind, value: &str) -> Kind {
    match kind {
        Kind::Ssn if letters_and_digits(value) != 9 => Kind::NationalId,
        other => other,
    }
}

/// An IP address or a pointer, which are called addresses too.
fn network_address(value: &str) -> bool {
    let word = value.split([',', ' ', '/']).next().unwrap_or(value);
    word.starts_with("0x") || word.parse::<std::net::IpAddr>().is_ok()
}

fn letters_and_digits(value: &str) -> usize {
    value.chars().filter(|c| c.is_alphanumeric()).count()
}

fn digits(value: &str) -> usize {
    value.bytes().take_while(u8::is_ascii_digit).count()
}

fn has_digit(value: &str) -> bool {
    value.contains(char::is_numeric)
}

/// Two letters, or one that is a word. A list of values is no name.
fn name(value: &str) -> bool {
    if value.starts_with('[') && value.contains('"') {
        return false;
    }
    let mut letters = value.chars().filter(|c| c.is_alphabetic());
    let first = letters.next();
    let ideograph = first.is_some_and(|c| c >= '\u{2E80}');
    first.is_some() && (ideograph || letters.any(|c| Some(c) != first))
}

/// Whether a name is a fragment of a program or a listing: it has an unmatched closing bracket, repeats one word, is a
/// path, or a key and what it does (`^O Write Out`).
/// Applied only to values found in text: in a declared field, a person may have the same name three times, and a
/// bracket may be lost where the value was cut.
pub(super) fn is_scrap(kind: Kind, value: &str) -> bool {
    if !matches!(kind, Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName) {
        return false;
    }
    let key = value.strip_prefix('^').and_then(|key| key.split_once(' '));
    if value.starts_with(['/', '\\']) || key.is_some_and(|(key, _)| key.len() == 1) {
        return true;
    }
    let value = WipedString::new(value.to_lowercase());
    let mut open = 0u32;
    let closes = value.chars().any(|c| match c {
        '(' => {
            open += 1;
            false
        }
        ')' if open == 0 => true,
        ')' => {
            open -= 1;
            false
        }
        _ => false,
    });
    let mut words = value.split(|c: char| c.is_whitespace() || c == '^').filter(|w| !w.is_empty());
    let first = words.next();
    let mut more = 0;
    let same = words.all(|word| {
        more += 1;
        Some(word) == first
    });
    closes || (same && more > 1)
}

/// A letter for the calendar and a date of eight digits (DICOM (0010,0033), (0010,0034)): other calendars differ, so
/// only month and day are checked.
fn other_calendar(value: &str) -> bool {
    let mut chars = value.chars();
    let named = chars.next().is_some_and(|c| c.is_ascii_uppercase());
    let digits = chars.as_str();
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|d| d.parse::<u8>().ok());
    named
        && digits.len() == 8
        && digits.bytes().all(|b| b.is_ascii_digit())
        && part(4, 6).is_some_and(|month| (1..=13).contains(&month))
        && part(6, 8).is_some_and(|day| (1..=32).contains(&day))
}

/// Enough letters and digits, not all zeros and no digit repeated throughout.
fn id(value: &str, least: usize) -> bool {
    let significant = || value.chars().filter(|c| c.is_alphanumeric());
    significant().count() >= least && significant().any(|c| c != '0') && !repeated(significant())
}

/// One repeated character, often enough to be no real number.
fn repeated(mut chars: impl Iterator<Item = char>) -> bool {
    let Some(first) = chars.next() else { return false };
    let mut count = 1;
    chars.all(|c| {
        count += 1;
        c == first
    }) && count >= MIN_REPEATED
}

/// Area, group and serial numbers that were never issued (20 CFR 422.103, SSA POMS RM 10201).
fn ssn(value: &str) -> bool {
    let mut digits = [0u8; 9];
    let mut count = 0;
    for c in value.chars() {
        match c.to_digit(10) {
            Some(d) => {
                let Some(slot) = digits.get_mut(count) else { return false };
                *slot = d as u8;
                count += 1;
            }
            None if matches!(c, '-' | ' ' | '.') => {}
            None => return false,
        }
    }
    let [a, b, c, d, e, f, g, h, i] = digits;
    let area = (a, b, c);
    count == 9
        && a != 9
        && area != (0, 0, 0)
        && area != (6, 6, 6)
        && (d, e) != (0, 0)
        && (f, g, h, i) != (0, 0, 0, 0)
        && !repeated(digits.iter().map(|d| char::from(*d)))
}

/// Something on both sides of one `@`, and a domain with a dot.
fn email(value: &str) -> bool {
    let Some((local, domain)) = value.split_once('@') else { return false };
    let word = |s: &str| !s.is_empty() && !s.contains(|c: char| c.is_whitespace() || c == '@');
    word(local)
        && word(domain)
        && domain.rsplit_once('.').is_some_and(|(name, tld)| !name.is_empty() && tld.len() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000); // 2026-03-01

    #[track_caller]
    fn check(kind: Kind, yes: &[&str], no: &[&str]) {
        let rules = &*RULES;
        for value in yes {
            assert!(plausible(kind, value, rules, NOW), "{kind:?} {value}");
        }
        let nothing = [
            "",
            " ",
            "\"\"",
            "*",
            "?",
            "-",
            "N/A",
            "n/a",
            "NONE",
            "null",
            "UNKNOWN",
            "unk",
            "{{name}}",
            "<name>",
            "$name",
            "${name}",
            "%NAME%",
            "undefined",
            "***-**-****",
        ];
        for value in no.iter().chain(&nothing) {
            assert!(!plausible(kind, value, rules, NOW), "{kind:?} {value}");
        }
    }

    #[test]
    fn names_of_people_are_plausible_and_placeholders_are_not() {
        check(
            Kind::Name,
            &[
                "Hartman^Jason",
                "Li^Na",
                "李^明",
                "山田太郎",
                "HARTM*",
                "Test^Robert",
                "Anonby^Kjell",
                "Ng",
                "Null^Greta",
                "Unger^Una",
                "X^Malcolm",
                "Patience Smith",
                "Smith^Eva (Evi)",
                "William Williams",
            ],
            &[
                "ANONYMOUS",
                "ANON^PATIENT",
                "Anonymous^",
                "anonymised",
                "Anonymized^^",
                "TEST^PATIENT",
                "Test Patient 3",
                "Patient, Test",
                "UNKNOWN^UNKNOWN",
                "Unknown^Male",
                "string",
                "X^X",
                "XXXX",
                "12345",
                "a",
                "H*",
                "^^",
                "Last Name",
                "Nachname^Vorname",
                "[3, \"Roe\", \"Jane\"]",
            ],
        );
    }

    #[test]
    fn scraps_of_programs() {
        for value in ["File^) ) )", "File File File", "Eve Eve^eve"] {
            assert!(is_scrap(Kind::Name, value), "{value}");
            assert!(
                plausible(Kind::Name, value, &RULES, NOW),
                "{value}: a standard may declare it"
            );
        }
        for value in ["Smith^Eva (Evi)", "William^William", "William Williams"] {
            assert!(!is_scrap(Kind::Name, value), "{value}");
        }
        assert!(!is_scrap(Kind::Address, "Ulm Ulm Ulm"));
    }

    #[test]
    fn dates_of_birth_are_whole_dates_in_the_span_of_a_life() {
        check(
            Kind::BirthDate,
            &[
                "19591102",
                "1959-11-02",
                "1959-11",
                "02/11/1959",
                "20260301",
                "S341102",
                "H13790502",
            ],
            &[
                "1959",
                "00000000",
                "0000-00-00",
                "19591302",
                "20991231",
                "18490101",
                "19590230",
                "date",
                "19000101-19991231",
                "1900-01-01",
            ],
        );
    }

    #[test]
    fn numbers_that_were_never_issued_are_not_plausible() {
        check(
            Kind::Ssn,
            &["029-29-0854", "536904399", "536 90 4399"],
            &[
                "000-12-3456",
                "666-12-3456",
                "900-12-3456",
                "987654321",
                "078-05-1120",
                "219-09-9999",
                "123-45-6789",
                "123-00-4567",
                "123-45-0000",
                "29-29-0854",
                "029-29-08541",
                "XXX-XX-0854",
                "111111111",
            ],
        );
        check(
            Kind::Phone,
            &["(475) 555-0132", "55501", "+49 30 1234567", "555-0132 x4"],
            &["1234", "none", "0000000000", "call me", "(999)999-9999"],
        );
        check(
            Kind::Email,
            &["a.b@example.org", "x@y.co"],
            &["a.b", "@example.org", "a@b", "a b@c.de", "a@@c.de", "user@domain.com"],
        );
        check(
            Kind::PatientId,
            &[
                "H0709380",
                "7",
                "00762994",
                "PAT-111628",
                "743285-7",
                "a1b2c3d4-0000-4000-8000-000000000001",
            ],
            &["0", "000000", "00-00", "9999999", "XXXXXX", "ANONYMOUS", "anon"],
        );
        check(Kind::InsuranceNumber, &["TEV437403338"], &["PPO", "000000", "12"]);
        check(Kind::NationalId, &["756.9217.0769.85", "RCCMNL83S18D969H"], &["ABCDEFG", "1234"]);
        check(Kind::Sex, &["M", "female", "O"], &["U", "both", "yes"]);
        check(Kind::Address, &["12 Main St^^Springfield", "75008"], &["US", "^^^^"]);
        check(Kind::Ip, &["203.0.113.9"], &["0.0.0.0", "1.2.3"]);
    }

    #[test]
    fn numbers_called_ssn_by_other_countries() {
        assert_eq!(actual_kind(Kind::Ssn, "756.9217.0769.85"), Kind::NationalId);
        assert_eq!(actual_kind(Kind::Ssn, "029-29-0854"), Kind::Ssn);
        assert_eq!(actual_kind(Kind::PatientId, "756.9217.0769.85"), Kind::PatientId);
    }
}
