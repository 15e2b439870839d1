//! What events say of DICOM: the association, whom a service lets in, and what passed.

use super::model::{Access, Association, Dicom, End};
use crate::exposure as x;
use crate::protocol as p;
use dicom_core::dictionary::UidDictionary as _;
use dicom_dictionary_std::StandardSopClassDictionary;
use std::collections::BTreeMap;

/// Calling titles listed of a service, let in or turned away.
const MAX_TITLES: usize = 16;

/// Names of SOP classes (PS3.6 annex A), as far as they are known.
pub(super) fn names(classes: &[String]) -> Vec<&'static str> {
    let names = classes.iter().filter_map(|uid| StandardSopClassDictionary.by_uid(uid));
    names.map(|entry| entry.name).collect()
}

pub(super) fn association(a: &p::Association) -> Box<Association<'_>> {
    let [contexts_proposed, contexts_accepted] = a.contexts;
    let [client_max_pdu, server_max_pdu] = a.max_pdu;
    let [proposed_roles, agreed_roles] = a.provider_roles;
    let answered = a.outcome == Some(p::Outcome::Accepted);
    let provider_roles = if answered { agreed_roles } else { proposed_roles };
    Box::new(Association {
        outcome: a.outcome.map(p::Outcome::as_str),
        contexts_proposed,
        contexts_accepted,
        client_max_pdu,
        server_max_pdu,
        user_identity: a.user_identity,
        identity_confirmed: a.user_identity.map(|_| a.identity_confirmed),
        operations_invoked: a.asynchronous.map(|[invoked, _]| invoked),
        operations_performed: a.asynchronous.map(|[_, performed]| performed),
        provider_roles: Some(provider_roles).filter(|n| *n > 0),
        extended_negotiation: &a.extended,
        move_destinations: &a.move_destinations,
        move_originators: &a.move_originators,
    })
}

/// Nothing where nothing is proved.
pub(super) fn access(a: &x::Access) -> Option<Box<Access>> {
    (a.answers() != x::Answers::Unproven).then(|| {
        Box::new(Access {
            answers: a.answers().as_str(),
            evidence: a.evidence(),
            clients: a.clients,
            calling_titles: a.titles,
            refused_titles: a.refused_titles,
        })
    })
}

pub(super) fn of_exposure(e: &x::Exposure) -> Option<Box<Dicom<'_>>> {
    let moved = !e.moved_for.is_empty() || !e.moved_to.is_empty();
    (moved || !e.figures.is_empty()).then(|| {
        let to = e.moved_to.iter().map(|to| End { ip: to.ip(), port: Some(to.port()) });
        Box::new(Dicom {
            moved_for: e.moved_for.clone(),
            moved_to: to.collect(),
            ..figures(&e.figures, None)
        })
    })
}

pub(super) fn of_service(s: &x::Service) -> Option<Box<Dicom<'_>>> {
    let titled = !s.titles.is_empty() || !s.refused_titles.is_empty();
    (titled || !s.figures.is_empty()).then(|| {
        let first = |list| <[String]>::get(list, ..list.len().min(MAX_TITLES)).unwrap_or_default();
        Box::new(Dicom {
            accepted_titles: first(&s.titles),
            refused_titles: first(&s.refused_titles),
            ..figures(&s.figures, Some(s.patients))
        })
    })
}

fn figures(f: &x::ExposureTotals, patients: Option<x::Count>) -> Dicom<'static> {
    let mut operations: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (&(what, outcome), &n) in &f.operations {
        operations.entry(what).or_default().insert(outcome, n);
    }
    let counts = [Some(f.instances), Some(f.studies), patients, Some(f.commitments)];
    let [instances, studies, patients, commitments] =
        counts.map(|n| n.map(|n| n.value).filter(|n| *n > 0));
    let estimated = counts.iter().flatten().any(|n| n.estimate);
    Dicom {
        instances,
        studies,
        patients,
        commitments,
        estimated,
        operations,
        moved_for: Vec::new(),
        moved_to: Vec::new(),
        accepted_titles: &[],
        refused_titles: &[],
    }
}
