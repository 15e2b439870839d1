//! Signed rules are installed, and nothing else.

use super::bundle::{Bundle, MAX_VALUE, Refusal};
use super::follow::Place;
use super::key::PrivateKey;
use proptest::prelude::*;
use std::collections::BTreeMap;

const RULE: &str = r#"
[[key]]
id = "key-own"
title = "Visit number"
kind = "encounter_id"
names = ["besuchsnummer"]
confidence = 0.8
reference = "Portal manual"
match = ["Besuchsnummer"]
"#;

fn bundle(version: u64, text: &str) -> Bundle {
    let files = BTreeMap::from([("own.toml".to_owned(), text.to_owned())]);
    Bundle { version, digest: "d".into(), files }
}

#[test]
fn a_bundle_opens_with_its_key_only_and_as_it_was() {
    let (key, public) = PrivateKey::generate();
    let (_, other) = PrivateKey::generate();
    let value = bundle(1, RULE).seal(&key).expect("small enough");
    assert_eq!(Bundle::open(&value, &public), Ok(bundle(1, RULE)));
    assert_eq!(Bundle::open(&value, &other), Err(Refusal::Signature));
    assert_eq!(Bundle::open(b"garbage", &public), Err(Refusal::Damaged));
    assert_eq!(Bundle::open(&vec![b' '; MAX_VALUE + 1], &public), Err(Refusal::Damaged));
    // A name that leads outside the folder is refused, even if signed.
    for name in ["../own.toml", "/own.toml", ".own.toml", "own.txt", "a/b.toml"] {
        let mut bad = bundle(1, RULE);
        bad.files.insert(name.to_owned(), String::new());
        let value = bad.seal(&key).expect("small enough");
        assert_eq!(Bundle::open(&value, &public), Err(Refusal::Damaged), "{name}");
    }
}

proptest! {
    #[test]
    fn no_byte_of_a_bundle_may_change(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (key, public) = PrivateKey::generate();
        let mut value = bundle(1, RULE).seal(&key).expect("small enough");
        let at = at.index(value.len());
        value[at] ^= 1 << bit;
        let opened = Bundle::open(&value, &public);
        prop_assert!(opened.is_err() || opened == Ok(bundle(1, RULE)));
    }
}

#[test]
fn newer_rules_replace_older_at_once_and_faulty_ones_change_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let current = folder.path().join("current");
    let mut place = Place::at(folder.path());
    assert_eq!(place.take(&bundle(3, RULE)), Ok(true));
    let text = || std::fs::read_to_string(current.join("own.toml")).expect("rules");
    assert_eq!(text(), RULE);
    assert_eq!(place.take(&bundle(3, RULE)), Ok(false), "known already");
    assert_eq!(place.take(&bundle(4, "[[key]]\nnonsense = 1\n")), Err(Refusal::Faulty));
    assert_eq!(place.take(&bundle(2, RULE)), Err(Refusal::Older));
    assert_eq!(text(), RULE);
    let newer = RULE.replace("Visit number", "Number of a visit");
    assert_eq!(place.take(&bundle(9, &newer)), Ok(true));
    assert_eq!(text(), newer);
    // A restart knows the active rules.
    let mut place = Place::at(folder.path());
    assert_eq!(place.version, 9);
    assert_eq!(place.take(&bundle(8, RULE)), Err(Refusal::Older));
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("folder").collect();
    assert_eq!(left.len(), 2, "the link and the rules in force: {left:?}");
}
