//! The normal form, in which two spellings of one value are equal. Tokens are made from it.
//!
//! | kind | form |
//! |---|---|
//! | names | last word of the family name and first given name, folded, in alphabetical order: equal for `Hartman^Jason^Q`, `HARTMAN, Jason` and `Jason Hartman` |
//! | dates | `YYYYMMDD` |
//! | numbers and codes | letters and digits, folded; leading zeros dropped where the number has no fixed length |
//! | phone, fax | the last nine digits, which a country code or a trunk zero does not change |
//! | e-mail, url | lower case |
//! | sex | `M`, `F`, `O`, `U` |
//! | others | words, folded |

use super::date::Date;
use crate::phi::WipedString;
use crate::rules::{Kind, Placeholders, plain_letters, push_letters};
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization;

/// Trailing digits of a phone number that are compared.
const PHONE_DIGITS: usize = 9;

/// Words of a name that are read.
const MAX_WORDS: usize = 16;

/// Writes the normal form of a plausible value to `out`, which was empty.
pub(super) fn normalise(
    kind: Kind,
    value: &str,
    affixes: &Placeholders,
    now: Timestamp,
    out: &mut String,
) {
    match kind {
        Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => name(value, affixes, out),
        Kind::BirthDate | Kind::DeathDate => date(value, now, out),
        Kind::Sex => out.push_str(sex(value).unwrap_or("U")),
        Kind::Phone | Kind::NextOfKinPhone | Kind::Fax => phone(value, out),
        Kind::Email | Kind::Url => {
            let value = value.trim();
            let value = value.strip_prefix("mailto:").unwrap_or(value);
            out.extend(value.chars().flat_map(char::to_lowercase));
        }
        Kind::PatientId
        | Kind::AccountNumber
        | Kind::EncounterId
        | Kind::AccessionNumber
        | Kind::OtherId => id(value, true, out),
        Kind::Ssn
        | Kind::NationalId
        | Kind::InsuranceNumber
        | Kind::DriversLicence
        | Kind::PassportNumber
        | Kind::DeviceId
        | Kind::Ip => id(value, false, out),
        Kind::Address
        | Kind::Photo
        | Kind::Biometric
        | Kind::Employer
        | Kind::Age
        | Kind::Ethnicity
        | Kind::Religion
        | Kind::Occupation => words(value, out),
    }
}

/// The code of a sex, by word or code (HL7 table 0001, DICOM (0010,0040), FHIR, ISO 5218).
pub(super) fn sex(value: &str) -> Option<&'static str> {
    const MALE: &[&str] = &[
        "m",
        "male",
        "man",
        "boy",
        "1",
        "männlich",
        "mann",
        "herr",
        "masculin",
        "masculino",
        "homme",
        "hombre",
        "maschio",
        "maschile",
        "mannelijk",
        "mies",
        "mand",
        "мужской",
        "м",
        "男",
        "男性",
    ];
    const FEMALE: &[&str] = &[
        "f",
        "female",
        "woman",
        "girl",
        "2",
        "w",
        "v",
        "k",
        "weiblich",
        "frau",
        "féminin",
        "feminin",
        "femenino",
        "feminino",
        "femme",
        "mujer",
        "femmina",
        "femminile",
        "vrouwelijk",
        "vrouw",
        "kvinna",
        "kvinne",
        "kvinde",
        "kobieta",
        "nainen",
        "женский",
        "ж",
        "女",
        "女性",
    ];
    const OTHER: &[&str] =
        &["o", "other", "9", "d", "divers", "x", "a", "ambiguous", "n", "nonbinary"];
    let folded = value.trim().to_lowercase();
    // HL7 2.7 made PID-8 a coded element: the code is the first component.
    let word = folded.split('^').next().unwrap_or_default();
    [("M", MALE), ("F", FEMALE), ("O", OTHER)]
        .into_iter()
        .find(|(_, words)| words.contains(&word))
        .map(|(code, _)| code)
}

fn date(value: &str, now: Timestamp, out: &mut String) {
    match Date::parse(value, now) {
        Some(d) => {
            let digits = [
                (d.year / 1000) as u8,
                (d.year / 100 % 10) as u8,
                (d.year / 10 % 10) as u8,
                (d.year % 10) as u8,
                d.month / 10,
                d.month % 10,
                d.day / 10,
                d.day % 10,
            ];
            out.extend(digits.iter().map(|n| char::from(b'0' + n)));
        }
        None => words(value, out),
    }
}

/// The issuer of an id, in normal form: the digits of an OID (`urn:oid:1.2.3`), else letters and digits, folded,
/// without the scheme of a URL.
pub(super) fn issuer(name: &str, out: &mut String) {
    let name = name.trim();
    let name = ["urn:oid:", "urn:uuid:"].iter().find_map(|s| name.strip_prefix(s)).unwrap_or(name);
    if name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return out.push_str(name.trim_end_matches('.'));
    }
    let name = ["https://", "http://"].iter().find_map(|s| name.strip_prefix(s)).unwrap_or(name);
    out.reserve(name.len());
    fold(name, out);
}

/// Whether the name of an issuer is globally unique: an OID, a UUID, a URL.
pub(super) fn is_universal(name: &str) -> bool {
    let name = name.trim();
    let oid = name.starts_with(['0', '1', '2'])
        && name.contains('.')
        && name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    oid || ["urn:", "http://", "https://"].iter().any(|scheme| name.starts_with(scheme))
}

/// Letters and digits of an id; of a composite (HL7 CX) only the id.
fn id(value: &str, drop_zeros: bool, out: &mut String) {
    let first = value.split('^').find(|part| !part.trim().is_empty()).unwrap_or_default();
    fold(first, out);
    if drop_zeros && out.bytes().all(|b| b.is_ascii_digit()) {
        let zeros = out.bytes().take_while(|b| *b == b'0').count();
        out.drain(..zeros);
    }
}

/// Digits of the number itself, without an extension (`x12`, `ext. 12`) and further components.
pub(super) fn phone_digits(value: &str) -> impl Iterator<Item = char> {
    let first = value.split('^').find(|part| part.contains(|c: char| c.is_numeric()));
    let value = first.unwrap_or_default().trim();
    let value = value.strip_prefix("tel:").unwrap_or(value);
    let end = value.find(|c: char| c.is_alphabetic()).unwrap_or(value.len());
    value[..end].chars().filter_map(|c| c.to_digit(10)).filter_map(|d| char::from_digit(d, 10))
}

fn phone(value: &str, out: &mut String) {
    out.extend(phone_digits(value));
    let surplus = out.len().saturating_sub(PHONE_DIGITS);
    out.drain(..surplus);
}

fn words(value: &str, out: &mut String) {
    for word in value.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        fold(word, out);
    }
}

/// A name, see the table above. The order of family and given name is often unknown, so the normal form has none;
/// middle names and initials are often missing, so it omits them; a family name of several words may be split at
/// another place, so only its last word counts.
fn name(value: &str, affixes: &Placeholders, out: &mut String) {
    // DICOM PN (PS3.5 6.2.1): alphabetic=ideographic=phonetic. HL7 v2 has no `=` there.
    let group = value.split('=').find(|g| g.contains(char::is_alphabetic)).unwrap_or(value);
    let parts = if let Some((family, rest)) = group.split_once('^') {
        let family = surname(family);
        let mut given = rest.split('^');
        let first = given.next().unwrap_or_default();
        // `^^Jason`: better the middle name than none.
        let first = if first.trim().is_empty() { given.next().unwrap_or_default() } else { first };
        Some((family, first))
    } else {
        group.split_once(',')
    };
    let structured = parts
        .map(|(family, given)| (NameWords::of(family, affixes), NameWords::of(given, affixes)));
    if let Some((family, given)) = &structured
        && let (Some(last), Some(first)) = (family.iter().next_back(), given.iter().next())
    {
        return pair(last, first, out);
    }
    let all = NameWords::of(group, affixes);
    let mut long = all.iter().filter(|w| w.chars().nth(1).is_some());
    let (first, last) = match (long.next(), long.next_back()) {
        (Some(first), Some(last)) => (first, last),
        _ => {
            let mut words = all.iter();
            (words.next().unwrap_or_default(), words.next_back().unwrap_or_default())
        }
    };
    pair(first, last, out);
}

/// The whole surname of an HL7 FN, which contains it first and repeats its parts behind (`van Dyck&van&Dyck`).
/// Elsewhere an `&` is an ordinary character.
fn surname(family: &str) -> &str {
    match family.split_once('&') {
        Some((whole, parts)) if parts.split('&').all(|part| whole.contains(part.trim())) => whole,
        _ => family,
    }
}

/// Two words in alphabetical order.
fn pair(a: &str, b: &str, out: &mut String) {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    out.push_str(a);
    if !a.is_empty() {
        out.push(' ');
    }
    out.push_str(b);
}

/// The folded words of a name, one behind the other.
struct NameWords {
    text: WipedString,
    words: SmallVec<[Range<usize>; 4]>,
}

impl NameWords {
    /// Without titles, degrees and generations, unless there is nothing else.
    fn of(text: &str, affixes: &Placeholders) -> Self {
        let apostrophe = |c: char| matches!(c, '\'' | '’' | '`' | '´' | 'ʼ');
        let mut folded = WipedString::with_capacity(text.len() + 8);
        let mut words: SmallVec<[Range<usize>; 4]> = SmallVec::new();
        for word in text.split(|c: char| !c.is_alphanumeric() && !apostrophe(c) && !is_mark(c)) {
            let start = folded.len();
            fold(word, &mut folded);
            umlauts(&mut folded, start);
            if folded.len() > start {
                words.push(start..folded.len());
            }
            if words.len() == MAX_WORDS {
                break;
            }
        }
        let text = |word: &Range<usize>| folded.get(word.clone()).unwrap_or_default();
        let affix: SmallVec<[bool; 8]> = words.iter().map(|w| affixes.is_affix(text(w))).collect();
        if affix.contains(&true) && affix.contains(&false) {
            let mut affix = affix.into_iter();
            words.retain(|_| !affix.next().unwrap_or_default());
        }
        Self { text: folded, words }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.words.iter().map(|word| self.text.get(word.clone()).unwrap_or_default())
    }
}

/// Systems without umlauts write `ae`, `oe` and `ue`; folding has turned the umlauts themselves into plain vowels.
/// Changes the word that begins at `start`.
fn umlauts(text: &mut String, start: usize) {
    let word = text.get(start..).unwrap_or_default();
    if !word.as_bytes().windows(2).any(|two| matches!(two, [b'a' | b'o' | b'u', b'e'])) {
        return;
    }
    let mut before = ' ';
    let mut plain = WipedString::with_capacity(word.len());
    for c in word.chars() {
        if !(c == 'e' && matches!(before, 'a' | 'o' | 'u')) {
            plain.push(c);
        }
        before = c;
    }
    text.truncate(start);
    text.push_str(&plain);
}

/// A combining diacritical mark.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Appends letters and digits of `text`, in lower case, without diacritics.
fn fold(text: &str, out: &mut String) {
    if text.is_ascii() {
        return push_letters(text, out);
    }
    let letters = text.nfkd().flat_map(char::to_lowercase).nfkd();
    for c in letters.filter(|c| c.is_alphanumeric() || (!c.is_ascii() && !is_mark(*c))) {
        match (c, plain_letters(c)) {
            (_, Some(letters)) => out.push_str(letters),
            (c, None) if c.is_alphanumeric() || is_vowel_sign(c) => out.push(c),
            _ => {}
        }
    }
}

/// Marks that spell a sound, not an accent: kana voicing and signs of Indic and other scripts.
const fn is_vowel_sign(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309A}' | '\u{0591}'..='\u{0EFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000); // 2026-03-01

    fn normal(kind: Kind, value: &str) -> String {
        let rules = &*RULES;
        let mut out = String::new();
        normalise(kind, value, &rules.placeholders, NOW, &mut out);
        out
    }

    proptest::proptest! {
        #[test]
        fn letters_of_ascii_are_those_of_any_text(text in "[ -~]{0,40}") {
            let mut folded = "é".to_owned();
            fold(&text, &mut folded);
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            let expected: String = letters.map(|c| c.to_ascii_lowercase()).collect();
            proptest::prop_assert_eq!(folded, format!("é{expected}"));
        }
    }

    #[track_caller]
    fn same(kind: Kind, values: &[&str]) {
        for value in values {
            assert_eq!(normal(kind, value), normal(kind, values[0]), "{value}");
            assert!(!normal(kind, value).is_empty(), "{value}");
        }
    }

    #[test]
    fn one_person_in_many_spellings() {
        same(
            Kind::Name,
            &[
                "Hartman^Jason",
                "Hartman^Jason^Q",
                "HARTMAN^JASON^^Mr",
                "Jason Hartman",
                "Jason Q Hartman",
                "Jason Q. Hartman",
                "Hartman, Jason",
                "Hartman, Jason Q.",
                "HARTMAN JASON",
                "Hartman^Jason=x^y=z",
                "von Hartman&von&Hartman^Jason^^^^^L",
                "Mr. Jason Hartman",
                "Hartman^Jason^^^^^L^A",
            ],
        );
        same(
            Kind::Name,
            &["Müller^Hans", "MUELLER^HANS", "Hans Müller", "Mu\u{308}ller^Hans", "muller, hans"],
        );
        same(Kind::Name, &["O'Brien^Mary", "O’Brien^Mary", "OBRIEN^MARY", "Mary O'Brien"]);
        same(Kind::Name, &["Mariño^Juan Pablo", "Juan Pablo Mariño", "MARINO^JUAN^PABLO"]);
        same(Kind::Name, &["Le Gall^Célina", "Célina Le Gall", "LE GALL, Celina"]);
        same(Kind::Name, &["Müller^Heide-Marie", "Heide Marie Müller", "Mueller^Heide"]);
        same(Kind::Name, &["山田^太郎", "山田^太郎^"]);
        same(Kind::Name, &["Weiß^Jörg", "WEISS^JOERG"]);
        same(Kind::Name, &["Smith&Sons^René", "René Smith&Sons"]);
    }

    #[test]
    fn different_persons_stay_different() {
        let names = [
            "Hartman^Jason",
            "Hartman^Janet",
            "Hartmann^Jason",
            "Hartman",
            "Li^Na",
            "山田^太郎",
            "山田^次郎",
            "がくや",
            "かくや",
            "Петров^Иван",
            "Петрова^Анна",
        ];
        for (i, a) in names.iter().enumerate() {
            for b in &names[..i] {
                assert_ne!(normal(Kind::Name, a), normal(Kind::Name, b), "{a} {b}");
            }
        }
    }

    #[test]
    fn numbers_and_codes() {
        same(Kind::PatientId, &["00762994", "762994", "762-994", " 762 994 ", "762994^^^HOSP^MR"]);
        same(Kind::PatientId, &["MRN0152033", "mrn-0152033"]);
        assert_ne!(normal(Kind::PatientId, "A0123"), normal(Kind::PatientId, "A123"));
        same(Kind::Ssn, &["029-29-0854", "029290854", "029 29 0854"]);
        assert_ne!(normal(Kind::Ssn, "029290854"), "29290854");
        same(
            Kind::Phone,
            &[
                "(475) 555-0132",
                "+1 475 555 0132",
                "4755550132",
                "(475)555-0132^PRN^PH",
                "475.555.0132 x12",
                "tel:+1-475-555-0132",
            ],
        );
        same(Kind::Phone, &["+49 30 1234567", "030 1234567", "0049 30/1234567"]);
        same(Kind::Email, &["Wendy.Decker@Example.org", "mailto:wendy.decker@example.org"]);
        same(
            Kind::BirthDate,
            &["19591102", "1959-11-02", "02.11.1959", "195911020000", "11/02/1959"],
        );
        assert_eq!(normal(Kind::BirthDate, "02.11.1959"), "19591102");
        same(Kind::Address, &["12 Rue de l'Église^^Paris", "12, rue de l eglise, PARIS"]);
    }

    #[test]
    fn spellings_of_one_issuer_are_equal() {
        let normal = |name: &str| {
            let mut out = String::new();
            issuer(name, &mut out);
            out
        };
        for (one, other) in [
            ("Hosp A", "HOSP-A"),
            ("urn:oid:1.2.276.0.76", "1.2.276.0.76"),
            ("http://hospital.example/mrn", "https://Hospital.example/mrn/"),
            ("Klinikum Köln", "KLINIKUM KOLN"),
        ] {
            assert_eq!(normal(one), normal(other));
            assert!(!normal(one).is_empty());
        }
        assert_ne!(normal("1.2.3"), normal("12.3"));
        assert_eq!(normal(" - "), "");
    }

    #[test]
    fn every_spelling_of_a_sex_has_its_code() {
        for (value, code) in [
            ("M", "M"),
            ("male", "M"),
            ("Weiblich", "F"),
            ("F^Female^HL70001", "F"),
            ("女", "F"),
            ("other", "O"),
            ("", "U"),
            ("U", "U"),
            ("unknown", "U"),
        ] {
            assert_eq!(normal(Kind::Sex, value), code, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(value in "\\PC{0,40}", which in 0..Kind::ALL.len()) {
            let mut out = String::new();
            normalise(Kind::ALL[which], &value, &Placeholders::default(), NOW, &mut out);
        }
    }
}
