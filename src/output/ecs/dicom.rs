//! DICOM in events, beside the facts of the service: which clients a service accepts, and operations.

use super::cut::Cut;
use super::model::{Access, Dicom, End, Proof};
use crate::exposure as x;
use crate::output::{Context, community_id_of};
use std::collections::BTreeMap;

/// Calling titles listed per service, accepted or rejected.
const MAX_TITLES: usize = 16;

/// `None` if nothing is proven.
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

/// The flows that showed which clients a service accepts.
pub(super) fn proofs<'a>(s: &x::Service, context: &'a Context) -> Vec<Proof<'a>> {
    let proof = |proof: &x::Proof| Proof {
        evidence: proof.evidence,
        community_id: community_id_of(proof.client, proof.server, s.transport.number()),
        file: context.files.get(usize::from(proof.interface)).map(|file| &**file),
        until: proof.until.to_string(),
    };
    s.proofs.iter().map(proof).collect()
}

pub(super) fn of_exposure(e: &x::Exposure, cut: Cut) -> Option<Box<Dicom<'_>>> {
    let moved = !e.moved_for.is_empty() || !e.moved_to.is_empty();
    (moved || !e.figures.is_empty()).then(|| {
        let to = cut.list(&e.moved_to).iter();
        let to = to.map(|to| End { ip: to.ip(), port: Some(to.port()) });
        Box::new(Dicom {
            moved_for: cut.list(&e.moved_for).to_vec(),
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
