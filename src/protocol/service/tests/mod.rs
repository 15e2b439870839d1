mod served;

use super::*;
use crate::protocol::{Association, Outcome, roles};
use std::sync::Arc;

/// Facts of an association over which `operations` were asked.
fn association(class: &str, operations: &[&str]) -> ServiceFacts {
    let mut facts = ServiceFacts::default();
    let dicom = facts.dicom();
    dicom.sop_classes.push(class.to_owned());
    dicom.dimse = operations.iter().map(|o| (*o).to_owned()).collect();
    dicom.association =
        Some(Box::new(Association { outcome: Some(Outcome::Accepted), ..Association::default() }));
    facts
}

fn classes(facts: &ServiceFacts) -> Vec<&str> {
    let dicom = facts.dicom.as_ref().expect("facts of DICOM");
    dicom.sop_classes.iter().map(String::as_str).collect()
}

fn joined(earlier: &ServiceFacts, later: &ServiceFacts) -> ServiceFacts {
    let [earlier, later] = [earlier, later].map(|facts| Arc::new(facts.clone()));
    ServiceFacts::joined(&earlier, &later).as_ref().clone()
}

#[test]
fn associations_add_up_and_the_one_that_did_something_comes_first() {
    let (stored, idle) = (association("1.2.1", &["C-STORE"]), association("1.2.2", &[]));
    assert_eq!(classes(&joined(&stored, &idle)), ["1.2.1", "1.2.2"]);
    let found = association("1.2.3", &["C-FIND"]);
    assert_eq!(classes(&joined(&stored, &found)), ["1.2.3", "1.2.1"]);
    assert_eq!(joined(&ServiceFacts::default(), &stored), stored);
}

#[test]
fn of_other_services_the_last_connection_says_it_all() {
    let (mut first, mut last) = (ServiceFacts::default(), ServiceFacts::default());
    ServiceFacts::set(&mut first.web().host, "old");
    ServiceFacts::set(&mut last.web().path, "/new");
    assert_eq!(joined(&first, &last), last);
}

#[test]
fn a_secret_once_seen_in_clear_stays_known() {
    let mut first = association("1.2.1", &["C-STORE"]);
    first.credentials_in_clear = true;
    let both = joined(&first, &association("1.2.1", &["C-STORE"]));
    assert!(both.credentials_in_clear);
}

#[test]
fn a_name_is_listed_once_and_the_later_family_says_it() {
    // A share that is reached through a CONNECT proxy.
    let mut facts = ServiceFacts::default();
    ServiceFacts::set(&mut facts.web().method, "CONNECT");
    ServiceFacts::set(&mut facts.web().path, "/proxy");
    ServiceFacts::set(&mut facts.files().path, "/share/*");
    let mut list = FactList::default();
    facts.families().for_each(|family| family.list(&mut list));
    let texts: Vec<_> = list
        .iter()
        .map(|(name, fact)| match fact {
            Fact::Text(text) => (*name, *text),
            _ => panic!("{name} is no text"),
        })
        .collect();
    assert_eq!(texts, [("method", "CONNECT"), ("path", "/share/*")]);
}

#[test]
fn a_text_is_trimmed_cut_between_characters_and_never_emptied() {
    let mut slot = None;
    ServiceFacts::set(&mut slot, &format!(" {}", "é".repeat(ServiceFacts::MAX_TEXT)));
    assert_eq!(slot.as_ref().map(String::len), Some(ServiceFacts::MAX_TEXT));
    ServiceFacts::set(&mut slot, &format!("x{}", "é".repeat(ServiceFacts::MAX_TEXT)));
    assert_eq!(slot.as_ref().map(String::len), Some(ServiceFacts::MAX_TEXT - 1));
    let before = slot.clone();
    ServiceFacts::set(&mut slot, " \0 ");
    assert_eq!(slot, before);
}

#[test]
fn every_version_of_http_gives_its_server_the_same_role() {
    let facts = ServiceFacts::default();
    let web = crate::protocol::PROTOCOLS.iter().filter(|protocol| protocol.name() == "http");
    let all: Vec<Roles> = web.map(|protocol| protocol.roles(&facts, "fhir")).collect();
    assert!(all.len() > 1 && all.iter().all(|r| *r == Roles::server(Role::FhirServer)), "{all:?}");
    assert_eq!(roles("unknown", &facts, "fhir"), Roles::server(Role::Server));
}
