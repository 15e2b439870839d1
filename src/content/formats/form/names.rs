//! Names of the fields of forms, as the frameworks of pages and the builders of forms write them:
//! `patient[first_name]`, `ctl00$Main$txtPatientName`, `field_birth_date[0][value]`, `q3_patientName[last]`.

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::rules::{About, ContextScope, Key, Kind, NamePart, RuleSet};
use std::hash::{BuildHasher as _, Hasher as _};

/// Most parts of a name.
const MAX_PARTS: usize = 8;

/// Longest part that is joined with another one, bytes.
const MAX_PART: usize = 48;

/// What tools put in front of the names of controls.
const PREFIXES: &[&str] = &[
    "txt", "ddl", "lbl", "hdn", "hid", "cbo", "tb", "dtp", "inp", "input_", "field_", "form_",
    "frm_", "fld_", "edit-", "acf_",
];

/// What Rails puts behind the names of objects whose members follow (`accepts_nested_attributes_for`).
const ATTRIBUTES: &str = "_attributes";

/// Rows of a list that are read apart.
const MAX_ROWS: u32 = 1024;

/// Parts of names that say nothing of the value.
const GENERAL: &[&str] =
    &["value", "date", "text", "fields", "data", "answer", "answers", "items", "und", "0", "form"];

/// The parts of a name, the innermost first.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let separators = ['[', ']', '.', ':', '$'];
    name.rsplit(separators).filter(|part| !part.is_empty()).take(MAX_PARTS)
}

/// The key that a name, or its innermost part that says something, means.
pub fn key<'r>(name: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    if let Some(key) = rules.keys.get(name) {
        return Some(key);
    }
    let mut inner: Option<&str> = None;
    for part in parts(name) {
        let number = part.bytes().all(|b| b.is_ascii_digit());
        if number || GENERAL.iter().any(|word| part.eq_ignore_ascii_case(word)) {
            continue;
        }
        let outer = own(part, rules);
        // `patientName[first]`, `date_of_birth[month]`: a part of what is around it.
        if let (Some(inner), Some(outer)) = (inner, outer) {
            return of_parts(part, inner, outer, rules)
                .or_else(|| own(inner, rules))
                .or(Some(outer));
        }
        if let Some(key) = outer {
            return Some(key);
        }
        if inner.is_some() {
            return None;
        }
        inner = Some(part);
    }
    inner.and_then(|inner| own(inner, rules))
}

/// The key of a part of a name, or of a date: `first` of `patientName`.
fn of_parts<'r>(part: &str, inner: &str, outer: &Key, rules: &'r RuleSet) -> Option<&'r Key> {
    if part.len() > MAX_PART || inner.len() > MAX_PART {
        return None;
    }
    match outer.rule.kind {
        Kind::Name if outer.part == NamePart::Whole => {
            let word = if outer.patient { "patient_" } else { "" };
            rules.keys.get(&format!("{word}{inner}_name"))
        }
        // (`birth_day` is the whole date.)
        Kind::BirthDate => rules.keys.get(&format!("birth_date_{inner}")),
        _ => None,
    }
}

/// The key of a part of a name without what tools put in front of it.
fn own<'r>(part: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    if let Some(key) = rules.keys.get(part) {
        return Some(key);
    }
    // Sets of forms of Django: `form-0-patient_name`.
    if let Some((front, own)) = part.rsplit_once('-')
        && front.rsplit('-').next().is_some_and(|row| row.bytes().all(|b| b.is_ascii_digit()))
        && !front.is_empty()
    {
        return rules.keys.get(own);
    }
    // `q3_patientName`
    let question = part.strip_prefix('q').and_then(|rest| rest.split_once('_'));
    let question = question.filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
    let bare = question.map(|(_, rest)| rest);
    bare.into_iter()
        .chain(PREFIXES.iter().filter_map(|prefix| part.strip_prefix(prefix)))
        .find_map(|rest| rules.keys.get(rest))
}

/// The name of an object of Rails without the ending.
fn object(part: &str) -> &str {
    part.strip_suffix(ATTRIBUTES).unwrap_or(part)
}

/// Whether an outer part of a name says that its member is somebody else's: `order[customer_attributes][name]`,
/// `child[guardian_attributes][name]`, `visit.guardian.name`.
pub fn is_of_other(name: &str, rules: &RuleSet) -> bool {
    let said = |part: &str| {
        let inside = rules.keys.scope_of(object(part)).map(|said| said.inside);
        let nested = part.ends_with(ATTRIBUTES);
        match inside {
            // `emergency_contact[name]`
            Some(About::Relative) => rules.keys.get(name).is_none(),
            Some(About::Elsewhere | About::Nobody) => true,
            Some(About::Other) => nested,
            _ => false,
        }
    };
    let mut outer = parts(name).skip(1);
    outer.any(said)
}

/// The list that a name is in, as a hash, and its row there: `Patients[0].FirstName`, `form-1-date_of_birth`,
/// `visits[0][patient_attributes][name]`. A number at the end is that of a value (`first_name[0]`).
pub fn row(name: &str) -> Option<(u64, u32)> {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mut from = 0;
    for part in name.split_inclusive(['[', ']', '.', ':', '$', '-']) {
        let bare = part.trim_end_matches(['[', ']', '.', ':', '$', '-']);
        let end = from + part.len();
        let behind = name.get(end..).unwrap_or("").trim_start_matches([']', '[', '.', '-']);
        let number = bare.parse().ok().filter(|row| *row < MAX_ROWS && digits(bare));
        if let Some(number) = number.filter(|_| from > 0)
            && behind.starts_with(|c: char| c.is_alphabetic())
            && !GENERAL.iter().any(|word| behind.trim_end_matches(']').eq_ignore_ascii_case(word))
        {
            let mut hasher = foldhash::fast::FixedState::default().build_hasher();
            hasher.write(name.get(..from)?.as_bytes());
            return Some((hasher.finish(), number));
        }
        from = end;
    }
    None
}

/// Notes what the outer parts of a name say of the record: `patient.person.names[0].givenName`.
pub fn parents(name: &str, record: &mut CandidateRecord, rules: &RuleSet) {
    for part in parts(name).skip(1).map(object) {
        match rules.keys.scope_of(part).map(ContextScope::ahead) {
            Some(About::Patient) => record.mark(Marks::PATIENT),
            Some(about @ (About::Elsewhere | About::Nobody)) => record.mark(Marks::about(about)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

    #[test]
    fn fields_of_frameworks_and_of_builders_of_forms() {
        for (name, kind, part) in [
            ("patient[first_name]", Kind::Name, NamePart::Given),
            ("ctl00$MainContent$txtPatientLastName", Kind::Name, NamePart::Family),
            ("ctl00$MainContent$txtDOB", Kind::BirthDate, NamePart::Whole),
            ("field_first_name[0][value]", Kind::Name, NamePart::Given),
            ("field_date_of_birth[0][value][date]", Kind::BirthDate, NamePart::Whole),
            ("q3_patientName[first]", Kind::Name, NamePart::Given),
            ("q4_dateOfBirth[month]", Kind::BirthDate, NamePart::Month),
            ("submitted[date_of_birth][day]", Kind::BirthDate, NamePart::Day),
            ("patient.person.names[0].givenName", Kind::Name, NamePart::Given),
            ("hastaForm:soyadi", Kind::Name, NamePart::Family),
        ] {
            let key = key(name, &RULES).map(|key| (key.rule.kind, key.part));
            assert_eq!(key, Some((kind, part)), "{name}");
        }
        assert!(row("Patients[0].FirstName") != row("Patients[1].FirstName"));
        assert_eq!(row("Patients[0].FirstName"), row("Patients[0].BirthDate"));
        for name in ["form-1-patient_name", "a[2][b_attributes][name]", "List[0].X"] {
            assert!(row(name).is_some(), "{name}");
        }
        for name in ["first_name[0]", "field_dob[0][value]", "name", "a[b]", "2.5", "[0]"] {
            assert!(row(name).is_none(), "{name}");
        }
        assert!(is_of_other("order[customer_attributes][name]", &RULES));
        assert!(is_of_other("visit[guardian_attributes][name]", &RULES));
        assert!(!is_of_other("visit[patient_attributes][name]", &RULES));
        for name in ["commit", "q3_color[shade]", "a[0][value]", "", "[][]", "txt"] {
            assert!(key(name, &RULES).is_none(), "{name}");
        }
    }
}
