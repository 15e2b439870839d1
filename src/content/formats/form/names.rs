//! Names of the fields of forms, as the frameworks of pages and the builders of forms write them:
//! `patient[first_name]`, `ctl00$Main$txtPatientName`, `field_birth_date[0][value]`, `q3_patientName[last]`.

use crate::content::extract::record::{CandidateRecord, Marks};
use crate::rules::{About, Key, Kind, NamePart, RuleSet};

/// Most parts of a name.
const MAX_PARTS: usize = 8;

/// Longest part that is joined with another one, bytes.
const MAX_PART: usize = 48;

/// What tools put in front of the names of controls.
const PREFIXES: &[&str] = &[
    "txt", "ddl", "lbl", "hdn", "hid", "cbo", "tb", "dtp", "inp", "input_", "field_", "form_",
    "frm_", "fld_", "edit-", "acf_",
];

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
        Kind::BirthDate => rules.keys.get(&format!("birth_{inner}")),
        _ => None,
    }
}

/// The key of a part of a name without what tools put in front of it.
fn own<'r>(part: &str, rules: &'r RuleSet) -> Option<&'r Key> {
    if let Some(key) = rules.keys.get(part) {
        return Some(key);
    }
    // `q3_patientName`
    let question = part.strip_prefix('q').and_then(|rest| rest.split_once('_'));
    let question = question.filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
    let bare = question.map(|(_, rest)| rest);
    bare.into_iter()
        .chain(PREFIXES.iter().filter_map(|prefix| part.strip_prefix(prefix)))
        .find_map(|rest| rules.keys.get(rest))
}

/// Notes what the outer parts of a name say of the record: `patient.person.names[0].givenName`.
pub fn parents(name: &str, record: &mut CandidateRecord, rules: &RuleSet) {
    for part in parts(name).skip(1) {
        match rules.keys.context(part) {
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
            ("patient.person.names[0].givenName", Kind::Name, NamePart::Given),
            ("hastaForm:soyadi", Kind::Name, NamePart::Family),
        ] {
            let key = key(name, &RULES).map(|key| (key.rule.kind, key.part));
            assert_eq!(key, Some((kind, part)), "{name}");
        }
        for name in ["commit", "q3_color[shade]", "a[0][value]", "", "[][]", "txt"] {
            assert!(key(name, &RULES).is_none(), "{name}");
        }
    }
}
