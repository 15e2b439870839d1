//! Compares numbers of national registers with python-stdnum.

use super::{oracle, python};
use phitap::rules::validators::{ALL, Validator};
use std::collections::BTreeMap;

/// Valid and invalid numbers of each kind.
const COUNT: usize = 1000;

#[test]
fn validators_agree_with_python_stdnum() {
    let Some(python) = python() else { return };
    let judged = oracle(&python, "identifiers.py", &[&COUNT.to_string()]);
    let mut counts: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in judged.lines() {
        let mut words = line.split(' ');
        let mut next = || words.next().expect("validator number verdict");
        let (name, number, valid) = (next(), next(), next() == "1");
        let validator = Validator::named(name).expect(name);
        if validator.check(number) != valid {
            wrong.push(line);
        }
        *counts.entry((name, valid)).or_default() += 1;
    }
    // Numbers that disagree may be printed, because they are invented.
    let few: Vec<_> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} of {} disagree: {few:?}", wrong.len(), judged.lines().count());
    assert!(counts.values().all(|n| *n >= COUNT), "{counts:?}");
    let kinds = counts.len() / 2;
    assert!(kinds >= 50 && kinds <= ALL.len(), "{kinds} kinds");
}
